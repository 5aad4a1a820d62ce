/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_ENTRY_H
#define PROTO_ENTRY_H

/* Entry: one record of the oversight log as a value, and its bytes (oversight.proto).
 *
 * Writing: entry_encode_rest() encodes everything but v, n and t_ns; the committer puts these in
 * front with entry_encode_stamp() when it knows the index. Protobuf allows fields in any order, so
 * the two pieces together are one message, encoded once. Strings may be NULL or "" when absent.
 * Reading: entry_decode() points into the arena. Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/hash.h"
#include "proto/words.h"

#define ENTRY_VERSION 1u
#define ENTRY_BYTES_MAX 8192u /* policy; the format allows 65535 */
#define ENTRY_STAMP_BYTES_MAX 32u
#define ENTRY_ARENA_BYTES \
    131072u /* enough to decode any entry of up to 65535 bytes that we write */
#define ENTRY_ID_BYTES 16u
#define ENTRY_SD_ALG "sha-256"
#define ITEM_ID_BYTES 16u
#define ENTRY_CAUSES_MAX 24u
#define ENTRY_CONTRIBUTIONS_MAX 24u
#define ENTRY_MODELS_MAX 16u
#define ENTRY_INPUTS_MAX 8u         /* models whose inputs a score tells */
#define ENTRY_INPUT_VALUES_MAX 256u /* numbers that one model gets */
#define ENTRY_REGIONS_MAX 8u
#define ENTRY_REASONS_MAX 8u
#define ENTRY_RATES_MAX 32u
#define ENTRY_CAPACITY_MAX 24u /* places in a tick */
#define ENTRY_IMAGES_MAX 8u
#define ENTRY_DISCLOSURES_MAX 8u /* digests in sd */
#define ENTRY_INDICES_MAX 64u    /* entries named by an access or a redaction */
#define ENTRY_NAMES_MAX 8u       /* disclosures named by an access */
#define ENTRY_DIGESTS_MAX 128u   /* named by a redaction or a discard */

struct entry_log_open {
    const char *origin;
    uint32_t format_version;
    uint8_t schema_sha256[HASH_BYTES];
    const uint8_t *previous_checkpoint;
    uint32_t previous_checkpoint_bytes;
    uint64_t first_n; /* leaf index = n - first_n */
};

struct entry_log_close {
    const char *reason;
    const char *next_origin;
};

struct entry_key_rotate {
    const char *old_vkey;
    const char *new_vkey;
    const char *reason;
};

struct entry_config_change {
    uint8_t config_sha256[HASH_BYTES];
    uint8_t policy_sha256[HASH_BYTES];
    const char *policy_version;
    const char *build; /* what computes scores from here on; NULL or "": not told */
    const char *blas;
    const char *libm;
    const char *processor;
    const char *reason;
    const char *target;
    bool arm_hidden;
};

struct entry_model_change {
    const char *name;
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes;
    const char *evaluation;
    const char *reason;
    const char *figures; /* of a shadow that is promoted */
    bool removed;        /* in use no longer */
    bool promoted;       /* the shadow of this place takes it, and ends */
};

/* Name of a model in shadow: this and the place beside whose model it scores. */
#define ENTRY_SHADOW_PREFIX "shadow/"

struct entry_image {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    enum pixel_meaning meaning;
    enum energy energy;
    uint32_t view;
    uint64_t payload_bytes;
    uint8_t sha256[HASH_BYTES];
};

struct entry_received { /* ENTRY_SCAN_RECEIVED and ENTRY_DECLARATION_RECEIVED */
    const char *publisher;
    const char *stream;
    uint64_t sequence;
    enum mode mode;
    const char *site;
    const char *lane;
    uint8_t record_sha256[HASH_BYTES]; /* zeros: absent, the record is a disclosure of sd */
    uint64_t record_bytes;
    const char *record_id;
    const char *item_key;
    const char *scanner;
    const char *scanner_type;
    int64_t acquired_ns;
    struct entry_image images[ENTRY_IMAGES_MAX];
    uint32_t images_count;
};

struct entry_refused {
    const char *publisher;
    const char *stream;
    uint64_t sequence;
    uint32_t code;
    const char *name;
    const char *reason;
    uint8_t record_sha256[HASH_BYTES]; /* keyed, see record_key_of */
    uint64_t record_bytes;
    bool quarantined;
};

struct entry_model {
    const char *name;
    uint8_t sha256[HASH_BYTES];
};

struct entry_contribution {
    const char *name;
    double logit;
    const char *words;
};

struct entry_inputs {
    uint32_t model;      /* position in models */
    const float *values; /* NaN: not there; never infinite */
    uint32_t values_count;
};

struct entry_region {
    uint32_t image_index;
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
    double score;
};

struct entry_score {
    double probability;
    double logit;
    struct entry_contribution contributions[ENTRY_CONTRIBUTIONS_MAX];
    uint32_t contributions_count;
    struct entry_model models[ENTRY_MODELS_MAX];
    uint32_t models_count;
    struct entry_inputs inputs[ENTRY_INPUTS_MAX]; /* ascending by model, each at most once */
    uint32_t inputs_count;
    struct entry_region regions[ENTRY_REGIONS_MAX];
    uint32_t regions_count;
    const char *unscorable;
    double quality;
    double grave; /* probability of a grave find; 0: no model tells */
};

struct entry_shadow_score {
    const char *place; /* without ENTRY_SHADOW_PREFIX */
    uint8_t sha256[HASH_BYTES];
    struct entry_score score; /* contributions without words */
};

struct entry_decision {
    const char *decision;
    const char *arm;
    double propensity;
    double random_rate;
    double probability;
    double cutoff;
    double priority;
    double capacity_per_hour;
    double arrivals_per_hour;
    uint64_t rank;
    uint64_t window_count;
    uint8_t policy_sha256[HASH_BYTES];
    const char *draw_scheme;
    const char *draw_day;
    uint8_t draw[HASH_BYTES];
    const char *reasons[ENTRY_REASONS_MAX];
    uint32_t reasons_count;
    const char *label;
    enum mode mode;
    const char *site;
    const char *lane;
    const char *hold_ended_by;
    const char *draw_stratum;
    bool shadow;
    double ageing_per_hour;
    double perishable_per_hour;
};

struct entry_officer_action {
    const char *action;
    const char *code;
    const char *request_id;
    uint64_t version;
    const char *to_state;
    const char *reason;
};

struct entry_outcome {
    const char *exam_level;
    const char *result;
    const char *seizure_class;
    double quantity;
    const char *unit;
    bool has_region;
    uint32_t image_index;
    uint32_t region_x;
    uint32_t region_y;
    uint32_t region_width;
    uint32_t region_height;
    const char *request_id;
    uint64_t version;
    const char *again; /* "" the item's first outcome; "second_exam", "correction" */
    const char *code;  /* coded reason of a correction */
    uint64_t corrects; /* a correction: entry index of the outcome that it replaces */
    bool aside;        /* an older outcome goes on speaking for the item */
};

struct entry_archive_seal {
    const char *path;
    uint64_t file_bytes;
    uint8_t sha256[HASH_BYTES];
    uint64_t first_index;
    uint64_t last_index;
    const char *hdf5_version;
    const char *filters;
    uint8_t metrics_sha256[HASH_BYTES]; /* zeros: none are stated */
};

struct entry_access {
    const char *purpose;
    uint64_t entry_index[ENTRY_INDICES_MAX];
    uint32_t entries_count;
    const char *names[ENTRY_NAMES_MAX];
    uint32_t names_count;
    const char *request_id;
};

struct entry_blob_discard {
    const uint8_t (*sha256)[HASH_BYTES];
    uint32_t blobs_count;
    const char *reason;
    const char *kept_in;
};

struct entry_archive_copied {
    const char *path;
    uint64_t file_bytes;
    uint8_t sha256[HASH_BYTES];
    const char *place;
    bool same_device;
};

struct entry_operation {
    const char *name;
    const char *step; /* "register", "close" */
    enum mode mode;   /* MODE_UNKNOWN: every one */
    const char *site; /* "": every one */
    const char *lane;
    int64_t from_ns;
    int64_t to_ns;
    const char *hypothesis;
    const char *metric;
    const char *comparator;
    const char *stop_rule;
    const char *reason;
    uint64_t numerator; /* at the close */
    uint64_t denominator;
    uint64_t comparator_numerator;
    uint64_t comparator_denominator;
    const char *request_id;
};

struct entry_hold {
    bool placed;
    const char *reason;
    const char *request_id;
};

struct entry_redact {
    uint64_t entry_index[ENTRY_INDICES_MAX];
    uint32_t entries_count;
    const uint8_t (*digests)[HASH_BYTES];
    uint32_t digests_count;
    const char *legal_basis;
    const char *request_id;
};

struct entry_witness_receipt {
    const char *witness;
    uint64_t size;
    uint8_t root[HASH_BYTES];
    const char *line;
};

struct entry_wal_recovered {
    uint64_t torn_bytes;
    uint8_t torn_sha256[HASH_BYTES];
};

struct entry_capacity {
    enum mode mode;
    const char *site;
    double capacity_per_hour;
    double arrivals_per_hour;
    double cutoff;
    uint32_t queue;
    uint32_t queue_max;
    uint64_t items;
    uint64_t target;
    uint64_t random;
    uint64_t below;
    uint64_t just_below;
    double finds_lost;
    double cutoff_lowest;
    double cutoff_highest;
};

struct entry_time_tick {
    uint64_t received_scans;
    uint64_t received_declarations;
    uint64_t refused;
    uint64_t undecided;
    struct entry_capacity capacity[ENTRY_CAPACITY_MAX];
    uint32_t capacity_count;
};

struct entry_rate {
    const char *stratum;
    double rate;
    bool adapts; /* the other two are there */
    double floor;
    const char *reason;
};

struct entry_draw_commit {
    const char *day;
    const char *scheme;
    uint8_t commitment[HASH_BYTES];
    struct entry_rate rates[ENTRY_RATES_MAX];
    uint32_t rates_count;
};

struct entry_draw_reveal {
    const char *day;
    uint8_t key[HASH_BYTES];
};

struct entry {
    uint32_t v;   /* stamped by the committer */
    uint64_t n;   /* stamped by the committer */
    int64_t t_ns; /* stamped by the committer */
    uint8_t id[ENTRY_ID_BYTES];
    enum entry_type type;
    bool has_item;
    uint8_t item[ITEM_ID_BYTES];
    uint8_t causes[ENTRY_CAUSES_MAX][ENTRY_ID_BYTES];
    uint32_t causes_count;
    const char *actor;
    uint8_t sd[ENTRY_DISCLOSURES_MAX][HASH_BYTES]; /* digests of disclosures */
    uint32_t sd_count;
    union {
        struct entry_log_open log_open;
        struct entry_config_change config_change;
        struct entry_model_change model_change;
        struct entry_received received;
        struct entry_refused refused;
        struct entry_score score;
        struct entry_shadow_score shadow_score;
        struct entry_decision decision;
        struct entry_officer_action officer_action;
        struct entry_outcome outcome;
        struct entry_archive_seal archive_seal;
        struct entry_wal_recovered wal_recovered;
        struct entry_time_tick time_tick;
        struct entry_draw_commit draw_commit;
        struct entry_draw_reveal draw_reveal;
        struct entry_log_close log_close;
        struct entry_key_rotate key_rotate;
        struct entry_access access;
        struct entry_blob_discard blob_discard;
        struct entry_archive_copied archive_copied;
        struct entry_hold hold;
        struct entry_operation operation;
        struct entry_redact redact;
        struct entry_witness_receipt witness_receipt;
    } body;
};

enum entry_fault {
    ENTRY_GOOD,
    ENTRY_MALFORMED, /* not this message */
    ENTRY_TOO_LONG,  /* a bound above exceeded */
    ENTRY_WRONG_VERSION,
    ENTRY_BODY_MISMATCH, /* type and body disagree, or a digest is not 32 bytes */
    ENTRY_UNKNOWN_TYPE /* a type of a later version: v, n, id, t_ns, item are filled, body is not */
};

const char *entry_fault_text(enum entry_fault fault);

/* Both return the encoded length, or 0 when it does not fit. */
size_t entry_encode_rest(const struct entry *entry, uint8_t *out, size_t out_capacity);
size_t entry_encode_stamp(uint64_t n, int64_t t_ns, uint8_t *out, size_t out_capacity);
enum entry_fault entry_decode(const uint8_t *bytes, size_t bytes_count, struct arena *arena,
                              struct entry *out);

/* The type alone, without decoding the rest; ENTRY_UNKNOWN when it is not to be found. */
enum entry_type entry_type_peek(const uint8_t *bytes, size_t bytes_count);

/* UUIDv7 (RFC 9562 section 5.7) from a time and ten random bytes: pure. */
void uuid7_make(int64_t t_ns, const uint8_t random[10], uint8_t out[ENTRY_ID_BYTES]);
/* "xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx"; out needs 37 bytes. */
void uuid_format(const uint8_t id[ENTRY_ID_BYTES], char *out);

/* Shortest decimal text that reads back to the same double ("0.125", "1e-07"); out needs 32 bytes.
 */
void number_format(double value, char *out);
/* The same for a float. */
void float_format(float value, char *out);

/* Whether the inputs at this place hold to what stands above of them: bounds, order, no infinity.
 * Both directions ask. */
bool entry_inputs_are_sound(const struct entry_score *score, uint32_t inputs_index);

/* What the scanner delivered, as it stands among the inputs of the fusion (MODELS.md, sections 1
 * and 7): of the image of the lowest quality of the item. */
struct entry_image_figures {
    double sharpness;
    double contrast_to_noise;
    double saturated_share;
    double dead_lines; /* rows and columns */
};
/* Where they begin among the inputs of the fusion, which is the first model of a score. */
#define ENTRY_FIGURES_POSITION 23u
/* False: nothing was measured, or the score is older than the measuring. */
bool entry_score_figures(const struct entry_score *score, struct entry_image_figures *out);

#endif
