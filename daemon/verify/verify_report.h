/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

/* Verify report: what was looked at and what is wrong, for people and as JSON. A problem is
 * something that an honest log never shows; a warning is something that a reader should know. Lines
 * kept are bounded, counts are not. One thread. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "proto/hash.h"
#include "proto/note.h"
#include "proto/quorum.h"

#define VERIFY_LINES_KEPT 1000u
#define VERIFY_LINE_BYTES 320u
#define VERIFY_SHARDS_MAX 64u
#define VERIFY_TYPES 24u

struct verify_lines {
    char (*lines)[VERIFY_LINE_BYTES];
    uint64_t count; /* of all; the first VERIFY_LINES_KEPT are kept */
};

/* What the witnesses of a quorum file have signed: filled by verify_quorum. */
struct verify_quorum_result {
    bool asked;
    uint64_t cosigned; /* files with a checkpoint that meets the quorum */
    uint64_t size;     /* of the newest of them */
    uint64_t receipts;
    uint64_t receipts_unknown; /* of witnesses that the file does not name */
    uint32_t witnesses_count;
    char witnesses[QUORUM_WITNESSES_MAX][NOTE_ORIGIN_BYTES_MAX + 1];
    uint64_t times_s[QUORUM_WITNESSES_MAX]; /* when each signed the newest; 0: it did not */
};

/* One shard of the log with the archive files that its entries seal. */
struct verify_shard {
    char path[512];
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    bool key_was_given; /* by the caller: then a forged key file proves nothing */
    uint64_t size;
    uint8_t root[HASH_BYTES];
    uint64_t checkpoints;
    uint64_t bundles;
    uint64_t tiles;
    uint64_t entries;
    uint64_t types[VERIFY_TYPES]; /* entries by type; other types at 0 */
    uint64_t items_decided;
    uint64_t items_referred;
    uint64_t referrals_closed;
    uint64_t draw_days;
    uint64_t draw_days_revealed;
    uint64_t draws_checked;
    uint64_t draws_waiting;
    uint64_t seals;
    uint64_t seals_unchecked; /* no archive directory was given */
    uint64_t archive_files;
    uint64_t archive_entries;
    uint64_t archive_images;
    struct verify_quorum_result quorum;
};

struct verify_report {
    struct verify_lines problems;
    struct verify_lines warnings;
    struct verify_shard shards[VERIFY_SHARDS_MAX];
    uint32_t shards_count;
};

MUST_USE struct err verify_report_init(struct verify_report *self);
void verify_report_fini(struct verify_report *self);
/* "where: what"; cut at VERIFY_LINE_BYTES - 1. */
void verify_problem(struct verify_report *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void verify_warning(struct verify_report *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Text for people; quiet prints problems and the last line alone. */
void verify_report_print(const struct verify_report *self, bool quiet, FILE *out);
/* One JSON object. False when it could not be made or written. */
bool verify_report_print_json(const struct verify_report *self, FILE *out);

#endif
