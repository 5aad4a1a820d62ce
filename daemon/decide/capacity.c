/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/capacity.h"

#include <math.h>

#include "base/clock.h"
#include "base/err.h"

/* A bay that does less than one exam within the horizon takes one all the same. */
static double capacity_least_one(double exams)
{
    return exams > 0 ? fmax(exams, 1) : 0;
}

void capacity_refill(struct capacity *self, const struct capacity_rule *rule, int64_t t_ns)
{
    double room = capacity_least_one(rule->room);
    if (self->tokens_ns == 0) {
        self->tokens = room; /* an empty bay */
        self->tokens_shadow = room;
        self->tokens_ns = t_ns;
    } else if (t_ns > self->tokens_ns) { /* a clock that went back refills nothing */
        self->tokens += rule->worked_off;
        self->tokens_shadow += rule->worked_off;
        self->tokens_ns = t_ns;
    }
    self->tokens = fmin(self->tokens, room);
    self->tokens_shadow = rule->shadow ? fmin(self->tokens_shadow, room) : self->tokens;
}

/* Referrals that open bays will have worked off within the horizon, if it were now: the queue as it
 * should be, not as it is. Bays that close soon take less than the queue could hold. */
static double capacity_free(const struct capacity *self, const struct capacity_rule *rule)
{
    double tokens = rule->shadow ? self->tokens_shadow : self->tokens;
    double backlog = capacity_least_one(rule->room) - tokens;
    return fmin(tokens, capacity_least_one(rule->ahead) - backlog);
}

double capacity_queue_room(const struct capacity *self, const struct capacity_rule *rule,
                           double arrivals_per_hour)
{
    if (rule->queue_max == 0) {
        return INFINITY;
    }
    /* What the coin will bring before an exam that is queued now is done, and two standard
     * deviations of it; at most half of the queue, or the target arm would never have any. */
    double drawn = arrivals_per_hour * rule->random_rate * rule->horizon_h;
    double reserve = fmin(ceil(drawn + 2 * sqrt(drawn)), rule->queue_max / 2.0);
    return rule->queue_max - reserve - self->queue;
}

bool capacity_fits(const struct capacity *self, const struct capacity_rule *rule,
                   double arrivals_per_hour)
{
    /* The last bits of backlog and room do not close a bay. */
    return capacity_free(self, rule) >= 1 - 1e-9 &&
           capacity_queue_room(self, rule, arrivals_per_hour) >= 1;
}

/* Number of the window's items that fit, from the top. */
static uint32_t capacity_allowed(const struct capacity *self, const struct capacity_rule *rule,
                                 double arrivals_per_hour)
{
    double expected = arrivals_per_hour * rule->horizon_h;
    double room = fmin(fmax(capacity_free(self, rule), 0),
                       fmax(capacity_queue_room(self, rule, arrivals_per_hour), 0)) +
                  rule->ahead - expected * rule->random_rate;
    double share = fmin(fmax(room / expected, 0), 1);
    double allowed = ceil(share * (double)self->window.count);
    return allowed > self->window.count ? self->window.count : (uint32_t)allowed;
}

/* Moves when what it lets through differs from what fits by more than the hysteresis. */
static void capacity_move(struct capacity *self, const struct capacity_rule *rule, uint32_t allowed,
                          double wanted)
{
    double let_through =
        self->in_force < 0 ? 0 : (double)window_from(&self->window, self->in_force);
    bool moves = self->in_force < rule->minimum || allowed < let_through * (1 - rule->hysteresis) ||
                 allowed > let_through * (1 + rule->hysteresis);
    self->in_force = moves ? wanted : self->in_force;
}

void capacity_look(struct capacity *self, const struct capacity_rule *rule, double probability,
                   int64_t t_ns, struct capacity_view *out)
{
    window_add(&self->window, probability, t_ns);
    out->rank = (uint64_t)window_above(&self->window, probability) + 1;
    out->arrivals_per_hour = window_arrivals_per_hour(&self->window, t_ns);
    out->fits = capacity_fits(self, rule, out->arrivals_per_hour);
    /* A policy that was loaded since may want more than the window, which is as long as at the
     * start, will ever hold. */
    uint32_t warmup =
        rule->warmup_count < self->window.capacity ? rule->warmup_count : self->window.capacity;
    if (self->window.count < warmup) {
        self->in_force = fmax(rule->initial, rule->minimum);
        out->edge = self->in_force;
    } else {
        uint32_t allowed = capacity_allowed(self, rule, out->arrivals_per_hour);
        double wanted = window_nth(&self->window, allowed > 0 ? allowed : 1);
        wanted = fmin(fmax(wanted, rule->minimum), 1);
        out->fits = out->fits && allowed > 0;
        if (out->fits) { /* while nothing fits the cut-off in force has nothing to say */
            capacity_move(self, rule, allowed, wanted);
        }
        out->edge = out->fits ? self->in_force : wanted;
    }
    out->cutoff = self->in_force < 0 ? fmax(rule->initial, rule->minimum) : self->in_force;
}

/* Random and cautious referrals are never refused, they only make the bay fuller. */
static double capacity_less_one(double tokens, const struct capacity_rule *rule)
{
    return fmax(tokens - 1, -rule->room - 1);
}

void capacity_would(struct capacity *self, const struct capacity_rule *rule)
{
    self->tokens_shadow = capacity_less_one(self->tokens_shadow, rule);
}

static void capacity_take(struct capacity *self, const struct capacity_rule *rule)
{
    self->tokens = capacity_less_one(self->tokens, rule);
    self->tokens_shadow = capacity_less_one(self->tokens_shadow, rule);
}

void capacity_refer(struct capacity *self, const struct capacity_rule *rule)
{
    capacity_take(self, rule);
    self->queue++;
}

void capacity_end(struct capacity *self)
{
    self->queue -= self->queue > 0;
}

void capacity_replay(struct capacity *self, const struct capacity_rule *rule, double probability,
                     double cutoff, bool referred, int64_t t_ns)
{
    capacity_refill(self, rule, t_ns);
    if (probability >= 0) {
        window_add(&self->window, probability, t_ns);
        self->in_force = cutoff < 1 ? cutoff : self->in_force;
    }
    if (referred) {
        capacity_take(self, rule);
    }
}

void capacity_count(struct capacity *self, const struct capacity_rule *rule,
                    const struct capacity_item *item)
{
    struct capacity_minute *minute = &self->minute;
    bool scored = item->probability >= 0;
    minute->items++;
    minute->target += item->by_target;
    minute->random += item->by_random;
    if (scored) { /* no cut-off was asked for the others */
        bool first = minute->scored == 0;
        minute->cutoff_lowest = first ? item->cutoff : fmin(minute->cutoff_lowest, item->cutoff);
        minute->cutoff_highest = first ? item->cutoff : fmax(minute->cutoff_highest, item->cutoff);
        minute->scored++;
    }
    if (item->wanted && !item->referred && item->probability >= rule->minimum) {
        double line = self->in_force < 0 ? rule->initial : self->in_force;
        minute->below++;
        minute->just_below += item->probability >= line / 2;
        minute->finds_lost += item->probability;
    }
}
