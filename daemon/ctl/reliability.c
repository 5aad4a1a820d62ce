/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/reliability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"
#include "picture/picture.h"

enum { SIDE = 480, MARGIN = 44, WIDTH = SIDE + 2 * MARGIN, HEIGHT = SIDE + 2 * MARGIN };
enum { GLYPH_WIDTH = 3, GLYPH_HEIGHT = 5, GLYPH_SCALE = 3, BAR_MAX = 90 };

struct colour {
    uint8_t red, green, blue;
};

static const struct colour ink = {30, 30, 30};
static const struct colour grid = {222, 222, 222};
static const struct colour bar = {203, 216, 236};
static const struct colour point = {20, 80, 170};

struct rectangle {
    int left, top, width, height;
};

static void fill(uint8_t *pixels, struct rectangle area, struct colour colour)
{
    for (int y = area.top; y < area.top + area.height; y++) {
        for (int x = area.left; x < area.left + area.width; x++) {
            if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT) {
                uint8_t *pixel = pixels + 3 * ((size_t)y * WIDTH + (size_t)x);
                pixel[0] = colour.red;
                pixel[1] = colour.green;
                pixel[2] = colour.blue;
            }
        }
    }
}

static int at_x(double share)
{
    return MARGIN + (int)lround(share * SIDE);
}

static int at_y(double share)
{
    return MARGIN + SIDE - (int)lround(share * SIDE);
}

/* Digits and the point, a bit a cell, rows from the top. */
static void draw_glyph(uint8_t *pixels, char glyph, int left, int top)
{
    static const uint16_t digits[10] = {075557, 026227, 071747, 071717, 055711,
                                        074717, 074757, 071111, 075757, 075717};
    uint16_t bits = glyph == '.' ? 000002 : digits[glyph - '0'];
    for (int cell = 0; cell < GLYPH_WIDTH * GLYPH_HEIGHT; cell++) {
        if (bits >> (GLYPH_WIDTH * GLYPH_HEIGHT - 1 - cell) & 1) {
            fill(pixels,
                 (struct rectangle){left + cell % GLYPH_WIDTH * GLYPH_SCALE,
                                    top + cell / GLYPH_WIDTH * GLYPH_SCALE, GLYPH_SCALE,
                                    GLYPH_SCALE},
                 ink);
        }
    }
}

static void draw_number(uint8_t *pixels, const char *text, int left, int top)
{
    for (; *text != '\0'; text++) {
        draw_glyph(pixels, *text, left, top);
        left += (GLYPH_WIDTH + 1) * GLYPH_SCALE;
    }
}

static void draw_frame(uint8_t *pixels)
{
    static const char *const ticks[] = {"0", "0.2", "0.4", "0.6", "0.8", "1"};
    for (int tick = 0; tick <= 5; tick++) {
        int x = at_x(tick / 5.0);
        int y = at_y(tick / 5.0);
        fill(pixels, (struct rectangle){x, MARGIN, 1, SIDE}, grid);
        fill(pixels, (struct rectangle){MARGIN, y, SIDE, 1}, grid);
        draw_number(pixels, ticks[tick], x - 8, MARGIN + SIDE + 10);
        draw_number(pixels, ticks[tick], 4, y - 7);
    }
    for (int step = 0; step <= SIDE; step += 8) {
        fill(pixels, (struct rectangle){MARGIN + step, MARGIN + SIDE - step - 1, 4, 2}, ink);
    }
    fill(pixels, (struct rectangle){MARGIN, MARGIN, 2, SIDE}, ink);
    fill(pixels, (struct rectangle){MARGIN, MARGIN + SIDE - 2, SIDE, 2}, ink);
}

static void draw_bin(uint8_t *pixels, const struct evaluation_bin *bin)
{
    if (bin->rows == 0) {
        return;
    }
    const struct statistics_rate rate = {bin->finds, bin->rows};
    struct statistics_interval interval = statistics_wilson(rate, 0.95);
    int x = at_x(bin->predicted);
    int y = at_y((double)bin->finds / (double)bin->rows);
    int top = at_y(interval.upper);
    fill(pixels, (struct rectangle){x - 1, top, 2, at_y(interval.lower) - top + 1}, point);
    fill(pixels, (struct rectangle){x - 4, y - 4, 9, 9}, point);
}

MUST_USE struct err reliability_write_png(const struct evaluation *evaluation, const char *path)
{
    uint8_t *pixels = malloc((size_t)3 * WIDTH * HEIGHT);
    if (pixels == NULL) {
        return err_make(ERR_MEMORY, "picture of reliability");
    }
    memset(pixels, 255, (size_t)3 * WIDTH * HEIGHT);
    for (uint32_t i = 0; i < EVALUATION_BINS; i++) {
        double share =
            evaluation->rows > 0 ? (double)evaluation->bins[i].rows / (double)evaluation->rows : 0;
        int height = (int)lround(share * BAR_MAX);
        fill(pixels,
             (struct rectangle){at_x((double)i / EVALUATION_BINS) + 3, at_y(0) - height,
                                SIDE / (int)EVALUATION_BINS - 6, height},
             bar);
    }
    draw_frame(pixels);
    for (uint32_t i = 0; i < EVALUATION_BINS; i++) {
        draw_bin(pixels, &evaluation->bins[i]);
    }
    struct err err = picture_write_png(path, pixels, WIDTH, HEIGHT, 3, 8);
    free(pixels);
    return err;
}
