/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/crc32c.h"
#include "publisher/curve_key.h"
#include "tests/publisher/scratch.h"

static char directory[SCRATCH_BYTES];
static char path[128];
static char public_path[160];

static int key_setup(void **state)
{
    (void)state;
    scratch_make(directory);
    (void)snprintf(path, sizeof path, "%s/a", directory);
    (void)snprintf(public_path, sizeof public_path, "%s/a.pub", directory);
    return 0;
}

static int key_teardown(void **state)
{
    (void)state;
    scratch_remove(directory);
    return 0;
}

static void key_created_reads_back(void **state)
{
    (void)state;
    char public_key[CURVE_Z85_BYTES];
    char secret_key[CURVE_Z85_BYTES];
    char alone[CURVE_Z85_BYTES];
    assert_int_equal(curve_key_create(path).code, ERR_NONE);
    assert_int_equal(curve_key_read(path, public_key, secret_key).code, ERR_NONE);
    assert_int_equal(curve_public_read(public_path, alone).code, ERR_NONE);
    assert_string_equal(public_key, alone);
    assert_int_equal(curve_public_read(path, alone).code, ERR_NONE); /* of a pair file too */
    assert_string_equal(public_key, alone);
    assert_string_not_equal(public_key, secret_key);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void key_already_there_is_left_alone(void **state)
{
    (void)state;
    char before[CURVE_Z85_BYTES];
    char after[CURVE_Z85_BYTES];
    assert_int_equal(curve_key_create(path).code, ERR_NONE);
    assert_int_equal(curve_public_read(public_path, before).code, ERR_NONE);
    assert_int_equal(curve_key_create(path).code, ERR_CONFLICT);
    assert_int_equal(curve_public_read(public_path, after).code, ERR_NONE);
    assert_string_equal(before, after);
    assert_int_equal(remove(path), 0); /* somebody may hold the other half of a lone public key */
    assert_int_equal(curve_key_create(path).code, ERR_CONFLICT);
}

static void key_bad_file_refuses(void **state)
{
    (void)state;
    char public_key[CURVE_Z85_BYTES] = "untouched";
    char secret_key[CURVE_Z85_BYTES] = "untouched";
    char other[160];
    char text[512];
    assert_int_equal(curve_key_read(path, public_key, secret_key).code, ERR_KEY); /* missing */
    assert_int_equal(curve_key_create(path).code, ERR_NONE);
    char good_public[CURVE_Z85_BYTES];
    char good_secret[CURVE_Z85_BYTES];
    assert_int_equal(curve_key_read(path, good_public, good_secret).code, ERR_NONE);
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(curve_key_read(path, public_key, secret_key).code, ERR_KEY);
    (void)snprintf(other, sizeof other, "%s/b", directory);
    struct {
        const char *first, *second;
    } rows[] = {{"", ""},
                {good_public, ""},
                {good_secret, good_public}, /* not a pair that way round */
                {"too short", good_secret},
                {good_public, "0123456789012345678901234567890123456789x"},
                {"~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~", good_secret}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, "%s\n%s\n", rows[i].first, rows[i].second);
        scratch_write(other, text, 0600);
        assert_int_equal(curve_key_read(other, public_key, secret_key).code, ERR_KEY);
    }
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    scratch_write(other, text, 0600);
    assert_int_equal(curve_public_read(other, public_key).code, ERR_KEY);
    assert_int_equal(curve_public_read(directory, public_key).code, ERR_KEY);
    assert_string_equal(public_key, "untouched");
    assert_string_equal(secret_key, "untouched");
}

static void crc_published_vectors_match(void **state)
{
    (void)state;
    /* RFC 3720, appendix B.4, and the check value of the CRC catalogue. */
    uint8_t bytes[32];
    assert_int_equal(crc32c_add(0, "123456789", 9), 0xe3069283u);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c_add(0, bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c_add(0, bytes, sizeof bytes), 0x62a8ab43u);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    for (size_t split = 0; split <= sizeof bytes; split++) {
        uint32_t crc = crc32c_add(0, bytes, split);
        assert_int_equal(crc32c_add(crc, bytes + split, sizeof bytes - split), 0x46dd794eu);
    }
}

/* Property: with and without the processor's instruction the sum is the same, at every length, from
 * every alignment, and continued. */
static void crc_by_instruction_equals_plain(void **state)
{
    (void)state;
    uint8_t bytes[96];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * i * 7 + 31);
    }
    for (size_t from = 0; from < 9; from++) {
        for (size_t count = 0; from + count <= sizeof bytes; count++) {
            uint32_t before = (uint32_t)(count * 0x9e3779b9u);
            assert_int_equal(crc32c_add(before, bytes + from, count),
                             crc32c_add_plain(before, bytes + from, count));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(key_created_reads_back, key_setup, key_teardown),
        cmocka_unit_test_setup_teardown(key_already_there_is_left_alone, key_setup, key_teardown),
        cmocka_unit_test_setup_teardown(key_bad_file_refuses, key_setup, key_teardown),
        cmocka_unit_test(crc_published_vectors_match),
        cmocka_unit_test(crc_by_instruction_equals_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
