/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_sink.h"

#include <string.h>

#include "feeds/record_json.h"
#include "publisher/triage_publisher.h"

#define SPOOL_BYTES_MAX (UINT64_C(4) << 30)

static void tell_refusal(void *arg, uint64_t sequence, const char *name, const char *reason)
{
    (void)arg;
    (void)fprintf(stderr, "\rrefused: record %llu: %s: %s\n", (unsigned long long)sequence, name,
                  reason);
}

static struct err judge(struct feed_sink *self, enum triage_publisher_status status)
{
    if (status == TRIAGE_PUBLISHER_OK) {
        return err_none;
    }
    if (self->publisher != NULL) {
        (void)snprintf(self->error, sizeof self->error, "%s",
                       triage_publisher_error(self->publisher));
    }
    switch (status) {
    case TRIAGE_PUBLISHER_TIMEOUT:
        return err_make(ERR_TIMED_OUT, "wait for acknowledgements");
    case TRIAGE_PUBLISHER_INVALID:
        return err_make(ERR_ARGUMENT, "hand record to publisher");
    case TRIAGE_PUBLISHER_SPOOL_FULL:
        return err_make(ERR_QUEUE_FULL, "spool record");
    case TRIAGE_PUBLISHER_SPOOL_ERROR:
        return err_make(ERR_IO, "spool record");
    case TRIAGE_PUBLISHER_KEY_ERROR:
        return err_make(ERR_KEY, "open publisher");
    default:
        return err_make(ERR_SOCKET, "talk to the daemon");
    }
}

struct err feed_sink_open(struct feed_sink *self, const struct feed_options *options, FILE *lines)
{
    *self = (struct feed_sink){.mode = options->dry_run ? FEED_SINK_DRY_RUN : FEED_SINK_PUBLISHER,
                               .lines = lines};
    if (options->dry_run) {
        return err_none;
    }
    must(options->spool_directory != NULL);
    const struct triage_publisher_conf conf = {.endpoint = options->endpoint,
                                               .stream = options->stream,
                                               .software = "triage-feed " TRIAGED_VERSION,
                                               .key_file = options->key_file,
                                               .daemon_key_file = options->daemon_key_file,
                                               .spool_directory = options->spool_directory,
                                               .spool_bytes_max = SPOOL_BYTES_MAX,
                                               .sync = false,
                                               .on_refusal = tell_refusal};
    enum triage_publisher_status status =
        triage_publisher_open(&conf, &self->publisher, self->error);
    if (status != TRIAGE_PUBLISHER_OK) {
        return judge(self, status);
    }
    struct triage_publisher_counts counts;
    triage_publisher_counts(self->publisher, &counts);
    self->before_count = counts.spooled;
    return err_none;
}

static struct err print_line(struct feed_sink *self, char *line)
{
    bool good = line != NULL && fputs(line, self->lines) >= 0 && fputc('\n', self->lines) != EOF;
    record_json_free(&line);
    if (!good) {
        (void)snprintf(self->error, sizeof self->error, "the line could not be printed");
        return err_os(ERR_IO, "print record");
    }
    self->lines_count++;
    return err_none;
}

struct err feed_sink_declaration(struct feed_sink *self, const struct declaration *declaration)
{
    if (self->mode == FEED_SINK_DRY_RUN) {
        return print_line(self, record_json_declaration(declaration));
    }
    return judge(self, triage_publisher_declaration(self->publisher, declaration, NULL));
}

struct err feed_sink_scan(struct feed_sink *self, const struct scan *scan,
                          const void *const *images)
{
    if (self->mode == FEED_SINK_DRY_RUN) {
        return print_line(self, record_json_scan(scan, images));
    }
    return judge(self, triage_publisher_scan(self->publisher, scan, images, NULL));
}

struct err feed_sink_drain(struct feed_sink *self, int64_t timeout_ms)
{
    if (self->mode == FEED_SINK_DRY_RUN) {
        return fflush(self->lines) == 0 ? err_none : err_os(ERR_IO, "print record");
    }
    return judge(self, triage_publisher_drain(self->publisher, 0, timeout_ms));
}

void feed_sink_counts(const struct feed_sink *self, struct feed_sink_counts *out)
{
    if (self->mode == FEED_SINK_DRY_RUN) {
        *out = (struct feed_sink_counts){.spooled = self->lines_count,
                                         .acknowledged = self->lines_count};
        return;
    }
    struct triage_publisher_counts counts;
    triage_publisher_counts(self->publisher, &counts);
    *out = (struct feed_sink_counts){.spooled = counts.spooled,
                                     .acknowledged = counts.acknowledged,
                                     .refused = counts.refused,
                                     .waiting = counts.waiting};
}

void feed_sink_close(struct feed_sink *self)
{
    triage_publisher_close(&self->publisher);
}
