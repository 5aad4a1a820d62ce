/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_PARTY_H
#define SIM_PARTY_H

/* Sim party: who trades in the simulated port, and the numbers that things carry. A few parties do
 * most of the trade (Zipf), and a few break the rules far more often than the rest, so that a model
 * of history has something to learn. Everything follows from the seed. Pure. */

#include "kernels/rng.h"
#include "proto/words.h"

#define SIM_PARTY_BYTES 12u
#define SIM_KEY_BYTES 24u

enum sim_party_kind { SIM_IMPORTER, SIM_SELLER, SIM_DECLARANT, SIM_COURIER, SIM_PARTY_KINDS };

struct sim_parties {
    char name[SIM_PARTY_KINDS][SIM_PARTY_BYTES];
    double propensity; /* how much more often than average these break the rules; mean about 1 over
                          the trade */
};

void sim_parties_draw(uint64_t seed, enum mode mode, struct rng *rng, struct sim_parties *out);

/* A new key of the scheme that a mode's items carry, with a right check digit where there is one.
 */
enum key_scheme sim_key_draw(enum mode mode, struct rng *rng, char out[SIM_KEY_BYTES]);

#endif
