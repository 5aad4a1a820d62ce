/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"
#include "proto/hash.h"
#include "score/declaration_space.h"

/* Trees are kept as whole numbers in u64 arrays (negative ones in two's complement): the four types
 * of a model file, and nothing to round. */

static const struct err unreadable = {.code = ERR_MODEL_UNREADABLE, .where = "model: trees"};

static const struct model_array *find(const struct model_file *file, const char *prefix,
                                      const char *name, enum model_type type)
{
    char whole[MODEL_NAME_BYTES];
    (void)snprintf(whole, sizeof whole, "%s%s", prefix, name);
    const struct model_array *array = model_file_find(file, whole, type);
    return array != NULL && array->dimensions_count == 1 ? array : NULL;
}

/* Numbers of `array` that must lie within low..high. */
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

struct tree_arrays {
    const struct model_array *shape; /* trees, depth, bias */
    const struct model_array *first; /* border_first */
    const struct model_array *borders;
    const struct model_array *features;
    const struct model_array *bins;
    const struct model_array *nodes;
};

static bool arrays_fit(const struct tree_arrays *a, const struct oblivious_model *model)
{
    size_t splits = oblivious_split_count(model);
    size_t nodes = oblivious_node_count(model);
    return a->first->dimensions[0] == LINE_FEATURES + 1 && a->features->dimensions[0] == splits &&
           a->bins->dimensions[0] == splits && a->nodes->dimensions[0] == nodes &&
           are_within(a->first, 0, (int64_t)LINE_FEATURES * OBLIVIOUS_BORDERS_MAX) &&
           are_within(a->features, 0, LINE_FEATURES - 1) && are_within(a->bins, 0, UINT8_MAX) &&
           are_within(a->nodes, -OBLIVIOUS_SCORE_MAX, OBLIVIOUS_SCORE_MAX);
}

static bool make_room(const struct tree_arrays *a, struct oblivious_model *model)
{
    model->border_first = calloc(a->first->dimensions[0] + 1, sizeof *model->border_first);
    model->borders = calloc(a->borders->dimensions[0] + 1, sizeof *model->borders);
    model->split_features = calloc(a->features->dimensions[0] + 1, sizeof *model->split_features);
    model->split_bins = calloc(a->bins->dimensions[0] + 1, sizeof *model->split_bins);
    model->nodes = calloc(a->nodes->dimensions[0] + 1, sizeof *model->nodes);
    return model->border_first != NULL && model->borders != NULL && model->split_features != NULL &&
           model->split_bins != NULL && model->nodes != NULL;
}

static void copy_arrays(const struct tree_arrays *a, struct oblivious_model *model)
{
    for (uint64_t i = 0; i < a->first->dimensions[0]; i++) {
        model->border_first[i] = (uint32_t)((const uint64_t *)a->first->values)[i];
    }
    memcpy(model->borders, a->borders->values, a->borders->dimensions[0] * sizeof(float));
    for (uint64_t i = 0; i < a->features->dimensions[0]; i++) {
        model->split_features[i] = (uint16_t)((const uint64_t *)a->features->values)[i];
        model->split_bins[i] = (uint8_t)((const uint64_t *)a->bins->values)[i];
    }
    for (uint64_t i = 0; i < a->nodes->dimensions[0]; i++) {
        model->nodes[i] = (int32_t)((const uint64_t *)a->nodes->values)[i];
    }
}

void declaration_trees_free(struct oblivious_model *model)
{
    free(model->border_first);
    free(model->borders);
    free(model->split_features);
    free(model->split_bins);
    free(model->nodes);
    memset(model, 0, sizeof *model);
}

/* A file holds no empty arrays: without trees there is the bias alone. */
static struct err read_no_trees(const struct oblivious_model *model, struct oblivious_model *out)
{
    static const struct model_array none = {.dimensions = {0}};
    static const struct model_array first = {.dimensions = {LINE_FEATURES + 1}};
    const struct tree_arrays a = {
        .first = &first, .borders = &none, .features = &none, .bins = &none, .nodes = &none};
    struct oblivious_model made = *model;
    made.depth = 0;
    if (!make_room(&a, &made)) {
        declaration_trees_free(&made);
        return err_make(ERR_MEMORY, "trees of a model");
    }
    *out = made;
    return err_none;
}

static struct err read_trees(const struct model_file *file, const char *prefix,
                             struct oblivious_model *out)
{
    struct tree_arrays a = {
        .shape = find(file, prefix, "shape", MODEL_U64),
        .first = find(file, prefix, "border_first", MODEL_U64),
        .borders = find(file, prefix, "borders", MODEL_F32),
        .features = find(file, prefix, "split_features", MODEL_U64),
        .bins = find(file, prefix, "split_bins", MODEL_U64),
        .nodes = find(file, prefix, "nodes", MODEL_U64),
    };
    if (a.shape == NULL || a.shape->dimensions[0] != 3 ||
        !are_within(a.shape, -OBLIVIOUS_SCORE_MAX, OBLIVIOUS_SCORE_MAX)) {
        return unreadable;
    }
    const uint64_t *shape = a.shape->values;
    if (shape[0] > OBLIVIOUS_TREES_MAX || shape[1] > OBLIVIOUS_DEPTH_MAX) {
        return unreadable;
    }
    struct oblivious_model model = {.feature_count = LINE_FEATURES,
                                    .tree_count = (uint32_t)shape[0],
                                    .depth = (uint32_t)shape[1],
                                    .bias = (int32_t)shape[2]};
    if (model.tree_count == 0) {
        return read_no_trees(&model, out);
    }
    if (a.first == NULL || a.borders == NULL || a.features == NULL || a.bins == NULL ||
        a.nodes == NULL || !arrays_fit(&a, &model)) {
        return unreadable;
    }
    if (!make_room(&a, &model)) {
        declaration_trees_free(&model);
        return err_make(ERR_MEMORY, "trees of a model");
    }
    copy_arrays(&a, &model);
    if (oblivious_validate(&model, a.borders->dimensions[0]) != OBLIVIOUS_SOUND) {
        declaration_trees_free(&model);
        return unreadable;
    }
    *out = model;
    return err_none;
}

static struct err add_numbers(struct model_file *file, const char *prefix, const char *name,
                              const uint64_t *numbers, uint64_t count)
{
    char whole[MODEL_NAME_BYTES];
    (void)snprintf(whole, sizeof whole, "%s%s", prefix, name);
    return model_file_add(file, whole, MODEL_U64, &count, 1, numbers);
}

MUST_USE struct err declaration_trees_write(const struct oblivious_model *trees, const char *prefix,
                                            struct model_file *file)
{
    uint64_t splits = oblivious_split_count(trees);
    uint64_t nodes = oblivious_node_count(trees);
    uint64_t most = nodes > splits ? nodes : splits;
    most = most > LINE_FEATURES + 1 ? most : LINE_FEATURES + 1;
    uint64_t *numbers = calloc(most + 1, sizeof *numbers);
    if (numbers == NULL) {
        return err_make(ERR_MEMORY, "trees of a model");
    }
    const uint64_t shape[3] = {trees->tree_count, trees->depth, (uint64_t)(int64_t)trees->bias};
    struct err err = add_numbers(file, prefix, "shape", shape, 3);
    if (trees->tree_count == 0) {
        free(numbers);
        return err;
    }
    for (uint64_t i = 0; i <= LINE_FEATURES; i++) {
        numbers[i] = trees->border_first[i];
    }
    err = err_is(err) ? err : add_numbers(file, prefix, "border_first", numbers, LINE_FEATURES + 1);
    for (uint64_t i = 0; i < splits; i++) {
        numbers[i] = trees->split_features[i];
    }
    err = err_is(err) ? err : add_numbers(file, prefix, "split_features", numbers, splits);
    for (uint64_t i = 0; i < splits; i++) {
        numbers[i] = trees->split_bins[i];
    }
    err = err_is(err) ? err : add_numbers(file, prefix, "split_bins", numbers, splits);
    for (uint64_t i = 0; i < nodes; i++) {
        numbers[i] = (uint64_t)(int64_t)trees->nodes[i];
    }
    err = err_is(err) ? err : add_numbers(file, prefix, "nodes", numbers, nodes);
    free(numbers);
    char name[MODEL_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%sborders", prefix);
    /* Trees that ask nothing have no borders; an array has one element at least: a spare one. */
    static const float spare = 0;
    uint64_t borders = trees->border_first[LINE_FEATURES];
    const float *values = borders > 0 ? trees->borders : &spare;
    borders = borders > 0 ? borders : 1;
    return err_is(err) ? err : model_file_add(file, name, MODEL_F32, &borders, 1, values);
}

/* One row a bin: highest logit, rows, finds. */
MUST_USE struct err declaration_bins_write(const struct declaration_bins *bins,
                                           struct model_file *file)
{
    double values[DECLARATION_BINS_MAX][3];
    const uint64_t dimensions[2] = {bins->count, 3};
    for (uint32_t i = 0; i < bins->count; i++) {
        values[i][0] = bins->bins[i].logit_max;
        values[i][1] = (double)bins->bins[i].rows;
        values[i][2] = (double)bins->bins[i].finds;
    }
    return bins->count == 0 ? err_none
                            : model_file_add(file, "later_rows", MODEL_F64, dimensions, 2, values);
}

static struct err read_bins(const struct model_file *file, struct declaration_bins *out)
{
    const struct err fault = err_make(ERR_MODEL_UNREADABLE, "model: later_rows");
    const struct model_array *array = model_file_find(file, "later_rows", MODEL_F64);
    *out = (struct declaration_bins){.count = 0};
    if (array == NULL) {
        return err_none;
    }
    if (array->dimensions_count != 2 || array->dimensions[0] == 0 ||
        array->dimensions[0] > DECLARATION_BINS_MAX || array->dimensions[1] != 3) {
        return fault;
    }
    double before = -INFINITY;
    for (uint64_t i = 0; i < array->dimensions[0]; i++) {
        const double *row = (const double *)array->values + 3 * i;
        bool is_last = i + 1 == array->dimensions[0];
        if (!(row[0] > before) || isinf(row[0]) != is_last || !(row[1] >= 1 && row[1] < 1e15) ||
            !(row[2] >= 0 && row[2] <= row[1])) {
            return fault;
        }
        before = row[0];
        const struct statistics_rate rate = {(uint64_t)row[2], (uint64_t)row[1]};
        struct statistics_interval wilson = statistics_wilson(rate, 0.90);
        out->bins[i] = (struct declaration_bin){row[0], (uint64_t)row[1], (uint64_t)row[2],
                                                wilson.lower, wilson.upper};
    }
    out->count = (uint32_t)array->dimensions[0];
    return err_none;
}

static bool text_is(const struct model_file *file, const char *name, const char *wanted)
{
    const char *text = model_file_text(file, name);
    return text != NULL && strcmp(text, wanted) == 0;
}

enum { LINES_VALUES = ITEM_LINES_KNOTS + 1 };

/* The version says whether there is one: a program that does not know it must not score without. */
static struct err read_lines(const struct model_file *file, struct lines_calibration *out)
{
    *out = (struct lines_calibration){.known = false};
    if (!text_is(file, "features_version", LINE_FEATURES_VERSION)) {
        return err_none;
    }
    const struct model_array *array = model_file_find(file, "lines", MODEL_F64);
    if (array == NULL || array->dimensions_count != 1 || array->dimensions[0] != LINES_VALUES) {
        return err_make(ERR_MODEL_UNREADABLE, "model: lines");
    }
    const double *values = array->values;
    *out = (struct lines_calibration){.known = true, .slope = values[ITEM_LINES_KNOTS]};
    memcpy(out->growth, values, sizeof out->growth);
    return lines_calibration_is_sound(out) ? err_none
                                           : err_make(ERR_MODEL_UNREADABLE, "model: lines");
}

MUST_USE struct err declaration_lines_write(const struct lines_calibration *lines,
                                            struct model_file *file)
{
    double values[LINES_VALUES];
    const uint64_t count = LINES_VALUES;
    if (!lines->known) {
        return model_file_add_text(file, "features_version", LINE_FEATURES_VERSION_2);
    }
    memcpy(values, lines->growth, sizeof lines->growth);
    values[ITEM_LINES_KNOTS] = lines->slope;
    must(lines_calibration_is_sound(lines));
    struct err err = model_file_add(file, "lines", MODEL_F64, &count, 1, values);
    return err_is(err) ? err : model_file_add_text(file, "features_version", LINE_FEATURES_VERSION);
}

void declaration_input_names(const struct lines_calibration *lines, char out[LINE_NAMES_BYTES])
{
    static const char more[] = " lines.count lines.spread";
    line_feature_names(out);
    size_t used = strlen(out);
    must(used + sizeof more <= LINE_NAMES_BYTES);
    if (lines->known) {
        memcpy(out + used, more, sizeof more);
    }
}

static struct err read_key(const struct model_file *file, struct part_key *out)
{
    if (text_is(file, "kinds_version", HISTORY_KINDS_PLAIN_VERSION)) {
        part_key_init(out, NULL);
        return err_none;
    }
    uint8_t secret[PART_SECRET_BYTES];
    const char *text = model_file_text(file, "digest_secret");
    if (text == NULL || strlen(text) != (size_t)2 * PART_SECRET_BYTES ||
        !hex_decode(text, secret, PART_SECRET_BYTES)) {
        return err_make(ERR_MODEL_UNREADABLE, "model: digest_secret");
    }
    part_key_init(out, secret);
    return err_none;
}

MUST_USE struct err declaration_model_counts(const struct model_file *file, struct history *history)
{
    const struct model_array *constants = model_file_find(file, "constants", MODEL_F64);
    if (constants == NULL || constants->dimensions_count != 1 || constants->dimensions[0] != 4) {
        return err_make(ERR_MODEL_UNREADABLE, "model: constants");
    }
    const double *c = constants->values;
    struct history_weights weights = {
        .shrinkage = c[0], .half_life_days = c[1], .prior = c[2], .prior_exams = c[3]};
    if (!history_weights_are_sound(&weights)) {
        return err_make(ERR_MODEL_UNREADABLE, "model: constants out of range");
    }
    struct part_key key;
    struct history_table table;
    struct err err = read_key(file, &key);
    err = err_is(err) ? err : history_table_read(file, &table);
    if (err_is(err)) {
        return err;
    }
    err = history_install_counts(history, &weights, &key, &table);
    if (err_is(err)) {
        history_table_fini(&table);
    }
    return err;
}

MUST_USE struct err declaration_model_read(const struct model_file *file,
                                           struct declaration_model *out)
{
    bool kinds = text_is(file, "kinds_version", HISTORY_KINDS_VERSION) ||
                 text_is(file, "kinds_version", HISTORY_KINDS_PLAIN_VERSION);
    bool features = text_is(file, "features_version", LINE_FEATURES_VERSION) ||
                    text_is(file, "features_version", LINE_FEATURES_VERSION_2) ||
                    text_is(file, "features_version", LINE_FEATURES_VERSION_1);
    if (!kinds || !features) {
        return err_make(ERR_MODEL_UNREADABLE, "model: kinds_version or features_version");
    }
    struct declaration_model model = {.space = NULL};
    struct err err = read_trees(file, "trees_", &model.found);
    err = err_is(err) ? err : read_trees(file, "critical_", &model.critical);
    err = err_is(err) ? err : goods_norms_read(file, &model.norms);
    err = err_is(err) ? err : read_bins(file, &model.bins);
    err = err_is(err) ? err : read_lines(file, &model.lines);
    err = err_is(err) ? err : declaration_space_open(&model.found, &model.critical, &model.space);
    if (err_is(err)) {
        declaration_model_fini(&model);
        return err;
    }
    *out = model;
    return err_none;
}

void declaration_model_fini(struct declaration_model *self)
{
    declaration_trees_free(&self->found);
    declaration_trees_free(&self->critical);
    goods_norms_fini(&self->norms);
    declaration_space_close(&self->space);
    memset(self, 0, sizeof *self);
}
