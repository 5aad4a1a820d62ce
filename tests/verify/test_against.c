/* SPDX-License-Identifier: Apache-2.0 */
#include "small_log.h"

#include "base/durable.h"
#include "verify/verify_against.h"

/* Checkpoints that somebody kept, in every form in which they come back, held against honest,
 * forked, cut and incomplete logs; and the log's own sequence of checkpoints. */

static char kept[80];

static int make(void **state)
{
    (void)state;
    make_small_log();
    (void)snprintf(kept, sizeof kept, "%s/kept.txt", directory);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    remove_small_log();
    return 0;
}

/* The checkpoint of 300 entries as text; zero-terminated. */
static size_t read_checkpoint(char out[NOTE_BYTES_MAX])
{
    char path[256];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    path_of("checkpoints/300", path);
    assert_false(err_is(durable_read(path, NOTE_BYTES_MAX - 1, &bytes, &bytes_count)));
    memcpy(out, bytes, bytes_count + 1);
    free(bytes);
    return bytes_count;
}

static void verify_kept_text(const char *text)
{
    const char *const paths[] = {kept};
    write_text(kept, text, strlen(text));
    verify_with(paths, 1);
}

/* Every line with something in front and something behind. */
static void decorate(const char *text, const char *before, const char *after, char *out)
{
    *out = '\0';
    for (const char *line = text; *line != '\0';) {
        size_t line_bytes = strcspn(line, "\n");
        (void)sprintf(out + strlen(out), "%s%.*s%s\n", before, (int)line_bytes, line, after);
        line += line_bytes + 1;
    }
}

static void beginning_of_the_log_is_good_in_every_form(void **state)
{
    static const char *const forms[][2] = {
        {"", ""}, {"", "\r"}, {"> ", ""}, {">> ", " \r"}, {"\t", "  "}};
    char text[NOTE_BYTES_MAX];
    char form[2 * NOTE_BYTES_MAX];
    (void)state;
    (void)read_checkpoint(text);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        decorate(text, forms[i][0], forms[i][1], form);
        memmove(form + 2, form, strlen(form) + 1);
        memcpy(form, "\n\n", 2); /* empty lines in front and behind */
        strcat(form, "\n\n");
        verify_kept_text(form);
        if (report.problems.count > 0) {
            fail_msg("form %zu: %s", i, report.problems.lines[0].text);
        }
        assert_int_equal(report.warnings.count, 0);
        assert_int_equal(report.shards[0].kept, 1);
        assert_int_equal(report.shards[0].kept_met, 1);
    }
}

static void copy_without_signature_is_compared_and_said_so(void **state)
{
    char text[NOTE_BYTES_MAX];
    (void)state;
    (void)read_checkpoint(text);
    strstr(text, "\n\n")[1] = '\0';
    verify_kept_text(text);
    assert_int_equal(report.problems.count, 0);
    expect_line(&report.warnings, STEP_against, "has no signature");
    assert_int_equal(report.shards[0].kept_met, 1);
    char *root = strchr(strchr(text, '\n') + 1, '\n') + 1;
    root[0] = root[0] == 'A' ? 'B' : 'A';
    verify_kept_text(text);
    expect_line(&report.problems, STEP_against, "root of the first 300 entries is another one");
}

static void fork_and_cut_log_are_found(void **state)
{
    char path[256];
    char away_tile[80];
    char away_bundle[80];
    char name[80];
    char text[NOTE_BYTES_MAX];
    uint8_t root[HASH_BYTES] = {5};
    (void)snprintf(away_tile, sizeof away_tile, "%s/away-tile", directory);
    (void)snprintf(away_bundle, sizeof away_bundle, "%s/away-bundle", directory);
    const char *const paths[] = {kept};
    (void)state;
    (void)read_checkpoint(text);
    (void)snprintf(name, sizeof name, "../../kept.txt"); /* signed by the log's own key */
    log_maker_write_checkpoint(&maker, name, 200, root);
    verify_with(paths, 1);
    assert_int_equal(report.problems.count, 1);
    expect_line(&report.problems, STEP_against, "root of the first 200 entries is another one");
    assert_int_equal(report.shards[0].kept_met, 0);
    log_maker_write_checkpoint(&maker, name, range.count + 1, root);
    verify_with(paths, 1);
    assert_int_equal(report.problems.count, 1);
    expect_line(&report.problems, STEP_against, "it was cut at its end");
    /* Within a bundle that is gone with its tile nothing can be compared, which is not "good". */
    write_text(kept, text, strlen(text));
    path_of("tile/0/001", path);
    assert_int_equal(rename(path, away_tile), 0);
    char bundle[256];
    path_of("tile/entries/001", bundle);
    assert_int_equal(rename(bundle, away_bundle), 0);
    verify_with(paths, 1);
    expect_line(&report.problems, STEP_against, "cannot be compared");
    assert_int_equal(rename(away_tile, path), 0);
    assert_int_equal(rename(away_bundle, bundle), 0);
}

static void what_is_no_checkpoint_of_this_log_is_a_problem(void **state)
{
    char text[NOTE_BYTES_MAX];
    char other[NOTE_BYTES_MAX + 32];
    (void)state;
    verify_kept_text("hello\n");
    expect_line(&report.problems, STEP_against, "not a checkpoint");
    verify_kept_text("");
    expect_line(&report.problems, STEP_against, "not a checkpoint");
    (void)read_checkpoint(text);
    (void)snprintf(other, sizeof other, "other.%s", text);
    verify_kept_text(other);
    expect_line(&report.problems, STEP_against,
                "is of the log other." ORIGIN ", which is not here");
    char *signature = strstr(text, "\n\n") + strlen("\n\n\xe2\x80\x94 " ORIGIN " ") + 20;
    *signature = *signature == 'A' ? 'B' : 'A';
    verify_kept_text(text);
    expect_line(&report.problems, STEP_against, "signature");
    const char *const missing[] = {"/tmp/there-is-no-such-file"};
    const struct verify_conf conf = {
        .directory = directory, .against = missing, .against_count = 1, .now_ns = NOW_NS};
    assert_int_equal(try_verify(&conf).code, ERR_NOT_FOUND);
    char long_text[3 * NOTE_BYTES_MAX];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    verify_kept_text(long_text);
    expect_line(&report.problems, STEP_against, "larger than its format allows");
}

/* ---- the log's own sequence ---- */

/* A copy of size 0 once kept every other one from being compared. */
static void every_copy_is_compared_whatever_the_others_are(void **state)
{
    static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 300, 512};
    uint8_t wrong[HASH_BYTES] = {6};
    uint8_t root[HASH_BYTES];
    char name[64];
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)snprintf(name, sizeof name, "checkpoints/%llu", (unsigned long long)sizes[i]);
        log_maker_root(&maker, sizes[i], root);
        log_maker_write_checkpoint(&maker, name, sizes[i], root);
    }
    verify_with(NULL, 0);
    assert_int_equal(report.problems.count, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char words[160];
        (void)snprintf(name, sizeof name, "checkpoints/%llu", (unsigned long long)sizes[i]);
        (void)snprintf(words, sizeof words, "%s: root is not that of the entries (first of 1)",
                       name);
        log_maker_write_checkpoint(&maker, name, sizes[i], wrong);
        verify_with(NULL, 0);
        assert_int_equal(report.problems.count, 1);
        expect_line(&report.problems, STEP_checkpoints, words);
        log_maker_root(&maker, sizes[i], root);
        log_maker_write_checkpoint(&maker, name, sizes[i], root);
    }
}

/* A bundle and its tile are gone: the tile above bridges the hole, and the roots behind it are
 * still compared. */
static void roots_behind_a_hole_are_still_compared(void **state)
{
    char paths[2][256];
    char name[64];
    uint8_t wrong[HASH_BYTES] = {6};
    (void)state;
    path_of("tile/0/000", paths[0]);
    path_of("tile/entries/000", paths[1]);
    assert_int_equal(unlink(paths[0]), 0);
    assert_int_equal(unlink(paths[1]), 0);
    verify_with(NULL, 0);
    assert_int_equal(report.problems.count, 2);              /* the two files, and no root */
    assert_int_equal(report.shards[0].checkpoints_unmet, 3); /* of 1, 2 and 255 */
    expect_line(&report.warnings, STEP_checkpoints, "3 could not be compared");
    (void)snprintf(name, sizeof name, "checkpoints/512");
    log_maker_write_checkpoint(&maker, name, 512, wrong);
    verify_with(NULL, 0);
    assert_int_equal(report.problems.count, 3);
    expect_line(&report.problems, STEP_checkpoints, "checkpoints/512: root is not that of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginning_of_the_log_is_good_in_every_form),
        cmocka_unit_test(copy_without_signature_is_compared_and_said_so),
        cmocka_unit_test(fork_and_cut_log_are_found),
        cmocka_unit_test(what_is_no_checkpoint_of_this_log_is_a_problem),
        cmocka_unit_test(every_copy_is_compared_whatever_the_others_are),
        cmocka_unit_test(roots_behind_a_hole_are_still_compared),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
