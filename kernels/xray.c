/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/xray.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "kernels/rng.h"

/* Transmission is two small matrix products around one exponential: optical depth = densities x
 * mu_rho, then exp, then x spectra. Both energies share depth and exponential. A tile of pixels
 * stays in the second-level cache. */

enum { PIXEL_TILE = 256 };

static const float depth_max = 80.0f;

void xray_kramers_spectrum(double end_point_kev, const double *energies_kev, size_t bin_count,
                           const double *filter_mu_rho, double filter_density,
                           double *restrict weights)
{
    double sum = 0;
    for (size_t e = 0; e < bin_count; e++) {
        double photons = end_point_kev / energies_kev[e] - 1.0;
        photons = photons > 0 ? photons : 0.0;
        if (filter_mu_rho != NULL) {
            photons *= exp(-filter_mu_rho[e] * filter_density);
        }
        weights[e] = photons;
        sum += photons;
    }
    for (size_t e = 0; e < bin_count && sum > 0; e++) {
        weights[e] /= sum;
    }
}

void xray_apply_detector(const double *energies_kev, size_t bin_count,
                         const double *detector_mu_rho, double detector_density,
                         double *restrict weights)
{
    double sum = 0;
    for (size_t e = 0; e < bin_count; e++) {
        /* expm1 keeps a thin detector exact: 1 - exp(-x) with small x. */
        weights[e] *= energies_kev[e] * -expm1(-detector_mu_rho[e] * detector_density);
        sum += weights[e];
    }
    for (size_t e = 0; e < bin_count && sum > 0; e++) {
        weights[e] /= sum;
    }
}

size_t xray_transmission_workspace_floats(const struct xray_beam *beam)
{
    return (size_t)PIXEL_TILE * beam->bin_count; /* a multiple of LANES */
}

/* exp(-depth) for a group of depths, held within 0..depth_max. Reduction by ln 2 in two parts, then
 * a degree 6 polynomial on |r| <= ln(2) / 2. Adding and taking away 1.5 * 2^23 rounds to the
 * nearest integer. Written on compiler vectors so that one text serves every register width; there
 * is no fused multiply-add on either path, so both give the same bits. */
enum { LANES = 8 };
typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t integer_lanes __attribute__((vector_size(4 * LANES)));

__attribute__((always_inline)) static inline void exponential(float *depth)
{
    const float rounding = 12582912.0f;
    const lanes limit = (lanes){0} + depth_max;
    lanes x;
    memcpy(&x, depth, sizeof x);
    integer_lanes usable = (x < depth_max) & (x > 0.0f);
    integer_lanes deep = x >= depth_max;
    x = (lanes)(((integer_lanes)x & usable) | ((integer_lanes)limit & deep));
    lanes power = (x * -1.44269504f + rounding) - rounding;
    lanes r = (-x - power * 0.693359375f) + power * 2.12194440e-4f;
    lanes p = r * (1.0f / 720.0f) + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    integer_lanes exponent = (__builtin_convertvector(power, integer_lanes) + 127) * (1 << 23);
    p = p * (lanes)exponent;
    memcpy(depth, &p, sizeof p);
}

__attribute__((always_inline)) static inline void exponentials(float *depth, size_t group_count)
{
    for (size_t i = 0; i < group_count; i++) {
        exponential(depth + i * LANES);
    }
}

static void exponentials_portable(float *depth, size_t group_count)
{
    exponentials(depth, group_count);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void exponentials_avx2(float *depth, size_t group_count)
{
    exponentials(depth, group_count);
}
#endif

static void attenuate(float *depth, size_t group_count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        exponentials_avx2(depth, group_count);
        return;
    }
#endif
    exponentials_portable(depth, group_count);
}

void xray_transmission(const struct xray_beam *beam, const float *restrict densities,
                       size_t pixel_count, float *restrict workspace, float *restrict transmission)
{
    int materials = (int)beam->material_count;
    int bins = (int)beam->bin_count;
    int spectra = (int)beam->spectrum_count;
    for (size_t first = 0; first < pixel_count; first += PIXEL_TILE) {
        size_t left = pixel_count - first;
        size_t rows = left < PIXEL_TILE ? left : PIXEL_TILE;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, bins, materials, 1.0f,
                    densities + first * beam->material_count, materials, beam->mu_rho, bins, 0.0f,
                    workspace, bins);
        size_t groups = (rows * beam->bin_count + LANES - 1) / LANES;
        memset(workspace + rows * beam->bin_count, 0,
               (groups * LANES - rows * beam->bin_count) * sizeof *workspace);
        attenuate(workspace, groups);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, spectra, bins, 1.0f,
                    workspace, bins, beam->weights, spectra, 0.0f,
                    transmission + first * beam->spectrum_count, spectra);
    }
}

void xray_detect_u16(const struct xray_detector *detector, const struct xray_pixels *pixels,
                     uint64_t seed, uint16_t *restrict counts)
{
    double gain = (detector->air_level - detector->dark_level) / detector->photons_in_air;
    for (size_t i = 0; i < pixels->pixel_count; i++) {
        struct rng rng;
        rng_init(&rng, seed, pixels->first_pixel_index + i);
        double wanted = detector->photons_in_air * (double)pixels->transmission[i * pixels->stride];
        double signal = detector->dark_level + gain * rng_poisson(&rng, wanted) +
                        detector->electronic_noise * rng_normal(&rng);
        double rounded = floor(signal + 0.5);
        /* Written so that NaN ends at 0 and not in an undefined conversion. */
        counts[i] = rounded >= 65535.0 ? 65535 : rounded > 0.0 ? (uint16_t)rounded : 0;
    }
}
