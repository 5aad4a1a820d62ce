/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DECLARATION_GROUP_H
#define CTL_DECLARATION_GROUP_H

/* Declaration group: a table of declarations, one declaration at a time. As tables are, each row is
 * one. With `lines`, rows that follow one another with the same id are the lines of one
 * declaration: what is said of the whole comes from the first of them, the label says found when
 * one of them does. One thread; blocks on the disk; allocates no more than RECORD_LINES_MAX rows of
 * text. */

#include "feeds/declaration_csv.h"

struct declaration_group;

/* As declaration_csv_open; columns that a lenient table lacks are told on standard error, and so is
 * how far the reading is. */
MUST_USE struct err declaration_group_open(const struct declaration_csv_conf *conf, bool lines,
                                           struct declaration_group **out, char *error);
void declaration_group_close(struct declaration_group **self);
/* As declaration_csv_next; the row's place in the table is that of its first line. Lines beyond
 * RECORD_LINES_MAX are left out and told as the row's problem. */
MUST_USE struct err declaration_group_next(struct declaration_group *self,
                                           struct declaration_row *out, enum csv_step *step,
                                           char *error);
bool declaration_group_is_dated(const struct declaration_group *self);
/* Rows so far that had the id of the row before. */
uint64_t declaration_group_repeats(const struct declaration_group *self);
/* Rows so far that could not be read whole. */
uint64_t declaration_group_faulty(const struct declaration_group *self);
/* Without `lines`, tells on standard error that there were such rows. */
void declaration_group_tell(const struct declaration_group *self, const char *path);

#endif
