/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_read.h"

#include <stdlib.h>
#include <string.h>

#include "archive/h5.h"

/* Tables out of sealed files, a column at a time: the file's digest was compared with its seal
 * before, and still nothing in it is believed about lengths. */

#define APPEND_ROWS_MAX (UINT64_C(1) << 28)

static bool append_room(struct archive_table *self, uint64_t rows_count)
{
    if (rows_count == 0) {
        return true;
    }
    uint64_t columns_count = self->spec->columns_count;
    void *cells = self->cells;
    uint64_t before = self->rows_count * columns_count;
    uint64_t after = (self->rows_count + rows_count) * columns_count;
    uint64_t capacity = self->rows_capacity;
    if (!archive_grow(&cells, &capacity, self->rows_count + rows_count,
                      columns_count * sizeof *self->cells)) {
        return false;
    }
    self->cells = cells;
    self->rows_capacity = capacity;
    void *text = self->text;
    if (!archive_grow(&text, &self->text_capacity, 1, 1)) {
        return false;
    }
    self->text = text;
    self->text[0] = '\0'; /* what a cell without a text is */
    memset(self->cells + before, 0, (size_t)(after - before) * sizeof *self->cells);
    return true;
}

/* One cell as it lay in the array, into the row behind those that the table has. */
static bool append_cell(struct archive_table *self, uint64_t row, uint32_t column,
                        const struct h5_array *array, const uint8_t *from)
{
    union archive_cell *cell =
        &self->cells[(self->rows_count + row) * self->spec->columns_count + column];
    uint64_t cell_bytes = h5_cell_bytes(array);
    if (array->type == H5_U8) {
        cell->number = *from;
        return true;
    }
    if (array->type != H5_TEXT) {
        memcpy(cell, from, sizeof *cell);
        return true;
    }
    size_t text_bytes = strnlen((const char *)from, (size_t)cell_bytes);
    uint64_t start = self->text_bytes == 0 ? 1 : self->text_bytes;
    void *pool = self->text;
    if (!archive_grow(&pool, &self->text_capacity, start + text_bytes + 1, 1)) {
        return false;
    }
    self->text = pool;
    self->text[0] = '\0';
    memcpy(self->text + start, from, text_bytes);
    self->text[start + text_bytes] = '\0';
    self->text_bytes = start + text_bytes + 1;
    cell->text_offset = text_bytes == 0 ? 0 : start;
    return true;
}

static struct err append_column(struct archive_table *self, uint32_t column, int64_t group,
                                uint64_t rows_count)
{
    const struct archive_column *spec = &self->spec->columns[column];
    struct h5_array array;
    int64_t dataset = 0;
    uint64_t bytes = 0;
    if (!h5_exists(group, spec->name)) {
        return err_none;
    }
    struct err err = h5_array_open(group, spec->name, &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (array.type != spec->type || array.rank != 1 || array.dims[0] != rows_count ||
        !h5_array_bytes(&array, &bytes)) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "column of another type or length");
    }
    uint8_t *values = err_is(err) ? NULL : malloc((size_t)bytes + 1);
    if (!err_is(err) && values == NULL) {
        err = err_make(ERR_MEMORY, "append_column");
    }
    if (!err_is(err)) {
        err = h5_array_read(dataset, &array, 0, rows_count, values);
    }
    for (uint64_t row = 0; row < rows_count && !err_is(err); row++) {
        if (!append_cell(self, row, column, &array, values + row * h5_cell_bytes(&array))) {
            err = err_make(ERR_MEMORY, "append_cell");
        }
    }
    free(values);
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

static struct err append_count(const struct archive_table *self, int64_t group, uint64_t *out)
{
    struct h5_array array;
    int64_t dataset = 0;
    struct err err = h5_array_open(group, self->spec->columns[0].name, &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (array.rank != 1 || array.dims[0] > APPEND_ROWS_MAX) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "rows of a table");
    }
    *out = array.dims[0];
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

struct err archive_table_append(struct archive_table *self, int64_t file)
{
    int64_t group = 0;
    uint64_t rows_count = 0;
    must(self->column_next == 0);
    if (!h5_exists(file, self->spec->name)) {
        return err_none;
    }
    struct err err = h5_group_open(file, self->spec->name, &group);
    if (!err_is(err)) {
        err = append_count(self, group, &rows_count);
    }
    if (!err_is(err) && !append_room(self, rows_count)) {
        err = err_make(ERR_MEMORY, "archive_table_append");
    }
    for (uint32_t column = 0; column < self->spec->columns_count && !err_is(err); column++) {
        err = append_column(self, column, group, rows_count);
    }
    struct err closed = h5_object_close(&group);
    err = err_is(err) ? err : closed;
    if (!err_is(err)) {
        self->rows_count += rows_count;
    }
    return err;
}

/* ---- all tables of a file */

void archive_tables_init(struct archive_tables *self)
{
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        archive_table_init(&self->tables[i], &archive_tables[i]);
    }
}

void archive_tables_fini(struct archive_tables *self)
{
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        archive_table_fini(&self->tables[i]);
    }
}

struct err archive_tables_append(struct archive_tables *self, const char *path)
{
    int64_t file = 0;
    struct archive_table *scans = &self->tables[TABLE_SCANS];
    uint64_t scans_before = scans->rows_count;
    uint64_t images_before = self->tables[TABLE_SCAN_IMAGES].rows_count;
    struct err err = h5_file_open(path, &file);
    for (uint32_t i = 0; i < TABLE_COUNT && !err_is(err); i++) {
        err = archive_table_append(&self->tables[i], file);
    }
    for (uint64_t row = scans_before; row < scans->rows_count && !err_is(err); row++) {
        archive_table_set_number(scans, row, "first_image",
                                 images_before + archive_table_number(scans, row, "first_image"));
    }
    struct err closed = h5_file_close(&file);
    return err_is(err) ? err : closed;
}
