/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/rng.h"
#include "score/train_lump.h"

/* Loads of boxes of two materials behind one another, seen at two energies whose ratio of
 * attenuations is 1.19 for light and 1.08 for heavy matter. A threat is light and compact. */

enum { WIDTH = 300, HEIGHT = 110, LOADS = 30, THREATS = 8, TRIALS = 24 };

struct picture_pair {
    float high[WIDTH * HEIGHT];
    float low[WIDTH * HEIGHT];
    uint8_t valid[WIDTH * HEIGHT];
    struct working working;
};

static void add_box(struct picture_pair *pair, const double box[4], double attenuation, bool light)
{
    for (int y = (int)box[1]; y < (int)box[3] && y < HEIGHT; y++) {
        for (int x = (int)box[0]; x < (int)box[2] && x < WIDTH; x++) {
            pair->high[y * WIDTH + x] += (float)attenuation;
            pair->low[y * WIDTH + x] += (float)(attenuation * (light ? 1.19 : 1.08));
        }
    }
}

static void draw_load(struct picture_pair *pair, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 1);
    memset(pair->high, 0, sizeof pair->high);
    memset(pair->low, 0, sizeof pair->low);
    memset(pair->valid, 1, sizeof pair->valid);
    for (int row = 0; row < 2; row++) {
        for (double x = 10; x < WIDTH - 60; x += 52) {
            bool light = rng_below(&rng, 2) > 0;
            double packed = 0.3 + 0.8 * rng_uniform(&rng), top = 25 + 20 * rng_uniform(&rng);
            for (double y = top; y < 100; y += 14) {
                add_box(pair, (double[]){x, y, x + 50, y + 13},
                        packed * (1 + 0.05 * rng_normal(&rng)), light);
            }
        }
    }
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        pair->high[i] += (float)(0.004 * rng_normal(&rng));
        pair->low[i] += (float)(0.004 * rng_normal(&rng));
    }
    pair->working = (struct working){.pixels = pair->high,
                                     .valid = pair->valid,
                                     .width = WIDTH,
                                     .height = HEIGHT,
                                     .factor = 1,
                                     .valid_count = (size_t)WIDTH * HEIGHT,
                                     .calibration = {.meaning = IMAGE_TRANSMISSION}};
}

struct fixture {
    struct picture_pair pair;
    struct lump_model model;
    struct lump_space space;
    char figures[256];
};

static void give_threat(struct train_lump *train, uint32_t side)
{
    float high[32 * 32], low[32 * 32];
    for (uint32_t i = 0; i < side * side; i++) {
        high[i] = 0.9f;
        low[i] = 0.9f * 1.19f;
    }
    const struct lump_threat threat = {side, side, 20, high, low};
    assert_false(err_is(train_lump_threat(train, &threat)));
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct train_lump *train = NULL;
    assert_non_null(fixture);
    assert_false(err_is(train_lump_open(1, &train)));
    for (uint32_t i = 0; i < THREATS; i++) {
        give_threat(train, 9 + i);
    }
    for (uint64_t i = 0; i < LOADS; i++) {
        draw_load(&fixture->pair, i);
        assert_false(err_is(train_lump_add(train, &fixture->pair.working, fixture->pair.low, 20)));
    }
    assert_false(err_is(train_lump_finish(train, &fixture->model, fixture->figures)));
    train_lump_close(&train);
    assert_true(fixture->model.present);
    assert_false(err_is(lump_space_init(&fixture->space)));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    lump_space_fini(&fixture->space);
    lump_model_fini(&fixture->model);
    free(fixture);
    return 0;
}

/* Loads that were not learnt, with and without a lump at a known place: the lump wins, and the best
 * window lies on it. */
static void run_finds_lumps_in_loads_it_has_not_seen(void **state)
{
    struct fixture *f = *state;
    uint32_t higher = 0, placed = 0;
    for (uint64_t i = 0; i < TRIALS; i++) {
        struct lump_finding clean, hidden;
        draw_load(&f->pair, 1000 + i);
        lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &clean);
        double x = 40 + 8 * (double)i, y = 60 + (double)(i % 5) * 4;
        add_box(&f->pair, (double[]){x, y, x + 13, y + 13}, 0.7, true);
        lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &hidden);
        const struct lump_window *best = &f->space.best[0];
        double middle_x = best->x + best->width / 2.0, middle_y = best->y + best->height / 2.0;
        higher += hidden.z > clean.z;
        placed += fabs(middle_x - x - 6.5) < 8 && fabs(middle_y - y - 6.5) < 8;
    }
    print_message("%u of %d higher, %u placed; %s\n", higher, TRIALS, placed, f->figures);
    assert_true(higher >= TRIALS * 8 / 10 && placed >= TRIALS * 7 / 10);
}

static void run_twice_gives_the_same_bits(void **state)
{
    struct fixture *f = *state;
    struct lump_finding first, second;
    draw_load(&f->pair, 5);
    lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &first);
    draw_load(&f->pair, 6);
    lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &second);
    draw_load(&f->pair, 5);
    lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &second);
    assert_memory_equal(&first, &second, sizeof first);
}

static void run_without_pitch_or_energy_is_not_judged(void **state)
{
    struct fixture *f = *state;
    struct lump_finding finding;
    draw_load(&f->pair, 7);
    static const double pitches[] = {0, -3, NAN, 0.05, 60, 1e9, INFINITY};
    for (size_t i = 0; i < sizeof pitches / sizeof pitches[0]; i++) {
        lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, pitches[i], &finding);
        assert_true(isnan(finding.z));
    }
    lump_run(&f->space, &f->model, &f->pair.working, NULL, 20, &finding);
    assert_true(isnan(finding.z));
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        f->pair.high[i] = f->pair.low[i] = i % 3 == 0 ? NAN : 8.5f; /* saturated, broken */
    }
    lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &finding);
    assert_true(isnan(finding.z));
}

static void model_survives_its_file(void **state)
{
    struct fixture *f = *state;
    struct model_file file;
    struct lump_model read;
    model_file_init(&file);
    assert_false(err_is(lump_read(&file, &read)));
    assert_false(read.present);
    assert_false(err_is(lump_write(&f->model, &file)));
    assert_false(err_is(lump_read(&file, &read)));
    struct lump_finding before, after;
    draw_load(&f->pair, 8);
    lump_run(&f->space, &f->model, &f->pair.working, f->pair.low, 20, &before);
    lump_run(&f->space, &read, &f->pair.working, f->pair.low, 20, &after);
    assert_memory_equal(&before, &after, sizeof before);
    lump_model_fini(&read);
    model_file_fini(&file);
}

static void set_whole(struct model_file *file, const char *name, size_t at, uint64_t value)
{
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        if (strcmp(file->arrays[i].name, name) == 0) {
            ((uint64_t *)file->arrays[i].values)[at] = value;
        }
    }
}

/* Whatever a hostile file says is refused before anything is read beyond an array. */
static void model_that_is_hostile_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *array;
        size_t at;
        uint64_t value;
    } breaks[] = {{"lump_shape", 0, 31},
                  {"lump_shape", 1, 0},
                  {"lump_shape", 1, UINT64_C(1) << 40},
                  {"lump_shape", 2, 9},
                  {"lump_shape", 2, 5},
                  {"lump_shape", 3, UINT64_C(1) << 33},
                  {"lump_border_first", 4, UINT64_C(1) << 31},
                  {"lump_border_first", 32, 1},
                  {"lump_split_features", 3, 32},
                  {"lump_split_features", 3, 65536}, /* the first feature, were it cut to 16 bits */
                  {"lump_split_features", 3, UINT64_MAX},
                  {"lump_split_bins", 3, 255},
                  {"lump_nodes", 0, 7},
                  {"lump_nodes", 3, UINT64_C(1) << 31},
                  {"lump_placing", 1, 0},                      /* a spread of 0 */
                  {"lump_placing", 0, UINT64_C(0x7ff0) << 48}, /* an infinite median */
                  {"lump_curve", 2, UINT64_C(0x7fc000007fc00000)}};
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        struct model_file file;
        struct lump_model read;
        model_file_init(&file);
        assert_false(err_is(lump_write(&f->model, &file)));
        set_whole(&file, breaks[i].array, breaks[i].at, breaks[i].value);
        struct err err = lump_read(&file, &read);
        if (err.code != ERR_MODEL_UNREADABLE) {
            fail_msg("break %zu of %s was taken", i, breaks[i].array);
        }
        model_file_fini(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_finds_lumps_in_loads_it_has_not_seen),
        cmocka_unit_test(run_twice_gives_the_same_bits),
        cmocka_unit_test(run_without_pitch_or_energy_is_not_judged),
        cmocka_unit_test(model_survives_its_file),
        cmocka_unit_test(model_that_is_hostile_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
