/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "base/tile_files.h"
#include "proto/receipt.h"

/* Our proofs, for their checkers, out of the tiles of a public directory by proto/merkle.h and
 * proto/receipt.h. It believes what it reads, as a liar would (triagectl receipt does not): the
 * checker must notice.
 *
 *   print_proofs all LOG FIRST STEP HELD...   binary, on standard output: inclusion of entries
 *       0 .. FIRST-1, then of every STEP-th one and of the last 300, then consistency from each
 *       size HELD that is below the log's. Record: u8 kind (0 inclusion, 1 consistency),
 *       u64 index or old size, u64 size (little-endian), u8 count, count hashes.
 *   print_proofs tlog LOG DIR INDEX...        DIR/INDEX.tlog-proof: a c2sp.org/tlog-proof@v1 file
 *       of each entry below the log's size
 *
 * Exit 3: a proof cannot be made, with the reason on standard error. */

#define LAST_PROVED 300u
#define LEVELS 8u /* of a tile: 256, 128 .. 1 hashes */

/* A tile with the hashes between it and its parent. */
struct tile {
    struct tile *next;
    uint32_t level;
    uint64_t index;
    uint32_t hashes_count;
    uint8_t hashes[LEVELS][TILE_WIDTH][HASH_BYTES];
};

#define BUCKETS 1024u

struct source {
    const char *directory;
    uint64_t size;
    struct tile *buckets[BUCKETS];
};

static _Noreturn void no_proof(const char *what, const char *name)
{
    (void)fprintf(stderr, "print_proofs: no proof: %s: %s\n", name, what);
    exit(3);
}

static struct tile *tile_read(const struct source *self, uint32_t level, uint64_t index)
{
    char name[TILE_PATH_BYTES_MAX];
    char path[DURABLE_PATH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    uint64_t left = (self->size >> (8 * level)) - index * TILE_WIDTH;
    uint32_t width = left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH;
    tile_path(level, index, width, name);
    (void)snprintf(path, sizeof path, "%s/%s", self->directory, name);
    struct err err = durable_read(path, 1 << 20, &bytes, &bytes_count);
    if (err_is(err) && width < TILE_WIDTH) {
        tile_path(level, index, 0, name);
        (void)snprintf(path, sizeof path, "%s/%s", self->directory, name);
        err = durable_read(path, 1 << 20, &bytes, &bytes_count);
    }
    if (err_is(err) || bytes_count < (size_t)width * HASH_BYTES) {
        no_proof("missing or short", name);
    }
    struct tile *tile = calloc(1, sizeof *tile);
    must(tile != NULL);
    tile->level = level;
    tile->index = index;
    tile->hashes_count = width;
    memcpy(tile->hashes[0], bytes, (size_t)width * HASH_BYTES);
    free(bytes);
    for (uint32_t up = 1; up < LEVELS; up++) {
        for (uint32_t i = 0; i < width >> up; i++) {
            merkle_node(tile->hashes[up - 1][2 * i], tile->hashes[up - 1][2 * i + 1],
                        tile->hashes[up][i]);
        }
    }
    return tile;
}

static bool source_at(void *context, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES])
{
    struct source *self = context;
    uint32_t up = level % LEVELS;
    uint32_t tile_level = level / LEVELS;
    uint64_t tile_index = index >> (LEVELS - up);
    uint64_t bucket = (tile_index * 8 + tile_level) % BUCKETS;
    struct tile *tile = self->buckets[bucket];
    while (tile != NULL && (tile->level != tile_level || tile->index != tile_index)) {
        tile = tile->next;
    }
    if (tile == NULL) {
        tile = tile_read(self, tile_level, tile_index);
        tile->next = self->buckets[bucket];
        self->buckets[bucket] = tile;
    }
    uint32_t at = (uint32_t)(index & ((1u << (LEVELS - up)) - 1));
    if (at >= tile->hashes_count >> up) {
        return false;
    }
    memcpy(out, tile->hashes[up][at], HASH_BYTES);
    return true;
}

static void put_u64(uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) {
        (void)putchar((int)(value >> (8 * i) & 0xff));
    }
}

static void put_record(int kind, uint64_t a, uint64_t b, const uint8_t (*proof)[HASH_BYTES],
                       uint32_t proof_count)
{
    (void)putchar(kind);
    put_u64(a);
    put_u64(b);
    (void)putchar((int)proof_count);
    (void)fwrite(proof, HASH_BYTES, proof_count, stdout);
}

static void print_all(struct source *self, char **words, int words_count)
{
    uint8_t proof[MERKLE_LEVELS_MAX][HASH_BYTES];
    uint32_t proof_count = 0;
    uint64_t first = strtoull(words[0], NULL, 10);
    uint64_t step = strtoull(words[1], NULL, 10);
    for (uint64_t index = 0; index < self->size; index++) {
        if (index >= first && index % step != 0 && index + LAST_PROVED < self->size) {
            continue;
        }
        if (!merkle_inclusion(source_at, self, index, self->size, proof, &proof_count)) {
            no_proof("inclusion", "tiles");
        }
        put_record(0, index, self->size, (const uint8_t(*)[HASH_BYTES])proof, proof_count);
    }
    for (int i = 2; i < words_count; i++) {
        uint64_t held = strtoull(words[i], NULL, 10);
        if (held > self->size) {
            continue; /* nothing can be proved: the checker must see that */
        }
        if (!merkle_consistency(source_at, self, held, self->size, proof, &proof_count)) {
            no_proof("consistency", "tiles");
        }
        put_record(1, held, self->size, (const uint8_t(*)[HASH_BYTES])proof, proof_count);
    }
}

static void write_tlog(const char *directory, uint64_t tree_size, uint64_t index,
                       const char *folder, const char *checkpoint)
{
    static char text[RECEIPT_BYTES_MAX];
    static struct tile_files tiles;
    char path[DURABLE_PATH_BYTES];
    struct receipt receipt = {
        .leaf_index = index, .checkpoint = checkpoint, .checkpoint_bytes = strlen(checkpoint)};
    must(tile_files_init(&tiles, directory, tree_size));
    if (!merkle_inclusion(tile_files_hash, &tiles, index, tree_size, receipt.hashes,
                          &receipt.hashes_count)) {
        no_proof("inclusion", "tiles");
    }
    must(snprintf(path, sizeof path, "%s/%" PRIu64 ".tlog-proof", folder, index) <
         (int)sizeof path);
    FILE *file = fopen(path, "wb");
    size_t text_bytes = receipt_write(&receipt, NULL, 0, text, sizeof text);
    must(file != NULL && text_bytes > 0);
    must(fwrite(text, 1, text_bytes, file) == text_bytes && fclose(file) == 0);
}

int main(int argc, char **argv)
{
    static struct source source;
    char path[DURABLE_PATH_BYTES];
    uint8_t *checkpoint = NULL;
    size_t checkpoint_bytes = 0;
    bool all = argc >= 5 && strcmp(argv[1], "all") == 0;
    if (!all && (argc < 5 || strcmp(argv[1], "tlog") != 0)) {
        (void)fputs("usage: print_proofs all LOG FIRST STEP HELD... | tlog LOG DIR INDEX...\n",
                    stderr);
        return 2;
    }
    source.directory = argv[2];
    must(snprintf(path, sizeof path, "%s/checkpoint", argv[2]) < (int)sizeof path);
    if (err_is(durable_read(path, NOTE_BYTES_MAX, &checkpoint, &checkpoint_bytes))) {
        no_proof("missing", "checkpoint");
    }
    const char *second_line = strchr((const char *)checkpoint, '\n');
    if (second_line == NULL) {
        no_proof("no size", "checkpoint");
    }
    source.size = strtoull(second_line + 1, NULL, 10);
    if (all) {
        print_all(&source, argv + 3, argc - 3);
    }
    for (int i = 4; !all && i < argc; i++) {
        uint64_t index = strtoull(argv[i], NULL, 10);
        if (index < source.size) {
            write_tlog(argv[2], source.size, index, argv[3], (const char *)checkpoint);
        }
    }
    free(checkpoint);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
