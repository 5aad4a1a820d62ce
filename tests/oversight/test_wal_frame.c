/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

static void crc32c_of_check_string_is_published_value(void **state)
{
    (void)state;
    assert_int_equal(wal_crc32c("123456789", 9), 0xe3069283u);
    uint8_t zeros[32] = {0}; /* RFC 3720, B.4 */
    assert_int_equal(wal_crc32c(zeros, sizeof zeros), 0x8a9136aau);
}

static void segment_header_round_trips_at_documented_offsets(void **state)
{
    (void)state;
    struct wal_segment_header header = {
        .segment_number = 3, .first_index = 0x0102030405060708u, .created_ns = 99};
    memset(header.origin_sha256, 0xaa, HASH_BYTES);
    memset(header.root, 0xbb, HASH_BYTES);
    memset(header.salt, 0xcc, WAL_SALT_BYTES);
    uint8_t block[WAL_BLOCK_BYTES];
    wal_segment_header_encode(&header, block);
    assert_memory_equal(block, "OVWSEG\0\1\1\0\0\0\200\0\0\0", 16);
    assert_int_equal(block[16], 0xaa);
    assert_int_equal(block[48], 3);
    assert_int_equal(block[56], 8); /* little-endian */
    assert_int_equal(block[64], 0xbb);
    assert_int_equal(block[96], 0xcc);
    assert_int_equal(block[112], 99);
    struct wal_segment_header back;
    assert_int_equal(wal_segment_header_decode(block, sizeof block, &back), WAL_GOOD);
    assert_memory_equal(&back, &header, sizeof back);
}

static void segment_header_with_any_byte_changed_refuses(void **state)
{
    (void)state;
    struct wal_segment_header header = {.segment_number = 1};
    struct wal_segment_header back;
    uint8_t block[WAL_BLOCK_BYTES];
    wal_segment_header_encode(&header, block);
    for (size_t i = 0; i < WAL_SEGMENT_HEADER_BYTES; i++) {
        block[i] ^= 1;
        assert_int_equal(wal_segment_header_decode(block, sizeof block, &back), WAL_BROKEN);
        block[i] ^= 1;
    }
    assert_int_equal(wal_segment_header_decode(block, WAL_SEGMENT_HEADER_BYTES - 1, &back),
                     WAL_CUT);
    memset(block, 0, sizeof block);
    assert_int_equal(wal_segment_header_decode(block, sizeof block, &back), WAL_BLANK);
}

/* Two entries "ab" and "c"; the second has a private record of three bytes. */
static uint32_t two_entries(uint8_t *payload)
{
    static const uint8_t entries[] = {0, 2, 'a', 'b', 0, 1, 'c'};
    memcpy(payload, entries, sizeof entries);
    uint8_t *record = payload + sizeof entries;
    wal_put_u32(record, 1);
    wal_put_u32(record + 4, 3);
    memset(record + 8, 0x55, HASH_BYTES);
    memcpy(record + WAL_PRIVATE_HEADER_BYTES, "xyz", 3);
    return (uint32_t)sizeof entries + WAL_PRIVATE_HEADER_BYTES + 3;
}

static void group_round_trips_and_any_byte_changed_refuses(void **state)
{
    (void)state;
    uint8_t group[2 * WAL_BLOCK_BYTES];
    memset(group, 0xee, sizeof group);
    struct wal_group_header header = {
        .group_number = 7, .first_index = 40, .entry_count = 2, .flags = WAL_FLAG_PRIVATE};
    header.payload_bytes = two_entries(group + WAL_GROUP_HEADER_BYTES);
    assert_int_equal(wal_group_seal(&header, group), WAL_BLOCK_BYTES);
    for (size_t i = WAL_GROUP_HEADER_BYTES + header.payload_bytes; i < WAL_BLOCK_BYTES; i++) {
        assert_int_equal(group[i], 0);
    }
    struct wal_group_header back;
    assert_int_equal(wal_group_header_decode(group, sizeof group, &back), WAL_GOOD);
    assert_memory_equal(&back, &header, sizeof back);
    assert_int_equal(back.payload_crc,
                     wal_crc32c(group + WAL_GROUP_HEADER_BYTES, header.payload_bytes));
    for (size_t i = 0; i < WAL_GROUP_HEADER_BYTES; i++) {
        group[i] ^= 1;
        assert_int_equal(wal_group_header_decode(group, sizeof group, &back), WAL_BROKEN);
        group[i] ^= 1;
    }
}

static void cursor_ties_private_record_to_its_entry(void **state)
{
    (void)state;
    uint8_t payload[128];
    uint32_t payload_bytes = two_entries(payload);
    struct wal_cursor cursor;
    struct wal_piece piece;
    assert_int_equal(wal_cursor_open(payload, payload_bytes, 2, WAL_FLAG_PRIVATE, &cursor),
                     WAL_GOOD);
    assert_true(wal_cursor_next(&cursor, &piece));
    assert_int_equal(piece.bytes_count, 2);
    assert_memory_equal(piece.bytes, "ab", 2);
    assert_null(piece.private_bytes);
    assert_true(wal_cursor_next(&cursor, &piece));
    assert_memory_equal(piece.bytes, "c", 1);
    assert_int_equal(piece.private_count, 3);
    assert_memory_equal(piece.private_bytes, "xyz", 3);
    assert_int_equal(piece.private_sha256[0], 0x55);
    assert_false(wal_cursor_next(&cursor, &piece));
}

static void cursor_refuses_every_inconsistent_payload(void **state)
{
    (void)state;
    uint8_t payload[128];
    uint32_t payload_bytes = two_entries(payload);
    struct wal_cursor cursor;
    for (uint32_t cut = 0; cut < payload_bytes; cut++) {
        assert_int_not_equal(wal_cursor_open(payload, cut, 2, WAL_FLAG_PRIVATE, &cursor), WAL_GOOD);
    }
    assert_int_equal(wal_cursor_open(payload, payload_bytes, 2, 0, &cursor),
                     WAL_BROKEN); /* undeclared bytes */
    assert_int_equal(wal_cursor_open(payload, 7, 2, WAL_FLAG_PRIVATE, &cursor),
                     WAL_BROKEN); /* nothing declared */
    payload[7] = 2;               /* private record of an entry that is not there */
    assert_int_equal(wal_cursor_open(payload, payload_bytes, 2, WAL_FLAG_PRIVATE, &cursor),
                     WAL_BROKEN);
    payload[7] = 1;
    payload[11] = 0xff; /* its length: 2^32 - something */
    payload[14] = 0xff;
    assert_int_equal(wal_cursor_open(payload, payload_bytes, 2, WAL_FLAG_PRIVATE, &cursor),
                     WAL_CUT);
    payload_bytes = two_entries(payload);
    payload[1] = 0; /* an entry of no bytes */
    assert_int_not_equal(wal_cursor_open(payload, payload_bytes, 2, WAL_FLAG_PRIVATE, &cursor),
                         WAL_GOOD);
}

static void cursor_refuses_two_records_of_one_entry(void **state)
{
    (void)state;
    uint8_t payload[256];
    uint32_t payload_bytes = two_entries(payload);
    memcpy(payload + payload_bytes, payload + 7, WAL_PRIVATE_HEADER_BYTES + 3);
    struct wal_cursor cursor;
    assert_int_equal(wal_cursor_open(payload, payload_bytes + WAL_PRIVATE_HEADER_BYTES + 3, 2,
                                     WAL_FLAG_PRIVATE, &cursor),
                     WAL_BROKEN);
}

static void slot_with_any_byte_changed_refuses(void **state)
{
    (void)state;
    struct wal_slot slot = {
        .group_number = 65, .segment_number = 2, .offset = 8192, .next_index = 1000};
    memset(slot.hash, 0x33, HASH_BYTES);
    uint8_t block[WAL_BLOCK_BYTES];
    wal_slot_encode(&slot, block);
    struct wal_slot back;
    assert_int_equal(wal_slot_decode(block, sizeof block, &back), WAL_GOOD);
    assert_memory_equal(&back, &slot, sizeof back);
    for (size_t i = 0; i < WAL_SLOT_BYTES; i++) {
        block[i] ^= 1;
        assert_int_equal(wal_slot_decode(block, sizeof block, &back), WAL_BROKEN);
        block[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_of_check_string_is_published_value),
        cmocka_unit_test(segment_header_round_trips_at_documented_offsets),
        cmocka_unit_test(segment_header_with_any_byte_changed_refuses),
        cmocka_unit_test(group_round_trips_and_any_byte_changed_refuses),
        cmocka_unit_test(cursor_ties_private_record_to_its_entry),
        cmocka_unit_test(cursor_refuses_every_inconsistent_payload),
        cmocka_unit_test(cursor_refuses_two_records_of_one_entry),
        cmocka_unit_test(slot_with_any_byte_changed_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
