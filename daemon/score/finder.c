/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder.h"

#include <stdlib.h>
#include <string.h>

#include "score/finder_gate.h"
#include "score/finder_map.h"
#include "score/finder_views.h"

/* Everything after the network is doubles added, multiplied and compared in a stated order: no
 * library function, so that a box has the same pixels on every processor. */

/* Long objects warm several cells: the ends of a screw are peaks of their own, and their boxes lie
 * within the box of the whole. Two boxes are the same object when they share more than this of
 * their union, or of the smaller. */
static const double overlap_max = 0.3;
static const double within_max = 0.6;

static size_t rounded_up(size_t bytes)
{
    return (bytes + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
}

MUST_USE struct err finder_space_fit(struct finder_space *self, const struct finder_model *model,
                                     size_t width_max, size_t height_max)
{
    bool several = finder_looks_again(model);
    uint32_t net_width = (uint32_t)width_max + (several ? FINDER_VIEW_MARGIN : 0);
    bool gated = model->gate.depth > 0;
    size_t net_bytes = convnet_workspace_bytes(&model->nets[0], net_width);
    if (gated) {
        size_t bytes =
            convnet_gated_bytes(&model->nets[0], &model->gate, (uint32_t)height_max, net_width);
        net_bytes = bytes > net_bytes ? bytes : net_bytes;
    }
    uint32_t channels = model->nets[0].layers[0].in;
    if (self->net_bytes >= net_bytes && self->channels_max >= channels &&
        self->width_max >= width_max && self->height_max >= height_max &&
        (!several || self->view_planes != NULL) && (!gated || self->promise != NULL)) {
        return err_none;
    }
    /* A working image is at most this wide and this high, not both: see working.h. */
    size_t cells = finder_cells(width_max) * finder_cells(height_max);
    size_t view_cells = finder_view_cells(width_max, height_max);
    struct finder_space made = {
        .width_max = width_max,
        .height_max = height_max,
        .net_bytes = net_bytes,
        .channels_max = channels,
        .planes = malloc(width_max * height_max * channels),
        .rows = malloc(finder_planes_workspace_bytes(width_max)),
        .net = aligned_alloc(CONVNET_ALIGNMENT, rounded_up(net_bytes)),
        .cells = malloc(cells * FINDER_OUTPUTS * sizeof(float)),
    };
    bool good = made.planes != NULL && made.rows != NULL && made.net != NULL && made.cells != NULL;
    if (good && several) {
        made.view_planes = malloc(finder_view_planes_bytes(channels, width_max, height_max));
        made.view_cells = malloc(view_cells * FINDER_OUTPUTS * sizeof(float));
        made.view_sums = malloc(finder_view_sums(width_max, height_max) * sizeof(float));
        good = made.view_planes != NULL && made.view_cells != NULL && made.view_sums != NULL;
    }
    if (good && gated) {
        made.promise = malloc(cells * sizeof(float));
        made.wanted = malloc(cells);
        good = made.promise != NULL && made.wanted != NULL;
    }
    if (!good) {
        finder_space_fini(&made);
        return err_make(ERR_MEMORY, "finder workspace");
    }
    finder_space_fini(self);
    *self = made;
    return err_none;
}

void finder_space_fini(struct finder_space *self)
{
    free(self->planes);
    free(self->rows);
    free(self->net);
    free(self->cells);
    free(self->view_planes);
    free(self->view_cells);
    free(self->view_sums);
    free(self->promise);
    free(self->wanted);
    memset(self, 0, sizeof *self);
}

/* ---- from cells to boxes ---- */

double finder_probability(double logit)
{
    double held = logit > -40 ? logit : -40;
    return 1 / (1 + finder_exp(held < 40 ? -held : -40));
}

/* Pixels of the working image from..until, within 0..count. */
struct stretch {
    double from;
    double until;
};

/* log_side and shift as the network gives them, in boxes of `box` pixels. */
static struct stretch stretch_of(uint32_t cell, const float output[2], double box, size_t count)
{
    double middle = ((double)cell + 0.5) * FINDER_CELL + finder_log_side(output[1]) * box;
    double half = box * finder_exp(finder_log_side(output[0])) / 2;
    /* The middle may lie beyond the image. */
    middle = middle < (double)count - 0.5 ? middle : (double)count - 0.5;
    middle = middle > 0.5 ? middle : 0.5;
    return (struct stretch){middle - half > 0 ? middle - half : 0,
                            middle + half < (double)count ? middle + half : (double)count};
}

/* Whole pixels of the original that the stretch touches, within 0..count. */
static void to_original(struct stretch stretch, size_t factor, uint32_t count, uint32_t *from,
                        uint32_t *extent)
{
    uint32_t first = (uint32_t)(stretch.from * (double)factor);
    double until = stretch.until * (double)factor;
    uint32_t end = (uint32_t)until;
    end += (double)end < until;
    end = end < count ? end : count;
    first = first < count ? first : count - 1;
    *from = first;
    *extent = end > first ? end - first : 1;
}

static double shared(uint32_t a, uint32_t a_extent, uint32_t b, uint32_t b_extent)
{
    uint32_t from = a > b ? a : b;
    uint32_t until = a + a_extent < b + b_extent ? a + a_extent : b + b_extent;
    return until > from ? until - from : 0;
}

static bool overlaps(const struct finder_box *a, const struct finder_box *b)
{
    double both = shared(a->x, a->width, b->x, b->width) * shared(a->y, a->height, b->y, b->height);
    double first = (double)a->width * a->height;
    double second = (double)b->width * b->height;
    double smaller = first < second ? first : second;
    return both > overlap_max * (first + second - both) || both > within_max * smaller;
}

static struct finder_box box_of(const struct finder_model *model, const struct finder_map *map,
                                const struct finder_peak *peak, const struct working *working,
                                const struct image *image)
{
    const float *cell = map->cells + ((size_t)peak->y * map->width + peak->x) * FINDER_OUTPUTS;
    struct finder_box box = {.heat = peak->heat,
                             .logit = model->slope * peak->heat + model->offset};
    const float across[2] = {cell[1], cell[3]};
    const float down[2] = {cell[2], cell[4]};
    to_original(stretch_of(peak->x, across, model->box, working->width), working->factor,
                image->width, &box.x, &box.width);
    to_original(stretch_of(peak->y, down, model->box, working->height), working->factor,
                image->height, &box.y, &box.height);
    return box;
}

/* Their heats become those of the places around them, and their order follows. */
static void pool(const struct finder_map *map, struct finder_peak peaks[FINDER_PEAKS_MAX],
                 size_t count)
{
    struct finder_peak found[FINDER_PEAKS_MAX];
    memcpy(found, peaks, count * sizeof *peaks);
    for (size_t i = 0; i < count; i++) {
        found[i].heat = finder_map_pooled(map, found[i].x, found[i].y);
        (void)finder_peaks_put(peaks, i, found[i]);
    }
}

void finder_look_at(struct finder_space *self, const struct finder_model *model,
                    const struct convnet_image *planes)
{
    if (model->gate.depth > 0) {
        const struct finder_gate_buffers buffers = {self->net, self->promise, self->wanted};
        finder_gate_run(model, planes, &buffers, self->cells);
        return;
    }
    struct finder_view_buffers buffers = {self->view_planes, self->view_cells, self->view_sums,
                                          self->net};
    finder_views_run(model, planes, &buffers, self->cells);
}

uint32_t finder_run(struct finder_space *self, const struct finder_model *model,
                    const struct working *working, const float *low_pixels,
                    const struct image *image, struct finder_box out[FINDER_BOXES_MAX])
{
    must(working->width <= self->width_max && working->height <= self->height_max);
    finder_planes(&model->input, working, low_pixels, self->rows, self->planes);
    struct convnet_image planes = {self->planes, (uint32_t)working->height,
                                   (uint32_t)working->width};
    finder_look_at(self, model, &planes);
    struct finder_map map = {self->cells, finder_cells(working->width),
                             finder_cells(working->height)};
    struct finder_peak peaks[FINDER_PEAKS_MAX];
    size_t peaks_count = finder_map_peaks(&map, &planes, model->nets[0].layers[0].in, peaks);
    if (model->pooled) {
        pool(&map, peaks, peaks_count);
    }
    uint32_t count = 0;
    for (size_t i = 0; i < peaks_count && count < FINDER_BOXES_MAX; i++) {
        struct finder_box box = box_of(model, &map, &peaks[i], working, image);
        bool seen = false;
        for (uint32_t k = 0; k < count; k++) {
            seen = seen || overlaps(&box, &out[k]);
        }
        if (!seen) {
            out[count++] = box;
        }
    }
    return count;
}
