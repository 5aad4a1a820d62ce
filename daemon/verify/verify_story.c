/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_story.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id_map.h"
#include "verify/verify_draws.h"

/* Entry ids map to index and type, item ids to a record that the item's entries fill from score to
 * outcome. After a gap, what is unknown may have been in it, so only contradictions between entries
 * that are there stay problems. */

#define STORY_TYPE_BITS 8u
#define STORY_SUM_TOLERANCE 1e-6 /* of a sum of at most 24 logits, each given exactly */
#define STORY_EARLIEST_NS INT64_C(1577836800000000000) /* 2020: older than any log of this format \
                                                        */
#define STORY_BACKWARDS_NS (INT64_C(3600) * NS_PER_S)
#define STORY_AHEAD_NS (INT64_C(86400) * NS_PER_S)

struct story_item {
    bool scored;
    bool scorable;
    bool decided;
    bool referred;
    bool closed;
    double probability; /* of the newest score */
    uint64_t score_index;
    uint64_t decision_index;
    uint64_t version;
};

struct verify_story {
    struct verify_report *report;
    struct verify_shard *shard;
    struct verify_draws *draws;
    int64_t now_ns;
    int64_t newest_t_ns;
    bool gap;
    struct id_map ids;
    struct id_map item_ids;
    struct story_item *items;
    uint64_t items_count;
    uint64_t items_capacity;
    struct verify_seal *seals;
    uint64_t seals_count;
    uint64_t seals_capacity;
    uint8_t arena_memory[ENTRY_ARENA_BYTES];
};

struct err verify_story_open(struct verify_report *report, struct verify_shard *shard,
                             int64_t now_ns, struct verify_story **out)
{
    struct verify_story *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_story_open");
    }
    struct err err = verify_draws_open(report, shard, &self->draws);
    if (err_is(err)) {
        free(self);
        return err;
    }
    self->report = report;
    self->shard = shard;
    self->now_ns = now_ns;
    id_map_init(&self->ids);
    id_map_init(&self->item_ids);
    *out = self;
    return err_none;
}

void verify_story_close(struct verify_story **self)
{
    if (*self != NULL) {
        verify_draws_close(&(*self)->draws);
        id_map_fini(&(*self)->ids);
        id_map_fini(&(*self)->item_ids);
        free((*self)->items);
        free((*self)->seals);
        free(*self);
    }
    *self = NULL;
}

void verify_story_gap(struct verify_story *self)
{
    self->gap = true;
}

const struct verify_seal *verify_story_seals(const struct verify_story *self, uint64_t *count)
{
    *count = self->seals_count;
    return self->seals;
}

void verify_story_finish(struct verify_story *self)
{
    verify_draws_finish(self->draws);
}

/* The record of the entry's item, made when it is new; NULL when the entry has none. */
static struct err story_item(struct verify_story *self, const struct entry *entry,
                             struct story_item **out)
{
    uint64_t at = 0;
    bool added = false;
    *out = NULL;
    if (!entry->has_item) {
        verify_problem(self->report, "entry %" PRIu64 ": %s without an item", entry->n,
                       entry_type_text(entry->type));
        return err_none;
    }
    if (id_map_find(&self->item_ids, entry->item, &at)) {
        *out = &self->items[at];
        return err_none;
    }
    if (self->items_count == self->items_capacity) {
        uint64_t grown_count = self->items_capacity == 0 ? 1024 : self->items_capacity * 2;
        struct story_item *grown = reallocarray(self->items, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "story_item");
        }
        self->items = grown;
        self->items_capacity = grown_count;
    }
    struct err err = id_map_add(&self->item_ids, entry->item, self->items_count, &added);
    if (err_is(err)) {
        return err;
    }
    *out = &self->items[self->items_count++];
    memset(*out, 0, sizeof **out);
    return err_none;
}

/* How many causes are entries of type a or b, seen before this one. */
static uint32_t story_causes_of(struct verify_story *self, const struct entry *entry,
                                enum entry_type a, enum entry_type b, uint64_t *last_index)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        uint64_t value = 0;
        char id[37];
        uuid_format(entry->causes[i], id);
        if (!id_map_find(&self->ids, entry->causes[i], &value)) {
            if (!self->gap) {
                verify_problem(self->report, "entry %" PRIu64 ": cause %s is no entry before it",
                               entry->n, id);
            }
            continue;
        }
        enum entry_type type = (enum entry_type)(value & ((1u << STORY_TYPE_BITS) - 1));
        if (type == a || type == b) {
            found++;
            *last_index = value >> STORY_TYPE_BITS;
        }
    }
    return found;
}

static void story_check_sum(struct verify_story *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    double sum = 0;
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        sum += score->contributions[i].logit;
    }
    double probability = 1 / (1 + exp(-score->logit));
    /* Written so that NaN is a problem too. */
    if (!(fabs(sum - score->logit) <= STORY_SUM_TOLERANCE * (1 + fabs(sum)))) {
        verify_problem(self->report, "entry %" PRIu64 ": contributions sum to %g, the logit is %g",
                       entry->n, sum, score->logit);
    }
    if (!(fabs(probability - score->probability) <= STORY_SUM_TOLERANCE)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": probability %g is not the sigmoid of logit %g", entry->n,
                       score->probability, score->logit);
    }
}

static struct err story_score(struct verify_story *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    struct story_item *item = NULL;
    uint64_t cause_index = 0;
    struct err err = story_item(self, entry, &item);
    if (err_is(err) || item == NULL) {
        return err;
    }
    uint32_t received_count =
        story_causes_of(self, entry, ENTRY_SCAN_RECEIVED, ENTRY_DECLARATION_RECEIVED, &cause_index);
    if (received_count == 0 && !self->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": score of nothing that was received",
                       entry->n);
    }
    item->scored = true;
    item->scorable = score->unscorable == NULL || score->unscorable[0] == '\0';
    item->probability = score->probability;
    item->score_index = entry->n;
    if (item->scorable) {
        story_check_sum(self, entry);
    }
    return err_none;
}

static bool story_same(const char *text, const char *word)
{
    return text != NULL && strcmp(text, word) == 0;
}

static void story_check_arm(struct verify_story *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    bool refers = story_same(decision->decision, "refer");
    bool named = story_same(decision->arm, "target") || story_same(decision->arm, "random") ||
                 story_same(decision->arm, "both") || story_same(decision->arm, "cautious");
    if (!refers && !story_same(decision->decision, "release")) {
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

static struct err story_decision(struct verify_story *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    struct story_item *item = NULL;
    uint64_t cause_index = 0;
    struct err err = story_item(self, entry, &item);
    if (err_is(err) || item == NULL) {
        return err;
    }
    bool by_score = story_causes_of(self, entry, ENTRY_SCORE, ENTRY_SCORE, &cause_index) > 0;
    if (!by_score && !self->gap) {
        uint64_t received_index = 0;
        bool unscorable = story_same(decision->arm, "cautious") || !item->scored;
        if (!unscorable || story_causes_of(self, entry, ENTRY_SCAN_RECEIVED,
                                           ENTRY_DECLARATION_RECEIVED, &received_index) == 0) {
            verify_problem(self->report, "entry %" PRIu64 ": decision without a score", entry->n);
        }
    } else if (by_score && item->scored && item->score_index != cause_index) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decision by the score of entry %" PRIu64
                       ", the item's newest is entry %" PRIu64,
                       entry->n, cause_index, item->score_index);
    } else if (by_score && item->scored && item->scorable &&
               (decision->probability < item->probability ||
                decision->probability > item->probability)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decision by probability %.17g, the score says %.17g",
                       entry->n, decision->probability, item->probability);
    } else if (by_score && !item->scored && !self->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": decision by the score of another item",
                       entry->n);
    }
    if (item->decided) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": second decision on an item that entry %" PRIu64
                       " decided",
                       entry->n, item->decision_index);
    }
    story_check_arm(self, entry);
    self->shard->items_decided += !item->decided;
    item->decided = true;
    item->decision_index = entry->n;
    if (story_same(decision->decision, "refer") && !item->referred) {
        item->referred = true;
        self->shard->items_referred++;
    }
    return verify_draws_decision(self->draws, entry);
}

static bool story_state_is_terminal(const char *state)
{
    static const char *const states[] = {"outcome", "waived",   "not_presented",
                                         "expired", "returned", "transferred"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (story_same(state, states[i])) {
            return true;
        }
    }
    return false;
}

/* Officer's actions and outcomes: on an item that was decided, in the order of versions, nothing
 * after the end. */
static struct err story_event(struct verify_story *self, const struct entry *entry,
                              uint64_t version, bool ends)
{
    struct story_item *item = NULL;
    struct err err = story_item(self, entry, &item);
    if (err_is(err) || item == NULL) {
        return err;
    }
    const char *what = entry_type_text(entry->type);
    if (!item->decided && !self->gap) {
        verify_problem(self->report, "entry %" PRIu64 ": %s on an item that was never decided",
                       entry->n, what);
    }
    if (item->closed) {
        verify_problem(self->report, "entry %" PRIu64 ": %s on a referral that had ended", entry->n,
                       what);
    }
    if (version <= item->version) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": %s makes version %" PRIu64 " after version %" PRIu64,
                       entry->n, what, version, item->version);
    }
    item->version = version > item->version ? version : item->version;
    if (ends && !item->closed) {
        item->closed = true;
        self->shard->referrals_closed++;
    }
    return err_none;
}

static struct err story_seal(struct verify_story *self, const struct entry *entry)
{
    const struct entry_archive_seal *seal = &entry->body.archive_seal;
    if (self->seals_count == self->seals_capacity) {
        uint64_t grown_count = self->seals_capacity == 0 ? 64 : self->seals_capacity * 2;
        struct verify_seal *grown = reallocarray(self->seals, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "story_seal");
        }
        self->seals = grown;
        self->seals_capacity = grown_count;
    }
    uint64_t expected =
        self->seals_count == 0 ? 0 : self->seals[self->seals_count - 1].last_index + 1;
    if (seal->last_index < seal->first_index || seal->last_index >= entry->n ||
        seal->first_index < expected) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": seal of entries %" PRIu64 "..%" PRIu64
                       ", the next one to seal is %" PRIu64,
                       entry->n, seal->first_index, seal->last_index, expected);
        return err_none;
    }
    if (seal->first_index > expected) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": entries %" PRIu64 "..%" PRIu64 " are in no sealed file",
                       entry->n, expected, seal->first_index - 1);
    }
    struct verify_seal *kept = &self->seals[self->seals_count++];
    memset(kept, 0, sizeof *kept);
    kept->entry_index = entry->n;
    (void)snprintf(kept->path, sizeof kept->path, "%s", seal->path == NULL ? "" : seal->path);
    kept->file_bytes = seal->file_bytes;
    memcpy(kept->sha256, seal->sha256, HASH_BYTES);
    kept->first_index = seal->first_index;
    kept->last_index = seal->last_index;
    self->shard->seals++;
    return err_none;
}

static struct err story_by_type(struct verify_story *self, const struct entry *entry)
{
    switch (entry->type) {
    case ENTRY_LOG_OPEN:
        if (entry->n != 0) {
            verify_problem(self->report, "entry %" PRIu64 ": log.open in the middle of a log",
                           entry->n);
        }
        return err_none;
    case ENTRY_SCORE:
        return story_score(self, entry);
    case ENTRY_REFERRAL_DECISION:
        return story_decision(self, entry);
    case ENTRY_OFFICER_ACTION:
        return story_event(self, entry, entry->body.officer_action.version,
                           story_state_is_terminal(entry->body.officer_action.to_state));
    case ENTRY_OUTCOME:
        return story_event(self, entry, entry->body.outcome.version, true);
    case ENTRY_ARCHIVE_SEAL:
        return story_seal(self, entry);
    case ENTRY_DRAW_COMMIT:
        return verify_draws_commit(self->draws, entry);
    case ENTRY_DRAW_REVEAL:
        verify_draws_reveal(self->draws, entry);
        return err_none;
    default:
        return err_none;
    }
}

/* The clock is no evidence, the order is: odd times are worth a warning only. */
static void story_check_time(struct verify_story *self, const struct entry *entry)
{
    char text[CLOCK_TEXT_BYTES];
    bool odd = entry->t_ns < STORY_EARLIEST_NS || entry->t_ns > self->now_ns + STORY_AHEAD_NS;
    if (odd || (self->newest_t_ns != 0 && entry->t_ns < self->newest_t_ns - STORY_BACKWARDS_NS)) {
        clock_text(entry->t_ns, text);
        verify_warning(self->report, "entry %" PRIu64 ": time %s is %s", entry->n, text,
                       odd ? "not plausible" : "more than an hour before an earlier entry's");
    }
    self->newest_t_ns = !odd && entry->t_ns > self->newest_t_ns ? entry->t_ns : self->newest_t_ns;
}

struct err verify_story_add(struct verify_story *self, uint64_t entry_index, const uint8_t *bytes,
                            uint32_t bytes_count)
{
    struct arena arena;
    struct entry entry;
    bool added = false;
    arena_init(&arena, self->arena_memory, sizeof self->arena_memory);
    enum entry_fault fault = entry_decode(bytes, bytes_count, &arena, &entry);
    self->shard->entries++;
    if (fault != ENTRY_GOOD && fault != ENTRY_UNKNOWN_TYPE) {
        verify_problem(self->report, "entry %" PRIu64 ": %s", entry_index, entry_fault_text(fault));
        self->gap = true;
        return err_none;
    }
    if (entry.n != entry_index) {
        verify_problem(self->report, "entry %" PRIu64 ": says that it is entry %" PRIu64,
                       entry_index, entry.n);
        entry.n = entry_index;
    }
    if (entry_index == 0 && entry.type != ENTRY_LOG_OPEN) {
        verify_problem(self->report, "entry 0: not a log.open entry");
    }
    uint32_t type =
        fault == ENTRY_GOOD && (uint32_t)entry.type < VERIFY_TYPES ? (uint32_t)entry.type : 0;
    self->shard->types[type]++;
    struct err err =
        id_map_add(&self->ids, entry.id, entry_index << STORY_TYPE_BITS | type, &added);
    if (!err_is(err) && !added) {
        verify_problem(self->report, "entry %" PRIu64 ": its id was used before", entry_index);
    }
    story_check_time(self, &entry);
    return err_is(err) || fault == ENTRY_UNKNOWN_TYPE ? err : story_by_type(self, &entry);
}
