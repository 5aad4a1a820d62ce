/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

/* Access, redaction, discarded payloads, recovered tails; policy and models in force. Each row adds
 * one entry to a log that holds digests, a payload and a seal, and says what must be found. */

/* In the log before the row's entry comes. */
enum { WITH_DIGESTS = 2, SEAL = 4, COPIED = 5, NEXT = 6 };

static const uint8_t digests[3][HASH_BYTES] = {{0xd1, 1}, {0xd2, 2}, {0xd3, 3}};
static const uint8_t payload[1][HASH_BYTES] = {{0xb1, 1}};
static const uint8_t payload_later[1][HASH_BYTES] = {{0xb2, 1}};

static void add_scan(const uint8_t image[HASH_BYTES])
{
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED};
    entry.body.received =
        (struct entry_received){.mode = MODE_TRUCK, .record_id = "S", .images_count = 1};
    memcpy(entry.body.received.images[0].sha256, image, HASH_BYTES);
    (void)range_add(&range, &entry, NULL, 0);
}

static void add(const struct entry *entry)
{
    struct entry copy = *entry;
    (void)range_add(&range, &copy, NULL, 0);
}

static void fill(void)
{
    const struct archive_result result = {.path = "a.h5", .first_index = 0, .last_index = 2};
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED, .sd_count = 2};
    entry.body.received =
        (struct entry_received){.mode = MODE_TRUCK, .record_id = "S", .images_count = 1};
    memcpy(entry.body.received.images[0].sha256, payload[0], HASH_BYTES);
    memcpy(entry.sd, digests, sizeof entry.sd[0] * 2);
    (void)range_add(&range, &entry, NULL, 0);
    add_scan(payload_later[0]);
    range_add_seal(&range, &result);
    const struct entry copied = {.type = ENTRY_ARCHIVE_COPIED,
                                 .body.archive_copied = {.path = "a.h5", .place = "second"}};
    add(&copied);
}

static const struct entry good[] = {
    {.type = ENTRY_ACCESS,
     .body.access = {.purpose = "appeal", .entry_index = {WITH_DIGESTS}, .entries_count = 1}},
    {.type = ENTRY_REDACT,
     .body.redact = {.entry_index = {WITH_DIGESTS},
                     .entries_count = 1,
                     .digests = digests,
                     .digests_count = 2,
                     .legal_basis = "GDPR Art. 17(1)(d)"}},
    {.type = ENTRY_HOLD,
     .has_item = true,
     .item = {7},
     .body.hold = {.placed = true, .reason = "x"}},
    {.type = ENTRY_HOLD, .body.hold = {.placed = true, .reason = "order 12"}},
    {.type = ENTRY_HOLD, .body.hold = {.placed = false, .reason = "order lifted"}},
    {.type = ENTRY_BLOB_DISCARD,
     .body.blob_discard =
         {.sha256 = payload, .blobs_count = 1, .reason = "retention", .kept_in = "a.h5"}},
};

static void honest_keeping_has_no_problem(void **state)
{
    (void)state;
    fill();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        add(&good[i]);
    }
    check();
    if (report.problems.count > 0) {
        fail_msg("%s", report.problems.lines[0].text);
    }
    const struct verify_shard *seen = &report.shards[0];
    assert_int_equal(seen->accesses, 1);
    assert_int_equal(seen->redactions, 1);
    assert_int_equal(seen->digests_redacted, 2);
    assert_int_equal(seen->payloads_discarded, 1);
    assert_int_equal(seen->tails_recovered, 0);
}

static void broken_keeping_is_named(void **state)
{
    static const struct {
        struct entry entry;
        const char *words;
    } rows[] = {
        {{.type = ENTRY_ACCESS, .body.access = {.entry_index = {2}, .entries_count = 1}},
         "entry 6: access without a purpose"},
        {{.type = ENTRY_ACCESS, .body.access = {.purpose = "appeal"}},
         "entry 6: access to no entry"},
        {{.type = ENTRY_ACCESS,
          .body.access = {.purpose = "appeal", .entry_index = {2, NEXT}, .entries_count = 2}},
         "entry 6: access of entry 6, which is not before it"},
        {{.type = ENTRY_REDACT,
          .body.redact =
              {.entry_index = {2}, .entries_count = 1, .digests = digests, .digests_count = 1}},
         "entry 6: redaction without a legal basis"},
        {{.type = ENTRY_REDACT,
          .body.redact = {.entry_index = {77}, .entries_count = 1, .legal_basis = "x"}},
         "entry 6: redact of entry 77, which is not before it"},
        {{.type = ENTRY_REDACT,
          .body.redact = {.entry_index = {2},
                          .entries_count = 1,
                          .digests = digests,
                          .digests_count = 3,
                          .legal_basis = "x"}},
         "entry 6: redacts digest d303000000000000..., which no entry before it has"},
        {{.type = ENTRY_REDACT,
          .body.redact = {.entry_index = {3},
                          .entries_count = 1,
                          .digests = digests,
                          .digests_count = 1,
                          .legal_basis = "x"}},
         "entry 6: redacts digest d101000000000000... of entry 2, which it does not name"},
        {{.type = ENTRY_BLOB_DISCARD,
          .body.blob_discard = {.sha256 = digests, .blobs_count = 1, .kept_in = "a.h5"}},
         "entry 6: discards payload d101000000000000..., which no entry before it received"},
        {{.type = ENTRY_BLOB_DISCARD,
          .body.blob_discard = {.sha256 = payload, .blobs_count = 1, .kept_in = "b.h5"}},
         "entry 6: payloads are said to be kept in 'b.h5', which no entry before it seals"},
        {{.type = ENTRY_BLOB_DISCARD,
          .body.blob_discard = {.sha256 = payload_later, .blobs_count = 1, .kept_in = "a.h5"}},
         "entry 6: payload b201000000000000... of entry 3 is said to be kept in 'a.h5', which "
         "holds "
         "entries 0 to 2"},
        {{.type = ENTRY_ARCHIVE_COPIED, .body.archive_copied = {.path = "b.h5"}},
         "entry 6: tells of a copy of 'b.h5', which no entry before it seals"},
        {{.type = ENTRY_ARCHIVE_COPIED, .body.archive_copied = {.path = "a.h5", .file_bytes = 1}},
         "entry 6: the copy of 'a.h5' is not the file that entry 4 seals"},
        {{.type = ENTRY_ARCHIVE_COPIED, .body.archive_copied = {.path = "a.h5", .sha256 = {1}}},
         "entry 6: the copy of 'a.h5' is not the file that entry 4 seals"},
        {{.type = ENTRY_HOLD, .body.hold = {.placed = true}}, "entry 6: hold without a reason"},
        {{.type = ENTRY_HOLD, .body.hold = {.reason = "x"}},
         "entry 6: lifts a hold that nobody placed"},
        {{.type = ENTRY_WAL_RECOVERED, .body.wal_recovered = {.torn_bytes = 0}},
         "entry 6: recovery cut 0 bytes"},
        {{.type = ENTRY_WAL_RECOVERED, .body.wal_recovered = {.torn_bytes = 2000000}},
         "entry 6: recovery cut 2000000 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fill();
        add(&rows[i].entry);
        expect_problem(STEP_keeping, rows[i].words);
    }
}

static void what_a_reader_should_know_is_a_warning(void **state)
{
    static const struct entry recovered = {.type = ENTRY_WAL_RECOVERED,
                                           .body.wal_recovered = {.torn_bytes = 512}};
    static const struct entry nowhere = {
        .type = ENTRY_BLOB_DISCARD,
        .body.blob_discard = {.sha256 = payload, .blobs_count = 1, .reason = "retention"}};
    (void)state;
    fill();
    add(&recovered);
    expect_warning(STEP_keeping, "after a crash 512 bytes that had not been answered were cut off");
    fill();
    add(&nowhere);
    expect_warning(STEP_keeping, "entry 6: payloads are kept nowhere any more (first of 1)");
    fill();
    add(&good[1]);
    add(&good[1]);
    expect_warning(STEP_keeping, "entry 7: redacts digest d101000000000000... a second time");
    fill();
    struct entry salt = {.type = ENTRY_DECLARATION_RECEIVED, .sd_count = 1};
    salt.body.received = (struct entry_received){.mode = MODE_TRUCK, .record_id = "D"};
    memcpy(salt.sd, digests, sizeof salt.sd[0]);
    add(&salt);
    expect_warning(STEP_keeping, "entry 6: has a digest that was there before");
}

/* An item (entries 2 to 5) in a sealed file, and a discard of one of its images at the end. */
static void fill_item(bool copied, const struct entry *hold)
{
    const struct archive_result result = {.path = "a.h5", .first_index = 0, .last_index = 5};
    static uint8_t image[1][HASH_BYTES];
    struct arena arena;
    static uint8_t memory[ENTRY_ARENA_BYTES];
    struct entry scan;
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    (void)range_add_item(&range, items[0], 1, NULL);
    for (uint32_t i = 0; i < range.count; i++) {
        arena_init(&arena, memory, sizeof memory);
        assert_int_equal(
            entry_decode(range.entries[i].bytes, range.entries[i].bytes_count, &arena, &scan),
            ENTRY_GOOD);
        if (scan.type == ENTRY_SCAN_RECEIVED) {
            memcpy(image[0], scan.body.received.images[0].sha256, HASH_BYTES);
        }
    }
    range_add_seal(&range, &result);
    const struct entry copy = {.type = ENTRY_ARCHIVE_COPIED,
                               .body.archive_copied = {.path = "a.h5", .place = "second"}};
    if (copied) {
        add(&copy);
    }
    if (hold != NULL) {
        add(hold);
    }
    const struct entry discard = {
        .type = ENTRY_BLOB_DISCARD,
        .body.blob_discard = {
            .sha256 = (const uint8_t(*)[HASH_BYTES])image, .blobs_count = 1, .kept_in = "a.h5"}};
    add(&discard);
}

static void a_discard_needs_a_copy_and_no_hold(void **state)
{
    (void)state;
    fill_item(true, NULL);
    check();
    assert_int_equal(report.problems.count, 0);
    assert_int_equal(report.shards[0].payloads_discarded, 1);
    fill_item(false, NULL);
    expect_problem(STEP_keeping, "entry 7: payloads are said to be kept in 'a.h5', of which no "
                                 "entry before it tells a copy");
    struct entry hold = {.type = ENTRY_HOLD, .body.hold = {.placed = true, .reason = "order"}};
    fill_item(true, &hold);
    expect_problem(STEP_keeping, "of entry 3, which entry 8 holds");
    hold.has_item = true;
    memcpy(hold.item, items[0], ITEM_ID_BYTES);
    fill_item(true, &hold);
    expect_problem(STEP_keeping, "of entry 3, which entry 8 holds");
    hold.item[0] ^= 1; /* another item's hold keeps nothing of this one */
    fill_item(true, &hold);
    check();
    assert_int_equal(report.problems.count, 0);
    struct entry same = {
        .type = ENTRY_ARCHIVE_COPIED,
        .body.archive_copied = {.path = "a.h5", .place = "second", .same_device = true}};
    fill_item(false, &same);
    expect_warning(STEP_keeping, "whose copies lie on the device of the archive (first of 1)");
}

/* ---- policy and models ---- */

static void fill_settings(uint8_t policy, uint8_t model)
{
    struct entry config = {.type = ENTRY_CONFIG_CHANGE};
    struct entry installed = {.type = ENTRY_MODEL_CHANGE};
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    memset(config.body.config_change.policy_sha256, policy, HASH_BYTES);
    (void)range_add(&range, &config, NULL, 0);
    installed.body.model_change.name = "appearance/container-portal";
    memset(installed.body.model_change.sha256, model, HASH_BYTES);
    (void)range_add(&range, &installed, NULL, 0);
    (void)range_add_item(&range, items[0], 1, NULL);
}

static void settings_other_than_those_in_force_are_a_problem(void **state)
{
    (void)state;
    fill_settings(0, 0xab); /* what the items of a range name */
    check();
    assert_int_equal(report.problems.count, 0);
    assert_int_equal(report.shards[0].policies, 1);
    assert_int_equal(report.shards[0].models, 1);
    fill_settings(1, 0xab);
    expect_problem(STEP_settings, "entry 7: decided by a policy other than that of entry 2");
    fill_settings(0, 0xac);
    expect_problem(
        STEP_settings,
        "entry 6: scored by a model 'appearance/container-portal' other than that of entry 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_keeping_has_no_problem),
        cmocka_unit_test(broken_keeping_is_named),
        cmocka_unit_test(what_a_reader_should_know_is_a_warning),
        cmocka_unit_test(a_discard_needs_a_copy_and_no_hold),
        cmocka_unit_test(settings_other_than_those_in_force_are_a_problem),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    verify_report_fini(&report);
    return failed;
}
