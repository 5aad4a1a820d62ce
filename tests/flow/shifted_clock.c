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
    const char *seconds = getenv("TRIAGED_TEST_SECONDS");
    int64_t shift_s =
        (days == NULL ? 0 : atoll(days) * 86400) + (seconds == NULL ? 0 : atoll(seconds));
    return __real_clock_utc_ns() + shift_s * NS_PER_S;
}
