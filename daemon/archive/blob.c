/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/blob_leaving.h"
#include "archive/quarantine.h"
#include "base/durable.h"

/* A payload is written to incoming/<n> while it is hashed, and keeps that name until the batch is
 * committed: then all files are synced, renamed to their digest, and each touched directory is
 * synced once. If the machine stops before the rename, incoming/ is swept at the next start; after
 * it, the blob is there whole, with or without the entry that names it.
 *
 * A file that lies under the right name from an earlier process is not believed: its directory may
 * never have been synced, or its pages may have been lost. It is written again over it. What this
 * very process committed is remembered in a table of one digest a slot, so a forgotten digest costs
 * one more write and never a wrong answer. */

#define BLOB_PIECE_BYTES \
    (UINT64_C(1) << 20)             /* small enough for the cache between hashing and writing */
#define BLOB_COMMITTED_SLOTS 16384u /* 512 KiB of digests */
#define BLOB_DIRECTORY_BYTES_MAX \
    380u /* leaves room for the longest name below within DURABLE_PATH_BYTES */
#define BLOB_MODE 0640

struct blob_pending {
    int fd;
    uint64_t incoming_number;
    uint8_t digest[HASH_BYTES];
};

struct blob_store {
    char directory[BLOB_DIRECTORY_BYTES_MAX + 1];
    char also[BLOB_DIRECTORY_BYTES_MAX + 1]; /* empty: there is none */
    struct sha256 *hash;
    struct quarantine *quarantine;
    uint64_t incoming_next;
    struct blob_pending pending[BLOB_BATCH_MAX];
    uint32_t pending_count;
    bool failed; /* a sync failed: nothing more is promised */
    bool prefix_made[256];
    uint8_t committed[BLOB_COMMITTED_SLOTS][HASH_BYTES];
    struct blob_leaving leaving;
};

void blob_path(const uint8_t digest[HASH_BYTES], char *out)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(digest, HASH_BYTES, hex);
    (void)snprintf(out, 128, "sha256/%.2s/%s", hex, hex);
}

static void blob_full_path(const struct blob_store *self, const uint8_t digest[HASH_BYTES],
                           char out[DURABLE_PATH_BYTES])
{
    char below[128];
    blob_path(digest, below);
    (void)snprintf(out, DURABLE_PATH_BYTES, "%s/%.127s", self->directory, below);
}

static void blob_incoming_path(const struct blob_store *self, uint64_t number,
                               char out[DURABLE_PATH_BYTES])
{
    (void)snprintf(out, DURABLE_PATH_BYTES, "%s/incoming/%llu", self->directory,
                   (unsigned long long)number);
}

/* The store speaks of blobs: IO becomes BLOB_WRITE, DISK_FULL stays. */
static struct err blob_err(struct err err)
{
    if (err.code == ERR_IO) {
        err.code = ERR_BLOB_WRITE;
    }
    return err;
}

static struct err blob_make_directories(const char *directory);
static struct err blob_sweep_incoming(const char *directory);

struct err blob_store_open(const char *directory, uint64_t quarantine_bytes_max,
                           struct blob_store **out)
{
    if (strlen(directory) > BLOB_DIRECTORY_BYTES_MAX) {
        return err_make(ERR_ARGUMENT, "blob directory path length");
    }
    struct err err = blob_make_directories(directory);
    if (!err_is(err)) {
        err = blob_sweep_incoming(directory);
    }
    if (err_is(err)) {
        return err;
    }
    struct blob_store *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "blob_store_open");
    }
    (void)snprintf(self->directory, sizeof self->directory, "%s", directory);
    err = quarantine_open(directory, quarantine_bytes_max, &self->quarantine);
    if (err_is(err)) {
        free(self);
        return err;
    }
    self->hash = sha256_open();
    blob_leaving_init(&self->leaving);
    *out = self;
    return err_none;
}

struct err blob_store_open_to_read(const char *directory, struct blob_store **out)
{
    if (strlen(directory) > BLOB_DIRECTORY_BYTES_MAX) {
        return err_make(ERR_ARGUMENT, "blob directory path length");
    }
    struct blob_store *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "blob_store_open_to_read");
    }
    (void)snprintf(self->directory, sizeof self->directory, "%s", directory);
    self->failed = true; /* refuses every write */
    blob_leaving_init(&self->leaving);
    *out = self;
    return err_none;
}

static struct err blob_make_directories(const char *directory)
{
    static const char *const names[] = {"sha256", "incoming", "quarantine"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[DURABLE_PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        struct err err = durable_directory(path, 0750);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

/* Nothing in incoming/ has an entry: an entry is committed after its blob has its name. */
static struct err blob_sweep_incoming(const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/incoming", directory);
    return quarantine_clear_directory(path);
}

void blob_store_close(struct blob_store **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->pending_count; i++) {
        char path[DURABLE_PATH_BYTES];
        blob_incoming_path(*self, (*self)->pending[i].incoming_number, path);
        (void)close((*self)->pending[i].fd);
        struct err ignored = durable_remove_unsynced(path); /* the next start sweeps what stays */
        (void)ignored;
    }
    quarantine_close(&(*self)->quarantine);
    sha256_close(&(*self)->hash);
    blob_leaving_fini(&(*self)->leaving);
    free(*self);
    *self = NULL;
}

static bool blob_is_pending(const struct blob_store *self, const uint8_t digest[HASH_BYTES])
{
    for (uint32_t i = 0; i < self->pending_count; i++) {
        if (hash_equal(self->pending[i].digest, digest)) {
            return true;
        }
    }
    return false;
}

static uint8_t *blob_committed_slot(struct blob_store *self, const uint8_t digest[HASH_BYTES])
{
    uint32_t slot = ((uint32_t)digest[0] << 8 | digest[1]) % BLOB_COMMITTED_SLOTS;
    return self->committed[slot];
}

/* True when this process made this content durable and the file still has its length. */
static bool blob_is_committed(struct blob_store *self, const uint8_t digest[HASH_BYTES],
                              uint64_t bytes_count)
{
    if (!hash_equal(blob_committed_slot(self, digest), digest)) {
        return false;
    }
    char path[DURABLE_PATH_BYTES];
    struct stat status;
    blob_full_path(self, digest, path);
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           (uint64_t)status.st_size == bytes_count;
}

static bool blob_is_here(struct blob_store *self, const uint8_t digest[HASH_BYTES],
                         uint64_t bytes_count)
{
    return blob_is_pending(self, digest) || blob_is_committed(self, digest, bytes_count);
}

/* Hash, and write along when fd is one. */
static struct err blob_hash_and_write(struct blob_store *self, const uint8_t *bytes,
                                      uint64_t bytes_count, int fd, uint8_t digest[HASH_BYTES])
{
    sha256_reset(self->hash);
    for (uint64_t at = 0; at < bytes_count; at += BLOB_PIECE_BYTES) {
        uint64_t left = bytes_count - at;
        size_t piece = (size_t)(left < BLOB_PIECE_BYTES ? left : BLOB_PIECE_BYTES);
        sha256_add(self->hash, bytes + at, piece);
        if (fd < 0) {
            continue;
        }
        struct err err = durable_write_at(fd, bytes + at, piece, at);
        if (err_is(err)) {
            return blob_err(err);
        }
    }
    sha256_finish(self->hash, digest);
    return err_none;
}

static struct err blob_write_new(struct blob_store *self, const uint8_t *bytes,
                                 uint64_t bytes_count, const uint8_t *wanted,
                                 uint8_t digest[HASH_BYTES], bool *stored);

struct err blob_put(struct blob_store *self, const void *bytes, uint64_t bytes_count,
                    const uint8_t wanted[HASH_BYTES], uint8_t digest[HASH_BYTES], bool *stored)
{
    must(bytes_count > 0);
    must(self->pending_count < BLOB_BATCH_MAX);
    if (self->failed) {
        return err_make(ERR_BLOB_WRITE, "blob store has failed before");
    }
    if (wanted != NULL) { /* before it is looked for: what is found afterwards is not taken away */
        blob_leaving_stay(&self->leaving, wanted);
    }
    if (wanted != NULL && blob_is_here(self, wanted, bytes_count)) {
        uint8_t found[HASH_BYTES];
        struct err err = blob_hash_and_write(self, bytes, bytes_count, -1, found);
        if (err_is(err)) {
            return err;
        }
        *stored = hash_equal(found, wanted);
        memcpy(digest, found, HASH_BYTES);
        return err_none;
    }
    return blob_write_new(self, bytes, bytes_count, wanted, digest, stored);
}

static struct err blob_write_new(struct blob_store *self, const uint8_t *bytes,
                                 uint64_t bytes_count, const uint8_t *wanted,
                                 uint8_t digest[HASH_BYTES], bool *stored)
{
    struct blob_pending *next = &self->pending[self->pending_count];
    char path[DURABLE_PATH_BYTES];
    uint8_t found[HASH_BYTES];
    int fd = -1;
    next->incoming_number = self->incoming_next++;
    blob_incoming_path(self, next->incoming_number, path);
    struct err err = blob_err(durable_create_unsynced(path, BLOB_MODE, &fd));
    if (err_is(err)) {
        return err;
    }
    err = blob_hash_and_write(self, bytes, bytes_count, fd, found);
    bool wrong = !err_is(err) && wanted != NULL && !hash_equal(found, wanted);
    if (!err_is(err) && !wrong) {
        blob_leaving_stay(&self->leaving, found);
    }
    bool again = !err_is(err) && !wrong && blob_is_here(self, found, bytes_count);
    if (err_is(err) || wrong || again) {
        (void)close(fd); /* nothing in it is needed */
        struct err removed = durable_remove_unsynced(path);
        if (err_is(err) || err_is(removed)) {
            return err_is(err) ? err : blob_err(removed);
        }
    } else {
        next->fd = fd;
        memcpy(next->digest, found, HASH_BYTES);
        self->pending_count++;
    }
    memcpy(digest, found, HASH_BYTES);
    *stored = !wrong;
    return err_none;
}

static struct err blob_sync_pending(struct blob_store *self);
static struct err blob_name_pending(struct blob_store *self);
static struct err blob_sync_pending_prefixes(const struct blob_store *self);
static struct err blob_sync_prefixes(const struct blob_store *self, const bool touched[256]);

struct err blob_commit(struct blob_store *self)
{
    if (self->failed) {
        return err_make(ERR_BLOB_WRITE, "blob store has failed before");
    }
    if (self->pending_count == 0) {
        return err_none;
    }
    struct err err = blob_sync_pending(self);
    if (!err_is(err)) {
        err = blob_name_pending(self);
    }
    if (!err_is(err)) {
        err = blob_sync_pending_prefixes(self);
    }
    if (err_is(err)) {
        self->failed =
            true; /* a sync is never tried twice: the second would succeed on lost pages */
        return blob_err(err);
    }
    for (uint32_t i = 0; i < self->pending_count; i++) {
        memcpy(blob_committed_slot(self, self->pending[i].digest), self->pending[i].digest,
               HASH_BYTES);
    }
    self->pending_count = 0;
    return err_none;
}

static struct err blob_sync_pending(struct blob_store *self)
{
    for (uint32_t i = 0; i < self->pending_count; i++) {
        struct err err = durable_sync(self->pending[i].fd);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

/* The directory of a digest's first byte is made when first needed; most ports never fill all 256
 * in a day. */
static struct err blob_make_prefix(struct blob_store *self, uint8_t prefix)
{
    if (self->prefix_made[prefix]) {
        return err_none;
    }
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/sha256/%02x", self->directory, prefix);
    struct err err = durable_directory(path, 0750);
    self->prefix_made[prefix] = !err_is(err);
    return err;
}

static struct err blob_name_pending(struct blob_store *self)
{
    for (uint32_t i = 0; i < self->pending_count; i++) {
        struct blob_pending *pending = &self->pending[i];
        char from[DURABLE_PATH_BYTES];
        char to[DURABLE_PATH_BYTES];
        blob_incoming_path(self, pending->incoming_number, from);
        blob_full_path(self, pending->digest, to);
        struct err err = blob_make_prefix(self, pending->digest[0]);
        if (!err_is(err)) {
            err = durable_rename_unsynced(from, to);
        }
        if (!err_is(err) && close(pending->fd) != 0) {
            err = err_os(ERR_IO, "close blob");
        }
        if (err_is(err)) {
            return err;
        }
        pending->fd = -1;
    }
    return err_none;
}

/* The old name in incoming/ needs no sync: should it come back after a power cut, the sweep takes
 * it. */
static struct err blob_sync_pending_prefixes(const struct blob_store *self)
{
    bool touched[256] = {false};
    for (uint32_t i = 0; i < self->pending_count; i++) {
        touched[self->pending[i].digest[0]] = true;
    }
    return blob_sync_prefixes(self, touched);
}

static struct err blob_sync_prefixes(const struct blob_store *self, const bool touched[256])
{
    for (uint32_t prefix = 0; prefix < 256; prefix++) {
        if (!touched[prefix]) {
            continue;
        }
        char path[DURABLE_PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/sha256/%02x", self->directory, prefix);
        struct err err = durable_sync_directory(path);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

struct err blob_store_also(struct blob_store *self, const char *directory)
{
    if (strlen(directory) > BLOB_DIRECTORY_BYTES_MAX) {
        return err_make(ERR_ARGUMENT, "blob directory path length");
    }
    (void)snprintf(self->also, sizeof self->also, "%s", directory);
    return err_none;
}

static int blob_open(const struct blob_store *self, const uint8_t digest[HASH_BYTES])
{
    char path[DURABLE_PATH_BYTES];
    char below[128];
    blob_full_path(self, digest, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && self->also[0] != '\0') {
        blob_path(digest, below);
        (void)snprintf(path, sizeof path, "%s/%.127s", self->also, below);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    return fd;
}

struct err blob_read_part(const struct blob_store *self, const uint8_t digest[HASH_BYTES],
                          uint64_t blob_bytes, uint64_t offset, void *out, size_t bytes_count)
{
    must(offset <= blob_bytes && bytes_count <= blob_bytes - offset);
    int fd = blob_open(self, digest);
    if (fd < 0) {
        return err_os(ERR_BLOB_MISSING, "open blob");
    }
    struct err err = err_none;
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err = err_os(ERR_BLOB_MISSING, "stat blob");
    } else if ((uint64_t)status.st_size != blob_bytes) {
        err = err_make(ERR_BLOB_MISSING, "blob has another length");
    } else {
        err = durable_read_at(fd, out, bytes_count, offset);
        err.code = err_is(err) ? ERR_BLOB_MISSING : ERR_NONE;
    }
    (void)close(fd); /* read only: nothing can be lost here */
    return err;
}

struct err blob_read(struct blob_store *self, const uint8_t digest[HASH_BYTES], void *out,
                     uint64_t bytes_count)
{
    struct err err = blob_read_part(self, digest, bytes_count, 0, out, (size_t)bytes_count);
    if (err_is(err)) {
        return err;
    }
    uint8_t found[HASH_BYTES];
    sha256_of(out, (size_t)bytes_count, found);
    return hash_equal(found, digest) ? err_none
                                     : err_make(ERR_BLOB_MISSING, "blob has another digest");
}

void blob_leave_begin(struct blob_store *self, const uint8_t (*digests)[HASH_BYTES], uint32_t count)
{
    blob_leaving_begin(&self->leaving, digests, count);
}

struct err blob_leave(struct blob_store *self, const uint8_t digest[HASH_BYTES], bool *gone)
{
    char path[DURABLE_PATH_BYTES];
    blob_full_path(self, digest, path);
    return blob_err(blob_leaving_remove(&self->leaving, digest, path, gone));
}

struct err blob_leave_end(struct blob_store *self)
{
    bool touched[256];
    struct err err = err_none;
    blob_leaving_end(&self->leaving, touched);
    for (uint32_t prefix = 0; prefix < 256 && !err_is(err); prefix++) {
        char path[DURABLE_PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/sha256/%02x", self->directory, prefix);
        if (touched[prefix]) { /* in a restored store it may never have been made */
            err = durable_exists(path, &touched[prefix]);
        }
    }
    return blob_err(err_is(err) ? err : blob_sync_prefixes(self, touched));
}

bool blob_exists(struct blob_store *self, const uint8_t digest[HASH_BYTES])
{
    char path[DURABLE_PATH_BYTES];
    struct stat status;
    blob_full_path(self, digest, path);
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

struct err blob_quarantine(struct blob_store *self, const void *bytes, uint64_t bytes_count,
                           const uint8_t digest[HASH_BYTES], bool *kept)
{
    return blob_err(quarantine_put(self->quarantine, bytes, bytes_count, digest, kept));
}
