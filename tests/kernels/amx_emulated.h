/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNELS_AMX_EMULATED_H
#define TESTS_KERNELS_AMX_EMULATED_H

/* Amx_emulated: the tile instructions in plain C, after the pseudocode of Intel's manual (volume 2:
 * LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBSUD), under the names of the intrinsics, so that
 * kernels/nearest_amx.c runs on any processor. What would raise #UD fails the test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <immintrin.h>

struct emulated_tile {
    uint8_t bytes[16][64];
};

/* Registers belong to a thread. */
static _Thread_local struct emulated_tile emulated_tiles[8];
static _Thread_local uint8_t emulated_shapes[64]; /* all 0: not configured */
static _Thread_local size_t emulated_products;    /* TDPBSUD so far */
static int emulated_fault;                        /* 1: takes the signed side for unsigned */

static size_t emulated_rows(int tile)
{
    return emulated_shapes[48 + tile];
}

static size_t emulated_row_bytes(int tile)
{
    uint16_t row_bytes;
    memcpy(&row_bytes, emulated_shapes + 16 + 2 * tile, sizeof row_bytes);
    return row_bytes;
}

static void emulated_check(int tile)
{
    assert_int_equal(emulated_shapes[0], 1);
    assert_in_range(emulated_rows(tile), 1, 16);
    assert_in_range(emulated_row_bytes(tile), 1, 64);
}

static void emulated_loadconfig(const void *shapes)
{
    memcpy(emulated_shapes, shapes, sizeof emulated_shapes);
    memset(emulated_tiles, 0, sizeof emulated_tiles);
    assert_int_equal(emulated_shapes[0], 1);
    for (int i = 0; i < 16; i++) {
        int used = emulated_rows(i) != 0;
        assert_true(i < 8 || !used);
        assert_true(emulated_rows(i) <= 16 && emulated_row_bytes(i) <= 64);
        assert_int_equal(emulated_row_bytes(i) != 0, used);
    }
    for (int i = 1; i < 16; i++) {
        assert_int_equal(emulated_shapes[i], 0);
    }
}

static void emulated_release(void)
{
    memset(emulated_shapes, 0, sizeof emulated_shapes);
    memset(emulated_tiles, 0xee, sizeof emulated_tiles); /* whoever reads them now sees it */
}

static void emulated_zero(int tile)
{
    emulated_check(tile);
    memset(&emulated_tiles[tile], 0, sizeof emulated_tiles[tile]);
}

static void emulated_loadd(int tile, const void *base, size_t stride)
{
    emulated_zero(tile);
    for (size_t i = 0; i < emulated_rows(tile); i++) {
        memcpy(emulated_tiles[tile].bytes[i], (const uint8_t *)base + i * stride,
               emulated_row_bytes(tile));
    }
}

static void emulated_stored(int tile, void *base, size_t stride)
{
    emulated_check(tile);
    for (size_t i = 0; i < emulated_rows(tile); i++) {
        memcpy((uint8_t *)base + i * stride, emulated_tiles[tile].bytes[i],
               emulated_row_bytes(tile));
    }
}

/* sums += a, bytes with a sign, x b, bytes without. */
static void emulated_dpbsud(int sums, int a, int b)
{
    assert_true(sums != a && sums != b && a != b);
    emulated_check(sums);
    emulated_check(a);
    emulated_check(b);
    assert_int_equal(emulated_row_bytes(sums), emulated_row_bytes(b));
    assert_int_equal(emulated_rows(sums), emulated_rows(a));
    assert_int_equal(emulated_row_bytes(a), 4 * emulated_rows(b));
    for (size_t m = 0; m < emulated_rows(a); m++) {
        for (size_t n = 0; n < emulated_row_bytes(b) / 4; n++) {
            uint32_t sum;
            memcpy(&sum, emulated_tiles[sums].bytes[m] + 4 * n, sizeof sum);
            for (size_t k = 0; k < emulated_row_bytes(a); k++) {
                uint8_t left = emulated_tiles[a].bytes[m][k];
                int32_t factor = emulated_fault ? left : (int8_t)left;
                sum += (uint32_t)(factor * emulated_tiles[b].bytes[k / 4][4 * n + k % 4]);
            }
            memcpy(emulated_tiles[sums].bytes[m] + 4 * n, &sum, sizeof sum);
        }
    }
    emulated_products++;
}

static int has_tiles_of_bytes(void)
{
    return 1;
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbsud
#define _tile_loadconfig(shapes) emulated_loadconfig(shapes)
#define _tile_release() emulated_release()
#define _tile_zero(tile) emulated_zero(tile)
#define _tile_loadd(tile, base, stride) emulated_loadd(tile, base, stride)
#define _tile_stored(tile, base, stride) emulated_stored(tile, base, stride)
#define _tile_dpbsud(sums, a, b) emulated_dpbsud(sums, a, b)
#endif
