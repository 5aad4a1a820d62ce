/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_TABLE_SECRET_H
#define CTL_TABLE_SECRET_H

/* Table secret: what keeps the digests of a model (score/part_key.h) from being guessed: a digest
 * of the table it is taught from, whose records only the operator has. Same table, same secret. */

#include <stdint.h>

#include "ctl/logged_declarations.h"
#include "score/part_key.h"

/* Of the whole file; of a pipe or a file that cannot be read: random. */
void table_secret(const char *path, uint8_t out[PART_SECRET_BYTES]);

/* The same of what a port's log knows: of its first SECRET_ROWS labelled declarations that
 * are still there; random when none is. */
#define SECRET_ROWS 4096u
MUST_USE struct err logged_secret(struct logged_declarations *logged,
                                  uint8_t out[PART_SECRET_BYTES]);

#endif
