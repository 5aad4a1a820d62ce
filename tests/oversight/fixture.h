/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OVERSIGHT_FIXTURE_H
#define TESTS_OVERSIGHT_FIXTURE_H

/* Fixture: a log in a directory of its own, entries to fill it, and a second, naive reading of what
 * it published. The directory is in memory when there is room (tests/test_folder.h), below /tmp for
 * a file that defines FIXTURE_ON_DISK. Aborts on any failure of the fixture itself. */

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/durable.h"
#include "oversight/oversight.h"
#include "oversight/wal_frame.h"
#include "tests/test_folder.h"

#define FIXTURE_ORIGIN "oversight.test/port/2026"

struct fixture {
    char root[64];
    char wal[96];
    char log_directory[96];
    char published[96]; /* the first shard */
    const char *origin; /* of that shard */
    struct sign_key key;
    struct oversight_conf conf;
    struct oversight *log;
    struct oversight_recovery recovery;
};

static inline void fixture_make(struct fixture *self)
{
    memset(self, 0, sizeof *self);
    diag_set_level(DIAG_ERR);
#ifdef FIXTURE_ON_DISK
    strcpy(self->root, "/tmp/oversight-XXXXXX");
    assert_non_null(mkdtemp(self->root));
#else
    test_folder_make("oversight", self->root, sizeof self->root);
#endif
    (void)snprintf(self->wal, sizeof self->wal, "%s/wal", self->root);
    (void)snprintf(self->log_directory, sizeof self->log_directory, "%s/log", self->root);
    (void)snprintf(self->published, sizeof self->published, "%s/log/2026", self->root);
    self->origin = FIXTURE_ORIGIN;
    uint8_t seed[SIGN_SEED_BYTES];
    memset(seed, 7, sizeof seed);
    assert_true(sign_init());
    sign_key_from_seed(&self->key, seed);
    self->conf = (struct oversight_conf){
        .wal_directory = self->wal,
        .log_directory = self->log_directory,
        .origin = FIXTURE_ORIGIN,
        .key = &self->key,
        .segment_bytes = 1, /* the least there is: a little over 1 MiB */
        .queue_entries = 4096,
        .checkpoint_interval_ns = 3600 * NS_PER_S, /* checkpoints on request only */
    };
}

static inline struct err fixture_try_open(struct fixture *self)
{
    return oversight_open(&self->conf, &self->log, &self->recovery);
}

static inline void fixture_open(struct fixture *self)
{
    struct err err = fixture_try_open(self);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        fail_msg("oversight_open: %s", err_text(err, text));
    }
}

static inline void fixture_run(const char *format, ...)
{
    char command[1024];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

static inline void fixture_remove(struct fixture *self)
{
    oversight_close(&self->log);
    fixture_run("chmod -R u+w '%s' && rm -rf '%s'", self->root, self->root);
}

/* An entry whose text is its number and a filling of the wanted length. */
static inline void fixture_fill(struct oversight_draft *draft, uint64_t number, uint32_t rest_bytes)
{
    assert_true(rest_bytes >= 32 && rest_bytes <= sizeof draft->rest);
    memset(draft->rest, 'x', rest_bytes);
    int text_bytes = snprintf((char *)draft->rest, rest_bytes, "number %020" PRIu64, number);
    draft->rest[text_bytes] = ' ';
    draft->rest_bytes = rest_bytes;
}

/* Append count entries numbered from first, many in flight. */
static inline void fixture_append(struct fixture *self, uint64_t first, uint64_t count,
                                  uint32_t rest_bytes)
{
    enum { FLIGHT = 64 };
    struct oversight_draft *drafts = calloc(FLIGHT, sizeof *drafts);
    struct queue *done = NULL;
    assert_non_null(drafts);
    assert_false(err_is(queue_open(FLIGHT, &done)));
    for (uint64_t at = 0; at < count;) {
        struct oversight_draft *batch[FLIGHT];
        uint32_t batch_count = 0;
        for (; batch_count < FLIGHT && at < count; batch_count++, at++) {
            fixture_fill(&drafts[batch_count], first + at, rest_bytes);
            drafts[batch_count].done = done;
            batch[batch_count] = &drafts[batch_count];
        }
        assert_false(err_is(oversight_submit(self->log, batch, batch_count)));
        for (uint32_t back = 0; back < batch_count;) {
            void *things[FLIGHT];
            uint32_t taken = queue_take(done, things, FLIGHT, 60 * NS_PER_S);
            assert_true(taken > 0);
            back += taken;
        }
    }
    queue_free(&done);
    free(drafts);
}

/* One entry, one group. */
static inline uint64_t fixture_append_one(struct fixture *self, uint64_t number,
                                          uint32_t rest_bytes)
{
    struct oversight_draft *draft = calloc(1, sizeof *draft);
    assert_non_null(draft);
    fixture_fill(draft, number, rest_bytes);
    assert_false(err_is(oversight_submit_and_wait(self->log, draft)));
    uint64_t entry_index = draft->entry_index;
    free(draft);
    return entry_index;
}

/* The number that fixture_fill wrote; UINT64_MAX for the log's own entries. */
static inline uint64_t fixture_number(const uint8_t *bytes, uint32_t bytes_count)
{
    static const char word[] = "number ";
    for (uint32_t i = 0; i + sizeof word - 1 + 20 <= bytes_count && i <= ENTRY_STAMP_BYTES_MAX;
         i++) {
        if (memcmp(bytes + i, word, sizeof word - 1) == 0) {
            char digits[21] = {0};
            memcpy(digits, bytes + i + sizeof word - 1, 20);
            return strtoull(digits, NULL, 10);
        }
    }
    return UINT64_MAX;
}

/* Patch bytes of a file below the fixture's root. */
static inline void fixture_patch(const char *path, uint64_t offset, const void *bytes,
                                 size_t bytes_count)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, bytes_count, (off_t)offset), (ssize_t)bytes_count);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(close(fd), 0);
}

static inline void fixture_flip(const char *path, uint64_t offset)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    assert_int_equal(close(fd), 0);
    byte ^= 0x40;
    fixture_patch(path, offset, &byte, 1);
}

/* The newest commit slot, read without the code under test's file handling. */
static inline struct wal_slot fixture_newest(const struct fixture *self)
{
    char path[160];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    (void)snprintf(path, sizeof path, "%s/commit.idx", self->wal);
    assert_false(err_is(durable_read(path, 1 << 20, &bytes, &bytes_count)));
    struct wal_slot newest = {0};
    for (size_t at = 0; at < bytes_count; at += WAL_BLOCK_BYTES) {
        struct wal_slot slot;
        if (wal_slot_decode(bytes + at, WAL_SLOT_BYTES, &slot) == WAL_GOOD &&
            slot.group_number >= newest.group_number) {
            newest = slot;
        }
    }
    free(bytes);
    return newest;
}

/* Path of the last segment. */
static inline void fixture_last_segment(const struct fixture *self, char *out, size_t out_bytes)
{
    char last[32] = "";
    DIR *listing = opendir(self->wal);
    assert_non_null(listing);
    for (struct dirent *name = readdir(listing); name != NULL; name = readdir(listing)) {
        if (strlen(name->d_name) == 24 && strcmp(name->d_name, last) > 0) {
            strcpy(last, name->d_name);
        }
    }
    (void)closedir(listing);
    (void)snprintf(out, out_bytes, "%s/%s", self->wal, last);
}

/* ---- the public directory, read naively ---- */

/* RFC 6962 section 2.1, word for word. */
static inline void naive_root(const uint8_t (*leaves)[HASH_BYTES], uint64_t count,
                              uint8_t out[HASH_BYTES])
{
    if (count == 0) {
        sha256_of("", 0, out);
        return;
    }
    if (count == 1) {
        memcpy(out, leaves[0], HASH_BYTES);
        return;
    }
    uint64_t split = 1;
    while (2 * split < count) {
        split *= 2;
    }
    uint8_t both[2 * HASH_BYTES];
    naive_root(leaves, split, both);
    naive_root(leaves + split, count - split, both + HASH_BYTES);
    sha256_of_prefixed(1, both, sizeof both, out);
}

static inline uint8_t *naive_read(const struct fixture *self, const char *name, size_t *bytes_count)
{
    char path[512];
    uint8_t *bytes = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", self->published, name);
    if (err_is(durable_read(path, 1 << 26, &bytes, bytes_count))) {
        fail_msg("cannot read %s", path);
    }
    return bytes;
}

static inline struct checkpoint naive_checkpoint(const struct fixture *self, const char *name)
{
    size_t text_bytes = 0;
    uint8_t *text = naive_read(self, name, &text_bytes);
    struct note_vkey vkey;
    struct checkpoint checkpoint;
    note_vkey_make(&vkey, self->origin, self->key.public_key);
    assert_int_equal(checkpoint_open((const char *)text, text_bytes, &vkey, &checkpoint),
                     NOTE_GOOD);
    free(text);
    return checkpoint;
}

/* Leaf hashes of a tree of this size, from the bundles alone. The caller frees. */
static inline uint8_t (*naive_leaves(const struct fixture *self, uint64_t size))[HASH_BYTES]
{
    uint8_t(*leaves)[HASH_BYTES] = malloc((size_t)(size + 1) * HASH_BYTES);
    assert_non_null(leaves);
    for (uint64_t at = 0; at < size;) {
        char name[TILE_PATH_BYTES_MAX];
        uint32_t width = size - at < TILE_WIDTH ? (uint32_t)(size - at) : TILE_WIDTH;
        size_t bytes_count = 0;
        bundle_path(at / TILE_WIDTH, width, name);
        uint8_t *bytes = naive_read(self, name, &bytes_count);
        size_t offset = 0;
        for (uint32_t i = 0; i < width; i++, at++) {
            assert_true(offset + 2 <= bytes_count);
            size_t entry_bytes = (size_t)bytes[offset] << 8 | bytes[offset + 1];
            assert_true(entry_bytes > 0 && offset + 2 + entry_bytes <= bytes_count);
            sha256_of_prefixed(0, bytes + offset + 2, entry_bytes, leaves[at]);
            offset += 2 + entry_bytes;
        }
        assert_int_equal(offset, bytes_count);
        free(bytes);
    }
    return leaves;
}

/* Every tile that a tree of this size has, against the leaves. */
static inline void naive_check_tiles(const struct fixture *self,
                                     const uint8_t (*leaves)[HASH_BYTES], uint64_t size)
{
    uint64_t span = 1; /* leaves under one hash of this level */
    for (uint32_t level = 0; size / span > 0; level++, span *= TILE_WIDTH) {
        uint64_t hashes = size / span;
        for (uint64_t at = 0; at < hashes; at += TILE_WIDTH) {
            char name[TILE_PATH_BYTES_MAX];
            uint32_t width = hashes - at < TILE_WIDTH ? (uint32_t)(hashes - at) : TILE_WIDTH;
            size_t bytes_count = 0;
            tile_path(level, at / TILE_WIDTH, width, name);
            uint8_t *bytes = naive_read(self, name, &bytes_count);
            assert_int_equal(bytes_count, (size_t)width * HASH_BYTES);
            for (uint32_t i = 0; i < width; i++) {
                uint8_t hash[HASH_BYTES];
                naive_root(leaves + (at + i) * span, span, hash);
                assert_memory_equal(hash, bytes + (size_t)i * HASH_BYTES, HASH_BYTES);
            }
            free(bytes);
        }
    }
}

/* The public directory's checkpoint covers exactly size entries, and bundles, tiles and root agree.
 */
static inline void naive_check(const struct fixture *self, uint64_t size)
{
    char copy[64];
    uint8_t root[HASH_BYTES];
    (void)snprintf(copy, sizeof copy, "checkpoints/%" PRIu64, size);
    struct checkpoint checkpoint = naive_checkpoint(self, "checkpoint");
    struct checkpoint copied = naive_checkpoint(self, copy);
    assert_int_equal(checkpoint.size, size);
    assert_int_equal(copied.size, size);
    uint8_t(*leaves)[HASH_BYTES] = naive_leaves(self, size);
    naive_root((const uint8_t(*)[HASH_BYTES])leaves, size, root);
    assert_memory_equal(root, checkpoint.root, HASH_BYTES);
    assert_memory_equal(root, copied.root, HASH_BYTES);
    naive_check_tiles(self, (const uint8_t(*)[HASH_BYTES])leaves, size);
    free(leaves);
}

#endif
