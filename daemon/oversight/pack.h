/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACK_H
#define PACK_H

/* Pack: the private records of a run of entries in one file, packs/<first entry>.pack, when the
 * segments of the write-ahead log that held them are gone. Unlike everything else in the log a pack
 * may be written anew with less in it: that is how a redaction reaches the disk. A writer works
 * beside the name and takes its place when it is whole and durable.
 *
 * One thread a handle; blocks on disk. What is read is treated as hostile. Bytes: FORMAT.md,
 * section 2.7. */

#include <stdbool.h>
#include <stdint.h>

#include "base/durable.h"
#include "base/err.h"

#define PACK_NAME_BYTES 26u /* 20 digits, ".pack", zero */
#define PACK_RECORD_BYTES_MAX 131072u

/* directory/<20 digits>.pack; ERR_ARGUMENT when it is too long. */
MUST_USE struct err pack_path(const char *directory, uint64_t first_index,
                              char out[DURABLE_PATH_BYTES]);
/* The pack with the largest first index <= index, found by listing; no directory is no pack. */
MUST_USE struct err pack_find(const char *directory, uint64_t index, uint64_t *first_index,
                              bool *found);

struct pack_writer;

/* For entries first_index .. end_index - 1. What an earlier writer left unfinished is removed. */
MUST_USE struct err pack_writer_open(const char *directory, uint64_t first_index,
                                     uint64_t end_index, struct pack_writer **out);
/* Entries ascend. */
MUST_USE struct err pack_writer_add(struct pack_writer *self, uint64_t entry_index,
                                    const uint8_t *bytes, uint32_t bytes_count);
/* Index, header, sync, name, sync of the directory; then the pack is there, and the one it replaces
 * is not. */
MUST_USE struct err pack_writer_finish(struct pack_writer *self);
/* Without finish before: nothing has changed. Accepts NULL. */
void pack_writer_close(struct pack_writer **self);

struct pack;

/* Reads and checks header and index. Errors: NOT_FOUND, WAL_DAMAGED, IO, MEMORY. */
MUST_USE struct err pack_open(const char *directory, uint64_t first_index, struct pack **out);
void pack_close(struct pack **self);
uint64_t pack_first(const struct pack *self);
uint64_t pack_end(const struct pack *self);
uint64_t pack_count(const struct pack *self);
/* The entry that the record at this place, below pack_count, belongs to. */
uint64_t pack_entry(const struct pack *self, uint64_t place);
/* Has the file been replaced since it was opened? */
bool pack_is_stale(const struct pack *self);
/* The record of this entry, checked; the bytes live until the next call. *found false when the pack
 * holds none. Errors: WAL_DAMAGED, IO. */
MUST_USE struct err pack_read(struct pack *self, uint64_t entry_index, const uint8_t **bytes,
                              uint32_t *bytes_count, bool *found);

#endif
