/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/overlay.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"

/* The map's scale is the model's, not taken from the image: two pictures side by side must mean the
 * same by the same colour, and an image where nothing stands out must stay grey. */

#define LEVELS 65536u
#define ATTENUATION_MAX \
    7.0 /* in -ln T: a thousandth of the air signal; detectors see little beyond */

static uint32_t level_at(const struct image *image, const uint8_t *pixels, size_t index)
{
    if (image->bits == 8) {
        return pixels[index];
    }
    return (uint32_t)pixels[2 * index] | (uint32_t)pixels[2 * index + 1] << 8;
}

/* How bright a level is shown, 0..65535, before stretching. */
static void fill_tones(const struct image *image, uint16_t tones[LEVELS])
{
    uint32_t top = image->bits == 8 ? 255 : 65535;
    double dark = (double)image->dark_level;
    double air = image->air_level > image->dark_level ? (double)image->air_level : (double)top;
    air = air > dark ? air : dark + 1.0;
    for (uint32_t level = 0; level < LEVELS; level++) {
        double share = level >= top ? 1.0 : (double)level / (double)top;
        if (image->meaning == PIXEL_TRANSMISSION) {
            double transmission = ((double)level - dark) / (air - dark);
            double attenuation = transmission > 0.0 ? -log(transmission) : ATTENUATION_MAX;
            share = 1.0 - attenuation / ATTENUATION_MAX;
        } else if (image->meaning == PIXEL_DISPLAY_INVERTED) {
            share = 1.0 - share;
        }
        tones[level] = (uint16_t)(65535.0 * (share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share));
    }
}

/* Tones below which a hundredth, and above which another hundredth, of the pixels lie. */
static void find_range(const uint32_t counts[256], size_t total, uint32_t *low, uint32_t *high)
{
    size_t below = 0;
    uint32_t first = 0;
    while (first < 255 && (below + counts[first]) * 100 < total) {
        below += counts[first++];
    }
    size_t above = 0;
    uint32_t last = 255;
    while (last > first && (above + counts[last]) * 100 < total) {
        above += counts[last--];
    }
    *low = first << 8;
    *high = (last << 8) + 255;
}

void overlay_paint_image(struct overlay *self, const struct image *image, const uint8_t *pixels)
{
    static uint16_t tones[LEVELS];
    uint32_t counts[256] = {0};
    must(image->bits == 8 || image->bits == 16);
    must(self->width == image->width && self->height == image->height);
    size_t total = (size_t)image->width * image->height;
    fill_tones(image, tones);
    for (size_t i = 0; i < total; i++) {
        counts[tones[level_at(image, pixels, i)] >> 8]++;
    }
    uint32_t low, high;
    find_range(counts, total, &low, &high);
    for (size_t i = 0; i < total; i++) {
        uint32_t tone = tones[level_at(image, pixels, i)];
        uint32_t clipped = tone < low ? low : tone > high ? high : tone;
        memset(self->rgb + 3 * i, (int)((clipped - low) * 255 / (high - low)), 3);
    }
}

/* From yellow (little) to red (much). The plain picture stands beside: the colour may be strong
 * enough to be seen on white, but the load below it must stay readable. */
static void blend(uint8_t *rgb, float strength)
{
    const float colour[3] = {255.0f, 210.0f * (1.0f - strength), 0.0f};
    const float cover = 0.45f + 0.2f * strength;
    for (int c = 0; c < 3; c++) {
        rgb[c] = (uint8_t)((1.0f - cover) * (float)rgb[c] + cover * colour[c] + 0.5f);
    }
}

struct weighted {
    float sum;
    float weight;
};

static void add_cell(struct weighted *self, float value, float weight)
{
    if (!isnan(value)) {
        self->sum += weight * value;
        self->weight += weight;
    }
}

/* The map between the middles of its cells, so that no edge is seen that only the cells have. NaN
 * where the nearest cell was not seen. */
static float map_at(const struct overlay_map *map, float x, float y)
{
    float right = (float)(map->width - 1), bottom = (float)(map->height - 1);
    x = x < 0.0f ? 0.0f : x > right ? right : x;
    y = y < 0.0f ? 0.0f : y > bottom ? bottom : y;
    float nearest = map->cells[(size_t)lrintf(y) * map->width + (size_t)lrintf(x)];
    if (isnan(nearest)) {
        return nearest;
    }
    size_t left = (size_t)x, top = (size_t)y;
    size_t next = left + 1 < map->width ? left + 1 : left;
    size_t below = top + 1 < map->height ? top + 1 : top;
    float across = x - (float)left, down = y - (float)top;
    const float *upper = map->cells + top * map->width;
    const float *lower = map->cells + below * map->width;
    struct weighted mean = {0.0f, 0.0f};
    add_cell(&mean, upper[left], (1.0f - across) * (1.0f - down));
    add_cell(&mean, upper[next], across * (1.0f - down));
    add_cell(&mean, lower[left], (1.0f - across) * down);
    add_cell(&mean, lower[next], across * down);
    return mean.sum / mean.weight; /* the nearest cell alone weighs a quarter at least */
}

void overlay_paint_map(struct overlay *self, const struct overlay_map *map)
{
    must(map->full > map->clear);
    if (map->width == 0 || map->height == 0) {
        return;
    }
    float cells_a_column = (float)map->width / (float)self->width;
    float cells_a_row = (float)map->height / (float)self->height;
    for (uint32_t y = 0; y < self->height; y++) {
        float cell_y = ((float)y + 0.5f) * cells_a_row - 0.5f;
        for (uint32_t x = 0; x < self->width; x++) {
            float value = map_at(map, ((float)x + 0.5f) * cells_a_column - 0.5f, cell_y);
            float strength = (value - map->clear) / (map->full - map->clear);
            if (strength > 0.0f) { /* false for NaN too */
                blend(self->rgb + 3 * ((size_t)y * self->width + x),
                      strength > 1.0f ? 1.0f : strength);
            }
        }
    }
}

static void paint_span(struct overlay *self, uint32_t y, uint32_t from, uint32_t to)
{
    static const uint8_t cyan[3] = {0, 230, 255};
    for (uint32_t x = from; x < to; x++) {
        memcpy(self->rgb + 3 * ((size_t)y * self->width + x), cyan, 3);
    }
}

static uint32_t clip(uint64_t value, uint32_t max)
{
    return value < max ? (uint32_t)value : max;
}

void overlay_paint_box(struct overlay *self, const struct overlay_box *box)
{
    uint32_t longest = self->width > self->height ? self->width : self->height;
    uint32_t thick = longest / 600 + 1;
    uint32_t left = clip(box->x, self->width);
    uint32_t right = clip((uint64_t)box->x + box->width, self->width);
    uint32_t top = clip(box->y, self->height);
    uint32_t bottom = clip((uint64_t)box->y + box->height, self->height);
    for (uint32_t y = top; y < bottom; y++) {
        bool is_edge = y - top < thick || bottom - y <= thick;
        uint32_t inner_left = clip((uint64_t)left + thick, right);
        uint32_t inner_right = right - left > thick ? right - thick : left;
        if (is_edge || inner_left >= inner_right) {
            paint_span(self, y, left, right);
        } else {
            paint_span(self, y, left, inner_left);
            paint_span(self, y, inner_right, right);
        }
    }
}
