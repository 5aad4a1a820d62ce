/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_SMALL_LOG_H
#define TESTS_VERIFY_SMALL_LOG_H

/* Small log: an honest one of three bundles with checkpoints of 1, 300 and all entries, for tests
 * that break its files. One a test program. Aborts on any failure. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "folder.h"
#include "log_maker.h"
#include "verify/verify.h"

#define ORIGIN "oversight.example/rotterdam/2026"
#define NOW_NS INT64_C(1790000000000000000)

static char directory[64];
static char shard[128];
static struct range range;
static struct log_maker maker;
static struct verify_report report;

static inline void make_small_log(void)
{
    uint8_t item[ITEM_ID_BYTES];
    strcpy(directory, "/tmp/triage-verify-XXXXXX");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(shard, sizeof shard, "%s/log/rotterdam-2026", directory);
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    for (uint32_t i = 0; i < 150; i++) {
        (void)range_add_item(&range, item, 1, NULL);
    }
    range_add_draw_reveal(&range);
    log_maker_init(&maker, shard, ORIGIN, 1);
    log_maker_publish(&maker, &range, 1);
    log_maker_publish(&maker, &range, 300);
    log_maker_publish(&maker, &range, range.count);
}

static inline void remove_small_log(void)
{
    verify_report_fini(&report);
    range_fini(&range);
    folder_remove(directory);
}

static inline struct err try_verify(const struct verify_conf *conf)
{
    verify_report_fini(&report);
    struct err err = verify_report_init(&report);
    return err_is(err) ? err : verify_run(conf, &report);
}

static inline void verify_with(const char *const *against, uint32_t against_count)
{
    const struct verify_conf conf = {.directory = directory,
                                     .against = against,
                                     .against_count = against_count,
                                     .now_ns = NOW_NS};
    char text[ERR_TEXT_BYTES];
    struct err err = try_verify(&conf);
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static inline void path_of(const char *name, char out[256])
{
    (void)snprintf(out, 256, "%s/%s", shard, name);
}

static inline void write_text(const char *path, const char *text, size_t bytes_count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes_count, file), bytes_count);
    assert_int_equal(fclose(file), 0);
}

static inline void expect_line(const struct verify_lines *lines, enum verify_step step,
                               const char *words)
{
    for (uint64_t i = 0; i < lines->count && i < lines->kept_max; i++) {
        if (strstr(lines->lines[i].text, words) != NULL) {
            assert_string_equal(verify_step_name(lines->lines[i].step), verify_step_name(step));
            return;
        }
    }
    fail_msg("nothing says '%s' (%llu, the first: %s)", words, (unsigned long long)lines->count,
             lines->count > 0 ? lines->lines[0].text : "-");
}

#endif
