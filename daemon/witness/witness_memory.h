/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WITNESS_MEMORY_H
#define WITNESS_MEMORY_H

/* Witness memory: the newest checkpoint of each log that was cosigned. One file a log, named by the
 * SHA-256 of its origin: the checkpoint with the log's signature and our own cosignature, so that
 * the file itself is evidence and a changed one is recognised.
 *
 * Promises: what witness_memory_keep returned from is on the disk. Does not promise: to notice that
 * the whole directory was put back to an earlier state; keep it out of backups that are restored.
 * The directory is locked (flock) while open. One thread at a time. */

#include <stdint.h>

#include "base/err.h"
#include "proto/note.h"

struct witness_memory;

struct witness_remembered {
    uint64_t size; /* 0, root of the empty tree and time 0 when nothing was cosigned yet */
    uint8_t root[HASH_BYTES];
    uint64_t time_s; /* of our cosignature */
};

/* Makes the directory when it is missing. self_key: our own verifier key, by which files are
 * checked when they are read. Errors: LOCKED, IO, MEMORY, ARGUMENT (path too long). */
MUST_USE struct err witness_memory_open(const char *directory, const struct note_vkey *self_key,
                                        struct witness_memory **out);
void witness_memory_close(struct witness_memory **self);
/* Errors: WITNESS_MEMORY (the file is not what we wrote), IO. */
MUST_USE struct err witness_memory_of(const struct witness_memory *self, const char *origin,
                                      struct witness_remembered *out);
/* note: the checkpoint of this origin with its lines, ours among them. */
MUST_USE struct err witness_memory_keep(struct witness_memory *self, const char *origin,
                                        const char *note, size_t note_bytes);

#endif
