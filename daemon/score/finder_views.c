/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_views.h"

#include <string.h>

enum { PUSH = FINDER_CELL / 2, HEAT = 0, SHIFT_ACROSS = 3 };

static const struct view {
    bool mirrored;
    bool pushed; /* by half a cell, right and down */
} views[FINDER_VIEWS_MAX] = {{false, false}, {true, false}, {false, true}, {true, true}};

size_t finder_view_planes_bytes(uint32_t channels, size_t width_max, size_t height_max)
{
    return (width_max + FINDER_VIEW_MARGIN) * (height_max + FINDER_VIEW_MARGIN) * channels;
}

size_t finder_view_cells(size_t width_max, size_t height_max)
{
    return finder_cells(width_max + FINDER_VIEW_MARGIN) *
           finder_cells(height_max + FINDER_VIEW_MARGIN);
}

/* All outputs of the mirrored view, heats alone of the two pushed ones. */
size_t finder_view_sums(size_t width_max, size_t height_max)
{
    return finder_cells(width_max) * finder_cells(height_max) * (FINDER_OUTPUTS + 2);
}

static void mirror_row(const uint8_t *restrict from, uint32_t width, uint32_t channels,
                       uint8_t *restrict to)
{
    uint8_t *last = to + (size_t)(width - 1) * channels;
    for (uint32_t x = 0; x < width; x++) { /* of a count known here they are moves, not calls */
        if (channels == FINDER_CHANNELS_MAX) {
            memcpy(last - (size_t)x * channels, from + (size_t)x * channels, FINDER_CHANNELS_MAX);
        } else {
            memcpy(last - (size_t)x * channels, from + (size_t)x * channels, FINDER_CHANNELS);
        }
    }
}

/* What lies beyond the image is 0, as for the network. A mirrored image ends where its cells do, so
 * that they are the same pixels. */
static struct convnet_image make_view(const struct convnet_image *planes, uint32_t channels,
                                      struct view view, uint8_t *restrict out)
{
    uint32_t push = view.pushed ? PUSH : 0;
    uint32_t spare =
        view.mirrored ? (uint32_t)finder_cells(planes->width) * FINDER_CELL - planes->width : 0;
    uint32_t before = push + spare;
    uint32_t width = before + planes->width;
    memset(out, 0, (size_t)push * width * channels);
    for (uint32_t y = 0; y < planes->height; y++) {
        const uint8_t *from = planes->pixels + (size_t)y * planes->width * channels;
        uint8_t *to = out + (size_t)(y + push) * width * channels;
        memset(to, 0, (size_t)before * channels);
        to += (size_t)before * channels;
        if (view.mirrored) {
            mirror_row(from, planes->width, channels, to);
        } else {
            memcpy(to, from, (size_t)planes->width * channels);
        }
    }
    return (struct convnet_image){out, planes->height + push, width};
}

struct grid {
    size_t width;
    size_t height;
};

/* Of the up to 2 x 2 cells of a pushed view that share pixels with a cell, the hottest. */
static float hottest(const float *cells, struct grid grid, size_t x, size_t y)
{
    float heat = cells[(y * grid.width + x) * FINDER_OUTPUTS + HEAT];
    for (size_t ny = y; ny <= y + 1 && ny < grid.height; ny++) {
        for (size_t nx = x; nx <= x + 1 && nx < grid.width; nx++) {
            float other = cells[(ny * grid.width + nx) * FINDER_OUTPUTS + HEAT];
            heat = other > heat ? other : heat;
        }
    }
    return heat;
}

/* What a network says of each cell of the view, added up: heat and box of one whose cells are the
 * image's own, the heat alone of a pushed one. */
static void add_view(const float *restrict from, struct grid seen, struct view view,
                     struct grid grid, float *restrict sums)
{
    for (size_t y = 0; y < grid.height; y++) {
        for (size_t x = 0; x < grid.width; x++) {
            size_t at = view.mirrored ? grid.width - 1 - x : x;
            if (view.pushed) {
                sums[y * grid.width + x] += hottest(from, seen, at, y);
                continue;
            }
            const float *cell = from + (y * seen.width + at) * FINDER_OUTPUTS;
            float *sum = sums + (y * grid.width + x) * FINDER_OUTPUTS;
            for (int k = 0; k < FINDER_OUTPUTS; k++) {
                sum[k] += k == SHIFT_ACROSS && view.mirrored ? -cell[k] : cell[k];
            }
        }
    }
}

/* The sums of the views become means, in the first one's. */
static void settle(const struct finder_model *model, size_t count, float *const sums[])
{
    float own = (float)(model->networks * (model->views > 1 ? 2 : 1));
    float all = (float)(model->networks * model->views);
    for (size_t i = 0; i < count; i++) {
        float *cell = sums[0] + i * FINDER_OUTPUTS;
        const float *mirrored = sums[1] + i * FINDER_OUTPUTS;
        cell[HEAT] = ((cell[HEAT] + mirrored[HEAT]) + (sums[2][i] + sums[3][i])) / all;
        for (int k = HEAT + 1; k < FINDER_OUTPUTS; k++) {
            cell[k] = (cell[k] + mirrored[k]) / own;
        }
    }
}

/* Each view has a sum of its own, over the networks; those of the image and of the mirrored image
 * add up first, the pushed ones apart from them: so a mirrored image has the same sums. */
void finder_views_run(const struct finder_model *model, const struct convnet_image *planes,
                      const struct finder_view_buffers *buffers, float *restrict cells)
{
    const struct grid grid = {finder_cells(planes->width), finder_cells(planes->height)};
    const size_t count = grid.width * grid.height;
    convnet_run(&model->nets[0], model->packed[0], planes, buffers->net, cells);
    if (model->views == 1 && model->networks == 1) {
        return;
    }
    float *heats = buffers->sums + count * FINDER_OUTPUTS;
    float *const sums[FINDER_VIEWS_MAX] = {cells, buffers->sums, heats, heats + count};
    memset(buffers->sums, 0, finder_view_sums(planes->width, planes->height) * sizeof(float));
    for (uint32_t v = 0; v < model->views; v++) {
        const struct convnet_image seen =
            v == 0 ? *planes
                   : make_view(planes, model->nets[0].layers[0].in, views[v], buffers->planes);
        const struct grid seen_grid = {finder_cells(seen.width), finder_cells(seen.height)};
        for (uint32_t n = v == 0 ? 1 : 0; n < model->networks; n++) {
            convnet_run(&model->nets[n], model->packed[n], &seen, buffers->net, buffers->cells);
            add_view(buffers->cells, seen_grid, views[v], grid, sums[v]);
        }
    }
    settle(model, count, sums);
}
