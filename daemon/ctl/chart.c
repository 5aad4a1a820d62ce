/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture/picture.h"

enum { MARGIN = 44, WIDTH = CHART_SIDE + 2 * MARGIN, HEIGHT = CHART_SIDE + 2 * MARGIN };
enum { GLYPH_WIDTH = 3, GLYPH_CELLS = 15, NUMBER_SCALE = 3, WORD_SCALE = 2 };

const char *const chart_shares[CHART_TICKS] = {"0", "0.2", "0.4", "0.6", "0.8", "1"};

static const struct chart_colour ink = {30, 30, 30};
static const struct chart_colour grid = {222, 222, 222};
static const struct chart_colour paper = {255, 255, 255};

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

/* A bit a cell, rows from the top, an octal digit each. */
static uint16_t bits_of(char glyph)
{
    static const uint16_t digits[10] = {075557, 026227, 071747, 071717, 055711,
                                        074717, 074757, 071111, 075757, 075717};
    static const uint16_t letters[26] = {025755, 065656, 034443, 065556, 074647, 074644, 034553,
                                         055755, 072227, 011152, 055655, 044447, 057755, 065555,
                                         025552, 065644, 025573, 065655, 034216, 072222, 055557,
                                         055552, 055775, 055255, 055222, 071247};
    static const char marks[] = ".,:%-/";
    static const uint16_t marks_bits[] = {000002, 000024, 002020, 051245, 000700, 011244};
    if (glyph >= '0' && glyph <= '9') {
        return digits[glyph - '0'];
    }
    if (glyph >= 'A' && glyph <= 'Z') {
        return letters[glyph - 'A'];
    }
    if (glyph >= 'a' && glyph <= 'z') {
        return letters[glyph - 'a'];
    }
    const char *mark = glyph == '\0' ? NULL : strchr(marks, glyph);
    return mark == NULL ? 0 : marks_bits[mark - marks];
}

struct text_place {
    int left, top, scale;
};

static void draw_text(struct chart *self, const char *text, struct text_place place)
{
    for (int left = place.left; *text != '\0'; text++, left += (GLYPH_WIDTH + 1) * place.scale) {
        uint16_t bits = bits_of(*text);
        for (int cell = 0; cell < GLYPH_CELLS; cell++) {
            if (bits >> (GLYPH_CELLS - 1 - cell) & 1) {
                chart_fill(self,
                           (struct chart_rectangle){left + cell % GLYPH_WIDTH * place.scale,
                                                    place.top + cell / GLYPH_WIDTH * place.scale,
                                                    place.scale, place.scale},
                           ink);
            }
        }
    }
}

void chart_frame(struct chart *self, const struct chart_axes *axes)
{
    for (int tick = 0; tick < CHART_TICKS; tick++) {
        int x = chart_x(tick / (CHART_TICKS - 1.0));
        int y = chart_y(tick / (CHART_TICKS - 1.0));
        chart_fill(self, (struct chart_rectangle){x, MARGIN, 1, CHART_SIDE}, grid);
        chart_fill(self, (struct chart_rectangle){MARGIN, y, CHART_SIDE, 1}, grid);
        draw_text(self, axes->x_ticks[tick],
                  (struct text_place){x - 8, MARGIN + CHART_SIDE + 8, NUMBER_SCALE});
        draw_text(self, chart_shares[tick], (struct text_place){4, y - 7, NUMBER_SCALE});
    }
    chart_fill(self, (struct chart_rectangle){MARGIN, MARGIN, 2, CHART_SIDE}, ink);
    chart_fill(self, (struct chart_rectangle){MARGIN, MARGIN + CHART_SIDE - 2, CHART_SIDE, 2}, ink);
    draw_text(self, axes->x_words,
              (struct text_place){MARGIN, MARGIN + CHART_SIDE + 30, WORD_SCALE});
    draw_text(self, axes->y_words, (struct text_place){4, 14, WORD_SCALE});
}

void chart_keys(struct chart *self, const struct chart_key *keys, int count,
                enum chart_corner corner)
{
    enum { LINE = 20, SQUARE = 10, EDGE = 8, AWAY = 12, LETTER = (GLYPH_WIDTH + 1) * WORD_SCALE };
    int longest = 0;
    for (int i = 0; i < count; i++) {
        int length = (int)strlen(keys[i].words);
        longest = length > longest ? length : longest;
    }
    const int width = longest * LETTER + 2 * SQUARE + 2 * EDGE;
    const int height = count * LINE + EDGE;
    const int left =
        corner == CHART_UPPER_LEFT ? MARGIN + AWAY : MARGIN + CHART_SIDE - width - AWAY;
    const int top =
        corner == CHART_LOWER_RIGHT ? MARGIN + CHART_SIDE - height - AWAY : MARGIN + AWAY;
    chart_fill(self, (struct chart_rectangle){left, top, width, height}, grid);
    chart_fill(self, (struct chart_rectangle){left + 1, top + 1, width - 2, height - 2}, paper);
    for (int i = 0; i < count; i++) {
        int at = top + EDGE + i * LINE;
        chart_fill(self, (struct chart_rectangle){left + EDGE, at, SQUARE, SQUARE}, keys[i].colour);
        draw_text(self, keys[i].words,
                  (struct text_place){left + EDGE + 2 * SQUARE, at, WORD_SCALE});
    }
}

MUST_USE struct err chart_write(const struct chart *self, const char *path)
{
    return picture_write_png(path, self->pixels, WIDTH, HEIGHT, 3, 8);
}
