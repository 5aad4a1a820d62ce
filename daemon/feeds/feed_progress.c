/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_progress.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TERMINAL_PERIOD_NS (NS_PER_S / 10)
#define PLAIN_PERIOD_NS (5 * NS_PER_S)
#define BAR_CELLS 24

static void write_eta(double seconds, char out[16])
{
    if (seconds < 0 || seconds > 99 * 3600.0) {
        (void)snprintf(out, 16, "--:--");
        return;
    }
    int whole = (int)(seconds + 0.5);
    if (whole >= 3600) {
        (void)snprintf(out, 16, "%d:%02d:%02d", whole / 3600 % 100, whole / 60 % 60, whole % 60);
    } else {
        (void)snprintf(out, 16, "%d:%02d", whole / 60, whole % 60);
    }
}

void feed_progress_text(const struct feed *self, const struct feed_sink_counts *counts,
                        double elapsed_s, char out[FEED_PROGRESS_BYTES])
{
    char share[64] = "";
    if (self->total > 0) {
        double done = self->done < self->total ? self->done / self->total : 1;
        char bar[BAR_CELLS + 1];
        for (int i = 0; i < BAR_CELLS; i++) {
            bar[i] = i < (int)(done * BAR_CELLS) ? '#' : '.';
        }
        bar[BAR_CELLS] = '\0';
        char eta[16];
        write_eta(done > 0 ? elapsed_s * (1 - done) / done : -1, eta);
        (void)snprintf(share, sizeof share, "[%s] %3.0f%% ETA %s ", bar, 100 * done, eta);
    }
    double rate = elapsed_s > 0 ? (double)self->sent_count / elapsed_s : 0;
    (void)snprintf(
        out, FEED_PROGRESS_BYTES, "%s%llu spooled, %llu acked, %llu refused, %llu skipped, %.1f/s",
        share, (unsigned long long)counts->spooled, (unsigned long long)counts->acknowledged,
        (unsigned long long)counts->refused, (unsigned long long)self->skipped_count, rate);
}

void feed_progress_show(struct feed *self)
{
    if (self->options->quiet) {
        return;
    }
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns - self->shown_ns < (self->on_terminal ? TERMINAL_PERIOD_NS : PLAIN_PERIOD_NS)) {
        return;
    }
    self->shown_ns = now_ns;
    struct feed_sink_counts counts;
    feed_sink_counts(&self->sink, &counts);
    char text[FEED_PROGRESS_BYTES];
    feed_progress_text(self, &counts, (double)(now_ns - self->started_ns) / (double)NS_PER_S, text);
    if (self->on_terminal) {
        (void)fprintf(stderr, "\r\033[K%s", text);
        (void)fflush(stderr);
    } else {
        (void)fprintf(stderr, "%s: %s\n", self->subcommand, text);
    }
}

void feed_progress_clear(const struct feed *self)
{
    if (self->on_terminal && !self->options->quiet) {
        (void)fputs("\r\033[K", stderr);
    }
}

void feed_progress_summary(const struct feed *self, const struct feed_sink_counts *counts,
                           int exit_code)
{
    double elapsed_s = (double)(clock_monotonic_ns() - self->started_ns) / (double)NS_PER_S;
    double rate = elapsed_s > 0 ? (double)self->sent_count / elapsed_s : 0;
    feed_progress_clear(self);
    if (self->options->json) {
        (void)printf("{\"subcommand\":\"%s\",\"sent\":%llu,\"skipped\":%llu,\"from_spool\":%llu,"
                     "\"acknowledged\":%llu,"
                     "\"refused\":%llu,\"waiting\":%llu,\"seconds\":%.3f,\"records_per_s\":%.3f,"
                     "\"exit\":%d}\n",
                     self->subcommand, (unsigned long long)self->sent_count,
                     (unsigned long long)self->skipped_count,
                     (unsigned long long)self->sink.before_count,
                     (unsigned long long)counts->acknowledged, (unsigned long long)counts->refused,
                     (unsigned long long)counts->waiting, elapsed_s, rate, exit_code);
        return;
    }
    if (self->options->quiet && exit_code == FEED_EXIT_GOOD) {
        return;
    }
    (void)fprintf(
        stderr,
        "%s: %llu records %s in %.1f s (%.1f/s), %llu acknowledged, %llu refused, %llu skipped",
        self->subcommand, (unsigned long long)self->sent_count,
        self->options->dry_run ? "printed" : "sent", elapsed_s, rate,
        (unsigned long long)counts->acknowledged, (unsigned long long)counts->refused,
        (unsigned long long)self->skipped_count);
    if (counts->waiting > 0) {
        (void)fprintf(stderr, ", %llu waiting in %s", (unsigned long long)counts->waiting,
                      self->options->spool_directory);
    }
    (void)fputc('\n', stderr);
}
