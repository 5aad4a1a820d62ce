/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

/* Verify report: what was looked at and what is wrong. A problem is something that an honest log
 * never shows; a warning is something that a reader should know. Each belongs to the step that
 * found it (verify_step_table.h). Lines kept are bounded, counts are not. One thread. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "proto/hash.h"
#include "proto/note.h"
#include "proto/quorum.h"

#define VERIFY_LINES_KEPT 1000u
#define VERIFY_LINE_BYTES 320u
#define VERIFY_SHARDS_MAX 256u
#define VERIFY_TYPES 25u
#define VERIFY_OPEN_LISTED 100u
#define VERIFY_AGES 3u /* of open referrals: under an hour, under a day, older */

enum verify_step {
#define STEP(name, title, advice) STEP_##name,
#include "verify/verify_step_table.h"
#undef STEP
    STEP_COUNT
};

const char *verify_step_name(enum verify_step step);
const char *verify_step_title(enum verify_step step);
const char *verify_step_advice(enum verify_step step);

struct verify_line {
    enum verify_step step;
    char text[VERIFY_LINE_BYTES]; /* "where: what" */
};

struct verify_lines {
    struct verify_line *lines;
    uint32_t kept_max;
    uint32_t kept;
    uint64_t count; /* of all, those that found no room included */
};

extern const int64_t verify_age_limits_ns[VERIFY_AGES - 1];

/* A referral that had not ended at the last entry. */
struct verify_open {
    uint64_t decision_index;
    int64_t age_ns; /* from its decision to the last entry */
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
    uint32_t key_id;
    uint64_t size;
    uint64_t first_n; /* n of the first entry; n of a later one is its index more */
    uint8_t root[HASH_BYTES];
    uint64_t checkpoints;
    uint64_t checkpoints_unmet; /* roots that could not be compared, because entries are missing */
    uint64_t kept;              /* checkpoints that the caller kept, of this log */
    uint64_t kept_met;          /* and of which the log is a continuation */
    uint64_t files;
    uint64_t files_bytes;
    uint64_t files_unknown;
    uint64_t bundles;
    uint64_t tiles;
    uint64_t entries;
    uint64_t minimum;             /* leaf index: bundles below may be gone, on purpose; 0: none */
    uint64_t pruned;              /* entries whose bundle is */
    uint64_t types[VERIFY_TYPES]; /* entries by type; other types at 0 */
    uint64_t records;             /* received */
    uint64_t records_unscored;    /* late, or their item is still held */
    uint64_t items_decided;
    uint64_t items_undecided; /* scored, and no decision up to the last entry */
    uint64_t items_referred;
    uint64_t referrals_closed;
    uint64_t referrals_open;
    uint64_t open_by_age[VERIFY_AGES];
    struct verify_open open[VERIFY_OPEN_LISTED]; /* the oldest */
    uint64_t draw_days;
    uint64_t draw_days_revealed;
    uint64_t draws_checked;
    uint64_t draws_waiting;
    uint64_t policies;
    uint64_t models;
    int64_t first_t_ns;
    int64_t last_t_ns;
    uint64_t tick_interval_ms; /* median of what lies between two ticks; 0: too few of them */
    uint64_t silences;
    uint64_t silence_s; /* all of them together */
    uint64_t accesses;
    uint64_t redactions;
    uint64_t digests_redacted;
    uint64_t payloads_discarded;
    uint64_t tails_recovered;
    uint64_t seals;
    uint64_t seals_unchecked; /* no archive directory was given */
    uint64_t archive_files;
    uint64_t archive_entries;
    uint64_t archive_images;
    struct verify_quorum_result quorum;
};

struct verify_report {
    uint64_t pruned_below; /* the highest n below which an entry says that it was pruned */
    enum verify_step step; /* what problems and warnings are put down to */
    struct verify_lines problems;
    struct verify_lines warnings;
    struct verify_shard shards[VERIFY_SHARDS_MAX];
    uint32_t shards_count;
};

MUST_USE struct err verify_report_init(struct verify_report *self);
void verify_report_fini(struct verify_report *self);
/* Returns the step before, for those who go back to it. */
enum verify_step verify_report_step(struct verify_report *self, enum verify_step step);
/* "where: what"; cut at VERIFY_LINE_BYTES - 1. */
void verify_problem(struct verify_report *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void verify_warning(struct verify_report *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a list of one's own, as a helping thread keeps it; kept_max 0: none. */
MUST_USE struct err verify_lines_init(struct verify_lines *self, uint32_t kept_max);
void verify_lines_fini(struct verify_lines *self);
void verify_lines_add(struct verify_lines *self, enum verify_step step, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Problems of a list go to the end of the report's; the list is empty then. */
void verify_report_take(struct verify_report *self, struct verify_lines *lines);

#endif
