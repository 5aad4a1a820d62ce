/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

/* Wire: the messages between publisher, daemon, officers' tools and subscribers, as values
 * (triage.proto).
 *
 * A message is: part 0, four bytes of tag; part 1, one protobuf message; further parts, the images
 * of a scan. Decoded values point into the arena or, where the comment says so, into the input
 * bytes. Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/entry.h"
#include "proto/record.h"

#define WIRE_PROTOCOL 1u
#define WIRE_TAG_BYTES 4u
#define WIRE_RECORDS_MAX 256u           /* in one publish message */
#define WIRE_MESSAGE_BYTES_MAX 1048576u /* of part 1 */
#define WIRE_STREAM_BYTES_MAX 32u
#define WIRE_PUBLISHER_BYTES_MAX 32u
#define WIRE_REQUEST_ID_BYTES_MAX 64u
#define WIRE_COSIGNATURES_BYTES_MAX 8192u
#define WIRE_JSON_BYTES_MAX 65536u
#define WIRE_REVEALED_MAX 64u          /* disclosures in one answer */
#define WIRE_REVEALED_BYTES_MAX 98304u /* all of them together */
#define WIRE_SENTENCE_BYTES_MAX 512u   /* purpose, legal basis */
#define WIRE_FIGURES_BYTES_MAX 1024u   /* how a shadow compared */

enum wire_tag {
    WIRE_UNKNOWN,
    WIRE_HELLO,   /* "HELO" publisher -> daemon */
    WIRE_WELCOME, /* "WLCM" */
    WIRE_PUBLISH, /* "PUBL" publisher -> daemon */
    WIRE_ACK,     /* "ACKS" */
    WIRE_RESEND,  /* "RSND" */
    WIRE_BYE,     /* "BYEE" either way */
    WIRE_COMMAND, /* "CMND" tool -> daemon, control socket */
    WIRE_ANSWER,  /* "ANSW" */
    WIRE_VERDICT  /* "VRDT" on the feed, after the topic part */
};

const char *wire_tag_text(enum wire_tag tag); /* the four bytes, zero-terminated */
enum wire_tag wire_tag_parse(const void *bytes, size_t bytes_count);

struct wire_hello {
    uint32_t protocol;
    const char *stream;
    const char *software;
};

struct wire_welcome {
    uint32_t protocol;
    uint64_t next_sequence;
    uint32_t credit_records;
    uint64_t credit_bytes;
    uint32_t record_bytes_max;
    uint64_t image_bytes_max;
    uint32_t records_per_message_max;
    const char *publisher;
};

struct wire_record {
    enum record_kind kind;
    const uint8_t *body; /* points into the input bytes: decoding copies no body */
    uint32_t body_bytes;
    uint8_t digest[HASH_BYTES];
    bool has_digest;
};

struct wire_publish {
    uint64_t first_sequence;
    struct wire_record records[WIRE_RECORDS_MAX];
    uint32_t records_count;
};

struct wire_refusal {
    uint64_t sequence;
    uint64_t entry_index;
    enum refusal code;
    const char *reason;
};

struct wire_ack {
    uint64_t first_sequence;
    uint64_t entry_index[WIRE_RECORDS_MAX];
    uint32_t count;
    struct wire_refusal refused[WIRE_RECORDS_MAX];
    uint32_t refused_count;
    bool duplicate;
};

/* Why the connection, not a record, is refused. Part of the protocol. */
enum bye {
    BYE_NONE = 0,
    BYE_PROTOCOL = 1,  /* protocol version not spoken here */
    BYE_NO_HELLO = 2,  /* publish before hello */
    BYE_MALFORMED = 3, /* the message itself cannot be read */
    BYE_STREAM = 4,    /* stream name missing, over-long or too many streams */
    BYE_TOO_LARGE = 5,
    BYE_STOPPING = 6, /* the daemon goes down; connect again later */
    BYE_CREDIT = 7    /* more unanswered than the credit allows */
};
const char *bye_name(enum bye bye);

struct wire_bye {
    enum bye code;
    const char *reason;
};

struct wire_reason {
    const char *name;
    double logit;
    const char *words;
};

struct wire_verdict {
    uint8_t item[ITEM_ID_BYTES];
    const char *label;
    enum mode mode;
    const char *site;
    const char *lane;
    const char *decision;
    const char *arm;
    double probability;
    double propensity;
    double priority;
    struct wire_reason reasons[ENTRY_REASONS_MAX];
    uint32_t reasons_count;
    uint64_t entry_index;
    int64_t t_ns;
};

enum order {
    ORDER_NONE,
    ORDER_CLAIM,
    ORDER_RELEASE,
    ORDER_OUTCOME,
    ORDER_MODEL,
    ORDER_HEALTH,
    ORDER_CHECKPOINT,
    ORDER_ARCHIVE,
    ORDER_CLOSE,
    ORDER_REVEAL,
    ORDER_REDACT,
    ORDER_COSIGN,
    ORDER_PRUNE,
    ORDER_HOLD,
    ORDER_OPERATION,
    ORDER_POLICY,
    ORDER_REFER
};

/* What is to happen with a model file. MODEL_SHADOW: beside the one in use; the other two end the
 * shadow that has this file. */
enum model_step { MODEL_INSTALL, MODEL_SHADOW, MODEL_PROMOTE, MODEL_WITHDRAW };

struct wire_command {
    const char *request_id;
    const char *actor;
    uint64_t expected_version;
    enum order order;
    uint8_t item[ITEM_ID_BYTES]; /* claim, release, outcome, hold, refer */
    const char *code;            /* release */
    const char *file;            /* model */
    enum model_step model_step;  /* model */
    const char *figures;         /* model: promoted, how it compared */
    const char *close_reason;
    const char *sentence; /* purpose of a reveal, legal basis of a redaction, why it is pruned or
                             held, why the policy or a model changes or the item is
                             referred */
    uint64_t entries[ENTRY_INDICES_MAX]; /* reveal, redact */
    uint32_t entries_count;
    const char *names[ENTRY_NAMES_MAX]; /* of disclosures; none means all */
    uint32_t names_count;
    struct entry_outcome outcome;
    const char *cosignatures;         /* cosign: signature lines */
    uint64_t cosigned_size;           /* cosign: of the checkpoint they cover */
    uint64_t prune_below;             /* prune */
    bool dry_run;                     /* prune */
    struct entry_operation operation; /* operation: but for the figures of the close */
    bool hold_all;                    /* hold: every item; else the one of `item` */
    bool hold_placed;                 /* hold: false lifts it */
};

struct wire_revealed {
    uint64_t entry_index;
    const uint8_t *disclosure; /* encoded */
    uint32_t disclosure_bytes;
};

struct wire_answer {
    const char *request_id;
    bool done;
    const char *name;
    const char *reason;
    uint64_t entry_index;
    const char *json;
    struct wire_revealed revealed[WIRE_REVEALED_MAX];
    uint32_t revealed_count;
};

/* Encoders return the length of part 1, or 0 when it does not fit. */
size_t wire_hello_encode(const struct wire_hello *hello, uint8_t *out, size_t out_capacity);
size_t wire_welcome_encode(const struct wire_welcome *welcome, uint8_t *out, size_t out_capacity);
size_t wire_publish_encode(const struct wire_publish *publish, uint8_t *out, size_t out_capacity);
size_t wire_ack_encode(const struct wire_ack *ack, uint8_t *out, size_t out_capacity);
size_t wire_resend_encode(uint64_t next_sequence, uint8_t *out, size_t out_capacity);
size_t wire_bye_encode(const struct wire_bye *bye, uint8_t *out, size_t out_capacity);
size_t wire_verdict_encode(const struct wire_verdict *verdict, uint8_t *out, size_t out_capacity);
size_t wire_command_encode(const struct wire_command *command, uint8_t *out, size_t out_capacity);
size_t wire_answer_encode(const struct wire_answer *answer, uint8_t *out, size_t out_capacity);

/* Decoders: false when malformed or beyond a bound; *out is undefined then. A publish decodes
 * without copying bodies and without the general decoder: it is the hot path (one varint walk over
 * part 1). */
bool wire_hello_decode(const uint8_t *bytes, size_t n, struct arena *arena, struct wire_hello *out);
bool wire_welcome_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                         struct wire_welcome *out);
bool wire_publish_decode(const uint8_t *bytes, size_t n, struct wire_publish *out);
bool wire_ack_decode(const uint8_t *bytes, size_t n, struct arena *arena, struct wire_ack *out);
bool wire_resend_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                        uint64_t *next_sequence);
bool wire_bye_decode(const uint8_t *bytes, size_t n, struct arena *arena, struct wire_bye *out);
bool wire_verdict_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                         struct wire_verdict *out);
bool wire_command_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                         struct wire_command *out);
bool wire_answer_decode(const uint8_t *bytes, size_t n, struct arena *arena,
                        struct wire_answer *out);

#endif
