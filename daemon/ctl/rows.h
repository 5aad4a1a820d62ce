/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

/* Rows: queries of the read model as JSON, so that what people and programs are shown comes from
 * one place. One thread. */

#include "ctl/ctl.h"
#include "state/state.h"

struct json_t;

/* One letter a column, in order: t text, i integer, r real, b yes or no, n time of the same name
 * without "_ns", h hex, w words (one a line, becomes an array). A null value is left out. The
 * SELECT takes the item id as its one parameter. NULL when it failed (told). */
struct json_t *rows_of_item(struct state *state, const char *sql, const char *types,
                            const uint8_t item[ITEM_ID_BYTES]);
/* The same without a parameter. */
struct json_t *rows_of(struct state *state, const char *sql, const char *types);

/* Members of an object, "" or 0 when missing; text lives as long as the object. */
const char *member_text(const struct json_t *object, const char *name);
double member_real(const struct json_t *object, const char *name);
long long member_integer(const struct json_t *object, const char *name);

#endif
