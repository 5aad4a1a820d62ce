/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_views.h"

#include <float.h>
#include <string.h>

#include "score/finder_map.h"

enum { PUSH = FINDER_CELL / 2, HEAT = 0, SHIFT_ACROSS = 3 };
/* Of a cell: all outputs of the image and of the mirrored one, heats alone of the two pushed ones.
 */
enum { SUMS = 2 * FINDER_OUTPUTS + 2 };
/* Of a place: 7 x 7 cells are looked at again. What a second look finds hottest lies within two
 * cells of what the first did, and what is pooled around that within one more. */
enum { PLACE_RADIUS = 3 };

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

size_t finder_view_sums(size_t width_max, size_t height_max)
{
    return finder_cells(width_max) * finder_cells(height_max) * SUMS;
}

/* ---- the part of an image that is looked at: a window ---- */

struct grid {
    size_t width;
    size_t height;
};

/* In cells. */
struct window {
    size_t x;
    size_t y;
    struct grid size;
};

/* What the network sees of the image, in it: a window begins where a cell does. */
struct part {
    const uint8_t *pixels;
    size_t row_bytes;
    uint32_t width;
    uint32_t height;
};

static struct part part_of(const struct convnet_image *planes, uint32_t channels,
                           const struct window *window)
{
    size_t x = window->x * FINDER_CELL, y = window->y * FINDER_CELL;
    size_t right = x + window->size.width * FINDER_CELL;
    size_t bottom = y + window->size.height * FINDER_CELL;
    return (struct part){planes->pixels + (y * planes->width + x) * channels,
                         (size_t)planes->width * channels,
                         (uint32_t)((right < planes->width ? right : planes->width) - x),
                         (uint32_t)((bottom < planes->height ? bottom : planes->height) - y)};
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

/* What lies beyond it is 0, as for the network. A mirrored one ends where its cells do, so that
 * they are the same pixels. */
static struct convnet_image make_view(const struct part *part, uint32_t channels, struct view view,
                                      uint8_t *restrict out)
{
    uint32_t push = view.pushed ? PUSH : 0;
    uint32_t spare =
        view.mirrored ? (uint32_t)finder_cells(part->width) * FINDER_CELL - part->width : 0;
    uint32_t before = push + spare;
    uint32_t width = before + part->width;
    memset(out, 0, (size_t)push * width * channels);
    for (uint32_t y = 0; y < part->height; y++) {
        const uint8_t *from = part->pixels + y * part->row_bytes;
        uint8_t *to = out + (size_t)(y + push) * width * channels;
        memset(to, 0, (size_t)before * channels);
        to += (size_t)before * channels;
        if (view.mirrored) {
            mirror_row(from, part->width, channels, to);
        } else {
            memcpy(to, from, (size_t)part->width * channels);
        }
    }
    return (struct convnet_image){out, part->height + push, width};
}

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

/* The window's cells by all views and networks, at the beginning of the sums. Each view has a sum
 * of its own, over the networks; those of the image and of the mirrored image add up first, the
 * pushed ones apart from them: so a mirrored image has the same sums. */
static void look(const struct finder_model *model, const struct convnet_image *planes,
                 const struct window *window, const struct finder_view_buffers *buffers)
{
    const uint32_t channels = model->nets[0].layers[0].in;
    const struct part part = part_of(planes, channels, window);
    const size_t count = window->size.width * window->size.height;
    float *mirrored = buffers->sums + count * FINDER_OUTPUTS;
    float *heats = mirrored + count * FINDER_OUTPUTS;
    float *const sums[FINDER_VIEWS_MAX] = {buffers->sums, mirrored, heats, heats + count};
    memset(buffers->sums, 0, count * SUMS * sizeof(float));
    for (uint32_t v = 0; v < model->views; v++) {
        bool as_it_is = v == 0 && part.width == planes->width; /* no bytes between its rows */
        const struct convnet_image seen =
            as_it_is ? (struct convnet_image){part.pixels, part.height, part.width}
                     : make_view(&part, channels, views[v], buffers->planes);
        const struct grid seen_grid = {finder_cells(seen.width), finder_cells(seen.height)};
        for (uint32_t n = 0; n < model->networks; n++) {
            convnet_run(&model->nets[n], model->packed[n], &seen, buffers->net, buffers->cells);
            add_view(buffers->cells, seen_grid, views[v], window->size, sums[v]);
        }
    }
    settle(model, count, sums);
}

/* ---- places ---- */

/* Cells beyond which nothing changes what a cell has in any view: a mirrored cell begins at its
 * other end, and a pushed one PUSH pixels before. */
static size_t reach_of(const struct convnet *net)
{
    size_t pixels = PUSH, stride = 1;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        pixels += stride * net->layers[i].dilation * (net->layers[i].side / 2);
        stride *= net->layers[i].stride;
    }
    return finder_cells(pixels);
}

/* With so many more cells on each side, within the image. */
static struct window grown(const struct window *window, size_t cells, struct grid grid)
{
    struct window out = {.x = window->x > cells ? window->x - cells : 0,
                         .y = window->y > cells ? window->y - cells : 0};
    size_t right = window->x + window->size.width + cells;
    size_t bottom = window->y + window->size.height + cells;
    out.size.width = (right < grid.width ? right : grid.width) - out.x;
    out.size.height = (bottom < grid.height ? bottom : grid.height) - out.y;
    return out;
}

static bool is_within(const struct window *window, size_t x, size_t y)
{
    return x >= window->x && x < window->x + window->size.width && y >= window->y &&
           y < window->y + window->size.height;
}

static bool is_in_any(const struct window *cores, uint32_t count, size_t x, size_t y)
{
    bool inside = false;
    for (uint32_t k = 0; k < count; k++) {
        inside = inside || is_within(&cores[k], x, y);
    }
    return inside;
}

/* The cells of the places that are worth another look; returns how many. */
static uint32_t choose(const struct finder_model *model, const struct convnet_image *planes,
                       const struct finder_map *map, struct window cores[FINDER_PLACES_MAX])
{
    const struct grid grid = {map->width, map->height};
    struct finder_peak peaks[FINDER_PEAKS_MAX];
    size_t peaks_count = finder_map_peaks(map, planes, model->nets[0].layers[0].in, peaks);
    uint32_t count = 0;
    for (size_t i = 0; i < peaks_count && count < model->places; i++) {
        const struct window peak = {peaks[i].x, peaks[i].y, {1, 1}};
        if (!is_in_any(cores, count, peak.x, peak.y)) {
            cores[count++] = grown(&peak, PLACE_RADIUS, grid);
        }
    }
    return count;
}

/* From the window's means at the beginning of the sums; returns the highest heat. */
static float take_core(const float *means, const struct window *window, const struct window *core,
                       struct grid grid, float *restrict cells)
{
    float highest = -FLT_MAX;
    for (size_t y = core->y; y < core->y + core->size.height; y++) {
        const float *from =
            means + ((y - window->y) * window->size.width + core->x - window->x) * FINDER_OUTPUTS;
        float *to = cells + (y * grid.width + core->x) * FINDER_OUTPUTS;
        memcpy(to, from, core->size.width * FINDER_OUTPUTS * sizeof(float));
        for (size_t x = 0; x < core->size.width; x++) {
            float heat = from[x * FINDER_OUTPUTS + HEAT];
            highest = heat > highest ? heat : highest;
        }
    }
    return highest;
}

/* The highest heat outside of the cores, once each there was lowered by so much. */
static float lower_by(float lowered, const struct window *cores, uint32_t count, struct grid grid,
                      float *restrict cells)
{
    float highest = -FLT_MAX;
    for (size_t y = 0; y < grid.height; y++) {
        for (size_t x = 0; x < grid.width; x++) {
            float *heat = &cells[(y * grid.width + x) * FINDER_OUTPUTS + HEAT];
            if (!is_in_any(cores, count, x, y)) {
                *heat -= lowered;
                highest = *heat > highest ? *heat : highest;
            }
        }
    }
    return highest;
}

/* Cells of the windows of all places, at most. */
static size_t places_cells(const struct finder_model *model)
{
    size_t side = 2 * (PLACE_RADIUS + reach_of(&model->nets[0])) + 1;
    return model->places * side * side;
}

/* Whether a look at places costs less than one at everything. */
static bool looks_at_places(const struct finder_model *model, struct grid grid)
{
    return model->places > 0 && finder_looks_again(model) &&
           places_cells(model) < grid.width * grid.height;
}

double finder_views_passes(const struct finder_model *model, size_t width, size_t height)
{
    const struct grid grid = {finder_cells(width), finder_cells(height)};
    double all = (double)(model->networks * model->views);
    if (looks_at_places(model, grid)) {
        return 1 + all * (double)places_cells(model) / (double)(grid.width * grid.height);
    }
    return all;
}

/* The first look, then all at its places. Places that overlap: what the later one brings stands
 * there, which is the same. */
static void look_at_places(const struct finder_model *model, const struct convnet_image *planes,
                           const struct finder_view_buffers *buffers, struct grid grid,
                           float *restrict cells)
{
    const struct finder_map map = {cells, grid.width, grid.height};
    struct window cores[FINDER_PLACES_MAX];
    size_t reach = reach_of(&model->nets[0]);
    convnet_run(&model->nets[0], model->packed[0], planes, buffers->net, cells);
    uint32_t count = choose(model, planes, &map, cores);
    float least = FLT_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const struct window window = grown(&cores[i], reach, grid);
        look(model, planes, &window, buffers);
        float highest = take_core(buffers->sums, &window, &cores[i], grid, cells);
        least = highest < least ? highest : least;
    }
    /* What one look alone found high was chosen for that, and would be less by all. */
    float highest = lower_by(0, cores, count, grid, cells);
    if (highest > least) {
        (void)lower_by(highest - least, cores, count, grid, cells);
    }
}

void finder_views_run(const struct finder_model *model, const struct convnet_image *planes,
                      const struct finder_view_buffers *buffers, float *restrict cells)
{
    const struct grid grid = {finder_cells(planes->width), finder_cells(planes->height)};
    if (!finder_looks_again(model)) {
        convnet_run(&model->nets[0], model->packed[0], planes, buffers->net, cells);
    } else if (looks_at_places(model, grid)) {
        look_at_places(model, planes, buffers, grid, cells);
    } else {
        const struct window whole = {.size = grid};
        look(model, planes, &whole, buffers);
        memcpy(cells, buffers->sums, grid.width * grid.height * FINDER_OUTPUTS * sizeof(float));
    }
}
