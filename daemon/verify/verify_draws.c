/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_draws.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The draw of an item is HMAC-SHA-256(key of the day, item id); its first 53 bits, big-endian, are
 * a number u in [0, 1); the item is drawn when u < the rate of its stratum. Rates were committed
 * with the key: a stratum "truck/site/lane" takes the row of its own name, else "truck/site", else
 * "truck", else "*". */

#define DRAW_SCHEME_KNOWN "hmac-sha256-53bit-v1"
#define DRAW_DAYS_MAX 4096u /* a shard is a year */
#define DRAW_STRATUM_BYTES 200u
/* A day, and an hour in which a daemon that runs would have revealed its key. */
#define DRAW_OVER_NS (INT64_C(90000) * NS_PER_S)
#define DRAW_EARLY_NS (INT64_C(600) * NS_PER_S) /* clocks may differ by less */

struct draw_rate {
    char stratum[DRAW_STRATUM_BYTES];
    double rate;
};

struct draw_day {
    char day[11];
    bool scheme_known;
    bool revealed;
    uint64_t commit_index;
    uint64_t known; /* items that were recorded before it */
    uint8_t commitment[HASH_BYTES];
    struct draw_rate rates[ENTRY_RATES_MAX];
    uint32_t rates_count;
};

struct draw_waiting {
    uint64_t entry_index;
    uint32_t day_index;
    bool says_drawn;
    double rate;
    uint8_t item[ITEM_ID_BYTES];
    uint8_t draw[HASH_BYTES];
};

struct verify_draws {
    struct verify_report *report;
    struct verify_shard *shard;
    const struct verify_items *items;
    const struct verify_ids *ids;
    struct verify_day *asked;
    struct draw_day *days;
    char newest_drawn[11]; /* a day; empty: nothing was drawn yet */
    uint32_t in_turn_of;   /* days_count when newest_drawn was last in turn; 0: it was not */
    int64_t newest_ns;     /* of all commitments, decisions and reveals */
    uint32_t days_count;
    uint32_t days_capacity;
    struct draw_waiting *waiting;
    uint64_t waiting_count;
    uint64_t waiting_capacity;
};

struct err verify_draws_open(struct verify_report *report, struct verify_shard *shard,
                             const struct verify_items *items, struct verify_day *asked,
                             struct verify_draws **out)
{
    struct verify_draws *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_draws_open");
    }
    self->report = report;
    self->shard = shard;
    self->items = items;
    self->ids = verify_items_ids(items);
    self->asked = asked;
    *out = self;
    return err_none;
}

void verify_draws_close(struct verify_draws **self)
{
    if (*self != NULL) {
        free((*self)->days);
        free((*self)->waiting);
        free(*self);
    }
    *self = NULL;
}

/* The day that is asked for, when it is this one. */
static struct verify_day *draws_asked(const struct verify_draws *self, const char *day)
{
    return self->asked != NULL && strcmp(self->asked->day, day) == 0 ? self->asked : NULL;
}

static struct draw_day *draws_day(struct verify_draws *self, const char *day)
{
    for (uint32_t i = self->days_count; i-- > 0;) { /* nearly always the newest */
        if (strcmp(self->days[i].day, day) == 0) {
            return &self->days[i];
        }
    }
    return NULL;
}

static struct err draws_add_day(struct verify_draws *self, struct draw_day **out)
{
    if (self->days_count == self->days_capacity) {
        uint32_t grown_count = self->days_capacity == 0 ? 16 : self->days_capacity * 2;
        struct draw_day *grown = reallocarray(self->days, grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "draws_add_day");
        }
        self->days = grown;
        self->days_capacity = grown_count;
    }
    *out = &self->days[self->days_count++];
    memset(*out, 0, sizeof **out);
    return err_none;
}

/* What is not a number is the same as nothing, itself included. */
static bool draws_same_rate(double a, double b)
{
    return a >= b && a <= b;
}

static bool draws_rates_differ(const struct draw_day *day, const struct entry_draw_commit *commit)
{
    bool differ = day->rates_count != commit->rates_count;
    for (uint32_t i = 0; i < commit->rates_count && !differ; i++) {
        differ = strcmp(day->rates[i].stratum, commit->rates[i].stratum) != 0 ||
                 !draws_same_rate(day->rates[i].rate, commit->rates[i].rate);
    }
    return differ;
}

static void draws_take_rates(struct draw_day *day, const struct entry_draw_commit *commit)
{
    day->rates_count = commit->rates_count;
    for (uint32_t i = 0; i < commit->rates_count; i++) {
        (void)snprintf(day->rates[i].stratum, DRAW_STRATUM_BYTES, "%s", commit->rates[i].stratum);
        day->rates[i].rate = commit->rates[i].rate;
    }
}

/* A rate is a share, and what oversight asked for at least may not be undercut by what adapts. */
static void draws_check_rates(const struct verify_draws *self, const struct entry *entry)
{
    const struct entry_draw_commit *commit = &entry->body.draw_commit;
    for (uint32_t i = 0; i < commit->rates_count; i++) {
        const struct entry_rate *rate = &commit->rates[i];
        if (!(rate->rate >= 0 && rate->rate <= 1)) { /* also what is not a number */
            verify_problem(self->report,
                           "entry %" PRIu64 ": rate %g of '%s' is no share between 0 and 1",
                           entry->n, rate->rate, rate->stratum == NULL ? "" : rate->stratum);
        } else if (rate->adapts && !(rate->rate >= rate->floor)) {
            verify_problem(self->report, "entry %" PRIu64 ": rate %g of '%s' is below its floor %g",
                           entry->n, rate->rate, rate->stratum == NULL ? "" : rate->stratum,
                           rate->floor);
        }
    }
}

/* A day may be committed again by the same key: that is a policy with other rates, in force from
 * this entry on. Another key would be a way to roll the dice again. */
struct err verify_draws_commit(struct verify_draws *self, const struct entry *entry)
{
    const struct entry_draw_commit *commit = &entry->body.draw_commit;
    const char *day_text = commit->day == NULL ? "" : commit->day;
    struct draw_day *day = draws_day(self, day_text);
    self->newest_ns = entry->t_ns > self->newest_ns ? entry->t_ns : self->newest_ns;
    draws_check_rates(self, entry);
    if (strlen(day_text) + 1 != sizeof day->day || self->days_count == DRAW_DAYS_MAX) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": draw.commit with day '%s', or too many days", entry->n,
                       day_text);
        return err_none;
    }
    if (day != NULL) {
        if (!hash_equal(day->commitment, commit->commitment)) {
            verify_problem(self->report,
                           "entry %" PRIu64
                           ": second commitment for day %s, not that of entry %" PRIu64,
                           entry->n, day_text, day->commit_index);
            return err_none;
        }
        struct verify_day *again = draws_asked(self, day_text);
        if (again != NULL) {
            again->restated++;
            again->restated_inside += again->items > 0 && draws_rates_differ(day, commit);
        }
        draws_take_rates(day, commit);
        return err_none;
    }
    struct err err = draws_add_day(self, &day);
    if (err_is(err)) {
        return err;
    }
    must(day != NULL);
    memcpy(day->day, day_text, sizeof day->day);
    memcpy(day->commitment, commit->commitment, HASH_BYTES);
    day->commit_index = entry->n;
    day->scheme_known = commit->scheme != NULL && strcmp(commit->scheme, DRAW_SCHEME_KNOWN) == 0;
    draws_take_rates(day, commit);
    if (!day->scheme_known) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": draws of %s by a scheme unknown here are not made again",
                       entry->n, day->day);
    }
    self->shard->draw_days++;
    struct verify_day *asked = draws_asked(self, day->day);
    if (asked != NULL) {
        asked->committed = true;
        asked->scheme_known = day->scheme_known;
        asked->commit_n = entry->n;
        asked->commit_ns = entry->t_ns;
    }
    return err_none;
}

/* The committed row of a stratum, from the most particular name to the most general. */
static bool draws_committed_rate(const struct draw_day *day, const char *stratum, double *rate)
{
    char name[DRAW_STRATUM_BYTES];
    (void)snprintf(name, sizeof name, "%s", stratum);
    for (;;) {
        for (uint32_t i = 0; i < day->rates_count; i++) {
            if (strcmp(day->rates[i].stratum, name) == 0) {
                *rate = day->rates[i].rate;
                return true;
            }
        }
        char *slash = strrchr(name, '/');
        if (strcmp(name, "*") == 0) {
            return false;
        }
        if (slash != NULL) {
            *slash = '\0';
        } else {
            (void)snprintf(name, sizeof name, "*");
        }
    }
}

static struct err draws_wait(struct verify_draws *self, const struct draw_waiting *waiting)
{
    if (self->waiting_count == self->waiting_capacity) {
        uint64_t grown_count = self->waiting_capacity == 0 ? 1024 : self->waiting_capacity * 2;
        struct draw_waiting *grown =
            reallocarray(self->waiting, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "draws_wait");
        }
        self->waiting = grown;
        self->waiting_capacity = grown_count;
    }
    self->waiting[self->waiting_count++] = *waiting;
    return err_none;
}

/* Rate and stratum as the decision says them, against the commitment and the item's own place. */
static void draws_check_rate(struct verify_draws *self, const struct entry *entry,
                             const struct draw_day *day)
{
    const struct entry_decision *decision = &entry->body.decision;
    const char *stratum = decision->draw_stratum == NULL ? "" : decision->draw_stratum;
    char place[DRAW_STRATUM_BYTES];
    double committed = 0;
    double of_place = 0;
    (void)snprintf(place, sizeof place, "%s/%.64s/%.64s", mode_text(decision->mode),
                   decision->site == NULL ? "" : decision->site,
                   decision->lane == NULL ? "" : decision->lane);
    if (!draws_committed_rate(day, stratum, &committed)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": no rate was committed for stratum '%s' on %s", entry->n,
                       stratum, day->day);
    } else if (!draws_same_rate(committed, decision->random_rate)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": random rate %g, but %g was committed for '%s' on %s",
                       entry->n, decision->random_rate, committed, stratum, day->day);
    } else if (draws_committed_rate(day, place, &of_place) &&
               !draws_same_rate(of_place, committed)) {
        verify_problem(self->report,
                       "entry %" PRIu64
                       ": random rate %g of stratum '%s', but the item is of '%s', "
                       "for which %g was committed on %s",
                       entry->n, committed, stratum, place, of_place, day->day);
    }
}

/* Whoever made the key after the item was recorded could know what it would draw. */
static bool draws_known_before(const struct verify_draws *self, const struct entry *entry,
                               struct draw_day *day)
{
    uint64_t first_record_n = 0;
    bool known = entry->has_item &&
                 verify_items_first_record(self->items, entry->item, &first_record_n) &&
                 first_record_n < day->commit_index;
    day->known += known;
    return known;
}

static bool draws_arm_is(const struct entry_decision *decision, const char *arm)
{
    return decision->arm != NULL && strcmp(decision->arm, arm) == 0;
}

/* Between the commitments of two days and their reveals two keys are secret: whoever may take
 * either has two throws for an item. So only the oldest secret key draws, days never go back, and
 * none is drawn from before it begins; a clock that was set back does not count, the log had been
 * there. What was revealed in a gap is not known. */
static bool draws_in_turn(struct verify_draws *self, const struct entry *entry,
                          const struct draw_day *day)
{
    uint64_t before = self->report->problems.count;
    int64_t start_ns = 0;
    /* A day in turn stays so until another is committed: not looked for at every decision. */
    bool known = self->in_turn_of == self->days_count && strcmp(day->day, self->newest_drawn) == 0;
    for (uint32_t i = 0; i < self->days_count && !self->ids->gap && !known; i++) {
        const struct draw_day *other = &self->days[i];
        if (!other->revealed && strcmp(other->day, day->day) < 0) {
            verify_problem(self->report,
                           "entry %" PRIu64
                           ": decision drawn with the key of %s while that of %s was still secret",
                           entry->n, day->day, other->day);
            break;
        }
    }
    if (strcmp(day->day, self->newest_drawn) < 0) {
        verify_problem(self->report,
                       "entry %" PRIu64
                       ": decision drawn with the key of %s after draws with that of %s",
                       entry->n, day->day, self->newest_drawn);
    } else {
        memcpy(self->newest_drawn, day->day, sizeof self->newest_drawn);
    }
    if (clock_day_ns(day->day, &start_ns) && self->newest_ns < start_ns - DRAW_EARLY_NS) {
        verify_problem(self->report,
                       "entry %" PRIu64
                       ": decision drawn with the key of %s before that day had begun",
                       entry->n, day->day);
    }
    bool in_turn = self->report->problems.count == before;
    self->in_turn_of = in_turn ? self->days_count : 0;
    return in_turn;
}

struct err verify_draws_decision(struct verify_draws *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    self->newest_ns = entry->t_ns > self->newest_ns ? entry->t_ns : self->newest_ns;
    const char *day_text = decision->draw_day == NULL ? "" : decision->draw_day;
    struct draw_day *day = draws_day(self, day_text);
    if (day == NULL && self->ids->gap) {
        return err_none;
    }
    if (day == NULL) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decision drawn before a key was committed for day '%s'",
                       entry->n, day_text);
        return err_none;
    }
    if (day->revealed) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decision drawn with the key of %s after it was revealed",
                       entry->n, day->day);
    }
    draws_check_rate(self, entry, day);
    bool in_turn = draws_in_turn(self, entry, day);
    bool drawn = draws_arm_is(decision, "random") || draws_arm_is(decision, "both");
    bool known = draws_known_before(self, entry, day);
    if (draws_asked(self, day->day) != NULL) {
        verify_day_add(self->asked, entry, drawn, known);
        self->asked->out_of_turn += !in_turn;
    }
    if (!day->scheme_known || !entry->has_item) {
        return err_none;
    }
    struct draw_waiting waiting = {.entry_index = entry->n,
                                   .day_index = (uint32_t)(day - self->days),
                                   .says_drawn = drawn,
                                   .rate = decision->random_rate};
    memcpy(waiting.item, entry->item, ITEM_ID_BYTES);
    memcpy(waiting.draw, decision->draw, HASH_BYTES);
    return draws_wait(self, &waiting);
}

static void draws_check(struct verify_draws *self, const struct draw_waiting *waiting,
                        const uint8_t key[HASH_BYTES])
{
    uint8_t draw[HASH_BYTES];
    uint64_t first_bits = 0;
    hmac_sha256_of(key, HASH_BYTES, waiting->item, ITEM_ID_BYTES, draw);
    for (uint32_t i = 0; i < 7; i++) {
        first_bits = first_bits << 8 | draw[i];
    }
    double u = (double)(first_bits >> 3) / 9007199254740992.0; /* 53 of the 56 bits, over 2^53 */
    bool differs = !hash_equal(draw, waiting->draw) || (u < waiting->rate) != waiting->says_drawn;
    self->shard->draws_checked++;
    if (draws_asked(self, self->days[waiting->day_index].day) != NULL) {
        self->asked->made_again++;
        self->asked->differing += differs;
    }
    if (!hash_equal(draw, waiting->draw)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": draw is not what the revealed key gives for this item",
                       waiting->entry_index);
    } else if ((u < waiting->rate) != waiting->says_drawn) {
        verify_problem(
            self->report, "entry %" PRIu64 ": u = %.17g with rate %g, but the decision says %s",
            waiting->entry_index, u, waiting->rate, waiting->says_drawn ? "drawn" : "not drawn");
    }
}

void verify_draws_reveal(struct verify_draws *self, const struct entry *entry)
{
    const struct entry_draw_reveal *reveal = &entry->body.draw_reveal;
    self->newest_ns = entry->t_ns > self->newest_ns ? entry->t_ns : self->newest_ns;
    const char *day_text = reveal->day == NULL ? "" : reveal->day;
    struct draw_day *day = draws_day(self, day_text);
    uint8_t commitment[HASH_BYTES];
    if (day == NULL && self->ids->gap) {
        return;
    }
    if (day == NULL) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": key revealed for day '%s', which was never committed",
                       entry->n, day_text);
        return;
    }
    sha256_of(reveal->key, HASH_BYTES, commitment);
    if (!hash_equal(commitment, day->commitment)) {
        verify_problem(self->report,
                       "entry %" PRIu64
                       ": revealed key of %s is not the one committed in entry %" PRIu64,
                       entry->n, day->day, day->commit_index);
        return;
    }
    self->shard->draw_days_revealed += !day->revealed;
    day->revealed = true;
    if (draws_asked(self, day->day) != NULL) {
        self->asked->revealed = true;
        self->asked->reveal_n = entry->n;
        self->asked->reveal_ns = entry->t_ns;
    }
    uint64_t kept = 0;
    for (uint64_t i = 0; i < self->waiting_count; i++) {
        if (&self->days[self->waiting[i].day_index] == day) {
            draws_check(self, &self->waiting[i], reveal->key);
        } else {
            self->waiting[kept++] = self->waiting[i];
        }
    }
    self->waiting_count = kept;
}

void verify_draws_finish(struct verify_draws *self)
{
    self->shard->draws_waiting = self->waiting_count;
    if (self->asked != NULL) {
        self->asked->last_ns = self->shard->last_t_ns;
    }
    for (uint32_t i = 0; i < self->days_count; i++) {
        const struct draw_day *day = &self->days[i];
        int64_t start_ns = 0;
        bool over =
            clock_day_ns(day->day, &start_ns) && self->shard->last_t_ns > start_ns + DRAW_OVER_NS;
        if (!day->revealed && over) {
            verify_warning(self->report,
                           "draw day %s: its key was never revealed, its draws cannot be checked",
                           day->day);
        }
        if (day->known > 0) {
            verify_warning(self->report,
                           "draw day %s: its key was committed in entry %" PRIu64
                           ", after the first record of %" PRIu64
                           " of its items: whoever made the key could know these",
                           day->day, day->commit_index, day->known);
        }
    }
}
