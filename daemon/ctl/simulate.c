/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "decide/decide.h"

/* Two worlds over one stream of items: the logged one is only counted, the simulated one is decided
 * by decide_item. What ends in either is told in the order of time, from a heap of events. */

enum event_kind { END_LOGGED, END_SIMULATED, END_BOTH, BY_HAND };

struct event {
    int64_t t_ns;
    uint32_t place;
    enum event_kind kind;
};

struct simulate {
    struct policy policy;
    struct decide *decide;
    int64_t from_ns;
    bool started; /* the period has begun */
    uint64_t warmed;
    struct simulate_place *places;
    uint32_t places_count;
    uint32_t places_room;
    struct event *events; /* a heap, the earliest first */
    size_t events_count;
    size_t events_room;
};

struct err simulate_open(const struct policy *policy, uint32_t strata_max, int64_t from_ns,
                         struct simulate **out)
{
    struct simulate *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "simulate_open");
    }
    self->policy = *policy;
    self->from_ns = from_ns;
    struct err err = decide_open(policy, strata_max, &self->decide);
    if (err_is(err)) {
        simulate_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void simulate_close(struct simulate **self)
{
    if (*self != NULL) {
        decide_close(&(*self)->decide);
        free((*self)->places);
        free((*self)->events);
        free(*self);
        *self = NULL;
    }
}

/* ---- events */

static struct err event_push(struct simulate *self, struct event event)
{
    if (self->events_count == self->events_room) {
        size_t room = self->events_room == 0 ? 1024 : 2 * self->events_room;
        struct event *events = realloc(self->events, room * sizeof *events);
        if (events == NULL) {
            return err_make(ERR_MEMORY, "simulate");
        }
        self->events = events;
        self->events_room = room;
    }
    size_t at = self->events_count++;
    while (at > 0 && self->events[(at - 1) / 2].t_ns > event.t_ns) {
        self->events[at] = self->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->events[at] = event;
    return err_none;
}

static struct event event_pop(struct simulate *self)
{
    must(self->events_count > 0);
    struct event first = self->events[0];
    struct event last = self->events[--self->events_count];
    size_t at = 0;
    for (size_t child = 1; child < self->events_count; child = 2 * at + 1) {
        bool right = child + 1 < self->events_count &&
                     self->events[child + 1].t_ns < self->events[child].t_ns;
        child += right;
        if (last.t_ns <= self->events[child].t_ns) {
            break;
        }
        self->events[at] = self->events[child];
        at = child;
    }
    self->events[at] = last;
    return first;
}

static void queue_move(struct simulate_queue *queue, int by, bool counts)
{
    queue->now = by < 0 ? queue->now - (queue->now > 0) : queue->now + 1;
    queue->most = counts && queue->now > queue->most ? queue->now : queue->most;
}

static void event_apply(struct simulate *self, const struct event *event)
{
    struct simulate_place *place = &self->places[event->place];
    int by = event->kind == BY_HAND ? 1 : -1;
    if (event->kind != END_SIMULATED) {
        queue_move(&place->queue_logged, by, self->started);
    }
    if (event->kind != END_LOGGED) {
        queue_move(&place->queue_simulated, by, self->started);
    }
    if (event->kind == BY_HAND) {
        decide_manual(self->decide, place->mode, place->site);
    } else if (event->kind != END_LOGGED) {
        decide_ended(self->decide, place->mode, place->site);
    }
}

/* ---- items */

static struct err place_find(struct simulate *self, const struct state_past *past, uint32_t *out)
{
    for (uint32_t i = 0; i < self->places_count; i++) {
        if (self->places[i].mode == past->mode && strcmp(self->places[i].site, past->site) == 0) {
            *out = i;
            return err_none;
        }
    }
    if (self->places_count == self->places_room) {
        uint32_t room = self->places_room == 0 ? 16 : 2 * self->places_room;
        struct simulate_place *places = realloc(self->places, room * sizeof *places);
        if (places == NULL) {
            return err_make(ERR_MEMORY, "simulate");
        }
        self->places = places;
        self->places_room = room;
    }
    *out = self->places_count++;
    struct simulate_place *place = &self->places[*out];
    *place = (struct simulate_place){.mode = past->mode};
    memcpy(place->site, past->site, sizeof place->site);
    return err_none;
}

/* The decide module counts open referrals from here on, as after a restart. */
static void simulate_start(struct simulate *self)
{
    self->started = true;
    for (uint32_t i = 0; i < self->places_count; i++) {
        struct simulate_place *place = &self->places[i];
        decide_set_queue(self->decide, place->mode, place->site, 0);
        place->queue_logged.most = place->queue_logged.now;
        place->queue_simulated.most = place->queue_simulated.now;
    }
    for (uint32_t i = 0; i < self->places_count; i++) {
        const struct simulate_place *place = &self->places[i];
        decide_set_queue(self->decide, place->mode, place->site, place->queue_simulated.now);
    }
}

static void cutoff_count(struct simulate_cutoff *cutoff, double value)
{
    bool full = value >= 1;
    cutoff->full += full;
    cutoff->count += !full;
    cutoff->sum += full ? 0 : value;
}

static void exam_count(struct statistics_rate *exams, const struct state_past *past)
{
    exams->count += past->examined;
    exams->hit_count += past->examined && past->found;
}

static void drawn_count(struct simulate_sums *sums, const struct state_past *past)
{
    double rate = past->propensity;
    bool found = past->examined && past->found;
    sums->rate_lowest = sums->drawn == 0 ? rate : fmin(sums->rate_lowest, rate);
    sums->rate_highest = fmax(sums->rate_highest, rate);
    sums->drawn++;
    exam_count(&sums->drawn_exams, past);
    sums->drawn_excess += found ? 1 / rate - 1 : 0;
    sums->drawn_variance += found ? (1 - rate) / (rate * rate) : 0;
    sums->drawn_hits += found ? 1 / rate : 0;
    sums->drawn_population += past->examined ? 1 / rate : 0;
}

static void added_count(struct simulate_sums *sums, const struct state_past *past)
{
    sums->added++;
    sums->added_unscorable += !past->scorable;
    double probability = past->scorable ? past->probability : 0;
    sums->model_won += probability;
    sums->model_won_variance += probability * (1 - probability);
}

static bool arm_is_drawn(const char *arm)
{
    return strcmp(arm, "random") == 0 || strcmp(arm, "both") == 0;
}

static void item_count(struct simulate_sums *sums, const struct state_past *past,
                       const struct decide_verdict *verdict)
{
    sums->decided++;
    sums->agree += strcmp(arm_text(verdict->arm), past->arm) == 0;
    if (past->scorable) {
        cutoff_count(&sums->cutoff_logged, past->cutoff);
        cutoff_count(&sums->cutoff_simulated, verdict->cutoff);
    }
    if (past->by_hand) {
        sums->by_hand++;
        return;
    }
    sums->logged += past->referred;
    sums->simulated += verdict->refer;
    if (past->referred && verdict->refer) {
        sums->kept++;
        exam_count(&sums->kept_exams, past);
    } else if (past->referred) {
        sums->dropped++;
        exam_count(&sums->dropped_exams, past);
        sums->model_lost += past->scorable ? past->probability : 0;
    } else if (verdict->refer) {
        added_count(sums, past);
    }
    bool chosen = verdict->arm != ARM_NONE && verdict->arm != ARM_RANDOM;
    if (chosen && strcmp(past->arm, "random") == 0 && past->propensity > 0) {
        drawn_count(sums, past);
    }
}

/* When the referrals of both worlds end. An open one does not. */
static struct err item_ends(struct simulate *self, uint32_t index, const struct state_past *past,
                            bool simulated)
{
    struct simulate_place *place = &self->places[index];
    bool has = past->referred || past->by_hand;
    if (past->by_hand && !simulated) {
        struct err err = event_push(self, (struct event){past->opened_ns, index, BY_HAND});
        if (err_is(err)) {
            return err;
        }
    }
    if (has && past->closed_ns == 0) {
        return err_none;
    }
    if (has) {
        place->open_ns_sum += (double)(past->closed_ns - past->opened_ns);
        place->open_count++;
        bool both = simulated || past->by_hand;
        return event_push(self,
                          (struct event){past->closed_ns, index, both ? END_BOTH : END_LOGGED});
    }
    if (!simulated) {
        return err_none;
    }
    double open_ns = place->open_count > 0
                         ? place->open_ns_sum / (double)place->open_count
                         : self->policy.modes[place->mode].horizon_h * 3600 * (double)NS_PER_S;
    return event_push(self, (struct event){past->t_ns + (int64_t)open_ns, index, END_SIMULATED});
}

static bool simulate_warm(struct simulate *self, const struct state_past *past)
{
    const struct decide_past before = {.mode = past->mode,
                                       .site = past->site,
                                       .probability = past->scorable ? past->probability : -1,
                                       .cutoff = past->cutoff,
                                       .referred = past->referred,
                                       .t_ns = past->t_ns};
    decide_replay(self->decide, &before);
    self->warmed++;
    return past->referred;
}

static bool simulate_decide(struct simulate *self, struct simulate_place *place,
                            const struct state_past *past)
{
    const struct decide_coin coin = {arm_is_drawn(past->arm), past->random_rate};
    const struct decide_input input = {.mode = past->mode,
                                       .site = past->site,
                                       .lane = past->lane,
                                       .scorable = past->scorable,
                                       .probability = past->probability,
                                       .t_ns = past->t_ns,
                                       .coin = &coin};
    struct decide_verdict verdict;
    decide_item(self->decide, &input, &verdict);
    item_count(&place->sums, past, &verdict);
    place->sums.same_policy += hash_equal(past->policy, self->policy.sha256);
    return verdict.refer;
}

struct err simulate_add(struct simulate *self, const struct state_past *past)
{
    if (past->mode == MODE_UNKNOWN) { /* a mode that this version does not know */
        return err_none;
    }
    while (self->events_count > 0 && self->events[0].t_ns <= past->t_ns) {
        /* What ends before the period begins is not for its queue. */
        if (!self->started && self->events[0].t_ns >= self->from_ns) {
            simulate_start(self);
        }
        struct event event = event_pop(self);
        event_apply(self, &event);
    }
    uint32_t index = 0;
    struct err err = place_find(self, past, &index);
    if (err_is(err)) {
        return err;
    }
    bool within = past->t_ns >= self->from_ns;
    if (within && !self->started) {
        simulate_start(self);
    }
    struct simulate_place *place = &self->places[index];
    bool simulated = within ? simulate_decide(self, place, past) : simulate_warm(self, past);
    if (past->referred) {
        queue_move(&place->queue_logged, 1, self->started);
    }
    if (simulated) {
        queue_move(&place->queue_simulated, 1, self->started);
        if (past->by_hand) { /* in the logged world it waits from then on too */
            queue_move(&place->queue_logged, 1, self->started);
        }
    }
    return item_ends(self, index, past, simulated);
}

/* ---- what came of it */

const struct simulate_place *simulate_places(const struct simulate *self, uint32_t *count)
{
    *count = self->places_count;
    return self->places;
}

uint64_t simulate_warmed(const struct simulate *self)
{
    return self->warmed;
}
