/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "oversight/commit_index.h"
#include "oversight/publication.h"
#include "oversight/wal.h"

/* The limits that FORMAT.md names and policy keeps out of reach, and a clock that is set back. */

#define T_NS INT64_C(1767225600000000000)

/* Which of the clock's settings the entry's stamp has; 0 when none. */
static int64_t entry_t_ns(struct wal_reader *reader, uint64_t index)
{
    struct wal_entry found;
    bool got = false;
    assert_false(err_is(wal_reader_seek(reader, index)));
    assert_false(err_is(wal_reader_next(reader, &found, &got)));
    assert_true(got);
    assert_int_equal(found.entry_index, index);
    uint8_t stamp[ENTRY_STAMP_BYTES_MAX];
    for (int64_t t_ns = T_NS - 3600 * NS_PER_S; t_ns <= T_NS; t_ns += 1800 * NS_PER_S) {
        size_t stamp_bytes = entry_encode_stamp(index, t_ns, stamp, sizeof stamp);
        if (memcmp(found.bytes, stamp, stamp_bytes) == 0) {
            return t_ns;
        }
    }
    return 0;
}

static void clock_that_is_set_back_changes_times_but_no_order(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    static const int64_t clocks[] = {T_NS, T_NS, T_NS - 1800 * NS_PER_S, T_NS - 3600 * NS_PER_S,
                                     T_NS};
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) { /* each start writes one entry */
        clock_fix_utc_ns(clocks[i]);
        fixture_open(&fixture);
        assert_int_equal(fixture_append_one(&fixture, i, 100), i + 1);
        oversight_close(&fixture.log);
    }
    struct wal_reader *reader = NULL;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        assert_int_equal(entry_t_ns(reader, i + 1), clocks[i]);
    }
    wal_reader_close(&reader);
    clock_fix_utc_ns(0);
    naive_check(&fixture, 1 + sizeof clocks / sizeof *clocks);
    fixture_remove(&fixture);
}

/* A write-ahead log without the policy above it. */
static struct wal *bare_wal_open(const struct fixture *fixture)
{
    struct wal *wal = NULL;
    struct wal_end end = {0};
    static uint8_t origin_sha256[HASH_BYTES];
    struct wal_conf conf = {fixture->wal, origin_sha256, WAL_BLOCK_BYTES + WAL_GROUP_BYTES_MAX,
                            NULL};
    sha256_of(FIXTURE_ORIGIN, strlen(FIXTURE_ORIGIN), origin_sha256);
    merkle_range_init(&end.range);
    assert_false(err_is(durable_directory(fixture->wal, 0700)));
    assert_false(err_is(commit_index_create(fixture->wal)));
    assert_false(err_is(wal_open(&conf, &end, &wal)));
    return wal;
}

static void add_entry(struct wal *wal, uint64_t index, uint32_t entry_bytes, uint8_t filling)
{
    static uint8_t rest[UINT16_MAX + 1];
    uint8_t stamp[ENTRY_STAMP_BYTES_MAX];
    uint32_t stamp_bytes = (uint32_t)entry_encode_stamp(index, T_NS, stamp, sizeof stamp);
    memset(rest, filling, sizeof rest);
    wal_add(wal, stamp, stamp_bytes, rest, entry_bytes - stamp_bytes);
}

/* As many of the largest entries as one group takes, and another group: read back, published,
 * recovered. */
static void entries_of_the_largest_size_go_all_the_way(void **state)
{
    (void)state;
    enum { IN_GROUP = 15, COUNT = 17 };
    struct fixture fixture;
    fixture_make(&fixture);
    struct wal *wal = bare_wal_open(&fixture);
    uint64_t span = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        add_entry(wal, i, UINT16_MAX, (uint8_t)i);
        if (i == IN_GROUP - 1 || i == COUNT - 1) {
            assert_false(err_is(wal_commit(wal, &span)));
            wal_settle(wal);
        }
    }
    wal_close(&wal);
    fixture_run("mkdir '%s' && printf %%s '%s' > '%s/origin'", fixture.log_directory,
                FIXTURE_ORIGIN, fixture.log_directory);
    struct publication_conf conf = {.wal_directory = fixture.wal,
                                    .public_directory = fixture.published,
                                    .origin = FIXTURE_ORIGIN,
                                    .key = &fixture.key};
    struct publication *publication = NULL;
    struct merkle_range range;
    assert_false(err_is(publication_open(&conf, &publication)));
    assert_false(err_is(publication_resume(publication, &range)));
    assert_false(err_is(publication_step(publication, COUNT)));
    publication_close(&publication);
    naive_check(&fixture, COUNT);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, COUNT);
    (void)fixture_append_one(&fixture, 1, 100);
    oversight_close(&fixture.log);
    naive_check(&fixture, COUNT + 1);
    struct wal_reader *reader = NULL;
    struct wal_entry entry;
    bool got = false;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        assert_true(got);
        assert_int_equal(entry.bytes_count, UINT16_MAX);
        assert_int_equal(entry.bytes[UINT16_MAX - 1], i);
    }
    wal_reader_close(&reader);
    fixture_remove(&fixture);
}

/* 65,536 bytes have no length in the format: whoever gets that far has a bug, and nothing may reach
 * the disk. */
static void entry_one_byte_longer_is_never_written(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)signal(SIGABRT, SIG_DFL);
        struct wal *wal = bare_wal_open(&fixture);
        add_entry(wal, 0, UINT16_MAX + 1, 0);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_int_equal(fixture_newest(&fixture).next_index, 0);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_that_is_set_back_changes_times_but_no_order),
        cmocka_unit_test(entries_of_the_largest_size_go_all_the_way),
        cmocka_unit_test(entry_one_byte_longer_is_never_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
