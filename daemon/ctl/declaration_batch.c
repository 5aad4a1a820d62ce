/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/declaration_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

MUST_USE struct err declaration_batch_open(const char *model_path, struct declaration_batch **out)
{
    struct declaration_batch *self = calloc(1, sizeof *self);
    struct model_file *file = NULL;
    struct err err = err_make(ERR_MEMORY, "declaration_batch_open");
    if (self != NULL) {
        err = history_init(&self->history, 0);
        err = err_is(err) ? err : model_file_open(model_path, NULL, &file);
        if (!err_is(err)) {
            const char *kind = model_file_text(file, "kind");
            err = kind != NULL && strcmp(kind, DECLARATION_MODEL_KIND) == 0
                      ? declaration_model_read(file, &self->model)
                      : err_make(ERR_MODEL_UNREADABLE, "model: not of kind declarations");
            err = err_is(err) ? err : declaration_model_counts(file, &self->history);
        }
        model_file_close(&file);
        self->rows = calloc(DECLARATION_BATCH_ROWS, sizeof *self->rows);
        self->risks = calloc(DECLARATION_BATCH_ROWS, sizeof *self->risks);
        self->judgements = calloc(DECLARATION_BATCH_ROWS, sizeof *self->judgements);
        self->lines = calloc(BATCH_LINES, sizeof *self->lines);
        if (!err_is(err) && (self->rows == NULL || self->risks == NULL ||
                             self->judgements == NULL || self->lines == NULL)) {
            err = err_make(ERR_MEMORY, "declaration_batch_open");
        }
    }
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
    free((*self)->lines);
    text_keep_fini(&(*self)->texts);
    free(*self);
    *self = NULL;
}

static void keep_line(struct declaration_batch *self, const struct goods_line *given)
{
    struct goods_line *line = &self->lines[self->lines_count++];
    *line = *given;
    line->hs_code = text_keep_add(&self->texts, given->hs_code);
    line->description = text_keep_add(&self->texts, given->description);
    line->origin_country = text_keep_add(&self->texts, given->origin_country);
    line->currency = text_keep_add(&self->texts, given->currency);
    line->quantity_unit = text_keep_add(&self->texts, given->quantity_unit);
}

static void keep_row(struct declaration_batch *self, const struct declaration_row *given)
{
    struct batch_row *row = &self->rows[self->count++];
    struct declaration *declaration = &row->declaration;
    *declaration = given->declaration;
    const char **const texts[] = {&declaration->declaration_id, &declaration->site,
                                  &declaration->lane,           &declaration->importer,
                                  &declaration->seller,         &declaration->declarant,
                                  &declaration->courier,        &declaration->departure_country};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = text_keep_add(&self->texts, *texts[i]);
    }
    declaration->lines = self->lines + self->lines_count;
    must(declaration->lines_count <= BATCH_LINES - self->lines_count);
    for (uint32_t i = 0; i < declaration->lines_count; i++) {
        keep_line(self, &given->declaration.lines[i]);
    }
    declaration->keys = NULL;
    declaration->keys_count = 0;
    must(declaration->other_count <= RECORD_FIELDS_MAX);
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        row->other[i].name = text_keep_add(&self->texts, given->declaration.other[i].name);
        row->other[i].value = text_keep_add(&self->texts, given->declaration.other[i].value);
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
                                           struct declaration_group *table, char *error)
{
    enum csv_step step = CSV_ROW;
    self->count = 0;
    self->lines_count = 0;
    text_keep_forget(&self->texts);
    while (self->count < DECLARATION_BATCH_ROWS &&
           self->lines_count + RECORD_LINES_MAX <= BATCH_LINES) {
        struct declaration_row row;
        struct err err = declaration_group_next(table, &row, &step, error);
        if (err_is(err)) {
            return err;
        }
        if (step != CSV_ROW) {
            break;
        }
        keep_row(self, &row);
        if (self->texts.no_memory) {
            (void)snprintf(error, CSV_ERROR_BYTES, "no memory");
            return err_make(ERR_MEMORY, "declaration_batch_next");
        }
    }
    return err_none;
}
