/* SPDX-License-Identifier: Apache-2.0 */
#include "cargo_fixture.h"

#include "archive/model_file.h"
#include "score/consistency_model.h"
#include "score/train_consistency_fit.h"

/* Fits of the chapters to training sets with something missing. */

enum { ROWS = 120, CONSTANT = CONSISTENCY_GAPS };
static const uint32_t chapters[] = {8, 61, 72};

/* Forty loads of each chapter; none has gaps. */
static void draw_rows(struct consistency_row rows[ROWS])
{
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i] = (struct consistency_row){.chapter = chapters[i % 3], .fold = i / 3 % 5};
        rows[i].cargo.atomic_number = NAN;
        for (uint32_t k = 0; k < CONSISTENCY_FEATURES; k++) {
            double apart = 0.15 * ((k + i % 3) % 3);
            rows[i].cargo.features[k] =
                k == CONSTANT ? 0.0f : (float)(apart + 0.2 * rng_normal(&rng));
        }
    }
}

static struct consistency_fit *make_fit(enum consistency_material material)
{
    const size_t f = material == CONSISTENCY_NONE ? CONSISTENCY_MATERIAL : CONSISTENCY_FEATURES;
    struct consistency_fit *fit = calloc(1, sizeof *fit);
    assert_non_null(fit);
    fit->model.feature_count = (uint32_t)f;
    fit->model.material = material;
    fit->model.whitening = calloc(f * f, sizeof(double));
    fit->model.places = calloc(HS_CHAPTERS * f, sizeof(double));
    assert_non_null(fit->model.whitening);
    assert_non_null(fit->model.places);
    return fit;
}

static double answer_of(const struct consistency_model *model, const struct consistency_row *row)
{
    double whitened[CONSISTENCY_FEATURES];
    consistency_whiten(model, row->cargo.features, whitened);
    return consistency_fit_answer(model, whitened, row->chapter,
                                  model->places + (size_t)row->chapter * model->feature_count,
                                  model->spreads[row->chapter], NULL);
}

/* A measure that was the same in all loads says little when it moves a little: nothing like what
 * another chapter is worth. Let alone that it would drown the other measures. */
static void measure_that_never_moved_may_move_a_little(void **state)
{
    (void)state;
    static struct consistency_row rows[ROWS];
    struct consistency_fit *fit = make_fit(CONSISTENCY_NONE);
    draw_rows(rows);
    assert_good(consistency_fit_rows(fit, rows, ROWS, TRAIN_CONSISTENCY_ALL));
    uint32_t fitting = 0;
    double most = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        double usual = answer_of(&fit->model, &rows[i]);
        rows[i].cargo.features[CONSTANT] = 0.01f;
        double moved = answer_of(&fit->model, &rows[i]);
        fitting += usual < -2;
        most = fabs(moved - usual) > most ? fabs(moved - usual) : most;
    }
    print_message("moved by %.3f at most; %u fit\n", most, (unsigned)fitting);
    assert_true(fitting > ROWS * 3 / 4);
    assert_true(most < 3);
    consistency_model_fini(&fit->model);
    free(fit);
}

/* The deviation of the ratios within a load scatters by 0.005 in usual ones: it keeps its weight.
 */
static void ratios_that_scatter_little_keep_their_weight(void **state)
{
    (void)state;
    static struct consistency_row rows[ROWS];
    const uint32_t k = CONSISTENCY_MATERIAL + 1, f = CONSISTENCY_FEATURES;
    const enum consistency_material materials[] = {CONSISTENCY_RATIO, CONSISTENCY_NUMBER};
    for (int i = 0; i < 2; i++) {
        struct consistency_fit *fit = make_fit(materials[i]);
        draw_rows(rows);
        for (uint32_t row = 0; row < ROWS; row++) {
            rows[row].cargo.features[k] *= 0.005f / 0.2f;
        }
        assert_good(consistency_fit_rows(fit, rows, ROWS, TRAIN_CONSISTENCY_ALL));
        double weight = fit->model.whitening[(size_t)k * f + k];
        assert_in_range((uint64_t)weight, i == 0 ? 150 : 90, i == 0 ? 260 : 120);
        consistency_model_fini(&fit->model);
        free(fit);
    }
}

static void measure_that_is_not_finite_is_refused(void **state)
{
    (void)state;
    static struct consistency_row rows[ROWS];
    const float wrong[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct consistency_fit *fit = make_fit(CONSISTENCY_NONE);
        draw_rows(rows);
        rows[7].cargo.features[3] = wrong[i];
        assert_int_equal(consistency_fit_rows(fit, rows, ROWS, TRAIN_CONSISTENCY_ALL).code,
                         ERR_ARGUMENT);
        consistency_model_fini(&fit->model);
        free(fit);
    }
}

/* One load in each of three chapters lets enough through to have an atomic number: no chapter has a
 * spread, so held out none has an answer; but three of them say where a stranger would lie. The
 * model that is written can be read. */
static void chapters_with_one_atomic_number_each_make_a_model_that_can_be_read(void **state)
{
    (void)state;
    enum { LOADS = 75 };
    static uint8_t high[WIDTH * HEIGHT * 2];
    static uint8_t low[WIDTH * HEIGHT * 2];
    static struct model_file file;
    char directory[FIXTURE_PATH_BYTES];
    struct image images[2];
    struct train_report report;
    struct train_consistency *self = NULL;
    struct consistency_model read;
    const struct train_consistency_conf conf = {.scanner_type = "test-portal",
                                                .working_height = 100,
                                                .seed = 1,
                                                .wedge = cargo_wedge,
                                                .wedge_count = CARGO_STEPS};
    fixture_make_directory(directory);
    cargo_images(images);
    assert_good(train_consistency_open(&conf, &self));
    for (uint64_t i = 0; i < LOADS; i++) {
        struct cargo_kind kind = cargo_kinds[i % 3];
        if (i / 3 != i % 3) { /* the others are opaque */
            kind.attenuation = 8.5;
            kind.gap = 1;
        }
        cargo_draw(&kind, i, high, low);
        const struct train_image image = {.image = &images[0],
                                          .pixels = high,
                                          .name = "drawn",
                                          .low_image = &images[1],
                                          .low_pixels = low};
        assert_good(train_consistency_add(self, &image, kind.chapter));
    }
    assert_good(train_consistency_write(self, directory, &report));
    assert_good(model_file_read(report.path, report.sha256, &file));
    assert_good(consistency_read(&file, &read));
    assert_int_equal(read.number.first[HS_CHAPTERS], 0);
    assert_int_equal(read.number.strangers_count, 0);
    assert_int_equal(read.fit.first[HS_CHAPTERS], LOADS);
    consistency_model_fini(&read);
    model_file_fini(&file);
    train_consistency_close(&self);
    fixture_remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measure_that_never_moved_may_move_a_little),
        cmocka_unit_test(ratios_that_scatter_little_keep_their_weight),
        cmocka_unit_test(measure_that_is_not_finite_is_refused),
        cmocka_unit_test(chapters_with_one_atomic_number_each_make_a_model_that_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
