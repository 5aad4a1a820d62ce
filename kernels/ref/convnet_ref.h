/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_REF_H
#define KERNELS_CONVNET_REF_H

/* Convnet_ref: every sum by its definition, in double, whole layers one after another. */

#include "kernels/convnet.h"

/* Bytes of workspace for an image: two whole layers. */
size_t convnet_ref_workspace_bytes(const struct convnet *net, uint32_t height, uint32_t width);

/* out as convnet_run. */
void convnet_ref(const struct convnet *net, const struct convnet_image *image, void *workspace,
                 float *out);
#endif
