/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/server_socket.h"

#include <string.h>
#include <zmq.h>

/* libzmq holds at most the high-water mark of whole messages a connection, and a part is bounded;
 * the number of parts of one message is not, so whoever is on the allow-list can make libzmq hold
 * more. That is why there is an allow-list. */

enum {
    SERVER_HEARTBEAT_MS = 5000,
    SERVER_HEARTBEAT_TIMEOUT_MS = 15000, /* a publisher busy with a large file is not dead */
    SERVER_HANDSHAKE_MS = 10000,
    SERVER_BACKLOG = 128
};

static bool option_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static struct err options_set(const struct server_socket_conf *conf, void *socket)
{
    int64_t part_bytes_max = (int64_t)conf->part_bytes_max;
    bool set = option_set(socket, ZMQ_LINGER, 0) &&
               option_set(socket, ZMQ_RCVHWM, conf->receive_messages) &&
               option_set(socket, ZMQ_SNDHWM, conf->send_messages) &&
               option_set(socket, ZMQ_HEARTBEAT_IVL, SERVER_HEARTBEAT_MS) &&
               option_set(socket, ZMQ_HEARTBEAT_TIMEOUT, SERVER_HEARTBEAT_TIMEOUT_MS) &&
               option_set(socket, ZMQ_HANDSHAKE_IVL, SERVER_HANDSHAKE_MS) &&
               option_set(socket, ZMQ_BACKLOG, SERVER_BACKLOG) &&
               option_set(socket, ZMQ_IMMEDIATE, 1) &&
               zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &part_bytes_max, sizeof part_bytes_max) == 0;
    if (set && conf->kind == SERVER_ROUTER) {
        set = option_set(socket, ZMQ_ROUTER_MANDATORY, 1);
    }
    if (!set) {
        return err_os(ERR_SOCKET, "set socket option");
    }
    if (conf->domain == NULL) {
        return err_none;
    }
    if (!option_set(socket, ZMQ_CURVE_SERVER, 1) ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, conf->secret_key,
                       strlen(conf->secret_key) + 1) != 0 ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, conf->domain, strlen(conf->domain)) != 0) {
        return err_os(ERR_KEY, "set CURVE key");
    }
    return err_none;
}

struct err server_socket_open(const struct server_socket_conf *conf, void **socket,
                              char endpoint[SERVER_ENDPOINT_BYTES])
{
    void *opened = zmq_socket(conf->context, conf->kind == SERVER_ROUTER ? ZMQ_ROUTER : ZMQ_XPUB);
    if (opened == NULL) {
        return err_os(ERR_SOCKET, "make socket");
    }
    struct err err = options_set(conf, opened);
    if (!err_is(err) && zmq_bind(opened, conf->endpoint) != 0) {
        err = err_os(ERR_SOCKET, "bind socket");
    }
    size_t endpoint_bytes = SERVER_ENDPOINT_BYTES;
    if (!err_is(err) && zmq_getsockopt(opened, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_bytes) != 0) {
        err = err_os(ERR_SOCKET, "ask for endpoint");
    }
    if (err_is(err)) {
        server_socket_close(&opened, 0);
        return err;
    }
    *socket = opened;
    return err_none;
}

void server_socket_close(void **socket, int linger_ms)
{
    if (*socket != NULL) {
        (void)option_set(*socket, ZMQ_LINGER, linger_ms);
        (void)zmq_close(*socket);
        *socket = NULL;
    }
}

static bool parts_send(void *socket, const struct server_peer *peer, bool delimited,
                       enum wire_tag tag, const uint8_t *bytes, size_t bytes_count)
{
    /* With ROUTER_MANDATORY the first part fails when the peer is gone (EHOSTUNREACH) or full
     * (EAGAIN); the others follow it or, should the peer go now, are dropped by libzmq. */
    if (zmq_send(socket, peer->bytes, peer->bytes_count, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return false;
    }
    if (delimited && zmq_send(socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return false;
    }
    return zmq_send(socket, wire_tag_text(tag), WIRE_TAG_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(socket, bytes, bytes_count, ZMQ_DONTWAIT) >= 0;
}

bool server_send(void *socket, const struct server_peer *peer, enum wire_tag tag,
                 const uint8_t *bytes, size_t bytes_count)
{
    return parts_send(socket, peer, false, tag, bytes, bytes_count);
}

bool server_send_delimited(void *socket, const struct server_peer *peer, enum wire_tag tag,
                           const uint8_t *bytes, size_t bytes_count)
{
    return parts_send(socket, peer, true, tag, bytes, bytes_count);
}

bool server_peer_read(void *socket, struct server_peer *out)
{
    int bytes = zmq_recv(socket, out->bytes, sizeof out->bytes, ZMQ_DONTWAIT);
    if (bytes < 0) {
        return false;
    }
    must(bytes <= (int)sizeof out->bytes); /* ZMTP bounds an identity to 255 bytes */
    out->bytes_count = (uint8_t)bytes;
    return true;
}

bool server_has_more(void *socket)
{
    int more = 0;
    size_t more_bytes = sizeof more;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_bytes) == 0 && more != 0;
}

void server_drain(void *socket)
{
    uint8_t ignored[1];
    while (server_has_more(socket) &&
           zmq_recv(socket, ignored, sizeof ignored, ZMQ_DONTWAIT) >= 0) {
        /* each part is thrown away whole, whatever its length */
    }
}
