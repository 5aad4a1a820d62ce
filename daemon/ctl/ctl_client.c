/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/random.h"
#include "publisher/curve_key.h"

/* "Lazy pirate": a DEALER whose connection is thrown away after each silence. What a dead
 * connection still held can then not arrive late and be taken for the answer to something else; the
 * request id settles the rest. */

#define COMMAND_BYTES_MAX 16384u
/* A verdict has at most eight reasons of a few hundred bytes; an answer a report of
 * WIRE_JSON_BYTES_MAX. Larger is hostile. */
#define PART_BYTES_MAX (2 * (int64_t)WIRE_JSON_BYTES_MAX)

static void *socket_new(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    if (socket == NULL) {
        return NULL;
    }
    const int linger_ms = 0;
    const int64_t part_bytes_max = PART_BYTES_MAX;
    if (zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) != 0 ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &part_bytes_max, sizeof part_bytes_max) != 0) {
        zmq_close(socket);
        return NULL;
    }
    return socket;
}

/* Waits until the socket has a message. */
static struct err wait_readable(void *socket, int timeout_ms)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    for (;;) {
        int64_t left_ms = timeout_ms < 0 ? -1 : (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (timeout_ms >= 0 && left_ms < 0) {
            return err_make(ERR_TIMED_OUT, "wait for the daemon");
        }
        zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
        int ready = zmq_poll(&item, 1, left_ms);
        if (ready > 0) {
            return err_none;
        }
        if (ready < 0 && errno != EINTR) {
            return err_os(ERR_SOCKET, "poll");
        }
        if (ready == 0) {
            return err_make(ERR_TIMED_OUT, "wait for the daemon");
        }
    }
}

/* Receives one whole message; of its parts, the tag and the one behind it. A part called "" or a
 * topic before the tag is skipped. *tag is WIRE_UNKNOWN when there was none. The caller closes
 * *body. */
static struct err receive_tagged(void *socket, enum wire_tag *tag, zmq_msg_t *body)
{
    bool tag_seen = false;
    bool body_seen = false;
    *tag = WIRE_UNKNOWN;
    zmq_msg_init(body);
    for (;;) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket, 0) < 0) {
            zmq_msg_close(&part);
            zmq_msg_close(body);
            return err_os(ERR_SOCKET, "receive");
        }
        bool more = zmq_msg_more(&part);
        if (tag_seen && !body_seen) {
            zmq_msg_move(body, &part);
            body_seen = true;
        } else if (!tag_seen) {
            *tag = wire_tag_parse(zmq_msg_data(&part), zmq_msg_size(&part));
            tag_seen = *tag != WIRE_UNKNOWN;
        }
        zmq_msg_close(&part);
        if (!more) {
            break;
        }
    }
    if (!body_seen) {
        *tag = WIRE_UNKNOWN;
    }
    return err_none;
}

/* One answer with this request id, or TIMED_OUT; answers to other requests are dropped. */
static struct err take_answer(void *socket, int timeout_ms, const char *request_id,
                              struct arena *arena, struct wire_answer *answer)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    for (;;) {
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        struct err err = wait_readable(socket, left_ms > 0 ? (int)left_ms : 0);
        if (err_is(err)) {
            return err;
        }
        enum wire_tag tag;
        zmq_msg_t body;
        err = receive_tagged(socket, &tag, &body);
        if (err_is(err)) {
            return err;
        }
        arena_reset(arena);
        bool read = tag == WIRE_ANSWER &&
                    wire_answer_decode(zmq_msg_data(&body), zmq_msg_size(&body), arena, answer);
        zmq_msg_close(&body);
        if (!read) {
            return err_make(ERR_WIRE_MALFORMED, "answer of the daemon");
        }
        if (answer->request_id != NULL && strcmp(answer->request_id, request_id) == 0) {
            return err_none;
        }
    }
}

struct question {
    const char *endpoint;
    const char *request_id;
    const uint8_t *bytes;
    size_t bytes_count;
    int timeout_ms;
};

static struct err ask_once(void *context, const struct question *question, struct arena *arena,
                           struct wire_answer *answer)
{
    void *socket = socket_new(context, ZMQ_DEALER);
    if (socket == NULL) {
        return err_os(ERR_SOCKET, "open command socket");
    }
    /* Not ZMQ_IMMEDIATE: with it libzmq drops an answer that it has received, but not yet given to
     * us, when the daemon goes right behind it, as it does when it was told to stop. What a daemon
     * that is not there has not taken in time goes with the socket. */
    const int send_timeout_ms = question->timeout_ms;
    struct err err = err_none;
    if (zmq_setsockopt(socket, ZMQ_SNDTIMEO, &send_timeout_ms, sizeof send_timeout_ms) != 0 ||
        zmq_connect(socket, question->endpoint) != 0) {
        err = err_os(ERR_SOCKET, "connect to the command socket");
    } else if (zmq_send(socket, wire_tag_text(WIRE_COMMAND), WIRE_TAG_BYTES, ZMQ_SNDMORE) < 0 ||
               zmq_send(socket, question->bytes, question->bytes_count, 0) < 0) {
        err = errno == EAGAIN ? err_make(ERR_TIMED_OUT, "connect to the command socket")
                              : err_os(ERR_SOCKET, "send command");
    } else {
        err = take_answer(socket, question->timeout_ms, question->request_id, arena, answer);
    }
    zmq_close(socket);
    return err;
}

struct err client_ask(const char *endpoint, struct client_patience patience,
                      const struct wire_command *command, struct arena *arena,
                      struct wire_answer *answer)
{
    must(patience.attempts >= 1);
    struct wire_command asked = *command;
    char request_id[37];
    if (asked.request_id == NULL) {
        uint8_t id[ENTRY_ID_BYTES];
        random_uuid7(id);
        uuid_format(id, request_id);
        asked.request_id = request_id;
    }
    uint8_t bytes[COMMAND_BYTES_MAX];
    size_t bytes_count = wire_command_encode(&asked, bytes, sizeof bytes);
    if (bytes_count == 0) {
        return err_make(ERR_ARGUMENT, "command does not fit into its message");
    }
    void *context = zmq_ctx_new();
    if (context == NULL) {
        return err_os(ERR_SOCKET, "open command socket");
    }
    struct question question = {endpoint, asked.request_id, bytes, bytes_count,
                                patience.timeout_ms};
    struct err err = err_none;
    for (int i = 0; i < patience.attempts; i++) {
        err = ask_once(context, &question, arena, answer);
        if (err.code != ERR_TIMED_OUT) {
            break;
        }
    }
    zmq_ctx_term(context);
    return err;
}

/* A connection of a wrong key is tried again for ever, and nothing but the socket's monitor tells.
 * A few that end before they are encrypted are a daemon that stops or starts. */
enum { FEED_FAILURES_TOLD = 3 };
#define FEED_FAILURES_NS (10 * NS_PER_S)

struct client_feed {
    void *context;
    void *socket;
    void *monitor;
    uint32_t failures_count; /* in a row */
    int64_t failing_since_ns;
};

static struct err feed_monitor(struct client_feed *self)
{
    const char *const name = "inproc://feed-monitor";
    const int linger_ms = 0;
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    self->monitor = zmq_socket(self->context, ZMQ_PAIR);
    bool made = self->monitor != NULL &&
                zmq_setsockopt(self->monitor, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 &&
                zmq_socket_monitor(self->socket, name, events) == 0 &&
                zmq_connect(self->monitor, name) == 0;
    return made ? err_none : err_os(ERR_SOCKET, "monitor socket");
}

/* What became of connections since the last look; an error when it is no use to wait. */
static struct err feed_events(struct client_feed *self)
{
    uint8_t bytes[6];
    while (zmq_recv(self->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) == (int)sizeof bytes) {
        uint8_t address[256];
        uint16_t event;
        (void)zmq_recv(self->monitor, address, sizeof address, ZMQ_DONTWAIT);
        memcpy(&event, bytes, sizeof event);
        if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
            return err_make(ERR_SOCKET, "the daemon does not know the key of this subscriber");
        }
        if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
            return err_make(ERR_SOCKET, "the other side does not speak our protocol");
        }
        bool failed = event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
        self->failing_since_ns =
            self->failures_count == 0 ? clock_monotonic_ns() : self->failing_since_ns;
        self->failures_count = failed ? self->failures_count + 1 : 0;
    }
    bool hopeless = self->failures_count >= FEED_FAILURES_TOLD &&
                    clock_monotonic_ns() - self->failing_since_ns >= FEED_FAILURES_NS;
    return hopeless ? err_make(ERR_SOCKET, "connections end before they are encrypted: is this the "
                                           "public key of the daemon?")
                    : err_none;
}

/* Until there is a verdict. */
static struct err feed_wait(struct client_feed *self, int timeout_ms)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    for (;;) {
        int64_t left_ms = timeout_ms < 0 ? -1 : (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (timeout_ms >= 0 && left_ms < 0) {
            return err_make(ERR_TIMED_OUT, "wait for the daemon");
        }
        zmq_pollitem_t items[] = {{.socket = self->socket, .events = ZMQ_POLLIN},
                                  {.socket = self->monitor, .events = ZMQ_POLLIN}};
        int ready = zmq_poll(items, 2, left_ms);
        if (ready < 0 && errno != EINTR) {
            return err_os(ERR_SOCKET, "poll");
        }
        if (ready > 0 && (items[0].revents & ZMQ_POLLIN) != 0) {
            return err_none;
        }
        struct err err = feed_events(self);
        if (err_is(err)) {
            return err;
        }
    }
}

static struct err set_keys(void *socket, const char *key_file, const char *daemon_key_file)
{
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    char daemon_key[CURVE_Z85_BYTES];
    struct err err = curve_key_read(key_file, public_key, secret_key);
    if (!err_is(err)) {
        err = curve_public_read(daemon_key_file, daemon_key);
    }
    if (!err_is(err) &&
        (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, daemon_key, CURVE_Z85_BYTES) != 0 ||
         zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, CURVE_Z85_BYTES) != 0 ||
         zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, CURVE_Z85_BYTES) != 0)) {
        err = err_os(ERR_KEY, "set CURVE keys");
    }
    explicit_bzero(secret_key, sizeof secret_key);
    return err;
}

struct err client_feed_open(const char *endpoint, const char *key_file, const char *daemon_key_file,
                            const char *topic, struct client_feed **out)
{
    struct client_feed *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open verdict feed");
    }
    struct err err = err_none;
    self->context = zmq_ctx_new();
    self->socket = self->context == NULL ? NULL : socket_new(self->context, ZMQ_SUB);
    if (self->socket == NULL) {
        err = err_os(ERR_SOCKET, "open verdict feed");
    } else {
        err = set_keys(self->socket, key_file, daemon_key_file);
    }
    err = err_is(err) ? err : feed_monitor(self);
    if (!err_is(err) && (zmq_setsockopt(self->socket, ZMQ_SUBSCRIBE, topic, strlen(topic)) != 0 ||
                         zmq_connect(self->socket, endpoint) != 0)) {
        err = err_os(ERR_SOCKET, "connect to the verdict feed");
    }
    if (err_is(err)) {
        client_feed_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void client_feed_close(struct client_feed **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    if ((*self)->socket != NULL) {
        (void)zmq_socket_monitor((*self)->socket, NULL, 0);
        zmq_close((*self)->socket);
    }
    if ((*self)->monitor != NULL) {
        zmq_close((*self)->monitor);
    }
    if ((*self)->context != NULL) {
        zmq_ctx_term((*self)->context);
    }
    free(*self);
    *self = NULL;
}

struct err client_feed_next(struct client_feed *self, int timeout_ms, struct arena *arena,
                            struct wire_verdict *out)
{
    struct err err = feed_wait(self, timeout_ms);
    if (err_is(err)) {
        return err;
    }
    enum wire_tag tag;
    zmq_msg_t body;
    err = receive_tagged(self->socket, &tag, &body);
    if (err_is(err)) {
        return err;
    }
    arena_reset(arena);
    bool read = tag == WIRE_VERDICT &&
                wire_verdict_decode(zmq_msg_data(&body), zmq_msg_size(&body), arena, out);
    zmq_msg_close(&body);
    return read ? err_none : err_make(ERR_WIRE_MALFORMED, "verdict");
}
