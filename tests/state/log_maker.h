/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STATE_LOG_MAKER_H
#define TESTS_STATE_LOG_MAKER_H

/* Log maker: entries as the committer would stamp them, for tests of the read model. One maker is
 * one log. */

#include <stdio.h>
#include <string.h>

#include "proto/entry.h"
#include "state/state.h"

#define LOG_START_NS INT64_C(1790000000000000000)

struct log_maker {
    struct state *state;
    uint64_t next;
    uint64_t sequence;
};

static inline void log_id(uint64_t n, uint8_t out[ENTRY_ID_BYTES])
{
    memset(out, 0x70, ENTRY_ID_BYTES);
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(n >> (56 - 8 * i));
    }
}

static inline void log_item(unsigned number, uint8_t out[ITEM_ID_BYTES])
{
    uint8_t digest[HASH_BYTES];
    sha256_of(&number, sizeof number, digest);
    memcpy(out, digest, ITEM_ID_BYTES);
}

static inline struct entry log_entry(const struct log_maker *log, enum entry_type type)
{
    struct entry entry = {.v = 1,
                          .n = log->next,
                          .t_ns = LOG_START_NS + (int64_t)log->next * 1000000,
                          .type = type,
                          .actor = "daemon"};
    log_id(log->next, entry.id);
    return entry;
}

/* Returns the index of the entry. */
static inline uint64_t log_apply(struct log_maker *log, const struct entry *entry,
                                 const struct state_hint *hint)
{
    struct err err = state_apply(log->state, entry, hint);
    must(!err_is(err));
    return log->next++;
}

struct log_record {
    enum record_kind kind;
    enum mode mode;
    const char *site;
    const char *key;
    const char *record_id;
    uint8_t content; /* fills the digest */
};

static inline uint64_t log_received(struct log_maker *log, const struct log_record *record)
{
    bool is_scan = record->kind == RECORD_SCAN;
    struct entry entry = log_entry(log, is_scan ? ENTRY_SCAN_RECEIVED : ENTRY_DECLARATION_RECEIVED);
    struct entry_received *received = &entry.body.received;
    received->publisher = "gate";
    received->stream = "main";
    received->sequence = log->sequence++;
    received->mode = record->mode;
    received->site = record->site;
    received->lane = "lane1";
    memset(received->record_sha256, record->content, HASH_BYTES);
    received->record_bytes = 100;
    received->record_id = record->record_id;
    received->item_key = record->key; /* stands for the pseudonym: parts records as it does */
    received->acquired_ns = entry.t_ns - 5;
    if (is_scan) {
        received->scanner = "xr1";
        received->scanner_type = "container-portal";
        received->images_count = 2;
        for (uint32_t i = 0; i < 2; i++) {
            received->images[i] = (struct entry_image){.width = 640,
                                                       .height = 480,
                                                       .bits = 16,
                                                       .meaning = PIXEL_TRANSMISSION,
                                                       .energy = i == 0 ? ENERGY_LOW : ENERGY_HIGH,
                                                       .payload_bytes = 614400};
            memset(received->images[i].sha256, (int)(record->content + i), HASH_BYTES);
        }
    }
    struct state_hint hint = {.label = record->key};
    return log_apply(log, &entry, &hint);
}

static inline uint64_t log_refused(struct log_maker *log)
{
    struct entry entry = log_entry(log, ENTRY_RECORD_REFUSED);
    entry.body.refused = (struct entry_refused){.publisher = "gate",
                                                .stream = "main",
                                                .sequence = log->sequence++,
                                                .code = 9,
                                                .name = "image_truncated",
                                                .reason = "payload shorter than its image",
                                                .record_bytes = 7};
    return log_apply(log, &entry, NULL);
}

static inline uint64_t log_score(struct log_maker *log, unsigned item, const uint64_t *records,
                                 uint32_t records_count, double probability)
{
    struct entry entry = log_entry(log, ENTRY_SCORE);
    entry.has_item = true;
    log_item(item, entry.item);
    entry.causes_count = records_count;
    for (uint32_t i = 0; i < records_count; i++) {
        log_id(records[i], entry.causes[i]);
    }
    struct entry_score *score = &entry.body.score;
    score->probability = probability;
    score->logit = probability * 4 - 2;
    score->quality = 0.9;
    score->contributions_count = 4;
    static const char *const names[] = {"intercept", "appearance", "history.importer",
                                        "consistency.weight"};
    for (uint32_t i = 0; i < 4; i++) {
        score->contributions[i] = (struct entry_contribution){
            names[i], 0.25 * (double)i,
            "importer p0123456789abcdef: 3 finds in 41 exams, against 1.2% of all"};
    }
    score->models_count = 2;
    score->models[0].name = "appearance/container-portal";
    score->models[1].name = "history";
    score->regions_count = 1;
    score->regions[0] = (struct entry_region){1, 10, 20, 30, 40, 2.5};
    return log_apply(log, &entry, NULL);
}

struct log_verdict {
    const char *decision;
    const char *arm;
    double probability;
    double priority;
    enum mode mode;
    const char *site;
    const char *label;
};

static inline uint64_t log_decision(struct log_maker *log, unsigned item,
                                    const struct log_verdict *verdict)
{
    struct entry entry = log_entry(log, ENTRY_REFERRAL_DECISION);
    entry.has_item = true;
    log_item(item, entry.item);
    entry.body.decision =
        (struct entry_decision){.decision = verdict->decision,
                                .arm = verdict->arm,
                                .propensity = 0.25,
                                .random_rate = 0.05,
                                .probability = verdict->probability,
                                .cutoff = 0.5,
                                .priority = verdict->priority,
                                .capacity_per_hour = 12,
                                .arrivals_per_hour = 200,
                                .rank = 3,
                                .window_count = 50,
                                .draw_scheme = "hmac-sha256-53bit-v1",
                                .draw_day = "2026-09-21",
                                .mode = verdict->mode,
                                .site = verdict->site,
                                .lane = "lane1",
                                .label = verdict->label,
                                .hold_ended_by = "complete",
                                .draw_stratum = "truck",
                                .reasons_count = 2,
                                .reasons = {"image: a dense region that normal loads do not have",
                                            "history:\nimporter was found twice"}};
    return log_apply(log, &entry, NULL);
}

static inline uint64_t log_action(struct log_maker *log, unsigned item, const char *action,
                                  const char *code, const char *to_state, uint64_t version,
                                  const char *request_id)
{
    struct entry entry = log_entry(log, ENTRY_OFFICER_ACTION);
    entry.has_item = true;
    log_item(item, entry.item);
    entry.actor = "paaaaaaaaaaaaaaaa";
    entry.body.officer_action =
        (struct entry_officer_action){action, code, request_id, version, to_state, ""};
    return log_apply(log, &entry, NULL);
}

static inline uint64_t log_outcome(struct log_maker *log, unsigned item, const char *result,
                                   uint64_t version, const char *request_id)
{
    struct entry entry = log_entry(log, ENTRY_OUTCOME);
    entry.has_item = true;
    log_item(item, entry.item);
    entry.actor = "paaaaaaaaaaaaaaaa";
    entry.body.outcome =
        (struct entry_outcome){.exam_level = "full",
                               .result = result,
                               .seizure_class = strcmp(result, "found") == 0 ? "narcotics" : "",
                               .quantity = 2.5,
                               .unit = "kg",
                               .has_region = true,
                               .image_index = 1,
                               .region_x = 5,
                               .region_y = 6,
                               .region_width = 7,
                               .region_height = 8,
                               .request_id = request_id,
                               .version = version};
    return log_apply(log, &entry, NULL);
}

static inline void log_housekeeping(struct log_maker *log)
{
    struct entry entry = log_entry(log, ENTRY_LOG_OPEN);
    entry.body.log_open.origin = "oversight.test/port/2026";
    log_apply(log, &entry, NULL);
    entry = log_entry(log, ENTRY_CONFIG_CHANGE);
    memset(entry.body.config_change.config_sha256, 0xc0, HASH_BYTES);
    memset(entry.body.config_change.policy_sha256, 0xd0, HASH_BYTES);
    entry.body.config_change.policy_version = "test-1";
    entry.body.config_change.build = "triaged test";
    entry.body.config_change.blas = "OpenBLAS 1 Plain";
    entry.body.config_change.processor = "plain";
    log_apply(log, &entry, NULL);
    entry = log_entry(log, ENTRY_MODEL_CHANGE);
    entry.body.model_change =
        (struct entry_model_change){.name = "history", .file_bytes = 9, .evaluation = "auc 0.7"};
    memset(entry.body.model_change.sha256, 0xe0, HASH_BYTES);
    log_apply(log, &entry, NULL);
    entry = log_entry(log, ENTRY_DRAW_COMMIT);
    entry.body.draw_commit = (struct entry_draw_commit){
        .day = "2026-09-21",
        .scheme = "hmac-sha256-53bit-v1",
        .rates = {{.stratum = "truck", .rate = 0.05}, {.stratum = "*", .rate = 0.01}},
        .rates_count = 2};
    log_apply(log, &entry, NULL);
    entry = log_entry(log, ENTRY_TIME_TICK);
    log_apply(log, &entry, NULL);
}

/* One item from its records to a decision; every tenth is referred. Returns the index of its
 * decision. */
static inline uint64_t log_whole_item(struct log_maker *log, unsigned number)
{
    char key[32];
    char id[32];
    snprintf(key, sizeof key, "KEY%07u", number);
    snprintf(id, sizeof id, "D-%u", number);
    uint64_t record = log_received(log, &(struct log_record){RECORD_DECLARATION, MODE_TRUCK,
                                                             "north", key, id, (uint8_t)number});
    double probability = (double)(number % 97) / 97.0;
    log_score(log, number, &record, 1, probability);
    bool refer = number % 10 == 0;
    return log_decision(log, number,
                        &(struct log_verdict){refer ? "refer" : "release",
                                              refer ? "target" : "none", probability, probability,
                                              MODE_TRUCK, "north", key});
}

#endif
