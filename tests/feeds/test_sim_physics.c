/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/feeds/feeds_test.h"

#include <math.h>

#include "feeds/sim_scanner.h"

/* Published values: NIST, X-Ray Mass Attenuation Coefficients (Hubbell and Seltzer, NISTIR 5632),
 * tables 3 and 4, cm2/g. */
static void mu_rho_agrees_with_published_values(void **state)
{
    (void)state;
    static const struct {
        enum sim_material material;
        double energy_kev, mu_rho;
    } rows[] = {
        {SIM_WATER, 60, 2.059e-1},        {SIM_WATER, 100, 1.707e-1},
        {SIM_WATER, 1000, 7.072e-2},      {SIM_WATER, 6000, 2.770e-2},
        {SIM_ALUMINIUM, 60, 2.778e-1},    {SIM_ALUMINIUM, 1000, 6.146e-2},
        {SIM_LEAD, 100, 5.549},           {SIM_LEAD, 1000, 7.102e-2},
        {SIM_LEAD, 6000, 4.391e-2},       {SIM_COPPER, 100, 4.584e-1},
        {SIM_POLYETHYLENE, 60, 1.970e-1}, {SIM_POLYETHYLENE, 1000, 7.262e-2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double mu_rho = 0;
        assert_false(err_is(sim_material_mu_rho(rows[i].material, rows[i].energy_kev, &mu_rho)));
        if (fabs(mu_rho / rows[i].mu_rho - 1) > 0.015) {
            fail_msg("%s at %g keV: %g instead of %g", sim_material_name(rows[i].material),
                     rows[i].energy_kev, mu_rho, rows[i].mu_rho);
        }
    }
}

static void mu_rho_has_no_step_where_the_sources_meet(void **state)
{
    (void)state;
    for (int m = 0; m < SIM_MATERIAL_COUNT; m++) {
        double below = 0, above = 0;
        assert_false(err_is(sim_material_mu_rho((enum sim_material)m, 800.0, &below)));
        assert_false(err_is(sim_material_mu_rho((enum sim_material)m, 800.001, &above)));
        assert_true(fabs(above / below - 1) < 0.006);
    }
}

static void mu_rho_outside_the_tables_refuses(void **state)
{
    (void)state;
    double mu_rho = 7;
    assert_int_equal(sim_material_mu_rho(SIM_WATER, 9.9, &mu_rho).code, ERR_ARGUMENT);
    assert_int_equal(sim_material_mu_rho(SIM_WATER, 10001, &mu_rho).code, ERR_ARGUMENT);
    assert_int_equal(sim_material_mu_rho(SIM_WATER, NAN, &mu_rho).code, ERR_ARGUMENT);
    assert_true(mu_rho == 7);
}

static void mu_rho_agrees_with_xcom_files(void **state)
{
    (void)state;
    static const struct {
        enum sim_material material;
        const char *file;
    } elements[] = {{SIM_ALUMINIUM, "13"}, {SIM_COPPER, "29"}, {SIM_LEAD, "82"}};
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        char name[128], text[512];
        (void)snprintf(name, sizeof name, "physics/semiZ/XCOM/MassAttenCoefs/%s.txt",
                       elements[i].file);
        const char *path = test_shared(name);
        if (path == NULL) {
            skip();
        }
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        unsigned compared = 0;
        while (fgets(text, sizeof text, file) != NULL) {
            double row[8], mu_rho = 0;
            if (sscanf(text, "%lf %lf %lf %lf %lf %lf %lf %lf", &row[0], &row[1], &row[2], &row[3],
                       &row[4], &row[5], &row[6], &row[7]) != 8 ||
                row[0] < 0.1 || row[0] > 10) {
                continue;
            }
            assert_false(err_is(sim_material_mu_rho(elements[i].material, row[0] * 1000, &mu_rho)));
            if (fabs(mu_rho / row[6] - 1) > 0.02) {
                fail_msg("element %s at %g MeV: %g instead of %g", elements[i].file, row[0], mu_rho,
                         row[6]);
            }
            compared++;
        }
        assert_int_equal(fclose(file), 0);
        assert_true(compared > 15);
    }
}

static struct sim_scene *new_scene(double width_cm, double height_cm)
{
    struct sim_scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    sim_scene_init(scene, width_cm, height_cm);
    return scene;
}

/* A slab that fills the field: every pixel of an ideal exposure is Beer-Lambert by the scanner's
 * spectra. */
static void slab_exposure_equals_beer_lambert(void **state)
{
    (void)state;
    static const enum mode modes[] = {MODE_MAIL, MODE_PASSENGER, MODE_SEA};
    static const struct sim_stuff stuffs[] = {
        {SIM_WATER, 1.0}, {SIM_STEEL, 7.85}, {SIM_FENTANYL, 0.8}, {SIM_LEAD, 11.34}};
    for (size_t m = 0; m < 3; m++) {
        struct sim_scanner *scanner = NULL;
        assert_false(err_is(sim_scanner_open(sim_scanner_kind_of(modes[m]), &scanner)));
        for (size_t s = 0; s < 4; s++) {
            for (double depth = 0.1; depth < 20; depth *= 5) {
                struct sim_scene *scene = new_scene(4, 3);
                (void)sim_scene_add_box(scene, SIM_ROLE_GOODS, (double[]){-1, -1, 0},
                                        (double[]){5, 4, depth}, stuffs[s]);
                uint16_t images[2][12];
                const struct sim_exposure exposure = {.pitch_mm = 10, .ideal = true};
                assert_false(
                    err_is(sim_scanner_expose(scanner, scene, &exposure, images[0], images[1])));
                double wanted[2];
                sim_scanner_slab(scanner, stuffs[s].material, stuffs[s].density * depth, wanted);
                for (int e = 0; e < 2; e++) {
                    double got =
                        (images[e][7] - (double)SIM_DARK_LEVEL) / (SIM_AIR_LEVEL - SIM_DARK_LEVEL);
                    assert_true(fabs(got - wanted[e]) <
                                2e-5 + 1e-4 * wanted[e]); /* one count and float rounding */
                }
                free(scene);
            }
        }
        sim_scanner_close(&scanner);
    }
}

/* At the end of a thick slab the softest photons are gone: -ln T / density must fall with
 * thickness, between the coefficients of the hardest and the softest bin, and the low energy must
 * be attenuated more. */
static void spectra_harden_and_energies_differ(void **state)
{
    (void)state;
    struct sim_scanner *scanner = NULL;
    assert_false(err_is(sim_scanner_open(sim_scanner_kind_of(MODE_MAIL), &scanner)));
    double before = 1e9, hardest = 0, softest = 0;
    assert_false(err_is(sim_material_mu_rho(SIM_WATER, 160, &hardest)));
    assert_false(err_is(sim_material_mu_rho(SIM_WATER, 20, &softest)));
    for (double density = 1; density < 60; density *= 2) {
        double slab[2];
        sim_scanner_slab(scanner, SIM_WATER, density, slab);
        double effective = -log(slab[1]) / density;
        assert_true(effective < before && effective > hardest && effective < softest);
        assert_true(slab[0] < slab[1]);
        before = effective;
    }
    sim_scanner_close(&scanner);
}

static void noise_has_the_stated_spread(void **state)
{
    (void)state;
    struct sim_scanner_kind kind = *sim_scanner_kind_of(MODE_MAIL);
    kind.gain_spread = 0;
    kind.pulse_spread = 0;
    struct sim_scanner *scanner = NULL;
    assert_false(err_is(sim_scanner_open(&kind, &scanner)));
    struct sim_scene *scene = new_scene(20, 20);
    enum { COUNT = 200 * 200 };
    uint16_t *low = malloc(2 * COUNT * sizeof *low);
    assert_false(err_is(sim_scanner_expose(
        scanner, scene, &(struct sim_exposure){.pitch_mm = 1, .seed = 5}, low, low + COUNT)));
    double sum = 0, squares = 0;
    for (int i = 0; i < COUNT; i++) {
        sum += low[i];
        squares += (double)low[i] * low[i];
    }
    double mean = sum / COUNT, spread = sqrt(squares / COUNT - mean * mean);
    double wanted = (SIM_AIR_LEVEL - SIM_DARK_LEVEL) / sqrt(kind.photons_in_air);
    assert_true(fabs(mean - SIM_AIR_LEVEL) < 5 * wanted / sqrt(COUNT) + 1);
    assert_true(fabs(spread / wanted - 1) < 0.03);
    free(low);
    free(scene);
    sim_scanner_close(&scanner);
}

/* Mass is conserved by drawing: the sum over pixels of path * density * pixel area is the shape's
 * mass. */
static void path_integral_equals_volume(void **state)
{
    (void)state;
    for (int form = SIM_BOX; form <= SIM_ELLIPSOID; form++) {
        const struct sim_shape shape = {.form = (enum sim_form)form,
                                        .centre = {10, 9, 0},
                                        .half = {5, 3, 2},
                                        .turn = 0.4,
                                        .stuff = {SIM_WATER, 1}};
        double sum = 0, step = 0.02;
        for (double y = step / 2; y < 20; y += step) {
            for (double x = step / 2; x < 20; x += step) {
                sum += sim_shape_path_cm(&shape, x, y) * step * step;
            }
        }
        assert_true(fabs(sum / sim_shape_volume_cm3(&shape) - 1) < 0.005);
    }
}

static void hidden_block_displaces_its_host(void **state)
{
    (void)state;
    struct sim_scene *scene = new_scene(10, 10);
    struct sim_stuff goods = {SIM_CELLULOSE, 0.5}, powder = {SIM_COCAINE, 1.0};
    (void)sim_scene_add_box(scene, SIM_ROLE_GOODS, (double[]){0, 0, 0}, (double[]){10, 10, 10},
                            goods);
    struct sim_shape block = {.form = SIM_BOX,
                              .role = SIM_ROLE_HIDDEN,
                              .centre = {5, 5, 5},
                              .half = {2, 2, 2},
                              .stuff = powder,
                              .host = goods,
                              .host_role = SIM_ROLE_GOODS};
    assert_non_null(sim_scene_add(scene, &block));
    assert_true(fabs(sim_scene_mass_kg(scene, SIM_ROLE_GOODS) - (1000 - 64) * 0.5 / 1000) < 1e-9);
    assert_true(fabs(sim_scene_mass_kg(scene, SIM_ROLE_HIDDEN) - 0.064) < 1e-9);
    struct sim_scanner *scanner = NULL;
    assert_false(err_is(sim_scanner_open(sim_scanner_kind_of(MODE_MAIL), &scanner)));
    uint16_t images[2][100];
    assert_false(err_is(sim_scanner_expose(scanner, scene,
                                           &(struct sim_exposure){.pitch_mm = 10, .ideal = true},
                                           images[0], images[1])));
    double through[2];
    sim_scanner_slab(scanner, SIM_CELLULOSE, 5, through);
    double beside = (images[0][0] - (double)SIM_DARK_LEVEL) / (SIM_AIR_LEVEL - SIM_DARK_LEVEL);
    assert_true(fabs(beside - through[0]) < 1e-4);
    assert_true(images[0][5 * 10 + 5] < images[0][0]); /* denser behind the block */
    sim_scanner_close(&scanner);
    free(scene);
}

static void thin_sheet_keeps_its_mass_in_the_image(void **state)
{
    (void)state;
    struct sim_scene *scene = new_scene(10, 10);
    (void)sim_scene_add_box(scene, SIM_ROLE_SHELL, (double[]){0, 5.0, 0}, (double[]){10, 5.2, 10},
                            (struct sim_stuff){SIM_WATER, 1});
    struct sim_scanner *scanner = NULL;
    assert_false(err_is(sim_scanner_open(sim_scanner_kind_of(MODE_MAIL), &scanner)));
    uint16_t images[2][100];
    assert_false(err_is(sim_scanner_expose(scanner, scene,
                                           &(struct sim_exposure){.pitch_mm = 10, .ideal = true},
                                           images[0], images[1])));
    double wanted[2];
    sim_scanner_slab(scanner, SIM_WATER, 2, wanted); /* 10 cm of water over a fifth of a row */
    double darkest = 1;
    for (int row = 0; row < 10; row++) {
        darkest = fmin(darkest, (images[0][row * 10 + 4] - (double)SIM_DARK_LEVEL) /
                                    (SIM_AIR_LEVEL - SIM_DARK_LEVEL));
    }
    assert_true(fabs(darkest - wanted[0]) < 1e-3);
    sim_scanner_close(&scanner);
    free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mu_rho_agrees_with_published_values),
        cmocka_unit_test(mu_rho_has_no_step_where_the_sources_meet),
        cmocka_unit_test(mu_rho_outside_the_tables_refuses),
        cmocka_unit_test(mu_rho_agrees_with_xcom_files),
        cmocka_unit_test(slab_exposure_equals_beer_lambert),
        cmocka_unit_test(spectra_harden_and_energies_differ),
        cmocka_unit_test(noise_has_the_stated_spread),
        cmocka_unit_test(path_integral_equals_volume),
        cmocka_unit_test(hidden_block_displaces_its_host),
        cmocka_unit_test(thin_sheet_keeps_its_mass_in_the_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
