/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_REF_CONVNET_TRAIN_REF_H
#define KERNELS_REF_CONVNET_TRAIN_REF_H

/* Reference for convnet_train.h: the pass forwards of the first stage in double, by its definition.
 * Gradients are checked against differences of it. */

#include "kernels/convnet_train.h"

/* sum over images and results of coefficients * result. inputs[batch] as in convnet_train; learnt:
 * all layers' weights, gains and offsets as in convnet_train; coefficients[height * width * out] is
 * the same for every image. Allocates; NaN without memory. */
double ref_convnet_train_sum(const struct convnet_plan *plan, const float *const *inputs,
                             const double *learnt, const double *coefficients);
#endif
