/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"

/* Two tables instead of one: the model's is as it was trained, the live one can be forgotten and
 * replayed from the log without touching it. A reading adds the two. */

static const double ns_per_day = 86400e9;

/* Chosen, not learnt. Prior: 2 finds in 100 exams, worth 50 exams, until outcomes say otherwise.
 * Single entities count less than half of what their counts say, because the same find shows in
 * each of them. */
const struct history_weights history_weights_builtin = {
    .intercept = -3.8918202981106265, /* logit(0.02) */
    .coefficients = {0,    0.4,  0.35, 0.25, 0.1,  0.2, 0.05, 0.15, 0.05, 0.05, 0.4,  0.2, 0.1,
                     0.35, 0.15, 0.2,  0.15, 0.15, 0.1, 0.25, 0.1,  0.1,  0.05, 0.05, 0.3},
    .shrinkage = 1.0,
    .half_life_days = 730.0,
    .prior = 0.02,
    .prior_exams = 50.0,
};

static void add_known(const struct history_table *table, uint64_t key, int64_t now_ns,
                      double half_life_ns, struct history_known *known)
{
    const struct history_entry *entry = history_table_find(table, key);
    if (entry == NULL) {
        return;
    }
    double left = history_fading(entry->last_ns, now_ns, half_life_ns);
    known->exams += (double)entry->exams * left;
    known->finds += (double)entry->finds * left;
    known->exams_count += entry->exams_count;
    known->finds_count += entry->finds_count;
    uint16_t first_day = history_table_first_day(table, entry);
    if (known->first_day == 0 || (first_day != 0 && first_day < known->first_day)) {
        known->first_day = first_day;
    }
}

static void fill_fades(double half_life_days, float fades[HISTORY_FADES])
{
    for (uint32_t day = 0; day + 1 < HISTORY_FADES; day++) {
        fades[day] = (float)exp2(-(double)day / half_life_days);
    }
    fades[HISTORY_FADES - 1] = 0;
}

MUST_USE struct err history_init(struct history *self, uint64_t live_slots)
{
    struct history_table live;
    struct err err = history_table_init(&live, live_slots);
    if (err_is(err)) {
        return err;
    }
    *self = (struct history){
        .weights = history_weights_builtin,
        .base = {.newest_ns = INT64_MIN},
        .learnt_until_ns = INT64_MIN,
        .live = live,
        .kinds_count = HISTORY_LINEAR_KINDS,
    };
    fill_fades(self->weights.half_life_days, self->fades);
    return err_none;
}

void history_fini(struct history *self)
{
    history_table_fini(&self->base);
    history_index_fini(&self->index);
    history_table_fini(&self->live);
}

static const struct model_array *find_vector(const struct model_file *file, const char *name,
                                             enum model_type type, uint64_t wanted_count)
{
    const struct model_array *array = model_file_find(file, name, type);
    bool fits =
        array != NULL && array->dimensions_count == 1 && array->dimensions[0] == wanted_count;
    return fits ? array : NULL;
}

/* As the fusion's: a feature is at most some seventy, so no sum of them comes near infinity,
 * whatever scale is put on it. */
static bool weight_is_sound(double weight)
{
    return fabs(weight) <= 1000; /* NaN is not */
}

bool history_weights_are_sound(const struct history_weights *weights)
{
    bool sound = weight_is_sound(weights->intercept) && weights->shrinkage > 0 &&
                 weights->shrinkage < 1e6 && weights->half_life_days > 0 &&
                 weights->half_life_days < 1e6 && weights->prior > 0 && weights->prior < 1 &&
                 weights->prior_exams > 0 && weights->prior_exams < 1e9;
    for (uint32_t i = 0; i < HISTORY_LINEAR_KINDS; i++) {
        sound = sound && weight_is_sound(weights->coefficients[i]);
    }
    return sound && weights->coefficients[HISTORY_ALL] == 0;
}

static struct err read_weights(const struct model_file *file, struct history_weights *out)
{
    const struct model_array *weights =
        find_vector(file, "weights", MODEL_F64, 1 + HISTORY_LINEAR_KINDS);
    const struct model_array *constants = find_vector(file, "constants", MODEL_F64, 4);
    const char *version = model_file_text(file, "kinds_version");
    if (weights == NULL || constants == NULL || version == NULL ||
        strcmp(version, HISTORY_LINEAR_VERSION) != 0) {
        return err_make(ERR_MODEL_UNREADABLE, "history model: weights, constants or kinds_version");
    }
    const double *w = weights->values;
    const double *c = constants->values;
    struct history_weights read = {.intercept = w[0],
                                   .shrinkage = c[0],
                                   .half_life_days = c[1],
                                   .prior = c[2],
                                   .prior_exams = c[3]};
    memcpy(read.coefficients, w + 1, sizeof read.coefficients);
    if (!history_weights_are_sound(&read)) {
        return err_make(ERR_MODEL_UNREADABLE, "history model: weights out of range");
    }
    *out = read;
    return err_none;
}

/* Without an index. */
static void take_over(struct history *self, const struct history_weights *weights,
                      const struct part_key *key, struct history_table *base)
{
    if (self->live.used > 0 && !part_key_is(&self->key, key)) {
        history_table_reset(&self->live);
    }
    history_table_fini(&self->base);
    history_index_fini(&self->index);
    self->base = *base;
    self->weights = *weights;
    self->key = *key;
    self->learnt_until_ns = base->newest_ns;
    memset(base, 0, sizeof *base);
    fill_fades(self->weights.half_life_days, self->fades);
}

MUST_USE struct err history_install(struct history *self, const struct model_file *file)
{
    struct history_weights weights;
    struct err err = read_weights(file, &weights);
    if (err_is(err)) {
        return err;
    }
    struct history_table base;
    err = history_table_read(file, &base);
    if (err_is(err)) {
        return err;
    }
    take_over(self, &weights, &part_key_plain, &base);
    self->kinds_count = HISTORY_LINEAR_KINDS;
    return err_none;
}

MUST_USE struct err history_install_counts(struct history *self,
                                           const struct history_weights *weights,
                                           const struct part_key *key, struct history_table *base)
{
    struct history_index index;
    float fades[HISTORY_FADES];
    fill_fades(weights->half_life_days, fades);
    struct err err = history_index_make(base, key->keyed, fades, &index);
    if (err_is(err)) {
        return err;
    }
    take_over(self, weights, key, base);
    self->index = index;
    self->kinds_count = HISTORY_KINDS;
    return err_none;
}

void history_uninstall(struct history *self)
{
    struct history_table none = {.newest_ns = INT64_MIN};
    take_over(self, &history_weights_builtin, &part_key_plain, &none);
    self->base.newest_ns = INT64_MIN;
    self->kinds_count = HISTORY_LINEAR_KINDS;
}

static bool is_among(const uint64_t *keys, uint32_t keys_count, uint64_t key)
{
    for (uint32_t i = 0; i < keys_count; i++) {
        if (keys[i] == key) {
            return true;
        }
    }
    return false;
}

static uint32_t lines_to_read(const struct declaration *declaration)
{
    return declaration->lines_count > RECORD_LINES_MAX ? RECORD_LINES_MAX
                                                       : declaration->lines_count;
}

/* Kind by kind, so that only keys of one kind need be compared: others never meet. */
uint32_t history_keys(const struct part_key *part_key, const struct declaration *declaration,
                      uint32_t kinds_count, uint64_t keys[HISTORY_KEYS_MAX])
{
    must(kinds_count <= HISTORY_KINDS);
    uint32_t lines_count = lines_to_read(declaration);
    uint32_t count = 0;
    struct history_parts parts[RECORD_LINES_MAX];
    history_parts_of_declaration(part_key, declaration, &parts[0]);
    for (uint32_t line = 1; line < lines_count; line++) {
        parts[line] = parts[0];
    }
    for (uint32_t line = 0; line < lines_count; line++) {
        history_parts_add_line(part_key, &declaration->lines[line], &parts[line]);
    }
    for (uint32_t kind = 0; kind < kinds_count; kind++) {
        uint32_t first = count;
        for (uint32_t line = 0; line < (lines_count > 0 ? lines_count : 1); line++) {
            uint64_t key = history_key(kind, &parts[line]);
            if (key != 0 && !is_among(keys + first, count - first, key)) {
                keys[count++] = key;
            }
        }
    }
    return count;
}

void history_learn(struct history *self, const struct declaration *declaration, bool found,
                   int64_t t_ns, uint64_t keys[HISTORY_KEYS_MAX])
{
    if (t_ns <= self->learnt_until_ns) {
        return;
    }
    uint32_t count = history_keys(&self->key, declaration, self->kinds_count, keys);
    for (uint32_t i = 0; i < count; i++) {
        history_table_learn(&self->live, keys[i], found, t_ns,
                            self->weights.half_life_days * ns_per_day);
    }
}

static int64_t history_now(const struct history *self)
{
    return self->base.newest_ns > self->live.newest_ns ? self->base.newest_ns
                                                       : self->live.newest_ns;
}

void history_know(const struct history *self, uint64_t key, struct history_known *out)
{
    int64_t now_ns = history_now(self);
    double half_life_ns = self->weights.half_life_days * ns_per_day;
    memset(out, 0, sizeof *out);
    add_known(&self->base, key, now_ns, half_life_ns, out);
    add_known(&self->live, key, now_ns, half_life_ns, out);
}

static double overall_rate(const struct history_weights *weights, const struct history_known *all)
{
    return (all->finds + weights->prior_exams * weights->prior) /
           (all->exams + weights->prior_exams);
}

double history_rate(const struct history *self)
{
    struct history_parts parts = {.keyed = self->key.keyed};
    struct history_known all;
    history_know(self, history_key(HISTORY_ALL, &parts), &all);
    return overall_rate(&self->weights, &all);
}

/* Features of one line in the order of kinds: a parent always stands before its children. */
static void read_line(const struct history *self, const struct history_parts *parts,
                      struct history_reading *out)
{
    double logits[HISTORY_LINEAR_KINDS];
    double k = self->weights.shrinkage;
    out->logit = self->weights.intercept;
    for (uint32_t i = 0; i < HISTORY_LINEAR_KINDS; i++) {
        const struct history_kind *kind = &history_kinds[i];
        uint64_t key = history_key(i, parts);
        out->present[i] = key != 0;
        memset(&out->known[i], 0, sizeof out->known[i]);
        if (key != 0) {
            history_know(self, key, &out->known[i]);
        }
        if (i == HISTORY_ALL) {
            out->prior[i] = overall_rate(&self->weights, &out->known[i]);
            logits[i] = logistic_logit(out->prior[i]);
            out->features[i] = 0;
            continue;
        }
        double parent_logit = kind->parents_count == 0 ? logits[HISTORY_ALL] : 0;
        for (uint32_t p = 0; p < kind->parents_count; p++) {
            must(kind->parents[p] < i);
            parent_logit += logits[kind->parents[p]] / kind->parents_count;
        }
        double q = logistic_probability(parent_logit);
        double rate = (out->known[i].finds + k * q) / (out->known[i].exams + k);
        logits[i] = out->known[i].exams > 0 ? logistic_logit(rate) : parent_logit;
        out->prior[i] = q;
        /* A float, as in training and in the score's inputs: who has those gets the same bits. */
        out->features[i] = (double)(float)(logits[i] - parent_logit);
        out->logit += self->weights.coefficients[i] * out->features[i];
    }
}

void history_read(const struct history *self, const struct declaration *declaration,
                  struct history_reading *out)
{
    struct history_parts parts;
    history_parts_of_declaration(&self->key, declaration, &parts);
    uint32_t lines_count = lines_to_read(declaration);
    if (lines_count == 0) {
        read_line(self, &parts, out);
        out->line_index = 0;
        return;
    }
    for (uint32_t line = 0; line < lines_count; line++) {
        struct history_reading reading;
        history_parts_add_line(&self->key, &declaration->lines[line], &parts);
        read_line(self, &parts, &reading);
        if (line == 0 || reading.logit > out->logit) {
            *out = reading;
            out->line_index = line;
        }
    }
}
