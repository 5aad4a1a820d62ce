/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECLARATION_CSV_H
#define DECLARATION_CSV_H

/* Declaration CSV: a table of declarations through a mapping, one at a time; for triage-feed
 * declarations and for training (which also reads the labels). A bad row is a row with a problem in
 * words, not an error: the caller decides. One thread; blocks on the disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "feeds/csv_table.h"
#include "proto/record.h"

struct declaration_csv;

struct declaration_csv_conf {
    const char *path;
    const char *mapping_path; /* NULL: that of the public customs tables */
    const char *site;         /* for rows whose mapping names no site */
    const char *lane;
    enum mode mode; /* for tables whose mapping names no mode; MODE_UNKNOWN makes such rows bad */
    bool follow;    /* an unfinished last line is left for later */
    bool lenient;   /* columns that are not there are as if empty: declaration_csv_missing */
    bool blind;     /* label columns are not even looked for: every row comes out unlabelled */
};

struct declaration_row {
    struct declaration declaration; /* with what could be read; lives until the next call */
    const char
        *problem;  /* NULL, or the first thing wrong with the row: "Net Mass: not a number: 1,2" */
    uint64_t line; /* from 1 */
    uint32_t column;     /* of the problem, from 1; 0 when it is about the whole row */
    uint64_t end_offset; /* of the byte behind the row, and its line: for declaration_csv_seek */
    uint64_t end_line;
    bool labelled;
    bool found; /* label: an exam found something */
    bool critical;
};

/* On failure error (CSV_ERROR_BYTES) says why. Errors: IO, TABLE_UNREADABLE, MEMORY. */
MUST_USE struct err declaration_csv_open(const struct declaration_csv_conf *conf,
                                         struct declaration_csv **out, char *error);
void declaration_csv_close(struct declaration_csv **self);
MUST_USE struct err declaration_csv_next(struct declaration_csv *self, struct declaration_row *out,
                                         enum csv_step *step, char *error);
MUST_USE struct err declaration_csv_seek(struct declaration_csv *self, uint64_t offset,
                                         uint64_t line);
/* Rows of a table without a column of dates are declared now: nothing to train with. */
bool declaration_csv_is_dated(const struct declaration_csv *self);
/* Of a lenient reading: the columns that are not there, named for people; "" when all are. Lives as
 * long as the table. */
const char *declaration_csv_missing(const struct declaration_csv *self);
uint64_t declaration_csv_bytes(const struct declaration_csv *self);

#endif
