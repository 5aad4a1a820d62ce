/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SCANNER_H
#define SIM_SCANNER_H

/* Sim scanner: a source of two energies, a detector, and the 16-bit images they make of a scene.
 * The same scene, scanner and seed give the same bytes (for one build). Energies keV, lengths cm
 * unless the name says otherwise. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "feeds/sim_scene.h"
#include "proto/words.h"

#define SIM_BINS_MAX 16u

struct sim_scanner_kind {
    const char *scanner_type; /* "vehicle-portal", ... */
    double low_kev;           /* end points */
    double high_kev;
    uint32_t bins_count;
    enum sim_material filter; /* in front of the source */
    double filter_density;    /* g/cm2 */
    double detector_density;  /* g/cm2 of CdWO4 */
    double pitch_mm;          /* at full scale */
    double photons_in_air;    /* effective, a pixel */
    double pulse_spread;      /* relative, from column to column: dose of the source */
    double
        gain_spread; /* relative, from row to row: what calibration left of the detector channels */
};

struct sim_scanner; /* the kind with its spectra and attenuation worked out */

/* The scanner of a mode. */
const struct sim_scanner_kind *sim_scanner_kind_of(enum mode mode);
/* Errors: MEMORY, ARGUMENT (end point or bins out of range). */
MUST_USE struct err sim_scanner_open(const struct sim_scanner_kind *kind, struct sim_scanner **out);
void sim_scanner_close(struct sim_scanner **self);

#define SIM_AIR_LEVEL 60000u
#define SIM_DARK_LEVEL 1200u

struct sim_exposure {
    double pitch_mm;
    uint64_t seed;
    uint32_t dead_rows; /* channels that give the dark level */
    bool ideal;         /* no noise, no gain residual: for tests of the physics */
};

/* Pixels of a scene at a pitch; false when there would be none or more than a side allows. */
bool sim_scanner_geometry(const struct sim_scene *scene, double pitch_mm, uint32_t *width,
                          uint32_t *height);
/* low and high: width * height values each, rows from the top. Errors: MEMORY. */
MUST_USE struct err sim_scanner_expose(struct sim_scanner *self, const struct sim_scene *scene,
                                       const struct sim_exposure *exposure, uint16_t *low,
                                       uint16_t *high);
/* Transmission of a slab by the scanner's own spectra, worked out in double precision: what an
 * ideal exposure must show. areal_density in g/cm2; out[0] low, out[1] high. */
void sim_scanner_slab(const struct sim_scanner *self, enum sim_material material,
                      double areal_density, double out[2]);

#endif
