/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_ids.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a checkpoint claims of its size is not believed further than this. */
#define IDS_EXPECTED_MAX (UINT64_C(1) << 22)
#define IDS_LEAST 1024u

static struct err ids_grow(struct verify_ids *self, uint64_t capacity)
{
    uint8_t *kinds = reallocarray(self->kinds, (size_t)capacity, sizeof *kinds);
    self->kinds = kinds == NULL ? self->kinds : kinds;
    uint32_t *owners = reallocarray(self->owners, (size_t)capacity, sizeof *owners);
    self->owners = owners == NULL ? self->owners : owners;
    if (kinds == NULL || owners == NULL) {
        return err_make(ERR_MEMORY, "verify_ids");
    }
    self->capacity = capacity;
    return err_none;
}

struct err verify_ids_init(struct verify_ids *self, uint64_t expected)
{
    memset(self, 0, sizeof *self);
    id_map_init(&self->map);
    expected = expected < IDS_EXPECTED_MAX ? expected : IDS_EXPECTED_MAX;
    struct err err = id_map_reserve(&self->map, expected);
    return err_is(err) ? err : ids_grow(self, expected > IDS_LEAST ? expected : IDS_LEAST);
}

void verify_ids_fini(struct verify_ids *self)
{
    id_map_fini(&self->map);
    free(self->kinds);
    free(self->owners);
    memset(self, 0, sizeof *self);
}

struct err verify_ids_add(struct verify_ids *self, uint64_t index, const uint8_t id[ENTRY_ID_BYTES],
                          enum entry_type kind, bool *added)
{
    must(index >= self->count);
    if (index >= self->capacity) {
        uint64_t grown = self->capacity * 2 > index ? self->capacity * 2 : index + IDS_LEAST;
        struct err err = ids_grow(self, grown);
        if (err_is(err)) {
            return err;
        }
    }
    memset(self->kinds + self->count, 0, (size_t)(index - self->count));
    memset(self->owners + self->count, 0, (size_t)(index + 1 - self->count) * sizeof(uint32_t));
    self->kinds[index] = (uint32_t)kind < VERIFY_TYPES ? (uint8_t)kind : 0;
    self->count = index + 1;
    return id_map_add(&self->map, id, index, added);
}

bool verify_ids_cause(const struct verify_ids *self, struct verify_report *report,
                      const struct entry *entry, uint32_t cause, uint64_t *index)
{
    if (id_map_find(&self->map, entry->causes[cause], index)) {
        return true;
    }
    if (!self->gap) {
        char id[37];
        uuid_format(entry->causes[cause], id);
        verify_problem(report, "entry %" PRIu64 ": cause %s is no entry before it", entry->n, id);
    }
    return false;
}

bool verify_kind_is_record(uint8_t kind)
{
    return kind == ENTRY_SCAN_RECEIVED || kind == ENTRY_DECLARATION_RECEIVED;
}
