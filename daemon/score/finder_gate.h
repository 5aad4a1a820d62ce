/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_GATE_H
#define SCORE_FINDER_GATE_H

/* Finder gate: most of an image holds nothing that a finder could mark, and its first layers can
 * tell most of where. All cells get a number from a gate on what these layers give
 * (kernels/convnet_gated.h); the highest of them, one in so many, and their neighbours go through
 * the other layers, and the rest is cold: no peak stands there. A cheap stage that passes few on,
 * and is taught to lose little (cascade: Viola and Jones 2001, CVPR). Which cells pass depends on
 * nothing but the image and the model. Any thread, one a set of buffers. */

#include "kernels/convnet_gated.h"
#include "score/finder.h"

enum { FINDER_GATE_LEAST = 16 }; /* cells */

struct finder_gate_buffers {
    void *net;      /* convnet_gated_bytes() */
    float *promise; /* a cell of the image each: */
    uint8_t *wanted;
};

/* cells[ceil(height / 4)][ceil(width / 4)][FINDER_OUTPUTS]: those that pass as the model has them
 * when it looks at everything; all others get a heat of FINDER_COLD (finder_map.h), and what they
 * have besides means nothing. The model has a gate. */
void finder_gate_run(const struct finder_model *model, const struct convnet_image *planes,
                     const struct finder_gate_buffers *buffers, float *restrict cells);

/* promise[cells] of the image; the buffers' net is used. */
void finder_gate_promise(const struct finder_model *model, const struct convnet_image *planes,
                         const struct finder_gate_buffers *buffers);
/* The value that `rank` of them have or pass, 1 <= rank <= count; none is NaN. In steps that do not
 * depend on the values. */
float finder_gate_at_rank(const float *values, size_t count, size_t rank);

/* Which cells pass when one in `share` does, at least FINDER_GATE_LEAST: those of the highest
 * promise, all equal ones at the end of it, and the eight around each. Cells without any valid
 * pixel are not counted, nor asked for themselves; their promise is lost. */
void finder_gate_choose(const struct convnet_image *planes, uint32_t channels, uint32_t share,
                        const struct finder_gate_buffers *buffers);

#endif
