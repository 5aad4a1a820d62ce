/* SPDX-License-Identifier: Apache-2.0 */
#include "cargo_fixture.h"

#include "archive/model_file.h"
#include "score/consistency_model.h"
#include "score/fusion.h"
#include "score/score.h"

/* Loads against the chapter that is declared: drawn containers of four chapters. */

static char directory[FIXTURE_PATH_BYTES];
static struct train_report model;
static struct train_report single; /* trained with one energy, at half the height */
static uint8_t high_pixels[WIDTH * HEIGHT * 2];
static uint8_t low_pixels[WIDTH * HEIGHT * 2];

static int make_models(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    cargo_train(directory, true, 200, &model);
    cargo_train(directory, false, 100, &single);
    return 0;
}

static int drop_models(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

static struct score *open_with(const struct train_report *report, uint32_t height)
{
    const struct score_conf conf = {
        .image_bytes_max = sizeof high_pixels, .history_slots = 4096, .working_height = height};
    struct score *self = NULL;
    assert_good(score_open(&conf, &self));
    if (report != NULL) {
        assert_good(score_install(self, report->path, report->sha256, NULL));
    }
    return self;
}

struct scene {
    struct image images[2];
    struct scan scan;
    struct goods_line line;
    struct declaration declaration;
    struct score_input input;
};

static void make_scene(const struct cargo_kind *kind, uint64_t seed, const char *hs_code,
                       struct scene *out)
{
    *out = (struct scene){.line = fixture_line(hs_code)};
    cargo_images(out->images);
    out->scan = synthetic_scan(out->images);
    out->scan.images_count = 2;
    out->declaration = fixture_declaration(&out->line);
    cargo_draw(kind, seed, high_pixels, low_pixels);
    out->input.scans[0] =
        (struct score_scan){.scan = &out->scan, .pixels = {high_pixels, low_pixels}};
    out->input.scans_count = 1;
    out->input.declarations[0] = &out->declaration;
    out->input.declarations_count = 1;
}

static const struct entry_contribution *find(const struct score_result *result, const char *name)
{
    for (uint32_t i = 0; i < result->score.contributions_count; i++) {
        if (strcmp(result->score.contributions[i].name, name) == 0) {
            return &result->score.contributions[i];
        }
    }
    return NULL;
}

static double worth(const struct score_result *result)
{
    const struct entry_contribution *fit = find(result, "consistency.chapter");
    const struct entry_contribution *number = find(result, "consistency.atomic_number");
    return (fit != NULL ? fit->logit : 0) + (number != NULL ? number->logit : 0);
}

/* Chance of false alarm: seeds are fixed. Nominal is one in twenty before it weighs, so 3 of 60 are
 * expected and 12 would be a chance of 3e-5 for fresh seeds. */
static void right_declaration_weighs_no_more_often_than_it_should(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    int flagged = 0;
    for (uint64_t i = 0; i < 60; i++) {
        struct scene scene;
        struct score_result result;
        const struct cargo_kind *kind = &cargo_kinds[i % CARGO_KINDS];
        make_scene(kind, 90000 + i, kind->hs_code, &scene);
        score_items(self, &scene.input, &result, 1);
        assert_non_null(find(&result, "consistency.chapter"));
        flagged += worth(&result) > 0;
    }
    print_message("%d of 60 right ones weigh\n", flagged);
    assert_true(flagged < 12);
    score_close(&self);
}

static void permuted_declaration_raises_the_reason(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    for (uint64_t i = 0; i < 36; i++) {
        struct scene scene;
        struct score_result result;
        const struct cargo_kind *kind = &cargo_kinds[i % CARGO_KINDS];
        const struct cargo_kind *other = &cargo_kinds[(i + 1 + i / 4 % 3) % CARGO_KINDS];
        char own[48];
        make_scene(kind, 70000 + i, other->hs_code, &scene);
        score_items(self, &scene.input, &result, 1);
        const struct entry_contribution *fit = find(&result, "consistency.chapter");
        assert_non_null(fit);
        assert_true(worth(&result) > 0.5);
        (void)snprintf(own, sizeof own, "fits HS chapter %02u (", (unsigned)other->chapter);
        assert_non_null(strstr(fit->words, own));
        assert_non_null(strstr(fit->words, "of 40 scans under it; nearest: "));
        (void)snprintf(own, sizeof own, "nearest: %02u (", (unsigned)kind->chapter);
        assert_non_null(strstr(fit->words, own));
    }
    score_close(&self);
}

/* What the wedge makes of a load and the two walls around it. */
static double expected_number(const struct cargo_kind *kind)
{
    double ratio = (1.05 * 0.08 + kind->ratio * kind->attenuation) / (0.08 + kind->attenuation);
    return ratio > 1.11 ? 6 + 7 * (1.18 - ratio) / 0.07 : 13 + 13 * (1.11 - ratio) / 0.09;
}

/* The number that was drawn, and where the declared chapter has it. */
static void atomic_number_is_told_with_where_its_chapter_lies(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    for (uint32_t k = 0; k < CARGO_KINDS; k++) {
        struct scene scene;
        struct score_result result;
        make_scene(&cargo_kinds[k], 5000 + k, "080390", &scene);
        score_items(self, &scene.input, &result, 1);
        const float *inputs = result.inputs[2];
        double number = (double)inputs[CONSISTENCY_INPUT_NUMBER];
        const struct entry_contribution *told = find(&result, "consistency.atomic_number");
        assert_non_null(told);
        print_message("%s\n", told->words);
        assert_true(fabs(number - expected_number(&cargo_kinds[k])) < 1);
        assert_true(inputs[CONSISTENCY_INPUT_NUMBER_ERROR] >= 0 &&
                    inputs[CONSISTENCY_INPUT_NUMBER_ERROR] < 1);
        assert_non_null(strstr(told->words, "HS chapter 08 (fruit, nuts) scans at "));
        assert_non_null(strstr(told->words, " in 40 scans"));
    }
    score_close(&self);
}

static bool asks(struct score *self, const struct scene *scene)
{
    struct score_result result;
    bool named = false;
    score_items(self, &scene->input, &result, 1);
    for (uint32_t i = 0; i < result.score.models_count; i++) {
        named |= strcmp(result.score.models[i].name, "consistency/test-portal") == 0;
    }
    assert_true(named || (find(&result, "consistency.chapter") == NULL &&
                          find(&result, "consistency.atomic_number") == NULL));
    assert_int_equal(result.score.inputs_count, named ? 3 : 2);
    return named;
}

static void nothing_is_asked_where_there_is_no_chapter(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    struct scene scene;
    make_scene(&cargo_kinds[0], 3, "080390", &scene);
    assert_true(asks(self, &scene));
    scene.declaration.declared_empty = true;
    assert_false(asks(self, &scene));
    make_scene(&cargo_kinds[0], 3, "", &scene);
    assert_false(asks(self, &scene));
    make_scene(&cargo_kinds[0], 3, "00", &scene);
    assert_false(asks(self, &scene));
    make_scene(&cargo_kinds[0], 3, "080390", &scene);
    scene.scan.scanner_type = "another";
    assert_false(asks(self, &scene));
    struct goods_line lines[2] = {fixture_line("080390"), fixture_line("6109.10")};
    make_scene(&cargo_kinds[0], 3, "", &scene);
    scene.declaration.lines = lines;
    scene.declaration.lines_count = 2;
    lines[1].net_mass_kg = lines[0].net_mass_kg; /* half and half */
    assert_false(asks(self, &scene));
    lines[1].net_mass_kg = lines[0].net_mass_kg / 5;
    assert_true(asks(self, &scene));
    score_close(&self);
}

/* A chapter that was never learnt is placed among chapters as new as it is, told so, and weighs
 * nothing. */
static void chapter_never_seen_is_told_as_new(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    struct scene scene;
    struct score_result result;
    make_scene(&cargo_kinds[0], 8, "940360", &scene);
    score_items(self, &scene.input, &result, 1);
    const struct entry_contribution *fit = find(&result, "consistency.chapter");
    const struct entry_contribution *number = find(&result, "consistency.atomic_number");
    assert_non_null(fit);
    assert_non_null(number);
    assert_non_null(strstr(fit->words, "no scan under HS chapter 94 (furniture, lamps)"));
    assert_non_null(strstr(number->words, "never seen"));
    assert_true(worth(&result) == 0);
    score_close(&self);
}

static void one_energy_is_judged_only_by_a_model_of_one(void **state)
{
    (void)state;
    const struct train_report *const models[] = {&model, &single};
    for (int i = 0; i < 2; i++) {
        struct score *self = open_with(models[i], 200);
        struct scene scene;
        struct score_result result;
        make_scene(&cargo_kinds[0], 8, "720851", &scene);
        scene.scan.images_count = 1;
        score_items(self, &scene.input, &result, 1);
        assert_int_equal(find(&result, "consistency.chapter") != NULL, i == 1);
        assert_null(find(&result, "consistency.atomic_number"));
        assert_int_equal(worth(&result) > 0.5, i == 1);
        score_close(&self);
    }
}

/* A model sees an image as it saw its own, whatever height the scorer works at. */
static void height_of_the_scorer_changes_nothing(void **state)
{
    (void)state;
    static const uint32_t heights[] = {100, 150, 200};
    struct score_result results[3];
    for (int i = 0; i < 3; i++) {
        struct score *self = open_with(&single, heights[i]);
        struct scene scene;
        make_scene(&cargo_kinds[1], 8, "720851", &scene);
        score_items(self, &scene.input, &results[i], 1);
        assert_int_equal(results[i].score.inputs_count, 3);
        assert_memory_equal(results[i].inputs[2], results[0].inputs[2],
                            CONSISTENCY_INPUTS * sizeof(float));
        score_close(&self);
    }
}

/* ---- bits ---- */

static void check_same(const struct score_result *a, const struct score_result *b)
{
    assert_memory_equal(&a->score.logit, &b->score.logit, sizeof(double));
    assert_int_equal(a->score.contributions_count, b->score.contributions_count);
    for (uint32_t i = 0; i < a->score.contributions_count; i++) {
        assert_string_equal(a->score.contributions[i].name, b->score.contributions[i].name);
        assert_memory_equal(&a->score.contributions[i].logit, &b->score.contributions[i].logit,
                            sizeof(double));
    }
    assert_int_equal(a->score.inputs_count, b->score.inputs_count);
    for (uint32_t i = 0; i < a->score.inputs_count; i++) {
        assert_int_equal(a->score.inputs[i].values_count, b->score.inputs[i].values_count);
        assert_memory_equal(a->score.inputs[i].values, b->score.inputs[i].values,
                            a->score.inputs[i].values_count * sizeof(float));
    }
}

static void score_does_not_depend_on_its_batch(void **state)
{
    (void)state;
    enum { ITEMS = 4 };
    static uint8_t pixels[ITEMS][2][WIDTH * HEIGHT * 2];
    static struct scene scenes[ITEMS];
    static struct score_result alone[ITEMS], together[ITEMS];
    struct score_input inputs[ITEMS];
    struct score *self = open_with(&model, 256); /* not the height that the model asks for */
    for (uint64_t i = 0; i < ITEMS; i++) {
        make_scene(&cargo_kinds[i], 40 + i, cargo_kinds[(i + i % 2) % CARGO_KINDS].hs_code,
                   &scenes[i]);
        memcpy(pixels[i][0], high_pixels, sizeof high_pixels);
        memcpy(pixels[i][1], low_pixels, sizeof low_pixels);
        scenes[i].input.scans[0].pixels[0] = pixels[i][0];
        scenes[i].input.scans[0].pixels[1] = pixels[i][1];
        score_items(self, &scenes[i].input, &alone[i], 1);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        inputs[i] = scenes[ITEMS - 1 - i].input;
    }
    score_items(self, inputs, together, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_int_equal(alone[i].score.inputs_count, 3);
        check_same(&alone[i], &together[ITEMS - 1 - i]);
    }
    score_close(&self);
}

static void replay_has_the_same_bits_with_and_without_pixels(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    struct score *outsider = open_with(&model, 200);
    for (uint32_t k = 0; k < 2 * CARGO_KINDS; k++) {
        struct scene scene;
        struct score_result result, again;
        const char *why = NULL;
        make_scene(&cargo_kinds[k / 2], k, k % 2 == 0 ? "610910" : "940360", &scene);
        score_items(self, &scene.input, &result, 1);
        struct score_input seen = scene.input;
        seen.declarations_count = 0;
        assert_true(score_replay(outsider, &result.score, &seen, &again, &why));
        check_same(&result, &again);
        assert_true(score_replay(outsider, &result.score, NULL, &again, &why));
        check_same(&result, &again);
        const char *names = score_input_names(self, &result.score, 2);
        assert_non_null(names);
        uint32_t words = 1;
        for (const char *at = names; *at != '\0'; at++) {
            words += *at == ' ';
        }
        assert_int_equal(words, result.score.inputs[2].values_count);
    }
    score_close(&self);
    score_close(&outsider);
}

static void replay_of_other_inputs_is_another_score_or_none(void **state)
{
    (void)state;
    struct score *self = open_with(&model, 200);
    struct score *without = open_with(NULL, 200);
    struct scene scene;
    struct score_result result, again;
    const char *why = NULL;
    make_scene(&cargo_kinds[0], 77, "720851", &scene);
    score_items(self, &scene.input, &result, 1);
    assert_false(score_replay(without, &result.score, NULL, &again, &why));
    assert_string_equal(why, "a model that it names is not installed");
    float *chapter = &result.inputs[2][CONSISTENCY_INPUT_CHAPTER];
    const float wrong[] = {0, 100, 3.5f, -1, NAN, INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        *chapter = wrong[i];
        assert_false(score_replay(self, &result.score, NULL, &again, &why));
        assert_string_equal(why, "inputs of the consistency model are missing or contradict "
                                 "themselves");
    }
    *chapter = 8;
    assert_true(score_replay(self, &result.score, NULL, &again, &why));
    assert_true(again.score.logit < result.score.logit); /* it would have fitted */
    result.score.inputs_count--;
    assert_false(score_replay(self, &result.score, NULL, &again, &why));
    score_close(&self);
    score_close(&without);
}

/* ---- files ---- */

static void same_training_gives_the_same_file(void **state)
{
    (void)state;
    struct train_report again;
    cargo_train(directory, true, 200, &again);
    assert_memory_equal(again.sha256, model.sha256, HASH_BYTES);
    assert_non_null(strstr(again.evaluation, "scans 160, chapters 4; material by effective "));
}

struct harm {
    const char *array;
    size_t at;
    double value;
};

/* Of every kind of number one that no training writes. */
static const struct harm harms[] = {
    {"cargo_shape", 0, 8},     {"cargo_shape", 1, 7},      {"cargo_shape", 2, 3},
    {"means", 1, NAN},         {"means", 1, 1e9},          {"whitening", 0, INFINITY},
    {"places", 30, 1e300},     {"spreads", 8, 0},          {"spreads", 8, -1},
    {"counts", 8, 1e15},       {"numbers", 33, 1e-9},      {"numbers", 34, 1e5},
    {"fit_first", 0, 1},       {"fit_first", 9, 100000},   {"fit_first", 100, 3},
    {"fit_held", 3, 1e30},     {"fit_held", 3, NAN},       {"fit_strangers", 0, 1e30},
    {"number_held", 3, 1e30},  {"number_first", 50, 1e18}, {"table_step", 0, 0},
    {"table_least", 3, 50},    {"table_most", 3, -1},      {"table_number", 9, 1000},
    {"table_density", 9, NAN},
};

static void set(struct model_array *array, size_t at, double value)
{
    if (array->type == MODEL_F64) {
        ((double *)array->values)[at] = value;
    } else if (array->type == MODEL_F32) {
        ((float *)array->values)[at] = (float)value;
    } else {
        ((uint64_t *)array->values)[at] = (uint64_t)value;
    }
}

static bool is_taken(const struct model_file *file)
{
    struct consistency_model read;
    struct err err = consistency_read(file, &read);
    if (!err_is(err)) {
        consistency_model_fini(&read);
        return true;
    }
    assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
    return false;
}

static void file_with_one_number_out_of_range_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        static struct model_file file;
        assert_good(model_file_read(model.path, model.sha256, &file));
        assert_true(is_taken(&file));
        bool harmed = false;
        for (uint32_t a = 0; a < file.arrays_count; a++) {
            if (strcmp(file.arrays[a].name, harms[i].array) == 0) {
                set(&file.arrays[a], harms[i].at, harms[i].value);
                harmed = true;
            }
        }
        assert_true(harmed);
        if (is_taken(&file)) {
            fail_msg("%s[%zu] = %g was taken", harms[i].array, harms[i].at, harms[i].value);
        }
        model_file_fini(&file);
    }
}

static void file_without_a_part_or_of_another_shape_is_refused(void **state)
{
    (void)state;
    static struct model_file file;
    assert_good(model_file_read(model.path, model.sha256, &file));
    for (uint32_t a = 0; a < file.arrays_count; a++) {
        struct model_array *array = &file.arrays[a];
        char kept = array->name[0];
        uint64_t rows = array->dimensions[0];
        array->name[0] = '?';
        assert_false(is_taken(&file));
        array->name[0] = kept;
        array->dimensions[0] = rows - 1;
        /* A list of strangers may be of any length. */
        assert_int_equal(is_taken(&file), strstr(array->name, "strangers") != NULL);
        array->dimensions[0] = UINT64_MAX;
        assert_false(is_taken(&file));
        array->dimensions[0] = rows;
    }
    for (uint32_t t = 0; t < file.texts_count; t++) {
        struct model_text *text = &file.texts[t];
        bool needed = strcmp(text->name, "meaning") == 0 || strcmp(text->name, "inputs") == 0 ||
                      strcmp(text->name, "name") == 0;
        char kept = text->text[0];
        text->text[0] = '?';
        assert_int_equal(is_taken(&file), !needed);
        text->text[0] = kept;
    }
    model_file_fini(&file);
    struct score *small = NULL;
    const struct score_conf conf = {
        .image_bytes_max = sizeof high_pixels, .history_slots = 64, .working_height = 100};
    assert_good(score_open(&conf, &small));
    assert_int_equal(score_install(small, model.path, model.sha256, NULL).code,
                     ERR_MODEL_UNREADABLE);
    score_close(&small);
}

static void training_refuses_what_teaches_nothing(void **state)
{
    (void)state;
    struct train_consistency *self = NULL;
    struct material_step steps[CARGO_STEPS];
    struct train_consistency_conf conf = {.scanner_type = "x",
                                          .working_height = 200,
                                          .seed = 1,
                                          .wedge = steps,
                                          .wedge_count = CARGO_STEPS};
    for (size_t i = 0; i < CARGO_STEPS; i++) {
        steps[i] = cargo_wedge[CARGO_STEPS - 1 - i];
    }
    assert_int_equal(train_consistency_open(&conf, &self).code, ERR_ARGUMENT);
    conf.wedge = NULL;
    conf.wedge_count = 0;
    assert_good(train_consistency_open(&conf, &self));
    struct image images[2];
    struct train_report report;
    cargo_images(images);
    cargo_draw(&cargo_kinds[0], 1, high_pixels, low_pixels);
    const struct train_image image = {.image = &images[0], .pixels = high_pixels, .name = "one"};
    for (int i = 0; i < 20; i++) { /* one chapter */
        assert_good(train_consistency_add(self, &image, 8));
    }
    assert_int_equal(train_consistency_write(self, directory, &report).code, ERR_ARGUMENT);
    memset(high_pixels, 0xff, sizeof high_pixels); /* air */
    assert_int_equal(train_consistency_add(self, &image, 8).code, ERR_IMAGE_UNREADABLE);
    train_consistency_close(&self);
}

static void chapters_and_sections_are_those_of_the_code(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        uint32_t chapter, section;
    } rows[] = {{"010121", 1, 1},  {"0601", 6, 2},     {"15", 15, 3},    {"2402.20", 24, 4},
                {" 27 10", 27, 5}, {"380891", 38, 6},  {"4011", 40, 7},  {"43", 43, 8},
                {"4407", 44, 9},   {"49", 49, 10},     {"63", 63, 11},   {"64", 64, 12},
                {"70", 70, 13},    {"7108", 71, 14},   {"8311", 83, 15}, {"8517", 85, 16},
                {"8901", 89, 17},  {"91", 91, 18},     {"9301", 93, 19}, {"9403", 94, 20},
                {"9701", 97, 21},  {"990000", 99, 22}, {"00", 0, 0},     {"", 0, 0},
                {"8", 0, 0},       {"AB12", 0, 0},     {"-8", 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(hs_chapter_of(rows[i].code), rows[i].chapter);
        assert_int_equal(hs_section_of(rows[i].chapter), rows[i].section);
    }
    assert_string_equal(hs_chapter_words(8), "fruit, nuts");
    assert_string_equal(hs_chapter_words(84), "machinery");
    assert_string_equal(hs_chapter_words(97), "art, antiques");
    assert_int_equal(hs_chapter_of(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chapters_and_sections_are_those_of_the_code),
        cmocka_unit_test(right_declaration_weighs_no_more_often_than_it_should),
        cmocka_unit_test(permuted_declaration_raises_the_reason),
        cmocka_unit_test(atomic_number_is_told_with_where_its_chapter_lies),
        cmocka_unit_test(nothing_is_asked_where_there_is_no_chapter),
        cmocka_unit_test(chapter_never_seen_is_told_as_new),
        cmocka_unit_test(one_energy_is_judged_only_by_a_model_of_one),
        cmocka_unit_test(height_of_the_scorer_changes_nothing),
        cmocka_unit_test(score_does_not_depend_on_its_batch),
        cmocka_unit_test(replay_has_the_same_bits_with_and_without_pixels),
        cmocka_unit_test(replay_of_other_inputs_is_another_score_or_none),
        cmocka_unit_test(same_training_gives_the_same_file),
        cmocka_unit_test(file_with_one_number_out_of_range_is_refused),
        cmocka_unit_test(file_without_a_part_or_of_another_shape_is_refused),
        cmocka_unit_test(training_refuses_what_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, make_models, drop_models);
}
