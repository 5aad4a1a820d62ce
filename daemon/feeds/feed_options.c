/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever names a file defaults to what config/demo.sh and the packaging use, so that a feed on
 * the daemon's own machine needs no options at all. */

enum {
    OPTION_ENDPOINT = 0x1000,
    OPTION_KEY,
    OPTION_DAEMON_KEY,
    OPTION_SPOOL,
    OPTION_STREAM,
    OPTION_SITE,
    OPTION_LANE,
    OPTION_MODE,
    OPTION_SCANNER,
    OPTION_SCANNER_TYPE,
    OPTION_FOLLOW,
    OPTION_LIMIT,
    OPTION_RATE,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_TIMEOUT
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Where to send:", 10},
    {"endpoint", OPTION_ENDPOINT, "URL", 0, "the daemon's ingest socket (tcp://127.0.0.1:5701)",
     10},
    {"key", OPTION_KEY, "FILE", 0, "CURVE key pair of this publisher (publisher.key)", 10},
    {"daemon-key", OPTION_DAEMON_KEY, "FILE", 0, "public CURVE key of the daemon (daemon.key.pub)",
     10},
    {"spool", OPTION_SPOOL, "DIR", 0,
     "where records wait until they are acknowledged (./spool-STREAM)", 10},
    {"stream", OPTION_STREAM, "NAME", 0,
     "numbered stream of this publisher (the subcommand's name)", 10},
    {"timeout", OPTION_TIMEOUT, "SECONDS", 0, "wait this long for the last acknowledgements (60)",
     10},
    {"dry-run", OPTION_DRY_RUN, NULL, 0,
     "send nothing: print each record as one line of JSON on standard output (images as size and "
     "SHA-256)",
     10},
    {NULL, 0, NULL, 0, "What every record carries unless the input says otherwise:", 11},
    {"site", OPTION_SITE, "NAME", 0, "site (port-1)", 11},
    {"lane", OPTION_LANE, "NAME", 0, "lane (none)", 11},
    {"mode", OPTION_MODE, "MODE", 0, "truck, passenger, rail, sea, air or mail", 11},
    {"scanner", OPTION_SCANNER, "NAME", 0, "which scanner made the scans", 11},
    {"scanner-type", OPTION_SCANNER_TYPE, "NAME", 0, "picks the appearance model", 11},
    {NULL, 0, NULL, 0, "How:", 12},
    {"follow", OPTION_FOLLOW, NULL, 0,
     "do not end: wait for more input; Ctrl-C ends, after a drain", 12},
    {"limit", OPTION_LIMIT, "N", 0, "stop after N records", 12},
    {"rate", OPTION_RATE, "R", 0, "send at most R records a second", 12},
    {"json", OPTION_JSON, NULL, 0, "print the summary as one JSON object on standard output", 12},
    {"quiet", 'q', NULL, 0, "no progress; only what was skipped or refused", 12},
    {0}};

void feed_options_init(struct feed_options *self, const char *subcommand)
{
    *self = (struct feed_options){.endpoint = "tcp://127.0.0.1:5701",
                                  .key_file = "publisher.key",
                                  .daemon_key_file = "daemon.key.pub",
                                  .stream = subcommand,
                                  .site = "port-1",
                                  .lane = "",
                                  .scanner = "",
                                  .scanner_type = "",
                                  .mode = MODE_UNKNOWN,
                                  .timeout_s = 60};
}

double feed_number(struct argp_state *state, const char *name, const char *text,
                   const double range[2])
{
    char *end = NULL;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(number) || number < range[0] ||
        number > range[1]) {
        argp_error(state, "--%s %s: a number from %g to %g is wanted", name, text, range[0],
                   range[1]);
    }
    return number;
}

static bool parse_text(int key, char *text, struct feed_options *options)
{
    const struct {
        int key;
        const char **place;
    } places[] = {{OPTION_ENDPOINT, &options->endpoint},
                  {OPTION_KEY, &options->key_file},
                  {OPTION_DAEMON_KEY, &options->daemon_key_file},
                  {OPTION_SPOOL, &options->spool_directory},
                  {OPTION_STREAM, &options->stream},
                  {OPTION_SITE, &options->site},
                  {OPTION_LANE, &options->lane},
                  {OPTION_SCANNER, &options->scanner},
                  {OPTION_SCANNER_TYPE, &options->scanner_type}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].key == key) {
            *places[i].place = text;
            return true;
        }
    }
    return false;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct feed_options *options = state->input;
    if (parse_text(key, text, options)) {
        return 0;
    }
    switch (key) {
    case OPTION_MODE:
        options->mode = mode_parse(text);
        if (options->mode == MODE_UNKNOWN) {
            argp_error(state, "--mode %s: truck, passenger, rail, sea, air or mail is wanted",
                       text);
        }
        return 0;
    case OPTION_FOLLOW:
        options->follow = true;
        return 0;
    case OPTION_LIMIT:
        options->limit = (uint64_t)feed_number(state, "limit", text, (double[]){1, 1e15});
        return 0;
    case OPTION_RATE:
        options->rate_per_s = feed_number(state, "rate", text, (double[]){1e-3, 1e6});
        return 0;
    case OPTION_TIMEOUT:
        options->timeout_s = feed_number(state, "timeout", text, (double[]){0, 1e6});
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (options->spool_directory == NULL) {
            (void)snprintf(options->spool_default, sizeof options->spool_default, "spool-%s",
                           options->stream);
            options->spool_directory = options->spool_default;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp feed_options_argp = {option_table, parse_option, NULL, NULL, NULL, NULL, NULL};
