/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "oversight/tiles.h"
#include "oversight/wal.h"

/* Every row of the recovery table in FORMAT.md, section 5, made by hand on real files. */

#define GROUPS 12u

/* A closed log: log.open and GROUPS groups of one entry, the last three published by nothing but
 * the closing. */
static void make_log(struct fixture *fixture)
{
    fixture_make(fixture);
    fixture_open(fixture);
    for (uint64_t i = 1; i <= GROUPS; i++) {
        (void)fixture_append_one(fixture, i, 3000);
    }
    oversight_close(&fixture->log);
}

static void expect_refusal(struct fixture *fixture, enum err_code code)
{
    struct err err = fixture_try_open(fixture);
    assert_string_equal(err_name(err.code), err_name(code));
    assert_null(fixture->log);
    err = fixture_try_open(fixture); /* nothing was "repaired" by the first try */
    assert_string_equal(err_name(err.code), err_name(code));
    fixture_remove(fixture);
}

/* A group that continues the log but has no slot; broken on request. Its entry has number 77. */
static uint64_t write_unpromised_group(const struct fixture *fixture, uint64_t skip_bytes,
                                       bool broken)
{
    char segment[160];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct wal_segment_header segment_header;
    struct wal_group_header last;
    struct wal_slot newest = fixture_newest(fixture);
    fixture_last_segment(fixture, segment, sizeof segment);
    assert_false(err_is(durable_read(segment, 1 << 26, &bytes, &bytes_count)));
    assert_int_equal(wal_segment_header_decode(bytes, bytes_count, &segment_header), WAL_GOOD);
    assert_int_equal(wal_group_header_decode(bytes + newest.offset, 64, &last), WAL_GOOD);
    uint64_t offset = newest.offset + wal_group_span(last.payload_bytes);
    static uint8_t group[4 * WAL_BLOCK_BYTES];
    static struct oversight_draft draft;
    uint8_t *payload = group + WAL_GROUP_HEADER_BYTES;
    fixture_fill(&draft, 77, 6000);
    size_t stamp_bytes =
        entry_encode_stamp(newest.next_index, 1, payload + 2, ENTRY_STAMP_BYTES_MAX);
    memcpy(payload + 2 + stamp_bytes, draft.rest, draft.rest_bytes);
    uint32_t entry_bytes = (uint32_t)stamp_bytes + draft.rest_bytes;
    payload[0] = (uint8_t)(entry_bytes >> 8);
    payload[1] = (uint8_t)entry_bytes;
    struct wal_group_header header = {
        .group_number = newest.group_number + 1 + skip_bytes / WAL_BLOCK_BYTES,
        .first_index = newest.next_index,
        .entry_count = 1,
        .payload_bytes = 2 + entry_bytes,
    };
    memcpy(header.salt, segment_header.salt, WAL_GROUP_SALT_BYTES);
    memcpy(header.previous, newest.hash, WAL_CHAIN_BYTES);
    uint64_t span = wal_group_seal(&header, group);
    assert_int_equal(span, 2 * WAL_BLOCK_BYTES);
    if (broken) {
        memset(group + WAL_BLOCK_BYTES, 0,
               WAL_BLOCK_BYTES); /* the second block never reached the disk */
    }
    fixture_patch(segment, offset + skip_bytes, group, (size_t)span);
    free(bytes);
    return offset;
}

static void whole_group_without_slot_is_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    (void)write_unpromised_group(&fixture, 0, false);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, GROUPS + 2);
    assert_int_equal(fixture.recovery.torn_bytes, 0);
    struct wal_reader *reader = NULL;
    struct wal_entry entry;
    bool got = false;
    assert_false(err_is(wal_reader_open(fixture.wal, &reader)));
    assert_false(err_is(wal_reader_seek(reader, GROUPS + 1)));
    assert_false(err_is(wal_reader_next(reader, &entry, &got)));
    assert_true(got); /* its slot was written, so readers see it */
    assert_int_equal(fixture_number(entry.bytes, entry.bytes_count), 77);
    wal_reader_close(&reader);
    (void)fixture_append_one(&fixture, 78, 100);
    oversight_close(&fixture.log);
    naive_check(&fixture, GROUPS + 3);
    fixture_remove(&fixture);
}

static void expect_recovered_entry(const struct fixture *fixture, uint64_t index,
                                   uint64_t torn_bytes)
{
    struct wal_reader *reader = NULL;
    struct wal_entry found;
    bool got = false;
    static uint8_t memory[ENTRY_ARENA_BYTES] __attribute__((aligned(16)));
    struct arena arena;
    struct entry entry;
    assert_false(err_is(wal_reader_open(fixture->wal, &reader)));
    assert_false(err_is(wal_reader_seek(reader, index)));
    assert_false(err_is(wal_reader_next(reader, &found, &got)));
    assert_true(got);
    arena_init(&arena, memory, sizeof memory);
    assert_int_equal(entry_decode(found.bytes, found.bytes_count, &arena, &entry), ENTRY_GOOD);
    assert_int_equal(entry.type, ENTRY_WAL_RECOVERED);
    assert_int_equal(entry.body.wal_recovered.torn_bytes, torn_bytes);
    char hex[HASH_HEX_BYTES];
    hex_encode(entry.body.wal_recovered.torn_sha256, HASH_BYTES, hex);
    wal_reader_close(&reader);
    /* The saved file is what the entry says, and is not pending any more. */
    fixture_run("ls '%s' | grep -q '^torn-[0-9]*$' && ! ls '%s' | grep -q pending", fixture->wal,
                fixture->wal);
    fixture_run("sha256sum '%s'/torn-* | grep -q ^%s", fixture->wal, hex);
}

static void torn_tail_is_cut_saved_and_told_of(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    uint64_t offset = write_unpromised_group(&fixture, 0, true);
    char segment[160];
    fixture_last_segment(&fixture, segment, sizeof segment);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, GROUPS + 1);
    assert_int_equal(fixture.recovery.torn_bytes, WAL_BLOCK_BYTES);
    expect_recovered_entry(&fixture, GROUPS + 1, WAL_BLOCK_BYTES);
    oversight_close(&fixture.log);
    naive_check(&fixture, GROUPS + 2);
    assert_int_equal(fixture_newest(&fixture).offset, offset); /* the place is used again */
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.torn_bytes, 0); /* once is enough */
    assert_int_equal(oversight_size(fixture.log), GROUPS + 2);
    fixture_remove(&fixture);
}

/* The first block of the group is the one that did not reach the disk. */
static void torn_tail_that_begins_with_zeros_is_cut(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    uint64_t offset = write_unpromised_group(&fixture, 0, false);
    char segment[160];
    static const uint8_t zeros[WAL_BLOCK_BYTES];
    fixture_last_segment(&fixture, segment, sizeof segment);
    fixture_patch(segment, offset, zeros, sizeof zeros);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, GROUPS + 1);
    assert_int_equal(fixture.recovery.torn_bytes, 2 * WAL_BLOCK_BYTES);
    expect_recovered_entry(&fixture, GROUPS + 1, 2 * WAL_BLOCK_BYTES);
    oversight_close(&fixture.log);
    fixture_open(
        &fixture); /* the second torn block lies behind the new group: only zeroing took it away */
    assert_int_equal(fixture.recovery.torn_bytes, 0);
    assert_int_equal(fixture.recovery.size, GROUPS + 2);
    fixture_remove(&fixture);
}

static void damaged_promised_group_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    char segment[160];
    fixture_last_segment(&fixture, segment, sizeof segment);
    fixture_flip(segment, fixture_newest(&fixture).offset + 1000);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void erased_promised_group_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    char segment[160];
    static const uint8_t zeros[WAL_BLOCK_BYTES];
    fixture_last_segment(&fixture, segment, sizeof segment);
    fixture_patch(segment, fixture_newest(&fixture).offset, zeros, sizeof zeros);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void truncated_segment_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    char segment[160];
    fixture_last_segment(&fixture, segment, sizeof segment);
    assert_int_equal(truncate(segment, (off_t)fixture_newest(&fixture).offset), 0);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void damaged_group_in_the_middle_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    char segment[160];
    fixture_last_segment(&fixture, segment, sizeof segment);
    fixture_flip(segment, fixture_newest(&fixture).offset - 3 * WAL_BLOCK_BYTES + 70);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void hole_before_a_later_group_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    (void)write_unpromised_group(&fixture, 2 * WAL_BLOCK_BYTES, false);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void garbage_longer_than_a_group_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    char segment[160];
    struct wal_slot newest = fixture_newest(&fixture);
    fixture_last_segment(&fixture, segment, sizeof segment);
    assert_int_equal(truncate(segment, (off_t)(newest.offset + 3 * WAL_GROUP_BYTES_MAX)), 0);
    fixture_patch(segment, newest.offset + WAL_BLOCK_BYTES, "x", 1);
    fixture_patch(segment, newest.offset + WAL_BLOCK_BYTES + WAL_GROUP_BYTES_MAX, "x", 1);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void group_exchanged_for_another_one_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    struct wal_slot newest = fixture_newest(&fixture);
    char segment[160];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    fixture_last_segment(&fixture, segment, sizeof segment);
    assert_false(err_is(durable_read(segment, 1 << 26, &bytes, &bytes_count)));
    uint8_t *group = bytes + newest.offset;
    struct wal_group_header header;
    assert_int_equal(wal_group_header_decode(group, 64, &header), WAL_GOOD);
    group[200] ^= 1; /* an entry is changed and the checksums are made to fit */
    (void)wal_group_seal(&header, group);
    fixture_patch(segment, newest.offset, group, WAL_BLOCK_BYTES);
    free(bytes);
    expect_refusal(&fixture, ERR_WAL_DAMAGED); /* but its commit slot remembers */
}

static void missing_commit_index_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture_run("rm '%s/commit.idx'", fixture.wal);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void blank_commit_index_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture_run("head -c 262144 /dev/zero > '%s/commit.idx'", fixture.wal);
    /* Recovery itself must say so: a reader that trusts the index would only stumble over it later.
     */
    assert_string_equal(fixture_try_open(&fixture).where, "commit index is behind the groups");
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void missing_segment_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, 500, 8000); /* several segments */
    oversight_close(&fixture.log);
    char segment[160];
    fixture_last_segment(&fixture, segment, sizeof segment);
    assert_int_equal(unlink(segment), 0);
    expect_refusal(&fixture, ERR_WAL_DAMAGED);
}

static void removed_log_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture_run("rm '%s'/*.seg '%s/commit.idx'", fixture.wal, fixture.wal);
    expect_refusal(&fixture, ERR_LOG_ROLLED_BACK); /* last-signed remembers */
}

static void restored_older_copy_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture_run("cp -a '%s' '%s/old'", fixture.wal, fixture.root);
    fixture_open(&fixture);
    fixture_append(&fixture, 100, 5, 100);
    oversight_close(&fixture.log);
    /* All but last-signed comes back from the older copy. */
    fixture_run("rm '%s'/*.seg && cp '%s'/old/*.seg '%s/old/commit.idx' '%s'", fixture.wal,
                fixture.root, fixture.root, fixture.wal);
    expect_refusal(&fixture, ERR_LOG_ROLLED_BACK);
}

static void restored_older_copy_with_its_last_signed_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture_run("cp -a '%s' '%s/old'", fixture.wal, fixture.root);
    fixture_open(&fixture);
    fixture_append(&fixture, 100, 5, 100);
    oversight_close(&fixture.log);
    fixture_run("rm -r '%s' && mv '%s/old' '%s'", fixture.wal, fixture.root, fixture.wal);
    expect_refusal(&fixture, ERR_LOG_ROLLED_BACK); /* the public checkpoint remembers */
}

/* Same length, other content, all checksums right: only the signature knows. */
static void forked_log_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture_run("cp -a '%s/last-signed' '%s/signed' && rm -r '%s' '%s'", fixture.wal, fixture.root,
                fixture.wal, fixture.published);
    fixture_open(&fixture);
    for (uint64_t i = 1; i <= GROUPS; i++) {
        (void)fixture_append_one(&fixture, i + 1000, 3000);
    }
    oversight_close(&fixture.log);
    fixture_run("mv '%s/signed' '%s/last-signed' && rm -r '%s'", fixture.root, fixture.wal,
                fixture.published);
    expect_refusal(&fixture, ERR_LOG_ROLLED_BACK);
}

static void other_key_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    fixture.key.seed[0] ^= 1;
    uint8_t seed[SIGN_SEED_BYTES];
    memcpy(seed, fixture.key.seed, sizeof seed);
    sign_key_from_seed(&fixture.key, seed);
    expect_refusal(&fixture, ERR_KEY);
}

/* The newest slot torn: the group before it is the newest promised one, the last group was whole
 * but unanswered. */
static void torn_slot_keeps_the_last_group(void **state)
{
    (void)state;
    struct fixture fixture;
    make_log(&fixture);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/commit.idx", fixture.wal);
    fixture_flip(path, fixture_newest(&fixture).group_number % WAL_SLOTS * WAL_BLOCK_BYTES + 20);
    assert_int_equal(fixture_newest(&fixture).next_index, GROUPS);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, GROUPS + 1);
    assert_int_equal(fixture_newest(&fixture).next_index, GROUPS + 1);
    fixture_remove(&fixture);
}

/* Recovery from the tiles alone must find the end too: opening would fall back to the first segment
 * and hide it. */
static void expect_recovery_from_tiles(const struct fixture *fixture, uint64_t size)
{
    struct tiles *tiles = NULL;
    struct merkle_range range;
    struct wal_end end;
    static struct shards shards;
    uint64_t complete = 0;
    struct checkpoint is_signed = naive_checkpoint(fixture, "checkpoint");
    assert_false(err_is(tiles_open(fixture->published, &tiles)));
    assert_false(err_is(tiles_complete_size(tiles, size, &complete)));
    assert_int_equal(complete, size / TILE_WIDTH * TILE_WIDTH);
    assert_false(err_is(tiles_load(tiles, complete)));
    tiles_range(tiles, &range);
    assert_false(err_is(shards_read(fixture->log_directory, &shards)));
    struct wal_recover_conf conf = {fixture->wal, &shards, 0, &is_signed, &range};
    assert_false(err_is(wal_recover(&conf, &end)));
    assert_int_equal(end.size, size);
    assert_int_equal(end.next_group, fixture_newest(fixture).group_number + 1);
    tiles_close(&tiles);
}

/* A segment was made, then the machine stopped before a group was in it; everything before is
 * published. */
static void empty_last_segment_is_used(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_make(&fixture);
    fixture_open(&fixture);
    fixture_append(&fixture, 1, TILE_WIDTH - 1, 100);
    oversight_close(&fixture.log);
    char segment[160];
    char next[160];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct wal_segment_header header;
    fixture_last_segment(&fixture, segment, sizeof segment);
    assert_false(err_is(durable_read(segment, 1 << 26, &bytes, &bytes_count)));
    assert_int_equal(wal_segment_header_decode(bytes, bytes_count, &header), WAL_GOOD);
    memset(bytes, 0, bytes_count);
    header.segment_number++;
    header.first_index = TILE_WIDTH;
    struct checkpoint checkpoint = naive_checkpoint(&fixture, "checkpoint");
    memcpy(header.root, checkpoint.root, HASH_BYTES);
    wal_segment_header_encode(&header, bytes);
    (void)snprintf(next, sizeof next, "%s/%020u.seg", fixture.wal, TILE_WIDTH);
    assert_false(err_is(durable_replace(next, bytes, bytes_count, 0600)));
    free(bytes);
    expect_recovery_from_tiles(&fixture, TILE_WIDTH);
    fixture_open(&fixture);
    assert_int_equal(fixture.recovery.size, TILE_WIDTH);
    fixture_append(&fixture, TILE_WIDTH, 3, 100);
    assert_int_equal(fixture_newest(&fixture).segment_number, header.segment_number);
    oversight_close(&fixture.log);
    naive_check(&fixture, TILE_WIDTH + 3);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_group_without_slot_is_kept),
        cmocka_unit_test(torn_tail_is_cut_saved_and_told_of),
        cmocka_unit_test(torn_tail_that_begins_with_zeros_is_cut),
        cmocka_unit_test(damaged_promised_group_refuses),
        cmocka_unit_test(erased_promised_group_refuses),
        cmocka_unit_test(truncated_segment_refuses),
        cmocka_unit_test(damaged_group_in_the_middle_refuses),
        cmocka_unit_test(hole_before_a_later_group_refuses),
        cmocka_unit_test(garbage_longer_than_a_group_refuses),
        cmocka_unit_test(group_exchanged_for_another_one_refuses),
        cmocka_unit_test(missing_commit_index_refuses),
        cmocka_unit_test(blank_commit_index_refuses),
        cmocka_unit_test(missing_segment_refuses),
        cmocka_unit_test(removed_log_refuses),
        cmocka_unit_test(restored_older_copy_refuses),
        cmocka_unit_test(restored_older_copy_with_its_last_signed_refuses),
        cmocka_unit_test(forked_log_refuses),
        cmocka_unit_test(other_key_refuses),
        cmocka_unit_test(torn_slot_keeps_the_last_group),
        cmocka_unit_test(empty_last_segment_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
