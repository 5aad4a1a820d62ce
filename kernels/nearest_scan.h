/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_NEAREST_SCAN_H
#define KERNELS_NEAREST_SCAN_H

/* Nearest_scan: what the files of the nearest kernel share. Private to kernels/nearest*.c.
 *
 * A packed bank is a row of groups of NEAREST_GROUP rows of about the same norm, in bytes; a tile
 * is a handful of queries in bytes. A scan puts one group beside one tile and hands the rows whose
 * bracket could belong to a neighbour to nearest_note(). The mathematics is in KERNELS.md. */

#include <float.h>
#include <math.h>

#include "kernels/nearest.h"

enum {
    NEAREST_GROUP = 64,   /* rows: four registers of AVX-512, four tiles of AMX */
    NEAREST_BLOCK = 16,   /* rows side by side in memory */
    NEAREST_STEP = 4,     /* dimensions in one lane of a dot product of bytes */
    NEAREST_DEPTH = 64,   /* a row is padded with zeros to a multiple of this */
    NEAREST_TILE = 240,   /* queries at most: a multiple of NEAREST_PAD */
    NEAREST_PAD = 48,     /* a tile is padded to a multiple: of the 6 of VNNI, of the 16 of AMX */
    NEAREST_LIST = 64,    /* candidates of a query before they are measured */
    NEAREST_CENTRE = 128, /* added to a bank's bytes: VPDPBUSD wants one side without a sign */
    NEAREST_BYTE_MOST = 127,
    NEAREST_ALIGNMENT = 64,
    NEAREST_ORDINARY_EXPONENT = 120, /* a larger squared norm comes near the limits of float */
    NEAREST_PRODUCT_QUERIES = 256,   /* at most side by side in a tile of products by SGEMM */
    NEAREST_PRODUCTS_MAX = 1 << 18,  /* floats of such a tile */
};

/* How much is worked on at once. */
struct nearest_tiles {
    size_t byte_queries; /* by bytes: a multiple of NEAREST_PAD, at most NEAREST_TILE */
    size_t queries;      /* by SGEMM: at most NEAREST_PRODUCT_QUERIES */
    size_t rows;         /* of the bank; queries * rows <= NEAREST_PRODUCTS_MAX */
};
/* For a cache, NULL: the usual, and a bank packed to that depth. */
struct nearest_tiles nearest_tiles_of(const struct cache *told, size_t depth);

/* One of a query's nearest so far. */
struct nearest_found {
    double distance; /* squared; INFINITY: none */
    uint32_t index;
    uint32_t exact; /* the distance is nearest_measure()'s */
};

/* The wanted nearest of one query, nearest first. */
struct nearest_hold {
    struct nearest_found *found; /* [wanted] */
    size_t wanted;
};

void nearest_hold_clear(const struct nearest_hold *self);
/* Sorts it in, unless it is there already or farther than all. Of equal distances the lower index
 * is nearer. */
void nearest_hold_keep(const struct nearest_hold *self, const struct nearest_found *fresh);

/* The squared distance by its definition here: double, columns in order, no fused multiply-add. */
double nearest_measure(const float *query, const float *row, size_t dimension_count);
double nearest_squared_norm(const float *row, size_t dimension_count);

/* 64 rows of a packed bank. Their bytes are [NEAREST_GROUP / NEAREST_BLOCK][depth / NEAREST_STEP]
 * [NEAREST_BLOCK][NEAREST_STEP]; a row is about scale * (byte - NEAREST_CENTRE). */
struct nearest_group {
    float scale;
    float norm_least; /* of the rows, not squared, rounded down */
    float norm_most;  /* rounded up, as the next */
    float error_most; /* largest distance of a row from what its bytes say */
};

/* At the front of the caller's memory. */
struct nearest_packed {
    size_t group_count; /* 0: no row that bytes can say */
    size_t depth;
    const struct nearest_group *groups; /* by rising norm */
    const float *norms;      /* [group_count x NEAREST_GROUP], squared; INFINITY: no row */
    const uint32_t *indices; /* of the bank's rows */
    const uint8_t *bytes;
};

struct nearest_loops;

/* Arrays of [NEAREST_TILE] unless another shape is given. */
struct nearest_tile {
    const struct nearest_loops *loops;
    const struct nearest_bank *bank;
    struct nearest_queries queries; /* at most NEAREST_TILE */
    size_t padded_count;            /* the queries beyond row_count are near to nothing */
    size_t wanted;
    size_t measured; /* rows, so far */
    int8_t *bytes;   /* [NEAREST_TILE x depth]; a query is about scale * byte */
    int32_t *shifts; /* - NEAREST_CENTRE * sum of the bytes */
    float *scales;
    float *norms;         /* rounded up, as the next */
    float *errors;        /* distance of the query from what its bytes say */
    double *square_norms; /* to a few units of double; NaN: no finite distance; INFINITY:
                             not a query for bytes */
    float *uppers;        /* the wanted-th nearest row has |b|^2 - 2 q.b at most this */
    float *coefficients;  /* bracket = squared norm of the row - coefficient * sum of products */
    float *margins;       /* how far a bracket may be from the truth, in the group at hand */
    float *thresholds;    /* a row with a higher bracket is no neighbour */
    float *bounds;        /* [NEAREST_TILE x wanted]: the wanted least upper bounds, rising */
    uint32_t *candidate_counts;
    float *candidate_lowers;     /* [NEAREST_TILE x NEAREST_LIST] */
    uint32_t *candidate_places;  /* in the packed bank; the same shape */
    struct nearest_found *found; /* [NEAREST_TILE x wanted] */
};

/* One query's brackets in a group, those with a bit in `hits` at most its threshold. */
void nearest_note(struct nearest_tile *tile, size_t query, const float *brackets, uint64_t hits,
                  size_t group);

/* The inner loops, once for each set of instructions. */
struct nearest_loops {
    /* Query `query` of the tile in bytes, with its shift, scale, norm, error and square norm. */
    void (*quantise)(struct nearest_tile *tile, size_t query);
    /* nearest_note() for every query that has a row in the group within its threshold. */
    void (*scan)(struct nearest_tile *tile, size_t group);
    /* A squared distance in double, summed in any order. */
    double (*measure)(const float *query, const float *row, size_t dimension_count);
};

#if defined(__x86_64__)
extern const struct nearest_loops nearest_loops_avx512_vnni;
extern const struct nearest_loops nearest_loops_amx;

/* What nearest_amx_allow() found; any thread. */
int nearest_amx_ready(void);

/* What the loops with AVX-512 share. */
double nearest_measure_avx512(const float *query, const float *row, size_t dimension_count);
void nearest_quantise_avx512(struct nearest_tile *tile, size_t query);
/* What a group means for every query of the tile: coefficients, margins, thresholds. */
void nearest_prepare_avx512(const struct nearest_tile *tile, const struct nearest_group *group);
/* All of one query's brackets in a group: takes the least first, so that few are left to note. */
void nearest_note_avx512(struct nearest_tile *tile, size_t query, const float *brackets,
                         size_t group);
#endif

/* The wanted nearest rows of the tile's queries, in tile->found. False when too many rows had to be
 * measured: bytes cannot tell this bank's rows apart. Queries without a square norm have none.
 */
int nearest_packed_search(struct nearest_tile *tile);

/* Points the tile's arrays into the caller's workspace. */
void nearest_tile_place(struct nearest_tile *tile, float *workspace);
size_t nearest_tile_floats(void);

/* Above a sum of which both are parts, whatever float made of it. */
static inline float nearest_raise(float sum)
{
    return sum + fabsf(sum) * 0x1p-22f + FLT_MIN;
}

static inline size_t nearest_aligned(size_t bytes)
{
    return (bytes + NEAREST_ALIGNMENT - 1) / NEAREST_ALIGNMENT * NEAREST_ALIGNMENT;
}

/* The next `bytes` of the memory at base; NULL while only counting, without a base. */
static inline void *nearest_carve(char *base, size_t *used, size_t bytes)
{
    void *carved = base == NULL ? NULL : base + *used;
    *used += nearest_aligned(bytes);
    return carved;
}

static inline char *nearest_align_up(void *memory)
{
    size_t past = (size_t)((uintptr_t)memory % NEAREST_ALIGNMENT);
    return (char *)memory + (past == 0 ? 0 : NEAREST_ALIGNMENT - past);
}
#endif
