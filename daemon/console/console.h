/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_H
#define CONSOLE_H

/* Console: the HTTP side of the daemon: /metrics (Prometheus), /health (JSON) and, where it is
 * asked for, /images/<sha256> for those who have a token (CONSOLE.md). Listens on one address,
 * answers GET and HEAD only, bounds connections and what one request may take. Threads: one of its
 * own, and those that have images made; its functions are main's to call. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "console/image_query.h"
#include "console/viewers.h"

struct console;

/* An image that somebody with a token asks for. */
struct console_ask {
    uint8_t sha256[HASH_BYTES];
    struct image_query query; /* not settled yet */
    const struct viewer *viewer;
    char known_etag[4 * IMAGE_ETAG_BYTES]; /* If-None-Match as it was sent, cut; "" for none */
};

struct console_picture {
    unsigned status; /* of HTTP: 200, 304, or why not */
    uint8_t *bytes;  /* with 200; the console frees them */
    size_t bytes_count;
    const char *type;    /* static */
    const char *checked; /* static: what the read proved */
    bool is_sealed;      /* out of a sealed file */
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    char etag[IMAGE_ETAG_BYTES];
    char why[IMAGE_QUERY_WHY_BYTES]; /* for anything but 200 and 304 */
};

struct console_images_conf {
    const struct viewers *viewers; /* borrowed */
    uint32_t threads;              /* 1 to 16 */
    uint32_t images_max;           /* being made or sent at a time */
    /* Fills *out, which is zero but for a status of 503; called on thread number `thread`, which
     * may block. */
    void (*make)(void *arg, uint32_t thread, const struct console_ask *ask,
                 struct console_picture *out);
    void *make_arg;
};

struct console_conf {
    const char *address; /* "127.0.0.1" */
    uint16_t port;       /* 0: choose one, see console_port */
    uint32_t connections_max;
    /* Fills a JSON object about the daemon's health, at most out_capacity bytes with the zero; true
     * when all is well (200), false when not (503). Called on the console's thread. */
    bool (*health)(void *arg, char *out, uint32_t out_capacity);
    void *health_arg;
    const struct console_images_conf *images; /* NULL: there is no /images */
};

MUST_USE struct err console_open(const struct console_conf *conf, struct console **out);
uint16_t console_port(const struct console *self);
/* No more images from now on, and no thread that makes one: to be called before the log ends. The
 * rest is served on. Accepts NULL. */
void console_stop_images(struct console *self);
void console_close(struct console **self);

#endif
