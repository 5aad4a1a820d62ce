/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINE_INNER_H
#define LINE_INNER_H

/* Line, inner part: what line.c (slots, reading) and line_answer.c (replies) share. */

#include "ingest/line.h"
#include "ingest/message.h"
#include "ingest/stream.h"

#define LINE_REASON_BYTES 160u
#define LINE_ARENA_BYTES 16384u
/* Any reply of ours: 256 refusals with a reason of LINE_REASON_BYTES each are the largest. */
#define LINE_REPLY_BYTES 131072u

/* One received record. It keeps its place until it and all records of its stream before it are
 * answered. */
struct slot {
    struct arrival arrival; /* first, so that an arrival is its slot */
    uint32_t stream_index;
    uint32_t next; /* in its stream, or among the free ones */
    bool is_answered;
};

struct line {
    void *socket;
    char endpoint[SERVER_ENDPOINT_BYTES];
    uint32_t slots_count;
    uint32_t slots_free;
    uint32_t first_free;
    struct slot *slots;
    uint64_t payload_bytes;
    uint64_t payload_bytes_max;
    uint64_t image_bytes_max;
    uint32_t credit_records;
    uint64_t credit_bytes;
    uint32_t batch_records_max;
    struct message_pool *messages;
    struct stream_table *streams;
    uint32_t *ready; /* ring of slots that were read and not yet handed out */
    uint32_t ready_first;
    uint32_t ready_count;
    uint32_t *touched; /* streams of this round of answers */
    uint32_t touched_count;
    struct wire_publish publish;
    struct wire_ack ack;
    char reasons[WIRE_RECORDS_MAX][LINE_REASON_BYTES];
    struct arena arena;
    uint8_t arena_bytes[LINE_ARENA_BYTES];
    uint8_t reply[LINE_REPLY_BYTES];
};

void line_reply_welcome(struct line *self, const struct stream *stream);
void line_reply_resend(struct line *self, const struct stream *stream);
/* The records first..first+count-1 were answered before. */
void line_reply_duplicate(struct line *self, const struct stream *stream, uint64_t first,
                          uint64_t count);
/* Refuses the connection and forgets it, with a diag line. */
void line_reply_bye(struct line *self, const struct server_peer *peer, enum bye code,
                    const char *reason);

#endif
