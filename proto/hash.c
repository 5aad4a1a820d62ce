/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hash.h"

#include <stdlib.h>
#include <string.h>

/* EVP allocates whenever a digest is started, also in a context that is used again, and nothing may
 * allocate where a batch is scored or an entry is stamped. The functions of the digest itself keep
 * their state with the caller and use the same code of the processor; OpenSSL 3 calls them
 * deprecated, and has them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

/* The library's calls fail only for a broken installation. That leaves nothing sensible to do in a
 * program whose every promise is a digest, so failure aborts instead of burdening each caller. */

#define HMAC_BLOCK_BYTES 64u

struct sha256 {
    SHA256_CTX context;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

struct sha256 *sha256_open(void)
{
    struct sha256 *self = malloc(sizeof *self);
    require(self != NULL);
    sha256_reset(self);
    return self;
}

void sha256_close(struct sha256 **self)
{
    if (*self == NULL) {
        return;
    }
    OPENSSL_cleanse(*self, sizeof **self);
    free(*self);
    *self = NULL;
}

void sha256_reset(struct sha256 *self)
{
    require(SHA256_Init(&self->context) == 1);
}

void sha256_add(struct sha256 *self, const void *bytes, size_t bytes_count)
{
    require(bytes_count == 0 || SHA256_Update(&self->context, bytes, bytes_count) == 1);
}

void sha256_finish(struct sha256 *self, uint8_t out[HASH_BYTES])
{
    require(SHA256_Final(out, &self->context) == 1);
}

void sha256_of(const void *bytes, size_t bytes_count, uint8_t out[HASH_BYTES])
{
    struct sha256 hash;
    sha256_reset(&hash);
    sha256_add(&hash, bytes, bytes_count);
    sha256_finish(&hash, out);
}

void sha256_of_prefixed(uint8_t prefix, const void *bytes, size_t bytes_count,
                        uint8_t out[HASH_BYTES])
{
    struct sha256 hash;
    sha256_reset(&hash);
    sha256_add(&hash, &prefix, 1);
    sha256_add(&hash, bytes, bytes_count);
    sha256_finish(&hash, out);
}

/* RFC 2104 over a message in two pieces. */
struct hmac_message {
    const void *first;
    size_t first_bytes;
    const void *second;
    size_t second_bytes;
};

/* SHA-256 of a padded key and what follows it. */
static void hash_behind(const uint8_t padded[HMAC_BLOCK_BYTES], const struct hmac_message *message,
                        uint8_t out[HASH_BYTES])
{
    struct sha256 hash;
    sha256_reset(&hash);
    sha256_add(&hash, padded, HMAC_BLOCK_BYTES);
    sha256_add(&hash, message->first, message->first_bytes);
    sha256_add(&hash, message->second, message->second_bytes);
    sha256_finish(&hash, out);
    OPENSSL_cleanse(&hash, sizeof hash);
}

static void hmac_of(const uint8_t *key, size_t key_bytes, const struct hmac_message *message,
                    uint8_t out[HASH_BYTES])
{
    uint8_t block[HMAC_BLOCK_BYTES] = {0};
    if (key_bytes > sizeof block) {
        sha256_of(key, key_bytes, block);
    } else if (key_bytes > 0) {
        memcpy(block, key, key_bytes);
    }
    uint8_t padded[HMAC_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof block; i++) {
        padded[i] = block[i] ^ 0x36u;
    }
    uint8_t inner[HASH_BYTES];
    hash_behind(padded, message, inner);
    for (size_t i = 0; i < sizeof block; i++) {
        padded[i] = block[i] ^ 0x5cu;
    }
    const struct hmac_message digest = {.first = inner, .first_bytes = sizeof inner};
    hash_behind(padded, &digest, out);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(padded, sizeof padded);
}

void hmac_sha256_of(const uint8_t *key, size_t key_bytes, const void *bytes, size_t bytes_count,
                    uint8_t out[HASH_BYTES])
{
    const struct hmac_message message = {.first = bytes, .first_bytes = bytes_count};
    hmac_of(key, key_bytes, &message, out);
}

void pseudonym_of(const uint8_t key[HASH_BYTES], const char *field, const char *value,
                  char out[PSEUDONYM_BYTES])
{
    /* The zero byte that ends the field name separates it from the value. */
    const struct hmac_message message = {
        .first = field,
        .first_bytes = strlen(field) + 1,
        .second = value,
        .second_bytes = strlen(value),
    };
    uint8_t mac[HASH_BYTES];
    hmac_of(key, HASH_BYTES, &message, mac);
    out[0] = 'p';
    hex_encode(mac, 8, out + 1);
}

void record_key_of(const uint8_t key[HASH_BYTES], const uint8_t record_sha256[HASH_BYTES],
                   uint8_t out[HASH_BYTES])
{
    static const char field[] = "record";
    const struct hmac_message message = {.first = field,
                                         .first_bytes = sizeof field,
                                         .second = record_sha256,
                                         .second_bytes = HASH_BYTES};
    hmac_of(key, HASH_BYTES, &message, out);
}

bool hash_equal(const uint8_t a[HASH_BYTES], const uint8_t b[HASH_BYTES])
{
    return CRYPTO_memcmp(a, b, HASH_BYTES) == 0;
}
