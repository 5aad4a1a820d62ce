/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ID_MAP_H
#define BASE_ID_MAP_H

/* Id map: 16-byte ids (of entries, of items) to a number. Grows by doubling; the caller bounds how
 * many go in. Ids come from the log and may be chosen by somebody hostile, so the hash is keyed
 * with random bytes; nothing that is written may depend on its order, and there is no way to walk
 * it. One thread a map. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define ID_MAP_ID_BYTES 16u

struct id_map_slot;

struct id_map {
    struct id_map_slot *slots;
    uint64_t slots_count; /* a power of two, or 0 */
    uint64_t count;
    uint64_t seed[2];
};

void id_map_init(struct id_map *self);
void id_map_fini(struct id_map *self);
/* Room for so many ids at once, instead of growing to it. MEMORY. */
MUST_USE struct err id_map_reserve(struct id_map *self, uint64_t count);
/* *value is written only when the id is in the map. */
bool id_map_find(const struct id_map *self, const uint8_t id[ID_MAP_ID_BYTES], uint64_t *value);
/* *added is false, and nothing changes, when the id is there already. MEMORY. */
MUST_USE struct err id_map_add(struct id_map *self, const uint8_t id[ID_MAP_ID_BYTES],
                               uint64_t value, bool *added);

#endif
