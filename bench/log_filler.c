/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/log_filler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "bench/figure.h"

/* Proportions and sizes are those of a demo's log: a record, a score and a decision for nearly
 * every item, about 500 bytes an entry. Of 32 items 24 are declarations alone, 7 scans alone and
 * one has both; every fifth is referred and half of these end. */

enum { FILLER_CONTRIBUTIONS = 10, FILLER_TICK_EVERY = 3000 };

#define FILLER_DAY "2026-11-21"
#define FILLER_RATE 0.02

struct log_filler {
    uint64_t entries;
    uint64_t items;
    uint64_t scans;
    uint64_t declarations;
    uint32_t at; /* step of the item under work */
    bool has_scan;
    bool has_declaration;
    bool referred;
    bool ends;
    uint8_t draw_key[HASH_BYTES];
    uint8_t item[ITEM_ID_BYTES];
    uint8_t record_ids[2][ENTRY_ID_BYTES];
    uint32_t records_count;
    uint8_t score_id[ENTRY_ID_BYTES];
    uint8_t decision_id[ENTRY_ID_BYTES];
    double probability;
    char words[FILLER_CONTRIBUTIONS][96];
};

static const char *const filler_names[FILLER_CONTRIBUTIONS] = {
    "base rate",          "history.importer", "history.origin_hs6", "history.importer_hs6_origin",
    "history.seller_hs6", "history.hs6",      "history.hs4",        "history.declarant_importer",
    "history.rest",       "appearance",
};

struct log_filler *log_filler_open(void)
{
    struct log_filler *self = calloc(1, sizeof *self);
    bench_check(self != NULL, "no memory");
    memset(self->draw_key, 0x3d, sizeof self->draw_key);
    return self;
}

void log_filler_close(struct log_filler **self)
{
    free(*self);
    *self = NULL;
}

static void filler_put(struct log_filler *self, struct entry *entry, struct oversight_draft *draft)
{
    entry->actor = entry->actor == NULL ? "daemon" : entry->actor;
    size_t rest_bytes = entry_encode_rest(entry, draft->rest, sizeof draft->rest);
    must(rest_bytes > 0);
    draft->rest_bytes = (uint32_t)rest_bytes;
    self->entries++;
}

static void filler_received(struct log_filler *self, bool is_scan, struct oversight_draft *draft)
{
    struct entry entry = {.type = is_scan ? ENTRY_SCAN_RECEIVED : ENTRY_DECLARATION_RECEIVED};
    struct entry_received *received = &entry.body.received;
    char record_id[32];
    random_uuid7(entry.id);
    (void)snprintf(record_id, sizeof record_id, "p%016llx", (unsigned long long)self->items);
    *received = (struct entry_received){.publisher = is_scan ? "gate-west" : "manifest",
                                        .stream = "lane-3",
                                        .sequence = is_scan ? self->scans : self->declarations,
                                        .mode = MODE_MAIL,
                                        .site = "port-1",
                                        .record_bytes = 412,
                                        .record_id = record_id,
                                        .item_key = record_id};
    sha256_of(entry.id, sizeof entry.id, received->record_sha256);
    if (is_scan) {
        received->scanner = "line-2";
        received->scanner_type = "parcel-line";
        received->acquired_ns = INT64_C(1795298368110081331);
        received->images_count = 1;
        received->images[0] = (struct entry_image){.width = 640,
                                                   .height = 480,
                                                   .bits = 16,
                                                   .meaning = PIXEL_TRANSMISSION,
                                                   .energy = ENERGY_HIGH,
                                                   .payload_bytes = 614400};
        sha256_of(received->record_sha256, HASH_BYTES, received->images[0].sha256);
    }
    self->scans += is_scan;
    self->declarations += !is_scan;
    memcpy(self->record_ids[self->records_count++], entry.id, ENTRY_ID_BYTES);
    filler_put(self, &entry, draft);
}

static void filler_score(struct log_filler *self, struct oversight_draft *draft)
{
    struct entry entry = {.type = ENTRY_SCORE, .has_item = true};
    struct entry_score *score = &entry.body.score;
    random_uuid7(entry.id);
    memcpy(self->score_id, entry.id, ENTRY_ID_BYTES);
    memcpy(entry.item, self->item, ITEM_ID_BYTES);
    memcpy(entry.causes, self->record_ids, sizeof self->record_ids);
    entry.causes_count = self->records_count;
    score->contributions_count = self->has_scan ? FILLER_CONTRIBUTIONS : 6;
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        uint64_t number = self->items * 31 + i;
        (void)snprintf(self->words[i], sizeof self->words[i],
                       i % 3 == 0 ? "importer p%016llx: %llu finds in %llu exams"
                                  : "HS %04llx: %llu finds in %llu exams",
                       (unsigned long long)(number * UINT64_C(0x9e3779b97f4a7c15)) >>
                           (i % 3 == 0 ? 0 : 48),
                       (unsigned long long)(number % 7), (unsigned long long)(number % 581 + 7));
        score->contributions[i].name = filler_names[i];
        score->contributions[i].words = self->words[i];
        score->contributions[i].logit = i > 0 ? sin((double)number) / 3 : -2.0631302256296333;
        score->logit += score->contributions[i].logit;
    }
    score->probability = 1 / (1 + exp(-score->logit));
    self->probability = score->probability;
    static const char *const models[] = {"fusion", "history", "appearance/parcel-line"};
    score->models_count = self->has_scan ? 3 : 2;
    for (uint32_t i = 0; i < score->models_count; i++) {
        score->models[i].name = models[i];
        memset(score->models[i].sha256, (int)(0x80 + i), HASH_BYTES);
    }
    score->regions_count = self->has_scan ? 2 : 0;
    for (uint32_t i = 0; i < score->regions_count; i++) {
        score->regions[i] = (struct entry_region){0, 496, 112 + i, 16, 48, 9.035637855529785};
    }
    score->quality = 1;
    filler_put(self, &entry, draft);
}

static void filler_decision(struct log_filler *self, struct oversight_draft *draft)
{
    struct entry entry = {.type = ENTRY_REFERRAL_DECISION, .has_item = true, .causes_count = 1};
    struct entry_decision *decision = &entry.body.decision;
    uint64_t first_bits = 0;
    char label[32];
    random_uuid7(entry.id);
    memcpy(self->decision_id, entry.id, ENTRY_ID_BYTES);
    memcpy(entry.item, self->item, ITEM_ID_BYTES);
    memcpy(entry.causes[0], self->score_id, ENTRY_ID_BYTES);
    hmac_sha256_of(self->draw_key, HASH_BYTES, self->item, ITEM_ID_BYTES, decision->draw);
    for (uint32_t i = 0; i < 8; i++) {
        first_bits = first_bits << 8 | decision->draw[i];
    }
    bool drawn = (double)(first_bits >> 11) * 0x1p-53 < FILLER_RATE;
    bool targeted = self->items % 5 == 0;
    self->referred = drawn || targeted;
    decision->decision = self->referred ? "refer" : "release";
    decision->arm = drawn && targeted ? "both" : drawn ? "random" : targeted ? "target" : "none";
    decision->propensity = targeted ? 1 : FILLER_RATE;
    decision->random_rate = FILLER_RATE;
    decision->probability = self->probability;
    decision->cutoff = 0.05;
    decision->priority = self->probability;
    decision->capacity_per_hour = 1200;
    decision->arrivals_per_hour = 60;
    decision->rank = self->items % 97 + 1;
    decision->window_count = 97;
    memset(decision->policy_sha256, 0x62, HASH_BYTES);
    decision->draw_scheme = "hmac-sha256-53bit-v1";
    decision->draw_day = FILLER_DAY;
    decision->draw_stratum = "mail";
    for (uint32_t i = 0; i < 3; i++) {
        decision->reasons[i] = self->words[i];
    }
    decision->reasons_count = 3;
    (void)snprintf(label, sizeof label, "RR%09lluNL", (unsigned long long)self->items);
    decision->label = label;
    decision->mode = MODE_MAIL;
    decision->site = "port-1";
    decision->hold_ended_by = "complete";
    filler_put(self, &entry, draft);
}

static void filler_officer(struct log_filler *self, bool is_outcome, struct oversight_draft *draft)
{
    struct entry entry = {.type = is_outcome ? ENTRY_OUTCOME : ENTRY_OFFICER_ACTION,
                          .has_item = true,
                          .causes_count = 1,
                          .actor = "p7156d3f3d6beabac"};
    random_uuid7(entry.id);
    memcpy(entry.item, self->item, ITEM_ID_BYTES);
    memcpy(entry.causes[0], self->decision_id, ENTRY_ID_BYTES);
    if (is_outcome) {
        entry.body.outcome =
            (struct entry_outcome){.exam_level = "full",
                                   .result = "nothing_found",
                                   .request_id = "01a2001f-dc31-726b-8de0-07161670a015",
                                   .version = 3};
    } else {
        entry.body.officer_action =
            (struct entry_officer_action){.action = "claim",
                                          .request_id = "01a2001f-dc17-7f68-ae2f-7d29187d09b8",
                                          .version = 2,
                                          .to_state = "in_exam"};
    }
    filler_put(self, &entry, draft);
}

static void filler_tick(struct log_filler *self, struct oversight_draft *draft)
{
    struct entry entry = {.type = ENTRY_TIME_TICK};
    random_uuid7(entry.id);
    entry.body.time_tick.received_scans = self->scans;
    entry.body.time_tick.received_declarations = self->declarations;
    filler_put(self, &entry, draft);
}

/* What a log begins with: configuration, models, the coin of the day. */
static void filler_begin(struct log_filler *self, struct oversight_draft *draft)
{
    static const struct entry_rate rate = {.stratum = "mail", .rate = FILLER_RATE};
    struct entry entry = {.type = ENTRY_CONFIG_CHANGE};
    random_uuid7(entry.id);
    if (self->entries == 0) {
        memset(entry.body.config_change.config_sha256, 0x61, HASH_BYTES);
        memset(entry.body.config_change.policy_sha256, 0x62, HASH_BYTES);
        entry.body.config_change.policy_version = "bench-1";
    } else if (self->entries == 1) {
        entry.type = ENTRY_DRAW_COMMIT;
        struct entry_draw_commit *commit = &entry.body.draw_commit;
        commit->day = FILLER_DAY;
        commit->scheme = "hmac-sha256-53bit-v1";
        sha256_of(self->draw_key, HASH_BYTES, commit->commitment);
        commit->rates[0] = rate;
        commit->rates_count = 1;
    } else {
        static const char *const models[] = {"fusion", "history", "appearance/parcel-line"};
        entry.type = ENTRY_MODEL_CHANGE;
        entry.body.model_change.name = models[self->entries - 2];
        memset(entry.body.model_change.sha256, (int)(0x80 + self->entries - 2), HASH_BYTES);
        entry.body.model_change.file_bytes = 1120020;
    }
    filler_put(self, &entry, draft);
}

static void filler_new_item(struct log_filler *self)
{
    uint64_t kind = self->items % 32;
    self->items++;
    self->has_declaration = kind < 25;
    self->has_scan = kind >= 24;
    self->records_count = 0;
    self->ends = self->items % 10 == 0;
    random_bytes(self->item, sizeof self->item);
    self->at = 0;
}

void log_filler_next(struct log_filler *self, struct oversight_draft *draft)
{
    if (self->entries < 5) {
        filler_begin(self, draft);
        return;
    }
    if (self->entries % FILLER_TICK_EVERY == 0) {
        filler_tick(self, draft);
        return;
    }
    bool over =
        self->items == 0 || self->at == 6 || (self->at == 4 && !(self->referred && self->ends));
    if (over) {
        filler_new_item(self);
    }
    if (self->at == 0) {
        self->at = self->has_declaration && self->has_scan ? 1 : 2;
        filler_received(self, !self->has_declaration, draft);
    } else if (self->at == 1) {
        self->at = 2;
        filler_received(self, true, draft);
    } else if (self->at == 2) {
        self->at = 3;
        filler_score(self, draft);
    } else if (self->at == 3) {
        self->at = 4;
        filler_decision(self, draft);
    } else {
        filler_officer(self, self->at == 5, draft);
        self->at++;
    }
}

void log_filler_reveal(struct log_filler *self, struct oversight_draft *draft)
{
    struct entry entry = {.type = ENTRY_DRAW_REVEAL};
    random_uuid7(entry.id);
    entry.body.draw_reveal.day = FILLER_DAY;
    memcpy(entry.body.draw_reveal.key, self->draw_key, HASH_BYTES);
    filler_put(self, &entry, draft);
}
