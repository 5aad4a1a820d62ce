/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_H
#define FLOW_H

/* Flow: moves records from the spool to the daemon: hello, credit, batches, answers, and everything
 * again after a lost connection. The rules are those of proto/PROTOCOL.md. One owner thread; only
 * flow_step waits. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "publisher/link.h"
#include "publisher/spool.h"
#include "publisher/triage_publisher.h"

#define FLOW_ERROR_BYTES 256u

struct flow;

struct flow_conf {
    const char *stream;
    const char *software;
    void (*on_refusal)(void *arg, uint64_t sequence, const char *name, const char *reason);
    void *on_refusal_arg;
};

/* Borrows spool and link until closed. Errors: MEMORY, those of the spool. */
MUST_USE struct err flow_open(const struct flow_conf *conf, struct spool *spool, struct link *link,
                              struct flow **out);
void flow_close(struct flow **self);

/* Take what came, send what the credit allows; waits at most timeout_ms for something to do.
 * Errors: those of the spool. */
MUST_USE struct err flow_step(struct flow *self, int timeout_ms);
/* Why the daemon does not take our records just now; "" when it does or when we are only not
 * connected. */
const char *flow_refusal(const struct flow *self);
/* No answer and no waiting will help: somebody must look at spool, stream or daemon. */
bool flow_is_stuck(const struct flow *self);
/* Adds what flow knows: acknowledged, refused, resent, connections, last_entry_index. */
void flow_counts(const struct flow *self, struct triage_publisher_counts *out);

#endif
