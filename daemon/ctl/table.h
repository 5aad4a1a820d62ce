/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

/* Table: rows for people. Columns are as wide as their widest cell; what is too wide for the
 * terminal is taken from the last column, whose text is wrapped at words, or put on lines of its
 * own under the row when less than 24 columns would remain. When the others alone are too wide,
 * those that can be spared are left out. Cells may have several lines. Text from
 * outside cannot speak to the terminal: control characters become '?'. One thread; a table that
 * runs out of memory says so when it is printed. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16u

struct table;

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *name; /* "" prints no heading for this column */
    enum table_align align;
    uint32_t spare; /* 0: always shown; on a narrow terminal the highest is left out first */
};

/* columns: borrowed while the table lives. NULL when there is no memory. */
struct table *table_open(const struct table_column *columns, uint32_t columns_count);
void table_close(struct table **self);
/* Next cell of the present row; the row ends by itself at the last column. Copies the text; NULL is
 * "". */
void table_cell(struct table *self, const char *text);
void table_cellf(struct table *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint32_t table_rows(const struct table *self);
/* width 0: as it is, nothing wrapped. False when a cell was lost for want of memory. */
bool table_print(const struct table *self, FILE *to, uint32_t width);

/* Columns of the terminal that `to` is; what the environment's COLUMNS says when it is none, 0
 * without that. */
uint32_t terminal_width(FILE *to);
/* Print text with control characters replaced, wrapped at width (0: not) with this indent on every
 * line but the first. */
void text_print(FILE *to, const char *text, uint32_t width, uint32_t indent);

/* ---- cells that every command writes the same way; out has 32 bytes */
#define TABLE_CELL_BYTES 32u
void format_age(int64_t ns, char out[TABLE_CELL_BYTES]); /* "42 s", "17 min", "3.2 h", "5 d" */
void format_bytes(uint64_t bytes, char out[TABLE_CELL_BYTES]); /* "12.3 MiB" */
void format_share(double share, char out[TABLE_CELL_BYTES]);   /* "12.3%" */

#endif
