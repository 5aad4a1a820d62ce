/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* One row a number keeps the bounds beside what they bound; a policy that fails here never reaches
 * a decision. */

struct policy_bound {
    size_t offset;
    double min;
    double max;
    const char *sentence;
};

#define POLICY_ROW(field, min, max)                                              \
    {                                                                            \
        offsetof(struct mode_policy, field), min, max, #field " is out of range" \
    }

static const struct policy_bound policy_bounds[] = {
    POLICY_ROW(hold_s, 0, 30 * 86400.0),   POLICY_ROW(late_s, 0, 366 * 86400.0),
    POLICY_ROW(random_rate, 0, 1),         POLICY_ROW(capacity_per_hour, 0, 1e6),
    POLICY_ROW(horizon_h, 0.01, 168),      POLICY_ROW(initial_cutoff, 0, 1),
    POLICY_ROW(minimum_probability, 0, 1), POLICY_ROW(severity, 0, 1e6),
    POLICY_ROW(perishable_weight, 0, 1e3), POLICY_ROW(random_rate_max, 0, 1),
    POLICY_ROW(queue_max, 0, 1e6),         POLICY_ROW(deadline_h, 0, 366 * 24.0),
    POLICY_ROW(alarm_h, 0, 366 * 24.0),    POLICY_ROW(grave_weight, 0, 1e3),
};

static const char *policy_check_mode(const struct mode_policy *mode)
{
    for (size_t i = 0; i < sizeof policy_bounds / sizeof policy_bounds[0]; i++) {
        const struct policy_bound *bound = &policy_bounds[i];
        double value;
        memcpy(&value, (const char *)mode + bound->offset, sizeof value);
        if (!(value >= bound->min && value <= bound->max)) { /* also refuses NaN */
            return bound->sentence;
        }
    }
    if (!mode->expects_scan && !mode->expects_declaration) {
        return "a mode must expect a scan, a declaration or both";
    }
    return NULL;
}

const char *target_policy_text(enum target_policy target)
{
    static const char *const names[] = {"on", "shadow", "off"};
    must((size_t)target < sizeof names / sizeof names[0]);
    return names[target];
}

static const char *policy_check_exams(const struct policy *policy)
{
    if (policy->exams_count > POLICY_EXAMS_MAX) {
        return "too many exams";
    }
    for (uint32_t i = 0; i < policy->exams_count; i++) {
        const struct exam_policy *exam = &policy->exams[i];
        bool good = exam->site[0] != '\0' && exam->mode > MODE_UNKNOWN && exam->mode < MODE_COUNT &&
                    exam->exam[0] != '\0' && exam->per_hour >= 0 && exam->per_hour <= 1e6 &&
                    exam->opens_min < 1440 && exam->closes_min <= 1440;
        if (!good) {
            return "an exam needs a site, a mode, a level, exams an hour and hours of the day";
        }
    }
    if (!(policy->hysteresis >= 0 && policy->hysteresis <= 0.9)) {
        return "hysteresis is out of range";
    }
    if (!(policy->ageing_per_hour >= 0 && policy->ageing_per_hour <= 1e3)) {
        return "ageing_per_hour is out of range";
    }
    return NULL;
}

static const char *policy_check_rates(const struct policy *policy)
{
    if (policy->rates_count > POLICY_RATES_MAX) {
        return "too many random_rates";
    }
    for (uint32_t i = 0; i < policy->rates_count; i++) {
        const struct rate_policy *row = &policy->rates[i];
        char mode[POLICY_STRATUM_BYTES];
        memcpy(mode, row->stratum, sizeof mode);
        char *slash = strchr(mode, '/');
        if (slash == NULL || slash[1] == '\0' || mode[strlen(mode) - 1] == '/') {
            return "a row of random_rates names \"mode/site\" or \"mode/site/lane\"";
        }
        *slash = '\0';
        if (mode_parse(mode) == MODE_UNKNOWN) {
            return "a row of random_rates begins with a mode";
        }
        if (!(row->rate >= 0 && row->rate <= 1)) {
            return "a rate of random_rates is out of range";
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(policy->rates[k].stratum, row->stratum) == 0) {
                return "random_rates names a stratum twice";
            }
        }
    }
    return NULL;
}

const char *policy_check(const struct policy *policy)
{
    if (policy->version[0] == '\0') {
        return "version is missing";
    }
    if (policy->window_count < 8 || policy->window_count > 65536) {
        return "window_count must be between 8 and 65536";
    }
    if (policy->warmup_count > policy->window_count) {
        return "warmup_count must not exceed window_count";
    }
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        const char *fault = policy_check_mode(&policy->modes[mode]);
        if (fault != NULL) {
            return fault;
        }
    }
    for (uint32_t i = 0; i < policy->sites_count; i++) {
        const struct site_policy *site = &policy->sites[i];
        bool good = site->site[0] != '\0' && site->mode > MODE_UNKNOWN && site->mode < MODE_COUNT &&
                    site->capacity_per_hour >= 0 && site->capacity_per_hour <= 1e6;
        if (!good) {
            return "a site needs a name, a mode and a capacity";
        }
    }
    const char *fault = policy_check_exams(policy);
    return fault != NULL ? fault : policy_check_rates(policy);
}

void policy_stratum(enum mode mode, const char *site, const char *lane,
                    char out[POLICY_STRATUM_BYTES])
{
    const char *place = site == NULL ? "" : site;
    const char *of_place = lane == NULL || place[0] == '\0' ? "" : lane;
    (void)snprintf(out, POLICY_STRATUM_BYTES, "%s%s%.64s%s%.64s", mode_text(mode),
                   place[0] == '\0' ? "" : "/", place, of_place[0] == '\0' ? "" : "/", of_place);
}

double policy_random_rate(const struct policy *policy, enum mode mode,
                          char stratum[POLICY_STRATUM_BYTES])
{
    for (char *slash = strrchr(stratum, '/'); slash != NULL; slash = strrchr(stratum, '/')) {
        for (uint32_t i = 0; i < policy->rates_count; i++) {
            if (strcmp(policy->rates[i].stratum, stratum) == 0) {
                return policy->rates[i].rate;
            }
        }
        *slash = '\0';
    }
    return policy->modes[mode].random_rate;
}

double policy_capacity(const struct policy *policy, enum mode mode, const char *site)
{
    for (uint32_t i = 0; i < policy->sites_count; i++) {
        if (policy->sites[i].mode == mode && strcmp(policy->sites[i].site, site) == 0) {
            return policy->sites[i].capacity_per_hour;
        }
    }
    return policy->modes[mode].capacity_per_hour;
}
