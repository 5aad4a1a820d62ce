/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet_gated.h"

#include <string.h>

#include "kernels/convnet_rings.h"

/* The workspace begins with this; then the rings, then the masks. */
struct glance {
    struct convnet_rings rings;
    const struct convnet_layer *gate;
    uint32_t depth;
    uint32_t height; /* of the results */
    uint32_t width;
    uint8_t *masks; /* of each layer from `depth` to the last but one, then a row */
};

int convnet_gate_fits(const struct convnet *net, const struct convnet_gate *gate)
{
    if (gate->depth < 1 || gate->depth >= net->layer_count || gate->net.layer_count != 1) {
        return 0;
    }
    for (uint32_t i = gate->depth; i < net->layer_count; i++) {
        if (net->layers[i].stride != 1) {
            return 0;
        }
    }
    const struct convnet_layer *layer = &gate->net.layers[0];
    return layer->in == net->layers[gate->depth].in && layer->out == 1 && layer->stride == 1;
}

static struct convnet_plan_of_rows plan_of(const struct convnet *net,
                                           const struct convnet_gate *gate)
{
    return (struct convnet_plan_of_rows){
        .net = net, .kept = gate->depth, .kept_pad = convnet_reach(&gate->net.layers[0])};
}

static size_t masks_bytes(const struct convnet *net, uint32_t depth, uint32_t height,
                          uint32_t width)
{
    size_t masks = net->layer_count - 1 - depth;
    return convnet_aligned(masks * height * width + width);
}

size_t convnet_gated_bytes(const struct convnet *net, const struct convnet_gate *gate,
                           uint32_t height, uint32_t width)
{
    const struct convnet_plan_of_rows plan = plan_of(net, gate);
    uint32_t out_height, out_width;
    convnet_output_size(net, height, width, &out_height, &out_width);
    return convnet_aligned(sizeof(struct glance)) + convnet_rings_bytes(&plan, height, width) +
           masks_bytes(net, gate->depth, out_height, out_width);
}

void convnet_glance(enum convnet_path path, const struct convnet *net, const void *packed,
                    const struct convnet_gate *gate, const struct convnet_image *image,
                    void *workspace, float *restrict promise)
{
    struct glance *self = workspace;
    uint8_t *space = (uint8_t *)workspace + convnet_aligned(sizeof *self);
    struct convnet_plan_of_rows plan = plan_of(net, gate);
    plan.packed = packed;
    plan.image = image;
    plan.make = convnet_make_of(path);
    convnet_rings_start(&self->rings, &plan, space);
    const struct convnet_ring *kept = &self->rings.rings[gate->depth];
    self->gate = &gate->net.layers[0];
    self->depth = gate->depth;
    self->height = kept->height;
    self->width = kept->width;
    self->masks = space + convnet_rings_bytes(&plan, image->height, image->width);
    convnet_rings_fill(&self->rings, gate->depth, self->height - 1);
    for (uint32_t y = 0; y < self->height; y++) {
        struct convnet_row row = convnet_rings_row(&gate->net.layers[0], kept, gate->packed, y);
        row.floats = promise + (size_t)y * self->width;
        plan.make(&row);
    }
}

static void join_rows(const uint8_t *restrict from, uint32_t width, uint8_t *restrict to)
{
    for (uint32_t x = 0; x < width; x++) {
        to[x] |= from[x];
    }
}

/* Ones within so many pixels of a one, both ways. `row` has room for one. */
static void grow(const struct glance *self, const uint8_t *from, uint32_t reach, uint8_t *row,
                 uint8_t *to)
{
    const uint32_t width = self->width;
    memset(to, 0, (size_t)self->height * width);
    for (uint32_t y = 0; y < self->height; y++) {
        const uint8_t *ones = from + (size_t)y * width;
        if (memchr(ones, 1, width) == NULL) {
            continue;
        }
        memcpy(row, ones, width);
        for (uint32_t shift = 1; shift <= reach && shift < width; shift++) {
            join_rows(ones, width - shift, row + shift);
            join_rows(ones + shift, width - shift, row);
        }
        uint32_t first = y > reach ? y - reach : 0;
        for (uint32_t near = first; near <= y + reach && near < self->height; near++) {
            join_rows(row, width, to + (size_t)near * width);
        }
    }
}

void convnet_look(void *workspace, const uint8_t *restrict wanted, float *restrict out)
{
    struct glance *self = workspace;
    const struct convnet *net = self->rings.plan.net;
    const size_t cells = (size_t)self->height * self->width;
    uint8_t *row = self->masks + (net->layer_count - 1 - self->depth) * cells;
    uint32_t layer = net->layer_count - 1;
    self->rings.wanted[layer] = wanted;
    for (; layer > self->depth; layer--) {
        uint8_t *mask = self->masks + (layer - 1 - self->depth) * cells;
        grow(self, self->rings.wanted[layer], convnet_reach(&net->layers[layer]), row, mask);
        self->rings.wanted[layer - 1] = mask;
    }
    convnet_rings_finish(&self->rings, out);
}

double convnet_gated_products(const void *workspace)
{
    const struct glance *self = workspace;
    const struct convnet *net = self->rings.plan.net;
    const size_t cells = (size_t)self->height * self->width;
    double products = (double)cells * (double)convnet_weight_count(self->gate);
    for (uint32_t i = 0; i < net->layer_count; i++) {
        size_t results = 0;
        if (i < self->depth) { /* the ring behind it has its results */
            results = (size_t)self->rings.rings[i + 1].height * self->rings.rings[i + 1].width;
        }
        for (size_t k = 0; i >= self->depth && k < cells; k++) {
            results += self->rings.wanted[i][k];
        }
        products += (double)results * (double)convnet_weight_count(&net->layers[i]);
    }
    return products;
}
