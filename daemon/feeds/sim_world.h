/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

/* Sim world: item number n of a simulated port: its declaration, perhaps its scan, and the truth
 * about both. An item follows from the seed and its number alone, whatever was made before it. What
 * the truth knows never enters a record. SIM.md tells the physics and what is not simulated. One
 * thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "feeds/sim_mixed.h"
#include "feeds/sim_party.h"
#include "proto/record.h"

enum sim_scans {
    SIM_SCANS_SOME, /* vehicles all, parcels one in so many */
    SIM_SCANS_ALL,
    SIM_SCANS_NONE
};

struct sim_conf {
    uint64_t seed;
    double mode_weights[MODE_COUNT];
    double contraband_rate; /* per item, on average over the parties */
    double misdeclare_rate;
    double history_factor; /* items examined in the past break the rules that many times as often */
    double oddity_rate;
    double mixed_rate;       /* of loaded trucks, containers and rail cars: mixed cargo */
    double parcels_share;    /* of the places in mixed cargo: loose parcels instead of pallets */
    double cargo_density[2]; /* of mixed cargo as packed, g/cm3: drawn evenly from this range */
    double bricks_kg[2]; /* contraband is then bricks of organic powder in the goods, of a mass from
                            this range, drawn evenly in its logarithm; 0: any contraband */
    double mail_declarations_per_scan; /* >= 1: of that many parcels one is scanned */
    enum sim_scans scans;
    double scale; /* of vehicles: 1 is the scanner's full resolution */
    double mail_scale;
    uint32_t dead_rows_max; /* some scans have up to this many dead channels */
    int64_t start_ns;
    double interval_s; /* from item to item */
    const char *site;
    const char *lane;
};

struct sim_truth {
    enum mode mode;
    bool violation; /* contraband or misdeclared */
    struct sim_hidden hidden;
    struct sim_oddity oddity;
    const char *misdeclared; /* NULL, "mass", "goods", "empty", "value" */
    const char *true_hs6;    /* "" when empty */
    double true_net_kg;
    double declared_net_kg;
    int32_t hidden_px[4]; /* left, top, right, bottom in the images; all -1 without scan or
                             contraband */
    int32_t oddity_px[4];
    double propensity;
    double cargo_density; /* of mixed cargo; 0: the goods are of one kind */
};

struct sim_item {
    uint64_t index;
    struct declaration declaration;
    bool has_scan;
    struct scan scan;
    const void *pixels[2]; /* low, high: 16 bits */
    struct sim_truth truth;
    /* what the records point into */
    struct goods_line line;
    struct item_key key;
    struct image images[2];
    struct sim_parties parties;
    char key_text[SIM_KEY_BYTES];
    char declaration_id[32];
    char scan_id[32];
    char scanner[32];
};

/* One row of the past: a declaration that was examined, and what the exam found. */
struct sim_past {
    struct declaration declaration; /* points into this struct */
    struct goods_line line;
    struct sim_parties parties;
    char declaration_id[32];
    bool found;
    bool critical;
};

struct sim_world;

/* Conf is copied, its texts borrowed. Errors: MEMORY, ARGUMENT. */
MUST_USE struct err sim_world_open(const struct sim_conf *conf, struct sim_world **out);
void sim_world_close(struct sim_world **self);
/* *out points into the world and into itself: do not copy it; good until the next call. Errors:
 * MEMORY. */
MUST_USE struct err sim_world_item(struct sim_world *self, uint64_t index, struct sim_item *out);
/* Threat number n: bricks of organic powder of about that mass, alone in the air before the scanner
 * of trucks: what threat image projection puts into scans of others. Else as sim_world_item(). */
MUST_USE struct err sim_world_threat(struct sim_world *self, uint64_t index, double mass_kg,
                                     struct sim_item *out);
/* Row index of count rows spread over the year before the start, oldest first. Pure. */
void sim_world_past(const struct sim_world *self, uint64_t index, uint64_t count,
                    struct sim_past *out);

#endif
