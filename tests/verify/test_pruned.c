/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/durable.h"
#include "base/tile_files.h"
#include "base/tile_minimum.h"
#include "folder.h"
#include "log_maker.h"
#include "oversight/prune.h"
#include "tests/test_folder.h"
#include "verify/verify.h"
#include "verify/verify_print.h"

/* A log of four bundles and a bit, pruned below 600, so that the bundle 1 is gone: 512 is the
 * minimum. What else may be wrong with it is a problem. */

#define ORIGIN "oversight.example/rotterdam/2026"
#define NOW_NS INT64_C(1790000000000000000)
#define ITEMS 200u
#define MINIMUM 512u

static char directory[64];
static char log_directory[96];
static char shard[128];
static struct range range;
static struct log_maker maker;
static struct verify_report report;

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static uint64_t problems(void)
{
    const struct verify_conf conf = {.directory = directory, .now_ns = NOW_NS};
    verify_report_fini(&report);
    assert_good(verify_report_init(&report));
    assert_good(verify_run(&conf, &report));
    return report.problems.count;
}

static void expect_problem(const char *words)
{
    assert_true(problems() > 0);
    for (uint64_t i = 0; i < report.problems.count; i++) {
        if (strstr(report.problems.lines[i].text, words) != NULL) {
            return;
        }
    }
    fail_msg("no '%s' but '%s'", words, report.problems.lines[0].text);
}

static void write_minimum(const char *text)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/minimum", shard);
    assert_good(durable_replace(path, text, strlen(text), 0644));
}

/* told: an entry at the end says that it was pruned below 600. */
static void make_log(bool told)
{
    uint8_t item[ITEM_ID_BYTES];
    test_folder_make("triage-pruned", directory, sizeof directory);
    (void)snprintf(log_directory, sizeof log_directory, "%s/log", directory);
    (void)snprintf(shard, sizeof shard, "%s/2026", log_directory);
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    for (uint32_t i = 0; i < ITEMS; i++) {
        (void)range_add_item(&range, item, (uint8_t)(1 + i % 2), NULL);
    }
    while (range.count < 1040) {
        range_add_refusal(&range);
    }
    struct entry entry = {.type = ENTRY_BLOB_DISCARD};
    entry.body.blob_discard.reason = told ? "pruned below 600: kept two years" : "a tale";
    entry.body.blob_discard.kept_in = "";
    (void)range_add(&range, &entry, NULL, 0);
    range_add_draw_reveal(&range);
    assert_true(range.count > 1024);
    log_maker_init(&maker, shard, ORIGIN, 1);
    log_maker_publish(&maker, &range, 300);
    log_maker_publish(&maker, &range, range.count);
    char path[128];
    char line[128];
    (void)snprintf(path, sizeof path, "%s/shards", log_directory);
    (void)snprintf(line, sizeof line, "0 %s 2026\n", ORIGIN);
    assert_good(durable_replace(path, line, strlen(line), 0644));
}

static void remove_log(void)
{
    verify_report_fini(&report);
    range_fini(&range);
    folder_remove(directory);
}

static void prune(void)
{
    uint64_t removed = 0;
    assert_good(prune_mark(log_directory, 600, range.count));
    assert_good(prune_sweep(log_directory, &removed));
    assert_int_equal(removed, 1);
    assert_good(prune_sweep(log_directory, &removed)); /* again: nothing is left to do */
    assert_int_equal(removed, 0);
}

static bool is_there(const char *name)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/%s", shard, name);
    return access(path, F_OK) == 0;
}

static void pruned_log_verifies(void **state)
{
    (void)state;
    make_log(true);
    assert_int_equal(problems(), 0);
    struct prune_plan plan;
    assert_good(prune_weigh(log_directory, 600, range.count, &plan));
    assert_int_equal(plan.bundles, 1);
    assert_int_equal(plan.least, MINIMUM);
    prune();
    assert_true(is_there("tile/entries/000") && is_there("tile/entries/002"));
    assert_false(is_there("tile/entries/001") || is_there("tile/entries/001.p"));
    assert_true(is_there("tile/0/001"));
    if (problems() > 0) {
        fail_msg("%s", report.problems.lines[0].text);
    }
    const struct verify_shard *seen = &report.shards[0];
    assert_int_equal(seen->minimum, MINIMUM);
    assert_int_equal(seen->pruned, 256);
    assert_int_equal(seen->entries, range.count - 256);
    assert_int_equal(seen->checkpoints_unmet, 0);
    assert_int_equal(report.pruned_below, 600);
    char *words = NULL;
    size_t words_bytes = 0;
    FILE *out = open_memstream(&words, &words_bytes);
    assert_non_null(out);
    const struct verify_print_conf print = {.seconds = -1};
    verify_report_print(&report, &print, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(words, "below entry 512 on purpose: not read: 256 entries"));
    assert_non_null(strstr(words, "256 were pruned on purpose"));
    free(words);
    remove_log();
}

static void what_was_not_pruned_must_be_there(void **state)
{
    (void)state;
    static const char *const names[] = {"tile/entries/002", "tile/entries/000", "tile/0/001"};
    static const char *const words[] = {"tile/entries/002: missing", "tile/entries/000: missing",
                                        "tile/0/001: missing"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[192];
        make_log(true);
        prune();
        (void)snprintf(path, sizeof path, "%s/%s", shard, names[i]);
        assert_int_equal(unlink(path), 0);
        expect_problem(words[i]);
        remove_log();
    }
}

static void hash_of_a_pruned_entry_is_held_against_the_roots(void **state)
{
    char path[192];
    uint8_t *tile = NULL;
    size_t tile_bytes = 0;
    (void)state;
    make_log(true);
    prune();
    (void)snprintf(path, sizeof path, "%s/tile/0/001", shard);
    assert_good(durable_read(path, 1 << 20, &tile, &tile_bytes));
    tile[100] ^= 1;
    assert_good(durable_replace(path, tile, tile_bytes, 0644));
    free(tile);
    expect_problem("root is not that of the");
    remove_log();
}

static void minimum_needs_its_entry(void **state)
{
    (void)state;
    make_log(false);
    prune();
    expect_problem("no entry says that the log was pruned below entry 512");
    remove_log();
    make_log(true); /* it tells of 600: 768 is not covered */
    write_minimum("768\n");
    expect_problem("no entry says that the log was pruned below entry 768");
    remove_log();
}

static void minimum_must_be_well_formed(void **state)
{
    static const char *const bad[] = {
        "",       "\n",     "512",    "0512\n",  "513\n",
        "0\n",    "-256\n", " 512\n", "512\r\n", "18446744073709551616\n",
        "512\n\n"};
    (void)state;
    make_log(true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t minimum = 0;
        assert_false(tile_minimum_parse(bad[i], strlen(bad[i]), &minimum));
        write_minimum(bad[i]);
        assert_true(problems() > 0);
        assert_int_equal(tile_minimum_read(shard, &minimum).code, ERR_TILE_DIFFERS);
    }
    remove_log();
}

static void minimum_only_grows(void **state)
{
    uint64_t minimum = 0;
    struct prune_plan plan;
    (void)state;
    make_log(true);
    prune();
    assert_int_equal(tile_minimum_write(shard, 256).code, ERR_ARGUMENT);
    assert_int_equal(tile_minimum_write(shard, 1000).code, ERR_ARGUMENT);
    assert_good(prune_mark(log_directory, 300, range.count));
    assert_good(tile_minimum_read(shard, &minimum));
    assert_int_equal(minimum, MINIMUM);
    assert_good(prune_weigh(log_directory, 600, range.count, &plan));
    assert_int_equal(plan.bundles, 0);
    assert_good(prune_mark(log_directory, 100000, range.count)); /* never the newest bundle */
    assert_good(tile_minimum_read(shard, &minimum));
    assert_int_equal(minimum, (range.count - 1) / 256 * 256);
    remove_log();
}

static void pruned_entry_is_told_from_a_lost_one(void **state)
{
    static struct tile_files tiles;
    uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    uint8_t leaf[HASH_BYTES];
    char path[192];
    (void)state;
    make_log(true);
    prune();
    assert_true(tile_files_init(&tiles, shard, range.count));
    assert_int_equal(tile_files_entry(&tiles, 300, &bytes, &bytes_count).code, ERR_PRUNED);
    assert_true(tile_files_hash(&tiles, 0, 300, leaf));
    assert_memory_equal(leaf, maker.leaves[300], HASH_BYTES);
    (void)snprintf(path, sizeof path, "%s/tile/entries/002", shard);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tile_files_entry(&tiles, 600, &bytes, &bytes_count).code, ERR_IO);
    remove_log();
}

/* Without it nobody could follow the keys. */
static void bundle_with_a_key_stays(void **state)
{
    uint64_t removed = 0;
    (void)state;
    test_folder_make("triage-pruned", directory, sizeof directory);
    (void)snprintf(log_directory, sizeof log_directory, "%s/log", directory);
    (void)snprintf(shard, sizeof shard, "%s/2026", log_directory);
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    while (range.count < 1100) {
        struct entry entry = {.type = ENTRY_KEY_ROTATE};
        entry.body.key_rotate.old_vkey = "old";
        entry.body.key_rotate.new_vkey = "new";
        entry.body.key_rotate.reason = "";
        if (range.count == 300) {
            (void)range_add(&range, &entry, NULL, 0);
        } else {
            range_add_refusal(&range);
        }
    }
    log_maker_init(&maker, shard, ORIGIN, 1);
    log_maker_publish(&maker, &range, range.count);
    char path[128];
    char line[128];
    (void)snprintf(path, sizeof path, "%s/shards", log_directory);
    (void)snprintf(line, sizeof line, "0 %s 2026\n", ORIGIN);
    assert_good(durable_replace(path, line, strlen(line), 0644));
    assert_good(prune_mark(log_directory, 1000, range.count));
    assert_good(prune_sweep(log_directory, &removed));
    assert_int_equal(removed, 1);
    assert_true(is_there("tile/entries/001"));
    assert_false(is_there("tile/entries/002"));
    remove_log();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pruned_log_verifies),
        cmocka_unit_test(what_was_not_pruned_must_be_there),
        cmocka_unit_test(hash_of_a_pruned_entry_is_held_against_the_roots),
        cmocka_unit_test(minimum_needs_its_entry),
        cmocka_unit_test(minimum_must_be_well_formed),
        cmocka_unit_test(minimum_only_grows),
        cmocka_unit_test(pruned_entry_is_told_from_a_lost_one),
        cmocka_unit_test(bundle_with_a_key_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
