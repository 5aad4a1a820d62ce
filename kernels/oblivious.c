/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/oblivious_lanes.h"

/* Rows go through in blocks of 64: every feature's values of a block become 64 bytes, a level of a
 * tree is then one comparison of 64 bytes and a leaf index is a byte. Here are the checks, the
 * block's way in and out, and the loops in plain C; the wide ones are in oblivious_wide.c. */

enum { LANES = OBLIVIOUS_LANES };

size_t oblivious_split_count(const struct oblivious_model *model)
{
    return (size_t)model->tree_count * model->depth;
}

size_t oblivious_node_count(const struct oblivious_model *model)
{
    return (size_t)model->tree_count << (model->depth + 1);
}

static int counts_are_sound(const struct oblivious_model *model)
{
    int has_trees = model->tree_count > 0;
    return model->feature_count >= 1 && model->feature_count <= OBLIVIOUS_FEATURES_MAX &&
           model->tree_count <= OBLIVIOUS_TREES_MAX && model->depth <= OBLIVIOUS_DEPTH_MAX &&
           (model->depth >= 1) == has_trees;
}

static int borders_are_sound(const struct oblivious_model *model, size_t border_room)
{
    if (model->border_first[0] != 0) {
        return 0;
    }
    for (size_t j = 0; j < model->feature_count; j++) {
        uint32_t first = model->border_first[j];
        uint32_t end = model->border_first[j + 1];
        if (end < first || end - first > OBLIVIOUS_BORDERS_MAX || end > border_room) {
            return 0;
        }
        for (uint32_t k = first; k < end; k++) {
            if (!isfinite(model->borders[k]) ||
                (k > first && !(model->borders[k - 1] < model->borders[k]))) {
                return 0;
            }
        }
    }
    return 1;
}

static int splits_are_sound(const struct oblivious_model *model)
{
    size_t count = oblivious_split_count(model);
    for (size_t i = 0; i < count; i++) {
        uint32_t feature = model->split_features[i];
        if (feature >= model->feature_count) {
            return 0;
        }
        uint32_t borders = model->border_first[feature + 1] - model->border_first[feature];
        if (model->split_bins[i] < 1 || model->split_bins[i] > borders + 1) {
            return 0;
        }
    }
    return 1;
}

int64_t oblivious_reach(const int32_t *nodes, uint32_t depth)
{
    int64_t reach = llabs((int64_t)nodes[1]);
    for (uint32_t level = 1; level <= depth; level++) {
        int64_t most = 0;
        for (size_t i = (size_t)1 << level; i < (size_t)2 << level; i++) {
            int64_t change = llabs((int64_t)nodes[i] - nodes[i / 2]);
            most = change > most ? change : most;
        }
        reach += most;
    }
    return reach;
}

static int nodes_are_sound(const struct oblivious_model *model)
{
    int64_t reach = llabs((int64_t)model->bias);
    for (size_t tree = 0; tree < model->tree_count && reach <= OBLIVIOUS_SCORE_MAX; tree++) {
        const int32_t *nodes = oblivious_tree_at(model, tree).nodes;
        if (nodes[0] != 0) {
            return 0;
        }
        reach += oblivious_reach(nodes, model->depth);
    }
    return reach <= OBLIVIOUS_SCORE_MAX;
}

enum oblivious_fault oblivious_validate(const struct oblivious_model *model, size_t border_room)
{
    if (!counts_are_sound(model)) {
        return OBLIVIOUS_COUNTS;
    }
    if (!borders_are_sound(model, border_room)) {
        return OBLIVIOUS_BORDERS;
    }
    if (!splits_are_sound(model)) {
        return OBLIVIOUS_SPLITS;
    }
    return nodes_are_sound(model) ? OBLIVIOUS_SOUND : OBLIVIOUS_NODES;
}

int32_t oblivious_base(const struct oblivious_model *model)
{
    int32_t base = model->bias;
    for (size_t tree = 0; tree < model->tree_count; tree++) {
        base += oblivious_tree_at(model, tree).nodes[1];
    }
    return base;
}

enum oblivious_path oblivious_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        return OBLIVIOUS_AVX512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return OBLIVIOUS_AVX2;
    }
#endif
    return OBLIVIOUS_PORTABLE;
}

static void bin_portable(const float *values, const float *borders, size_t border_count,
                         uint8_t *bins)
{
    for (size_t i = 0; i < LANES; i++) {
        float value = values[i];
        size_t below = 0;
        for (size_t step = 128; step > 0; step /= 2) {
            if (below + step <= border_count && borders[below + step - 1] < value) {
                below += step;
            }
        }
        bins[i] = isnan(value) ? 0 : (uint8_t)(below + 1);
    }
}

static void find_leaves(const struct oblivious_tree *tree, uint32_t depth, const uint8_t *bins,
                        uint8_t *leaves)
{
    memset(leaves, 0, LANES);
    for (uint32_t level = 0; level < depth; level++) {
        const uint8_t *column = bins + (size_t)tree->features[level] * LANES;
        uint8_t bin = tree->bins[level];
        for (size_t i = 0; i < LANES; i++) {
            leaves[i] = (uint8_t)(leaves[i] * 2 + (column[i] >= bin));
        }
    }
}

static void add_portable(const struct oblivious_model *model, const uint8_t *bins, int32_t *scores)
{
    uint8_t leaves[LANES];
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        find_leaves(&tree, model->depth, bins, leaves);
        const int32_t *values = tree.nodes + ((size_t)1 << model->depth);
        for (size_t i = 0; i < LANES; i++) {
            scores[i] += values[leaves[i]];
        }
    }
}

static void explain_portable(const struct oblivious_model *model, const uint8_t *bins, size_t lanes,
                             int32_t *scores, int32_t *contributions)
{
    uint8_t leaves[LANES];
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        find_leaves(&tree, model->depth, bins, leaves);
        for (uint32_t level = 1; level <= model->depth; level++) {
            int32_t *column = contributions + (size_t)tree.features[level - 1] * LANES;
            for (size_t i = 0; i < lanes; i++) {
                size_t node = ((size_t)1 << level) + ((size_t)leaves[i] >> (model->depth - level));
                column[i] += tree.nodes[node] - tree.nodes[node / 2];
            }
        }
        for (size_t i = 0; i < lanes; i++) {
            scores[i] += tree.nodes[((size_t)1 << model->depth) + leaves[i]];
        }
    }
}

static const struct oblivious_lanes lanes_portable = {bin_portable, add_portable, explain_portable};

static const struct oblivious_lanes *lanes_of(enum oblivious_path path)
{
#if defined(__x86_64__)
    if (path == OBLIVIOUS_AVX512) {
        return &oblivious_lanes_avx512;
    }
    if (path == OBLIVIOUS_AVX2) {
        return &oblivious_lanes_avx2;
    }
#endif
    (void)path;
    return &lanes_portable;
}

void oblivious_add_by(enum oblivious_path path, const struct oblivious_model *model,
                      const uint8_t *bins, int32_t *scores)
{
    lanes_of(path)->add(model, bins, scores);
}

void oblivious_bin_by(enum oblivious_path path, const float *restrict values, size_t count,
                      const float *borders, size_t border_count, uint8_t *restrict bins)
{
    const struct oblivious_lanes *lanes = lanes_of(path);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes->bin(values + i, borders, border_count, bins + i);
    }
    if (i < count) {
        float last[LANES] = {0};
        uint8_t last_bins[LANES];
        memcpy(last, values + i, (count - i) * sizeof *last);
        lanes->bin(last, borders, border_count, last_bins);
        memcpy(bins + i, last_bins, count - i);
    }
}

/* The workspace of one block. */
struct block {
    int32_t *contributions; /* [feature_count x LANES] */
    int32_t *scores;        /* [LANES] */
    float *values;          /* [LANES] */
    uint8_t *bins;          /* [feature_count x LANES] */
};

size_t oblivious_workspace_bytes(const struct oblivious_model *model)
{
    return ((size_t)model->feature_count * (sizeof(int32_t) + 1) + sizeof(int32_t) +
            sizeof(float)) *
           LANES;
}

static struct block lay_out(const struct oblivious_model *model, void *workspace)
{
    struct block block = {.contributions = workspace};
    block.scores = block.contributions + (size_t)model->feature_count * LANES;
    block.values = (float *)(block.scores + LANES);
    block.bins = (uint8_t *)(block.values + LANES);
    return block;
}

/* Lanes beyond `count` keep what an earlier feature or a zero left there. */
static void bin_block(const struct oblivious_lanes *lanes, const struct oblivious_model *model,
                      const float *features, size_t stride, size_t count, struct block *block)
{
    memset(block->values, 0, LANES * sizeof *block->values);
    for (size_t j = 0; j < model->feature_count; j++) {
        for (size_t i = 0; i < count; i++) {
            block->values[i] = features[i * stride + j];
        }
        uint32_t first = model->border_first[j];
        lanes->bin(block->values, model->borders + first, model->border_first[j + 1] - first,
                   block->bins + j * LANES);
    }
}

void oblivious_score_by(enum oblivious_path path, const struct oblivious_model *model,
                        const struct oblivious_rows *rows, void *restrict workspace,
                        int32_t *restrict scores)
{
    const struct oblivious_lanes *lanes = lanes_of(path);
    struct block block = lay_out(model, workspace);
    for (size_t first = 0; first < rows->row_count; first += LANES) {
        size_t left = rows->row_count - first;
        size_t count = left < LANES ? left : LANES;
        bin_block(lanes, model, rows->features + first * rows->stride, rows->stride, count, &block);
        for (size_t i = 0; i < LANES; i++) {
            block.scores[i] = model->bias;
        }
        lanes->add(model, block.bins, block.scores);
        memcpy(scores + first, block.scores, count * sizeof *scores);
    }
}

void oblivious_score(const struct oblivious_model *model, const struct oblivious_rows *rows,
                     void *restrict workspace, int32_t *restrict scores)
{
    oblivious_score_by(oblivious_path_best(), model, rows, workspace, scores);
}

static void write_reasons(const struct oblivious_model *model, const struct block *block,
                          size_t first, size_t count, const struct oblivious_reasons *reasons)
{
    memcpy(reasons->scores + first, block->scores, count * sizeof *reasons->scores);
    for (size_t i = 0; i < count; i++) {
        int32_t *row = reasons->contributions + (first + i) * reasons->stride;
        for (size_t j = 0; j < model->feature_count; j++) {
            row[j] = block->contributions[j * LANES + i];
        }
    }
}

void oblivious_explain_by(enum oblivious_path path, const struct oblivious_model *model,
                          const struct oblivious_rows *rows, void *restrict workspace,
                          const struct oblivious_reasons *reasons)
{
    const struct oblivious_lanes *lanes = lanes_of(path);
    struct block block = lay_out(model, workspace);
    for (size_t first = 0; first < rows->row_count; first += LANES) {
        size_t left = rows->row_count - first;
        size_t count = left < LANES ? left : LANES;
        bin_block(lanes, model, rows->features + first * rows->stride, rows->stride, count, &block);
        for (size_t i = 0; i < LANES; i++) {
            block.scores[i] = model->bias;
        }
        memset(block.contributions, 0,
               (size_t)model->feature_count * LANES * sizeof *block.contributions);
        lanes->explain(model, block.bins, count, block.scores, block.contributions);
        write_reasons(model, &block, first, count, reasons);
    }
}

void oblivious_explain(const struct oblivious_model *model, const struct oblivious_rows *rows,
                       void *restrict workspace, const struct oblivious_reasons *reasons)
{
    oblivious_explain_by(oblivious_path_best(), model, rows, workspace, reasons);
}
