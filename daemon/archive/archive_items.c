/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/metric_set.h"
#include "base/clock.h"
#include "proto/hash.h"

/* Everything here is told by rows that are there already, so that two readers of one file cannot
 * come to two results: an item's row repeats what its scans, decisions, actions and outcomes say,
 * in the way of the read model (daemon/state), and nothing that is not in this file. */

struct err archive_items_add(struct archive_rows *self, const uint8_t item[ITEM_ID_BYTES])
{
    struct archive_table *table = &self->tables[TABLE_ITEMS];
    bool added = false;
    struct err err = id_map_add(&self->items, item, table->rows_count, &added);
    if (err_is(err) || !added) {
        return err;
    }
    archive_put_hex(table, item, ITEM_ID_BYTES);
    archive_put_text(table, ""); /* mode, site, lane */
    archive_put_text(table, "");
    archive_put_text(table, "");
    archive_put_number(table, 0); /* scans, images, declarations */
    archive_put_number(table, 0);
    archive_put_number(table, 0);
    archive_put_time(table, 0);   /* first */
    archive_put_number(table, 0); /* entries of score, decision, outcome */
    archive_put_number(table, 0);
    archive_put_number(table, 0);
    archive_put_time(table, 0);  /* decided */
    archive_put_text(table, ""); /* state, code */
    archive_put_text(table, "");
    archive_put_time(table, 0);   /* claimed */
    archive_put_time(table, 0);   /* closed */
    archive_put_number(table, 0); /* open */
    archive_put_real(table, 0);   /* age */
    archive_put_number(table, 0); /* known until */
    archive_row_end(table);
    return archive_table_err(table);
}

/* The row of the item that a row of another table names; false when it names none. */
static bool items_row(const struct archive_rows *self, const struct archive_table *table,
                      uint64_t row, uint64_t *out)
{
    uint8_t item[ITEM_ID_BYTES];
    const char *text = archive_table_text(table, row, "item");
    return strlen(text) == 2 * (size_t)ITEM_ID_BYTES && hex_decode(text, item, ITEM_ID_BYTES) &&
           id_map_find(&self->items, item, out);
}

static int64_t entry_time(const struct archive_rows *self, uint64_t entry_index)
{
    must(entry_index >= self->first_index && entry_index - self->first_index < self->entries_count);
    return archive_table_signed(&self->tables[TABLE_ENTRIES], entry_index - self->first_index,
                                "t_ns");
}

static void items_count(struct archive_table *items, uint64_t row, const char *column,
                        uint64_t more)
{
    archive_table_set_number(items, row, column, archive_table_number(items, row, column) + more);
}

/* A scan or declaration: where the item was, when it was first heard of, and how many there are. */
static void items_take_records(struct archive_rows *self, enum archive_table_name name)
{
    struct archive_table *items = &self->tables[TABLE_ITEMS];
    const struct archive_table *table = &self->tables[name];
    static const char *const places[] = {"mode", "site", "lane"};
    for (uint64_t i = 0; i < table->rows_count; i++) {
        uint64_t row = 0;
        if (!items_row(self, table, i, &row)) {
            continue;
        }
        int64_t t_ns = entry_time(self, archive_table_number(table, i, "entry_index"));
        int64_t first_ns = archive_table_signed(items, row, "first_ns");
        if (first_ns == 0 || t_ns < first_ns) {
            archive_table_set_time(items, row, "first", t_ns);
        }
        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            if (archive_table_text(items, row, places[p])[0] == '\0') {
                archive_table_set_text(items, row, places[p],
                                       archive_table_text(table, i, places[p]));
            }
        }
        if (name == TABLE_SCANS) {
            items_count(items, row, "scans_count", 1);
            items_count(items, row, "images_count", archive_table_number(table, i, "images_count"));
        } else {
            items_count(items, row, "declarations_count", 1);
        }
    }
}

static void items_take_scores(struct archive_rows *self)
{
    const struct archive_table *scores = &self->tables[TABLE_SCORES];
    for (uint64_t i = 0; i < scores->rows_count; i++) {
        uint64_t row = 0;
        if (items_row(self, scores, i, &row)) {
            archive_table_set_number(&self->tables[TABLE_ITEMS], row, "score_entry_index",
                                     archive_table_number(scores, i, "entry_index"));
        }
    }
}

static void items_take_decisions(struct archive_rows *self)
{
    struct archive_table *items = &self->tables[TABLE_ITEMS];
    const struct archive_table *decisions = &self->tables[TABLE_DECISIONS];
    for (uint64_t i = 0; i < decisions->rows_count; i++) {
        uint64_t row = 0;
        if (!items_row(self, decisions, i, &row)) {
            continue;
        }
        bool refer = strcmp(archive_table_text(decisions, i, "decision"), "refer") == 0;
        archive_table_set_number(items, row, "decision_entry_index",
                                 archive_table_number(decisions, i, "entry_index"));
        archive_table_set_time(items, row, "decided", archive_table_signed(decisions, i, "t_ns"));
        archive_table_set_text(items, row, "state", refer ? "queued" : "not_referred");
        archive_table_set_text(items, row, "mode", archive_table_text(decisions, i, "mode"));
        archive_table_set_text(items, row, "site", archive_table_text(decisions, i, "site"));
        archive_table_set_text(items, row, "lane", archive_table_text(decisions, i, "lane"));
    }
}

bool archive_state_ends(const char *state)
{
    static const char *const ends[] = {"outcome", "waived",   "not_presented",
                                       "expired", "returned", "transferred"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(state, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool archive_state_is_open(const char *state)
{
    return strcmp(state, "queued") == 0 || strcmp(state, "presented") == 0 ||
           strcmp(state, "in_exam") == 0;
}

/* Since the decision, in seconds; -1 when it is not in this file. */
static double items_waited_s(const struct archive_table *items, uint64_t row, int64_t t_ns)
{
    int64_t decided_ns = archive_table_signed(items, row, "decided_ns");
    return decided_ns == 0 ? -1 : (double)(t_ns - decided_ns) / (double)NS_PER_S;
}

static void items_take_actions(struct archive_rows *self)
{
    struct archive_table *items = &self->tables[TABLE_ITEMS];
    struct archive_table *events = &self->tables[TABLE_REFERRAL_EVENTS];
    for (uint64_t i = 0; i < events->rows_count; i++) {
        uint64_t row = 0;
        if (!items_row(self, events, i, &row)) {
            continue;
        }
        const char *state = archive_table_text(events, i, "to_state");
        int64_t t_ns = archive_table_signed(events, i, "t_ns");
        archive_table_set_real(events, i, "waited_s", items_waited_s(items, row, t_ns));
        if (archive_state_ends(state)) {
            archive_table_set_number(events, i, "ends", 1);
            archive_table_set_time(items, row, "closed", t_ns);
            archive_table_set_text(items, row, "code", archive_table_text(events, i, "code"));
            archive_table_set_text(items, row, "state", state);
        } else if (archive_state_is_open(state)) {
            archive_table_set_time(items, row, "claimed", t_ns);
            archive_table_set_text(items, row, "state", state);
        }
    }
}

static void items_take_outcomes(struct archive_rows *self)
{
    struct archive_table *items = &self->tables[TABLE_ITEMS];
    struct archive_table *outcomes = &self->tables[TABLE_OUTCOMES];
    for (uint64_t i = 0; i < outcomes->rows_count; i++) {
        uint64_t row = 0;
        if (!items_row(self, outcomes, i, &row)) {
            continue;
        }
        int64_t t_ns = archive_table_signed(outcomes, i, "t_ns");
        archive_table_set_real(outcomes, i, "waited_s", items_waited_s(items, row, t_ns));
        if (archive_table_number(outcomes, i, "aside") == 0) {
            archive_table_set_number(items, row, "outcome_entry_index",
                                     archive_table_number(outcomes, i, "entry_index"));
        }
        if (archive_table_text(outcomes, i, "again")[0] != '\0') {
            continue; /* the first one ended the referral */
        }
        archive_table_set_time(items, row, "closed", t_ns);
        archive_table_set_text(items, row, "state", "outcome");
        archive_table_set_text(items, row, "code", "");
    }
}

static void items_tell_age(struct archive_rows *self)
{
    struct archive_table *items = &self->tables[TABLE_ITEMS];
    uint64_t last = self->first_index + self->entries_count - 1;
    for (uint64_t row = 0; row < items->rows_count; row++) {
        int64_t closed_ns = archive_table_signed(items, row, "closed_ns");
        int64_t decided_ns = archive_table_signed(items, row, "decided_ns");
        bool open = archive_state_is_open(archive_table_text(items, row, "state"));
        int64_t until_ns = open ? entry_time(self, last) : closed_ns;
        archive_table_set_number(items, row, "open", open);
        archive_table_set_number(items, row, "known_until", last);
        if (decided_ns != 0 && until_ns != 0) {
            archive_table_set_real(items, row, "age_s",
                                   (double)(until_ns - decided_ns) / (double)NS_PER_S);
        }
    }
}

void archive_items_finish(struct archive_rows *self)
{
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        if (err_is(archive_table_err(&self->tables[i]))) {
            return; /* rows are missing; whoever writes the table tells it */
        }
    }
    items_take_records(self, TABLE_SCANS);
    items_take_records(self, TABLE_DECLARATIONS);
    items_take_scores(self);
    items_take_decisions(self);
    items_take_actions(self);
    items_take_outcomes(self);
    items_tell_age(self);
}

/* ---- models ---- */

/* The row of this model; it is added when there is none. Few models, so a search will do. */
static uint64_t models_row(struct archive_rows *self, const char *name,
                           const uint8_t sha256[HASH_BYTES])
{
    struct archive_table *table = &self->tables[TABLE_MODELS];
    char hex[HASH_HEX_BYTES];
    hex_encode(sha256, HASH_BYTES, hex);
    name = name == NULL ? "" : name;
    for (uint64_t row = 0; row < table->rows_count; row++) {
        if (strcmp(archive_table_text(table, row, "name"), name) == 0 &&
            strcmp(archive_table_text(table, row, "sha256"), hex) == 0) {
            return row;
        }
    }
    archive_put_text(table, name);
    archive_put_text(table, hex);
    archive_put_number(table, 0);
    archive_put_time(table, 0);
    archive_put_number(table, 0);
    archive_put_text(table, "");
    archive_put_number(table, 0);
    archive_row_end(table);
    return table->rows_count - 1;
}

void archive_models_add_change(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_model_change *change = &entry->body.model_change;
    struct archive_table *table = &self->tables[TABLE_MODELS];
    if (change->removed) { /* the entry says so; the row tells how it came */
        return;
    }
    uint64_t row = models_row(self, change->name, change->sha256);
    if (err_is(archive_table_err(table))) {
        return;
    }
    archive_table_set_number(table, row, "entry_index", entry->n);
    archive_table_set_time(table, row, "installed", entry->t_ns);
    archive_table_set_number(table, row, "file_bytes", change->file_bytes);
    archive_table_set_text(table, row, "evaluation",
                           change->evaluation == NULL ? "" : change->evaluation);
}

void archive_models_add_score(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    struct archive_table *table = &self->tables[TABLE_MODELS];
    for (uint32_t i = 0; i < score->models_count; i++) {
        uint64_t row = models_row(self, score->models[i].name, score->models[i].sha256);
        if (!err_is(archive_table_err(table))) {
            items_count(table, row, "scores_count", 1);
        }
    }
}

void archive_models_add_shadow(struct archive_rows *self, const struct entry *entry)
{
    const struct entry_shadow_score *shadow = &entry->body.shadow_score;
    struct archive_table *table = &self->tables[TABLE_MODELS];
    char name[160];
    (void)snprintf(name, sizeof name, "%s%.140s", ENTRY_SHADOW_PREFIX,
                   shadow->place == NULL ? "" : shadow->place);
    uint64_t row = models_row(self, name, shadow->sha256);
    if (!err_is(archive_table_err(table))) {
        items_count(table, row, "scores_count", 1);
    }
}

void archive_calibration_add(struct archive_rows *self, const struct entry *entry,
                             uint32_t image_index, const struct image *image)
{
    static const struct image unknown = {.width = 0};
    const struct entry_received *received = &entry->body.received;
    struct archive_table *table = &self->tables[TABLE_CALIBRATION];
    const struct image *told = image == NULL ? &unknown : image;
    archive_put_number(table, entry->n);
    archive_put_number(table, image_index);
    archive_put_hex(table, received->images[image_index].sha256, HASH_BYTES);
    archive_put_text(table, received->scanner);
    archive_put_text(table, received->scanner_type);
    archive_put_time(table, received->acquired_ns);
    archive_put_number(table, image != NULL);
    archive_put_real(table, told->energy_kev);
    archive_put_real(table, told->pixel_pitch_mm);
    archive_put_number(table, told->air_level);
    archive_put_number(table, told->dark_level);
    archive_row_end(table);
}

struct err archive_metrics_add(struct archive_rows *self, const struct metric_set *metrics)
{
    struct archive_table *table = &self->tables[TABLE_METRICS];
    struct metric metric;
    size_t at = 0;
    while (metrics != NULL && metric_set_next(metrics, &at, &metric)) {
        uint8_t sha256[HASH_BYTES];
        char *text = strndup(metric.text, metric.text_bytes);
        if (text == NULL) {
            return err_make(ERR_MEMORY, "archive metrics");
        }
        sha256_of(metric.text, metric.text_bytes, sha256);
        archive_put_text(table, metric.name);
        archive_put_text(table, metric.version);
        archive_put_text(table, metric.definition);
        archive_put_text(table, metric.numerator);
        archive_put_text(table, metric.denominator);
        archive_put_hex(table, sha256, HASH_BYTES);
        archive_put_text(table, text);
        archive_row_end(table);
        free(text);
    }
    return metrics != NULL && at != metrics->bytes_count
               ? err_make(ERR_TABLE_UNREADABLE, "kept metrics")
               : archive_table_err(table);
}
