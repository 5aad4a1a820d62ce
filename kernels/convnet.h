/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_H
#define KERNELS_CONVNET_H

/* Convnet: a small convolutional network in whole numbers.
 *
 * Activations are bytes 0..255 (0 is the real number 0: what lies beyond the border, and what a
 * negative sum becomes), weights are -63..63, sums are int32. So every sum is exact in any order,
 * and the bits of a result do not depend on batch, path, processor or thread count. 63 and not 127:
 * 2 * 255 * 63 fits the 16 bits in which AVX2 adds pairs of products without saturating.
 *
 *   sum[y][x][o]  = bias[o] + sum over taps (i, j) and channels c of
 *                   weights[o][i][j][c] * in[y s + (i - side/2) d][x s + (j - side/2) d][c]
 *   hidden layer:   out = min(max(rint((float)sum * scale[o]), 0), 255), ties to even
 *   last layer:     out = (float)sum * scale[o], float
 *
 * with stride s and dilation d; outside the image `in` is 0; out has ceil(height / s) rows and
 * ceil(width / s) columns. |sum| < 2^24 for all weights and biases within the limits below, so
 * (float)sum is exact and the product is rounded once: the same on every path.
 *
 * Images are [height][width][channels] bytes, channels last. Training is in convnet_train.h. */

#include <stddef.h>
#include <stdint.h>

enum {
    CONVNET_LAYERS_MAX = 16,
    CONVNET_CHANNELS_MAX = 64, /* of a layer; the input's and every hidden layer's count is a
                                  multiple of 4 */
    CONVNET_WEIGHT_MAX = 63,
    CONVNET_DILATION_MAX = 16,
    CONVNET_BIAS_MAX = 1 << 22,
    CONVNET_SIDE_MAX = 65535, /* of an image */
    CONVNET_ALIGNMENT = 64,   /* of packed networks and workspaces, in bytes */
};

struct convnet_layer {
    uint32_t side;     /* 1 or 3 taps each way */
    uint32_t stride;   /* 1 or 2 */
    uint32_t dilation; /* 1..CONVNET_DILATION_MAX */
    uint32_t in;       /* channels; the next layer's `in` is this one's `out` */
    uint32_t out;
    int8_t *weights; /* [out][side][side][in] */
    int32_t *bias;   /* [out], within +-CONVNET_BIAS_MAX */
    float *scale;    /* [out], finite, >= 0 */
};

/* The arrays are the caller's. The last layer's results are floats, all others' are bytes. */
struct convnet {
    struct convnet_layer layers[CONVNET_LAYERS_MAX];
    uint32_t layer_count; /* 1..CONVNET_LAYERS_MAX */
};

enum convnet_fault {
    CONVNET_SOUND,
    CONVNET_COUNTS,  /* a count, side, stride or dilation beyond its limit, or channels that do not
                        fit the layer before */
    CONVNET_WEIGHTS, /* a weight or a bias out of range */
    CONVNET_SCALES,  /* not finite, or negative */
};

/* Only counts need be right for it to be safe to call: arrays are read once the counts are within
 * their limits. A network that is not sound must not be given to the functions below. */
enum convnet_fault convnet_validate(const struct convnet *net);

/* How many weights a layer whose counts are within their limits has. */
size_t convnet_weight_count(const struct convnet_layer *layer);

/* The size of the result for an input of height x width; both are 1..CONVNET_SIDE_MAX. */
void convnet_output_size(const struct convnet *net, uint32_t height, uint32_t width,
                         uint32_t *out_height, uint32_t *out_width);

/* The numbers of a network in the order in which they are read, once for all runs; aligned by the
 * caller. The network may go afterwards as far as its arrays are concerned. */
size_t convnet_packed_bytes(const struct convnet *net);
void convnet_pack(const struct convnet *net, void *restrict packed);

struct convnet_image {
    const uint8_t *pixels; /* [height][width][channels of the first layer], dense */
    uint32_t height;       /* 1..CONVNET_SIDE_MAX */
    uint32_t width;
};

/* For images up to this wide, of any height; aligned by the caller. Every layer keeps only the rows
 * that the next one still looks at (1 or 2 dilation + 1), so 4000 rows take as much as 40. */
size_t convnet_workspace_bytes(const struct convnet *net, uint32_t width);

/* out [out height][out width][out of the last layer], dense. Uses convnet_path_best(). */
void convnet_run(const struct convnet *net, const void *restrict packed,
                 const struct convnet_image *image, void *restrict workspace, float *restrict out);

/* Which instructions are used. All give the same bits. AVX_VNNI: AVX2 with vpdpbusd, of processors
 * without AVX-512; VNNI: AVX-512 with it. */
enum convnet_path { CONVNET_PORTABLE, CONVNET_AVX2, CONVNET_AVX_VNNI, CONVNET_VNNI };
/* Whether this processor can run it. */
int convnet_path_runs(enum convnet_path path);
/* The fastest path this processor can run. */
enum convnet_path convnet_path_best(void);

/* The same with a chosen path, which this processor must be able to run. */
void convnet_run_by(enum convnet_path path, const struct convnet *net, const void *restrict packed,
                    const struct convnet_image *image, void *restrict workspace,
                    float *restrict out);

#endif
