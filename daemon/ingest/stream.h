/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STREAM_H
#define STREAM_H

/* Stream: what is known of each numbered stream of each publisher, and on which connection it
 * lives. A stream has at most one connection, the one that said hello last; a connection has at
 * most one stream. Streams are never forgotten while the process lives. A table of fixed size; one
 * owner thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/server_socket.h"

#define STREAM_NO_SLOT UINT32_MAX

struct stream {
    char publisher[WIRE_PUBLISHER_BYTES_MAX + 1];
    char name[WIRE_STREAM_BYTES_MAX + 1];
    uint64_t expected; /* the next sequence to take off the wire */
    uint64_t answered; /* everything below is durable; answered <= expected */
    uint64_t unanswered_bytes;
    uint32_t oldest_slot; /* arrivals from answered to expected, linked in order of sequence */
    uint32_t newest_slot;
    bool is_touched; /* stands in the list of streams that this round of answers concerns */
    bool is_connected;
    struct server_peer peer;
    uint64_t gap_told; /* the resend for this sequence was asked for already; 0 when none */
    uint32_t next_in_bucket;
};

struct stream_table;

MUST_USE struct err stream_table_open(uint32_t streams_max, struct stream_table **out);
void stream_table_close(struct stream_table **self);
/* 1 to 32 characters of a-z, 0-9, '.' and '-'. */
bool stream_name_is_good(const char *name);
/* Finds or makes; NULL when the table is full. A new one expects sequence 1. */
struct stream *stream_get(struct stream_table *self, const char *publisher, const char *name);
uint32_t stream_index(const struct stream_table *self, const struct stream *stream);
struct stream *stream_at(struct stream_table *self, uint32_t index);
uint32_t stream_count(const struct stream_table *self);
/* The stream that lives on this connection; NULL when none. */
struct stream *stream_of_peer(struct stream_table *self, const struct server_peer *peer);
/* From now on the stream lives on this connection, and nothing else does. */
void stream_connect(struct stream_table *self, struct stream *stream,
                    const struct server_peer *peer);
void stream_disconnect(struct stream_table *self, struct stream *stream);

#endif
