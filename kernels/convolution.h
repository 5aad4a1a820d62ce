/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVOLUTION_H
#define KERNELS_CONVOLUTION_H

/* Convolution in floats with its two gradients, for training: stripes of rows are written out as
 * columns (one row of taps a pixel) that fit the second level of cache, and multiplied by SGEMM.
 * Outside the image the input is 0. Same bits for the same input, build and BLAS core. */

#include <stddef.h>
#include <stdint.h>

struct convolution {
    uint32_t side, stride, dilation;
    uint32_t in, out; /* channels; in is a multiple of 4 */
    uint32_t in_height, in_width;
    uint32_t height, width; /* of the result: ceil of the input's by the stride */
};

/* Floats of workspace for any of the functions below. */
size_t convolution_columns_floats(const struct convolution *shape);

/* sums[height][width][out] = weights[out][side][side][in] over input[in_height][in_width][in]. */
void convolution_forward(const struct convolution *shape, const float *restrict input,
                         const float *restrict weights, float *restrict columns,
                         float *restrict sums);

/* gradient[out][side][side][in] is set; of_sums is the gradient of the sums. */
void convolution_of_weights(const struct convolution *shape, const float *restrict input,
                            const float *restrict of_sums, float *restrict columns,
                            float *restrict gradient);

/* of_input[in_height][in_width][in] is set. */
void convolution_of_input(const struct convolution *shape, const float *restrict of_sums,
                          const float *restrict weights, float *restrict columns,
                          float *restrict of_input);
#endif
