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
    for (int number = 1; number <= ENTRY_SHADOW_SCORE; number++) {
        const char *text = entry_type_text((enum entry_type)number);
        if (strcmp(text, "unknown") != 0) {
            assert_int_equal(entry_type_parse(text), number);
            types++;
        }
    }
    assert_int_equal(types, 25);
}

static void spelling_is_the_published_one(void **state)
{
    (void)state;
    static const char *const modes[] = {"unknown", "truck", "passenger", "rail",
                                        "sea",     "air",   "mail"};
    static const char *const schemes[] = {"unknown", "container", "plate",       "vin",  "railcar",
                                          "awb",     "s10",       "declaration", "scan", "uld"};
    static const char *const meanings[] = {"unknown", "transmission", "display",
                                           "display-inverted"};
    static const char *const energies[] = {"single", "low", "high"};
    static const char *const types[] = {"unknown",
                                        "log.open",
                                        "log.close",
                                        "key.rotate",
                                        "config.change",
                                        "model.change",
                                        "scan.received",
                                        "declaration.received",
                                        "record.refused",
                                        "score",
                                        "referral.decision",
                                        "officer.action",
                                        "unknown",
                                        "outcome",
                                        "access",
                                        "blob.discard",
                                        "archive.seal",
                                        "redact",
                                        "wal.recovered",
                                        "time.tick",
                                        "witness.receipt",
                                        "draw.commit",
                                        "draw.reveal",
                                        "archive.copied",
                                        "hold",
                                        "operation",
                                        "shadow.score"};
    for (int i = 0; i < MODE_COUNT; i++) {
        assert_string_equal(mode_text((enum mode)i), modes[i]);
    }
    for (int i = 0; i < KEY_SCHEME_COUNT; i++) {
        assert_string_equal(key_scheme_text((enum key_scheme)i), schemes[i]);
    }
    for (int i = 0; i <= PIXEL_DISPLAY_INVERTED; i++) {
        assert_string_equal(pixel_meaning_text((enum pixel_meaning)i), meanings[i]);
    }
    for (int i = 0; i <= ENERGY_HIGH; i++) {
        assert_string_equal(energy_text((enum energy)i), energies[i]);
    }
    for (int i = 0; i <= ENTRY_SHADOW_SCORE; i++) {
        assert_string_equal(entry_type_text((enum entry_type)i), types[i]);
    }
}

static void unknown_words_and_numbers_read_as_unknown(void **state)
{
    (void)state;
    assert_int_equal(mode_parse("Truck"), MODE_UNKNOWN);
    assert_int_equal(mode_parse(""), MODE_UNKNOWN);
    assert_int_equal(key_scheme_parse("container "), KEY_UNKNOWN);
    assert_int_equal(pixel_meaning_parse("x"), PIXEL_UNKNOWN);
    assert_int_equal(energy_parse("dual"), -1);
    assert_int_equal(entry_type_parse("log.shut"), ENTRY_UNKNOWN);
    assert_string_equal(mode_text(MODE_COUNT), "unknown");
    assert_string_equal(mode_text((enum mode) - 1), "unknown");
    assert_string_equal(entry_type_text((enum entry_type)12), "unknown");
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
