/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Magnified up to here: more does not fit a screen. */
#define SHEET_WIDTH 1500u
#define SHEET_HEIGHT 900u
#define GAP_PIXELS 12u
#define GAP_TONE 96

bool sheet_open(uint32_t width, uint32_t height, struct sheet *out)
{
    must(width > 0 && height > 0 && width <= IMAGE_SIDE_MAX && height <= IMAGE_SIDE_MAX);
    bool beside = height > width / 2;
    uint32_t across = (beside ? SHEET_WIDTH / 2 : SHEET_WIDTH) / width;
    uint32_t down = (beside ? SHEET_HEIGHT : SHEET_HEIGHT / 2) / height;
    uint32_t zoom = across < down ? across : down;
    zoom = zoom > 1 ? zoom : 1;
    struct sheet sheet = {.width = width * zoom, .height = height * zoom, .zoom = zoom};
    if (beside) {
        sheet.second_x = sheet.width + GAP_PIXELS;
        sheet.width += sheet.second_x;
    } else {
        sheet.second_y = sheet.height + GAP_PIXELS;
        sheet.height += sheet.second_y;
    }
    size_t bytes = 3 * (size_t)sheet.width * sheet.height;
    sheet.rgb = malloc(bytes);
    if (sheet.rgb == NULL) {
        return false;
    }
    memset(sheet.rgb, GAP_TONE, bytes);
    *out = sheet;
    return true;
}

void sheet_place(struct sheet *self, unsigned pane, const struct overlay *picture)
{
    uint32_t left = pane == 0 ? 0 : self->second_x;
    uint32_t top = pane == 0 ? 0 : self->second_y;
    must(pane <= 1);
    must(left + picture->width * self->zoom <= self->width);
    must(top + picture->height * self->zoom <= self->height);
    for (uint32_t y = 0; y < picture->height * self->zoom; y++) {
        const uint8_t *from = picture->rgb + 3 * ((size_t)(y / self->zoom) * picture->width);
        uint8_t *to = self->rgb + 3 * ((size_t)(top + y) * self->width + left);
        for (uint32_t x = 0; x < picture->width * self->zoom; x++) {
            memcpy(to + 3 * (size_t)x, from + 3 * (size_t)(x / self->zoom), 3);
        }
    }
}

void sheet_close(struct sheet *self)
{
    free(self->rgb);
    *self = (struct sheet){0};
}
