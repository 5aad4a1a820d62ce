/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_H
#define CONSOLE_H

/* Console: the HTTP side of the daemon. First version: /metrics (Prometheus) and /health (JSON).
 * Listens on one address, answers GET and HEAD only, bounds connections and what one request may
 * take. Threads: one of its own; console_open and console_close from main. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct console;

struct console_conf {
    const char *address; /* "127.0.0.1" */
    uint16_t port;       /* 0: choose one, see console_port */
    uint32_t connections_max;
    /* Fills a JSON object about the daemon's health, at most out_capacity bytes with the zero; true
     * when all is well (200), false when not (503). Called on the console's thread. */
    bool (*health)(void *arg, char *out, uint32_t out_capacity);
    void *health_arg;
};

MUST_USE struct err console_open(const struct console_conf *conf, struct console **out);
uint16_t console_port(const struct console *self);
void console_close(struct console **self);

#endif
