/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "pipeline_parts.h"

/* A ring of the newest digests with a hash table over it. 64 bits of a SHA-256 are kept: at a
 * quarter of a million records two different ones agree in them once in half a billion fillings,
 * and what follows is a refusal that is on record. */

enum { RECENT_NONE = -1 };

struct recent {
    uint64_t *ring;
    int32_t *next_in_bucket;
    int32_t *buckets;
    uint32_t capacity;
    uint32_t mask;
    uint32_t next;
    bool full;
};

struct err recent_open(uint32_t capacity, struct recent **out)
{
    must(capacity > 0 && capacity < INT32_MAX / 2);
    struct recent *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "recent_open");
    }
    uint32_t buckets = 16;
    while (buckets < capacity) {
        buckets *= 2;
    }
    self->ring = calloc(capacity, sizeof *self->ring);
    self->next_in_bucket = calloc(capacity, sizeof *self->next_in_bucket);
    self->buckets = malloc(buckets * sizeof *self->buckets);
    if (self->ring == NULL || self->next_in_bucket == NULL || self->buckets == NULL) {
        recent_close(&self);
        return err_make(ERR_MEMORY, "recent_open");
    }
    memset(self->buckets, 0xff, buckets * sizeof *self->buckets); /* all RECENT_NONE */
    self->capacity = capacity;
    self->mask = buckets - 1;
    *out = self;
    return err_none;
}

void recent_close(struct recent **self)
{
    if (*self != NULL) {
        free((*self)->ring);
        free((*self)->next_in_bucket);
        free((*self)->buckets);
        free(*self);
        *self = NULL;
    }
}

static void recent_forget(struct recent *self, uint32_t place)
{
    int32_t *link = &self->buckets[self->ring[place] & self->mask];
    while (*link != (int32_t)place) {
        must(*link != RECENT_NONE);
        link = &self->next_in_bucket[*link];
    }
    *link = self->next_in_bucket[place];
}

bool recent_has(const struct recent *self, const uint8_t digest[HASH_BYTES])
{
    uint64_t short_digest;
    memcpy(&short_digest, digest, sizeof short_digest);
    int32_t at = self->buckets[short_digest & self->mask];
    while (at != RECENT_NONE && self->ring[at] != short_digest) {
        at = self->next_in_bucket[at];
    }
    return at != RECENT_NONE;
}

bool recent_add(struct recent *self, const uint8_t digest[HASH_BYTES])
{
    uint64_t short_digest;
    if (recent_has(self, digest)) {
        return false;
    }
    memcpy(&short_digest, digest, sizeof short_digest);
    int32_t *bucket = &self->buckets[short_digest & self->mask];
    uint32_t place = self->next;
    if (self->full) {
        recent_forget(self, place);
    }
    self->ring[place] = short_digest;
    self->next_in_bucket[place] = *bucket;
    *bucket = (int32_t)place;
    self->next = (place + 1) % self->capacity;
    self->full = self->full || self->next == 0;
    return true;
}
