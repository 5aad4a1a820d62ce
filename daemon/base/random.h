/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

/* Random: bytes from getrandom(2). Any thread. Aborts when the system has none: nothing can be done
 * safely then. */

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t out_bytes);
/* At most 64 bytes out of a pool of the calling thread: for salts, which are made by the thousand.
 * What was handed out is wiped from the pool. */
void random_salt(void *out, size_t out_bytes);
/* A new UUIDv7 from the clock and getrandom. */
void random_uuid7(uint8_t out[16]);

#endif
