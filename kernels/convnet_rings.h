/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_RINGS_H
#define KERNELS_CONVNET_RINGS_H

/* Convnet_rings: how a network goes through an image, row by row. Inside kernels/ only.
 *
 * Rows are made when the layer after needs them, last layer first: each layer keeps a ring of the
 * rows that the next one still looks at, with as many zero pixels to either side as its taps reach,
 * so no inner loop asks where the border is. A whole network of a hundred channels at 160 columns
 * lives in the second-level cache. */

#include "kernels/convnet.h"
#include "kernels/convnet_row.h"

/* ---- packed: a layer is its weights, biases and scales, each padded to whole quads ---- */

static inline size_t convnet_aligned(size_t bytes)
{
    return (bytes + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
}

static inline size_t convnet_quads(uint32_t channels)
{
    return (channels + CONVNET_QUAD - 1) / CONVNET_QUAD;
}

static inline size_t convnet_packed_weights(const struct convnet_layer *layer)
{
    return convnet_aligned(convnet_quads(layer->out) * CONVNET_QUAD * layer->side * layer->side *
                           layer->in);
}

/* Of the biases, and of the scales. */
static inline size_t convnet_packed_numbers(const struct convnet_layer *layer)
{
    return convnet_aligned(convnet_quads(layer->out) * CONVNET_QUAD * sizeof(int32_t));
}

static inline size_t convnet_packed_layer(const struct convnet_layer *layer)
{
    return convnet_packed_weights(layer) + 2 * convnet_packed_numbers(layer);
}

static inline uint32_t convnet_strided(uint32_t count, uint32_t stride)
{
    return (count - 1) / stride + 1;
}

/* Pixels of its input beside its own that a result depends on. */
static inline uint32_t convnet_reach(const struct convnet_layer *layer)
{
    return layer->side == 3 ? layer->dilation : 0;
}

/* ---- rings ---- */

/* The rows that layer i reads; the last ring does not exist: results go to the caller. */
struct convnet_ring {
    uint8_t *rows;      /* [row_count][row_bytes], and a row of zeros behind them */
    size_t row_count;   /* kept: row y of the layer lies at y % row_count */
    size_t row_bytes;   /* group after group */
    size_t group_bytes; /* pad + width + pad + slack pixels */
    size_t pad;         /* zero pixels to either side */
    uint32_t width;
    uint32_t height;
    uint32_t made; /* rows made so far */
};

/* What a run is about. */
struct convnet_plan_of_rows {
    const struct convnet *net;
    const void *packed;
    const struct convnet_image *image;
    convnet_row_make *make;
    /* This ring keeps all of its rows, with at least so many zero pixels to either side; 0: none */
    uint32_t kept;
    uint32_t kept_pad;
};

struct convnet_rings {
    struct convnet_plan_of_rows plan;
    struct convnet_ring rings[CONVNET_LAYERS_MAX];
    const uint8_t *packed[CONVNET_LAYERS_MAX];
    /* [height][width] of what layer i makes: 1 = wanted. What is not is left as it was. NULL: all
     * is wanted. The layer's stride is 1, and the layers before it make what it depends on. */
    const uint8_t *wanted[CONVNET_LAYERS_MAX];
    size_t out_row_floats;
};

/* Of the rings, for images up to this size; the height only matters to the kept one. */
size_t convnet_rings_bytes(const struct convnet_plan_of_rows *plan, uint32_t height,
                           uint32_t width);
/* `space` is aligned; net, packed and image must stay. */
void convnet_rings_start(struct convnet_rings *self, const struct convnet_plan_of_rows *plan,
                         void *space);
/* Rows of ring `last` up to `until`, and of all rings before it what those need. */
void convnet_rings_fill(struct convnet_rings *self, uint32_t last, uint32_t until);
/* What the last layer makes of all rows. */
void convnet_rings_finish(struct convnet_rings *self, float *out);
/* Row y of the results of a layer with these packed numbers, from the rows of its input, which are
 * there. Where they go is the caller's to say. */
struct convnet_row convnet_rings_row(const struct convnet_layer *layer,
                                     const struct convnet_ring *in, const uint8_t *packed,
                                     uint32_t y);

convnet_row_make *convnet_make_of(enum convnet_path path);

#endif
