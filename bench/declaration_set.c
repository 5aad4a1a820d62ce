/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/declaration_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/figure.h"
#include "feeds/declaration_csv.h"

enum { TEXT_BYTES = 1 << 20 };

/* Of the arena, aligned to 8. */
static void *take(struct declaration_set *self, size_t wanted)
{
    size_t bytes = (wanted + 7) / 8 * 8;
    bench_check(bytes <= TEXT_BYTES, "a text of %zu bytes", bytes);
    if (bytes > self->text_left) {
        char **texts = realloc(self->texts, (self->texts_count + 1) * sizeof *texts);
        bench_check(texts != NULL, "no memory");
        self->texts = texts;
        self->text = malloc(TEXT_BYTES);
        bench_check(self->text != NULL, "no memory");
        self->texts[self->texts_count++] = self->text;
        self->text_left = TEXT_BYTES;
    }
    void *taken = self->text;
    self->text += bytes;
    self->text_left -= bytes;
    return taken;
}

static const char *keep(struct declaration_set *self, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = take(self, bytes);
    memcpy(kept, text, bytes);
    return kept;
}

/* Lines move when the arrays grow, and the declarations point at them. */
static void reserve(struct declaration_set *self)
{
    if (self->count < self->capacity) {
        return;
    }
    self->capacity = 2 * self->capacity + 4096;
    self->declarations = realloc(self->declarations, self->capacity * sizeof *self->declarations);
    self->labels = realloc(self->labels, self->capacity * sizeof *self->labels);
    self->lines = realloc(self->lines, self->capacity * sizeof *self->lines);
    bench_check(self->declarations != NULL && self->labels != NULL && self->lines != NULL,
                "no memory for %zu declarations", self->capacity);
    for (size_t i = 0; i < self->count; i++) {
        self->declarations[i].lines = &self->lines[i];
    }
}

static void add_row(struct declaration_set *self, const struct declaration_row *row)
{
    reserve(self);
    struct declaration *declaration = &self->declarations[self->count];
    struct goods_line *line = &self->lines[self->count];
    *declaration = row->declaration;
    *line = row->declaration.lines[0];
    const char **const texts[] = {&declaration->declaration_id,
                                  &declaration->site,
                                  &declaration->lane,
                                  &declaration->importer,
                                  &declaration->seller,
                                  &declaration->declarant,
                                  &declaration->courier,
                                  &declaration->departure_country,
                                  &line->hs_code,
                                  &line->description,
                                  &line->origin_country,
                                  &line->currency,
                                  &line->quantity_unit};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = keep(self, *texts[i]);
    }
    struct field *other = take(self, declaration->other_count * sizeof *other);
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        other[i].name = keep(self, row->declaration.other[i].name);
        other[i].value = keep(self, row->declaration.other[i].value);
    }
    declaration->other = other;
    declaration->keys = NULL;
    declaration->keys_count = 0;
    declaration->lines = line;
    declaration->lines_count = 1;
    self->labels[self->count++] =
        (struct declaration_label){declaration->declared_ns, row->found, row->critical};
}

size_t declaration_set_read(struct declaration_set *self, const char *path)
{
    char error[CSV_ERROR_BYTES] = "";
    struct declaration_csv_conf conf = {.path = path, .site = "bench", .lane = "1"};
    struct declaration_csv *table = NULL;
    struct err err = declaration_csv_open(&conf, &table, error);
    bench_check(!err_is(err), "%s: %s", path, error);
    size_t before = self->count;
    enum csv_step step = CSV_ROW;
    while (step != CSV_END) {
        struct declaration_row row;
        err = declaration_csv_next(table, &row, &step, error);
        bench_check(!err_is(err), "%s: %s", path, error);
        if (step == CSV_ROW && row.labelled && row.problem == NULL) {
            add_row(self, &row);
        }
    }
    declaration_csv_close(&table);
    return self->count - before;
}

static const char *rename_text(struct declaration_set *self, const char *text, unsigned relative)
{
    char renamed[512];
    if (text[0] == '\0') {
        return text;
    }
    (void)snprintf(renamed, sizeof renamed, "%.400s~%u", text, relative);
    return keep(self, renamed);
}

void declaration_set_relate(struct declaration_set *self, size_t index, unsigned relative)
{
    reserve(self);
    struct declaration *relation = &self->declarations[self->count];
    *relation = self->declarations[index];
    self->lines[self->count] = self->lines[index];
    self->labels[self->count] = self->labels[index];
    relation->lines = &self->lines[self->count];
    relation->importer = rename_text(self, relation->importer, relative);
    relation->seller = rename_text(self, relation->seller, relative);
    relation->declarant = rename_text(self, relation->declarant, relative);
    relation->courier = rename_text(self, relation->courier, relative);
    self->count++;
}

void declaration_set_fill(struct declaration_set *self, const struct part_key *key,
                          uint64_t entities, struct history_table *out)
{
    static const double half_life_ns = 730 * 86400e9;
    static uint64_t keys[HISTORY_KEYS_MAX];
    size_t given = self->count;
    /* A table is at most half full when it has been trained. */
    struct err err = history_table_init(out, 2 * entities);
    bench_check(!err_is(err), "no memory for %llu entities", (unsigned long long)entities);
    for (size_t i = 0; out->used < entities; i++) {
        if (i >= self->count) {
            declaration_set_relate(self, i % given, (unsigned)(i / given));
        }
        uint32_t count = history_keys(key, &self->declarations[i], HISTORY_KINDS, keys);
        for (uint32_t k = 0; k < count && out->used < entities; k++) {
            history_table_learn(out, keys[k], self->labels[i].found, self->labels[i].t_ns,
                                half_life_ns);
        }
    }
}

void declaration_set_free(struct declaration_set *self)
{
    for (size_t i = 0; i < self->texts_count; i++) {
        free(self->texts[i]);
    }
    free(self->texts);
    free(self->declarations);
    free(self->labels);
    free(self->lines);
    *self = (struct declaration_set){0};
}
