/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENT_LIST_H
#define SENT_LIST_H

/* Sent list: which files of a followed folder have gone out, and which are still growing. Kept over
 * restarts as a text file with one name a line. Zeroed memory is an empty list. One thread; bound:
 * SENT_NAMES_MAX names. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SENT_NAMES_MAX 1000000u

struct sent_list {
    void *root; /* of a search tree */
    uint32_t count;
};

/* A missing or unreadable file is an empty list: files then go out again and the daemon knows them.
 */
void sent_list_read(struct sent_list *self, const char *path);
MUST_USE struct err sent_list_write(const struct sent_list *self, const char *path);
/* True when the file has not gone out and was the same when asked before. */
bool sent_list_due(struct sent_list *self, const char *name, int64_t changed_ns,
                   uint64_t files_bytes);
void sent_list_mark(struct sent_list *self, const char *name);
void sent_list_fini(struct sent_list *self);

#endif
