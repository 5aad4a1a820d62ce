/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_mixed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sim_scene scene;

static void stow(uint64_t seed, double density, double parcels_share, struct sim_hold *hold,
                 struct rng *rng)
{
    struct sim_vehicle vehicle;
    rng_init(rng, seed, 0);
    sim_vehicle_build(MODE_TRUCK, rng, &scene, &vehicle);
    *hold = vehicle.hold;
    const struct sim_mixture mixture = {MODE_TRUCK, density, parcels_share};
    sim_mixed_stow(&mixture, hold, rng, &scene);
}

/* Whatever the density: below the payload, within the hold, and room is left for shapes. */
static void stow_keeps_to_hold_and_payload(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct sim_hold hold;
        struct rng rng;
        stow(seed, 0.06 * (double)seed, seed % 3 == 0 ? 0.5 : 0, &hold, &rng);
        double mass_kg = sim_scene_mass_kg(&scene, SIM_ROLE_GOODS);
        assert_true(mass_kg > 500 && mass_kg <= hold.payload_kg + 1);
        assert_false(scene.full);
        for (uint32_t i = 0; i < scene.shapes_count; i++) {
            const struct sim_shape *shape = &scene.shapes[i];
            for (int k = 0; k < 3 && shape->role == SIM_ROLE_GOODS; k++) {
                assert_true(shape->centre[k] - shape->half[k] >= hold.from[k] - 0.01);
                assert_true(shape->centre[k] + shape->half[k] <= hold.to[k] + 0.01);
            }
        }
    }
}

/* The bricks weigh what was asked within half a brick, lie in the hold, and what they displace is
 * no more than their block. */
static void hide_puts_the_mass_and_takes_the_goods_away(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct sim_hold hold;
        struct rng rng;
        struct sim_hidden hidden;
        double wanted = 4 + 2 * (double)seed;
        stow(seed, 0.4, 0, &hold, &rng);
        double before = sim_scene_mass_kg(&scene, SIM_ROLE_GOODS);
        sim_mixed_hide(&hold, wanted, &rng, &scene, &hidden);
        double after = sim_scene_mass_kg(&scene, SIM_ROLE_GOODS);
        assert_non_null(hidden.what);
        assert_true(fabs(hidden.mass_kg - wanted) < 0.5 * 2.7 + 0.12 * wanted);
        assert_true(fabs(sim_scene_mass_kg(&scene, SIM_ROLE_HIDDEN) - hidden.mass_kg) < 1e-6);
        assert_true(after < before && before - after < 1.7 * hidden.mass_kg);
        for (int k = 0; k < 2; k++) {
            assert_true(hidden.from_cm[k] >= hold.from[k] - 0.01 &&
                        hidden.to_cm[k] <= hold.to[k] + 0.01);
        }
    }
    struct sim_hidden hidden;
    struct rng rng;
    const struct sim_hold hold = {{0, 0, 0}, {100, 100, 100}, 100};
    rng_init(&rng, 1, 0);
    sim_scene_init(&scene, 100, 100);
    sim_mixed_hide(&hold, 20, &rng, &scene, &hidden);
    assert_null(hidden.what); /* an empty hold hides nothing */
}

static void threat_fills_its_scene(void **state)
{
    (void)state;
    struct rng rng;
    struct sim_hidden hidden;
    rng_init(&rng, 3, 0);
    sim_mixed_threat(20, &rng, &scene, &hidden);
    assert_true(hidden.from_cm[0] >= 1.9 && hidden.to_cm[0] <= scene.width_cm - 1.9);
    assert_true(hidden.from_cm[1] >= 1.9 && hidden.to_cm[1] <= scene.height_cm - 1.9);
    assert_true(fabs(hidden.mass_kg - 20) < 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stow_keeps_to_hold_and_payload),
        cmocka_unit_test(hide_puts_the_mass_and_takes_the_goods_away),
        cmocka_unit_test(threat_fills_its_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
