/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "score/line_consistency.h"

/* Lines of one declaration against each other: one thing is broken at a time. */

enum { LINES = 4 };

struct shipment {
    struct goods_line lines[LINES];
    struct declaration declaration;
};

static void make(struct shipment *self)
{
    static const char *const codes[LINES] = {"6109.10", "610910", "847989", "330499"};
    for (int i = 0; i < LINES; i++) {
        self->lines[i] = fixture_line(codes[i]);
        self->lines[i].net_mass_kg = 10 + i;
        self->lines[i].value = 100 + 10 * i;
        self->lines[i].quantity = 20 + i;
        self->lines[i].quantity_unit = "NMB";
        self->lines[i].currency = "EUR";
        self->lines[i].origin_country = "CN";
    }
    self->declaration = fixture_declaration(self->lines);
    self->declaration.lines_count = LINES;
    self->declaration.gross_mass_kg = 60;
}

static const char *told(const struct shipment *self)
{
    static char text[512];
    line_consistency(&self->declaration, text, sizeof text);
    return text;
}

static void what_fits_is_not_told(void **state)
{
    (void)state;
    struct shipment shipment;
    make(&shipment);
    assert_string_equal(told(&shipment), "");
    shipment.declaration.lines_count = 0;
    assert_string_equal(told(&shipment), "");
}

static void what_does_not_fit_is_told_with_its_numbers(void **state)
{
    (void)state;
    struct shipment shipment;
    make(&shipment);
    shipment.lines[1].value = 4400; /* 400 a kg beside 10 */
    assert_string_equal(told(&shipment),
                        "lines of HS 610910 differ 40 times in value a kg (10 to 400)");
    shipment.lines[1].currency = "JPY";
    assert_string_equal(told(&shipment), "lines in several currencies");
    make(&shipment);
    shipment.lines[1].quantity = 1;
    assert_string_equal(told(&shipment),
                        "lines of HS 610910 differ 22 times in mass a unit (0.5 to 11 kg)");
    shipment.lines[1].quantity_unit = "KGM";
    assert_string_equal(told(&shipment), "the same goods counted in NMB and KGM");
    make(&shipment);
    shipment.lines[1].origin_country = "VN";
    shipment.lines[2].origin_country = "DE"; /* of other goods: an assortment */
    assert_string_equal(told(&shipment), "the same goods from CN and VN");
    make(&shipment);
    shipment.lines[3] = shipment.lines[2];
    assert_string_equal(told(&shipment), "lines 3 and 4 are the same");
    make(&shipment);
    shipment.declaration.gross_mass_kg = 40;
    assert_string_equal(told(&shipment),
                        "net mass of the lines, 46 kg, exceeds the gross mass, 40 kg");
    shipment.declaration.gross_mass_kg = 920;
    assert_string_equal(told(&shipment),
                        "gross mass, 920 kg, is 20 times the net mass of the lines");
}

static void any_bytes_and_numbers_are_taken(void **state)
{
    (void)state;
    static const double numbers[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e308, 5e-324};
    static const char *const words[] = {"", "\xff\xfe\xfd", "%n%s", "610910", "61091", "\n\n"};
    enum { NUMBERS = 7, WORDS = 6 };
    struct shipment shipment;
    for (unsigned i = 0; i < 4000; i++) {
        char cut[64];
        make(&shipment);
        for (unsigned line = 0; line < LINES; line++) {
            unsigned mixed = i * 2654435761u >> (3 * line);
            struct goods_line *one = &shipment.lines[line];
            one->net_mass_kg = numbers[mixed % NUMBERS];
            one->value = numbers[mixed / 7 % NUMBERS];
            one->quantity = numbers[mixed / 49 % NUMBERS];
            one->hs_code = words[mixed / 343 % WORDS];
            one->origin_country = words[mixed / 2058 % WORDS];
            one->quantity_unit = words[mixed / 12348 % WORDS];
        }
        shipment.declaration.gross_mass_kg = numbers[i % NUMBERS];
        line_consistency(&shipment.declaration, cut, sizeof cut);
        assert_true(strlen(cut) < sizeof cut);
        const char *text = told(&shipment);
        for (const char *at = text; *at != '\0'; at++) {
            assert_in_range((unsigned char)*at, ' ', '~');
        }
        assert_null(strstr(text, "nan"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_not_told),
        cmocka_unit_test(what_does_not_fit_is_told_with_its_numbers),
        cmocka_unit_test(any_bytes_and_numbers_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
