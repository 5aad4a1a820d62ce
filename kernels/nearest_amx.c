/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_scan.h"

/* TDPBSUD multiplies a tile of 16 queries x 64 bytes with one of 16 rows x 64 bytes: 16,384
 * products an instruction, and the sums are those of VPDPBUSD. A block of a packed bank is such a
 * tile already. The brackets are made from the sums as in nearest_vnni.c.
 *
 * The tile instructions are the only ones that a test replaces by functions of its own, where
 * NEAREST_AMX_EMULATED is defined: everything else of this file is then what the product runs. */

#if defined(__x86_64__)
#include <string.h>

#if defined(NEAREST_AMX_EMULATED)
#define AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#include <cpuid.h>
#include <immintrin.h>
#define AMX __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl")))
#endif

enum {
    TILE_ROWS = 16,
    TILE_BYTES = 64, /* of a row */
    TILE_LANES = 16, /* sums in a row */
    BLOCKS = NEAREST_GROUP / NEAREST_BLOCK
};

/* What LDTILECFG reads. Tiles 0 to 3 are sums, one for each block of a group, 4 the queries and 5
 * the rows; all are of full size. */
struct tile_shapes {
    uint8_t palette;
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static const struct tile_shapes full_tiles = {
    .palette = 1,
    .row_bytes = {TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES},
    .rows = {TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS},
};

/* sums[block][query][row of the block] = products of bytes, queries' bytes signed. */
AMX static void multiply(const int8_t *queries, const uint8_t *rows, size_t depth,
                         int32_t sums[BLOCKS][TILE_ROWS][TILE_LANES])
{
    size_t block_bytes = depth * NEAREST_BLOCK;
    __asm__ volatile("" ::: "memory"); /* the compiler does not know that a tile reads memory */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t k = 0; k < depth; k += TILE_BYTES) {
        const uint8_t *at = rows + k * NEAREST_BLOCK;
        _tile_loadd(4, queries + k, depth);
        _tile_loadd(5, at, TILE_BYTES);
        _tile_dpbsud(0, 4, 5);
        _tile_loadd(5, at + block_bytes, TILE_BYTES);
        _tile_dpbsud(1, 4, 5);
        _tile_loadd(5, at + 2 * block_bytes, TILE_BYTES);
        _tile_dpbsud(2, 4, 5);
        _tile_loadd(5, at + 3 * block_bytes, TILE_BYTES);
        _tile_dpbsud(3, 4, 5);
    }
    _tile_stored(0, sums[0], TILE_BYTES);
    _tile_stored(1, sums[1], TILE_BYTES);
    _tile_stored(2, sums[2], TILE_BYTES);
    _tile_stored(3, sums[3], TILE_BYTES);
}

AMX static void weigh(struct nearest_tile *tile, size_t group, size_t query,
                      int32_t sums[BLOCKS][TILE_ROWS][TILE_LANES])
{
    const float *norms = tile->bank->packed->norms + group * NEAREST_GROUP;
    const __m512 coefficient = _mm512_set1_ps(tile->coefficients[query]);
    const __m512i shift = _mm512_set1_epi32(tile->shifts[query]);
    __m512 least = _mm512_set1_ps(INFINITY);
    float brackets[NEAREST_GROUP];
    for (size_t b = 0; b < BLOCKS; b++) {
        __m512i whole = _mm512_add_epi32(_mm512_loadu_si512(sums[b][query % TILE_ROWS]), shift);
        __m512 bracket = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(whole), coefficient,
                                          _mm512_loadu_ps(norms + b * NEAREST_BLOCK));
        least = _mm512_min_ps(least, bracket);
        _mm512_storeu_ps(brackets + b * NEAREST_BLOCK, bracket);
    }
    if (_mm512_cmp_ps_mask(least, _mm512_set1_ps(tile->thresholds[query]), _CMP_LE_OQ) != 0) {
        nearest_note_avx512(tile, query, brackets, group);
    }
}

AMX static void scan_amx(struct nearest_tile *tile, size_t group)
{
    const struct nearest_packed *packed = tile->bank->packed;
    const uint8_t *rows = packed->bytes + group * NEAREST_GROUP * packed->depth;
    int32_t sums[BLOCKS][TILE_ROWS][TILE_LANES];
    nearest_prepare_avx512(tile, packed->groups + group);
    _tile_loadconfig(&full_tiles);
    for (size_t first = 0; first < tile->padded_count; first += TILE_ROWS) {
        __mmask16 near = _mm512_cmp_ps_mask(_mm512_loadu_ps(tile->thresholds + first),
                                            _mm512_set1_ps(-INFINITY), _CMP_GT_OQ);
        if (near == 0) {
            continue;
        }
        multiply(tile->bytes + first * packed->depth, rows, packed->depth, sums);
        for (unsigned left = near; left != 0; left &= left - 1) {
            weigh(tile, group, first + (size_t)__builtin_ctz(left), sums);
        }
    }
    _tile_release();
}

const struct nearest_loops nearest_loops_amx = {
    .quantise = nearest_quantise_avx512, .scan = scan_amx, .measure = nearest_measure_avx512};

#if !defined(NEAREST_AMX_EMULATED)
static int has_tiles_of_bytes(void)
{
    const unsigned int tile_and_int8 = 1U << 24 | 1U << 25;
    unsigned int eax;
    unsigned int ebx;
    unsigned int ecx;
    unsigned int edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
           (edx & tile_and_int8) == tile_and_int8;
}
#endif

/* Bytes of both signs and both ends, against the plain sum. */
AMX static int amx_multiplies_right(void)
{
    enum { DEPTH = 2 * TILE_BYTES };
    int8_t queries[TILE_ROWS * DEPTH];
    uint8_t rows[NEAREST_GROUP * DEPTH];
    int32_t sums[BLOCKS][TILE_ROWS][TILE_LANES];
    for (size_t i = 0; i < sizeof queries; i++) {
        queries[i] = (int8_t)((int)(i * 37 % 255) - NEAREST_BYTE_MOST);
    }
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = (uint8_t)(i * 101 % 255 + 1);
    }
    _tile_loadconfig(&full_tiles);
    multiply(queries, rows, DEPTH, sums);
    _tile_release();
    int right = 1;
    for (size_t at = 0; at < (size_t)TILE_ROWS * NEAREST_GROUP; at++) {
        size_t query = at / NEAREST_GROUP;
        size_t row = at % NEAREST_GROUP;
        const uint8_t *lanes =
            rows + row / NEAREST_BLOCK * NEAREST_BLOCK * DEPTH + row % NEAREST_BLOCK * NEAREST_STEP;
        int32_t sum = 0;
        for (size_t k = 0; k < DEPTH; k++) {
            size_t lane = k / NEAREST_STEP * NEAREST_STEP * NEAREST_BLOCK + k % NEAREST_STEP;
            sum += queries[query * DEPTH + k] * lanes[lane];
        }
        right &= sums[row / NEAREST_BLOCK][query][row % NEAREST_BLOCK] == sum;
    }
    return right;
}

static int ready;

int nearest_amx_ready(void)
{
    return __atomic_load_n(&ready, __ATOMIC_RELAXED);
}

int nearest_amx_allow(void)
{
    int right = has_tiles_of_bytes() && amx_multiplies_right();
    __atomic_store_n(&ready, right, __ATOMIC_RELAXED);
    return right;
}
#endif
