/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Clock: the only place that asks the time. Tests inject it. Any thread. */

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* UTC, ns since 1970. May go backwards; order comes from entry indices, never from here. */
int64_t clock_utc_ns(void);
/* Never goes backwards; for durations and deadlines. */
int64_t clock_monotonic_ns(void);
/* Tests only: fixes clock_utc_ns() to this value until called with 0. */
void clock_fix_utc_ns(int64_t utc_ns);

#define CLOCK_DAY_BYTES 11u
#define CLOCK_TEXT_BYTES 32u
/* "2026-09-21". */
void clock_day_text(int64_t utc_ns, char out[CLOCK_DAY_BYTES]);
/* The first moment of "2026-09-21", UTC; false for anything that clock_day_text does not write. */
bool clock_day_ns(const char *day, int64_t *utc_ns);
/* "2026-09-21T11:22:33.123456789Z". */
void clock_text(int64_t utc_ns, char out[CLOCK_TEXT_BYTES]);
int clock_year(int64_t utc_ns);

#endif
