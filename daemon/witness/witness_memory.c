/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/durable.h"
#include "proto/cosignature.h"

/* The file is read again for every request: what counts is what the disk holds, and a witness has
 * time. If the machine stops within witness_memory_keep, the old file or the new one is there; the
 * answer has not gone out, so both are right. */

struct witness_memory {
    struct note_vkey self_key;
    int lock_fd;
    char directory[DURABLE_PATH_BYTES];
};

struct err witness_memory_open(const char *directory, const struct note_vkey *self_key,
                               struct witness_memory **out)
{
    if (strlen(directory) + 1 + HASH_HEX_BYTES + 4 >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path of the memory is too long");
    }
    struct err err = durable_directory(directory, 0700);
    if (err_is(err)) {
        return err;
    }
    struct witness_memory *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "witness_memory_open");
    }
    self->self_key = *self_key;
    strcpy(self->directory, directory);
    self->lock_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->lock_fd < 0) {
        err = err_os(ERR_IO, "open memory");
    } else if (flock(self->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        err = err_os(errno == EWOULDBLOCK ? ERR_LOCKED : ERR_IO, "lock memory");
    }
    if (err_is(err)) {
        witness_memory_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void witness_memory_close(struct witness_memory **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->lock_fd >= 0) {
        (void)close((*self)->lock_fd);
    }
    free(*self);
    *self = NULL;
}

static void memory_path(const struct witness_memory *self, const char *origin,
                        char out[DURABLE_PATH_BYTES])
{
    uint8_t digest[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    sha256_of(origin, strlen(origin), digest);
    hex_encode(digest, sizeof digest, hex);
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", self->directory, hex);
    must(bytes > 0 && bytes < (int)DURABLE_PATH_BYTES); /* witness_memory_open left room */
}

/* Our own line must be there and verify: nobody else could have written this file. */
static bool memory_read(const struct note_vkey *self_key, const char *origin, const char *note,
                        size_t note_bytes, struct witness_remembered *out)
{
    struct checkpoint checkpoint;
    size_t signed_bytes = 0;
    size_t at = 0;
    bool ours = false;
    if (!checkpoint_split(note, note_bytes, &checkpoint, &signed_bytes, &at) ||
        strcmp(checkpoint.origin, origin) != 0) {
        return false;
    }
    while (at < note_bytes) {
        struct note_signature line;
        if (!note_signature_next(note, note_bytes, &at, &line)) {
            return false;
        }
        ours |= cosignature_check(note, signed_bytes, &line, self_key, &out->time_s) ==
                COSIGNATURE_GOOD;
    }
    out->size = checkpoint.size;
    memcpy(out->root, checkpoint.root, HASH_BYTES);
    return ours;
}

struct err witness_memory_of(const struct witness_memory *self, const char *origin,
                             struct witness_remembered *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *note = NULL;
    size_t note_bytes = 0;
    memory_path(self, origin, path);
    struct err err = durable_read(path, NOTE_BYTES_MAX, &note, &note_bytes);
    if (err.os_errno == ENOENT) {
        *out = (struct witness_remembered){0};
        sha256_of("", 0, out->root);
        return err_none;
    }
    if (err_is(err)) {
        return err;
    }
    struct witness_remembered remembered = {0};
    bool good = memory_read(&self->self_key, origin, (const char *)note, note_bytes, &remembered);
    free(note);
    if (!good) {
        return err_make(ERR_WITNESS_MEMORY, "read memory");
    }
    *out = remembered;
    return err_none;
}

struct err witness_memory_keep(struct witness_memory *self, const char *origin, const char *note,
                               size_t note_bytes)
{
    char path[DURABLE_PATH_BYTES];
    memory_path(self, origin, path);
    return durable_replace(path, note, note_bytes, 0600);
}
