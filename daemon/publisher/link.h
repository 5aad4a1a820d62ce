/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_H
#define LINK_H

/* Link: the publisher's socket to the daemon: a DEALER with CURVE keys that connects again by
 * itself, and its monitor.
 *
 * A message is given to a live connection or to nobody: nothing waits in the socket for the next
 * connection, so that the first message of a connection can be the hello. One owner thread; only
 * link_wait blocks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/wire.h"

struct link;

enum link_event {
    LINK_NOTHING,
    LINK_UP,      /* connected and encrypted: say hello */
    LINK_DOWN,    /* connection lost: what was unanswered may be gone */
    LINK_REFUSED, /* the daemon does not know our key: libzmq gives up until link_reconnect */
    LINK_GARBLED, /* the other side does not speak our protocol; the same */
    LINK_FAILED   /* the other side hung up during the handshake; libzmq tries again */
};

struct link_message {
    enum wire_tag tag;
    const uint8_t *bytes; /* part 1; lives until the next link_receive */
    size_t bytes_count;
};

/* Errors: KEY, SOCKET, MEMORY. */
MUST_USE struct err link_open(const char *endpoint, const char *key_file,
                              const char *daemon_key_file, struct link **out);
void link_close(struct link **self);

/* Returns when there is something to receive, an event, or (when asked) room to send; at the latest
 * after timeout_ms. */
void link_wait(struct link *self, bool wants_room, int timeout_ms);
enum link_event link_event_next(struct link *self);
/* Start over with a new connection: libzmq tries a lost one again by itself, but not one that was
 * refused. */
void link_reconnect(struct link *self);
/* False when nothing is there. */
bool link_receive(struct link *self, struct link_message *out);
bool link_has_room(struct link *self);
/* False when there is no connection or no room: nothing was sent. */
bool link_send(struct link *self, enum wire_tag tag, const uint8_t *bytes, size_t bytes_count);

/* Memory for the next image part of the message that link_send_images will send; to be filled by
 * the caller. NULL when there is no memory. */
void *link_image_add(struct link *self, size_t image_bytes);
void link_images_drop(struct link *self);
/* As link_send, followed by the images that were added. On false they are still there. */
bool link_send_images(struct link *self, enum wire_tag tag, const uint8_t *bytes,
                      size_t bytes_count);

#endif
