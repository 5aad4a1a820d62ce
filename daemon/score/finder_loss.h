/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_LOSS_H
#define SCORE_FINDER_LOSS_H

/* Finder loss: how far the outputs of a finder's network are from the boxes that were drawn.
 *
 * Heat: a Gaussian of sigma 0.35 sides + 1.5 pixels around each centre, 1 at the cell of the
 * centre, and the focal loss that forgives heat near a centre (Law and Deng 2018,
 * arXiv:1808.01244). Boxes: on the cells whose heat is above a half the generalised overlap
 * (Rezatofighi et al. 2019, arXiv:1902.09630) and a tenth of the error of log sides; every object
 * counts once, however large. No allocation; any thread. */

#include <stdint.h>

/* In pixels of the network's input. */
struct finder_truth {
    float left;
    float top;
    float right;
    float bottom;
};

enum { FINDER_TRUTHS_MAX = 1024 }; /* of one image; more are left out */

struct finder_target {
    uint32_t height; /* in cells */
    uint32_t width;
    float box;        /* struct finder_model's */
    float *heat;      /* [height][width]; exactly 1 at centres */
    float *weight;    /* of the cell's box error: 1 / cells of its object; 0: none */
    uint16_t *owner;  /* whose box it is */
    uint32_t centres; /* cells with heat 1 */
    uint32_t objects; /* with a weight */
};

/* Sets heat to objects. A box whose centre lies outside is neither found nor false: its cells are
 * left out of the loss. The smaller of two overlapping boxes has the cells. */
void finder_target_set(struct finder_target *self, const struct finder_truth *truths,
                       uint32_t count);

/* The loss of one image's outputs [height][width][FINDER_OUTPUTS], divided by the centres and the
 * objects of the whole batch; gradient of the same shape is set. */
double finder_loss(const struct finder_target *target, const struct finder_truth *truths,
                   const float *outputs, double centres, double objects, float *gradient);
#endif
