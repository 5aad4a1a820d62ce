/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HIDE_H
#define SIM_HIDE_H

/* Sim hide: contraband among the goods or in the shell, and innocent oddities that look like it.
 * Pure but for the random numbers, which are the caller's. */

#include <stdbool.h>

#include "feeds/sim_vehicle.h"

#define SIM_PLACE_BYTES 48u

struct sim_hidden {
    const char *what;            /* "cocaine", "firearm", ...; NULL: nothing */
    char place[SIM_PLACE_BYTES]; /* "goods", "spare wheel", ... */
    double mass_kg;              /* of the contraband, without shielding */
    double from_cm[2];           /* bounding box in the image plane */
    double to_cm[2];
};

struct sim_oddity {
    const char *what; /* NULL: none */
    double from_cm[2];
    double to_cm[2];
};

void sim_hide_contraband(enum mode mode, const struct sim_vehicle *vehicle, struct rng *rng,
                         struct sim_scene *scene, struct sim_hidden *out);
void sim_hide_oddity(enum mode mode, const struct sim_vehicle *vehicle, struct rng *rng,
                     struct sim_scene *scene, struct sim_oddity *out);

#endif
