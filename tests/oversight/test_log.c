/* SPDX-License-Identifier: Apache-2.0 */
#define FIXTURE_ON_DISK /* one of these tests keeps to what a disk allows and answers */
#include "fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void expect_numbers(const struct fixture *self, uint64_t from_index, uint64_t first_number,
                           uint64_t count)
{
    struct wal_reader *reader = NULL;
    struct wal_entry entry;
    bool got = false;
    assert_false(err_is(wal_reader_open(self->wal, &reader)));
    assert_false(err_is(wal_reader_seek(reader, from_index)));
    for (uint64_t i = 0; i < count; i++) {
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        assert_true(got);
        assert_int_equal(entry.entry_index, from_index + i);
        assert_int_equal(fixture_number(entry.bytes, entry.bytes_count), first_number + i);
    }
    assert_false(err_is(wal_reader_next(reader, &entry, &got)));
    assert_false(got);
    wal_reader_close(&reader);
}

static void open_of_nothing_begins_with_log_open(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    assert_true(fixture.recovery.created);
    assert_int_equal(fixture.recovery.size, 0);
    assert_int_equal(oversight_size(fixture.log), 1);
    assert_int_equal(oversight_published(fixture.log), 1);

    struct wal_reader *reader = NULL;
    struct wal_entry found;
    bool got = false;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    assert_false(err_is(wal_reader_next(reader, &found, &got)));
    assert_true(got);
    void *memory = malloc(ENTRY_ARENA_BYTES);
    struct arena arena;
    struct entry entry;
    arena_init(&arena, memory, ENTRY_ARENA_BYTES);
    assert_int_equal(entry_decode(found.bytes, found.bytes_count, &arena, &entry), ENTRY_GOOD);
    assert_int_equal(entry.v, 1);
    assert_int_equal(entry.n, 0);
    assert_true(entry.t_ns > 0);
    assert_int_equal(entry.type, ENTRY_LOG_OPEN);
    assert_string_equal(entry.body.log_open.origin, FIXTURE_ORIGIN);
    assert_int_equal(entry.body.log_open.format_version, 1);
    free(memory);
    wal_reader_close(&reader);
    naive_check(&fixture, 1);
    fixture_remove(&fixture);
}

static void entries_appended_before_closing_are_there_after_reopening(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 0, 700, 300);
    oversight_close(&fixture.log);
    naive_check(&fixture, 701); /* closing publishes */
    fixture_open(&fixture);
    assert_false(fixture.recovery.created);
    assert_int_equal(fixture.recovery.size, 701);
    assert_int_equal(fixture.recovery.torn_bytes, 0);
    fixture_append(&fixture, 700, 50, 40);
    expect_numbers(&fixture, 1, 0, 750);
    oversight_close(&fixture.log);
    naive_check(&fixture, 751);
    fixture_remove(&fixture);
}

/* Groups of over a megabyte force a new segment every time; root and chain must carry over, with
 * and without tiles. */
static void entries_across_many_segments_read_back_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 0, 900, 8000);
    oversight_close(&fixture.log);
    char last[160];
    fixture_last_segment(&fixture, last, sizeof last);
    assert_null(strstr(last, "00000000000000000000.seg"));
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, 901);
    expect_numbers(&fixture, 1, 0, 900);
    expect_numbers(&fixture, 898, 897, 3);
    fixture_append(&fixture, 900, 200, 8000);
    oversight_close(&fixture.log);
    fixture_run("rm -rf '%s/tile'", fixture.published);
    fixture_open(&fixture); /* from the first segment on, as no tile is there */
    assert_int_equal(fixture.recovery.size, 1101);
    expect_numbers(&fixture, 1, 0, 1100);
    naive_check(&fixture, 1101);
    fixture_remove(&fixture);
}

static void private_records_come_back_with_their_entries_and_are_not_published(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    enum { COUNT = 40 };
    static const char secret[] = "plate AB-123-CD of entry";
    static struct oversight_draft drafts[COUNT];
    static uint8_t private_bytes[COUNT][WAL_PRIVATE_BYTES_MAX];
    struct oversight_draft *batch[COUNT];
    struct queue *done = NULL;
    assert_false(err_is(queue_open(COUNT, &done)));
    for (uint32_t i = 0; i < COUNT;
         i++) { /* every third has none, the biggest force several groups */
        fixture_fill(&drafts[i], i, 100);
        memset(private_bytes[i], (int)i, sizeof private_bytes[i]);
        memcpy(private_bytes[i], secret, sizeof secret);
        drafts[i].private_bytes = i % 3 == 2 ? NULL : private_bytes[i];
        drafts[i].private_count = i % 3 == 0 ? (uint32_t)sizeof private_bytes[i] : 64;
        memset(drafts[i].private_sha256, (int)(i + 100), HASH_BYTES);
        drafts[i].done = done;
        batch[i] = &drafts[i];
    }
    assert_false(err_is(oversight_submit(fixture.log, batch, COUNT)));
    for (uint32_t back = 0; back < COUNT;) {
        void *things[COUNT];
        back += queue_take(done, things, COUNT, 60 * NS_PER_S);
    }
    struct wal_reader *reader = NULL;
    struct wal_entry entry;
    bool got = false;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    assert_false(err_is(wal_reader_seek(reader, 1)));
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        assert_true(got);
        assert_int_equal(fixture_number(entry.bytes, entry.bytes_count), i);
        if (i % 3 == 2) {
            assert_null(entry.private_bytes);
            continue;
        }
        assert_int_equal(entry.private_count, drafts[i].private_count);
        assert_memory_equal(entry.private_bytes, private_bytes[i], entry.private_count);
        assert_int_equal(entry.private_sha256[31], i + 100);
    }
    wal_reader_close(&reader);
    queue_free(&done);
    oversight_close(&fixture.log);
    naive_check(&fixture, COUNT + 1);
    fixture_run("! grep -rq 'plate AB-123' '%s'", fixture.published);
    fixture_run("grep -rq 'plate AB-123' '%s'", fixture.wal);
    fixture_remove(&fixture);
}

static void drafts_out_of_bounds_are_refused_and_nothing_is_written(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    static struct oversight_draft draft;
    uint8_t byte = 0;
    draft.rest_bytes = 0;
    assert_int_equal(oversight_submit_and_wait(fixture.log, &draft).code, ERR_ARGUMENT);
    draft.rest_bytes = sizeof draft.rest + 1;
    assert_int_equal(oversight_submit_and_wait(fixture.log, &draft).code, ERR_ARGUMENT);
    draft.rest_bytes = sizeof draft.rest;
    draft.private_bytes = &byte;
    draft.private_count = WAL_PRIVATE_BYTES_MAX + 1;
    assert_int_equal(oversight_submit_and_wait(fixture.log, &draft).code, ERR_ARGUMENT);
    draft.private_bytes = NULL;
    assert_int_equal(oversight_size(fixture.log), 1);
    assert_false(err_is(oversight_submit_and_wait(fixture.log, &draft))); /* the largest is fine */
    assert_int_equal(draft.entry_index, 1);
    fixture_remove(&fixture);
}

static void reader_seeks_forwards_backwards_and_not_beyond_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 2000, 2000); /* entry n has number n; several segments */
    struct wal_reader *reader = NULL;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    static const uint64_t stops[] = {2000, 1,   1999, 64, 65,   66,  1000, 999,
                                     998,  500, 1,    2,  2000, 400, 401,  1500};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        struct wal_entry entry;
        bool got = false;
        assert_false(err_is(wal_reader_seek(reader, stops[i])));
        for (uint64_t n = stops[i]; n < stops[i] + 3 && n <= 2000; n++) {
            assert_false(err_is(wal_reader_next(reader, &entry, &got)));
            assert_true(got);
            assert_int_equal(entry.entry_index, n);
            assert_int_equal(fixture_number(entry.bytes, entry.bytes_count), n);
        }
    }
    assert_int_equal(wal_reader_seek(reader, 2002).code, ERR_NOT_FOUND);
    assert_false(err_is(wal_reader_seek(reader, 2001))); /* the end itself: what comes next */
    struct wal_entry entry;
    bool got = true;
    assert_false(err_is(wal_reader_next(reader, &entry, &got)));
    assert_false(got);
    (void)fixture_append_one(&fixture, 2001, 64);
    assert_false(err_is(wal_reader_next(reader, &entry, &got)));
    assert_true(got);
    assert_int_equal(fixture_number(entry.bytes, entry.bytes_count), 2001);
    wal_reader_close(&reader);
    fixture_remove(&fixture);
}

/* One thread appends groups of one, this one follows: every entry once, in order, none too early.
 */
struct follow {
    struct fixture *fixture;
    uint64_t count;
};

static void *follow_append(void *argument)
{
    struct follow *follow = argument;
    for (uint64_t i = 1; i <= follow->count; i++) {
        (void)fixture_append_one(follow->fixture, i, 3000);
    }
    return NULL;
}

static void reader_following_live_sees_every_entry_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    struct follow follow = {&fixture, 600}; /* over two segments of one-block groups */
    pthread_t appender;
    struct wal_reader *reader = NULL;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    assert_int_equal(pthread_create(&appender, NULL, follow_append, &follow), 0);
    for (uint64_t next = 0; next <= follow.count;) {
        struct wal_entry entry;
        bool got = false;
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        if (!got) {
            (void)oversight_wait(fixture.log, next, NS_PER_S);
            continue;
        }
        assert_int_equal(entry.entry_index, next);
        assert_int_equal(fixture_number(entry.bytes, entry.bytes_count),
                         next == 0 ? UINT64_MAX : next);
        next++;
    }
    assert_int_equal(pthread_join(appender, NULL), 0);
    wal_reader_close(&reader);
    fixture_remove(&fixture);
}

static void log_held_by_another_process_is_locked(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct oversight *second = NULL;
        struct oversight_recovery recovery;
        struct err err = oversight_open(&fixture.conf, &second, &recovery);
        _exit(err.code == ERR_LOCKED ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fixture_append(&fixture, 0, 3, 64); /* the holder is not disturbed */
    fixture_remove(&fixture);
}

/* No write beyond 16 KiB of a file succeeds from now on: the disk's refusal, as far as the log can
 * tell. */
static void write_error_stops_the_log_and_loses_nothing_answered(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {16384, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    static struct oversight_draft draft;
    uint64_t answered = 1;
    struct err err = err_none;
    while (!err_is(err) && answered < 10) {
        fixture_fill(&draft, answered, 64);
        err = oversight_submit_and_wait(fixture.log, &draft);
        answered += err_is(err) ? 0 : 1;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(answered > 1 && answered < 10);
    assert_int_equal(err.code, ERR_WAL_WRITE);
    assert_int_equal(oversight_failure(fixture.log).code, ERR_WAL_WRITE);
    assert_int_equal(oversight_submit_and_wait(fixture.log, &draft).code,
                     ERR_CLOSED); /* never again, room or not */
    assert_int_equal(oversight_publish(fixture.log).code, ERR_WAL_WRITE);
    assert_int_equal(oversight_wait(fixture.log, answered, 60 * NS_PER_S), answered);
    oversight_close(&fixture.log);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, answered);
    expect_numbers(&fixture, 1, 1, answered - 1);
    fixture_remove(&fixture);
}

/* Drafts of one call come back together; each still gets its own index, in its own owner's queue.
 */
static void drafts_of_one_call_come_back_each_with_its_index(void **state)
{
    enum { DRAFTS = 90, OWNERS = 2 };
    (void)state;
    struct fixture fixture;
    struct queue *queues[OWNERS];
    struct oversight_draft *drafts = calloc(DRAFTS, sizeof *drafts);
    struct oversight_draft *batch[DRAFTS];
    fixture_make(&fixture);
    fixture_open(&fixture);
    assert_non_null(drafts);
    for (uint32_t i = 0; i < OWNERS; i++) {
        assert_false(err_is(queue_open(DRAFTS, &queues[i])));
    }
    for (uint32_t i = 0; i < DRAFTS; i++) {
        fixture_fill(&drafts[i], i, 60);
        drafts[i].done = queues[i / 7 % OWNERS]; /* runs of seven */
        batch[i] = &drafts[i];
    }
    assert_false(err_is(oversight_submit(fixture.log, batch, DRAFTS)));
    uint32_t back[OWNERS] = {0};
    for (uint32_t seen = 0; seen < DRAFTS;) {
        uint32_t owner = back[0] < 48 ? 0 : 1; /* 6 of its 7 runs are whole */
        void *things[DRAFTS];
        uint32_t taken = queue_take(queues[owner], things, DRAFTS, 60 * NS_PER_S);
        assert_true(taken > 0);
        for (uint32_t i = 0; i < taken; i++) {
            const struct oversight_draft *draft = things[i];
            uint64_t number = (uint64_t)(draft - drafts);
            assert_ptr_equal(draft->done, queues[owner]);
            assert_int_equal(draft->entry_index, 1 + number); /* 0 is log.open */
        }
        back[owner] += taken;
        seen += taken;
    }
    assert_int_equal(back[0], 48);
    expect_numbers(&fixture, 1, 0, DRAFTS);
    for (uint32_t i = 0; i < OWNERS; i++) {
        queue_free(&queues[i]);
    }
    free(drafts);
    fixture_remove(&fixture);
}

/* Opening after a crash does not wait for a thousand files: the publisher makes up for them, asked
 * by nobody, while entries are taken. */
static void backlog_of_a_crash_is_published_after_opening(void **state)
{
    enum { BACKLOG = 9000 };
    (void)state;
    struct fixture fixture;
    int status = 0;
    fixture_make(&fixture);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fixture_open(&fixture);
        fixture_append(&fixture, 0, BACKLOG, 100);
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(naive_checkpoint(&fixture, "checkpoint").size, 1);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, BACKLOG + 1);
    fixture_append(&fixture, BACKLOG, 5, 100);
    int64_t deadline_ns = clock_monotonic_ns() + 60 * NS_PER_S;
    while (oversight_published(fixture.log) <= BACKLOG && clock_monotonic_ns() < deadline_ns) {
        (void)sched_yield();
    }
    assert_true(oversight_published(fixture.log) > BACKLOG);
    oversight_close(&fixture.log);
    naive_check(&fixture, BACKLOG + 6);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_of_nothing_begins_with_log_open),
        cmocka_unit_test(entries_appended_before_closing_are_there_after_reopening),
        cmocka_unit_test(entries_across_many_segments_read_back_in_order),
        cmocka_unit_test(private_records_come_back_with_their_entries_and_are_not_published),
        cmocka_unit_test(drafts_out_of_bounds_are_refused_and_nothing_is_written),
        cmocka_unit_test(reader_seeks_forwards_backwards_and_not_beyond_the_end),
        cmocka_unit_test(reader_following_live_sees_every_entry_once),
        cmocka_unit_test(log_held_by_another_process_is_locked),
        cmocka_unit_test(write_error_stops_the_log_and_loses_nothing_answered),
        cmocka_unit_test(drafts_of_one_call_come_back_each_with_its_index),
        cmocka_unit_test(backlog_of_a_crash_is_published_after_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
