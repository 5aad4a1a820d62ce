/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/declaration_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/declaration_mapping.h"

/* A row of a table is at most CSV_ROW_BYTES_MAX bytes of text, and a mapping may name one column
 * for every field; the batch ends early when there may be no room for one more row. */

enum { ROW_TEXTS = 13 };
#define ROW_TEXT_MAX (((size_t)2 * (ROW_TEXTS + 2 * (size_t)MAPPING_OTHER_MAX) * CSV_ROW_BYTES_MAX))
#define BATCH_TEXT_BYTES (ROW_TEXT_MAX + (size_t)DECLARATION_BATCH_ROWS * 4096)

MUST_USE struct err declaration_batch_open(const char *model_path, struct declaration_batch **out)
{
    struct declaration_batch *self = calloc(1, sizeof *self);
    struct model_file *file = calloc(1, sizeof *file);
    struct err err = err_make(ERR_MEMORY, "declaration_batch_open");
    if (self != NULL && file != NULL) {
        err = history_init(&self->history, 0);
        err = err_is(err) ? err : model_file_read(model_path, NULL, file);
        if (!err_is(err)) {
            const char *kind = model_file_text(file, "kind");
            err = kind != NULL && strcmp(kind, DECLARATION_MODEL_KIND) == 0
                      ? declaration_model_read(file, &self->model)
                      : err_make(ERR_MODEL_UNREADABLE, "model: not of kind declarations");
            err = err_is(err) ? err : declaration_model_counts(file, &self->history);
            model_file_fini(file);
        }
        self->rows = calloc(DECLARATION_BATCH_ROWS, sizeof *self->rows);
        self->risks = calloc(DECLARATION_BATCH_ROWS, sizeof *self->risks);
        self->judgements = calloc(DECLARATION_BATCH_ROWS, sizeof *self->judgements);
        self->text = malloc(BATCH_TEXT_BYTES);
        if (!err_is(err) && (self->rows == NULL || self->risks == NULL ||
                             self->judgements == NULL || self->text == NULL)) {
            err = err_make(ERR_MEMORY, "declaration_batch_open");
        }
    }
    free(file);
    if (err_is(err)) {
        declaration_batch_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void declaration_batch_close(struct declaration_batch **self)
{
    if (*self == NULL) {
        return;
    }
    history_fini(&(*self)->history);
    declaration_model_fini(&(*self)->model);
    free((*self)->rows);
    free((*self)->risks);
    free((*self)->judgements);
    free((*self)->text);
    free(*self);
    *self = NULL;
}

static const char *keep(struct declaration_batch *self, const char *text)
{
    size_t bytes = strlen(text) + 1;
    must(bytes <= BATCH_TEXT_BYTES - self->text_used);
    char *kept = self->text + self->text_used;
    memcpy(kept, text, bytes);
    self->text_used += bytes;
    return kept;
}

static void keep_row(struct declaration_batch *self, const struct declaration_row *given)
{
    struct batch_row *row = &self->rows[self->count++];
    struct declaration *declaration = &row->declaration;
    *declaration = given->declaration;
    const char **const texts[ROW_TEXTS] = {
        &declaration->declaration_id, &declaration->site,
        &declaration->lane,           &declaration->importer,
        &declaration->seller,         &declaration->declarant,
        &declaration->courier,        &declaration->departure_country,
        &row->line.hs_code,           &row->line.description,
        &row->line.origin_country,    &row->line.currency,
        &row->line.quantity_unit};
    must(given->declaration.lines_count == 1);
    row->line = given->declaration.lines[0];
    for (size_t i = 0; i < ROW_TEXTS; i++) {
        *texts[i] = keep(self, *texts[i]);
    }
    declaration->lines = &row->line;
    declaration->keys = NULL;
    declaration->keys_count = 0;
    must(declaration->other_count <= RECORD_FIELDS_MAX);
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        row->other[i].name = keep(self, given->declaration.other[i].name);
        row->other[i].value = keep(self, given->declaration.other[i].value);
    }
    declaration->other = row->other;
    (void)snprintf(row->problem, sizeof row->problem, "%s",
                   given->problem != NULL ? given->problem : "");
    row->labelled = given->labelled;
    row->found = given->found;
    row->critical = given->critical;
}

static void point_at_rows(const struct declaration_batch *self,
                          const struct declaration *declarations[DECLARATION_BATCH_ROWS])
{
    for (uint32_t i = 0; i < self->count; i++) {
        declarations[i] = &self->rows[i].declaration;
    }
}

void declaration_batch_score(struct declaration_batch *self)
{
    const struct declaration *declarations[DECLARATION_BATCH_ROWS];
    point_at_rows(self, declarations);
    declaration_model_score(&self->model, &self->history, declarations, self->count, self->risks,
                            NULL);
}

void declaration_batch_judge(struct declaration_batch *self, uint32_t reasons_max)
{
    const struct declaration *declarations[DECLARATION_BATCH_ROWS];
    point_at_rows(self, declarations);
    declaration_model_judge(&self->model, &self->history, declarations, self->count, reasons_max,
                            self->judgements);
}

MUST_USE struct err declaration_batch_next(struct declaration_batch *self,
                                           struct declaration_csv *table, char *error)
{
    enum csv_step step = CSV_ROW;
    self->count = 0;
    self->text_used = 0;
    while (self->count < DECLARATION_BATCH_ROWS &&
           ROW_TEXT_MAX <= BATCH_TEXT_BYTES - self->text_used) {
        struct declaration_row row;
        struct err err = declaration_csv_next(table, &row, &step, error);
        if (err_is(err)) {
            return err;
        }
        if (step != CSV_ROW) {
            break;
        }
        keep_row(self, &row);
    }
    return err_none;
}
