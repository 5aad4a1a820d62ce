/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "oversight/mirror.h"
#include "oversight/retire.h"
#include "oversight/wal_removed.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Two copies of the write-ahead log: the same bytes, each made whole from the other. What must be
 * there afterwards is known from what was appended, not from either copy. */

enum { ENTRIES = 700, REST = 6000 }; /* some four segments */

struct pair {
    struct fixture fixture;
    char mirror[96];
};

static void pair_make(struct pair *self)
{
    fixture_make(&self->fixture);
    diag_set_level(DIAG_ERR);
    (void)snprintf(self->mirror, sizeof self->mirror, "%s/mirror", self->fixture.root);
    self->fixture.conf.mirror_directory = self->mirror;
}

static void pair_fill(struct pair *self)
{
    pair_make(self);
    fixture_open(&self->fixture);
    fixture_append(&self->fixture, 1, ENTRIES, REST);
    oversight_close(&self->fixture.log);
}

static const char *copy_of(const struct pair *self, int copy)
{
    return copy == 0 ? self->fixture.wal : self->mirror;
}

static void expect_equal(const struct pair *self)
{
    fixture_run("ls '%s' | grep -c seg > '%s/count' && test $(cat '%s/count') -ge %d", self->mirror,
                self->fixture.root, self->fixture.root, 1);
    fixture_run("diff -rq -x last-signed -x 'torn-*' -x spare.tmp -x '*.tmp' '%s' '%s' >&2",
                self->fixture.wal, self->mirror);
}

/* Numbers 1..count once each, in either copy. */
static void expect_numbers(const char *directory, uint64_t count)
{
    struct wal_reader *reader = NULL;
    uint64_t next = 1;
    assert_false(err_is(wal_reader_open(directory, &reader)));
    for (;;) {
        struct wal_entry entry;
        bool got = false;
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        if (!got) {
            break;
        }
        uint64_t number = fixture_number(entry.bytes, entry.bytes_count);
        if (number != UINT64_MAX) {
            assert_int_equal(number, next);
            next++;
        }
    }
    assert_int_equal(next, count + 1);
    wal_reader_close(&reader);
}

static void expect_whole(struct pair *self)
{
    fixture_open(&self->fixture);
    (void)fixture_append_one(&self->fixture, ENTRIES + 1, 100);
    oversight_close(&self->fixture.log);
    expect_numbers(self->fixture.wal, ENTRIES + 1);
    expect_numbers(self->mirror, ENTRIES + 1);
    expect_equal(self);
}

static void expect_stop(struct pair *self)
{
    fixture_run("cd '%s' && sha256sum wal/*.seg wal/commit.idx mirror/*.seg mirror/commit.idx"
                " > before",
                self->fixture.root);
    struct err err = fixture_try_open(&self->fixture);
    assert_string_equal(err_name(err.code), "WAL_DAMAGED");
    fixture_run("cd '%s' && sha256sum --quiet -c before", self->fixture.root);
}

/* k-th segment by name; returns how many there are. */
static int segment_path(const char *directory, int wanted, char out[256])
{
    struct dirent **names = NULL;
    int seen = 0;
    int count = scandir(directory, &names, NULL, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        if (strlen(names[i]->d_name) == 24 && strcmp(names[i]->d_name + 20, ".seg") == 0) {
            if (seen == wanted) {
                (void)snprintf(out, 256, "%s/%s", directory, names[i]->d_name);
            }
            seen++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(wanted < seen);
    return seen;
}

static uint64_t newest_slot_at(const struct pair *self)
{
    return fixture_newest(&self->fixture).group_number % WAL_SLOTS * WAL_BLOCK_BYTES;
}

static void copies_are_equal(void **state)
{
    (void)state;
    struct pair pair;
    char path[256];
    pair_fill(&pair);
    assert_true(segment_path(pair.mirror, 0, path) >= 4);
    expect_equal(&pair);
    expect_numbers(pair.mirror, ENTRIES);
    expect_whole(&pair);
    fixture_remove(&pair.fixture);
}

static void empty_second_copy_is_filled(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair);
    pair.fixture.conf.mirror_directory = NULL;
    fixture_open(&pair.fixture);
    fixture_append(&pair.fixture, 1, ENTRIES, REST);
    oversight_close(&pair.fixture.log);
    pair.fixture.conf.mirror_directory = pair.mirror;
    expect_whole(&pair);
    fixture_remove(&pair.fixture);
}

/* A second copy that was unplugged for a while. */
static void older_second_copy_catches_up(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair);
    fixture_open(&pair.fixture);
    fixture_append(&pair.fixture, 1, ENTRIES / 3, REST);
    oversight_close(&pair.fixture.log);
    pair.fixture.conf.mirror_directory = NULL;
    fixture_open(&pair.fixture);
    fixture_append(&pair.fixture, ENTRIES / 3 + 1, ENTRIES - ENTRIES / 3, REST);
    oversight_close(&pair.fixture.log);
    pair.fixture.conf.mirror_directory = pair.mirror;
    expect_whole(&pair);
    fixture_remove(&pair.fixture);
}

static void empty_first_copy_stops(void **state)
{
    (void)state;
    struct pair pair;
    pair_fill(&pair);
    fixture_run("mv '%s' '%s/away'", pair.fixture.wal, pair.fixture.root);
    struct err err = fixture_try_open(&pair.fixture);
    assert_string_equal(err_name(err.code), "WAL_DAMAGED");
    expect_numbers(pair.mirror, ENTRIES);
    fixture_remove(&pair.fixture);
}

enum place { SEGMENT_HEADER, GROUP_HEADER, PAYLOAD, LAST_GROUP, SLOT, OLD_SLOT, END, PLACES };

static void rot(const struct pair *self, int copy, enum place place)
{
    char path[256];
    const char *directory = copy_of(self, copy);
    struct wal_slot newest = fixture_newest(&self->fixture);
    int count = segment_path(directory, 1, path);
    if (place == SLOT || place == OLD_SLOT) {
        (void)snprintf(path, sizeof path, "%s/commit.idx", directory);
        uint64_t at = newest_slot_at(self);
        fixture_flip(path, 50 + (place == SLOT || at == 0 ? at : at - WAL_BLOCK_BYTES));
        return;
    }
    if (place == LAST_GROUP) {
        (void)segment_path(directory, count - 1, path);
        fixture_flip(path, newest.offset + 100);
        return;
    }
    if (place == END) {
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        fixture_flip(path, (uint64_t)status.st_size - 10);
        return;
    }
    fixture_flip(path, place == SEGMENT_HEADER ? 60
                       : place == GROUP_HEADER ? WAL_BLOCK_BYTES + 12
                                               : WAL_BLOCK_BYTES + 5000);
}

static void rot_in_one_copy_is_repaired(void **state)
{
    (void)state;
    struct pair pair;
    pair_fill(&pair);
    fixture_run("cp -a '%s' '%s.kept'", pair.fixture.root, pair.fixture.root);
    for (int copy = 0; copy < 2; copy++) {
        for (enum place place = 0; place < PLACES; place++) {
            rot(&pair, copy, place);
            expect_whole(&pair);
            fixture_run("chmod -R u+w '%s' && rm -rf '%s' && cp -a '%s.kept' '%s'",
                        pair.fixture.root, pair.fixture.root, pair.fixture.root, pair.fixture.root);
        }
    }
    /* Each copy damaged, in other places. */
    for (enum place place = 0; place < PLACES; place++) {
        if (place != PAYLOAD) { /* of the group whose header is rotten in the other copy */
            rot(&pair, (int)place % 2, place);
        }
    }
    expect_whole(&pair);
    fixture_run("chmod -R u+w '%s.kept' && rm -rf '%s.kept'", pair.fixture.root, pair.fixture.root);
    fixture_remove(&pair.fixture);
}

static void missing_file_is_repaired(void **state)
{
    (void)state;
    for (int copy = 0; copy < 2; copy++) {
        for (int which = 0; which < 4; which++) { /* first, middle, last segment; the index */
            struct pair pair;
            char path[256];
            pair_fill(&pair);
            int count = segment_path(copy_of(&pair, copy), 0, path);
            (void)segment_path(copy_of(&pair, copy), which == 2 ? count - 1 : which % 3, path);
            if (which == 3) {
                (void)snprintf(path, sizeof path, "%s/commit.idx", copy_of(&pair, copy));
            }
            assert_int_equal(unlink(path), 0);
            expect_whole(&pair);
            fixture_remove(&pair.fixture);
        }
    }
}

static void rot_of_one_group_in_both_copies_stops(void **state)
{
    (void)state;
    for (enum place place = 0; place <= LAST_GROUP; place++) {
        struct pair pair;
        pair_fill(&pair);
        rot(&pair, 0, OLD_SLOT); /* could be repaired, but nothing is changed */
        rot(&pair, 0, END);
        rot(&pair, 0, place);
        rot(&pair, 1, place);
        expect_stop(&pair);
        fixture_remove(&pair.fixture);
    }
}

/* The same log continued in two ways; with_slots: the second copy has the slots of its way. */
static void contradict(bool with_slots)
{
    struct pair pair;
    pair_make(&pair);
    fixture_open(&pair.fixture);
    (void)fixture_append_one(&pair.fixture, 1, 100);
    oversight_close(&pair.fixture.log);
    fixture_run("cp -a '%s' '%s/other'", pair.fixture.wal, pair.fixture.root);
    fixture_run("cp -a '%s' '%s/otherlog'", pair.fixture.log_directory, pair.fixture.root);
    fixture_open(&pair.fixture);
    (void)fixture_append_one(&pair.fixture, 2, 100);
    oversight_close(&pair.fixture.log);
    char log_directory[128];
    char other[128];
    (void)snprintf(other, sizeof other, "%s/other", pair.fixture.root);
    (void)snprintf(log_directory, sizeof log_directory, "%s/otherlog", pair.fixture.root);
    struct oversight_conf conf = pair.fixture.conf;
    pair.fixture.conf.wal_directory = other;
    pair.fixture.conf.log_directory = log_directory;
    pair.fixture.conf.mirror_directory = NULL;
    fixture_open(&pair.fixture);
    (void)fixture_append_one(&pair.fixture, 3, 100);
    (void)fixture_append_one(&pair.fixture, 4, 100);
    oversight_close(&pair.fixture.log);
    pair.fixture.conf = conf;
    fixture_run("rm '%s'/*.seg && cp '%s'/*.seg '%s'", pair.mirror, other, pair.mirror);
    if (with_slots) {
        fixture_run("cp '%s'/commit.idx '%s'", other, pair.mirror);
    }
    expect_stop(&pair);
    fixture_remove(&pair.fixture);
}

static void contradiction_stops(void **state)
{
    (void)state;
    contradict(true);
    contradict(false);
}

/* ---- behind the promised end ---- */

static void torn_tail_becomes_as_in_the_first_copy(void **state)
{
    (void)state;
    for (int copies = 1; copies < 4; copies++) { /* first, second, both: other bytes in each */
        struct pair pair;
        pair_fill(&pair);
        struct wal_slot newest = fixture_newest(&pair.fixture);
        for (int copy = 0; copy < 2; copy++) {
            char path[256];
            char text[300];
            int count = segment_path(copy_of(&pair, copy), 0, path);
            (void)segment_path(copy_of(&pair, copy), count - 1, path);
            memset(text, 'a' + copy, sizeof text);
            uint8_t *bytes = NULL;
            size_t bytes_count = 0;
            struct wal_group_header last;
            assert_false(err_is(durable_read(path, 1 << 26, &bytes, &bytes_count)));
            assert_int_equal(wal_group_header_decode(bytes + newest.offset, WAL_BLOCK_BYTES, &last),
                             WAL_GOOD);
            uint64_t end = newest.offset + wal_group_span(last.payload_bytes);
            assert_true(end + WAL_BLOCK_BYTES <= bytes_count);
            free(bytes);
            if ((copies >> copy & 1) != 0) {
                fixture_patch(path, end, text, sizeof text);
            }
        }
        fixture_open(&pair.fixture);
        assert_true((pair.fixture.recovery.torn_bytes > 0) == ((copies & 1) != 0));
        oversight_close(&pair.fixture.log);
        expect_equal(&pair);
        expect_whole(&pair);
        fixture_remove(&pair.fixture);
    }
}

/* ---- retirement ---- */

static struct err keep_none(void *arg, const struct wal_entry *entry, uint8_t *out,
                            uint32_t *out_bytes)
{
    (void)arg;
    (void)entry;
    (void)out;
    *out_bytes = 0;
    return err_none;
}

static void retired_segment_leaves_both_copies(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) { /* 0: the machine stops before the second copy's turn */
        struct pair pair;
        char packs[256];
        struct wal_removed removed[2];
        struct retire_segment segment;
        bool found = false;
        pair_fill(&pair);
        int count = segment_path(pair.mirror, 0, packs);
        (void)snprintf(packs, sizeof packs, "%s/packs", pair.fixture.root);
        struct wal_places places = {pair.fixture.wal, pair.fixture.log_directory, packs};
        assert_false(err_is(retire_oldest(pair.fixture.wal, &segment, &found)));
        assert_true(found);
        assert_false(err_is(retire_segment(&places, &segment, keep_none, NULL)));
        if (told == 1) {
            assert_false(err_is(mirror_retire(pair.fixture.wal, pair.mirror, segment.first_index)));
            expect_equal(&pair);
        }
        fixture_open(&pair.fixture);
        oversight_close(&pair.fixture.log);
        expect_equal(&pair);
        char path[256];
        assert_int_equal(segment_path(pair.mirror, 0, path), count - 1);
        for (int copy = 0; copy < 2; copy++) {
            assert_false(err_is(wal_removed_read(copy_of(&pair, copy), &removed[copy])));
            assert_int_equal(removed[copy].first_index, segment.end_index);
        }
        (void)snprintf(path, sizeof path, "%s/removed", copy_of(&pair, told));
        assert_int_equal(unlink(path), 0);
        fixture_open(&pair.fixture);
        oversight_close(&pair.fixture.log);
        expect_equal(&pair);
        fixture_remove(&pair.fixture);
    }
}

/* ---- a writer that is killed ---- */

enum { CYCLES = 12, KILL_NUMBERS = 20000 };

static _Noreturn void child_run(struct pair *pair, int pipe_fd, uint64_t number)
{
    static struct oversight_draft draft;
    if (err_is(fixture_try_open(&pair->fixture))) {
        _exit(3);
    }
    for (;; number++) { /* until it is killed */
        draft = (struct oversight_draft){0};
        fixture_fill(&draft, number, 4000);
        if (err_is(oversight_submit_and_wait(pair->fixture.log, &draft))) {
            _exit(5);
        }
        if (write(pipe_fd, &number, sizeof number) != (ssize_t)sizeof number) {
            _exit(4);
        }
    }
}

static uint64_t cycle_run(struct pair *pair, uint64_t first, uint64_t kill_after, bool *answered)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        child_run(pair, ends[1], first);
    }
    (void)close(ends[1]);
    uint64_t seen = 0;
    uint64_t number = first;
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number) {
        assert_true(number < KILL_NUMBERS);
        answered[number] = true;
        if (++seen == kill_after) {
            assert_int_equal(kill(child, SIGKILL), 0);
        }
    }
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return number + 2; /* one more may have been on its way */
}

static void check_ledger(const char *directory, const bool *answered, uint64_t numbers)
{
    struct wal_reader *reader = NULL;
    uint8_t *times = calloc(numbers + 1, 1);
    assert_non_null(times);
    assert_false(err_is(wal_reader_open(directory, &reader)));
    for (bool got = true; got;) {
        struct wal_entry entry;
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        uint64_t number = got ? fixture_number(entry.bytes, entry.bytes_count) : UINT64_MAX;
        if (number != UINT64_MAX) {
            assert_true(number <= numbers);
            times[number]++;
        }
    }
    for (uint64_t i = 0; i < numbers; i++) {
        assert_true(answered[i] ? times[i] == 1 : times[i] <= 1);
    }
    wal_reader_close(&reader);
    free(times);
}

static void killed_writer_keeps_every_answer_in_both(void **state)
{
    (void)state;
    struct pair pair;
    bool *answered = calloc(KILL_NUMBERS, sizeof *answered);
    assert_non_null(answered);
    pair_make(&pair);
    uint64_t next = 1;
    for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
        next = cycle_run(&pair, next, 1 + cycle * 37 % 300, answered);
        check_ledger(pair.fixture.wal, answered, next); /* before anybody repaired anything */
        check_ledger(pair.mirror, answered, next);
    }
    fixture_open(&pair.fixture);
    oversight_close(&pair.fixture.log);
    expect_equal(&pair);
    check_ledger(pair.mirror, answered, next);
    free(answered);
    fixture_remove(&pair.fixture);
}

/* ---- an error of the second copy ---- */

static void error_of_second_copy_stops(void **state)
{
    (void)state;
    struct pair pair;
    char path[256];
    pair_make(&pair);
    fixture_open(&pair.fixture);
    (void)fixture_append_one(&pair.fixture, 1, 100);
    uint64_t size = oversight_size(pair.fixture.log);
    /* Its next segment cannot be named: its directory went away. */
    (void)snprintf(path, sizeof path, "%s.away", pair.mirror);
    assert_int_equal(rename(pair.mirror, path), 0);
    oversight_roll(pair.fixture.log);
    static struct oversight_draft draft;
    fixture_fill(&draft, 2, 100);
    assert_true(err_is(oversight_submit_and_wait(pair.fixture.log, &draft)));
    assert_true(err_is(oversight_failure(pair.fixture.log)));
    assert_int_equal(oversight_size(pair.fixture.log), size);
    oversight_close(&pair.fixture.log);
    assert_int_equal(rename(path, pair.mirror), 0);
    fixture_open(&pair.fixture); /* with the directory back it goes on */
    (void)fixture_append_one(&pair.fixture, 3, 100);
    oversight_close(&pair.fixture.log);
    expect_equal(&pair);
    fixture_remove(&pair.fixture);
}

/* Put a full device under the descriptor that this copy's writer has of a file. */
static void fill_under(const struct pair *pair, int copy, const char *ending)
{
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    assert_true(full >= 0);
    int replaced = 0;
    for (int fd = 3; fd < 256; fd++) {
        char link[64];
        char target[256] = {0};
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t bytes_count = readlink(link, target, sizeof target - 1);
        size_t ending_at = bytes_count > (ssize_t)strlen(ending)
                               ? (size_t)bytes_count - strlen(ending)
                               : sizeof target - 1;
        if (strncmp(target, copy_of(pair, copy), strlen(copy_of(pair, copy))) == 0 &&
            strcmp(target + ending_at, ending) == 0 && (fcntl(fd, F_GETFL) & O_RDWR) != 0) {
            assert_int_equal(dup2(full, fd), fd);
            replaced++;
        }
    }
    (void)close(full);
    assert_int_equal(replaced, 1);
}

static void error_of_any_write_stops(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct pair pair;
        static struct oversight_draft draft;
        pair_make(&pair);
        fixture_open(&pair.fixture);
        (void)fixture_append_one(&pair.fixture, 1, 100);
        assert_false(err_is(oversight_publish(pair.fixture.log)));
        uint64_t size = oversight_size(pair.fixture.log);
        fill_under(&pair, which / 2, which % 2 == 0 ? ".seg" : "commit.idx");
        fixture_fill(&draft, 2, 100);
        assert_true(err_is(oversight_submit_and_wait(pair.fixture.log, &draft)));
        struct err err = oversight_failure(pair.fixture.log);
        assert_string_equal(err_name(err.code), "DISK_FULL");
        assert_int_equal(oversight_size(pair.fixture.log), size);
        oversight_close(&pair.fixture.log);
        fixture_open(&pair.fixture);
        (void)fixture_append_one(&pair.fixture, 3, 100);
        oversight_close(&pair.fixture.log);
        expect_equal(&pair);
        fixture_remove(&pair.fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_equal),
        cmocka_unit_test(empty_second_copy_is_filled),
        cmocka_unit_test(older_second_copy_catches_up),
        cmocka_unit_test(empty_first_copy_stops),
        cmocka_unit_test(rot_in_one_copy_is_repaired),
        cmocka_unit_test(missing_file_is_repaired),
        cmocka_unit_test(rot_of_one_group_in_both_copies_stops),
        cmocka_unit_test(contradiction_stops),
        cmocka_unit_test(torn_tail_becomes_as_in_the_first_copy),
        cmocka_unit_test(retired_segment_leaves_both_copies),
        cmocka_unit_test(killed_writer_keeps_every_answer_in_both),
        cmocka_unit_test(error_of_second_copy_stops),
        cmocka_unit_test(error_of_any_write_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
