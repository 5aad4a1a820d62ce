/* SPDX-License-Identifier: Apache-2.0 */
/* Bench oversight: entries a second and latency from submit to done, one and many entries in
 * flight, beside what the same disk gives to bare O_DIRECT|O_DSYNC writes.
 *
 * Bare writes and log take turns, and every figure is the median of the rounds: a disk that is
 * shared or throttled changes its speed within seconds, and a peer measured once, before or after,
 * then says nothing. The table shows the spread. A lone entry costs two durable writes of one
 * block, so half the rate of bare 4 KiB writes is the ceiling for one in flight; the bandwidth of
 * bare 256 KiB writes is the ceiling for many.
 *
 * bench_oversight [--json] [--entries COUNT] [DIRECTORY]: files are made below DIRECTORY (/tmp) and
 * removed. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/durable.h"
#include "bench/port.h"
#include "oversight/oversight.h"

#define ENTRY_BYTES 300u
#define SINGLE_COUNT 1000u /* a round */
#define ROUNDS 7u
#define FLIGHT 4096u
#define RAW_FILE_BYTES 67108864u
#define RAW_BIG_BYTES 262144u

static bool as_json;

static void bench_stop(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    fprintf(stderr, "bench_oversight: %s: %s\n", what, err_text(err, text));
    exit(1);
}

static int bench_compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double bench_quantile_us(int64_t *took_ns, size_t count, double share)
{
    qsort(took_ns, count, sizeof *took_ns, bench_compare);
    return (double)took_ns[(size_t)(share * (double)(count - 1))] / 1000.0;
}

struct figure {
    double rounds[ROUNDS];
};

static int bench_compare_double(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the rounds: lowest first, median in the middle. */
static double bench_median(struct figure *figure)
{
    qsort(figure->rounds, ROUNDS, sizeof figure->rounds[0], bench_compare_double);
    return figure->rounds[ROUNDS / 2];
}

static void bench_tell(const char *name, struct figure *figure, const char *unit,
                       struct figure *peer, double ceiling)
{
    static const char peer_name[] = "raw 4 KiB O_DIRECT|O_DSYNC write";
    double value = bench_median(figure);
    double peer_value = bench_median(peer);
    if (as_json) {
        printf("{\"name\":\"oversight.%s\",\"value\":%.3f,\"unit\":\"%s\",\"peer\":\"%s\",\"peer_"
               "value\":%.3f,"
               "\"ratio\":%.4f,\"ceiling\":%.3f}\n",
               name, value, unit, peer_name, peer_value, value / peer_value, ceiling);
    } else {
        printf("%-10s %11.1f %-9s %10.1f..%-10.1f %10.1f %10.1f..%-10.1f %8.3f %11.1f\n", name,
               value, unit, figure->rounds[0], figure->rounds[ROUNDS - 1], peer_value,
               peer->rounds[0], peer->rounds[ROUNDS - 1], value / peer_value, ceiling);
    }
}

struct raw {
    int fd;
    uint8_t *block;
    struct figure small_rate; /* 4 KiB writes a second */
    struct figure small_p50_us;
    struct figure small_p99_us;
    struct figure big_rate; /* bytes a second in 256 KiB writes */
};

/* A file that was zeroed before, as the log does it. */
static void bench_raw_open(struct raw *raw, const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/raw", directory);
    raw->block = aligned_alloc(4096, RAW_BIG_BYTES);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    if (raw->block == NULL || fd < 0) {
        bench_stop(err_os(ERR_IO, "open raw file"), "raw");
    }
    memset(raw->block, 0, RAW_BIG_BYTES);
    struct err err = err_none;
    for (uint64_t at = 0; at < RAW_FILE_BYTES && !err_is(err); at += RAW_BIG_BYTES) {
        err = durable_write_at(fd, raw->block, RAW_BIG_BYTES, at);
    }
    if (err_is(err) || err_is(err = durable_sync(fd))) {
        bench_stop(err, "raw");
    }
    (void)close(fd);
    memset(raw->block, 0x5a, RAW_BIG_BYTES);
    raw->fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    if (raw->fd < 0) {
        bench_stop(err_os(ERR_IO, "open raw file"), "raw");
    }
}

static void bench_raw_write(const struct raw *raw, size_t bytes_count, uint64_t offset)
{
    struct err err = durable_write_at(raw->fd, raw->block, bytes_count, offset);
    if (err_is(err)) {
        bench_stop(err, "raw");
    }
}

static void bench_raw_small(struct raw *raw, uint32_t round)
{
    static int64_t took_ns[SINGLE_COUNT];
    int64_t began_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < SINGLE_COUNT; i++) {
        int64_t at_ns = clock_monotonic_ns();
        bench_raw_write(raw, 4096, (uint64_t)i * 4096);
        took_ns[i] = clock_monotonic_ns() - at_ns;
    }
    raw->small_rate.rounds[round] =
        SINGLE_COUNT / ((double)(clock_monotonic_ns() - began_ns) / 1e9);
    raw->small_p50_us.rounds[round] = bench_quantile_us(took_ns, SINGLE_COUNT, 0.5);
    raw->small_p99_us.rounds[round] = bench_quantile_us(took_ns, SINGLE_COUNT, 0.99);
}

static void bench_raw_big(struct raw *raw, uint32_t round)
{
    int64_t began_ns = clock_monotonic_ns();
    for (uint64_t at = 0; at < RAW_FILE_BYTES; at += RAW_BIG_BYTES) {
        bench_raw_write(raw, RAW_BIG_BYTES, at);
    }
    raw->big_rate.rounds[round] =
        RAW_FILE_BYTES / ((double)(clock_monotonic_ns() - began_ns) / 1e9);
}

struct run {
    double rate; /* entries a second */
    double p50_us;
    double p99_us;
    double bytes_per_entry;
};

/* count entries with at most flight of them on their way. */
static struct run bench_run(struct oversight *log, uint32_t flight, uint64_t count)
{
    struct oversight_draft *drafts = calloc(flight, sizeof *drafts);
    struct oversight_draft **batch = calloc(flight, sizeof(struct oversight_draft *));
    void **things = calloc(flight, sizeof *things);
    int64_t *began = calloc(flight, sizeof *began);
    int64_t *took_ns = calloc(count, sizeof *took_ns);
    struct queue *done = NULL;
    struct err err = queue_open(flight, &done);
    if (drafts == NULL || batch == NULL || things == NULL || began == NULL || took_ns == NULL ||
        err_is(err)) {
        bench_stop(err_make(ERR_MEMORY, "bench_run"), "run");
    }
    uint64_t bytes_before = counter_value(COUNTER_log_bytes);
    uint64_t submitted = 0;
    uint64_t finished = 0;
    int64_t start_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < flight; i++) {
        memset(drafts[i].rest, 'e', ENTRY_BYTES - 16);
        drafts[i].rest_bytes = ENTRY_BYTES - 16; /* and about 16 of stamp */
        drafts[i].done = done;
        things[i] = &drafts[i];
    }
    uint32_t ready = flight;
    while (finished < count) {
        int64_t now_ns = clock_monotonic_ns();
        uint32_t batch_count = 0;
        for (uint32_t i = 0; i < ready && submitted < count; i++, submitted++) {
            batch[batch_count] = things[i];
            began[batch[batch_count] - drafts] = now_ns;
            batch_count++;
        }
        if (batch_count > 0 && err_is(err = oversight_submit(log, batch, batch_count))) {
            bench_stop(err, "submit");
        }
        ready = queue_take(done, things, flight, -1);
        now_ns = clock_monotonic_ns();
        for (uint32_t i = 0; i < ready; i++) {
            took_ns[finished++] = now_ns - began[(struct oversight_draft *)things[i] - drafts];
        }
    }
    struct run run;
    run.rate = (double)count / ((double)(clock_monotonic_ns() - start_ns) / 1e9);
    run.p50_us = bench_quantile_us(took_ns, count, 0.5);
    run.p99_us = bench_quantile_us(took_ns, count, 0.99);
    run.bytes_per_entry = (double)(counter_value(COUNTER_log_bytes) - bytes_before) / (double)count;
    queue_free(&done);
    free(drafts);
    free(batch);
    free(things);
    free(began);
    free(took_ns);
    return run;
}

struct runs {
    struct figure rate;
    struct figure p50_us;
    struct figure p99_us;
    double bytes_per_entry; /* of the last round */
};

static void bench_keep(struct runs *runs, uint32_t round, const struct run *run)
{
    runs->rate.rounds[round] = run->rate;
    runs->p50_us.rounds[round] = run->p50_us;
    runs->p99_us.rounds[round] = run->p99_us;
    runs->bytes_per_entry = run->bytes_per_entry;
}

static void bench_report(struct raw *raw, struct runs *one, struct runs *many)
{
    double many_ceiling = bench_median(&raw->big_rate) / many->bytes_per_entry;
    double flight_us = FLIGHT / many_ceiling * 1e6; /* a full flight at the disk's bandwidth */
    if (!as_json) {
        printf("%-10s %11s %-9s %22s %10s %22s %8s %11s\n", "figure", "median", "unit", "rounds",
               "raw 4 KiB", "its rounds", "ratio", "ceiling");
    }
    bench_tell("one.rate", &one->rate, "entries/s", &raw->small_rate,
               bench_median(&raw->small_rate) / 2);
    bench_tell("one.p50", &one->p50_us, "us", &raw->small_p50_us,
               2 * bench_median(&raw->small_p50_us));
    bench_tell("one.p99", &one->p99_us, "us", &raw->small_p99_us,
               2 * bench_median(&raw->small_p99_us));
    bench_tell("many.rate", &many->rate, "entries/s", &raw->small_rate, many_ceiling);
    bench_tell("many.p50", &many->p50_us, "us", &raw->small_p50_us, flight_us);
    bench_tell("many.p99", &many->p99_us, "us", &raw->small_p99_us, flight_us);
}

static void bench_log(const char *directory, uint64_t entries_count, struct raw *raw)
{
    char wal[DURABLE_PATH_BYTES];
    char published[DURABLE_PATH_BYTES];
    (void)snprintf(wal, sizeof wal, "%s/wal", directory);
    (void)snprintf(published, sizeof published, "%s/log", directory);
    static struct sign_key key;
    static const uint8_t seed[SIGN_SEED_BYTES] = {1};
    (void)sign_init();
    sign_key_from_seed(&key, seed);
    struct oversight_conf conf = {.wal_directory = wal,
                                  .log_directory = published,
                                  .origin = "oversight.bench/here/2026",
                                  .key = &key,
                                  .segment_bytes = 67108864,
                                  .queue_entries = 8192,
                                  .checkpoint_interval_ns = NS_PER_S};
    struct oversight *log = NULL;
    struct oversight_recovery recovery;
    struct err err = oversight_open(&conf, &log, &recovery);
    if (err_is(err)) {
        bench_stop(err, "oversight_open");
    }
    static struct runs one;
    static struct runs many;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct run run;
        bench_raw_small(raw, round);
        run = bench_run(log, 1, SINGLE_COUNT);
        bench_keep(&one, round, &run);
        bench_raw_big(raw, round);
        run = bench_run(log, FLIGHT, entries_count / ROUNDS + 1);
        bench_keep(&many, round, &run);
    }
    bench_report(raw, &one, &many);
    int64_t began_ns = clock_monotonic_ns();
    oversight_close(&log);
    double closing_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    if (!as_json) {
        printf("closing, with the last tiles and checkpoint: %.2f s\n", closing_s);
    }
}

int main(int argc, char **argv)
{
    const char *parent = "/tmp";
    uint64_t entries_count = 700000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--entries") == 0 && i + 1 < argc) {
            entries_count = strtoull(argv[++i], NULL, 10);
        } else {
            parent = argv[i];
        }
    }
    if (entries_count == 0 || entries_count > 100000000) {
        fprintf(stderr, "bench_oversight: --entries 1..100000000\n");
        return 2;
    }
    char directory[256];
    (void)snprintf(directory, sizeof directory, "%s/bench-oversight-XXXXXX", parent);
    if (mkdtemp(directory) == NULL) {
        bench_stop(err_os(ERR_IO, "make directory"), parent);
    }
    static struct raw raw;
    bench_raw_open(&raw, directory);
    bench_log(directory, entries_count, &raw);
    (void)close(raw.fd);
    free(raw.block);
    port_remove_tree(directory);
    return 0;
}
