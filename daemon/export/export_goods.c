/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export_inside.h"

/* Goods are what the public log does not have. Whoever has the log, or the table of items, may know
 * which few rows here are of one item by what both tables say; so chapters and origins are told
 * only where at least k such rows agree, and not all of them do. */

static bool result_is_find(const char *result)
{
    return strcmp(result, "found") == 0 || strcmp(result, "partial") == 0;
}

struct goods {
    struct published *one;
    const char *mode_rate[2];
    const char *cells[2]; /* chapter, origin */
};

static void publish_good(struct publish *self, const struct goods *row)
{
    const struct archive_table *decisions = publish_source(self, TABLE_DECISIONS);
    struct archive_table *to = &self->out->tables[PUBLISHED_GOODS];
    const struct published *one = row->one;
    const char *result = publish_outcome(self, one, "result");
    archive_put_text(to, one->pseudonym);
    archive_put_text(to, row->mode_rate[0]);
    archive_put_text(to, row->cells[0]);
    archive_put_text(to, row->cells[1]);
    archive_put_number(
        to, strcmp(archive_table_text(decisions, one->decision, "decision"), "refer") == 0);
    archive_put_text(to, archive_table_text(decisions, one->decision, "arm"));
    archive_put_real(to, publish_propensity(self, one, row->mode_rate[1]));
    archive_put_number(to, result_is_find(result) || strcmp(result, "nothing_found") == 0);
    archive_put_number(to, result_is_find(result));
    archive_row_end(to);
}

/* Everything that a row of goods shares with one of items, as it is told there. */
static void good_class(struct publish *self, const struct goods *row)
{
    struct published *one = row->one;
    const struct archive_table *decisions = publish_source(self, TABLE_DECISIONS);
    (void)snprintf(one->class, sizeof one->class, "%.11s %.11s %.17g %.24s",
                   archive_table_text(decisions, one->decision, "decision"),
                   archive_table_text(decisions, one->decision, "arm"),
                   publish_propensity(self, one, row->mode_rate[1]),
                   publish_outcome(self, one, "result"));
}

/* Do all rows of the class say the same in this column? Then who knows of one knows it of all. */
static bool class_is_uniform(const char *const *cells, uint64_t count, uint32_t column)
{
    for (uint64_t i = 1; i < count; i++) {
        if (strcmp(cells[2 * i + column], cells[column]) != 0) {
            return false;
        }
    }
    return true;
}

/* Chapters and origins of `count` rows that somebody could tell from items alone to be one of them:
 * pooled among these, and told only where they differ. */
static bool pool_class(const char **cells, uint64_t count, uint64_t k)
{
    const struct export_pool pool = {cells, count, 2, k};
    bool small = false;
    if (!export_pool(&pool, &small)) {
        return false;
    }
    for (uint32_t column = 0; column < 2; column++) {
        bool uniform = class_is_uniform(cells, count, column);
        for (uint64_t i = 0; i < count && uniform; i++) {
            cells[2 * i + column] = EXPORT_POOLED;
        }
    }
    return true;
}

static int compare_classes(const void *a, const void *b)
{
    const struct goods *left = a;
    const struct goods *right = b;
    int difference = strcmp(left->mode_rate[0], right->mode_rate[0]);
    difference = difference != 0 ? difference : strcmp(left->one->class, right->one->class);
    return difference != 0 ? difference : strcmp(left->one->pseudonym, right->one->pseudonym);
}

static int compare_goods(const void *a, const void *b)
{
    const struct goods *left = a;
    const struct goods *right = b;
    return strcmp(left->one->pseudonym, right->one->pseudonym);
}

/* Rows in the order of their classes; cells has room for two texts a row. */
static bool pool_classes(struct goods *rows, uint64_t count, uint64_t k, const char **cells)
{
    qsort(rows, (size_t)count, sizeof *rows, compare_classes);
    uint64_t from = 0;
    for (uint64_t i = 1; i <= count; i++) {
        if (i < count && strcmp(rows[i].mode_rate[0], rows[from].mode_rate[0]) == 0 &&
            strcmp(rows[i].one->class, rows[from].one->class) == 0) {
            continue;
        }
        for (uint64_t r = from; r < i; r++) {
            memcpy(&cells[2 * (r - from)], rows[r].cells, sizeof rows[r].cells);
        }
        if (!pool_class(cells, i - from, k)) {
            return false;
        }
        for (uint64_t r = from; r < i; r++) {
            memcpy(rows[r].cells, &cells[2 * (r - from)], sizeof rows[r].cells);
        }
        from = i;
    }
    qsort(rows, (size_t)count, sizeof *rows, compare_goods);
    return true;
}

/* Modes, and with them the rates that tell them; cells has room for two texts a row. */
static bool pool_modes(struct goods *rows, uint64_t count, uint64_t k, const char **cells,
                       bool *small)
{
    const struct export_pool pool = {cells, count, 2, k};
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&cells[2 * i], rows[i].mode_rate, sizeof rows[i].mode_rate);
    }
    bool good = export_pool(&pool, small);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(rows[i].mode_rate, &cells[2 * i], sizeof rows[i].mode_rate);
    }
    return good;
}

struct err publish_goods(struct publish *self)
{
    uint64_t count = 0;
    bool small = false;
    struct published **order = publish_order(self, "goods", true, &count);
    struct goods *rows = calloc((size_t)count + 1, sizeof *rows);
    const char **cells = calloc((size_t)count * 2 + 1, sizeof(const char *));
    bool good = order != NULL && rows != NULL && cells != NULL;
    for (uint64_t i = 0; good && i < count; i++) {
        rows[i] = (struct goods){
            order[i],
            {archive_table_text(publish_source(self, TABLE_DECISIONS), order[i]->decision, "mode"),
             order[i]->rate},
            {publish_text(order[i]->chapter),
             publish_text(archive_table_text(publish_source(self, TABLE_DECLARATIONS),
                                             order[i]->declaration, "origin_country"))}};
    }
    good = good && pool_modes(rows, count, self->order->k, cells, &small);
    for (uint64_t i = 0; good && i < count; i++) {
        good_class(self, &rows[i]);
    }
    good = good && pool_classes(rows, count, self->order->k, cells);
    self->out->declared_count = count;
    for (uint64_t i = 0; good && !small && i < count; i++) {
        publish_good(self, &rows[i]);
    }
    free(cells);
    free(rows);
    free(order);
    return good ? err_none : err_make(ERR_MEMORY, "publish_goods");
}
