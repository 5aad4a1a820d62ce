/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_IMAGES_H
#define CONSOLE_IMAGES_H

/* Console images: GET /images/<sha256>. Private to daemon/console.
 *
 * The console's own thread reads the request, knows who asks and refuses what is wrong with it;
 * threads of this file then have the picture made while the connection is set aside, so that
 * /metrics and /health never wait for a disk. At most images_max pictures are being made or sent at
 * a time; one more is answered 503 at once. A client that reads slowly holds one of these and
 * nothing else: the picture lies in memory, its files are closed. */

#include <stdbool.h>

#include "console/console.h"

struct MHD_Connection;
struct console_images;

MUST_USE struct err console_images_open(const struct console_images_conf *conf,
                                        struct console_images **out);
/* No more pictures; those under way are answered, the threads end. Other requests are served on. */
void console_images_stop(struct console_images *self);
/* When no connection is left. Accepts NULL. */
void console_images_close(struct console_images **self);

/* Takes a request for an image: true when *job is now its job, and console_images_answer is to be
 * called when the library comes back to it; else status and why tell what to answer. */
bool console_images_take(struct console_images *self, struct MHD_Connection *connection,
                         const char *path, void **job, unsigned *status,
                         char why[IMAGE_QUERY_WHY_BYTES]);
/* What there is to answer; false when the answer cannot even be queued. */
bool console_images_answer(struct MHD_Connection *connection, void *job);
/* The connection is done with its job. */
void console_images_drop(void *job);

#endif
