/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/oblivious_block_lanes.h"
#include "kernels/oblivious_lanes.h"

/* The plan, and the loops in plain C; the wide ones are in oblivious_block_wide.c. */

enum { LANES = OBLIVIOUS_LANES, ALIGNED = 64 };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
}

static uint32_t levels_for(uint32_t border_count)
{
    uint32_t levels = 0;
    while ((1U << levels) - 1 < border_count) {
        levels++;
    }
    return levels;
}

static size_t heap_size(uint32_t levels)
{
    return levels < 4 ? 16 : (size_t)1 << levels;
}

static uint32_t borders_of(const struct oblivious_model *model, size_t feature)
{
    return model->border_first[feature + 1] - model->border_first[feature];
}

static size_t search_size(const struct oblivious_model *model)
{
    size_t size = 0;
    for (size_t j = 0; j < model->feature_count; j++) {
        size += heap_size(levels_for(borders_of(model, j)));
    }
    return size;
}

static uint32_t stride_of(const struct oblivious_model *model)
{
    return model->depth == 0
               ? 0
               : oblivious_level_first(model->depth) + oblivious_level_size(model->depth);
}

/* Takes rounded-up pieces of the caller's memory; with memory NULL it only counts. */
struct pieces {
    unsigned char *memory;
    size_t used;
};

static void *take(struct pieces *pieces, size_t bytes)
{
    void *piece = pieces->memory == NULL ? NULL : pieces->memory + pieces->used;
    pieces->used += rounded(bytes);
    return piece;
}

static void lay_out(struct pieces *pieces, struct oblivious_plan *plan)
{
    const struct oblivious_model *model = &plan->model;
    size_t splits = oblivious_split_count(model);
    plan->search = take(pieces, search_size(model) * sizeof(float));
    plan->deltas = take(pieces, (size_t)model->tree_count * plan->tree_stride * sizeof(int32_t));
    plan->used = take(pieces, model->feature_count * sizeof *plan->used);
    plan->search_first = take(pieces, model->feature_count * sizeof *plan->search_first);
    plan->search_levels = take(pieces, model->feature_count);
    plan->ask_first =
        take(pieces, ((size_t)plan->group_count * model->depth + 1) * sizeof *plan->ask_first);
    plan->ask_trees = take(pieces, splits * sizeof *plan->ask_trees);
}

size_t oblivious_plan_bytes(const struct oblivious_model *model, uint32_t group_count)
{
    struct oblivious_plan plan = {
        .model = *model, .group_count = group_count, .tree_stride = stride_of(model)};
    struct pieces pieces = {NULL, 0};
    lay_out(&pieces, &plan);
    return pieces.used + ALIGNED;
}

/* In the order of a heap: node i has its smaller half under 2i. What is beyond is never below
 * anything. */
static size_t fill_heap(float *heap, size_t node, size_t nodes, const float *borders,
                        size_t border_count, size_t next)
{
    if (node >= nodes) {
        return next;
    }
    next = fill_heap(heap, 2 * node, nodes, borders, border_count, next);
    heap[node] = next < border_count ? borders[next] : INFINITY;
    return fill_heap(heap, 2 * node + 1, nodes, borders, border_count, next + 1);
}

static void plan_search(struct oblivious_plan *plan)
{
    const struct oblivious_model *model = &plan->model;
    uint32_t first = 0;
    size_t splits = oblivious_split_count(model);
    for (size_t j = 0; j < model->feature_count; j++) {
        int asked = 0;
        for (size_t i = 0; i < splits && !asked; i++) {
            asked = model->split_features[i] == j;
        }
        if (!asked) {
            continue;
        }
        uint32_t levels = levels_for(borders_of(model, j));
        for (size_t i = 0; i < heap_size(levels); i++) {
            plan->search[first + i] = INFINITY;
        }
        (void)fill_heap(plan->search + first, 1, (size_t)1 << levels,
                        model->borders + model->border_first[j], borders_of(model, j), 0);
        plan->used[plan->used_count] = (uint16_t)j;
        plan->search_first[plan->used_count] = first;
        plan->search_levels[plan->used_count] = (uint8_t)levels;
        plan->used_count++;
        first += (uint32_t)heap_size(levels);
    }
}

/* The node of a level that a leaf's low bits say: answers come in the order of the bits there, from
 * the highest down in the model. */
static size_t node_of(uint32_t level, size_t low_bits)
{
    size_t node = 1;
    for (uint32_t i = 0; i < level; i++) {
        node = 2 * node + (low_bits >> i & 1);
    }
    return node;
}

/* Whether a tree asks about the same group again below a level (from 1). Then all that the group
 * changes is told there: the answers up to there are among those up to here. */
static int is_asked_again(const struct oblivious_tree *tree, uint32_t depth,
                          const uint16_t *group_of, uint32_t level)
{
    for (uint32_t later = level; later < depth; later++) {
        if (group_of[tree->features[later]] == group_of[tree->features[level - 1]]) {
            return 1;
        }
    }
    return 0;
}

/* What the splits up to a level that ask about its group have changed together. */
static int32_t change_of_group(const struct oblivious_tree *tree, const uint16_t *group_of,
                               uint32_t level, size_t low_bits)
{
    int32_t change = 0;
    for (uint32_t upto = 1; upto <= level; upto++) {
        if (group_of[tree->features[upto - 1]] == group_of[tree->features[level - 1]]) {
            size_t node = node_of(upto, low_bits & (((size_t)1 << upto) - 1));
            change += tree->nodes[node] - tree->nodes[node / 2];
        }
    }
    return change;
}

static void plan_deltas(const uint16_t *group_of, struct oblivious_plan *plan)
{
    const struct oblivious_model *model = &plan->model;
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        for (uint32_t level = 1; level <= model->depth; level++) {
            int32_t *table = plan->deltas + t * plan->tree_stride + oblivious_level_first(level);
            for (size_t i = 0; i < oblivious_level_size(level); i++) {
                table[i] = change_of_group(&tree, group_of, level, i);
            }
        }
    }
}

static void plan_asks(const uint16_t *group_of, struct oblivious_plan *plan)
{
    const struct oblivious_model *model = &plan->model;
    uint32_t count = 0;
    for (size_t at = 0; at < (size_t)plan->group_count * model->depth; at++) {
        uint32_t level = (uint32_t)(at % model->depth) + 1;
        plan->ask_first[at] = count;
        for (size_t t = 0; t < model->tree_count; t++) {
            struct oblivious_tree tree = oblivious_tree_at(model, t);
            if (group_of[tree.features[level - 1]] == at / model->depth &&
                !is_asked_again(&tree, model->depth, group_of, level)) {
                plan->ask_trees[count++] = (uint16_t)t;
            }
        }
    }
    plan->ask_first[(size_t)plan->group_count * model->depth] = count;
}

void oblivious_plan_make(const struct oblivious_model *model, const uint16_t *group_of,
                         uint32_t group_count, void *memory, struct oblivious_plan *out)
{
    *out = (struct oblivious_plan){.model = *model,
                                   .group_count = group_count,
                                   .tree_stride = stride_of(model),
                                   .base = oblivious_base(model)};
    struct pieces pieces = {memory, 0};
    lay_out(&pieces, out);
    plan_search(out);
    plan_deltas(group_of, out);
    plan_asks(group_of, out);
}

static void bin_by_lanes(enum oblivious_path path, const struct oblivious_plan *plan,
                         const float *columns, uint8_t *bins)
{
    const struct oblivious_model *model = &plan->model;
    for (size_t u = 0; u < plan->used_count; u++) {
        size_t j = plan->used[u];
        oblivious_bin_by(path, columns + j * LANES, LANES, model->borders + model->border_first[j],
                         borders_of(model, j), bins + j * LANES);
    }
}

static void leaves_portable(const struct oblivious_model *model, const uint8_t *bins,
                            uint8_t *leaves)
{
    memset(leaves, 0, (size_t)model->tree_count * LANES);
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        for (uint32_t level = 0; level < model->depth; level++) {
            const uint8_t *column = bins + (size_t)tree.features[level] * LANES;
            for (size_t i = 0; i < LANES; i++) {
                leaves[t * LANES + i] |= (uint8_t)((column[i] >= tree.bins[level]) << level);
            }
        }
    }
}

static void explain_portable(const struct oblivious_plan *plan, const uint8_t *leaves,
                             int32_t *contributions)
{
    uint32_t depth = plan->model.depth;
    memset(contributions, 0, (size_t)plan->group_count * LANES * sizeof *contributions);
    for (size_t at = 0; at < (size_t)plan->group_count * depth; at++) {
        int32_t *sums = contributions + at / depth * LANES;
        uint32_t level = (uint32_t)(at % depth) + 1;
        uint8_t low_bits = (uint8_t)(oblivious_level_size(level) - 1);
        for (uint32_t ask = plan->ask_first[at]; ask < plan->ask_first[at + 1]; ask++) {
            size_t tree = plan->ask_trees[ask];
            const int32_t *table =
                plan->deltas + tree * plan->tree_stride + oblivious_level_first(level);
            for (size_t i = 0; i < LANES; i++) {
                sums[i] += table[leaves[tree * LANES + i] & low_bits];
            }
        }
    }
}

static void bin_portable(const struct oblivious_plan *plan, const float *columns, uint8_t *bins)
{
    bin_by_lanes(OBLIVIOUS_PORTABLE, plan, columns, bins);
}

static const struct oblivious_block_lanes lanes_portable = {bin_portable, leaves_portable,
                                                            explain_portable};

static const struct oblivious_block_lanes *lanes_of(enum oblivious_path path)
{
#if defined(__x86_64__)
    if (path == OBLIVIOUS_AVX512) {
        return &oblivious_block_avx512;
    }
    if (path == OBLIVIOUS_AVX2) {
        return &oblivious_block_avx2;
    }
#endif
    (void)path;
    return &lanes_portable;
}

size_t oblivious_block_bytes(const struct oblivious_model *model)
{
    return ((size_t)model->feature_count + model->tree_count + 1) * LANES;
}

void oblivious_block_explain_by(enum oblivious_path path, const struct oblivious_plan *plan,
                                const float *columns, void *restrict workspace,
                                int32_t *restrict scores, int32_t *restrict contributions)
{
    const struct oblivious_block_lanes *lanes = lanes_of(path);
    uint8_t *bins = workspace;
    uint8_t *leaves = bins + (size_t)plan->model.feature_count * LANES;
    lanes->bin(plan, columns, bins);
    lanes->leaves(&plan->model, bins, leaves);
    lanes->explain(plan, leaves, contributions);
    for (size_t i = 0; i < LANES; i++) {
        scores[i] = plan->base;
    }
    for (size_t group = 0; group < plan->group_count; group++) {
        const int32_t *sums = contributions + group * LANES;
        for (size_t i = 0; i < LANES; i++) {
            scores[i] += sums[i];
        }
    }
}

void oblivious_block_explain(const struct oblivious_plan *plan, const float *columns,
                             void *restrict workspace, int32_t *restrict scores,
                             int32_t *restrict contributions)
{
    oblivious_block_explain_by(oblivious_path_best(), plan, columns, workspace, scores,
                               contributions);
}

void oblivious_block_score_by(enum oblivious_path path, const struct oblivious_plan *plan,
                              const float *columns, void *restrict workspace,
                              int32_t *restrict scores)
{
    uint8_t *bins = workspace;
    lanes_of(path)->bin(plan, columns, bins);
    for (size_t i = 0; i < LANES; i++) {
        scores[i] = plan->model.bias;
    }
    oblivious_add_by(path, &plan->model, bins, scores);
}

void oblivious_block_score(const struct oblivious_plan *plan, const float *columns,
                           void *restrict workspace, int32_t *restrict scores)
{
    oblivious_block_score_by(oblivious_path_best(), plan, columns, workspace, scores);
}

/* Into a sorted list: what a heavier one pushes out goes on down. */
static void heaviest_portable(const int32_t *contributions, uint32_t group_count, uint32_t count,
                              int32_t *parts, int32_t *groups)
{
    memset(parts, 0, (size_t)count * LANES * sizeof *parts);
    memset(groups, 0, (size_t)count * LANES * sizeof *groups);
    for (size_t i = 0; i < LANES; i++) {
        for (uint32_t group = 0; group < group_count; group++) {
            int32_t part = contributions[(size_t)group * LANES + i];
            int32_t of = (int32_t)group;
            int pushed = 0;
            for (size_t k = 0; k < count; k++) {
                int32_t *best = &parts[k * LANES + i];
                pushed = pushed || abs(part) > abs(*best);
                if (pushed) {
                    int32_t out = *best;
                    int32_t out_of = groups[k * LANES + i];
                    *best = part;
                    groups[k * LANES + i] = of;
                    part = out;
                    of = out_of;
                }
            }
        }
    }
}

void oblivious_block_heaviest_by(enum oblivious_path path, const int32_t *contributions,
                                 uint32_t group_count, uint32_t count, int32_t *restrict parts,
                                 int32_t *restrict groups)
{
#if defined(__x86_64__)
    if (path == OBLIVIOUS_AVX512) {
        oblivious_heaviest_avx512(contributions, group_count, count, parts, groups);
        return;
    }
#endif
    (void)path;
    heaviest_portable(contributions, group_count, count, parts, groups);
}

void oblivious_block_heaviest(const int32_t *contributions, uint32_t group_count, uint32_t count,
                              int32_t *restrict parts, int32_t *restrict groups)
{
    oblivious_block_heaviest_by(oblivious_path_best(), contributions, group_count, count, parts,
                                groups);
}
