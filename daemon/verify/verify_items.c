/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_items.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* After a gap, what is unknown may have been in it, so only contradictions between entries that are
 * there stay problems. */

#define ITEMS_SUM_TOLERANCE 1e-6 /* of a sum of at most 24 logits, each given exactly */
#define ITEMS_UNDECIDED_NS (INT64_C(3600) * NS_PER_S)

enum item_state {
    ITEM_NONE, /* not referred */
    ITEM_QUEUED,
    ITEM_PRESENTED,
    ITEM_IN_EXAM,
    ITEM_OUTCOME, /* an end, as all below */
    ITEM_WAIVED,
    ITEM_NOT_PRESENTED,
    ITEM_EXPIRED,
    ITEM_RETURNED,
    ITEM_TRANSFERRED,
    ITEM_STATES
};

static const char *const state_texts[ITEM_STATES] = {
    "none",   "queued",        "presented", "in_exam",  "outcome",
    "waived", "not_presented", "expired",   "returned", "transferred"};

#define TO(state) (1u << (state))
static const unsigned moves[ITEM_STATES] = {
    [ITEM_QUEUED] = TO(ITEM_PRESENTED) | TO(ITEM_IN_EXAM) | TO(ITEM_WAIVED) |
                    TO(ITEM_NOT_PRESENTED) | TO(ITEM_EXPIRED) | TO(ITEM_RETURNED) |
                    TO(ITEM_TRANSFERRED),
    [ITEM_PRESENTED] = TO(ITEM_IN_EXAM) | TO(ITEM_WAIVED) | TO(ITEM_EXPIRED) | TO(ITEM_RETURNED) |
                       TO(ITEM_TRANSFERRED),
    [ITEM_IN_EXAM] = TO(ITEM_OUTCOME) | TO(ITEM_WAIVED) | TO(ITEM_NOT_PRESENTED) |
                     TO(ITEM_RETURNED) | TO(ITEM_TRANSFERRED),
};

struct item {
    double probability; /* of the newest score */
    uint64_t score_n;
    uint64_t decision_n;
    int64_t scored_ns;
    int64_t decided_ns;
    uint64_t version;
    uint64_t standing_n; /* the outcome that speaks for the item */
    uint8_t standing_says;
    enum item_state state;
    uint64_t first_record_n;
    bool recorded;
    bool scored;
    bool scorable;
    bool decided;
    bool shadowed;
};

struct verify_items {
    struct verify_report *report;
    struct verify_shard *shard;
    struct verify_ids *ids;
    struct id_map map;
    struct item *items;
    uint64_t count;
    uint64_t capacity;
};

struct err verify_items_open(struct verify_report *report, struct verify_shard *shard,
                             struct verify_ids *ids, struct verify_items **out)
{
    struct verify_items *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_items_open");
    }
    self->report = report;
    self->shard = shard;
    self->ids = ids;
    id_map_init(&self->map);
    *out = self;
    return err_none;
}

void verify_items_close(struct verify_items **self)
{
    if (*self != NULL) {
        id_map_fini(&(*self)->map);
        free((*self)->items);
        free(*self);
    }
    *self = NULL;
}

/* The record of the entry's item, made when it is new; NULL when the entry has none. */
static struct err items_of(struct verify_items *self, const struct entry *entry, struct item **out)
{
    uint64_t at = 0;
    bool added = false;
    *out = NULL;
    if (!entry->has_item) {
        verify_problem(self->report, "entry %" PRIu64 ": %s without an item", entry->n,
                       entry_type_text(entry->type));
        return err_none;
    }
    if (id_map_find(&self->map, entry->item, &at)) {
        *out = &self->items[at];
        return err_none;
    }
    if (self->count == self->capacity) {
        uint64_t grown_count = self->capacity == 0 ? 1024 : self->capacity * 2;
        struct item *grown = reallocarray(self->items, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "verify_items");
        }
        self->items = grown;
        self->capacity = grown_count;
    }
    struct err err = id_map_add(&self->map, entry->item, self->count, &added);
    if (err_is(err)) {
        return err;
    }
    *out = &self->items[self->count++];
    memset(*out, 0, sizeof **out);
    return err_none;
}

/* ---- scores ---- */

/* How many causes are records received before this entry; each becomes the item's. */
static uint32_t items_take_records(struct verify_items *self, const struct entry *entry,
                                   struct item *item)
{
    uint32_t number = (uint32_t)(item - self->items) + 1;
    uint32_t found = 0;
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        uint64_t index = 0;
        if (!verify_ids_cause(self->ids, self->report, entry, i, &index) ||
            !verify_kind_is_record(self->ids->kinds[index])) {
            continue;
        }
        found++;
        uint64_t n = index + self->ids->first_n;
        item->first_record_n =
            item->recorded && item->first_record_n < n ? item->first_record_n : n;
        item->recorded = true;
        uint32_t *owner = &self->ids->owners[index];
        if (*owner != 0 && *owner != number) {
            verify_problem(self->report,
                           "entry %" PRIu64 ": %s of the record in entry %" PRIu64
                           ", which belongs to another item",
                           entry->n, entry_type_text(entry->type), index + self->ids->first_n);
        }
        *owner = *owner == 0 ? number : *owner;
    }
    return found;
}

static void items_check_sum(struct verify_items *self, const struct entry *entry,
                            const struct entry_score *score)
{
    double sum = 0;
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        sum += score->contributions[i].logit;
    }
    double probability = 1 / (1 + exp(-score->logit));
    /* Written so that NaN is a problem too. */
    if (!(fabs(sum - score->logit) <= ITEMS_SUM_TOLERANCE * (1 + fabs(sum)))) {
        verify_problem(self->report, "entry %" PRIu64 ": contributions sum to %g, the logit is %g",
                       entry->n, sum, score->logit);
    }
    if (!(fabs(probability - score->probability) <= ITEMS_SUM_TOLERANCE)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": probability %g is not the sigmoid of logit %g", entry->n,
                       score->probability, score->logit);
    }
}

struct err verify_items_score(struct verify_items *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    struct item *item = NULL;
    struct err err = items_of(self, entry, &item);
    if (err_is(err) || item == NULL) {
        return err;
    }
    if (items_take_records(self, entry, item) == 0 && !self->ids->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": score of nothing that was received",
                       entry->n);
    }
    if (item->decided) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": score of an item that entry %" PRIu64 " had decided",
                       entry->n, item->decision_n);
    }
    item->scored = true;
    item->scorable = score->unscorable == NULL || score->unscorable[0] == '\0';
    item->probability = score->probability;
    item->score_n = entry->n;
    item->scored_ns = entry->t_ns;
    if (item->scorable) {
        items_check_sum(self, entry, score);
    }
    return err_none;
}

struct err verify_items_shadow(struct verify_items *self, const struct entry *entry, bool *decided,
                               uint64_t *decision_n)
{
    const struct entry_score *score = &entry->body.shadow_score.score;
    struct item *item = NULL;
    struct err err = items_of(self, entry, &item);
    *decided = item != NULL && item->decided;
    *decision_n = *decided ? item->decision_n : 0;
    if (err_is(err) || item == NULL) {
        return err;
    }
    if (!item->decided && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": scored in shadow before the item was decided", entry->n);
    }
    if (item->shadowed) {
        verify_problem(self->report, "entry %" PRIu64 ": second score in shadow of an item",
                       entry->n);
    }
    item->shadowed = true;
    if (items_take_records(self, entry, item) == 0 && !self->ids->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": score of nothing that was received",
                       entry->n);
    }
    if (score->unscorable == NULL || score->unscorable[0] == '\0') {
        items_check_sum(self, entry, score);
    }
    return err_none;
}

/* ---- decisions ---- */

static bool text_is(const char *text, const char *word)
{
    return text != NULL && strcmp(text, word) == 0;
}

static void items_check_arm(struct verify_items *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    bool refers = text_is(decision->decision, "refer");
    bool named = text_is(decision->arm, "target") || text_is(decision->arm, "random") ||
                 text_is(decision->arm, "both") || text_is(decision->arm, "cautious");
    if (!refers && !text_is(decision->decision, "release")) {
        verify_problem(self->report, "entry %" PRIu64 ": unknown decision '%s'", entry->n,
                       decision->decision);
    } else if (refers != named) {
        verify_problem(self->report, "entry %" PRIu64 ": %s by arm '%s'", entry->n,
                       decision->decision, decision->arm);
    }
    if (!(decision->propensity >= decision->random_rate && decision->propensity <= 1 &&
          decision->random_rate >= 0) ||
        (refers && !(decision->propensity > 0))) {
        verify_problem(self->report, "entry %" PRIu64 ": propensity %g with random rate %g",
                       entry->n, decision->propensity, decision->random_rate);
    }
}

/* The score that a decision names. */
static bool items_named_score(struct verify_items *self, const struct entry *entry, uint64_t *n)
{
    bool found = false;
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        uint64_t index = 0;
        if (verify_ids_cause(self->ids, self->report, entry, i, &index) &&
            self->ids->kinds[index] == ENTRY_SCORE) {
            *n = index + self->ids->first_n;
            found = true;
        }
    }
    return found;
}

static void items_check_score(struct verify_items *self, const struct entry *entry,
                              struct item *item)
{
    const struct entry_decision *decision = &entry->body.decision;
    uint64_t score_n = 0;
    bool by_score = items_named_score(self, entry, &score_n);
    if (!by_score && !self->ids->gap) {
        bool unscorable = text_is(decision->arm, "cautious") || !item->scored;
        if (!unscorable || items_take_records(self, entry, item) == 0) {
            verify_problem(self->report, "entry %" PRIu64 ": decision without a score", entry->n);
        }
    } else if (by_score && item->scored && item->score_n != score_n) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decision by the score of entry %" PRIu64
                       ", the item's newest is entry %" PRIu64,
                       entry->n, score_n, item->score_n);
    } else if (by_score && item->scored && item->scorable &&
               (decision->probability < item->probability ||
                decision->probability > item->probability)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decision by probability %.17g, the score says %.17g",
                       entry->n, decision->probability, item->probability);
    } else if (by_score && !item->scored && !self->ids->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": decision by the score of another item",
                       entry->n);
    }
}

struct err verify_items_decision(struct verify_items *self, const struct entry *entry)
{
    struct item *item = NULL;
    struct err err = items_of(self, entry, &item);
    if (err_is(err) || item == NULL) {
        return err;
    }
    items_check_score(self, entry, item);
    items_check_arm(self, entry);
    if (item->decided) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": second decision on an item that entry %" PRIu64
                       " decided",
                       entry->n, item->decision_n);
        return err_none;
    }
    self->shard->items_decided++;
    item->decided = true;
    item->decision_n = entry->n;
    item->decided_ns = entry->t_ns;
    if (text_is(entry->body.decision.decision, "refer")) {
        item->state = ITEM_QUEUED;
        item->version = 1;
        self->shard->items_referred++;
    }
    return err_none;
}

/* ---- referrals ---- */

static enum item_state state_parse(const char *text)
{
    for (unsigned i = 0; text != NULL && i < ITEM_STATES; i++) {
        if (strcmp(text, state_texts[i]) == 0) {
            return (enum item_state)i;
        }
    }
    return ITEM_NONE;
}

/* An officer acts on what was decided: the entry says on which decision. */
static void items_check_cause(struct verify_items *self, const struct entry *entry,
                              const struct item *item)
{
    bool named = false;
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        uint64_t index = 0;
        named |= verify_ids_cause(self->ids, self->report, entry, i, &index) &&
                 index + self->ids->first_n == item->decision_n;
    }
    if (!named && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": %s does not name the decision in entry %" PRIu64
                       " as its cause",
                       entry->n, entry_type_text(entry->type), item->decision_n);
    }
}

/* A find says most, an exam that concluded nothing says least. */
static uint8_t outcome_says(const char *result)
{
    if (text_is(result, "found") || text_is(result, "partial")) {
        return 2;
    }
    return text_is(result, "nothing_found");
}

/* Outcomes after the first: they move nothing, and which of them speaks for the item follows from
 * what they say. */
static void items_check_again(struct verify_items *self, const struct entry *entry,
                              struct item *item)
{
    const struct entry_outcome *outcome = &entry->body.outcome;
    bool correction = text_is(outcome->again, "correction");
    if (!correction && !text_is(outcome->again, "second_exam")) {
        verify_warning(self->report, "entry %" PRIu64 ": outcome of the kind '%s', unknown here",
                       entry->n, outcome->again);
    }
    if (item->state != ITEM_OUTCOME && !self->ids->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": %s of a referral that is '%s'", entry->n,
                       outcome->again, state_texts[item->state]);
    }
    if (correction && outcome->corrects != item->standing_n && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": correction of entry %" PRIu64
                       ", but the outcome that stands is entry %" PRIu64,
                       entry->n, outcome->corrects, item->standing_n);
    }
    bool aside = !correction && outcome_says(outcome->result) < item->standing_says;
    if (outcome->aside != aside && !self->ids->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": %s %s, by the outcomes before it",
                       entry->n, outcome->again,
                       aside ? "takes the place of what says more" : "is put aside without cause");
    }
}

static void items_take_outcome(struct item *item, const struct entry *entry)
{
    if (entry->type == ENTRY_OUTCOME && !entry->body.outcome.aside) {
        item->standing_n = entry->n;
        item->standing_says = outcome_says(entry->body.outcome.result);
    }
}

static void items_check_move(struct verify_items *self, const struct entry *entry,
                             struct item *item, enum item_state to)
{
    const char *what = entry_type_text(entry->type);
    if (to == ITEM_NONE || to == ITEM_QUEUED) {
        verify_warning(self->report, "entry %" PRIu64 ": %s to the state '%s', unknown here",
                       entry->n, what, entry->body.officer_action.to_state);
        return;
    }
    if (item->state >= ITEM_OUTCOME) {
        verify_problem(self->report, "entry %" PRIu64 ": %s on a referral that had ended as '%s'",
                       entry->n, what, state_texts[item->state]);
        return;
    }
    if ((moves[item->state] & TO(to)) == 0 && !self->ids->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": %s moves a referral from '%s' to '%s'",
                       entry->n, what, state_texts[item->state], state_texts[to]);
    }
    item->state = to;
    self->shard->referrals_closed += to >= ITEM_OUTCOME;
}

/* By hand, of what the decision had let go, and with a reason. */
static void items_take_manual(struct verify_items *self, const struct entry *entry,
                              struct item *item)
{
    const struct entry_officer_action *action = &entry->body.officer_action;
    items_check_cause(self, entry, item);
    if (!text_is(action->action, "refer") || action->reason == NULL || action->reason[0] == '\0' ||
        action->version != 1) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": a referral by hand without a reason, or not as the "
                       "first of its versions",
                       entry->n);
    }
    item->state = ITEM_QUEUED;
    item->version = action->version;
    self->shard->items_referred++;
}

struct err verify_items_event(struct verify_items *self, const struct entry *entry)
{
    struct item *item = NULL;
    struct err err = items_of(self, entry, &item);
    if (err_is(err) || item == NULL) {
        return err;
    }
    const char *what = entry_type_text(entry->type);
    bool is_outcome = entry->type == ENTRY_OUTCOME;
    uint64_t version =
        is_outcome ? entry->body.outcome.version : entry->body.officer_action.version;
    enum item_state to =
        is_outcome ? ITEM_OUTCOME : state_parse(entry->body.officer_action.to_state);
    if (item->decided && item->state == ITEM_NONE && to == ITEM_QUEUED) {
        items_take_manual(self, entry, item);
        return err_none;
    }
    if (!item->decided || item->state == ITEM_NONE) {
        if (!self->ids->gap) {
            verify_problem(self->report, "entry %" PRIu64 ": %s on an item that was never %s",
                           entry->n, what, item->decided ? "referred" : "decided");
        }
        return err_none;
    }
    items_check_cause(self, entry, item);
    bool again =
        is_outcome && entry->body.outcome.again != NULL && entry->body.outcome.again[0] != '\0';
    if (again) {
        items_check_again(self, entry, item);
    } else {
        items_check_move(self, entry, item, to);
    }
    items_take_outcome(item, entry);
    if (version != item->version + 1 && !(self->ids->gap && version > item->version)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": %s makes version %" PRIu64 " after version %" PRIu64,
                       entry->n, what, version, item->version);
    }
    item->version = version > item->version ? version : item->version;
    return err_none;
}

/* ---- after the last entry ---- */

static void items_list_open(struct verify_items *self, const struct item *item, int64_t last_t_ns)
{
    struct verify_shard *shard = self->shard;
    uint64_t count =
        shard->referrals_open < VERIFY_OPEN_LISTED ? shard->referrals_open : VERIFY_OPEN_LISTED;
    struct verify_open one = {item->decision_n, last_t_ns - item->decided_ns};
    uint64_t at = count;
    while (at > 0 && shard->open[at - 1].decision_index > one.decision_index) {
        at--;
    }
    if (at < VERIFY_OPEN_LISTED) {
        uint64_t moved = count - at - (count == VERIFY_OPEN_LISTED);
        memmove(&shard->open[at + 1], &shard->open[at], (size_t)moved * sizeof one);
        shard->open[at] = one;
    }
    shard->referrals_open++;
    for (uint32_t i = 0; i < VERIFY_AGES - 1; i++) {
        if (one.age_ns < verify_age_limits_ns[i]) {
            shard->open_by_age[i]++;
            return;
        }
    }
    shard->open_by_age[VERIFY_AGES - 1]++;
}

void verify_items_finish(struct verify_items *self, int64_t last_t_ns)
{
    struct verify_shard *shard = self->shard;
    uint64_t first_n = 0;
    uint64_t late = 0;
    for (uint64_t i = 0; i < self->count; i++) {
        const struct item *item = &self->items[i];
        if (item->state != ITEM_NONE && item->state < ITEM_OUTCOME) {
            items_list_open(self, item, last_t_ns);
        }
        if (item->scored && !item->decided) {
            shard->items_undecided++;
            if (last_t_ns - item->scored_ns > ITEMS_UNDECIDED_NS) {
                first_n = late == 0 || item->score_n < first_n ? item->score_n : first_n;
                late++;
            }
        }
    }
    if (late > 0) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": the item was scored and never decided (first of %" PRIu64
                       " for more than an hour)",
                       first_n, late);
    }
    for (uint64_t i = 0; i < self->ids->count; i++) {
        bool is_record = verify_kind_is_record(self->ids->kinds[i]);
        shard->records += is_record;
        shard->records_unscored += is_record && self->ids->owners[i] == 0;
    }
}

bool verify_items_number(const struct verify_items *self, const uint8_t item[ITEM_ID_BYTES],
                         uint32_t *number)
{
    uint64_t at = 0;
    bool found = id_map_find(&self->map, item, &at);
    *number = found ? (uint32_t)at + 1 : 0;
    return found;
}

bool verify_items_first_record(const struct verify_items *self, const uint8_t item[ITEM_ID_BYTES],
                               uint64_t *n)
{
    uint64_t at = 0;
    bool found = id_map_find(&self->map, item, &at) && self->items[at].recorded;
    *n = found ? self->items[at].first_record_n : 0;
    return found;
}

const struct verify_ids *verify_items_ids(const struct verify_items *self)
{
    return self->ids;
}
