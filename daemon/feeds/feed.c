/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "feeds/feed_progress.h"

#define SLICE_MS 100 /* how long a wait may be deaf to Ctrl-C and progress */
#define SPOOL_PATIENCE_NS \
    (600 * NS_PER_S) /* a full spool without one acknowledgement for this long ends the run */

static volatile sig_atomic_t signals_seen;

static void note_signal(int number)
{
    signals_seen++;
    if (signals_seen > 1) { /* asked twice: leave at once; what is spooled is safe */
        _exit(128 + number);
    }
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

struct err feed_open(struct feed *self, const struct feed_options *options, const char *subcommand)
{
    signals_seen = 0;
    *self = (struct feed){
        .options = options, .subcommand = subcommand, .on_terminal = isatty(STDERR_FILENO) == 1};
    self->started_ns = clock_monotonic_ns();
    self->next_due_ns = self->started_ns;
    self->shown_ns = self->started_ns;
    struct err err = feed_sink_open(&self->sink, options, stdout);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        (void)fprintf(stderr, "triage-feed %s: %s%s%s\n", subcommand, err_text(err, text),
                      self->sink.error[0] != '\0' ? ": " : "", self->sink.error);
        return err;
    }
    catch_signals();
    return err_none;
}

static void sleep_ms(int64_t wait_ms)
{
    struct timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1000000};
    (void)nanosleep(&wait, NULL);
}

void feed_idle(struct feed *self, int64_t wait_ms)
{
    int64_t until_ns = clock_monotonic_ns() + wait_ms * NS_PER_MS;
    for (;;) {
        int64_t left_ms = (until_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0 || signals_seen > 0) {
            return;
        }
        int64_t slice_ms = left_ms < SLICE_MS ? left_ms : SLICE_MS;
        struct err err = feed_sink_drain(&self->sink, slice_ms);
        if (err.code == ERR_NONE) { /* nothing waits, so the drain came back at once */
            sleep_ms(slice_ms);
        } else if (err.code != ERR_TIMED_OUT) {
            self->broken = true;
            return;
        }
        feed_progress_show(self);
    }
}

static void keep_rate(struct feed *self)
{
    if (self->options->rate_per_s <= 0) {
        return;
    }
    int64_t now_ns = clock_monotonic_ns();
    if (self->next_due_ns > now_ns) {
        feed_idle(self, (self->next_due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
    }
    /* Lost time is caught up within a second at most, or a stall would be followed by a flood. */
    now_ns = clock_monotonic_ns();
    if (self->next_due_ns < now_ns - NS_PER_S) {
        self->next_due_ns = now_ns - NS_PER_S;
    }
}

bool feed_goes_on(struct feed *self)
{
    feed_progress_show(self);
    if (self->options->limit > 0 && self->sent_count >= self->options->limit) {
        return false;
    }
    keep_rate(self);
    return signals_seen == 0 && !self->broken;
}

void feed_skip(struct feed *self, const char *name, const char *why)
{
    self->skipped_count++;
    feed_progress_clear(self);
    (void)fprintf(stderr, "skipped: %s: %s\n", name, why);
}

struct handed {
    const struct declaration *declaration;
    const struct scan *scan;
    const void *const *images;
};

static struct err hand_once(struct feed *self, const struct handed *record)
{
    return record->declaration != NULL ? feed_sink_declaration(&self->sink, record->declaration)
                                       : feed_sink_scan(&self->sink, record->scan, record->images);
}

/* A full spool means that the daemon is away or slow: wait for it, the input can wait too. */
static struct err hand_over(struct feed *self, const struct handed *record)
{
    struct err err = hand_once(self, record);
    int64_t patience_ns = clock_monotonic_ns() + SPOOL_PATIENCE_NS;
    while (err.code == ERR_QUEUE_FULL && signals_seen == 0 && !self->broken &&
           clock_monotonic_ns() < patience_ns) {
        feed_idle(self, SLICE_MS);
        err = hand_once(self, record);
    }
    return err;
}

static bool hand(struct feed *self, const struct handed *record, const char *name)
{
    struct err err = hand_over(self, record);
    if (err.code == ERR_ARGUMENT) {
        feed_skip(self, name, self->sink.error);
        return false;
    }
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        feed_progress_clear(self);
        (void)fprintf(stderr, "triage-feed %s: %s: %s: %s\n", self->subcommand, name,
                      err_text(err, text), self->sink.error);
        self->broken = true;
        return false;
    }
    self->sent_count++;
    if (self->options->rate_per_s > 0) {
        self->next_due_ns += (int64_t)((double)NS_PER_S / self->options->rate_per_s);
    }
    return true;
}

bool feed_declaration(struct feed *self, const struct declaration *declaration, const char *name)
{
    return hand(self, &(struct handed){.declaration = declaration}, name);
}

bool feed_scan(struct feed *self, const struct scan *scan, const void *const *images,
               const char *name)
{
    return hand(self, &(struct handed){.scan = scan, .images = images}, name);
}

static void drain(struct feed *self)
{
    int64_t until_ns =
        clock_monotonic_ns() + (int64_t)(self->options->timeout_s * (double)NS_PER_S);
    struct err err = feed_sink_drain(&self->sink, 0);
    while (err.code == ERR_TIMED_OUT && clock_monotonic_ns() < until_ns) {
        feed_progress_show(self);
        err = feed_sink_drain(&self->sink, SLICE_MS);
    }
    if (err_is(err) && err.code != ERR_TIMED_OUT) {
        char text[ERR_TEXT_BYTES];
        feed_progress_clear(self);
        (void)fprintf(stderr, "triage-feed %s: %s: %s\n", self->subcommand, err_text(err, text),
                      self->sink.error);
        self->broken = true;
    }
}

int feed_finish(struct feed *self)
{
    drain(self);
    struct feed_sink_counts counts;
    feed_sink_counts(&self->sink, &counts);
    int exit_code = FEED_EXIT_GOOD;
    if (counts.waiting > 0 || self->broken) {
        exit_code = FEED_EXIT_UNANSWERED;
    } else if (counts.refused > 0 || self->skipped_count > 0) {
        exit_code = FEED_EXIT_REFUSED;
    }
    feed_progress_summary(self, &counts, exit_code);
    feed_sink_close(&self->sink);
    return exit_code;
}

struct err feed_state_path(const struct feed *self, const char *suffix, char *out)
{
    const char *directory = self->options->spool_directory;
    if (directory == NULL) {
        return err_make(ERR_NOT_FOUND, "no spool directory");
    }
    int written =
        snprintf(out, DURABLE_PATH_BYTES, "%s/%s.%s", directory, self->options->stream, suffix);
    if (written < 0 || written >= (int)DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "name of the state file is too long");
    }
    return err_none;
}
