/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_VIEWS_H
#define SCORE_FINDER_VIEWS_H

/* Finder views: one image looked at several times, as it is, mirrored, and pushed by half a cell,
 * each by all networks of the finder, and the heat of a cell is the mean of what it has in each.
 * Where a network is in doubt its answer depends on which pixels a cell happens to begin at; what
 * stands there does not (test-time augmentation: Krizhevsky et al. 2012, section 4.1). And it
 * depends on what the network began with and in which order it was taught: two that were taught
 * apart miss different objects (Hansen and Salamon 1990, IEEE PAMI 12(10); Lakshminarayanan et al.
 * 2017, arXiv:1612.01474).
 *
 * All looks at all of an image cost that many passes of a network. One look tells where anything
 * may be; with a number of places only the cells around the highest peaks of the first network's
 * look at the image as it is are looked at by all, with as much around them as a cell depends on
 * (attentional cascade: Viola and Jones 2001, CVPR). They have the bits that they would have had.
 * Any thread, one a set of buffers. */

#include "kernels/convnet.h"
#include "score/finder.h"

/* More than one look by one network: only then buffers other than the net's are needed. */
static inline bool finder_looks_again(const struct finder_model *model)
{
    return model->views > 1 || model->networks > 1;
}

/* Bytes of a view's planes, cells of its result, and numbers of the sums of all views, for working
 * images up to this size. */
size_t finder_view_planes_bytes(uint32_t channels, size_t width_max, size_t height_max);
size_t finder_view_cells(size_t width_max, size_t height_max);
size_t finder_view_sums(size_t width_max, size_t height_max);

struct finder_view_buffers {
    uint8_t *planes; /* finder_view_planes_bytes() */
    float *cells;    /* finder_view_cells() * FINDER_OUTPUTS */
    float *sums;     /* finder_view_sums() */
    void *net;       /* convnet_workspace_bytes() of FINDER_VIEW_MARGIN more than the width */
};

enum { FINDER_VIEW_MARGIN = 2 * FINDER_CELL };

/* cells[ceil(height / 4)][ceil(width / 4)][FINDER_OUTPUTS] by all views and networks of the model.
 * With one view and one network only the buffers' net is touched. Mirrored planes of a width that
 * cells divide give the mirrored cells, to the bit, when the model has 2 or 4 views and no places.
 *
 * With places, in an image of more cells than theirs and what lies around them: 7 x 7 cells about
 * the highest peaks have what all looks give them; all others have what the first look gave them,
 * their heats lowered by one number so that none is above the least of the places. */
void finder_views_run(const struct finder_model *model, const struct convnet_image *planes,
                      const struct finder_view_buffers *buffers, float *restrict cells);

/* What that costs at most, in passes of one network over the whole image. */
double finder_views_passes(const struct finder_model *model, size_t width, size_t height);

#endif
