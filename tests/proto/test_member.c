/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/arena.h"

static void varint_every_length_reads_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t around = 0; around < 3; around++) {
            uint64_t value = ((uint64_t)1 << bit) + around - 1;
            uint8_t bytes[32];
            struct member member;
            size_t at = 0;
            size_t bytes_count = (size_t)(member_varint_write(31, value, bytes) - bytes);
            assert_int_equal(bytes_count, varint_bytes(value) + 2);
            assert_true(member_next(bytes, bytes_count, &at, &member));
            assert_int_equal(at, bytes_count);
            assert_int_equal(member.number, 31);
            assert_int_equal(member.form, MEMBER_VARINT);
            assert_true(member.value == value);
            for (size_t cut = 0; cut < bytes_count; cut++) {
                at = 0;
                assert_false(member_next(bytes, cut, &at, &member));
                assert_int_equal(at, 0);
            }
        }
    }
}

static void bytes_member_takes_what_was_announced(void **state)
{
    (void)state;
    uint8_t bytes[400];
    uint8_t *end = member_bytes_write(3, 300, bytes);
    assert_int_equal((size_t)(end - bytes) + 300, member_bytes_total(3, 300));
    struct member member;
    size_t at = 0;
    assert_true(member_next(bytes, (size_t)(end - bytes) + 300, &at, &member));
    assert_ptr_equal(member.bytes, end);
    assert_int_equal(member.bytes_count, 300);
    at = 0;
    assert_false(member_next(bytes, (size_t)(end - bytes) + 299, &at, &member));
}

static void text_rules_of_rfc_3629_hold(void **state)
{
    (void)state;
    const char *const good[] = {"",
                                "abc",
                                "\x7f",
                                "\xc2\x80",
                                "\xdf\xbf",
                                "\xe0\xa0\x80",
                                "\xed\x9f\xbf",
                                "\xee\x80\x80",
                                "\xef\xbf\xbf",
                                "\xf0\x90\x80\x80",
                                "\xf4\x8f\xbf\xbf"};
    const char *const bad[] = {"\x80",
                               "\xbf",
                               "\xc0\x80",
                               "\xc1\xbf",
                               "\xc2",
                               "\xc2\x41",
                               "\xe0\x9f\xbf",
                               "\xe0\xa0",
                               "\xe0\xa0\x41",
                               "\xed\xa0\x80",
                               "\xed\xbf\xbf",
                               "\xf0\x8f\xbf\xbf",
                               "\xf0\x90\x80",
                               "\xf0\x90\x80\x41",
                               "\xf4\x90\x80\x80",
                               "\xf5\x80\x80\x80",
                               "\xff",
                               "ab\xfe"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(text_valid((const uint8_t *)good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(text_valid((const uint8_t *)bad[i], strlen(bad[i])));
    }
    assert_false(text_valid((const uint8_t *)"a\0b", 3));
}

/* Eight bytes at a time are looked at: what is wrong is found at every place of every length. */
static void text_fault_at_every_place_is_seen(void **state)
{
    static const uint8_t faults[] = {0x00, 0x80, 0xff, 0xc3};
    (void)state;
    for (size_t bytes_count = 1; bytes_count <= 33; bytes_count++) {
        uint8_t text[40];
        for (uint8_t letter = 1; letter < 0x80; letter = (uint8_t)(letter + 63)) {
            memset(text, letter, sizeof text);
            assert_true(text_valid(text, bytes_count));
        }
        for (size_t at = 0; at < bytes_count; at++) {
            for (size_t i = 0; i < sizeof faults; i++) {
                memset(text, 'a', sizeof text);
                text[at] = faults[i];
                assert_false(text_valid(text, bytes_count));
            }
        }
    }
}

static void arena_full_refuses_until_reset(void **state)
{
    (void)state;
    uint8_t buffer[256];
    struct arena arena;
    arena_init(&arena, buffer + 1, 200); /* an odd start: addresses are aligned all the same */
    uint8_t *first = arena_take(&arena, 3);
    uint8_t *second = arena_take(&arena, 0);
    uint8_t *third = arena_take(&arena, 16);
    assert_non_null(first);
    assert_non_null(third);
    assert_int_equal((uintptr_t)first % 16, 0);
    assert_int_equal((uintptr_t)third % 16, 0);
    assert_ptr_equal(second, third);
    assert_true(third >= first + 3 && third + 16 <= buffer + 201);
    assert_null(arena_take(&arena, 200));
    assert_true(arena.overflow);
    assert_null(arena_take(&arena, 1)); /* a decode that once failed must not go on with holes */
    arena_reset(&arena);
    assert_false(arena.overflow);
    assert_null(arena_take(&arena, SIZE_MAX));
    arena_reset(&arena);
    assert_ptr_equal(arena_take(&arena, 1), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varint_every_length_reads_back),
        cmocka_unit_test(bytes_member_takes_what_was_announced),
        cmocka_unit_test(text_rules_of_rfc_3629_hold),
        cmocka_unit_test(text_fault_at_every_place_is_seen),
        cmocka_unit_test(arena_full_refuses_until_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
