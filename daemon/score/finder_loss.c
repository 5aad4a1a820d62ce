/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_loss.h"

#include <math.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/finder.h"

static const float sigma_share = 0.35f;
static const float sigma_least = 1.5f;
static const float side_least = 4.0f;       /* pixels: one cell */
static const float heat_of_box = 0.5f;      /* cells above this learn the box */
static const float heat_of_cut = 0.999999f; /* forgiven, but no centre */
static const double side_weight = 0.1;

static float side_of(float from, float to)
{
    return to - from > side_least ? to - from : side_least;
}

static float area_of(const struct finder_truth *truth)
{
    return side_of(truth->left, truth->right) * side_of(truth->top, truth->bottom);
}

struct range {
    uint32_t first;
    uint32_t end;
};

/* Cells whose centres lie within from..to. */
static struct range cells_within(float from, float to, uint32_t count)
{
    float first = ceilf(from / FINDER_CELL - 0.5f);
    float end = floorf(to / FINDER_CELL - 0.5f) + 1.0f;
    first = first > 0 ? first : 0;
    end = end < (float)count ? end : (float)count;
    struct range range = {(uint32_t)first, end > first ? (uint32_t)end : (uint32_t)first};
    return range;
}

static void forgive(struct finder_target *self, const struct finder_truth *truth)
{
    struct range rows = cells_within(truth->top, truth->bottom, self->height);
    struct range columns = cells_within(truth->left, truth->right, self->width);
    for (uint32_t y = rows.first; y < rows.end; y++) {
        for (uint32_t x = columns.first; x < columns.end; x++) {
            float *heat = &self->heat[y * self->width + x];
            *heat = *heat > heat_of_cut ? *heat : heat_of_cut;
        }
    }
}

static float bell(uint32_t cell, float centre, float side)
{
    float away = (((float)cell + 0.5f) * FINDER_CELL - centre) / (side * sigma_share + sigma_least);
    return expf(-away * away / 2);
}

static void set_object(struct finder_target *self, const struct finder_truth *truth, uint16_t owner)
{
    float x_centre = (truth->left + truth->right) / 2;
    float y_centre = (truth->top + truth->bottom) / 2;
    float width = side_of(truth->left, truth->right);
    float height = side_of(truth->top, truth->bottom);
    float x_reach = 4 * (width * sigma_share + sigma_least);
    float y_reach = 4 * (height * sigma_share + sigma_least);
    struct range rows = cells_within(y_centre - y_reach, y_centre + y_reach, self->height);
    struct range columns = cells_within(x_centre - x_reach, x_centre + x_reach, self->width);
    for (uint32_t y = rows.first; y < rows.end; y++) {
        float down = bell(y, y_centre, height);
        for (uint32_t x = columns.first; x < columns.end; x++) {
            size_t cell = (size_t)y * self->width + x;
            float heat = down * bell(x, x_centre, width);
            heat = heat < heat_of_cut ? heat : heat_of_cut;
            self->heat[cell] = heat > self->heat[cell] ? heat : self->heat[cell];
            if (heat > heat_of_box) {
                self->owner[cell] = owner;
                self->weight[cell] = 1;
            }
        }
    }
    size_t centre =
        (size_t)(y_centre / FINDER_CELL) * self->width + (size_t)(x_centre / FINDER_CELL);
    self->heat[centre] = 1;
    self->owner[centre] = owner;
    self->weight[centre] = 1;
}

/* Every object's cells weigh 1 together. */
static void share_weights(struct finder_target *self)
{
    uint32_t cells_of[FINDER_TRUTHS_MAX] = {0};
    self->centres = 0;
    self->objects = 0;
    for (size_t cell = 0; cell < (size_t)self->height * self->width; cell++) {
        self->centres += self->heat[cell] == 1.0f;
        if (self->weight[cell] > 0) {
            self->objects += cells_of[self->owner[cell]] == 0;
            cells_of[self->owner[cell]]++;
        }
    }
    for (size_t cell = 0; cell < (size_t)self->height * self->width; cell++) {
        if (self->weight[cell] > 0) {
            self->weight[cell] = 1.0f / (float)cells_of[self->owner[cell]];
        }
    }
}

static int has_centre(const struct finder_target *self, const struct finder_truth *truth)
{
    float x = (truth->left + truth->right) / 2;
    float y = (truth->top + truth->bottom) / 2;
    return x >= 0 && y >= 0 && x < (float)(self->width * FINDER_CELL) &&
           y < (float)(self->height * FINDER_CELL);
}

void finder_target_set(struct finder_target *self, const struct finder_truth *truths,
                       uint32_t count)
{
    uint16_t order[FINDER_TRUTHS_MAX];
    size_t cells = (size_t)self->height * self->width;
    memset(self->heat, 0, cells * sizeof *self->heat);
    memset(self->weight, 0, cells * sizeof *self->weight);
    count = count < FINDER_TRUTHS_MAX ? count : FINDER_TRUTHS_MAX;
    for (uint32_t i = 0; i < count; i++) { /* largest first: insertion, as they are few */
        uint32_t at = i;
        for (; at > 0 && area_of(&truths[order[at - 1]]) < area_of(&truths[i]); at--) {
            order[at] = order[at - 1];
        }
        order[at] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (has_centre(self, &truths[order[i]])) {
            set_object(self, &truths[order[i]], order[i]);
        } else {
            forgive(self, &truths[order[i]]);
        }
    }
    share_weights(self);
}

/* The focal loss of a heat logit; *slope is set. log(1 - p) = -softplus(z). */
static double heat_loss(double logit, double heat, double *slope)
{
    double p = logistic_probability(logit);
    double log_p = -logistic_softplus(-logit);
    double log_rest = -logistic_softplus(logit);
    if (heat == 1.0) {
        *slope = 2 * p * (1 - p) * (1 - p) * log_p - (1 - p) * (1 - p) * (1 - p);
        return -(1 - p) * (1 - p) * log_p;
    }
    double far = (1 - heat) * (1 - heat);
    far *= far;
    *slope = far * (p * p * p - 2 * p * p * (1 - p) * log_rest);
    return -far * p * p * log_rest;
}

/* One side of two boxes: overlap, hull, and their slopes by the ends of the first. */
struct side_pair {
    double overlap, hull;
    double overlap_by_from, overlap_by_to;
    double hull_by_from, hull_by_to;
};

static struct side_pair pair_sides(double from, double to, double true_from, double true_to)
{
    struct side_pair pair = {.overlap = 0};
    double first = from > true_from ? from : true_from;
    double last = to < true_to ? to : true_to;
    if (last > first) {
        pair.overlap = last - first;
        pair.overlap_by_from = from > true_from ? -1 : 0;
        pair.overlap_by_to = to < true_to ? 1 : 0;
    }
    pair.hull = (to > true_to ? to : true_to) - (from < true_from ? from : true_from);
    pair.hull_by_from = from < true_from ? -1 : 0;
    pair.hull_by_to = to > true_to ? 1 : 0;
    return pair;
}

/* 1 - generalised overlap of a box with the true one; slopes by left, top, right, bottom. */
static double overlap_loss(const double box[4], const struct finder_truth *truth, double slopes[4])
{
    static const double least = 1e-3; /* square pixels */
    double true_right = (double)truth->left + (double)side_of(truth->left, truth->right);
    double true_bottom = (double)truth->top + (double)side_of(truth->top, truth->bottom);
    struct side_pair x = pair_sides(box[0], box[2], (double)truth->left, true_right);
    struct side_pair y = pair_sides(box[1], box[3], (double)truth->top, true_bottom);
    double width = box[2] - box[0];
    double height = box[3] - box[1];
    double common = x.overlap * y.overlap;
    double both = width * height + (double)area_of(truth) - common + least;
    double hull = x.hull * y.hull + least;
    double by_common = -1 / both, by_both = common / (both * both) - 1 / hull;
    double by_hull = both / (hull * hull);
    const double common_by[4] = {x.overlap_by_from * y.overlap, y.overlap_by_from * x.overlap,
                                 x.overlap_by_to * y.overlap, y.overlap_by_to * x.overlap};
    const double hull_by[4] = {x.hull_by_from * y.hull, y.hull_by_from * x.hull,
                               x.hull_by_to * y.hull, y.hull_by_to * x.hull};
    const double area_by[4] = {-height, -width, height, width};
    for (int i = 0; i < 4; i++) {
        slopes[i] =
            by_common * common_by[i] + by_both * (area_by[i] - common_by[i]) + by_hull * hull_by[i];
    }
    return 1 - common / both + 1 - both / hull;
}

static double box_loss(const struct finder_target *target, size_t cell,
                       const struct finder_truth *truth, const float *output, double gradient[4])
{
    double unit = (double)target->box;
    double slopes[4];
    size_t row = cell / target->width;
    double x = ((double)(cell % target->width) + 0.5) * FINDER_CELL + unit * (double)output[3];
    double y = ((double)row + 0.5) * FINDER_CELL + unit * (double)output[4];
    double width = unit * exp(finder_log_side(output[1]));
    double height = unit * exp(finder_log_side(output[2]));
    const double box[4] = {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
    double loss = overlap_loss(box, truth, slopes);
    bool held_width = finder_log_side(output[1]) != (double)output[1];
    bool held_height = finder_log_side(output[2]) != (double)output[2];
    gradient[0] = held_width ? 0 : (slopes[2] - slopes[0]) * width / 2;
    gradient[1] = held_height ? 0 : (slopes[3] - slopes[1]) * height / 2;
    gradient[2] = unit * (slopes[0] + slopes[2]);
    gradient[3] = unit * (slopes[1] + slopes[3]);
    double wide = (double)output[1] - log((double)side_of(truth->left, truth->right) / unit);
    double high = (double)output[2] - log((double)side_of(truth->top, truth->bottom) / unit);
    gradient[0] += wide > 0 ? side_weight : -side_weight;
    gradient[1] += high > 0 ? side_weight : -side_weight;
    return loss + side_weight * (fabs(wide) + fabs(high));
}

double finder_loss(const struct finder_target *target, const struct finder_truth *truths,
                   const float *outputs, double centres, double objects, float *gradient)
{
    double loss = 0;
    for (size_t cell = 0; cell < (size_t)target->height * target->width; cell++) {
        const float *output = outputs + cell * FINDER_OUTPUTS;
        float *to = gradient + cell * FINDER_OUTPUTS;
        double slope;
        loss += heat_loss((double)output[0], (double)target->heat[cell], &slope) / centres;
        to[0] = (float)(slope / centres);
        double of_box[4] = {0};
        if (target->weight[cell] > 0) {
            double weight = (double)target->weight[cell] / objects;
            const struct finder_truth *truth = &truths[target->owner[cell]];
            loss += weight * box_loss(target, cell, truth, output, of_box);
            for (int i = 0; i < 4; i++) {
                of_box[i] *= weight;
            }
        }
        for (int i = 0; i < 4; i++) {
            to[1 + i] = (float)of_box[i];
        }
    }
    return loss;
}
