/* SPDX-License-Identifier: Apache-2.0 */
/* Bench log: entries a second and the time from submit to durable, at exactly 1, 16, 64 and 1024
 * entries a commit, one commit at a time, beside SQLite with the same bytes and beside bare writes
 * to the same disk.
 *
 * What each does for a commit of N entries. Ours: stamps index and time, CRC-32C and the SHA-256
 * chain over the group, one durable write of the group, one of its slot in the commit index, the
 * answer; then, while the next commit forms, the RFC 6962 leaves; tiles and a signed checkpoint
 * once a second, by a thread that shares the processors. SQLite: BEGIN, N prepared inserts of
 * index, entry and its SHA-256 computed by us, COMMIT; WAL mode, synchronous=FULL, checkpointing as
 * it is by default; no tree and nothing signed. Bare: the two O_DIRECT|O_DSYNC writes alone, of as
 * many bytes.
 *
 * A commit of N entries is also what becomes of N submitters who each wait for an entry of their
 * own: the log puts them into one group by itself. SQLite has one writer and no group commit, so
 * its clients pay N transactions; that is the second peer ("waiting"). The first one has somebody
 * before it who gathers entries, as our committer does, and gives up on errors of single ones.
 *
 * All take turns and every figure is the median of the rounds: a disk that is shared or
 * throttled changes its speed within seconds. Entries have 200 bytes, as those of received records,
 * which are the ones that somebody waits for.
 *
 * bench_log [--json] [--quick] [DIRECTORY]: files are made below DIRECTORY (/tmp) and removed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "bench/port.h"
#include "oversight/oversight.h"

enum {
    ENTRY_BYTES = 200,
    STAMP_BYTES = 14, /* of an index below 2^21 and a time of this century */
    REST_BYTES = ENTRY_BYTES - STAMP_BYTES,
    BATCH_MAX = 1024,
    COMMITS_MAX = 1000,
    ROUNDS = 7,
    ROUNDS_QUICK = 3,
    ALONE_ENTRIES = 1024, /* of the peer that commits each by itself */
    RAW_BYTES = 67108864,
    RAW_SPAN_MAX = 262144 + 4096
};

static const struct {
    uint32_t batch;
    uint32_t commits; /* a round */
} shapes[] = {{1, 1000}, {16, 500}, {64, 300}, {1024, 80}};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* One who commits: the rounds of each figure. */
struct runs {
    struct rounds rate; /* entries a second */
    struct rounds p50_us;
    struct rounds p99_us;
};

static void check_err(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static void keep(struct runs *runs, uint64_t entries, int64_t took_ns, double *each_us,
                 size_t each_count)
{
    rounds_add(&runs->rate, (double)entries / ((double)took_ns / 1e9));
    rounds_add(&runs->p50_us, quantile_of(each_us, each_count, 0.5));
    rounds_add(&runs->p99_us, quantile_of(each_us, each_count, 0.99));
}

static double since_us(int64_t began_ns)
{
    return (double)(clock_monotonic_ns() - began_ns) / 1000;
}

/* A received record of exactly so many bytes; its id is its number. The log reads what it
 * publishes, so it must be an entry. */
static void make_rest(uint64_t number, uint8_t out[REST_BYTES])
{
    static uint8_t rest[REST_BYTES];
    static const size_t id_at = 2; /* behind key and length of the first field */
    if (rest[0] == 0) {
        char publisher[REST_BYTES];
        struct entry entry = {.type = ENTRY_DECLARATION_RECEIVED, .actor = "daemon"};
        entry.body.received = (struct entry_received){
            .publisher = publisher, .stream = "lane-3", .mode = MODE_MAIL, .site = "port-1"};
        memset(entry.id, 0x11, sizeof entry.id);
        size_t bytes_count = 0;
        for (size_t padding = 1; padding < REST_BYTES && bytes_count != REST_BYTES; padding++) {
            memset(publisher, 'p', padding);
            publisher[padding] = '\0';
            bytes_count = entry_encode_rest(&entry, rest, sizeof rest);
        }
        bench_check(bytes_count == REST_BYTES && rest[id_at] == 0x11 && rest[id_at + 15] == 0x11,
                    "no entry has %d bytes", REST_BYTES);
    }
    memcpy(out, rest, REST_BYTES);
    memcpy(out + id_at + 8, &number, sizeof number);
}

/* ---- ours ---- */

struct ours {
    struct oversight *log;
    struct oversight_draft *drafts;
    struct queue *done;
    uint64_t number;
};

static void ours_open(struct ours *self, const char *directory)
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
                                        .queue_entries = 8192,
                                        .checkpoint_interval_ns = NS_PER_S};
    struct oversight_recovery recovery;
    check_err(oversight_open(&conf, &self->log, &recovery), "open");
    check_err(queue_open(BATCH_MAX, &self->done), "queue");
    self->drafts = calloc(BATCH_MAX, sizeof *self->drafts);
    bench_check(self->drafts != NULL, "no memory");
}

/* The next commit is submitted when all of the one before are durable. */
static void ours_run(struct ours *self, uint32_t batch, uint32_t commits, struct runs *runs)
{
    static double each_us[COMMITS_MAX * (size_t)BATCH_MAX];
    struct oversight_draft *submitted[BATCH_MAX];
    void *back[BATCH_MAX];
    uint64_t groups_before = counter_value(COUNTER_log_groups);
    size_t each_count = 0;
    int64_t began_ns = clock_monotonic_ns();
    for (uint32_t c = 0; c < commits; c++) {
        for (uint32_t i = 0; i < batch; i++) {
            submitted[i] = &self->drafts[i];
            make_rest(self->number++, submitted[i]->rest);
            submitted[i]->rest_bytes = REST_BYTES;
            submitted[i]->done = self->done;
        }
        int64_t at_ns = clock_monotonic_ns();
        check_err(oversight_submit(self->log, submitted, batch), "submit");
        for (uint32_t returned = 0; returned < batch;) {
            uint32_t count = queue_take(self->done, back, BATCH_MAX, -1);
            double took_us = since_us(at_ns);
            for (uint32_t i = 0; i < count; i++) {
                each_us[each_count++] = took_us;
            }
            returned += count;
        }
    }
    keep(runs, each_count, clock_monotonic_ns() - began_ns, each_us, each_count);
    uint64_t groups = counter_value(COUNTER_log_groups) - groups_before;
    bench_check(groups == commits, "%" PRIu64 " groups for %" PRIu32 " commits", groups, commits);
}

static void ours_close(struct ours *self)
{
    oversight_close(&self->log);
    queue_free(&self->done);
    free(self->drafts);
}

/* ---- SQLite ---- */

struct theirs {
    sqlite3 *base;
    sqlite3_stmt *insert;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    uint64_t number;
};

static void theirs_do(struct theirs *self, const char *sql)
{
    bench_check(sqlite3_exec(self->base, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                sqlite3_errmsg(self->base));
}

static void theirs_prepare(struct theirs *self, const char *sql, sqlite3_stmt **out)
{
    bench_check(sqlite3_prepare_v2(self->base, sql, -1, out, NULL) == SQLITE_OK, "%s: %s", sql,
                sqlite3_errmsg(self->base));
}

static void theirs_open(struct theirs *self, const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/peer.db", directory);
    bench_check(sqlite3_open(path, &self->base) == SQLITE_OK, "%s", path);
    theirs_do(self, "PRAGMA journal_mode=WAL");
    theirs_do(self, "PRAGMA synchronous=FULL");
    theirs_do(self, "CREATE TABLE entries(n INTEGER PRIMARY KEY, entry BLOB, sha256 BLOB)");
    theirs_prepare(self, "INSERT INTO entries VALUES(?1, ?2, ?3)", &self->insert);
    theirs_prepare(self, "BEGIN", &self->begin);
    theirs_prepare(self, "COMMIT", &self->commit);
}

static void theirs_step(struct theirs *self, sqlite3_stmt *statement)
{
    bench_check(sqlite3_step(statement) == SQLITE_DONE, "sqlite: %s", sqlite3_errmsg(self->base));
    (void)sqlite3_reset(statement);
}

/* The bytes that our log writes for an entry: the stamp's, then the rest. */
static void theirs_insert(struct theirs *self)
{
    uint8_t entry[ENTRY_BYTES] = {8, 1};
    uint8_t sha256[HASH_BYTES];
    make_rest(self->number, entry + STAMP_BYTES);
    sha256_of(entry, sizeof entry, sha256);
    (void)sqlite3_bind_int64(self->insert, 1, (sqlite3_int64)self->number++);
    (void)sqlite3_bind_blob(self->insert, 2, entry, sizeof entry, SQLITE_STATIC);
    (void)sqlite3_bind_blob(self->insert, 3, sha256, sizeof sha256, SQLITE_STATIC);
    theirs_step(self, self->insert);
}

static void theirs_run(struct theirs *self, uint32_t batch, uint32_t commits, struct runs *runs)
{
    static double each_us[COMMITS_MAX]; /* all entries of a commit have its time */
    int64_t began_ns = clock_monotonic_ns();
    for (uint32_t c = 0; c < commits; c++) {
        int64_t at_ns = clock_monotonic_ns();
        theirs_step(self, self->begin);
        for (uint32_t i = 0; i < batch; i++) {
            theirs_insert(self);
        }
        theirs_step(self, self->commit);
        each_us[c] = since_us(at_ns);
    }
    keep(runs, (uint64_t)batch * commits, clock_monotonic_ns() - began_ns, each_us, commits);
}

/* The same by those who each wait for an entry of their own, all handing in at once: SQLite has one
 * writer, which commits for one after the other. */
static void theirs_run_alone(struct theirs *self, uint32_t batch, uint32_t commits,
                             struct runs *runs)
{
    static double each_us[COMMITS_MAX * (size_t)BATCH_MAX];
    size_t each_count = 0;
    int64_t began_ns = clock_monotonic_ns();
    for (uint32_t c = 0; c < commits; c++) {
        int64_t at_ns = clock_monotonic_ns();
        for (uint32_t i = 0; i < batch; i++) {
            theirs_step(self, self->begin);
            theirs_insert(self);
            theirs_step(self, self->commit);
            each_us[each_count++] = since_us(at_ns);
        }
    }
    keep(runs, each_count, clock_monotonic_ns() - began_ns, each_us, each_count);
}

static void theirs_close(struct theirs *self)
{
    (void)sqlite3_finalize(self->insert);
    (void)sqlite3_finalize(self->begin);
    (void)sqlite3_finalize(self->commit);
    bench_check(sqlite3_close(self->base) == SQLITE_OK, "sqlite: close");
}

/* ---- bare writes ---- */

struct bare {
    int fd;
    uint8_t *block;
    uint64_t offset;
};

static void bare_write(const struct bare *self, size_t bytes_count, uint64_t offset)
{
    check_err(durable_write_at(self->fd, self->block, bytes_count, offset), "bare write");
}

/* A file that was zeroed before, as the log's segments are. */
static void bare_open(struct bare *self, const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/bare", directory);
    self->block = aligned_alloc(4096, RAW_SPAN_MAX);
    bench_check(self->block != NULL, "no memory");
    memset(self->block, 0, RAW_SPAN_MAX);
    self->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    bench_check(self->fd >= 0, "%s: %s", path, strerror(errno));
    for (uint64_t at = 0; at + 262144 <= RAW_BYTES; at += 262144) {
        bare_write(self, 262144, at);
    }
    check_err(durable_sync(self->fd), "sync");
    (void)close(self->fd);
    memset(self->block, 0x5a, RAW_SPAN_MAX);
    self->fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    bench_check(self->fd >= 0, "%s: %s", path, strerror(errno));
    self->offset = 4096;
}

static void bare_run(struct bare *self, uint32_t batch, uint32_t commits, struct runs *runs)
{
    static double each_us[COMMITS_MAX];
    uint64_t span = (64 + (uint64_t)batch * (2 + ENTRY_BYTES) + 4095) / 4096 * 4096;
    int64_t began_ns = clock_monotonic_ns();
    for (uint32_t c = 0; c < commits; c++) {
        int64_t at_ns = clock_monotonic_ns();
        self->offset = self->offset + span > RAW_BYTES ? 4096 : self->offset;
        bare_write(self, span, self->offset);
        bare_write(self, 4096, 0); /* the slot of the commit index */
        self->offset += span;
        each_us[c] = since_us(at_ns);
    }
    keep(runs, (uint64_t)batch * commits, clock_monotonic_ns() - began_ns, each_us, commits);
}

static void bare_close(struct bare *self)
{
    (void)close(self->fd);
    free(self->block);
}

/* ---- the table ---- */

struct table {
    struct runs ours[SHAPES];
    struct runs theirs[SHAPES]; /* a transaction a commit */
    struct runs alone[SHAPES];  /* a transaction an entry */
    struct runs bare[SHAPES];
};

static void tell(const char *name, uint32_t batch, const struct rounds rounds[3], const char *unit,
                 bool as_json)
{
    char full_name[64];
    (void)snprintf(full_name, sizeof full_name, "log.%" PRIu32 "_a_commit.%s", batch, name);
    const struct figure figure = {full_name,
                                  &rounds[0],
                                  unit,
                                  "SQLite, WAL, synchronous=FULL",
                                  &rounds[1],
                                  rounds_median(&rounds[2]),
                                  "two bare direct writes"};
    figure_print(&figure, as_json);
}

static void tell_alone(const struct table *table, uint32_t s, bool as_json)
{
    char name[64];
    (void)snprintf(name, sizeof name, "log.%" PRIu32 "_waiting.rate", shapes[s].batch);
    const struct figure rate = {name,
                                &table->ours[s].rate,
                                "entries/s",
                                "SQLite, a transaction an entry",
                                &table->alone[s].rate,
                                0,
                                NULL};
    figure_print(&rate, as_json);
    (void)snprintf(name, sizeof name, "log.%" PRIu32 "_waiting.p50", shapes[s].batch);
    const struct figure p50 = {name,
                               &table->ours[s].p50_us,
                               "us",
                               "SQLite, a transaction an entry",
                               &table->alone[s].p50_us,
                               0,
                               NULL};
    figure_print(&p50, as_json);
}

static void tell_aim(const char *name, const struct rounds *value, const char *unit, double aim,
                     bool as_json)
{
    struct rounds aims = {.count = 0};
    rounds_add(&aims, aim);
    const struct figure figure = {name, value, unit, "aim", &aims, 0, NULL};
    figure_print(&figure, as_json);
}

static void report(const struct table *table, bool as_json)
{
    struct rounds times = {.count = 0};
    struct rounds batched = {.count = 0};
    figure_head(as_json);
    for (uint32_t s = 0; s < SHAPES; s++) {
        const struct runs *runs[] = {&table->ours[s], &table->theirs[s], &table->bare[s]};
        const struct rounds rate[] = {runs[0]->rate, runs[1]->rate, runs[2]->rate};
        const struct rounds p50[] = {runs[0]->p50_us, runs[1]->p50_us, runs[2]->p50_us};
        const struct rounds p99[] = {runs[0]->p99_us, runs[1]->p99_us, runs[2]->p99_us};
        tell("rate", shapes[s].batch, rate, "entries/s", as_json);
        tell("p50", shapes[s].batch, p50, "us", as_json);
        tell("p99", shapes[s].batch, p99, "us", as_json);
    }
    for (uint32_t s = 1; s < SHAPES; s++) {
        tell_alone(table, s, as_json);
    }
    for (uint32_t i = 0; i < table->ours[1].rate.count; i++) {
        rounds_add(&times, table->ours[1].rate.values[i] / table->alone[1].rate.values[i]);
        rounds_add(&batched, table->ours[1].rate.values[i] / table->theirs[1].rate.values[i]);
    }
    tell_aim("log.1_a_commit.p50 (at most the aim)", &table->ours[0].p50_us, "us", 300, as_json);
    tell_aim("log.1_a_commit.p99 (at most the aim)", &table->ours[0].p99_us, "us", 20000, as_json);
    tell_aim("log.16_a_commit.rate (at least the aim)", &table->ours[1].rate, "entries/s", 100000,
             as_json);
    tell_aim("log.16_a_commit.over_sqlite (at least)", &times, "times", 5, as_json);
    tell_aim("log.16_a_commit.over_sqlite_batched", &batched, "times", 5, as_json);
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
    char directory[256];
    (void)snprintf(directory, sizeof directory, "%s/bench-log-XXXXXX", parent);
    bench_check(mkdtemp(directory) != NULL, "%s: %s", parent, strerror(errno));
    static struct table table;
    struct ours ours = {.number = 0};
    struct theirs theirs = {.number = 0};
    struct bare bare = {.fd = -1};
    ours_open(&ours, directory);
    theirs_open(&theirs, directory);
    bare_open(&bare, directory);
    for (uint32_t round = 0; round < (quick ? ROUNDS_QUICK : ROUNDS); round++) {
        for (uint32_t s = 0; s < SHAPES; s++) {
            uint32_t commits = quick ? shapes[s].commits / 4 : shapes[s].commits;
            ours_run(&ours, shapes[s].batch, commits, &table.ours[s]);
            theirs_run(&theirs, shapes[s].batch, commits, &table.theirs[s]);
            uint32_t alone = ALONE_ENTRIES / shapes[s].batch;
            theirs_run_alone(&theirs, shapes[s].batch, alone > 0 ? alone : 1, &table.alone[s]);
            bare_run(&bare, shapes[s].batch, commits, &table.bare[s]);
        }
    }
    report(&table, as_json);
    ours_close(&ours);
    theirs_close(&theirs);
    bare_close(&bare);
    port_remove_tree(directory);
    return 0;
}
