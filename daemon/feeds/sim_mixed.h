/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MIXED_H
#define SIM_MIXED_H

/* Sim mixed: a hold of mixed cargo, and bricks of an organic powder hidden in it.
 *
 * Pallets stand two abreast, each of a ware of its own from the table of goods, one in seven a
 * crate of machine parts; or loose parcels of every kind stand in their place. A carton has its own
 * density. So a ray crosses two to six pieces of different materials, and the side view shows no
 * flat areas. Lengths cm, densities g/cm3. Pure but for the random numbers, which are the caller's.
 */

#include "feeds/sim_hide.h"

struct sim_mixture {
    enum mode mode;       /* whose wares */
    double density;       /* as packed, on average over pallets, g/cm3 */
    double parcels_share; /* of the places: loose parcels instead of two pallets */
};

/* What is carried stays below the payload: dense cargo is stowed low. */
void sim_mixed_stow(const struct sim_mixture *mixture, const struct sim_hold *hold, struct rng *rng,
                    struct sim_scene *scene);

/* `mass_kg` (one brick at least) in bricks of 20..25 x 15 x 5 cm and 1.1 .. 1.4 g/cm3, in a block
 * that is roughly a cube, somewhere among the cartons; what it displaces is taken away. out->what
 * stays NULL when the load has no carton. */
void sim_mixed_hide(const struct sim_hold *hold, double mass_kg, struct rng *rng,
                    struct sim_scene *scene, struct sim_hidden *out);

/* The block of sim_mixed_hide() alone in the air, in the middle of a scene that it just fills. */
void sim_mixed_threat(double mass_kg, struct rng *rng, struct sim_scene *scene,
                      struct sim_hidden *out);

#endif
