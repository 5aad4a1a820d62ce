/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/overlay.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"

/* The map's scale is fixed, not taken from the image: two pictures side by side must mean the same by the same colour, and
 * an image where nothing stands out must stay grey. */

static uint32_t level_at(const struct image *image, const uint8_t *pixels, size_t index)
{
    if (image->bits == 8) {
        return (uint32_t)pixels[index] << 8;
    }
    return (uint32_t)pixels[2 * index] | (uint32_t)pixels[2 * index + 1] << 8;
}

/* Levels below which a hundredth, and above which another hundredth, of the pixels lie. */
static void find_range(const struct image *image, const uint8_t *pixels, uint32_t *low, uint32_t *high)
{
    static uint32_t counts[256];
    size_t total = (size_t)image->width * image->height;
    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < total; i++) {
        counts[level_at(image, pixels, i) >> 8]++;
    }
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
    must(image->bits == 8 || image->bits == 16);
    must(self->width == image->width && self->height == image->height);
    uint32_t low, high;
    find_range(image, pixels, &low, &high);
    bool inverted = image->meaning == PIXEL_DISPLAY_INVERTED;
    size_t total = (size_t)image->width * image->height;
    for (size_t i = 0; i < total; i++) {
        uint32_t level = level_at(image, pixels, i);
        uint32_t clipped = level < low ? low : level > high ? high : level;
        uint8_t grey = (uint8_t)((clipped - low) * 255 / (high - low));
        memset(self->rgb + 3 * i, inverted ? 255 - grey : grey, 3);
    }
}

/* From yellow (little) to red (much). */
static void blend(uint8_t *rgb, float strength)
{
    const float colour[3] = {255.0f, 220.0f * (1.0f - strength), 0.0f};
    const float cover = 0.25f + 0.35f * strength; /* the load below must stay readable */
    for (int c = 0; c < 3; c++) {
        rgb[c] = (uint8_t)((1.0f - cover) * (float)rgb[c] + cover * colour[c] + 0.5f);
    }
}

void overlay_paint_map(struct overlay *self, const float *map, uint32_t map_width, uint32_t map_height)
{
    if (map_width == 0 || map_height == 0) {
        return;
    }
    for (uint32_t y = 0; y < self->height; y++) {
        const float *row = map + (size_t)((uint64_t)y * map_height / self->height) * map_width;
        for (uint32_t x = 0; x < self->width; x++) {
            float value = row[(uint64_t)x * map_width / self->width];
            float strength = (value - OVERLAY_MAP_CLEAR) / (OVERLAY_MAP_FULL - OVERLAY_MAP_CLEAR);
            if (strength > 0.0f) { /* false for NaN too */
                blend(self->rgb + 3 * ((size_t)y * self->width + x), strength > 1.0f ? 1.0f : strength);
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
