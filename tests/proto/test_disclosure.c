/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/disclosure.h"

static const uint8_t salt[DISCLOSURE_SALT_BYTES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                    8, 9, 10, 11, 12, 13, 14, 15};

/* Field by field by hand, and the digest as sha256sum prints it for these bytes. */
static void written_bytes_are_those_of_the_schema(void **state)
{
    (void)state;
    static const char by_hand[] = "2a000000"
                                  "0a10000102030405060708090a0b0c0d0e0f"
                                  "12086974656d5f6b6579"
                                  "1a0c4e4c2d4142203132332d5821";
    static const char digest_hex[] =
        "45a48eeee04cf544ab2c1ceecb4f9105893d72933c17c09a737326542330a6ea";
    uint8_t framed[128];
    char hex[2 * sizeof framed + 1];
    size_t framed_bytes =
        disclosure_write(salt, DISCLOSURE_ITEM_KEY, "NL-AB 123-X!", 12, framed, sizeof framed);
    hex_encode(framed, framed_bytes, hex);
    assert_string_equal(hex, by_hand);
    struct disclosure found;
    uint8_t digest[HASH_BYTES];
    assert_true(disclosure_parse(framed + DISCLOSURE_FRAME_BYTES,
                                 framed_bytes - DISCLOSURE_FRAME_BYTES, &found));
    disclosure_digest(&found, digest);
    hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, digest_hex);
}

static void round_trip_at_every_length_of_length(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 127, 128, 16383, 16384, 65536};
    uint8_t *value = malloc(65536);
    uint8_t *framed = malloc(70000);
    assert_non_null(value);
    assert_non_null(framed);
    memset(value, 0xa5, 65536);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct disclosure found;
        size_t framed_bytes =
            disclosure_write(salt, DISCLOSURE_RECORD, value, lengths[i], framed, 70000);
        assert_true(framed_bytes > lengths[i]);
        assert_int_equal(
            disclosure_write(salt, DISCLOSURE_RECORD, value, lengths[i], framed, framed_bytes - 1),
            0);
        assert_true(disclosure_find(framed, framed_bytes, DISCLOSURE_RECORD, &found));
        assert_int_equal(found.value_bytes, lengths[i]);
        assert_memory_equal(found.value, value, lengths[i]);
        assert_memory_equal(found.salt, salt, sizeof salt);
        assert_int_equal(found.salt_bytes, sizeof salt);
    }
    free(value);
    free(framed);
}

static size_t three(uint8_t *out, size_t capacity)
{
    size_t at = disclosure_write(salt, DISCLOSURE_RECORD, "record!", 7, out, capacity);
    at += disclosure_write(salt, DISCLOSURE_ITEM_KEY, "key", 3, out + at, capacity - at);
    return at + disclosure_write(salt, DISCLOSURE_RECORD_ID, "D-1", 3, out + at, capacity - at);
}

static void cut_record_is_broken_unless_cut_between_frames(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t whole = three(bytes, sizeof bytes);
    unsigned good = 0;
    for (size_t cut = 0; cut <= whole; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that reading past the end is seen */
        struct disclosure_walk walk;
        struct disclosure found;
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        disclosure_walk_open(exact, cut, &walk);
        unsigned count = 0;
        while (disclosure_next(&walk, &found)) {
            count++;
        }
        good += walk.broken ? 0 : 1;
        assert_true(walk.broken || count <= 3);
        free(exact);
    }
    assert_int_equal(good, 4); /* empty, and behind each of the three */
}

struct break_row {
    const char *what;
    size_t offset;
    uint8_t to;
};

static void every_broken_field_is_refused(void **state)
{
    (void)state;
    static const struct break_row rows[] = {
        {"tag of the salt", 0, 0x0b},     {"salt too short", 1, 15},
        {"salt eats the name", 1, 31},    {"tag of the name", 18, 0x1a},
        {"name too long", 19, 0x7f},      {"name with a blank", 20, ' '},
        {"name with a zero byte", 21, 0}, {"tag of the value", 26, 0x22},
        {"value too long", 27, 8},        {"value too short", 27, 6},
    };
    uint8_t bytes[128];
    struct disclosure found;
    size_t framed = disclosure_write(salt, DISCLOSURE_RECORD, "record!", 7, bytes, sizeof bytes);
    const uint8_t *encoded = bytes + DISCLOSURE_FRAME_BYTES;
    size_t encoded_bytes = framed - DISCLOSURE_FRAME_BYTES;
    assert_true(disclosure_parse(encoded, encoded_bytes, &found));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t broken[128];
        memcpy(broken, encoded, encoded_bytes);
        broken[rows[i].offset] = rows[i].to;
        if (disclosure_parse(broken, encoded_bytes, &found)) {
            fail_msg("taken: %s", rows[i].what);
        }
    }
    uint8_t longer[128] = {0};
    memcpy(longer, encoded, encoded_bytes);
    assert_false(disclosure_parse(longer, encoded_bytes + 1, &found));
    /* one spelling of a length: 0x87 0x00 is 7 as well */
    memmove(longer + 29, longer + 28, 7);
    longer[27] = 0x87;
    longer[28] = 0x00;
    assert_false(disclosure_parse(longer, encoded_bytes + 1, &found));
}

static void entry_of(const uint8_t *bytes, size_t bytes_count, struct entry *out)
{
    struct disclosure_walk walk;
    struct disclosure found;
    memset(out, 0, sizeof *out);
    out->type = ENTRY_DECLARATION_RECEIVED;
    disclosure_walk_open(bytes, bytes_count, &walk);
    while (disclosure_next(&walk, &found)) {
        disclosure_digest(&found, out->sd[out->sd_count++]);
    }
}

static void private_record_is_held_against_its_entry(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct entry *entry = malloc(sizeof *entry);
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    uint32_t whole = (uint32_t)three(bytes, sizeof bytes);
    assert_non_null(entry);
    entry_of(bytes, whole, entry);
    assert_int_equal(entry->sd_count, 3);
    assert_int_equal(received_check(entry, bytes, whole), RECEIVED_GOOD);
    assert_true(received_record(entry, bytes, whole, &record, &record_bytes));
    assert_int_equal(record_bytes, 7);
    assert_memory_equal(record, "record!", 7);

    /* The record is redacted, the rest stays. */
    uint32_t first = DISCLOSURE_FRAME_BYTES + bytes[0];
    assert_int_equal(received_check(entry, bytes + first, whole - first), RECEIVED_GOOD);
    assert_false(received_record(entry, bytes + first, whole - first, &record, &record_bytes));
    assert_false(received_record(entry, NULL, 0, &record, &record_bytes));

    bytes[whole - 1] ^= 1; /* D-1 is D-0 */
    assert_int_equal(received_check(entry, bytes, whole), RECEIVED_DIFFERS);
    bytes[whole - 1] ^= 1;
    assert_int_equal(received_check(entry, bytes, whole - 1), RECEIVED_BROKEN);
    free(entry);
}

/* Logs from before there were digests. */
static void plain_record_of_an_old_entry_is_read_as_it_is(void **state)
{
    (void)state;
    struct entry *entry = calloc(1, sizeof *entry);
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    const uint8_t body[] = "an encoded declaration";
    assert_non_null(entry);
    sha256_of(body, sizeof body, entry->body.received.record_sha256);
    assert_true(received_record(entry, body, sizeof body, &record, &record_bytes));
    assert_ptr_equal(record, body);
    assert_int_equal(record_bytes, sizeof body);
    assert_int_equal(received_check(entry, body, sizeof body), RECEIVED_GOOD);
    assert_int_equal(received_check(entry, body, sizeof body - 1), RECEIVED_DIFFERS);
    free(entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_bytes_are_those_of_the_schema),
        cmocka_unit_test(round_trip_at_every_length_of_length),
        cmocka_unit_test(cut_record_is_broken_unless_cut_between_frames),
        cmocka_unit_test(every_broken_field_is_refused),
        cmocka_unit_test(private_record_is_held_against_its_entry),
        cmocka_unit_test(plain_record_of_an_old_entry_is_read_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
