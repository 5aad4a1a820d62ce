/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "pipeline_parts.h"
#include "proto/checkdigit.h"
#include "proto/disclosure.h"

/* The judge line reads the log behind the committer and puts each entry where it belongs: read
 * model, join table, windows, history. A restart first applies what the read model has not seen
 * (nothing is judged then), fills the memories from the read model, adds the records whose item was
 * never decided, and from then on runs as always. */

enum { JUDGE_PAGE = 1024 };

/* What a received record says of itself that its public entry does not. */
struct judge_record {
    const uint8_t *body; /* NULL: redacted */
    uint32_t body_bytes;
    const char *lane;
    char label[RECORD_ID_BYTES_MAX + 1]; /* what the officer may see */
    enum record_kind kind;
    uint8_t key[HASH_BYTES]; /* record_key_of */
};

/* A key that speaks of no person is shown as it is, any other by its pseudonym. */
static void judge_record_label(const struct entry_received *received, enum key_scheme scheme,
                               const char *key, char out[RECORD_ID_BYTES_MAX + 1])
{
    if (key_scheme_is_personal(scheme)) {
        (void)snprintf(out, RECORD_ID_BYTES_MAX + 1, "%s", received->item_key);
    } else if (!key_normalise(key, out, RECORD_ID_BYTES_MAX + 1)) {
        (void)snprintf(out, RECORD_ID_BYTES_MAX + 1, "%s", key);
    }
}

static struct err judge_read_record(struct pipeline *self, const struct entry *entry,
                                    const struct wal_entry *at, struct judge_record *out)
{
    const struct entry_received *received = &entry->body.received;
    const char *where;
    enum key_scheme scheme;
    *out = (struct judge_record){.kind = entry->type == ENTRY_SCAN_RECEIVED ? RECORD_SCAN
                                                                            : RECORD_DECLARATION};
    (void)snprintf(out->label, sizeof out->label, "%s", received->item_key);
    if (!received_record(entry, at->private_bytes, at->private_count, &out->body,
                         &out->body_bytes)) {
        return err_none;
    }
    /* Beside the record lies the digest that intake made of it; a pack has none. */
    static const uint8_t none[HASH_BYTES];
    uint8_t sha256[HASH_BYTES];
    memcpy(sha256, at->private_sha256, HASH_BYTES);
    if (hash_equal(sha256, none)) {
        sha256_of(out->body, out->body_bytes, sha256);
    }
    record_key_of(self->keys.pseudonym, sha256, out->key);
    arena_reset(&self->body_arena);
    if (out->kind == RECORD_SCAN) {
        struct scan scan;
        if (scan_decode(out->body, out->body_bytes, &self->body_arena, &scan, &where) !=
            REFUSAL_NONE) {
            return err_make(ERR_WAL_DAMAGED, "a received scan that does not decode");
        }
        out->lane = scan.lane;
        const char *key = scan_join_key(&scan, &scheme);
        judge_record_label(received, scheme, key, out->label);
    } else {
        struct declaration declaration;
        if (declaration_decode(out->body, out->body_bytes, &self->body_arena, &declaration,
                               &where) != REFUSAL_NONE) {
            return err_make(ERR_WAL_DAMAGED, "a received declaration that does not decode");
        }
        out->lane = declaration.lane;
        const char *key = declaration_join_key(&declaration, &scheme);
        judge_record_label(received, scheme, key, out->label);
    }
    return err_none;
}

/* Row 5. A full table first lets ready items through; each round frees at least one place. */
static struct err judge_join(struct pipeline *self, const struct entry *entry,
                             const struct wal_entry *at, const struct judge_record *record)
{
    const struct entry_received *received = &entry->body.received;
    struct join_record join = {.kind = record->kind,
                               .mode = received->mode,
                               .site = received->site,
                               .lane = record->lane,
                               .key = received->item_key,
                               .entry_index = at->entry_index,
                               .body = record->body,
                               .body_bytes = record->body_bytes,
                               .t_ns = entry->t_ns};
    memcpy(join.entry_id, entry->id, ENTRY_ID_BYTES);
    memcpy(join.record_key, record->key, HASH_BYTES);
    /* Without a judge nobody would take the item: the record stays in the log and is joined after a
     * restart with the judge on. What was redacted can never be judged any more. */
    if (!self->conf.judge_enabled || record->body == NULL) {
        return err_none;
    }
    uint8_t late_item[ITEM_ID_BYTES];
    enum join_result result = join_add(self->join, &join, late_item);
    for (uint32_t round = 0; result == JOIN_FULL && round <= self->conf.join_items; round++) {
        uint32_t decided = 0;
        struct err err = judge_items(self, &decided);
        if (err_is(err)) {
            return err;
        }
        result = join_add(self->join, &join, late_item);
    }
    must(result != JOIN_FULL);
    if (result == JOIN_LATE) {
        counter_add(COUNTER_items_late_records, 1);
    }
    return err_none;
}

static struct err judge_apply_received(struct pipeline *self, const struct entry *entry,
                                       const struct wal_entry *at)
{
    struct judge_record record;
    struct err err = judge_read_record(self, entry, at, &record);
    if (err_is(err)) {
        return err;
    }
    double late_s = self->policy.modes[entry->body.received.mode].late_s;
    struct state_hint hint = {.record_key = record.body != NULL ? record.key : NULL,
                              .label = record.label,
                              .late_since_ns = entry->t_ns - (int64_t)(late_s * (double)NS_PER_S)};
    err = state_apply(self->state, entry, &hint);
    return err_is(err) || !self->live ? err : judge_join(self, entry, at, &record);
}

static void judge_publish(struct pipeline *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    struct wire_verdict verdict = {.label = decision->label,
                                   .mode = decision->mode,
                                   .site = decision->site,
                                   .lane = decision->lane,
                                   .decision = decision->decision,
                                   .arm = decision->arm,
                                   .probability = decision->probability,
                                   .propensity = decision->propensity,
                                   .priority = decision->priority,
                                   .entry_index = entry->n,
                                   .t_ns = entry->t_ns};
    memcpy(verdict.item, entry->item, ITEM_ID_BYTES);
    if (self->policy.hide_arm) { /* whoever watches the feed may be the officer who examines */
        verdict.arm = "hidden";
        verdict.probability = 0;
        verdict.propensity = 0;
        verdict.priority = 0;
    }
    for (uint32_t i = 0; i < decision->reasons_count; i++) {
        verdict.reasons[i] = (struct wire_reason){"", 0, decision->reasons[i]};
    }
    verdict.reasons_count = decision->reasons_count;
    ingest_verdict(self->ingest, &verdict);
    const struct judge_trace *trace = judge_trace_of(self, entry->id);
    if (memcmp(trace->decision_id, entry->id, ENTRY_ID_BYTES) == 0) {
        stage_took(STAGE_queue, clock_utc_ns() - trace->last_part_ns);
    }
}

struct judge_trace *judge_trace_of(struct pipeline *self, const uint8_t decision_id[ENTRY_ID_BYTES])
{
    uint32_t place;
    memcpy(&place, decision_id + ENTRY_ID_BYTES - sizeof place,
           sizeof place); /* the random end of a UUIDv7 */
    return &self->traces[place % JUDGE_TRACES];
}

struct err judge_look_up(struct pipeline *self, uint64_t entry_index, struct wal_entry *out)
{
    bool got = false;
    struct err err = wal_reader_seek(self->lookup, entry_index);
    if (!err_is(err)) {
        err = wal_reader_next(self->lookup, out, &got);
    }
    return err_is(err) || got ? err : err_make(ERR_WAL_DAMAGED, "an entry that was applied");
}

/* What was redacted or pruned teaches nothing. */
static struct err judge_learn(struct pipeline *self, uint64_t declaration_entry, bool found,
                              int64_t t_ns)
{
    struct wal_entry at;
    struct entry entry;
    const uint8_t *record;
    uint32_t record_bytes;
    struct err err = judge_look_up(self, declaration_entry, &at);
    if (err_is(err)) {
        return err.code == ERR_PRUNED ? err_none : err;
    }
    arena_reset(&self->body_arena);
    if (entry_decode(at.bytes, at.bytes_count, &self->body_arena, &entry) != ENTRY_GOOD) {
        return err_make(ERR_WAL_DAMAGED, "declaration of an outcome");
    }
    bool there =
        received_record(&entry, at.private_bytes, at.private_count, &record, &record_bytes);
    struct declaration declaration;
    const char *where;
    arena_reset(&self->body_arena);
    if (there && declaration_decode(record, record_bytes, &self->body_arena, &declaration,
                                    &where) == REFUSAL_NONE) {
        score_history_learn(self->score, &declaration, found, t_ns);
    }
    return err_none;
}

/* What officers do changes how full a place is. */
static struct err judge_count_queue(struct pipeline *self, const struct entry *entry,
                                    enum referral_state to)
{
    struct state_referral referral;
    if (to != REFERRAL_QUEUED && !referral_state_is_terminal(to)) {
        return err_none;
    }
    struct err err = state_referral(self->state, entry->item, &referral);
    enum mode mode = err_is(err) ? MODE_UNKNOWN : mode_parse(referral.mode);
    if (err.code == ERR_NOT_FOUND || mode == MODE_UNKNOWN) { /* of a log with a hole in it */
        return err.code == ERR_NOT_FOUND ? err_none : err;
    }
    if (to == REFERRAL_QUEUED) {
        decide_manual(self->decide, mode, referral.site);
    } else {
        decide_ended(self->decide, mode, referral.site);
    }
    return err_none;
}

static struct err judge_apply_outcome(struct pipeline *self, const struct entry *entry)
{
    const struct entry_outcome *outcome = &entry->body.outcome;
    struct err err = state_apply(self->state, entry, NULL);
    bool is_first = outcome_again_parse(outcome->again) == OUTCOME_FIRST;
    if (!err_is(err) && self->live && is_first) { /* the referral ends, later ones find it ended */
        err = judge_count_queue(self, entry, REFERRAL_OUTCOME);
    }
    if (err_is(err) || !self->live) {
        return err;
    }
    if (!is_first) { /* what stood for the item may have been learnt; put aside, nothing changes */
        return outcome->aside ? err_none : judge_relearn(self);
    }
    if (!exam_result_is_label(outcome->result)) {
        return err;
    }
    uint64_t declarations[8];
    uint32_t count = 0;
    err = state_item_declarations(self->state, entry->item, declarations, &count);
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        err = judge_learn(self, declarations[i], exam_result_is_find(outcome->result), entry->t_ns);
    }
    return err;
}

struct err judge_apply(struct pipeline *self, const struct wal_entry *at)
{
    struct entry entry;
    arena_reset(&self->judge_arena);
    enum entry_fault fault = entry_decode(at->bytes, at->bytes_count, &self->judge_arena, &entry);
    if (fault != ENTRY_GOOD && fault != ENTRY_UNKNOWN_TYPE) {
        return err_make(ERR_WAL_DAMAGED, entry_fault_text(fault));
    }
    must(entry.n == at->entry_index);
    if (entry.type == ENTRY_SCAN_RECEIVED || entry.type == ENTRY_DECLARATION_RECEIVED) {
        return judge_apply_received(self, &entry, at);
    }
    if (entry.type == ENTRY_OUTCOME) {
        return judge_apply_outcome(self, &entry);
    }
    struct err err = state_apply(self->state, &entry, NULL);
    if (!err_is(err) && entry.type == ENTRY_REFERRAL_DECISION && self->live) {
        judge_publish(self, &entry);
    }
    if (!err_is(err) && entry.type == ENTRY_OFFICER_ACTION && self->live) {
        const char *to_state = entry.body.officer_action.to_state;
        err = judge_count_queue(self, &entry, referral_state_parse(to_state));
    }
    if (!err_is(err) && entry.type == ENTRY_ARCHIVE_SEAL) {
        atomic_store(&self->sealed, entry.body.archive_seal.last_index + 1);
    }
    return err;
}

struct err judge_catch_up(struct pipeline *self, uint32_t entries_max, uint32_t *applied)
{
    *applied = 0;
    uint64_t durable = oversight_size(self->oversight);
    counter_set(COUNTER_waiting_judge, durable - atomic_load(&self->judged));
    if (atomic_load(&self->judged) >= durable) {
        return err_none;
    }
    struct err err = state_begin(self->state);
    bool got = true;
    while (!err_is(err) && got && *applied < entries_max) {
        struct wal_entry at;
        err = wal_reader_next(self->follow, &at, &got);
        if (!err_is(err) && got) {
            err = judge_apply(self, &at);
            (*applied)++;
            atomic_store(&self->judged, at.entry_index + 1);
        }
    }
    if (!err_is(err)) {
        err = state_commit(self->state);
    }
    atomic_store(&self->held, join_held(self->join));
    counter_set(COUNTER_waiting_join, join_held(self->join));
    return err;
}

/* ---- after a restart ---- */

static struct err judge_remember_decisions(struct pipeline *self)
{
    uint32_t capacity = (uint32_t)self->conf.join_remembered;
    struct state_decided *decided = calloc(capacity, sizeof *decided);
    if (decided == NULL) {
        return err_make(ERR_MEMORY, "judge_remember");
    }
    uint32_t count = 0;
    struct err err = state_recent_decisions(self->state, decided, capacity, &count);
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        const struct state_decided *one = &decided[i];
        join_remember(self->join, one->mode, one->site, one->key, one->item, one->t_ns);
        const struct decide_past past = {.mode = one->mode,
                                         .site = one->site,
                                         .probability = one->scorable ? one->probability : -1,
                                         .cutoff = one->cutoff,
                                         .referred = one->referred,
                                         .t_ns = one->t_ns};
        decide_replay(self->decide, &past);
    }
    free(decided);
    return err;
}

/* How full each place is, from the read model. */
static struct err judge_remember_queue(struct pipeline *self)
{
    uint32_t capacity = (uint32_t)self->conf.judge_strata * MODE_COUNT;
    struct state_open *open = calloc(capacity, sizeof *open);
    uint32_t count = 0;
    if (open == NULL) {
        return err_make(ERR_MEMORY, "judge_remember");
    }
    struct err err = state_open_referrals(self->state, open, capacity, &count);
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        if (open[i].mode != MODE_UNKNOWN) {
            decide_set_queue(self->decide, open[i].mode, open[i].site, open[i].count);
        }
    }
    free(open);
    return err;
}

struct err judge_relearn(struct pipeline *self)
{
    score_history_reset(self->score);
    struct state_outcome *page = calloc(JUDGE_PAGE, sizeof *page);
    if (page == NULL) {
        return err_make(ERR_MEMORY, "judge_remember");
    }
    uint64_t from = 0;
    uint32_t count = JUDGE_PAGE;
    struct err err = err_none;
    while (!err_is(err) && count == JUDGE_PAGE) {
        err = state_outcomes(self->state, from, page, JUDGE_PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count; i++) {
            for (uint32_t d = 0; !err_is(err) && d < page[i].declarations_count; d++) {
                err =
                    judge_learn(self, page[i].declaration_entries[d], page[i].found, page[i].t_ns);
            }
            from = page[i].entry_index + 1;
        }
    }
    free(page);
    return err;
}

/* A record whose item was never decided goes through the same join as a fresh one. */
static struct err judge_rejoin(struct pipeline *self, uint64_t entry_index)
{
    struct wal_entry at;
    struct entry entry;
    struct judge_record record;
    struct err err = judge_look_up(self, entry_index, &at);
    if (err_is(err)) {
        return err;
    }
    arena_reset(&self->judge_arena);
    if (entry_decode(at.bytes, at.bytes_count, &self->judge_arena, &entry) != ENTRY_GOOD) {
        return err_make(ERR_WAL_DAMAGED, "undecided record");
    }
    err = judge_read_record(self, &entry, &at, &record);
    return err_is(err) ? err : judge_join(self, &entry, &at, &record);
}

static struct err judge_remember_undecided(struct pipeline *self)
{
    uint64_t page[JUDGE_PAGE];
    uint64_t from = 0;
    uint32_t count = JUDGE_PAGE;
    uint64_t total = 0;
    struct err err = err_none;
    while (!err_is(err) && count == JUDGE_PAGE) {
        err = state_undecided(self->state, from, page, JUDGE_PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count; i++) {
            err = judge_rejoin(self, page[i]);
            from = page[i] + 1;
        }
        total += err_is(err) ? 0 : count;
    }
    if (!err_is(err) && total > 0) {
        diag_info(recovered, "undecided_records=%llu", (unsigned long long)total);
    }
    return err;
}

struct err judge_remember(struct pipeline *self)
{
    struct err err = judge_remember_decisions(self);
    if (!err_is(err)) {
        err = judge_remember_queue(self);
    }
    if (!err_is(err)) {
        err = judge_relearn(self);
    }
    return err_is(err) ? err : judge_remember_undecided(self);
}
