/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MATERIAL_H
#define SIM_MATERIAL_H

/* Sim material: what simulated things are made of, and how it attenuates photons. Composition by
 * formula and mass fraction; mass attenuation (total, with coherent scattering) from xraylib's
 * elements up to 800 keV and from sim_mev_table.h up to 10 MeV. Pure; any thread once xraylib is
 * loaded. */

#include "base/err.h"

enum sim_material {
    SIM_WATER,
    SIM_CELLULOSE,    /* paper, wood, cotton, tobacco */
    SIM_POLYETHYLENE, /* plastics, fat */
    SIM_PVC,
    SIM_FOOD,
    SIM_GRAIN,
    SIM_ALUMINIUM,
    SIM_STEEL,
    SIM_COPPER,
    SIM_LEAD,
    SIM_GLASS,
    SIM_CERAMIC,
    SIM_RUBBER,
    SIM_FUEL,
    SIM_ELECTRONICS,
    SIM_COCAINE,
    SIM_HEROIN,
    SIM_FENTANYL,
    SIM_EXPLOSIVE,
    SIM_SCINTILLATOR, /* CdWO4, of the detector */
    SIM_MATERIAL_COUNT
};

#define SIM_ENERGY_KEV_MIN 10.0
#define SIM_ENERGY_KEV_MAX 10000.0

const char *sim_material_name(enum sim_material material);
/* Total mass attenuation coefficient in cm2/g. Errors: ARGUMENT for an energy outside the two
 * bounds above. */
MUST_USE struct err sim_material_mu_rho(enum sim_material material, double energy_kev,
                                        double *mu_rho);

#endif
