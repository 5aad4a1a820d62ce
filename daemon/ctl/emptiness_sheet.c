/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/emptiness_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/overlay.h"
#include "picture/picture.h"
#include "score/score_companion.h"

enum { ACROSS = 3, CELL_WIDTH = 480, CELL_HEIGHT = 180, CHANNELS = 3 };

/* The nearest pixels of a painted image, as large as fits into the cell. */
static void shrink(const struct overlay *from, uint8_t *sheet, size_t stride)
{
    double wide = (double)from->width / (CELL_WIDTH - 8);
    double high = (double)from->height / (CELL_HEIGHT - 8);
    double scale = wide > high ? wide : high;
    for (size_t y = 0; y < CELL_HEIGHT - 8; y++) {
        for (size_t x = 0; x < CELL_WIDTH - 8; x++) {
            size_t source_x = (size_t)((double)x * scale);
            size_t source_y = (size_t)((double)y * scale);
            if (source_x < from->width && source_y < from->height) {
                memcpy(sheet + y * stride + x * CHANNELS,
                       from->rgb + (source_y * from->width + source_x) * CHANNELS, CHANNELS);
            }
        }
    }
}

static bool paint(const struct image_folder *folder, const struct emptiness_rows *rows,
                  uint32_t row, uint8_t *cell, size_t stride)
{
    char why[FOLDER_WHY_BYTES] = "";
    const struct emptiness_source *source = &rows->sources[row];
    const struct cargo_box *box = &rows->rows[row].measure.box;
    struct folder_scan *scan = NULL;
    struct err err = image_folder_read(folder, source->folder_index, &scan, why);
    if (err_is(err)) {
        ctl_refuse("%s: %s", rows->rows[row].image, why);
        return false;
    }
    uint32_t at = score_main_image(&scan->scan, NULL);
    struct overlay overlay = {.width = scan->images[at].width, .height = scan->images[at].height};
    overlay.rgb = calloc((size_t)overlay.width * overlay.height, CHANNELS);
    if (overlay.rgb != NULL) {
        struct overlay_box outline = {box->x * source->factor, box->y * source->factor,
                                      box->width * source->factor, box->height * source->factor};
        overlay_paint_image(&overlay, &scan->images[at], scan->pixels[at]);
        overlay_paint_box(&overlay, &outline);
        shrink(&overlay, cell, stride);
    }
    bool good = overlay.rgb != NULL;
    free(overlay.rgb);
    folder_scan_close(&scan);
    return good;
}

bool emptiness_sheet_write(const struct image_folder *folder, const struct emptiness_rows *rows,
                           const uint32_t *order, uint32_t order_count, const char *path)
{
    uint32_t lines = (order_count + ACROSS - 1) / ACROSS;
    size_t stride = (size_t)ACROSS * CELL_WIDTH * CHANNELS;
    uint8_t *sheet = lines > 0 ? malloc(stride * CELL_HEIGHT * lines) : NULL;
    if (sheet == NULL) {
        ctl_refuse("no memory for a picture");
        return false;
    }
    memset(sheet, 255, stride * CELL_HEIGHT * lines);
    bool good = true;
    for (uint32_t i = 0; i < order_count && good; i++) {
        size_t x = (size_t)(i % ACROSS) * CELL_WIDTH * CHANNELS;
        size_t y = (size_t)(i / ACROSS) * CELL_HEIGHT;
        good = paint(folder, rows, order[i], sheet + y * stride + x, stride);
    }
    if (good) {
        struct err err = picture_write_png(path, sheet, ACROSS * CELL_WIDTH,
                                           lines * (uint32_t)CELL_HEIGHT, CHANNELS, 8);
        good = !err_is(err);
        if (!good) {
            ctl_fail(path, err);
        }
    }
    free(sheet);
    return good;
}
