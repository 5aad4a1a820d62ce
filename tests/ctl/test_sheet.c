/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/sheet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_size(uint32_t width, uint32_t height, uint32_t wanted_width,
                        uint32_t wanted_height)
{
    struct sheet sheet;
    assert_true(sheet_open(width, height, &sheet));
    assert_int_equal(sheet.width, wanted_width);
    assert_int_equal(sheet.height, wanted_height);
    sheet_close(&sheet);
    assert_null(sheet.rgb);
}

/* A truck is shown twice, one below the other; a parcel side by side; both fit a screen. */
static void panes_stand_where_there_is_room(void **unused)
{
    (void)unused;
    expect_size(3000, 700, 3000, 1412);
    expect_size(350, 100, 1400, 812);
    expect_size(640, 480, 1292, 480);
    expect_size(100, 300, 612, 900);
    expect_size(360, 200, 1452, 400);
    expect_size(1, 1, 1512, 750);
}

static void panes_hold_their_pictures_magnified(void **unused)
{
    (void)unused;
    static uint8_t plain[3 * 700 * 100], marked[3 * 700 * 100];
    memset(plain, 10, sizeof plain);
    memset(marked, 20, sizeof marked);
    marked[0] = 77;
    marked[sizeof marked - 1] = 88;
    struct sheet sheet;
    assert_true(sheet_open(700, 100, &sheet));
    assert_int_equal(sheet.zoom, 2);
    sheet_place(&sheet, 0, &(struct overlay){plain, 700, 100});
    sheet_place(&sheet, 1, &(struct overlay){marked, 700, 100});
    const uint8_t *second = sheet.rgb + (size_t)3 * sheet.second_y * sheet.width;
    assert_int_equal(sheet.rgb[0], 10);
    assert_int_equal(second[-1], 96); /* the gap */
    assert_int_equal(second[0], 77);
    assert_int_equal(second[3], 77); /* the same pixel, twice as wide */
    assert_int_equal(second[3 * sheet.width], 77);
    assert_int_equal(second[6], 20);
    assert_int_equal(sheet.rgb[(size_t)3 * sheet.width * sheet.height - 1], 88);
    sheet_close(&sheet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panes_stand_where_there_is_room),
        cmocka_unit_test(panes_hold_their_pictures_magnified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
