/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/material_ref.h"

#include <math.h>

static double attenuation(const struct material_physics *p, int spectrum, size_t z, double t)
{
    long double through = 0;
    for (size_t e = 0; e < p->energy_count; e++) {
        size_t at = z * p->energy_count + e;
        const double *f = p->factors[spectrum];
        double mu = f[0] * p->photoelectric[at] + f[1] * p->scattered[at] + f[2] * p->pair[at];
        through += (long double)p->weights[(size_t)spectrum * p->energy_count + e] *
                   expl(-(long double)mu * (long double)t);
    }
    return (double)-logl(through);
}

static double density(const struct material_physics *p, size_t z, double wanted)
{
    double low = 0, high = 1e5;
    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;
        low = attenuation(p, 1, z, middle) < wanted ? middle : low;
        high = low < middle ? middle : high;
    }
    return low;
}

struct material_ref material_ref_estimate(const struct material_physics *physics, double low,
                                          double high)
{
    double before = 0, thick_before = 0;
    for (size_t z = 0; z < physics->element_count; z++) {
        double thick = density(physics, z, high);
        double here = attenuation(physics, 0, z, thick);
        if (z == 0 && low >= here) {
            return (struct material_ref){1, thick};
        }
        if (z > 0 && here >= before) {
            return (struct material_ref){(double)z, thick_before}; /* the turn */
        }
        if (z > 0 && low >= here) {
            double share = (before - low) / (before - here);
            return (struct material_ref){(double)z + share,
                                         thick_before + share * (thick - thick_before)};
        }
        before = here;
        thick_before = thick;
    }
    return (struct material_ref){(double)physics->element_count, thick_before};
}
