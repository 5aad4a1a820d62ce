/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_SIGN_H
#define PROTO_SIGN_H

/* Sign: Ed25519 (RFC 8032) over libsodium. Pure functions on caller's memory, any thread.
 * sign_init() must have been called once in the process (it may be called again). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_SEED_BYTES 32u
#define SIGN_PUBLIC_BYTES 32u
#define SIGN_SIGNATURE_BYTES 64u

struct sign_key {
    uint8_t seed[SIGN_SEED_BYTES];
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    uint8_t secret[64];
};

bool sign_init(void);
/* Keep the struct out of swap and core dumps where the system allows it: call before filling it;
 * wipe when done. */
void sign_key_lock(struct sign_key *key);
void sign_key_wipe(struct sign_key *key);
void sign_key_from_seed(struct sign_key *key, const uint8_t seed[SIGN_SEED_BYTES]);
void sign_bytes(const struct sign_key *key, const void *bytes, size_t bytes_count,
                uint8_t out[SIGN_SIGNATURE_BYTES]);
bool sign_verify(const uint8_t public_key[SIGN_PUBLIC_BYTES], const void *bytes, size_t bytes_count,
                 const uint8_t signature[SIGN_SIGNATURE_BYTES]);

#endif
