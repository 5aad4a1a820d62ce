/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/material.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/material_ref.h"
#include "kernels/xray.h"
#include "tests/kernels/draw.h"

/* Cross sections of the right shape (Klein-Nishina for scattering, Z^4 E^-3 for photoelectric
 * absorption, Z^2 ln E above 1.022 MeV for pairs) in place of published ones, which
 * test_material_images.c reads. */

enum { ENERGIES = 90, ELEMENTS = 92, ROWS = 96, COLUMNS = 96 };

struct bench {
    double photoelectric[ELEMENTS * ENERGIES];
    double scattered[ELEMENTS * ENERGIES];
    double pair[ELEMENTS * ENERGIES];
    double weights[2 * ENERGIES];
    float ratio_least[ROWS];
    float ratio_most[ROWS];
    float atomic_number[ROWS * COLUMNS];
    float areal_density[ROWS * COLUMNS];
    struct material_physics physics;
    struct material_table table;
};

static double klein_nishina(double k)
{
    double l = log(1 + 2 * k);
    return 0.30 * ((1 + k) / (k * k * k) * (2 * k * (1 + k) / (1 + 2 * k) - l) + l / (2 * k) -
                   (1 + 3 * k) / ((1 + 2 * k) * (1 + 2 * k)));
}

static void fill(struct bench *bench)
{
    double energies[ENERGIES];
    for (size_t e = 0; e < ENERGIES; e++) {
        energies[e] = 0.05 + 0.1 * (double)e;
    }
    for (size_t z = 0; z < ELEMENTS; z++) {
        double number = (double)z + 1, per_mass = z == 0 ? 1.0 : 0.5 - 0.0011 * number;
        for (size_t e = 0; e < ENERGIES; e++) {
            double mev = energies[e];
            size_t at = z * ENERGIES + e;
            bench->photoelectric[at] =
                per_mass * pow(number, 3.2) * 7e-9 * (pow(mev, -3) + 4 * pow(mev, -1.3));
            bench->scattered[at] = per_mass * klein_nishina(mev / 0.511);
            bench->pair[at] = mev > 1.1 ? per_mass * number * 3.3e-4 * log(mev / 1.1) : 0;
        }
    }
    double kev[ENERGIES];
    for (size_t e = 0; e < ENERGIES; e++) {
        kev[e] = 1000 * energies[e];
    }
    xray_kramers_spectrum(6000, kev, ENERGIES, bench->photoelectric + 81 * ENERGIES, 8.0,
                          bench->weights);
    xray_kramers_spectrum(9000, kev, ENERGIES, bench->photoelectric + 81 * ENERGIES, 8.0,
                          bench->weights + ENERGIES);
    bench->physics = (struct material_physics){.energy_count = ENERGIES,
                                               .element_count = ELEMENTS,
                                               .photoelectric = bench->photoelectric,
                                               .scattered = bench->scattered,
                                               .pair = bench->pair,
                                               .weights = bench->weights,
                                               .factors = {{1, 1, 1}, {1, 1, 1}}};
    bench->table = (struct material_table){.row_count = ROWS,
                                           .column_count = COLUMNS,
                                           .attenuation_step = 0.0625f,
                                           .ratio_least = bench->ratio_least,
                                           .ratio_most = bench->ratio_most,
                                           .atomic_number = bench->atomic_number,
                                           .areal_density = bench->areal_density};
}

/* Steps of five materials from a carton to what hardly lets anything through, as the physics has
 * them. */
static size_t fill_wedge(const struct bench *bench, struct material_step *out)
{
    static const size_t elements[] = {6, 13, 26, 40, 60};
    size_t count = 0;
    for (size_t k = 0; k < sizeof elements / sizeof elements[0]; k++) {
        for (double density = 1; density < 400; density *= 1.5) {
            double high = material_attenuation(&bench->physics, 1, elements[k] - 1, density);
            if (high < 8) {
                out[count++] = (struct material_step){
                    (double)elements[k], density,
                    material_attenuation(&bench->physics, 0, elements[k] - 1, density), high};
            }
        }
    }
    return count;
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    fill(bench);
    material_tabulate(&bench->physics, &bench->table);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* The heaviest element that the table tells at this attenuation. */
static double turn_at(const struct bench *bench, float high)
{
    return (double)bench->atomic_number[(size_t)(high / bench->table.attenuation_step) * COLUMNS];
}

/* What a slab of a known element shows comes back as that element and areal density: within 0.25 up
 * to 12 elements below the turn, within 1 up to 6 below it. */
static void estimate_of_slabs_gives_the_element(void **state)
{
    const struct bench *bench = *state;
    double worst_z = 0, worst_near = 0, worst_density = 0;
    for (size_t z = 3; z < 70; z += 4) {
        for (double density = 8; density < 160; density *= 1.31) {
            float high = (float)material_attenuation(&bench->physics, 1, z, density);
            float low = (float)material_attenuation(&bench->physics, 0, z, density);
            float number, thick;
            if (high > 5.8f || (double)(z + 1) > turn_at(bench, high) - 6) {
                continue;
            }
            material_estimate(&bench->table, &(struct material_pixels){&low, &high, 1, 0.01f},
                              &number, &thick);
            double wrong = fabs((double)number - (double)(z + 1));
            bool near = (double)(z + 1) > turn_at(bench, high) - 12;
            worst_z = fmax(worst_z, near ? 0 : wrong);
            worst_near = fmax(worst_near, near ? wrong : 0);
            worst_density = fmax(worst_density, fabs((double)thick / density - 1));
        }
    }
    print_message("worst error of Z %.4f, near the turn %.4f; of areal density %.5f\n", worst_z,
                  worst_near, worst_density);
    assert_true(worst_z < 0.25);
    assert_true(worst_near < 1);
    assert_true(worst_density < 0.004);
}

/* The table against the inversion without one, between elements and beyond the ends too. */
static void estimate_agrees_with_its_twin(void **state)
{
    const struct bench *bench = *state;
    struct rng rng;
    rng_init(&rng, 5, 0);
    double worst = 0;
    for (int i = 0; i < 60; i++) {
        float high = (float)(0.3 + 5.2 * rng_uniform(&rng));
        float low = high * (float)(0.98 + 0.3 * rng_uniform(&rng));
        float number, thick;
        material_estimate(&bench->table, &(struct material_pixels){&low, &high, 1, 0.01f}, &number,
                          &thick);
        struct material_ref twin =
            material_ref_estimate(&bench->physics, (double)low, (double)high);
        /* Near the turn Z hardly changes the ratio: there a step of the table is many elements. */
        double slack = twin.atomic_number < turn_at(bench, high) - 6 ? 0.25 : 4.0;
        worst = fmax(worst, fabs((double)number - twin.atomic_number) / slack);
        assert_true(fabs((double)thick / twin.areal_density - 1) < 0.02);
    }
    assert_true(worst < 1);
}

/* At equal attenuation at the high energy the ratio falls with Z up to a turning element and rises
 * beyond it: two elements give one reading, and the lighter one is told. */
static void estimate_beyond_the_turn_takes_the_lighter_branch(void **state)
{
    const struct bench *bench = *state;
    const float last = bench->atomic_number[40 * COLUMNS];
    assert_true(last > 50 && last < ELEMENTS);
    float high = 2.5f;
    struct material_ref turned = material_ref_estimate(&bench->physics, 0.0, (double)high);
    assert_true(fabs(turned.atomic_number - (double)last) <= 1);
    float low = 0.5f, number, thick;
    material_estimate(&bench->table, &(struct material_pixels){&low, &high, 1, 0.01f}, &number,
                      &thick);
    assert_true(fabsf(number - last) < 1.5f);
}

static void estimate_of_air_and_nonsense_is_zero(void **state)
{
    const struct bench *bench = *state;
    const float low[] = {0.0f, NAN, 1.0f, -0.1f, INFINITY, 1.0f};
    const float high[] = {0.0f, 1.0f, NAN, -0.1f, 1.0f, INFINITY};
    float number[6], thick[6];
    material_estimate(&bench->table, &(struct material_pixels){low, high, 6, 0.01f}, number, thick);
    for (int i = 0; i < 6; i++) {
        assert_true(number[i] == 0.0f && thick[i] == 0.0f);
    }
    struct material_region region;
    material_measure(&bench->table, &(struct material_pixels){low, high, 6, 0.01f}, &region);
    assert_int_equal(region.pixel_count, 0);
    assert_true(isnan(region.atomic_number));
}

/* Three slabs of three elements fix the three factors. */
static void calibrate_finds_the_factors_that_made_the_slabs(void **state)
{
    const struct bench *bench = *state;
    static const double wanted[3] = {1.12, 0.985, 1.03};
    struct material_physics truth = bench->physics, found = bench->physics;
    memcpy(truth.factors[1], wanted, sizeof wanted);
    struct material_slab slabs[3];
    const size_t elements[3] = {5, 25, 81};
    for (size_t i = 0; i < 3; i++) {
        slabs[i] = (struct material_slab){elements[i], 100,
                                          material_attenuation(&truth, 1, elements[i], 100)};
    }
    assert_true(material_calibrate(&found, 1, slabs, 3));
    for (int k = 0; k < 3; k++) {
        assert_true(fabs(found.factors[1][k] - wanted[k]) < 1e-6);
    }
    slabs[1] = slabs[2] = slabs[0]; /* one slab says nothing about three factors */
    struct material_physics same = bench->physics;
    assert_false(material_calibrate(&same, 1, slabs, 3));
    assert_memory_equal(same.factors, bench->physics.factors, sizeof same.factors);
}

/* The spread of many regions' estimates is what one region says of its own error. */
static void measure_knows_its_error(void **state)
{
    const struct bench *bench = *state;
    enum { REGIONS = 200, PIXELS = 100 };
    double a_low = material_attenuation(&bench->physics, 0, 12, 60);
    double a_high = material_attenuation(&bench->physics, 1, 12, 60);
    double sum = 0, squares = 0, told = 0;
    for (int r = 0; r < REGIONS; r++) {
        float low[PIXELS], high[PIXELS];
        struct rng rng;
        rng_init(&rng, 17, (uint64_t)r);
        for (int i = 0; i < PIXELS; i++) {
            low[i] = (float)(a_low + 0.01 * rng_normal(&rng));
            high[i] = (float)(a_high + 0.01 * rng_normal(&rng));
        }
        struct material_region region;
        material_measure(&bench->table, &(struct material_pixels){low, high, PIXELS, 0.01f},
                         &region);
        sum += region.atomic_number;
        squares += region.atomic_number * region.atomic_number;
        told += region.atomic_number_error / REGIONS;
        assert_false(region.at_end);
    }
    double mean = sum / REGIONS, spread = sqrt(squares / REGIONS - mean * mean);
    print_message("mean %.2f, spread %.3f, told %.3f\n", mean, spread, told);
    assert_true(fabs(mean - 13) < 0.3);
    assert_true(told > 0.75 * spread && told < 1.33 * spread);
}

/* The wedge's table against what it was made from, up to iron, where this soft beam's turn is far:
 * at the materials of the wedge it tells them, steps half as thick again apart cost a fifth of an
 * element; between two of them it is wrong by at most a twelfth of what lies between, and areal
 * density by 1%. */
static void wedge_tells_what_the_physics_tells(void **state)
{
    struct bench *bench = *state;
    struct material_step steps[128];
    struct material_table table = bench->table;
    size_t count = fill_wedge(bench, steps);
    double worst_at = 0, worst_between = 0, worst_density = 0;
    assert_true(material_tabulate_wedge(steps, count, &table));
    for (size_t z = 6; z <= 26; z++) {
        for (double density = 3; density < 90; density *= 1.3) {
            float low = (float)material_attenuation(&bench->physics, 0, z - 1, density);
            float high = (float)material_attenuation(&bench->physics, 1, z - 1, density);
            float number, thick;
            material_estimate(&table, &(struct material_pixels){&low, &high, 1, 0}, &number,
                              &thick);
            bool of_wedge = z == 6 || z == 13 || z == 26;
            double gap = z < 13 ? 7 : 13;
            double wrong = fabs((double)number - (double)z) / (of_wedge ? 1 : gap);
            worst_at = of_wedge ? fmax(worst_at, wrong) : worst_at;
            worst_between = of_wedge ? worst_between : fmax(worst_between, wrong);
            worst_density = fmax(worst_density, fabs((double)thick / density - 1));
        }
    }
    print_message("wedge: %.3f at its materials, %.3f of the gap between, density %.4f\n", worst_at,
                  worst_between, worst_density);
    assert_true(worst_at < 0.2 && worst_between < 1.0 / 12 && worst_density < 0.01);
}

static void wedge_out_of_order_gives_no_table(void **state)
{
    struct bench *bench = *state;
    struct material_step steps[128], broken[128];
    struct material_table table = bench->table;
    size_t count = fill_wedge(bench, steps);
    assert_false(material_tabulate_wedge(steps, 0, &table));
    assert_false(material_tabulate_wedge(steps, 1, &table));
    assert_false(material_tabulate_wedge(steps, 8, &table)); /* one material */
    for (int harm = 0; harm < 7; harm++) {
        memcpy(broken, steps, sizeof steps);
        switch (harm) {
        case 0:
            broken[1].high = broken[0].high;
            break;
        case 1:
            broken[count - 1].atomic_number = 5;
            break;
        case 2:
            broken[2].low = (double)NAN;
            break;
        case 3:
            broken[2].areal_density = 0;
            break;
        case 4:
            broken[0].atomic_number = 101;
            break;
        case 5: /* one step of the last material */
            broken[count - 1].atomic_number = 70;
            break;
        default: /* the second material has the ratio of the first */
            for (size_t i = 0; i < count; i++) {
                broken[i].low = 1.1 * broken[i].high;
            }
        }
        assert_false(material_tabulate_wedge(broken, count, &table));
    }
    assert_true(material_tabulate_wedge(steps, count, &table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(estimate_of_slabs_gives_the_element, setup, teardown),
        cmocka_unit_test_setup_teardown(estimate_agrees_with_its_twin, setup, teardown),
        cmocka_unit_test_setup_teardown(estimate_beyond_the_turn_takes_the_lighter_branch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(estimate_of_air_and_nonsense_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(calibrate_finds_the_factors_that_made_the_slabs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(measure_knows_its_error, setup, teardown),
        cmocka_unit_test_setup_teardown(wedge_tells_what_the_physics_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(wedge_out_of_order_gives_no_table, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
