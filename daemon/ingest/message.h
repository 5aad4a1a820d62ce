/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MESSAGE_H
#define MESSAGE_H

/* Message: the parts of one received message, where libzmq put them: nothing is copied. Counted by
 * those who still look at it. A pool of fixed size; one owner thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/server_socket.h"
#include "proto/record.h"

struct ingest_message;
struct message_pool;

MUST_USE struct err message_pool_open(uint32_t messages_count, struct message_pool **out);
/* Gives back the parts of every message that is still held. Accepts NULL. */
void message_pool_close(struct message_pool **self);

/* An empty message, held once. There must be one left. */
struct ingest_message *message_take(struct message_pool *self);
void message_hold(struct ingest_message *message);
/* True when this was the last holder: the parts are gone. */
bool message_drop(struct message_pool *self, struct ingest_message *message);

enum message_reading {
    MESSAGE_NONE, /* nothing waits */
    MESSAGE_READ,
    MESSAGE_OVERLONG, /* more parts than any message has; thrown away */
    MESSAGE_SHORT     /* no tag or no part 1 */
};
/* Reads one message whole; *peer is set whenever something was there. */
enum message_reading message_read(struct ingest_message *self, void *socket,
                                  struct server_peer *peer);

enum wire_tag message_tag(const struct ingest_message *self);
const uint8_t *message_part(const struct ingest_message *self, size_t *bytes_count);
uint32_t message_images_count(const struct ingest_message *self);
const uint8_t *message_image(const struct ingest_message *self, uint32_t image_index,
                             uint64_t *bytes);
/* Of part 1 and the images. */
uint64_t message_bytes(const struct ingest_message *self);
/* The name that the allow-list gave to the sender's key; NULL on a socket without keys. Lives as
 * long as the parts. */
const char *message_sender(const struct ingest_message *self);

#endif
