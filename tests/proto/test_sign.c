/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/hash.h"

/* RFC 8032 section 7.1, tests 1, 2 and 3. */
static const struct {
    const char *seed;
    const char *public_key;
    const char *message;
    const char *signature;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595bbe24"
     "655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb4302aee"
     "b00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6594a7c15e9716ed28d"
     "c027beceea1ec40a"},
};

static void sign_published_vectors_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct sign_key key;
        uint8_t seed[SIGN_SEED_BYTES];
        uint8_t message[2];
        uint8_t signature[SIGN_SIGNATURE_BYTES];
        char text[2 * SIGN_SIGNATURE_BYTES + 1];
        size_t message_bytes = strlen(vectors[i].message) / 2;
        assert_true(hex_decode(vectors[i].seed, seed, sizeof seed));
        assert_true(hex_decode(vectors[i].message, message, message_bytes));
        sign_key_lock(&key);
        sign_key_from_seed(&key, seed);
        hex_encode(key.public_key, SIGN_PUBLIC_BYTES, text);
        assert_string_equal(text, vectors[i].public_key);
        sign_bytes(&key, message, message_bytes, signature);
        hex_encode(signature, sizeof signature, text);
        assert_string_equal(text, vectors[i].signature);
        assert_true(sign_verify(key.public_key, message, message_bytes, signature));
        sign_key_wipe(&key);
    }
}

static void verify_any_changed_bit_fails(void **state)
{
    (void)state;
    struct sign_key key;
    const uint8_t seed[SIGN_SEED_BYTES] = {42};
    uint8_t message[] = "root";
    uint8_t signature[SIGN_SIGNATURE_BYTES];
    sign_key_from_seed(&key, seed);
    sign_bytes(&key, message, sizeof message, signature);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(sign_verify(key.public_key, message, sizeof message, signature));
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    message[0] ^= 1;
    assert_false(sign_verify(key.public_key, message, sizeof message, signature));
    message[0] ^= 1;
    assert_false(sign_verify(key.public_key, message, sizeof message - 1, signature));
    key.public_key[3] ^= 1;
    assert_false(sign_verify(key.public_key, message, sizeof message, signature));
}

static void wipe_leaves_only_zeros(void **state)
{
    (void)state;
    static struct sign_key
        key; /* static, so that the compiler cannot drop what is read afterwards */
    static const struct sign_key zeros;
    const uint8_t seed[SIGN_SEED_BYTES] = {7};
    sign_key_lock(&key);
    sign_key_from_seed(&key, seed);
    assert_memory_not_equal(&key, &zeros, sizeof key);
    sign_key_wipe(&key);
    assert_memory_equal(&key, &zeros, sizeof key);
}

static int sign_prepare(void **state)
{
    (void)state;
    return sign_init() && sign_init() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_published_vectors_match),
        cmocka_unit_test(verify_any_changed_bit_fails),
        cmocka_unit_test(wipe_leaves_only_zeros),
    };
    return cmocka_run_group_tests(tests, sign_prepare, NULL);
}
