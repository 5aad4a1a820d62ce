/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_maker.h"

struct place {
    char directory[32];
    char path[64];
    struct log_maker log;
};

static void open_place(struct place *place)
{
    memset(place, 0, sizeof *place);
    strcpy(place->directory, "/tmp/triage-state-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/state.db", place->directory);
    bool rebuilt = false;
    assert_false(err_is(state_open(place->path, &place->log.state, &rebuilt)));
    assert_true(rebuilt);
}

static void close_place(struct place *place)
{
    state_close(&place->log.state);
    char path[80];
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", place->path, tails[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
}

/* Everything that can happen to an item, on one log. */
static void write_day(struct log_maker *log)
{
    log_housekeeping(log);
    log_refused(log);
    for (unsigned i = 0; i < 40; i++) {
        log_whole_item(log, i);
    }
    log_action(log, 0, "claim", "", "in_exam", 2, "r-1");
    log_outcome(log, 0, "found", 3, "r-2");
    log_action(log, 10, "release", "capacity", "waived", 2, "r-3");
    log_received(log,
                 &(struct log_record){RECORD_SCAN, MODE_TRUCK, "north", "KEY0000007", "S-1", 200});
    struct entry entry = log_entry(log, ENTRY_ARCHIVE_SEAL);
    entry.body.archive_seal = (struct entry_archive_seal){.path = "2026/09/21/x.h5",
                                                          .file_bytes = 5,
                                                          .last_index = 99,
                                                          .hdf5_version = "1.10.8",
                                                          .filters = "shuffle"};
    log_apply(log, &entry, NULL);
    entry = log_entry(log, ENTRY_DRAW_REVEAL);
    entry.body.draw_reveal.day = "2026-09-21";
    log_apply(log, &entry, NULL);
}

static void hash_row(void *arg, uint32_t columns_count, const char *const *names,
                     const char *const *values)
{
    struct sha256 *hash = arg;
    for (uint32_t i = 0; i < columns_count; i++) {
        const char *value = values[i] == NULL ? "(null)" : values[i];
        sha256_add(hash, names[i], strlen(names[i]) + 1);
        sha256_add(hash, value, strlen(value) + 1);
    }
}

static void hash_table(void *arg, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    (void)columns_count, (void)names;
    void **both = arg;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2", values[0]);
    assert_false(err_is(state_metric(both[0], sql, hash_row, both[1])));
}

/* Digest over every row of every table. */
static void dump_of(struct state *state, uint8_t out[HASH_BYTES])
{
    struct sha256 *hash = sha256_open();
    void *both[2] = {state, hash};
    assert_false(err_is(
        state_metric(state, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
                     hash_table, both)));
    sha256_finish(hash, out);
    sha256_close(&hash);
}

static void take_text(void *arg, uint32_t columns_count, const char *const *names,
                      const char *const *values)
{
    (void)columns_count, (void)names;
    snprintf(arg, 256, "%s", values[0] == NULL ? "(null)" : values[0]);
}

static const char *ask(struct state *state, const char *sql)
{
    static char text[256];
    text[0] = '\0';
    assert_false(err_is(state_metric(state, sql, take_text, text)));
    return text;
}

static void rebuild_in_other_batches_gives_same_content(void **unused)
{
    (void)unused;
    struct place one, two;
    open_place(&one);
    assert_false(err_is(state_begin(one.log.state)));
    write_day(&one.log);
    assert_false(err_is(state_commit(one.log.state)));
    open_place(&two);
    write_day(&two.log); /* every entry a transaction of its own */
    uint8_t dump_one[HASH_BYTES], dump_two[HASH_BYTES];
    dump_of(one.log.state, dump_one);
    dump_of(two.log.state, dump_two);
    assert_memory_equal(dump_one, dump_two, HASH_BYTES);
    /* The dump must see a difference of one value. */
    log_refused(&two.log);
    dump_of(two.log.state, dump_two);
    assert_memory_not_equal(dump_one, dump_two, HASH_BYTES);
    close_place(&one);
    close_place(&two);
}

static void replay_from_zero_after_lost_transaction_gives_same_content(void **unused)
{
    (void)unused;
    struct place one, two;
    open_place(&one);
    write_day(&one.log);
    open_place(&two);
    log_housekeeping(&two.log);
    assert_false(err_is(state_begin(two.log.state)));
    log_refused(&two.log);
    state_close(&two.log.state); /* the open transaction is gone */
    bool rebuilt = true;
    assert_false(err_is(state_open(two.path, &two.log.state, &rebuilt)));
    assert_false(rebuilt);
    assert_int_equal(state_applied(two.log.state), 5);
    two.log.next = 0;
    two.log.sequence = 0;
    write_day(&two.log); /* the first five are skipped */
    assert_int_equal(state_applied(two.log.state), one.log.next);
    uint8_t dump_one[HASH_BYTES], dump_two[HASH_BYTES];
    dump_of(one.log.state, dump_one);
    dump_of(two.log.state, dump_two);
    assert_memory_equal(dump_one, dump_two, HASH_BYTES);
    close_place(&one);
    close_place(&two);
}

static void open_file_of_other_version_is_made_anew(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    write_day(&place.log);
    state_close(&place.log.state);
    static const uint8_t garbage[8192] = {1, 2, 3};
    int fd = open(place.path, O_WRONLY);
    assert_int_equal(write(fd, garbage, sizeof garbage), sizeof garbage);
    close(fd);
    struct state *reader = NULL;
    assert_true(err_is(state_open_readonly(place.path, &reader)));
    assert_null(reader);
    bool rebuilt = false;
    assert_false(err_is(state_open(place.path, &place.log.state, &rebuilt)));
    assert_true(rebuilt);
    assert_int_equal(state_applied(place.log.state), 0);
    close_place(&place);
}

/* Damage deep in the file shows while reading; the next open must not trip over it again. */
static void damage_met_while_reading_leads_to_rebuild(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    assert_false(err_is(state_begin(place.log.state)));
    for (unsigned i = 0; i < 2000; i++) {
        log_whole_item(&place.log, i);
    }
    assert_false(err_is(state_commit(place.log.state)));
    state_close(&place.log.state);
    int fd = open(place.path, O_WRONLY);
    static uint8_t garbage[4096];
    memset(garbage, 0xee, sizeof garbage);
    off_t end = lseek(fd, 0, SEEK_END);
    for (off_t at = 40 * 4096; at < end; at += 4096) {
        assert_int_equal(pwrite(fd, garbage, sizeof garbage, at), sizeof garbage);
    }
    close(fd);
    bool rebuilt = true;
    assert_false(err_is(state_open(place.path, &place.log.state, &rebuilt)));
    assert_false(rebuilt); /* its first pages are in order */
    char text[256];
    struct err err = state_metric(place.log.state, "SELECT sum(length(words)) FROM contributions",
                                  take_text, text);
    assert_int_equal(err.code, ERR_STATE_STORE);
    state_close(&place.log.state);
    assert_false(err_is(state_open(place.path, &place.log.state, &rebuilt)));
    assert_true(rebuilt);
    close_place(&place);
}

static void streams_refused_record_uses_up_its_sequence(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    log_whole_item(&place.log, 1);
    log_refused(&place.log);
    struct state_stream streams[2];
    uint32_t count = 0;
    assert_false(err_is(state_streams(place.log.state, streams, 2, &count)));
    assert_int_equal(count, 1);
    assert_string_equal(streams[0].publisher, "gate");
    assert_string_equal(streams[0].stream, "main");
    assert_int_equal(streams[0].next_sequence, 2);
    place.log.sequence = 0; /* an old number once more does not take the stream back */
    log_refused(&place.log);
    assert_false(err_is(state_streams(place.log.state, streams, 2, &count)));
    assert_int_equal(streams[0].next_sequence, 2);
    assert_false(err_is(state_streams(place.log.state, streams, 0, &count)));
    assert_int_equal(count, 1);
    close_place(&place);
}

static void undecided_record_stays_until_its_item_is_decided(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    struct log_record row = {RECORD_DECLARATION, MODE_SEA, "quay", "K1", "D-1", 1};
    uint64_t records[2];
    records[0] = log_received(&place.log, &row);
    row.kind = RECORD_SCAN;
    row.record_id = "S-1";
    records[1] = log_received(&place.log, &row);
    uint64_t other = log_received(
        &place.log, &(struct log_record){RECORD_SCAN, MODE_SEA, "quay", "K2", "S-2", 3});
    uint64_t found[4];
    uint32_t count = 0;
    assert_false(err_is(state_undecided(place.log.state, 0, found, 4, &count)));
    assert_int_equal(count, 3);
    log_score(&place.log, 1, records, 2, 0.7);
    assert_false(err_is(state_undecided(place.log.state, 0, found, 4, &count)));
    assert_int_equal(
        count,
        3); /* scored is not decided: a crash between the two entries must not lose the item */
    assert_int_equal(found[0], records[0]);
    assert_int_equal(found[2], other);
    log_decision(&place.log, 1,
                 &(struct log_verdict){"refer", "target", 0.7, 0.7, MODE_SEA, "quay", "K1"});
    assert_false(err_is(state_undecided(place.log.state, 0, found, 4, &count)));
    assert_int_equal(count, 1);
    assert_int_equal(found[0], other);
    assert_false(err_is(state_undecided(place.log.state, other + 1, found, 4, &count)));
    assert_int_equal(count, 0);
    struct state_counts counts;
    assert_false(err_is(state_counts(place.log.state, &counts)));
    assert_int_equal(counts.items, 1);
    assert_int_equal(counts.undecided, 1);
    assert_int_equal(counts.scans, 2);
    assert_int_equal(counts.open_referrals, 1);
    close_place(&place);
}

static void late_record_belongs_to_its_decided_item_only(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    log_whole_item(&place.log, 3);
    struct log_record row = {RECORD_SCAN, MODE_TRUCK, "north", "KEY0000003", "S-9", 9};
    log_received(&place.log, &row);
    assert_string_equal(ask(place.log.state, "SELECT late FROM records WHERE record_id = 'S-9'"),
                        "1");
    row.site = "south"; /* another site is another item */
    row.record_id = "S-10";
    uint64_t south = log_received(&place.log, &row);
    row.mode = MODE_SEA; /* so is another mode */
    row.record_id = "S-11";
    log_received(&place.log, &row);
    assert_string_equal(ask(place.log.state, "SELECT count(*) FROM records WHERE item IS NULL"),
                        "2");
    log_score(&place.log, 77, &south, 1, 0.1);
    assert_string_equal(ask(place.log.state, "SELECT late FROM records WHERE record_id = 'S-10'"),
                        "0");
    /* A score that names a late record for a new item wins: the join had forgotten the old one. */
    row = (struct log_record){RECORD_DECLARATION, MODE_TRUCK, "north", "KEY0000003", "D-12", 12};
    uint64_t again = log_received(&place.log, &row);
    log_score(&place.log, 78, &again, 1, 0.1);
    assert_string_equal(ask(place.log.state, "SELECT late FROM records WHERE record_id = 'D-12'"),
                        "0");
    close_place(&place);
}

static void late_record_without_hint_joins_by_pseudonym(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    struct entry entry = log_entry(&place.log, ENTRY_DECLARATION_RECEIVED);
    entry.body.received = (struct entry_received){.publisher = "g",
                                                  .stream = "s",
                                                  .mode = MODE_MAIL,
                                                  .site = "hub",
                                                  .record_id = "p1",
                                                  .item_key = "p0000000000000001"};
    uint64_t record = log_apply(&place.log, &entry, NULL);
    log_score(&place.log, 5, &record, 1, 0.2);
    log_decision(&place.log, 5,
                 &(struct log_verdict){"release", "none", 0.2, 0.2, MODE_MAIL, "hub", ""});
    entry.n = place.log.next;
    log_id(entry.n, entry.id);
    entry.body.received.record_id = "p2";
    log_apply(&place.log, &entry, NULL);
    assert_string_equal(ask(place.log.state, "SELECT late FROM records WHERE record_id = 'p2'"),
                        "1");
    assert_string_equal(ask(place.log.state, "SELECT label FROM items"), "p0000000000000001");
    close_place(&place);
}

static void record_known_tells_same_content_from_other(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    log_received(&place.log,
                 &(struct log_record){RECORD_DECLARATION, MODE_AIR, "apt", "A1", "D-1", 5});
    uint8_t digest[HASH_BYTES];
    memset(digest, 5, sizeof digest);
    bool known = false, same = false;
    assert_false(err_is(
        state_record_known(place.log.state, RECORD_DECLARATION, "D-1", digest, &known, &same)));
    assert_true(known && same);
    digest[31] ^= 1;
    assert_false(err_is(
        state_record_known(place.log.state, RECORD_DECLARATION, "D-1", digest, &known, &same)));
    assert_true(known && !same);
    assert_false(
        err_is(state_record_known(place.log.state, RECORD_SCAN, "D-1", digest, &known, &same)));
    assert_false(known || same);
    assert_false(err_is(
        state_record_known(place.log.state, RECORD_DECLARATION, "D-2", digest, &known, &same)));
    assert_false(known || same);
    close_place(&place);
}

static void apply_entry_of_later_version_is_counted_only(void **unused)
{
    (void)unused;
    struct place place;
    open_place(&place);
    struct entry entry = log_entry(&place.log, ENTRY_UNKNOWN);
    log_apply(&place.log, &entry, NULL);
    assert_int_equal(state_applied(place.log.state), 1);
    close_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebuild_in_other_batches_gives_same_content),
        cmocka_unit_test(replay_from_zero_after_lost_transaction_gives_same_content),
        cmocka_unit_test(open_file_of_other_version_is_made_anew),
        cmocka_unit_test(damage_met_while_reading_leads_to_rebuild),
        cmocka_unit_test(streams_refused_record_uses_up_its_sequence),
        cmocka_unit_test(undecided_record_stays_until_its_item_is_decided),
        cmocka_unit_test(late_record_belongs_to_its_decided_item_only),
        cmocka_unit_test(late_record_without_hint_joins_by_pseudonym),
        cmocka_unit_test(record_known_tells_same_content_from_other),
        cmocka_unit_test(apply_entry_of_later_version_is_counted_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
