/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const void *column_of(const struct model_file *file, const char *name, enum model_type type,
                             uint64_t wanted_count)
{
    const struct model_array *array = model_file_find(file, name, type);
    bool fits =
        array != NULL && array->dimensions_count == 1 && array->dimensions[0] == wanted_count;
    return fits ? array->values : NULL;
}

/* 1970 to 2099, as in the tables that are learnt from: a later time would make all else old. */
static const int64_t last_ns_max = INT64_C(4102444800) * 1000000000;

static bool is_sound(const struct history_entry *entry)
{
    return entry->key != 0 && isfinite(entry->exams) && isfinite(entry->finds) &&
           entry->finds >= 0 && entry->exams >= entry->finds &&
           entry->exams_count >= entry->finds_count && entry->last_ns >= 0 &&
           entry->last_ns <= last_ns_max;
}

/* The free slot of a key that is not there; slots when it is more than HISTORY_RUN_MAX away. */
static uint64_t free_slot(const struct history_table *table, uint64_t key)
{
    uint64_t at = history_table_home(table, key);
    for (uint32_t step = 0; step < HISTORY_RUN_MAX; step++) {
        if (table->entries[at].key == 0) {
            return at;
        }
        at = (at + 1) & (table->slots - 1);
    }
    return table->slots;
}

/* Taken slots side by side are what a search for somebody unknown walks: even keys that all lie at
 * home may be too many of these. */
static bool has_long_run(const struct history_table *table)
{
    uint32_t run = 0;
    for (uint64_t i = 0; i < table->slots + HISTORY_RUN_MAX; i++) {
        run = table->entries[i & (table->slots - 1)].key != 0 ? run + 1 : 0;
        if (run > HISTORY_RUN_MAX) {
            return true;
        }
    }
    return false;
}

struct columns {
    const uint64_t *keys;
    const float *exams;
    const float *finds;
    const uint64_t *last;
    const uint64_t *counts;
    const uint64_t *first_days; /* NULL in files of before they were kept */
};

static const struct err keys_meet = {.code = ERR_MODEL_UNREADABLE,
                                     .where = "model: keys that lie on one another"};

static struct err fill(const struct columns *columns, uint64_t count, struct history_table *table)
{
    uint64_t key_before = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct history_entry entry = {
            .key = columns->keys[i],
            .last_ns = (int64_t)columns->last[i],
            .exams = columns->exams[i],
            .finds = columns->finds[i],
            .exams_count = (uint32_t)(columns->counts[i] >> 32),
            .finds_count = (uint32_t)columns->counts[i],
        };
        uint64_t first_day = columns->first_days != NULL ? columns->first_days[i] : 0;
        if (!is_sound(&entry) || entry.key <= key_before || first_day > UINT16_MAX) {
            return err_make(ERR_MODEL_UNREADABLE, "history model: a count is wrong or there twice");
        }
        key_before = entry.key;
        uint64_t at = free_slot(table, entry.key);
        if (at == table->slots) {
            return keys_meet;
        }
        table->entries[at] = entry;
        table->first_days[at] = (uint16_t)first_day;
        table->used++;
        table->newest_ns = entry.last_ns > table->newest_ns ? entry.last_ns : table->newest_ns;
    }
    return has_long_run(table) ? keys_meet : err_none;
}

MUST_USE struct err history_table_read(const struct model_file *file, struct history_table *out)
{
    const struct model_array *keys = model_file_find(file, "keys", MODEL_U64);
    uint64_t count = keys != NULL && keys->dimensions_count == 1 ? keys->dimensions[0] : 0;
    struct columns columns = {
        .keys = keys != NULL ? keys->values : NULL,
        .exams = column_of(file, "exams", MODEL_F32, count),
        .finds = column_of(file, "finds", MODEL_F32, count),
        .last = column_of(file, "last_ns", MODEL_U64, count),
        .counts = column_of(file, "counts", MODEL_U64, count),
        .first_days = column_of(file, "first_days", MODEL_U64, count),
    };
    if (count == 0 || columns.exams == NULL || columns.finds == NULL || columns.last == NULL ||
        columns.counts == NULL) {
        return err_make(ERR_MODEL_UNREADABLE, "history model: arrays of counts");
    }
    struct history_table table;
    struct err err = history_table_init(&table, count + count / 2);
    if (err_is(err)) {
        return err;
    }
    err = fill(&columns, count, &table);
    if (err_is(err)) {
        history_table_fini(&table);
        return err;
    }
    *out = table;
    return err_none;
}

struct row {
    struct history_entry entry;
    uint16_t first_day;
};

static int compare_rows(const void *a, const void *b)
{
    uint64_t first = ((const struct row *)a)->entry.key;
    uint64_t second = ((const struct row *)b)->entry.key;
    return first < second ? -1 : first > second;
}

static struct row *sorted_rows(const struct history_table *table)
{
    struct row *rows = calloc(table->used + 1, sizeof *rows);
    uint64_t copied = 0;
    for (uint64_t i = 0; rows != NULL && i < table->slots; i++) {
        if (table->entries[i].key != 0) {
            rows[copied++] = (struct row){table->entries[i], table->first_days[i]};
        }
    }
    if (rows != NULL) {
        must(copied == table->used);
        qsort(rows, copied, sizeof *rows, compare_rows);
    }
    return rows;
}

static uint64_t word_of(const struct row *row, int column)
{
    switch (column) {
    case 0:
        return row->entry.key;
    case 1:
        return (uint64_t)row->entry.last_ns;
    case 2:
        return (uint64_t)row->entry.exams_count << 32 | row->entry.finds_count;
    default:
        return row->first_day;
    }
}

MUST_USE struct err history_table_write(const struct history_table *self, struct model_file *file)
{
    static const char *const words[] = {"keys", "last_ns", "counts", "first_days"};
    uint64_t count = self->used;
    struct row *rows = sorted_rows(self);
    uint64_t *column = calloc(count + 1, sizeof *column);
    float *reals = calloc(count + 1, sizeof *reals);
    struct err err = rows != NULL && column != NULL && reals != NULL
                         ? err_none
                         : err_make(ERR_MEMORY, "counts of a history model");
    for (int c = 0; c < 4 && !err_is(err); c++) {
        for (uint64_t i = 0; i < count; i++) {
            column[i] = word_of(&rows[i], c);
        }
        err = model_file_add(file, words[c], MODEL_U64, &count, 1, column);
    }
    for (int c = 0; c < 2 && !err_is(err); c++) {
        for (uint64_t i = 0; i < count; i++) {
            reals[i] = c == 0 ? rows[i].entry.exams : rows[i].entry.finds;
        }
        err = model_file_add(file, c == 0 ? "exams" : "finds", MODEL_F32, &count, 1, reals);
    }
    free(rows);
    free(column);
    free(reals);
    return err;
}
