/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <fcntl.h>

#include "base/durable.h"
#include "folder.h"
#include "log_maker.h"
#include "tests/test_folder.h"
#include "verify/verify.h"
#include "verify/verify_print.h"

/* One honest log of three bundles with a sealed archive file; every test breaks one thing, demands
 * a problem, and mends it. */

#define ORIGIN "oversight.example/rotterdam/2026"
#define NOW_NS INT64_C(1790000000000000000)
#define ITEMS 150u

static char directory[64];
static char shard[128];
static struct range range;
static struct log_maker maker;
static struct verify_report report;
static struct archive_result sealed;

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static uint64_t problems(const char *path, const char *vkey)
{
    const struct verify_conf conf = {.directory = path, .vkey = vkey, .now_ns = NOW_NS};
    verify_report_fini(&report);
    assert_good(verify_report_init(&report));
    assert_good(verify_run(&conf, &report));
    return report.problems.count;
}

static void make_archive(void)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {7};
    char archive_directory[128];
    (void)snprintf(archive_directory, sizeof archive_directory, "%s/archive", directory);
    const struct archive_conf conf = {.directory = archive_directory,
                                      .origin = ORIGIN,
                                      .deflate_level = 1,
                                      .threads = 2,
                                      .pseudonym_key = pseudonym_key};
    char blobs_directory[128];
    struct blob_store *blobs = NULL;
    uint8_t item[ITEM_ID_BYTES];
    (void)snprintf(blobs_directory, sizeof blobs_directory, "%s/blobs", directory);
    assert_good(blob_store_open(blobs_directory, 0, &blobs));
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    for (uint32_t i = 0; i < ITEMS; i++) {
        bool referred = range_add_item(&range, item, (uint8_t)(1 + i % 2), blobs);
        if (referred && i % 3 == 0) {
            range_add_action(&range, item, "in_exam", 2);
            range_add_outcome(&range, item, 3);
        }
        assert_good(blob_commit(blobs));
    }
    assert_good(archive_build(&conf, blobs, range_next, &range, &sealed));
    blob_store_close(&blobs);
}

static int make_log(void **state)
{
    (void)state;
    test_folder_make("triage-verify", directory, sizeof directory);
    (void)snprintf(shard, sizeof shard, "%s/log/rotterdam-2026", directory);
    make_archive();
    range_add_seal(&range, &sealed);
    range_add_refusal(&range);
    range_add_draw_reveal(&range);
    log_maker_init(&maker, shard, ORIGIN, 1);
    log_maker_publish(&maker, &range, 1);
    log_maker_publish(&maker, &range, 300);
    log_maker_publish(&maker, &range, range.count);
    return 0;
}

static int remove_log(void **state)
{
    (void)state;
    verify_report_fini(&report);
    range_fini(&range);
    folder_remove(directory);
    return 0;
}

static void honest_log_has_no_problem(void **state)
{
    (void)state;
    assert_int_equal(problems(directory, NULL), 0);
    assert_int_equal(report.warnings.count, 0);
    assert_int_equal(report.shards_count, 1);
    const struct verify_shard *seen = &report.shards[0];
    assert_string_equal(seen->origin, ORIGIN);
    assert_int_equal(seen->size, range.count);
    assert_int_equal(seen->entries, range.count);
    assert_int_equal(seen->bundles, 3);
    assert_int_equal(seen->tiles, 4);
    assert_int_equal(seen->checkpoints, 4);
    assert_int_equal(seen->items_decided, ITEMS);
    assert_true(seen->items_referred > ITEMS / 2);
    assert_true(seen->referrals_closed > 0);
    assert_int_equal(seen->draws_checked, ITEMS);
    assert_int_equal(seen->draws_waiting, 0);
    assert_int_equal(seen->archive_files, 1);
    assert_int_equal(seen->archive_entries, sealed.last_index + 1);
    assert_int_equal(seen->archive_images, 4);
    assert_int_equal(seen->types[ENTRY_SCORE], ITEMS);
    assert_int_equal(problems(shard, NULL),
                     0); /* the shard alone: its archive is not here, which is said */
    assert_int_equal(report.warnings.count, 1);
    assert_int_equal(report.shards[0].seals_unchecked, 1);
    char *verdict = NULL;
    size_t verdict_bytes = 0;
    FILE *out = open_memstream(&verdict, &verdict_bytes);
    assert_non_null(out);
    const struct verify_print_conf print = {.quiet = true, .seconds = -1};
    verify_report_print(&report, &print, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(
        verdict, "good: every entry checks; 1 archive files are not here and were not checked\n");
    free(verdict);
}

/* ---- every file, broken in every way ---- */

struct kept {
    uint8_t *bytes;
    size_t bytes_count;
};

static struct kept keep(const char *path)
{
    struct kept kept;
    assert_good(durable_read(path, 1 << 26, &kept.bytes, &kept.bytes_count));
    assert_int_equal(chmod(path, 0600), 0);
    return kept;
}

static void put(const char *path, const uint8_t *bytes, size_t bytes_count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, bytes_count, file), bytes_count);
    assert_int_equal(fclose(file), 0);
}

static void mend(const char *path, struct kept *kept)
{
    put(path, kept->bytes, kept->bytes_count);
    free(kept->bytes);
}

/* What is wrong with the log must show without the archive, which repeats the entries. */
static void expect_problem(const char *path, const char *what, size_t at)
{
    if (problems(strstr(path, ".h5") != NULL ? directory : shard, NULL) == 0) {
        fail_msg("%s: %s at %zu is no problem", path, what, at);
    }
}

static void flip_bytes(const char *path, void *arg)
{
    struct kept kept = keep(path);
    const size_t places[] = {0, 1, kept.bytes_count / 3, kept.bytes_count / 2,
                             kept.bytes_count - 1};
    (void)arg;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        kept.bytes[places[i]] ^= 0x04;
        put(path, kept.bytes, kept.bytes_count);
        expect_problem(path, "flipped bit", places[i]);
        kept.bytes[places[i]] ^= 0x04;
    }
    mend(path, &kept);
}

static void cut_bytes(const char *path, void *arg)
{
    struct kept kept = keep(path);
    const size_t sizes[] = {0, kept.bytes_count / 2, kept.bytes_count - 1};
    bool is_key = strstr(path, "/vkey") != NULL;
    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (is_key && sizes[i] == kept.bytes_count - 1) {
            continue; /* the key without its line end is the key */
        }
        put(path, kept.bytes, sizes[i]);
        expect_problem(path, "cut", sizes[i]);
    }
    kept.bytes[kept.bytes_count] = 'x'; /* durable_read leaves one byte behind */
    put(path, kept.bytes, kept.bytes_count + 1);
    expect_problem(path, "one byte more", kept.bytes_count);
    mend(path, &kept);
}

static void drop_file(const char *path, void *arg)
{
    struct kept kept;
    (void)arg;
    if (strstr(path, "/checkpoints/") != NULL || strstr(path, "001.p/44") != NULL ||
        strstr(path, "000.p/1") != NULL) {
        return; /* copies and outgrown partial files may go */
    }
    kept = keep(path);
    assert_int_equal(unlink(path), 0);
    expect_problem(path, "missing", 0);
    mend(path, &kept);
}

static void flipped_bit_in_any_file_is_a_problem(void **state)
{
    char path[160];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/log", directory);
    assert_true(folder_each(path, "/", flip_bytes, NULL) >= 14);
    (void)snprintf(path, sizeof path, "%s/archive", directory);
    assert_int_equal(folder_each(path, ".h5", flip_bytes, NULL), 1);
    assert_int_equal(problems(directory, NULL), 0);
}

static void cut_or_longer_file_is_a_problem(void **state)
{
    char path[160];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/log", directory);
    assert_true(folder_each(path, "/", cut_bytes, NULL) >= 14);
    (void)snprintf(path, sizeof path, "%s/archive", directory);
    assert_int_equal(folder_each(path, ".h5", cut_bytes, NULL), 1);
    assert_int_equal(problems(directory, NULL), 0);
}

static void missing_file_is_a_problem(void **state)
{
    char path[160];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/log", directory);
    (void)folder_each(path, "/", drop_file, NULL);
    (void)snprintf(path, sizeof path, "%s/archive", directory);
    (void)folder_each(path, ".h5", drop_file, NULL);
    assert_int_equal(problems(directory, NULL), 0);
}

/* ---- forgeries ---- */

static void swap_files(const char *a, const char *b)
{
    char paths[2][256];
    char between[256];
    (void)snprintf(paths[0], sizeof paths[0], "%s/%s", shard, a);
    (void)snprintf(paths[1], sizeof paths[1], "%s/%s", shard, b);
    (void)snprintf(between, sizeof between, "%s/between", directory);
    assert_int_equal(rename(paths[0], between), 0);
    assert_int_equal(rename(paths[1], paths[0]), 0);
    assert_int_equal(rename(between, paths[1]), 0);
}

static void swapped_bundles_with_their_tiles_are_a_problem(void **state)
{
    (void)state;
    swap_files("tile/entries/000", "tile/entries/001");
    swap_files("tile/0/000", "tile/0/001");
    assert_true(problems(directory, NULL) > 0);
    swap_files("tile/entries/000", "tile/entries/001");
    swap_files("tile/0/000", "tile/0/001");
    assert_int_equal(problems(directory, NULL), 0);
}

static void checkpoint_of_another_key_is_a_problem(void **state)
{
    struct log_maker *forger = malloc(sizeof *forger);
    char path[256];
    char key_path[256];
    uint8_t root[HASH_BYTES];
    (void)state;
    assert_non_null(forger);
    (void)snprintf(path, sizeof path, "%s/checkpoint", shard);
    (void)snprintf(key_path, sizeof key_path, "%s/vkey", shard);
    struct kept kept = keep(path);
    struct kept kept_key = keep(key_path);
    log_maker_root(&maker, range.count, root);
    log_maker_init(forger, shard, ORIGIN, 2); /* also puts its own key there */
    log_maker_write_checkpoint(forger, "checkpoint", range.count, root);
    assert_true(problems(directory, NULL) > 0); /* the copies are by the true key */
    char *const true_key = (char *)kept_key.bytes;
    true_key[strcspn(true_key, "\n")] = '\0';
    assert_true(problems(directory, true_key) > 0);
    true_key[strlen(true_key)] = '\n';
    mend(path, &kept);
    mend(key_path, &kept_key);
    free(forger);
    assert_int_equal(problems(directory, NULL), 0);
}

static void older_checkpoint_in_place_of_the_newest_is_a_problem(void **state)
{
    char path[256];
    uint8_t root[HASH_BYTES];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/checkpoint", shard);
    struct kept kept = keep(path);
    log_maker_root(&maker, 300, root);
    log_maker_write_checkpoint(&maker, "checkpoint", 300, root);
    assert_true(problems(directory, NULL) > 0);
    assert_non_null(strstr(report.problems.lines[0].text, "rolled back"));
    mend(path, &kept);
}

static void second_root_signed_for_a_size_is_a_problem(void **state)
{
    char path[256];
    uint8_t root[HASH_BYTES] = {1};
    (void)state;
    (void)snprintf(path, sizeof path, "%s/checkpoints/300", shard);
    struct kept kept = keep(path);
    log_maker_write_checkpoint(&maker, "checkpoints/300", 300, root);
    assert_int_equal(problems(directory, NULL), 1);
    assert_non_null(strstr(report.problems.lines[0].text, "checkpoints/300"));
    mend(path, &kept);
}

static void newest_checkpoint_with_another_root_is_a_problem(void **state)
{
    char path[256];
    uint8_t root[HASH_BYTES] = {1};
    (void)state;
    (void)snprintf(path, sizeof path, "%s/checkpoint", shard);
    struct kept kept = keep(path);
    log_maker_write_checkpoint(&maker, "checkpoint", range.count, root);
    assert_int_equal(problems(directory, NULL), 1);
    assert_non_null(strstr(report.problems.lines[0].text, "/checkpoint: root is not that of the"));
    mend(path, &kept);
}

/* A whole archive file with a true digest in its seal, but of entries that this log does not have.
 */
static void sealed_file_of_other_entries_is_a_problem(void **state)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {7};
    static struct range other;
    static struct log_maker other_maker;
    char other_directory[64] = "/tmp/triage-verify-XXXXXX";
    char path[128];
    char blobs_directory[128];
    struct blob_store *blobs = NULL;
    struct archive_result result;
    (void)state;
    assert_non_null(mkdtemp(other_directory));
    (void)snprintf(path, sizeof path, "%s/archive", other_directory);
    (void)snprintf(blobs_directory, sizeof blobs_directory, "%s/blobs", other_directory);
    const struct archive_conf conf = {
        .directory = path, .origin = ORIGIN, .threads = 1, .pseudonym_key = pseudonym_key};
    assert_good(blob_store_open(blobs_directory, 0, &blobs));
    range_init(&other, 0);
    range_add_log_open(&other, ORIGIN);
    range_add_refusal(&other);
    assert_good(archive_build(&conf, blobs, range_next, &other, &result));
    range_fini(&other);
    range_init(&other, 0);
    range_add_log_open(&other, ORIGIN);
    range_add_draw_commit(&other);
    range_add_seal(&other, &result);
    (void)snprintf(path, sizeof path, "%s/log/x", other_directory);
    log_maker_init(&other_maker, path, ORIGIN, 1);
    log_maker_publish(&other_maker, &other, other.count);
    assert_int_equal(problems(other_directory, NULL), 1);
    assert_non_null(strstr(report.problems.lines[0].text, "entry 1 is not the one in the log"));
    blob_store_close(&blobs);
    range_fini(&other);
    folder_remove(other_directory);
}

/* Two sealed files of a short log; the second continues the tree of the first, or made-up leaves.
 */
static uint64_t problems_of_two_files(bool true_tree)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {7};
    static struct range other;
    static struct log_maker other_maker;
    static struct archive_tree tree;
    char other_directory[64] = "/tmp/triage-verify-XXXXXX";
    char path[128];
    struct blob_store *blobs = NULL;
    struct archive_result result;
    assert_non_null(mkdtemp(other_directory));
    (void)snprintf(path, sizeof path, "%s/blobs", other_directory);
    assert_good(blob_store_open(path, 0, &blobs));
    (void)snprintf(path, sizeof path, "%s/archive", other_directory);
    const struct archive_conf conf = {.directory = path,
                                      .origin = ORIGIN,
                                      .threads = 1,
                                      .pseudonym_key = pseudonym_key,
                                      .tree = &tree};
    range_tree_before(0, 0, &tree);
    range_init(&other, 0);
    range_add_log_open(&other, ORIGIN);
    range_add_draw_commit(&other);
    assert_good(archive_build(&conf, blobs, range_next, &other, &result));
    range_add_seal(&other, &result);
    range_add_refusal(&other);
    tree = result.tree;
    if (!true_tree) {
        range_tree_before(0, 2, &tree);
    }
    assert_good(archive_build(&conf, blobs, range_next, &other, &result));
    range_add_seal(&other, &result);
    (void)snprintf(path, sizeof path, "%s/log/x", other_directory);
    log_maker_init(&other_maker, path, ORIGIN, 1);
    log_maker_publish(&other_maker, &other, other.count);
    uint64_t count = problems(other_directory, NULL);
    blob_store_close(&blobs);
    range_fini(&other);
    folder_remove(other_directory);
    return count;
}

static void tree_root_of_a_sealed_file_is_held_against_the_log(void **state)
{
    (void)state;
    assert_int_equal(problems_of_two_files(true), 0);
    assert_int_equal(report.shards[0].archive_files, 2);
    assert_int_equal(problems_of_two_files(false), 1);
    assert_non_null(strstr(report.problems.lines[0].text, "tree_root is not the root of the log"));
}

static void key_given_by_the_caller_is_held_against_the_log(void **state)
{
    struct note_vkey vkey;
    char text[NOTE_VKEY_BYTES_MAX];
    char path[256];
    uint8_t other[SIGN_PUBLIC_BYTES] = {9};
    (void)state;
    note_vkey_make(&vkey, ORIGIN, maker.key.public_key);
    note_vkey_encode(&vkey, text);
    assert_int_equal(problems(directory, text), 0);
    assert_true(report.shards[0].key_was_given);
    (void)snprintf(path, sizeof path, "%s/vkey", shard);
    assert_int_equal(problems(directory, path), 0);
    note_vkey_make(&vkey, ORIGIN, other);
    note_vkey_encode(&vkey, text);
    assert_true(problems(directory, text) > 0);
    assert_true(problems(directory, "not a key at all") > 0);
}

/* ---- the program ---- */

static int run(const char *option, const char *path)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
        (void)execl(BINARY_DIR "/bin/triage-verify", "triage-verify", option, path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void program_exits_with_the_documented_status(void **state)
{
    char path[256];
    (void)state;
    assert_int_equal(run("--json", directory), 0);
    assert_int_equal(run("--quiet", directory), 0);
    assert_int_equal(run("--no-such-option", directory), 2);
    assert_int_equal(run("--quiet", "/tmp/there-is-no-such-directory"), 2);
    (void)snprintf(path, sizeof path, "%s/tile/0/000", shard);
    struct kept kept = keep(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(run("--quiet", directory), 1);
    mend(path, &kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_log_has_no_problem),
        cmocka_unit_test(flipped_bit_in_any_file_is_a_problem),
        cmocka_unit_test(cut_or_longer_file_is_a_problem),
        cmocka_unit_test(missing_file_is_a_problem),
        cmocka_unit_test(swapped_bundles_with_their_tiles_are_a_problem),
        cmocka_unit_test(checkpoint_of_another_key_is_a_problem),
        cmocka_unit_test(older_checkpoint_in_place_of_the_newest_is_a_problem),
        cmocka_unit_test(second_root_signed_for_a_size_is_a_problem),
        cmocka_unit_test(newest_checkpoint_with_another_root_is_a_problem),
        cmocka_unit_test(sealed_file_of_other_entries_is_a_problem),
        cmocka_unit_test(tree_root_of_a_sealed_file_is_held_against_the_log),
        cmocka_unit_test(key_given_by_the_caller_is_held_against_the_log),
        cmocka_unit_test(program_exits_with_the_documented_status),
    };
    return cmocka_run_group_tests(tests, make_log, remove_log);
}
