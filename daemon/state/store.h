/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATE_STORE_H
#define STATE_STORE_H

/* Store: one SQLite file and its prepared statements. The only file that includes SQLite's header
 * is store.c; the rest of this module speaks in the numbered statements of statement_table.h.
 *
 * Threads: a store belongs to one thread. Blocks on disk; readers wait up to five seconds for a
 * lock. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store;
struct statement;

enum statement_name {
#define STATEMENT(name, sql) STATEMENT_##name,
#include "state/statement_table.h"
#undef STATEMENT
    STATEMENT_COUNT
};

/* write false opens an existing file for reading only, also while another process writes it. Errors
 * of this module: STATE_STORE (damaged, or not the tables it should have), IO, DISK_FULL, LOCKED,
 * MEMORY. */
MUST_USE struct err store_open(const char *path, bool write, struct store **out);
/* Closes and nulls. A store in which SQLite met damage is removed on the way out when it was open
 * for writing, so that the next open makes it anew. Accepts NULL. */
void store_close(struct store **self);
/* Removes the file with its -wal and -shm. */
MUST_USE struct err store_remove(const char *path);
/* Run SQL text without results (schema, pragmas, BEGIN). */
MUST_USE struct err store_execute(struct store *self, const char *sql);
/* What SQLite said last; lives until the next call. */
const char *store_message(const struct store *self);

/* The statement, reset and with nothing bound; prepared at its first use and kept. */
MUST_USE struct err store_statement(struct store *self, enum statement_name name,
                                    struct statement **out);
/* One SELECT from outside: anything that is not a single reading statement is ARGUMENT. The caller
 * drops it. */
MUST_USE struct err store_prepare_select(struct store *self, const char *sql,
                                         struct statement **out);
void statement_drop(struct statement **self);

/* Positions count from 1. Text and blobs are borrowed until the statement is run to its end or
 * reset. NULL text binds "". A failed bind is reported by the next step or run. */
void bind_integer(struct statement *self, int position, int64_t value);
void bind_index(struct statement *self, int position, uint64_t value);
void bind_real(struct statement *self, int position, double value);
void bind_text(struct statement *self, int position, const char *text);
void bind_text_bytes(struct statement *self, int position, const char *text, uint32_t text_bytes);
void bind_blob(struct statement *self, int position, const void *bytes, uint32_t bytes_count);
void bind_null(struct statement *self, int position);
int statement_parameters(const struct statement *self);

/* Next row; *row false at the end, and then the statement is reset. */
MUST_USE struct err statement_step(struct statement *self, bool *row);
/* For a loop over all rows: true while there is one; false at the end, or with *err set. */
bool statement_next(struct statement *self, struct err *err);
/* The first row, which the caller reads before he resets; NOT_FOUND with these static words when
 * there is none. */
MUST_USE struct err statement_first(struct statement *self, const char *missing);
/* Whether there is a row; then reset. */
MUST_USE struct err statement_any(struct statement *self, bool *any);
/* To the end, rows ignored; then reset. */
MUST_USE struct err statement_run(struct statement *self);
void statement_reset(struct statement *self);

/* Of the present row; positions count from 0. Text lives until the next step; NULL reads as "". */
int64_t column_integer(struct statement *self, int position);
uint64_t column_index(struct statement *self, int position);
double column_real(struct statement *self, int position);
bool column_is_null(struct statement *self, int position);
const char *column_text(struct statement *self, int position);
/* At most bytes_max of the text, not in the middle of a UTF-8 sequence: half a character is no text
 * to a JSON writer. */
size_t utf8_cut(const char *text, size_t text_bytes, size_t bytes_max);
/* Cut at out_bytes - 1; always zero-terminated. */
void column_copy_text(struct statement *self, int position, char *out, uint32_t out_bytes);
/* Exactly bytes_count bytes, or zeros when the blob has another length. */
void column_copy_blob(struct statement *self, int position, uint8_t *out, uint32_t bytes_count);
uint32_t statement_columns(const struct statement *self);
const char *statement_column_name(const struct statement *self, uint32_t position);
/* Value as text; blobs as hexadecimal (cut) and reals as the shortest text that reads back to the
 * same double into hex (at least 32 bytes); NULL when the column is null. */
const char *column_readable(struct statement *self, uint32_t position, char *hex,
                            uint32_t hex_bytes);

#endif
