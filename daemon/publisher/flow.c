/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/flow.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publisher/flow_inner.h"

/* Whatever goes wrong on the way, the cure is one: say hello again. The welcome tells what the
 * daemon holds for good, and sending goes on from there. So lost answers, a restarted daemon and a
 * restarted publisher are one case. */

#define FLOW_HELLO_NS (5 * NS_PER_S)      /* an unanswered hello is said again */
#define FLOW_HELLO_SOON_NS (NS_PER_S / 5) /* between two hellos that the daemon asked for */
#define FLOW_HELLO_RETRY_NS \
    (NS_PER_S / 50) /* the socket took no hello: the connection is just coming or going */
#define FLOW_SILENCE_NS \
    (5 * NS_PER_S) /* records wait and nothing is answered: ask; doubled while it lasts */
#define FLOW_SILENCE_NS_MAX (60 * NS_PER_S)
#define FLOW_DOWN_NS \
    (15 * NS_PER_S) /* without a connection: libzmq may have given up, start over */
#define FLOW_REFUSED_NS NS_PER_S
#define FLOW_REFUSED_NS_MAX (30 * NS_PER_S)
#define FLOW_MESSAGES_PER_STEP 256
#define FLOW_FAILURES_TOLD 3
#define FLOW_FAILURES_NS (10 * NS_PER_S)

struct err flow_open(const struct flow_conf *conf, struct spool *spool, struct link *link,
                     struct flow **out)
{
    must(strlen(conf->stream) <= WIRE_STREAM_BYTES_MAX);
    struct flow *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "flow_open");
    }
    self->encoded = malloc(WIRE_MESSAGE_BYTES_MAX);
    self->arena_bytes = malloc(FLOW_ARENA_BYTES);
    if (self->encoded == NULL || self->arena_bytes == NULL) {
        flow_close(&self);
        return err_make(ERR_MEMORY, "flow_open");
    }
    arena_init(&self->arena, self->arena_bytes, FLOW_ARENA_BYTES);
    (void)snprintf(self->stream, sizeof self->stream, "%s", conf->stream);
    (void)snprintf(self->software, sizeof self->software, "%s", conf->software);
    self->on_refusal = conf->on_refusal;
    self->on_refusal_arg = conf->on_refusal_arg;
    self->spool = spool;
    self->link = link;
    self->sent = spool_released(spool);
    self->sent_most = self->sent;
    self->silence_ns = FLOW_SILENCE_NS;
    self->refused_ns = FLOW_REFUSED_NS;
    self->reconnect_due_ns = clock_monotonic_ns() + FLOW_DOWN_NS;
    struct err err = spool_seek(spool, self->sent, &self->place);
    if (err_is(err)) {
        flow_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void flow_close(struct flow **self)
{
    if (*self == NULL) {
        return;
    }
    free((*self)->encoded);
    free((*self)->arena_bytes);
    free(*self);
    *self = NULL;
}

static void refusal_set(struct flow *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void refusal_set(struct flow *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(self->refusal, sizeof self->refusal, format, arguments);
    va_end(arguments);
}

/* A hello, at once on a new connection, otherwise not sooner than a little after the last one: a
 * daemon that forgets us again and again must not be asked as fast as the line allows. */
static void greet(struct flow *self, int64_t now_ns, bool connection_is_new)
{
    int64_t soonest_ns = connection_is_new ? now_ns : self->hello_said_ns + FLOW_HELLO_SOON_NS;
    self->state = FLOW_GREETING;
    self->hello_due_ns = soonest_ns > now_ns ? soonest_ns : now_ns;
}

/* When to try again after a refusal: later each time. */
static int64_t retry_due_ns(struct flow *self, int64_t now_ns)
{
    int64_t due_ns = now_ns + self->refused_ns;
    self->refused_ns =
        self->refused_ns * 2 > FLOW_REFUSED_NS_MAX ? FLOW_REFUSED_NS_MAX : self->refused_ns * 2;
    return due_ns;
}

static void take_event(struct flow *self, enum link_event event, int64_t now_ns)
{
    switch (event) {
    case LINK_UP:
        self->failures_count = 0;
        greet(self, now_ns, true);
        break;
    case LINK_REFUSED:
    case LINK_GARBLED:
        refusal_set(self, "%s",
                    event == LINK_REFUSED ? "the daemon does not know the key of this publisher"
                                          : "the other side does not speak our protocol");
        self->state = FLOW_DOWN;
        self->reconnect_due_ns = retry_due_ns(self, now_ns);
        break;
    case LINK_FAILED: /* a few are a daemon that stops or is killed while it starts, again and
                         again; a wrong key shows by nothing else than that it goes on */
        if (self->failures_count++ == 0) {
            self->failing_since_ns = now_ns;
        }
        if (self->failures_count >= FLOW_FAILURES_TOLD &&
            now_ns - self->failing_since_ns >= FLOW_FAILURES_NS) {
            refusal_set(
                self,
                "connections end before they are encrypted: is this the public key of the daemon?");
        }
        break;
    default:
        if (self->state != FLOW_DOWN) {
            self->state = FLOW_DOWN;
            self->reconnect_due_ns = now_ns + FLOW_DOWN_NS;
        }
        break;
    }
}

static void take_events(struct flow *self, int64_t now_ns)
{
    enum link_event event;
    while ((event = link_event_next(self->link)) != LINK_NOTHING) {
        if (self->state != FLOW_STUCK) {
            take_event(self, event, now_ns);
        }
    }
}

static void take_bye(struct flow *self, const struct link_message *message, int64_t now_ns)
{
    struct wire_bye bye;
    if (!wire_bye_decode(message->bytes, message->bytes_count, &self->arena, &bye)) {
        return;
    }
    if (bye.code == BYE_NO_HELLO) { /* it restarted or forgot us: nothing to tell anybody */
        if (self->state == FLOW_OPEN) {
            greet(self, now_ns, false);
        }
        return;
    }
    if (bye.code != BYE_STOPPING) {
        refusal_set(self, "the daemon refuses this connection: %s: %s", bye_name(bye.code),
                    bye.reason);
    }
    self->state = FLOW_REFUSED;
    self->hello_due_ns = retry_due_ns(self, now_ns);
}

/* A position that cannot be is believed when it was told twice: a single one may be the last word
 * of a connection that is gone. */
static void doubt_position(struct flow *self, int64_t now_ns)
{
    self->doubts_count++;
    if (self->doubts_count > 1) {
        self->state = FLOW_STUCK;
    } else {
        greet(self, now_ns, false);
    }
}

/* The daemon wants what it once acknowledged. */
static void doubt_lost_log(struct flow *self, uint64_t wanted, int64_t now_ns)
{
    refusal_set(self,
                "the daemon expects sequence %" PRIu64 " but everything below %" PRIu64
                " was acknowledged and is gone: this is not the log that acknowledged it",
                wanted, spool_released(self->spool) + spool_offset(self->spool));
    doubt_position(self, now_ns);
}

/* The daemon holds what this spool never sent. */
static void doubt_stranger(struct flow *self, uint64_t wanted, int64_t now_ns)
{
    refusal_set(self,
                "the daemon expects sequence %" PRIu64 " but this spool sent nothing above %" PRIu64
                ": another publisher uses this stream, or a power cut took the end of the spool",
                wanted, spool_next_at_open(self->spool) - 1 + spool_offset(self->spool));
    doubt_position(self, now_ns);
}

/* The daemon holds more of this stream than the spool ever saw, and nothing old waits here: this is
 * a new spool in the place of one that was lost. What was handed in since goes behind what the
 * daemon holds. */
static struct err take_over(struct flow *self, uint64_t wanted)
{
    uint64_t found = spool_next_at_open(self->spool);
    must(spool_released(self->spool) == found && self->sent == found);
    return spool_set_offset(self->spool, wanted - found);
}

/* Brings window and spool to what the daemon wants next. */
static struct err take_position(struct flow *self, uint64_t wanted, int64_t now_ns)
{
    uint64_t released = spool_released(self->spool);
    uint64_t found = spool_next_at_open(self->spool);
    uint64_t offset = spool_offset(self->spool);
    if (wanted < released + offset) {
        doubt_lost_log(self, wanted, now_ns);
        return err_none;
    }
    uint64_t number = wanted - offset;
    /* What an earlier process had on its way may become durable at any time, so everything found
     * counts as sent. */
    if (number > (self->sent_most > found ? self->sent_most : found)) {
        if (!self->was_open && released == found) {
            return take_over(self, wanted);
        }
        doubt_stranger(self, wanted, now_ns);
        return err_none;
    }
    if (number <= self->sent) {
        struct err err = flow_advance(self, number);
        if (!err_is(err)) {
            flow_rewind(self, number);
        }
        return err;
    }
    struct err err = flow_advance(self, self->sent);
    if (!err_is(err)) {
        self->counts.acknowledged += number - self->sent;
        err = spool_release(self->spool, number);
    }
    if (!err_is(err)) {
        err = spool_seek(self->spool, number, &self->place);
    }
    if (!err_is(err)) {
        self->sent = number;
        self->sent_most = number > self->sent_most ? number : self->sent_most;
    }
    return err;
}

static uint32_t clamp_u32(uint32_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static struct err take_welcome(struct flow *self, const struct link_message *message,
                               int64_t now_ns)
{
    struct wire_welcome welcome;
    if (!wire_welcome_decode(message->bytes, message->bytes_count, &self->arena, &welcome) ||
        welcome.next_sequence == 0) {
        return err_none;
    }
    if (welcome.protocol != WIRE_PROTOCOL) {
        refusal_set(self, "the daemon speaks protocol %" PRIu32 ", this library %u",
                    welcome.protocol, WIRE_PROTOCOL);
        self->state = FLOW_STUCK;
        return err_none;
    }
    self->credit_records = clamp_u32(welcome.credit_records, 1, FLOW_WINDOW_MAX);
    self->credit_bytes = welcome.credit_bytes;
    self->batch_records_max = clamp_u32(welcome.records_per_message_max, 1, WIRE_RECORDS_MAX);
    self->image_bytes_max = welcome.image_bytes_max;
    self->counts.connections++;
    uint32_t doubts_before = self->doubts_count;
    struct err err = take_position(self, welcome.next_sequence, now_ns);
    if (err_is(err) || self->doubts_count != doubts_before) {
        return err;
    }
    self->doubts_count = 0;
    self->was_open = true;
    self->state = FLOW_OPEN;
    self->refused_ns = FLOW_REFUSED_NS;
    self->refusal[0] = '\0';
    return err_none;
}

static void tell_refusals(struct flow *self, uint64_t from, uint64_t to)
{
    uint64_t offset = spool_offset(self->spool);
    for (uint32_t i = 0; i < self->ack.refused_count; i++) {
        const struct wire_refusal *refusal = &self->ack.refused[i];
        if (refusal->sequence < from + offset || refusal->sequence >= to + offset) {
            continue; /* told before */
        }
        self->counts.refused++;
        if (self->on_refusal != NULL) {
            self->on_refusal(self->on_refusal_arg, refusal->sequence, refusal_name(refusal->code),
                             refusal->reason);
        }
    }
}

static struct err take_ack(struct flow *self, const struct link_message *message, int64_t now_ns)
{
    if (!wire_ack_decode(message->bytes, message->bytes_count, &self->arena, &self->ack) ||
        self->ack.count == 0) {
        return err_none;
    }
    uint64_t released = spool_released(self->spool);
    uint64_t offset = spool_offset(self->spool);
    if (self->ack.first_sequence <= offset ||
        self->ack.first_sequence > UINT64_MAX - self->ack.count) {
        return err_none;
    }
    uint64_t first = self->ack.first_sequence - offset;
    uint64_t end = first + self->ack.count;
    if (end <= released) {
        return err_none;
    }
    if (first > released || end > self->sent) {
        /* An answer in between was lost, or it answers what was taken back meanwhile: the welcome
         * will tell. */
        if (self->state == FLOW_OPEN) {
            greet(self, now_ns, false);
        }
        return err_none;
    }
    tell_refusals(self, released, end);
    if (!self->ack.duplicate) {
        self->counts.last_entry_index = self->ack.entry_index[self->ack.count - 1];
    }
    self->silence_ns = FLOW_SILENCE_NS;
    return flow_advance(self, end);
}

static void take_resend(struct flow *self, const struct link_message *message)
{
    uint64_t wanted = 0;
    uint64_t offset = spool_offset(self->spool);
    if (self->state != FLOW_OPEN ||
        !wire_resend_decode(message->bytes, message->bytes_count, &self->arena, &wanted) ||
        wanted <= offset) {
        return;
    }
    /* Held but not yet answered is no reason to go back further than asked. */
    if (wanted - offset >= spool_released(self->spool) && wanted - offset <= self->sent) {
        flow_rewind(self, wanted - offset);
    }
}

static struct err take_messages(struct flow *self, int64_t now_ns)
{
    struct err err = err_none;
    struct link_message message;
    for (int i = 0;
         i < FLOW_MESSAGES_PER_STEP && !err_is(err) && link_receive(self->link, &message); i++) {
        if (self->state == FLOW_STUCK) {
            continue;
        }
        arena_reset(&self->arena);
        self->answer_due_ns = now_ns + self->silence_ns;
        switch (message.tag) {
        case WIRE_WELCOME:
            err = take_welcome(self, &message, now_ns);
            break;
        case WIRE_ACK:
            err = self->was_open ? take_ack(self, &message, now_ns) : err_none;
            break;
        case WIRE_RESEND:
            take_resend(self, &message);
            break;
        case WIRE_BYE:
            take_bye(self, &message, now_ns);
            break;
        default: /* of a later version, or noise: the daemon is authentic, so it is not ours to
                    judge */
            break;
        }
    }
    return err;
}

/* Hello when one is due; a new hello when the daemon is silent though records wait for an answer.
 */
static void take_time(struct flow *self, int64_t now_ns)
{
    if (self->state == FLOW_OPEN && self->sent > spool_released(self->spool) &&
        now_ns >= self->answer_due_ns) {
        self->silence_ns =
            self->silence_ns * 2 > FLOW_SILENCE_NS_MAX ? FLOW_SILENCE_NS_MAX : self->silence_ns * 2;
        greet(self, now_ns, false);
    }
    if (self->state == FLOW_DOWN && now_ns >= self->reconnect_due_ns) {
        link_reconnect(self->link);
        self->reconnect_due_ns = now_ns + FLOW_DOWN_NS;
    }
    if (self->state == FLOW_REFUSED && now_ns >= self->hello_due_ns) {
        greet(self, now_ns, false);
    }
    if (self->state != FLOW_GREETING || now_ns < self->hello_due_ns) {
        return;
    }
    struct wire_hello hello = {
        .protocol = WIRE_PROTOCOL, .stream = self->stream, .software = self->software};
    uint8_t bytes[512];
    size_t bytes_count = wire_hello_encode(&hello, bytes, sizeof bytes);
    must(bytes_count > 0);
    bool said = link_send(self->link, WIRE_HELLO, bytes, bytes_count);
    self->hello_said_ns = said ? now_ns : self->hello_said_ns;
    self->hello_due_ns = now_ns + (said ? FLOW_HELLO_NS : FLOW_HELLO_RETRY_NS);
}

static int wait_ms(const struct flow *self, int64_t now_ns, int timeout_ms)
{
    int64_t due_ns = INT64_MAX;
    if (self->state == FLOW_DOWN) {
        due_ns = self->reconnect_due_ns;
    } else if (self->state == FLOW_GREETING || self->state == FLOW_REFUSED) {
        due_ns = self->hello_due_ns;
    } else if (self->state == FLOW_OPEN && self->sent > spool_released(self->spool)) {
        due_ns = self->answer_due_ns;
    }
    int64_t left_ms = due_ns <= now_ns ? 0 : (due_ns - now_ns) / NS_PER_MS + 1;
    return left_ms < timeout_ms ? (int)left_ms : timeout_ms;
}

struct err flow_step(struct flow *self, int timeout_ms)
{
    int64_t now_ns = clock_monotonic_ns();
    if (timeout_ms > 0) {
        link_wait(self->link, self->state == FLOW_OPEN && self->blocked,
                  wait_ms(self, now_ns, timeout_ms));
        now_ns = clock_monotonic_ns();
    }
    take_events(self, now_ns);
    struct err err = take_messages(self, now_ns);
    if (err_is(err)) {
        return err;
    }
    take_time(self, now_ns);
    if (self->sent == spool_released(self->spool)) {
        self->answer_due_ns =
            now_ns + self->silence_ns; /* nothing is on its way: the clock starts with the next */
    }
    return self->state == FLOW_OPEN ? flow_send(self) : err_none;
}

const char *flow_refusal(const struct flow *self)
{
    return self->state == FLOW_OPEN ? "" : self->refusal;
}

bool flow_is_stuck(const struct flow *self)
{
    return self->state == FLOW_STUCK;
}

void flow_counts(const struct flow *self, struct triage_publisher_counts *out)
{
    out->acknowledged = self->counts.acknowledged;
    out->refused = self->counts.refused;
    out->resent = self->counts.resent;
    out->connections = self->counts.connections;
    out->last_entry_index = self->counts.last_entry_index;
}
