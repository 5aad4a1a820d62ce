/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/entry.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/proto/entry_samples.h"

static uint8_t arena_bytes[ENTRY_ARENA_BYTES];
static uint8_t encoded[65536 * 2];

static enum entry_fault bytes_try(const uint8_t *bytes, size_t bytes_count, struct entry *out)
{
    struct arena arena;
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    uint8_t *exact = malloc(bytes_count == 0 ? 1 : bytes_count);
    assert_non_null(exact);
    memcpy(exact, bytes, bytes_count);
    enum entry_fault fault = entry_decode(exact, bytes_count, &arena, out);
    memset(exact, 0xee, bytes_count); /* nothing decoded may point into the input */
    free(exact);
    return fault;
}

static void every_type_encodes_the_same_after_a_round(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_TYPES_COUNT; i++) {
        struct entry in;
        struct entry out;
        uint8_t again[ENTRY_BYTES_MAX];
        entry_sample(sample_types[i], &in);
        size_t bytes = entry_sample_encode(&in, encoded, ENTRY_BYTES_MAX);
        assert_int_not_equal(bytes, 0);
        assert_int_equal(bytes_try(encoded, bytes, &out), ENTRY_GOOD);
        assert_int_equal(out.v, ENTRY_VERSION);
        assert_true(out.n == SAMPLE_N && out.t_ns == SAMPLE_T_NS);
        assert_int_equal(out.type, sample_types[i]);
        assert_int_equal(out.has_item, in.has_item);
        assert_int_equal(out.causes_count, 2);
        assert_int_equal(entry_sample_encode(&out, again, sizeof again), bytes);
        assert_memory_equal(again, encoded, bytes);
    }
}

/* A score of before, or without a model that tells, has none; what is no probability is refused. */
static void grave_is_a_probability_or_not_there(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    entry_sample(ENTRY_SCORE, &in);
    size_t with = entry_sample_encode(&in, encoded, sizeof encoded);
    in.body.score.grave = 0;
    size_t without = entry_sample_encode(&in, encoded, sizeof encoded);
    assert_true(without > 0 && without < with);
    assert_int_equal(bytes_try(encoded, without, &out), ENTRY_GOOD);
    assert_true(out.body.score.grave == 0);
    in.body.score.grave = 1.5;
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &out),
                     ENTRY_BODY_MISMATCH);
}

static void score_reads_back_field_by_field(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    entry_sample(ENTRY_SCORE, &in);
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &out),
                     ENTRY_GOOD);
    assert_memory_equal(out.id, in.id, ENTRY_ID_BYTES);
    assert_memory_equal(out.item, in.item, ITEM_ID_BYTES);
    assert_memory_equal(out.causes[1], in.causes[1], ENTRY_ID_BYTES);
    assert_string_equal(out.actor, "daemon");
    const struct entry_score *score = &out.body.score;
    assert_true(score->probability == 0.1 && score->logit == -2.1972245773362196 &&
                score->quality == 0.75 && score->grave == 0.0625);
    assert_int_equal(score->contributions_count, 3);
    assert_string_equal(score->contributions[1].name, "mass");
    assert_true(score->contributions[0].logit == 1e-07 && score->contributions[1].logit == -2.5);
    assert_string_equal(score->contributions[1].words, "Masse wie erklärt");
    assert_int_equal(score->models_count, 2);
    assert_string_equal(score->models[1].name, "fusion");
    assert_memory_equal(score->models[1].sha256, in.body.score.models[1].sha256, HASH_BYTES);
    assert_int_equal(score->regions_count, 2);
    assert_memory_equal(&score->regions[1], &in.body.score.regions[1], sizeof score->regions[1]);
    assert_string_equal(score->unscorable, "");
    assert_int_equal(score->inputs_count, 1);
    assert_int_equal(score->inputs[0].model, 1);
    assert_int_equal(score->inputs[0].values_count, 4);
    assert_memory_equal(score->inputs[0].values, in.body.score.inputs[0].values, 4 * sizeof(float));
}

/* What the header says of inputs, each rule broken for itself, in both directions. */
static void score_inputs_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    static float values[ENTRY_INPUT_VALUES_MAX + 1];
    static const float not_there = NAN;
    static const float endless = INFINITY;
    struct entry in;
    struct entry out;
    entry_sample(ENTRY_SCORE, &in);
    struct entry_score *score = &in.body.score;
    score->inputs[0] = (struct entry_inputs){0, values, ENTRY_INPUT_VALUES_MAX};
    score->inputs[1] = (struct entry_inputs){1, &not_there, 1};
    score->inputs_count = 2;
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &out),
                     ENTRY_GOOD);
    assert_int_equal(out.body.score.inputs[0].values_count, ENTRY_INPUT_VALUES_MAX);
    assert_true(isnan(out.body.score.inputs[1].values[0]));
#define BREAK(change)                                               \
    {                                                               \
        struct entry_score kept = *score;                           \
        change;                                                     \
        assert_int_equal(entry_encode_rest(&in, encoded, 8192), 0); \
        *score = kept;                                              \
    }
    BREAK(score->inputs[0].values_count++);
    BREAK(score->inputs[1].values = &endless);
    BREAK(score->inputs[1].model = 0);
    BREAK(score->inputs[1].model = score->models_count);
    BREAK(score->inputs_count = ENTRY_INPUTS_MAX + 1);
#undef BREAK
    /* The bytes of the second message: field 8, length 8, model 1, four bytes of values. */
    static const uint8_t second[] = {0x42, 0x08, 0x08, 0x01, 0x12, 0x04};
    size_t count = entry_sample_encode(&in, encoded, sizeof encoded);
    uint8_t *at = memmem(encoded, count, second, sizeof second);
    assert_non_null(at);
    memcpy(at + sizeof second, &endless, sizeof endless);
    assert_int_equal(bytes_try(encoded, count, &out), ENTRY_BODY_MISMATCH);
    memcpy(at + sizeof second, &not_there, sizeof not_there);
    at[3] = 2;
    assert_int_equal(bytes_try(encoded, count, &out), ENTRY_BODY_MISMATCH);
    at[3] = 1;
    assert_int_equal(bytes_try(encoded, count, &out), ENTRY_GOOD);
}

static void decision_reads_back_field_by_field(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    entry_sample(ENTRY_REFERRAL_DECISION, &in);
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &out),
                     ENTRY_GOOD);
    const struct entry_decision *decision = &out.body.decision;
    assert_string_equal(decision->decision, "refer");
    assert_string_equal(decision->arm, "both");
    assert_true(decision->propensity == 0.3 && decision->random_rate == 0.02 &&
                decision->probability == 0.1);
    assert_true(decision->cutoff == 0.0625 && decision->priority == 1234.5);
    assert_true(decision->capacity_per_hour == 12 && decision->arrivals_per_hour == 480.5);
    assert_true(decision->rank == 3 && decision->window_count == 480);
    assert_memory_equal(decision->policy_sha256, in.body.decision.policy_sha256, HASH_BYTES);
    assert_memory_equal(decision->draw, in.body.decision.draw, HASH_BYTES);
    assert_string_equal(decision->draw_scheme, "hmac-sha256/1");
    assert_string_equal(decision->draw_day, "2026-01-01");
    assert_int_equal(decision->reasons_count, 2);
    assert_string_equal(decision->reasons[1], "drawn at random");
    assert_string_equal(decision->label, "CSQU 3054383");
    assert_int_equal(decision->mode, MODE_TRUCK);
    assert_string_equal(decision->site, "port-1");
    assert_string_equal(decision->lane, "3");
    assert_string_equal(decision->hold_ended_by, "complete");
    assert_string_equal(decision->draw_stratum, "truck/port-1/3");
    assert_true(decision->shadow && decision->ageing_per_hour == 0.25 &&
                decision->perishable_per_hour == 0.5);
}

static void received_reads_back_field_by_field(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    entry_sample(ENTRY_SCAN_RECEIVED, &in);
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &out),
                     ENTRY_GOOD);
    const struct entry_received *received = &out.body.received;
    assert_string_equal(received->publisher, "gate-west");
    assert_string_equal(received->stream, "lane-3");
    assert_true(received->sequence == 41 && received->record_bytes == 4242);
    assert_int_equal(received->mode, MODE_TRUCK);
    assert_string_equal(received->record_id, "S-1");
    assert_string_equal(received->item_key, "p0011223344556677");
    assert_string_equal(received->scanner, "x1");
    assert_string_equal(received->scanner_type, "container-portal");
    assert_true(received->acquired_ns == SAMPLE_T_NS - 1);
    assert_int_equal(received->images_count, 2);
    assert_memory_equal(&received->images[1], &in.body.received.images[1],
                        sizeof received->images[1]);
    assert_memory_equal(received->record_sha256, in.body.received.record_sha256, HASH_BYTES);
}

static void sample_reads_back(enum entry_type type, struct entry *in, struct entry *out)
{
    entry_sample(type, in);
    size_t bytes = entry_sample_encode(in, encoded, sizeof encoded);
    assert_int_equal(bytes_try(encoded, bytes, out), ENTRY_GOOD);
}

static void bodies_of_people_read_back_field_by_field(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    sample_reads_back(ENTRY_OUTCOME, &in, &out);
    const struct entry_outcome *outcome = &out.body.outcome;
    assert_string_equal(outcome->exam_level, "full");
    assert_string_equal(outcome->result, "found");
    assert_string_equal(outcome->seizure_class, "tobacco");
    assert_string_equal(outcome->unit, "kg");
    assert_string_equal(outcome->request_id, "r-2");
    assert_true(outcome->quantity == 12.5 && outcome->version == 4 && outcome->has_region);
    assert_int_equal(outcome->image_index, 1);
    assert_int_equal(outcome->region_x, 2);
    assert_int_equal(outcome->region_y, 3);
    assert_int_equal(outcome->region_width, 4);
    assert_int_equal(outcome->region_height, 5);
    assert_string_equal(outcome->again, "correction");
    assert_string_equal(outcome->code, "weighed");
    assert_true(outcome->corrects == 7 && outcome->aside);
    sample_reads_back(ENTRY_OFFICER_ACTION, &in, &out);
    const struct entry_officer_action *action = &out.body.officer_action;
    assert_string_equal(action->action, "release");
    assert_string_equal(action->code, "wrong-lane");
    assert_string_equal(action->request_id, "r-1");
    assert_string_equal(action->to_state, "waived");
    assert_string_equal(action->reason, "smelt of paint");
    assert_int_equal(action->version, 3);
    sample_reads_back(ENTRY_RECORD_REFUSED, &in, &out);
    const struct entry_refused *refused = &out.body.refused;
    assert_string_equal(refused->publisher, "gate-west");
    assert_string_equal(refused->stream, "lane-3");
    assert_string_equal(refused->name, "no_site");
    assert_string_equal(refused->reason, "site");
    assert_true(refused->sequence == 42 && refused->code == 7 && refused->record_bytes == 17 &&
                refused->quarantined);
    assert_memory_equal(refused->record_sha256, in.body.refused.record_sha256, HASH_BYTES);
}

static void bodies_of_the_machine_read_back_field_by_field(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    sample_reads_back(ENTRY_ARCHIVE_SEAL, &in, &out);
    const struct entry_archive_seal *seal = &out.body.archive_seal;
    assert_string_equal(seal->path, "2026/01/01/000001.h5");
    assert_true(seal->file_bytes == 1u << 30 && seal->first_index == 1 &&
                seal->last_index == 69999);
    assert_string_equal(seal->hdf5_version, "1.10.8");
    assert_string_equal(seal->filters, "shuffle,deflate,fletcher32");
    assert_memory_equal(seal->sha256, in.body.archive_seal.sha256, HASH_BYTES);
    assert_memory_equal(seal->metrics_sha256, in.body.archive_seal.metrics_sha256, HASH_BYTES);
    sample_reads_back(ENTRY_TIME_TICK, &in, &out);
    assert_int_equal(out.body.time_tick.undecided, in.body.time_tick.undecided);
    assert_int_equal(out.body.time_tick.refused, in.body.time_tick.refused);
    assert_int_equal(out.body.time_tick.received_scans, in.body.time_tick.received_scans);
    assert_int_equal(out.body.time_tick.received_declarations,
                     in.body.time_tick.received_declarations);
    assert_int_equal(out.body.time_tick.capacity_count, 1);
    assert_string_equal(out.body.time_tick.capacity[0].site, "port-1");
    out.body.time_tick.capacity[0].site = in.body.time_tick.capacity[0].site;
    assert_memory_equal(&out.body.time_tick.capacity[0], &in.body.time_tick.capacity[0],
                        sizeof in.body.time_tick.capacity[0]);
    sample_reads_back(ENTRY_WAL_RECOVERED, &in, &out);
    assert_memory_equal(&out.body.wal_recovered, &in.body.wal_recovered,
                        sizeof in.body.wal_recovered);
    sample_reads_back(ENTRY_DRAW_REVEAL, &in, &out);
    assert_string_equal(out.body.draw_reveal.day, "2026-01-01");
    assert_memory_equal(out.body.draw_reveal.key, in.body.draw_reveal.key, HASH_BYTES);
    sample_reads_back(ENTRY_DRAW_COMMIT, &in, &out);
    assert_string_equal(out.body.draw_commit.scheme, "hmac-sha256/1");
    assert_string_equal(out.body.draw_commit.day, "2026-01-02");
    assert_string_equal(out.body.draw_commit.rates[1].stratum, "*");
    assert_true(out.body.draw_commit.rates[0].rate == 0.02 &&
                out.body.draw_commit.rates[1].rate == 0.005);
    assert_true(out.body.draw_commit.rates[0].adapts &&
                out.body.draw_commit.rates[0].floor == 0.01 &&
                !out.body.draw_commit.rates[1].adapts);
    assert_string_equal(out.body.draw_commit.rates[0].reason, "drift");
    assert_memory_equal(out.body.draw_commit.commitment, in.body.draw_commit.commitment,
                        HASH_BYTES);
    sample_reads_back(ENTRY_MODEL_CHANGE, &in, &out);
    assert_string_equal(out.body.model_change.name, "history");
    assert_string_equal(out.body.model_change.evaluation, "auc 0.91");
    assert_int_equal(out.body.model_change.file_bytes, 123456);
    assert_string_equal(out.body.model_change.reason, "newer");
    assert_string_equal(out.body.model_change.figures, "rank correlation 0.9");
    assert_true(out.body.model_change.removed && out.body.model_change.promoted);
    sample_reads_back(ENTRY_SHADOW_SCORE, &in, &out);
    assert_string_equal(out.body.shadow_score.place, "appearance/container-portal");
    assert_memory_equal(out.body.shadow_score.sha256, in.body.shadow_score.sha256, HASH_BYTES);
    assert_true(out.body.shadow_score.score.probability == 0.1);
    assert_int_equal(out.body.shadow_score.score.inputs[0].values_count, 4);
    assert_memory_equal(out.body.model_change.sha256, in.body.model_change.sha256, HASH_BYTES);
    sample_reads_back(ENTRY_CONFIG_CHANGE, &in, &out);
    assert_string_equal(out.body.config_change.policy_version, "2026-01");
    assert_string_equal(out.body.config_change.build, "triaged 1.0");
    assert_string_equal(out.body.config_change.blas, "OpenBLAS 0.3.21 Haswell");
    assert_string_equal(out.body.config_change.libm, "glibc 2.36");
    assert_string_equal(out.body.config_change.processor, "avx2 fma");
    assert_string_equal(out.body.config_change.reason, "more trucks");
    assert_string_equal(out.body.config_change.target, "shadow");
    assert_true(out.body.config_change.arm_hidden);
    assert_memory_equal(out.body.config_change.config_sha256, in.body.config_change.config_sha256,
                        HASH_BYTES);
    assert_memory_equal(out.body.config_change.policy_sha256, in.body.config_change.policy_sha256,
                        HASH_BYTES);
    sample_reads_back(ENTRY_LOG_OPEN, &in, &out);
    assert_string_equal(out.body.log_open.origin, "oversight.example.org/port/2026");
    assert_int_equal(out.body.log_open.format_version, 1);
    assert_int_equal(out.body.log_open.previous_checkpoint_bytes, 9);
    assert_memory_equal(out.body.log_open.previous_checkpoint, "origin\n5\n", 9);
    assert_memory_equal(out.body.log_open.schema_sha256, in.body.log_open.schema_sha256,
                        HASH_BYTES);
}

static void bodies_of_keeping_read_back_field_by_field(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    sample_reads_back(ENTRY_LOG_OPEN, &in, &out);
    assert_int_equal(out.body.log_open.first_n, 69000);
    sample_reads_back(ENTRY_LOG_CLOSE, &in, &out);
    assert_string_equal(out.body.log_close.reason, "year");
    assert_string_equal(out.body.log_close.next_origin, "oversight.example.org/port/2027");
    sample_reads_back(ENTRY_KEY_ROTATE, &in, &out);
    assert_string_equal(out.body.key_rotate.old_vkey, "old+00000000+AQ==");
    assert_string_equal(out.body.key_rotate.new_vkey, "new+00000001+AQ==");
    assert_string_equal(out.body.key_rotate.reason, "planned");
    sample_reads_back(ENTRY_ACCESS, &in, &out);
    assert_string_equal(out.body.access.purpose, "appeal 17");
    assert_int_equal(out.body.access.entries_count, 2);
    assert_true(out.body.access.entry_index[0] == 12 && out.body.access.entry_index[1] == 345);
    assert_int_equal(out.body.access.names_count, 2);
    assert_string_equal(out.body.access.names[1], "plate");
    sample_reads_back(ENTRY_BLOB_DISCARD, &in, &out);
    assert_int_equal(out.body.blob_discard.blobs_count, 2);
    assert_memory_equal(out.body.blob_discard.sha256, in.body.blob_discard.sha256, 2 * HASH_BYTES);
    assert_string_equal(out.body.blob_discard.kept_in, "2026/01/01/a.h5");
    sample_reads_back(ENTRY_REDACT, &in, &out);
    assert_int_equal(out.body.redact.entries_count, 1);
    assert_true(out.body.redact.entry_index[0] == 12);
    assert_int_equal(out.body.redact.digests_count, 2);
    assert_memory_equal(out.body.redact.digests, in.body.redact.digests, 2 * HASH_BYTES);
    assert_string_equal(out.body.redact.legal_basis, "GDPR Art. 17(1)(d)");
    sample_reads_back(ENTRY_WITNESS_RECEIPT, &in, &out);
    assert_string_equal(out.body.witness_receipt.witness, "lab.example/w1");
    assert_int_equal(out.body.witness_receipt.size, 69000);
    assert_memory_equal(out.body.witness_receipt.root, in.body.witness_receipt.root, HASH_BYTES);
    assert_string_equal(out.body.witness_receipt.line, in.body.witness_receipt.line);
    sample_reads_back(ENTRY_ARCHIVE_COPIED, &in, &out);
    assert_string_equal(out.body.archive_copied.path, "2026/01/01/a.h5");
    assert_int_equal(out.body.archive_copied.file_bytes, 123456789);
    assert_memory_equal(out.body.archive_copied.sha256, in.body.archive_copied.sha256, HASH_BYTES);
    assert_string_equal(out.body.archive_copied.place, "/mnt/second/archive");
    assert_true(out.body.archive_copied.same_device);
    sample_reads_back(ENTRY_HOLD, &in, &out);
    assert_true(out.body.hold.placed);
    assert_string_equal(out.body.hold.reason, "court order 12/2026");
    assert_string_equal(out.body.hold.request_id, "r-5");
    sample_reads_back(ENTRY_OPERATION, &in, &out);
    const struct entry_operation *operation = &out.body.operation;
    assert_string_equal(operation->name, "lanes-3-4");
    assert_string_equal(operation->step, "register");
    assert_int_equal(operation->mode, MODE_TRUCK);
    assert_string_equal(operation->site, "north");
    assert_string_equal(operation->lane, "3");
    assert_true(operation->from_ns == 1767225600000000000 &&
                operation->to_ns == 1769904000000000000);
    assert_string_equal(operation->hypothesis, "more than by chance");
    assert_string_equal(operation->metric, "hit_rate");
    assert_string_equal(operation->comparator, "random");
    assert_string_equal(operation->stop_rule, "200 exams");
    assert_string_equal(operation->reason, "done");
    assert_true(operation->numerator == 3 && operation->denominator == 40 &&
                operation->comparator_numerator == 1 && operation->comparator_denominator == 50);
    assert_string_equal(operation->request_id, "r-6");
    sample_reads_back(ENTRY_DECLARATION_RECEIVED, &in, &out);
    assert_int_equal(out.sd_count, 2);
    assert_memory_equal(out.sd, in.sd, sizeof in.sd[0] * 2);
}

/* The largest entry that the bounds allow fits the arena that the header names. */
static void largest_entry_fits_the_arena(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
    entry_sample(ENTRY_SCORE, &in);
    static char words[2000];
    memset(words, 'w', sizeof words - 1);
    in.causes_count = ENTRY_CAUSES_MAX;
    in.body.score.contributions_count = ENTRY_CONTRIBUTIONS_MAX;
    in.body.score.models_count = ENTRY_MODELS_MAX;
    in.body.score.regions_count = ENTRY_REGIONS_MAX;
    for (uint32_t i = 0; i < ENTRY_CONTRIBUTIONS_MAX; i++) {
        in.body.score.contributions[i] = (struct entry_contribution){words, 0.1 * i, words};
    }
    for (uint32_t i = 0; i < ENTRY_MODELS_MAX; i++) {
        in.body.score.models[i].name = "m";
    }
    static float values[ENTRY_INPUT_VALUES_MAX];
    in.body.score.inputs_count = ENTRY_INPUTS_MAX;
    for (uint32_t i = 0; i < ENTRY_INPUTS_MAX; i++) {
        in.body.score.inputs[i] = (struct entry_inputs){i, values, ENTRY_INPUT_VALUES_MAX};
    }
    in.body.score.contributions[0].words = words + 1500;
    while (entry_sample_encode(&in, encoded, sizeof encoded) > 65535) {
        in.body.score.contributions_count--;
    }
    size_t bytes = entry_sample_encode(&in, encoded, sizeof encoded);
    assert_in_range(bytes, 60000, 65535);
    assert_int_equal(bytes_try(encoded, bytes, &out), ENTRY_GOOD);
    assert_int_equal(bytes_try(encoded, 65536, &out), ENTRY_TOO_LONG);
}

static void encode_beyond_a_bound_gives_nothing(void **state)
{
    (void)state;
    struct entry in;
    uint8_t out[ENTRY_BYTES_MAX];
#define BREAK(type, change)  \
    entry_sample(type, &in); \
    change;                  \
    assert_int_equal(entry_encode_rest(&in, out, sizeof out), 0)
    BREAK(ENTRY_SCORE, in.causes_count = ENTRY_CAUSES_MAX + 1);
    BREAK(ENTRY_SCORE, in.body.score.contributions_count = ENTRY_CONTRIBUTIONS_MAX + 1);
    BREAK(ENTRY_SCORE, in.body.score.models_count = ENTRY_MODELS_MAX + 1);
    BREAK(ENTRY_SCORE, in.body.score.regions_count = ENTRY_REGIONS_MAX + 1);
    BREAK(ENTRY_SCORE, in.body.score.inputs_count = ENTRY_INPUTS_MAX + 1);
    BREAK(ENTRY_SHADOW_SCORE,
          in.body.shadow_score.score.contributions_count = ENTRY_CONTRIBUTIONS_MAX + 1);
    BREAK(ENTRY_SHADOW_SCORE, in.body.shadow_score.score.inputs_count = ENTRY_INPUTS_MAX + 1);
    BREAK(ENTRY_REFERRAL_DECISION, in.body.decision.reasons_count = ENTRY_REASONS_MAX + 1);
    BREAK(ENTRY_SCAN_RECEIVED, in.body.received.images_count = ENTRY_IMAGES_MAX + 1);
    BREAK(ENTRY_TIME_TICK, in.body.time_tick.capacity_count = ENTRY_CAPACITY_MAX + 1);
    BREAK(ENTRY_DRAW_COMMIT, in.body.draw_commit.rates_count = ENTRY_RATES_MAX + 1);
    BREAK(ENTRY_ACCESS, in.body.access.entries_count = ENTRY_INDICES_MAX + 1);
    BREAK(ENTRY_ACCESS, in.body.access.names_count = ENTRY_NAMES_MAX + 1);
    BREAK(ENTRY_BLOB_DISCARD, in.body.blob_discard.blobs_count = ENTRY_DIGESTS_MAX + 1);
    BREAK(ENTRY_REDACT, in.body.redact.entries_count = ENTRY_INDICES_MAX + 1);
    BREAK(ENTRY_REDACT, in.body.redact.digests_count = ENTRY_DIGESTS_MAX + 1);
    BREAK(ENTRY_SCORE, in.sd_count = ENTRY_DISCLOSURES_MAX + 1);
    BREAK(ENTRY_UNKNOWN, (void)0);
    BREAK((enum entry_type)12, (void)0);
#undef BREAK
    entry_sample(ENTRY_SCORE, &in);
    size_t bytes = entry_encode_rest(&in, out, sizeof out);
    assert_int_not_equal(bytes, 0);
    assert_int_equal(entry_encode_rest(&in, out, bytes - 1), 0);
    assert_int_equal(entry_encode_rest(&in, out, bytes), bytes);
}

static void stamp_longest_fits_its_bound(void **state)
{
    (void)state;
    uint8_t out[ENTRY_STAMP_BYTES_MAX];
    size_t bytes = entry_encode_stamp(UINT64_MAX, INT64_MIN, out, sizeof out);
    assert_in_range(bytes, 1, ENTRY_STAMP_BYTES_MAX);
    assert_int_equal(entry_encode_stamp(UINT64_MAX, INT64_MIN, out, bytes - 1), 0);
    struct entry in;
    struct entry got;
    entry_sample(ENTRY_TIME_TICK, &in);
    in.n = UINT64_MAX;
    in.t_ns = INT64_MIN;
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &got),
                     ENTRY_GOOD);
    assert_true(got.n == UINT64_MAX && got.t_ns == INT64_MIN);
    in.n = 0;
    in.t_ns = 0;
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &got),
                     ENTRY_GOOD);
    assert_true(got.n == 0 && got.t_ns == 0);
}

/* Bytes put together by hand: v 1, id, type and body as the row says. */
static size_t entry_by_hand(uint8_t version, uint8_t id_bytes, uint8_t type, const char *body_hex)
{
    size_t at = 0;
    encoded[at++] = 0x08;
    encoded[at++] = version;
    encoded[at++] = 0x1a;
    encoded[at++] = id_bytes;
    memset(encoded + at, 0x77, id_bytes);
    at += id_bytes;
    encoded[at++] = 0x28;
    encoded[at++] = type;
    size_t body_bytes = strlen(body_hex) / 2;
    assert_true(hex_decode(body_hex, encoded + at, body_bytes));
    return at + body_bytes;
}

static void decode_one_thing_broken_is_named(void **state)
{
    (void)state;
    struct entry out;
    /* Fields 31 time_tick (fa 01), 30 wal_recovered (f2 01), 25 score (ca 01). */
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa0100"), &out), ENTRY_GOOD);
    assert_int_equal(bytes_try(encoded, entry_by_hand(2, 16, 19, "fa0100"), &out),
                     ENTRY_WRONG_VERSION);
    assert_int_equal(bytes_try(encoded, entry_by_hand(0, 16, 19, "fa0100"), &out),
                     ENTRY_WRONG_VERSION);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 15, 19, "fa0100"), &out), ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, ""), &out), ENTRY_BODY_MISMATCH);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 0, "fa0100"), &out),
                     ENTRY_BODY_MISMATCH);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 18, "fa0100"), &out),
                     ENTRY_BODY_MISMATCH);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 18, "f20100"), &out),
                     ENTRY_BODY_MISMATCH);
    /* A number whose text is another number, no number, or followed by something. */
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 9, "ca01030a0100"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 9, "ca01050a03120131"), &out),
                     ENTRY_BODY_MISMATCH);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 9, "ca01050a03120130"), &out),
                     ENTRY_GOOD);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 9, "ca01020a00"), &out),
                     ENTRY_BODY_MISMATCH);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 9, "ca01060a0412023020"), &out),
                     ENTRY_BODY_MISMATCH);
    /* An item and a cause of the wrong length; a text with a zero byte. */
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa0100320101"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa01003a0101"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa010042026100"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, 0, &out), ENTRY_WRONG_VERSION);
}

static void decode_later_type_keeps_the_header(void **state)
{
    (void)state;
    struct entry out = {.v = 99};
    /* Type 99, not given out yet, with a body in field 63 (fa 03) and an item. */
    size_t bytes = entry_by_hand(1, 16, 99, "fa030208053210abababababababababababababababab");
    assert_int_equal(bytes_try(encoded, bytes, &out), ENTRY_UNKNOWN_TYPE);
    assert_int_equal(out.v, 1);
    assert_int_equal(out.type, 99);
    assert_true(out.has_item && out.item[15] == 0xab);
    assert_true(out.id[0] == 0x77);
    assert_string_equal(entry_type_text(out.type), "unknown");
}

static void decode_list_beyond_its_bound_is_too_long(void **state)
{
    (void)state;
    struct entry out;
    /* draw.commit (field 32: 82 02) with a commitment and as many empty rates as fit one length
     * byte. */
    for (uint8_t rates = ENTRY_RATES_MAX; rates <= ENTRY_RATES_MAX + 1; rates++) {
        size_t at = entry_by_hand(1, 16, 21, "");
        const uint8_t key[] = {0x82, 0x02, (uint8_t)(34 + 2 * rates), 0x1a, 0x20};
        memcpy(encoded + at, key, sizeof key);
        at += sizeof key + HASH_BYTES;
        for (uint8_t i = 0; i < rates; i++) {
            encoded[at++] = 0x22;
            encoded[at++] = 0;
        }
        assert_int_equal(bytes_try(encoded, at, &out),
                         rates > ENTRY_RATES_MAX ? ENTRY_TOO_LONG : ENTRY_GOOD);
    }
    for (size_t causes = ENTRY_CAUSES_MAX; causes <= ENTRY_CAUSES_MAX + 1; causes++) {
        size_t at = entry_by_hand(1, 16, 19, "fa0100");
        for (size_t i = 0; i < causes; i++) {
            encoded[at] = 0x3a;
            encoded[at + 1] = ENTRY_ID_BYTES;
            at += 2 + ENTRY_ID_BYTES;
        }
        assert_int_equal(bytes_try(encoded, at, &out),
                         causes > ENTRY_CAUSES_MAX ? ENTRY_TOO_LONG : ENTRY_GOOD);
    }
}

/* Some decoders merge, some take the last one: the log holds no entry that two readers could read
 * differently. */
static void decode_field_that_comes_twice_is_malformed(void **state)
{
    (void)state;
    struct entry out;
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa0100fa0100"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "f20100fa0100"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa010010051006"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa010408010802"), &out),
                     ENTRY_MALFORMED);
    assert_int_equal(bytes_try(encoded, entry_by_hand(1, 16, 19, "fa010408011002"), &out),
                     ENTRY_GOOD);
}

static void decode_unknown_word_is_a_mismatch(void **state)
{
    (void)state;
    struct entry in;
    struct entry out;
#define BREAK(type, change)                                                                       \
    entry_sample(type, &in);                                                                      \
    change;                                                                                       \
    assert_int_equal(bytes_try(encoded, entry_sample_encode(&in, encoded, sizeof encoded), &out), \
                     ENTRY_BODY_MISMATCH)
    BREAK(ENTRY_SCAN_RECEIVED, in.body.received.mode = MODE_COUNT);
    BREAK(ENTRY_SCAN_RECEIVED, in.body.received.images[1].meaning = (enum pixel_meaning)4);
    BREAK(ENTRY_SCAN_RECEIVED, in.body.received.images[1].energy = (enum energy)3);
    BREAK(ENTRY_REFERRAL_DECISION, in.body.decision.mode = MODE_COUNT);
#undef BREAK
}

static void decode_cut_at_every_byte_never_reads_beyond(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_TYPES_COUNT; i++) {
        struct entry in;
        struct entry out;
        entry_sample(sample_types[i], &in);
        size_t bytes = entry_sample_encode(&in, encoded, sizeof encoded);
        for (size_t cut = 0; cut < bytes; cut++) {
            enum entry_fault fault = bytes_try(encoded, cut, &out);
            /* The body is the last field: without all of it there is no entry. */
            assert_int_not_equal(fault, ENTRY_GOOD);
        }
    }
}

static void numbers_are_shortest_and_read_back(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.125, "0.125"},
        {1e-07, "1e-07"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0, "1"},
        {-2.5, "-2.5"},
        {0.0, "0"},
        {-0.0, "-0"},
        {100000.0, "100000"},
        {1e22, "1e+22"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {1.0 / 3.0, "0.3333333333333333"},
        {2.0 / 3.0, "0.6666666666666666"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {(double)INFINITY, "inf"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        number_format(rows[i].value, text);
        assert_string_equal(text, rows[i].text);
    }
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            number_format(value, text);
            double back = strtod(text, NULL);
            assert_memory_equal(&back, &value, sizeof value);
        }
    }
}

/* RFC 9562 appendix A.6: 2022-02-22 14:22:22 UTC-5, rand_a CC3, rand_b 18C4DC0C0C07398F. */
static void uuid7_published_vector_matches(void **state)
{
    (void)state;
    const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    uint8_t id[ENTRY_ID_BYTES];
    char text[37];
    uuid7_make(INT64_C(0x017F22E279B0) * 1000000 + 999999, random, id);
    uuid_format(id, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    /* Random bits never touch version and variant. */
    const uint8_t ones[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uuid7_make(0, ones, id);
    uuid_format(id, text);
    assert_string_equal(text, "00000000-0000-7fff-bfff-ffffffffffff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_encodes_the_same_after_a_round),
        cmocka_unit_test(score_reads_back_field_by_field),
        cmocka_unit_test(grave_is_a_probability_or_not_there),
        cmocka_unit_test(score_inputs_that_break_a_rule_are_refused),
        cmocka_unit_test(decision_reads_back_field_by_field),
        cmocka_unit_test(received_reads_back_field_by_field),
        cmocka_unit_test(bodies_of_people_read_back_field_by_field),
        cmocka_unit_test(bodies_of_keeping_read_back_field_by_field),
        cmocka_unit_test(bodies_of_the_machine_read_back_field_by_field),
        cmocka_unit_test(largest_entry_fits_the_arena),
        cmocka_unit_test(encode_beyond_a_bound_gives_nothing),
        cmocka_unit_test(stamp_longest_fits_its_bound),
        cmocka_unit_test(decode_one_thing_broken_is_named),
        cmocka_unit_test(decode_later_type_keeps_the_header),
        cmocka_unit_test(decode_list_beyond_its_bound_is_too_long),
        cmocka_unit_test(decode_field_that_comes_twice_is_malformed),
        cmocka_unit_test(decode_unknown_word_is_a_mismatch),
        cmocka_unit_test(decode_cut_at_every_byte_never_reads_beyond),
        cmocka_unit_test(numbers_are_shortest_and_read_back),
        cmocka_unit_test(uuid7_published_vector_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
