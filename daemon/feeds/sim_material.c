/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_material.h"

#include <math.h>
#include <stddef.h>
#include <xraylib.h>

#include "feeds/sim_mev_table.h"

/* xraylib's spline ends at 800 keV, cargo linacs reach 9 MeV. The two sources meet at 800 keV
 * within 0.3 per cent. */

#define XRAYLIB_KEV_MAX 800.0
#define PARTS_MAX 4

struct part {
    const char *formula;
    double mass_fraction;
};

static const struct {
    const char *name;
    struct part parts[PARTS_MAX];
} materials[SIM_MATERIAL_COUNT] = {
    [SIM_WATER] = {"water", {{"H2O", 1}}},
    [SIM_CELLULOSE] = {"cellulose", {{"C6H10O5", 1}}},
    [SIM_POLYETHYLENE] = {"polyethylene", {{"C2H4", 1}}},
    [SIM_PVC] = {"pvc", {{"C2H3Cl", 1}}},
    [SIM_FOOD] = {"food", {{"H2O", 0.72}, {"C6H10O5", 0.22}, {"C2H4", 0.06}}},
    [SIM_GRAIN] = {"grain", {{"C6H10O5", 0.86}, {"H2O", 0.12}, {"N", 0.02}}},
    [SIM_ALUMINIUM] = {"aluminium", {{"Al", 1}}},
    [SIM_STEEL] = {"steel", {{"Fe", 0.985}, {"Mn", 0.01}, {"C", 0.005}}},
    [SIM_COPPER] = {"copper", {{"Cu", 1}}},
    [SIM_LEAD] = {"lead", {{"Pb", 1}}},
    [SIM_GLASS] = {"glass", {{"SiO2", 0.74}, {"Na2O", 0.14}, {"CaO", 0.12}}},
    [SIM_CERAMIC] = {"ceramic", {{"SiO2", 0.65}, {"Al2O3", 0.25}, {"CaO", 0.10}}},
    [SIM_RUBBER] = {"rubber", {{"C5H8", 0.70}, {"C", 0.28}, {"S", 0.02}}},
    [SIM_FUEL] = {"fuel", {{"C12H26", 1}}},
    [SIM_ELECTRONICS] = {"electronics",
                         {{"SiO2", 0.35}, {"C8H8", 0.35}, {"Cu", 0.18}, {"Fe", 0.12}}},
    [SIM_COCAINE] = {"cocaine", {{"C17H21NO4", 1}}},
    [SIM_HEROIN] = {"heroin", {{"C21H23NO5", 1}}},
    [SIM_FENTANYL] = {"fentanyl", {{"C22H28N2O", 1}}},
    [SIM_EXPLOSIVE] = {"explosive", {{"C3H6N6O6", 1}}},
    [SIM_SCINTILLATOR] = {"scintillator", {{"CdWO4", 1}}},
};

const char *sim_material_name(enum sim_material material)
{
    must((unsigned)material < SIM_MATERIAL_COUNT);
    return materials[material].name;
}

static double element_above(int atomic_number, double energy_kev)
{
    size_t row = 0;
    size_t rows = sizeof sim_mev_table / sizeof sim_mev_table[0];
    while (row < rows && sim_mev_table[row].atomic_number != atomic_number) {
        row++;
    }
    must(row < rows); /* every element of the materials above is in the table */
    size_t upper = 1;
    while (upper < SIM_MEV_ENERGIES - 1 && sim_mev_energies_kev[upper] < energy_kev) {
        upper++;
    }
    double x0 = log(sim_mev_energies_kev[upper - 1]), x1 = log(sim_mev_energies_kev[upper]);
    double y0 = log(sim_mev_table[row].mu_rho[upper - 1]),
           y1 = log(sim_mev_table[row].mu_rho[upper]);
    return exp(y0 + (y1 - y0) * (log(energy_kev) - x0) / (x1 - x0));
}

static double element_mu_rho(int atomic_number, double energy_kev)
{
    if (energy_kev > XRAYLIB_KEV_MAX) {
        return element_above(atomic_number, energy_kev);
    }
    xrl_error *error = NULL;
    double mu_rho = CS_Total(atomic_number, energy_kev, &error);
    must(error == NULL);
    return mu_rho;
}

struct err sim_material_mu_rho(enum sim_material material, double energy_kev, double *mu_rho)
{
    must((unsigned)material < SIM_MATERIAL_COUNT && mu_rho != NULL);
    if (!(energy_kev >= SIM_ENERGY_KEV_MIN && energy_kev <= SIM_ENERGY_KEV_MAX)) {
        return err_make(ERR_ARGUMENT, "look up attenuation");
    }
    double sum = 0;
    for (size_t i = 0; i < PARTS_MAX && materials[material].parts[i].formula != NULL; i++) {
        xrl_error *error = NULL;
        struct compoundData *compound =
            CompoundParser(materials[material].parts[i].formula, &error);
        must(compound != NULL && error == NULL);
        for (int e = 0; e < compound->nElements; e++) {
            sum += materials[material].parts[i].mass_fraction * compound->massFractions[e] *
                   element_mu_rho(compound->Elements[e], energy_kev);
        }
        FreeCompoundData(compound);
    }
    *mu_rho = sum;
    return err_none;
}
