/* SPDX-License-Identifier: Apache-2.0 */
#include "crash.h"

#include "oversight/shards.h"

/* From one shard to the next: the numbers of the entries go on, the tree begins anew, and a stop at
 * any place between the two leaves one log.close, one log.open, and nothing in between. */

static struct shards list; /* too large for a stack */

static void fixture_year(struct fixture *self, const char *origin)
{
    self->conf.origin = origin;
}

/* The fixture's public directory and origin become those of this shard, for the naive checks. */
static const struct shard *fixture_look_at(struct fixture *self, uint32_t index)
{
    assert_false(err_is(shards_read(self->log_directory, &list)));
    assert_true(index < list.count);
    (void)snprintf(self->published, sizeof self->published, "%.64s/%.30s", self->log_directory,
                   list.list[index].directory);
    self->origin = list.list[index].origin;
    return &list.list[index];
}

struct seen {
    uint64_t size;
    uint32_t opens;
    uint32_t closes;
    uint32_t rotates;
    uint64_t open_n[8];
    uint64_t close_n[8];
    char open_origin[8][NOTE_ORIGIN_BYTES_MAX + 1];
    char next_origin[8][NOTE_ORIGIN_BYTES_MAX + 1];
    char reason[8][64];
    char previous[8][NOTE_BYTES_MAX + 1];
};

static void seen_take(struct seen *out, const struct entry *entry)
{
    if (entry->type == ENTRY_LOG_OPEN) {
        const struct entry_log_open *open = &entry->body.log_open;
        assert_true(out->opens < 8);
        assert_int_equal(open->first_n, entry->n);
        out->open_n[out->opens] = entry->n;
        strcpy(out->open_origin[out->opens], open->origin);
        if (open->previous_checkpoint_bytes > 0) {
            memcpy(out->previous[out->opens], open->previous_checkpoint,
                   open->previous_checkpoint_bytes);
        }
        out->opens++;
    }
    if (entry->type == ENTRY_LOG_CLOSE) {
        assert_true(out->closes < 8);
        out->close_n[out->closes] = entry->n;
        strcpy(out->next_origin[out->closes], entry->body.log_close.next_origin);
        (void)snprintf(out->reason[out->closes], sizeof out->reason[0], "%s",
                       entry->body.log_close.reason);
        out->closes++;
    }
    out->rotates += entry->type == ENTRY_KEY_ROTATE;
}

/* Every entry of the write-ahead log, read as any reader does. */
static struct seen *seen_read(const struct fixture *self)
{
    static struct seen seen;
    static uint8_t memory[ENTRY_ARENA_BYTES];
    struct wal_reader *reader = NULL;
    struct wal_entry at;
    bool got = true;
    memset(&seen, 0, sizeof seen);
    assert_false(err_is(wal_reader_open(self->wal, &reader)));
    for (;;) {
        struct arena arena;
        struct entry entry;
        assert_false(err_is(wal_reader_next(reader, &at, &got)));
        if (!got) {
            break;
        }
        assert_int_equal(at.entry_index, seen.size);
        seen.size++;
        arena_init(&arena, memory, sizeof memory);
        if (entry_decode(at.bytes, at.bytes_count, &arena, &entry) == ENTRY_GOOD) {
            assert_int_equal(entry.n, at.entry_index);
            seen_take(&seen, &entry);
        }
    }
    wal_reader_close(&reader);
    return &seen;
}

/* Shards, their entries, their trees and what log.open embeds fit together; all closed but the last
 * one. */
static void expect_chain(struct fixture *self, uint32_t shards_count)
{
    const struct seen *seen = seen_read(self);
    assert_int_equal(seen->opens, shards_count);
    assert_int_equal(seen->closes, shards_count - 1);
    for (uint32_t i = 0; i < shards_count; i++) {
        const struct shard *shard = fixture_look_at(self, i);
        uint64_t end = i + 1 < shards_count ? list.list[i + 1].first_n : seen->size;
        assert_int_equal(list.count, shards_count);
        assert_int_equal(shard->first_n, seen->open_n[i]);
        assert_string_equal(shard->origin, seen->open_origin[i]);
        naive_check(self, end - shard->first_n);
        if (i + 1 < shards_count) {
            size_t bytes_count = 0;
            assert_int_equal(seen->close_n[i] + 1, seen->open_n[i + 1]);
            assert_string_equal(seen->next_origin[i], seen->open_origin[i + 1]);
            uint8_t *final = naive_read(self, "checkpoint", &bytes_count);
            assert_string_equal((const char *) final, seen->previous[i + 1]);
            free(final);
        }
    }
}

static void year_that_turned_closes_the_shard_and_opens_the_next(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 0, 700, 100);
    oversight_close(&fixture.log);
    fixture_year(&fixture, "oversight.test/port/2027");
    fixture_open(&fixture);
    assert_int_equal(oversight_size(fixture.log), 703); /* log.close, log.open */
    assert_int_equal(fixture.recovery.size, 701);
    assert_false(fixture.recovery.created);
    fixture_append(&fixture, 702, 900, 100);
    oversight_close(&fixture.log);
    expect_chain(&fixture, 2);
    assert_string_equal(seen_read(&fixture)->reason[0], "year");
    fixture_open(&fixture); /* and goes on from its tiles */
    assert_int_equal(fixture.recovery.size, 1603);
    fixture_append(&fixture, 1602, 10, 100);
    oversight_close(&fixture.log);
    expect_chain(&fixture, 2);
    (void)fixture_look_at(&fixture, 1);
    fixture_run("rm -rf '%s/tile'", fixture.published);
    fixture_open(&fixture); /* and from its first entry, the one before it being of another tree */
    oversight_close(&fixture.log);
    expect_chain(&fixture, 2);
    struct stat status;
    (void)fixture_look_at(&fixture, 0);
    assert_int_equal(stat(fixture.published, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0555);
    fixture_remove(&fixture);
}

static void operator_closes_and_the_next_start_opens_a_second_shard_of_the_year(void **state)
{
    (void)state;
    struct fixture fixture;
    struct oversight_draft *late = calloc(1, sizeof *late);
    uint64_t closed_by = 0;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 0, 30, 100);
    assert_false(err_is(oversight_end(fixture.log, NULL, "key was stolen", 2026, &closed_by)));
    assert_int_equal(closed_by, 31);
    assert_int_equal(oversight_published(fixture.log), 32);
    fixture_fill(late, 1, 40); /* nothing is taken any more */
    assert_int_equal(oversight_submit_and_wait(fixture.log, late).code, ERR_CLOSED);
    assert_int_equal(oversight_end(fixture.log, NULL, "again", 2026, NULL).code, ERR_CLOSED);
    oversight_close(&fixture.log);
    assert_int_equal(seen_read(&fixture)->opens, 1);
    naive_check(&fixture, 32);
    fixture_open(&fixture);
    fixture_append(&fixture, 0, 5, 100);
    oversight_close(&fixture.log);
    expect_chain(&fixture, 2);
    assert_string_equal(seen_read(&fixture)->open_origin[1], "oversight.test/port/2026-2");
    assert_string_equal(seen_read(&fixture)->reason[0], "key was stolen");
    /* Closed again, and the year turns before anybody opens: the named shard is kept, and closed.
     */
    fixture_open(&fixture);
    assert_false(err_is(oversight_end(fixture.log, NULL, "x", 2026, NULL)));
    oversight_close(&fixture.log);
    fixture_year(&fixture, "oversight.test/port/2027");
    fixture_open(&fixture);
    oversight_close(&fixture.log);
    expect_chain(&fixture, 4);
    assert_string_equal(seen_read(&fixture)->open_origin[2], "oversight.test/port/2026-3");
    assert_string_equal(seen_read(&fixture)->open_origin[3], "oversight.test/port/2027");
    free(late);
    fixture_remove(&fixture);
}

static void clock_that_went_back_keeps_the_open_shard(void **state)
{
    (void)state;
    static const char *const before[] = {"oversight.test/port/2025", "oversight.test/port/1970"};
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    for (size_t i = 0; i < 2; i++) {
        oversight_close(&fixture.log);
        fixture_year(&fixture, before[i]);
        fixture_open(&fixture);
        fixture_append(&fixture, 0, 3, 40);
    }
    /* Closed by an operator meanwhile: never a name of an earlier year. */
    assert_false(err_is(oversight_end(fixture.log, NULL, "x", 1970, NULL)));
    oversight_close(&fixture.log);
    fixture_open(&fixture);
    oversight_close(&fixture.log);
    expect_chain(&fixture, 2);
    assert_string_equal(seen_read(&fixture)->open_origin[1], "oversight.test/port/2026-2");
    fixture_remove(&fixture);
}

static void new_log_is_refused_while_the_clock_stands(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_year(&fixture, "oversight.test/port/1970");
    assert_int_equal(fixture_try_open(&fixture).code, ERR_ARGUMENT);
    fixture_run("! ls '%s'/shards 2>/dev/null", fixture.log_directory);
    fixture_year(&fixture, FIXTURE_ORIGIN);
    fixture_open(&fixture);
    fixture_remove(&fixture);
}

static void store_of_one_shard_is_upgraded(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    oversight_close(&fixture.log);
    fixture_run("cd '%s' && rm shards && printf '" FIXTURE_ORIGIN "' > origin",
                fixture.log_directory);
    fixture_year(&fixture, "oversight.test/port/2028");
    fixture_open(&fixture);
    oversight_close(&fixture.log);
    expect_chain(&fixture, 2);
    fixture_run("test ! -e '%s/origin'", fixture.log_directory);
    fixture_remove(&fixture);
}

/* ---- stops ---- */

static int turn_work(struct fixture *fixture)
{
    fixture->conf.segment_bytes = 1;
    if (err_is(fixture_try_open(fixture))) {
        return 3;
    }
    oversight_close(&fixture->log);
    return 0;
}

static void expect_no_double(const struct fixture *fixture)
{
    const struct seen *seen = seen_read(fixture);
    assert_true(seen->opens <= 2 && seen->closes <= 1);
    if (seen->closes == 1) { /* nothing between the two */
        assert_true(seen->opens == 2 ? seen->open_n[1] == seen->close_n[0] + 1
                                     : seen->size == seen->close_n[0] + 1);
    }
}

static void kill_at_any_call_of_the_turn_leaves_one_close_and_one_open(void **state)
{
    (void)state;
    uint32_t kills = 0;
    bool died = true;
    for (uint32_t k = 1; died; k++) { /* before call k is behind call k - 1 */
        struct fixture fixture;
        fixture_make(&fixture);
        fixture_open(&fixture);
        fixture_append(&fixture, 0, 300, 100);
        oversight_close(&fixture.log);
        fixture_year(&fixture, "oversight.test/port/2027");
        died = crash_run(k, false, turn_work, &fixture);
        expect_no_double(&fixture);
        fixture_open(&fixture);
        fixture_append(&fixture, 300, 20, 100);
        oversight_close(&fixture.log);
        expect_chain(&fixture, 2);
        fixture_remove(&fixture);
        kills += died;
    }
    print_message("killed %u times\n", kills);
    assert_true(kills > 60);
}

/* ---- a new key ---- */

static struct sign_key new_key;

static void rotation_make(struct fixture *fixture)
{
    uint8_t seed[SIGN_SEED_BYTES];
    memset(seed, 9, sizeof seed);
    fixture_make(fixture);
    sign_key_from_seed(&new_key, seed);
    fixture_open(fixture);
    fixture_append(fixture, 0, 300, 100);
    oversight_close(&fixture->log);
    fixture->conf.next_key = &new_key;
    fixture->conf.rotate_reason = "test";
}

static bool signed_by(const struct fixture *fixture, const char *name, const struct sign_key *key)
{
    size_t text_bytes = 0;
    struct note_vkey vkey;
    struct checkpoint checkpoint;
    uint8_t *text = naive_read(fixture, name, &text_bytes);
    note_vkey_make(&vkey, fixture->origin, key->public_key);
    bool good = checkpoint_open((const char *)text, text_bytes, &vkey, &checkpoint) == NOTE_GOOD;
    free(text);
    return good;
}

static void expect_vkey(const struct fixture *fixture, const char *name, const struct sign_key *key)
{
    char wanted[NOTE_VKEY_BYTES_MAX];
    size_t text_bytes = 0;
    struct note_vkey vkey;
    note_vkey_make(&vkey, fixture->origin, key->public_key);
    note_vkey_encode(&vkey, wanted);
    uint8_t *text = naive_read(fixture, name, &text_bytes);
    text[strcspn((char *)text, "\n")] = '\0';
    assert_string_equal((const char *)text, wanted);
    free(text);
}

/* The sizes of all checkpoints that were published, and by whom: old, both once, new. */
static void expect_rotated(const struct fixture *fixture)
{
    char path[160];
    uint64_t change = 0;
    uint32_t doubles = 0;
    (void)snprintf(path, sizeof path, "%s/checkpoints", fixture->published);
    for (int round = 0; round < 2; round++) { /* the first finds the change */
        DIR *listing = opendir(path);
        assert_non_null(listing);
        for (struct dirent *at = readdir(listing); at != NULL; at = readdir(listing)) {
            char name[300];
            uint64_t size = strtoull(at->d_name, NULL, 10);
            if (size == 0 || strchr(at->d_name, '.') != NULL) {
                continue;
            }
            (void)snprintf(name, sizeof name, "checkpoints/%.20s", at->d_name);
            bool by_old = signed_by(fixture, name, &fixture->key);
            bool by_new = signed_by(fixture, name, &new_key);
            if (round == 0 && by_old && by_new) {
                change = size;
                doubles++;
            }
            assert_true(round == 0 || (by_old == (size <= change) && by_new == (size >= change)));
        }
        (void)closedir(listing);
    }
    assert_int_equal(doubles, 1);
    assert_int_equal(seen_read(fixture)->rotates, 1);
    (void)snprintf(path, sizeof path, "vkeys/%" PRIu64, change);
    expect_vkey(fixture, path, &fixture->key);
    expect_vkey(fixture, "vkey", &new_key);
    assert_true(signed_by(fixture, "checkpoint", &new_key));
}

static void new_key_takes_over_with_one_checkpoint_of_both(void **state)
{
    (void)state;
    struct fixture fixture;
    rotation_make(&fixture);
    fixture_open(&fixture);
    assert_true(fixture.recovery.key_changed);
    expect_rotated(&fixture);
    fixture_append(&fixture, 302, 20, 100);
    oversight_close(&fixture.log);
    expect_rotated(&fixture);
    fixture_open(&fixture); /* the files of keys were not changed yet */
    assert_true(fixture.recovery.key_changed);
    oversight_close(&fixture.log);
    struct sign_key old_key = fixture.key;
    fixture.conf.next_key = NULL;
    assert_int_equal(fixture_try_open(&fixture).code, ERR_KEY); /* the old one alone */
    fixture.conf.key = &new_key;
    fixture_open(&fixture);
    assert_false(fixture.recovery.key_changed);
    oversight_close(&fixture.log);
    assert_memory_equal(&old_key, &fixture.key, sizeof old_key);
    expect_rotated(&fixture);
    fixture_remove(&fixture);
}

static void kill_at_any_call_of_a_rotation_leaves_one_change(void **state)
{
    (void)state;
    uint32_t kills = 0;
    bool died = true;
    for (uint32_t k = 1; died; k++) { /* before call k is behind call k - 1 */
        struct fixture fixture;
        rotation_make(&fixture);
        died = crash_run(k, false, turn_work, &fixture);
        fixture_open(&fixture);
        assert_true(fixture.recovery.key_changed);
        fixture_append(&fixture, 302, 20, 100);
        oversight_close(&fixture.log);
        expect_rotated(&fixture);
        fixture_remove(&fixture);
        kills += died;
    }
    print_message("killed %u times\n", kills);
    assert_true(kills > 40);
}

/* A crash left the entry in the log, no checkpoint covers it, and the new seed is gone. */
static void rotation_to_a_key_that_is_lost_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    bool met = false;
    for (uint32_t k = 1; !met && k < 60; k++) {
        rotation_make(&fixture);
        (void)crash_run(k, true, turn_work, &fixture);
        met = seen_read(&fixture)->rotates == 1;
        if (met) {
            fixture.conf.next_key = NULL;
            assert_string_equal(fixture_try_open(&fixture).where,
                                "the log goes on to a key that is not here");
            fixture.conf.next_key = &new_key;
            fixture_open(&fixture);
            oversight_close(&fixture.log);
            expect_rotated(&fixture);
        }
        fixture_remove(&fixture);
    }
    assert_true(met);
}

/* ---- what must not be believed ---- */

static void make_two_shards(struct fixture *fixture)
{
    fixture_make(fixture);
    fixture_open(fixture);
    fixture_append(fixture, 0, 300, 100);
    oversight_close(&fixture->log);
    fixture_year(fixture, "oversight.test/port/2027");
    fixture_open(fixture);
    fixture_append(fixture, 302, 20, 100);
    oversight_close(&fixture->log);
}

static void expect_refusal_after(const char *command, enum err_code code)
{
    struct fixture fixture;
    make_two_shards(&fixture);
    fixture_run("cd '%s' && chmod -R u+w . && %s", fixture.root, command);
    struct err err = fixture_try_open(&fixture);
    if (err.code != code) {
        fail_msg("%s: %s (%s), not %s", command, err_name(err.code), err.where, err_name(code));
    }
    fixture_remove(&fixture);
}

static void changed_list_of_shards_is_refused(void **state)
{
    (void)state;
    expect_refusal_after("sed -i 's/^302 /301 /' log/shards", ERR_WAL_DAMAGED);
    expect_refusal_after("sed -i 's/^302 /303 /' log/shards", ERR_WAL_DAMAGED);
    expect_refusal_after("sed -i 's,port/2027,port/2028,' log/shards", ERR_KEY);
    expect_refusal_after("sed -i 2d log/shards", ERR_KEY);
    expect_refusal_after("rm log/shards", ERR_LOG_ROLLED_BACK);
    expect_refusal_after("echo '400 oversight.test/port/2028 2028' >> log/shards",
                         ERR_LOG_ROLLED_BACK);
    expect_refusal_after("echo '400 o/1 a' >> log/shards; echo '500 o/2 b' >> log/shards",
                         ERR_LOG_ROLLED_BACK);
    expect_refusal_after("rm wal/last-signed", ERR_LOG_ROLLED_BACK);
    expect_refusal_after("cp log/2026/checkpoint wal/last-signed", ERR_LOG_ROLLED_BACK);
    expect_refusal_after("rm -r wal && mkdir wal", ERR_LOG_ROLLED_BACK);
}

static void list_that_names_a_successor_too_early_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 0, 300, 100);
    oversight_close(&fixture.log);
    fixture_run("echo '301 oversight.test/port/2027 2027' >> '%s/shards'", fixture.log_directory);
    struct err err = fixture_try_open(&fixture);
    assert_string_equal(err.where, "shard has a successor, but no log.close");
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(year_that_turned_closes_the_shard_and_opens_the_next),
        cmocka_unit_test(operator_closes_and_the_next_start_opens_a_second_shard_of_the_year),
        cmocka_unit_test(clock_that_went_back_keeps_the_open_shard),
        cmocka_unit_test(new_log_is_refused_while_the_clock_stands),
        cmocka_unit_test(store_of_one_shard_is_upgraded),
        cmocka_unit_test(kill_at_any_call_of_the_turn_leaves_one_close_and_one_open),
        cmocka_unit_test(new_key_takes_over_with_one_checkpoint_of_both),
        cmocka_unit_test(kill_at_any_call_of_a_rotation_leaves_one_change),
        cmocka_unit_test(rotation_to_a_key_that_is_lost_is_refused),
        cmocka_unit_test(changed_list_of_shards_is_refused),
        cmocka_unit_test(list_that_names_a_successor_too_early_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
