/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNELS_DRAW_PICTURE_H
#define TESTS_KERNELS_DRAW_PICTURE_H

/* Pictures for kernels that make bytes of attenuations, and their bytes on every path. */

#include "kernels/image.h"
#include "kernels/path.h"
#include "tests/kernels/draw.h"

#include <math.h>
#include <string.h>

struct picture {
    struct image_view image;
    float *pixels;
    uint8_t *valid;
};

/* Attenuations of -0.2 to `most`, rows a little apart. Of odd seeds a quarter is not valid, and
 * some are no numbers or infinite. */
static inline struct picture draw_picture(uint64_t seed, size_t width, size_t height, double most)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    size_t stride = width + seed % 3;
    struct picture picture = {.pixels = draw_room(stride * height, sizeof(float)),
                              .valid = draw_room(width * height, 1)};
    picture.image = (struct image_view){picture.pixels, width, height, stride};
    int torn = seed % 2 == 1;
    for (size_t i = 0; i < stride * height; i++) {
        picture.pixels[i] = (float)((most + 0.2) * rng_uniform(&rng) - 0.2);
        if (torn && rng_below(&rng, 20) == 0) {
            picture.pixels[i] = rng_below(&rng, 2) ? NAN : INFINITY;
        }
    }
    for (size_t i = 0; i < width * height; i++) {
        picture.valid[i] = !torn || rng_below(&rng, 4) != 0;
    }
    return picture;
}

static inline void drop_picture(struct picture *picture)
{
    free(picture->pixels);
    free(picture->valid);
}

/* What a kernel is asked on one path. */
struct path_run {
    void (*make)(const void *argument, enum path path, void *workspace, uint8_t *bytes);
    const void *argument;
    size_t workspace_bytes;
    size_t bytes;
};

/* On every path that this processor has the bytes are the expected ones, nothing is written beyond
 * them or the workspace, and what both held before makes no difference. */
static inline void assert_every_path(const struct path_run *run, const uint8_t *expected)
{
    enum { GUARD = 16 };
    uint8_t *got = draw_room(run->bytes + GUARD, 1);
    uint8_t *workspace = draw_room(run->workspace_bytes + GUARD, 1);
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        memset(got, 0xa5, run->bytes + GUARD);
        memset(workspace, 0xa5, run->workspace_bytes + GUARD);
        run->make(run->argument, (enum path)path, workspace, got);
        assert_memory_equal(got, expected, run->bytes);
        for (size_t i = 0; i < GUARD; i++) {
            assert_int_equal(got[run->bytes + i], 0xa5);
            assert_int_equal(workspace[run->workspace_bytes + i], 0xa5);
        }
    }
    free(got);
    free(workspace);
}

#endif
