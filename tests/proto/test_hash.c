/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hash.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t digest[HASH_BYTES], const char *expected)
{
    char text[HASH_HEX_BYTES];
    hex_encode(digest, HASH_BYTES, text);
    assert_string_equal(text, expected);
}

/* FIPS 180-4 examples and the empty message. */
static void sha256_published_vectors_match(void **state)
{
    (void)state;
    uint8_t digest[HASH_BYTES];
    sha256_of("", 0, digest);
    assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of("abc", 3, digest);
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    sha256_of(two_blocks, strlen(two_blocks), digest);
    assert_hex(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_million_letters_in_pieces_match(void **state)
{
    (void)state;
    char piece[1000];
    memset(piece, 'a', sizeof piece);
    struct sha256 *hash = sha256_open();
    for (int i = 0; i < 1000; i++) {
        sha256_add(hash, piece, sizeof piece);
    }
    uint8_t digest[HASH_BYTES];
    sha256_finish(hash, digest);
    assert_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    sha256_close(&hash);
    assert_null(hash);
    sha256_close(&hash);
}

/* Any split of a message has the digest of the whole, and a reset struct starts afresh. */
static void sha256_split_at_every_place_equals_whole(void **state)
{
    (void)state;
    uint8_t message[150];
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(i * 7);
    }
    uint8_t whole[HASH_BYTES];
    sha256_of(message, sizeof message, whole);
    struct sha256 *hash = sha256_open();
    for (size_t cut = 0; cut <= sizeof message; cut++) {
        uint8_t digest[HASH_BYTES];
        sha256_add(hash, message, cut);
        sha256_add(hash, message + cut, sizeof message - cut);
        sha256_finish(hash, digest);
        assert_true(hash_equal(digest, whole));
        sha256_reset(hash);
    }
    sha256_close(&hash);
}

static void sha256_prefixed_equals_joined_bytes(void **state)
{
    (void)state;
    uint8_t a[HASH_BYTES];
    uint8_t b[HASH_BYTES];
    sha256_of_prefixed(0x01, "tree", 4, a);
    sha256_of("\001tree", 5, b);
    assert_true(hash_equal(a, b));
    b[31] ^= 1;
    assert_false(hash_equal(a, b));
}

static void *digest_in_thread(void *out)
{
    sha256_of("abc", 3, out);
    sha256_of("abc", 3, out);
    return NULL;
}

static void sha256_each_thread_has_its_own_context(void **state)
{
    (void)state;
    uint8_t digests[4][HASH_BYTES];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, digest_in_thread, digests[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_hex(digests[i], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

/* RFC 4231 sections 4.2, 4.3, 4.4, 4.7 and 4.8: short key, short key and text, 20-byte key, key
 * longer than a block. */
static void hmac_published_vectors_match(void **state)
{
    (void)state;
    uint8_t key[131];
    uint8_t text[50];
    uint8_t mac[HASH_BYTES];
    memset(key, 0x0b, 20);
    hmac_sha256_of(key, 20, "Hi There", 8, mac);
    assert_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256_of((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, mac);
    assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(text, 0xdd, sizeof text);
    hmac_sha256_of(key, 20, text, sizeof text, mac);
    assert_hex(mac, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    const char *longer = "Test Using Larger Than Block-Size Key - Hash Key First";
    hmac_sha256_of(key, 131, longer, strlen(longer), mac);
    assert_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void pseudonym_depends_on_key_field_and_value(void **state)
{
    (void)state;
    uint8_t key[HASH_BYTES] = {1};
    uint8_t mac[HASH_BYTES];
    char expected[PSEUDONYM_BYTES + 1];
    char a[PSEUDONYM_BYTES];
    char b[PSEUDONYM_BYTES];
    hmac_sha256_of(key, sizeof key, "plate\0AB123", 11, mac);
    expected[0] = 'p';
    hex_encode(mac, 8, expected + 1);
    pseudonym_of(key, "plate", "AB123", a);
    assert_string_equal(a, expected);
    pseudonym_of(key, "plat", "eAB123", b); /* the border between field and value counts */
    assert_string_not_equal(a, b);
    key[0] = 2;
    pseudonym_of(key, "plate", "AB123", b);
    assert_string_not_equal(a, b);
}

static void hex_decode_other_length_or_digit_refuses(void **state)
{
    (void)state;
    uint8_t out[2] = {0};
    assert_true(hex_decode("aF09", out, 2));
    assert_int_equal(out[0], 0xaf);
    assert_int_equal(out[1], 0x09);
    const char *const bad[] = {"", "a", "af0", "af090", "ag09", " f09", "af0 ", "0xaf"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(hex_decode(bad[i], out, 2));
    }
}

/* RFC 4648 section 10. */
static void base64_published_vectors_match(void **state)
{
    (void)state;
    const char *const rows[][2] = {{"", ""},
                                   {"f", "Zg=="},
                                   {"fo", "Zm8="},
                                   {"foo", "Zm9v"},
                                   {"foob", "Zm9vYg=="},
                                   {"fooba", "Zm9vYmE="},
                                   {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        uint8_t bytes[16];
        size_t bytes_count = 99;
        base64_encode((const uint8_t *)rows[i][0], strlen(rows[i][0]), text);
        assert_string_equal(text, rows[i][1]);
        assert_true(
            base64_decode(rows[i][1], strlen(rows[i][1]), bytes, sizeof bytes, &bytes_count));
        assert_int_equal(bytes_count, strlen(rows[i][0]));
        assert_memory_equal(bytes, rows[i][0], bytes_count);
    }
}

static void base64_every_byte_value_survives(void **state)
{
    (void)state;
    uint8_t bytes[256];
    uint8_t back[256];
    char text[4 * 86 + 1];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(255 - i);
    }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t back_bytes = 0;
        base64_encode(bytes, n, text);
        assert_true(base64_decode(text, strlen(text), back, sizeof back, &back_bytes));
        assert_int_equal(back_bytes, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void base64_second_spelling_refuses(void **state)
{
    (void)state;
    uint8_t out[8];
    size_t n = 0;
    const char *const bad[] = {"Zg",   "Zg=",  "Zh==", "Zm9=", "Zg==Zg==",   "Z g=", "Zm9v\n",
                               "====", "Z===", "Zm=v", "Zg=a", "Zm9vYg==Zg", "Zm-_"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &n));
    }
    assert_false(base64_decode("Zm9v", 4, out, 2, &n));
    assert_true(base64_decode("Zm9v", 4, out, 3, &n));
}

/* Short inputs and long ones go through different libraries: on both sides of the limit a one-shot
 * is what adding byte by byte gives. */
static void one_shots_of_every_length_equal_the_streamed_digest(void **state)
{
    (void)state;
    static uint8_t bytes[1100];
    struct sha256 *streamed = sha256_open();
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 131 + 7);
    }
    for (size_t count = 0; count <= sizeof bytes; count += count < 130 || count > 1000 ? 1 : 97) {
        uint8_t whole[HASH_BYTES];
        uint8_t parts[HASH_BYTES];
        uint8_t mac[HASH_BYTES];
        uint8_t padded[64];
        sha256_of(bytes, count, whole);
        sha256_reset(streamed);
        sha256_add(streamed, bytes, count);
        sha256_finish(streamed, parts);
        assert_memory_equal(whole, parts, HASH_BYTES);
        hmac_sha256_of(bytes, HASH_BYTES, bytes, count, mac);
        for (int outer = 0; outer < 2; outer++) { /* RFC 2104 */
            for (size_t i = 0; i < sizeof padded; i++) {
                padded[i] = (uint8_t)((i < HASH_BYTES ? bytes[i] : 0) ^ (outer ? 0x5c : 0x36));
            }
            sha256_reset(streamed);
            sha256_add(streamed, padded, sizeof padded);
            sha256_add(streamed, outer ? parts : bytes, outer ? HASH_BYTES : count);
            sha256_finish(streamed, parts);
        }
        assert_memory_equal(mac, parts, HASH_BYTES);
    }
    sha256_close(&streamed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_shots_of_every_length_equal_the_streamed_digest),
        cmocka_unit_test(sha256_published_vectors_match),
        cmocka_unit_test(sha256_million_letters_in_pieces_match),
        cmocka_unit_test(sha256_split_at_every_place_equals_whole),
        cmocka_unit_test(sha256_prefixed_equals_joined_bytes),
        cmocka_unit_test(sha256_each_thread_has_its_own_context),
        cmocka_unit_test(hmac_published_vectors_match),
        cmocka_unit_test(pseudonym_depends_on_key_field_and_value),
        cmocka_unit_test(hex_decode_other_length_or_digit_refuses),
        cmocka_unit_test(base64_published_vectors_match),
        cmocka_unit_test(base64_every_byte_value_survives),
        cmocka_unit_test(base64_second_spelling_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
