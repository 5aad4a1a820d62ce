/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/err.h"
#include "proto/entry.h"

/* Ids are made once an entry, so a small pool a thread saves a system call for most of them. */

enum { RANDOM_POOL_BYTES = 480 };

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
