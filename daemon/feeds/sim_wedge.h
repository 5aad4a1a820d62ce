/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_WEDGE_H
#define SIM_WEDGE_H

/* Sim wedge: what a step wedge of known materials reads behind a simulated scanner: the calibration
 * that `triagectl model train consistency --wedge` takes. Columns: atomic_number, areal_density in
 * g/cm2, low, high (attenuations). Noise-free: an engineer averages over each step. */

#include "base/err.h"
#include "feeds/sim_scanner.h"
#include "feeds/text_buffer.h"

/* Errors: as sim_scanner_open(). */
MUST_USE struct err sim_wedge_add(const struct sim_scanner_kind *kind, struct text_buffer *out);
/* A file SCANNER-TYPE.csv in the folder for each mode that has a weight. */
MUST_USE struct err sim_wedge_write(const double mode_weights[MODE_COUNT], const char *directory);

#endif
