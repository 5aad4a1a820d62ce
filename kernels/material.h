/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_MATERIAL_H
#define KERNELS_MATERIAL_H

/* Material: effective atomic number Z and areal density (g/cm2) from the attenuations of one ray at
 * two energies, by the semiempirical transparency model (Lalor and Danagoulian 2024,
 * doi 10.1016/j.nima.2024.169343):
 *
 *   A_s(t, Z) = -ln( sum over e of w_s[e] exp(-mu_s(e, Z) t) ),  s: 0 low, 1 high
 *   mu_s(e, Z) = a_s PE(e, Z) + b_s CS(e, Z) + c_s PP(e, Z)
 *
 * with spectrum times detector response w, the mass attenuation of photoelectric absorption,
 * scattering and pair production, and factors (a, b, c) that a calibration with known slabs fits:
 * they stand for what the model leaves out. Between two elements A_low at equal A_high is linear.
 *
 * Not unique: at equal A_high, A_low falls with Z while pair production grows, has a least value at
 * some turning element (70 to 90 for 6 and 9 MeV) and rises again with photoelectric absorption.
 * The estimate takes the branch below the turn; readings beyond its ends are held to them. Mixtures
 * along a ray have one effective Z. Pure. Equations, tables, error bounds: KERNELS.md. */

#include <stdbool.h>
#include <stddef.h>

enum { MATERIAL_ELEMENTS_MAX = 100 };

struct material_physics {
    size_t energy_count;
    size_t element_count;        /* elements of Z = 1 .. element_count, at least 2 */
    const double *photoelectric; /* [element_count x energy_count], cm2/g */
    const double *scattered;
    const double *pair;
    const double *weights; /* [2 x energy_count], each row sums to 1 */
    double factors[2][3];  /* a, b, c of low and high; 1 for plain physics */
};

double material_attenuation(const struct material_physics *physics, int spectrum, size_t element,
                            double areal_density);

/* A slab of known element and areal density, and what was read behind it. */
struct material_slab {
    size_t element; /* Z - 1 */
    double areal_density;
    double attenuation;
};

/* Fits a, b, c of one spectrum to slabs (least squares, at least three of three different elements)
 * from physics->factors on. False when it does not settle; the factors are then untouched. */
bool material_calibrate(struct material_physics *physics, int spectrum,
                        const struct material_slab *slabs, size_t slab_count);

/* Z and areal density over A_high (rows, from 0, attenuation_step apart) and the place q of the
 * ratio A_low / A_high between its least (q = 0, the turning element) and its greatest (q = 1,
 * hydrogen) at that A_high. */
struct material_table {
    size_t row_count;    /* >= 2 */
    size_t column_count; /* >= 2 */
    float attenuation_step;
    float *ratio_least; /* [row_count] */
    float *ratio_most;
    float *atomic_number; /* [row_count x column_count] */
    float *areal_density;
};

/* Fills a table whose counts, step and room the caller has set. */
void material_tabulate(const struct material_physics *physics, struct material_table *table);

/* The same table from a step wedge alone, for scanners whose spectrum nobody tells: steps of known
 * materials, measured at both energies. Ratio and areal density over A_high are straight lines
 * between the steps of a material, held beyond its first and last one; between two materials Z and
 * areal density are straight lines in the ratio. Steps by rising atomic number (which may be a
 * compound's effective one), those of a material by rising `high`, all above 0; two materials at
 * least, MATERIAL_WEDGE_MAX at most, two steps of each. False, and no table, when they are not, or
 * when at some row the second material does not have a lower ratio than the first. */
enum { MATERIAL_WEDGE_MAX = 32 };
struct material_step {
    double atomic_number;
    double areal_density; /* g/cm2 */
    double low;           /* attenuations */
    double high;
};
bool material_tabulate_wedge(const struct material_step *steps, size_t step_count,
                             struct material_table *table);

/* atomic_number[i], areal_density[i] for every pair; where A_high is not above high_min, or either
 * is NaN, both are 0. Beyond the table's last row A_high counts as that row's. */
struct material_pixels {
    const float *low;
    const float *high;
    size_t count;
    float high_min;
};
void material_estimate(const struct material_table *table, const struct material_pixels *pixels,
                       float *restrict atomic_number, float *restrict areal_density);

/* The estimate of a region from its mean attenuations, with the standard error of Z that their
 * scatter over the pixels leaves (first order; pixels count as independent). */
struct material_region {
    size_t pixel_count; /* pixels above high_min */
    double low;         /* means */
    double high;
    double atomic_number; /* NaN without pixels */
    double atomic_number_error;
    double areal_density;
    bool at_end; /* the ratio lies beyond the branch: Z is at one of its ends */
};
void material_measure(const struct material_table *table, const struct material_pixels *pixels,
                      struct material_region *out);

#endif
