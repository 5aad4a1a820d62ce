/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/planes.h"

#include <string.h>

#include "kernels/round.h"

/* A pixel's step and whether it is valid share a word, and so do the sums of a column of 33 of
 * them: one addition and one subtraction move the window down a row. Sums along the row are
 * differences of two running sums, which may wrap: what they differ by is below 2^32. Every loop
 * but the running sums is independent from pixel to pixel; all float operations are single and in a
 * stated order (-ffp-contract=off). */

enum {
    STEP_MAX = 255 * PLANES_FINE,
    WINDOW = 2 * PLANES_RADIUS + 1,
    VALID_SHIFT = 20,
    VALID = 1 << VALID_SHIFT, /* in a word: a valid pixel; in a column's sum: how many */
    STEP_MASK = VALID - 1,
};

_Static_assert(WINDOW *STEP_MAX < VALID, "a column's steps leave its count alone");
_Static_assert(WINDOW *WINDOW *STEP_MAX < 1 << 24, "a window's sum is exact in a float");

struct space {
    uint32_t *words;   /* [WINDOW][width]: a ring of rows; 0 where not valid */
    uint32_t *columns; /* [width]: sums over the ring */
    uint32_t *steps;   /* [width + WINDOW]: running sums of steps, padded to either side */
    uint32_t *counts;  /* of valid pixels, likewise */
};

size_t planes_workspace_bytes(size_t width)
{
    return (WINDOW * width + width + 2 * (width + WINDOW)) * sizeof(uint32_t);
}

static struct space place(void *workspace, size_t width)
{
    struct space space = {.words = workspace};
    space.columns = space.words + WINDOW * width;
    space.steps = space.columns + width;
    space.counts = space.steps + width + WINDOW;
    memset(workspace, 0, planes_workspace_bytes(width));
    return space;
}

/* A row takes the place of the one that leaves the window. pixels NULL: below the image. */
PATH_BODY void enter_body(const float *pixels, const uint8_t *valid, size_t width, float scale,
                          uint32_t *restrict words, uint32_t *restrict columns)
{
    if (pixels == NULL) {
        for (size_t x = 0; x < width; x++) {
            columns[x] -= words[x];
            words[x] = 0;
        }
        return;
    }
    for (size_t x = 0; x < width; x++) {
        uint32_t step = round_even(round_hold(pixels[x] * scale, 0, STEP_MAX));
        uint32_t word = valid[x] != 0 ? step + VALID : 0;
        columns[x] += word - words[x];
        words[x] = word;
    }
}

static void run_sums(const struct space *space, size_t width)
{
    uint32_t steps = 0;
    uint32_t counts = 0;
    for (size_t x = 0; x < width; x++) {
        steps += space->columns[x] & STEP_MASK;
        counts += space->columns[x] >> VALID_SHIFT;
        space->steps[PLANES_RADIUS + 1 + x] = steps;
        space->counts[PLANES_RADIUS + 1 + x] = counts;
    }
    for (size_t x = PLANES_RADIUS + 1 + width; x < width + WINDOW; x++) {
        space->steps[x] = steps;
        space->counts[x] = counts;
    }
}

PATH_BODY void write_body(const struct space *space, const uint32_t *words, size_t width,
                          float contrast, uint8_t *restrict out)
{
    const uint32_t *steps = space->steps;
    const uint32_t *counts = space->counts;
    for (size_t x = 0; x < width; x++) {
        int32_t sum = (int32_t)(steps[x + WINDOW] - steps[x]);
        int32_t count = (int32_t)(counts[x + WINDOW] - counts[x]);
        uint32_t step = words[x] & STEP_MASK;
        float mean = (float)sum / (float)count; /* not valid: of 0 pixels, perhaps */
        uint32_t local =
            round_even(round_hold(128 + contrast * ((float)(int32_t)step - mean), 0, 255));
        uint32_t word = (step + PLANES_FINE / 2U) / PLANES_FINE | local << 8 | 255U << 24;
        word = words[x] >= VALID ? word : 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        memcpy(out + x * PLANES_COUNT, &word, sizeof word);
#else
        for (size_t plane = 0; plane < PLANES_COUNT; plane++) {
            out[x * PLANES_COUNT + plane] = (uint8_t)(word >> 8 * plane);
        }
#endif
    }
}

PATH_BODY void make_body(const struct planes_rule *rule, const struct image_view *image,
                         const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes)
{
    const size_t width = image->width;
    struct space space = place(workspace, width);
    for (size_t y = 0; y < image->height + PLANES_RADIUS; y++) {
        int inside = y < image->height;
        enter_body(inside ? image->pixels + y * image->stride : NULL, valid + y * width, width,
                   rule->scale, space.words + y % WINDOW * width, space.columns);
        if (y >= PLANES_RADIUS) {
            size_t row = y - PLANES_RADIUS;
            run_sums(&space, width);
            write_body(&space, space.words + row % WINDOW * width, width, rule->contrast,
                       planes + row * width * PLANES_COUNT);
        }
    }
}

#define MAKE_ON(name, target)                                                                      \
    target static void make_##name(const struct planes_rule *rule, const struct image_view *image, \
                                   const uint8_t *valid, void *restrict workspace,                 \
                                   uint8_t *restrict planes)                                       \
    {                                                                                              \
        make_body(rule, image, valid, workspace, planes);                                          \
    }

MAKE_ON(portable, )
#if defined(__x86_64__)
MAKE_ON(avx2, PATH_TARGET_AVX2)
MAKE_ON(avx512, PATH_TARGET_AVX512)
#endif

void planes_make_by(enum path path, const struct planes_rule *rule, const struct image_view *image,
                    const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes)
{
#if defined(__x86_64__)
    if (path == PATH_AVX512) {
        make_avx512(rule, image, valid, workspace, planes);
        return;
    }
    if (path == PATH_AVX2) {
        make_avx2(rule, image, valid, workspace, planes);
        return;
    }
#endif
    (void)path;
    make_portable(rule, image, valid, workspace, planes);
}

void planes_make(const struct planes_rule *rule, const struct image_view *image,
                 const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes)
{
    planes_make_by(path_best(), rule, image, valid, workspace, planes);
}
