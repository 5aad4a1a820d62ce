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

MUST_USE struct err history_table_init(struct history_table *self, uint64_t slots)
{
    if (slots > HISTORY_SLOTS_MAX) {
        return err_make(ERR_ARGUMENT, "history slots");
    }
    uint64_t rounded = HISTORY_SLOTS_MIN;
    while (rounded < slots) {
        rounded *= 2;
    }
    struct history_entry *entries = calloc(rounded, sizeof *entries);
    if (entries == NULL) {
        return err_make(ERR_MEMORY, "history table");
    }
    *self = (struct history_table){.entries = entries, .slots = rounded, .newest_ns = INT64_MIN};
    return err_none;
}

void history_table_fini(struct history_table *self)
{
    free(self->entries);
    memset(self, 0, sizeof *self);
}

void history_table_reset(struct history_table *self)
{
    memset(self->entries, 0, self->slots * sizeof *self->entries);
    self->used = 0;
    self->dropped = 0;
    self->newest_ns = INT64_MIN;
}

/* The entry of a key, or the free slot where it would go. Never full: one slot in eight stays free.
 */
static struct history_entry *table_slot(const struct history_table *self, uint64_t key)
{
    must(key != 0 && self->used < self->slots);
    uint64_t at = key & (self->slots - 1);
    while (self->entries[at].key != 0 && self->entries[at].key != key) {
        at = (at + 1) & (self->slots - 1);
    }
    return &self->entries[at];
}

static bool table_is_full(const struct history_table *self)
{
    return self->used >= self->slots - self->slots / 8;
}

MUST_USE struct err history_table_grow(struct history_table *self)
{
    struct history_table larger;
    struct err err = history_table_init(&larger, self->slots * 2);
    if (err_is(err)) {
        return err;
    }
    for (uint64_t i = 0; i < self->slots; i++) {
        if (self->entries[i].key != 0) {
            *table_slot(&larger, self->entries[i].key) = self->entries[i];
        }
    }
    larger.used = self->used;
    larger.dropped = self->dropped;
    larger.newest_ns = self->newest_ns;
    history_table_fini(self);
    *self = larger;
    return err_none;
}

/* What is left after a time; time that runs backwards takes nothing away. */
static double fading(int64_t from_ns, int64_t to_ns, double half_life_ns)
{
    double elapsed_ns = (double)to_ns - (double)from_ns;
    return elapsed_ns > 0 ? exp2(-elapsed_ns / half_life_ns) : 1.0;
}

void history_table_learn(struct history_table *self, uint64_t key, bool found, int64_t t_ns,
                         double half_life_ns)
{
    self->newest_ns = t_ns > self->newest_ns ? t_ns : self->newest_ns;
    struct history_entry *entry = table_slot(self, key);
    if (entry->key == 0) {
        if (table_is_full(self)) {
            self->dropped++;
            return;
        }
        *entry = (struct history_entry){.key = key, .last_ns = t_ns};
        self->used++;
    }
    double left = fading(entry->last_ns, t_ns, half_life_ns);
    entry->exams = (float)((double)entry->exams * left + 1.0);
    entry->finds = (float)((double)entry->finds * left + (found ? 1.0 : 0.0));
    entry->last_ns = t_ns > entry->last_ns ? t_ns : entry->last_ns;
    entry->exams_count += entry->exams_count < UINT32_MAX;
    entry->finds_count += found && entry->finds_count < UINT32_MAX;
}

static void add_known(const struct history_table *table, uint64_t key, int64_t now_ns,
                      double half_life_ns, struct history_known *known)
{
    if (table->slots == 0) {
        return;
    }
    const struct history_entry *entry = table_slot(table, key);
    if (entry->key == 0) {
        return;
    }
    double left = fading(entry->last_ns, now_ns, half_life_ns);
    known->exams += (double)entry->exams * left;
    known->finds += (double)entry->finds * left;
    known->exams_count += entry->exams_count;
    known->finds_count += entry->finds_count;
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
    };
    return err_none;
}

void history_fini(struct history *self)
{
    history_table_fini(&self->base);
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

static bool weights_are_sound(const struct history_weights *weights)
{
    bool sound = isfinite(weights->intercept) && weights->shrinkage > 0 &&
                 weights->shrinkage < 1e6 && weights->half_life_days > 0 &&
                 weights->half_life_days < 1e6 && weights->prior > 0 && weights->prior < 1 &&
                 weights->prior_exams > 0 && weights->prior_exams < 1e9;
    for (uint32_t i = 0; i < HISTORY_KINDS; i++) {
        sound = sound && isfinite(weights->coefficients[i]);
    }
    return sound && weights->coefficients[HISTORY_ALL] == 0;
}

static struct err read_weights(const struct model_file *file, struct history_weights *out)
{
    const struct model_array *weights = find_vector(file, "weights", MODEL_F64, 1 + HISTORY_KINDS);
    const struct model_array *constants = find_vector(file, "constants", MODEL_F64, 4);
    const char *version = model_file_text(file, "kinds_version");
    if (weights == NULL || constants == NULL || version == NULL ||
        strcmp(version, HISTORY_KINDS_VERSION) != 0) {
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
    if (!weights_are_sound(&read)) {
        return err_make(ERR_MODEL_UNREADABLE, "history model: weights out of range");
    }
    *out = read;
    return err_none;
}

static bool entry_is_sound(const struct history_entry *entry)
{
    return entry->key != 0 && isfinite(entry->exams) && isfinite(entry->finds) &&
           entry->finds >= 0 && entry->exams >= entry->finds &&
           entry->exams_count >= entry->finds_count;
}

/* The arrays must fit one another; each row is checked, because a wrong count would be a wrong
 * reason for ever. */
static struct err read_counts(const struct model_file *file, struct history_table *out)
{
    const struct model_array *keys = model_file_find(file, "keys", MODEL_U64);
    uint64_t count = keys != NULL && keys->dimensions_count == 1 ? keys->dimensions[0] : 0;
    const struct model_array *exams = find_vector(file, "exams", MODEL_F32, count);
    const struct model_array *finds = find_vector(file, "finds", MODEL_F32, count);
    const struct model_array *last = find_vector(file, "last_ns", MODEL_U64, count);
    const struct model_array *counts = find_vector(file, "counts", MODEL_U64, count);
    if (count == 0 || exams == NULL || finds == NULL || last == NULL || counts == NULL) {
        return err_make(ERR_MODEL_UNREADABLE, "history model: arrays of counts");
    }
    struct history_table table;
    struct err err = history_table_init(&table, count + count / 2);
    if (err_is(err)) {
        return err;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t both = ((const uint64_t *)counts->values)[i];
        struct history_entry entry = {
            .key = ((const uint64_t *)keys->values)[i],
            .last_ns = (int64_t)((const uint64_t *)last->values)[i],
            .exams = ((const float *)exams->values)[i],
            .finds = ((const float *)finds->values)[i],
            .exams_count = (uint32_t)(both >> 32),
            .finds_count = (uint32_t)both,
        };
        struct history_entry *slot = entry_is_sound(&entry) ? table_slot(&table, entry.key) : NULL;
        if (slot == NULL || slot->key != 0) {
            history_table_fini(&table);
            return err_make(ERR_MODEL_UNREADABLE, "history model: a count is wrong or there twice");
        }
        *slot = entry;
        table.used++;
        table.newest_ns = entry.last_ns > table.newest_ns ? entry.last_ns : table.newest_ns;
    }
    *out = table;
    return err_none;
}

MUST_USE struct err history_install(struct history *self, const struct model_file *file)
{
    struct history_weights weights;
    struct err err = read_weights(file, &weights);
    if (err_is(err)) {
        return err;
    }
    struct history_table base;
    err = read_counts(file, &base);
    if (err_is(err)) {
        return err;
    }
    history_table_fini(&self->base);
    self->base = base;
    self->weights = weights;
    self->learnt_until_ns = base.newest_ns;
    return err_none;
}

void history_uninstall(struct history *self)
{
    history_table_fini(&self->base);
    self->base.newest_ns = INT64_MIN;
    self->weights = history_weights_builtin;
    self->learnt_until_ns = INT64_MIN;
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

uint32_t history_keys(const struct declaration *declaration, uint64_t keys[HISTORY_KEYS_MAX])
{
    struct history_parts parts;
    history_parts_of_declaration(declaration, &parts);
    uint32_t lines_count = lines_to_read(declaration);
    uint32_t count = 0;
    for (uint32_t line = 0; line < (lines_count > 0 ? lines_count : 1); line++) {
        if (lines_count > 0) {
            history_parts_add_line(&declaration->lines[line], &parts);
        }
        for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
            uint64_t key = history_key(kind, &parts);
            if (key != 0 && !is_among(keys, count, key)) {
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
    uint32_t count = history_keys(declaration, keys);
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

static void know(const struct history *self, uint64_t key, struct history_known *out)
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
    struct history_parts parts = {{0}};
    struct history_known all;
    know(self, history_key(HISTORY_ALL, &parts), &all);
    return overall_rate(&self->weights, &all);
}

/* Features of one line in the order of kinds: a parent always stands before its children. */
static void read_line(const struct history *self, const struct history_parts *parts,
                      struct history_reading *out)
{
    double logits[HISTORY_KINDS];
    double k = self->weights.shrinkage;
    out->logit = self->weights.intercept;
    for (uint32_t i = 0; i < HISTORY_KINDS; i++) {
        const struct history_kind *kind = &history_kinds[i];
        uint64_t key = history_key(i, parts);
        out->present[i] = key != 0;
        memset(&out->known[i], 0, sizeof out->known[i]);
        if (key != 0) {
            know(self, key, &out->known[i]);
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
    history_parts_of_declaration(declaration, &parts);
    uint32_t lines_count = lines_to_read(declaration);
    if (lines_count == 0) {
        read_line(self, &parts, out);
        out->line_index = 0;
        return;
    }
    for (uint32_t line = 0; line < lines_count; line++) {
        struct history_reading reading;
        history_parts_add_line(&declaration->lines[line], &parts);
        read_line(self, &parts, &reading);
        if (line == 0 || reading.logit > out->logit) {
            *out = reading;
            out->line_index = line;
        }
    }
}
