/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture/picture.h"

enum { MARGIN = 44, WIDTH = CHART_SIDE + 2 * MARGIN, HEIGHT = CHART_SIDE + 2 * MARGIN };
enum { GLYPH_WIDTH = 3, GLYPH_HEIGHT = 5, GLYPH_SCALE = 3 };

static const struct chart_colour ink = {30, 30, 30};
static const struct chart_colour grid = {222, 222, 222};

MUST_USE struct err chart_init(struct chart *self)
{
    self->pixels = malloc((size_t)3 * WIDTH * HEIGHT);
    if (self->pixels == NULL) {
        return err_make(ERR_MEMORY, "chart");
    }
    memset(self->pixels, 255, (size_t)3 * WIDTH * HEIGHT);
    return err_none;
}

void chart_fini(struct chart *self)
{
    free(self->pixels);
    self->pixels = NULL;
}

void chart_fill(struct chart *self, struct chart_rectangle area, struct chart_colour colour)
{
    for (int y = area.top; y < area.top + area.height; y++) {
        for (int x = area.left; x < area.left + area.width; x++) {
            if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT) {
                uint8_t *pixel = self->pixels + 3 * ((size_t)y * WIDTH + (size_t)x);
                pixel[0] = colour.red;
                pixel[1] = colour.green;
                pixel[2] = colour.blue;
            }
        }
    }
}

int chart_x(double share)
{
    return MARGIN + (int)lround(share * CHART_SIDE);
}

int chart_y(double share)
{
    return MARGIN + CHART_SIDE - (int)lround(share * CHART_SIDE);
}

/* Digits and the point, a bit a cell, rows from the top. */
static void draw_glyph(struct chart *self, char glyph, int left, int top)
{
    static const uint16_t digits[10] = {075557, 026227, 071747, 071717, 055711,
                                        074717, 074757, 071111, 075757, 075717};
    uint16_t bits = glyph == '.' ? 000002 : digits[glyph - '0'];
    for (int cell = 0; cell < GLYPH_WIDTH * GLYPH_HEIGHT; cell++) {
        if (bits >> (GLYPH_WIDTH * GLYPH_HEIGHT - 1 - cell) & 1) {
            chart_fill(self,
                       (struct chart_rectangle){left + cell % GLYPH_WIDTH * GLYPH_SCALE,
                                                top + cell / GLYPH_WIDTH * GLYPH_SCALE, GLYPH_SCALE,
                                                GLYPH_SCALE},
                       ink);
        }
    }
}

static void draw_number(struct chart *self, const char *text, int left, int top)
{
    for (; *text != '\0'; text++) {
        draw_glyph(self, *text, left, top);
        left += (GLYPH_WIDTH + 1) * GLYPH_SCALE;
    }
}

void chart_frame(struct chart *self, const char *const x_ticks[CHART_TICKS],
                 const char *const y_ticks[CHART_TICKS])
{
    for (int tick = 0; tick < CHART_TICKS; tick++) {
        int x = chart_x(tick / (CHART_TICKS - 1.0));
        int y = chart_y(tick / (CHART_TICKS - 1.0));
        chart_fill(self, (struct chart_rectangle){x, MARGIN, 1, CHART_SIDE}, grid);
        chart_fill(self, (struct chart_rectangle){MARGIN, y, CHART_SIDE, 1}, grid);
        draw_number(self, x_ticks[tick], x - 8, MARGIN + CHART_SIDE + 10);
        draw_number(self, y_ticks[tick], 4, y - 7);
    }
    chart_fill(self, (struct chart_rectangle){MARGIN, MARGIN, 2, CHART_SIDE}, ink);
    chart_fill(self, (struct chart_rectangle){MARGIN, MARGIN + CHART_SIDE - 2, CHART_SIDE, 2}, ink);
}

MUST_USE struct err chart_write(const struct chart *self, const char *path)
{
    return picture_write_png(path, self->pixels, WIDTH, HEIGHT, 3, 8);
}
