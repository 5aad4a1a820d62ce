/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/logistic.h"
#include "kernels/oblivious.h"
#include "kernels/rng.h"
#include "score/train_items.h"

/* One probability for an item of many lines: the arithmetic, and truths whose right answer is
 * known. */

static const struct lines_calibration flat = {true, {0}, 0};

static int32_t units(double logit)
{
    return (int32_t)lround(logit / OBLIVIOUS_LOGIT);
}

static struct item_lines lines_of(const double *logits, uint32_t count)
{
    struct item_lines lines = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        item_lines_add(&lines, units(logits[i]));
    }
    return lines;
}

static void odds_of_the_whole_are_the_mean_of_odds(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, 0);
    for (int round = 0; round < 2000; round++) {
        double logits[64];
        double sum = 0;
        uint32_t count = 1 + (uint32_t)rng_below(&rng, 64);
        uint32_t cut = (uint32_t)rng_below(&rng, count);
        for (uint32_t i = 0; i < count; i++) {
            logits[i] = 16 * rng_uniform(&rng) - 8;
            sum += exp((double)units(logits[i]) * OBLIVIOUS_LOGIT);
        }
        struct item_lines lines = lines_of(logits, count);
        double logit = (double)item_lines_settle(&flat, &lines) * OBLIVIOUS_LOGIT;
        assert_true(fabs(logit - log(sum / count)) < 2 * OBLIVIOUS_LOGIT);
        struct item_lines first = lines_of(logits, cut);
        struct item_lines second = lines_of(logits + cut, count - cut);
        item_lines_join(&first, &second);
        assert_int_equal(first.count, count);
        assert_int_equal(first.riskiest, lines.riskiest);
        assert_true(abs(item_lines_spread(&first) - item_lines_spread(&lines)) <= 1);
    }
    /* Lines that say the same say it once; without other lines nothing is learnt about them. */
    struct item_lines same = {.count = 0};
    const struct lines_calibration steep = {true, {2, 3, 4}, 0.1};
    item_lines_add(&same, units(-1.25));
    assert_int_equal(item_lines_settle(&steep, &same), units(-1.25));
    for (int i = 0; i < 300; i++) {
        item_lines_add(&same, units(-1.25));
    }
    assert_int_equal(item_lines_settle(&flat, &same), units(-1.25));
    /* A model of before: the riskiest alone. */
    const struct lines_calibration unknown = {.known = false};
    item_lines_add(&same, units(2));
    assert_int_equal(item_lines_settle(&unknown, &same), units(2));
}

/* Whatever was learnt within its bounds: no line that gets riskier makes the item look safer. */
static void riskier_line_never_helps(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2, 0);
    for (int round = 0; round < 20000; round++) {
        double logits[ITEM_LINES_MAX];
        struct lines_calibration calibration = {.known = true};
        static const uint32_t counts[] = {2, 3, 5, 8, 9, 24, 40, 300, ITEM_LINES_MAX};
        uint32_t count = counts[rng_below(&rng, round % 100 == 0 ? 9 : 7)];
        for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
            calibration.growth[knot] = (2 * rng_uniform(&rng) - 1) * ITEM_LINES_GROWTH_MAX;
        }
        calibration.slope = (rng_below(&rng, 2) == 0 ? 1 : -1) * ITEM_LINES_SLOPE_MAX;
        assert_true(lines_calibration_is_sound(&calibration));
        for (uint32_t i = 0; i < count; i++) {
            logits[i] = 12 * rng_uniform(&rng) - 6;
        }
        struct item_lines before = lines_of(logits, count);
        logits[rng_below(&rng, count)] += 3 * rng_uniform(&rng);
        struct item_lines after = lines_of(logits, count);
        assert_true(item_lines_settle(&calibration, &after) + 1 >=
                    item_lines_settle(&calibration, &before));
    }
}

/* ln n is rounded to whole numbers, and no n lies where a last bit of log() would decide. */
static void logarithms_have_the_same_bits_everywhere(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= ITEM_LINES_MAX; n++) {
        double exact = log((double)n) / OBLIVIOUS_LOGIT;
        assert_true(n == 1 || fabs(fabs(exact - floor(exact)) - 0.5) > 1e-6);
        assert_int_equal(item_lines_log(n), (int32_t)lround(exact));
    }
    assert_int_equal(item_lines_log(ITEM_LINES_MAX + 5), item_lines_log(ITEM_LINES_MAX));
}

static void absurd_logits_stay_within_bounds(void **state)
{
    (void)state;
    const double extremes[4] = {-1023, 1023, 1023, -1023};
    const struct lines_calibration steep = {true, {8, 8, 8}, 0.1};
    struct item_lines lines = lines_of(extremes, 4);
    double logit = (double)item_lines_settle(&steep, &lines) * OBLIVIOUS_LOGIT;
    assert_true(isfinite(lines.odds) && logit > 1000 && logit <= 1024);
    lines = lines_of(extremes, 1);
    for (int i = 0; i < 5; i++) {
        item_lines_add(&lines, units(-1023));
    }
    logit = (double)item_lines_settle(&steep, &lines) * OBLIVIOUS_LOGIT;
    assert_true(logit < -1000 && logit >= -1024);
}

/* ---- truths: what a line shows is drawn from whether it is at fault ---- */

enum truth { ONE_LINE_AT_FAULT, EACH_FOR_ITSELF, ALL_LINES_ALIKE };

struct world {
    struct train_row *rows;
    struct train_items items;
    struct train_item_line *lines;
    uint8_t *labels;
    uint32_t *lines_counts;
    uint64_t count;
};

static const double base_rate = 0.2;
static const double evidence =
    1.5; /* normal with this mean and spread 1 for a fault, -mean without */

static int32_t shown_logit(struct rng *rng, bool fault)
{
    double normal = 0;
    for (int i = 0; i < 12; i++) {
        normal += rng_uniform(rng) - 0.5;
    }
    double x = normal + (fault ? evidence : -evidence) / 2;
    return units(logistic_logit(base_rate) + evidence * x);
}

static bool draw_faults(enum truth truth, struct rng *rng, uint32_t count, bool *faults)
{
    bool found = rng_uniform(rng) < base_rate;
    uint32_t bad = (uint32_t)rng_below(rng, count);
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        faults[i] = truth == EACH_FOR_ITSELF   ? rng_uniform(rng) < base_rate
                    : truth == ALL_LINES_ALIKE ? found
                                               : found && i == bad;
        any = any || faults[i];
    }
    return any;
}

static void make_world(enum truth truth, uint64_t seed, uint64_t count, uint32_t widest,
                       struct world *out)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    *out = (struct world){.rows = calloc(count, sizeof *out->rows),
                          .labels = calloc(count, 1),
                          .lines_counts = calloc(count, sizeof *out->lines_counts),
                          .count = count};
    assert_true(out->rows != NULL && out->labels != NULL && out->lines_counts != NULL);
    for (uint64_t i = 0; i < count; i++) {
        double share = rng_uniform(&rng);
        uint32_t lines = (uint32_t)floor(exp(share * log(widest + 1.0)));
        out->rows[i].lines_count = widest > 1 && lines <= widest ? lines : 1;
    }
    assert_good(train_items_init(out->rows, count, &out->items, &out->lines));
    assert_int_equal(out->items.count, count);
    for (uint64_t i = 0; i < count; i++) {
        bool faults[64] = {false};
        uint32_t lines = out->items.items[i].lines_count;
        bool found = draw_faults(truth, &rng, lines, faults);
        int32_t once = shown_logit(&rng, faults[0]);
        for (uint32_t line = 0; line < lines; line++) {
            out->items.logits[out->items.first_lines[i] + line] =
                truth == ALL_LINES_ALIKE ? once : shown_logit(&rng, faults[line]);
        }
        out->items.items[i].found = found;
        out->labels[i] = found;
        out->lines_counts[i] = lines;
    }
}

static void world_fini(struct world *self)
{
    train_items_fini(&self->items);
    free(self->rows);
    free(self->lines);
    free(self->labels);
    free(self->lines_counts);
}

/* riskiest: as it was once, by that line alone. */
static void judge_world(const struct world *world, const struct train_calibration *calibration,
                        bool riskiest, struct line_bucket out[LINE_BUCKETS])
{
    double *logits = calloc(world->count, sizeof *logits);
    assert_non_null(logits);
    for (uint64_t i = 0; i < world->count; i++) {
        int32_t highest = INT32_MIN;
        for (uint64_t at = world->items.first_lines[i]; at < world->items.first_lines[i + 1];
             at++) {
            highest = world->items.logits[at] > highest ? world->items.logits[at] : highest;
        }
        logits[i] = riskiest ? (double)highest * OBLIVIOUS_LOGIT
                             : train_items_logit(&world->items, i, calibration);
    }
    const struct line_rows rows = {{logits, world->labels, world->count}, world->lines_counts};
    assert_good(line_buckets_make(&rows, out));
    free(logits);
}

enum { TAUGHT = 6000, JUDGED = 12000, WIDEST = 40 };

/* What no exam shows lowers nobody: taught by items of one line, the riskiest line speaks alone. */
static void padding_lowers_nothing_without_wide_items(void **state)
{
    (void)state;
    struct world taught;
    struct train_calibration calibration;
    struct rng rng;
    make_world(ONE_LINE_AT_FAULT, 3, TAUGHT, 1, &taught);
    assert_good(train_items_calibrate(&taught.items, NULL, 0, &calibration));
    assert_false(calibration.lines.known);
    assert_true(calibration.scale > 0.8 && calibration.scale < 1.25);
    rng_init(&rng, 9, 0);
    for (int round = 0; round < 500; round++) {
        struct item_lines lines = {.count = 0};
        int32_t before = INT32_MIN;
        for (int line = 0; line < 64; line++) {
            item_lines_add(&lines, shown_logit(&rng, line == 0));
            int32_t logit = item_lines_settle(&calibration.lines, &lines);
            assert_true(logit >= before);
            before = logit;
        }
    }
    world_fini(&taught);
}

/* Taught by wide items whose width changes no rate: the mean of the odds, and little beside it. */
static void width_that_changes_no_rate_is_learnt(void **state)
{
    (void)state;
    for (int truth = 0; truth < 2; truth++) {
        enum truth of = truth == 0 ? ONE_LINE_AT_FAULT : ALL_LINES_ALIKE;
        struct world taught;
        struct world judged;
        struct train_calibration calibration;
        struct line_bucket buckets[LINE_BUCKETS];
        make_world(of, 3, TAUGHT, WIDEST, &taught);
        make_world(of, 4, JUDGED, WIDEST, &judged);
        assert_good(train_items_calibrate(&taught.items, NULL, 0, &calibration));
        assert_true(calibration.lines.known);
        for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
            assert_true(fabs(calibration.lines.growth[knot]) < 0.5);
        }
        judge_world(&judged, &calibration, false, buckets);
        for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
            assert_true(buckets[i].rows > 1000);
            assert_true(buckets[i].calibration_error.value < 1.5 * buckets[i].chance);
        }
        judge_world(&judged, &calibration, true, buckets);
        bool fooled = buckets[3].calibration_error.value > 0.15;
        assert_true(fooled == (of == ONE_LINE_AT_FAULT));
        world_fini(&taught);
        world_fini(&judged);
    }
}

/* Taught by wide items, the same arithmetic finds the other truth. */
static void faults_of_each_line_are_learnt(void **state)
{
    (void)state;
    struct world taught;
    struct world judged;
    struct train_calibration calibration;
    struct line_bucket buckets[LINE_BUCKETS];
    const struct train_calibration none = {1, 0, {true, {0}, 0}};
    make_world(EACH_FOR_ITSELF, 5, TAUGHT, WIDEST, &taught);
    make_world(EACH_FOR_ITSELF, 6, JUDGED, WIDEST, &judged);
    assert_good(train_items_calibrate(&taught.items, NULL, 0, &calibration));
    assert_true(calibration.lines.growth[0] > 0.7 && calibration.lines.growth[2] > 2);
    judge_world(&judged, &calibration, false, buckets);
    for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
        assert_true(buckets[i].calibration_error.value < 0.04);
    }
    judge_world(&judged, &none, false, buckets);
    assert_true(buckets[3].calibration_error.value > 0.2); /* or nothing had to be learnt */
    world_fini(&taught);
    world_fini(&judged);
}

/* So many items of two lines among a thousand, all found. */
static void calibrate_few(uint64_t wide_count, struct train_calibration *calibration)
{
    struct world world;
    make_world(ONE_LINE_AT_FAULT, 7, 1000, 1, &world);
    struct train_items *items = &world.items;
    for (uint64_t i = 0; i < wide_count; i++) {
        items->items[i].lines_count = 2;
        items->items[i].found = true;
    }
    struct train_items wide = {.items = items->items, .count = items->count};
    wide.first_lines = calloc(items->count + 1, sizeof *wide.first_lines);
    wide.logits = calloc(items->count + wide_count, sizeof *wide.logits);
    assert_true(wide.first_lines != NULL && wide.logits != NULL);
    for (uint64_t i = 0; i < items->count; i++) {
        uint32_t lines = items->items[i].lines_count;
        wide.first_lines[i + 1] = wide.first_lines[i] + lines;
        for (uint32_t line = 0; line < lines; line++) {
            wide.logits[wide.first_lines[i] + line] = items->logits[i];
        }
    }
    assert_good(train_items_calibrate(&wide, NULL, 0, calibration));
    free(wide.first_lines);
    free(wide.logits);
    world_fini(&world);
}

static void few_wide_items_teach_nothing(void **state)
{
    (void)state;
    struct train_calibration calibration;
    calibrate_few(TRAIN_WIDE_MIN - 1, &calibration);
    assert_false(calibration.lines.known);
    calibrate_few(TRAIN_WIDE_MIN, &calibration);
    assert_true(calibration.lines.known && calibration.lines.growth[0] > 0);
}

static void rows_of_one_exam_are_one_item(void **state)
{
    (void)state;
    struct train_row rows[6] = {
        {.outcome = {.exam = 9}, .lines_count = 2},
        {.outcome = {.exam = 0}, .lines_count = 1},
        {.outcome = {.exam = 4}, .lines_count = 1},
        {.outcome = {.exam = 9, .found = true}, .lines_count = 3},
        {.outcome = {.exam = 0}, .lines_count = 1},
        {.outcome = {.exam = 4}, .lines_count = 1},
    };
    struct train_items items;
    struct train_item_line *lines = NULL;
    assert_good(train_items_init(rows, 6, &items, &lines));
    assert_int_equal(items.count, 4);
    assert_int_equal(items.items[0].first, 0);
    assert_int_equal(items.items[0].lines_count, 5);
    assert_true(items.items[0].found && !items.items[1].found);
    assert_int_equal(items.items[2].first, 2);
    assert_int_equal(items.items[2].lines_count, 2);
    assert_int_equal(items.first_lines[4], 9);
    assert_int_equal(lines[2].row, 3);
    assert_int_equal(lines[4].row, 3);
    assert_int_equal(lines[4].line, 2);
    assert_int_equal(lines[7].row, 5);
    free(lines);
    train_items_fini(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odds_of_the_whole_are_the_mean_of_odds),
        cmocka_unit_test(riskier_line_never_helps),
        cmocka_unit_test(logarithms_have_the_same_bits_everywhere),
        cmocka_unit_test(absurd_logits_stay_within_bounds),
        cmocka_unit_test(padding_lowers_nothing_without_wide_items),
        cmocka_unit_test(width_that_changes_no_rate_is_learnt),
        cmocka_unit_test(faults_of_each_line_are_learnt),
        cmocka_unit_test(few_wide_items_teach_nothing),
        cmocka_unit_test(rows_of_one_exam_are_one_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
