/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"

/* The daemon of the flow tests whose days can be shifted: the year turns without waiting for it.
 * Linked with --wrap=clock_utc_ns. */

int64_t __real_clock_utc_ns(void);
int64_t __wrap_clock_utc_ns(void);

int64_t __wrap_clock_utc_ns(void)
{
    const char *days = getenv("TRIAGED_TEST_DAYS");
    return __real_clock_utc_ns() + (days == NULL ? 0 : atoll(days) * 86400 * NS_PER_S);
}
