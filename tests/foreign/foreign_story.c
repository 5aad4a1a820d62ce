/* SPDX-License-Identifier: Apache-2.0 */
#include "foreign_story.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* Entry 1 commits the day's draw, with rate 0: nobody is drawn and the key need not be known. From
 * then on eight entries are one item: declaration, scan, score, decision, if it is referred action
 * and outcome, and beside it refusals and ticks. */

#define STORY_T_NS INT64_C(1789982400000000000) /* 2026-09-21 */
#define STORY_DAY "2026-09-21"
#define STORY_FIRST 2u
#define STORY_TURN 8u

void story_init(struct story *self)
{
    self->fork_at = UINT64_MAX;
}

void story_fork(struct story *self, uint64_t at)
{
    self->fork_at = at;
}

static uint8_t story_branch(const struct story *self, uint64_t index)
{
    return index >= self->fork_at ? 1 : 0;
}

static void story_id(const struct story *self, uint64_t index, uint8_t out[ENTRY_ID_BYTES])
{
    uint8_t random[10] = {0};
    random[2] = story_branch(self, index);
    for (uint32_t i = 0; i < 7; i++) {
        random[9 - i] = (uint8_t)(index >> (8 * i));
    }
    uuid7_make(STORY_T_NS, random, out);
}

static void story_received(uint64_t index, bool is_scan, struct entry *entry)
{
    static char record_id[32];
    struct entry_received *received = &entry->body.received;
    entry->type = is_scan ? ENTRY_SCAN_RECEIVED : ENTRY_DECLARATION_RECEIVED;
    (void)snprintf(record_id, sizeof record_id, "S-%llu", (unsigned long long)index);
    *received = (struct entry_received){.publisher = is_scan ? "portal" : "manifest",
                                        .stream = "a",
                                        .sequence = index,
                                        .mode = MODE_TRUCK,
                                        .site = "port-1",
                                        .lane = "3",
                                        .record_bytes = 100 + index,
                                        .record_id = record_id,
                                        .item_key = "p0011223344556677"};
    sha256_of(&index, sizeof index, received->record_sha256);
    if (is_scan) {
        received->scanner = "portal-1";
        received->scanner_type = "container-portal";
        received->acquired_ns = STORY_T_NS + (int64_t)index;
    }
}

static double story_score(uint64_t item_number, struct entry_score *score)
{
    static const char *const words[] = {"unusual shape in the load", "importer known",
                                        "Masse wie erklärt"};
    double logit = (double)(item_number % 16) / 4 - 2;
    score->contributions[0] = (struct entry_contribution){"appearance", logit + 1, words[0]};
    score->contributions[1] = (struct entry_contribution){"history", -1, words[1]};
    score->contributions_count = 2;
    if (item_number % 3 == 0) { /* entries of different lengths */
        score->contributions[2] = (struct entry_contribution){"mass", 0, words[2]};
        score->contributions_count = 3;
    }
    score->logit = logit;
    score->probability = 1 / (1 + exp(-logit));
    score->models[0].name = "appearance/container-portal";
    memset(score->models[0].sha256, 0xab, HASH_BYTES);
    score->models_count = 1;
    score->quality = 0.875;
    return score->probability;
}

static bool story_refers(uint64_t item_number)
{
    return item_number % 16 > 8;
}

static void story_decision(uint64_t item_number, struct entry *entry)
{
    struct entry_decision *decision = &entry->body.decision;
    struct entry_score score = {.quality = 0};
    bool refer = story_refers(item_number);
    decision->decision = refer ? "refer" : "release";
    decision->arm = refer ? "target" : "none";
    decision->propensity = refer ? 1 : 0;
    decision->probability = story_score(item_number, &score);
    decision->cutoff = 0.53; /* between those of item 8 and 9 */
    decision->draw_scheme = "hmac-sha256-53bit-v1";
    decision->draw_day = STORY_DAY;
    decision->draw_stratum = "truck/port-1/3";
    decision->reasons[0] = "unusual shape in the load";
    decision->reasons_count = 1;
    decision->label = "truck, lane 3";
    decision->mode = MODE_TRUCK;
    decision->site = "port-1";
    decision->lane = "3";
    decision->hold_ended_by = "complete";
}

static void story_cause(const struct story *self, struct entry *entry, uint64_t cause)
{
    story_id(self, cause, entry->causes[entry->causes_count++]);
}

/* One of the eight entries of an item. */
static void story_turn(const struct story *self, uint64_t index, struct entry *entry)
{
    uint64_t turn = (index - STORY_FIRST) % STORY_TURN;
    uint64_t item_number = (index - STORY_FIRST) / STORY_TURN;
    if (turn >= 4 && !story_refers(item_number)) {
        turn = 6 + turn % 2; /* nobody acts on what was released */
    }
    if (turn >= 2 && turn <= 5) {
        entry->has_item = true;
        memcpy(entry->item, &item_number, sizeof item_number);
        entry->item[15] = 0x77;
        /* an outcome follows from the decision, not from the claim in between */
        story_cause(self, entry, index - (turn == 5 ? 2 : 1));
    }
    switch (turn) {
    case 0:
    case 1:
        story_received(index, turn == 1, entry);
        break;
    case 2:
        entry->type = ENTRY_SCORE;
        story_cause(self, entry, index - 2);
        (void)story_score(item_number, &entry->body.score);
        break;
    case 3:
        entry->type = ENTRY_REFERRAL_DECISION;
        story_decision(item_number, entry);
        break;
    case 4:
        entry->type = ENTRY_OFFICER_ACTION;
        entry->actor = "p0123456789abcdef";
        entry->body.officer_action = (struct entry_officer_action){
            .action = "claim", .request_id = "r-1", .version = 2, .to_state = "in_exam"};
        break;
    case 5:
        entry->type = ENTRY_OUTCOME;
        story_cause(self, entry, index - 2); /* the decision */
        entry->body.outcome = (struct entry_outcome){
            .exam_level = "full", .result = "nothing_found", .request_id = "r-2", .version = 3};
        break;
    case 6:
        entry->type = ENTRY_RECORD_REFUSED;
        entry->body.refused = (struct entry_refused){.publisher = "portal",
                                                     .stream = "a",
                                                     .sequence = index,
                                                     .code = 8,
                                                     .name = "empty_image",
                                                     .reason = "scan without images",
                                                     .record_bytes = 10};
        break;
    default:
        entry->type = ENTRY_TIME_TICK;
        entry->body.time_tick = (struct entry_time_tick){.received_scans = item_number + 1,
                                                         .received_declarations = item_number + 1,
                                                         .refused = item_number + 1};
        break;
    }
}

uint32_t story_rest(const struct story *self, uint64_t index, uint8_t *out, size_t out_capacity)
{
    struct entry entry = {.actor = "daemon"};
    story_id(self, index, entry.id);
    if (index < STORY_FIRST) {
        entry.type = ENTRY_DRAW_COMMIT;
        struct entry_draw_commit *commit = &entry.body.draw_commit;
        commit->day = STORY_DAY;
        commit->scheme = "hmac-sha256-53bit-v1";
        memset(commit->commitment, 0x5a, HASH_BYTES);
        commit->rates[0] = (struct entry_rate){.stratum = "*", .rate = 0};
        commit->rates_count = 1;
    } else {
        story_turn(self, index, &entry);
    }
    size_t rest_bytes = entry_encode_rest(&entry, out, out_capacity);
    must(rest_bytes > 0);
    return (uint32_t)rest_bytes;
}
