/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEED_SINK_H
#define FEED_SINK_H

/* Feed sink: where finished records go: into the publisher's spool, or as lines of JSON to a stream
 * (dry run). Everything before the sink makes records and knows nothing of sockets. One thread. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "feeds/feed_options.h"
#include "proto/record.h"

struct triage_publisher;

enum feed_sink_mode { FEED_SINK_PUBLISHER, FEED_SINK_DRY_RUN };

struct feed_sink_counts {
    uint64_t spooled;
    uint64_t acknowledged; /* refused ones included */
    uint64_t refused;
    uint64_t waiting;
};

struct feed_sink {
    enum feed_sink_mode mode;
    struct triage_publisher *publisher; /* FEED_SINK_PUBLISHER; owned */
    FILE *lines;                        /* FEED_SINK_DRY_RUN; borrowed */
    uint64_t lines_count;
    uint64_t before_count; /* records found in the spool at the start */
    char error[256];       /* why the last call failed */
};

/* lines: where a dry run prints; not used otherwise. Errors: SOCKET, KEY, IO; ->error says it in
 * words. */
MUST_USE struct err feed_sink_open(struct feed_sink *self, const struct feed_options *options,
                                   FILE *lines);
/* Errors: ARGUMENT (the record itself is bad: skip it), QUEUE_FULL (spool full: drain and try
 * again), IO, SOCKET. */
MUST_USE struct err feed_sink_declaration(struct feed_sink *self,
                                          const struct declaration *declaration);
/* images: the pixels of each image; their digests are computed on the way. */
MUST_USE struct err feed_sink_scan(struct feed_sink *self, const struct scan *scan,
                                   const void *const *images);
/* Exchange with the daemon for up to timeout_ms or until nothing waits. */
MUST_USE struct err feed_sink_drain(struct feed_sink *self, int64_t timeout_ms);
void feed_sink_counts(const struct feed_sink *self, struct feed_sink_counts *out);
void feed_sink_close(struct feed_sink *self);

#endif
