/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "ingest/line_inner.h"

/* Replies to publishers. None waits: a reply that cannot be sent is not kept, since the publisher
 * asks by hello for whatever it misses. */

void line_reply_welcome(struct line *self, const struct stream *stream)
{
    struct wire_welcome welcome = {.protocol = WIRE_PROTOCOL,
                                   .next_sequence = stream->answered,
                                   .credit_records = self->credit_records,
                                   .credit_bytes = self->credit_bytes,
                                   .record_bytes_max = RECORD_BODY_BYTES_MAX,
                                   .image_bytes_max = self->image_bytes_max,
                                   .records_per_message_max = self->batch_records_max,
                                   .publisher = stream->publisher};
    size_t bytes = wire_welcome_encode(&welcome, self->reply, sizeof self->reply);
    must(bytes > 0);
    (void)server_send(self->socket, &stream->peer, WIRE_WELCOME, self->reply, bytes);
}

void line_reply_resend(struct line *self, const struct stream *stream)
{
    size_t bytes = wire_resend_encode(stream->expected, self->reply, sizeof self->reply);
    must(bytes > 0);
    (void)server_send(self->socket, &stream->peer, WIRE_RESEND, self->reply, bytes);
}

void line_reply_bye(struct line *self, const struct server_peer *peer, enum bye code,
                    const char *reason)
{
    struct stream *stream = stream_of_peer(self->streams, peer);
    /* Before a hello is how every connection to a restarted daemon begins: no error, and no line
     * for it. */
    if (code != BYE_NO_HELLO && code != BYE_STOPPING) {
        counter_add(COUNTER_wire_errors, 1);
        diag_warn(publisher_bye, "publisher=%s stream=%s code=%s reason=\"%s\"",
                  stream == NULL ? "-" : stream->publisher, stream == NULL ? "-" : stream->name,
                  bye_name(code), reason);
    }
    struct wire_bye bye = {.code = code, .reason = reason};
    size_t bytes = wire_bye_encode(&bye, self->reply, sizeof self->reply);
    must(bytes > 0);
    (void)server_send(self->socket, peer, WIRE_BYE, self->reply, bytes);
    if (stream != NULL) { /* last: peer may be the stream's own */
        stream_disconnect(self->streams, stream);
    }
}

void line_say_bye(struct line *self)
{
    for (uint32_t i = 0; i < stream_count(self->streams); i++) {
        struct stream *stream = stream_at(self->streams, i);
        if (stream->is_connected) {
            line_reply_bye(self, &stream->peer, BYE_STOPPING, "the daemon stops");
        }
    }
}

static void ack_send(struct line *self, const struct stream *stream)
{
    struct wire_ack *ack = &self->ack;
    if (ack->count == 0) {
        return;
    }
    if (stream->is_connected) {
        size_t bytes = wire_ack_encode(ack, self->reply, sizeof self->reply);
        must(bytes > 0);
        (void)server_send(self->socket, &stream->peer, WIRE_ACK, self->reply, bytes);
    }
    ack->count = 0;
    ack->refused_count = 0;
}

void line_reply_duplicate(struct line *self, const struct stream *stream, uint64_t first,
                          uint64_t count)
{
    struct wire_ack *ack = &self->ack;
    must(count <= WIRE_RECORDS_MAX && ack->count == 0);
    ack->first_sequence = first;
    ack->count = (uint32_t)count;
    ack->refused_count = 0;
    ack->duplicate = true;
    memset(ack->entry_index, 0, (size_t)count * sizeof ack->entry_index[0]);
    ack_send(self, stream);
}

/* Puts one answered record behind what the ack holds. */
static void ack_add(struct line *self, const struct stream *stream, const struct arrival *arrival)
{
    struct wire_ack *ack = &self->ack;
    if (ack->count == WIRE_RECORDS_MAX) {
        ack_send(self, stream);
    }
    if (ack->count == 0) {
        ack->first_sequence = arrival->sequence;
        ack->duplicate = false;
        ack->refused_count = 0;
    }
    must(ack->first_sequence + ack->count == arrival->sequence);
    ack->entry_index[ack->count++] = arrival->draft.entry_index;
    if (arrival->refusal == REFUSAL_NONE) {
        return;
    }
    char *reason = self->reasons[ack->refused_count];
    (void)snprintf(reason, LINE_REASON_BYTES, "%s%s%s",
                   arrival->refusal_where == NULL ? "" : arrival->refusal_where,
                   arrival->refusal_where == NULL ? "" : ": ", refusal_sentence(arrival->refusal));
    ack->refused[ack->refused_count++] =
        (struct wire_refusal){.sequence = arrival->sequence,
                              .entry_index = arrival->draft.entry_index,
                              .code = arrival->refusal,
                              .reason = reason};
}

/* Gives back the slots at the head of the stream that are answered, and tells the publisher. */
static void stream_sweep(struct line *self, struct stream *stream)
{
    must(self->ack.count == 0);
    while (stream->oldest_slot != STREAM_NO_SLOT && self->slots[stream->oldest_slot].is_answered) {
        uint32_t index = stream->oldest_slot;
        struct slot *slot = &self->slots[index];
        must(slot->arrival.sequence == stream->answered);
        ack_add(self, stream, &slot->arrival);
        stream->answered++;
        stream->unanswered_bytes -= slot->arrival.body_bytes;
        for (uint32_t i = 0; i < slot->arrival.images_count; i++) {
            stream->unanswered_bytes -= slot->arrival.images_bytes[i];
        }
        stream->oldest_slot = slot->next;
        if (stream->oldest_slot == STREAM_NO_SLOT) {
            stream->newest_slot = STREAM_NO_SLOT;
        }
        slot->next = self->first_free;
        self->first_free = index;
        self->slots_free++;
    }
    ack_send(self, stream);
}

/* The payload goes at once; the slot waits for its turn in the stream. */
static void slot_answer(struct line *self, struct slot *slot, int64_t now_ns)
{
    must(!slot->is_answered && slot->arrival.message != NULL);
    slot->is_answered = true;
    uint64_t bytes = message_bytes(slot->arrival.message);
    if (message_drop(self->messages, slot->arrival.message)) {
        self->payload_bytes -= bytes;
    }
    slot->arrival.message = NULL;
    slot->arrival.body = NULL;
    stage_took(STAGE_ack, now_ns - slot->arrival.received_ns);
    struct stream *stream = stream_at(self->streams, slot->stream_index);
    if (!stream->is_touched) {
        stream->is_touched = true;
        self->touched[self->touched_count++] = slot->stream_index;
    }
}

void line_answer(struct line *self, struct arrival *const *arrivals, uint32_t count)
{
    int64_t now_ns = clock_monotonic_ns();
    uint32_t refused = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = (struct slot *)arrivals[i];
        must(slot >= self->slots && slot < self->slots + self->slots_count);
        refused += slot->arrival.refusal != REFUSAL_NONE;
        slot_answer(self, slot, now_ns);
    }
    counter_add(COUNTER_records_refused, refused);
    counter_add(COUNTER_records_accepted, count - refused);
    for (uint32_t i = 0; i < self->touched_count; i++) {
        struct stream *stream = stream_at(self->streams, self->touched[i]);
        stream->is_touched = false;
        stream_sweep(self, stream);
    }
    self->touched_count = 0;
    counter_set(COUNTER_waiting_arrivals, self->slots_count - self->slots_free);
    counter_set(COUNTER_waiting_payload_bytes, self->payload_bytes);
}
