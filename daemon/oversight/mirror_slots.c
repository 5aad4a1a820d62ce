/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/mirror_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/durable.h"
#include "oversight/commit_index.h"
#include "oversight/wal_segment.h"

/* What of the two copies is neither segment nor group: commit indexes, and wal/removed. */

#define INDEX_BYTES ((size_t)WAL_SLOTS * WAL_BLOCK_BYTES)

struct err mirror_load_index(struct mirror *self, int copy)
{
    char path[DURABLE_PATH_BYTES];
    size_t bytes_count = 0;
    struct err err = wal_path(self->directory[copy], COMMIT_INDEX_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, 2 * INDEX_BYTES, &self->index[copy], &bytes_count);
    }
    if (err.os_errno == ENOENT) {
        return err_none;
    }
    if (!err_is(err) && bytes_count != INDEX_BYTES) {
        free(self->index[copy]);
        self->index[copy] = NULL;
    }
    return err;
}

struct err mirror_merge_slots(struct mirror *self)
{
    for (uint64_t i = 0; i < WAL_SLOTS; i++) {
        struct wal_slot *best = &self->slots[i];
        self->slot_from[i] = -1;
        for (int copy = 0; copy < 2; copy++) {
            const uint8_t *index = self->index[copy];
            struct wal_slot slot;
            if (index == NULL ||
                wal_slot_decode(index + i * WAL_BLOCK_BYTES, WAL_BLOCK_BYTES, &slot) != WAL_GOOD ||
                slot.group_number % WAL_SLOTS != i) {
                continue;
            }
            bool held = self->slot_from[i] >= 0;
            if (held && slot.group_number == best->group_number &&
                memcmp(self->index[0] + i * WAL_BLOCK_BYTES, index + i * WAL_BLOCK_BYTES,
                       WAL_SLOT_BYTES) != 0) {
                return err_make(ERR_WAL_DAMAGED, "commit slots of the two copies differ");
            }
            if (!held || slot.group_number > best->group_number) {
                *best = slot;
                self->slot_from[i] = copy;
            }
        }
        if (self->slot_from[i] >= 0 &&
            (!self->any || best->group_number > self->newest.group_number)) {
            self->newest = *best;
            self->any = true;
        }
    }
    return err_none;
}

struct err mirror_write_slots(struct mirror *self, int copy)
{
    struct commit_index *index = NULL;
    struct err err = err_none;
    if (self->index[copy] == NULL) {
        if (!self->quiet) {
            diag_warn(mirror, "repaired=%s file=%s", MIRROR_COPY_NAME(copy), COMMIT_INDEX_NAME);
        }
        err = commit_index_create(self->directory[copy]);
    }
    if (!err_is(err)) {
        err = commit_index_open(self->directory[copy], true, &index);
    }
    for (uint64_t i = 0; !err_is(err) && i < WAL_SLOTS; i++) {
        int from = self->slot_from[i];
        if (from < 0 || (self->index[copy] != NULL &&
                         memcmp(self->index[copy] + i * WAL_BLOCK_BYTES,
                                self->index[from] + i * WAL_BLOCK_BYTES, WAL_BLOCK_BYTES) == 0)) {
            continue;
        }
        if (self->index[copy] != NULL) {
            diag_warn(mirror, "repaired=%s file=%s offset=%" PRIu64, MIRROR_COPY_NAME(copy),
                      COMMIT_INDEX_NAME, i * WAL_BLOCK_BYTES);
        }
        err = commit_index_write(index, &self->slots[i]);
    }
    commit_index_close(&index);
    return err;
}

struct err mirror_load_removed(struct mirror *self)
{
    struct wal_removed second;
    struct err err = wal_removed_read(self->directory[0], &self->removed);
    struct err other = wal_removed_read(self->directory[1], &second);
    if (err_is(other)) { /* the first one counts, and is written over it */
        return other.code == ERR_WAL_DAMAGED ? err : other;
    }
    self->removed_lost = err_is(err) ? err.code == ERR_WAL_DAMAGED && second.first_index > 0
                                     : second.first_index > self->removed.first_index;
    if (self->removed_lost) {
        self->removed = second;
        return err_none;
    }
    return err;
}
