/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "publisher/curve_key.h"

/* The numbers below bound what libzmq keeps and how long it believes in a silent peer. */

enum {
    LINK_SEND_MESSAGES =
        64, /* in libzmq's queue; more only hides from us what is not on its way yet */
    LINK_RECEIVE_MESSAGES = 1024,
    LINK_HEARTBEAT_MS = 2000,
    LINK_HEARTBEAT_TIMEOUT_MS =
        6000, /* shorter hangs up on a daemon whose disk is slow for a moment */
    LINK_RECONNECT_MS = 100,
    LINK_RECONNECT_MS_MAX = 2000
};

struct link {
    void *context;
    void *socket;
    void *monitor;
    char *endpoint;
    zmq_msg_t received; /* part 1 of the newest message */
    zmq_msg_t images[RECORD_IMAGES_MAX];
    uint32_t images_count;
};

static struct err link_connect(struct link *self, const char *keys[3]);

struct err link_open(const char *endpoint, const char *key_file, const char *daemon_key_file,
                     struct link **out)
{
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    char daemon_key[CURVE_Z85_BYTES];
    struct err err = curve_key_read(key_file, public_key, secret_key);
    if (!err_is(err)) {
        err = curve_public_read(daemon_key_file, daemon_key);
    }
    if (err_is(err)) {
        return err;
    }
    struct link *self = calloc(1, sizeof *self);
    if (self == NULL) {
        explicit_bzero(secret_key, sizeof secret_key);
        return err_make(ERR_MEMORY, "link_open");
    }
    must(zmq_msg_init(&self->received) == 0);
    self->endpoint = strdup(endpoint);
    if (self->endpoint == NULL) {
        explicit_bzero(secret_key, sizeof secret_key);
        link_close(&self);
        return err_make(ERR_MEMORY, "link_open");
    }
    err = link_connect(self, (const char *[3]){public_key, secret_key, daemon_key});
    explicit_bzero(secret_key, sizeof secret_key);
    if (err_is(err)) {
        link_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

static bool option_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static struct err link_connect(struct link *self, const char *keys[3])
{
    self->context = zmq_ctx_new();
    self->socket = self->context == NULL ? NULL : zmq_socket(self->context, ZMQ_DEALER);
    self->monitor = self->context == NULL ? NULL : zmq_socket(self->context, ZMQ_PAIR);
    if (self->socket == NULL || self->monitor == NULL) {
        return err_os(ERR_SOCKET, "make socket");
    }
    int64_t message_bytes_max = WIRE_MESSAGE_BYTES_MAX;
    bool set = option_set(self->socket, ZMQ_LINGER, 0) &&
               option_set(self->monitor, ZMQ_LINGER, 0) &&
               option_set(self->socket, ZMQ_IMMEDIATE, 1) &&
               option_set(self->socket, ZMQ_SNDHWM, LINK_SEND_MESSAGES) &&
               option_set(self->socket, ZMQ_RCVHWM, LINK_RECEIVE_MESSAGES) &&
               option_set(self->socket, ZMQ_HEARTBEAT_IVL, LINK_HEARTBEAT_MS) &&
               option_set(self->socket, ZMQ_HEARTBEAT_TIMEOUT, LINK_HEARTBEAT_TIMEOUT_MS) &&
               option_set(self->socket, ZMQ_RECONNECT_IVL, LINK_RECONNECT_MS) &&
               option_set(self->socket, ZMQ_RECONNECT_IVL_MAX, LINK_RECONNECT_MS_MAX) &&
               zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &message_bytes_max,
                              sizeof message_bytes_max) == 0;
    if (!set) {
        return err_os(ERR_SOCKET, "set socket option");
    }
    if (zmq_setsockopt(self->socket, ZMQ_CURVE_PUBLICKEY, keys[0], CURVE_Z85_BYTES) != 0 ||
        zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, keys[1], CURVE_Z85_BYTES) != 0 ||
        zmq_setsockopt(self->socket, ZMQ_CURVE_SERVERKEY, keys[2], CURVE_Z85_BYTES) != 0) {
        return err_os(ERR_KEY, "set CURVE keys");
    }
    char name[64];
    static _Atomic uint64_t links_count; /* a monitor's name must be its own within the process */
    (void)snprintf(name, sizeof name, "inproc://link-monitor-%" PRIu64,
                   atomic_fetch_add(&links_count, 1));
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(self->socket, name, events) != 0 ||
        zmq_connect(self->monitor, name) != 0) {
        return err_os(ERR_SOCKET, "monitor socket");
    }
    return zmq_connect(self->socket, self->endpoint) == 0 ? err_none
                                                          : err_os(ERR_SOCKET, "connect");
}

void link_close(struct link **self)
{
    struct link *link = *self;
    if (link == NULL) {
        return;
    }
    link_images_drop(link);
    (void)zmq_msg_close(&link->received);
    if (link->socket != NULL) {
        (void)zmq_socket_monitor(link->socket, NULL, 0);
        (void)zmq_close(link->socket);
    }
    if (link->monitor != NULL) {
        (void)zmq_close(link->monitor);
    }
    if (link->context != NULL) {
        (void)zmq_ctx_term(link->context);
    }
    free(link->endpoint);
    free(link);
    *self = NULL;
}

void link_wait(struct link *self, bool wants_room, int timeout_ms)
{
    short wanted = (short)(wants_room ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
    zmq_pollitem_t items[] = {{.socket = self->socket, .events = wanted},
                              {.socket = self->monitor, .events = ZMQ_POLLIN}};
    (void)zmq_poll(items, 2,
                   timeout_ms); /* interrupted by a signal counts as a wait that was short */
}

enum link_event link_event_next(struct link *self)
{
    uint8_t bytes[6];
    if (zmq_recv(self->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) != (int)sizeof bytes) {
        return LINK_NOTHING;
    }
    uint8_t address[256];
    (void)zmq_recv(self->monitor, address, sizeof address,
                   ZMQ_DONTWAIT); /* the second part: whom it is about */
    uint16_t event;
    memcpy(&event, bytes, sizeof event);
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return LINK_UP;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return LINK_REFUSED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return LINK_GARBLED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return LINK_FAILED;
    default:
        return LINK_DOWN;
    }
}

void link_reconnect(struct link *self)
{
    /* Neither can be helped from here, and both are tried again with the next turn. */
    (void)zmq_disconnect(self->socket, self->endpoint);
    (void)zmq_connect(self->socket, self->endpoint);
}

/* Reads parts until the message ends. False when the socket says there is no message. */
static bool rest_drain(void *socket)
{
    int more = 1;
    size_t more_bytes = sizeof more;
    while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_bytes) == 0 && more != 0) {
        uint8_t ignored[1];
        if (zmq_recv(socket, ignored, sizeof ignored, ZMQ_DONTWAIT) < 0) {
            return false;
        }
    }
    return true;
}

bool link_receive(struct link *self, struct link_message *out)
{
    uint8_t tag[WIRE_TAG_BYTES + 1];
    int tag_bytes = zmq_recv(self->socket, tag, sizeof tag, ZMQ_DONTWAIT);
    if (tag_bytes < 0) {
        return false;
    }
    out->tag = wire_tag_parse(tag, (size_t)tag_bytes);
    int more = 0;
    size_t more_bytes = sizeof more;
    if (zmq_getsockopt(self->socket, ZMQ_RCVMORE, &more, &more_bytes) != 0 || more == 0 ||
        zmq_msg_recv(&self->received, self->socket, ZMQ_DONTWAIT) < 0) {
        out->tag = WIRE_UNKNOWN;
        out->bytes_count = 0;
        return true;
    }
    out->bytes = zmq_msg_data(&self->received);
    out->bytes_count = zmq_msg_size(&self->received);
    return rest_drain(self->socket);
}

bool link_has_room(struct link *self)
{
    int events = 0;
    size_t events_bytes = sizeof events;
    return zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &events_bytes) == 0 &&
           (events & ZMQ_POLLOUT) != 0;
}

bool link_send(struct link *self, enum wire_tag tag, const uint8_t *bytes, size_t bytes_count)
{
    must(self->images_count == 0);
    return link_send_images(self, tag, bytes, bytes_count);
}

void *link_image_add(struct link *self, size_t image_bytes)
{
    must(self->images_count < RECORD_IMAGES_MAX);
    zmq_msg_t *image = &self->images[self->images_count];
    if (zmq_msg_init_size(image, image_bytes) != 0) {
        return NULL;
    }
    self->images_count++;
    return zmq_msg_data(image);
}

void link_images_drop(struct link *self)
{
    for (uint32_t i = 0; i < self->images_count; i++) {
        (void)zmq_msg_close(&self->images[i]);
    }
    self->images_count = 0;
}

bool link_send_images(struct link *self, enum wire_tag tag, const uint8_t *bytes,
                      size_t bytes_count)
{
    if (zmq_send(self->socket, wire_tag_text(tag), WIRE_TAG_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) <
        0) {
        return false;
    }
    /* The first part decided: the message goes to one connection whole, or, when that dies now, to
     * nobody. */
    int more = self->images_count > 0 ? ZMQ_SNDMORE : 0;
    must(zmq_send(self->socket, bytes, bytes_count, more) >= 0 || errno == EINTR || errno == ETERM);
    for (uint32_t i = 0; i < self->images_count; i++) {
        more = i + 1 < self->images_count ? ZMQ_SNDMORE : 0;
        must(zmq_msg_send(&self->images[i], self->socket, more) >= 0 || errno == EINTR ||
             errno == ETERM);
    }
    link_images_drop(self);
    return true;
}
