/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/opening.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

#define OPENING_DAY_NS (INT64_C(86400) * NS_PER_S)
#define OPENING_MINUTE_NS (INT64_C(60) * NS_PER_S)
#define OPENING_HOUR_NS (3600.0 * (double)NS_PER_S)

static bool opening_is_of(const struct exam_policy *exam, enum mode mode, const char *site)
{
    return exam->mode == mode && strcmp(exam->site, site) == 0;
}

/* Open since midnight of its day, in ns; a bay that closes before it opens closes the day after. */
static int64_t opening_ns_until(const struct exam_policy *exam, int64_t of_day_ns)
{
    int64_t opens_ns = exam->opens_min * OPENING_MINUTE_NS;
    int64_t closes_ns = exam->closes_min * OPENING_MINUTE_NS;
    int64_t after_open_ns = of_day_ns > opens_ns ? of_day_ns - opens_ns : 0;
    int64_t before_close_ns = of_day_ns < closes_ns ? of_day_ns : closes_ns;
    if (opens_ns < closes_ns) {
        int64_t length_ns = closes_ns - opens_ns;
        return after_open_ns < length_ns ? after_open_ns : length_ns;
    }
    return opens_ns == closes_ns ? of_day_ns : before_close_ns + after_open_ns;
}

/* Open since 1970. */
static double opening_hours_until(const struct exam_policy *exam, int64_t t_ns)
{
    int64_t of_day_ns = t_ns % OPENING_DAY_NS;
    int64_t days = t_ns / OPENING_DAY_NS;
    if (of_day_ns < 0) {
        of_day_ns += OPENING_DAY_NS;
        days--;
    }
    return ((double)days * (double)opening_ns_until(exam, OPENING_DAY_NS) +
            (double)opening_ns_until(exam, of_day_ns)) /
           OPENING_HOUR_NS;
}

static bool opening_is_open(const struct exam_policy *exam, int64_t t_ns)
{
    int64_t of_day_ns = (t_ns % OPENING_DAY_NS + OPENING_DAY_NS) % OPENING_DAY_NS;
    int64_t minute = of_day_ns / OPENING_MINUTE_NS;
    if (exam->opens_min == exam->closes_min) {
        return true;
    }
    bool after = minute >= exam->opens_min;
    bool before = minute < exam->closes_min;
    return exam->opens_min < exam->closes_min ? after && before : after || before;
}

double opening_per_hour(const struct policy *policy, enum mode mode, const char *site, int64_t t_ns)
{
    double sum = 0;
    bool listed = false;
    for (uint32_t i = 0; i < policy->exams_count; i++) {
        if (opening_is_of(&policy->exams[i], mode, site)) {
            listed = true;
            sum += opening_is_open(&policy->exams[i], t_ns) ? policy->exams[i].per_hour : 0;
        }
    }
    return listed ? sum : policy_capacity(policy, mode, site);
}

double opening_per_hour_most(const struct policy *policy, enum mode mode, const char *site)
{
    double sum = 0;
    bool listed = false;
    for (uint32_t i = 0; i < policy->exams_count; i++) {
        if (opening_is_of(&policy->exams[i], mode, site)) {
            listed = true;
            sum += policy->exams[i].per_hour;
        }
    }
    return listed ? sum : policy_capacity(policy, mode, site);
}

double opening_exams(const struct policy *policy, enum mode mode, const char *site, int64_t from_ns,
                     int64_t to_ns)
{
    double sum = 0;
    bool listed = false;
    if (to_ns <= from_ns) {
        return 0;
    }
    for (uint32_t i = 0; i < policy->exams_count; i++) {
        const struct exam_policy *exam = &policy->exams[i];
        if (opening_is_of(exam, mode, site)) {
            listed = true;
            sum += exam->per_hour *
                   (opening_hours_until(exam, to_ns) - opening_hours_until(exam, from_ns));
        }
    }
    double hours = (double)(to_ns - from_ns) / OPENING_HOUR_NS;
    return listed ? fmax(sum, 0) : hours * policy_capacity(policy, mode, site);
}
