/* SPDX-License-Identifier: Apache-2.0 */
/* Small images with planted discs among stripes and squares: what a finder must learn in seconds.
 * That it can also fail is shown by boxes drawn in wrong places. */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder_train.h"
#include "score/froc.h"

enum { SIDE = 80, TRAINED = 16, JUDGED = 16, IMAGES = TRAINED + JUDGED, DISCS = 2 };

static float pixels[SIDE * SIDE];
static uint8_t valid[SIDE * SIDE];

struct scene {
    struct finder_truth discs[DISCS];
};

/* A disc is darker by 0.25 on a ground of waves and noise; squares as dark stand beside. */
static struct scene draw(uint64_t seed)
{
    struct scene scene;
    struct rng rng;
    rng_init(&rng, seed, 0);
    double slope = rng_uniform(&rng) * 0.2;
    double x[2 * DISCS], y[2 * DISCS], radius[2 * DISCS];
    for (int i = 0; i < 2 * DISCS; i++) { /* one in each quarter */
        radius[i] = 4 + 2 * rng_uniform(&rng);
        x[i] = (i % 2) * SIDE / 2 + 9 + rng_uniform(&rng) * (SIDE / 2 - 18);
        y[i] = (i / 2) * SIDE / 2 + 9 + rng_uniform(&rng) * (SIDE / 2 - 18);
    }
    uint64_t turn = rng_below(&rng, 2 * DISCS);
    for (int at = 0; at < SIDE * SIDE; at++) {
        double px = at % SIDE, py = at / SIDE;
        double value = 0.4 + slope * sin(px / 7) + 0.02 * rng_normal(&rng);
        for (uint64_t i = 0; i < 2 * DISCS; i++) {
            uint64_t place = (i + turn) % (2 * DISCS);
            double right = fabs(px - x[place]), down = fabs(py - y[place]);
            bool inside = i < DISCS ? hypot(right, down) < radius[place]
                                    : fmax(right, down) < radius[place] * 0.8;
            value += inside ? (i < DISCS ? 0.25 : -0.25) : 0;
        }
        pixels[at] = (float)value;
        valid[at] = 1;
    }
    for (uint64_t i = 0; i < DISCS; i++) {
        uint64_t place = (i + turn) % (2 * DISCS);
        float r = (float)radius[place];
        scene.discs[i] = (struct finder_truth){(float)x[place] - r, (float)y[place] - r,
                                               (float)x[place] + r, (float)y[place] + r};
    }
    return scene;
}

/* wrong: the boxes stand where another image has its discs. */
static void fill(struct finder_set *set, bool wrong)
{
    finder_set_init(set, IMAGE_DISPLAY, 1);
    for (uint32_t i = 0; i < IMAGES; i++) {
        struct scene other = draw(1000 + i);
        struct scene own = draw(i);
        const struct working working = {
            .pixels = pixels, .valid = valid, .width = SIDE, .height = SIDE, .factor = 1};
        const struct finder_set_add add = {.working = &working,
                                           .truths = wrong && i < TRAINED ? other.discs : own.discs,
                                           .truth_count = DISCS};
        assert_good(finder_set_add(set, &add));
    }
}

static void train(const struct finder_set *set, uint64_t seed, uint32_t threads, double epochs,
                  struct finder_model *out)
{
    uint8_t taken[IMAGES] = {0};
    struct finder_train_report report;
    memset(taken, 1, TRAINED);
    const struct finder_train_conf conf = {
        .set = set, .taken = taken, .epochs = epochs, .seed = seed, .threads = threads};
    assert_good(finder_train(&conf, out, &report));
    assert_int_equal(report.images, TRAINED);
}

/* Recall at one false mark an image, on the images that were not trained on. */
static double judge(const struct finder_set *set, const struct finder_model *finder,
                    enum froc_hit definition)
{
    static struct froc_mark marks[JUDGED * FINDER_BOXES_MAX];
    struct froc_object objects[JUDGED * DISCS];
    uint32_t groups[JUDGED];
    struct finder_space space = {0};
    struct froc_sample sample = {marks, objects, groups, 0, 0, JUDGED};
    const struct image image = {.width = SIDE, .height = SIDE};
    struct finder_restored restored;
    assert_good(finder_space_fit(&space, finder, SIDE, SIDE));
    assert_good(finder_restored_init(&restored, set));
    restored.working.factor = 1;
    for (uint32_t i = 0; i < JUDGED; i++) {
        struct finder_box boxes[FINDER_BOXES_MAX];
        assert_null(finder_restored_take(&restored, set, TRAINED + i));
        uint32_t count = finder_run(&space, finder, &restored.working, NULL, &image, boxes);
        for (uint32_t k = 0; k < count; k++) {
            marks[sample.mark_count++] = (struct froc_mark){
                {boxes[k].x, boxes[k].y, boxes[k].width, boxes[k].height}, boxes[k].heat, i};
        }
        for (uint32_t k = 0; k < DISCS; k++) {
            const struct finder_truth *disc = &set->images[TRAINED + i].truths[k];
            objects[sample.object_count++] = (struct froc_object){
                {(double)disc->left, (double)disc->top, (double)(disc->right - disc->left),
                 (double)(disc->bottom - disc->top)},
                i};
        }
        groups[i] = i;
    }
    struct froc froc;
    assert_good(froc_make(&sample, &froc));
    finder_restored_fini(&restored);
    finder_space_fini(&space);
    return froc.recalls[definition][2].value;
}

static void finder_learns_planted_discs(void **state)
{
    (void)state;
    struct finder_set set;
    struct finder_model finder;
    fill(&set, false);
    train(&set, 1, 2, 75, &finder);
    double centre = judge(&set, &finder, FROC_CENTRE);
    double overlap = judge(&set, &finder, FROC_OVERLAP_3);
    print_message("recall at one false mark an image: %.3f by centre, %.3f by overlap\n", centre,
                  overlap);
    assert_true(centre >= 0.9);
    assert_true(overlap >= 0.8);
    assert_true(fabs(finder.box - 10) < 1);
    finder_model_fini(&finder);
    finder_set_fini(&set);
}

static void finder_does_not_learn_from_boxes_in_wrong_places(void **state)
{
    (void)state;
    struct finder_set set;
    struct finder_model finder;
    fill(&set, true);
    train(&set, 1, 2, 75, &finder);
    double centre = judge(&set, &finder, FROC_CENTRE);
    print_message("recall with wrong boxes: %.3f\n", centre);
    assert_true(centre < 0.7);
    finder_model_fini(&finder);
    finder_set_fini(&set);
}

static void same_seed_gives_the_same_finder_whatever_the_threads(void **state)
{
    (void)state;
    struct finder_set set;
    struct finder_model one, three, other;
    fill(&set, false);
    train(&set, 7, 1, 2, &one);
    train(&set, 7, 3, 2, &three);
    train(&set, 8, 1, 2, &other);
    size_t bytes = convnet_packed_bytes(&one.nets[0]);
    assert_memory_equal(one.packed[0], three.packed[0], bytes);
    assert_memory_not_equal(one.packed[0], other.packed[0], bytes);
    finder_model_fini(&one);
    finder_model_fini(&three);
    finder_model_fini(&other);
    finder_set_fini(&set);
}

static void images_without_a_box_are_refused(void **state)
{
    (void)state;
    struct finder_set set;
    struct finder_model finder;
    struct finder_train_report report;
    fill(&set, false);
    for (uint32_t i = 0; i < set.image_count; i++) {
        set.images[i].truth_count = 0;
    }
    const struct finder_train_conf conf = {.set = &set, .seed = 1, .threads = 1};
    assert_int_equal(finder_train(&conf, &finder, &report).code, ERR_ARGUMENT);
    finder_set_fini(&set);
}

/* A crop shows the box where the object is, however it was turned. */
static void crops_carry_their_boxes_along(void **state)
{
    (void)state;
    enum { CROP = 48 };
    static float input[CROP * CROP * FINDER_CHANNELS];
    struct finder_crop_space space;
    struct finder_set set;
    memset(valid, 1, sizeof valid);
    for (int i = 0; i < SIDE * SIDE; i++) { /* a bright rectangle, wider than high */
        int x = i % SIDE, y = i / SIDE;
        pixels[i] = x >= 40 && x < 60 && y >= 30 && y < 38 ? 0.8f : 0.2f;
    }
    const struct finder_truth truth = {40, 30, 60, 38};
    const struct working working = {
        .pixels = pixels, .valid = valid, .width = SIDE, .height = SIDE, .factor = 1};
    finder_set_init(&set, IMAGE_DISPLAY, 1);
    assert_good(finder_set_add(
        &set, &(struct finder_set_add){.working = &working, .truths = &truth, .truth_count = 1}));
    assert_good(finder_crop_init(&space, CROP));
    uint32_t seen = 0;
    for (uint64_t draw_number = 0; draw_number < 200; draw_number++) {
        struct rng rng;
        rng_init(&rng, 3, draw_number);
        finder_crop_draw(&set, 0, CROP, &rng, &space, input);
        for (uint32_t k = 0; k < space.truth_count; k++) {
            const struct finder_truth *box = &space.truths[k];
            for (int i = 0; i < CROP * CROP; i++) {
                float x = (float)(i % CROP) + 0.5f, y = (float)(i / CROP) + 0.5f;
                float level = input[i * (int)FINDER_CHANNELS];
                bool within = x > box->left + 1.5f && x < box->right - 1.5f &&
                              y > box->top + 1.5f && y < box->bottom - 1.5f;
                bool beside = x < box->left - 1.5f || x > box->right + 1.5f ||
                              y < box->top - 1.5f || y > box->bottom + 1.5f;
                assert_true(!within || level > 0.5f);
                assert_true(!beside || level < 0.5f);
                seen += within;
            }
        }
    }
    assert_true(seen > 1000);
    finder_crop_fini(&space);
    finder_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_carry_their_boxes_along),
        cmocka_unit_test(finder_learns_planted_discs),
        cmocka_unit_test(finder_does_not_learn_from_boxes_in_wrong_places),
        cmocka_unit_test(same_seed_gives_the_same_finder_whatever_the_threads),
        cmocka_unit_test(images_without_a_box_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
