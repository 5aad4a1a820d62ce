/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/decide.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The target arm follows load by two numbers a stratum: the share of recent traffic that capacity
 * can take gives a cut-off (a quantile of the recent scores), and a token bucket holds what the bay
 * can still take within the horizon, so that the queue fits even when the scores shift faster than
 * the window does. */

enum { DECIDE_SITE_BYTES = 65 };

struct decide_seen {
    double probability;
    int64_t t_ns;
};

struct stratum {
    enum mode mode;
    char site[DECIDE_SITE_BYTES];
    struct decide_seen *ring; /* window_capacity places */
    uint32_t first;
    uint32_t count;
    double tokens;     /* referrals the bay can still take */
    int64_t tokens_ns; /* when tokens was right; 0 before the first item */
};

struct decide {
    struct policy policy;
    struct stratum *strata;
    struct decide_seen *rings;
    uint32_t window_capacity;
    uint32_t strata_max;
    uint32_t strata_count;
};

const char *arm_text(enum arm arm)
{
    static const char *const names[] = {"none", "target", "random", "both", "cautious"};
    must(arm >= 0 && (size_t)arm < sizeof names / sizeof names[0]);
    return names[arm];
}

struct err decide_open(const struct policy *policy, uint32_t strata_max, struct decide **out)
{
    must(policy_check(policy) == NULL && strata_max > 0);
    struct decide *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "decide_open");
    }
    self->strata_max = strata_max + MODE_COUNT; /* one more a mode for the sites beyond */
    self->window_capacity = policy->window_count;
    self->strata = calloc(self->strata_max, sizeof *self->strata);
    self->rings = calloc((size_t)self->strata_max * self->window_capacity, sizeof *self->rings);
    if (self->strata == NULL || self->rings == NULL) {
        decide_close(&self);
        return err_make(ERR_MEMORY, "decide_open");
    }
    self->policy = *policy;
    *out = self;
    return err_none;
}

void decide_close(struct decide **self)
{
    if (*self != NULL) {
        free((*self)->strata);
        free((*self)->rings);
        free(*self);
        *self = NULL;
    }
}

void decide_set_policy(struct decide *self, const struct policy *policy)
{
    must(policy_check(policy) == NULL);
    self->policy = *policy;
    if (self->policy.window_count > self->window_capacity) {
        self->policy.window_count = self->window_capacity; /* rings are sized at open */
    }
}

static struct stratum *decide_stratum(struct decide *self, enum mode mode, const char *site)
{
    uint32_t named_max = self->strata_max - MODE_COUNT;
    bool full = self->strata_count >= named_max;
    for (int round = 0; round < 2; round++) {
        const char *wanted = round == 0 ? site : "*";
        for (uint32_t i = 0; i < self->strata_count; i++) {
            if (self->strata[i].mode == mode && strcmp(self->strata[i].site, wanted) == 0) {
                return &self->strata[i];
            }
        }
        if (!full) {
            break;
        }
    }
    must(self->strata_count < self->strata_max);
    struct stratum *stratum = &self->strata[self->strata_count];
    stratum->mode = mode;
    stratum->ring = self->rings + (size_t)self->strata_count * self->window_capacity;
    const char *name = full ? "*" : site;
    size_t name_bytes = strnlen(name, DECIDE_SITE_BYTES - 1);
    memcpy(stratum->site, name, name_bytes);
    stratum->site[name_bytes] = '\0';
    self->strata_count++;
    return stratum;
}

static void stratum_refill(struct stratum *stratum, double capacity_per_hour, double horizon_h,
                           int64_t t_ns)
{
    double room = fmax(capacity_per_hour * horizon_h, capacity_per_hour > 0 ? 1 : 0);
    if (stratum->tokens_ns == 0) {
        stratum->tokens = room; /* an empty bay */
        stratum->tokens_ns = t_ns;
    } else if (t_ns > stratum->tokens_ns) { /* a clock that went back refills nothing */
        double hours = (double)(t_ns - stratum->tokens_ns) / (3600.0 * (double)NS_PER_S);
        stratum->tokens += capacity_per_hour * hours;
        stratum->tokens_ns = t_ns;
    }
    stratum->tokens = fmin(stratum->tokens, room);
}

static void stratum_remember(struct stratum *stratum, uint32_t window_count, double probability,
                             int64_t t_ns)
{
    if (stratum->count == window_count) {
        stratum->first = (stratum->first + 1) % window_count;
        stratum->count--;
    }
    uint32_t place = (stratum->first + stratum->count) % window_count;
    stratum->ring[place] = (struct decide_seen){probability, t_ns};
    stratum->count++;
}

/* What the window says of this item; the item itself is already in it. */
struct stratum_view {
    uint64_t rank; /* 1 is the highest */
    uint64_t count;
    double arrivals_per_hour;
};

static struct stratum_view stratum_look(const struct stratum *stratum, uint32_t window_count,
                                        double probability, int64_t t_ns)
{
    struct stratum_view view = {1, stratum->count, 0};
    int64_t oldest_ns = t_ns;
    for (uint32_t i = 0; i < stratum->count; i++) {
        const struct decide_seen *seen = &stratum->ring[(stratum->first + i) % window_count];
        view.rank += seen->probability > probability;
        oldest_ns = seen->t_ns < oldest_ns ? seen->t_ns : oldest_ns;
    }
    /* Rate over at least a minute: a burst of two must not look like a million an hour. */
    double hours = fmax((double)(t_ns - oldest_ns) / (3600.0 * (double)NS_PER_S), 1.0 / 60.0);
    view.arrivals_per_hour = (double)stratum->count / hours;
    return view;
}

static int decide_compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left < right) - (left > right);
}

/* The probability of the window's item number `allowed` from the top: what is at or above it fits.
 * The highest one when nothing does. */
static double stratum_cutoff(const struct stratum *stratum, uint32_t window_count, uint64_t allowed)
{
    static _Thread_local double sorted[65536]; /* policy_check bounds window_count */
    for (uint32_t i = 0; i < stratum->count; i++) {
        sorted[i] = stratum->ring[(stratum->first + i) % window_count].probability;
    }
    qsort(sorted, stratum->count, sizeof sorted[0], decide_compare);
    return sorted[allowed > 0 ? allowed - 1 : 0];
}

/* The probability from which recent traffic would fill what the bay can take within the horizon.
 * *fits: there is room for one more of the target arm at this very moment. */
static double decide_cutoff(const struct decide *self, const struct stratum *stratum,
                            const struct mode_policy *mode, const struct stratum_view *view,
                            bool *fits)
{
    double capacity_per_hour = policy_capacity(&self->policy, stratum->mode, stratum->site);
    *fits = stratum->tokens >= 1;
    double floor_probability = mode->minimum_probability;
    if (view->count < self->policy.warmup_count) {
        return fmax(mode->initial_cutoff, floor_probability);
    }
    /* Within the horizon the bay takes what its queue still holds and what it works off; the random
     * arm needs its share. */
    double expected = view->arrivals_per_hour * mode->horizon_h;
    double room = fmax(stratum->tokens, 0) + capacity_per_hour * mode->horizon_h -
                  expected * mode->random_rate;
    double share = fmin(fmax(room / expected, 0), 1);
    uint64_t allowed = (uint64_t)ceil(share * (double)view->count);
    if (allowed > view->count) {
        allowed = view->count;
    }
    *fits = *fits && allowed > 0;
    double cutoff = stratum_cutoff(stratum, self->policy.window_count, allowed);
    return fmin(fmax(cutoff, floor_probability), 1);
}

/* place: the probability that stands for an item of the random arm in the queue's order. */
static void decide_set_arm(const struct decide_input *input, const struct mode_policy *mode,
                           bool by_random, bool by_target, double place, struct decide_verdict *out)
{
    bool cautious = !input->scorable && mode->unscorable == UNSCORABLE_REFER;
    out->refer = by_random || by_target || cautious;
    if (by_target) {
        out->arm = by_random ? ARM_BOTH : ARM_TARGET;
    } else if (by_random) {
        out->arm = ARM_RANDOM;
    } else {
        out->arm = cautious ? ARM_CAUTIOUS : ARM_NONE;
    }
    /* Target and cautious referrals follow from what is known of the item: they happen with
     * certainty. */
    out->propensity = by_target || cautious ? 1 : out->random_rate;
    double weight = input->scorable ? input->probability : 1;
    /* An item of the random arm alone must not be told by its place at the end of the queue: it
     * stands where the weakest item of the target arm would. */
    out->priority = mode->severity * (out->arm == ARM_RANDOM ? fmax(weight, place) : weight);
}

void decide_item(struct decide *self, const struct decide_input *input, struct decide_verdict *out)
{
    must(input->mode > MODE_UNKNOWN && input->mode < MODE_COUNT);
    const struct mode_policy *mode = &self->policy.modes[input->mode];
    struct stratum *stratum = decide_stratum(self, input->mode, input->site);
    memset(out, 0, sizeof *out);

    policy_stratum(input->mode, input->site, input->lane, out->stratum);
    out->random_rate = policy_random_rate(&self->policy, input->mode, out->stratum);
    draw_prf(input->draw_key, input->item, out->draw);
    bool by_random = draw_uniform(out->draw) < out->random_rate;

    double capacity = policy_capacity(&self->policy, input->mode, input->site);
    stratum_refill(stratum, capacity, mode->horizon_h, input->t_ns);
    out->capacity_per_hour = capacity;
    bool by_target = false;
    double place = mode->initial_cutoff;
    if (input->scorable) {
        stratum_remember(stratum, self->policy.window_count, input->probability, input->t_ns);
        struct stratum_view view =
            stratum_look(stratum, self->policy.window_count, input->probability, input->t_ns);
        bool fits = false;
        place = decide_cutoff(self, stratum, mode, &view, &fits);
        out->cutoff = fits ? place : 1; /* a full bay: nothing is above 1 */
        out->rank = view.rank;
        out->window_count = view.count;
        out->arrivals_per_hour = view.arrivals_per_hour;
        by_target = fits && input->probability >= place;
    }
    decide_set_arm(input, mode, by_random, by_target, place, out);
    if (out->refer) {
        /* Random and cautious referrals are never refused, they only make the bay fuller. */
        stratum->tokens = fmax(stratum->tokens - 1, -capacity * mode->horizon_h - 1);
    }
    must(out->propensity >= 0 && out->propensity <= 1);
}

void decide_replay(struct decide *self, enum mode mode, const char *site, double probability,
                   bool referred, int64_t t_ns)
{
    must(mode > MODE_UNKNOWN && mode < MODE_COUNT);
    struct stratum *stratum = decide_stratum(self, mode, site);
    double capacity = policy_capacity(&self->policy, mode, site);
    double horizon_h = self->policy.modes[mode].horizon_h;
    stratum_refill(stratum, capacity, horizon_h, t_ns);
    if (probability >= 0) {
        stratum_remember(stratum, self->policy.window_count, probability, t_ns);
    }
    if (referred) {
        stratum->tokens = fmax(stratum->tokens - 1, -capacity * horizon_h - 1);
    }
}
