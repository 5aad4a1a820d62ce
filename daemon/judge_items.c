/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "pipeline_parts.h"
#include "proto/checkdigit.h"

/* Rows 6, 7 and 8: what is ready is scored as a batch, decided one by one in the order of
 * readiness, and both results are handed to the log. They come back to the read model through the
 * log like everything else. */

enum { JUDGE_REASONS = 4 };

/* A declaration or scan that intake accepted decodes again; anything else is our own bug. */
static void judge_decode_part(struct pipeline *self, uint32_t place, const struct join_part *part,
                              struct score_input *input)
{
    const char *where;
    if (part->kind == RECORD_SCAN) {
        struct scan *scan = &self->scans[place * SCORE_PARTS_MAX + input->scans_count];
        must(scan_decode(part->body, part->body_bytes, &self->item_arenas[place], scan, &where) ==
             REFUSAL_NONE);
        memset(&input->scans[input->scans_count], 0, sizeof input->scans[0]);
        input->scans[input->scans_count].scan = scan;
        input->scans_count++;
    } else {
        struct declaration *declaration =
            &self->declarations[place * SCORE_PARTS_MAX + input->declarations_count];
        must(declaration_decode(part->body, part->body_bytes, &self->item_arenas[place],
                                declaration, &where) == REFUSAL_NONE);
        input->declarations[input->declarations_count] = declaration;
        input->declarations_count++;
    }
}

static uint64_t judge_payload_bytes(const struct score_input *input)
{
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < input->scans_count; s++) {
        for (uint32_t i = 0; i < input->scans[s].scan->images_count; i++) {
            bytes += input->scans[s].scan->images[i].payload_bytes;
        }
    }
    return bytes;
}

/* Pixels come from the blob store, in normal running as after a restart. What one item has beyond
 * the bound stays unread: the scorer says so in words. */
static struct err judge_load_pixels(struct pipeline *self, struct score_input *input,
                                    uint64_t *used_bytes)
{
    for (uint32_t s = 0; s < input->scans_count; s++) {
        const struct scan *scan = input->scans[s].scan;
        for (uint32_t i = 0; i < scan->images_count; i++) {
            const struct image *image = &scan->images[i];
            if (image->payload_bytes > self->pixels_capacity - *used_bytes) {
                continue;
            }
            uint8_t *pixels = self->pixels + *used_bytes;
            struct err err = blob_read(self->blobs, image->sha256, pixels, image->payload_bytes);
            if (err_is(err)) {
                return err;
            }
            input->scans[s].pixels[i] = pixels;
            *used_bytes += (image->payload_bytes + 63) / 64 * 64; /* rows start on a cache line */
            *used_bytes = *used_bytes < self->pixels_capacity ? *used_bytes : self->pixels_capacity;
        }
    }
    return err_none;
}

/* The intercept comes after everything that speaks of this very item. */
static double judge_weight(const struct entry_contribution *contribution)
{
    return strcmp(contribution->name, "intercept") == 0 ? -1e300 : contribution->logit;
}

/* What the officer reads first: the contributions that raise the score most. */
static void judge_reasons(const struct entry_score *score, struct entry_decision *decision)
{
    bool told[ENTRY_CONTRIBUTIONS_MAX] = {false};
    while (decision->reasons_count < JUDGE_REASONS &&
           decision->reasons_count < score->contributions_count) {
        uint32_t best = ENTRY_CONTRIBUTIONS_MAX;
        for (uint32_t i = 0; i < score->contributions_count; i++) {
            bool better =
                best == ENTRY_CONTRIBUTIONS_MAX ||
                judge_weight(&score->contributions[i]) > judge_weight(&score->contributions[best]);
            if (!told[i] && better) {
                best = i;
            }
        }
        must(best < ENTRY_CONTRIBUTIONS_MAX);
        told[best] = true;
        decision->reasons[decision->reasons_count] = score->contributions[best].words;
        decision->reasons_count++;
    }
}

static void judge_label(const struct join_item *item, const struct score_input *input,
                        char out[RECORD_ID_BYTES_MAX + 1])
{
    enum key_scheme scheme = KEY_UNKNOWN;
    const char *key = item->key;
    if (input->scans_count > 0) {
        key = scan_join_key(input->scans[0].scan, &scheme);
    } else if (input->declarations_count > 0) {
        key = declaration_join_key(input->declarations[0], &scheme);
    }
    bool hidden = key_scheme_is_personal(scheme) || scheme == KEY_UNKNOWN;
    if (hidden || !key_normalise(key, out, RECORD_ID_BYTES_MAX + 1)) {
        (void)snprintf(out, RECORD_ID_BYTES_MAX + 1, "%s", hidden ? item->key : key);
    }
}

static void judge_draft_score(const struct join_item *item, const struct score_result *result,
                              struct entry *entry, struct oversight_draft *draft)
{
    pipeline_entry(entry, ENTRY_SCORE);
    entry->has_item = true;
    memcpy(entry->item, item->id, ITEM_ID_BYTES);
    for (uint32_t i = 0; i < item->parts_count; i++) {
        memcpy(entry->causes[i], item->parts[i].entry_id, ENTRY_ID_BYTES);
    }
    entry->causes_count = item->parts_count;
    entry->body.score = result->score;
    pipeline_draft(entry, draft);
}

static void judge_fill_decision(const struct pipeline *self, const struct join_item *item,
                                const struct decide_verdict *verdict, struct entry_decision *out)
{
    out->decision = verdict->refer ? "refer" : "release";
    out->arm = arm_text(verdict->arm);
    out->propensity = verdict->propensity;
    out->random_rate = verdict->random_rate;
    out->cutoff = verdict->cutoff;
    out->priority = verdict->priority;
    out->capacity_per_hour = verdict->capacity_per_hour;
    out->arrivals_per_hour = verdict->arrivals_per_hour;
    out->rank = verdict->rank;
    out->window_count = verdict->window_count;
    memcpy(out->policy_sha256, self->policy.sha256, HASH_BYTES);
    out->draw_scheme = DRAW_SCHEME;
    out->draw_day = self->draw.day;
    memcpy(out->draw, verdict->draw, HASH_BYTES);
    out->mode = item->mode;
    out->site = item->site;
    out->lane = item->lane;
    out->shadow = verdict->would_refer;
    out->ageing_per_hour = verdict->ageing_per_hour;
    out->perishable_per_hour = verdict->perishable_per_hour;
    out->hold_ended_by = item->complete ? "complete" : "deadline";
}

static struct judge_job *judge_free_job(struct pipeline *self)
{
    for (uint32_t i = 0; i < self->jobs_count; i++) {
        if (!self->jobs[i].in_use) {
            return &self->jobs[i];
        }
    }
    return NULL;
}

struct err judge_collect(struct pipeline *self, int64_t timeout_ns)
{
    void *drafts[PIPELINE_BATCH];
    uint32_t count = queue_take(self->judge_done, drafts, PIPELINE_BATCH, timeout_ns);
    for (uint32_t i = 0; i < count; i++) {
        struct oversight_draft *draft = drafts[i];
        struct judge_job *job = draft->owner;
        must(job->in_use && job->pending > 0);
        job->pending--;
        if (job->pending == 0) {
            stage_took(STAGE_decide, clock_utc_ns() - job->last_part_ns);
            job->in_use = false;
        }
    }
    return oversight_failure(self->oversight);
}

static struct err judge_take_job(struct pipeline *self, struct judge_job **out)
{
    struct judge_job *job = judge_free_job(self);
    while (job == NULL) {
        struct err err = judge_collect(self, 100 * NS_PER_MS);
        if (err_is(err)) {
            return err;
        }
        job = judge_free_job(self);
    }
    job->in_use = true;
    job->pending = 2;
    job->score.owner = job;
    job->score.done = self->judge_done;
    job->decision.owner = job;
    job->decision.done = self->judge_done;
    *out = job;
    return err_none;
}

static void judge_count(const struct decide_verdict *verdict, const struct score_result *result)
{
    bool scorable = result->score.unscorable == NULL || result->score.unscorable[0] == '\0';
    counter_add(scorable ? COUNTER_items_scored : COUNTER_items_unscorable, 1);
    counter_add(verdict->refer ? COUNTER_items_referred : COUNTER_items_released, 1);
}

/* Rows 7 and 8 for one item. */
static struct err judge_decide(struct pipeline *self, struct join_item *item,
                               const struct score_input *input, const struct score_result *result)
{
    struct judge_job *job = NULL;
    struct err err = judge_take_job(self, &job);
    if (err_is(err)) {
        return err;
    }
    struct entry entry;
    judge_draft_score(item, result, &entry, &job->score);
    uint8_t score_id[ENTRY_ID_BYTES];
    memcpy(score_id, entry.id, ENTRY_ID_BYTES);

    bool scorable = result->score.unscorable == NULL || result->score.unscorable[0] == '\0';
    struct decide_input question = {.mode = item->mode,
                                    .site = item->site,
                                    .lane = item->lane,
                                    .scorable = scorable,
                                    .probability = result->score.probability,
                                    .grave = result->score.grave,
                                    .t_ns = clock_utc_ns(),
                                    .draw_key = self->draw.key};
    memcpy(question.item, item->id, ITEM_ID_BYTES);
    struct decide_verdict verdict;
    decide_item(self->decide, &question, &verdict);

    char label[RECORD_ID_BYTES_MAX + 1];
    judge_label(item, input, label);
    pipeline_entry(&entry, ENTRY_REFERRAL_DECISION);
    entry.has_item = true;
    memcpy(entry.item, item->id, ITEM_ID_BYTES);
    memcpy(entry.causes[0], score_id, ENTRY_ID_BYTES);
    entry.causes_count = 1;
    judge_fill_decision(self, item, &verdict, &entry.body.decision);
    entry.body.decision.probability = result->score.probability;
    entry.body.decision.label = label;
    entry.body.decision.draw_stratum = verdict.stratum;
    judge_reasons(&result->score, &entry.body.decision);
    pipeline_draft(&entry, &job->decision);

    job->last_part_ns = item->last_ns;
    struct judge_trace *trace = judge_trace_of(self, entry.id);
    memcpy(trace->decision_id, entry.id, ENTRY_ID_BYTES);
    trace->last_part_ns = job->last_part_ns;
    judge_count(&verdict, result);
    struct oversight_draft *drafts[2] = {&job->score, &job->decision};
    return oversight_submit(self->oversight, drafts, 2);
}

/* Score the first items of the batch as one, decide them, let them go. */
static struct err judge_flush(struct pipeline *self, uint32_t count)
{
    int64_t start_ns = clock_monotonic_ns();
    score_items(self->score, self->inputs, self->results, count);
    stage_took(STAGE_score, clock_monotonic_ns() - start_ns);
    for (uint32_t i = 0; i < count; i++) {
        struct err err = judge_decide(self, self->items[i], &self->inputs[i], &self->results[i]);
        if (err_is(err)) {
            return err;
        }
        join_release(self->join, self->items[i], clock_utc_ns());
    }
    return err_none;
}

static void judge_open_input(struct pipeline *self, uint32_t place)
{
    struct score_input *input = &self->inputs[place];
    input->declarations_count = 0;
    input->scans_count = 0;
    arena_reset(&self->item_arenas[place]);
    for (uint32_t i = 0; i < self->items[place]->parts_count; i++) {
        judge_decode_part(self, place, &self->items[place]->parts[i], input);
    }
}

/* Whether one more item fits into the batch: pixels are bounded by memory, scans by time. */
static bool judge_has_room(const struct pipeline *self, const struct score_input *input,
                           uint64_t used_bytes, uint32_t scans)
{
    return input->scans_count == 0 ||
           (scans + input->scans_count <= (uint32_t)self->conf.judge_scans &&
            judge_payload_bytes(input) <= self->pixels_capacity - used_bytes);
}

struct err judge_items(struct pipeline *self, uint32_t *decided)
{
    uint32_t count =
        join_take_ready(self->join, clock_utc_ns(), self->items, (uint32_t)self->conf.judge_batch);
    uint64_t used_bytes = 0;
    uint32_t scans = 0;
    uint32_t taken = 0;
    struct err err = err_none;
    while (!err_is(err) && taken < count) {
        judge_open_input(self, taken);
        /* The first one is taken whatever it holds: it would never fit better. */
        if (taken > 0 && !judge_has_room(self, &self->inputs[taken], used_bytes, scans)) {
            break;
        }
        scans += self->inputs[taken].scans_count;
        err = judge_load_pixels(self, &self->inputs[taken], &used_bytes);
        taken++;
    }
    for (uint32_t i = count; i > taken; i--) { /* the rest waits in its order */
        join_put_back(self->join, self->items[i - 1]);
    }
    if (!err_is(err) && taken > 0) {
        err = judge_flush(self, taken);
    }
    *decided = taken;
    return err;
}
