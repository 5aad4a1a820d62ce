/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "score/fusion.h"
#include "score/history_kind.h"
#include "score/image_scorer.h"
#include "score/score.h"
#include "score/train.h"
#include "tests/score/finder_fixture.h"
#include "tests/score/synthetic.h"

/* Replays in memory: a score out of its own inputs, models and images. */

static char directory[FIXTURE_PATH_BYTES];
static struct train_report model;
static struct train_report marks_model; /* the same with a finder in it */
static uint8_t high_pixels[WIDTH * HEIGHT * 2];
static uint8_t low_pixels[WIDTH * HEIGHT * 2];

static int make_model(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    synthetic_train("test-portal", directory, &model);
    struct finder_model finder = finder_fixture(5);
    finder.input = finder_input_default(IMAGE_TRANSMISSION);
    struct convnet_layer *head = &finder.nets[0].layers[2];
    memset(head->weights + head->in, 0, convnet_weight_count(head) - head->in); /* but heat */
    memset(head->bias + 1, 0, (FINDER_OUTPUTS - 1) * sizeof *head->bias);
    finder.slope = 4;
    finder.reduction = 2; /* the bank looks at the whole image */
    finder.offset = -2;   /* two of its boxes are likely enough to be shown */
    assert_good(finder_model_settle(&finder));
    finder_fixture_add(model.path, &finder, directory, marks_model.path, marks_model.sha256);
    finder_model_fini(&finder);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

static struct score *open_with(const struct train_report *installed)
{
    struct score_conf conf = {
        .image_bytes_max = WIDTH * HEIGHT * 2, .history_slots = 4096, .working_height = 200};
    struct score *self = NULL;
    assert_good(score_open(&conf, &self));
    if (installed != NULL) {
        assert_good(score_install(self, installed->path, installed->sha256, NULL));
    }
    return self;
}

static struct score *open_scorer(bool with_model)
{
    return open_with(with_model ? &model : NULL);
}

static void check_same(const struct entry_score *score, const struct entry_score *again)
{
    assert_memory_equal(&score->logit, &again->logit, sizeof(double));
    assert_memory_equal(&score->probability, &again->probability, sizeof(double));
    assert_memory_equal(&score->quality, &again->quality, sizeof(double));
    assert_int_equal(score->contributions_count, again->contributions_count);
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        assert_string_equal(score->contributions[i].name, again->contributions[i].name);
        assert_memory_equal(&score->contributions[i].logit, &again->contributions[i].logit,
                            sizeof(double));
    }
    assert_int_equal(score->models_count, again->models_count);
    assert_int_equal(score->regions_count, again->regions_count);
    assert_memory_equal(score->regions, again->regions,
                        score->regions_count * sizeof score->regions[0]);
    assert_int_equal(score->inputs_count, again->inputs_count);
    for (uint32_t i = 0; i < score->inputs_count; i++) {
        assert_int_equal(score->inputs[i].model, again->inputs[i].model);
        assert_int_equal(score->inputs[i].values_count, again->inputs[i].values_count);
        assert_memory_equal(score->inputs[i].values, again->inputs[i].values,
                            score->inputs[i].values_count * sizeof(float));
    }
}

struct scene {
    struct image images[2];
    struct scan scan;
    struct goods_line line;
    struct declaration declaration;
    struct score_input input; /* whole */
    struct score_input seen;  /* scans alone */
};

/* One of eight kinds of items: with and without scan, declaration and low-energy image. */
static void make_scene(uint32_t kind, struct scene *out)
{
    *out = (struct scene){.line = fixture_line("440890")};
    out->images[0] = synthetic_image();
    out->images[1] = synthetic_image();
    out->images[0].energy = ENERGY_HIGH;
    out->images[1].energy = ENERGY_LOW;
    out->scan = synthetic_scan(out->images);
    out->scan.images_count = (kind & 1) != 0 ? 2 : 1;
    out->declaration = fixture_declaration(&out->line);
    out->declaration.gross_mass_kg = 1e308; /* no float is as large */
    if ((kind & 2) != 0) {
        out->input.scans[0] =
            (struct score_scan){.scan = &out->scan, .pixels = {high_pixels, low_pixels}};
        out->input.scans_count = 1;
    }
    out->seen = out->input;
    if ((kind & 4) != 0) {
        out->input.declarations[0] = &out->declaration;
        out->input.declarations_count = 1;
    }
    synthetic_draw(high_pixels, kind, 0.8, kind % 3 == 0);
    synthetic_draw(low_pixels, kind, 1.0, kind % 3 == 0);
}

static void replay_of_every_kind_of_item_has_the_same_bits(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 3; round++) {
        const struct train_report *installed[] = {&model, NULL, &marks_model};
        struct score *self = open_with(installed[round]);
        struct score *outsider = open_with(round == 2 ? &marks_model : &model);
        struct scene scene;
        for (uint32_t kind = 0; kind < 8; kind++) {
            struct score_result result;
            struct score_result again;
            const char *why = NULL;
            make_scene(kind, &scene);
            score_history_learn(self, &scene.declaration, kind % 2 == 0, 1000 + (int64_t)kind);
            score_items(self, &scene.input, &result, 1);
            bool looked = round == 2 && scene.input.scans_count > 0;
            assert_int_equal(isnan(result.inputs[0][FUSION_FINDER_LOGIT]), !looked);
            assert_true(score_replay(outsider, &result.score, NULL, &again, &why));
            check_same(&result.score, &again.score);
            assert_true(score_replay(outsider, &result.score, &scene.seen, &again, &why));
            check_same(&result.score, &again.score);
        }
        score_close(&outsider);
        score_close(&self);
    }
}

static const struct entry_contribution *contribution_of(const struct entry_score *score,
                                                        const char *name)
{
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        if (strcmp(score->contributions[i].name, name) == 0) {
            return &score->contributions[i];
        }
    }
    return NULL;
}

static bool is_same_box(const struct entry_region *a, const struct entry_region *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

/* What the finder says weighs half a logit a logit, from 0 to 6, and its boxes come first. */
static void finder_adds_its_logit_and_its_boxes(void **state)
{
    (void)state;
    struct score *self = open_with(&marks_model);
    struct score *plain = open_scorer(true);
    struct scene scene;
    struct score_result with;
    struct score_result without;
    make_scene(3, &scene);
    score_items(self, &scene.input, &with, 1);
    score_items(plain, &scene.input, &without, 1);
    double logit = (double)with.inputs[0][FUSION_FINDER_LOGIT];
    double held = logit < 0 ? 0 : logit > 6 ? 6 : logit;
    const struct entry_contribution *finder = contribution_of(&with.score, "finder");
    assert_non_null(finder);
    assert_true(logit > 0 && finder->logit == 0.5 * held);
    assert_non_null(strstr(finder->words, "looks like what officers marked"));
    assert_null(contribution_of(&without.score, "finder"));
    assert_int_equal(with.score.contributions_count, without.score.contributions_count + 1);
    assert_true(fabs(with.score.logit - without.score.logit - finder->logit) < 1e-12);
    /* The bank's regions come behind the finder's two. Without a finder domes stand among them, but
     * a place is left for the bank's best. */
    const uint32_t more = 2;
    assert_true(with.score.regions_count > more);
    uint32_t same = 0;
    for (uint32_t i = 0; i < without.score.regions_count; i++) {
        same += is_same_box(&without.score.regions[i], &with.score.regions[more]);
    }
    assert_int_equal(same, 1);
    struct image_scorer *alone = NULL;
    struct image_marks marks;
    assert_good(image_scorer_open(marks_model.path, &alone));
    image_scorer_run(alone, &scene.scan, (const void *const[]){high_pixels, low_pixels}, &marks);
    assert_int_equal(marks.judged, 1);
    image_scorer_close(&alone);
    assert_true(marks.score == with.score.regions[0].score);
    assert_true(marks.marks_count > more && marks.marks[marks.marks_count - 1].score < 0.25);
    for (uint32_t i = 0; i < more; i++) {
        assert_true(marks.marks[i].x == with.score.regions[i].x &&
                    marks.marks[i].height == with.score.regions[i].height);
    }
    for (uint32_t i = 0; i < more; i++) {
        const struct entry_region *region = &with.score.regions[i];
        assert_true(region->score >= 0.25 && region->score <= 1);
        assert_true(region->width > 0 && region->x + region->width <= WIDTH);
        assert_true(region->height > 0 && region->y + region->height <= HEIGHT);
    }
    score_close(&self);
    score_close(&plain);
}

/* A score of before the finder has 19 inputs: it is replayed with 19. */
static void replay_of_a_score_with_fewer_inputs_has_as_many(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct scene scene;
    struct score_result result;
    struct score_result again;
    const char *why = NULL;
    make_scene(7, &scene);
    score_items(self, &scene.input, &result, 1);
    result.score.inputs[0].values_count = FUSION_FINDER_LOGIT;
    /* Such a score says nothing of what the scanner delivered. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < result.score.contributions_count; i++) {
        if (strcmp(result.score.contributions[i].name, "quality.image") != 0) {
            result.score.contributions[kept++] = result.score.contributions[i];
        }
    }
    assert_int_equal(kept + 1, result.score.contributions_count);
    result.score.contributions_count = kept;
    result.inputs[0][FUSION_FINDER_LOGIT] = 3; /* beyond the end: not read */
    assert_true(score_replay(self, &result.score, NULL, &again, &why));
    check_same(&result.score, &again.score);
    assert_true(score_replay(self, &result.score, &scene.seen, &again, &why));
    check_same(&result.score, &again.score);
    assert_int_equal(score_replay_height(&result.score), 200);
    score_close(&self);
}

/* Every number among the inputs that is used at all changes something when it changes. */
static void replay_of_another_input_is_another_score(void **state)
{
    (void)state;
    struct score *self = open_with(&marks_model);
    struct scene scene;
    struct score_result result;
    struct score_result again;
    const char *why = NULL;
    make_scene(7, &scene);
    scene.declaration.gross_mass_kg = 9000;
    score_history_learn(self, &scene.declaration, true, 1000);
    score_items(self, &scene.input, &result, 1);
    assert_int_equal(result.score.inputs_count, 2);
    assert_int_equal(result.score.inputs[0].values_count, FUSION_INPUTS);
    static const enum fusion_input heavy[] = {
        FUSION_DECLARATION_QUALITY, FUSION_IMAGE_QUALITY, FUSION_IMAGE_Z,
        FUSION_IMAGES_USED,         FUSION_SCANS,         FUSION_FINDER_LOGIT};
    for (size_t i = 0; i < sizeof heavy / sizeof heavy[0]; i++) {
        float kept = result.inputs[0][heavy[i]];
        result.inputs[0][heavy[i]] = i == 5 ? 3 : i > 2 ? 0 : i == 2 ? 0.25f : kept * 0.5f;
        bool done = score_replay(self, &result.score, NULL, &again, &why);
        bool same = done && memcmp(&again.score.logit, &result.score.logit, 8) == 0 &&
                    memcmp(&again.score.quality, &result.score.quality, 8) == 0 &&
                    again.score.contributions_count == result.score.contributions_count;
        for (uint32_t c = 0; same && c < result.score.contributions_count; c++) {
            same =
                strcmp(again.score.contributions[c].name, result.score.contributions[c].name) == 0;
        }
        assert_false(same);
        result.inputs[0][heavy[i]] = kept;
    }
    uint32_t moved = 0;
    for (uint32_t i = 0; i < HISTORY_LINEAR_KINDS; i++) {
        float kept = result.inputs[1][i];
        result.inputs[1][i] = kept * 1.5f;
        assert_true(score_replay(self, &result.score, NULL, &again, &why));
        moved += again.score.logit != result.score.logit ? 1u : 0u;
        result.inputs[1][i] = kept;
    }
    assert_true(moved > 15); /* the kinds that this declaration has */
    assert_true(score_replay(self, &result.score, NULL, &again, &why));
    check_same(&result.score, &again.score);
    score_close(&self);
}

static void replay_that_cannot_be_done_says_why(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct score *bare = open_scorer(false);
    struct scene scene;
    struct score_result result;
    struct score_result again;
    const char *why = NULL;
    make_scene(7, &scene);
    score_items(self, &scene.input, &result, 1);
    assert_false(score_replay(bare, &result.score, NULL, &again, &why));
    assert_string_equal(why, "a model that it names is not installed");
    struct entry_score changed = result.score;
    changed.inputs_count = 0;
    assert_false(score_replay(self, &changed, NULL, &again, &why));
    assert_string_equal(why, "a score of before inputs were kept");
    changed = result.score;
    changed.inputs[0].values_count -= 2;
    assert_false(score_replay(self, &changed, NULL, &again, &why));
    assert_non_null(strstr(why, "fusion are missing or others"));
    changed = result.score;
    changed.inputs_count = 1;
    assert_false(score_replay(self, &changed, NULL, &again, &why));
    assert_non_null(strstr(why, "history model are missing or others"));
    static const struct {
        enum fusion_input input;
        float value;
    } broken[] = {{FUSION_IMAGES, 0.5f},
                  {FUSION_IMAGES, -1},
                  {FUSION_SCANS, 1e9f},
                  {FUSION_IMAGES_USED, 60},
                  {FUSION_JUDGED_BY, 0},
                  {FUSION_JUDGED_BY, 15},
                  {FUSION_MEASURED_BY, 1.5f},
                  {FUSION_IMAGE_Z, NAN},
                  {FUSION_IMAGE_QUALITY, NAN},
                  {FUSION_OVERALL_LOGIT, NAN},
                  {FUSION_WORKING_HEIGHT, 1e6f},
                  {FUSION_IMAGE_INDEX, NAN},
                  {FUSION_OVERALL_LOGIT, INFINITY},
                  {FUSION_FILLED_SHARE, -INFINITY}};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        float kept = result.inputs[0][broken[i].input];
        result.inputs[0][broken[i].input] = broken[i].value;
        assert_false(score_replay(self, &result.score, NULL, &again, &why));
        assert_string_equal(why, "inputs of the fusion contradict themselves");
        result.inputs[0][broken[i].input] = kept;
    }
    result.inputs[1][1] = INFINITY;
    assert_false(score_replay(self, &result.score, NULL, &again, &why));
    assert_string_equal(why, "an input of the history model is not there");
    score_close(&bare);
    score_close(&self);
}

static uint32_t count_words(const char *text)
{
    uint32_t count = text[0] != '\0' ? 1 : 0;
    for (; *text != '\0'; text++) {
        count += *text == ' ' ? 1u : 0u;
    }
    return count;
}

static void inputs_have_as_many_names_as_values(void **state)
{
    (void)state;
    struct score *self = open_scorer(true);
    struct scene scene;
    struct score_result result;
    make_scene(7, &scene);
    score_items(self, &scene.input, &result, 1);
    for (uint32_t i = 0; i < result.score.inputs_count; i++) {
        const char *names = score_input_names(self, &result.score, i);
        assert_non_null(names);
        assert_int_equal(count_words(names), result.score.inputs[i].values_count);
    }
    assert_non_null(strstr(score_input_names(self, &result.score, 1), "history.importer_hs6 "));
    score_close(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_of_every_kind_of_item_has_the_same_bits),
        cmocka_unit_test(replay_of_another_input_is_another_score),
        cmocka_unit_test(finder_adds_its_logit_and_its_boxes),
        cmocka_unit_test(replay_of_a_score_with_fewer_inputs_has_as_many),
        cmocka_unit_test(replay_that_cannot_be_done_says_why),
        cmocka_unit_test(inputs_have_as_many_names_as_values),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
