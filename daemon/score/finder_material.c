/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_material.h"

#include <string.h>

#include "score/finder_round.h"

/* Attenuations become whole numbers of 2^-12, and so do sums over 3 x 3 pixels: what a pixel gets
 * depends on what is around it and on nothing else. Averaged before they are divided: behind a
 * load that lets a thousandth through, the ratio of one pixel is noise. */

enum {
    ONE = 1 << 12, /* an attenuation of 1 */
    QUANTITY_MAX = 64 * ONE,
    EXCESS_SHIFT = 8, /* excesses are kept in 2^-16: one of 2^-24 would pass int32 */
    EXCESS_ONE = 1 << 16,
    RADIUS = FINDER_MATERIAL_RADIUS,
    WINDOW = 2 * RADIUS + 1,
};

struct triple { /* of three rows of a column */
    int32_t high;
    int32_t low;
    int32_t count;
};

struct sum { /* of up to 65 rows of a column */
    int64_t high;
    int64_t excess;
    int64_t count;
};

struct space {
    struct sum *sums;     /* [width] */
    struct triple *three; /* [width] */
    int32_t *excess;      /* [WINDOW][width] */
};

size_t finder_material_workspace_bytes(size_t width)
{
    return width * (sizeof(struct sum) + sizeof(struct triple) + WINDOW * sizeof(int32_t));
}

static struct space lay_out(void *workspace, size_t width)
{
    struct space space = {.sums = workspace};
    space.three = (struct triple *)(void *)(space.sums + width);
    space.excess = (int32_t *)(void *)(space.three + width);
    return space;
}

static int32_t quantity(float attenuation)
{
    return (int32_t)finder_round(finder_hold(attenuation * ONE, 0, QUANTITY_MAX));
}

static void add_three(const struct working *working, const float *low_pixels, size_t y,
                      struct triple *three)
{
    size_t width = working->width;
    memset(three, 0, width * sizeof *three);
    for (size_t row = y > 0 ? y - 1 : 0; row <= y + 1 && row < working->height; row++) {
        for (size_t x = 0; x < width; x++) {
            size_t i = row * width + x;
            if (working->valid[i] != 0) {
                three[x].high += quantity(working->pixels[i]);
                three[x].low += quantity(low_pixels[i]);
                three[x].count++;
            }
        }
    }
}

/* Row y enters the sums: its excesses are kept until it leaves. */
static void enter_row(const struct finder_input *input, const struct working *working, size_t y,
                      const struct space *space, uint8_t *out)
{
    const float from = (float)input->ratio_low;
    const float scale = (float)(254 / (input->ratio_high - input->ratio_low));
    const float least = (float)input->ratio_least * ONE;
    const int64_t usual =
        (int64_t)finder_round((float)((input->ratio_low + input->ratio_high) / 2) * ONE);
    const float *pixels = working->pixels + y * working->width;
    const uint8_t *valid = working->valid + y * working->width;
    int32_t *excess = space->excess + y % WINDOW * working->width;
    for (size_t x = 0; x < working->width; x++) {
        struct triple sum = space->three[x];
        for (size_t side = x > 0 ? x - 1 : x + 1; side <= x + 1 && side < working->width;
             side += 2) {
            sum.high += space->three[side].high;
            sum.low += space->three[side].low;
            sum.count += space->three[side].count;
        }
        excess[x] = 0;
        if (valid[x] == 0) {
            continue;
        }
        excess[x] = (int32_t)(((int64_t)sum.low * ONE - (int64_t)sum.high * usual) /
                              ((int64_t)sum.count << EXCESS_SHIFT));
        space->sums[x].high += quantity(pixels[x]);
        space->sums[x].excess += excess[x];
        space->sums[x].count++;
        if ((float)sum.high > least * (float)sum.count) {
            float ratio = (float)sum.low / (float)sum.high;
            out[x * FINDER_CHANNELS + 2] =
                (uint8_t)finder_round(finder_hold(1 + scale * (ratio - from), 1, 255));
        }
    }
}

static void leave_row(const struct working *working, size_t y, const struct space *space)
{
    const int32_t *excess = space->excess + y % WINDOW * working->width;
    const float *pixels = working->pixels + y * working->width;
    const uint8_t *valid = working->valid + y * working->width;
    for (size_t x = 0; x < working->width; x++) {
        if (valid[x] != 0) {
            space->sums[x].high -= quantity(pixels[x]);
            space->sums[x].excess -= excess[x];
            space->sums[x].count--;
        }
    }
}

/* What stands above the mean of 65 x 65 pixels, as a byte. */
static uint8_t contrast(float gain, int64_t value, int64_t sum, int64_t count)
{
    int64_t above = value - sum / count;
    return (uint8_t)finder_round(finder_hold(128 + gain * (float)above, 0, 255));
}

static void write_row(const struct finder_input *input, const struct working *working, size_t y,
                      const struct space *space, uint8_t *out)
{
    const int32_t *excess = space->excess + y % WINDOW * working->width;
    const float *pixels = working->pixels + y * working->width;
    const uint8_t *valid = working->valid + y * working->width;
    const float rise_gain = (float)(input->contrast * 255 / input->a_max / ONE);
    const float gain = (float)(input->material / EXCESS_ONE);
    size_t width = working->width;
    struct sum sum = {0, 0, 0};
    for (size_t x = 0; x < width + RADIUS; x++) { /* x enters, x - RADIUS is written */
        if (x < width) {
            sum.high += space->sums[x].high;
            sum.excess += space->sums[x].excess;
            sum.count += space->sums[x].count;
        }
        if (x >= WINDOW) {
            sum.high -= space->sums[x - WINDOW].high;
            sum.excess -= space->sums[x - WINDOW].excess;
            sum.count -= space->sums[x - WINDOW].count;
        }
        if (x >= RADIUS && valid[x - RADIUS] != 0) {
            size_t at = x - RADIUS;
            out[at * FINDER_CHANNELS + 1] =
                contrast(rise_gain, quantity(pixels[at]), sum.high, sum.count);
            out[at * FINDER_CHANNELS + 3] = contrast(gain, excess[at], sum.excess, sum.count);
        }
    }
}

static void write_without(const struct working *working, uint8_t *planes)
{
    for (size_t i = 0; i < working->width * working->height; i++) {
        planes[i * FINDER_CHANNELS + 3] = working->valid[i] != 0 ? 128 : 0;
    }
}

void finder_material(const struct finder_input *input, const struct working *working,
                     const float *low_pixels, void *restrict workspace, uint8_t *restrict planes)
{
    size_t width = working->width;
    if (low_pixels == NULL) {
        write_without(working, planes);
        return;
    }
    struct space space = lay_out(workspace, width);
    memset(workspace, 0, finder_material_workspace_bytes(width));
    for (size_t y = 0; y < working->height + RADIUS; y++) {
        if (y >= WINDOW) {
            leave_row(working, y - WINDOW, &space);
        }
        if (y < working->height) {
            add_three(working, low_pixels, y, space.three);
            enter_row(input, working, y, &space, planes + y * width * FINDER_CHANNELS);
        }
        if (y >= RADIUS) {
            size_t row = y - RADIUS;
            write_row(input, working, row, &space, planes + row * width * FINDER_CHANNELS);
        }
    }
}
