/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_wedge.h"

#include <math.h>
#include <stdio.h>

#include "base/durable.h"

/* Plastic is told by the effective number that tables give it. Steps reach from a carton to what a
 * linac hardly passes; those that let less through than e^-12 are left out, as nobody could read
 * them. */

static const struct {
    double atomic_number;
    enum sim_material material;
} materials[] = {{5.4, SIM_POLYETHYLENE},
                 {13, SIM_ALUMINIUM},
                 {26, SIM_STEEL},
                 {29, SIM_COPPER},
                 {82, SIM_LEAD}};
static const double steps[] = {0.5, 1, 2, 4, 8, 15, 25, 40, 60, 85, 115, 150, 190, 240, 300};
static const double attenuation_max = 12;

struct err sim_wedge_add(const struct sim_scanner_kind *kind, struct text_buffer *out)
{
    struct sim_scanner *scanner = NULL;
    struct err err = sim_scanner_open(kind, &scanner);
    if (err_is(err)) {
        return err;
    }
    text_buffer_add(out, "atomic_number,areal_density,low,high\n");
    for (size_t m = 0; m < sizeof materials / sizeof materials[0]; m++) {
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            double through[2];
            sim_scanner_slab(scanner, materials[m].material, steps[s], through);
            if (-log(through[0]) < attenuation_max) {
                text_buffer_add(out, "%g,%g,%.6f,%.6f\n", materials[m].atomic_number, steps[s],
                                -log(through[0]), -log(through[1]));
            }
        }
    }
    sim_scanner_close(&scanner);
    return err_none;
}

struct err sim_wedge_write(const double mode_weights[MODE_COUNT], const char *directory)
{
    struct err err = durable_directory(directory, 0755);
    for (int mode = MODE_UNKNOWN + 1; mode < MODE_COUNT && !err_is(err); mode++) {
        const struct sim_scanner_kind *kind = sim_scanner_kind_of((enum mode)mode);
        struct text_buffer text = {.bytes_max = 65536};
        char path[DURABLE_PATH_BYTES];
        if (!(mode_weights[mode] > 0)) {
            continue;
        }
        bool fits = snprintf(path, sizeof path, "%s/%s.csv", directory, kind->scanner_type) <
                    (int)sizeof path;
        err = fits ? sim_wedge_add(kind, &text) : err_make(ERR_ARGUMENT, "path is too long");
        err = err_is(err) ? err : text_buffer_write(&text, path);
        text_buffer_fini(&text);
    }
    return err;
}
