/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BLOB_LEAVING_H
#define BLOB_LEAVING_H

/* Blob leaving: the marks of blob_leave_begin (blob.h). The lock guards everything in it, and a
 * file that goes goes under it: a put either takes the mark away before, or finds no file
 * afterwards. Private to blob.c. Any thread; one thread at a time marks. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "archive/blob.h"

struct blob_leaving {
    pthread_mutex_t lock;
    _Atomic uint32_t count; /* read without the lock by a put that has nothing to look for */
    uint8_t digest[BLOB_LEAVING_MAX][HASH_BYTES];
    bool marked[BLOB_LEAVING_MAX];
    bool gone[BLOB_LEAVING_MAX];
};

void blob_leaving_init(struct blob_leaving *self);
void blob_leaving_fini(struct blob_leaving *self);
void blob_leaving_begin(struct blob_leaving *self, const uint8_t (*digests)[HASH_BYTES],
                        uint32_t count);
/* Put again: it stays, whoever wanted it gone. */
void blob_leaving_stay(struct blob_leaving *self, const uint8_t digest[HASH_BYTES]);
/* Removes path, unsynced, if the digest has its mark. */
MUST_USE struct err blob_leaving_remove(struct blob_leaving *self, const uint8_t digest[HASH_BYTES],
                                        const char *path, bool *gone);
/* No marks any more; touched: first bytes of the digests whose files went. */
void blob_leaving_end(struct blob_leaving *self, bool touched[256]);

#endif
