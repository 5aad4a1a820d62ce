/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PROTO_ENTRY_SAMPLES_H
#define TESTS_PROTO_ENTRY_SAMPLES_H

/* One entry of every type with every field set to something of its own, for the tests that encode
 * entries. The values are repeated in decode_entry.py, which must find them without our decoder. */

#include <string.h>

#include "proto/entry.h"

#define SAMPLE_N 70000u
#define SAMPLE_T_NS INT64_C(1767225600123456789)

static const enum entry_type sample_types[] = {
    ENTRY_LOG_OPEN,
    ENTRY_CONFIG_CHANGE,
    ENTRY_MODEL_CHANGE,
    ENTRY_SCAN_RECEIVED,
    ENTRY_DECLARATION_RECEIVED,
    ENTRY_RECORD_REFUSED,
    ENTRY_SCORE,
    ENTRY_REFERRAL_DECISION,
    ENTRY_OFFICER_ACTION,
    ENTRY_OUTCOME,
    ENTRY_ARCHIVE_SEAL,
    ENTRY_WAL_RECOVERED,
    ENTRY_TIME_TICK,
    ENTRY_DRAW_COMMIT,
    ENTRY_DRAW_REVEAL,
    ENTRY_LOG_CLOSE,
    ENTRY_KEY_ROTATE,
    ENTRY_ACCESS,
    ENTRY_BLOB_DISCARD,
    ENTRY_REDACT,
    ENTRY_WITNESS_RECEIPT,
    ENTRY_ARCHIVE_COPIED,
    ENTRY_HOLD,
    ENTRY_OPERATION,
    ENTRY_SHADOW_SCORE,
};
#define SAMPLE_TYPES_COUNT (sizeof sample_types / sizeof sample_types[0])

static inline void sample_digest(uint8_t first, uint8_t out[HASH_BYTES])
{
    for (unsigned i = 0; i < HASH_BYTES; i++) {
        out[i] = (uint8_t)(first + i);
    }
}

static inline void sample_received_fill(struct entry_received *out, bool is_scan)
{
    *out = (struct entry_received){.publisher = "gate-west",
                                   .stream = "lane-3",
                                   .sequence = 41,
                                   .mode = MODE_TRUCK,
                                   .site = "port-1",
                                   .lane = "3",
                                   .record_bytes = 4242,
                                   .record_id = "S-1",
                                   .item_key = "p0011223344556677",
                                   .scanner = is_scan ? "x1" : "",
                                   .scanner_type = is_scan ? "container-portal" : "",
                                   .acquired_ns = is_scan ? SAMPLE_T_NS - 1 : 0,
                                   .images_count = is_scan ? 2 : 0};
    sample_digest(0x10, out->record_sha256);
    for (uint32_t i = 0; i < out->images_count; i++) {
        out->images[i] = (struct entry_image){.width = 640 + i,
                                              .height = 480,
                                              .bits = 16,
                                              .meaning = PIXEL_TRANSMISSION,
                                              .energy = ENERGY_LOW,
                                              .view = i,
                                              .payload_bytes = (uint64_t)(640 + i) * 480 * 2};
        sample_digest((uint8_t)(0x20 + i), out->images[i].sha256);
    }
}

static inline void sample_score_fill(struct entry_score *out)
{
    *out = (struct entry_score){.probability = 0.1,
                                .logit = -2.1972245773362196,
                                .contributions_count = 3,
                                .models_count = 2,
                                .regions_count = 2,
                                .inputs_count = 1,
                                .unscorable = "",
                                .quality = 0.75,
                                .grave = 0.0625};
    out->contributions[0] =
        (struct entry_contribution){"appearance", 1e-07, "unusual shape in the load"};
    out->contributions[1] = (struct entry_contribution){"mass", -2.5, "Masse wie erklärt"};
    out->contributions[2] = (struct entry_contribution){"history", 0.0, ""};
    out->models[0].name = "appearance/container-portal";
    out->models[1].name = "fusion";
    sample_digest(0x30, out->models[0].sha256);
    sample_digest(0x31, out->models[1].sha256);
    static const float values[] = {0.0f, -1.5f, 0.1f, 3e-39f};
    out->inputs[0] = (struct entry_inputs){1, values, sizeof values / sizeof values[0]};
    out->regions[0] = (struct entry_region){0, 1, 2, 3, 4, 0.5};
    out->regions[1] = (struct entry_region){1, 5, 6, 7, 8, 0.25};
}

static inline void sample_decision_fill(struct entry_decision *out)
{
    *out = (struct entry_decision){.decision = "refer",
                                   .arm = "both",
                                   .propensity = 0.3,
                                   .random_rate = 0.02,
                                   .probability = 0.1,
                                   .cutoff = 0.0625,
                                   .priority = 1234.5,
                                   .capacity_per_hour = 12,
                                   .arrivals_per_hour = 480.5,
                                   .rank = 3,
                                   .window_count = 480,
                                   .draw_scheme = "hmac-sha256/1",
                                   .draw_day = "2026-01-01",
                                   .reasons_count = 2,
                                   .label = "CSQU 3054383",
                                   .mode = MODE_TRUCK,
                                   .site = "port-1",
                                   .lane = "3",
                                   .hold_ended_by = "complete",
                                   .draw_stratum = "truck/port-1/3",
                                   .shadow = true,
                                   .ageing_per_hour = 0.25,
                                   .perishable_per_hour = 0.5};
    out->reasons[0] = "unusual shape in the load";
    out->reasons[1] = "drawn at random";
    sample_digest(0x40, out->policy_sha256);
    sample_digest(0x50, out->draw);
}

static inline void sample_small_fill(struct entry *out)
{
    static const uint8_t previous[] = "origin\n5\n";
    switch ((int)out->type) {
    case ENTRY_LOG_OPEN:
        out->body.log_open =
            (struct entry_log_open){.origin = "oversight.example.org/port/2026",
                                    .format_version = 1,
                                    .previous_checkpoint = previous,
                                    .previous_checkpoint_bytes = sizeof previous - 1,
                                    .first_n = 69000};
        sample_digest(0x60, out->body.log_open.schema_sha256);
        break;
    case ENTRY_CONFIG_CHANGE:
        out->body.config_change.policy_version = "2026-01";
        out->body.config_change.build = "triaged 1.0";
        out->body.config_change.blas = "OpenBLAS 0.3.21 Haswell";
        out->body.config_change.libm = "glibc 2.36";
        out->body.config_change.processor = "avx2 fma";
        out->body.config_change.reason = "more trucks";
        out->body.config_change.target = "shadow";
        out->body.config_change.arm_hidden = true;
        sample_digest(0x61, out->body.config_change.config_sha256);
        sample_digest(0x62, out->body.config_change.policy_sha256);
        break;
    case ENTRY_MODEL_CHANGE:
        out->body.model_change = (struct entry_model_change){.name = "history",
                                                             .file_bytes = 123456,
                                                             .evaluation = "auc 0.91",
                                                             .reason = "newer",
                                                             .figures = "rank correlation 0.9",
                                                             .removed = true,
                                                             .promoted = true};
        sample_digest(0x63, out->body.model_change.sha256);
        break;
    case ENTRY_RECORD_REFUSED:
        out->body.refused = (struct entry_refused){.publisher = "gate-west",
                                                   .stream = "lane-3",
                                                   .sequence = 42,
                                                   .code = 7,
                                                   .name = "no_site",
                                                   .reason = "site",
                                                   .record_bytes = 17,
                                                   .quarantined = true};
        sample_digest(0x64, out->body.refused.record_sha256);
        break;
    case ENTRY_OFFICER_ACTION:
        out->body.officer_action = (struct entry_officer_action){.action = "release",
                                                                 .code = "wrong-lane",
                                                                 .request_id = "r-1",
                                                                 .version = 3,
                                                                 .to_state = "waived",
                                                                 .reason = "smelt of paint"};
        break;
    case ENTRY_OUTCOME:
        out->body.outcome = (struct entry_outcome){.exam_level = "full",
                                                   .result = "found",
                                                   .seizure_class = "tobacco",
                                                   .quantity = 12.5,
                                                   .unit = "kg",
                                                   .has_region = true,
                                                   .image_index = 1,
                                                   .region_x = 2,
                                                   .region_y = 3,
                                                   .region_width = 4,
                                                   .region_height = 5,
                                                   .request_id = "r-2",
                                                   .version = 4,
                                                   .again = "correction",
                                                   .code = "weighed",
                                                   .corrects = 7,
                                                   .aside = true};
        break;
    default:
        break;
    }
}

static inline void sample_machine_fill(struct entry *out)
{
    switch ((int)out->type) {
    case ENTRY_ARCHIVE_SEAL:
        out->body.archive_seal =
            (struct entry_archive_seal){.path = "2026/01/01/000001.h5",
                                        .file_bytes = 1u << 30,
                                        .first_index = 1,
                                        .last_index = 69999,
                                        .hdf5_version = "1.10.8",
                                        .filters = "shuffle,deflate,fletcher32"};
        sample_digest(0x65, out->body.archive_seal.sha256);
        sample_digest(0x6d, out->body.archive_seal.metrics_sha256);
        break;
    case ENTRY_WAL_RECOVERED:
        out->body.wal_recovered.torn_bytes = 512;
        sample_digest(0x66, out->body.wal_recovered.torn_sha256);
        break;
    case ENTRY_TIME_TICK:
        out->body.time_tick = (struct entry_time_tick){.received_scans = 1,
                                                       .received_declarations = 2,
                                                       .refused = 3,
                                                       .undecided = 4,
                                                       .capacity_count = 1};
        out->body.time_tick.capacity[0] = (struct entry_capacity){
            MODE_TRUCK, "port-1", 12, 480.5, 0.25, 7, 24, 8, 2, 1, 5, 3, 0.75, 0.125, 1};
        break;
    case ENTRY_DRAW_COMMIT:
        out->body.draw_commit = (struct entry_draw_commit){
            .day = "2026-01-02", .scheme = "hmac-sha256/1", .rates_count = 2};
        sample_digest(0x67, out->body.draw_commit.commitment);
        out->body.draw_commit.rates[0] = (struct entry_rate){"truck", 0.02, true, 0.01, "drift"};
        out->body.draw_commit.rates[1] = (struct entry_rate){.stratum = "*", .rate = 0.005};
        break;
    case ENTRY_DRAW_REVEAL:
        out->body.draw_reveal.day = "2026-01-01";
        sample_digest(0x68, out->body.draw_reveal.key);
        break;
    default:
        break;
    }
}

static inline void sample_keeping_fill(struct entry *out)
{
    static uint8_t digests[2][HASH_BYTES];
    sample_digest(0x70, digests[0]);
    sample_digest(0x71, digests[1]);
    const uint8_t(*listed)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])digests;
    switch ((int)out->type) {
    case ENTRY_LOG_CLOSE:
        out->body.log_close = (struct entry_log_close){"year", "oversight.example.org/port/2027"};
        break;
    case ENTRY_KEY_ROTATE:
        out->body.key_rotate =
            (struct entry_key_rotate){"old+00000000+AQ==", "new+00000001+AQ==", "planned"};
        break;
    case ENTRY_ACCESS:
        out->body.access = (struct entry_access){.purpose = "appeal 17",
                                                 .entry_index = {12, 345},
                                                 .entries_count = 2,
                                                 .names = {"record", "plate"},
                                                 .names_count = 2,
                                                 .request_id = "r-3"};
        break;
    case ENTRY_BLOB_DISCARD:
        out->body.blob_discard =
            (struct entry_blob_discard){listed, 2, "retention", "2026/01/01/a.h5"};
        break;
    case ENTRY_REDACT:
        out->body.redact = (struct entry_redact){.entry_index = {12},
                                                 .entries_count = 1,
                                                 .digests = listed,
                                                 .digests_count = 2,
                                                 .legal_basis = "GDPR Art. 17(1)(d)",
                                                 .request_id = "r-4"};
        break;
    case ENTRY_WITNESS_RECEIPT:
        out->body.witness_receipt = (struct entry_witness_receipt){
            .witness = "lab.example/w1", .size = 69000, .line = "\u2014 lab.example/w1 AAAA"};
        sample_digest(0x72, out->body.witness_receipt.root);
        break;
    case ENTRY_ARCHIVE_COPIED:
        out->body.archive_copied = (struct entry_archive_copied){.path = "2026/01/01/a.h5",
                                                                 .file_bytes = 123456789,
                                                                 .place = "/mnt/second/archive",
                                                                 .same_device = true};
        sample_digest(0x73, out->body.archive_copied.sha256);
        break;
    case ENTRY_HOLD:
        out->body.hold = (struct entry_hold){true, "court order 12/2026", "r-5"};
        break;
    case ENTRY_OPERATION:
        out->body.operation = (struct entry_operation){.name = "lanes-3-4",
                                                       .step = "register",
                                                       .mode = MODE_TRUCK,
                                                       .site = "north",
                                                       .lane = "3",
                                                       .from_ns = 1767225600000000000,
                                                       .to_ns = 1769904000000000000,
                                                       .hypothesis = "more than by chance",
                                                       .metric = "hit_rate",
                                                       .comparator = "random",
                                                       .stop_rule = "200 exams",
                                                       .reason = "done",
                                                       .numerator = 3,
                                                       .denominator = 40,
                                                       .comparator_numerator = 1,
                                                       .comparator_denominator = 50,
                                                       .request_id = "r-6"};
        break;
    default:
        break;
    }
}

static inline void entry_sample(enum entry_type type, struct entry *out)
{
    static const uint8_t random[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    memset(out, 0, sizeof *out);
    out->v = ENTRY_VERSION;
    out->n = SAMPLE_N;
    out->t_ns = SAMPLE_T_NS;
    out->type = type;
    out->actor = "daemon";
    uuid7_make(SAMPLE_T_NS, random, out->id);
    out->has_item = type == ENTRY_SHADOW_SCORE || type == ENTRY_SCORE ||
                    type == ENTRY_REFERRAL_DECISION || type == ENTRY_OUTCOME;
    if (out->has_item) {
        memset(out->item, 0xab, sizeof out->item);
    }
    out->causes_count = 2;
    if (type == ENTRY_DECLARATION_RECEIVED) {
        out->sd_count = 2;
        sample_digest(0x80, out->sd[0]);
        sample_digest(0x81, out->sd[1]);
    }
    memset(out->causes[0], 0x01, ENTRY_ID_BYTES);
    memset(out->causes[1], 0x02, ENTRY_ID_BYTES);
    if (type == ENTRY_SCAN_RECEIVED || type == ENTRY_DECLARATION_RECEIVED) {
        sample_received_fill(&out->body.received, type == ENTRY_SCAN_RECEIVED);
    } else if (type == ENTRY_SCORE) {
        sample_score_fill(&out->body.score);
    } else if (type == ENTRY_SHADOW_SCORE) {
        out->body.shadow_score.place = "appearance/container-portal";
        sample_digest(0x74, out->body.shadow_score.sha256);
        sample_score_fill(&out->body.shadow_score.score);
    } else if (type == ENTRY_REFERRAL_DECISION) {
        sample_decision_fill(&out->body.decision);
    } else {
        sample_small_fill(out);
        sample_machine_fill(out);
        sample_keeping_fill(out);
    }
}

/* Stamp and rest together, as the committer lays them down; 0 when they do not fit. */
static inline size_t entry_sample_encode(const struct entry *entry, uint8_t *out,
                                         size_t out_capacity)
{
    size_t stamp_bytes = entry_encode_stamp(entry->n, entry->t_ns, out, out_capacity);
    size_t rest_bytes = entry_encode_rest(entry, out + stamp_bytes, out_capacity - stamp_bytes);
    return stamp_bytes == 0 || rest_bytes == 0 ? 0 : stamp_bytes + rest_bytes;
}

#endif
