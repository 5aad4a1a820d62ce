/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_H
#define INGEST_H

/* Ingest: every socket of the daemon. Publishers on a ROUTER with CURVE keys on an allow-list
 * (ZAP), subscribers of verdicts on an XPUB with the same kind of list, officers' tools on a local
 * ROUTER (ipc, file permissions).
 *
 * Promises: an arrival handed out is the next sequence of its stream, exactly once in the life of
 * the process; a publisher is never answered for a record before ingest_answer() is called for it;
 * answers go out in the order of the stream; memory is bounded: when all slots or all payload bytes
 * are in use, reading stops and the senders wait.
 * Does not promise: that libzmq holds less than 32 unread messages a connection; the length of a
 * part is bounded, the number of parts is not, so whoever is on the allow-list can make it hold
 * more.
 * Threads: one owner thread calls everything here but ingest_verdict(). No allocator of ours after
 * open.
 * The protocol: proto/PROTOCOL.md. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/queue.h"
#include "oversight/oversight.h"
#include "proto/record.h"
#include "proto/wire.h"

struct ingest;
struct ingest_message; /* the parts of one message, alive until its last arrival is answered */

struct ingest_conf {
    const char *publisher_endpoint;    /* "tcp://127.0.0.1:5701" */
    const char *verdict_endpoint;      /* "" for none */
    const char *command_endpoint;      /* "ipc:///run/triaged/command"; "" for none */
    const char *key_file;              /* CURVE key pair of the daemon, made by triagectl keys */
    const char *publishers_directory;  /* <name>.pub, one CURVE public key each: the allow-list */
    const char *subscribers_directory; /* the same for the verdict feed */
    uint32_t arrivals_max;             /* slots */
    uint64_t payload_bytes_max;        /* of all arrivals that are not answered */
    uint64_t image_bytes_max;          /* one image */
    uint32_t credit_records;           /* per connection */
    uint64_t credit_bytes;
    uint32_t streams_max;
    uint32_t commands_max; /* commands that may wait for their answer */
    uint32_t verdicts_max; /* that may wait to be sent; the oldest is dropped and counted */
};

/* One received record, filled left to right: the socket side first, then intake, then the log. */
struct arrival {
    /* ingest */
    const char *publisher; /* name from the allow-list; lives as long as the process */
    const char *stream;    /* the same */
    uint64_t sequence;
    enum record_kind kind;
    const uint8_t *body; /* into the message, until answered */
    uint32_t body_bytes;
    uint8_t digest_claimed[HASH_BYTES];
    bool has_digest;
    const uint8_t *images[RECORD_IMAGES_MAX]; /* the parts that followed, as received */
    uint64_t images_bytes[RECORD_IMAGES_MAX];
    uint32_t images_count;
    struct ingest_message *message;
    uint32_t connection_index;
    int64_t received_ns; /* monotonic */
    /* intake */
    uint8_t digest[HASH_BYTES];
    enum refusal refusal;
    const char *refusal_where; /* static: the field; NULL when none */
    /* log */
    struct oversight_draft draft;
};

/* A command of an officer's or operator's tool. Decoded strings live until it is answered. */
struct ingest_command {
    struct wire_command command;
    uint32_t slot_index; /* ingest's own */
};

/* What a stream's next sequence was when the log ended: recovery tells before ingest starts to
 * listen. */
struct ingest_stream {
    char publisher[WIRE_PUBLISHER_BYTES_MAX + 1];
    char stream[WIRE_STREAM_BYTES_MAX + 1];
    uint64_t next_sequence;
};

/* Binds the sockets. Errors: SOCKET, KEY, MEMORY. */
MUST_USE struct err ingest_open(const struct ingest_conf *conf, const struct ingest_stream *streams,
                                uint32_t streams_count, struct ingest **out);
void ingest_close(struct ingest **self);
/* The endpoints as bound ("tcp://127.0.0.1:*" resolved); "" when there is no feed. They live as
 * long as the handle. */
const char *ingest_endpoint(const struct ingest *self);
const char *ingest_verdict_endpoint(const struct ingest *self);

/* Wait for messages up to timeout_ns or until `done` (a polled queue, or NULL) has something,
 * answer hellos, gaps and duplicates, hand out new arrivals and commands. Counts may be 0. Those of
 * one stream come in order of sequence; their drafts must go to the log in that order, or a crash
 * could leave a gap that the publisher never fills. */
MUST_USE struct err ingest_receive(struct ingest *self, struct queue *done, int64_t timeout_ns,
                                   struct arrival **arrivals, uint32_t arrivals_capacity,
                                   uint32_t *arrivals_count, struct ingest_command **commands,
                                   uint32_t commands_capacity, uint32_t *commands_count);
/* The drafts of these arrivals are durable: answer their publishers (refused ones with the reason),
 * give the slots back. Any order; the answers go out combined. What an arrival points to is gone
 * afterwards. */
void ingest_answer(struct ingest *self, struct arrival *const *arrivals, uint32_t count);
void ingest_answer_command(struct ingest *self, struct ingest_command *command,
                           const struct wire_answer *answer);
/* Tell every publisher that the daemon stops (BYE_STOPPING). */
void ingest_say_bye(struct ingest *self);

/* Any thread: queue one verdict for the feed; never waits. */
void ingest_verdict(struct ingest *self, const struct wire_verdict *verdict);

#endif
