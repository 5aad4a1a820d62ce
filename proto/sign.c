/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/sign.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

_Static_assert(SIGN_SEED_BYTES == crypto_sign_SEEDBYTES, "seed length of the library");
_Static_assert(SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "key length of the library");
_Static_assert(SIGN_SIGNATURE_BYTES == crypto_sign_BYTES, "signature length of the library");
_Static_assert(sizeof((struct sign_key *)0)->secret == crypto_sign_SECRETKEYBYTES,
               "secret length of the library");

bool sign_init(void)
{
    return sodium_init() >= 0;
}

void sign_key_lock(struct sign_key *key)
{
    /* Best effort: a small memory-lock limit must not keep a port from signing. */
    (void)sodium_mlock(key, sizeof *key);
}

void sign_key_wipe(struct sign_key *key)
{
    sodium_memzero(key, sizeof *key);
    (void)sodium_munlock(key, sizeof *key);
}

void sign_key_from_seed(struct sign_key *key, const uint8_t seed[SIGN_SEED_BYTES])
{
    memmove(key->seed, seed, SIGN_SEED_BYTES);
    if (crypto_sign_seed_keypair(key->public_key, key->secret, key->seed) != 0) {
        abort(); /* documented never to fail */
    }
}

void sign_bytes(const struct sign_key *key, const void *bytes, size_t bytes_count,
                uint8_t out[SIGN_SIGNATURE_BYTES])
{
    if (crypto_sign_detached(out, NULL, bytes, bytes_count, key->secret) != 0) {
        abort(); /* documented never to fail */
    }
}

bool sign_verify(const uint8_t public_key[SIGN_PUBLIC_BYTES], const void *bytes, size_t bytes_count,
                 const uint8_t signature[SIGN_SIGNATURE_BYTES])
{
    return crypto_sign_verify_detached(signature, bytes, bytes_count, public_key) == 0;
}
