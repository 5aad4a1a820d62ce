/* SPDX-License-Identifier: Apache-2.0 */
/* The program itself, as a person or a script runs it: what it prints and with which code it ends.
 */

#include "program.h"

#include "base/durable.h"
#include "tests/state/log_maker.h"

/* Runs triagectl with these arguments on the test's store; otherwise as run(). */
static int run_here(const char *arguments)
{
    return run("--dir %s %s", workplace, arguments);
}

static json_t *run_json(const char *arguments)
{
    assert_int_equal(run_here(arguments), 0);
    json_error_t error;
    json_t *json = json_loads(said, 0, &error);
    assert_non_null(json);
    return json;
}

static int set_up(void **unused)
{
    (void)unused;
    struct log_maker log = {0};
    bool rebuilt;
    workplace_make();
    assert_int_equal(setenv("COLUMNS", "", 1), 0);
    must(!err_is(state_open(path_of("state.db"), &log.state, &rebuilt)));
    must(!err_is(state_begin(log.state)));
    log_housekeeping(&log);
    for (unsigned i = 0; i < 60; i++) {
        log_whole_item(&log, i);
    }
    log_action(&log, 10, "claim", "", "in_exam", 2, "");
    log_outcome(&log, 10, "found", 3, "");
    must(!err_is(state_commit(log.state)));
    state_close(&log.state);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    workplace_remove();
    return 0;
}

static void usage_errors_exit_2_and_help_exits_0(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "",
        "frobnicate",
        "log",
        "queue --frob",
        "queue extra",
        "queue --limit 0",
        "queue --limit x",
        "queue --mode boat",
        "show",
        "show a b",
        "release KEY0000010",
        "release KEY0000010 --code because",
        "outcome KEY0000010",
        "outcome KEY0000010 --level full --result found",
        "outcome KEY0000010 --level full --result nothing_found --region 1,2,3",
        "report --from yesterday",
        "log cat --type nonsense",
        "watch",
        "keys publisher ../etc",
        "model train appearance --images x",
        "outcome KEY0000010 --level full --result found --class x --quantity -1 --unit kg"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int code = run_here(bad[i]);
        if (code != 2) {
            fail_msg("\"%s\" exits %d: %s", bad[i], code, said);
        }
    }
    static const char *const good[] = {"--help",
                                       "help",
                                       "--version",
                                       "queue --help",
                                       "show --help",
                                       "claim --help",
                                       "release --help",
                                       "outcome --help",
                                       "report --help",
                                       "health --help",
                                       "watch --help",
                                       "log cat --help",
                                       "log checkpoint --help",
                                       "log publish --help",
                                       "archive list --help",
                                       "archive export --help",
                                       "archive seal --help",
                                       "model train appearance --help",
                                       "model train history --help",
                                       "model list --help",
                                       "model install --help",
                                       "model show --help",
                                       "keys init --help",
                                       "keys publisher --help",
                                       "keys subscriber --help",
                                       "keys list --help"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(run_here(good[i]), 0);
        assert_true(strlen(said) > 10);
    }
}

static char *read_text(const char *path)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    assert_false(err_is(durable_read(path, 262144, &bytes, &bytes_count)));
    return (char *)bytes;
}

/* Every option that a command's --help names stands in the manual page and in the completion. */
static void options_are_in_manual_and_completion(void **unused)
{
    (void)unused;
    static const char *const commands[] = {"queue",
                                           "show",
                                           "claim",
                                           "release",
                                           "outcome",
                                           "correct",
                                           "operation register",
                                           "operation close",
                                           "report",
                                           "watch",
                                           "log cat",
                                           "model train appearance",
                                           "model train history",
                                           "keys publisher",
                                           "keys subscriber",
                                           "policy simulate"};
    char *manual = read_text(SOURCE_DIR "/config/man/triagectl.1");
    char *completion = read_text(SOURCE_DIR "/config/completion/triagectl.bash");
    unsigned options_count = 0;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char arguments[64];
        snprintf(arguments, sizeof arguments, "%s --help", commands[i]);
        assert_int_equal(run_here(arguments), 0);
        for (char *at = said; (at = strstr(at, " --")) != NULL;) {
            char name[40];
            char flag[48];
            at += 3;
            size_t bytes = strspn(at, "abcdefghijklmnopqrstuvwxyz-");
            snprintf(name, sizeof name, "%.*s", (int)bytes, at);
            if (bytes == 0 || strcmp(name, "usage") == 0 || strcmp(name, "help") == 0) {
                continue;
            }
            snprintf(flag, sizeof flag, "Fl -%s", name);
            if (strstr(manual, flag) == NULL || strstr(completion, name) == NULL) {
                fail_msg("--%s of %s is missing in the manual or the completion", name,
                         commands[i]);
            }
            options_count++;
        }
    }
    assert_true(options_count > 80);
    free(manual);
    free(completion);
}

static void queue_is_ranked_and_explained(void **unused)
{
    (void)unused;
    json_t *queue = run_json("--json queue --limit 3");
    assert_int_equal(json_array_size(queue), 3);
    json_t *first = json_array_get(queue, 0);
    assert_string_equal(json_string_value(json_object_get(first, "label")), "KEY0000050");
    assert_int_equal(json_integer_value(json_object_get(first, "rank")), 1);
    assert_int_equal(json_array_size(json_object_get(first, "reasons")), 2);
    assert_true(json_real_value(json_object_get(first, "propensity")) == 0.25);
    json_decref(queue);
    assert_int_equal(run_here("queue"), 0);
    assert_says("PROPENSITY");
    assert_says("image: a dense region that normal loads do not have");
    assert_null(strchr(said, '\033')); /* no colours into a pipe */
    assert_int_equal(run_here("queue --mode rail"), 0);
    assert_says("No referrals.");
}

static void show_finds_item_by_label_and_by_id(void **unused)
{
    (void)unused;
    uint8_t item[ITEM_ID_BYTES];
    char hex[2 * ITEM_ID_BYTES + 1];
    char arguments[64];
    log_item(10, item);
    hex_encode(item, sizeof item, hex);
    json_t *shown = run_json("show KEY0000010 --json");
    assert_string_equal(json_string_value(json_object_get(shown, "item")), hex);
    assert_int_equal(json_array_size(json_object_get(shown, "contributions")), 4);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(shown, "referral"), "state")), "outcome");
    assert_int_equal(json_array_size(json_object_get(shown, "outcomes")), 1);
    json_decref(shown);
    for (int digits = 6; digits <= 32; digits += 13) {
        snprintf(arguments, sizeof arguments, "show %.*s", digits, hex);
        assert_int_equal(run_here(arguments), 0);
        assert_says("KEY0000010");
        assert_says("history.importer");
    }
    snprintf(arguments, sizeof arguments, "show %.5s", hex);
    assert_int_equal(run_here(arguments), 1);
    assert_int_equal(run_here("show 000000000000"), 1);
    assert_int_equal(run_here("show \"x' OR 1=1 --\""), 1);
    assert_says("no item");
    assert_int_equal(run_here("show KEY0000010 --png /tmp/never.png"), 1);
    assert_says("no image");
}

static void report_states_definitions_and_intervals(void **unused)
{
    (void)unused;
    json_t *report = run_json("report hit_rate_by_arm --json");
    json_t *metric = json_array_get(json_object_get(report, "metrics"), 0);
    json_t *target = json_array_get(json_object_get(metric, "rows"), 0);
    assert_int_equal(json_integer_value(json_object_get(target, "numerator")), 1);
    assert_int_equal(json_integer_value(json_object_get(target, "denominator")), 1);
    /* Wilson for 1 of 1: 1 / (1 + z^2) to 1. */
    assert_true(json_real_value(json_object_get(target, "lower")) > 0.2065 &&
                json_real_value(json_object_get(target, "lower")) < 0.2066);
    assert_true(json_is_true(json_object_get(target, "small")));
    json_decref(report);
    assert_int_equal(run_here("report"), 0);
    assert_says("hit_rate_by_arm, version 3");
    assert_says("definition");
    assert_says("small: do not quote");
    report = run_json("report funnel --json --from 2000-01-01 --to 2000-02-01");
    metric = json_array_get(json_object_get(report, "metrics"), 0);
    assert_int_equal(json_array_size(json_object_get(metric, "rows")), 0);
    json_decref(report);
    assert_int_equal(run_here("report no_such_metric"), 1);
    assert_int_equal(run_here("report --metrics /nonexistent"), 1);
}

static void queue_fits_a_narrow_screen_and_shows_as_many_reasons_as_wanted(void **unused)
{
    (void)unused;
    assert_int_equal(setenv("COLUMNS", "80", 1), 0);
    assert_int_equal(run_here("queue --limit 1"), 0);
    assert_int_equal(setenv("COLUMNS", "", 1), 0);
    assert_null(strstr(said, "VERSION"));
    for (const char *line = said; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 80);
    }
    assert_int_equal(run_here("queue --limit 1 --reasons 0"), 0);
    assert_says("VERSION");
    size_t without = strlen(said);
    assert_int_equal(run_here("queue --limit 1 --reasons 1"), 0);
    assert_true(strlen(said) > without);
}

static void actions_on_what_was_not_referred_are_refused_here(void **unused)
{
    (void)unused;
    assert_int_equal(run_here("claim KEY0000011"), 1);
    assert_says("released, not referred");
    assert_int_equal(run_here("claim NOSUCH"), 1);
    assert_int_equal(run_here("release --codes"), 0);
    assert_says("drove_on");
}

static void daemon_away_exits_1_and_names_the_socket(void **unused)
{
    (void)unused;
    assert_int_equal(run_here("health"), 1);
    assert_says("command.sock");
    assert_says("does not answer");
    assert_int_equal(run_here("health --endpoint ipc://elsewhere"), 1);
    assert_says("/elsewhere");
}

static void keys_are_made_once_and_kept(void **unused)
{
    (void)unused;
    struct stat found;
    char path[160];
    char first[65];
    char second[65];
    assert_int_equal(run_here("keys init"), 0);
    static const char *const secrets[] = {"daemon.key", "signing.seed", "pseudonym.key"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/keys/%s", workplace, secrets[i]);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
    snprintf(path, sizeof path, "%s/keys/signing.seed", workplace);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(first, 1, 65, file), 65);
    fclose(file);
    uint8_t seed[HASH_BYTES];
    first[64] = '\0';
    assert_true(hex_decode(first, seed, sizeof seed));
    assert_int_equal(run_here("keys init"), 0);
    assert_says("kept");
    file = fopen(path, "r");
    assert_int_equal(fread(second, 1, 64, file), 64);
    fclose(file);
    assert_memory_equal(first, second, 64);
    assert_int_equal(run_here("keys publisher gate-1"), 0);
    assert_int_equal(run_here("keys publisher gate-1"), 0); /* the same again changes nothing */
    snprintf(path, sizeof path, "keys publisher gate-1 --public %s/keys/daemon.key.pub", workplace);
    assert_int_equal(run_here(path), 1);
    assert_says("another key");
    assert_int_equal(run_here("keys list --json"), 0);
    assert_says("gate-1");
    assert_null(strstr(said, first));
}

/* A name that leads in a circle stands for any disk that does not answer. */
static void key_that_cannot_be_looked_for_is_not_replaced(void **unused)
{
    (void)unused;
    struct stat found;
    char path[160];
    assert_int_equal(run_here("keys init"), 0);
    snprintf(path, sizeof path, "%s/keys/pseudonym.key", workplace);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("pseudonym.key", path), 0);
    assert_int_equal(run_here("keys init"), 1);
    assert_says("look for file");
    assert_int_equal(lstat(path, &found), 0);
    assert_true(S_ISLNK(found.st_mode));
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/keys/signing.next", workplace);
    assert_int_equal(symlink("signing.next", path), 0);
    assert_int_equal(run_here("keys rotate"), 1);
    assert_says("look for file");
    assert_int_equal(lstat(path, &found), 0);
    assert_true(S_ISLNK(found.st_mode));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(run_here("keys init"), 0);
}

static void store_missing_is_told_by_path(void **unused)
{
    (void)unused;
    assert_int_equal(run_here("queue --dir /nonexistent"), 1);
    assert_says("/nonexistent/state.db");
    assert_int_equal(run_here("queue --config /nonexistent.conf"), 1);
    assert_says("/nonexistent.conf");
    assert_int_equal(run_here("log cat"), 1);
    assert_int_equal(run_here("log checkpoint"), 1);
    assert_int_equal(run_here("model show /nonexistent.h5"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(usage_errors_exit_2_and_help_exits_0),
        TEST(options_are_in_manual_and_completion),
        TEST(queue_is_ranked_and_explained),
        TEST(queue_fits_a_narrow_screen_and_shows_as_many_reasons_as_wanted),
        TEST(show_finds_item_by_label_and_by_id),
        TEST(report_states_definitions_and_intervals),
        TEST(actions_on_what_was_not_referred_are_refused_here),
        TEST(daemon_away_exits_1_and_names_the_socket),
        TEST(keys_are_made_once_and_kept),
        TEST(key_that_cannot_be_looked_for_is_not_replaced),
        TEST(store_missing_is_told_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
