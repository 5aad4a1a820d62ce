/* SPDX-License-Identifier: Apache-2.0 */
#include "view/view.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/area.h"

/* Rows arrive in order and each is added to the output row it lies in; one that lies across a
 * border is added to both. */

struct reduction {
    const struct view_request *request;
    struct view *out;
    uint32_t *columns; /* sums of the output row at hand */
    uint32_t row;      /* next row of the region */
    uint32_t out_row;
};

static bool request_is_sound(const struct view_request *request)
{
    const struct image_wanted *wanted = &request->wanted;
    uint64_t pixels_max = request->pixels_max == 0 ? VIEW_PIXELS_MAX : request->pixels_max;
    return request->width >= 1 && request->height >= 1 && request->width <= wanted->width &&
           request->height <= wanted->height && request->sealed_count <= VIEW_SEALED_MAX &&
           (uint64_t)request->width * request->height <= pixels_max;
}

static void reduction_copy_row(struct reduction *self, const uint8_t *row)
{
    size_t bytes = (size_t)self->out->width * (self->out->bits / 8);
    memcpy(self->out->pixels + self->out_row * bytes, row, bytes);
    self->out_row++;
}

static void reduction_finish_row(struct reduction *self)
{
    const struct image_wanted *wanted = &self->request->wanted;
    struct view *out = self->out;
    size_t bytes = (size_t)out->width * (out->bits / 8);
    uint8_t *row = out->pixels + self->out_row * bytes;
    if (out->bits == 8) {
        area_finish_8(self->columns, wanted->width, wanted->height, out->width, row);
    } else {
        area_finish_16(self->columns, wanted->width, wanted->height, out->width, row);
    }
    memset(self->columns, 0, wanted->width * sizeof *self->columns);
    self->out_row++;
}

static void reduction_add_row(struct reduction *self, const uint8_t *row)
{
    const struct image_wanted *wanted = &self->request->wanted;
    const struct view *out = self->out;
    while (self->out_row < out->height) {
        uint32_t weight = area_row_weight(self->row, self->out_row, wanted->height, out->height);
        if (weight > 0 && out->bits == 8) {
            area_add_row_8(row, wanted->width, weight, self->columns);
        } else if (weight > 0) {
            area_add_row_16(row, wanted->width, weight, self->columns);
        }
        if (self->row + 1 < area_until(self->out_row, wanted->height, out->height)) {
            return; /* more rows belong to this output row */
        }
        reduction_finish_row(self);
        if (self->out_row == out->height ||
            area_first(self->out_row, wanted->height, out->height) > self->row) {
            return;
        }
    }
}

static struct err view_fill(struct image_reader *reader, struct reduction *self)
{
    const struct view_request *request = self->request;
    bool same =
        request->width == request->wanted.width && request->height == request->wanted.height;
    struct image_rows rows = {NULL, 0, 1};
    struct err err = err_none;
    self->row = 0;
    self->out_row = 0;
    memset(self->columns, 0, request->wanted.width * sizeof *self->columns);
    while (!err_is(err) && rows.rows_count > 0) {
        if (request->stop != NULL && atomic_load(request->stop)) {
            return err_make(ERR_CLOSED, "view_read");
        }
        err = image_reader_next(reader, &rows);
        for (uint32_t i = 0; !err_is(err) && i < rows.rows_count; i++) {
            const uint8_t *row = rows.pixels + i * rows.stride_bytes;
            if (same) {
                reduction_copy_row(self, row);
            } else {
                reduction_add_row(self, row);
            }
            self->row++;
        }
    }
    must(err_is(err) || self->out_row == request->height);
    self->out->check = image_reader_check(reader);
    self->out->is_sealed = image_reader_is_sealed(reader);
    return err;
}

/* The first error that says more than "not there" is the one to tell when nothing is found. */
static struct err view_try(struct image_reader *reader, struct reduction *self)
{
    const struct view_request *request = self->request;
    struct err told = err_make(ERR_NOT_FOUND, "neither a blob nor a sealed file has the image");
    uint32_t places = image_reader_places(reader);
    for (uint32_t i = 0; i <= request->sealed_count * places; i++) { /* 0 is the blob */
        struct err err = i == 0
                             ? image_reader_start_blob(reader, &request->wanted)
                             : image_reader_start_sealed(reader, &request->wanted, (i - 1) % places,
                                                         request->sealed[(i - 1) / places]);
        if (!err_is(err)) {
            err = view_fill(reader, self);
        }
        if (!err_is(err) || err.code == ERR_CLOSED || err.code == ERR_ARGUMENT ||
            err.code == ERR_MEMORY) {
            return err;
        }
        told = told.code == ERR_NOT_FOUND && err.code != ERR_NOT_FOUND ? err : told;
    }
    return told;
}

struct err view_read(struct image_reader *reader, const struct view_request *request,
                     struct view *out)
{
    if (!request_is_sound(request)) {
        return err_make(ERR_ARGUMENT, "size of a view");
    }
    struct view view = {
        .width = request->width, .height = request->height, .bits = request->wanted.bits};
    view.pixels_bytes = (uint64_t)view.width * view.height * (view.bits / 8);
    view.pixels = malloc((size_t)view.pixels_bytes + 1);
    struct reduction reduction = {.request = request, .out = &view};
    reduction.columns = calloc(request->wanted.width, sizeof *reduction.columns);
    struct err err = view.pixels == NULL || reduction.columns == NULL
                         ? err_make(ERR_MEMORY, "view_read")
                         : view_try(reader, &reduction);
    image_reader_stop(reader);
    free(reduction.columns);
    if (err_is(err)) {
        view_fini(&view);
        return err;
    }
    *out = view;
    return err_none;
}

void view_fini(struct view *self)
{
    free(self->pixels);
    self->pixels = NULL;
    self->pixels_bytes = 0;
}
