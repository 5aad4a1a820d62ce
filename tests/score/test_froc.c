/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/froc.h"

static struct froc_box box(double left, double top, double width, double height)
{
    return (struct froc_box){left, top, width, height};
}

/* Two images of two scans. Image 0: objects a, b; image 1: object c. */
static const struct froc_object objects[] = {
    {{10, 10, 20, 20}, 0}, {{100, 10, 20, 20}, 0}, {{10, 10, 20, 20}, 1}};
static const uint32_t groups[] = {0, 1};

static void assert_hits(const struct froc_sample *sample, enum froc_hit definition,
                        const uint8_t *wanted)
{
    uint8_t hits[16];
    assert_good(froc_match(sample, definition, hits));
    for (uint32_t i = 0; i < sample->mark_count; i++) {
        if (hits[i] != wanted[i]) {
            fail_msg("mark %u by definition %d", i, (int)definition);
        }
    }
}

static void a_mark_hits_by_three_definitions_and_an_object_once(void **state)
{
    (void)state;
    const struct froc_mark marks[] = {
        {box(10, 10, 20, 20), 5, 0},   /* a, exactly */
        {box(11, 11, 20, 20), 4, 0},   /* a again: false */
        {box(100, 10, 20, 9), 3, 0},   /* b: overlap 0.45 */
        {box(31, 31, 3, 3), 2, 1},     /* c: centre 32.5 within 3 pixels, no overlap */
        {box(10, 10, 20, 7), 1, 1},    /* c: overlap 0.35, centre inside */
        {box(200, 200, 20, 20), 9, 1}, /* nothing */
    };
    const struct froc_sample sample = {marks, objects, groups, 6, 3, 2};
    assert_hits(&sample, FROC_CENTRE, (const uint8_t[]){1, 0, 1, 1, 0, 0});
    assert_hits(&sample, FROC_OVERLAP_3, (const uint8_t[]){1, 0, 1, 0, 1, 0});
    assert_hits(&sample, FROC_OVERLAP_5, (const uint8_t[]){1, 0, 0, 0, 0, 0});
    assert_true(fabs(froc_overlap(&marks[2].box, &objects[1].box) - 0.45) < 1e-12);
}

static void recall_is_counted_down_to_the_false_marks_allowed(void **state)
{
    (void)state;
    const struct froc_mark marks[] = {
        {box(10, 10, 20, 20), 9, 0}, {box(300, 10, 9, 9), 8, 0}, {box(100, 10, 20, 20), 7, 0},
        {box(400, 10, 9, 9), 6, 1},  {box(500, 10, 9, 9), 5, 0}, {box(10, 10, 20, 20), 4, 1},
    };
    const struct froc_sample sample = {marks, objects, groups, 6, 3, 2};
    struct froc froc;
    assert_good(froc_make(&sample, &froc));
    for (int i = 0; i < FROC_HITS; i++) {
        const struct froc_recall *recalls = froc.recalls[i];
        assert_true(fabs(recalls[0].value - 1.0 / 3) < 1e-12); /* none of 0.2 allowed */
        assert_true(fabs(recalls[1].value - 2.0 / 3) < 1e-12); /* 1 */
        assert_true(fabs(recalls[2].value - 2.0 / 3) < 1e-12); /* 2; the third comes first */
        assert_true(recalls[3].value == 1);
        assert_true(recalls[0].lower <= recalls[0].value && recalls[0].upper >= recalls[0].value);
        assert_true(froc.curve[i][0] == recalls[0].value && froc.curve[i][FROC_CURVE - 1] == 1);
    }
}

/* Without any mark nothing is found; with every object marked first all is. */
static void the_ends_are_nothing_and_all(void **state)
{
    (void)state;
    struct froc froc;
    const struct froc_sample none = {NULL, objects, groups, 0, 3, 2};
    assert_good(froc_make(&none, &froc));
    assert_true(froc.recalls[FROC_CENTRE][4].value == 0 && froc.recalls[FROC_CENTRE][4].upper == 0);
    struct froc_mark marks[3];
    for (int i = 0; i < 3; i++) {
        marks[i] = (struct froc_mark){objects[i].box, 1, objects[i].image};
    }
    const struct froc_sample all = {marks, objects, groups, 3, 3, 2};
    assert_good(froc_make(&all, &froc));
    assert_true(froc.recalls[FROC_OVERLAP_5][0].value == 1);
    assert_true(froc.recalls[FROC_OVERLAP_5][0].lower == 1);
}

/* Versions of one scan are drawn together: with all images in one group every resample is the
 * sample, and the interval has no width; with each on its own it has. */
static void intervals_are_drawn_over_groups(void **state)
{
    (void)state;
    enum { IMAGES = 40 };
    struct froc_mark marks[2 * IMAGES];
    struct froc_object found[IMAGES];
    uint32_t together[IMAGES] = {0}, apart[IMAGES];
    struct rng rng;
    rng_init(&rng, 1, 0);
    for (uint32_t i = 0; i < IMAGES; i++) {
        apart[i] = i;
        found[i] = (struct froc_object){box(0, 0, 10, 10), i};
        double left = rng_below(&rng, 3) == 0 ? 50 : 0;
        marks[2 * i] = (struct froc_mark){box(left, 0, 10, 10), rng_uniform(&rng), i};
        marks[2 * i + 1] = (struct froc_mark){box(90, 90, 10, 10), rng_uniform(&rng), i};
    }
    struct froc one, many;
    const struct froc_sample as_one = {marks, found, together, 2 * IMAGES, IMAGES, IMAGES};
    const struct froc_sample as_many = {marks, found, apart, 2 * IMAGES, IMAGES, IMAGES};
    assert_good(froc_make(&as_one, &one));
    assert_good(froc_make(&as_many, &many));
    const struct froc_recall *narrow = &one.recalls[FROC_CENTRE][1];
    const struct froc_recall *wide = &many.recalls[FROC_CENTRE][1];
    assert_true(narrow->value == wide->value && narrow->lower == narrow->upper);
    assert_true(wide->lower < wide->value - 0.02 && wide->upper > wide->value + 0.02);
}

/* Every image twice, both in one group: the same figures and intervals as once. */
static void a_second_version_of_every_scan_changes_nothing(void **state)
{
    (void)state;
    enum { SCANS = 25 };
    struct froc_mark once[2 * SCANS], twice[4 * SCANS];
    struct froc_object found[SCANS], found_twice[2 * SCANS];
    uint32_t scans[SCANS], scans_twice[2 * SCANS];
    struct rng rng;
    rng_init(&rng, 2, 0);
    for (uint32_t i = 0; i < SCANS; i++) {
        double left = rng_below(&rng, 3) == 0 ? 50 : 0;
        once[2 * i] = (struct froc_mark){box(left, 0, 10, 10), rng_uniform(&rng), i};
        once[2 * i + 1] = (struct froc_mark){box(90, 90, 10, 10), rng_uniform(&rng), i};
        found[i] = (struct froc_object){box(0, 0, 10, 10), i};
        scans[i] = i;
        for (uint32_t k = 0; k < 2; k++) {
            uint32_t image = 2 * i + k;
            found_twice[image] = (struct froc_object){box(0, 0, 10, 10), image};
            scans_twice[image] = i;
            twice[2 * image] = once[2 * i];
            twice[2 * image + 1] = once[2 * i + 1];
            twice[2 * image].image = twice[2 * image + 1].image = image;
        }
    }
    struct froc one, two;
    const struct froc_sample as_once = {once, found, scans, 2 * SCANS, SCANS, SCANS};
    const struct froc_sample as_twice = {twice,     found_twice, scans_twice,
                                         4 * SCANS, 2 * SCANS,   2 * SCANS};
    assert_good(froc_make(&as_once, &one));
    assert_good(froc_make(&as_twice, &two));
    for (int i = 0; i < FROC_RATES; i++) {
        const struct froc_recall *a = &one.recalls[FROC_CENTRE][i];
        const struct froc_recall *b = &two.recalls[FROC_CENTRE][i];
        assert_true(a->value == b->value && a->lower == b->lower && a->upper == b->upper);
    }
    assert_true(one.recalls[FROC_CENTRE][1].lower < one.recalls[FROC_CENTRE][1].upper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_hits_by_three_definitions_and_an_object_once),
        cmocka_unit_test(recall_is_counted_down_to_the_false_marks_allowed),
        cmocka_unit_test(the_ends_are_nothing_and_all),
        cmocka_unit_test(intervals_are_drawn_over_groups),
        cmocka_unit_test(a_second_version_of_every_scan_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
