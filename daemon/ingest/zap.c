/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/zap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"

/* A request has seven parts: version, request id, domain, address, identity, mechanism,
 * credentials; the reply six: version, request id, status, text, user id, metadata. The user id is
 * the name from the allow-list; libzmq hangs it on every message of the connection. */

enum {
    ZAP_PARTS = 7,
    ZAP_REQUEST_ID = 1,
    ZAP_DOMAIN = 2,
    ZAP_MECHANISM = 5,
    ZAP_CREDENTIALS = 6,
    ZAP_PART_BYTES_MAX = 256,
    ZAP_SERVE_MAX =
        64 /* handshakes a turn: records of the others must not wait for a storm of them */
};

struct zap {
    void *socket;
    struct allow_list *publishers;
    struct allow_list *subscribers;
};

struct zap_part {
    uint8_t bytes[ZAP_PART_BYTES_MAX];
    size_t bytes_count;
};

struct err zap_open(void *context, struct allow_list *publishers, struct allow_list *subscribers,
                    struct zap **out)
{
    struct zap *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "zap_open");
    }
    self->publishers = publishers;
    self->subscribers = subscribers;
    self->socket = zmq_socket(context, ZMQ_REP);
    int linger = 0;
    if (self->socket == NULL ||
        zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(self->socket, "inproc://zeromq.zap.01") != 0) {
        struct err err = err_os(ERR_SOCKET, "bind ZAP handler");
        zap_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void zap_close(struct zap **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->socket != NULL) {
        (void)zmq_close((*self)->socket);
    }
    free(*self);
    *self = NULL;
}

void *zap_socket(const struct zap *self)
{
    return self->socket;
}

/* Reads one request. False when nothing is there; *whole tells whether it had its parts and no
 * others. */
static bool request_read(struct zap *self, struct zap_part parts[ZAP_PARTS], bool *whole)
{
    int count = 0;
    int more = 1;
    *whole = true;
    while (more != 0) {
        struct zap_part beyond;
        struct zap_part *part = count < ZAP_PARTS ? &parts[count] : &beyond;
        int bytes = zmq_recv(self->socket, part->bytes, sizeof part->bytes, ZMQ_DONTWAIT);
        if (bytes < 0) {
            return false;
        }
        part->bytes_count = (size_t)bytes;
        *whole = *whole && count < ZAP_PARTS && part->bytes_count <= sizeof part->bytes;
        count++;
        size_t more_bytes = sizeof more;
        if (zmq_getsockopt(self->socket, ZMQ_RCVMORE, &more, &more_bytes) != 0) {
            return false;
        }
    }
    *whole = *whole && count == ZAP_PARTS;
    return true;
}

static bool part_is(const struct zap_part *part, const char *text)
{
    return part->bytes_count == strlen(text) && memcmp(part->bytes, text, part->bytes_count) == 0;
}

static const char *name_of(struct zap *self, const struct zap_part parts[ZAP_PARTS])
{
    if (!part_is(&parts[0], "1.0") || !part_is(&parts[ZAP_MECHANISM], "CURVE") ||
        parts[ZAP_CREDENTIALS].bytes_count != ALLOW_KEY_BYTES) {
        return NULL;
    }
    struct allow_list *list = NULL;
    if (part_is(&parts[ZAP_DOMAIN], ZAP_DOMAIN_PUBLISHERS)) {
        list = self->publishers;
    } else if (part_is(&parts[ZAP_DOMAIN], ZAP_DOMAIN_SUBSCRIBERS)) {
        list = self->subscribers;
    }
    return list == NULL ? NULL
                        : allow_list_find(list, parts[ZAP_CREDENTIALS].bytes, clock_monotonic_ns());
}

static void unknown_tell(const struct zap_part parts[ZAP_PARTS])
{
    counter_add(COUNTER_unknown_keys, 1);
    char key[41] = "";
    if (parts[ZAP_CREDENTIALS].bytes_count == ALLOW_KEY_BYTES) {
        must(zmq_z85_encode(key, parts[ZAP_CREDENTIALS].bytes, ALLOW_KEY_BYTES) != NULL);
    }
    /* The first characters are enough to tell two keys apart in a listing. */
    diag_warn(publisher_unknown, "domain=%.*s key=%.8s", (int)parts[ZAP_DOMAIN].bytes_count,
              (const char *)parts[ZAP_DOMAIN].bytes, key);
}

static void reply_send(struct zap *self, const struct zap_part *request_id, const char *status,
                       const char *text, const char *name)
{
    /* A REP that has just received takes the whole reply without waiting; a lost one is a handshake
     * tried again. */
    const struct {
        const void *bytes;
        size_t bytes_count;
    } parts[] = {{"1.0", 3},           {request_id->bytes, request_id->bytes_count},
                 {status, 3},          {text, strlen(text)},
                 {name, strlen(name)}, {"", 0}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int more = i + 1 < sizeof parts / sizeof parts[0] ? ZMQ_SNDMORE : 0;
        (void)zmq_send(self->socket, parts[i].bytes, parts[i].bytes_count, more | ZMQ_DONTWAIT);
    }
}

void zap_serve(struct zap *self)
{
    for (int i = 0; i < ZAP_SERVE_MAX; i++) {
        struct zap_part parts[ZAP_PARTS] = {0};
        bool whole = false;
        if (!request_read(self, parts, &whole)) {
            return;
        }
        if (parts[ZAP_REQUEST_ID].bytes_count > ZAP_PART_BYTES_MAX) {
            parts[ZAP_REQUEST_ID].bytes_count = 0;
        }
        const char *name = whole ? name_of(self, parts) : NULL;
        if (name != NULL) {
            reply_send(self, &parts[ZAP_REQUEST_ID], "200", "OK", name);
            continue;
        }
        if (whole) {
            unknown_tell(parts);
        }
        reply_send(self, &parts[ZAP_REQUEST_ID], "400", "key is not on the allow-list", "");
    }
}
