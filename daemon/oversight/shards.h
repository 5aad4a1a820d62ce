/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDS_H
#define SHARDS_H

/* Shards: which part of the log has which origin and lies in which directory. The number n of an
 * entry counts on over all of them; its place in the tree of its shard (leaf index) is n - first_n.
 * The list is public, log/shards, one line a shard, oldest first: "<first_n> <origin> <directory>".
 * A store of before there was more than one shard has log/origin instead.
 *
 * Caller's memory (about 60 KB, too much for a stack); any thread. What is read from a file is
 * treated as hostile. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/note.h"

#define SHARDS_MAX 256u
#define SHARD_NAME_BYTES 64u /* of a directory, with its zero */
#define SHARDS_NAME "shards"

struct shard {
    uint64_t first_n; /* n of its log.open entry */
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    char directory[SHARD_NAME_BYTES]; /* one name, below log/ */
};

struct shards {
    uint32_t count;
    struct shard list[SHARDS_MAX];
};

/* False, with *out unspecified, unless the text is one or more whole lines, the first of first_n 0,
 * the others ascending, origins and directories valid and none of them twice. */
bool shards_parse(const char *text, size_t text_bytes, struct shards *out);
/* Adds a shard; its directory is what follows the last '/' of its origin. False when the list is
 * full or the line would not parse. */
bool shards_add(struct shards *self, uint64_t first_n, const char *origin);

/* The shard of the entry n; NULL in an empty list only. Lives as long as the list. */
const struct shard *shards_find(const struct shards *self, uint64_t n);
/* n of the first entry behind this shard; UINT64_MAX for the last one. */
uint64_t shards_end(const struct shards *self, const struct shard *shard);
/* NULL when there is none. */
const struct shard *shards_of_origin(const struct shards *self, const char *origin);

/* The year that ends an origin, "x/2026" or "x/2026-2"; -1 when none does. */
int shard_year(const char *origin);
/* Origin for the shard after the last one: organisation and port as that one has them, this year or
 * that of the last shard if it is later, and "-2", "-3", ... behind it when that is used. False
 * when it would become too long. out needs NOTE_ORIGIN_BYTES_MAX + 1. */
bool shards_next_origin(const struct shards *self, int year, char *out);

/* Reads log/shards, or log/origin where that is all there is. Errors: NOT_FOUND when neither is
 * there, TILE_DIFFERS when it is malformed, MEMORY, IO. */
MUST_USE struct err shards_read(const char *log_directory, struct shards *out);
/* Writes log/shards and takes log/origin away; both durable on return. */
MUST_USE struct err shards_write(const char *log_directory, const struct shards *self);

#endif
