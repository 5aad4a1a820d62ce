/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/declaration_group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/progress.h"
#include "ctl/text_keep.h"

/* A group ends where the next row has another id, so one row more is always read: it stays in the
 * table's own memory until it is asked for. */

enum { PROBLEM_BYTES = 256, ID_BYTES = 256, ROWS_BETWEEN = 256 };

struct declaration_group {
    struct declaration_csv *table;
    bool lines;
    bool has_next; /* `next` has been read and not been given out */
    struct declaration_row next;
    enum csv_step next_step;
    uint64_t rows;
    uint64_t repeats;
    uint64_t faulty;
    char id[ID_BYTES]; /* of the row before, cut */
    struct text_keep texts;
    struct goods_line goods[RECORD_LINES_MAX];
    struct field other[RECORD_FIELDS_MAX];
    char problem[PROBLEM_BYTES];
};

MUST_USE struct err declaration_group_open(const struct declaration_csv_conf *conf, bool lines,
                                           struct declaration_group **out, char *error)
{
    struct declaration_group *self = calloc(1, sizeof *self);
    if (self == NULL) {
        (void)snprintf(error, CSV_ERROR_BYTES, "no memory");
        return err_make(ERR_MEMORY, "declaration_group_open");
    }
    self->lines = lines;
    struct err err = declaration_csv_open(conf, &self->table, error);
    if (err_is(err)) {
        declaration_group_close(&self);
        return err;
    }
    const char *missing = declaration_csv_missing(self->table);
    if (missing[0] != '\0') {
        (void)fprintf(stderr, "%s: no column %s: taken for empty in every row\n", conf->path,
                      missing);
    }
    *out = self;
    return err_none;
}

void declaration_group_close(struct declaration_group **self)
{
    if (*self == NULL) {
        return;
    }
    declaration_csv_close(&(*self)->table);
    text_keep_fini(&(*self)->texts);
    free(*self);
    *self = NULL;
}

bool declaration_group_is_dated(const struct declaration_group *self)
{
    return declaration_csv_is_dated(self->table);
}

uint64_t declaration_group_repeats(const struct declaration_group *self)
{
    return self->repeats;
}

uint64_t declaration_group_faulty(const struct declaration_group *self)
{
    return self->faulty;
}

void declaration_group_tell(const struct declaration_group *self, const char *path)
{
    if (!self->lines && self->repeats > 0) {
        (void)fprintf(stderr,
                      "%s: %" PRIu64 " rows have the declaration id of the row before; each is"
                      " taken for a declaration of its own (--lines takes them for lines of one)\n",
                      path, self->repeats);
    }
}

/* The next row of the table into `next`. */
static struct err read_row(struct declaration_group *self, char *error)
{
    struct err err = declaration_csv_next(self->table, &self->next, &self->next_step, error);
    if (err_is(err) || self->next_step != CSV_ROW) {
        return err;
    }
    uint64_t all = declaration_csv_bytes(self->table);
    if (self->rows++ % ROWS_BETWEEN == 0 || self->next.end_offset >= all) {
        progress_show("bytes of the table", self->next.end_offset, all);
    }
    self->faulty += self->next.problem != NULL;
    const char *id = self->next.declaration.declaration_id;
    if (id[0] != '\0' && strlen(id) < sizeof self->id && strcmp(id, self->id) == 0) {
        self->repeats++;
    }
    (void)snprintf(self->id, sizeof self->id, "%s", id);
    self->has_next = true;
    return err_none;
}

static void keep_line(struct declaration_group *self, const struct goods_line *given,
                      uint32_t index)
{
    struct goods_line *line = &self->goods[index];
    *line = *given;
    line->hs_code = text_keep_add(&self->texts, given->hs_code);
    line->description = text_keep_add(&self->texts, given->description);
    line->origin_country = text_keep_add(&self->texts, given->origin_country);
    line->currency = text_keep_add(&self->texts, given->currency);
    line->quantity_unit = text_keep_add(&self->texts, given->quantity_unit);
}

/* What is said of the whole: from the first row. */
static void keep_first(struct declaration_group *self, struct declaration_row *out)
{
    struct declaration *declaration = &out->declaration;
    const char **const texts[] = {&declaration->declaration_id, &declaration->site,
                                  &declaration->lane,           &declaration->importer,
                                  &declaration->seller,         &declaration->declarant,
                                  &declaration->courier,        &declaration->departure_country};
    *out = self->next;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = text_keep_add(&self->texts, *texts[i]);
    }
    must(declaration->other_count <= RECORD_FIELDS_MAX);
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        self->other[i].name = text_keep_add(&self->texts, declaration->other[i].name);
        self->other[i].value = text_keep_add(&self->texts, declaration->other[i].value);
    }
    declaration->other = self->other;
    declaration->keys = NULL;
    declaration->keys_count = 0;
    declaration->lines = self->goods;
    declaration->lines_count = 0;
}

static void note(struct declaration_group *self, const char *problem)
{
    if (problem != NULL && self->problem[0] == '\0') {
        (void)snprintf(self->problem, sizeof self->problem, "%s", problem);
    }
}

/* Found when one line says so; nothing found only when every line does. */
static void add_label(struct declaration_row *out, const struct declaration_row *row)
{
    out->found = out->found || (row->labelled && row->found);
    out->critical = out->critical || (row->labelled && row->critical);
    out->labelled = out->labelled && row->labelled;
}

static bool is_next_of(const struct declaration_group *self, const char *id)
{
    return self->next_step == CSV_ROW && id[0] != '\0' &&
           strcmp(self->next.declaration.declaration_id, id) == 0;
}

static struct err gather(struct declaration_group *self, struct declaration_row *out, char *error)
{
    struct err err = err_none;
    text_keep_forget(&self->texts);
    self->problem[0] = '\0';
    keep_first(self, out);
    out->found = out->labelled && out->found;
    out->critical = out->labelled && out->critical;
    do {
        must(self->next.declaration.lines_count == 1);
        if (out->declaration.lines_count < RECORD_LINES_MAX) {
            keep_line(self, &self->next.declaration.lines[0], out->declaration.lines_count++);
            note(self, self->next.problem);
        } else {
            note(self, "more lines than a declaration may have");
        }
        add_label(out, &self->next);
        out->end_offset = self->next.end_offset;
        out->end_line = self->next.end_line;
        self->has_next = false;
        err = read_row(self, error);
    } while (!err_is(err) && is_next_of(self, out->declaration.declaration_id));
    out->labelled = out->labelled || out->found;
    out->problem = self->problem[0] != '\0' ? self->problem : NULL;
    if (!err_is(err) && self->texts.no_memory) {
        (void)snprintf(error, CSV_ERROR_BYTES, "no memory");
        err = err_make(ERR_MEMORY, "declaration_group_next");
    }
    return err;
}

MUST_USE struct err declaration_group_next(struct declaration_group *self,
                                           struct declaration_row *out, enum csv_step *step,
                                           char *error)
{
    if (!self->has_next) {
        struct err err = read_row(self, error);
        if (err_is(err)) {
            return err;
        }
    }
    *step = self->next_step;
    if (self->next_step != CSV_ROW) {
        return err_none;
    }
    if (!self->lines) {
        *out = self->next;
        self->has_next = false;
        return err_none;
    }
    return gather(self, out, error);
}
