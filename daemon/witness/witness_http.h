/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WITNESS_HTTP_H
#define WITNESS_HTTP_H

/* Witness HTTP: POST /add-checkpoint and GET /. One thread of its own, so requests are judged one
 * after another; bodies, connections and times are bounded. */

#include <stdint.h>

#include "base/err.h"
#include "witness/witness.h"

struct witness_http;

struct witness_http_conf {
    const char *address; /* IPv4, or IPv6 without brackets */
    uint16_t port;       /* 0: choose one, see witness_http_port */
    uint32_t connections_max;
    struct witness *witness;        /* borrowed; this thread's alone while open */
    void (*failed)(struct err err); /* the witness must stop; called on the thread */
};

MUST_USE struct err witness_http_open(const struct witness_http_conf *conf,
                                      struct witness_http **out);
uint16_t witness_http_port(const struct witness_http *self);
void witness_http_close(struct witness_http **self);

#endif
