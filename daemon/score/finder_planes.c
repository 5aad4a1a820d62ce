/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder.h"

#include <string.h>

#include "score/finder_material.h"
#include "score/finder_round.h"

/* Levels are whole numbers of a sixteenth, so that the sums of the local mean slide over the image
 * without gathering rounding errors: a pixel's planes depend on what is around it and on nothing
 * else. Every step is one float operation in a stated order, nothing that a compiler may fuse for
 * this processor, no library function. */

enum {
    FINE = 16, /* steps of a level of plane 0 */
    FINE_MAX = 255 * FINE,
    WINDOW = 2 * FINDER_LOCAL_RADIUS + 1,
    COUNT_SHIFT = 32, /* a sum of levels and the number of pixels in it share a word */
};

struct finder_input finder_input_default(enum image_meaning meaning)
{
    struct finder_input input = {
        .a_max = 1, .contrast = 2, .ratio_low = 0.9, .ratio_high = 1.6, .ratio_least = 0.05};
    if (meaning == IMAGE_TRANSMISSION) {
        input.a_max = 6;
        input.contrast = 6;
        input.ratio_least = 0.3;
    }
    return input;
}

struct space {
    uint64_t *columns; /* [width]: sums of up to 33 rows */
    uint16_t *fine;    /* [WINDOW][width] */
};

static size_t columns_bytes(size_t width)
{
    return width * sizeof(uint64_t);
}

size_t finder_planes_workspace_bytes(size_t width)
{
    size_t levels = columns_bytes(width) + WINDOW * width * sizeof(uint16_t);
    size_t material = finder_material_workspace_bytes(width);
    return levels > material ? levels : material;
}

/* Row y enters the sums: its levels are kept until it leaves. */
static void enter_row(const struct working *working, float scale, size_t y, struct space *space)
{
    uint16_t *fine = space->fine + y % WINDOW * working->width;
    const float *pixels = working->pixels + y * working->width;
    const uint8_t *valid = working->valid + y * working->width;
    for (size_t x = 0; x < working->width; x++) {
        uint32_t level = finder_round(finder_hold(pixels[x] * scale, 0, FINE_MAX));
        fine[x] = (uint16_t)(valid[x] != 0 ? level : 0);
        space->columns[x] += fine[x] + ((uint64_t)(valid[x] != 0) << COUNT_SHIFT);
    }
}

static void leave_row(const struct working *working, size_t y, struct space *space)
{
    const uint16_t *fine = space->fine + y % WINDOW * working->width;
    const uint8_t *valid = working->valid + y * working->width;
    for (size_t x = 0; x < working->width; x++) {
        space->columns[x] -= fine[x] + ((uint64_t)(valid[x] != 0) << COUNT_SHIFT);
    }
}

static uint32_t plane_local(float contrast, uint32_t level, uint64_t sum)
{
    float mean = (float)(uint32_t)sum / (float)(uint32_t)(sum >> COUNT_SHIFT);
    return finder_round(finder_hold(128 + contrast * ((float)level - mean), 0, 255));
}

static void write_row(const struct finder_input *input, const struct working *working, size_t y,
                      const struct space *space, uint8_t *out)
{
    const uint16_t *fine = space->fine + y % WINDOW * working->width;
    const uint8_t *valid = working->valid + y * working->width;
    const float contrast = (float)(input->contrast / FINE);
    size_t width = working->width;
    uint64_t sum = 0;
    for (size_t x = 0; x < width && x < FINDER_LOCAL_RADIUS; x++) {
        sum += space->columns[x];
    }
    for (size_t x = 0; x < width; x++) {
        sum += x + FINDER_LOCAL_RADIUS < width ? space->columns[x + FINDER_LOCAL_RADIUS] : 0;
        sum -= x > FINDER_LOCAL_RADIUS ? space->columns[x - FINDER_LOCAL_RADIUS - 1] : 0;
        uint32_t word = 0; /* the 4 bytes of a pixel */
        if (valid[x] != 0) {
            word = (fine[x] + FINE / 2U) / FINE | plane_local(contrast, fine[x], sum) << 8 |
                   255U << 24;
        }
        out[x * FINDER_CHANNELS] = (uint8_t)word;
        out[x * FINDER_CHANNELS + 1] = (uint8_t)(word >> 8);
        out[x * FINDER_CHANNELS + 2] = 0;
        out[x * FINDER_CHANNELS + 3] = (uint8_t)(word >> 24);
    }
}

static void write_ratios(const struct finder_input *input, const struct working *working,
                         const float *low_pixels, uint8_t *planes)
{
    const float least = (float)input->ratio_least;
    const float from = (float)input->ratio_low;
    const float scale = (float)(254 / (input->ratio_high - input->ratio_low));
    for (size_t i = 0; i < working->width * working->height; i++) {
        if (working->valid[i] != 0 && working->pixels[i] > least) {
            float ratio = low_pixels[i] / working->pixels[i];
            planes[i * FINDER_CHANNELS + 2] =
                (uint8_t)finder_round(finder_hold(1 + scale * (ratio - from), 1, 255));
        }
    }
}

void finder_planes(const struct finder_input *input, const struct working *working,
                   const float *low_pixels, void *restrict workspace, uint8_t *restrict planes)
{
    size_t width = working->width;
    size_t height = working->height;
    struct space space = {.columns = workspace,
                          .fine =
                              (uint16_t *)(void *)((uint8_t *)workspace + columns_bytes(width))};
    const float scale = (float)(FINE_MAX / input->a_max);
    memset(space.columns, 0, columns_bytes(width));
    for (size_t y = 0; y < height + FINDER_LOCAL_RADIUS; y++) {
        if (y >= WINDOW) {
            leave_row(working, y - WINDOW, &space);
        }
        if (y < height) {
            enter_row(working, scale, y, &space);
        }
        if (y >= FINDER_LOCAL_RADIUS) {
            size_t row = y - FINDER_LOCAL_RADIUS;
            write_row(input, working, row, &space, planes + row * width * FINDER_CHANNELS);
        }
    }
    if (input->material > 0) {
        finder_material(input, working, low_pixels, workspace, planes);
    } else if (low_pixels != NULL) {
        write_ratios(input, working, low_pixels, planes);
    }
}
