/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/xray.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/xray_ref.h"
#include "tests/kernels/draw.h"

enum { MATERIALS = 3, BINS = 29, SPECTRA = 2, PIXELS = 517 };

struct scene {
    double energies[BINS];
    float mu_rho[MATERIALS * BINS];
    float weights[BINS * SPECTRA];
    float densities[PIXELS * MATERIALS];
    struct xray_beam beam;
};

/* mu/rho shaped like scattering plus photoelectric absorption; thickness up to 150 g/cm2. */
static void set_scene(struct scene *scene)
{
    double low[BINS];
    double high[BINS];
    for (size_t e = 0; e < BINS; e++) {
        scene->energies[e] = 20 + 200 * (double)e;
        for (size_t m = 0; m < MATERIALS; m++) {
            double z = 6 + 20 * (double)m;
            scene->mu_rho[m * BINS + e] =
                (float)(0.02 + 2 / scene->energies[e] + pow(z, 3) / pow(scene->energies[e], 3));
        }
    }
    xray_kramers_spectrum(3000, scene->energies, BINS, NULL, 0, low);
    xray_kramers_spectrum(5600, scene->energies, BINS, NULL, 0, high);
    for (size_t e = 0; e < BINS; e++) {
        scene->weights[e * SPECTRA] = (float)low[e];
        scene->weights[e * SPECTRA + 1] = (float)high[e];
    }
    struct rng rng;
    rng_init(&rng, 3, 0);
    for (size_t i = 0; i < PIXELS * MATERIALS; i++) {
        scene->densities[i] = i < 5 * MATERIALS ? 0.0f : (float)(50 * rng_uniform(&rng));
    }
    scene->beam = (struct xray_beam){MATERIALS, BINS, SPECTRA, scene->mu_rho, scene->weights};
}

static float *transmit(const struct scene *scene, size_t first, size_t count)
{
    float *transmission = draw_room(count * SPECTRA, sizeof *transmission);
    float *workspace = draw_room(xray_transmission_workspace_floats(&scene->beam), sizeof(float));
    xray_transmission(&scene->beam, scene->densities + first * MATERIALS, count, workspace,
                      transmission);
    free(workspace);
    return transmission;
}

/* KERNELS.md: (M + 3) u depth + 4 u on each bin's share, (bins + 1) u on their sum. */
static double transmission_bound(const struct scene *scene, size_t pixel, size_t spectrum)
{
    double bound = 0;
    for (size_t e = 0; e < BINS; e++) {
        double depth = 0;
        for (size_t m = 0; m < MATERIALS; m++) {
            depth += (double)scene->densities[pixel * MATERIALS + m] *
                     (double)scene->mu_rho[m * BINS + e];
        }
        bound += (double)scene->weights[e * SPECTRA + spectrum] * exp(-depth) *
                 ((MATERIALS + 3) * depth + 4 + BINS + 1) * 0x1p-24;
    }
    return bound;
}

/* No load transmits everything; no image, no work. */
static void transmission_matches_reference(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    float *found = transmit(&scene, 0, PIXELS);
    for (size_t i = 0; i < PIXELS; i++) {
        for (size_t s = 0; s < SPECTRA; s++) {
            double expected =
                xray_ref_transmission(&scene.beam, scene.densities + i * MATERIALS, s);
            assert_true(fabs((double)found[i * SPECTRA + s] - expected) <=
                        transmission_bound(&scene, i, s));
        }
    }
    assert_true(fabsf(found[0] - 1) < 1e-6f);
    free(found);
    found = transmit(&scene, 0, 0);
    free(found);
}

/* More load, less transmission; beyond every depth it ends near 0 and not in NaN. */
static void transmission_falls_with_load(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    for (size_t i = 0; i < PIXELS; i++) {
        scene.densities[i * MATERIALS] = (float)(i * i);
        scene.densities[i * MATERIALS + 1] = 0;
        scene.densities[i * MATERIALS + 2] = 0;
    }
    scene.densities[(PIXELS - 1) * MATERIALS] = 1e30f;
    float *found = transmit(&scene, 0, PIXELS);
    for (size_t i = 1; i < PIXELS; i++) {
        assert_true(found[i * SPECTRA] <= found[(i - 1) * SPECTRA]);
    }
    assert_true(found[(PIXELS - 1) * SPECTRA] >= 0 && found[(PIXELS - 1) * SPECTRA] < 1e-30f);
    free(found);
}

static void spectrum_is_normalised_and_filter_hardens_it(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene);
    double filter[BINS];
    double open[BINS];
    double filtered[BINS];
    double sums[4] = {0};
    for (size_t e = 0; e < BINS; e++) {
        filter[e] = 1e3 / scene.energies[e];
    }
    xray_kramers_spectrum(1000, scene.energies, BINS, NULL, 0, open);
    xray_kramers_spectrum(1000, scene.energies, BINS, filter, 0.5, filtered);
    for (size_t e = 0; e < BINS; e++) {
        assert_true(open[e] >= 0 && (scene.energies[e] < 1000 || open[e] <= 0));
        sums[0] += open[e];
        sums[1] += filtered[e];
        sums[2] += open[e] * scene.energies[e];
        sums[3] += filtered[e] * scene.energies[e];
    }
    assert_true(fabs(sums[0] - 1) < 1e-12 && fabs(sums[1] - 1) < 1e-12);
    assert_true(sums[3] > sums[2]);
    xray_apply_detector(scene.energies, BINS, filter, 1e9, open);
    sums[0] = 0;
    for (size_t e = 0; e < BINS; e++) {
        sums[0] += open[e];
    }
    assert_true(fabs(sums[0] - 1) < 1e-12);
    xray_kramers_spectrum(10, scene.energies, BINS, NULL, 0, open);
    assert_true(open[0] <= 0);
}

/* Variance of counts = gain^2 * photons * T + electronic^2, and splitting a line changes nothing.
 */
static void detect_noise_matches_its_model_and_splits(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct xray_detector detector = {50000, 300, 4000, 12};
    float *transmission = draw_room(COUNT, sizeof *transmission);
    uint16_t *counts = draw_room(COUNT, sizeof *counts);
    for (size_t i = 0; i < COUNT; i++) {
        transmission[i] = 0.1f;
    }
    struct xray_pixels pixels = {transmission, 1, COUNT, 900};
    xray_detect_u16(&detector, &pixels, 1, counts);
    double gain = 49700.0 / 4000;
    double mean = 300 + 4970;
    double variance = gain * gain * 400 + 144;
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < COUNT; i++) {
        sum += counts[i] - mean;
        squares += (counts[i] - mean) * (counts[i] - mean);
    }
    assert_true(fabs(sum / COUNT) < 5 * sqrt(variance / COUNT));
    assert_true(fabs(squares / COUNT / variance - 1) < 5 * sqrt(2.1 / COUNT));
    uint16_t part[100];
    pixels = (struct xray_pixels){transmission + 70, 1, 100, 970};
    xray_detect_u16(&detector, &pixels, 1, part);
    assert_memory_equal(part, counts + 70, sizeof part);
    xray_detect_u16(&detector, &pixels, 2, part);
    assert_memory_not_equal(part, counts + 70, sizeof part);
    free(transmission);
    free(counts);
}

static void detect_extremes_stay_within_counts(void **state)
{
    (void)state;
    const float transmission[] = {0, 9, 2, 9, NAN, 9};
    struct xray_detector detector = {65000, 3, 100, 0};
    struct xray_pixels pixels = {transmission, 2, 3, 0};
    uint16_t counts[3];
    xray_detect_u16(&detector, &pixels, 1, counts);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 65535);
    assert_int_equal(counts[2], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transmission_matches_reference),
        cmocka_unit_test(transmission_falls_with_load),
        cmocka_unit_test(spectrum_is_normalised_and_filter_hardens_it),
        cmocka_unit_test(detect_noise_matches_its_model_and_splits),
        cmocka_unit_test(detect_extremes_stay_within_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
