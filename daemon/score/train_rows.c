/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN_SLOTS UINT64_C(65536)

static const double ns_per_day = 86400e9;
static const int64_t day_ns = INT64_C(86400) * 1000000000;

MUST_USE struct err train_rows_init(struct train_rows *self, uint64_t lines_max,
                                    const uint8_t secret[PART_SECRET_BYTES])
{
    memset(self, 0, sizeof *self);
    if (lines_max != 0 && lines_max < UINT64_C(2) * RECORD_LINES_MAX) {
        return err_make(ERR_ARGUMENT, "train_rows_init: lines_max");
    }
    struct err err = history_init(&self->history, TRAIN_SLOTS);
    if (err_is(err)) {
        return err;
    }
    /* Half an exam: larger ones rank worse on later quarters (MODELS.md). */
    self->history.weights.shrinkage = 0.5;
    self->history.kinds_count = HISTORY_KINDS;
    part_key_init(&self->history.key, secret);
    self->lines_max = lines_max > 0 ? lines_max : TRAIN_LINES_MAX;
    self->retired_until_ns = INT64_MIN;
    self->training_set = sha256_open();
    return err_none;
}

void train_rows_fini(struct train_rows *self)
{
    history_fini(&self->history);
    goods_norms_fini(&self->norms);
    sha256_close(&self->training_set);
    free(self->rows);
    free(self->lines);
    free(self->keys);
    memset(self, 0, sizeof *self);
}

static bool grow(void **array, uint64_t count, size_t element_bytes)
{
    void *larger = realloc(*array, count * element_bytes);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    return true;
}

static struct err reserve(struct train_rows *self, uint32_t lines)
{
    if (self->rows_count == self->rows_capacity) {
        uint64_t capacity = 2 * self->rows_capacity + 4096;
        if (!grow((void **)&self->rows, capacity, sizeof *self->rows)) {
            return err_make(ERR_MEMORY, "rows for training");
        }
        self->rows_capacity = capacity;
    }
    if (self->lines_count + lines > self->lines_capacity) {
        uint64_t capacity = 2 * self->lines_capacity + 4096 + lines;
        if (!grow((void **)&self->lines, capacity, sizeof *self->lines) ||
            !grow((void **)&self->keys, capacity, HISTORY_KINDS * sizeof *self->keys)) {
            return err_make(ERR_MEMORY, "rows for training");
        }
        self->lines_capacity = capacity;
    }
    return err_none;
}

/* What the model depends on, in a form that does not depend on the machine. */
static void digest_row(struct train_rows *self, const struct train_row *row)
{
    uint8_t head[9];
    for (int i = 0; i < 8; i++) {
        head[i] = (uint8_t)((uint64_t)row->outcome.t_ns >> (8 * i));
    }
    head[8] =
        (uint8_t)(row->outcome.found | row->outcome.critical << 1 | row->outcome.validation << 2);
    sha256_add(self->training_set, head, sizeof head);
    if (row->outcome.exam != 0) { /* of a table it is what it was before there were exams */
        uint8_t exam[8];
        for (int i = 0; i < 8; i++) {
            exam[i] = (uint8_t)(row->outcome.exam >> (8 * i));
        }
        sha256_add(self->training_set, exam, sizeof exam);
    }
    for (uint32_t line = 0; line < row->lines_count; line++) {
        uint8_t bytes[HISTORY_KINDS * 8 + (GOODS_QUANTITIES + 1) * 4];
        uint64_t at = row->first_line + line;
        for (uint32_t i = 0; i < HISTORY_KINDS * 8; i++) {
            bytes[i] = (uint8_t)(self->keys[at * HISTORY_KINDS + i / 8] >> (8 * (i % 8)));
        }
        for (uint32_t i = 0; i < (GOODS_QUANTITIES + 1) * 4; i++) {
            uint32_t bits;
            float value = i / 4 < GOODS_QUANTITIES ? self->lines[at].goods.logs[i / 4]
                                                   : self->lines[at].tax_rate;
            value = isnan(value) ? NAN : value;
            memcpy(&bits, &value, sizeof bits);
            bytes[HISTORY_KINDS * 8 + i] = (uint8_t)(bits >> (8 * (i % 4)));
        }
        sha256_add(self->training_set, bytes, sizeof bytes);
    }
}

static int64_t day_of(const struct train_rows *self, uint64_t row)
{
    return self->rows[row].outcome.t_ns / day_ns;
}

/* How many rows, about half, can go without cutting a day in two: a row must not know its day. 0:
 * they are all of one day. */
static uint64_t rows_to_retire(const struct train_rows *self, uint64_t training_count)
{
    uint64_t half = self->rows_count / 2;
    uint64_t gone = half;
    while (gone > 0 && day_of(self, gone - 1) == day_of(self, gone)) {
        gone--;
    }
    if (gone > 0) {
        return gone;
    }
    gone = half;
    while (gone < training_count && day_of(self, gone) == day_of(self, 0)) {
        gone++;
    }
    return gone < training_count ? gone : 0;
}

/* The older half of the rows goes into the histories for good. */
static struct err retire_half(struct train_rows *self, uint64_t training_count)
{
    uint64_t gone = rows_to_retire(self, training_count);
    if (gone == 0) {
        return err_make(ERR_ARGUMENT, "too many rows of one day");
    }
    uint64_t lines_gone = self->rows[gone].first_line;
    struct err err = train_rows_learn(self, 0, gone);
    if (err_is(err)) {
        return err;
    }
    self->retired_until_ns = (day_of(self, gone - 1) + 1) * day_ns;
    self->rows_count -= gone;
    self->lines_count -= lines_gone;
    memmove(self->rows, self->rows + gone, self->rows_count * sizeof *self->rows);
    memmove(self->lines, self->lines + lines_gone, self->lines_count * sizeof *self->lines);
    memmove(self->keys, self->keys + lines_gone * HISTORY_KINDS,
            self->lines_count * HISTORY_KINDS * sizeof *self->keys);
    for (uint64_t i = 0; i < self->rows_count; i++) {
        self->rows[i].first_line -= lines_gone;
    }
    return err_none;
}

static struct err make_room(struct train_rows *self)
{
    if (self->lines_count + RECORD_LINES_MAX <= self->lines_max) {
        return err_none;
    }
    uint64_t training_count = 0;
    struct err err = train_rows_sort(self, &training_count);
    if (!err_is(err) && training_count < self->rows_count / 2) {
        err = err_make(ERR_ARGUMENT, "too many rows for validation");
    }
    return err_is(err) ? err : retire_half(self, training_count);
}

MUST_USE struct err train_rows_add(struct train_rows *self, const struct declaration *declaration,
                                   const struct train_outcome *outcome)
{
    uint32_t given =
        declaration->lines_count < RECORD_LINES_MAX ? declaration->lines_count : RECORD_LINES_MAX;
    uint32_t lines = given > 0 ? given : 1;
    struct err err = make_room(self);
    err = err_is(err) ? err : reserve(self, lines);
    if (!err_is(err) && outcome->t_ns < self->retired_until_ns) {
        err = err_make(ERR_ARGUMENT, "not in the order of time");
    }
    if (err_is(err)) {
        return err;
    }
    struct history_parts parts;
    history_parts_of_declaration(&self->history.key, declaration, &parts);
    struct train_row *row = &self->rows[self->rows_count++];
    *row = (struct train_row){.outcome = *outcome,
                              .first_line = self->lines_count,
                              .lines_count = lines,
                              .order = self->rows_given++};
    if (row->outcome.known_ns < row->outcome.t_ns) {
        row->outcome.known_ns = row->outcome.t_ns;
    }
    for (uint32_t line = 0; line < lines; line++) {
        uint64_t *keys = self->keys + self->lines_count * HISTORY_KINDS;
        if (given > 0) {
            history_parts_add_line(&self->history.key, &declaration->lines[line], &parts);
        }
        for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
            keys[kind] = history_key(kind, &parts);
        }
        line_subject_of(declaration, given > 0 ? &declaration->lines[line] : NULL, NULL,
                        &self->lines[self->lines_count]);
        self->lines_count++;
    }
    digest_row(self, row);
    return err_none;
}

static int compare_rows(const void *a, const void *b)
{
    const struct train_row *first = a;
    const struct train_row *second = b;
    if (first->outcome.validation != second->outcome.validation) {
        return first->outcome.validation ? 1 : -1;
    }
    if (first->outcome.t_ns != second->outcome.t_ns) {
        return first->outcome.t_ns < second->outcome.t_ns ? -1 : 1;
    }
    return first->order < second->order ? -1 : first->order > second->order;
}

/* Lines stay where they are unless rows are to be retired: then they must follow the rows. */
static struct err follow(struct train_rows *self)
{
    struct line_subject *lines = calloc(self->lines_count + 1, sizeof *lines);
    uint64_t *keys = calloc(self->lines_count + 1, HISTORY_KINDS * sizeof *keys);
    if (lines == NULL || keys == NULL) {
        free(lines);
        free(keys);
        return err_make(ERR_MEMORY, "rows for training");
    }
    uint64_t at = 0;
    for (uint64_t i = 0; i < self->rows_count; i++) {
        struct train_row *row = &self->rows[i];
        memcpy(lines + at, self->lines + row->first_line, row->lines_count * sizeof *lines);
        memcpy(keys + at * HISTORY_KINDS, self->keys + row->first_line * HISTORY_KINDS,
               (size_t)row->lines_count * HISTORY_KINDS * sizeof *keys);
        row->first_line = at;
        at += row->lines_count;
    }
    free(self->lines);
    free(self->keys);
    self->lines = lines;
    self->keys = keys;
    self->lines_capacity = self->lines_count + 1;
    return err_none;
}

MUST_USE struct err train_rows_sort(struct train_rows *self, uint64_t *training_count)
{
    bool sorted = true;
    for (uint64_t i = 1; i < self->rows_count; i++) {
        sorted = sorted && compare_rows(&self->rows[i - 1], &self->rows[i]) < 0;
    }
    if (!sorted) {
        qsort(self->rows, self->rows_count, sizeof *self->rows, compare_rows);
        struct err err = follow(self);
        if (err_is(err)) {
            return err;
        }
    }
    uint64_t training = 0;
    while (training < self->rows_count && !self->rows[training].outcome.validation) {
        training++;
    }
    if (training > 0 && training < self->rows_count &&
        self->rows[training].outcome.t_ns < self->rows[training - 1].outcome.t_ns) {
        return err_make(ERR_ARGUMENT, "validation rows are not later than the training rows");
    }
    *training_count = training;
    return err_none;
}

/* An entity counts once for a declaration, in however many lines it stands. */
static bool stood_before(const struct train_rows *self, const struct train_row *row, uint32_t line,
                         uint32_t kind)
{
    uint64_t key = self->keys[(row->first_line + line) * HISTORY_KINDS + kind];
    for (uint32_t i = 0; i < line; i++) {
        if (self->keys[(row->first_line + i) * HISTORY_KINDS + kind] == key) {
            return true;
        }
    }
    return false;
}

static struct err learn_row(struct train_rows *self, struct train_row *row)
{
    double half_life_ns = self->history.weights.half_life_days * ns_per_day;
    struct err err = err_none;
    row->learnt = true;
    for (uint32_t line = 0; line < row->lines_count && !err_is(err); line++) {
        const uint64_t *keys = self->keys + (row->first_line + line) * HISTORY_KINDS;
        err = history_table_reserve(&self->history.live);
        for (uint32_t kind = 0; kind < HISTORY_KINDS && !err_is(err); kind++) {
            if (keys[kind] != 0 && !stood_before(self, row, line, kind)) {
                history_table_learn(&self->history.live, keys[kind], row->outcome.found,
                                    row->outcome.known_ns, half_life_ns);
            }
        }
    }
    return err;
}

MUST_USE struct err train_rows_learn(struct train_rows *self, uint64_t from, uint64_t to)
{
    struct err err = err_none;
    for (uint64_t i = from; i < to && !err_is(err); i++) {
        err = learn_row(self, &self->rows[i]);
    }
    return err;
}

/* When a row's outcome was known; of equal times the rows' order. */
struct known_row {
    int64_t known_ns;
    uint64_t row;
};

static int compare_known(const void *a, const void *b)
{
    const struct known_row *first = a;
    const struct known_row *second = b;
    if (first->known_ns != second->known_ns) {
        return first->known_ns < second->known_ns ? -1 : 1;
    }
    return first->row < second->row ? -1 : first->row > second->row;
}

MUST_USE struct err train_rows_learn_known(struct train_rows *self, uint64_t to, int64_t until_ns)
{
    struct known_row *known = calloc(to + 1, sizeof *known);
    if (known == NULL) {
        return err_make(ERR_MEMORY, "rows for training");
    }
    uint64_t count = 0;
    for (uint64_t i = 0; i < to; i++) {
        if (!self->rows[i].learnt && self->rows[i].outcome.known_ns < until_ns) {
            known[count++] = (struct known_row){self->rows[i].outcome.known_ns, i};
        }
    }
    qsort(known, count, sizeof *known, compare_known);
    struct err err = err_none;
    for (uint64_t i = 0; i < count && !err_is(err); i++) {
        err = learn_row(self, &self->rows[known[i].row]);
    }
    free(known);
    return err;
}

MUST_USE struct err train_rows_norms(struct train_rows *self, uint64_t to)
{
    uint64_t lines = to < self->rows_count ? self->rows[to].first_line : self->lines_count;
    struct goods_values *values = calloc(lines + 1, sizeof *values);
    if (values == NULL) {
        return err_make(ERR_MEMORY, "norms of goods");
    }
    for (uint64_t i = 0; i < lines; i++) {
        values[i] = self->lines[i].goods;
    }
    struct err err = goods_norms_fit(values, lines, &self->norms);
    free(values);
    return err;
}

void train_rows_line_features(const struct train_rows *self, uint64_t row, uint32_t line,
                              float out[LINE_FEATURES])
{
    uint64_t at = self->rows[row].first_line + line;
    struct line_subject subject = self->lines[at];
    subject.keys = self->keys + at * HISTORY_KINDS;
    line_features(&self->history, &self->norms, &subject, out);
}

void train_rows_features(const struct train_rows *self, uint64_t row, float out[LINE_FEATURES])
{
    const struct train_row *given = &self->rows[row];
    double loudest = -INFINITY;
    for (uint32_t line = 0; line < given->lines_count; line++) {
        float features[LINE_FEATURES];
        double loudness = 0;
        train_rows_line_features(self, row, line, features);
        for (uint32_t kind = 1; kind < HISTORY_KINDS && given->lines_count > 1; kind++) {
            loudness += log((double)features[2 * ((size_t)kind - 1)]);
        }
        if (line == 0 || loudness > loudest) {
            loudest = loudness;
            memcpy(out, features, sizeof features);
        }
    }
}
