/* SPDX-License-Identifier: Apache-2.0 */
#include "cycle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/merkle.h"

/* Promises are kept by index in memory: the ledgers of the tests hold some ten thousand lines. */

struct promise {
    bool is_acked;
    bool is_seen; /* a checkpoint of that many entries */
    bool has_private;
    uint8_t digest[HASH_BYTES];
    uint8_t private_digest[HASH_BYTES];
    uint8_t root[HASH_BYTES];
};

struct ledger {
    struct promise *promises;
    uint64_t count; /* promises below are valid */
    uint64_t capacity;
};

static struct promise *ledger_at(struct ledger *self, uint64_t index)
{
    must(index < UINT64_C(1) << 24);
    if (index >= self->capacity) {
        uint64_t capacity = (index + 1) * 2;
        self->promises = reallocarray(self->promises, (size_t)capacity, sizeof *self->promises);
        must(self->promises != NULL);
        memset(self->promises + self->capacity, 0,
               (size_t)(capacity - self->capacity) * sizeof *self->promises);
        self->capacity = capacity;
    }
    self->count = index + 1 > self->count ? index + 1 : self->count;
    return &self->promises[index];
}

static bool ledger_take_line(struct ledger *self, const char *line)
{
    uint64_t index = 0;
    char first[65];
    char second[65];
    struct promise promise = {0};
    if (sscanf(line, "ack %" SCNu64 " %64s %64s", &index, first, second) == 3) {
        promise.is_acked = true;
        promise.has_private = strcmp(second, "-") != 0;
        if (!hex_decode(first, promise.digest, HASH_BYTES) ||
            (promise.has_private && !hex_decode(second, promise.private_digest, HASH_BYTES))) {
            return false;
        }
        struct promise *at = ledger_at(self, index);
        if (at->is_acked) {
            (void)printf("index %" PRIu64 " was promised twice\n", index);
            return false;
        }
        promise.is_seen = at->is_seen;
        memcpy(promise.root, at->root, HASH_BYTES);
        *at = promise;
    } else if (sscanf(line, "seen %" SCNu64 " %64s", &index, first) == 2) {
        struct promise *at = ledger_at(self, index);
        if (!hex_decode(first, promise.root, HASH_BYTES) ||
            (at->is_seen && !hash_equal(at->root, promise.root))) {
            (void)printf("two checkpoints of size %" PRIu64 " were seen\n", index);
            return false;
        }
        at->is_seen = true;
        memcpy(at->root, promise.root, HASH_BYTES);
    }
    return true;
}

static bool ledger_read(struct ledger *self, const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    bool good = file != NULL;
    while (good && fgets(line, sizeof line, file) != NULL) {
        good = ledger_take_line(self, line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return good;
}

/* A record that was packed comes back without the digest that its submitter gave. */
static bool digest_fits(const struct wal_entry *entry, const uint8_t digest[HASH_BYTES])
{
    static const uint8_t none[HASH_BYTES];
    return hash_equal(entry->private_sha256, digest) || hash_equal(entry->private_sha256, none);
}

static bool ledger_holds(const struct promise *promise, const struct wal_entry *entry)
{
    uint8_t digest[HASH_BYTES];
    sha256_of(entry->bytes, entry->bytes_count, digest);
    if (!hash_equal(digest, promise->digest) ||
        promise->has_private != (entry->private_bytes != NULL)) {
        return false;
    }
    if (promise->has_private) {
        sha256_of(entry->private_bytes, entry->private_count, digest);
    }
    return !promise->has_private ||
           (hash_equal(digest, promise->private_digest) && digest_fits(entry, digest));
}

/* The root of so many entries against what was seen of that size. */
static bool ledger_agrees(const struct ledger *self, const struct merkle_range *range)
{
    uint8_t root[HASH_BYTES];
    const struct promise *promise = range->size < self->count ? &self->promises[range->size] : NULL;
    if (promise == NULL || !promise->is_seen) {
        return true;
    }
    merkle_range_root(range, root);
    return hash_equal(root, promise->root);
}

static int ledger_walk(const struct ledger *self, struct wal_reader *reader)
{
    struct merkle_range range;
    merkle_range_init(&range);
    for (;;) { /* ends with the log */
        struct wal_entry entry;
        uint8_t leaf[HASH_BYTES];
        bool got = false;
        struct err err = wal_reader_next(reader, &entry, &got);
        if (err_is(err)) {
            (void)printf("refused %s %s\n", err_name(err.code), err.where);
            return CYCLE_REFUSED;
        }
        if (!got) {
            break;
        }
        const struct promise *promise =
            entry.entry_index < self->count ? &self->promises[entry.entry_index] : NULL;
        if (promise != NULL && promise->is_acked && !ledger_holds(promise, &entry)) {
            (void)printf("entry %" PRIu64 " is not what was acknowledged\n", entry.entry_index);
            return CYCLE_BROKEN;
        }
        merkle_leaf(entry.bytes, entry.bytes_count, leaf);
        merkle_range_append(&range, leaf);
        if (range.size != entry.entry_index + 1 || !ledger_agrees(self, &range)) {
            (void)printf("prefix of %" PRIu64 " entries is not what was seen\n", range.size);
            return CYCLE_BROKEN;
        }
    }
    for (uint64_t i = 0; i < self->count; i++) {
        const struct promise *promise = &self->promises[i];
        if ((promise->is_acked && i >= range.size) || (promise->is_seen && i > range.size)) {
            (void)printf("log ends at %" PRIu64 ", but %s %" PRIu64 "\n", range.size,
                         promise->is_acked ? "acknowledged was" : "a checkpoint covered", i);
            return CYCLE_BROKEN;
        }
    }
    (void)printf("good %" PRIu64 "\n", range.size);
    return CYCLE_GOOD;
}

int ledger_check(const struct wal_places *places, const char *ledger_path)
{
    struct ledger ledger = {0};
    struct wal_reader *reader = NULL;
    int status = CYCLE_BROKEN;
    if (ledger_read(&ledger, ledger_path)) {
        struct err err = wal_reader_open_store(places, &reader);
        if (err_is(err)) {
            (void)printf("refused %s %s\n", err_name(err.code), err.where);
            status = CYCLE_REFUSED;
        } else {
            status = ledger_walk(&ledger, reader);
        }
    }
    (void)fflush(stdout);
    wal_reader_close(&reader);
    free(ledger.promises);
    return status;
}

int ledger_list(const struct wal_places *places)
{
    struct wal_reader *reader = NULL;
    struct err err = wal_reader_open_store(places, &reader);
    bool got = true;
    while (!err_is(err) && got) {
        struct wal_entry entry;
        uint8_t digest[HASH_BYTES];
        char entry_hex[HASH_HEX_BYTES];
        char private_hex[HASH_HEX_BYTES] = "-";
        err = wal_reader_next(reader, &entry, &got);
        if (err_is(err) || !got) {
            break;
        }
        sha256_of(entry.bytes, entry.bytes_count, digest);
        hex_encode(digest, HASH_BYTES, entry_hex);
        if (entry.private_bytes != NULL) {
            sha256_of(entry.private_bytes, entry.private_count, digest);
            hex_encode(digest, HASH_BYTES, private_hex);
        }
        (void)printf("ack %" PRIu64 " %s %s\n", entry.entry_index, entry_hex, private_hex);
    }
    wal_reader_close(&reader);
    return err_is(err) || fflush(stdout) != 0 ? CYCLE_REFUSED : CYCLE_GOOD;
}
