/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static FILE *out;

static int open_out(void **state)
{
    (void)state;
    out = tmpfile();
    return out == NULL;
}

static int close_out(void **state)
{
    (void)state;
    return fclose(out);
}

/* What was put since the last time. */
static const char *told(void)
{
    static char text[4096];
    size_t bytes = (size_t)ftell(out);
    assert_true(bytes < sizeof text);
    rewind(out);
    assert_int_equal(fread(text, 1, bytes, out), bytes);
    text[bytes] = '\0';
    rewind(out);
    assert_int_equal(ftruncate(fileno(out), 0), 0);
    return text;
}

static int64_t start_s = 1000; /* each test is a later job */

static void put(bool terminal, const char *what, uint64_t done, uint64_t total, double after_s)
{
    int64_t now_ns = start_s * NS_PER_S + (int64_t)(after_s * NS_PER_S);
    progress_put(out, terminal, &(struct progress){what, done, total, now_ns});
}

static void a_file_gets_a_line_a_minute_and_the_end(void **state)
{
    (void)state;
    start_s += 10000;
    put(false, "training", 1, 400, 0);
    put(false, "training", 99, 400, 59);
    assert_string_equal(told(), "");
    put(false, "training", 100, 400, 60);
    assert_string_equal(told(), "training  25% (100 of 400), 3 min left\n");
    put(false, "training", 190, 400, 119);
    assert_string_equal(told(), "");
    put(false, "training", 300, 400, 120);
    assert_string_equal(told(), "training  75% (300 of 400), 40 s left\n");
    put(false, "training", 400, 400, 160);
    assert_string_equal(told(), "training 100% (400 of 400)\n");
}

/* A job of less than a minute leaves nothing, whatever was told of the one before. */
static void short_jobs_leave_a_file_alone(void **state)
{
    (void)state;
    start_s += 10000;
    put(false, "images", 0, 3, 0);
    put(false, "images", 1, 3, 61);
    assert_string_equal(told(), "images  33% (1 of 3), 2 min left\n");
    put(false, "images", 3, 3, 62);
    assert_string_equal(told(), "images 100% (3 of 3)\n");
    put(false, "marks", 1, 9, 63);
    put(false, "marks", 9, 9, 70);
    put(false, "nothing", 0, 0, 71);
    assert_string_equal(told(), "");
    put(false, "bytes", 5, 10, 80);
    put(false, "bytes", 4, 10, 130); /* fewer than before: another job */
    put(false, "bytes", 6, 10, 150);
    assert_string_equal(told(), "");
    put(false, "bytes", 8, 10, 190);
    assert_string_equal(told(), "bytes  80% (8 of 10), 15 s left\n");
}

static void a_terminal_is_written_over(void **state)
{
    (void)state;
    start_s += 10000;
    put(true, "training", 1, 100, 0);
    assert_string_equal(told(), "\rtraining   1% (1 of 100)               ");
    put(true, "training", 2, 100, 0.09);
    assert_string_equal(told(), "");
    put(true, "training", 50, 100, 10);
    assert_string_equal(told(), "\rtraining  50% (50 of 100), 10 s left   ");
    put(true, "training", 100, 100, 10.01);
    assert_string_equal(told(), "\rtraining 100% (100 of 100)               \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gets_a_line_a_minute_and_the_end),
        cmocka_unit_test(short_jobs_leave_a_file_alone),
        cmocka_unit_test(a_terminal_is_written_over),
    };
    return cmocka_run_group_tests(tests, open_out, close_out);
}
