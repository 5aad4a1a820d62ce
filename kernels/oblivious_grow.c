/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_grow.h"

#include <string.h>

/* A level adds the rows of the smaller half of every divided leaf into a histogram of each feature;
 * the larger half is the parent's less that. Then one pass finds, for each feature, the bin whose
 * split of all leaves at once gains most. Features are independent, so they are the team's parts,
 * and no sum crosses from one to another. */

void oblivious_run(const struct oblivious_team *team, void (*work)(void *argument, size_t part),
                   void *argument, size_t part_count)
{
    if (team != NULL) {
        team->run(team->self, work, argument, part_count);
        return;
    }
    for (size_t part = 0; part < part_count; part++) {
        work(argument, part);
    }
}

/* Two histograms take turns: neighbouring rows in one bin need not wait for each other. */
static void fill_histogram(const struct oblivious_grower *self, const struct oblivious_leaf *leaf,
                           const struct oblivious_column *column, int64_t *histogram)
{
    int64_t even[BINS_MAX];
    int64_t odd[BINS_MAX];
    memset(even, 0, column->bin_count * sizeof *even);
    memset(odd, 0, column->bin_count * sizeof *odd);
    const uint8_t *bins = column->bins;
    const uint32_t *order = self->order + leaf->begin;
    const int64_t *packed = self->packed + leaf->begin;
    size_t i = 0;
    for (; i + 2 <= leaf->count; i += 2) {
        even[bins[order[i]]] += packed[i];
        odd[bins[order[i + 1]]] += packed[i + 1];
    }
    if (i < leaf->count) {
        even[bins[order[i]]] += packed[i];
    }
    for (size_t k = 0; k < column->bin_count; k++) {
        histogram[k] = even[k] + odd[k];
    }
}

/* The halves of leaf `low` are low and low + half; low's histogram is still the parent's. */
static void divide_histogram(const struct oblivious_grower *self,
                             const struct oblivious_column *column, uint32_t low, uint32_t half)
{
    const struct oblivious_leaf *no = &self->leaves[low];
    const struct oblivious_leaf *yes = &self->leaves[low + half];
    int64_t *parent = column->histograms + (size_t)low * column->bin_count;
    int64_t *fresh = column->histograms + (size_t)(low + half) * column->bin_count;
    int no_is_small = no->count < yes->count;
    fill_histogram(self, no_is_small ? no : yes, column, fresh);
    for (size_t k = 0; k < column->bin_count; k++) {
        int64_t large = parent[k] - fresh[k];
        parent[k] = no_is_small ? fresh[k] : large;
        fresh[k] = no_is_small ? large : fresh[k];
    }
}

/* What a leaf's gains are computed from; sums below each bin. */
struct gain_rule {
    double gradient_unit, hessian_unit;
    double gradient, hessian; /* of the whole leaf */
    double l2, hessian_min;
    int rising;
    size_t bin_count;
};

static inline __attribute__((always_inline)) void add_gains_plain(const struct gain_rule *rule,
                                                                  const int32_t *restrict gradients,
                                                                  const int32_t *restrict hessians,
                                                                  double *restrict gains)
{
    double l2 = rule->l2;
    double whole = rule->gradient * rule->gradient / (rule->hessian + l2);
    double any_order = rule->rising ? 0 : 1;
    for (size_t k = 1; k < rule->bin_count; k++) {
        double g = (double)gradients[k] * rule->gradient_unit;
        double h = (double)hessians[k] * rule->hessian_unit;
        double other_g = rule->gradient - g;
        double other_h = rule->hessian - h;
        double no = g / (h + l2);
        double yes = other_g / (other_h + l2);
        double least = h < other_h ? h : other_h;
        double rise = any_order > 0 ? 1 : yes - no;
        double gain = g * no + other_g * yes;
        gain = least >= rule->hessian_min ? gain : whole;
        gain = rise >= 0 ? gain : whole;
        gains[k] += gain;
    }
}

#if defined(__x86_64__)
/* The same operations in the same order, four at a time, without fused multiply-add. */
__attribute__((target("avx2"))) static void add_gains_avx2(const struct gain_rule *rule,
                                                           const int32_t *gradients,
                                                           const int32_t *hessians, double *gains)
{
    add_gains_plain(rule, gradients, hessians, gains);
}
#endif

static void add_gains(const struct gain_rule *rule, const int32_t *gradients,
                      const int32_t *hessians, double *gains)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_gains_avx2(rule, gradients, hessians, gains);
        return;
    }
#endif
    add_gains_plain(rule, gradients, hessians, gains);
}

/* Splitting leaf number `leaf` at every bin of the column, on top of the gains of other leaves. */
static void add_leaf(const struct oblivious_grower *self, const struct oblivious_column *column,
                     uint32_t leaf, double *gains)
{
    int32_t gradients[BINS_MAX];
    int32_t hessians[BINS_MAX];
    const int64_t *histogram = column->histograms + (size_t)leaf * column->bin_count;
    int64_t sum = 0;
    for (size_t k = 0; k < column->bin_count; k++) {
        gradients[k] = oblivious_packed_gradient(sum);
        hessians[k] = oblivious_packed_hessian(sum);
        sum += histogram[k];
    }
    struct gain_rule rule = {.gradient_unit = self->gradient_unit,
                             .hessian_unit = self->hessian_unit,
                             .gradient = oblivious_packed_gradient(sum) * self->gradient_unit,
                             .hessian = oblivious_packed_hessian(sum) * self->hessian_unit,
                             .l2 = self->options->l2,
                             .hessian_min = self->options->hessian_min,
                             .rising = column->rising,
                             .bin_count = column->bin_count};
    add_gains(&rule, gradients, hessians, gains);
}

/* The work of one feature at one level. */
static void scan_column(void *argument, size_t part)
{
    struct oblivious_grower *self = argument;
    struct oblivious_column *column = &self->columns[part];
    column->best_gain = -1;
    if (!column->chosen) {
        return;
    }
    uint32_t leaf_count = 1U << self->level;
    if (self->level == 0) {
        fill_histogram(self, &self->leaves[0], column, column->histograms);
    }
    for (uint32_t low = 0; low < leaf_count / 2; low++) {
        divide_histogram(self, column, low, leaf_count / 2);
    }
    double gains[BINS_MAX] = {0};
    for (uint32_t leaf = 0; leaf < leaf_count; leaf++) {
        if (self->leaves[leaf].count > 0) {
            add_leaf(self, column, leaf, gains);
        }
    }
    for (size_t k = 1; k < column->bin_count; k++) {
        if (gains[k] > column->best_gain) {
            column->best_gain = gains[k];
            column->best_bin = (uint8_t)k;
        }
    }
}

/* What the leaves are worth undivided. */
static double undivided_gain(const struct oblivious_grower *self)
{
    double gain = 0;
    for (uint32_t leaf = 0; leaf < 1U << self->level; leaf++) {
        double g = oblivious_packed_gradient(self->leaves[leaf].sum) * self->gradient_unit;
        double h = oblivious_packed_hessian(self->leaves[leaf].sum) * self->hessian_unit;
        gain += g * g / (h + self->options->l2);
    }
    return gain;
}

/* Rows of a leaf keep their order on either side. */
static void divide_leaf(struct oblivious_grower *self, const struct oblivious_column *column,
                        uint8_t bin, uint32_t leaf)
{
    struct oblivious_leaf *no = &self->leaves[leaf];
    struct oblivious_leaf *yes = &self->leaves[leaf + (1U << self->level)];
    uint32_t *order = self->order + no->begin;
    int64_t *packed = self->packed + no->begin;
    uint32_t *other_order = self->order + self->row_count;
    int64_t *other_packed = self->packed + self->row_count;
    size_t kept = 0;
    size_t moved = 0;
    int64_t moved_sum = 0;
    for (size_t i = 0; i < no->count; i++) {
        uint32_t row = order[i];
        int64_t value = packed[i];
        int answer = column->bins[row] >= bin;
        order[kept] = row;
        packed[kept] = value;
        other_order[moved] = row;
        other_packed[moved] = value;
        kept += (size_t)!answer;
        moved += (size_t)answer;
        moved_sum += answer ? value : 0;
    }
    memcpy(order + kept, other_order, moved * sizeof *order);
    memcpy(packed + kept, other_packed, moved * sizeof *packed);
    *yes = (struct oblivious_leaf){no->begin + (uint32_t)kept, (uint32_t)moved, moved_sum};
    no->count = (uint32_t)kept;
    no->sum -= moved_sum;
}

/* The best column of the level, of equal ones the first; column_count when none gains. */
static uint32_t choose_column(const struct oblivious_grower *self)
{
    double best = undivided_gain(self);
    best += 1e-9 * (1 + best);
    uint32_t chosen = self->column_count;
    for (uint32_t j = 0; j < self->column_count; j++) {
        if (self->columns[j].best_gain > best) {
            best = self->columns[j].best_gain;
            chosen = j;
        }
    }
    return chosen;
}

uint32_t oblivious_grow(struct oblivious_grower *self, uint16_t *features, uint8_t *bins)
{
    struct oblivious_leaf *root = &self->leaves[0];
    *root = (struct oblivious_leaf){0, (uint32_t)self->chosen_count, 0};
    for (size_t i = 0; i < self->chosen_count; i++) {
        root->sum += self->packed[i];
    }
    uint32_t depth = self->options->depth;
    uint32_t gaining = 0;
    for (self->level = 0; self->level < depth; self->level++) {
        uint32_t level = self->level;
        if (gaining == level) {
            oblivious_run(self->team, scan_column, self, self->column_count);
            uint32_t column = choose_column(self);
            if (column < self->column_count) {
                features[level] = (uint16_t)column;
                bins[level] = self->columns[column].best_bin;
                gaining++;
            }
        }
        if (gaining == 0) {
            return 0;
        }
        if (gaining <= level) {
            features[level] = features[level - 1];
            bins[level] = bins[level - 1];
        }
        for (uint32_t leaf = 0; leaf < 1U << level; leaf++) {
            divide_leaf(self, &self->columns[features[level]], bins[level], leaf);
        }
    }
    return gaining;
}
