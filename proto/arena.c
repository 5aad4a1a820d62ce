/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/arena.h"

#define ARENA_ALIGNMENT 16u

void arena_init(struct arena *self, void *buffer, size_t capacity_bytes)
{
    self->at = buffer;
    self->capacity_bytes = capacity_bytes;
    self->used_bytes = 0;
    self->overflow = false;
}

void arena_reset(struct arena *self)
{
    self->used_bytes = 0;
    self->overflow = false;
}

void *arena_take(struct arena *self, size_t bytes)
{
    /* The buffer itself may start anywhere, so the address is aligned, not the offset. */
    uintptr_t free_at = (uintptr_t)self->at + self->used_bytes;
    size_t padding = (ARENA_ALIGNMENT - free_at % ARENA_ALIGNMENT) % ARENA_ALIGNMENT;
    size_t left = self->capacity_bytes - self->used_bytes;
    if (self->overflow || padding > left || bytes > left - padding) {
        self->overflow = true;
        return NULL;
    }
    void *taken = self->at + self->used_bytes + padding;
    self->used_bytes += padding + bytes;
    return taken;
}
