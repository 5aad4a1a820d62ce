/* SPDX-License-Identifier: Apache-2.0 */
/* Bench recovery: how long oversight_open takes with a full 64 MiB segment.
 *
 * clean: the log was closed. killed: the process was killed with everything published but the last
 * second. unpublished: it was killed when nothing of the segment had been published yet, the worst
 * that can be: every entry is read, hashed, and its tiles written and synced, and a checkpoint
 * signed, before the log takes the first new entry.
 *
 * bench_recovery [--json] [--quick] [DIRECTORY]: files are made below DIRECTORY (/tmp) and removed.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "bench/log_filler.h"
#include "bench/port.h"

enum { FLIGHT = 256, ROUNDS = 5, ROUNDS_QUICK = 2 };

#define SEGMENT_BYTES UINT64_C(67108864)

static const double aim_s = 1;

enum ending { ENDING_CLEAN, ENDING_KILLED, ENDING_UNPUBLISHED, ENDINGS };
static const char *const ending_names[ENDINGS] = {"clean", "killed", "unpublished"};

static void check_err(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static double open_log(const char *directory, enum ending ending, struct oversight **out)
{
    char wal[DURABLE_PATH_BYTES];
    char published[DURABLE_PATH_BYTES];
    static struct sign_key key;
    static const uint8_t seed[SIGN_SEED_BYTES] = {1};
    (void)snprintf(wal, sizeof wal, "%s/wal", directory);
    (void)snprintf(published, sizeof published, "%s/log", directory);
    bench_check(sign_init(), "signature library");
    sign_key_from_seed(&key, seed);
    const struct oversight_conf conf = {
        .wal_directory = wal,
        .log_directory = published,
        .origin = "oversight.bench/here/2026",
        .key = &key,
        .segment_bytes = SEGMENT_BYTES,
        .queue_entries = 8192,
        .checkpoint_interval_ns = ending == ENDING_UNPUBLISHED ? 3600 * NS_PER_S : NS_PER_S};
    struct oversight_recovery recovery;
    int64_t began_ns = clock_monotonic_ns();
    check_err(oversight_open(&conf, out, &recovery), "open");
    return (double)(clock_monotonic_ns() - began_ns) / 1e9;
}

/* One segment nearly to its end: a little room is left, so that no second one is begun. */
static uint64_t fill_segment(struct oversight *log)
{
    struct log_filler *filler = log_filler_open();
    struct oversight_draft *drafts = calloc(FLIGHT, sizeof *drafts);
    void *back[FLIGHT];
    struct queue *done = NULL;
    bench_check(drafts != NULL, "no memory");
    check_err(queue_open(FLIGHT, &done), "queue");
    while (counter_value(COUNTER_log_bytes) < SEGMENT_BYTES - 1048576) {
        struct oversight_draft *batch[FLIGHT];
        for (uint32_t i = 0; i < FLIGHT; i++) {
            batch[i] = &drafts[i];
            batch[i]->done = done;
            log_filler_next(filler, batch[i]);
        }
        check_err(oversight_submit(log, batch, FLIGHT), "submit");
        for (uint32_t returned = 0; returned < FLIGHT;) {
            returned += queue_take(done, back, FLIGHT, -1);
        }
    }
    return oversight_size(log);
}

/* In a process of its own, which ends as the name says. */
static void make_log(const char *directory, enum ending ending)
{
    int status = 0;
    pid_t child = fork();
    bench_check(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        struct oversight *log = NULL;
        (void)open_log(directory, ending, &log);
        (void)fill_segment(log);
        if (ending == ENDING_CLEAN) {
            oversight_close(&log);
            _exit(0);
        }
        (void)raise(SIGKILL);
    }
    bench_check(waitpid(child, &status, 0) == child, "wait: %s", strerror(errno));
    bool as_meant = ending == ENDING_CLEAN ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                                           : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bench_check(as_meant, "the log could not be made");
}

static void run(const char *parent, enum ending ending, struct rounds *seconds, uint64_t *entries)
{
    char directory[256];
    struct oversight *log = NULL;
    (void)snprintf(directory, sizeof directory, "%s/bench-recovery-XXXXXX", parent);
    bench_check(mkdtemp(directory) != NULL, "%s: %s", parent, strerror(errno));
    make_log(directory, ending);
    rounds_add(seconds, open_log(directory, ENDING_CLEAN, &log));
    *entries = oversight_size(log);
    oversight_close(&log);
    port_remove_tree(directory);
}

int main(int argc, char **argv)
{
    const char *parent = "/tmp";
    bool as_json = false;
    bool quick = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else {
            parent = argv[i];
        }
    }
    diag_set_level(DIAG_WARN);
    static struct rounds seconds[ENDINGS];
    struct rounds aim = {.count = 0};
    uint64_t entries = 0;
    rounds_add(&aim, aim_s);
    for (uint32_t round = 0; round < (quick ? ROUNDS_QUICK : ROUNDS); round++) {
        for (uint32_t e = 0; e < ENDINGS; e++) {
            run(parent, (enum ending)e, &seconds[e], &entries);
        }
    }
    if (!as_json) {
        printf("a segment of 64 MiB, %" PRIu64 " entries\n", entries);
    }
    figure_head(as_json);
    for (uint32_t e = 0; e < ENDINGS; e++) {
        char name[64];
        (void)snprintf(name, sizeof name, "recovery.%s", ending_names[e]);
        const struct figure figure = {name, &seconds[e], "s", "aim", &aim, 0, NULL};
        figure_print(&figure, as_json);
    }
    return 0;
}
