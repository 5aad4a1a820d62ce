/* SPDX-License-Identifier: Apache-2.0 */
/* triage-feed as its users run it: exit codes, dry runs, the spool without a daemon, resuming. */
#include "tests/feeds/feeds_test.h"

#include <jansson.h>
#include <sys/wait.h>

#include "picture/picture.h"
#include "publisher/curve_key.h"

static char output[1 << 20];   /* standard output of the last run */
static char complaints[65536]; /* standard error */

static void read_file(const char *path, char *out, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    out[fread(out, 1, capacity - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static int run(const char *words)
{
    char command[2048];
    (void)snprintf(command, sizeof command, "%s/bin/triage-feed %s >%s/out 2>%s/err", BINARY_DIR,
                   words, test_folder, test_folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    read_file(test_path("out"), output, sizeof output);
    read_file(test_path("err"), complaints, sizeof complaints);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run_in_folder(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run_in_folder(const char *format, ...)
{
    char words[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return run(words);
}

/* Where no daemon answers; with keys, so that the publisher opens. */
static const char *nowhere(void)
{
    static char words[512];
    const char *key = test_path("p.key");
    if (access(key, F_OK) != 0) {
        assert_false(err_is(curve_key_create(key)));
        assert_false(err_is(curve_key_create(test_path("d.key"))));
    }
    (void)snprintf(
        words, sizeof words,
        "--endpoint tcp://127.0.0.1:1 --key %s/p.key --daemon-key %s/d.key.pub --timeout 0 --json",
        test_folder, test_folder);
    return words;
}

static int64_t summary(const char *name)
{
    json_t *root = json_loads(output, 0, NULL);
    assert_non_null(root);
    int64_t value = json_integer_value(json_object_get(root, name));
    json_decref(root);
    return value;
}

#define MAPPING SOURCE_DIR "/config/mappings/customs-import.json"
#define HEADER                                                                                \
    "Declaration ID,Date,Office ID,Process Type,Import Type,Import Use,Payment Type,Mode of " \
    "Transport,Declarant ID,"                                                                 \
    "Importer ID,Seller ID,Courier ID,HS6 Code,Country of Departure,Country of Origin,Tax "   \
    "Rate,Tax Type,"                                                                          \
    "Country of Origin Indicator,Net Mass,Item Price,Fraud,Critical Fraud\n"
#define ROW(id, mode, mass) \
    id ",2026-01-05,40,B,11,21,11," mode ",D1,I1,S1,,090111,BR,BR,2.0,A,G," mass ",500,1,2\n"

static void wrong_usage_exits_2(void **state)
{
    (void)state;
    assert_int_equal(run(""), 2);
    assert_int_equal(run("imagse x"), 2);
    assert_int_equal(run("declarations x.csv"), 2); /* no mapping */
    assert_int_equal(run("images"), 2);
    assert_int_equal(run("images x --every 2 --offset 2"), 2);
    assert_int_equal(run("sim --mode boat"), 2);
    assert_int_equal(run("sim --modes truck,boat"), 2);
    assert_int_equal(run("sim --count many"), 2);
    assert_int_equal(run("sim --scans-only --declarations-only"), 2);
    assert_int_equal(run("declarations /nonexistent.csv --dry-run --mapping " MAPPING), 2);
    assert_int_equal(run("--help"), 0);
    assert_int_equal(run("sim --help"), 0);
    assert_non_null(strstr(output, "--contraband-rate"));
    assert_non_null(strstr(output, "--endpoint"));
    assert_int_equal(run("--version"), 0);
}

static void declarations_tell_bad_rows_and_exit_1(void **state)
{
    (void)state;
    (void)test_file("d.csv", HEADER ROW("A1", "10", "5") ROW("", "10", "5") ROW("A3", "40", "heavy")
                                 ROW("A4", "40", "7"));
    assert_int_equal(
        run_in_folder("declarations %s/d.csv --dry-run --mapping %s", test_folder, MAPPING), 1);
    assert_non_null(strstr(complaints, "d.csv:3:1: Declaration ID: no declaration id"));
    assert_non_null(strstr(complaints, "d.csv:4:19: Net Mass: not a number: heavy"));
    assert_non_null(strstr(output, "\"A1\""));
    assert_non_null(strstr(output, "\"A4\""));
    assert_null(strstr(output, "\"A3\""));
    assert_null(strcasestr(output, "fraud"));
    assert_int_equal(run_in_folder("declarations %s/d.csv --dry-run --send-invalid --mapping %s",
                                   test_folder, MAPPING),
                     0);
    assert_non_null(strstr(output, "\"A3\""));
    assert_int_equal(run_in_folder("declarations %s/d.csv --dry-run --limit 1 --mapping %s",
                                   test_folder, MAPPING),
                     0);
    assert_null(strstr(output, "\"A4\""));
}

static void records_wait_in_the_spool_without_a_daemon(void **state)
{
    (void)state;
    (void)test_file("s.csv", HEADER ROW("A1", "10", "5") ROW("A2", "10", "5"));
    assert_int_equal(run_in_folder("declarations %s/s.csv --mapping %s --spool %s/spool-s %s",
                                   test_folder, MAPPING, test_folder, nowhere()),
                     3);
    assert_int_equal(summary("sent"), 2);
    assert_int_equal(summary("waiting"), 2);
    assert_int_equal(run_in_folder("declarations %s/s.csv --mapping %s --spool %s/spool-s %s",
                                   test_folder, MAPPING, test_folder, nowhere()),
                     3);
    assert_int_equal(summary("from_spool"), 2);
    assert_int_equal(summary("waiting"), 4);
}

static void followed_table_resumes_behind_the_last_row(void **state)
{
    (void)state;
    (void)test_file("f.csv", HEADER ROW("A1", "10", "5") ROW("A2", "10", "5") ROW("A3", "10", "x")
                                 ROW("A4", "10", "5") ROW("A5", "10", "5"));
    assert_int_equal(
        run_in_folder("declarations %s/f.csv --follow --limit 2 --mapping %s --spool %s/spool-f %s",
                      test_folder, MAPPING, test_folder, nowhere()),
        3);
    assert_int_equal(summary("sent"), 2);
    assert_int_equal(
        run_in_folder("declarations %s/f.csv --follow --limit 2 --mapping %s --spool %s/spool-f %s",
                      test_folder, MAPPING, test_folder, nowhere()),
        3);
    assert_int_equal(summary("skipped"),
                     1); /* the third row, told once more only because it was not passed before */
    assert_int_equal(summary("waiting"), 4);
    char place[512];
    char place_path[256];
    (void)snprintf(place_path, sizeof place_path, "%s/spool-f/declarations.place", test_folder);
    read_file(place_path, place, sizeof place);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "%zu 7 ",
                   strlen(HEADER ROW("A1", "10", "5") ROW("A2", "10", "5") ROW("A3", "10", "x")
                              ROW("A4", "10", "5") ROW("A5", "10", "5")));
    assert_memory_equal(place, wanted, strlen(wanted));
}

static void followed_folder_sends_each_image_once(void **state)
{
    (void)state;
    uint8_t pixels[4] = {1, 2, 3, 4};
    assert_int_equal(mkdir(test_path("in"), 0700), 0);
    assert_false(err_is(picture_write_png(test_path("in/a.png"), pixels, 2, 2, 1, 8)));
    assert_int_equal(
        run_in_folder("images %s/in --mode sea --follow --limit 1 --spool %s/spool-i %s",
                      test_folder, test_folder, nowhere()),
        3);
    assert_int_equal(summary("sent"), 1);
    pixels[0] = 9;
    assert_false(err_is(picture_write_png(test_path("in/b.png"), pixels, 2, 2, 1, 8)));
    assert_int_equal(
        run_in_folder("images %s/in --mode sea --follow --limit 1 --spool %s/spool-i %s",
                      test_folder, test_folder, nowhere()),
        3);
    assert_int_equal(summary("waiting"), 2);
    char sent[512];
    read_file(test_path("spool-i/images.sent"), sent, sizeof sent);
    assert_string_equal(sent, "a.png\nb.png\n"); /* a.png did not go out a second time */
}

static void broken_image_is_skipped_by_name(void **state)
{
    (void)state;
    uint8_t pixels[4] = {1, 2, 3, 4};
    assert_int_equal(mkdir(test_path("mixed"), 0700), 0);
    assert_false(err_is(picture_write_png(test_path("mixed/good.png"), pixels, 2, 2, 1, 8)));
    (void)test_file("mixed/bad.jpg", "\xff\xd8\xff\xe0 nothing");
    assert_int_equal(run_in_folder("images %s/mixed --mode sea --dry-run", test_folder), 1);
    assert_non_null(strstr(complaints, "mixed/bad.jpg: JPEG: "));
    assert_non_null(strstr(output, "\"good-"));
    assert_int_equal(run_in_folder("images %s/nowhere --dry-run", test_folder), 1);
}

static void written_port_reads_back_as_the_sent_one(void **state)
{
    (void)state;
    assert_int_equal(
        run_in_folder(
            "sim --seed 5 --modes mail --count 3 --mail-scale 0.2 --scans-only --write %s/port -q",
            test_folder),
        0);
    assert_int_equal(run_in_folder("images %s/port/parcel-line --dry-run -q", test_folder), 0);
    static char read_back[sizeof output];
    (void)strcpy(read_back, output);
    assert_int_equal(
        run("sim --seed 5 --modes mail --count 3 --mail-scale 0.2 --scans-only --dry-run -q"), 0);
    assert_true(strlen(output) > 500);
    assert_string_equal(read_back, output);
}

static void truth_files_are_written_beside(void **state)
{
    (void)state;
    assert_int_equal(
        run_in_folder(
            "sim --seed 6 --count 20 --contraband-rate 0.5 --declarations-only --dry-run -q "
            "--labels %s/l.csv --truth %s/t.jsonl",
            test_folder, test_folder),
        0);
    read_file(test_path("t.jsonl"), output, sizeof output);
    unsigned lines = 0, hidden = 0;
    char *rest = output;
    for (char *line = strsep(&rest, "\n"); line != NULL && line[0] != '\0';
         line = strsep(&rest, "\n")) {
        json_t *root = json_loads(line, 0, NULL);
        assert_non_null(root);
        hidden += json_object_get(root, "hidden") != NULL;
        json_decref(root);
        lines++;
    }
    assert_int_equal(lines, 20);
    assert_in_range(hidden, 3, 18);
    read_file(test_path("l.csv"), output, sizeof output);
    assert_memory_equal(output, "index,mode,", 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage_exits_2),
        cmocka_unit_test(declarations_tell_bad_rows_and_exit_1),
        cmocka_unit_test(records_wait_in_the_spool_without_a_daemon),
        cmocka_unit_test(followed_table_resumes_behind_the_last_row),
        cmocka_unit_test(followed_folder_sends_each_image_once),
        cmocka_unit_test(broken_image_is_skipped_by_name),
        cmocka_unit_test(written_port_reads_back_as_the_sent_one),
        cmocka_unit_test(truth_files_are_written_beside),
    };
    return cmocka_run_group_tests(tests, test_folder_open, test_folder_close);
}
