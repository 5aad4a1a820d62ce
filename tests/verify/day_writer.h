/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_DAY_WRITER_H
#define TESTS_VERIFY_DAY_WRITER_H

/* Day writer: a day of the random arm, decided by the daemon's own draw and written by the daemon's
 * own log; honest, or with one thing forged. The write-ahead log lies elsewhere. Header only, for
 * one test a program. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "decide/decide.h"
#include "folder.h"
#include "oversight/oversight.h"
#include "proto/sign.h"
#include "tests/test_folder.h"

#define ORIGIN "oversight.example/day/2026"
#define DAY "2026-09-21"
#define DAY_BEFORE "2026-09-20"
#define DAY_NS INT64_C(1789948800000000000)
#define DAY_BATCH 512u
#define SMALL 300u

struct forgery {
    int64_t item;         /* number of the item that is tampered with; -1: none */
    bool rate;            /* its decision says another rate, and the arm that follows from it */
    bool stratum;         /* it says a stratum whose rate is lower */
    bool identity;        /* it was drawn under another item id */
    bool arm;             /* drawn by the coin, and let go */
    bool key;             /* another key is revealed */
    bool early;           /* a decision after the reveal */
    bool late_commitment; /* the key is made when the items are there */
    bool unrevealed;
    bool ahead;        /* all are decided an hour before the day begins */
    bool two_keys;     /* the key of the day before is committed, and not revealed */
    bool back;         /* as two_keys, but it is committed later, and draws one item */
    bool not_a_number; /* its decision says a rate that is none */
    double other_rate; /* not 0: of every mode, in the commitment */
};

struct day_writer {
    char directory[64]; /* holds log/ and nothing else */
    char wal[64];
    struct oversight *oversight;
    struct oversight_draft *drafts;
    struct queue *done;
    uint32_t waiting;
    struct decide *decide;
    struct policy policy;
    uint8_t key[HASH_BYTES];
    uint64_t drawn;
    uint8_t *drawn_items; /* by number */
};

static struct day_writer writer;
static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static void make_policy(struct policy *policy)
{
    *policy = (struct policy){.window_count = 64, .warmup_count = 8};
    strcpy(policy->version, "test");
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy->modes[mode] = (struct mode_policy){.expects_declaration = true,
                                                   .hold_s = 10,
                                                   .random_rate = 0.01,
                                                   .capacity_per_hour = 20,
                                                   .horizon_h = 2,
                                                   .initial_cutoff = 0.5,
                                                   .minimum_probability = 0.02,
                                                   .severity = 1};
    }
    strcpy(policy->rates[0].stratum, "truck/north");
    policy->rates[0].rate = 0.02;
    strcpy(policy->rates[1].stratum, "truck/north/lane-3");
    policy->rates[1].rate = 0.25;
    policy->rates_count = 2;
    assert_null(policy_check(policy));
}

static void wait_for_drafts(void)
{
    while (writer.waiting > 0) {
        void *back[DAY_BATCH];
        uint32_t count = queue_take(writer.done, back, DAY_BATCH, 30 * NS_PER_S);
        assert_true(count > 0);
        writer.waiting -= count;
    }
}

static void id_of(uint64_t number, uint8_t kind, uint8_t out[ENTRY_ID_BYTES])
{
    uint8_t random[10] = {0};
    for (int i = 3; i < 10; i++) { /* the front carries version and variant */
        random[i] = (uint8_t)(number >> (8 * (i - 3)));
    }
    uuid7_make(DAY_NS + kind * NS_PER_MS, random, out);
}

static void add(struct entry *entry)
{
    if (writer.waiting == DAY_BATCH) {
        wait_for_drafts();
    }
    struct oversight_draft *draft = &writer.drafts[writer.waiting++];
    entry->actor = "daemon";
    size_t bytes = entry_encode_rest(entry, draft->rest, sizeof draft->rest);
    assert_true(bytes > 0);
    draft->rest_bytes = (uint32_t)bytes;
    draft->done = writer.done;
    assert_good(oversight_submit(writer.oversight, &draft, 1));
}

static void item_of(uint64_t number, uint8_t out[ITEM_ID_BYTES])
{
    uint8_t digest[HASH_BYTES];
    sha256_of(&number, sizeof number, digest);
    memcpy(out, digest, ITEM_ID_BYTES);
}

static void open_log(void)
{
    static struct sign_key key; /* the log borrows it */
    const uint8_t seed[SIGN_SEED_BYTES] = {9};
    char log_directory[80];
    struct oversight_recovery recovery;
    assert_true(sign_init());
    sign_key_from_seed(&key, seed);
    test_folder_make("triage-day", writer.directory, sizeof writer.directory);
    test_folder_make("triage-day-wal", writer.wal, sizeof writer.wal);
    (void)snprintf(log_directory, sizeof log_directory, "%s/log", writer.directory);
    const struct oversight_conf conf = {.wal_directory = writer.wal,
                                        .log_directory = log_directory,
                                        .origin = ORIGIN,
                                        .key = &key,
                                        .segment_bytes = 16u << 20,
                                        .queue_entries = 2 * DAY_BATCH,
                                        .checkpoint_interval_ns = NS_PER_S};
    clock_fix_utc_ns(DAY_NS - 3600 * NS_PER_S);
    assert_good(oversight_open(&conf, &writer.oversight, &recovery));
    writer.drafts = calloc(DAY_BATCH, sizeof *writer.drafts);
    assert_non_null(writer.drafts);
    assert_good(queue_open(2 * DAY_BATCH, &writer.done));
    make_policy(&writer.policy);
    assert_good(decide_open(&writer.policy, 8, &writer.decide));
    memset(writer.key, 0x3c, sizeof writer.key);
    writer.drawn = 0;
}

static void close_log(void)
{
    wait_for_drafts();
    oversight_close(&writer.oversight);
    decide_close(&writer.decide);
    queue_free(&writer.done);
    free(writer.drafts);
    free(writer.drawn_items);
    writer.drawn_items = NULL;
    clock_fix_utc_ns(0);
    folder_remove(writer.directory);
    folder_remove(writer.wal);
}

static void add_commitment(const char *of_day, uint64_t number, double other_rate)
{
    struct entry entry = {.type = ENTRY_DRAW_COMMIT};
    struct entry_draw_commit *commit = &entry.body.draw_commit;
    commit->day = of_day;
    commit->scheme = DRAW_SCHEME;
    sha256_of(writer.key, HASH_BYTES, commit->commitment);
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        commit->rates[commit->rates_count++] = (struct entry_rate){
            .stratum = mode_text((enum mode)mode), .rate = writer.policy.modes[mode].random_rate};
    }
    for (uint32_t i = 0; i < writer.policy.rates_count; i++) {
        commit->rates[commit->rates_count++] = (struct entry_rate){
            .stratum = writer.policy.rates[i].stratum, .rate = writer.policy.rates[i].rate};
    }
    for (uint32_t i = 0; other_rate != 0 && i < commit->rates_count; i++) {
        commit->rates[i].rate = other_rate;
    }
    id_of(number, 4, entry.id);
    add(&entry);
    wait_for_drafts();
}

static void add_record(uint64_t number)
{
    char key[32];
    struct entry entry = {.type = ENTRY_DECLARATION_RECEIVED};
    (void)snprintf(key, sizeof key, "p%llu", (unsigned long long)number);
    entry.body.received = (struct entry_received){.publisher = "manifest",
                                                  .stream = "a",
                                                  .sequence = number,
                                                  .mode = MODE_TRUCK,
                                                  .site = number % 2 == 0 ? "north" : "south",
                                                  .lane = "lane-3",
                                                  .record_bytes = 100,
                                                  .record_id = key,
                                                  .item_key = key};
    entry.body.received.record_sha256[0] = 1;
    id_of(number, 1, entry.id);
    add(&entry);
}

static void fill_decision(const struct decide_verdict *verdict, uint64_t number,
                          struct entry_decision *out)
{
    *out = (struct entry_decision){.decision = verdict->refer ? "refer" : "release",
                                   .arm = arm_text(verdict->arm),
                                   .propensity = verdict->propensity,
                                   .random_rate = verdict->random_rate,
                                   .probability = 0.5,
                                   .cutoff = verdict->cutoff,
                                   .priority = verdict->priority,
                                   .draw_scheme = DRAW_SCHEME,
                                   .draw_day = DAY,
                                   .mode = MODE_TRUCK,
                                   .site = number % 2 == 0 ? "north" : "south",
                                   .lane = number % 10 == 0 ? "lane-3" : "lane-1",
                                   .hold_ended_by = "complete",
                                   .draw_stratum = verdict->stratum};
    memcpy(out->draw, verdict->draw, HASH_BYTES);
}

static void add_score(uint64_t number, const uint8_t item[ITEM_ID_BYTES])
{
    struct entry entry = {.type = ENTRY_SCORE, .has_item = true, .causes_count = 1};
    memcpy(entry.item, item, ITEM_ID_BYTES);
    id_of(number, 1, entry.causes[0]);
    entry.body.score.probability = 0.5;
    entry.body.score.quality = 1;
    id_of(number, 2, entry.id);
    add(&entry);
}

static void forge(const struct forgery *forgery, const struct decide_input *input,
                  struct entry *entry)
{
    struct entry_decision *decision = &entry->body.decision;
    if (forgery->rate || forgery->stratum) {
        decision->random_rate = forgery->rate ? 0.003 : 0.01;
        decision->draw_stratum = forgery->rate ? decision->draw_stratum : "truck";
        bool drawn = draw_uniform(decision->draw) < decision->random_rate;
        bool target = decision->propensity >= 1;
        decision->arm = drawn ? (target ? "both" : "random") : (target ? "target" : "none");
        decision->propensity = target ? 1 : decision->random_rate;
        decision->decision = drawn || target ? "refer" : "release";
    }
    if (forgery->identity) { /* the id was chosen until the coin fell well */
        uint8_t other[ITEM_ID_BYTES];
        memcpy(other, input->item, sizeof other);
        other[0] ^= 1;
        draw_prf(writer.key, other, decision->draw);
        bool drawn = draw_uniform(decision->draw) < decision->random_rate;
        bool target = decision->propensity >= 1;
        decision->arm = drawn ? (target ? "both" : "random") : (target ? "target" : "none");
        decision->decision = drawn || target ? "refer" : "release";
    }
    if (forgery->back) {
        decision->draw_day = DAY_BEFORE;
    }
    if (forgery->not_a_number) {
        decision->random_rate = NAN;
    }
    if (forgery->arm) {
        bool target = decision->propensity >= 1;
        decision->arm = target ? "target" : "none";
        decision->decision = target ? "refer" : "release";
    }
}

static void add_decision(uint64_t number, const struct forgery *forgery)
{
    static const char *const sites[2] = {"north", "south"};
    struct decide_input input = {.mode = MODE_TRUCK,
                                 .site = sites[number % 2],
                                 .lane = number % 10 == 0 ? "lane-3" : "lane-1",
                                 .scorable = true,
                                 .probability = 0.5,
                                 .t_ns = DAY_NS + (int64_t)number * NS_PER_MS,
                                 .draw_key = writer.key};
    item_of(number, input.item);
    struct decide_verdict verdict;
    decide_item(writer.decide, &input, &verdict);
    add_score(number, input.item);
    struct entry entry = {.type = ENTRY_REFERRAL_DECISION, .has_item = true, .causes_count = 1};
    memcpy(entry.item, input.item, ITEM_ID_BYTES);
    id_of(number, 2, entry.causes[0]);
    fill_decision(&verdict, number, &entry.body.decision);
    if (forgery->item == (int64_t)number) {
        forge(forgery, &input, &entry);
    }
    bool drawn = verdict.arm == ARM_RANDOM || verdict.arm == ARM_BOTH;
    writer.drawn += drawn;
    writer.drawn_items[number] = drawn;
    id_of(number, 3, entry.id);
    add(&entry);
}

static void add_reveal(const struct forgery *forgery)
{
    struct entry entry = {.type = ENTRY_DRAW_REVEAL};
    entry.body.draw_reveal.day = DAY;
    memcpy(entry.body.draw_reveal.key, writer.key, HASH_BYTES);
    entry.body.draw_reveal.key[5] ^= forgery->key ? 1 : 0;
    id_of(1, 5, entry.id);
    add(&entry);
}

/* order[i] is the number of the item that is decided i-th; NULL: as numbered. */
static void write_day(uint64_t count, const uint64_t *order, const struct forgery *forgery)
{
    open_log();
    writer.drawn_items = calloc(count + 1, 1);
    assert_non_null(writer.drawn_items);
    if (forgery->two_keys) {
        add_commitment(DAY_BEFORE, 2, 0);
    }
    if (!forgery->late_commitment) {
        add_commitment(DAY, 1, forgery->other_rate);
        assert_good(oversight_publish(writer.oversight));
    }
    for (uint64_t i = 0; i < count; i++) {
        add_record(order == NULL ? i : order[i]);
    }
    clock_fix_utc_ns(DAY_NS + (forgery->ahead ? -90000 * NS_PER_S : 1));
    if (forgery->late_commitment) {
        add_commitment(DAY, 1, 0);
    }
    for (uint64_t i = 0; i < count - 1; i++) {
        int64_t shift_ns = forgery->ahead ? -86400 * NS_PER_S - 3600 * NS_PER_S : 1;
        clock_fix_utc_ns(DAY_NS + shift_ns + (int64_t)(i * (86400 * UINT64_C(1000000000) / count)));
        if (forgery->back && i == SMALL / 2) {
            add_commitment(DAY_BEFORE, 2, 0);
        }
        add_decision(order == NULL ? i : order[i], forgery);
    }
    clock_fix_utc_ns(DAY_NS + 86400 * NS_PER_S);
    uint64_t last = order == NULL ? count - 1 : order[count - 1];
    if (!forgery->early) {
        add_decision(last, forgery);
    }
    if (!forgery->unrevealed) {
        add_reveal(forgery);
    }
    if (forgery->early) {
        add_decision(last, forgery);
    }
    wait_for_drafts();
    clock_fix_utc_ns(DAY_NS + 200000 * NS_PER_S);
    struct entry tick = {.type = ENTRY_TIME_TICK};
    tick.body.time_tick.received_declarations = count;
    id_of(1, 6, tick.id);
    add(&tick);
    wait_for_drafts();
    assert_good(oversight_publish(writer.oversight));
}

#endif
