/* SPDX-License-Identifier: Apache-2.0 */
#include "score/lump.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The part of an appearance model: arrays lump_*. Trees are whole numbers in u64 arrays, negative
 * ones in two's complement, as in the model of declarations. */

static const struct err unreadable = {.code = ERR_MODEL_UNREADABLE, .where = "model: lump"};

/* "lump_shape": features, trees, depth, bias. "lump_placing": median, spread. */
enum { SHAPE_COUNT = 4, PLACING_COUNT = 2 };

struct arrays {
    const struct model_array *first;
    const struct model_array *borders;
    const struct model_array *features;
    const struct model_array *bins;
    const struct model_array *nodes;
};

static const struct model_array *find(const struct model_file *file, const char *name,
                                      enum model_type type, uint64_t count)
{
    const struct model_array *array = model_file_find(file, name, type);
    bool fits = array != NULL && array->dimensions_count == 1 && array->dimensions[0] == count;
    return fits ? array : NULL;
}

static bool are_within(const struct model_array *array, int64_t low, int64_t high)
{
    const uint64_t *values = array->values;
    for (uint64_t i = 0; i < array->dimensions[0]; i++) {
        int64_t value = (int64_t)values[i];
        if (value < low || value > high) {
            return false;
        }
    }
    return true;
}

static bool find_arrays(const struct model_file *file, const struct oblivious_model *trees,
                        struct arrays *out)
{
    size_t splits = oblivious_split_count(trees), nodes = oblivious_node_count(trees);
    out->first = find(file, "lump_border_first", MODEL_U64, LUMP_FEATURES + 1);
    out->borders = model_file_find(file, "lump_borders", MODEL_F32);
    out->features = find(file, "lump_split_features", MODEL_U64, splits);
    out->bins = find(file, "lump_split_bins", MODEL_U64, splits);
    out->nodes = find(file, "lump_nodes", MODEL_U64, nodes);
    return out->first != NULL && out->borders != NULL && out->borders->dimensions_count == 1 &&
           out->features != NULL && out->bins != NULL && out->nodes != NULL &&
           are_within(out->first, 0, (int64_t)LUMP_FEATURES * OBLIVIOUS_BORDERS_MAX) &&
           are_within(out->features, 0, LUMP_FEATURES - 1) && are_within(out->bins, 0, UINT8_MAX) &&
           are_within(out->nodes, -OBLIVIOUS_SCORE_MAX, OBLIVIOUS_SCORE_MAX);
}

static bool copy_trees(const struct arrays *a, struct oblivious_model *trees)
{
    size_t splits = a->features->dimensions[0], nodes = a->nodes->dimensions[0];
    trees->border_first = calloc(LUMP_FEATURES + 1, sizeof *trees->border_first);
    trees->borders = calloc(a->borders->dimensions[0], sizeof *trees->borders);
    trees->split_features = calloc(splits, sizeof *trees->split_features);
    trees->split_bins = calloc(splits, sizeof *trees->split_bins);
    trees->nodes = calloc(nodes, sizeof *trees->nodes);
    if (trees->border_first == NULL || trees->borders == NULL || trees->split_features == NULL ||
        trees->split_bins == NULL || trees->nodes == NULL) {
        return false;
    }
    for (size_t i = 0; i < LUMP_FEATURES + 1; i++) {
        trees->border_first[i] = (uint32_t)((const uint64_t *)a->first->values)[i];
    }
    memcpy(trees->borders, a->borders->values, a->borders->dimensions[0] * sizeof(float));
    for (size_t i = 0; i < splits; i++) {
        trees->split_features[i] = (uint16_t)((const uint64_t *)a->features->values)[i];
        trees->split_bins[i] = (uint8_t)((const uint64_t *)a->bins->values)[i];
    }
    for (size_t i = 0; i < nodes; i++) {
        trees->nodes[i] = (int32_t)((const uint64_t *)a->nodes->values)[i];
    }
    return true;
}

/* A smaller one would make any score infinite. */
#define SPREAD_MIN 1e-6

static bool read_numbers(const struct model_file *file, struct lump_model *out)
{
    const struct model_array *curve = find(file, "lump_curve", MODEL_F32, LUMP_CURVE);
    const struct model_array *placing = find(file, "lump_placing", MODEL_F64, PLACING_COUNT);
    const struct model_array *shape = find(file, "lump_shape", MODEL_U64, SHAPE_COUNT);
    if (curve == NULL || placing == NULL || shape == NULL) {
        return false;
    }
    memcpy(out->curve, curve->values, sizeof out->curve);
    out->median = ((const double *)placing->values)[0];
    out->spread = ((const double *)placing->values)[1];
    const uint64_t *s = shape->values;
    bool sound = s[0] == LUMP_FEATURES && s[1] >= 1 && s[1] <= LUMP_TREES_MAX && s[2] >= 1 &&
                 s[2] <= OBLIVIOUS_DEPTH_MAX && (int64_t)s[3] >= -OBLIVIOUS_SCORE_MAX &&
                 (int64_t)s[3] <= OBLIVIOUS_SCORE_MAX && isfinite(out->median) &&
                 isfinite(out->spread) && out->spread >= SPREAD_MIN;
    for (size_t i = 0; i < LUMP_CURVE && sound; i++) {
        sound = isfinite(out->curve[i]) && fabsf(out->curve[i]) < 100;
    }
    if (sound) {
        out->trees = (struct oblivious_model){.feature_count = LUMP_FEATURES,
                                              .tree_count = (uint32_t)s[1],
                                              .depth = (uint32_t)s[2],
                                              .bias = (int32_t)(int64_t)s[3]};
    }
    return sound;
}

static bool has_any(const struct model_file *file)
{
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        if (strncmp(file->arrays[i].name, "lump_", strlen("lump_")) == 0) {
            return true;
        }
    }
    return false;
}

MUST_USE struct err lump_read(const struct model_file *file, struct lump_model *out)
{
    struct lump_model read = {.present = true};
    struct arrays arrays;
    if (!has_any(file)) {
        *out = (struct lump_model){.present = false};
        return err_none;
    }
    if (!read_numbers(file, &read) || !find_arrays(file, &read.trees, &arrays)) {
        return unreadable;
    }
    if (!copy_trees(&arrays, &read.trees)) {
        lump_model_fini(&read);
        return err_make(ERR_MEMORY, "lump model");
    }
    if (oblivious_validate(&read.trees, arrays.borders->dimensions[0]) != OBLIVIOUS_SOUND) {
        lump_model_fini(&read);
        return unreadable;
    }
    *out = read;
    return err_none;
}

void lump_model_fini(struct lump_model *self)
{
    free(self->trees.border_first);
    free(self->trees.borders);
    free(self->trees.split_features);
    free(self->trees.split_bins);
    free(self->trees.nodes);
    memset(self, 0, sizeof *self);
}

/* Whole numbers as u64, through `wide`, which has room for them. */
static struct err add_whole(struct model_file *file, const char *name, const uint64_t *wide,
                            uint64_t count)
{
    return model_file_add(file, name, MODEL_U64, &count, 1, wide);
}

MUST_USE struct err lump_write(const struct lump_model *model, struct model_file *file)
{
    const struct oblivious_model *trees = &model->trees;
    size_t splits = oblivious_split_count(trees), nodes = oblivious_node_count(trees);
    const uint64_t shape[SHAPE_COUNT] = {LUMP_FEATURES, trees->tree_count, trees->depth,
                                         (uint64_t)(int64_t)trees->bias};
    const double placing[PLACING_COUNT] = {model->median, model->spread};
    const uint64_t curve_count = LUMP_CURVE, placing_count = PLACING_COUNT;
    const uint64_t borders_count = trees->border_first[LUMP_FEATURES];
    size_t widest = (splits > nodes ? splits : nodes) + LUMP_FEATURES + 1;
    uint64_t *wide = calloc(widest, sizeof *wide);
    if (wide == NULL) {
        return err_make(ERR_MEMORY, "lump model");
    }
    struct err err = add_whole(file, "lump_shape", shape, SHAPE_COUNT);
    err = err_is(err) ? err
                      : model_file_add(file, "lump_placing", MODEL_F64, &placing_count, 1, placing);
    err = err_is(err)
              ? err
              : model_file_add(file, "lump_curve", MODEL_F32, &curve_count, 1, model->curve);
    err = err_is(err)
              ? err
              : model_file_add(file, "lump_borders", MODEL_F32, &borders_count, 1, trees->borders);
    for (size_t i = 0; i < LUMP_FEATURES + 1; i++) {
        wide[i] = trees->border_first[i];
    }
    err = err_is(err) ? err : add_whole(file, "lump_border_first", wide, LUMP_FEATURES + 1);
    for (size_t i = 0; i < splits; i++) {
        wide[i] = trees->split_features[i];
    }
    err = err_is(err) ? err : add_whole(file, "lump_split_features", wide, splits);
    for (size_t i = 0; i < splits; i++) {
        wide[i] = trees->split_bins[i];
    }
    err = err_is(err) ? err : add_whole(file, "lump_split_bins", wide, splits);
    for (size_t i = 0; i < nodes; i++) {
        wide[i] = (uint64_t)(int64_t)trees->nodes[i];
    }
    err = err_is(err) ? err : add_whole(file, "lump_nodes", wide, nodes);
    free(wide);
    return err;
}
