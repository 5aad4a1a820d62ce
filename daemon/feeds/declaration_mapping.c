/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/declaration_mapping.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "feeds/declaration_mapping_default.h"

/* A key that is not understood is refused, as in the daemon's configuration: a misspelt
 * "orgin_country" would otherwise silently send nothing. */

#define MAPPING_FILE_BYTES_MAX (1u << 20)

static const char *const field_names[MAPPING_FIELD_COUNT] = {
    "declaration_id",  "mode",          "site",      "lane",        "declared",
    "importer",        "seller",        "declarant", "courier",     "departure_country",
    "declared_empty",  "gross_mass_kg", "hs_code",   "description", "origin_country",
    "net_mass_kg",     "value",         "currency",  "quantity",    "quantity_unit",
    "tax_rate_percent"};

const char *mapping_field_name(enum mapping_field field)
{
    must((unsigned)field < MAPPING_FIELD_COUNT);
    return field_names[field];
}

struct reading {
    struct declaration_mapping *mapping;
    char *error;
};

static bool complain(const struct reading *self, const char *where, const char *what)
{
    (void)snprintf(self->error, MAPPING_ERROR_BYTES, "mapping: %s: %s", where, what);
    return false;
}

static bool read_text(const struct reading *self, const char *where, const json_t *value,
                      char out[MAPPING_TEXT_BYTES])
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return complain(self, where, "a text is wanted");
    }
    if (strlen(text) >= MAPPING_TEXT_BYTES) {
        return complain(self, where, "text is longer than 64 bytes");
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_codes(const struct reading *self, const char *where, json_t *table,
                       struct mapping_source *out)
{
    if (!json_is_object(table) || json_object_size(table) > MAPPING_CODES_MAX) {
        return complain(self, where, "\"codes\" must be an object with at most 64 entries");
    }
    const char *from;
    json_t *to;
    json_object_foreach(table, from, to)
    {
        struct mapping_code *code = &out->codes[out->codes_count];
        if (strlen(from) >= MAPPING_TEXT_BYTES) {
            return complain(self, where, "code is longer than 64 bytes");
        }
        memcpy(code->from, from, strlen(from) + 1);
        if (!read_text(self, where, to, code->to)) {
            return false;
        }
        out->codes_count++;
    }
    return true;
}

static bool read_source_key(const struct reading *self, const char *where, const char *key,
                            json_t *value, struct mapping_source *out)
{
    if (strcmp(key, "column") == 0) {
        return read_text(self, where, value, out->column);
    }
    if (strcmp(key, "constant") == 0) {
        return read_text(self, where, value, out->constant);
    }
    if (strcmp(key, "prefix") == 0) {
        return read_text(self, where, value, out->prefix);
    }
    if (strcmp(key, "format") == 0) {
        return read_text(self, where, value, out->format);
    }
    if (strcmp(key, "unlisted") == 0) {
        return read_text(self, where, value, out->unlisted);
    }
    if (strcmp(key, "codes") == 0) {
        return read_codes(self, where, value, out);
    }
    if (strcmp(key, "scale") == 0 && json_is_number(value)) {
        out->scale = json_number_value(value);
        return true;
    }
    return complain(self, where,
                    "only column, constant, prefix, format, scale, codes and unlisted are known");
}

/* `name` is read by the caller of a named source and skipped here. */
static bool read_source(const struct reading *self, const char *where, json_t *value,
                        struct mapping_source *out)
{
    *out = (struct mapping_source){.scale = 1, .column_index = -1};
    if (json_is_string(
            value)) { /* "importer": "Importer ID" is short for {"column": "Importer ID"} */
        return read_text(self, where, value, out->column);
    }
    if (!json_is_object(value)) {
        return complain(self, where, "a column name or an object is wanted");
    }
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item)
    {
        if (strcmp(key, "name") != 0 && strcmp(key, "scheme") != 0 &&
            !read_source_key(self, where, key, item, out)) {
            return false;
        }
    }
    if ((out->column[0] == '\0') == (out->constant[0] == '\0')) {
        return complain(self, where, "either a column or a constant is wanted");
    }
    return true;
}

static bool read_fields(const struct reading *self, json_t *fields)
{
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value)
    {
        int32_t field = 0;
        while (field < MAPPING_FIELD_COUNT && strcmp(field_names[field], name) != 0) {
            field++;
        }
        if (field == MAPPING_FIELD_COUNT) {
            return complain(self, name, "no such field");
        }
        if (!read_source(self, name, value, &self->mapping->fields[field])) {
            return false;
        }
    }
    return true;
}

static bool read_named(const struct reading *self, const char *label, json_t *list, uint32_t bound,
                       struct mapping_named *out)
{
    if (!json_is_array(list) || json_array_size(list) > bound) {
        return complain(self, label, "a list within the bounds of a record is wanted");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        json_t *name = json_object_get(item, strcmp(label, "keys") == 0 ? "scheme" : "name");
        if (!read_text(self, label, name, out[i].name) ||
            !read_source(self, label, item, &out[i].source)) {
            return false;
        }
        if (strcmp(label, "keys") == 0 && key_scheme_parse(out[i].name) == KEY_UNKNOWN) {
            return complain(self, out[i].name, "no such key scheme");
        }
    }
    return true;
}

static bool read_label(const struct reading *self, json_t *value, struct mapping_label *out)
{
    out->at_least = 1;
    if (!json_is_object(value)) {
        return read_text(self, "labels", value, out->column);
    }
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item)
    {
        if (strcmp(key, "column") == 0) {
            if (!read_text(self, "labels", item, out->column)) {
                return false;
            }
        } else if (strcmp(key, "at_least") == 0 && json_is_number(item)) {
            out->at_least = json_number_value(item);
        } else {
            return complain(self, "labels", "only column and at_least are known");
        }
    }
    return true;
}

static bool read_labels(const struct reading *self, json_t *labels)
{
    const char *name;
    json_t *value;
    json_object_foreach(labels, name, value)
    {
        bool is_found = strcmp(name, "found") == 0;
        if (!is_found && strcmp(name, "critical") != 0) {
            return complain(self, "labels", "only found and critical are known");
        }
        if (!read_label(self, value, is_found ? &self->mapping->found : &self->mapping->critical)) {
            return false;
        }
    }
    return true;
}

static bool is_label(const struct declaration_mapping *mapping, const char *column)
{
    return column[0] != '\0' && (strcmp(column, mapping->found.column) == 0 ||
                                 strcmp(column, mapping->critical.column) == 0);
}

static bool check_labels_stay_home(const struct reading *self)
{
    const struct declaration_mapping *mapping = self->mapping;
    bool leaks = false;
    for (uint32_t i = 0; i < MAPPING_FIELD_COUNT; i++) {
        leaks = leaks || is_label(mapping, mapping->fields[i].column);
    }
    for (uint32_t i = 0; i < mapping->keys_count; i++) {
        leaks = leaks || is_label(mapping, mapping->keys[i].source.column);
    }
    for (uint32_t i = 0; i < mapping->other_count; i++) {
        leaks = leaks || is_label(mapping, mapping->other[i].source.column);
    }
    return !leaks || complain(self, "labels",
                              "a label column is also mapped to a field; labels are never sent");
}

static bool read_section(const struct reading *self, const char *key, json_t *value)
{
    struct declaration_mapping *mapping = self->mapping;
    if (strcmp(key, "format") == 0) {
        return read_text(self, key, value, mapping->format);
    }
    if (strcmp(key, "comment") == 0) {
        return true;
    }
    if (strcmp(key, "delimiter") == 0) {
        const char *text = json_string_value(value);
        if (text == NULL || strlen(text) != 1 || text[0] == '"' || text[0] == '\n' ||
            text[0] == '\r') {
            return complain(self, key, "one character is wanted");
        }
        mapping->delimiter = text[0];
        return true;
    }
    if (strcmp(key, "fields") == 0) {
        return read_fields(self, value);
    }
    if (strcmp(key, "labels") == 0) {
        return read_labels(self, value);
    }
    if (strcmp(key, "keys") == 0) {
        mapping->keys_count =
            json_array_size(value) <= RECORD_KEYS_MAX ? (uint32_t)json_array_size(value) : 0;
        return read_named(self, key, value, RECORD_KEYS_MAX, mapping->keys);
    }
    if (strcmp(key, "other") == 0) {
        mapping->other_count =
            json_array_size(value) <= MAPPING_OTHER_MAX ? (uint32_t)json_array_size(value) : 0;
        return read_named(self, key, value, MAPPING_OTHER_MAX, mapping->other);
    }
    return complain(self, key, "no such section");
}

static bool read_mapping(const struct reading *self, json_t *root)
{
    if (!json_is_object(root)) {
        return complain(self, "file", "a JSON object is wanted");
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (!read_section(self, key, value)) {
            return false;
        }
    }
    if (self->mapping->fields[MAPPING_DECLARATION_ID].column[0] == '\0') {
        return complain(self, "declaration_id", "must come from a column");
    }
    return check_labels_stay_home(self);
}

/* The JSON of a file, or that of the default mapping. */
static struct err read_json(const char *path, json_t **out, char *error)
{
    json_error_t problem;
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    if (path == NULL) {
        *out = json_loads(declaration_mapping_default, JSON_REJECT_DUPLICATES, &problem);
        must(*out != NULL);
        return err_none;
    }
    struct err err = durable_read(path, MAPPING_FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        (void)snprintf(error, MAPPING_ERROR_BYTES, "mapping: %.120s: %.100s", path,
                       err_text(err, text));
        return err;
    }
    *out = json_loadb((const char *)bytes, bytes_count, JSON_REJECT_DUPLICATES, &problem);
    free(bytes);
    if (*out == NULL) {
        (void)snprintf(error, MAPPING_ERROR_BYTES, "mapping: %.120s:%d: %.100s", path, problem.line,
                       problem.text);
        return err_make(ERR_TABLE_UNREADABLE, "read mapping");
    }
    return err_none;
}

struct err declaration_mapping_open(const char *path, struct declaration_mapping **out, char *error)
{
    must(out != NULL && error != NULL);
    json_t *root = NULL;
    struct err err = read_json(path, &root, error);
    if (err_is(err)) {
        return err;
    }
    struct declaration_mapping *mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) {
        json_decref(root);
        (void)snprintf(error, MAPPING_ERROR_BYTES, "mapping: no memory");
        return err_make(ERR_MEMORY, "read mapping");
    }
    mapping->delimiter = ',';
    (void)snprintf(mapping->format, sizeof mapping->format, "csv");
    for (uint32_t i = 0; i < MAPPING_FIELD_COUNT; i++) {
        mapping->fields[i].scale = 1;
        mapping->fields[i].column_index = -1;
    }
    bool good = read_mapping(&(struct reading){mapping, error}, root);
    json_decref(root);
    if (!good) {
        free(mapping);
        return err_make(ERR_TABLE_UNREADABLE, "read mapping");
    }
    *out = mapping;
    return err_none;
}

void declaration_mapping_close(struct declaration_mapping **self)
{
    free(*self);
    *self = NULL;
}

static bool bind_column(const char *column, char *const *columns, uint32_t columns_count,
                        int32_t *index, char *error)
{
    *index = -1;
    if (column[0] == '\0') {
        return true;
    }
    for (uint32_t i = 0; i < columns_count; i++) {
        if (strcmp(columns[i], column) == 0) {
            *index = (int32_t)i;
            return true;
        }
    }
    (void)snprintf(error, MAPPING_ERROR_BYTES, "the table has no column \"%s\"", column);
    return false;
}

struct binding {
    char *const *columns;
    uint32_t columns_count;
    char *missing; /* NULL: every column must be there */
    uint32_t wanted;
    uint32_t bound;
};

static void append(char *missing, const char *text)
{
    size_t used = strlen(missing);
    size_t length = strlen(text);
    must(used + length < MAPPING_MISSING_BYTES);
    memcpy(missing + used, text, length + 1);
}

/* Each column is named once, though several fields may want it; where there is no room for all,
 * that is said. */
static void note_missing(char *missing, const char *column)
{
    static const char more[] = ", ...";
    char quoted[MAPPING_MISSING_BYTES];
    size_t used = strlen(missing);
    size_t end = used >= sizeof more - 1 ? used - (sizeof more - 1) : 0;
    int length = snprintf(quoted, sizeof quoted, "\"%s\"", column);
    bool cut = strcmp(missing + end, more) == 0;
    bool whole = length > 0 && (size_t)length < sizeof quoted;
    if (cut || (whole && strstr(missing, quoted) != NULL)) {
        return;
    }
    if (whole && used + 2 + (size_t)length + sizeof more <= MAPPING_MISSING_BYTES) {
        append(missing, used > 0 ? ", " : "");
        append(missing, quoted);
    } else {
        append(missing, used > 0 ? more : more + 2);
    }
}

static bool bind_source(struct binding *to, struct mapping_source *source, char *error)
{
    bool good =
        bind_column(source->column, to->columns, to->columns_count, &source->column_index, error);
    to->wanted += source->column[0] != '\0';
    to->bound += source->column_index >= 0;
    if (!good && to->missing != NULL) {
        note_missing(to->missing, source->column);
        good = true;
    }
    return good;
}

/* What people most often do to a table: another delimiter than the mapping's. */
static void hint(const struct declaration_mapping *self, char *const *columns,
                 uint32_t columns_count, char *error)
{
    if (columns_count == 1 && strpbrk(columns[0], ",;\t|") != NULL) {
        size_t used = strlen(error);
        (void)snprintf(error + used, MAPPING_ERROR_BYTES - used,
                       "; its header is one field: the mapping's \"delimiter\" is '%c'",
                       self->delimiter);
    }
}

struct err declaration_mapping_bind(struct declaration_mapping *self, char *const *columns,
                                    uint32_t columns_count, char *missing, char *error)
{
    struct binding to = {columns, columns_count, NULL, 0, 0};
    bool good = bind_source(&to, &self->fields[MAPPING_DECLARATION_ID], error);
    to.missing = missing;
    for (uint32_t i = 0; good && i < MAPPING_FIELD_COUNT; i++) {
        good = bind_source(&to, &self->fields[i], error);
    }
    if (good && missing != NULL && to.bound < to.wanted / 2) { /* of another kind of table */
        (void)snprintf(error, MAPPING_ERROR_BYTES,
                       "the table has no column %.160s: too many are missing", missing);
        good = false;
    }
    for (uint32_t i = 0; good && i < self->keys_count; i++) {
        good = bind_source(&to, &self->keys[i].source, error);
    }
    for (uint32_t i = 0; good && i < self->other_count; i++) {
        good = bind_source(&to, &self->other[i].source, error);
    }
    if (!good) {
        hint(self, columns, columns_count, error);
    }
    /* Label columns may be missing: new traffic has no labels. */
    char ignored[MAPPING_ERROR_BYTES];
    (void)bind_column(self->found.column, columns, columns_count, &self->found.column_index,
                      ignored);
    (void)bind_column(self->critical.column, columns, columns_count, &self->critical.column_index,
                      ignored);
    return good ? err_none : err_make(ERR_TABLE_UNREADABLE, "bind mapping");
}
