/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/message.h"

#include <stdlib.h>
#include <zmq.h>

/* A zmq_msg_t must not move while somebody points into it (short parts lie inside of it), so
 * messages stay where the pool put them. */

struct ingest_message {
    uint32_t holders_count;
    uint32_t next_free;
    enum wire_tag tag;
    bool is_filled;
    zmq_msg_t part;
    zmq_msg_t images[RECORD_IMAGES_MAX];
    uint32_t images_count;
};

struct message_pool {
    struct ingest_message *messages;
    uint32_t messages_count;
    uint32_t first_free; /* messages_count when none */
};

struct err message_pool_open(uint32_t messages_count, struct message_pool **out)
{
    must(messages_count > 0);
    struct message_pool *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "message_pool_open");
    }
    self->messages = calloc(messages_count, sizeof *self->messages);
    if (self->messages == NULL) {
        free(self);
        return err_make(ERR_MEMORY, "message_pool_open");
    }
    self->messages_count = messages_count;
    for (uint32_t i = 0; i < messages_count; i++) {
        self->messages[i].next_free = i + 1;
    }
    *out = self;
    return err_none;
}

static void parts_free(struct ingest_message *message)
{
    if (message->is_filled) {
        (void)zmq_msg_close(&message->part);
        message->is_filled = false;
    }
    for (uint32_t i = 0; i < message->images_count; i++) {
        (void)zmq_msg_close(&message->images[i]);
    }
    message->images_count = 0;
}

void message_pool_close(struct message_pool **self)
{
    if (*self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->messages_count; i++) {
        parts_free(&(*self)->messages[i]);
    }
    free((*self)->messages);
    free(*self);
    *self = NULL;
}

struct ingest_message *message_take(struct message_pool *self)
{
    must(self->first_free < self->messages_count);
    struct ingest_message *message = &self->messages[self->first_free];
    self->first_free = message->next_free;
    must(message->holders_count == 0);
    message->holders_count = 1;
    message->tag = WIRE_UNKNOWN;
    return message;
}

void message_hold(struct ingest_message *message)
{
    must(message->holders_count > 0);
    message->holders_count++;
}

bool message_drop(struct message_pool *self, struct ingest_message *message)
{
    must(message->holders_count > 0);
    message->holders_count--;
    if (message->holders_count > 0) {
        return false;
    }
    parts_free(message);
    message->next_free = self->first_free;
    self->first_free = (uint32_t)(message - self->messages);
    return true;
}

static bool part_read(zmq_msg_t *part, void *socket)
{
    must(zmq_msg_init(part) == 0);
    if (server_has_more(socket) && zmq_msg_recv(part, socket, ZMQ_DONTWAIT) >= 0) {
        return true;
    }
    (void)zmq_msg_close(part);
    return false;
}

enum message_reading message_read(struct ingest_message *self, void *socket,
                                  struct server_peer *peer)
{
    must(!self->is_filled && self->images_count == 0);
    if (!server_peer_read(socket, peer)) {
        return MESSAGE_NONE;
    }
    zmq_msg_t tag;
    if (!part_read(&tag, socket)) {
        return MESSAGE_SHORT;
    }
    self->tag = wire_tag_parse(zmq_msg_data(&tag), zmq_msg_size(&tag));
    (void)zmq_msg_close(&tag);
    self->is_filled = part_read(&self->part, socket);
    if (!self->is_filled) {
        return MESSAGE_SHORT;
    }
    while (self->images_count < RECORD_IMAGES_MAX &&
           part_read(&self->images[self->images_count], socket)) {
        self->images_count++;
    }
    if (server_has_more(socket)) {
        server_drain(socket);
        return MESSAGE_OVERLONG;
    }
    return MESSAGE_READ;
}

enum wire_tag message_tag(const struct ingest_message *self)
{
    return self->tag;
}

/* libzmq's readers take a pointer to non-const but change nothing. */
static zmq_msg_t *readable(const zmq_msg_t *part)
{
    union {
        const zmq_msg_t *in;
        zmq_msg_t *out;
    } view = {.in = part};
    return view.out;
}

const uint8_t *message_part(const struct ingest_message *self, size_t *bytes_count)
{
    must(self->is_filled);
    *bytes_count = zmq_msg_size(&self->part);
    return zmq_msg_data(readable(&self->part));
}

uint32_t message_images_count(const struct ingest_message *self)
{
    return self->images_count;
}

const uint8_t *message_image(const struct ingest_message *self, uint32_t image_index,
                             uint64_t *bytes)
{
    must(image_index < self->images_count);
    *bytes = zmq_msg_size(&self->images[image_index]);
    return zmq_msg_data(readable(&self->images[image_index]));
}

uint64_t message_bytes(const struct ingest_message *self)
{
    uint64_t bytes = self->is_filled ? zmq_msg_size(&self->part) : 0;
    for (uint32_t i = 0; i < self->images_count; i++) {
        bytes += zmq_msg_size(&self->images[i]);
    }
    return bytes;
}

const char *message_sender(const struct ingest_message *self)
{
    return self->is_filled ? zmq_msg_gets(&self->part, "User-Id") : NULL;
}
