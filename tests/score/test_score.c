/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/logistic.h"
#include "score/appearance.h"
#include "score/history.h"
#include "score/score.h"
#include "score/train.h"
#include "tests/score/synthetic.h"

/* Allocations of our own code while `counting`: the test program is linked with --wrap for these.
 */
static int allocations;
static bool counting;
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    allocations += counting;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations += counting;
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    allocations += counting;
    return __real_realloc(old, bytes);
}

static const uint8_t pseudonym_key[HASH_BYTES] = {9, 8, 7};
static uint8_t pixels[8][WIDTH * HEIGHT * 2];
static uint8_t low_pixels[WIDTH * HEIGHT * 2];

static char directory[FIXTURE_PATH_BYTES];
static struct train_report model;

static int make_model(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    synthetic_train("test-portal", directory, &model);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

static struct score *open_scorer(bool with_model)
{
    struct score_conf conf = {.image_bytes_max = WIDTH * HEIGHT * 2,
                              .history_slots = 4096,
                              .working_height = 200,
                              .pseudonym_key = pseudonym_key};
    struct score *self = NULL;
    assert_good(score_open(&conf, &self));
    if (with_model) {
        assert_good(score_install(self, model.path, model.sha256, NULL));
    }
    return self;
}

static void check_sum(const struct entry_score *score)
{
    double sum = 0;
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        sum += score->contributions[i].logit;
        assert_true(score->contributions[i].words[0] != '\0');
    }
    assert_memory_equal(&sum, &score->logit, sizeof sum);
    assert_true(score->probability == logistic_probability(score->logit));
    assert_true(score->contributions_count >= 3); /* two reasons and the base rate */
}

static const char *words_of(const struct entry_score *score, const char *name)
{
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        if (strcmp(score->contributions[i].name, name) == 0) {
            return score->contributions[i].words;
        }
    }
    return NULL;
}

static double logit_of(const struct entry_score *score, const char *name)
{
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        if (strcmp(score->contributions[i].name, name) == 0) {
            return score->contributions[i].logit;
        }
    }
    return NAN;
}

static bool has_model(const struct entry_score *score, const char *name)
{
    for (uint32_t i = 0; i < score->models_count; i++) {
        if (strcmp(score->models[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void score_declaration_without_any_model_has_reasons_and_named_builtins(void **state)
{
    (void)state;
    struct score *self = open_scorer(false);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.declarations = {&declaration}, .declarations_count = 1};
    struct score_result result;
    score_items(self, &input, &result, 1);
    check_sum(&result.score);
    assert_null(result.score.unscorable);
    assert_true(fabs(result.score.probability - 0.02) < 1e-9);
    assert_string_equal(words_of(&result.score, "scan.none"),
                        "no scan yet: judged by declaration alone");
    char pseudonym[PSEUDONYM_BYTES];
    char expected[SCORE_WORDS_BYTES];
    pseudonym_of(pseudonym_key, "importer", declaration.importer, pseudonym);
    snprintf(expected, sizeof expected, "no exams of importer %s yet: prior 2.0%%", pseudonym);
    assert_string_equal(words_of(&result.score, "history.importer"), expected);
    assert_true(has_model(&result.score, "builtin/history"));
    assert_true(has_model(&result.score, "builtin/fusion"));
    score_close(&self);
}

static void score_learnt_outcomes_become_reasons_without_names(void **state)
{
    (void)state;
    struct score *self = open_scorer(false);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.declarations = {&declaration}, .declarations_count = 1};
    struct score_result before;
    struct score_result after;
    score_items(self, &input, &before, 1);
    for (int i = 0; i < 4; i++) {
        score_history_learn(self, &declaration, i > 0, 1000 + i);
    }
    score_items(self, &input, &after, 1);
    check_sum(&after.score);
    assert_true(after.score.probability > before.score.probability);
    const char *words = words_of(&after.score, "history.importer");
    assert_non_null(words);
    assert_non_null(strstr(words, "3 finds in 4 exams"));
    for (uint32_t i = 0; i < after.score.contributions_count; i++) {
        assert_null(strcasestr(after.score.contributions[i].words, "lovelace"));
        assert_null(strcasestr(after.score.contributions[i].words, "hopper"));
        assert_null(strcasestr(after.score.contributions[i].words, "broker"));
    }
    score_history_reset(self);
    score_items(self, &input, &after, 1);
    assert_memory_equal(&after.score.logit, &before.score.logit, sizeof(double));
    score_close(&self);
}

/* The history part is the model's own logit, however many entities are told: nothing is told twice.
 * The importer is examined so often that it is like everybody, so it is among the rest. */
static void score_history_part_is_the_logit_of_the_model(void **state)
{
    (void)state;
    struct score *self = open_scorer(false);
    struct history history;
    assert_good(history_init(&history, 4096));
    uint64_t keys[HISTORY_KEYS_MAX];
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.declarations = {&declaration}, .declarations_count = 1};
    struct declaration other = fixture_declaration(&line);
    struct goods_line other_line = fixture_line("010121");
    struct declaration common = fixture_declaration(&other_line);
    other.importer = "somebody else";
    common.seller = "third";
    common.declarant = "third";
    common.departure_country = "FR";
    other_line.origin_country = "FR";
    uint32_t rests = 0;
    for (int i = 0; i < 60; i++) {
        const struct declaration *learnt = i % 2 == 0 ? &other : &common;
        bool found = i % 2 == 0 || i % 5 == 0;
        score_history_learn(self, learnt, found, 1000 + i);
        history_learn(&history, learnt, found, 1000 + i, keys);
        struct score_result result;
        struct history_reading reading;
        score_items(self, &input, &result, 1);
        history_read(&history, &declaration, &reading);
        check_sum(&result.score);
        assert_true(fabs(result.score.logit - reading.logit) < 1e-12);
        double weight = fabs(logit_of(&result.score, "history.importer"));
        assert_true(weight >= 0);
        double rest = logit_of(&result.score, "history.rest");
        rests += !isnan(rest) && weight > 0 && weight < 0.2 ? 1 : 0;
    }
    assert_true(rests > 3); /* cases in which the importer could have been told twice */
    history_fini(&history);
    score_close(&self);
}

static void score_planted_object_stands_out_and_is_marked_where_it_lies(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct image image = synthetic_image();
    struct scan scan = synthetic_scan(&image);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels[1]}}},
                                .scans_count = 1};
    struct score_result clean;
    struct score_result planted;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        synthetic_draw(pixels[1], seed, 0.8, false);
        score_items(self, &input, &clean, 1);
        synthetic_draw(pixels[1], seed, 0.8, true);
        score_items(self, &input, &planted, 1);
        check_sum(&clean.score);
        check_sum(&planted.score);
        assert_true(planted.score.logit > clean.score.logit + 0.5);
        assert_true(planted.score.regions_count >= 1 && planted.score.regions_count <= 4);
        const struct entry_region *region = &planted.score.regions[0];
        assert_true(region->x <= ANOMALY_X + ANOMALY_SIDE &&
                    region->x + region->width >= ANOMALY_X - ANOMALY_SIDE);
        assert_true(region->y <= ANOMALY_Y + ANOMALY_SIDE &&
                    region->y + region->height >= ANOMALY_Y - ANOMALY_SIDE);
        assert_true(region->x + region->width <= WIDTH && region->y + region->height <= HEIGHT);
    }
    assert_true(has_model(&planted.score, "appearance/test-portal"));
    assert_false(has_model(&planted.score, "builtin/history"));
    score_close(&self);
}

static void score_item_has_the_same_bits_whatever_else_is_in_its_batch(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct image image = synthetic_image();
    struct scan scan = synthetic_scan(&image);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input inputs[8];
    static struct score_result together[8];
    static struct score_result alone;
    memset(inputs, 0, sizeof inputs);
    score_history_learn(self, &declaration, true, 1000);
    for (int i = 0; i < 8; i++) {
        synthetic_draw(pixels[i], (uint64_t)i, 0.4 + 0.1 * i, i % 3 == 0);
        inputs[i] = (struct score_input){.scans = {{.scan = &scan, .pixels = {pixels[i]}}},
                                         .scans_count = 1};
        inputs[i].declarations[0] = &declaration;
        inputs[i].declarations_count = i % 2 == 0;
    }
    score_items(self, inputs, together, 8);
    for (int i = 7; i >= 0; i--) {
        score_items(self, &inputs[i], &alone, 1);
        assert_memory_equal(&alone.score.logit, &together[i].score.logit, sizeof(double));
        assert_int_equal(alone.score.regions_count, together[i].score.regions_count);
        assert_memory_equal(alone.score.regions, together[i].score.regions,
                            sizeof alone.score.regions);
        assert_memory_equal(&alone.score.quality, &together[i].score.quality, sizeof(double));
    }
    score_close(&self);
}

static void score_batch_allocates_nothing(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct image images[2] = {synthetic_image(), synthetic_image()};
    images[0].energy = ENERGY_HIGH;
    images[1].energy = ENERGY_LOW;
    struct scan scan = synthetic_scan(images);
    scan.images_count = 2;
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels[1], low_pixels}}},
                                .scans_count = 1};
    input.declarations[0] = &declaration;
    input.declarations_count = 1;
    struct score_result result;
    synthetic_draw(pixels[1], 3, 0.8, true);
    synthetic_draw(low_pixels, 3, 1.0, true);
    allocations = 0;
    counting = true;
    score_items(self, &input, &result, 1);
    score_history_learn(self, &declaration, true, 1000);
    counting = false;
    assert_int_equal(allocations, 0);
    score_close(&self);
}

static void score_item_that_nothing_can_be_said_about_is_unscorable(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct image image = synthetic_image();
    struct image too_large = synthetic_image();
    too_large.width *= 2;
    struct scan scan = synthetic_scan(&image);
    struct scan large_scan = synthetic_scan(&too_large);
    struct scan unknown_scan = synthetic_scan(&image);
    unknown_scan.scanner_type = "never seen";
    synthetic_draw(pixels[1], 1, 0.8, false);
    const struct score_input inputs[] = {
        {.scans_count = 0},
        {.scans = {{.scan = &scan, .pixels = {NULL}}}, .scans_count = 1},
        {.scans = {{.scan = &large_scan, .pixels = {pixels[1]}}}, .scans_count = 1},
        {.scans = {{.scan = &unknown_scan, .pixels = {pixels[1]}}}, .scans_count = 1},
    };
    struct score_result result;
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        score_items(self, &inputs[i], &result, 1);
        assert_non_null(result.score.unscorable);
        assert_true(result.score.probability == 0);
        assert_true(result.score.logit == 0);
    }
    assert_non_null(words_of(&result.score, "appearance.none"));
    score_close(&self);
}

static void score_unreadable_image_with_declaration_is_judged_by_declaration(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct image image = synthetic_image();
    struct scan scan = synthetic_scan(&image);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {NULL}}}, .scans_count = 1};
    input.declarations[0] = &declaration;
    input.declarations_count = 1;
    struct score_result result;
    score_items(self, &input, &result, 1);
    check_sum(&result.score);
    assert_null(result.score.unscorable);
    assert_string_equal(words_of(&result.score, "scan.unreadable"),
                        "1 of 1 images could not be used: its pixels are missing");
    score_close(&self);
}

static void score_declared_mass_far_from_the_image_is_told_in_kilograms(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct image image = synthetic_image();
    struct scan scan = synthetic_scan(&image);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels[1]}}},
                                .scans_count = 1};
    input.declarations[0] = &declaration;
    input.declarations_count = 1;
    struct score_result result;
    synthetic_draw(pixels[1], 40, 0.8, false); /* about 8,000 kg by the training images */
    declaration.gross_mass_kg = 8000;
    score_items(self, &input, &result, 1);
    assert_true(logit_of(&result.score, "consistency.mass") == 0);
    declaration.gross_mass_kg = 60000;
    score_items(self, &input, &result, 1);
    assert_true(logit_of(&result.score, "consistency.mass") > 0.5);
    assert_non_null(strstr(words_of(&result.score, "consistency.mass"),
                           "declared 60,000 kg, image suggests about "));
    check_sum(&result.score);
    score_close(&self);
}

static void score_declared_emptiness_is_held_against_the_image_both_ways(void **state)
{
    (void)state;
    struct score *self = open_scorer(false);
    struct image image = synthetic_image();
    struct scan scan = synthetic_scan(&image);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels[1]}}},
                                .scans_count = 1};
    input.declarations[0] = &declaration;
    input.declarations_count = 1;
    struct score_result result;
    const struct {
        double fill;
        bool empty;
        bool suspicious;
    } rows[] = {{1.0, true, true}, {0.01, true, false}, {1.0, false, false}, {0.01, false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        synthetic_draw(pixels[1], 50, rows[i].fill, false);
        declaration.declared_empty = rows[i].empty;
        score_items(self, &input, &result, 1);
        double logit = logit_of(&result.score, "consistency.empty");
        assert_int_equal(!isnan(logit) && logit > 1.5, rows[i].suspicious);
        check_sum(&result.score);
    }
    scan.mode = MODE_MAIL; /* a parcel has no cargo window */
    score_items(self, &input, &result, 1);
    assert_null(words_of(&result.score, "consistency.empty"));
    score_close(&self);
}

static void score_any_size_and_meaning_of_image_gives_a_result(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    const struct image shapes[] = {
        {.width = 1, .height = 1, .bits = 8, .meaning = PIXEL_DISPLAY},
        {.width = 1, .height = 65535, .bits = 16, .meaning = PIXEL_TRANSMISSION},
        {.width = 65535, .height = 1, .bits = 8, .meaning = PIXEL_DISPLAY_INVERTED},
        {.width = 17,
         .height = 15,
         .bits = 16,
         .meaning = PIXEL_TRANSMISSION,
         .air_level = 5,
         .dark_level = 9},
        {.width = 300,
         .height = 200,
         .bits = 16,
         .meaning = PIXEL_TRANSMISSION,
         .air_level = 70000},
        {.width = 0, .height = 5, .bits = 8, .meaning = PIXEL_DISPLAY},
        {.width = 5, .height = 5, .bits = 12, .meaning = PIXEL_DISPLAY},
        {.width = 5, .height = 5, .bits = 8, .meaning = PIXEL_UNKNOWN},
    };
    const int fills[] = {0, 255, 128};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (size_t f = 0; f < 3; f++) {
            memset(pixels[1], fills[f], sizeof pixels[1]);
            struct scan scan = synthetic_scan(&shapes[i]);
            struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels[1]}}},
                                        .scans_count = 1};
            input.declarations[0] = &declaration;
            input.declarations_count = 1;
            struct score_result result;
            score_items(self, &input, &result, 1);
            check_sum(&result.score);
            assert_true(result.score.quality >= 0 && result.score.quality <= 1);
        }
    }
    score_close(&self);
}

static void model_trained_twice_on_the_same_images_is_the_same_file(void **state)
{
    (void)state;
    char second_directory[FIXTURE_PATH_BYTES];
    struct train_report second;
    fixture_make_directory(second_directory);
    synthetic_train("test-portal", second_directory, &second);
    assert_memory_equal(model.sha256, second.sha256, HASH_BYTES);
    fixture_remove_directory(second_directory);
}

static void model_of_another_hash_or_shape_is_not_installed(void **state)
{
    (void)state;
    struct score *self = open_scorer(false);
    uint8_t other[HASH_BYTES];
    memcpy(other, model.sha256, HASH_BYTES);
    other[0] ^= 1;
    assert_int_equal(score_install(self, model.path, other, NULL).code, ERR_MODEL_UNREADABLE);
    struct entry_model models[SCORE_MODELS_MAX];
    assert_int_equal(score_models(self, models), 2);
    struct model_file file;
    assert_good(model_file_read(model.path, NULL, &file));
    struct appearance_model read;
    assert_good(appearance_read(&file, &read));
    appearance_model_fini(&read);
    for (uint32_t i = 0; i < file.arrays_count; i++) {
        struct model_array whole = file.arrays[i];
        file.arrays[i].dimensions[0]--;
        assert_int_equal(appearance_read(&file, &read).code,
                         strcmp(whole.name, "bank") == 0 ? ERR_NONE : ERR_MODEL_UNREADABLE);
        if (strcmp(whole.name, "bank") == 0) {
            appearance_model_fini(&read);
        }
        file.arrays[i] = whole;
    }
    model_file_fini(&file);
    score_close(&self);
}

static void training_on_one_image_or_mixed_meanings_is_refused(void **state)
{
    (void)state;
    struct train_appearance_conf conf = {.scanner_type = "t",
                                         .bank_patches_max = 16,
                                         .dimensions = 4,
                                         .working_height = 64,
                                         .seed = 1};
    struct train_appearance *self = NULL;
    struct image image = synthetic_image();
    struct image display = {.width = WIDTH, .height = HEIGHT, .bits = 8, .meaning = PIXEL_DISPLAY};
    struct train_image training = {.image = &image, .pixels = pixels[1], .name = "a"};
    struct train_image second = {.image = &display, .pixels = pixels[1], .name = "b"};
    struct train_report report;
    synthetic_draw(pixels[1], 1, 0.8, false);
    assert_good(train_appearance_open(&conf, &self));
    assert_good(train_appearance_add(self, &training));
    assert_int_equal(train_appearance_add(self, &second).code, ERR_IMAGE_UNREADABLE);
    assert_int_equal(train_appearance_write(self, directory, &report).code, ERR_ARGUMENT);
    train_appearance_close(&self);
    conf.dimensions = APPEARANCE_DIMENSIONS_MAX + 1;
    assert_int_equal(train_appearance_open(&conf, &self).code, ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_declaration_without_any_model_has_reasons_and_named_builtins),
        cmocka_unit_test(score_learnt_outcomes_become_reasons_without_names),
        cmocka_unit_test(score_history_part_is_the_logit_of_the_model),
        cmocka_unit_test(score_planted_object_stands_out_and_is_marked_where_it_lies),
        cmocka_unit_test(score_item_has_the_same_bits_whatever_else_is_in_its_batch),
        cmocka_unit_test(score_batch_allocates_nothing),
        cmocka_unit_test(score_item_that_nothing_can_be_said_about_is_unscorable),
        cmocka_unit_test(score_unreadable_image_with_declaration_is_judged_by_declaration),
        cmocka_unit_test(score_declared_mass_far_from_the_image_is_told_in_kilograms),
        cmocka_unit_test(score_declared_emptiness_is_held_against_the_image_both_ways),
        cmocka_unit_test(score_any_size_and_meaning_of_image_gives_a_result),
        cmocka_unit_test(model_trained_twice_on_the_same_images_is_the_same_file),
        cmocka_unit_test(model_of_another_hash_or_shape_is_not_installed),
        cmocka_unit_test(training_on_one_image_or_mixed_meanings_is_refused),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
