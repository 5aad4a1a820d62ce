/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder.h"
#include "score/finder_loss.h"

enum { HEIGHT = 9, WIDTH = 12, CELLS = HEIGHT * WIDTH };

struct room {
    float heat[CELLS];
    float weight[CELLS];
    uint16_t owner[CELLS];
    struct finder_target target;
};

static struct finder_target *target_of(struct room *room, const struct finder_truth *truths,
                                       uint32_t count)
{
    room->target = (struct finder_target){.height = HEIGHT,
                                          .width = WIDTH,
                                          .box = 7,
                                          .heat = room->heat,
                                          .weight = room->weight,
                                          .owner = room->owner};
    finder_target_set(&room->target, truths, count);
    return &room->target;
}

/* A small box within a large one, one beside, one whose centre lies outside. */
static const struct finder_truth truths[] = {
    {4, 4, 34, 25}, {12, 11, 17, 18}, {37, 20, 46, 33}, {-30, 8, 6, 14}};

static void target_has_a_centre_for_every_object_and_forgives_what_is_cut(void **state)
{
    (void)state;
    static struct room room;
    const struct finder_target *target = target_of(&room, truths, 4);
    assert_int_equal(target->centres, 3);
    assert_int_equal(target->objects, 3);
    double weights[4] = {0};
    for (int i = 0; i < CELLS; i++) {
        assert_true(room.heat[i] >= 0 && room.heat[i] <= 1);
        weights[room.owner[i]] += room.weight[i] > 0 ? (double)room.weight[i] : 0;
    }
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(weights[i] - 1) < 1e-5);
    }
    assert_true(room.heat[3 * WIDTH + 3] == 1); /* (14.5, 14.5) */
    assert_int_equal(room.owner[3 * WIDTH + 3], 1);
    assert_true(room.heat[2 * WIDTH] > 0.99f && room.heat[2 * WIDTH] < 1); /* cut: (2, 10) */
    assert_true(room.heat[8 * WIDTH] < 0.1f);
}

/* Property: the gradient is the slope of the loss, at every output. */
static void gradient_is_the_slope_of_the_loss(void **state)
{
    (void)state;
    static struct room room;
    struct rng rng;
    static float outputs[CELLS * FINDER_OUTPUTS];
    static float gradient[CELLS * FINDER_OUTPUTS];
    static float ignored[CELLS * FINDER_OUTPUTS];
    const struct finder_target *target = target_of(&room, truths, 4);
    rng_init(&rng, 3, 0);
    for (int i = 0; i < CELLS * (int)FINDER_OUTPUTS; i++) {
        outputs[i] = (float)rng_normal(&rng) * (i % (int)FINDER_OUTPUTS == 0 ? 2.0f : 0.5f);
    }
    double at = finder_loss(target, truths, outputs, 3, 3, gradient);
    assert_true(at > 0 && isfinite(at));
    double largest = 0;
    for (int i = 0; i < CELLS * (int)FINDER_OUTPUTS; i++) {
        float kept = outputs[i];
        const double step = 1.0 / 1024; /* exact in floats */
        outputs[i] = kept + (float)step;
        double above = finder_loss(target, truths, outputs, 3, 3, ignored);
        double to = (double)outputs[i];
        outputs[i] = kept - (float)step;
        double slope = (above - finder_loss(target, truths, outputs, 3, 3, ignored)) /
                       (to - (double)outputs[i]);
        outputs[i] = kept;
        largest = fmax(largest, fabs(slope));
        /* Kinks of the overlap lie within the step of a few outputs. */
        assert_true(fabs(slope - (double)gradient[i]) < 2e-3 + 0.02 * fabs(slope));
    }
    assert_true(largest > 0.05);
}

/* Right boxes and hot centres cost nearly nothing; a cold centre costs more than a hot one. */
static void a_right_answer_costs_little(void **state)
{
    (void)state;
    static struct room room;
    static float outputs[CELLS * FINDER_OUTPUTS];
    static float gradient[CELLS * FINDER_OUTPUTS];
    const struct finder_target *target = target_of(&room, truths, 3);
    for (int i = 0; i < CELLS; i++) {
        const struct finder_truth *truth = &truths[room.owner[i]];
        float *output = &outputs[i * (int)FINDER_OUTPUTS];
        output[0] = room.heat[i] == 1.0f ? 12.0f : -12.0f;
        output[1] = logf((truth->right - truth->left) / 7);
        output[2] = logf((truth->bottom - truth->top) / 7);
        output[3] =
            ((truth->left + truth->right) / 2 - ((float)(i % WIDTH) + 0.5f) * FINDER_CELL) / 7;
        output[4] =
            ((truth->top + truth->bottom) / 2 - ((float)(i / WIDTH) + 0.5f) * FINDER_CELL) / 7;
    }
    double right = finder_loss(target, truths, outputs, 3, 3, gradient);
    assert_true(right < 1e-3);
    outputs[(3 * WIDTH + 3) * FINDER_OUTPUTS] = -3; /* one centre of three is missed */
    assert_true(finder_loss(target, truths, outputs, 3, 3, gradient) > right + 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_has_a_centre_for_every_object_and_forgives_what_is_cut),
        cmocka_unit_test(gradient_is_the_slope_of_the_loss),
        cmocka_unit_test(a_right_answer_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
