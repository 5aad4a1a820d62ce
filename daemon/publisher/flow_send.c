/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/flow_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The window: records from released to sent are on their way. Their places are remembered, so that
 * going back costs nothing; everything else is read from the spool as it is needed. */

static struct flow_sent *window_at(struct flow *self, uint64_t number)
{
    return &self->window[number % FLOW_WINDOW_MAX];
}

struct err flow_advance(struct flow *self, uint64_t number)
{
    uint64_t released = spool_released(self->spool);
    must(number >= released && number <= self->sent);
    for (uint64_t i = released; i < number; i++) {
        self->window_bytes -= window_at(self, i)->bytes;
    }
    uint32_t answered = 0;
    while (answered < self->messages_count && self->message_ends[answered] <= number) {
        answered++;
    }
    self->messages_count -= answered;
    memmove(self->message_ends, self->message_ends + answered,
            self->messages_count * sizeof self->message_ends[0]);
    self->counts.acknowledged += number - released;
    return spool_release(self->spool, number);
}

void flow_rewind(struct flow *self, uint64_t number)
{
    must(number >= spool_released(self->spool) && number <= self->sent);
    if (number == self->sent) {
        return;
    }
    self->place = window_at(self, number)->place;
    for (uint64_t i = number; i < self->sent; i++) {
        self->window_bytes -= window_at(self, i)->bytes;
    }
    self->sent = number;
    uint32_t kept = 0;
    while (kept < self->messages_count && self->message_ends[kept] <= number) {
        kept++;
    }
    bool half_kept =
        kept < self->messages_count &&
        number > (kept > 0 ? self->message_ends[kept - 1] : spool_released(self->spool));
    if (half_kept) {
        self->message_ends[kept++] = number;
    }
    self->messages_count = kept;
}

static uint64_t record_credit_bytes(const struct spool_record *record)
{
    uint64_t bytes = record->body_bytes;
    for (uint32_t i = 0; i < record->images_count; i++) {
        bytes += record->images_bytes[i];
    }
    return bytes;
}

/* A record larger than the whole credit may travel alone. */
static bool credit_allows(const struct flow *self, uint64_t records_count, uint64_t bytes)
{
    uint64_t on_the_way = self->sent - spool_released(self->spool) + records_count;
    if (on_the_way >= self->credit_records || on_the_way >= FLOW_WINDOW_MAX) {
        return false;
    }
    return on_the_way == 0 || self->window_bytes + bytes <= self->credit_bytes;
}

static void window_push(struct flow *self, const struct spool_record *records_first,
                        const struct spool_place *place)
{
    *window_at(self, records_first->number) =
        (struct flow_sent){.place = *place, .bytes = record_credit_bytes(records_first)};
}

/* Gathers records into publish until a bound, a record with images, or the end of what is in
 * memory. A record with images comes alone; it is left in *last either way. */
static struct err batch_gather(struct flow *self, struct spool_place *place,
                               struct spool_record *last, uint64_t *batch_bytes)
{
    struct wire_publish *publish = &self->publish;
    publish->records_count = 0;
    publish->first_sequence = self->sent + spool_offset(self->spool);
    *batch_bytes = 0;
    while (publish->records_count < self->batch_records_max) {
        struct spool_place next = *place;
        struct spool_record record;
        bool got = false;
        struct err err = spool_read(self->spool, &next, publish->records_count == 0, &record, &got);
        if (err_is(err)) {
            return err;
        }
        uint64_t bytes = got ? record_credit_bytes(&record) : 0;
        bool alone = got && record.images_count > 0;
        if (!got || (alone && publish->records_count > 0) ||
            (publish->records_count > 0 && *batch_bytes + bytes > FLOW_BATCH_BYTES_MAX) ||
            !credit_allows(self, publish->records_count, *batch_bytes + bytes)) {
            return err_none;
        }
        struct wire_record *slot = &publish->records[publish->records_count++];
        *slot = (struct wire_record){
            .kind = record.kind, .body = record.body, .body_bytes = record.body_bytes};
        slot->has_digest = true;
        memcpy(slot->digest, record.digest, HASH_BYTES);
        /* Settled by the read: where this record begins. */
        struct spool_place begins = *place;
        if (begins.segment_first != next.segment_first) {
            begins = (struct spool_place){next.segment_first, 0, record.number};
        }
        window_push(self, &record, &begins);
        *batch_bytes += bytes;
        *place = next;
        *last = record;
        if (alone) {
            return err_none;
        }
    }
    return err_none;
}

/* Reads the pixels into the message. An image that the daemon would hang up on stays behind: the
 * record goes without pixels, so that the refusal is recorded and the stream goes on. */
static struct err images_add(struct flow *self, const struct spool_place *place,
                             const struct spool_record *record)
{
    for (uint32_t i = 0; i < record->images_count; i++) {
        if (record->images_bytes[i] > self->image_bytes_max) {
            return err_none;
        }
    }
    for (uint32_t i = 0; i < record->images_count; i++) {
        void *pixels = link_image_add(self->link, (size_t)record->images_bytes[i]);
        if (pixels == NULL) {
            return err_make(ERR_MEMORY, "image to send");
        }
        struct err err = spool_read_image(self->spool, place, record, i, pixels);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

/* One message. *sent is false when there is nothing to send or no room for it. */
static struct err message_send(struct flow *self, bool *sent)
{
    *sent = false;
    struct spool_place place = self->place;
    struct spool_record last = {0};
    uint64_t batch_bytes = 0;
    struct err err = batch_gather(self, &place, &last, &batch_bytes);
    if (err_is(err) || self->publish.records_count == 0) {
        return err;
    }
    size_t bytes = wire_publish_encode(&self->publish, self->encoded, WIRE_MESSAGE_BYTES_MAX);
    must(bytes > 0);
    if (last.images_count > 0) {
        err = images_add(self, &window_at(self, last.number)->place, &last);
    }
    if (!err_is(err)) {
        *sent = link_send_images(self->link, WIRE_PUBLISH, self->encoded, bytes);
    }
    if (!*sent) {
        link_images_drop(self->link);
        self->blocked = !err_is(err);
        return err;
    }
    uint64_t before = self->sent;
    self->sent += self->publish.records_count;
    self->place = place;
    self->window_bytes += batch_bytes;
    self->message_ends[self->messages_count++] = self->sent;
    if (before < self->sent_most) {
        self->counts.resent +=
            (self->sent < self->sent_most ? self->sent : self->sent_most) - before;
    }
    if (self->sent > self->sent_most) {
        self->sent_most = self->sent;
    }
    return err_none;
}

static bool message_is_due(const struct flow *self)
{
    uint64_t waiting = spool_next(self->spool) - self->sent;
    return waiting > 0 &&
           (self->messages_count < FLOW_GATHER_MESSAGES ||
            (self->messages_count < FLOW_MESSAGES_MAX && waiting >= self->batch_records_max));
}

struct err flow_send(struct flow *self)
{
    self->blocked = false;
    while (self->state == FLOW_OPEN && message_is_due(self)) {
        /* Asked first, because reading the pixels of a large scan for a socket without room is work
         * for nothing. */
        if (!link_has_room(self->link)) {
            self->blocked = true;
            return err_none;
        }
        bool sent = false;
        struct err err = message_send(self, &sent);
        if (err_is(err) || !sent) {
            return err;
        }
    }
    return err_none;
}
