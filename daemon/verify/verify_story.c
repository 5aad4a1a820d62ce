/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"
#include "verify/verify_draws.h"
#include "verify/verify_ids.h"
#include "verify/verify_items.h"
#include "verify/verify_keeping.h"
#include "verify/verify_operations.h"
#include "verify/verify_retention.h"
#include "verify/verify_settings.h"
#include "verify/verify_shadow.h"
#include "verify/verify_times.h"

struct verify_story {
    struct verify_report *report;
    struct verify_shard *shard;
    struct verify_ids ids;
    struct verify_link *link;
    uint64_t first_n; /* of the shard at hand; that of the first shard is in ids */
    bool goes_on;     /* from another shard */
    struct verify_items *items;
    struct verify_draws *draws;
    struct verify_times *times;
    struct verify_settings *settings;
    struct verify_shadow *shadow;
    struct verify_keeping *keeping;
    struct verify_retention *retention;
    struct verify_operations *operations;
    struct verify_seal *seals;
    uint64_t seals_count;
    uint64_t seals_capacity;
};

struct err verify_story_open(struct verify_report *report, struct verify_shard *shard,
                             const struct verify_conf *conf, struct verify_story **out)
{
    struct verify_story *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_story_open");
    }
    self->report = report;
    self->shard = shard;
    struct err err = verify_ids_init(&self->ids, shard->size);
    if (!err_is(err)) {
        err = verify_items_open(report, shard, &self->ids, &self->items);
    }
    if (!err_is(err)) {
        err = verify_draws_open(report, shard, self->items, conf->day, &self->draws);
    }
    if (!err_is(err)) {
        err = verify_times_open(report, shard, &self->ids, conf->now_ns, &self->times);
    }
    if (!err_is(err)) {
        err = verify_settings_open(report, shard, &self->ids, &self->settings);
    }
    if (!err_is(err)) {
        err = verify_shadow_open(report, &self->ids, self->items, &self->shadow);
    }
    if (!err_is(err)) {
        err = verify_keeping_open(report, shard, &self->ids, &self->keeping);
    }
    if (!err_is(err)) {
        err = verify_retention_open(report, shard, &self->ids, self->items, &self->retention);
    }
    if (!err_is(err)) {
        err = verify_operations_open(report, &self->ids, &self->operations);
    }
    if (err_is(err)) {
        verify_story_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void verify_story_close(struct verify_story **self)
{
    if (*self != NULL) {
        verify_operations_close(&(*self)->operations);
        verify_retention_close(&(*self)->retention);
        verify_keeping_close(&(*self)->keeping);
        verify_shadow_close(&(*self)->shadow);
        verify_settings_close(&(*self)->settings);
        verify_times_close(&(*self)->times);
        verify_draws_close(&(*self)->draws);
        verify_items_close(&(*self)->items);
        verify_ids_fini(&(*self)->ids);
        free((*self)->seals);
        free(*self);
    }
    *self = NULL;
}

void verify_story_turn(struct verify_story *self, struct verify_link *link, uint64_t first_n)
{
    self->goes_on = self->link != NULL;
    self->link = link;
    self->first_n = first_n;
    self->shard->first_n = first_n;
}

void verify_story_gap(struct verify_story *self)
{
    self->ids.gap = true;
}

void verify_story_pruned(struct verify_story *self)
{
    self->ids.gap = true;
    self->ids.pruned = true;
    verify_times_gap(self->times);
}

const struct verify_seal *verify_story_seals(const struct verify_story *self, uint64_t *count)
{
    *count = self->seals_count;
    return self->seals;
}

void verify_story_finish(struct verify_story *self)
{
    (void)verify_report_step(self->report, STEP_items);
    verify_items_finish(self->items, self->shard->last_t_ns);
    (void)verify_report_step(self->report, STEP_draws);
    verify_draws_finish(self->draws);
    (void)verify_report_step(self->report, STEP_times);
    verify_times_finish(self->times);
    (void)verify_report_step(self->report, STEP_keeping);
    verify_retention_finish(self->retention);
}

/* ---- seals ---- */

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
    /* What a shard seals first may lie in the one before, which may not be here. */
    uint64_t begin = self->ids.first_n == 0 ? 0 : seal->first_index;
    uint64_t expected =
        self->seals_count == 0 ? begin : self->seals[self->seals_count - 1].last_index + 1;
    if (seal->last_index < seal->first_index || seal->last_index >= entry->n ||
        seal->first_index < expected) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": seal of entries %" PRIu64 "..%" PRIu64
                       ", the next one to seal is %" PRIu64,
                       entry->n, seal->first_index, seal->last_index, expected);
        return err_none;
    }
    if (seal->first_index > expected && !self->ids.gap) {
        verify_problem(self->report,
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

/* ---- each entry to those who know its type ---- */

/* "pruned below N: why", and no payload. */
static void story_prune(struct verify_story *self, const struct entry *entry)
{
    const struct entry_blob_discard *discard = &entry->body.blob_discard;
    uint64_t below = 0;
    if (discard->blobs_count == 0 && discard->reason != NULL &&
        sscanf(discard->reason, "pruned below %20" SCNu64 ":", &below) == 1 &&
        below > self->report->pruned_below) {
        self->report->pruned_below = below;
    }
}

static struct err story_keeping(struct verify_story *self, const struct entry *entry)
{
    (void)verify_report_step(self->report, STEP_keeping);
    switch (entry->type) {
    case ENTRY_SCAN_RECEIVED:
        return verify_retention_received(self->retention, entry);
    case ENTRY_ACCESS:
        verify_keeping_access(self->keeping, entry);
        return err_none;
    case ENTRY_REDACT:
        verify_keeping_redact(self->keeping, entry);
        return err_none;
    case ENTRY_BLOB_DISCARD:
        story_prune(self, entry);
        verify_retention_discard(self->retention, entry, self->seals, self->seals_count);
        return err_none;
    case ENTRY_ARCHIVE_COPIED:
        return verify_retention_copied(self->retention, entry, self->seals, self->seals_count);
    case ENTRY_HOLD:
        return verify_retention_hold(self->retention, entry);
    case ENTRY_WAL_RECOVERED:
        verify_keeping_recovered(self->keeping, entry);
        return err_none;
    default:
        return err_none;
    }
}

static struct err story_settings(struct verify_story *self, const struct entry *entry)
{
    (void)verify_report_step(self->report, STEP_settings);
    if (entry->type == ENTRY_CONFIG_CHANGE) {
        verify_settings_config(self->settings, entry);
    } else if (entry->type == ENTRY_MODEL_CHANGE) {
        verify_settings_model(self->settings, entry);
        return verify_shadow_model(self->shadow, entry);
    } else if (entry->type == ENTRY_SHADOW_SCORE) {
        return verify_shadow_score(self->shadow, entry);
    } else if (entry->type == ENTRY_SCORE) {
        verify_settings_score(self->settings, entry);
    } else if (entry->type == ENTRY_REFERRAL_DECISION) {
        verify_settings_decision(self->settings, entry);
    } else if (entry->type == ENTRY_OPERATION) {
        return verify_operations_entry(self->operations, entry);
    }
    return err_none;
}

static struct err story_draws(struct verify_story *self, const struct entry *entry)
{
    (void)verify_report_step(self->report, STEP_draws);
    if (entry->type == ENTRY_DRAW_COMMIT) {
        return verify_draws_commit(self->draws, entry);
    }
    if (entry->type == ENTRY_REFERRAL_DECISION) {
        return verify_draws_decision(self->draws, entry);
    }
    if (entry->type == ENTRY_DRAW_REVEAL) {
        verify_draws_reveal(self->draws, entry);
    }
    return err_none;
}

static struct err story_items(struct verify_story *self, const struct entry *entry)
{
    (void)verify_report_step(self->report, STEP_items);
    switch (entry->type) {
    case ENTRY_SCORE:
        return verify_items_score(self->items, entry);
    case ENTRY_REFERRAL_DECISION:
        return verify_items_decision(self->items, entry);
    case ENTRY_OFFICER_ACTION:
    case ENTRY_OUTCOME:
        return verify_items_event(self->items, entry);
    default:
        return err_none;
    }
}

static struct err story_by_type(struct verify_story *self, const struct entry *entry)
{
    struct err err = story_items(self, entry);
    if (!err_is(err)) {
        err = story_draws(self, entry);
    }
    if (!err_is(err)) {
        err = story_keeping(self, entry);
    }
    if (!err_is(err) && entry->type == ENTRY_ARCHIVE_SEAL) {
        (void)verify_report_step(self->report, STEP_archive);
        err = story_seal(self, entry);
    }
    return err_is(err) ? err : story_settings(self, entry);
}

/* The first entry opens the log and says what n it begins with; no other one may. */
static void story_check_open(struct verify_story *self, uint64_t entry_index,
                             const struct entry *entry)
{
    if (entry_index > 0) {
        if (entry->type == ENTRY_LOG_OPEN) {
            verify_problem(self->report, "entry %" PRIu64 ": log.open in the middle of a log",
                           entry->n);
        }
    } else if (entry->type != ENTRY_LOG_OPEN) {
        verify_problem(self->report, "entry %" PRIu64 ": not a log.open entry", self->first_n);
    } else if (!self->goes_on) {
        self->first_n = entry->body.log_open.first_n;
        self->ids.first_n = self->first_n;
        self->shard->first_n = self->first_n;
        self->ids.gap |= self->first_n > 0; /* causes may lie in the shard before */
    } else if (entry->body.log_open.first_n != self->first_n) {
        verify_problem(self->report, "entry %" PRIu64 ": log.open says that it is entry %" PRIu64,
                       self->first_n, entry->body.log_open.first_n);
    }
}

struct err verify_story_add(struct verify_story *self, uint64_t entry_index, enum entry_fault fault,
                            const struct entry *entry)
{
    bool added = false;
    (void)verify_report_step(self->report, STEP_entries);
    self->shard->entries++;
    if (fault != ENTRY_GOOD && fault != ENTRY_UNKNOWN_TYPE) {
        verify_problem(self->report, "entry %" PRIu64 ": %s", entry_index + self->first_n,
                       entry_fault_text(fault));
        self->ids.gap = true;
        return err_none;
    }
    story_check_open(self, entry_index, entry);
    uint64_t n = entry_index + self->first_n;
    if (entry->n != n) {
        /* Out of place: nothing that it says can be put down to it. */
        verify_problem(self->report, "entry %" PRIu64 ": says that it is entry %" PRIu64, n,
                       entry->n);
        self->ids.gap = true;
        return err_none;
    }
    if (fault == ENTRY_GOOD && self->link != NULL) {
        verify_chain_entry(self->link, self->report, entry_index, entry);
    }
    enum entry_type kind = fault == ENTRY_GOOD ? entry->type : ENTRY_UNKNOWN;
    self->shard->types[(uint32_t)kind < VERIFY_TYPES ? (uint32_t)kind : 0]++;
    struct err err = verify_ids_add(&self->ids, n - self->ids.first_n, entry->id, kind, &added);
    if (!err_is(err) && !added) {
        verify_problem(self->report, "entry %" PRIu64 ": its id was used before", n);
    }
    (void)verify_report_step(self->report, STEP_times);
    if (!err_is(err)) {
        err = verify_times_add(self->times, entry);
    }
    (void)verify_report_step(self->report, STEP_keeping);
    if (!err_is(err)) {
        err = verify_keeping_digests(self->keeping, entry);
    }
    return err_is(err) || fault == ENTRY_UNKNOWN_TYPE ? err : story_by_type(self, entry);
}
