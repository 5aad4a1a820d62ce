/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

static _Atomic int64_t clock_fixed_utc_ns;

static int64_t clock_read_ns(clockid_t id)
{
    struct timespec now;
    must(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + (int64_t)now.tv_nsec;
}

int64_t clock_utc_ns(void)
{
    int64_t fixed_ns = atomic_load(&clock_fixed_utc_ns);
    return fixed_ns != 0 ? fixed_ns : clock_read_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

void clock_fix_utc_ns(int64_t utc_ns)
{
    atomic_store(&clock_fixed_utc_ns, utc_ns);
}

static int64_t clock_split(int64_t utc_ns, struct tm *out)
{
    int64_t ns = utc_ns % NS_PER_S;
    time_t s = (time_t)(utc_ns / NS_PER_S);
    if (ns < 0) { /* before 1970: round towards the past */
        ns += NS_PER_S;
        s -= 1;
    }
    must(gmtime_r(&s, out) != NULL);
    return ns;
}

void clock_day_text(int64_t utc_ns, char out[CLOCK_DAY_BYTES])
{
    struct tm tm;
    (void)clock_split(utc_ns, &tm);
    must(strftime(out, CLOCK_DAY_BYTES, "%Y-%m-%d", &tm) == CLOCK_DAY_BYTES - 1);
}

bool clock_day_ns(const char *day, int64_t *utc_ns)
{
    struct tm tm = {0};
    char again[CLOCK_DAY_BYTES];
    if (day == NULL || strlen(day) != CLOCK_DAY_BYTES - 1 ||
        sscanf(day, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3 ||
        tm.tm_year < 1970 || tm.tm_year > 2261) { /* beyond it 64 bits of ns end */
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t start_ns = (int64_t)timegm(&tm) * NS_PER_S;
    clock_day_text(start_ns, again); /* timegm takes the 31st of February for a day in March */
    if (strcmp(again, day) != 0) {
        return false;
    }
    *utc_ns = start_ns;
    return true;
}

void clock_text(int64_t utc_ns, char out[CLOCK_TEXT_BYTES])
{
    struct tm tm;
    int64_t ns = clock_split(utc_ns, &tm);
    char to_second[24];
    must(strftime(to_second, sizeof to_second, "%Y-%m-%dT%H:%M:%S", &tm) == 19);
    (void)snprintf(out, CLOCK_TEXT_BYTES, "%.19s.%09dZ", to_second, (int)ns);
}

int clock_year(int64_t utc_ns)
{
    struct tm tm;
    (void)clock_split(utc_ns, &tm);
    return tm.tm_year + 1900;
}
