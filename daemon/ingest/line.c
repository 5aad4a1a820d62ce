/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "ingest/line_inner.h"
#include "ingest/zap.h"

/* One hello tells the truth: the sequence behind the last *answered* record, not behind the last
 * received one. What lies between is on its way to the log; when the publisher sends it again it is
 * dropped here without an answer, and the answer goes to the new connection once the log has it. So
 * nobody is ever told of a record that a crash could take. */

enum {
    LINE_MESSAGES_PER_TURN = 256, /* then answers and handshakes get their turn */
    LINE_RECEIVE_MESSAGES =
        32, /* in libzmq, each connection: up to that many scans may lie there */
    LINE_SEND_MESSAGES =
        4096 /* answers are small; one that does not fit is told again after a hello */
};

static void message_handle(struct line *self, struct ingest_message *message,
                           const struct server_peer *peer);

static struct err line_allocate(struct line *self, const struct ingest_conf *conf)
{
    self->slots = calloc(conf->arrivals_max, sizeof *self->slots);
    self->ready = calloc(conf->arrivals_max, sizeof *self->ready);
    self->touched = calloc(conf->streams_max, sizeof *self->touched);
    if (self->slots == NULL || self->ready == NULL || self->touched == NULL) {
        return err_make(ERR_MEMORY, "line_open");
    }
    /* Each arrival may be the only one of its message; one more message is being read. */
    struct err err = message_pool_open(conf->arrivals_max + 1, &self->messages);
    return err_is(err) ? err : stream_table_open(conf->streams_max, &self->streams);
}

static struct err streams_restore(struct line *self, const struct ingest_stream *streams,
                                  uint32_t streams_count)
{
    for (uint32_t i = 0; i < streams_count; i++) {
        struct stream *stream = stream_get(self->streams, streams[i].publisher, streams[i].stream);
        if (stream == NULL) {
            return err_make(ERR_MEMORY, "more streams in the log than streams allowed");
        }
        must(streams[i].next_sequence > 0);
        stream->expected = stream->answered = streams[i].next_sequence;
    }
    return err_none;
}

struct err line_open(const struct ingest_conf *conf, void *context, const char *secret_key,
                     const struct ingest_stream *streams, uint32_t streams_count, struct line **out)
{
    must(conf->arrivals_max > 0 && conf->credit_records > 0);
    struct line *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "line_open");
    }
    self->slots_count = self->slots_free = conf->arrivals_max;
    self->payload_bytes_max = conf->payload_bytes_max;
    self->image_bytes_max = conf->image_bytes_max;
    self->credit_records =
        conf->credit_records < conf->arrivals_max ? conf->credit_records : conf->arrivals_max;
    self->credit_bytes = conf->credit_bytes;
    self->batch_records_max =
        conf->arrivals_max < WIRE_RECORDS_MAX ? conf->arrivals_max : WIRE_RECORDS_MAX;
    arena_init(&self->arena, self->arena_bytes, sizeof self->arena_bytes);
    struct err err = line_allocate(self, conf);
    if (!err_is(err)) {
        for (uint32_t i = 0; i < self->slots_count; i++) {
            self->slots[i].next = i + 1;
        }
        err = streams_restore(self, streams, streams_count);
    }
    if (!err_is(err)) {
        struct server_socket_conf socket_conf = {.context = context,
                                                 .kind = SERVER_ROUTER,
                                                 .endpoint = conf->publisher_endpoint,
                                                 .domain = ZAP_DOMAIN_PUBLISHERS,
                                                 .secret_key = secret_key,
                                                 .part_bytes_max =
                                                     conf->image_bytes_max + WIRE_MESSAGE_BYTES_MAX,
                                                 .receive_messages = LINE_RECEIVE_MESSAGES,
                                                 .send_messages = LINE_SEND_MESSAGES};
        err = server_socket_open(&socket_conf, &self->socket, self->endpoint);
    }
    if (err_is(err)) {
        line_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void line_close(struct line **self)
{
    struct line *line = *self;
    if (line == NULL) {
        return;
    }
    server_socket_close(&line->socket, 500); /* time for the byes to leave */
    message_pool_close(&line->messages);
    stream_table_close(&line->streams);
    free(line->slots);
    free(line->ready);
    free(line->touched);
    free(line);
    *self = NULL;
}

void *line_socket(const struct line *self)
{
    return self->socket;
}

const char *line_endpoint(const struct line *self)
{
    return self->endpoint;
}

bool line_has_room(const struct line *self)
{
    /* How large a message is shows only when it was read, so the bytes may be exceeded by one
     * message. */
    return self->slots_free >= self->batch_records_max &&
           self->payload_bytes < self->payload_bytes_max;
}

void line_read(struct line *self)
{
    for (int i = 0; i < LINE_MESSAGES_PER_TURN && line_has_room(self); i++) {
        struct ingest_message *message = message_take(self->messages);
        struct server_peer peer;
        enum message_reading reading = message_read(message, self->socket, &peer);
        if (reading == MESSAGE_READ) {
            message_handle(self, message, &peer);
        } else if (reading == MESSAGE_OVERLONG) {
            line_reply_bye(self, &peer, BYE_TOO_LARGE, "message has too many parts");
        } else if (reading == MESSAGE_SHORT) {
            line_reply_bye(self, &peer, BYE_MALFORMED, "message has too few parts");
        }
        (void)message_drop(self->messages, message);
        if (reading == MESSAGE_NONE) {
            break;
        }
    }
    counter_set(COUNTER_waiting_arrivals, self->slots_count - self->slots_free);
    counter_set(COUNTER_waiting_payload_bytes, self->payload_bytes);
}

/* The text of a peer, fit for a diag value. */
static const char *value_text(const char *text, char out[33])
{
    size_t i = 0;
    for (; text[i] != '\0' && i < 32; i++) {
        bool plain = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                     (text[i] >= '0' && text[i] <= '9') || strchr("._-/+", text[i]) != NULL;
        out[i] = text[i];
        if (!plain) {
            out[i] = '_';
        }
    }
    out[i] = '\0';
    return out;
}

static void hello_handle(struct line *self, const struct ingest_message *message,
                         const struct server_peer *peer)
{
    struct wire_hello hello;
    size_t bytes_count;
    const uint8_t *bytes = message_part(message, &bytes_count);
    arena_reset(&self->arena);
    if (!wire_hello_decode(bytes, bytes_count, &self->arena, &hello)) {
        line_reply_bye(self, peer, BYE_MALFORMED, "hello cannot be read");
        return;
    }
    if (hello.protocol != WIRE_PROTOCOL) {
        line_reply_bye(self, peer, BYE_PROTOCOL, "protocol version is not spoken here");
        return;
    }
    const char *publisher = message_sender(message);
    must(publisher != NULL); /* the socket lets nobody in without a name from the allow-list */
    struct stream *stream = stream_name_is_good(hello.stream)
                                ? stream_get(self->streams, publisher, hello.stream)
                                : NULL;
    if (stream == NULL) {
        line_reply_bye(self, peer, BYE_STREAM,
                       "stream name is missing or malformed, or there are too many streams");
        return;
    }
    stream_connect(self->streams, stream, peer);
    stream->gap_told = 0;
    line_reply_welcome(self, stream);
    char software[33];
    diag_info(publisher_hello, "publisher=%s stream=%s software=%s next_sequence=%" PRIu64,
              stream->publisher, stream->name, value_text(hello.software, software),
              stream->answered);
}

static uint64_t record_bytes(const struct line *self, const struct ingest_message *message,
                             uint32_t record_index)
{
    uint64_t bytes = self->publish.records[record_index].body_bytes;
    for (uint32_t i = 0; i < message_images_count(message); i++) {
        uint64_t image_bytes;
        (void)message_image(message, i, &image_bytes);
        bytes += image_bytes;
    }
    return bytes;
}

/* Makes one record of self->publish an arrival. There must be a free slot. */
static void arrival_make(struct line *self, struct stream *stream, struct ingest_message *message,
                         uint32_t record_index)
{
    must(self->slots_free > 0);
    uint32_t index = self->first_free;
    struct slot *slot = &self->slots[index];
    self->first_free = slot->next;
    self->slots_free--;
    slot->stream_index = stream_index(self->streams, stream);
    slot->next = STREAM_NO_SLOT;
    slot->is_answered = false;
    const struct wire_record *record = &self->publish.records[record_index];
    struct arrival *arrival = &slot->arrival;
    arrival->publisher = stream->publisher;
    arrival->stream = stream->name;
    arrival->sequence = stream->expected++;
    arrival->kind = record->kind;
    arrival->body = record->body;
    arrival->body_bytes = record->body_bytes;
    arrival->has_digest = record->has_digest;
    memcpy(arrival->digest_claimed, record->digest, HASH_BYTES);
    arrival->images_count = message_images_count(message);
    for (uint32_t i = 0; i < arrival->images_count; i++) {
        arrival->images[i] = message_image(message, i, &arrival->images_bytes[i]);
    }
    arrival->message = message;
    message_hold(message);
    arrival->connection_index = slot->stream_index;
    arrival->received_ns = clock_monotonic_ns();
    arrival->refusal = REFUSAL_NONE;
    arrival->refusal_where = NULL;
    stream->unanswered_bytes += record_bytes(self, message, record_index);
    if (stream->newest_slot == STREAM_NO_SLOT) {
        stream->oldest_slot = index;
    } else {
        self->slots[stream->newest_slot].next = index;
    }
    stream->newest_slot = index;
    self->ready[(self->ready_first + self->ready_count) % self->slots_count] = index;
    self->ready_count++;
}

/* Would these new records be more than the stream may have unanswered? One record alone may be
 * larger than the credit. */
static bool credit_is_broken(const struct line *self, const struct stream *stream,
                             const struct ingest_message *message, uint32_t first_new)
{
    uint64_t unanswered = stream->expected - stream->answered;
    uint64_t fresh = self->publish.records_count - first_new;
    if (unanswered + fresh > self->credit_records) {
        return true;
    }
    uint64_t bytes = stream->unanswered_bytes;
    for (uint32_t i = first_new; i < self->publish.records_count; i++) {
        bytes += record_bytes(self, message, i);
    }
    return unanswered + fresh > 1 && bytes > self->credit_bytes;
}

/* What was sent before: answered long ago, or on its way to the log and answered when it is there.
 */
static void repeats_handle(struct line *self, const struct stream *stream, uint64_t first,
                           uint64_t end)
{
    counter_add(COUNTER_records_duplicate, end - first);
    uint64_t known_end = end < stream->answered ? end : stream->answered;
    if (first < known_end) {
        line_reply_duplicate(self, stream, first, known_end - first);
    }
}

static void records_take(struct line *self, struct stream *stream, struct ingest_message *message)
{
    const struct wire_publish *publish = &self->publish;
    uint64_t end = publish->first_sequence + publish->records_count;
    if (publish->first_sequence > stream->expected) {
        counter_add(COUNTER_gaps, 1);
        if (stream->gap_told !=
            stream->expected) { /* once a gap, not once a message of what follows it */
            stream->gap_told = stream->expected;
            diag_info(gap, "publisher=%s stream=%s expected=%" PRIu64 " got=%" PRIu64,
                      stream->publisher, stream->name, stream->expected, publish->first_sequence);
            line_reply_resend(self, stream);
        }
        return;
    }
    uint64_t repeats_end = end < stream->expected ? end : stream->expected;
    if (publish->first_sequence < repeats_end) {
        repeats_handle(self, stream, publish->first_sequence, repeats_end);
    }
    if (end <= stream->expected) {
        return;
    }
    uint32_t first_new = (uint32_t)(stream->expected - publish->first_sequence);
    if (credit_is_broken(self, stream, message, first_new)) {
        line_reply_bye(self, &stream->peer, BYE_CREDIT, "more unanswered than the credit allows");
        return;
    }
    uint64_t bytes = message_bytes(message);
    self->payload_bytes += bytes;
    counter_add(COUNTER_bytes_received, bytes);
    counter_add(COUNTER_records_received, publish->records_count - first_new);
    for (uint32_t i = first_new; i < publish->records_count; i++) {
        arrival_make(self, stream, message, i);
    }
}

static void publish_handle(struct line *self, struct ingest_message *message,
                           const struct server_peer *peer)
{
    struct stream *stream = stream_of_peer(self->streams, peer);
    const char *publisher = message_sender(message);
    must(publisher != NULL);
    /* A connection may choose its name among those that are free: the key, not the name, says who
     * it is. */
    if (stream == NULL || strcmp(publisher, stream->publisher) != 0) {
        line_reply_bye(self, peer, BYE_NO_HELLO, "publish before hello");
        return;
    }
    size_t bytes_count;
    const uint8_t *bytes = message_part(message, &bytes_count);
    if (bytes_count > WIRE_MESSAGE_BYTES_MAX) {
        line_reply_bye(self, peer, BYE_TOO_LARGE, "publish message is too large");
    } else if (!wire_publish_decode(bytes, bytes_count, &self->publish)) {
        line_reply_bye(self, peer, BYE_MALFORMED, "publish message cannot be read");
    } else if (self->publish.records_count > self->batch_records_max) {
        line_reply_bye(self, peer, BYE_TOO_LARGE, "publish message has too many records");
    } else if (message_images_count(message) > 0 && self->publish.records_count != 1) {
        line_reply_bye(self, peer, BYE_MALFORMED, "a record with images travels alone");
    } else {
        records_take(self, stream, message);
    }
}

static void message_handle(struct line *self, struct ingest_message *message,
                           const struct server_peer *peer)
{
    switch (message_tag(message)) {
    case WIRE_HELLO:
        hello_handle(self, message, peer);
        break;
    case WIRE_PUBLISH:
        publish_handle(self, message, peer);
        break;
    case WIRE_BYE: {
        struct stream *stream = stream_of_peer(self->streams, peer);
        if (stream != NULL && strcmp(message_sender(message), stream->publisher) == 0) {
            stream_disconnect(self->streams, stream);
        }
        break;
    }
    default:
        line_reply_bye(self, peer, BYE_MALFORMED, "unknown kind of message");
        break;
    }
}

uint32_t line_take(struct line *self, struct arrival **arrivals, uint32_t arrivals_capacity)
{
    uint32_t taken = self->ready_count < arrivals_capacity ? self->ready_count : arrivals_capacity;
    for (uint32_t i = 0; i < taken; i++) {
        arrivals[i] = &self->slots[self->ready[self->ready_first]].arrival;
        self->ready_first = (self->ready_first + 1) % self->slots_count;
    }
    self->ready_count -= taken;
    return taken;
}
