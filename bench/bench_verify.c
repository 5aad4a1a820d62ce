/* SPDX-License-Identifier: Apache-2.0 */
/* Bench verify: a log of a million entries, written by the product's own writer, and how long
 * triage-verify takes for all of it, beside what the machine gives at most: reading the same files
 * and one SHA-256 over the same bytes, by one thread and by as many as there are processors.
 *
 * bench_verify [--json] [--quick] [--entries COUNT] [--keep] [DIRECTORY]: files are made below
 * DIRECTORY (/tmp) and removed unless they are to be kept. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "bench/log_filler.h"
#include "bench/port.h"

enum { FLIGHT = 2048, ROUNDS = 5, ROUNDS_QUICK = 3 };

static const double aim_s = 5; /* of a million entries */

static void check_err(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

/* ---- the log ---- */

static void write_entries(struct oversight *log, uint64_t count)
{
    struct log_filler *filler = log_filler_open();
    struct oversight_draft *drafts = calloc(FLIGHT, sizeof *drafts);
    struct oversight_draft **batch = calloc(FLIGHT, sizeof(struct oversight_draft *));
    void **back = calloc(FLIGHT, sizeof *back);
    struct queue *done = NULL;
    bench_check(drafts != NULL && batch != NULL && back != NULL, "no memory");
    check_err(queue_open(FLIGHT, &done), "queue");
    uint32_t ready = FLIGHT;
    uint64_t submitted = 0;
    uint64_t finished = 0;
    for (uint32_t i = 0; i < FLIGHT; i++) {
        drafts[i].done = done;
        back[i] = &drafts[i];
    }
    while (finished < count) {
        uint32_t batch_count = 0;
        for (uint32_t i = 0; i < ready && submitted < count; i++, submitted++) {
            batch[batch_count] = back[i];
            if (submitted + 1 < count) {
                log_filler_next(filler, batch[batch_count++]);
            } else {
                log_filler_reveal(filler, batch[batch_count++]);
            }
        }
        if (batch_count > 0) {
            check_err(oversight_submit(log, batch, batch_count), "submit");
        }
        ready = queue_take(done, back, FLIGHT, -1);
        finished += ready;
    }
    queue_free(&done);
    free(drafts);
    free(batch);
    free(back);
    log_filler_close(&filler);
}

/* count entries with the first one, which the log writes itself. */
static void make_log(const char *directory, uint64_t count)
{
    char wal[DURABLE_PATH_BYTES];
    char published[DURABLE_PATH_BYTES];
    static struct sign_key key;
    static const uint8_t seed[SIGN_SEED_BYTES] = {1};
    (void)snprintf(wal, sizeof wal, "%s/wal", directory);
    (void)snprintf(published, sizeof published, "%s/log", directory);
    bench_check(sign_init(), "signature library");
    sign_key_from_seed(&key, seed);
    const struct oversight_conf conf = {.wal_directory = wal,
                                        .log_directory = published,
                                        .origin = "oversight.bench/here/2026",
                                        .key = &key,
                                        .segment_bytes = 67108864,
                                        .queue_entries = 2 * FLIGHT,
                                        .checkpoint_interval_ns = NS_PER_S / 20};
    struct oversight *log = NULL;
    struct oversight_recovery recovery;
    check_err(oversight_open(&conf, &log, &recovery), "open");
    write_entries(log, count - 1);
    oversight_close(&log);
}

/* ---- the ceiling: the same bytes, read and hashed ---- */

struct pile {
    char (*paths)[DURABLE_PATH_BYTES];
    uint64_t count;
    uint64_t bytes;
    uint64_t next; /* the first that nobody has taken */
    pthread_mutex_t lock;
};

static void pile_find(struct pile *self, const char *directory)
{
    char root[DURABLE_PATH_BYTES];
    (void)snprintf(root, sizeof root, "%s/log", directory);
    char *const roots[] = {root, NULL};
    uint64_t capacity = 0;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    bench_check(walk != NULL, "%s: %s", root, strerror(errno));
    for (FTSENT *found = fts_read(walk); found != NULL; found = fts_read(walk)) {
        if (found->fts_info != FTS_F) {
            continue;
        }
        if (self->count == capacity) {
            capacity = capacity == 0 ? 1024 : 2 * capacity;
            self->paths = reallocarray(self->paths, capacity, sizeof *self->paths);
            bench_check(self->paths != NULL, "no memory");
        }
        (void)snprintf(self->paths[self->count++], DURABLE_PATH_BYTES, "%s", found->fts_path);
        self->bytes += (uint64_t)found->fts_statp->st_size;
    }
    (void)fts_close(walk);
    must(pthread_mutex_init(&self->lock, NULL) == 0);
}

static void *pile_hash(void *arg)
{
    struct pile *self = arg;
    for (;;) {
        uint8_t *bytes = NULL;
        size_t bytes_count = 0;
        uint8_t digest[HASH_BYTES];
        must(pthread_mutex_lock(&self->lock) == 0);
        uint64_t at = self->next++;
        must(pthread_mutex_unlock(&self->lock) == 0);
        if (at >= self->count) {
            return NULL;
        }
        check_err(durable_read(self->paths[at], 1u << 26, &bytes, &bytes_count), self->paths[at]);
        sha256_of(bytes, bytes_count, digest);
        free(bytes);
    }
}

static double pile_seconds(struct pile *self, long threads_count)
{
    pthread_t threads[64];
    int64_t began_ns = clock_monotonic_ns();
    self->next = 0;
    for (long i = 0; i < threads_count; i++) {
        must(pthread_create(&threads[i], NULL, pile_hash, self) == 0);
    }
    for (long i = 0; i < threads_count; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    return (double)(clock_monotonic_ns() - began_ns) / 1e9;
}

/* ---- triage-verify ---- */

static double verify_seconds(const char *directory, double *memory_mb)
{
    char program[PORT_PATH_BYTES];
    struct rusage usage;
    int status = 0;
    port_program("triage-verify", program);
    int64_t began_ns = clock_monotonic_ns();
    pid_t child = fork();
    bench_check(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)execl(program, "triage-verify", "--quiet", directory, (char *)NULL);
        _exit(127);
    }
    bench_check(wait4(child, &status, 0, &usage) == child, "wait: %s", strerror(errno));
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    bench_check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "triage-verify finds problems");
    *memory_mb = (double)usage.ru_maxrss / 1024;
    return took_s;
}

struct seen {
    struct rounds seconds;
    struct rounds rate;
    struct rounds memory;
    struct rounds one_s;
    struct rounds all_s;
};

static void report(const struct seen *seen, const struct pile *pile, uint64_t entries, bool as_json)
{
    struct rounds aim = {.count = 0};
    struct rounds all_rate = {.count = 0};
    rounds_add(&aim, aim_s * (double)entries / 1e6);
    for (uint32_t i = 0; i < seen->all_s.count; i++) {
        rounds_add(&all_rate, (double)entries / seen->all_s.values[i]);
    }
    const struct figure figures[] = {
        {"verify.whole_log", &seen->seconds, "s", "aim", &aim, rounds_median(&seen->all_s),
         "read and SHA-256, all processors"},
        {"verify.rate", &seen->rate, "entries/s", "read and SHA-256, all processors", &all_rate, 0,
         NULL},
        {"verify.memory", &seen->memory, "MB", NULL, NULL, 0, NULL},
        {"verify.read_and_hash_one_thread", &seen->one_s, "s", NULL, NULL, 0, NULL},
    };
    if (!as_json) {
        printf("%" PRIu64 " entries, %.1f MB of tiles, bundles and checkpoints\n", entries,
               (double)pile->bytes / 1e6);
    }
    figure_head(as_json);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        figure_print(&figures[i], as_json);
    }
}

int main(int argc, char **argv)
{
    const char *parent = "/tmp";
    uint64_t entries = 0;
    bool as_json = false;
    bool quick = false;
    bool keep = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--keep") == 0) {
            keep = true;
        } else if (strcmp(argv[i], "--entries") == 0 && i + 1 < argc) {
            entries = strtoull(argv[++i], NULL, 10);
        } else {
            parent = argv[i];
        }
    }
    entries = entries != 0 ? entries : quick ? 100000 : 1000000;
    diag_set_level(DIAG_WARN);
    char directory[256];
    (void)snprintf(directory, sizeof directory, "%s/bench-verify-XXXXXX", parent);
    bench_check(mkdtemp(directory) != NULL, "%s: %s", parent, strerror(errno));
    make_log(directory, entries);
    static struct pile pile;
    static struct seen seen;
    pile_find(&pile, directory);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (uint32_t round = 0; round < (quick ? ROUNDS_QUICK : ROUNDS); round++) {
        double memory_mb = 0;
        rounds_add(&seen.one_s, pile_seconds(&pile, 1));
        rounds_add(&seen.all_s, pile_seconds(&pile, processors < 64 ? processors : 64));
        double took_s = verify_seconds(directory, &memory_mb);
        rounds_add(&seen.seconds, took_s);
        rounds_add(&seen.rate, (double)entries / took_s);
        rounds_add(&seen.memory, memory_mb);
    }
    report(&seen, &pile, entries, as_json);
    free(pile.paths);
    if (keep) {
        fprintf(stderr, "kept: %s\n", directory);
    } else {
        port_remove_tree(directory);
    }
    return 0;
}
