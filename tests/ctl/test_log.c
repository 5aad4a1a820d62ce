/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/log_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/durable.h"
#include "ctl/entry_json.h"
#include "proto/note.h"
#include "tests/state/log_maker.h"

/* A public tree of small numbered entries: 256 in a full bundle, 44 in a partial one. */
#define TREE_SIZE 300u

static char directory[32];

static void write_file(const char *name, const void *bytes, size_t bytes_count)
{
    char path[256];
    char folder[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    assert_false(err_is(durable_directory(folder, 0755)));
    assert_false(err_is(durable_replace(path, bytes, bytes_count, 0644)));
}

static size_t make_bundle(uint64_t first, uint32_t count, uint8_t *out)
{
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        size_t bytes = (size_t)snprintf(text, sizeof text, "e%u", (unsigned)(first + i));
        out[used++] = 0;
        out[used++] = (uint8_t)bytes;
        memcpy(out + used, text, bytes);
        used += bytes;
    }
    return used;
}

static int set_up(void **unused)
{
    (void)unused;
    static uint8_t bundle[8192];
    strcpy(directory, "/tmp/triage-ctl-XXXXXX");
    assert_non_null(mkdtemp(directory));
    static const char checkpoint[] = "oversight.test/port/2026\n300\nAAAA\n\n";
    write_file("checkpoint", checkpoint, sizeof checkpoint - 1);
    write_file("tile/entries/000", bundle, make_bundle(0, 256, bundle));
    write_file("tile/entries/001.p/44", bundle, make_bundle(256, 44, bundle));
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static void public_tree_gives_every_entry_once_in_order(void **unused)
{
    (void)unused;
    struct log_source *source = NULL;
    assert_false(err_is(log_source_open_public(directory, &source)));
    for (uint64_t from = 0; from <= TREE_SIZE; from += 50) {
        assert_false(err_is(log_source_seek(source, from)));
        bool got = true;
        struct log_bytes bytes;
        for (uint64_t i = from; i < TREE_SIZE; i++) {
            assert_false(err_is(log_source_next(source, &bytes, &got)));
            assert_true(got);
            char wanted[16];
            snprintf(wanted, sizeof wanted, "e%u", (unsigned)i);
            assert_int_equal(bytes.entry_index, i);
            assert_int_equal(bytes.bytes_count, strlen(wanted));
            assert_memory_equal(bytes.bytes, wanted, strlen(wanted));
        }
        assert_false(err_is(log_source_next(source, &bytes, &got)));
        assert_false(got);
    }
    assert_int_equal(log_source_seek(source, TREE_SIZE + 1).code, ERR_NOT_FOUND);
    log_source_close(&source);
}

static void public_bundle_cut_short_is_damaged(void **unused)
{
    (void)unused;
    uint8_t bundle[8192];
    size_t bytes_count = make_bundle(256, 44, bundle);
    write_file("tile/entries/001.p/44", bundle, bytes_count - 1);
    struct log_source *source = NULL;
    struct log_bytes bytes;
    bool got = false;
    assert_false(err_is(log_source_open_public(directory, &source)));
    assert_false(err_is(log_source_seek(source, 298)));
    assert_false(err_is(log_source_next(source, &bytes, &got)));
    assert_true(got);
    assert_int_equal(log_source_next(source, &bytes, &got).code, ERR_WAL_DAMAGED);
    log_source_close(&source);
}

static void checkpoint_without_size_is_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"",
                                      "origin",
                                      "origin\n",
                                      "origin\nx\n",
                                      "origin\n12",
                                      "origin\n-1\n",
                                      "origin\n99999999999999999999\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file("checkpoint", bad[i], strlen(bad[i]));
        struct log_source *source = NULL;
        assert_true(err_is(log_source_open_public(directory, &source)));
        assert_null(source);
    }
}

static void entry_json_keeps_digits_and_links(void **unused)
{
    (void)unused;
    struct entry entry = {.v = 1,
                          .n = 9007199254740993u,
                          .t_ns = LOG_START_NS + 5,
                          .type = ENTRY_REFERRAL_DECISION,
                          .has_item = true,
                          .actor = "daemon",
                          .causes_count = 1};
    entry.body.decision = (struct entry_decision){.decision = "refer",
                                                  .arm = "both",
                                                  .propensity = 0.1,
                                                  .draw_scheme = "s",
                                                  .mode = MODE_SEA,
                                                  .reasons = {"r1", "r2"},
                                                  .reasons_count = 2};
    json_t *json = entry_json(&entry);
    assert_string_equal(json_string_value(json_object_get(json, "n")), "9007199254740993");
    assert_string_equal(json_string_value(json_object_get(json, "t")),
                        "2026-09-21T14:13:20.000000005Z");
    assert_string_equal(json_string_value(json_object_get(json, "type")), "referral.decision");
    assert_string_equal(json_string_value(json_object_get(json, "propensity")), "0.1");
    assert_string_equal(json_string_value(json_object_get(json, "mode")), "sea");
    assert_int_equal(json_array_size(json_object_get(json, "cause")), 1);
    assert_int_equal(json_array_size(json_object_get(json, "reasons")), 2);
    assert_int_equal(strncmp(json_string_value(json_object_get(json, "policy")), "sha256:", 7), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "rng"), "scheme")),
                        "s");
    json_decref(json);
}

/* Every type has words and JSON of its own, also with every text absent; broken UTF-8 loses
 * letters, not the entry. */
static void entry_of_every_type_is_told(void **unused)
{
    (void)unused;
    for (int type = 0; type <= 22; type++) {
        struct entry entry = {.v = 1, .n = 3, .type = (enum entry_type)type};
        char words[256] = "";
        entry_words(&entry, words, sizeof words);
        assert_true(words[0] != '\0');
        json_t *json = entry_json(&entry);
        assert_string_equal(json_string_value(json_object_get(json, "n")), "3");
        json_decref(json);
    }
    struct entry entry = {.type = ENTRY_RECORD_REFUSED, .body.refused.reason = "caf\xe9 closed"};
    json_t *json = entry_json(&entry);
    assert_string_equal(json_string_value(json_object_get(json, "reason")), "caf? closed");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(public_tree_gives_every_entry_once_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(public_bundle_cut_short_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checkpoint_without_size_is_refused, set_up, tear_down),
        cmocka_unit_test(entry_json_keeps_digits_and_links),
        cmocka_unit_test(entry_of_every_type_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
