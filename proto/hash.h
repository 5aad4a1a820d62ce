/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_HASH_H
#define PROTO_HASH_H

/* Hash: SHA-256 and HMAC-SHA-256 over libcrypto, hexadecimal, base64.
 *
 * Threads: a struct sha256 belongs to one thread; the one-shot functions may be called from any
 * thread. Memory: only sha256_open allocates. None can fail once the library is loaded; a failure
 * there is our own bug and aborts. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES 32u
#define HASH_HEX_BYTES 65u /* with the terminating zero */

struct sha256;

struct sha256 *sha256_open(void);
void sha256_close(struct sha256 **self);
/* Start again; a fresh struct is already started. */
void sha256_reset(struct sha256 *self);
void sha256_add(struct sha256 *self, const void *bytes, size_t bytes_count);
/* Writes the digest; the struct must be reset before it is used again. */
void sha256_finish(struct sha256 *self, uint8_t out[HASH_BYTES]);

void sha256_of(const void *bytes, size_t bytes_count, uint8_t out[HASH_BYTES]);
/* SHA-256(prefix byte || bytes): RFC 6962 section 2.1 leaf and node hashing. */
void sha256_of_prefixed(uint8_t prefix, const void *bytes, size_t bytes_count,
                        uint8_t out[HASH_BYTES]);
void hmac_sha256_of(const uint8_t *key, size_t key_bytes, const void *bytes, size_t bytes_count,
                    uint8_t out[HASH_BYTES]);
bool hash_equal(const uint8_t a[HASH_BYTES], const uint8_t b[HASH_BYTES]);

/* Lower-case hexadecimal with a terminating zero: out needs 2 * bytes_count + 1. */
void hex_encode(const uint8_t *bytes, size_t bytes_count, char *out);
/* Exactly 2 * out_bytes hexadecimal digits, upper or lower case; false (out undefined) for anything
 * else. */
bool hex_decode(const char *text, uint8_t *out, size_t out_bytes);

/* Standard base64 with padding (RFC 4648 section 4). Encode: out needs 4 * ((n + 2) / 3) + 1 bytes.
 * Decode: strict (no spaces, canonical padding bits); false when malformed or longer than
 * out_capacity. */
void base64_encode(const uint8_t *bytes, size_t bytes_count, char *out);
bool base64_decode(const char *text, size_t text_bytes, uint8_t *out, size_t out_capacity,
                   size_t *out_bytes);

/* Keyed pseudonym of a personal value: "p" and 16 hexadecimal digits of HMAC-SHA-256(key, field ||
 * 0x00 || value). The key is the port's per-year key; when it is destroyed the pseudonym speaks of
 * nobody. */
#define PSEUDONYM_BYTES 18u
void pseudonym_of(const uint8_t key[HASH_BYTES], const char *field, const char *value,
                  char out[PSEUDONYM_BYTES]);
/* The same for a whole record, at full length: HMAC-SHA-256(key, "record" || 0x00 || its SHA-256).
 * Whoever lacks the key cannot try out what the record may have said. */
void record_key_of(const uint8_t key[HASH_BYTES], const uint8_t record_sha256[HASH_BYTES],
                   uint8_t out[HASH_BYTES]);

#endif
