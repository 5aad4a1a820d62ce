/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet_rings.h"

#include <stdbool.h>
#include <string.h>

static size_t ring_bytes(const struct convnet_ring *ring)
{
    return (ring->row_count + 1) * ring->row_bytes;
}

static struct convnet_ring shape_ring(const struct convnet_plan_of_rows *plan, uint32_t at,
                                      uint32_t height, uint32_t width)
{
    const struct convnet_layer *layer = &plan->net->layers[at];
    struct convnet_ring ring = {
        .row_count = 2 * (size_t)convnet_reach(layer) + 1,
        .pad = convnet_reach(layer),
        .width = width,
        .height = height,
    };
    if (plan->kept != 0 && at == plan->kept) {
        ring.row_count = height;
        ring.pad = ring.pad > plan->kept_pad ? ring.pad : plan->kept_pad;
    }
    ring.group_bytes = convnet_aligned((2 * ring.pad + width + CONVNET_ROW_SLACK) * CONVNET_QUAD);
    ring.row_bytes = layer->in / CONVNET_QUAD * ring.group_bytes;
    return ring;
}

size_t convnet_rings_bytes(const struct convnet_plan_of_rows *plan, uint32_t height, uint32_t width)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < plan->net->layer_count; i++) {
        struct convnet_ring ring = shape_ring(plan, i, height, width);
        bytes += ring_bytes(&ring);
        height = convnet_strided(height, plan->net->layers[i].stride);
        width = convnet_strided(width, plan->net->layers[i].stride);
    }
    return bytes;
}

/* A row of the image into groups. */
static void take_image_row(const struct convnet_rings *self, const struct convnet_ring *ring,
                           uint8_t *row)
{
    size_t channels = self->plan.net->layers[0].in;
    const uint8_t *pixels = self->plan.image->pixels + (size_t)ring->made * ring->width * channels;
    for (size_t group = 0; group < channels / CONVNET_QUAD; group++) {
        uint8_t *to = row + group * ring->group_bytes + ring->pad * CONVNET_QUAD;
        if (channels == CONVNET_QUAD) {
            memcpy(to, pixels, (size_t)ring->width * CONVNET_QUAD);
            continue;
        }
        for (size_t x = 0; x < ring->width; x++) {
            memcpy(to + x * CONVNET_QUAD, pixels + x * channels + group * CONVNET_QUAD,
                   CONVNET_QUAD);
        }
    }
}

struct convnet_row convnet_rings_row(const struct convnet_layer *layer,
                                     const struct convnet_ring *in, const uint8_t *packed,
                                     uint32_t y)
{
    const uint8_t *numbers = packed + convnet_packed_weights(layer);
    struct convnet_row row = {
        .stride = layer->stride,
        .width = convnet_strided(in->width, layer->stride),
        .quad_count = convnet_quads(layer->out),
        .weights = (const int8_t *)packed,
        .bias = (const void *)numbers,
        .scale = (const void *)(numbers + convnet_packed_numbers(layer)),
        .out_count = layer->out,
    };
    for (uint32_t tap = 0; tap < layer->side * layer->side; tap++) {
        int64_t i = (int64_t)(tap / layer->side) - layer->side / 2;
        int64_t j = (int64_t)(tap % layer->side) - layer->side / 2;
        int64_t from = (int64_t)y * layer->stride + i * layer->dilation;
        size_t place =
            from < 0 || from >= in->height ? in->row_count : (size_t)from % in->row_count;
        size_t left = (size_t)((int64_t)in->pad + j * layer->dilation);
        const uint8_t *pixels = in->rows + place * in->row_bytes + left * CONVNET_QUAD;
        for (size_t group = 0; group < layer->in / CONVNET_QUAD; group++) {
            row.words[row.word_count++] = pixels + group * in->group_bytes;
        }
    }
    return row;
}

/* From here on the row begins `by` results further right; its stride is 1. */
static void shift_row(struct convnet_row *row, size_t by)
{
    for (size_t i = 0; i < row->word_count; i++) {
        row->words[i] += by * CONVNET_QUAD;
    }
    if (row->floats != NULL) {
        row->floats += by * row->out_count;
    } else {
        row->bytes += by * CONVNET_QUAD;
    }
}

/* From left to right: a path may write beyond a span's end, where the next one may be wanted. Uses
 * up the row. */
static void make_wanted(const struct convnet_rings *self, const uint8_t *wanted,
                        struct convnet_row *row)
{
    const uint8_t *const end = wanted + row->width;
    const uint8_t *at = wanted; /* where the row begins now */
    const uint8_t *first = memchr(at, 1, row->width);
    while (first != NULL) {
        const uint8_t *after = memchr(first, 0, (size_t)(end - first));
        after = after != NULL ? after : end;
        shift_row(row, (size_t)(first - at));
        at = first;
        row->width = (size_t)(after - first);
        self->plan.make(row);
        first = memchr(after, 1, (size_t)(end - after));
    }
}

/* Whether nothing of row y of what a layer makes is wanted. */
static bool row_is_idle(const struct convnet_rings *self, uint32_t layer, uint32_t y,
                        uint32_t width)
{
    const uint8_t *wanted = self->wanted[layer];
    return wanted != NULL && memchr(wanted + (size_t)y * width, 1, width) == NULL;
}

static void make_row(const struct convnet_rings *self, uint32_t layer, uint32_t y,
                     struct convnet_row *row)
{
    if (self->wanted[layer] != NULL) {
        make_wanted(self, self->wanted[layer] + y * row->width, row);
    } else {
        self->plan.make(row);
    }
}

/* A path may have written beyond the last pixel: there the next layer must find zeros. */
static void clear_right(const struct convnet_ring *ring, size_t groups, uint8_t *row)
{
    for (size_t group = 0; group < groups; group++) {
        memset(row + group * ring->group_bytes + (ring->pad + ring->width) * CONVNET_QUAD, 0,
               ring->pad * CONVNET_QUAD);
    }
}

/* The last input row that row y of the layer looks at. */
static uint32_t last_needed(const struct convnet_layer *layer, const struct convnet_ring *in,
                            uint32_t y)
{
    size_t last = (size_t)y * layer->stride + convnet_reach(layer);
    return last < in->height ? (uint32_t)last : in->height - 1;
}

/* Makes the next row of ring `at`: of the image (0), or by the layer before it. Its own input is
 * there. */
static void make_ring_row(struct convnet_rings *self, uint32_t at)
{
    struct convnet_ring *ring = &self->rings[at];
    uint8_t *to = ring->rows + ring->made % ring->row_count * ring->row_bytes;
    if (at == 0) {
        take_image_row(self, ring, to);
    } else if (!row_is_idle(self, at - 1, ring->made, ring->width)) {
        struct convnet_row row =
            convnet_rings_row(&self->plan.net->layers[at - 1], &self->rings[at - 1],
                              self->packed[at - 1], ring->made);
        row.bytes = to + ring->pad * CONVNET_QUAD;
        row.quad_bytes = ring->group_bytes;
        make_row(self, at - 1, ring->made, &row);
        clear_right(ring, row.quad_count, to);
    }
    ring->made++;
}

/* Goes down to the first ring that lacks a row, makes one, and comes up again: a recursion without
 * the calls. */
void convnet_rings_fill(struct convnet_rings *self, uint32_t last, uint32_t until)
{
    uint32_t wanted[CONVNET_LAYERS_MAX];
    uint32_t at = last;
    wanted[last] = until;
    for (;;) {
        struct convnet_ring *ring = &self->rings[at];
        if (ring->made > wanted[at]) {
            if (at == last) {
                return;
            }
            at++;
            continue;
        }
        if (at > 0) {
            uint32_t need =
                last_needed(&self->plan.net->layers[at - 1], &self->rings[at - 1], ring->made);
            if (self->rings[at - 1].made <= need) {
                wanted[at - 1] = need;
                at--;
                continue;
            }
        }
        make_ring_row(self, at);
    }
}

/* Pads, the row of zeros, and what is read beyond a row and never used. Of the ring that keeps its
 * rows all pixels are made, and it may be larger than the cache: they are left as they are. */
static void clear_ring(const struct convnet_ring *ring, size_t groups, bool kept)
{
    if (!kept) {
        memset(ring->rows, 0, ring_bytes(ring));
        return;
    }
    const size_t right = (ring->pad + ring->width) * CONVNET_QUAD;
    for (size_t i = 0; i < ring->row_count * groups; i++) {
        uint8_t *group = ring->rows + i / groups * ring->row_bytes + i % groups * ring->group_bytes;
        memset(group, 0, ring->pad * CONVNET_QUAD);
        memset(group + right, 0, ring->group_bytes - right);
    }
    memset(ring->rows + ring->row_count * ring->row_bytes, 0, ring->row_bytes);
}

void convnet_rings_start(struct convnet_rings *self, const struct convnet_plan_of_rows *plan,
                         void *space)
{
    uint8_t *at = space;
    const uint8_t *numbers = plan->packed;
    uint32_t height = plan->image->height;
    uint32_t width = plan->image->width;
    self->plan = *plan;
    for (uint32_t i = 0; i < plan->net->layer_count; i++) {
        const struct convnet_layer *layer = &plan->net->layers[i];
        self->rings[i] = shape_ring(plan, i, height, width);
        self->rings[i].rows = at;
        self->wanted[i] = NULL;
        clear_ring(&self->rings[i], layer->in / CONVNET_QUAD, plan->kept != 0 && i == plan->kept);
        at += ring_bytes(&self->rings[i]);
        self->packed[i] = numbers;
        numbers += convnet_packed_layer(layer);
        height = convnet_strided(height, layer->stride);
        width = convnet_strided(width, layer->stride);
    }
    self->out_row_floats = (size_t)width * plan->net->layers[plan->net->layer_count - 1].out;
}

void convnet_rings_finish(struct convnet_rings *self, float *out)
{
    uint32_t last = self->plan.net->layer_count - 1;
    const struct convnet_layer *layer = &self->plan.net->layers[last];
    uint32_t height = convnet_strided(self->rings[last].height, layer->stride);
    uint32_t width = convnet_strided(self->rings[last].width, layer->stride);
    for (uint32_t y = 0; y < height; y++) {
        if (row_is_idle(self, last, y, width)) {
            continue;
        }
        convnet_rings_fill(self, last, last_needed(layer, &self->rings[last], y));
        struct convnet_row row =
            convnet_rings_row(layer, &self->rings[last], self->packed[last], y);
        row.floats = out + (size_t)y * self->out_row_floats;
        make_row(self, last, y, &row);
    }
}
