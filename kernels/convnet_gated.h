/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_GATED_H
#define KERNELS_CONVNET_GATED_H

/* Convnet_gated: a network that looks closely only where its own first layers find that worth it.
 *
 *   glance   the first `depth` layers over the whole image, and a gate, one more layer with one
 *            output on what they give: a number for each result of the network
 *   look     all other layers, for the results that are wanted, and what those depend on
 *
 * Which are wanted is the caller's to choose between the two. A wanted result has the bits that
 * convnet_run() gives it: its sums are of the same whole numbers. (Conditional computation where
 * images are sparse: Ren et al. 2018, "SBNet", CVPR; Verelst and Tuytelaars 2020, CVPR.)
 *
 * Work: that of the first layers and the gate, and of each layer after it the wanted results grown
 * by what the layers behind it reach, each run of them in a row rounded up to a register. */

#include "kernels/convnet.h"

struct convnet_gate {
    uint32_t depth;     /* 1..layer_count - 1; all strides from there on are 1 */
    struct convnet net; /* one layer of stride 1 with one output, which takes what they give */
    const void *packed; /* convnet_pack() of it */
};

/* Whether it fits the network, as far as counts go; both are sound. */
int convnet_gate_fits(const struct convnet *net, const struct convnet_gate *gate);

/* For images up to this size; aligned by the caller. */
size_t convnet_gated_bytes(const struct convnet *net, const struct convnet_gate *gate,
                           uint32_t height, uint32_t width);

/* promise [out height][out width]. The workspace then is about this image, and points to the
 * arguments. One thread a workspace; `path` is one that this processor can run. */
void convnet_glance(enum convnet_path path, const struct convnet *net, const void *packed,
                    const struct convnet_gate *gate, const struct convnet_image *image,
                    void *workspace, float *restrict promise);

/* Once after convnet_glance(): the results wanted [out height][out width], each 0 or 1, into out
 * [out height][out width][out of the last layer]; others are left as they are. */
void convnet_look(void *workspace, const uint8_t *restrict wanted, float *restrict out);

/* Multiply-adds of the last convnet_glance() and convnet_look(), without those of rounding up. */
double convnet_gated_products(const void *workspace);

#endif
