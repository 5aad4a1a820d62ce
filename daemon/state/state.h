/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATE_H
#define STATE_H

/* State: the SQLite read model: items, records, scores, decisions, referrals, outcomes, refusals,
 * seals, models, counters.
 *
 * It is changed by one function only, state_apply(), one committed entry after another in the order
 * of the log: delete the file and the same function rebuilds it. Readers of other processes
 * (triagectl) open it read-only while the daemon runs. Threads: a handle belongs to one thread.
 * Blocks on disk. Schema: FORMAT.md beside this file. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/entry.h"
#include "referral/referral.h"

struct state;

/* Open or create for writing. A file of another schema version, or one that SQLite finds damaged,
 * is removed and made anew
 * (*rebuilt true): the caller then applies the log from entry 0. */
MUST_USE struct err state_open(const char *path, struct state **out, bool *rebuilt);
MUST_USE struct err state_open_readonly(const char *path, struct state **out);
void state_close(struct state **self);

/* Entries applied so far: the next state_apply must be this index. */
uint64_t state_applied(struct state *self);
/* Many applies make one transaction. */
MUST_USE struct err state_begin(struct state *self);
MUST_USE struct err state_commit(struct state *self);
/* What a received entry does not carry in public: taken from its private record by the caller,
 * empty for other entries. Records are tied to items here: a score names its records by cause; a
 * record that comes after its item (same mode, site and join key) was decided belongs to it at
 * once, as late. */
struct state_hint {
    const uint8_t *record_key; /* record_key_of the record; NULL when it is not there any more */
    const char *label;         /* what the officer may see of it; NULL: the pseudonym of its key */
    /* A decision before this time does not make the record late: it belongs to an item to come.
     * 0: any decision does. */
    int64_t late_since_ns;
};
/* hint may be NULL. Entries that are already applied are skipped, a gap is our own bug. */
MUST_USE struct err state_apply(struct state *self, const struct entry *entry,
                                const struct state_hint *hint);

/* ---- what the judge line asks at start ---- */

struct state_stream {
    char publisher[33];
    char stream[33];
    uint64_t next_sequence;
};
/* Streams and their next sequence; returns through out, at most capacity; *count is how many there
 * are. */
MUST_USE struct err state_streams(struct state *self, struct state_stream *out, uint32_t capacity,
                                  uint32_t *count);

/* Entry indices of received records whose item has no decision, ascending, from `from` on. */
MUST_USE struct err state_undecided(struct state *self, uint64_t from, uint64_t *out,
                                    uint32_t capacity, uint32_t *count);

struct state_decided {
    uint8_t item[ITEM_ID_BYTES];
    enum mode mode;
    char site[65];
    char key[65];
    double probability;
    double cutoff;
    bool scorable; /* its score entry had no `unscorable` */
    bool referred; /* by whatever arm */
    int64_t t_ns;
    uint64_t entry_index;
};
/* The newest `capacity` decisions, oldest of them first. */
MUST_USE struct err state_recent_decisions(struct state *self, struct state_decided *out,
                                           uint32_t capacity, uint32_t *count);

/* A decision with what came of it, for simulations. */
struct state_past {
    uint64_t entry_index;
    int64_t t_ns;
    enum mode mode;
    char site[65];
    char lane[65];
    double probability;
    double cutoff;
    bool scorable;
    bool referred;
    char arm[16];
    double propensity;
    double random_rate;
    uint8_t policy[HASH_BYTES];
    bool by_hand;      /* was referred by hand, after the decision had let it go */
    int64_t opened_ns; /* of its referral; 0: it has none */
    int64_t closed_ns; /* 0: none, or open */
    bool examined;     /* the standing outcome is a label */
    bool found;
};
/* Decisions before until_ns from entry index `from` on, ascending. */
MUST_USE struct err state_pasts(struct state *self, uint64_t from, int64_t until_ns,
                                struct state_past *out, uint32_t capacity, uint32_t *count);
/* Entry index of the first of the newest `limit` decisions before until_ns; 0 when there is none.
 */
MUST_USE struct err state_past_first(struct state *self, int64_t until_ns, uint64_t limit,
                                     uint64_t *from);

struct state_outcome {
    uint64_t entry_index;
    int64_t t_ns;
    bool found;
    uint64_t declaration_entries[8]; /* of the item's declarations */
    uint32_t declarations_count;
};
/* Exam outcomes that are labels (exam_result_is_label) and stand for their item, from entry index
 * `from` on, ascending. */
MUST_USE struct err state_outcomes(struct state *self, uint64_t from, struct state_outcome *out,
                                   uint32_t capacity, uint32_t *count);
/* Entry indices of an item's declarations; at most 8. */
MUST_USE struct err state_item_declarations(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                                            uint64_t *out, uint32_t *count);

struct state_model {
    char name[96];
    uint8_t sha256[HASH_BYTES];
};
/* Models in use: the newest model.change of each name, those in shadow not among them. */
MUST_USE struct err state_models(struct state *self, struct state_model *out, uint32_t capacity,
                                 uint32_t *count);
/* The model in shadow. NOT_FOUND when there is none. */
struct state_shadow {
    char place[96];
    uint8_t sha256[HASH_BYTES];
    uint64_t entry_index; /* of its model.change */
    int64_t t_ns;
};
MUST_USE struct err state_shadow(struct state *self, struct state_shadow *out);
/* Entry index of the newest change of a model in use; 0: none. */
MUST_USE struct err state_models_since(struct state *self, uint64_t *entry_index);
/* A decision, what came of it, and what the model in shadow with this hash said. */
struct state_shadow_past {
    struct state_past past;
    bool scored; /* by the shadow */
    bool scorable;
    double probability;
};
/* Decisions from entry index `from` on, ascending. */
MUST_USE struct err state_shadow_pasts(struct state *self, uint64_t from,
                                       const uint8_t sha256[HASH_BYTES],
                                       struct state_shadow_past *out, uint32_t capacity,
                                       uint32_t *count);
/* Entry index of an accepted record by its entry's id. NOT_FOUND. */
MUST_USE struct err state_record_entry(struct state *self, const uint8_t id[ENTRY_ID_BYTES],
                                       uint64_t *entry_index);
/* Last draw.commit: its day ("" when none) and whether it was revealed; last archive.seal: the
 * first index not yet sealed. */
MUST_USE struct err state_last_draw(struct state *self, char day[11], bool *revealed);
/* Committed days that were not revealed, the oldest first, at most capacity of them. */
MUST_USE struct err state_open_draws(struct state *self, char (*days)[11], uint32_t capacity,
                                     uint32_t *count);
MUST_USE struct err state_sealed_until(struct state *self, uint64_t *next_index);
/* What the newest config.change says: digests of configuration and policy, and what computes
 * scores, a line each of build, BLAS, libm and processor. Zeros and "" when there is none. */
#define STATE_COMPUTING_BYTES 512u
struct state_config {
    uint8_t config[HASH_BYTES];
    uint8_t policy[HASH_BYTES];
    char computing[STATE_COMPUTING_BYTES];
    bool arm_hidden; /* officers are not shown the arm before the outcome */
};
MUST_USE struct err state_config(struct state *self, struct state_config *out);
/* Has this record id been received with other content? *same false then. *known false when never
 * seen. */
MUST_USE struct err state_record_known(struct state *self, enum record_kind kind,
                                       const char *record_id, const uint8_t sha256[HASH_BYTES],
                                       bool *known, bool *same);

/* ---- redactions: what may not be shown any more, wherever it still lies ---- */

/* Does a redaction name this entry? */
MUST_USE struct err state_entry_redacted(struct state *self, uint64_t entry_index, bool *redacted);
/* Is the disclosure with this digest redacted? */
MUST_USE struct err state_digest_redacted(struct state *self, const uint8_t digest[HASH_BYTES],
                                          bool *redacted);
struct state_redaction {
    uint64_t redact_entry; /* index of the redact entry */
    uint64_t entry_index;  /* one that it names */
    int64_t t_ns;
};
/* In the order of these two, from *from (its two indices) on. */
MUST_USE struct err state_redactions(struct state *self, const struct state_redaction *from,
                                     struct state_redaction *out, uint32_t capacity,
                                     uint32_t *count);

/* ---- what scanners delivered: FORMAT.md, table image_quality ---- */

enum state_figure {
    STATE_SHARPNESS,
    STATE_CONTRAST,
    STATE_SATURATED,
    STATE_DEAD_LINES,
    STATE_FIGURE_COUNT
};
const char *state_figure_text(enum state_figure figure);
double state_quality_rounded(double value); /* as the table keeps them */
/* The scanner next to `after` ("": the first), in the order of their names. */
MUST_USE struct err state_quality_scanner(struct state *self, const char *after, char out[65],
                                          bool *found);
struct state_quality {
    int64_t day; /* since 1970, UTC */
    enum state_figure figure;
    double value;
    uint64_t images;
};
typedef void (*state_quality_row)(void *arg, const struct state_quality *row);
/* Days from from_day to before to_day: ascending by day, then a figure at a time, then by value. */
MUST_USE struct err state_quality(struct state *self, const char *scanner, int64_t from_day,
                                  int64_t to_day, state_quality_row row, void *arg);

/* ---- images: where one lies, by its digest ---- */

#define STATE_IMAGE_ENTRIES_MAX 16u
#define STATE_IMAGE_SEALS_MAX 4u
struct state_image {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    uint64_t entries[STATE_IMAGE_ENTRIES_MAX]; /* scans that have it, the first ones */
    uint32_t entries_count;
    char seals[STATE_IMAGE_SEALS_MAX][256]; /* sealed files that have it, below archive/ */
    uint32_t seals_count;
};
/* NOT_FOUND when no accepted scan names it. The shape is that of the first entry. */
MUST_USE struct err state_image(struct state *self, const uint8_t digest[HASH_BYTES],
                                struct state_image *out);

/* ---- retention: what lies in blobs/, where sealed files have copies, what must stay ---- */

struct state_seal {
    uint64_t entry_index; /* of the archive.seal */
    char path[160];
    uint64_t file_bytes;
    uint8_t sha256[HASH_BYTES];
    uint64_t first_index;
    uint64_t last_index;
};
/* The first seal behind the seal at entry index `after` (UINT64_MAX: the first of all); with place
 * (may be NULL) the first that has no copy there by the log. NOT_FOUND when there is none. */
MUST_USE struct err state_seal_next(struct state *self, uint64_t after, const char *place,
                                    struct state_seal *out);
/* Does the log tell of any copy in this place? */
MUST_USE struct err state_place_known(struct state *self, const char *place, bool *known);
/* How many seals have no copy in this place, and when the oldest of them was sealed (0: none). */
MUST_USE struct err state_copies_waiting(struct state *self, const char *place, uint64_t *count,
                                         int64_t *since_ns);

struct state_blob {
    uint8_t sha256[HASH_BYTES];
    uint64_t entry_index; /* the newest that names it */
    uint64_t bytes;
    int64_t t_ns; /* of that entry */
};
/* Payloads whose newest use lies in this range of entries, in the order of entries, behind *after
 * (zeros: from the first on). */
MUST_USE struct err state_blobs(struct state *self, uint64_t first, uint64_t last,
                                const struct state_blob *after, struct state_blob *out,
                                uint32_t capacity, uint32_t *count);

/* What every use of a payload says together; the first that holds is the reason to tell. */
struct state_blob_uses {
    uint64_t count; /* received entries that name it and are not discarded */
    bool undecided; /* an item of it has no decision */
    bool referral_open;
    bool held;        /* a legal hold */
    bool found;       /* an exam of an item of it found something */
    int64_t until_ns; /* retention ends, UTC */
};
MUST_USE struct err state_blob_uses(struct state *self, const uint8_t sha256[HASH_BYTES],
                                    int64_t keep_ns, int64_t keep_found_ns,
                                    struct state_blob_uses *out);
/* Does the log say that it lies in blobs/? */
MUST_USE struct err state_blob_known(struct state *self, const uint8_t sha256[HASH_BYTES],
                                     bool *known);
/* Payloads of the newest discard: a stop may have come before they were off the disk. */
MUST_USE struct err state_last_discards(struct state *self, uint8_t (*out)[HASH_BYTES],
                                        uint32_t capacity, uint32_t *count);
/* The seal of the file that the newest discard says they are kept in. NOT_FOUND: there is none. */
MUST_USE struct err state_discard_seal(struct state *self, struct state_seal *out);
/* Is there a hold on this item (NULL: on everything)? */
MUST_USE struct err state_hold(struct state *self, const uint8_t *item, bool *held);

/* ---- referrals: what commands are checked against ---- */

struct state_referral {
    enum referral_state state;
    uint64_t version;
    char actor[PSEUDONYM_BYTES]; /* who claimed it; "" when nobody */
    uint8_t decision_id[ENTRY_ID_BYTES];
    char mode[16];
    char site[65];
};
/* NOT_FOUND when the item was never decided. */
MUST_USE struct err state_referral(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                                   struct state_referral *out);
/* Open referrals of each place, at most `capacity` places. */
struct state_open {
    enum mode mode;
    char site[65];
    uint32_t count;
};
MUST_USE struct err state_open_referrals(struct state *self, struct state_open *out,
                                         uint32_t capacity, uint32_t *count);
/* Times by mode: a referral of a mode is meant when it was opened before. 0: none of that mode. */
struct state_before {
    int64_t opened_ns[MODE_COUNT];
};
/* Items of open referrals that nobody has claimed (queued, presented), the oldest first. */
MUST_USE struct err state_unclaimed(struct state *self, const struct state_before *before,
                                    uint8_t (*out)[ITEM_ID_BYTES], uint32_t capacity,
                                    uint32_t *count);
/* Open referrals, claimed ones too, by place: at most `capacity` places, that with the oldest
 * first; *total counts the referrals of all places. */
struct state_overdue {
    enum mode mode;
    char site[65];
    uint32_t count;
    int64_t oldest_ns; /* opened */
};
MUST_USE struct err state_overdue(struct state *self, const struct state_before *before,
                                  struct state_overdue *out, uint32_t capacity, uint32_t *count,
                                  uint64_t *total);
/* The entry that a request id led to, and what was asked, so that it can be answered again and told
 * from another order under the same id. NOT_FOUND when it is new. */
#define STATE_ASKED_HOLD "hold.place"
#define STATE_ASKED_LIFT "hold.lift"
#define STATE_ASKED_REGISTER "operation.register"
#define STATE_ASKED_CLOSE "operation.close"
struct state_request {
    uint64_t entry_index;
    char what[32];               /* "claim", "release", one of these, or the type of the entry */
    uint8_t item[ITEM_ID_BYTES]; /* or what state_asked_* gives; zeros: about no item */
    char actor[PSEUDONYM_BYTES];
};
MUST_USE struct err state_request(struct state *self, const char *request_id,
                                  struct state_request *out);
/* What stands in the place of the item of orders that are about none: the entries of a redaction,
 * the name of an operation. */
void state_asked_entries(const uint64_t *entry_index, uint32_t count, uint8_t out[ITEM_ID_BYTES]);
void state_asked_name(const char *name, uint8_t out[ITEM_ID_BYTES]);
/* The outcome that speaks for an item. NOT_FOUND when it has none. */
struct state_standing {
    uint64_t entry_index;
    char result[32];
};
MUST_USE struct err state_standing(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                                   struct state_standing *out);

/* ---- targeted operations ---- */

struct state_operation {
    uint64_t entry_index; /* of its registration */
    bool closed;
};
/* NOT_FOUND when there is none of this name. */
MUST_USE struct err state_operation(struct state *self, const char *name,
                                    struct state_operation *out);
/* What its metric counts over the items decided before until_ns, and what its comparator does.
 * Zeros when there is none of this name. Looks at every decision of the read model: about a second
 * for a million. */
struct state_figures {
    uint64_t numerator;
    uint64_t denominator;
    uint64_t comparator_numerator;
    uint64_t comparator_denominator;
};
MUST_USE struct err state_operation_figures(struct state *self, const char *name, int64_t until_ns,
                                            struct state_figures *out);

/* ---- reports: rows for triagectl and the console ---- */

#define STATE_MANUAL_AGEING \
    0.1 /* of a manual referral: an hour adds as much as policy has by default */
#define STATE_REASONS_MAX 8u
struct state_queue_row {
    uint8_t item[ITEM_ID_BYTES];
    char label[65];
    char mode[16];
    char site[65];
    char lane[65];
    char arm[16];
    char state[16];
    char actor[PSEUDONYM_BYTES];
    double probability;
    double propensity;
    double priority;
    double cutoff;
    int64_t decided_ns;
    uint64_t version;
    uint64_t decision_index;
    char reasons[STATE_REASONS_MAX][192];
    uint32_t reasons_count;
};
struct state_queue_filter {
    const char *mode; /* NULL: any */
    const char *site; /* NULL: any */
    bool all_states;  /* terminal ones too */
    int64_t now_ns;   /* waiting adds to the priority until then; 0: as it was when referred */
    uint32_t limit;
    uint32_t offset;
};
/* Ranked: priority with what waiting has added (decide/queue_order.h) first, then the older. */
MUST_USE struct err state_queue(struct state *self, const struct state_queue_filter *filter,
                                struct state_queue_row *out, uint32_t *count);

/* One metric of config/metrics/ (an .sql file): runs its SQL (read-only, one SELECT) and hands
 * every row to `row`. */
typedef void (*state_metric_row)(void *arg, uint32_t columns_count, const char *const *names,
                                 const char *const *values);
MUST_USE struct err state_metric(struct state *self, const char *sql, state_metric_row row,
                                 void *arg);
/* As state_metric with one text or blob parameter. */
MUST_USE struct err state_query(struct state *self, const char *sql, const void *parameter,
                                uint32_t parameter_bytes, bool parameter_is_text,
                                state_metric_row row, void *arg);

struct state_counts {
    uint64_t items;
    uint64_t undecided;
    uint64_t decisions;
    uint64_t referred;
    uint64_t open_referrals;
    uint64_t outcomes;
    uint64_t refusals;
    uint64_t scans;
    uint64_t declarations;
    uint64_t seals;
};
MUST_USE struct err state_counts(struct state *self, struct state_counts *out);

#endif
