/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/err.h"
#include "proto/entry.h"

/* Ids and salts are made once an entry or more, so a small pool a thread saves a system call for
 * most of them. */

enum { RANDOM_POOL_BYTES = 480, RANDOM_SALT_POOL_BYTES = 4096, RANDOM_SALT_BYTES_MAX = 64 };

static void random_fill(void *out, size_t out_bytes)
{
    uint8_t *at = out;
    while (out_bytes > 0) {
        ssize_t taken = getrandom(at, out_bytes, 0);
        if (taken < 0 && errno == EINTR) {
            continue;
        }
        must(taken > 0);
        at += taken;
        out_bytes -= (size_t)taken;
    }
}

void random_bytes(void *out, size_t out_bytes)
{
    random_fill(out, out_bytes);
}

void random_salt(void *out, size_t out_bytes)
{
    static _Thread_local uint8_t pool[RANDOM_SALT_POOL_BYTES];
    static _Thread_local size_t pool_left;
    must(out_bytes <= RANDOM_SALT_BYTES_MAX);
    if (pool_left < out_bytes) {
        random_fill(pool, sizeof pool);
        pool_left = sizeof pool;
    }
    pool_left -= out_bytes;
    memcpy(out, pool + pool_left, out_bytes);
    explicit_bzero(pool + pool_left, out_bytes);
}

void random_uuid7(uint8_t out[16])
{
    static _Thread_local uint8_t pool[RANDOM_POOL_BYTES];
    static _Thread_local size_t pool_left;
    if (pool_left < 10) {
        random_fill(pool, sizeof pool);
        pool_left = sizeof pool;
    }
    pool_left -= 10;
    uuid7_make(clock_utc_ns(), pool + pool_left, out);
}
