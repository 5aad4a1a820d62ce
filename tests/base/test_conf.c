/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/durable.h"

static char test_path[64];

static int open_file(void **state)
{
    (void)state;
    strcpy(test_path, "/tmp/triaged-conf-XXXXXX");
    int fd = mkstemp(test_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(test_path);
}

static struct err read_text(const char *text, struct conf *out, char *why)
{
    FILE *file = fopen(test_path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return conf_read(test_path, out, why);
}

static void shipped_file_agrees_with_the_table(void **state)
{
    (void)state;
    struct conf conf;
    struct conf standard;
    char why[CONF_WHY_BYTES];
    char *printed = NULL;
    uint8_t *shipped = NULL;
    size_t shipped_bytes = 0;
    conf_defaults(&standard);
    assert_int_equal(conf_read(SOURCE_DIR "/config/triaged.conf", &conf, why).code, ERR_NONE);
    conf.file[0] = '\0';
    assert_int_equal(conf_print(&standard, &printed).code, ERR_NONE);
    assert_int_equal(
        durable_read(SOURCE_DIR "/config/triaged.conf", 1 << 20, &shipped, &shipped_bytes).code,
        ERR_NONE);
    assert_string_equal((const char *)shipped,
                        printed); /* made by triaged --print-config, letter by letter */
    free(printed);
    free(shipped);
}

static void printed_configuration_reads_back_the_same(void **state)
{
    (void)state;
    struct conf conf;
    struct conf again;
    char why[CONF_WHY_BYTES];
    char *printed = NULL;
    uint8_t first[HASH_BYTES];
    uint8_t second[HASH_BYTES];
    conf_defaults(&conf);
    strcpy(conf.site_name, "a \"quoted\" \\ name");
    conf.judge_enabled = false;
    conf.oversight_checkpoint_s = 0.1;
    conf.ingest_credit_records = 17;
    assert_int_equal(conf_print(&conf, &printed).code, ERR_NONE);
    assert_int_equal(read_text(printed, &again, why).code, ERR_NONE);
    assert_int_equal(conf_digest(&conf, first).code, ERR_NONE);
    assert_int_equal(conf_digest(&again, second).code, ERR_NONE);
    assert_memory_equal(first, second, HASH_BYTES);
    assert_string_equal(again.site_name, conf.site_name);
    free(printed);
}

static void broken_file_is_refused_with_line_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *reason;
    } rows[] = {
        {"site:\n{\n  nam = \"x\";\n};\n", ":3: unknown key 'site.nam'"},
        {"sight: { name = \"x\"; };\n", ":1: unknown key 'sight.name'"},
        {"site:\n{\n  name = \"x\";\n  name = \"y\";\n};\n", ":4: duplicate setting name"},
        {"site: { name = 7; };\n", "site.name must be text"},
        {"ingest: { arrivals = 3; };\n", "must be between 16 and 1048576 records, not 3"},
        {"ingest: { arrivals = 99.5; };\n", "must be a whole number"},
        {"ingest: { arrivals = \"many\"; };\n", "must be a number"},
        {"judge: { enabled = 1; };\n", "must be true or false"},
        {"judge: { enabled = true\n", "syntax error"},
        {"arrivals = 5;\n", "'arrivals' stands outside a group"},
        {"\n  @include \"/etc/passwd\"\n", ":2: @include is not allowed here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conf conf;
        char why[CONF_WHY_BYTES] = "";
        assert_int_equal(read_text(rows[i].text, &conf, why).code, ERR_CONF_INVALID);
        if (strstr(why, rows[i].reason) == NULL ||
            strncmp(why, test_path, strlen(test_path)) != 0) {
            fail_msg("'%s' does not say '%s'", why, rows[i].reason);
        }
    }
}

static void missing_file_is_refused_by_name(void **state)
{
    (void)state;
    struct conf conf;
    char why[CONF_WHY_BYTES] = "";
    assert_int_equal(conf_read("/nowhere/triaged.conf", &conf, why).code, ERR_CONF_INVALID);
    assert_non_null(strstr(why, "/nowhere/triaged.conf"));
    assert_non_null(strstr(why, "No such file"));
}

static void relative_paths_start_at_the_store(void **state)
{
    (void)state;
    struct conf conf;
    char path[64];
    char tiny[8];
    conf_defaults(&conf);
    strcpy(conf.store_directory, "/s");
    assert_int_equal(conf_path(&conf, "wal", path, sizeof path).code, ERR_NONE);
    assert_string_equal(path, "/s/wal");
    assert_int_equal(conf_path(&conf, "/x/y", path, sizeof path).code, ERR_NONE);
    assert_string_equal(path, "/x/y");
    assert_int_equal(conf_path(&conf, "too/long/a/path", tiny, sizeof tiny).code, ERR_CONF_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_file_agrees_with_the_table),
        cmocka_unit_test(printed_configuration_reads_back_the_same),
        cmocka_unit_test(broken_file_is_refused_with_line_and_reason),
        cmocka_unit_test(missing_file_is_refused_by_name),
        cmocka_unit_test(relative_paths_start_at_the_store),
    };
    return cmocka_run_group_tests(tests, open_file, remove_file);
}
