/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEED_OPTIONS_H
#define FEED_OPTIONS_H

/* Feed options: what every subcommand of triage-feed understands, parsed by argp. Main thread. */

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/words.h"

/* Exit codes of every subcommand; the man page repeats them. */
enum feed_exit {
    FEED_EXIT_GOOD = 0,    /* everything read was sent and acknowledged */
    FEED_EXIT_REFUSED = 1, /* the daemon refused some, or some input was skipped */
    FEED_EXIT_USAGE = 2,
    FEED_EXIT_UNANSWERED = 3 /* not everything was acknowledged; the rest waits in the spool */
};

struct feed_options {
    const char *endpoint;
    const char *key_file;
    const char *daemon_key_file;
    const char *spool_directory;
    char spool_default[64]; /* spool_directory points here when none was given */
    const char *stream;
    const char *site;
    const char *lane;
    const char *scanner;
    const char *scanner_type;
    enum mode mode; /* MODE_UNKNOWN: the subcommand's own default */
    bool follow;
    bool json;
    bool quiet;
    bool dry_run;
    uint64_t limit;    /* records; 0 is no limit */
    double rate_per_s; /* 0 is as fast as it goes */
    double timeout_s;  /* how long to wait for the last acknowledgements */
};

/* Defaults, with the subcommand's name as the stream. */
void feed_options_init(struct feed_options *self, const char *subcommand);
/* Child parser for a subcommand's argp: its input is the struct feed_options. */
extern const struct argp feed_options_argp;
/* For a parser's option: the number, or argp_error (which exits with FEED_EXIT_USAGE) when it is
 * not one in the range. */
double feed_number(struct argp_state *state, const char *name, const char *text,
                   const double range[2]);

#endif
