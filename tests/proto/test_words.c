/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_word_reads_back(void **state)
{
    (void)state;
    for (int number = 0; number < MODE_COUNT; number++) {
        assert_int_equal(mode_parse(mode_text((enum mode)number)), number);
    }
    for (int number = 0; number < KEY_SCHEME_COUNT; number++) {
        assert_int_equal(key_scheme_parse(key_scheme_text((enum key_scheme)number)), number);
    }
    for (int number = 0; number <= PIXEL_DISPLAY_INVERTED; number++) {
        assert_int_equal(pixel_meaning_parse(pixel_meaning_text((enum pixel_meaning)number)),
                         number);
    }
    for (int number = 0; number <= ENERGY_HIGH; number++) {
        assert_int_equal(energy_parse(energy_text((enum energy)number)), number);
    }
    int types = 0;
    for (int number = 1; number <= ENTRY_DRAW_REVEAL; number++) {
        const char *text = entry_type_text((enum entry_type)number);
        if (strcmp(text, "unknown") != 0) {
            assert_int_equal(entry_type_parse(text), number);
            types++;
        }
    }
    assert_int_equal(types, 15);
}

static void spelling_is_the_published_one(void **state)
{
    (void)state;
    assert_string_equal(mode_text(MODE_PASSENGER), "passenger");
    assert_string_equal(key_scheme_text(KEY_S10), "s10");
    assert_string_equal(pixel_meaning_text(PIXEL_DISPLAY_INVERTED), "display-inverted");
    assert_string_equal(entry_type_text(ENTRY_DECLARATION_RECEIVED), "declaration.received");
    assert_string_equal(entry_type_text(ENTRY_REFERRAL_DECISION), "referral.decision");
}

static void unknown_words_and_numbers_read_as_unknown(void **state)
{
    (void)state;
    assert_int_equal(mode_parse("Truck"), MODE_UNKNOWN);
    assert_int_equal(mode_parse(""), MODE_UNKNOWN);
    assert_int_equal(key_scheme_parse("container "), KEY_UNKNOWN);
    assert_int_equal(pixel_meaning_parse("x"), PIXEL_UNKNOWN);
    assert_int_equal(energy_parse("dual"), -1);
    assert_int_equal(entry_type_parse("log.close"), ENTRY_UNKNOWN);
    assert_string_equal(mode_text(MODE_COUNT), "unknown");
    assert_string_equal(mode_text((enum mode) - 1), "unknown");
    assert_string_equal(entry_type_text((enum entry_type)2), "unknown");
    assert_string_equal(entry_type_text((enum entry_type)100000), "unknown");
}

static void only_plates_and_vins_are_personal(void **state)
{
    (void)state;
    for (int scheme = 0; scheme < KEY_SCHEME_COUNT; scheme++) {
        assert_int_equal(key_scheme_is_personal((enum key_scheme)scheme),
                         scheme == KEY_PLATE || scheme == KEY_VIN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_reads_back),
        cmocka_unit_test(spelling_is_the_published_one),
        cmocka_unit_test(unknown_words_and_numbers_read_as_unknown),
        cmocka_unit_test(only_plates_and_vins_are_personal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
