/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_BLOB_H
#define ARCHIVE_BLOB_H

/* Blob: payloads by SHA-256 in blobs/sha256/<hh>/<hex>, and a bounded quarantine in
 * blobs/quarantine/.
 *
 * Promises: after blob_commit() every blob of the batch, its name included, survives a power cut. A
 * blob is written once; the same content again costs no second copy. Reading checks the digest.
 * Threads: one writer thread; any number of readers. Blocks on the disk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

#define BLOB_BATCH_MAX 256u

struct blob_store;

/* Makes the directories when missing and removes what an earlier process left in blobs/incoming.
 * quarantine_bytes_max bounds the quarantine: the oldest goes when it is full. */
MUST_USE struct err blob_store_open(const char *directory, uint64_t quarantine_bytes_max,
                                    struct blob_store **out);
/* Only to read, beside a daemon that may be running: makes and removes nothing; puts are refused.
 */
MUST_USE struct err blob_store_open_to_read(const char *directory, struct blob_store **out);
void blob_store_close(struct blob_store **self);

/* Hash and write one payload; not durable before blob_commit(). digest is always written, also when
 * *wanted (may be NULL) differs: then nothing is stored and *stored is false. At most
 * BLOB_BATCH_MAX between two commits. */
MUST_USE struct err blob_put(struct blob_store *self, const void *bytes, uint64_t bytes_count,
                             const uint8_t wanted[HASH_BYTES], uint8_t digest[HASH_BYTES],
                             bool *stored);
/* Sync every file put since the last commit, give them their names, sync the directories.
 * BLOB_WRITE or DISK_FULL. */
MUST_USE struct err blob_commit(struct blob_store *self);

/* A second store in which reads look when the first does not have the blob: pixels taken out of a
 * sealed file. Before the first read. */
MUST_USE struct err blob_store_also(struct blob_store *self, const char *directory);
/* Read exactly bytes_count bytes; BLOB_MISSING when the blob is not there, has another length or
 * another digest. */
MUST_USE struct err blob_read(struct blob_store *self, const uint8_t digest[HASH_BYTES], void *out,
                              uint64_t bytes_count);
/* bytes_count bytes from offset of a blob that has blob_bytes; the digest is not checked. Any
 * thread. BLOB_MISSING as above. */
MUST_USE struct err blob_read_part(const struct blob_store *self, const uint8_t digest[HASH_BYTES],
                                   uint64_t blob_bytes, uint64_t offset, void *out,
                                   size_t bytes_count);
/* ---- leaving: one thread beside the writer; while it marks, reads of the marked may fail.
 *
 * A marked payload that is put again stays: the put takes its mark away. So, when the puts that had
 * begun before blob_leave_begin are in the log and the log names none of the marked any more, what
 * still has its mark is needed by nobody. */
#define BLOB_LEAVING_MAX 128u
/* At most BLOB_LEAVING_MAX; nothing may be marked yet. */
void blob_leave_begin(struct blob_store *self, const uint8_t (*digests)[HASH_BYTES],
                      uint32_t count);
/* Takes the file away if it still has its mark; *gone tells. A file that is not there is gone. Its
 * name may come back after a power cut until blob_leave_end. */
MUST_USE struct err blob_leave(struct blob_store *self, const uint8_t digest[HASH_BYTES],
                               bool *gone);
/* Syncs the directories and takes all marks away. */
MUST_USE struct err blob_leave_end(struct blob_store *self);

bool blob_exists(struct blob_store *self, const uint8_t digest[HASH_BYTES]);
/* Keep refused bytes for inspection, within the bound. Not synced: it is no evidence. *kept false
 * when too large. */
MUST_USE struct err blob_quarantine(struct blob_store *self, const void *bytes,
                                    uint64_t bytes_count, const uint8_t digest[HASH_BYTES],
                                    bool *kept);

/* Read-only access for tools, without a store: path of a blob below the blobs directory; out needs
 * 128 bytes. */
void blob_path(const uint8_t digest[HASH_BYTES], char *out);

#endif
