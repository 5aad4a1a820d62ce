/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOW_LIST_H
#define ALLOW_LIST_H

/* Allow-list: who may connect: a directory of <name>.pub files, one CURVE public key each. One
 * owner thread. The files are read again, at most once a second, when somebody connects: a key is
 * allowed or revoked without a restart (a revoked one keeps the connection it has). Memory of the
 * list is taken at open. */

#include <stdint.h>

#include "base/err.h"

#define ALLOW_KEY_BYTES 32u

struct allow_list;

/* Errors: KEY when the directory cannot be read, MEMORY. A file that is no key is passed over with
 * a diag line. */
MUST_USE struct err allow_list_open(const char *directory, struct allow_list **out);
void allow_list_close(struct allow_list **self);
/* The name of this key; NULL when it is not on the list. Lives until the next call. */
const char *allow_list_find(struct allow_list *self, const uint8_t key[ALLOW_KEY_BYTES],
                            int64_t now_ns);

#endif
