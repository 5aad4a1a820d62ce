/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive_array.h"
#include "base/clock.h"
#include "proto/hash.h"

/* Texts are of fixed length, the longest of the column: variable-length texts lie in a heap of
 * HDF5's that has no checksum and that half of the readers outside h5py cannot follow. */

#define ARCHIVE_CELL_TEXT_BYTES_MAX 65535u /* of a cell of HDF5's that h5.h writes */

void archive_table_init(struct archive_table *self, const struct archive_table_spec *spec)
{
    memset(self, 0, sizeof *self);
    self->spec = spec;
}

void archive_table_fini(struct archive_table *self)
{
    free(self->cells);
    free(self->text);
    archive_table_init(self, self->spec);
}

bool archive_grow(void **array, uint64_t *capacity, uint64_t needed, uint64_t cell_bytes)
{
    if (needed <= *capacity) {
        return true;
    }
    uint64_t grown_count = *capacity < 64 ? 64 : *capacity;
    while (grown_count < needed) {
        grown_count *= 2;
    }
    void *grown = reallocarray(*array, (size_t)grown_count, (size_t)cell_bytes);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *capacity = grown_count;
    return true;
}

/* The next cell of the row being filled; NULL when memory is exhausted. */
static union archive_cell *archive_cell_next(struct archive_table *self, bool type_is_right)
{
    must(self->column_next < self->spec->columns_count);
    must(type_is_right);
    uint64_t columns_count = self->spec->columns_count;
    uint64_t at = self->rows_count * columns_count + self->column_next;
    self->column_next++;
    uint64_t capacity = self->rows_capacity * columns_count;
    if (self->exhausted) {
        return NULL;
    }
    if (at >= capacity) {
        void *cells = self->cells;
        if (!archive_grow(&cells, &self->rows_capacity, self->rows_count + 1,
                          columns_count * sizeof *self->cells)) {
            self->exhausted = true;
            return NULL;
        }
        self->cells = cells;
    }
    return &self->cells[at];
}

static enum h5_type archive_type_next(const struct archive_table *self)
{
    must(self->column_next < self->spec->columns_count);
    return self->spec->columns[self->column_next].type;
}

/* Offset of a copy of the text. */
static bool archive_keep_text(struct archive_table *self, const char *text, uint64_t *offset)
{
    uint64_t text_bytes = strnlen(text, ARCHIVE_CELL_TEXT_BYTES_MAX);
    uint64_t start = self->text_bytes == 0 ? 1 : self->text_bytes;
    void *pool = self->text;
    if (!archive_grow(&pool, &self->text_capacity, start + text_bytes + 1, 1)) {
        self->exhausted = true;
        return false;
    }
    self->text = pool;
    self->text[0] = '\0';
    memcpy(self->text + start, text, text_bytes);
    self->text[start + text_bytes] = '\0';
    *offset = text_bytes == 0 ? 0 : start;
    self->text_bytes = start + text_bytes + 1;
    return true;
}

void archive_put_text(struct archive_table *self, const char *text)
{
    union archive_cell *cell = archive_cell_next(self, archive_type_next(self) == H5_TEXT);
    uint64_t offset = 0;
    if (cell != NULL && archive_keep_text(self, text == NULL ? "" : text, &offset)) {
        cell->text_offset = offset;
    }
}

void archive_put_number(struct archive_table *self, uint64_t number)
{
    enum h5_type type = archive_type_next(self);
    union archive_cell *cell =
        archive_cell_next(self, type == H5_U64 || (type == H5_U8 && number <= UINT8_MAX));
    if (cell != NULL) {
        cell->number = number;
    }
}

void archive_put_signed(struct archive_table *self, int64_t number)
{
    union archive_cell *cell = archive_cell_next(self, archive_type_next(self) == H5_I64);
    if (cell != NULL) {
        cell->signed_number = number;
    }
}

void archive_put_real(struct archive_table *self, double real)
{
    union archive_cell *cell = archive_cell_next(self, archive_type_next(self) == H5_F64);
    if (cell != NULL) {
        cell->real = real;
    }
}

void archive_put_hex(struct archive_table *self, const uint8_t *bytes, uint32_t bytes_count)
{
    char hex[HASH_HEX_BYTES];
    must(bytes_count <= HASH_BYTES);
    hex_encode(bytes, bytes_count, hex);
    archive_put_text(self, hex);
}

/* No time of ours is the first nanosecond of 1970: 0 is "none". */
static void archive_time_text(int64_t t_ns, char out[CLOCK_TEXT_BYTES])
{
    out[0] = '\0';
    if (t_ns != 0) {
        clock_text(t_ns, out);
    }
}

void archive_put_time(struct archive_table *self, int64_t t_ns)
{
    char text[CLOCK_TEXT_BYTES];
    archive_time_text(t_ns, text);
    archive_put_signed(self, t_ns);
    archive_put_text(self, text);
}

void archive_row_end(struct archive_table *self)
{
    must(self->column_next == self->spec->columns_count);
    self->column_next = 0;
    if (!self->exhausted) {
        self->rows_count++;
    }
}

struct err archive_table_err(const struct archive_table *self)
{
    return self->exhausted ? err_make(ERR_MEMORY, "archive table") : err_none;
}

static union archive_cell *archive_cell(const struct archive_table *self, uint64_t row,
                                        const char *column, enum h5_type type)
{
    must(row < self->rows_count);
    for (uint32_t i = 0; i < self->spec->columns_count; i++) {
        if (strcmp(self->spec->columns[i].name, column) == 0) {
            enum h5_type found = self->spec->columns[i].type;
            must(found == type || (type == H5_U64 && found == H5_U8));
            return &self->cells[row * self->spec->columns_count + i];
        }
    }
    must(false);
    return NULL;
}

const char *archive_table_text(const struct archive_table *self, uint64_t row, const char *column)
{
    return self->text + archive_cell(self, row, column, H5_TEXT)->text_offset;
}

uint64_t archive_table_number(const struct archive_table *self, uint64_t row, const char *column)
{
    return archive_cell(self, row, column, H5_U64)->number;
}

double archive_table_real(const struct archive_table *self, uint64_t row, const char *column)
{
    return archive_cell(self, row, column, H5_F64)->real;
}

int64_t archive_table_signed(const struct archive_table *self, uint64_t row, const char *column)
{
    return archive_cell(self, row, column, H5_I64)->signed_number;
}

void archive_table_set_text(struct archive_table *self, uint64_t row, const char *column,
                            const char *text)
{
    uint64_t offset = 0;
    if (archive_keep_text(self, text, &offset)) {
        archive_cell(self, row, column, H5_TEXT)->text_offset = offset;
    }
}

void archive_table_set_number(struct archive_table *self, uint64_t row, const char *column,
                              uint64_t number)
{
    archive_cell(self, row, column, H5_U64)->number = number;
}

void archive_table_set_real(struct archive_table *self, uint64_t row, const char *column,
                            double real)
{
    archive_cell(self, row, column, H5_F64)->real = real;
}

void archive_table_set_time(struct archive_table *self, uint64_t row, const char *name,
                            int64_t t_ns)
{
    char column[H5_NAME_BYTES];
    char text[CLOCK_TEXT_BYTES];
    (void)snprintf(column, sizeof column, "%s_ns", name);
    archive_cell(self, row, column, H5_I64)->signed_number = t_ns;
    (void)snprintf(column, sizeof column, "%s_utc", name);
    archive_time_text(t_ns, text);
    archive_table_set_text(self, row, column, text);
}

/* Length of the longest text, at least 1. */
static uint32_t archive_text_width(const struct archive_table *self, uint32_t column)
{
    size_t longest = 1;
    for (uint64_t row = 0; row < self->rows_count; row++) {
        size_t text_bytes =
            strlen(self->text + self->cells[row * self->spec->columns_count + column].text_offset);
        longest = text_bytes > longest ? text_bytes : longest;
    }
    return (uint32_t)longest;
}

/* The column's cells, one behind the other, as h5_array_write wants them. */
static void archive_column_pack(const struct archive_table *self, uint32_t column,
                                const struct h5_array *array, uint8_t *out)
{
    uint64_t cell_bytes = h5_cell_bytes(array);
    for (uint64_t row = 0; row < self->rows_count; row++) {
        const union archive_cell *cell = &self->cells[row * self->spec->columns_count + column];
        uint8_t *to = out + row * cell_bytes;
        if (array->type == H5_TEXT) {
            const char *text = self->text + cell->text_offset;
            memcpy(to, text, strnlen(text, array->text_bytes)); /* out came zeroed */
        } else if (array->type == H5_U8) {
            *to = (uint8_t)cell->number;
        } else {
            memcpy(to, cell, sizeof *cell);
        }
    }
}

/* The column in memory as it stands in the file; the caller frees *packed. */
static struct err archive_column_make(const struct archive_table *self, uint32_t column,
                                      struct h5_array *array, uint8_t **packed)
{
    enum h5_type type = self->spec->columns[column].type;
    *array = (struct h5_array){.type = type, .rank = 1, .dims = {self->rows_count}};
    array->text_bytes = type == H5_TEXT ? archive_text_width(self, column) : 0;
    *packed = calloc((size_t)self->rows_count + 1, (size_t)h5_cell_bytes(array));
    if (*packed == NULL) {
        return err_make(ERR_MEMORY, "archive_column_make");
    }
    archive_column_pack(self, column, array, *packed);
    return err_none;
}

/* Times are told from an epoch, as NeXus has it. */
static bool archive_is_time(const struct archive_column *spec)
{
    size_t name_bytes = strlen(spec->name);
    return spec->type == H5_I64 && name_bytes > 3 &&
           strcmp(spec->name + name_bytes - 3, "_ns") == 0;
}

/* What a column is, and which scale its rows have: the first column of the table, which stays open
 * in *scale while the others are written. */
static struct err archive_column_describe(const struct archive_column *spec, int64_t dataset,
                                          const int64_t *scale)
{
    struct err err = h5_attribute_text(dataset, "long_name", spec->words);
    if (!err_is(err) && spec->units[0] != '\0') {
        err = h5_attribute_text(dataset, "units", spec->units);
    }
    if (!err_is(err) && archive_is_time(spec)) {
        err = h5_attribute_text(dataset, "start", "1970-01-01T00:00:00Z");
    }
    if (err_is(err)) {
        return err;
    }
    return *scale == 0 ? h5_scale_make(dataset, spec->name) : h5_scale_attach(dataset, *scale);
}

static struct err archive_column_write(const struct archive_table *self, uint32_t column,
                                       int64_t group, int64_t *scale, struct chunk_pool *pool)
{
    const struct archive_column *spec = &self->spec->columns[column];
    struct h5_array array;
    uint8_t *packed = NULL;
    int64_t dataset = 0;
    struct err err = archive_column_make(self, column, &array, &packed);
    if (err_is(err)) {
        return err;
    }
    err = archive_array_write(pool, group, spec->name, &array, packed, &dataset);
    free(packed);
    if (!err_is(err)) {
        err = archive_column_describe(spec, dataset, scale);
    }
    if (!err_is(err) && *scale == 0) {
        *scale = dataset;
        return err_none;
    }
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

struct err archive_table_write(const struct archive_table *self, int64_t file,
                               struct chunk_pool *pool)
{
    int64_t group = 0;
    int64_t scale = 0;
    must(self->column_next == 0);
    struct err err = archive_table_err(self);
    if (!err_is(err)) {
        err = h5_group_create(file, self->spec->name, &group);
    }
    if (err_is(err)) {
        return err;
    }
    err = h5_attribute_text(group, "NX_class", "NXcollection");
    if (!err_is(err)) {
        err = h5_attribute_text(group, "long_name", self->spec->words);
    }
    for (uint32_t column = 0; column < self->spec->columns_count && !err_is(err); column++) {
        err = archive_column_write(self, column, group, &scale, pool);
    }
    struct err closed = h5_object_close(&scale);
    err = err_is(err) ? err : closed;
    closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static bool archive_is_blank(const uint8_t *packed, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) {
        if (packed[i] != 0) {
            return false;
        }
    }
    return true;
}

struct err archive_table_check(const struct archive_table *self, int64_t file, bool older)
{
    int64_t group = 0;
    struct err err = h5_group_open(file, self->spec->name, &group);
    for (uint32_t column = 0; column < self->spec->columns_count && !err_is(err); column++) {
        struct h5_array array;
        uint8_t *packed = NULL;
        const char *name = self->spec->columns[column].name;
        err = archive_column_make(self, column, &array, &packed);
        bool before = !err_is(err) && older && !h5_exists(group, name) &&
                      archive_is_blank(packed, self->rows_count * h5_cell_bytes(&array));
        if (!err_is(err) && !before) {
            err = archive_array_check(group, name, &array, packed);
        }
        free(packed);
    }
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}
