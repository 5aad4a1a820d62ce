/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_GOODS_H
#define SIM_GOODS_H

/* Sim goods: what is traded in the simulated port, how it is packed, and how a hold is filled with
 * it. Pure but for the random numbers, which are the caller's. */

#include <stdint.h>

#include "feeds/sim_scene.h"
#include "kernels/rng.h"
#include "proto/words.h"

enum sim_packing {
    SIM_PALLETS, /* cartons in layers on wooden pallets */
    SIM_BAGS,    /* sacks stowed to a flat top */
    SIM_BULK,    /* poured: a ragged surface */
    SIM_DRUMS,
    SIM_REELS,   /* standing rolls */
    SIM_COILS,   /* lying rolls with a hole */
    SIM_BUNDLES, /* timber, profiles: long and low */
    SIM_CRATES,  /* machines in frames */
    SIM_LOOSE    /* cartons of all sizes */
};

struct sim_goods {
    const char *hs6;
    const char *description;
    enum sim_packing packing;
    struct sim_stuff stuff; /* as packed: density includes the air inside a carton */
    double fill[2];         /* share of the height that is used: from, to */
    double value_per_kg;    /* EUR */
    double tax_rate_percent;
    const char *origins[3];
    uint32_t modes; /* bit 1 << enum mode */
};

uint32_t sim_goods_count(void);
const struct sim_goods *sim_goods_at(uint32_t index);
/* One that travels by this mode; all of a mode are equally likely. */
const struct sim_goods *sim_goods_draw(enum mode mode, struct rng *rng);

struct sim_hold {
    double from[3]; /* cm; corner with the smallest x, y, z */
    double to[3];
    double payload_kg;
};

/* Stow goods from the front until the hold or the payload is used up. */
void sim_goods_stow(const struct sim_goods *goods, const struct sim_hold *hold, struct rng *rng,
                    struct sim_scene *scene);
/* One to seven pieces anywhere in a small hold: parcels, boots of cars. */
void sim_goods_scatter(const struct sim_goods *goods, const struct sim_hold *hold, struct rng *rng,
                       struct sim_scene *scene);
/* Uniform in from..to. */
double sim_between(struct rng *rng, double from, double to);

#endif
