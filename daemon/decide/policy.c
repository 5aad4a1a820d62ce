/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy.h"

#include <stddef.h>
#include <string.h>

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
    return NULL;
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
