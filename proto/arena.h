/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_ARENA_H
#define PROTO_ARENA_H

/* Arena: bump memory on a buffer that the caller owns. What is taken lives until arena_reset or the
 * buffer goes. One thread at a time. An arena never grows: arena_take returns NULL when it is full,
 * and remembers it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    uint8_t *at;
    size_t capacity_bytes;
    size_t used_bytes;
    bool overflow;
};

void arena_init(struct arena *self, void *buffer, size_t capacity_bytes);
void arena_reset(struct arena *self);
/* Aligned to 16. */
void *arena_take(struct arena *self, size_t bytes);

#endif
