/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_XRAY_H
#define KERNELS_XRAY_H

/* Xray: what a detector reads behind a load, for the scan simulator.
 *
 * Units: energy keV, areal density g/cm2 (density times path), mass attenuation cm2/g; spectra are
 * relative and sum to 1. Scatter, beam geometry and detector lag are not modelled. Attenuation data
 * are the caller's arguments. Sources and error bounds: KERNELS.md. */

#include <stddef.h>
#include <stdint.h>

/* Photons per bin of a filtered bremsstrahlung source: Kramers' thick-target law (1923)
 * N(E) ~ E_max / E - 1 below the end point, times exp(-filter_mu_rho * filter_density), normalised
 * to sum 1. Characteristic lines are left out, and Kramers is only a shape above some 300 keV:
 * good enough for plausible contrast between two energies, not for dose.
 * energies_kev are bin centres > 0; filter_mu_rho [bin_count] may be NULL for no filter. When no
 * bin lies below the end point every weight is 0. */
void xray_kramers_spectrum(double end_point_kev, const double *energies_kev, size_t bin_count,
                           const double *filter_mu_rho, double filter_density,
                           double *restrict weights);

/* Turn photons into signal of an energy-integrating detector and normalise to sum 1:
 * w_e <- w_e E_e (1 - exp(-detector_mu_rho_e * detector_density)). */
void xray_apply_detector(const double *energies_kev, size_t bin_count,
                         const double *detector_mu_rho, double detector_density,
                         double *restrict weights);

struct xray_beam {
    size_t material_count;
    size_t bin_count;
    size_t spectrum_count; /* 1, or 2 for low and high energy */
    const float *mu_rho;   /* [material_count x bin_count], cm2/g */
    const float *weights;  /* [bin_count x spectrum_count], each column sums to 1 */
};

size_t xray_transmission_workspace_floats(const struct xray_beam *beam);

/* T[p][s] = sum over e of weights[e][s] exp(-sum over m of mu_rho[m][e] densities[p][m]).
 * densities [pixel_count x material_count] g/cm2, >= 0 and not NaN; transmission
 * [pixel_count x spectrum_count]. Both dense; must not overlap. Optical depth is cut at 80, where
 * nothing is left to measure. */
void xray_transmission(const struct xray_beam *beam, const float *restrict densities,
                       size_t pixel_count, float *restrict workspace, float *restrict transmission);

struct xray_detector {
    double air_level;        /* mean counts at transmission 1 */
    double dark_level;       /* mean counts without beam */
    double photons_in_air;   /* effective photons a pixel behind air: relative noise 1/sqrt of it */
    double electronic_noise; /* standard deviation, counts */
};

/* counts = dark + (air - dark) * Poisson(photons_in_air * T) / photons_in_air + normal *
 * electronic_noise, rounded and held in 0..65535. Pixel i draws from stream
 * first_pixel_index + i of the seed: splitting an image over calls changes nothing. */
struct xray_pixels {
    const float *transmission; /* read at [i * stride], so that one of several spectra is taken */
    size_t stride;
    size_t pixel_count;
    uint64_t first_pixel_index;
};
void xray_detect_u16(const struct xray_detector *detector, const struct xray_pixels *pixels,
                     uint64_t seed, uint16_t *restrict counts);
#endif
