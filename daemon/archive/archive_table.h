/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TABLE_H
#define ARCHIVE_TABLE_H

/* Archive table: rows in memory, then a group with one 1-D dataset a column, which every reader of
 * HDF5 understands. For daemon/archive and daemon/export. Cells are put in the order of the
 * columns; a wrong order or type is our own bug. A table that found no memory remembers it and
 * swallows the rest: archive_table_err tells at the end. One thread a table. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/chunk_pool.h"
#include "archive/h5.h"
#include "base/err.h"

struct archive_column {
    const char *name;
    enum h5_type type; /* H5_U8, H5_U64, H5_I64, H5_F64 or H5_TEXT */
    const char *units; /* "" when it has none */
    const char *words; /* what it means, one line */
};

struct archive_table_spec {
    const char *name;
    const char *words;
    const struct archive_column *columns;
    uint32_t columns_count;
};

enum archive_table_name {
    TABLE_ENTRIES,
    TABLE_ITEMS,
    TABLE_SCANS,
    TABLE_SCAN_IMAGES,
    TABLE_CALIBRATION,
    TABLE_DECLARATIONS,
    TABLE_SCORES,
    TABLE_CONTRIBUTIONS,
    TABLE_SCORE_INPUTS,
    TABLE_SHADOW_SCORES,
    TABLE_SHADOW_INPUTS,
    TABLE_REGIONS,
    TABLE_DECISIONS,
    TABLE_DECISION_REASONS,
    TABLE_REFERRAL_EVENTS,
    TABLE_OUTCOMES,
    TABLE_REFUSALS,
    TABLE_MODELS,
    TABLE_METRICS,
    TABLE_COUNT
};

/* archive_schema.c; FORMAT.md repeats it and a test compares. */
extern const struct archive_table_spec archive_tables[TABLE_COUNT];

union archive_cell {
    uint64_t number;
    int64_t signed_number;
    double real;
    uint64_t text_offset;
};

struct archive_table {
    const struct archive_table_spec *spec;
    union archive_cell *cells; /* rows_count x columns_count */
    uint64_t rows_count;       /* finished rows */
    uint64_t rows_capacity;
    uint32_t column_next; /* of the row being filled */
    char *text;           /* zero-terminated strings, one behind the other; "" is at offset 0 */
    uint64_t text_bytes;
    uint64_t text_capacity;
    bool exhausted;
};

void archive_table_init(struct archive_table *self, const struct archive_table_spec *spec);
void archive_table_fini(struct archive_table *self);

/* NULL counts as "". */
void archive_put_text(struct archive_table *self, const char *text);
void archive_put_number(struct archive_table *self, uint64_t number); /* H5_U8 and H5_U64 */
void archive_put_signed(struct archive_table *self, int64_t number);
void archive_put_real(struct archive_table *self, double real);
void archive_put_hex(struct archive_table *self, const uint8_t *bytes,
                     uint32_t bytes_count); /* at most 32 bytes */
/* Two cells: UTC in ns, and the same as ISO 8601 text, "" for 0. */
void archive_put_time(struct archive_table *self, int64_t t_ns);
void archive_row_end(struct archive_table *self);

/* Cells of finished rows, by the name of the column. */
const char *archive_table_text(const struct archive_table *self, uint64_t row, const char *column);
uint64_t archive_table_number(const struct archive_table *self, uint64_t row, const char *column);
double archive_table_real(const struct archive_table *self, uint64_t row, const char *column);
int64_t archive_table_signed(const struct archive_table *self, uint64_t row, const char *column);
void archive_table_set_text(struct archive_table *self, uint64_t row, const char *column,
                            const char *text);
void archive_table_set_number(struct archive_table *self, uint64_t row, const char *column,
                              uint64_t number);
void archive_table_set_real(struct archive_table *self, uint64_t row, const char *column,
                            double real);
/* name_ns and name_utc. */
void archive_table_set_time(struct archive_table *self, uint64_t row, const char *name,
                            int64_t t_ns);

struct err archive_table_err(const struct archive_table *self);
/* Write the table as a group of `file`. The pool is empty before and after. */
MUST_USE struct err archive_table_write(const struct archive_table *self, int64_t file,
                                        struct chunk_pool *pool);
/* Add the rows that the table has in `file`, a sealed one of our own making. A column or table that
 * the file is too old to have gives cells of 0 and "". ARCHIVE_DIFFERS, MEMORY. */
MUST_USE struct err archive_table_append(struct archive_table *self, int64_t file);
/* Read the table back from `file` and compare every cell: ARCHIVE_DIFFERS. `older`: the file may be
 * of before a column, whose cells are 0 or "" then. */
MUST_USE struct err archive_table_check(const struct archive_table *self, int64_t file, bool older);

/* Make room for `needed` cells in a growing array; false when there is no memory. */
bool archive_grow(void **array, uint64_t *capacity, uint64_t needed, uint64_t cell_bytes);

#endif
