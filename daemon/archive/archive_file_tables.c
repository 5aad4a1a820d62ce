/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "archive/archive_file_inside.h"
#include "archive/archive_items.h"
#include "archive/archive_rows.h"

/* The tables are a second telling of the entries. Who reads only them must be able to rely on it,
 * so they are made again from the entries of the file and compared cell by cell: all but those with
 * columns out of private records (declarations, scan_images, calibration). */

static struct err tables_collect(struct archive_file *self, struct archive_rows *rows)
{
    struct err err = err_none;
    for (uint64_t i = self->summary.first_index; i <= self->summary.last_index && !err_is(err);
         i++) {
        struct archive_entry entry = {.entry_index = i};
        err = archive_file_entry(self, i, &entry.bytes, &entry.bytes_count);
        err = err_is(err) ? err : archive_rows_add(rows, &entry);
    }
    if (!err_is(err)) {
        archive_items_finish(rows);
    }
    return err;
}

struct err archive_file_check_tables(struct archive_file *self, const char **bad_table)
{
    /* Not those that private records fill as well: declarations, and the calibration of images. */
    static const enum archive_table_name tables[] = {
        TABLE_ENTRIES,          TABLE_ITEMS,        TABLE_SCANS,         TABLE_SCORES,
        TABLE_CONTRIBUTIONS,    TABLE_SCORE_INPUTS, TABLE_SHADOW_SCORES, TABLE_SHADOW_INPUTS,
        TABLE_REGIONS,          TABLE_DECISIONS,    TABLE_OUTCOMES,      TABLE_REFERRAL_EVENTS,
        TABLE_DECISION_REASONS, TABLE_REFUSALS,     TABLE_MODELS};
    struct archive_rows *rows = malloc(sizeof *rows);
    if (rows == NULL) {
        return err_make(ERR_MEMORY, "archive_file_check_tables");
    }
    *bad_table = "";
    struct err err = archive_rows_init(rows, NULL);
    err = err_is(err) ? err : tables_collect(self, rows);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !err_is(err); i++) {
        const struct archive_table *table = &rows->tables[tables[i]];
        if (table->rows_count == 0 && !h5_exists(self->file, table->spec->name)) {
            continue; /* a table that files of before it do not have */
        }
        struct err checked = archive_table_check(&rows->tables[tables[i]], self->file, true);
        if (checked.code == ERR_ARCHIVE_DIFFERS) {
            *bad_table = archive_tables[tables[i]].name;
            break;
        }
        err = checked;
    }
    archive_rows_fini(rows);
    free(rows);
    return err;
}

/* A column of 8-byte numbers; the caller frees *out. */
static struct err tables_numbers(const struct archive_file *self, const char *path,
                                 enum h5_type type, void **out, uint64_t *rows_count)
{
    struct h5_array array;
    int64_t dataset = 0;
    struct err err = h5_array_open(self->file, path, &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    void *values = NULL;
    if (array.type != type || array.rank != 1 || array.dims[0] > (UINT64_C(1) << 28)) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "column of another type or shape");
    } else if ((values = calloc((size_t)array.dims[0] + 1, sizeof(uint64_t))) == NULL) {
        err = err_make(ERR_MEMORY, "archive column");
    } else {
        err = h5_array_read(dataset, &array, 0, array.dims[0], values);
    }
    struct err closed = h5_object_close(&dataset);
    err = err_is(err) ? err : closed;
    if (err_is(err)) {
        free(values);
        return err;
    }
    *out = values;
    *rows_count = array.dims[0];
    return err_none;
}

enum { CALIBRATION_COLUMNS = 5 };

static struct err tables_put_together(void *const columns[CALIBRATION_COLUMNS],
                                      const uint64_t counts[CALIBRATION_COLUMNS],
                                      struct archive_calibration **out)
{
    const uint64_t count = counts[0];
    struct archive_calibration *rows = calloc((size_t)count + 1, sizeof *rows);
    if (rows == NULL) {
        return err_make(ERR_MEMORY, "archive calibrations");
    }
    struct err err = err_none;
    for (uint32_t c = 1; c < CALIBRATION_COLUMNS && !err_is(err); c++) {
        err = counts[c] == count ? err : err_make(ERR_ARCHIVE_DIFFERS, "columns of other lengths");
    }
    for (uint64_t i = 0; i < count && !err_is(err); i++) {
        uint64_t air = ((const uint64_t *)columns[3])[i];
        uint64_t dark = ((const uint64_t *)columns[4])[i];
        rows[i] = (struct archive_calibration){
            .entry_index = ((const uint64_t *)columns[0])[i],
            .image_index = ((const uint64_t *)columns[1])[i],
            .pixel_pitch_mm = ((const double *)columns[2])[i],
            .air_level = (uint32_t)air,
            .dark_level = (uint32_t)dark,
        };
        if (air > UINT32_MAX || dark > UINT32_MAX ||
            (i > 0 && rows[i].entry_index < rows[i - 1].entry_index)) {
            err = err_make(ERR_ARCHIVE_DIFFERS, "calibration out of range or order");
        }
    }
    if (err_is(err)) {
        free(rows);
        return err;
    }
    *out = rows;
    return err_none;
}

struct err archive_file_calibrations(struct archive_file *self, struct archive_calibration **out,
                                     uint64_t *out_count)
{
    static const struct {
        const char *path;
        enum h5_type type;
    } wanted[CALIBRATION_COLUMNS] = {{"scan_images/entry_index", H5_U64},
                                     {"scan_images/image_index", H5_U64},
                                     {"scan_images/pixel_pitch_mm", H5_F64},
                                     {"scan_images/air_level", H5_U64},
                                     {"scan_images/dark_level", H5_U64}};
    void *columns[CALIBRATION_COLUMNS] = {NULL};
    uint64_t counts[CALIBRATION_COLUMNS] = {0};
    struct err err = err_none;
    for (uint32_t c = 0; c < CALIBRATION_COLUMNS && !err_is(err); c++) {
        err = h5_exists(self->file, wanted[c].path)
                  ? tables_numbers(self, wanted[c].path, wanted[c].type, &columns[c], &counts[c])
                  : err_make(ERR_NOT_FOUND, "calibration of images");
    }
    err = err_is(err) ? err : tables_put_together(columns, counts, out);
    for (uint32_t c = 0; c < CALIBRATION_COLUMNS; c++) {
        free(columns[c]);
    }
    if (!err_is(err)) {
        *out_count = counts[0];
    }
    return err;
}
