/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "feeds/declaration_csv.h"
#include "feeds/feed.h"
#include "feeds/feed_watch.h"

/* When following, the place behind the last spooled row is kept in the spool directory
 * (STREAM.place): it is written after the row is spooled, so a crash in between sends some rows
 * twice (the daemon knows them) and loses none. */

#define PLACE_EVERY_ROWS 256u
#define PLACE_BYTES 512u

enum { OPTION_MAPPING = 0x2000, OPTION_SEND_INVALID };

struct arguments {
    struct feed_options common; /* first: the child parser's input */
    const char *path;
    const char *mapping_path;
    bool send_invalid;
};

static const struct argp_option option_table[] = {
    {"mapping", OPTION_MAPPING, "FILE", 0,
     "which column is what (see config/mappings/README.md); needed", 0},
    {"send-invalid", OPTION_SEND_INVALID, NULL, 0,
     "send bad rows too, so that the daemon refuses and records them; otherwise they are told and "
     "skipped",
     0},
    {0}};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case OPTION_MAPPING:
        arguments->mapping_path = text;
        return 0;
    case OPTION_SEND_INVALID:
        arguments->send_invalid = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one FILE is wanted");
        }
        arguments->path = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->path == NULL || arguments->mapping_path == NULL) {
            argp_error(state, "a FILE and a --mapping are wanted");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void remember_place(const struct feed *feed, const char *path, uint64_t offset,
                           uint64_t line)
{
    char place_path[DURABLE_PATH_BYTES], place[PLACE_BYTES];
    if (feed->options->dry_run || err_is(feed_state_path(feed, "place", place_path))) {
        return;
    }
    int bytes = snprintf(place, sizeof place, "%" PRIu64 " %" PRIu64 " %s\n", offset, line, path);
    if (bytes > 0 && bytes < (int)sizeof place) {
        struct err err = durable_replace(place_path, place, (size_t)bytes, 0644);
        if (err_is(err)) {
            char text[ERR_TEXT_BYTES];
            (void)fprintf(stderr, "triage-feed declarations: %s: %s\n", place_path,
                          err_text(err, text));
        }
    }
}

static void resume_place(const struct feed *feed, const char *path, struct declaration_csv *table)
{
    char place_path[DURABLE_PATH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    if (feed->options->dry_run || err_is(feed_state_path(feed, "place", place_path)) ||
        err_is(durable_read(place_path, PLACE_BYTES, &bytes, &bytes_count))) {
        return; /* nothing remembered: from the start */
    }
    uint64_t offset = 0, line = 0;
    int path_at = 0;
    char *text = (char *)bytes;
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %n", &offset, &line, &path_at) == 2 && path_at > 0) {
        text[strcspn(text, "\n")] = '\0';
        if (strcmp(text + path_at, path) == 0 &&
            err_is(declaration_csv_seek(table, offset, line))) {
            (void)fprintf(
                stderr,
                "triage-feed declarations: %s is shorter than before: reading it from the start\n",
                path);
        }
    }
    free(bytes);
}

static void send_row(struct feed *feed, const struct arguments *arguments,
                     const struct declaration_row *row)
{
    char name[512];
    if (row->problem != NULL) {
        (void)snprintf(name, sizeof name, "%s:%" PRIu64 ":%u", arguments->path, row->line,
                       row->column);
        if (!arguments->send_invalid) {
            feed_skip(feed, name, row->problem);
            return;
        }
    } else {
        (void)snprintf(name, sizeof name, "%s:%" PRIu64, arguments->path, row->line);
    }
    (void)feed_declaration(feed, &row->declaration, name);
}

struct run {
    struct feed feed;
    struct declaration_csv *table;
    struct feed_watch watch;
    uint64_t offset;
    uint64_t line;
    uint32_t unremembered;
};

static void keep_place(struct run *self, const struct arguments *arguments)
{
    if (arguments->common.follow && self->unremembered > 0) {
        remember_place(&self->feed, arguments->path, self->offset, self->line);
    }
    self->unremembered = 0;
}

static struct err send_rows(struct run *self, const struct arguments *arguments, char *error)
{
    while (feed_goes_on(&self->feed)) {
        struct declaration_row row;
        enum csv_step step = CSV_END;
        struct err err = declaration_csv_next(self->table, &row, &step, error);
        if (err_is(err) || step == CSV_END) {
            return err;
        }
        if (step == CSV_WAIT) {
            keep_place(self, arguments);
            feed_watch_wait(&self->watch, &self->feed, 1000);
            continue;
        }
        send_row(&self->feed, arguments, &row);
        if (self->feed.broken) {
            break;
        }
        self->offset = row.end_offset;
        self->line = row.end_line;
        self->feed.done = (double)row.end_offset;
        self->feed.total =
            arguments->common.follow ? 0 : (double)declaration_csv_bytes(self->table);
        if (++self->unremembered >= PLACE_EVERY_ROWS) {
            keep_place(self, arguments);
        }
    }
    return err_none;
}

static int run(struct run *self, const struct arguments *arguments)
{
    const struct declaration_csv_conf conf = {
        .path = arguments->path,
        .mapping_path = arguments->mapping_path,
        .site = arguments->common.site,
        .lane = arguments->common.lane,
        .mode = arguments->common.mode,
        .follow = arguments->common.follow,
    };
    char error[CSV_ERROR_BYTES];
    struct err err = declaration_csv_open(&conf, &self->table, error);
    if (err_is(err)) {
        (void)fprintf(stderr, "triage-feed declarations: %s: %s\n", arguments->path, error);
        return FEED_EXIT_USAGE;
    }
    if (err_is(feed_open(&self->feed, &arguments->common, "declarations"))) {
        declaration_csv_close(&self->table);
        return FEED_EXIT_UNANSWERED;
    }
    if (arguments->common.follow) {
        resume_place(&self->feed, arguments->path, self->table);
    }
    feed_watch_init(&self->watch, arguments->path);
    err = send_rows(self, arguments, error);
    if (err_is(err)) {
        feed_skip(&self->feed, arguments->path, error);
    }
    keep_place(self, arguments);
    feed_watch_fini(&self->watch);
    declaration_csv_close(&self->table);
    return feed_finish(&self->feed);
}

int feed_declarations(int argc, char **argv)
{
    static const struct argp_child children[] = {{&feed_options_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        option_table,
        parse_option,
        "FILE.csv",
        "Send the rows of a table as declarations, through a mapping of its columns.\vA bad row is "
        "told as "
        "FILE:LINE:COLUMN with the reason, counted and skipped; the exit code is then 1. With "
        "--follow the table "
        "is watched for appended rows, and a restart goes on behind the last row that was spooled.",
        children,
        NULL,
        NULL};
    struct arguments arguments = {0};
    feed_options_init(&arguments.common, "declarations");
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) {
        return FEED_EXIT_USAGE;
    }
    static struct run state;
    state = (struct run){0};
    return run(&state, &arguments);
}
