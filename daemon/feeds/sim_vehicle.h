/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_VEHICLE_H
#define SIM_VEHICLE_H

/* Sim vehicle: the shell of what passes the scanner, and where in it goods go and things can be
 * hidden. Centimetres as in sim_scene.h. Pure but for the random numbers, which are the caller's.
 */

#include "feeds/sim_goods.h"
#include "feeds/sim_scene.h"

#define SIM_NOOKS_MAX 12u

/* A hollow of the shell where something can be hidden, or an innocent oddity can sit. */
struct sim_nook {
    const char *place; /* "spare wheel", "front wall", ... */
    double from[3];
    double to[3];
};

struct sim_vehicle {
    struct sim_hold hold;
    struct sim_nook nooks[SIM_NOOKS_MAX];
    uint32_t nooks_count;
    double tare_kg;
};

/* Starts the scene, adds the shell, tells the hold. */
void sim_vehicle_build(enum mode mode, struct rng *rng, struct sim_scene *scene,
                       struct sim_vehicle *out);

#endif
