/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_METRIC_SET_H
#define ARCHIVE_METRIC_SET_H

/* Metric set: the definitions of all published metrics (config/metrics/NAME.sql) as one piece of
 * bytes with one digest, so that a seal can say which were in force and a rebuild can find them
 * again.
 *
 * The bytes: for each file, in the order of names, a line "-- file: NAME BYTES\n" and the file as
 * it is. Kept as metrics/<sha256> below the store. Caller's memory; blocks on the disk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

#define METRIC_FILE_BYTES_MAX 65535u
#define METRIC_TEXT_BYTES 1024u

struct metric_set {
    uint8_t *bytes; /* zero-terminated; NULL: no definitions */
    size_t bytes_count;
    uint8_t sha256[HASH_BYTES]; /* zeros without definitions */
};

/* One definition; text points into the set and is not terminated. */
struct metric {
    char name[64];
    char version[32];
    char definition[METRIC_TEXT_BYTES];
    char numerator[METRIC_TEXT_BYTES];
    char denominator[METRIC_TEXT_BYTES];
    const char *text;
    size_t text_bytes;
};

/* All *.sql of a directory. TABLE_UNREADABLE when one has no header or there are more than 64, IO,
 * MEMORY;
 * *out is then empty. */
MUST_USE struct err metric_set_load(const char *directory, struct metric_set *out);
/* A kept set, whose bytes must have this digest: ARCHIVE_DIFFERS. */
MUST_USE struct err metric_set_read(const char *store_metrics, const uint8_t sha256[HASH_BYTES],
                                    struct metric_set *out);
/* Keep it below this directory, which is made; nothing but a sync of its name when it is
 * kept already. A damaged one is replaced. */
MUST_USE struct err metric_set_keep(const struct metric_set *self, const char *store_metrics);
void metric_set_fini(struct metric_set *self);
/* The next definition from *at (0 at first); false at the end. */
bool metric_set_next(const struct metric_set *self, size_t *at, struct metric *out);

/* "-- key: value" in the head of a metric's file, with its continuation lines; false when missing
 * or over-long. The text is terminated. */
bool metric_header(const char *text, const char *key, char *out, size_t out_capacity);

/* Where the metrics lie: beside the installed program, or in the source tree that it was built
 * from; out has 512 bytes. False when neither is there. */
bool metric_directory(char *out);

#endif
