/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CSV_TABLE_H
#define CSV_TABLE_H

/* CSV table: rows of a text table, one at a time (libcsv; RFC 4180 quoting, CR, LF or CRLF). The
 * first row names the columns. Bounds: CSV_COLUMNS_MAX columns, CSV_ROW_BYTES_MAX bytes a row: a
 * longer one (an unclosed quote) ends the reading with an error, for nothing behind it can be
 * trusted. One thread; blocks on the disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CSV_COLUMNS_MAX 256u
#define CSV_ROW_BYTES_MAX 65536u
#define CSV_ERROR_BYTES 256u

struct csv_table;

struct csv_row {
    char *const *fields; /* zero-terminated; live until the next call */
    uint32_t fields_count;
    uint64_t line;       /* of its first character, from 1 */
    uint64_t end_offset; /* of the byte behind it: where reading may resume */
    uint64_t end_line;   /* of that byte */
};

enum csv_step {
    CSV_ROW,
    CSV_WAIT, /* nothing more now; a row that is not finished by a newline is left for later when
                 following */
    CSV_END
};

/* follow: an unfinished last row is not given out. Errors: IO, TABLE_UNREADABLE, with a sentence in
 * error. */
MUST_USE struct err csv_table_open(const char *path, char delimiter, bool follow,
                                   struct csv_table **out, char *error);
void csv_table_close(struct csv_table **self);
/* Names of the columns; live as long as the table. */
char *const *csv_table_columns(const struct csv_table *self, uint32_t *columns_count);
/* Go on from an end_offset of an earlier run. */
MUST_USE struct err csv_table_seek(struct csv_table *self, uint64_t offset, uint64_t line);
MUST_USE struct err csv_table_next(struct csv_table *self, struct csv_row *out, enum csv_step *step,
                                   char *error);
/* Bytes of the file now, for progress. */
uint64_t csv_table_bytes(const struct csv_table *self);

#endif
