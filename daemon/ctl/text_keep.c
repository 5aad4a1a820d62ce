/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/text_keep.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16 };

struct text_chunk {
    struct text_chunk *next;
    size_t used;
    size_t room;
    char text[];
};

static struct text_chunk *chunk_for(struct text_keep *self, size_t bytes)
{
    while (self->last != NULL && bytes > self->last->room - self->last->used &&
           self->last->next != NULL) {
        self->last = self->last->next;
    }
    if (self->last != NULL && bytes <= self->last->room - self->last->used) {
        return self->last;
    }
    size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct text_chunk *chunk = malloc(sizeof *chunk + room);
    if (chunk == NULL) {
        return NULL;
    }
    *chunk = (struct text_chunk){.room = room};
    *(self->last != NULL ? &self->last->next : &self->first) = chunk;
    self->last = chunk;
    return chunk;
}

const char *text_keep_add(struct text_keep *self, const char *text)
{
    size_t bytes = strlen(text) + 1;
    struct text_chunk *chunk = chunk_for(self, bytes);
    if (chunk == NULL) {
        self->no_memory = true;
        return "";
    }
    char *kept = chunk->text + chunk->used;
    memcpy(kept, text, bytes);
    chunk->used += bytes;
    return kept;
}

void text_keep_forget(struct text_keep *self)
{
    for (struct text_chunk *chunk = self->first; chunk != NULL; chunk = chunk->next) {
        chunk->used = 0;
    }
    self->last = self->first;
    self->no_memory = false;
}

void text_keep_fini(struct text_keep *self)
{
    while (self->first != NULL) {
        struct text_chunk *next = self->first->next;
        free(self->first);
        self->first = next;
    }
    *self = (struct text_keep){NULL, NULL, false};
}
