/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder.h"

#include <math.h>

/* Long objects warm several cells: the ends of a screw are peaks of their own, and their boxes lie
 * within the box of the whole. */

enum { REACH = 2, CANDIDATES_MAX = 96 };

static const float heat_least = -7.0f; /* a thousandth */
static const double overlap_most = 0.3;
static const double within_most = 0.6; /* of the smaller box */

struct cells {
    const float *outputs;
    uint32_t height;
    uint32_t width;
};

static float heat_of(const struct cells *cells, uint32_t y, uint32_t x)
{
    return cells->outputs[((size_t)y * cells->width + x) * FINDER_OUTPUTS];
}

/* Of equal cells the first in reading order is the peak. */
static bool is_peak(const struct cells *cells, uint32_t y, uint32_t x)
{
    float heat = heat_of(cells, y, x);
    uint32_t bottom = y + REACH < cells->height ? y + REACH : cells->height - 1;
    uint32_t right = x + REACH < cells->width ? x + REACH : cells->width - 1;
    for (uint32_t v = y > REACH ? y - REACH : 0; v <= bottom; v++) {
        for (uint32_t u = x > REACH ? x - REACH : 0; u <= right; u++) {
            bool before = v < y || (v == y && u < x);
            float other = heat_of(cells, v, u);
            if (other > heat || (before && other == heat)) {
                return false;
            }
        }
    }
    return true;
}

static struct finder_mark mark_of(const struct finder_model *self, const struct cells *cells,
                                  uint32_t y, uint32_t x)
{
    const float *output = cells->outputs + ((size_t)y * cells->width + x) * FINDER_OUTPUTS;
    double width = self->box * exp(finder_log_side(output[1]));
    double height = self->box * exp(finder_log_side(output[2]));
    double right = finder_log_side(output[3]) * self->box;
    double below = finder_log_side(output[4]) * self->box;
    return (struct finder_mark){.left = (x + 0.5) * FINDER_CELL + right - width / 2,
                                .top = (y + 0.5) * FINDER_CELL + below - height / 2,
                                .width = width,
                                .height = height,
                                .heat = (double)output[0]};
}

static bool lies_on(const struct finder_mark *mark, const struct finder_mark *better)
{
    double width = fmin(mark->left + mark->width, better->left + better->width) -
                   fmax(mark->left, better->left);
    double height =
        fmin(mark->top + mark->height, better->top + better->height) - fmax(mark->top, better->top);
    if (!(width > 0 && height > 0)) {
        return false;
    }
    double common = width * height;
    double own = mark->width * mark->height;
    double other = better->width * better->height;
    return common > overlap_most * (own + other - common) ||
           common > within_most * fmin(own, other);
}

struct candidate {
    float heat;
    uint32_t y;
    uint32_t x;
};

/* The hottest peaks, hottest first, by insertion. */
static uint32_t gather(const struct cells *cells, struct candidate candidates[CANDIDATES_MAX])
{
    uint32_t count = 0;
    for (uint32_t y = 0; y < cells->height; y++) {
        for (uint32_t x = 0; x < cells->width; x++) {
            float heat = heat_of(cells, y, x);
            bool room = count < CANDIDATES_MAX || heat > candidates[CANDIDATES_MAX - 1].heat;
            if (!(heat > heat_least) || !room || !is_peak(cells, y, x)) {
                continue;
            }
            uint32_t at = count < CANDIDATES_MAX ? count++ : CANDIDATES_MAX - 1;
            for (; at > 0 && candidates[at - 1].heat < heat; at--) {
                candidates[at] = candidates[at - 1];
            }
            candidates[at] = (struct candidate){heat, y, x};
        }
    }
    return count;
}

uint32_t finder_peaks(const struct finder_model *self, const float *outputs, uint32_t height,
                      uint32_t width, struct finder_mark marks[FINDER_MARKS_MAX])
{
    const struct cells cells = {outputs, height, width};
    struct candidate candidates[CANDIDATES_MAX];
    uint32_t candidate_count = gather(&cells, candidates);
    uint32_t count = 0;
    for (uint32_t i = 0; i < candidate_count && count < FINDER_MARKS_MAX; i++) {
        struct finder_mark mark = mark_of(self, &cells, candidates[i].y, candidates[i].x);
        bool is_new = true;
        for (uint32_t k = 0; k < count && is_new; k++) {
            is_new = !lies_on(&mark, &marks[k]);
        }
        if (is_new) {
            marks[count++] = mark;
        }
    }
    return count;
}
