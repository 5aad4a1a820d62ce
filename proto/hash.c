/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

/* The library's calls fail only for lack of memory or a broken installation. Neither leaves
 * anything sensible to do in a program whose every promise is a digest, so failure aborts instead
 * of burdening each caller. */

#define HMAC_BLOCK_BYTES 64u

/* OpenSSL 3 allocates whenever a digest is started, also in a context that is used again: names and
 * keys, which are hashed where nothing may allocate, go through libsodium, whose state lies on the
 * stack. Records' texts fit. Above, the faster code of libcrypto outweighs one allocation. */
#define SHORT_BYTES 1024u

struct sha256 {
    EVP_MD_CTX *context;
};

static pthread_once_t algorithm_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key; /* frees a thread's context when the thread ends */
static EVP_MD *algorithm;
static _Thread_local struct sha256 *thread_sha256;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void thread_sha256_free(void *owned)
{
    struct sha256 *self = owned;
    sha256_close(&self);
    thread_sha256 = NULL;
}

static void algorithm_fetch(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    require(algorithm != NULL);
    require(pthread_key_create(&thread_key, thread_sha256_free) == 0);
}

struct sha256 *sha256_open(void)
{
    require(pthread_once(&algorithm_once, algorithm_fetch) == 0);
    struct sha256 *self = malloc(sizeof *self);
    require(self != NULL);
    self->context = EVP_MD_CTX_new();
    require(self->context != NULL);
    sha256_reset(self);
    return self;
}

void sha256_close(struct sha256 **self)
{
    if (*self == NULL) {
        return;
    }
    EVP_MD_CTX_free((*self)->context);
    free(*self);
    *self = NULL;
}

void sha256_reset(struct sha256 *self)
{
    require(EVP_DigestInit_ex2(self->context, algorithm, NULL) == 1);
}

void sha256_add(struct sha256 *self, const void *bytes, size_t bytes_count)
{
    require(bytes_count == 0 || EVP_DigestUpdate(self->context, bytes, bytes_count) == 1);
}

void sha256_finish(struct sha256 *self, uint8_t out[HASH_BYTES])
{
    require(EVP_DigestFinal_ex(self->context, out, NULL) == 1);
}

/* The calling thread's own context, started. */
static struct sha256 *thread_sha256_start(void)
{
    if (thread_sha256 == NULL) {
        thread_sha256 = sha256_open();
        require(pthread_setspecific(thread_key, thread_sha256) == 0);
    } else {
        sha256_reset(thread_sha256);
    }
    return thread_sha256;
}

void sha256_of(const void *bytes, size_t bytes_count, uint8_t out[HASH_BYTES])
{
    if (bytes_count <= SHORT_BYTES) {
        require(crypto_hash_sha256(out, bytes, bytes_count) == 0);
        return;
    }
    struct sha256 *hash = thread_sha256_start();
    sha256_add(hash, bytes, bytes_count);
    sha256_finish(hash, out);
}

void sha256_of_prefixed(uint8_t prefix, const void *bytes, size_t bytes_count,
                        uint8_t out[HASH_BYTES])
{
    struct sha256 *hash = thread_sha256_start();
    sha256_add(hash, &prefix, 1);
    sha256_add(hash, bytes, bytes_count);
    sha256_finish(hash, out);
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
    if (message->first_bytes <= SHORT_BYTES && message->second_bytes <= SHORT_BYTES) {
        crypto_hash_sha256_state state;
        bool good = crypto_hash_sha256_init(&state) == 0 &&
                    crypto_hash_sha256_update(&state, padded, HMAC_BLOCK_BYTES) == 0 &&
                    crypto_hash_sha256_update(&state, message->first, message->first_bytes) == 0 &&
                    crypto_hash_sha256_update(&state, message->second, message->second_bytes) == 0;
        require(good && crypto_hash_sha256_final(&state, out) == 0);
        OPENSSL_cleanse(&state, sizeof state);
        return;
    }
    struct sha256 *hash = thread_sha256_start();
    sha256_add(hash, padded, HMAC_BLOCK_BYTES);
    sha256_add(hash, message->first, message->first_bytes);
    sha256_add(hash, message->second, message->second_bytes);
    sha256_finish(hash, out);
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
