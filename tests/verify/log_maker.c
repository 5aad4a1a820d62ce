/* SPDX-License-Identifier: Apache-2.0 */
#include "log_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "proto/merkle.h"
#include "proto/note.h"

static void maker_write(const struct log_maker *self, const char *name, const void *bytes,
                        size_t bytes_count)
{
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", self->directory, name);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        must(!err_is(durable_directory(path, 0755)));
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    must(file != NULL && fwrite(bytes, 1, bytes_count, file) == bytes_count && fclose(file) == 0);
}

void log_maker_init(struct log_maker *self, const char *directory, const char *origin,
                    uint8_t key_seed)
{
    uint8_t seed[SIGN_SEED_BYTES];
    struct note_vkey vkey;
    char text[NOTE_VKEY_BYTES_MAX + 1];
    memset(self, 0, sizeof *self);
    memset(seed, key_seed, sizeof seed);
    must(sign_init());
    sign_key_from_seed(&self->key, seed);
    (void)snprintf(self->directory, sizeof self->directory, "%s", directory);
    self->origin = origin;
    note_vkey_make(&vkey, origin, self->key.public_key);
    note_vkey_encode(&vkey, text);
    strcpy(text + strlen(text), "\n");
    maker_write(self, "vkey", text, strlen(text));
}

void log_maker_write_checkpoint(const struct log_maker *self, const char *name, uint64_t size,
                                const uint8_t root[HASH_BYTES])
{
    struct checkpoint checkpoint = {.size = size};
    char text[NOTE_BYTES_MAX];
    strcpy(checkpoint.origin, self->origin);
    memcpy(checkpoint.root, root, HASH_BYTES);
    maker_write(self, name, text, checkpoint_sign(&checkpoint, &self->key, text));
}

/* RFC 6962 section 2.1, word for word: the split is at the largest power of two below n. */
static void maker_mth(const uint8_t (*leaves)[HASH_BYTES], uint64_t n, uint8_t out[HASH_BYTES])
{
    uint8_t left[HASH_BYTES];
    uint8_t right[HASH_BYTES];
    if (n == 1) {
        memcpy(out, leaves[0], HASH_BYTES);
        return;
    }
    uint64_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    maker_mth(leaves, k, left);
    maker_mth(leaves + k, n - k, right);
    merkle_node(left, right, out);
}

void log_maker_root(const struct log_maker *self, uint64_t size, uint8_t root[HASH_BYTES])
{
    if (size == 0) {
        sha256_of("", 0, root);
    } else {
        maker_mth((const uint8_t(*)[HASH_BYTES])self->leaves, size, root);
    }
}

static void maker_write_bundle(const struct log_maker *self, const struct range *range,
                               uint64_t index, uint32_t width)
{
    static uint8_t bundle[256 * (2 + ENTRY_BYTES_MAX)];
    char name[TILE_PATH_BYTES_MAX];
    size_t used = 0;
    for (uint32_t i = 0; i < width; i++) {
        const struct range_entry *entry = &range->entries[index * 256 + i];
        bundle[used] = (uint8_t)(entry->bytes_count >> 8);
        bundle[used + 1] = (uint8_t)entry->bytes_count;
        memcpy(bundle + used + 2, entry->bytes, entry->bytes_count);
        used += 2 + entry->bytes_count;
    }
    bundle_path(index, width, name);
    maker_write(self, name, bundle, used);
}

static void maker_write_tiles(const struct log_maker *self, uint32_t level,
                              const uint8_t (*hashes)[HASH_BYTES], uint64_t count)
{
    char name[TILE_PATH_BYTES_MAX];
    for (uint64_t index = 0; index * 256 < count; index++) {
        uint64_t left = count - index * 256;
        uint32_t width = left < 256 ? (uint32_t)left : 256;
        tile_path(level, index, width, name);
        maker_write(self, name, hashes[index * 256], (size_t)width * HASH_BYTES);
    }
}

void log_maker_publish(struct log_maker *self, const struct range *range, uint64_t size)
{
    char name[64];
    uint8_t root[HASH_BYTES];
    must(range->first_index == 0 && size <= range->count);
    for (uint64_t i = 0; i < size; i++) {
        merkle_leaf(range->entries[i].bytes, range->entries[i].bytes_count, self->leaves[i]);
    }
    for (uint64_t i = 0; i < size / 256; i++) {
        maker_mth((const uint8_t(*)[HASH_BYTES])self->leaves + i * 256, 256, self->subtrees[i]);
    }
    for (uint64_t index = 0; index * 256 < size; index++) {
        uint64_t left = size - index * 256;
        maker_write_bundle(self, range, index, left < 256 ? (uint32_t)left : 256);
    }
    maker_write_tiles(self, 0, (const uint8_t(*)[HASH_BYTES])self->leaves, size);
    maker_write_tiles(self, 1, (const uint8_t(*)[HASH_BYTES])self->subtrees, size / 256);
    log_maker_root(self, size, root);
    (void)snprintf(name, sizeof name, "checkpoints/%llu", (unsigned long long)size);
    log_maker_write_checkpoint(self, name, size, root);
    log_maker_write_checkpoint(self, "checkpoint", size, root);
}
