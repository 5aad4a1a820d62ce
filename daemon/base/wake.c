/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wake.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

void wake_init(pthread_cond_t *self)
{
    pthread_condattr_t monotonic;
    must(pthread_condattr_init(&monotonic) == 0);
    must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(self, &monotonic) == 0);
    must(pthread_condattr_destroy(&monotonic) == 0);
}

bool wake_wait(pthread_cond_t *self, pthread_mutex_t *lock, int64_t until_ns)
{
    const struct timespec until = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};
    int error = pthread_cond_timedwait(self, lock, &until);
    must(error == 0 || error == ETIMEDOUT);
    return error == 0;
}
