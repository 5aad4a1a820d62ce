/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

/* Ctl client: the daemon's command socket and its verdict feed, as triagectl uses them. The only
 * file here that knows ZeroMQ.
 *
 * A command carries a request id; when no answer comes in time it is sent again on a new connection
 * with the same id, and the daemon does it once however often it is asked. One thread; blocks up to
 * attempts * timeout_ms. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/wire.h"

#define CLIENT_ARENA_BYTES 262144u

struct client_patience {
    int timeout_ms; /* of one attempt */
    int attempts;
};

/* Ask and wait. command->request_id is set here (a new UUID) when it is NULL. Strings of *answer
 * live in the arena. Errors: TIMED_OUT (nobody answers), SOCKET, WIRE_MALFORMED, ARGUMENT (does not
 * fit). */
MUST_USE struct err client_ask(const char *endpoint, struct client_patience patience,
                               const struct wire_command *command, struct arena *arena,
                               struct wire_answer *answer);

struct client_feed;

/* Subscribe to verdicts whose topic begins with `topic` ("" for all). key_file: CURVE pair of the
 * subscriber; daemon_key_file: the daemon's public key. Errors: SOCKET, KEY, MEMORY. */
MUST_USE struct err client_feed_open(const char *endpoint, const char *key_file,
                                     const char *daemon_key_file, const char *topic,
                                     struct client_feed **out);
void client_feed_close(struct client_feed **self);
/* Waits up to timeout_ms (negative: for ever) for the next verdict; TIMED_OUT when none came,
 * SOCKET when the daemon refuses the subscriber's key, or has shown for ten seconds that its own is
 * another. Strings live in the arena. */
MUST_USE struct err client_feed_next(struct client_feed *self, int timeout_ms, struct arena *arena,
                                     struct wire_verdict *out);

#endif
