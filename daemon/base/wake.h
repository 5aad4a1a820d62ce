/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_WAKE_H
#define BASE_WAKE_H

/* Wake: conditions on which a thread waits for at most so long, by the clock that never goes
 * backwards. Any thread. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void wake_init(pthread_cond_t *self);
/* Waits for a signal, or until clock_monotonic_ns() reaches until_ns; the lock is held before and
 * after. False when that moment came first. As with every condition, it may return for nothing:
 * callers look again. */
bool wake_wait(pthread_cond_t *self, pthread_mutex_t *lock, int64_t until_ns);

#endif
