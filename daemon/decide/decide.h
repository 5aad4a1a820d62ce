/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECIDE_H
#define DECIDE_H

/* Decide: what policy makes of a score. Pure: time, key and score come in, a verdict goes out; all
 * state is the window of recent decisions of each site and mode, which can be rebuilt from the log.
 * Cannot fail.
 *
 * Order: (1) random arm: u = PRF(key of the day, item id) / 2^53 < rate of the stratum,
 * independent for each item and of everything else; the
 * stratum (mode, site, lane) chooses the rate and nothing of the number, so that an edit of the
 * lane rolls no dice again; (2) target arm: the highest probabilities as
 * far as capacity goes; (3) release. An item in both arms is "both". Nothing is filled up. One
 * thread a handle. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "decide/capacity.h"
#include "decide/policy.h"
#include "proto/entry.h"

#define DRAW_SCHEME "hmac-sha256-53bit-v1"

/* PRF of the random arm: HMAC-SHA-256(key, item id). Anyone who holds the revealed key can compute
 * it. */
void draw_prf(const uint8_t key[HASH_BYTES], const uint8_t item[ITEM_ID_BYTES],
              uint8_t out[HASH_BYTES]);
/* The first 53 bits, big-endian, as a number in [0, 1). */
double draw_uniform(const uint8_t draw[HASH_BYTES]);

enum arm { ARM_NONE, ARM_TARGET, ARM_RANDOM, ARM_BOTH, ARM_CAUTIOUS };
const char *arm_text(enum arm arm);

/* The coin as it fell, of a decision that the log holds: a simulation under another policy does not
 * throw it again. */
struct decide_coin {
    bool drawn;
    double random_rate;
};

struct decide_input {
    uint8_t item[ITEM_ID_BYTES];
    enum mode mode;
    const char *site;
    const char *lane; /* NULL or "": none */
    bool scorable;
    double probability;
    double grave;                   /* probability of a grave find; 0: not known */
    int64_t t_ns;                   /* UTC of the decision */
    const uint8_t *draw_key;        /* 32 bytes */
    const struct decide_coin *coin; /* NULL: it is thrown, with draw_key; else the verdict has no
                                       draw */
};

struct decide_verdict {
    bool refer;
    enum arm arm;
    double propensity;
    double random_rate;
    char stratum[POLICY_STRATUM_BYTES]; /* row that the rate is of */
    double cutoff;
    double priority;        /* at the moment of the decision */
    double ageing_per_hour; /* what waiting adds to it: queue_order.h */
    double perishable_per_hour;
    bool would_refer; /* by the target arm, had it been on: shadow */
    double capacity_per_hour;
    double arrivals_per_hour;
    uint64_t rank;
    uint64_t window_count;
    uint8_t draw[HASH_BYTES];
};

struct decide;

/* Sites (strata of site and mode) are bounded: what comes beyond strata_max shares one stratum a
 * mode. */
MUST_USE struct err decide_open(const struct policy *policy, uint32_t strata_max,
                                struct decide **out);
void decide_close(struct decide **self);
/* A new policy; windows are kept, and as long as they were: its window_count is not taken, and a
 * warmup_count beyond them ends when they are full. */
void decide_set_policy(struct decide *self, const struct policy *policy);
void decide_item(struct decide *self, const struct decide_input *input, struct decide_verdict *out);
/* A referral has ended, by whatever way: its place in the queue is free. After a restart: how many
 * are open. */
void decide_manual(struct decide *self, enum mode mode, const char *site); /* one more, by hand */
void decide_ended(struct decide *self, enum mode mode, const char *site);
void decide_set_queue(struct decide *self, enum mode mode, const char *site, uint32_t open_count);

/* What a place could take and what its cut-off cost since the last call; at most `capacity` places
 * that decided anything or have open referrals, those with most missed finds first. Places that
 * find no room are told the next time, with what has added up. */
struct decide_minute {
    enum mode mode;
    char site[POLICY_SITE_BYTES];
    double capacity_per_hour; /* of bays that are open now */
    double arrivals_per_hour;
    double cutoff; /* in force; 1: nothing fits now */
    uint32_t queue;
    uint32_t queue_max;
    struct capacity_minute since;
};
uint32_t decide_take_minutes(struct decide *self, int64_t t_ns, struct decide_minute *out,
                             uint32_t capacity);

struct decide_past {
    enum mode mode;
    const char *site;
    double probability; /* negative: could not be scored */
    double cutoff;      /* as logged */
    bool referred;
    int64_t t_ns;
};
/* The same bookkeeping for a decision that the log already holds (restart): no draw, no verdict. */
void decide_replay(struct decide *self, const struct decide_past *past);

#endif
