/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FOREIGN_STORY_H
#define TESTS_FOREIGN_STORY_H

/* Story: entries of every usual type that follow from one another, for logs of any size. Everything
 * but the committer's stamp follows from the index and the branch. */

#include <stddef.h>
#include <stdint.h>

#include "proto/entry.h"

struct story {
    uint64_t fork_at; /* entries from here on are of the other branch */
};

void story_init(struct story *self);
void story_fork(struct story *self, uint64_t at);
/* The entry without its stamp; returns the length. Index 0 is the log's own. */
uint32_t story_rest(const struct story *self, uint64_t index, uint8_t *out, size_t out_capacity);

#endif
