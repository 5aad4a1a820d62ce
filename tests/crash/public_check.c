/* SPDX-License-Identifier: Apache-2.0 */
#include "public_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim_machine.h"
#include "sim_memory.h"

enum { PATH_BYTES = 160 };

struct outsider {
    const struct sim_disk *disk;
    const char *directory;
    uint64_t size;
    uint8_t (*leaves)[HASH_BYTES];
};

bool public_read(const struct sim_disk *disk, const char *path, const struct note_vkey *vkey,
                 struct ledger_checkpoint *out)
{
    size_t text_bytes = 0;
    uint8_t *text = sim_disk_read(disk, path, &text_bytes);
    if (text == NULL) {
        return false;
    }
    struct checkpoint checkpoint;
    enum note_fault fault = checkpoint_open((const char *)text, text_bytes, vkey, &checkpoint);
    sim_memory_free(text);
    if (fault != NOTE_GOOD) {
        sim_violated("%s: %s", path, note_fault_text(fault));
    }
    out->size = checkpoint.size;
    memcpy(out->root, checkpoint.root, HASH_BYTES);
    return true;
}

/* A file of the tree; the full one does for the partial one. */
static uint8_t *outsider_read(const struct outsider *self, const char *partial, const char *full,
                              size_t *bytes_count)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", self->directory, partial);
    uint8_t *bytes = sim_disk_read(self->disk, path, bytes_count);
    if (bytes == NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", self->directory, full);
        bytes = sim_disk_read(self->disk, path, bytes_count);
    }
    if (bytes == NULL) {
        sim_violated("%s is missing under a public checkpoint of %" PRIu64, partial, self->size);
    }
    return bytes;
}

static void outsider_read_leaves(struct outsider *self)
{
    for (uint64_t at = 0; at < self->size;) {
        char partial[TILE_PATH_BYTES_MAX];
        char full[TILE_PATH_BYTES_MAX];
        uint32_t width = self->size - at < TILE_WIDTH ? (uint32_t)(self->size - at) : TILE_WIDTH;
        size_t bytes_count = 0;
        bundle_path(at / TILE_WIDTH, width, partial);
        bundle_path(at / TILE_WIDTH, 0, full);
        uint8_t *bytes = outsider_read(self, partial, full, &bytes_count);
        size_t offset = 0;
        for (uint32_t i = 0; i < width; i++, at++) {
            const uint8_t *entry = NULL;
            uint32_t entry_bytes = 0;
            if (!bundle_next(bytes, bytes_count, &offset, &entry, &entry_bytes)) {
                sim_violated("%s is cut short", partial);
            }
            sha256_of_prefixed(0, entry, entry_bytes, self->leaves[at]);
        }
        sim_memory_free(bytes);
    }
}

static void outsider_check_tiles(const struct outsider *self)
{
    uint64_t span = 1; /* leaves under one hash of this level */
    for (uint32_t level = 0; self->size / span > 0; level++, span *= TILE_WIDTH) {
        uint64_t hashes = self->size / span;
        for (uint64_t at = 0; at < hashes; at++) {
            char partial[TILE_PATH_BYTES_MAX];
            char full[TILE_PATH_BYTES_MAX];
            uint64_t first = at / TILE_WIDTH * TILE_WIDTH;
            uint32_t width = hashes - first < TILE_WIDTH ? (uint32_t)(hashes - first) : TILE_WIDTH;
            size_t bytes_count = 0;
            tile_path(level, at / TILE_WIDTH, width, partial);
            tile_path(level, at / TILE_WIDTH, 0, full);
            uint8_t *bytes = outsider_read(self, partial, full, &bytes_count);
            for (; at < first + width; at++) {
                uint8_t hash[HASH_BYTES];
                size_t place = (size_t)(at - first) * HASH_BYTES;
                ledger_root((const uint8_t(*)[HASH_BYTES])self->leaves + at * span, span, hash);
                if (place + HASH_BYTES > bytes_count ||
                    memcmp(bytes + place, hash, HASH_BYTES) != 0) {
                    sim_violated("%s: hash %" PRIu64 " differs", partial, at - first);
                }
            }
            at--;
            sim_memory_free(bytes);
        }
    }
}

bool public_check(const struct sim_disk *disk, const char *directory, const struct note_vkey *vkey,
                  const struct ledger *ledger, struct ledger_checkpoint *out)
{
    char path[PATH_BYTES];
    uint8_t root[HASH_BYTES];
    struct outsider self = {.disk = disk, .directory = directory};
    (void)snprintf(path, sizeof path, "%s/checkpoint", directory);
    if (!public_read(disk, path, vkey, out)) {
        return false;
    }
    self.size = out->size;
    self.leaves = sim_memory_take((size_t)(self.size + 1) * HASH_BYTES);
    outsider_read_leaves(&self);
    outsider_check_tiles(&self);
    ledger_root((const uint8_t(*)[HASH_BYTES])self.leaves, self.size, root);
    if (memcmp(root, out->root, HASH_BYTES) != 0) {
        sim_violated("the bundles do not give the root of the checkpoint of %" PRIu64, self.size);
    }
    for (uint64_t i = 0; i < self.size && i < ledger->entries_count; i++) {
        if (memcmp(self.leaves[i], ledger->entries[i].leaf, HASH_BYTES) != 0) {
            sim_violated("bundle entry %" PRIu64 " is another one than the log's", i);
        }
    }
    sim_memory_free(self.leaves);
    return true;
}

void public_check_copy(const struct sim_disk *disk, const char *directory,
                       const struct note_vkey *vkey, const struct ledger_checkpoint *checkpoint)
{
    char path[PATH_BYTES];
    struct ledger_checkpoint copy;
    (void)snprintf(path, sizeof path, "%s/checkpoints/%" PRIu64, directory, checkpoint->size);
    if (!public_read(disk, path, vkey, &copy) || copy.size != checkpoint->size ||
        memcmp(copy.root, checkpoint->root, HASH_BYTES) != 0) {
        sim_violated("the public checkpoint of %" PRIu64 " has no copy, or another one",
                     checkpoint->size);
    }
}
