/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "proto/disclosure.h"
#include "shadow_parts.h"

/* One item as the model in shadow sees it: the same records, from the log, and the same pixels. The
 * numbers of a model that nobody has relied on yet are looked at before they become an entry. */

enum { SHADOW_PAGE = 256 };

static const char no_number[] = "the model in shadow gave no finite number";

/* ---- the records of an item ---- */

/* Its private record in out, which lives until the next look-up; false when it is gone. */
static struct err shadow_record(struct shadow_line *self, uint64_t entry_index, struct entry *entry,
                                const uint8_t **record, uint32_t *record_bytes, bool *there)
{
    struct wal_entry at;
    bool got = false;
    *there = false;
    struct err err = wal_reader_seek(self->lookup, entry_index);
    if (!err_is(err)) {
        err = wal_reader_next(self->lookup, &at, &got);
    }
    if (err_is(err) || !got) {
        return err.code == ERR_PRUNED ? err_none : err;
    }
    arena_reset(&self->cause_arena);
    if (entry_decode(at.bytes, at.bytes_count, &self->cause_arena, entry) != ENTRY_GOOD) {
        return err_make(ERR_WAL_DAMAGED, "a record of an item in shadow");
    }
    bool received = entry->type == ENTRY_SCAN_RECEIVED || entry->type == ENTRY_DECLARATION_RECEIVED;
    *there = received &&
             received_record(entry, at.private_bytes, at.private_count, record, record_bytes);
    return err_none;
}

static struct err shadow_gather_part(struct shadow_line *self, uint64_t entry_index, bool *there)
{
    struct entry entry;
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    const char *where;
    struct score_input *input = &self->input;
    struct err err = shadow_record(self, entry_index, &entry, &record, &record_bytes, there);
    if (err_is(err) || !*there) {
        return err;
    }
    *there = false;
    if (entry.type == ENTRY_SCAN_RECEIVED && input->scans_count < SCORE_PARTS_MAX) {
        struct scan *scan = &self->scans[input->scans_count];
        *there =
            scan_decode(record, record_bytes, &self->record_arena, scan, &where) == REFUSAL_NONE;
        memset(&input->scans[input->scans_count], 0, sizeof input->scans[0]);
        input->scans[input->scans_count++].scan = scan;
    } else if (entry.type == ENTRY_DECLARATION_RECEIVED &&
               input->declarations_count < SCORE_PARTS_MAX) {
        struct declaration *declaration = &self->declarations[input->declarations_count];
        *there = declaration_decode(record, record_bytes, &self->record_arena, declaration,
                                    &where) == REFUSAL_NONE;
        input->declarations[input->declarations_count++] = declaration;
    }
    return err_none;
}

/* The rule of the judge line: what one item has beyond the bound stays unread. */
static bool shadow_load_pixels(struct shadow_line *self)
{
    uint64_t used_bytes = 0;
    for (uint32_t s = 0; s < self->input.scans_count; s++) {
        const struct scan *scan = self->input.scans[s].scan;
        for (uint32_t i = 0; i < scan->images_count; i++) {
            const struct image *image = &scan->images[i];
            if (image->payload_bytes > self->pixels_capacity - used_bytes) {
                continue;
            }
            uint8_t *pixels = self->pixels + used_bytes;
            if (err_is(blob_read(self->pipeline->blobs, image->sha256, pixels,
                                 image->payload_bytes))) {
                return false; /* another image than the first scorer saw would be no comparison */
            }
            self->input.scans[s].pixels[i] = pixels;
            used_bytes += (image->payload_bytes + 63) / 64 * 64;
            used_bytes = used_bytes < self->pixels_capacity ? used_bytes : self->pixels_capacity;
        }
    }
    return true;
}

static struct err shadow_gather(struct shadow_line *self, const struct shadow_pending *pending,
                                bool *there)
{
    struct err err = err_none;
    *there = true;
    self->input.declarations_count = 0;
    self->input.scans_count = 0;
    arena_reset(&self->record_arena);
    for (uint32_t i = 0; i < pending->causes_count && *there && !err_is(err); i++) {
        uint64_t entry_index = 0;
        err = state_record_entry(self->state, pending->causes[i], &entry_index);
        *there = !err_is(err);
        err = err.code == ERR_NOT_FOUND ? err_none : err;
        if (*there && !err_is(err)) {
            err = shadow_gather_part(self, entry_index, there);
        }
    }
    *there = *there && !err_is(err) && shadow_load_pixels(self);
    return err;
}

/* ---- its score ---- */

static bool score_is_finite(const struct entry_score *score)
{
    bool finite = isfinite(score->probability) && isfinite(score->logit) &&
                  isfinite(score->quality) && score->probability >= 0 && score->probability <= 1;
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        finite = finite && isfinite(score->contributions[i].logit);
    }
    for (uint32_t i = 0; i < score->regions_count; i++) {
        finite = finite && isfinite(score->regions[i].score);
    }
    return finite;
}

/* Words are for officers, who never see this score. */
static void shadow_plain(struct entry_score *score)
{
    if (!score_is_finite(score)) {
        score->unscorable = no_number;
        score->probability = 0;
        score->logit = 0;
        score->quality = 0;
        score->contributions_count = 0;
        score->regions_count = 0;
        counter_add(COUNTER_shadow_failed, 1);
    }
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        score->contributions[i].words = "";
    }
}

static void shadow_draft(struct shadow_line *self, const struct shadow_pending *pending)
{
    struct entry entry;
    must(self->drafts_count < SHADOW_DRAFTS);
    pipeline_entry(&entry, ENTRY_SHADOW_SCORE);
    entry.has_item = true;
    memcpy(entry.item, pending->item, ITEM_ID_BYTES);
    memcpy(entry.causes, pending->causes, sizeof pending->causes);
    entry.causes_count = pending->causes_count;
    entry.body.shadow_score.place = self->place;
    memcpy(entry.body.shadow_score.sha256, self->sha256, HASH_BYTES);
    entry.body.shadow_score.score = self->result.score;
    struct oversight_draft *draft = &self->drafts[self->drafts_count++];
    pipeline_draft(&entry, draft);
    draft->owner = NULL;
    draft->done = self->done;
}

struct err shadow_item_score(struct shadow_line *self, const struct shadow_pending *pending)
{
    bool there = false;
    struct err err = shadow_gather(self, pending, &there);
    if (err_is(err)) {
        return err;
    }
    if (!there) {
        counter_add(COUNTER_shadow_failed, 1);
        return err_none;
    }
    score_items(self->score, &self->input, &self->result, 1);
    shadow_plain(&self->result.score);
    shadow_draft(self, pending);
    return self->drafts_count == SHADOW_DRAFTS ? shadow_item_flush(self) : err_none;
}

struct err shadow_item_flush(struct shadow_line *self)
{
    struct oversight_draft *list[SHADOW_DRAFTS];
    uint32_t waiting = self->drafts_count;
    for (uint32_t i = 0; i < waiting; i++) {
        list[i] = &self->drafts[i];
    }
    self->drafts_count = 0;
    struct err err =
        waiting == 0 ? err_none : oversight_submit(self->pipeline->oversight, list, waiting);
    uint32_t pending = err_is(err) ? 0 : waiting;
    while (pending > 0 && !err_is(err)) {
        void *back[SHADOW_DRAFTS];
        pending -= queue_take(self->done, back, pending, 100 * NS_PER_MS);
        err = oversight_failure(self->pipeline->oversight);
    }
    if (!err_is(err)) {
        counter_add(COUNTER_shadow_scored, waiting);
    }
    return err;
}

/* ---- learning, as the judge line does it ---- */

static struct err shadow_learn(struct shadow_line *self, uint64_t declaration_entry, bool found,
                               int64_t t_ns)
{
    struct entry entry;
    struct declaration declaration;
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    const char *where;
    bool there = false;
    struct err err = shadow_record(self, declaration_entry, &entry, &record, &record_bytes, &there);
    if (err_is(err) || !there) {
        return err;
    }
    arena_reset(&self->record_arena);
    if (declaration_decode(record, record_bytes, &self->record_arena, &declaration, &where) ==
        REFUSAL_NONE) {
        score_history_learn(self->score, &declaration, found, t_ns);
    }
    return err_none;
}

struct err shadow_item_outcome(struct shadow_line *self, const struct entry *entry)
{
    const struct entry_outcome *outcome = &entry->body.outcome;
    uint64_t declarations[8];
    uint32_t count = 0;
    if (outcome_again_parse(outcome->again) != OUTCOME_FIRST) {
        return outcome->aside ? err_none : shadow_item_relearn(self, entry->n + 1);
    }
    if (!exam_result_is_label(outcome->result)) {
        return err_none;
    }
    bool found = exam_result_is_find(outcome->result);
    struct err err = state_item_declarations(self->state, entry->item, declarations, &count);
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        err = shadow_learn(self, declarations[i], found, entry->t_ns);
    }
    return err;
}

/* Years of outcomes take minutes, and a stop does not wait for them. An order under way is no
 * reason to end: it is what has begun this. */
struct err shadow_item_relearn(struct shadow_line *self, uint64_t until)
{
    score_history_reset(self->score);
    struct state_outcome *page = calloc(SHADOW_PAGE, sizeof *page);
    if (page == NULL) {
        return err_make(ERR_MEMORY, "shadow_item_relearn");
    }
    uint64_t from = 0;
    uint32_t count = SHADOW_PAGE;
    struct err err = err_none;
    while (!err_is(err) && count == SHADOW_PAGE && from < until) {
        err = state_outcomes(self->state, from, page, SHADOW_PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count && page[i].entry_index < until; i++) {
            for (uint32_t d = 0; !err_is(err) && d < page[i].declarations_count; d++) {
                err =
                    shadow_learn(self, page[i].declaration_entries[d], page[i].found, page[i].t_ns);
            }
            if (!err_is(err) && shadow_is_stopping(self)) {
                err = err_make(ERR_CLOSED, "shadow line");
            }
        }
        from = count > 0 ? page[count - 1].entry_index + 1 : from;
    }
    free(page);
    return err;
}
