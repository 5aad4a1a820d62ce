/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/decide.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "decide/opening.h"

/* The order is the contract: coin first, which knows nothing but item and key; then what the place
 * can take (capacity.c); then what is said of the two. */

enum { DECIDE_SITE_BYTES = 65 };

struct stratum {
    enum mode mode;
    char site[DECIDE_SITE_BYTES];
    struct capacity capacity;
};

struct decide {
    struct policy policy;
    struct stratum *strata;
    struct window_seen *rings;
    double *sorted;
    uint32_t window_capacity;
    uint32_t strata_max;
    uint32_t strata_count;
    uint32_t minutes_from; /* the place that is told first the next time */
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
    self->sorted = calloc((size_t)self->strata_max * self->window_capacity, sizeof *self->sorted);
    if (self->strata == NULL || self->rings == NULL || self->sorted == NULL) {
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
        free((*self)->sorted);
        free(*self);
        *self = NULL;
    }
}

void decide_set_policy(struct decide *self, const struct policy *policy)
{
    must(policy_check(policy) == NULL);
    self->policy = *policy;
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
    size_t place = (size_t)self->strata_count * self->window_capacity;
    stratum->capacity = (struct capacity){.in_force = -1};
    stratum->capacity.window = (struct window){.ring = self->rings + place,
                                               .sorted = self->sorted + place,
                                               .capacity = self->window_capacity};
    const char *name = full ? "*" : site;
    size_t name_bytes = strnlen(name, DECIDE_SITE_BYTES - 1);
    memcpy(stratum->site, name, name_bytes);
    stratum->site[name_bytes] = '\0';
    self->strata_count++;
    return stratum;
}

static struct capacity_rule stratum_rule(const struct policy *policy, const struct stratum *stratum,
                                         int64_t t_ns)
{
    const struct mode_policy *mode = &policy->modes[stratum->mode];
    int64_t ahead_ns = (int64_t)(mode->horizon_h * 3600 * (double)NS_PER_S);
    int64_t since_ns = stratum->capacity.tokens_ns;
    double most = opening_per_hour_most(policy, stratum->mode, stratum->site);
    return (struct capacity_rule){
        .per_hour = opening_per_hour(policy, stratum->mode, stratum->site, t_ns),
        .ahead = opening_exams(policy, stratum->mode, stratum->site, t_ns, t_ns + ahead_ns),
        .worked_off =
            since_ns == 0 ? 0 : opening_exams(policy, stratum->mode, stratum->site, since_ns, t_ns),
        .horizon_h = mode->horizon_h,
        .room = most * mode->horizon_h,
        .random_rate = mode->random_rate,
        .minimum = mode->minimum_probability,
        .initial = mode->initial_cutoff,
        .hysteresis = policy->hysteresis,
        .warmup_count = policy->warmup_count,
        .queue_max = (uint32_t)mode->queue_max,
        .shadow = policy->target == TARGET_SHADOW};
}

/* What the target arm says of one item. */
struct target_view {
    bool would;   /* it is above the cut-off and there is room */
    double place; /* of the weakest item that it refers */
};

static struct target_view decide_target(struct stratum *stratum, const struct capacity_rule *rule,
                                        const struct decide_input *input,
                                        struct decide_verdict *out)
{
    struct target_view target = {false, rule->initial};
    if (!input->scorable) {
        return target;
    }
    struct capacity_view view;
    capacity_look(&stratum->capacity, rule, input->probability, input->t_ns, &view);
    out->cutoff = view.fits ? view.cutoff : 1; /* a full bay: nothing is above 1 */
    out->rank = view.rank;
    out->window_count = stratum->capacity.window.count;
    out->arrivals_per_hour = view.arrivals_per_hour;
    target.place = view.edge;
    target.would = view.fits && input->probability >= view.cutoff;
    return target;
}

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
    double expected = out->arm == ARM_RANDOM ? fmax(weight, place) : weight;
    out->priority = mode->severity * (expected + mode->grave_weight * input->grave);
}

static bool decide_coin(const struct decide_input *input, struct decide_verdict *out)
{
    if (input->coin != NULL) {
        out->random_rate = input->coin->random_rate;
        return input->coin->drawn;
    }
    draw_prf(input->draw_key, input->item, out->draw);
    return draw_uniform(out->draw) < out->random_rate;
}

void decide_item(struct decide *self, const struct decide_input *input, struct decide_verdict *out)
{
    must(input->mode > MODE_UNKNOWN && input->mode < MODE_COUNT);
    const struct mode_policy *mode = &self->policy.modes[input->mode];
    struct stratum *stratum = decide_stratum(self, input->mode, input->site);
    memset(out, 0, sizeof *out);

    policy_stratum(input->mode, input->site, input->lane, out->stratum);
    out->random_rate = policy_random_rate(&self->policy, input->mode, out->stratum);
    bool by_random = decide_coin(input, out);

    struct capacity_rule rule = stratum_rule(&self->policy, stratum, input->t_ns);
    capacity_refill(&stratum->capacity, &rule, input->t_ns);
    out->capacity_per_hour = rule.per_hour;
    out->ageing_per_hour = self->policy.ageing_per_hour;
    out->perishable_per_hour = mode->perishable_weight;
    struct target_view target = decide_target(stratum, &rule, input, out);
    bool by_target = target.would && self->policy.target == TARGET_ON;
    out->would_refer = target.would && self->policy.target == TARGET_SHADOW;
    decide_set_arm(input, mode, by_random, by_target, target.place, out);
    if (out->refer) {
        capacity_refer(&stratum->capacity, &rule);
    } else if (out->would_refer) { /* or shadow would tell of more than the bays could take */
        capacity_would(&stratum->capacity, &rule);
    }
    const struct capacity_item item = {.probability = input->scorable ? input->probability : -1,
                                       .cutoff = out->cutoff,
                                       .by_target = by_target,
                                       .by_random = by_random,
                                       .referred = out->refer,
                                       .wanted =
                                           self->policy.target != TARGET_OFF && !out->would_refer};
    capacity_count(&stratum->capacity, &rule, &item);
    must(out->propensity >= 0 && out->propensity <= 1);
}

void decide_replay(struct decide *self, const struct decide_past *past)
{
    must(past->mode > MODE_UNKNOWN && past->mode < MODE_COUNT);
    struct stratum *stratum = decide_stratum(self, past->mode, past->site);
    struct capacity_rule rule = stratum_rule(&self->policy, stratum, past->t_ns);
    capacity_replay(&stratum->capacity, &rule, past->probability, past->cutoff, past->referred,
                    past->t_ns);
}

void decide_manual(struct decide *self, enum mode mode, const char *site)
{
    must(mode > MODE_UNKNOWN && mode < MODE_COUNT);
    struct stratum *stratum = decide_stratum(self, mode, site);
    struct capacity_rule rule = stratum_rule(&self->policy, stratum, stratum->capacity.tokens_ns);
    capacity_refer(&stratum->capacity, &rule);
}

void decide_ended(struct decide *self, enum mode mode, const char *site)
{
    must(mode > MODE_UNKNOWN && mode < MODE_COUNT);
    capacity_end(&decide_stratum(self, mode, site)->capacity);
}

void decide_set_queue(struct decide *self, enum mode mode, const char *site, uint32_t open_count)
{
    must(mode > MODE_UNKNOWN && mode < MODE_COUNT);
    struct stratum *stratum = decide_stratum(self, mode, site);
    /* The places beyond the bound share one. */
    bool shared = strcmp(stratum->site, "*") == 0;
    stratum->capacity.queue = shared ? stratum->capacity.queue + open_count : open_count;
}

static int minute_compare(const void *a, const void *b)
{
    const struct decide_minute *left = a;
    const struct decide_minute *right = b;
    double x = left->since.finds_lost;
    double y = right->since.finds_lost;
    return (x < y) - (x > y);
}

uint32_t decide_take_minutes(struct decide *self, int64_t t_ns, struct decide_minute *out,
                             uint32_t capacity)
{
    uint32_t count = 0;
    uint32_t looked = 0;
    for (; looked < self->strata_count && count < capacity; looked++) {
        struct stratum *stratum = &self->strata[(self->minutes_from + looked) % self->strata_count];
        struct capacity *state = &stratum->capacity;
        if (state->minute.items == 0 && state->queue == 0) {
            continue;
        }
        struct capacity_rule rule = stratum_rule(&self->policy, stratum, t_ns);
        struct decide_minute *minute = &out[count++];
        *minute = (struct decide_minute){.mode = stratum->mode,
                                         .capacity_per_hour = rule.per_hour,
                                         .arrivals_per_hour =
                                             window_arrivals_per_hour(&state->window, t_ns),
                                         .queue = state->queue,
                                         .queue_max = rule.queue_max,
                                         .since = state->minute};
        (void)snprintf(minute->site, sizeof minute->site, "%s", stratum->site);
        struct capacity now = *state; /* looking changes nothing that a replay would not know */
        capacity_refill(&now, &rule, t_ns);
        bool full = !capacity_fits(&now, &rule, minute->arrivals_per_hour);
        minute->cutoff = full ? 1 : state->in_force < 0 ? rule.initial : state->in_force;
        state->minute = (struct capacity_minute){0};
    }
    self->minutes_from =
        self->strata_count > 0 ? (self->minutes_from + looked) % self->strata_count : 0;
    qsort(out, count, sizeof out[0], minute_compare);
    return count;
}
