/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/checkdigit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *text;
    enum check check;
};

static void rows_hold(enum check (*check)(const char *), const struct row *rows, size_t rows_count)
{
    for (size_t i = 0; i < rows_count; i++) {
        enum check got = check(rows[i].text);
        if (got != rows[i].check) {
            fail_msg("%s: %s, expected %s", rows[i].text, check_text(got),
                     check_text(rows[i].check));
        }
    }
}

#define ROWS_HOLD(check, rows) rows_hold(check, rows, sizeof(rows) / sizeof(rows)[0])

static void iso6346_vectors_hold(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"CSQU3054383", CHECK_GOOD},
        {"MWCU6059784", CHECK_GOOD},
        {"CBHU3202732", CHECK_GOOD},
        {"CAXU9971839", CHECK_GOOD},
        {"CMBU4067719", CHECK_GOOD},
        {"MSKU6011672", CHECK_GOOD},
        {"APLU1000000", CHECK_WEAK},
        {"CSQU3054384", CHECK_WRONG},
        {"CSQU3054833", CHECK_WRONG},
        {"CSQX3054383", CHECK_MALFORMED},
        {"CSQU305438", CHECK_MALFORMED},
        {"CSQU30543833", CHECK_MALFORMED},
        {"csqu3054383", CHECK_MALFORMED},
        {"CSQU 3054383", CHECK_MALFORMED},
        {"", CHECK_MALFORMED},
        {"CS1U3054383", CHECK_MALFORMED},
        {"CSQU305A383", CHECK_MALFORMED},
    };
    ROWS_HOLD(check_iso6346, rows);
}

/* 47312482 -> 9; the example CP001020301BR that is in circulation has a wrong digit, 7 is right. */
static void s10_vectors_hold(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"RR473124829GB", CHECK_GOOD},
        {"CP001020307BR", CHECK_GOOD},
        {"CP001020301BR", CHECK_WRONG},
        {"RR473124828GB", CHECK_WRONG},
        {"RR47312482GB", CHECK_MALFORMED},
        {"R1473124829GB", CHECK_MALFORMED},
        {"RR473124829G", CHECK_MALFORMED},
        {"", CHECK_MALFORMED},
        {"RR473124829GBX", CHECK_MALFORMED},
        {"EE000000005XX", CHECK_GOOD}, /* remainder 0: 11 becomes 5 */
        {"EE000000080XX", CHECK_GOOD}, /* remainder 1: 10 becomes 0 */
    };
    ROWS_HOLD(check_s10, rows);
}

static void awb_vectors_hold(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"77712345675", CHECK_GOOD},       {"77712345674", CHECK_WRONG},
        {"77712345677", CHECK_WRONG},      {"7771234567", CHECK_MALFORMED},
        {"777123456755", CHECK_MALFORMED}, {"777-12345675", CHECK_MALFORMED},
        {"00000000000", CHECK_GOOD},       {"", CHECK_MALFORMED},
    };
    ROWS_HOLD(check_awb, rows);
}

static void imo_vectors_hold(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"9283186", CHECK_GOOD},     {"IMO9283186", CHECK_GOOD},    {"9283187", CHECK_WRONG},
        {"928318", CHECK_MALFORMED}, {"92831866", CHECK_MALFORMED}, {"IMO", CHECK_MALFORMED},
        {"", CHECK_MALFORMED},       {"9074729", CHECK_GOOD},
    };
    ROWS_HOLD(check_imo, rows);
}

/* The widely published examples: all ones, and a North American passenger car with check digit X.
 */
static void vin_vectors_hold(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"11111111111111111", CHECK_GOOD},       {"1M8GDM9AXKP042788", CHECK_GOOD},
        {"1M8GDM9A0KP042788", CHECK_WRONG},      {"1M8GDM9AXKP042789", CHECK_WRONG},
        {"5GZCZ43D13S812715", CHECK_GOOD},       {"1M8GDM9AXKP04278", CHECK_MALFORMED},
        {"1M8GDM9AXKP0427888", CHECK_MALFORMED}, {"1M8GDM9AXKPO42788", CHECK_MALFORMED},
        {"IM8GDM9AXKP042788", CHECK_MALFORMED},  {"1M8GDM9AXKQ042788", CHECK_MALFORMED},
        {"1m8gdm9axkp042788", CHECK_MALFORMED},  {"", CHECK_MALFORMED},
    };
    ROWS_HOLD(check_vin, rows);
}

/* One wrong digit anywhere in the serial is always noticed by schemes of a prime modulus above ten;
 * ISO 6346 folds remainder 10 into 0, which is why a weak number is called weak. */
static void iso6346_one_wrong_digit_is_noticed_unless_weak(void **state)
{
    (void)state;
    char text[] = "CSQU3054383";
    for (size_t at = 4; at < 10; at++) {
        char right = text[at];
        for (char digit = '0'; digit <= '9'; digit++) {
            text[at] = digit;
            enum check got = check_iso6346(text);
            assert_true(digit == right ? got == CHECK_GOOD : got == CHECK_WRONG);
        }
        text[at] = right;
    }
}

static void key_scheme_picks_its_check(void **state)
{
    (void)state;
    assert_int_equal(check_key(KEY_CONTAINER, "CSQU3054383"), CHECK_GOOD);
    assert_int_equal(check_key(KEY_VIN, "1M8GDM9AXKP042788"), CHECK_GOOD);
    assert_int_equal(check_key(KEY_AWB, "77712345675"), CHECK_GOOD);
    assert_int_equal(check_key(KEY_S10, "RR473124829GB"), CHECK_GOOD);
    assert_int_equal(check_key(KEY_CONTAINER, "77712345675"), CHECK_MALFORMED);
    assert_int_equal(check_key(KEY_PLATE, "AB123"), CHECK_NONE);
    assert_int_equal(check_key(KEY_DECLARATION, ""), CHECK_NONE);
    assert_int_equal(check_key(KEY_UNKNOWN, "x"), CHECK_NONE);
}

static void normalise_gives_one_spelling(void **state)
{
    (void)state;
    char out[12];
    assert_true(key_normalise(" csqu 305438-3", out, sizeof out));
    assert_string_equal(out, "CSQU3054383");
    assert_true(key_normalise("777-1234 5675", out, sizeof out));
    assert_string_equal(out, "77712345675");
    assert_true(key_normalise("b.a-12\xc3\xa9", out, sizeof out));
    assert_string_equal(out, "BA12\xc3\xa9");
    assert_false(key_normalise("CSQU30543833", out, sizeof out)); /* twelve and a zero do not fit */
    assert_false(key_normalise("", out, sizeof out));
    assert_false(key_normalise(" .- ", out, sizeof out));
    assert_false(key_normalise("A", out, 1));
    assert_false(key_normalise("A", out, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso6346_vectors_hold),
        cmocka_unit_test(s10_vectors_hold),
        cmocka_unit_test(awb_vectors_hold),
        cmocka_unit_test(imo_vectors_hold),
        cmocka_unit_test(vin_vectors_hold),
        cmocka_unit_test(iso6346_one_wrong_digit_is_noticed_unless_weak),
        cmocka_unit_test(key_scheme_picks_its_check),
        cmocka_unit_test(normalise_gives_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
