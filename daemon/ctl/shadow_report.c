/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/shadow_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double shadow_shares[SHADOW_SHARES] = {0.01, 0.05, 0.1, 0.25};

enum { PAGE = 2048, PLACES_MAX = 4096 };

/* ---- ranks ---- */

struct ranked {
    double value;
    uint32_t place;
    uint32_t item;
};

/* Highest first within a place; the older of two alike. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;
    if (left->place != right->place) {
        return left->place < right->place ? -1 : 1;
    }
    if (left->value > right->value || left->value < right->value) {
        return left->value > right->value ? -1 : 1;
    }
    return left->item < right->item ? -1 : left->item > right->item;
}

static struct ranked *rank_items(const struct shadow_item *items, size_t items_count, bool shadow,
                                 bool by_place)
{
    struct ranked *out = calloc(items_count + 1, sizeof *out);
    for (size_t i = 0; out != NULL && i < items_count; i++) {
        out[i] = (struct ranked){shadow ? items[i].shadow : items[i].in_use,
                                 by_place ? items[i].place : 0, (uint32_t)i};
    }
    if (out != NULL) {
        qsort(out, items_count, sizeof *out, compare_ranked);
    }
    return out;
}

/* Mean ranks of what is alike, by item. */
static void ranks_of(const struct ranked *ranked, size_t count, double *out)
{
    size_t from = 0;
    while (from < count) {
        size_t until = from + 1;
        while (until < count && ranked[until].value >= ranked[from].value) {
            until++;
        }
        for (size_t i = from; i < until; i++) {
            out[ranked[i].item] = 0.5 * (double)(from + until - 1);
        }
        from = until;
    }
}

static double correlation_of(const double *first, const double *second, size_t count)
{
    double mean = 0.5 * (double)(count - 1); /* of ranks, whatever the ties */
    double products = 0;
    double squares_first = 0;
    double squares_second = 0;
    for (size_t i = 0; i < count; i++) {
        products += (first[i] - mean) * (second[i] - mean);
        squares_first += (first[i] - mean) * (first[i] - mean);
        squares_second += (second[i] - mean) * (second[i] - mean);
    }
    return squares_first > 0 && squares_second > 0
               ? products / (sqrt(squares_first) * sqrt(squares_second))
               : (double)NAN;
}

struct err shadow_correlation(const struct shadow_item *items, size_t items_count, double *out)
{
    *out = (double)NAN;
    if (items_count < 2) {
        return err_none;
    }
    struct ranked *in_use = rank_items(items, items_count, false, false);
    struct ranked *shadow = rank_items(items, items_count, true, false);
    double *ranks = calloc(2 * items_count, sizeof *ranks);
    bool got = in_use != NULL && shadow != NULL && ranks != NULL;
    if (got) {
        ranks_of(in_use, items_count, ranks);
        ranks_of(shadow, items_count, ranks + items_count);
        *out = correlation_of(ranks, ranks + items_count, items_count);
    }
    free(in_use);
    free(shadow);
    free(ranks);
    return got ? err_none : err_make(ERR_MEMORY, "shadow_correlation");
}

/* ---- the top share ---- */

/* A bit for each item that is among the first `share` of its place, rounded to the nearest. */
static void mark_top(const struct ranked *ranked, size_t count, double share, uint8_t bit,
                     uint8_t *marks)
{
    size_t from = 0;
    while (from < count) {
        size_t until = from;
        while (until < count && ranked[until].place == ranked[from].place) {
            until++;
        }
        size_t taken = (size_t)floor(share * (double)(until - from) + 0.5);
        for (size_t i = from; i < from + taken; i++) {
            marks[ranked[i].item] |= bit;
        }
        from = until;
    }
}

/* One more that was selected with this chance; the whole sum of finds / chance, since nothing of it
 * was counted otherwise. */
static void take_selected(struct simulate_sums *sums, const struct shadow_item *item, double chance)
{
    bool found = item->examined && item->found;
    sums->rate_lowest = sums->drawn == 0 ? chance : fmin(sums->rate_lowest, chance);
    sums->rate_highest = fmax(sums->rate_highest, chance);
    sums->drawn++;
    sums->drawn_exams.count += item->examined;
    sums->drawn_exams.hit_count += found;
    sums->drawn_excess += found ? 1 / chance : 0;
    sums->drawn_variance += found ? (1 - chance) / (chance * chance) : 0;
    sums->drawn_hits += found ? 1 / chance : 0;
    sums->drawn_population += item->examined ? 1 / chance : 0;
}

/* Finds become a rate of finds. `never`: items among them that had no chance of being selected, of
 * which the others tell nothing. */
static void estimate_rate(const struct simulate_sums *sums, uint64_t never,
                          struct simulate_estimate *out)
{
    if (sums->added == 0 || never > 0) {
        *out = (struct simulate_estimate){.why = never > 0 ? "some had no chance of being selected"
                                                           : "no item"};
        return;
    }
    simulate_by_design(sums, out);
    double items = (double)sums->added;
    if (out->method == NULL) {
        return;
    }
    out->won = fmin(out->won / items, 1);
    out->interval.lower = fmin(out->interval.lower / items, 1);
    out->interval.upper = fmin(out->interval.upper / items, 1);
}

static void top_make(const struct shadow_item *items, size_t count, const uint8_t *marks,
                     uint8_t bit, struct shadow_top *out)
{
    struct simulate_sums coin = {.added = 0};
    struct simulate_sums all = {.added = 0};
    uint64_t never_coin = 0;
    uint64_t never_all = 0;
    *out = (struct shadow_top){.items = 0};
    for (size_t i = 0; i < count; i++) {
        const struct shadow_item *item = &items[i];
        if ((marks[i] & bit) == 0) {
            continue;
        }
        out->items++;
        never_coin += !(item->random_rate > 0);
        never_all += !(item->propensity > 0);
        if (item->drawn && item->random_rate > 0) {
            take_selected(&coin, item, item->random_rate);
        }
        if (item->referred && item->propensity > 0) {
            take_selected(&all, item, item->propensity);
        }
    }
    coin.added = out->items;
    all.added = out->items;
    out->coin = coin.drawn_exams;
    out->exams = all.drawn_exams;
    estimate_rate(&coin, never_coin, &out->by_coin);
    estimate_rate(&all, never_all, &out->by_exams);
}

struct err shadow_share_make(const struct shadow_item *items, size_t items_count, double share,
                             struct shadow_share *out)
{
    enum { IN_USE = 1, SHADOW = 2 };
    struct ranked *in_use = rank_items(items, items_count, false, true);
    struct ranked *shadow = rank_items(items, items_count, true, true);
    uint8_t *marks = calloc(items_count + 1, 1);
    bool got = in_use != NULL && shadow != NULL && marks != NULL;
    *out = (struct shadow_share){.shared = 0};
    if (got) {
        mark_top(in_use, items_count, share, IN_USE, marks);
        mark_top(shadow, items_count, share, SHADOW, marks);
        top_make(items, items_count, marks, IN_USE, &out->in_use);
        top_make(items, items_count, marks, SHADOW, &out->shadow);
        for (size_t i = 0; i < items_count; i++) {
            out->shared += marks[i] == (IN_USE | SHADOW);
        }
    }
    free(in_use);
    free(shadow);
    free(marks);
    return got ? err_none : err_make(ERR_MEMORY, "shadow_share_make");
}

/* ---- from the read model ---- */

struct place {
    enum mode mode;
    char site[65];
};

struct making {
    struct shadow_report *report;
    struct simulate *by_shadow; /* NULL: no policy */
    struct simulate *by_in_use;
    struct shadow_item *items;
    size_t items_count;
    struct place *places;
    uint32_t places_count;
};

/* Beyond the bound sites share the last place. */
static uint32_t place_of(struct making *self, const struct state_past *past)
{
    uint32_t at = 0;
    while (at < self->places_count && (self->places[at].mode != past->mode ||
                                       strcmp(self->places[at].site, past->site) != 0)) {
        at++;
    }
    if (at == self->places_count && at < PLACES_MAX) {
        self->places[at].mode = past->mode;
        memcpy(self->places[at].site, past->site, sizeof past->site);
        self->places_count++;
    }
    return at;
}

static bool arm_is_drawn(const char *arm)
{
    return strcmp(arm, "random") == 0 || strcmp(arm, "both") == 0;
}

static void take_item(struct making *self, const struct state_shadow_past *row)
{
    const struct state_past *past = &row->past;
    struct shadow_report *report = self->report;
    bool by_hand = past->by_hand; /* with a chance that nobody knows */
    struct shadow_item *item = &self->items[self->items_count++];
    *item = (struct shadow_item){.in_use = past->probability,
                                 .shadow = row->probability,
                                 .place = place_of(self, past),
                                 .propensity = past->propensity,
                                 .random_rate = past->random_rate,
                                 .drawn = arm_is_drawn(past->arm),
                                 .referred = past->referred && !by_hand,
                                 .examined = past->examined && !by_hand,
                                 .found = past->found && !by_hand};
    report->compared++;
    report->exams.count += item->examined;
    report->exams.hit_count += item->examined && item->found;
    report->coin.count += item->drawn && item->examined;
    report->coin.hit_count += item->drawn && item->examined && item->found;
}

/* What the shadow has not scored stays as the model in use had it. */
static struct err simulate_row(struct making *self, const struct state_shadow_past *row)
{
    struct state_past past = row->past;
    struct err err = simulate_add(self->by_in_use, &past);
    if (row->scored) {
        past.scorable = row->scorable;
        past.probability = row->probability;
    }
    return err_is(err) ? err : simulate_add(self->by_shadow, &past);
}

static struct err take_page(struct making *self, const struct state_shadow_past *page,
                            uint32_t count)
{
    struct err err = err_none;
    for (uint32_t i = 0; i < count && !err_is(err); i++) {
        self->report->decisions++;
        self->report->scored += page[i].scored;
        if (page[i].scored && page[i].scorable && page[i].past.scorable) {
            take_item(self, &page[i]);
        }
        err = self->by_shadow == NULL ? err_none : simulate_row(self, &page[i]);
    }
    return err;
}

static struct err read_decisions(struct making *self, struct state *state)
{
    struct shadow_report *report = self->report;
    struct state_shadow_past *page = calloc(PAGE, sizeof *page);
    uint64_t from = report->from + 1;
    uint32_t count = PAGE;
    struct err err = page == NULL ? err_make(ERR_MEMORY, "shadow_report") : err_none;
    while (!err_is(err) && count == PAGE && !report->cut) {
        err = state_shadow_pasts(state, from, report->shadow.sha256, page, PAGE, &count);
        if (!err_is(err)) {
            err = take_page(self, page, count);
            from = count > 0 ? page[count - 1].past.entry_index + 1 : from;
            report->cut = report->decisions + PAGE > SHADOW_DECISIONS_MAX;
        }
    }
    free(page);
    return err;
}

static struct err figures_make(struct making *self)
{
    struct shadow_report *report = self->report;
    struct err err = shadow_correlation(self->items, self->items_count, &report->correlation);
    for (uint32_t i = 0; i < SHADOW_SHARES && !err_is(err); i++) {
        err =
            shadow_share_make(self->items, self->items_count, shadow_shares[i], &report->shares[i]);
    }
    if (self->by_shadow != NULL && !err_is(err)) {
        simulate_total(self->by_shadow, &report->by_shadow);
        simulate_total(self->by_in_use, &report->by_in_use);
    }
    return err;
}

struct err shadow_report_make(struct state *state, const struct policy *policy, uint32_t strata_max,
                              struct shadow_report *out)
{
    uint64_t models_since = 0;
    struct making self = {.report = out};
    *out = (struct shadow_report){.correlation = (double)NAN,
                                  .policy_fault = policy == NULL ? "no policy to decide by" : NULL};
    struct err err = state_shadow(state, &out->shadow);
    err = err_is(err) ? err : state_models_since(state, &models_since);
    if (err_is(err)) {
        return err;
    }
    out->models_since = models_since > out->shadow.entry_index;
    out->from = out->models_since ? models_since : out->shadow.entry_index;
    self.items = calloc(SHADOW_DECISIONS_MAX, sizeof *self.items);
    self.places = calloc(PLACES_MAX, sizeof *self.places);
    err = self.items == NULL || self.places == NULL ? err_make(ERR_MEMORY, "shadow_report")
                                                    : err_none;
    if (!err_is(err) && policy != NULL) {
        err = simulate_open(policy, strata_max, INT64_MIN, &self.by_shadow);
        err = err_is(err) ? err : simulate_open(policy, strata_max, INT64_MIN, &self.by_in_use);
    }
    err = err_is(err) ? err : read_decisions(&self, state);
    err = err_is(err) ? err : figures_make(&self);
    simulate_close(&self.by_shadow);
    simulate_close(&self.by_in_use);
    free(self.items);
    free(self.places);
    return err;
}

double shadow_report_dropped(const struct simulate_sums *sums)
{
    return sums->logged > 0 ? (double)sums->dropped / (double)sums->logged : (double)NAN;
}
