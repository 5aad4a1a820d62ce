/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Open addressing, linear probing, at most half full: one cache line for nearly every look-up. */

#define ID_MAP_SLOTS_FIRST 1024u

struct id_map_slot {
    uint8_t id[ID_MAP_ID_BYTES];
    uint64_t value_plus_one; /* 0: empty */
};

void id_map_init(struct id_map *self)
{
    memset(self, 0, sizeof *self);
    random_bytes(self->seed, sizeof self->seed);
}

void id_map_fini(struct id_map *self)
{
    free(self->slots);
    memset(self, 0, sizeof *self);
}

static uint64_t id_map_mix(uint64_t x)
{
    x ^= x >> 32; /* the finaliser of SplitMix64 (Steele, Lea, Flood 2014) */
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 29;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 32;
}

static uint64_t id_map_hash(const struct id_map *self, const uint8_t id[ID_MAP_ID_BYTES])
{
    uint64_t words[2];
    memcpy(words, id, sizeof words);
    return id_map_mix(id_map_mix(words[0] ^ self->seed[0]) + (words[1] ^ self->seed[1]));
}

/* The slot of the id, or the empty one where it belongs. */
static struct id_map_slot *id_map_slot_of(const struct id_map *self,
                                          const uint8_t id[ID_MAP_ID_BYTES])
{
    uint64_t at = id_map_hash(self, id);
    for (;; at++) { /* ends: the table is never full */
        struct id_map_slot *slot = &self->slots[at & (self->slots_count - 1)];
        if (slot->value_plus_one == 0 || memcmp(slot->id, id, ID_MAP_ID_BYTES) == 0) {
            return slot;
        }
    }
}

bool id_map_find(const struct id_map *self, const uint8_t id[ID_MAP_ID_BYTES], uint64_t *value)
{
    if (self->slots_count == 0) {
        return false;
    }
    const struct id_map_slot *slot = id_map_slot_of(self, id);
    if (slot->value_plus_one == 0) {
        return false;
    }
    *value = slot->value_plus_one - 1;
    return true;
}

static struct err id_map_grow(struct id_map *self, uint64_t slots_count)
{
    struct id_map grown = *self;
    grown.slots_count = slots_count;
    grown.slots = calloc((size_t)grown.slots_count, sizeof *grown.slots);
    if (grown.slots == NULL) {
        return err_make(ERR_MEMORY, "id_map_grow");
    }
    for (uint64_t i = 0; i < self->slots_count; i++) {
        if (self->slots[i].value_plus_one != 0) {
            *id_map_slot_of(&grown, self->slots[i].id) = self->slots[i];
        }
    }
    free(self->slots);
    *self = grown;
    return err_none;
}

struct err id_map_reserve(struct id_map *self, uint64_t count)
{
    uint64_t slots_count = ID_MAP_SLOTS_FIRST;
    while (slots_count / 2 < count && slots_count < (uint64_t)1 << 62) {
        slots_count *= 2;
    }
    return slots_count > self->slots_count ? id_map_grow(self, slots_count) : err_none;
}

struct err id_map_add(struct id_map *self, const uint8_t id[ID_MAP_ID_BYTES], uint64_t value,
                      bool *added)
{
    must(value < UINT64_MAX);
    if (self->count >= self->slots_count / 2) {
        struct err err =
            id_map_grow(self, self->slots_count == 0 ? ID_MAP_SLOTS_FIRST : self->slots_count * 2);
        if (err_is(err)) {
            return err;
        }
    }
    struct id_map_slot *slot = id_map_slot_of(self, id);
    *added = slot->value_plus_one == 0;
    if (*added) {
        memcpy(slot->id, id, ID_MAP_ID_BYTES);
        slot->value_plus_one = value + 1;
        self->count++;
    }
    return err_none;
}
