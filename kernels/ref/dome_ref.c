/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/dome_ref.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct picture {
    const uint16_t *levels;
    size_t width;
    size_t height;
};

struct piece {
    bool in[DOME_REF_PIXELS];
    size_t area;
};

/* All that is connected with `peak` at `level` or above, by passes until nothing is added. */
static void grow(const struct picture *picture, size_t peak, uint32_t level, struct piece *out)
{
    memset(out, 0, sizeof *out);
    out->in[peak] = true;
    out->area = 1;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < picture->width * picture->height; i++) {
            size_t x = i % picture->width, y = i / picture->width;
            bool touches = false;
            for (size_t k = 0; k < 9; k++) {
                size_t column = x + k % 3, row = y + k / 3; /* one too many each */
                touches = touches || (column >= 1 && column <= picture->width && row >= 1 &&
                                      row <= picture->height &&
                                      out->in[(row - 1) * picture->width + column - 1]);
            }
            if (!out->in[i] && touches && picture->levels[i] >= level) {
                out->in[i] = true;
                out->area++;
                more = true;
            }
        }
    }
}

static bool has_higher(const struct picture *picture, const struct piece *piece, size_t peak)
{
    for (size_t i = 0; i < picture->width * picture->height; i++) {
        if (piece->in[i] && (picture->levels[i] > picture->levels[peak] ||
                             (picture->levels[i] == picture->levels[peak] && i < peak))) {
            return true;
        }
    }
    return false;
}

static uint32_t rise_of(const struct picture *picture, const struct dome_rule *rule, size_t peak)
{
    struct piece piece;
    for (uint32_t level = picture->levels[peak]; level >= rule->level_min; level--) {
        grow(picture, peak, level, &piece);
        if (piece.area > rule->area_max || has_higher(picture, &piece, peak)) {
            return picture->levels[peak] - level;
        }
    }
    return 0;
}

struct peak {
    size_t at;
    uint32_t rise;
};

static int by_rise(const void *a, const void *b)
{
    const struct peak *one = a, *other = b;
    return one->rise != other->rise ? (one->rise < other->rise) - (one->rise > other->rise)
                                    : (one->at > other->at) - (one->at < other->at);
}

static void measure(const struct picture *picture, const struct peak *peak, struct dome *out)
{
    struct piece piece;
    size_t right = 0, bottom = 0;
    *out = (struct dome){.x = UINT32_MAX,
                         .y = UINT32_MAX,
                         .peak_x = (uint32_t)(peak->at % picture->width),
                         .peak_y = (uint32_t)(peak->at / picture->width),
                         .rise = peak->rise,
                         .base = picture->levels[peak->at] - peak->rise};
    grow(picture, peak->at, picture->levels[peak->at] - peak->rise / 2, &piece);
    for (size_t i = 0; i < picture->width * picture->height; i++) {
        if (piece.in[i]) {
            size_t x = i % picture->width, y = i / picture->width;
            out->x = x < out->x ? (uint32_t)x : out->x;
            out->y = y < out->y ? (uint32_t)y : out->y;
            right = x > right ? x : right;
            bottom = y > bottom ? y : bottom;
        }
    }
    out->width = (uint32_t)right + 1 - out->x;
    out->height = (uint32_t)bottom + 1 - out->y;
    out->area = (uint32_t)piece.area;
}

static bool is_beside_air(const struct picture *picture, const struct dome_rule *rule,
                          const struct dome *dome)
{
    size_t air = 0, all = 0;
    for (size_t i = 0; i < picture->width * picture->height; i++) {
        size_t x = i % picture->width, y = i / picture->width;
        if (x + rule->margin >= dome->x && x < (size_t)dome->x + dome->width + rule->margin &&
            y + rule->margin >= dome->y && y < (size_t)dome->y + dome->height + rule->margin) {
            all++;
            air += picture->levels[i] < rule->level_min;
        }
    }
    return air * rule->air_part > all;
}

size_t dome_ref_find(const uint16_t *levels, size_t width, size_t height,
                     const struct dome_rule *rule, size_t dome_count_max, struct dome *domes)
{
    const struct picture picture = {levels, width, height};
    struct peak peaks[DOME_REF_PIXELS];
    size_t peak_count = 0, count = 0;
    for (size_t i = 0; i < width * height; i++) {
        uint32_t rise = levels[i] >= rule->level_min ? rise_of(&picture, rule, i) : 0;
        if (rise >= rule->rise_min) {
            peaks[peak_count++] = (struct peak){i, rise};
        }
    }
    qsort(peaks, peak_count, sizeof peaks[0], by_rise);
    peak_count = peak_count < DOME_CANDIDATES ? peak_count : DOME_CANDIDATES;
    for (size_t i = 0; i < peak_count && count < dome_count_max; i++) {
        measure(&picture, &peaks[i], &domes[count]);
        count += is_beside_air(&picture, rule, &domes[count]) ? 0 : 1;
    }
    return count;
}
