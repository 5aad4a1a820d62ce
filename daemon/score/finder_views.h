/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_VIEWS_H
#define SCORE_FINDER_VIEWS_H

/* Finder views: one image looked at several times by the same network, as it is, mirrored, and
 * pushed by half a cell, and the heat of a cell is the mean of what it has in each. Where a network
 * is in doubt its answer depends on which pixels a cell happens to begin at; what stands there does
 * not (test-time augmentation: Krizhevsky et al. 2012, section 4.1). Any thread, one a set of
 * buffers. */

#include "kernels/convnet.h"
#include "score/finder.h"

/* Bytes of a view's planes, and cells of its result, for working images up to this size. */
size_t finder_view_planes_bytes(uint32_t channels, size_t width_max, size_t height_max);
size_t finder_view_cells(size_t width_max, size_t height_max);

struct finder_view_buffers {
    uint8_t *planes; /* finder_view_planes_bytes() */
    float *cells;    /* finder_view_cells() * FINDER_OUTPUTS */
    float *heats;    /* finder_view_cells() */
    void *net;       /* convnet_workspace_bytes() of FINDER_VIEW_MARGIN more than the width */
};

enum { FINDER_VIEW_MARGIN = 2 * FINDER_CELL };

/* cells[ceil(height / 4)][ceil(width / 4)][FINDER_OUTPUTS] by all views of the model. With one view
 * the buffers' planes and cells are not touched. Mirrored planes of a width that cells divide give
 * the mirrored cells, to the bit, when the model has 2 or 4 views. */
void finder_views_run(const struct finder_model *model, const struct convnet_image *planes,
                      const struct finder_view_buffers *buffers, float *restrict cells);

#endif
