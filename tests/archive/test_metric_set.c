/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "archive/metric_set.h"
#include "base/durable.h"
#include "folder.h"

static char directory[64];

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/triage-metrics-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(directory);
    return 0;
}

static void write_metric(unsigned number, const char *end)
{
    char path[128];
    char text[256];
    (void)snprintf(path, sizeof path, "%s/m%02u.sql", directory, number);
    (void)snprintf(text, sizeof text,
                   "-- name: m%02u\n-- version: 1\n-- definition: what it\n--   is\n"
                   "-- numerator: n\n%s",
                   number, end);
    assert_false(err_is(durable_replace(path, text, strlen(text), 0644)));
}

static void more_metrics_than_there_is_room_for_are_refused(void **state)
{
    struct metric_set set;
    struct metric metric;
    size_t at = 0;
    uint32_t count = 0;
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        write_metric(i, "-- denominator: d");
    }
    assert_false(err_is(metric_set_load(directory, &set)));
    while (metric_set_next(&set, &at, &metric)) {
        assert_string_equal(metric.definition, "what it is");
        assert_string_equal(metric.denominator, "d");
        count++;
    }
    assert_int_equal(count, 64);
    metric_set_fini(&set);
    write_metric(64, "-- denominator: d\n");
    assert_int_equal(metric_set_load(directory, &set).code, ERR_TABLE_UNREADABLE);
    assert_null(set.bytes);
}

/* The header of the next file is not this one's. */
static void header_is_looked_for_in_its_own_file(void **state)
{
    static const char text[] = "-- file: a.sql 13\n-- name: a\nx\n"
                               "-- file: b.sql 80\n-- version: 1\n-- definition: d\n"
                               "-- numerator: n\n-- denominator: d\n";
    struct metric_set set = {.bytes = (uint8_t *)(uintptr_t)text, .bytes_count = sizeof text - 1};
    struct metric metric;
    size_t at = 0;
    (void)state;
    assert_false(metric_set_next(&set, &at, &metric));
}

static void damaged_kept_set_is_kept_anew(void **state)
{
    struct metric_set set;
    struct metric_set kept;
    char store[96];
    char path[192];
    char hex[HASH_HEX_BYTES];
    (void)state;
    write_metric(1, "-- denominator: d\n");
    (void)snprintf(store, sizeof store, "%s/kept", directory);
    assert_false(err_is(metric_set_load(directory, &set)));
    assert_false(err_is(metric_set_keep(&set, store)));
    hex_encode(set.sha256, HASH_BYTES, hex);
    (void)snprintf(path, sizeof path, "%s/%s", store, hex);
    assert_false(err_is(durable_replace(path, "torn", 4, 0644)));
    assert_int_equal(metric_set_read(store, set.sha256, &kept).code, ERR_ARCHIVE_DIFFERS);
    assert_false(err_is(metric_set_keep(&set, store)));
    assert_false(err_is(metric_set_read(store, set.sha256, &kept)));
    assert_memory_equal(kept.bytes, set.bytes, set.bytes_count);
    metric_set_fini(&kept);
    metric_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(more_metrics_than_there_is_room_for_are_refused, setup,
                                        teardown),
        cmocka_unit_test(header_is_looked_for_in_its_own_file),
        cmocka_unit_test_setup_teardown(damaged_kept_set_is_kept_anew, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
