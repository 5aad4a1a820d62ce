/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SOCKET_H
#define SERVER_SOCKET_H

/* Server socket: a bound ZeroMQ socket with every bound set, and messages sent on it without
 * waiting. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/wire.h"

#define SERVER_ENDPOINT_BYTES 256u
#define SERVER_PEER_BYTES_MAX 255u

/* Who a message came from, as the socket names it; means nothing outside of it. */
struct server_peer {
    uint8_t bytes[SERVER_PEER_BYTES_MAX];
    uint8_t bytes_count;
};

enum server_kind {
    SERVER_ROUTER, /* questions and answers */
    SERVER_FEED    /* one to many */
};

struct server_socket_conf {
    void *context;
    enum server_kind kind;
    const char *endpoint;
    const char *domain;     /* of the allow-list; NULL for a local socket without keys */
    const char *secret_key; /* Z85; NULL with domain */
    uint64_t part_bytes_max;
    int receive_messages; /* that libzmq may hold for us, each connection */
    int send_messages;
};

/* On success *socket is the caller's to zmq_close (server_socket_close), endpoint the bound one.
 * Errors: SOCKET, KEY. */
MUST_USE struct err server_socket_open(const struct server_socket_conf *conf, void **socket,
                                       char endpoint[SERVER_ENDPOINT_BYTES]);
/* Accepts NULL. Gives libzmq linger_ms to get rid of what was sent. */
void server_socket_close(void **socket, int linger_ms);

/* False when the peer is gone or does not read: nothing was sent. */
bool server_send(void *socket, const struct server_peer *peer, enum wire_tag tag,
                 const uint8_t *bytes, size_t bytes_count);
/* The same behind an empty part, as a REQ socket wants it. */
bool server_send_delimited(void *socket, const struct server_peer *peer, enum wire_tag tag,
                           const uint8_t *bytes, size_t bytes_count);
/* Reads the identity that begins a message. False when no message waits. */
bool server_peer_read(void *socket, struct server_peer *out);
/* Are there more parts of this message? */
bool server_has_more(void *socket);
/* Throws away what is left of this message. */
void server_drain(void *socket);

#endif
