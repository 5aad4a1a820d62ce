/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export_publication.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export_inside.h"

#define NS_PER_HOUR INT64_C(3600000000000)
#define ITEM_CELLS 4u /* mode, day, rate of the random arm, site */

/* ---- items out of the source ---- */

const struct archive_table *publish_source(const struct publish *self, enum archive_table_name name)
{
    return &self->order->from->tables[name];
}

/* The item that this row speaks of; NULL when it is not among those that were decided. */
struct published *publish_find(const struct publish *self, const struct archive_table *table,
                               uint64_t row)
{
    uint8_t item[ID_MAP_ID_BYTES];
    uint64_t place = 0;
    const char *text = archive_table_text(table, row, "item");
    bool found = strlen(text) == 2 * sizeof item && hex_decode(text, item, sizeof item) &&
                 id_map_find(&self->places, item, &place);
    return found ? &self->items[place] : NULL;
}

const char *publish_text(const char *text)
{
    return text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL ? EXPORT_POOLED : text;
}

static struct err publish_decided(struct publish *self)
{
    const struct archive_table *decisions = publish_source(self, TABLE_DECISIONS);
    self->items = calloc((size_t)decisions->rows_count + 1, sizeof *self->items);
    struct err err = self->items == NULL ? err_make(ERR_MEMORY, "export_publish") : err_none;
    for (uint64_t row = 0; row < decisions->rows_count && !err_is(err); row++) {
        uint8_t item[ID_MAP_ID_BYTES];
        bool added = false;
        const char *text = archive_table_text(decisions, row, "item");
        if (strlen(text) != 2 * sizeof item || !hex_decode(text, item, sizeof item)) {
            continue;
        }
        err = id_map_add(&self->places, item, self->items_count, &added);
        if (!err_is(err) && added) {
            self->items[self->items_count++] = (struct published){.item = text,
                                                                  .outcome = PUBLISH_NONE,
                                                                  .declaration = PUBLISH_NONE,
                                                                  .state = "",
                                                                  .code = "",
                                                                  .seizure_class = ""};
        }
        if (!err_is(err)) {
            struct published *one = publish_find(self, decisions, row);
            one->decision = row;
            (void)snprintf(one->day, sizeof one->day, "%.10s",
                           archive_table_text(decisions, row, "t_utc"));
            (void)snprintf(one->rate, sizeof one->rate, "%.17g",
                           archive_table_real(decisions, row, "random_rate"));
        }
    }
    return err;
}

/* The outcome that stands, the newest declaration and state of each; files come in the order of the
 * log. */
static void publish_gather(struct publish *self)
{
    const struct archive_table *outcomes = publish_source(self, TABLE_OUTCOMES);
    for (uint64_t row = 0; row < outcomes->rows_count; row++) {
        struct published *one = publish_find(self, outcomes, row);
        if (one != NULL && archive_table_number(outcomes, row, "aside") == 0) {
            one->outcome = row;
            one->seizure_class = publish_text(archive_table_text(outcomes, row, "seizure_class"));
        }
    }
    const struct archive_table *declarations = publish_source(self, TABLE_DECLARATIONS);
    for (uint64_t row = 0; row < declarations->rows_count; row++) {
        struct published *one = publish_find(self, declarations, row);
        if (one != NULL && archive_table_number(declarations, row, "body_present") == 1) {
            one->declaration = row;
            (void)snprintf(one->chapter, sizeof one->chapter, "%.2s",
                           archive_table_text(declarations, row, "hs_code"));
        }
    }
    const struct archive_table *items = publish_source(self, TABLE_ITEMS);
    for (uint64_t row = 0; row < items->rows_count; row++) {
        struct published *one = publish_find(self, items, row);
        if (one == NULL || archive_table_text(items, row, "state")[0] == '\0') {
            continue;
        }
        one->state = archive_table_text(items, row, "state");
        one->code = publish_text(archive_table_text(items, row, "code"));
        one->closed_ns = archive_table_signed(items, row, "closed_ns");
    }
}

int publish_compare(const void *a, const void *b)
{
    const struct published *const *left = a;
    const struct published *const *right = b;
    return strcmp((*left)->pseudonym, (*right)->pseudonym);
}

/* The rows of a table in the order of their names under this field; NULL without memory. */
struct published **publish_order(struct publish *self, const char *field, bool declared_only,
                                 uint64_t *count)
{
    struct published **rows = calloc((size_t)self->items_count + 1, sizeof(struct published *));
    *count = 0;
    for (uint64_t i = 0; rows != NULL && i < self->items_count; i++) {
        struct published *one = &self->items[i];
        if (declared_only && one->declaration == PUBLISH_NONE) {
            continue;
        }
        pseudonym_of(self->order->key, field, one->item, one->pseudonym);
        rows[*count] = one;
        *count += 1;
    }
    if (rows != NULL) {
        qsort(rows, (size_t)*count, sizeof(struct published *), publish_compare);
    }
    return rows;
}

/* One attribute by itself, among the rows that have it; fewer than k of them in all are pooled. */
static bool publish_pool_text(struct published **rows, uint64_t count, uint64_t k,
                              size_t member_offset)
{
    const char **cells = calloc((size_t)count + 1, sizeof(const char *));
    uint64_t used = 0;
    bool small = false;
    for (uint64_t i = 0; cells != NULL && i < count; i++) {
        const char *text = *(const char **)((char *)rows[i] + member_offset);
        if (text[0] != '\0') {
            cells[used++] = text;
        }
    }
    const struct export_pool pool = {cells, used, 1, k};
    bool good = cells != NULL && export_pool(&pool, &small);
    used = 0;
    for (uint64_t i = 0; good && i < count; i++) {
        const char **text = (const char **)((char *)rows[i] + member_offset);
        if ((*text)[0] != '\0') {
            *text = cells[used++];
        }
    }
    free(cells);
    return good;
}

/* ---- the tables of the copy ---- */

const char *publish_outcome(const struct publish *self, const struct published *one,
                            const char *column)
{
    return one->outcome == PUBLISH_NONE
               ? ""
               : archive_table_text(publish_source(self, TABLE_OUTCOMES), one->outcome, column);
}

static bool rate_is_told(const char *rate)
{
    return strcmp(rate, EXPORT_POOLED) != 0;
}

double publish_propensity(const struct publish *self, const struct published *one, const char *rate)
{
    const struct archive_table *decisions = publish_source(self, TABLE_DECISIONS);
    double propensity = archive_table_real(decisions, one->decision, "propensity");
    const char *arm = archive_table_text(decisions, one->decision, "arm");
    /* Target and cautious referrals are certain. In the random arm certainty is a rate of 1. */
    bool certain = propensity >= 1 && strcmp(arm, "random") != 0;
    return certain || rate_is_told(rate) ? propensity : (double)NAN;
}

static double waited_h(const struct publish *self, const struct published *one)
{
    int64_t decided_ns =
        archive_table_signed(publish_source(self, TABLE_DECISIONS), one->decision, "t_ns");
    return one->closed_ns == 0 ? -1 : floor((double)(one->closed_ns - decided_ns) / NS_PER_HOUR);
}

static void publish_item(struct publish *self, const struct published *one,
                         const char *const cells[ITEM_CELLS])
{
    const struct archive_table *decisions = publish_source(self, TABLE_DECISIONS);
    struct archive_table *to = &self->out->tables[PUBLISHED_ITEMS];
    archive_put_text(to, one->pseudonym);
    archive_put_text(to, cells[0]);
    archive_put_text(to, cells[1]);
    archive_put_text(to, cells[3]);
    archive_put_text(to, archive_table_text(decisions, one->decision, "decision"));
    archive_put_text(to, archive_table_text(decisions, one->decision, "arm"));
    archive_put_real(to, publish_propensity(self, one, cells[2]));
    archive_put_real(to, rate_is_told(cells[2])
                             ? archive_table_real(decisions, one->decision, "random_rate")
                             : (double)NAN);
    archive_put_real(to, round(archive_table_real(decisions, one->decision, "probability") * 100) /
                             100);
    archive_put_text(to, one->state);
    archive_put_text(to, one->code);
    archive_put_text(to, publish_outcome(self, one, "exam_level"));
    archive_put_text(to, publish_outcome(self, one, "result"));
    archive_put_text(to, one->seizure_class);
    archive_put_real(to, waited_h(self, one));
    archive_row_end(to);
}

static struct err publish_items(struct publish *self)
{
    const struct archive_table *decisions = publish_source(self, TABLE_DECISIONS);
    uint64_t count = 0;
    bool small = false;
    struct published **rows = publish_order(self, "item", false, &count);
    const char **cells = calloc((size_t)count * ITEM_CELLS + 1, sizeof(const char *));
    bool good = rows != NULL && cells != NULL;
    for (uint64_t i = 0; good && i < count; i++) {
        const char **row = &cells[ITEM_CELLS * i];
        row[0] = archive_table_text(decisions, rows[i]->decision, "mode");
        row[1] = rows[i]->day;
        row[2] = rows[i]->rate;
        row[3] = publish_text(archive_table_text(decisions, rows[i]->decision, "site"));
    }
    const struct export_pool pool = {cells, count, ITEM_CELLS, self->order->k};
    good =
        good && export_pool(&pool, &small) &&
        publish_pool_text(rows, count, self->order->k, offsetof(struct published, code)) &&
        publish_pool_text(rows, count, self->order->k, offsetof(struct published, seizure_class));
    self->out->decided_count = count;
    for (uint64_t i = 0; good && !small && i < count; i++) {
        publish_item(self, rows[i], &cells[ITEM_CELLS * i]);
    }
    free(cells);
    free(rows);
    return good ? err_none : err_make(ERR_MEMORY, "publish_items");
}

/* Rows of small tables of the source, each different one once, in the order of the source. */
static void publish_repeat(struct publish *self, enum archive_table_name from,
                           enum published_name name)
{
    const struct archive_table *table = publish_source(self, from);
    struct archive_table *to = &self->out->tables[name];
    for (uint64_t row = 0; row < table->rows_count; row++) {
        const char *sha256 = archive_table_text(table, row, "sha256");
        const char *text = archive_table_text(table, row, "name");
        bool there = false;
        for (uint64_t i = 0; i < to->rows_count && !there; i++) {
            there = strcmp(archive_table_text(to, i, "sha256"), sha256) == 0 &&
                    strcmp(archive_table_text(to, i, "name"), text) == 0;
        }
        if (there) {
            continue;
        }
        for (uint32_t c = 0; c < to->spec->columns_count; c++) {
            archive_put_text(to, archive_table_text(table, row, to->spec->columns[c].name));
        }
        archive_row_end(to);
    }
}

/* ---- whole ---- */

struct err export_publish(const struct export_publication *self, struct export_published *out)
{
    must(self->k >= EXPORT_K_MIN);
    struct publish work = {.order = self, .out = out};
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < PUBLISHED_COUNT; i++) {
        archive_table_init(&out->tables[i], &export_published_tables[i]);
    }
    id_map_init(&work.places);
    struct err err = publish_decided(&work);
    if (!err_is(err)) {
        publish_gather(&work);
        err = publish_items(&work);
    }
    if (!err_is(err)) {
        err = publish_goods(&work);
    }
    if (!err_is(err)) {
        publish_repeat(&work, TABLE_MODELS, PUBLISHED_MODELS);
        publish_repeat(&work, TABLE_METRICS, PUBLISHED_METRICS);
    }
    if (!err_is(err) && self->images && out->tables[PUBLISHED_ITEMS].rows_count > 0) {
        err = publish_images(&work);
    }
    for (uint32_t i = 0; i < PUBLISHED_COUNT && !err_is(err); i++) {
        err = archive_table_err(&out->tables[i]);
    }
    id_map_fini(&work.places);
    free(work.items);
    if (err_is(err)) {
        export_published_fini(out);
    }
    return err;
}

void export_published_fini(struct export_published *self)
{
    for (uint32_t i = 0; i < PUBLISHED_COUNT; i++) {
        archive_table_fini(&self->tables[i]);
    }
    free(self->images);
    memset(self, 0, sizeof *self);
}

struct err export_published_source(struct export_published *self, uint64_t seal_entry,
                                   const char *path, uint64_t file_bytes, const char *sha256)
{
    struct archive_table *to = &self->tables[PUBLISHED_SOURCES];
    archive_put_number(to, seal_entry);
    archive_put_text(to, path);
    archive_put_number(to, file_bytes);
    archive_put_text(to, sha256);
    archive_row_end(to);
    return archive_table_err(to);
}
