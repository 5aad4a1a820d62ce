/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export_csv.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "proto/hash.h"

/* ---- a table as text ---- */

void export_csv_put_text(FILE *to, const char *text)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted) {
        (void)fputc('"', to);
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"') {
            (void)fputc('"', to);
        }
        (void)fputc(*at, to);
    }
    if (quoted) {
        (void)fputc('"', to);
    }
}

/* The shortest of 15, 16 and 17 digits that reads back to the same number; what is none as CSV on
 * the Web (XML Schema) spells it, not as C does. */
static void csv_put_real(FILE *to, double real)
{
    char text[40];
    if (isnan(real) || isinf(real)) {
        (void)fputs(isnan(real) ? "NaN" : real > 0 ? "INF" : "-INF", to);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, real);
        if (strtod(text, NULL) == real) {
            break;
        }
    }
    (void)fputs(text, to);
}

static void csv_put_cell(FILE *to, const struct archive_table *table, uint64_t row, uint32_t column)
{
    const union archive_cell *cell = &table->cells[row * table->spec->columns_count + column];
    switch (table->spec->columns[column].type) {
    case H5_TEXT:
        export_csv_put_text(to, cell->text_offset == 0 ? "" : table->text + cell->text_offset);
        break;
    case H5_I64:
        (void)fprintf(to, "%" PRId64, cell->signed_number);
        break;
    case H5_F64:
        csv_put_real(to, cell->real);
        break;
    default:
        (void)fprintf(to, "%" PRIu64, cell->number);
        break;
    }
}

struct err export_csv_text(const struct archive_table *table, char **out, size_t *out_bytes)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *to = open_memstream(&text, &text_bytes);
    if (to == NULL) {
        return err_make(ERR_MEMORY, "export_csv_text");
    }
    for (uint32_t c = 0; c < table->spec->columns_count; c++) {
        (void)fprintf(to, "%s%s", c == 0 ? "" : ",", table->spec->columns[c].name);
    }
    (void)fputs("\r\n", to);
    for (uint64_t row = 0; row < table->rows_count; row++) {
        for (uint32_t c = 0; c < table->spec->columns_count; c++) {
            if (c > 0) {
                (void)fputc(',', to);
            }
            csv_put_cell(to, table, row, c);
        }
        (void)fputs("\r\n", to);
    }
    bool whole = ferror(to) == 0;
    whole = fclose(to) == 0 && whole;
    if (!whole) {
        free(text);
        return err_make(ERR_MEMORY, "export_csv_text");
    }
    *out = text;
    *out_bytes = text_bytes;
    return err_none;
}

/* ---- what the columns mean ---- */

static bool column_is_time(const struct archive_column *column)
{
    size_t bytes = strlen(column->name);
    return column->type == H5_TEXT && bytes > 4 && strcmp(column->name + bytes - 4, "_utc") == 0;
}

static const char *column_datatype(const struct archive_column *column)
{
    static const char *const types[] = {
        [H5_U8] = "unsignedByte", [H5_U64] = "unsignedLong", [H5_I64] = "long",
        [H5_F64] = "double",      [H5_TEXT] = "string",
    };
    return column_is_time(column) ? "dateTimeStamp" : types[column->type];
}

static json_t *column_json(const struct archive_column *column)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s}", "name", column->name, "titles", column->name,
                  "dc:description", column->words, "datatype", column_datatype(column));
    if (object != NULL && column->units[0] != '\0') {
        json_object_set_new(object, "schema:unitText", json_string(column->units));
    }
    return object;
}

static json_t *table_json(const struct archive_table *table)
{
    char url[80];
    json_t *columns = json_array();
    for (uint32_t c = 0; c < table->spec->columns_count; c++) {
        json_array_append_new(columns, column_json(&table->spec->columns[c]));
    }
    (void)snprintf(url, sizeof url, "%s.csv", table->spec->name);
    return json_pack("{s:s, s:s, s:{s:o}}", "url", url, "dc:title", table->spec->words,
                     "tableSchema", "columns", columns);
}

static struct err page_metadata(const struct export_page *page, char **out)
{
    json_t *tables = json_array();
    for (uint32_t i = 0; i < page->tables_count; i++) {
        json_array_append_new(tables, table_json(page->tables[i]));
    }
    json_t *whole = json_pack("{s:[s, {s:s}], s:s, s:o}", "@context", "http://www.w3.org/ns/csvw",
                              "@language", "en", "dc:title", page->title, "tables", tables);
    *out = whole == NULL ? NULL : json_dumps(whole, JSON_INDENT(2));
    json_decref(whole);
    return *out == NULL ? err_make(ERR_MEMORY, "csv-metadata.json") : err_none;
}

static struct err page_readme(const struct export_page *page, char **out)
{
    static const char *const types[] = {[H5_U8] = "0 or 1",
                                        [H5_U64] = "whole number",
                                        [H5_I64] = "whole number",
                                        [H5_F64] = "number",
                                        [H5_TEXT] = "text"};
    size_t bytes = 0;
    FILE *to = open_memstream(out, &bytes);
    if (to == NULL) {
        return err_make(ERR_MEMORY, "README.txt");
    }
    (void)fprintf(to, "%s\n\n%s\n\n", page->title, page->words);
    (void)fputs(
        "Files: CSV as RFC 4180 has it, UTF-8. csv-metadata.json says the same as this page "
        "to programs (CSV on the Web).\nOpening them in a spreadsheet, import all columns "
        "as text: cells are as they were written by others, and one that begins\nwith = + - @ or a "
        "tab would be computed as a formula.\n`sha256sum -c SHA256SUMS` tells whether all of them "
        "are as they were written.\n",
        to);
    if (page->other != NULL) {
        (void)fprintf(to, "\n%s: %s\n", page->other, page->other_words);
    }
    for (uint32_t i = 0; i < page->tables_count; i++) {
        const struct archive_table_spec *spec = page->tables[i]->spec;
        (void)fprintf(to, "\n%s.csv: %s; %" PRIu64 " rows\n", spec->name, spec->words,
                      page->tables[i]->rows_count);
        for (uint32_t c = 0; c < spec->columns_count; c++) {
            const struct archive_column *column = &spec->columns[c];
            (void)fprintf(to, "  %s (%s%s%s): %s\n", column->name, types[column->type],
                          column->units[0] == '\0' ? "" : ", ", column->units, column->words);
        }
    }
    return fclose(to) == 0 ? err_none : err_make(ERR_MEMORY, "README.txt");
}

/* ---- files ---- */

static void sums_put(FILE *sums, const char *name, const uint8_t sha256[HASH_BYTES])
{
    char hex[HASH_HEX_BYTES];
    hex_encode(sha256, HASH_BYTES, hex);
    (void)fprintf(sums, "%s  %s\n", hex, name);
}

static struct err page_put(const struct export_page *page, const char *name, const char *text,
                           FILE *sums)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t sha256[HASH_BYTES];
    bool differs = false;
    size_t bytes = strlen(text);
    if (snprintf(path, sizeof path, "%s/%s", page->directory, name) >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path of the export");
    }
    struct err err = durable_create(path, text, bytes, 0644, &differs);
    if (!err_is(err) && differs) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "a file of this name is there");
    }
    if (!err_is(err) && sums != NULL) {
        sha256_of(text, bytes, sha256);
        sums_put(sums, name, sha256);
    }
    return err;
}

static struct err page_put_table(const struct export_page *page, const struct archive_table *table,
                                 FILE *sums)
{
    char name[80];
    char *text = NULL;
    size_t bytes = 0;
    struct err err = export_csv_text(table, &text, &bytes);
    (void)snprintf(name, sizeof name, "%s.csv", table->spec->name);
    if (!err_is(err)) {
        err = page_put(page, name, text, sums);
    }
    free(text);
    return err;
}

static struct err page_put_made(const struct export_page *page, const char *name,
                                struct err (*make)(const struct export_page *, char **), FILE *sums)
{
    char *text = NULL;
    struct err err = make(page, &text);
    if (!err_is(err)) {
        err = page_put(page, name, text, sums);
    }
    free(text);
    return err;
}

struct err export_csv_write(const struct export_page *page)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *sums = open_memstream(&text, &bytes);
    if (sums == NULL) {
        return err_make(ERR_MEMORY, "export_csv_write");
    }
    struct err err = err_none;
    for (uint32_t i = 0; i < page->tables_count && !err_is(err); i++) {
        err = page_put_table(page, page->tables[i], sums);
    }
    if (!err_is(err)) {
        err = page_put_made(page, "csv-metadata.json", page_metadata, sums);
    }
    if (!err_is(err)) {
        err = page_put_made(page, "README.txt", page_readme, sums);
    }
    if (!err_is(err) && page->other != NULL) {
        sums_put(sums, page->other, page->other_sha256);
    }
    bool whole = fclose(sums) == 0;
    if (!err_is(err) && !whole) {
        err = err_make(ERR_MEMORY, "SHA256SUMS");
    }
    if (!err_is(err)) {
        err = page_put(page, "SHA256SUMS", text, NULL);
    }
    free(text);
    return err;
}
