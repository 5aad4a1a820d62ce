/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEED_H
#define FEED_H

/* Feed: one run of a subcommand: pace, limit, Ctrl-C, back-pressure, progress, summary and exit
 * code. The subcommand reads its input in a loop `while (feed_goes_on(&feed))` and hands each
 * record over. Main thread; feed_goes_on may wait (rate), handing over may wait (spool full). */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "feeds/feed_options.h"
#include "feeds/feed_sink.h"
#include "proto/record.h"

struct feed {
    const struct feed_options *options;
    struct feed_sink sink;
    const char *subcommand;
    uint64_t sent_count;    /* records handed to the sink */
    uint64_t skipped_count; /* input that could not be made a record */
    double done;            /* how far the input is, in the units of total; set by the subcommand */
    double total;           /* 0: unknown */
    int64_t started_ns;     /* monotonic */
    int64_t next_due_ns;
    int64_t shown_ns; /* when progress was last shown */
    bool on_terminal;
    bool broken; /* the sink failed for good; feed_finish says so */
};

/* Catches SIGINT and SIGTERM, opens the sink. */
MUST_USE struct err feed_open(struct feed *self, const struct feed_options *options,
                              const char *subcommand);
/* False after Ctrl-C, at the limit, or when the sink is broken. Waits for the rate. */
bool feed_goes_on(struct feed *self);
/* Hand one record over; a record that breaks the rules is skipped with the reason, named by `name`.
 * True when it went in. */
bool feed_declaration(struct feed *self, const struct declaration *declaration, const char *name);
bool feed_scan(struct feed *self, const struct scan *scan, const void *const *images,
               const char *name);
/* Count and tell one piece of input that could not be used. */
void feed_skip(struct feed *self, const char *name, const char *why);
/* While there is no input: exchange with the daemon and show progress, at most this long. */
void feed_idle(struct feed *self, int64_t wait_ms);
/* Drain, print the summary, close; the exit code. */
int feed_finish(struct feed *self);
/* Name of a state file in the spool directory; out has DURABLE_PATH_BYTES. */
MUST_USE struct err feed_state_path(const struct feed *self, const char *suffix, char *out);

#endif
