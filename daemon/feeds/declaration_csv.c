/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/declaration_csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "feeds/declaration_mapping.h"
#include "proto/arena.h"

/* Text of a row is copied only where a prefix is added: everything else points into the table's
 * row, which lives as long as the row we give out. */

#define ROW_TEXT_BYTES 16384u

struct declaration_csv {
    struct csv_table *table;
    struct declaration_mapping *mapping;
    const struct csv_row *row;
    char *site;
    char *lane;
    enum mode mode;
    struct item_key keys[RECORD_KEYS_MAX];
    struct field other[MAPPING_OTHER_MAX];
    struct goods_line line;
    struct arena arena;
    uint8_t arena_bytes[ROW_TEXT_BYTES];
    char problem[256];
    uint32_t problem_column;
    char missing[MAPPING_MISSING_BYTES];
};

static void note_problem(struct declaration_csv *self, const struct mapping_source *source,
                         const char *what, const char *value)
{
    if (self->problem[0] != '\0') {
        return; /* the first one is the one to mend */
    }
    (void)snprintf(self->problem, sizeof self->problem, "%.64s: %.80s%s%.60s", source->column, what,
                   value[0] != '\0' ? ": " : "", value);
    self->problem_column = source->column_index >= 0 ? (uint32_t)source->column_index + 1 : 0;
}

static const char *cell(const struct declaration_csv *self, int32_t column_index)
{
    return column_index >= 0 && (uint32_t)column_index < self->row->fields_count
               ? self->row->fields[column_index]
               : "";
}

static const char *translated(struct declaration_csv *self, const struct mapping_source *source,
                              const char *value)
{
    if (source->codes_count == 0 || value[0] == '\0') {
        return value;
    }
    for (uint32_t i = 0; i < source->codes_count; i++) {
        if (strcmp(source->codes[i].from, value) == 0) {
            return source->codes[i].to;
        }
    }
    if (source->unlisted[0] == '\0') {
        note_problem(self, source, "code is not in the mapping", value);
    }
    return source->unlisted;
}

static const char *text_of(struct declaration_csv *self, const struct mapping_source *source)
{
    if (source->constant[0] != '\0') {
        return source->constant;
    }
    const char *value = translated(self, source, cell(self, source->column_index));
    if (source->prefix[0] == '\0' || value[0] == '\0') {
        return value;
    }
    size_t bytes = strlen(source->prefix) + strlen(value) + 1;
    char *whole = arena_take(&self->arena, bytes);
    if (whole == NULL) {
        note_problem(self, source, "row has too much text", "");
        return "";
    }
    (void)snprintf(whole, bytes, "%s%s", source->prefix, value);
    return whole;
}

static double number_of(struct declaration_csv *self, const struct mapping_source *source)
{
    const char *text = text_of(self, source);
    if (text[0] == '\0') {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(number)) {
        note_problem(self, source, "not a number", text);
        return 0;
    }
    number *= source->scale;
    if (number < 0) {
        note_problem(self, source, "negative", text);
        return 0;
    }
    return number;
}

static int64_t time_of(struct declaration_csv *self, const struct mapping_source *source)
{
    const char *text = text_of(self, source);
    struct tm parts = {0};
    const char *end =
        strptime(text, source->format[0] != '\0' ? source->format : "%Y-%m-%d", &parts);
    if (end == NULL || *end != '\0') {
        note_problem(self, source,
                     text[0] != '\0' ? "not a date of the mapping's format" : "no date", text);
        return 0;
    }
    int day = parts.tm_mday;
    time_t seconds = timegm(&parts); /* dates without a zone are taken as UTC */
    if (parts.tm_mday != day) { /* timegm makes the second of March of the thirtieth of February */
        note_problem(self, source, "there is no such day", text);
        return 0;
    }
    if (seconds < 0 || seconds > INT64_C(4102444800)) {
        note_problem(self, source, "date outside 1970 to 2099", text);
        return 0;
    }
    return (int64_t)seconds * NS_PER_S;
}

static bool truth_of(struct declaration_csv *self, const struct mapping_source *source)
{
    const char *text = text_of(self, source);
    if (strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 ||
        strcasecmp(text, "y") == 0) {
        return true;
    }
    if (text[0] != '\0' && strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0 &&
        strcasecmp(text, "no") != 0 && strcasecmp(text, "n") != 0) {
        note_problem(self, source, "neither yes nor no", text);
    }
    return false;
}

static void fill_line(struct declaration_csv *self)
{
    const struct mapping_source *fields = self->mapping->fields;
    self->line =
        (struct goods_line){.hs_code = text_of(self, &fields[MAPPING_HS_CODE]),
                            .description = text_of(self, &fields[MAPPING_DESCRIPTION]),
                            .origin_country = text_of(self, &fields[MAPPING_ORIGIN_COUNTRY]),
                            .net_mass_kg = number_of(self, &fields[MAPPING_NET_MASS_KG]),
                            .value = number_of(self, &fields[MAPPING_VALUE]),
                            .currency = text_of(self, &fields[MAPPING_CURRENCY]),
                            .quantity = number_of(self, &fields[MAPPING_QUANTITY]),
                            .quantity_unit = text_of(self, &fields[MAPPING_QUANTITY_UNIT]),
                            .tax_rate_percent = number_of(self, &fields[MAPPING_TAX_RATE_PERCENT])};
}

static uint32_t fill_keys(struct declaration_csv *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->mapping->keys_count; i++) {
        const char *value = text_of(self, &self->mapping->keys[i].source);
        if (value[0] != '\0') {
            self->keys[count++] =
                (struct item_key){key_scheme_parse(self->mapping->keys[i].name), value};
        }
    }
    return count;
}

static uint32_t fill_other(struct declaration_csv *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->mapping->other_count; i++) {
        const char *value = text_of(self, &self->mapping->other[i].source);
        if (value[0] != '\0') {
            self->other[count++] = (struct field){self->mapping->other[i].name, value};
        }
    }
    return count;
}

static enum mode mode_of(struct declaration_csv *self)
{
    const struct mapping_source *source = &self->mapping->fields[MAPPING_MODE];
    const char *text = text_of(self, source);
    enum mode mode = text[0] != '\0' ? mode_parse(text) : self->mode;
    if (mode == MODE_UNKNOWN) {
        note_problem(self, source, "mode is none of truck, passenger, rail, sea, air, mail", text);
    }
    return mode;
}

static const char *or_default(const char *text, const char *otherwise)
{
    return text[0] != '\0' ? text : otherwise;
}

static void fill(struct declaration_csv *self, struct declaration *out)
{
    const struct mapping_source *fields = self->mapping->fields;
    const struct mapping_source *declared = &fields[MAPPING_DECLARED];
    *out = (struct declaration){.declaration_id = text_of(self, &fields[MAPPING_DECLARATION_ID])};
    if (out->declaration_id[0] == '\0') {
        note_problem(self, &fields[MAPPING_DECLARATION_ID], "no declaration id", "");
    }
    out->mode = mode_of(self);
    out->site = or_default(text_of(self, &fields[MAPPING_SITE]), self->site);
    out->lane = or_default(text_of(self, &fields[MAPPING_LANE]), self->lane);
    out->declared_ns = declared->column_index >= 0 ? time_of(self, declared) : clock_utc_ns();
    fill_line(self);
    out->lines = &self->line;
    out->lines_count = 1;
    out->keys = self->keys;
    out->keys_count = fill_keys(self);
    out->importer = text_of(self, &fields[MAPPING_IMPORTER]);
    out->seller = text_of(self, &fields[MAPPING_SELLER]);
    out->declarant = text_of(self, &fields[MAPPING_DECLARANT]);
    out->courier = text_of(self, &fields[MAPPING_COURIER]);
    out->departure_country = text_of(self, &fields[MAPPING_DEPARTURE_COUNTRY]);
    out->declared_empty = truth_of(self, &fields[MAPPING_DECLARED_EMPTY]);
    out->gross_mass_kg = number_of(self, &fields[MAPPING_GROSS_MASS_KG]);
    out->other = self->other;
    out->other_count = fill_other(self);
    out->raw_format = self->mapping->format;
}

/* A label counts as given when the table has the column and the row fills it with a number. */
static bool read_label(const struct declaration_csv *self, const struct mapping_label *label,
                       bool *known)
{
    const char *text = cell(self, label->column_index);
    char *end = NULL;
    double number = strtod(text, &end);
    *known = end != text && *end == '\0' && isfinite(number);
    return *known && number >= label->at_least;
}

struct err declaration_csv_next(struct declaration_csv *self, struct declaration_row *out,
                                enum csv_step *step, char *error)
{
    struct csv_row row;
    struct err err = csv_table_next(self->table, &row, step, error);
    if (err_is(err) || *step != CSV_ROW) {
        return err;
    }
    uint32_t columns_count;
    (void)csv_table_columns(self->table, &columns_count);
    self->row = &row;
    self->problem[0] = '\0';
    self->problem_column = 0;
    arena_reset(&self->arena);
    *out = (struct declaration_row){
        .line = row.line, .end_offset = row.end_offset, .end_line = row.end_line};
    fill(self, &out->declaration);
    if (row.fields_count !=
        columns_count) { /* worse than any single field: everything may be shifted */
        (void)snprintf(self->problem, sizeof self->problem, "%u fields instead of %u",
                       row.fields_count, columns_count);
        self->problem_column = 0;
    }
    bool critical_known = false;
    out->found = read_label(self, &self->mapping->found, &out->labelled);
    out->critical = read_label(self, &self->mapping->critical, &critical_known);
    out->problem = self->problem[0] != '\0' ? self->problem : NULL;
    out->column = self->problem_column;
    self->row = NULL;
    return err_none;
}

static struct err open_parts(struct declaration_csv *self, const struct declaration_csv_conf *conf,
                             char *error)
{
    struct err err = declaration_mapping_open(conf->mapping_path, &self->mapping, error);
    if (err_is(err)) {
        return err;
    }
    err = csv_table_open(conf->path, self->mapping->delimiter, conf->follow, &self->table, error);
    if (err_is(err)) {
        return err;
    }
    uint32_t columns_count;
    char *const *columns = csv_table_columns(self->table, &columns_count);
    err = declaration_mapping_bind(self->mapping, columns, columns_count,
                                   conf->lenient ? self->missing : NULL, error);
    if (conf->blind) {
        self->mapping->found.column_index = -1;
        self->mapping->critical.column_index = -1;
    }
    self->site = strdup(conf->site);
    self->lane = strdup(conf->lane);
    if (!err_is(err) && (self->site == NULL || self->lane == NULL)) {
        err = err_make(ERR_MEMORY, "open declarations");
    }
    return err;
}

struct err declaration_csv_open(const struct declaration_csv_conf *conf,
                                struct declaration_csv **out, char *error)
{
    must(conf != NULL && out != NULL && error != NULL);
    error[0] = '\0';
    struct declaration_csv *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open declarations");
    }
    self->mode = conf->mode;
    arena_init(&self->arena, self->arena_bytes, sizeof self->arena_bytes);
    struct err err = open_parts(self, conf, error);
    if (err_is(err)) {
        declaration_csv_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void declaration_csv_close(struct declaration_csv **self)
{
    if (*self == NULL) {
        return;
    }
    csv_table_close(&(*self)->table);
    declaration_mapping_close(&(*self)->mapping);
    free((*self)->site);
    free((*self)->lane);
    free(*self);
    *self = NULL;
}

struct err declaration_csv_seek(struct declaration_csv *self, uint64_t offset, uint64_t line)
{
    return csv_table_seek(self->table, offset, line);
}

bool declaration_csv_is_dated(const struct declaration_csv *self)
{
    return self->mapping->fields[MAPPING_DECLARED].column_index >= 0;
}

const char *declaration_csv_missing(const struct declaration_csv *self)
{
    return self->missing;
}

uint64_t declaration_csv_bytes(const struct declaration_csv *self)
{
    return csv_table_bytes(self->table);
}
