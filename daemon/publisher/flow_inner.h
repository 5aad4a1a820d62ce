/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_INNER_H
#define FLOW_INNER_H

/* Flow, inner part: what flow.c (answers, states) and flow_send.c (window, batches) share. */

#include "publisher/flow.h"

/* Records on the way at a time, whatever the credit; a power of two. Less throttles on long lines,
 * more costs memory. */
#define FLOW_WINDOW_MAX 16384u
/* While so many messages are unanswered, records gather until they fill a message: without it a
 * fast producer would send one record a message. Fewer cost latency on long lines, more cost
 * messages. */
#define FLOW_GATHER_MESSAGES 8u
#define FLOW_MESSAGES_MAX 64u /* on the way at a time, full ones included */
#define FLOW_BATCH_BYTES_MAX \
    262144u /* of the bodies in one message; larger delays the first record of a batch */
#define FLOW_ARENA_BYTES 262144u

enum flow_state {
    FLOW_DOWN,     /* no connection, or none that greeted */
    FLOW_GREETING, /* hello due or unanswered */
    FLOW_OPEN,
    FLOW_REFUSED, /* told BYE: a hello again later */
    FLOW_STUCK
};

/* A record on its way. */
struct flow_sent {
    struct spool_place place;
    uint64_t bytes; /* as the credit counts: body and images */
};

struct flow {
    char stream[WIRE_STREAM_BYTES_MAX + 1];
    char software[64];
    void (*on_refusal)(void *arg, uint64_t sequence, const char *name, const char *reason);
    void *on_refusal_arg;
    struct spool *spool;
    struct link *link;
    enum flow_state state;
    bool was_open; /* welcomed before in this process */
    bool blocked;  /* the socket took no message: wait for room */
    int64_t hello_due_ns;
    int64_t hello_said_ns;
    int64_t reconnect_due_ns;
    int64_t answer_due_ns; /* silence until then asks again by hello */
    int64_t silence_ns;
    int64_t refused_ns;       /* how long to stay away after the next BYE */
    uint32_t doubts_count;    /* positions in a row that cannot be */
    uint32_t failures_count;  /* handshakes that broke off in a row */
    int64_t failing_since_ns; /* the first of them */
    uint32_t credit_records;
    uint64_t credit_bytes;
    uint32_t batch_records_max;
    uint64_t image_bytes_max;
    /* Numbers of the spool, not sequences: released <= sent <= spool_next. */
    uint64_t sent;            /* the next one to send */
    uint64_t sent_most;       /* the highest `sent` ever was in this process */
    struct spool_place place; /* of `sent` */
    struct flow_sent window[FLOW_WINDOW_MAX];
    uint64_t window_bytes;
    uint64_t
        message_ends[FLOW_MESSAGES_MAX]; /* `sent` after each unanswered message, oldest first */
    uint32_t messages_count;
    struct triage_publisher_counts counts;
    char refusal[FLOW_ERROR_BYTES];
    struct wire_publish publish;
    uint8_t *encoded;
    struct wire_ack ack;
    struct arena arena;
    uint8_t *arena_bytes;
};

/* Send what credit and socket allow. */
MUST_USE struct err flow_send(struct flow *self);
/* The daemon holds everything below this number, which was sent. */
MUST_USE struct err flow_advance(struct flow *self, uint64_t number);
/* Send again from this number on, which was sent. */
void flow_rewind(struct flow *self, uint64_t number);

#endif
