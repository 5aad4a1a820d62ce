/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_views.h"

#include <string.h>

enum { PUSH = FINDER_CELL / 2, HEAT = 0, SHIFT_ACROSS = 3 };

struct view {
    bool mirrored;
    bool pushed; /* by half a cell, right and down */
};

size_t finder_view_planes_bytes(uint32_t channels, size_t width_max, size_t height_max)
{
    return (width_max + FINDER_VIEW_MARGIN) * (height_max + FINDER_VIEW_MARGIN) * channels;
}

size_t finder_view_cells(size_t width_max, size_t height_max)
{
    return finder_cells(width_max + FINDER_VIEW_MARGIN) *
           finder_cells(height_max + FINDER_VIEW_MARGIN);
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

/* What the view says of each cell: heat and box of one whose cells are the image's own, the heat
 * alone of a pushed one. */
static void add_view(const float *restrict from, struct grid seen, struct view view,
                     struct grid grid, float *restrict cells, float *restrict heats)
{
    for (size_t y = 0; y < grid.height; y++) {
        for (size_t x = 0; x < grid.width; x++) {
            size_t at = view.mirrored ? grid.width - 1 - x : x;
            if (view.pushed) {
                heats[y * grid.width + x] += hottest(from, seen, at, y);
                continue;
            }
            const float *cell = from + (y * seen.width + at) * FINDER_OUTPUTS;
            float *sum = cells + (y * grid.width + x) * FINDER_OUTPUTS;
            for (int k = 0; k < FINDER_OUTPUTS; k++) {
                sum[k] += k == SHIFT_ACROSS && view.mirrored ? -cell[k] : cell[k];
            }
        }
    }
}

/* The image and its mirrored image add up first, the pushed ones apart from them: so a mirrored
 * image has the same sums. */
void finder_views_run(const struct finder_model *model, const struct convnet_image *planes,
                      const struct finder_view_buffers *buffers, float *restrict cells)
{
    static const struct view others[] = {{true, false}, {false, true}, {true, true}};
    const struct grid grid = {finder_cells(planes->width), finder_cells(planes->height)};
    convnet_run(&model->net, model->packed, planes, buffers->net, cells);
    if (model->views == 1) {
        return;
    }
    memset(buffers->heats, 0, grid.width * grid.height * sizeof *buffers->heats);
    for (uint32_t i = 0; i + 1 < model->views; i++) {
        struct convnet_image seen =
            make_view(planes, model->net.layers[0].in, others[i], buffers->planes);
        convnet_run(&model->net, model->packed, &seen, buffers->net, buffers->cells);
        add_view(buffers->cells, (struct grid){finder_cells(seen.width), finder_cells(seen.height)},
                 others[i], grid, cells, buffers->heats);
    }
    for (size_t i = 0; i < grid.width * grid.height; i++) {
        float *cell = cells + i * FINDER_OUTPUTS;
        cell[HEAT] = (cell[HEAT] + buffers->heats[i]) / (float)model->views;
        for (int k = HEAT + 1; k < FINDER_OUTPUTS; k++) {
            cell[k] /= 2;
        }
    }
}
