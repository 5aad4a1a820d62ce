/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/wait.h>

#include "oversight/pack.h"
#include "oversight/pack_frame.h"
#include "oversight/retire.h"
#include "oversight/wal_removed.h"
#include "fixture.h"

/* A log of entries with private records over several segments; what of it is retired stays
 * readable, and what is redacted is in no file any more. */

enum { ENTRIES = 1800, REST = 1024, PRIVATE = 1024 };

struct store {
    struct fixture fixture;
    char log_directory[96];
    char packs[96];
    struct wal_places places;
    uint64_t redacted; /* keep drops the record of this entry; UINT64_MAX: of none */
};

static struct store store;

static void private_of(uint64_t number, uint8_t out[PRIVATE])
{
    memset(out, '.', PRIVATE);
    (void)snprintf((char *)out, PRIVATE, "plate of number %020" PRIu64, number);
}

static bool has_private(uint64_t number)
{
    return number % 3 != 0;
}

static void append(uint64_t first, uint64_t count)
{
    enum { FLIGHT = 16 };
    struct oversight_draft *drafts = calloc(FLIGHT, sizeof *drafts);
    uint8_t(*bytes)[PRIVATE] = calloc(FLIGHT, PRIVATE);
    struct queue *done = NULL;
    assert_non_null(drafts);
    assert_non_null(bytes);
    assert_false(err_is(queue_open(FLIGHT, &done)));
    for (uint64_t at = 0; at < count;) {
        struct oversight_draft *batch[FLIGHT];
        uint32_t batch_count = 0;
        for (; batch_count < FLIGHT && at < count; batch_count++, at++) {
            struct oversight_draft *draft = &drafts[batch_count];
            fixture_fill(draft, first + at, REST);
            private_of(first + at, bytes[batch_count]);
            draft->private_bytes = has_private(first + at) ? bytes[batch_count] + 8 : NULL;
            draft->private_count = PRIVATE - 16;
            memcpy(draft->private_head, bytes[batch_count], 8); /* in three pieces */
            draft->private_head_bytes = 8;
            memcpy(draft->private_tail, bytes[batch_count] + PRIVATE - 8, 8);
            draft->private_tail_bytes = 8;
            draft->done = done;
            batch[batch_count] = draft;
        }
        assert_false(err_is(oversight_submit(store.fixture.log, batch, batch_count)));
        for (uint32_t back = 0; back < batch_count;) {
            void *things[FLIGHT];
            uint32_t taken = queue_take(done, things, FLIGHT, 60 * NS_PER_S);
            assert_true(taken > 0);
            back += taken;
        }
    }
    queue_free(&done);
    free(drafts);
    free(bytes);
}

static int set_up(void **state)
{
    (void)state;
    memset(&store, 0, sizeof store);
    fixture_make(&store.fixture);
    (void)snprintf(store.log_directory, sizeof store.log_directory, "%s/log", store.fixture.root);
    (void)snprintf(store.packs, sizeof store.packs, "%s/packs", store.fixture.root);
    store.places = (struct wal_places){store.fixture.wal, store.log_directory, store.packs};
    store.redacted = UINT64_MAX;
    fixture_open(&store.fixture);
    fixture_run("printf %%s '%s' > '%s/origin'", FIXTURE_ORIGIN, store.log_directory);
    append(1, ENTRIES); /* number 1 is entry 1: entry 0 is log.open */
    assert_false(err_is(oversight_publish(store.fixture.log)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_remove(&store.fixture);
    return 0;
}

static struct err keep(void *arg, const struct wal_entry *entry, uint8_t *out, uint32_t *out_bytes)
{
    const uint64_t *redacted = arg;
    *out_bytes = entry->entry_index == *redacted ? 0 : entry->private_count;
    memcpy(out, entry->private_bytes, *out_bytes);
    return err_none;
}

static struct retire_segment oldest(void)
{
    struct retire_segment segment;
    bool found = false;
    assert_false(err_is(retire_oldest(store.fixture.wal, &segment, &found)));
    assert_true(found);
    return segment;
}

static struct err retire_one(void)
{
    struct retire_segment segment = oldest();
    assert_true(segment.end_index != UINT64_MAX);
    return retire_segment(&store.places, &segment, keep, &store.redacted);
}

static void check_entry(const struct wal_entry *entry, uint64_t index)
{
    uint8_t bytes[PRIVATE];
    assert_int_equal(entry->entry_index, index);
    if (index == 0 || index > ENTRIES) {
        return;
    }
    assert_int_equal(fixture_number(entry->bytes, entry->bytes_count), index);
    if (!has_private(index) || index == store.redacted) {
        assert_null(entry->private_bytes);
        return;
    }
    private_of(index, bytes);
    assert_int_equal(entry->private_count, PRIVATE);
    assert_memory_equal(entry->private_bytes, bytes, PRIVATE);
}

static void read_on(struct wal_reader *reader, uint64_t from, uint64_t count)
{
    for (uint64_t i = from; i < from + count; i++) {
        struct wal_entry entry;
        bool got = false;
        struct err err = wal_reader_next(reader, &entry, &got);
        if (err_is(err)) {
            char text[ERR_TEXT_BYTES];
            fail_msg("entry %" PRIu64 ": %s", i, err_text(err, text));
        }
        assert_true(got);
        check_entry(&entry, i);
    }
}

static void read_everything(void)
{
    static const uint64_t seeks[] = {0, 255, 256, 700, 1, 1700, 512, ENTRIES, 900, 3};
    struct wal_reader *reader = NULL;
    struct wal_entry entry;
    bool got = true;
    assert_false(err_is(wal_reader_open_store(&store.places, &reader)));
    read_on(reader, 0, ENTRIES + 1);
    for (size_t i = 0; i < sizeof seeks / sizeof seeks[0]; i++) {
        assert_false(err_is(wal_reader_seek(reader, seeks[i])));
        read_on(reader, seeks[i], ENTRIES + 1 - seeks[i] < 40 ? 1 : 40);
        if (i % 2 == 0) {
            wal_reader_rest(reader);
            read_on(reader, seeks[i] + (ENTRIES + 1 - seeks[i] < 40 ? 1 : 40), seeks[i] < 1700);
        }
    }
    assert_int_equal(wal_reader_seek(reader, oversight_size(store.fixture.log) + 1).code,
                     ERR_NOT_FOUND);
    assert_false(err_is(wal_reader_seek(reader, oversight_size(store.fixture.log))));
    assert_false(err_is(wal_reader_next(reader, &entry, &got)));
    assert_false(got);
    wal_reader_close(&reader);
}

static bool anywhere(const char *words)
{
    char command[256];
    (void)snprintf(command, sizeof command, "grep -rqaF -e '%s' '%s'", words, store.fixture.root);
    return system(command) == 0;
}

static void retired_segments_are_read_from_bundles_and_packs(void **state)
{
    (void)state;
    uint64_t first = oldest().end_index;
    struct wal_reader *behind = NULL; /* stands in the first segment while it goes */
    assert_false(err_is(wal_reader_open_store(&store.places, &behind)));
    read_on(behind, 0, 10);
    assert_false(err_is(retire_one()));
    assert_int_equal(oldest().first_index, first);
    assert_false(err_is(retire_one()));
    read_on(behind, 10, ENTRIES + 1 - 10);
    wal_reader_close(&behind);
    read_everything();

    struct wal_reader *alone = NULL; /* without the places it cannot */
    struct wal_entry entry;
    bool got = false;
    assert_false(err_is(wal_reader_open(store.fixture.wal, &alone)));
    assert_int_equal(wal_reader_next(alone, &entry, &got).code, ERR_WAL_DAMAGED);
    wal_reader_close(&alone);
}

static void log_goes_on_after_a_restart_without_its_beginning(void **state)
{
    (void)state;
    assert_false(err_is(retire_one()));
    for (int i = 0; i < 2; i++) {
        oversight_close(&store.fixture.log);
        fixture_open(&store.fixture);
        fixture_append(&store.fixture, 5000, 300, 64);
        assert_false(err_is(oversight_publish(store.fixture.log)));
    }
    naive_check(&store.fixture, oversight_size(store.fixture.log));
    assert_false(err_is(retire_one()));
    read_everything();
}

static void lost_segment_is_told_from_a_retired_one(void **state)
{
    (void)state;
    assert_false(err_is(retire_one()));
    oversight_close(&store.fixture.log);
    fixture_run("mv '%s/removed' '%s/kept'", store.fixture.wal, store.fixture.root);
    assert_int_equal(fixture_try_open(&store.fixture).code, ERR_WAL_DAMAGED);
    fixture_run("cp '%s/kept' '%s/removed'", store.fixture.root, store.fixture.wal);
    fixture_open(&store.fixture);
    oversight_close(&store.fixture.log);
    fixture_run("mv '%s/%020" PRIu64 ".seg' '%s/lost'", store.fixture.wal, oldest().first_index,
                store.fixture.root);
    assert_int_equal(fixture_try_open(&store.fixture).code, ERR_WAL_DAMAGED);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/removed", store.fixture.wal);
    fixture_flip(path, 16);
    assert_int_equal(fixture_try_open(&store.fixture).code, ERR_WAL_DAMAGED);
}

static void leftover_of_a_crash_goes_at_the_next_start(void **state)
{
    (void)state;
    uint64_t first = oldest().first_index;
    fixture_run("cp '%s/%020" PRIu64 ".seg' '%s/again'", store.fixture.wal, first,
                store.fixture.root);
    assert_false(err_is(retire_one()));
    uint64_t kept = oldest().first_index;
    fixture_run("mv '%s/again' '%s/%020" PRIu64 ".seg'", store.fixture.root, store.fixture.wal,
                first);
    read_everything();
    oversight_close(&store.fixture.log);
    fixture_open(&store.fixture);
    assert_int_equal(oldest().first_index, kept);
    read_everything();
}

static void bundle_that_differs_keeps_the_segment(void **state)
{
    (void)state;
    char path[256];
    char name[TILE_PATH_BYTES_MAX];
    uint64_t first = oldest().first_index;
    bundle_path(1, 0, name);
    (void)snprintf(path, sizeof path, "%s/%s", store.fixture.published, name);
    assert_int_equal(chmod(path, 0644), 0);
    fixture_flip(path, 300);
    assert_int_equal(retire_one().code, ERR_TILE_DIFFERS);
    assert_int_equal(oldest().first_index, first);
    fixture_flip(path, 300);
    assert_false(err_is(retire_one()));

    /* From now on the bundle is all there is of these entries: a change of it is noticed. */
    struct wal_reader *reader = NULL;
    struct wal_entry entry;
    bool got = false;
    fixture_flip(path, 300);
    assert_false(err_is(wal_reader_open_store(&store.places, &reader)));
    assert_false(err_is(wal_reader_seek(reader, TILE_WIDTH + 3)));
    assert_int_equal(wal_reader_next(reader, &entry, &got).code, ERR_TILE_DIFFERS);
    wal_reader_close(&reader);
    fixture_flip(path, 300);
    read_everything();
}

static void redacted_record_is_in_no_file_and_read_by_nobody(void **state)
{
    (void)state;
    enum { WHO = 100 };
    static const char words[] = "plate of number 00000000000000000100";
    struct wal_reader *reader = NULL;
    bool changed = false;
    assert_true(anywhere(words));
    while (oldest().first_index <= WHO) {
        assert_false(err_is(retire_one()));
    }
    assert_true(anywhere(words));
    assert_false(err_is(wal_reader_open_store(&store.places, &reader)));
    assert_false(err_is(wal_reader_seek(reader, WHO - 1)));
    read_on(reader, WHO - 1, 3); /* it has the pack open now */

    store.redacted = WHO;
    assert_false(err_is(retire_redact(&store.places, WHO, keep, &store.redacted, &changed)));
    assert_true(changed);
    assert_false(anywhere(words));
    assert_true(anywhere("plate of number 00000000000000000101"));
    assert_false(err_is(retire_redact(&store.places, WHO, keep, &store.redacted, &changed)));
    assert_false(changed);
    assert_false(err_is(wal_reader_seek(reader, WHO - 1)));
    read_on(reader, WHO - 1, 3);
    wal_reader_close(&reader);
    read_everything();
    oversight_close(&store.fixture.log);
    fixture_open(&store.fixture);
    naive_check(&store.fixture, oversight_size(store.fixture.log));
}

static void redacted_before_it_is_packed_never_enters_a_pack(void **state)
{
    (void)state;
    store.redacted = 200;
    while (oldest().first_index <= 200) {
        assert_false(err_is(retire_one()));
    }
    assert_false(anywhere("plate of number 00000000000000000200"));
    read_everything();
}

static void roll_begins_a_segment_with_the_next_entry(void **state)
{
    (void)state;
    uint64_t after = 0;
    bool found = false;
    oversight_roll(store.fixture.log);
    uint64_t n = fixture_append_one(&store.fixture, 7000, 64);
    assert_false(err_is(retire_boundary(store.fixture.wal, n, &after, &found)));
    assert_true(found);
    assert_int_equal(after, n);
    oversight_roll(store.fixture.log);
    oversight_roll(store.fixture.log);
    uint64_t next = fixture_append_one(&store.fixture, 7001, 64);
    assert_false(err_is(retire_boundary(store.fixture.wal, n + 1, &after, &found)));
    assert_true(found);
    assert_int_equal(after, next);
    assert_false(err_is(retire_boundary(store.fixture.wal, next + 1, &after, &found)));
    assert_false(found);
    oversight_close(&store.fixture.log);
    fixture_open(&store.fixture);
    read_everything();
}

static void retire_all_in_child(void)
{
    struct retire_segment segment;
    bool found = false;
    while (!err_is(retire_oldest(store.fixture.wal, &segment, &found)) && found &&
           segment.end_index < ENTRIES - TILE_WIDTH) {
        if (err_is(retire_segment(&store.places, &segment, keep, &store.redacted))) {
            _exit(1);
        }
    }
    _exit(0);
}

/* kill -9 anywhere in packing and removing: what was is still read, and it goes on. */
static void killed_at_any_moment_nothing_is_lost(void **state)
{
    (void)state;
    enum { KILLS = 40 };
    bool finished = false;
    oversight_close(&store.fixture.log); /* its threads do not survive a fork */
    for (long number = 0; number <= KILLS && !finished; number++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            retire_all_in_child();
        }
        if (number < KILLS) {
            struct timespec nap = {.tv_nsec = number * number * 12000};
            (void)nanosleep(&nap, NULL); /* the moment of the kill is the test's input */
            (void)kill(child, SIGKILL);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        finished = WIFEXITED(status);
        fixture_open(&store.fixture);
        read_everything();
        oversight_close(&store.fixture.log);
    }
    assert_true(finished);
    fixture_open(&store.fixture);
    assert_true(oldest().first_index > 0);
}

static void broken_pack_is_refused(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {0, 9, 20, 30, 36, 44, 50, 62};
    char path[DURABLE_PATH_BYTES];
    struct pack *pack = NULL;
    assert_false(err_is(retire_one()));
    assert_false(err_is(pack_path(store.packs, 0, path)));
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        fixture_flip(path, offsets[i]);
        assert_int_equal(pack_open(store.packs, 0, &pack).code, ERR_WAL_DAMAGED);
        fixture_flip(path, offsets[i]);
    }
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    fixture_flip(path, (uint64_t)status.st_size - 3);
    assert_int_equal(pack_open(store.packs, 0, &pack).code, ERR_WAL_DAMAGED);
    fixture_flip(path, (uint64_t)status.st_size - 3);
    fixture_flip(path, PACK_HEADER_BYTES + 5); /* in the first record, that of entry 1 */
    const uint8_t *bytes;
    uint32_t bytes_count;
    bool found = false;
    assert_false(err_is(pack_open(store.packs, 0, &pack)));
    assert_int_equal(pack_read(pack, 1, &bytes, &bytes_count, &found).code, ERR_WAL_DAMAGED);
    assert_false(err_is(pack_read(pack, 2, &bytes, &bytes_count, &found)));
    assert_true(found);
    pack_close(&pack);
    assert_int_equal(truncate(path, status.st_size - 1), 0);
    assert_int_equal(pack_open(store.packs, 0, &pack).code, ERR_WAL_DAMAGED);
    assert_int_equal(truncate(path, 63), 0);
    assert_int_equal(pack_open(store.packs, 0, &pack).code, ERR_WAL_DAMAGED);
    assert_int_equal(pack_open(store.packs, 77, &pack).code, ERR_NOT_FOUND);
}

static void told_torn_tails_go_pending_ones_stay(void **state)
{
    (void)state;
    fixture_run("touch '%s/torn-00000000000000000100' '%s/torn-00000000000000000200' "
                "'%s/torn-00000000000000000050.pending'",
                store.fixture.wal, store.fixture.wal, store.fixture.wal);
    assert_false(err_is(retire_torn(store.fixture.wal, 150)));
    fixture_run("test ! -e '%s/torn-00000000000000000100' -a -e '%s/torn-00000000000000000200' "
                "-a -e '%s/torn-00000000000000000050.pending'",
                store.fixture.wal, store.fixture.wal, store.fixture.wal);
    fixture_run("rm '%s/torn-00000000000000000050.pending'", store.fixture.wal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(retired_segments_are_read_from_bundles_and_packs),
        TEST(log_goes_on_after_a_restart_without_its_beginning),
        TEST(lost_segment_is_told_from_a_retired_one),
        TEST(leftover_of_a_crash_goes_at_the_next_start),
        TEST(bundle_that_differs_keeps_the_segment),
        TEST(redacted_record_is_in_no_file_and_read_by_nobody),
        TEST(redacted_before_it_is_packed_never_enters_a_pack),
        TEST(roll_begins_a_segment_with_the_next_entry),
        TEST(killed_at_any_moment_nothing_is_lost),
        TEST(broken_pack_is_refused),
        TEST(told_torn_tails_go_pending_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
