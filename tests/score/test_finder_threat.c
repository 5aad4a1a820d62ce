/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_threat.h"

#include "fixture.h"

#include <math.h>

enum { WIDTH = 160, HEIGHT = 64, LOAD_TOP = 24 };
static float high_pixels[WIDTH * HEIGHT];
static float low_pixels[WIDTH * HEIGHT];
static uint8_t valid[WIDTH * HEIGHT];

/* A load that stands under air; noise of `photons`, if any. */
static void draw_load(double photons, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        double attenuation = i / WIDTH < LOAD_TOP ? 0.05 : 3;
        double spread = photons > 0 ? sqrt(exp(attenuation) / photons) : 0;
        high_pixels[i] = (float)(attenuation + spread * rng_normal(&rng));
        low_pixels[i] = (float)(1.12 * attenuation + spread * rng_normal(&rng));
        valid[i] = 1;
    }
}

static struct finder_set load_set(double photons, double pitch_mm)
{
    struct finder_set set;
    const struct finder_truth truth = {20, 30, 34, 44};
    const struct working working = {
        .pixels = high_pixels, .valid = valid, .width = WIDTH, .height = HEIGHT, .factor = 1};
    finder_set_init(&set, IMAGE_TRANSMISSION, 2);
    for (uint64_t n = 0; n < 4; n++) {
        draw_load(photons, n);
        assert_good(finder_set_add(&set, &(struct finder_set_add){.working = &working,
                                                                  .low_pixels = low_pixels,
                                                                  .truths = &truth,
                                                                  .truth_count = n == 0,
                                                                  .pitch_mm = pitch_mm}));
    }
    assert_good(finder_set_adapt(&set));
    assert_true(set.calibrated);
    return set;
}

/* A block of attenuation 1 (low: 1.2) in air, that leaves `margin` pixels on every side. */
struct block {
    struct projection_threat threat;
    float pixels[2][64 * 64];
};

static void make_block(struct block *self, uint32_t side, uint32_t margin, double pitch_mm)
{
    memset(self, 0, sizeof *self);
    self->threat.images_count = 2;
    for (int k = 0; k < 2; k++) {
        struct projection_image *image = &self->threat.images[k];
        image->image.width = image->image.height = side;
        image->image.pixel_pitch_mm = pitch_mm;
        image->attenuation = self->pixels[k];
        for (uint32_t i = 0; i < side * side; i++) {
            uint32_t x = i % side, y = i / side;
            bool inside = x >= margin && y >= margin && x + margin < side && y + margin < side;
            self->pixels[k][i] = inside ? (k == 0 ? 1.0f : 1.2f) : -0.001f;
        }
    }
}

/* Of twice the set's pitch, so a pixel of it is four of the set's: the mean, and no light from its
 * noise. Without a pitch it is taken for an image of the same scanner. */
static void threat_is_resampled_to_the_pitch_of_the_set(void **state)
{
    (void)state;
    static struct block block;
    struct finder_set set = load_set(0, 8);
    make_block(&block, 40, 8, 4);
    assert_good(finder_set_threat(&set, &block.threat));
    make_block(&block, 40, 9, 4);
    assert_good(finder_set_threat(&set, &block.threat));
    make_block(&block, 40, 8, 0);
    assert_good(finder_set_threat(&set, &block.threat));
    assert_int_equal(set.threat_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct finder_threat *threat = &set.threats[i];
        assert_int_equal(threat->width, 20);
        assert_int_equal(threat->height, 20);
        assert_true(threat->core.left == 4 && threat->core.top == 4);
        assert_true(threat->core.right == 16 && threat->core.bottom == 16);
        assert_true(threat->high[0] >= 0 && threat->low[0] >= 0);
        assert_true(fabsf(threat->high[10 * 20 + 10] - 1) < 1e-6f);
        assert_true(fabsf(threat->low[10 * 20 + 10] - 1.2f) < 1e-6f);
    }
    /* A pixel of which three quarters lie outside: a quarter of 1, and the air around. */
    assert_true(fabsf(set.threats[1].high[4 * 20 + 4] - 0.25f) < 0.001f);
    finder_set_fini(&set);
}

static void threat_that_cannot_be_used_is_refused(void **state)
{
    (void)state;
    static struct block block;
    struct finder_set set = load_set(0, 8);
    make_block(&block, 40, 8, 4);
    block.threat.images_count = 1;
    assert_int_equal(finder_set_threat(&set, &block.threat).code, ERR_ARGUMENT);
    make_block(&block, 40, 8, 4);
    block.threat.images[1].image.width = 39;
    assert_int_equal(finder_set_threat(&set, &block.threat).code, ERR_ARGUMENT);
    make_block(&block, 40, 20, 4); /* nothing in it */
    assert_int_equal(finder_set_threat(&set, &block.threat).code, ERR_ARGUMENT);
    make_block(&block, 40, 8, 8.0 * 40 * FINDER_THREAT_SIDE_MAX);
    assert_int_equal(finder_set_threat(&set, &block.threat).code, ERR_ARGUMENT);
    assert_int_equal(set.threat_count, 0);
    finder_set_fini(&set);
}

/* In about half of the crops, on the load, within the image; a set without threats has none. */
static void threats_lie_on_the_load(void **state)
{
    (void)state;
    enum { CROPS = 2000 };
    static struct block block;
    struct finder_set set = load_set(0, 8);
    uint32_t placed = 0;
    struct rng rng;
    rng_init(&rng, 7, 0);
    assert_null(finder_threat_place(&set, &set.images[0], &rng).threat);
    make_block(&block, 40, 8, 4);
    assert_good(finder_set_threat(&set, &block.threat));
    for (int n = 0; n < CROPS; n++) {
        struct finder_placing placing = finder_threat_place(&set, &set.images[n % 4], &rng);
        if (placing.threat != NULL) {
            placed++;
            assert_true(placing.x + 20 <= WIDTH && placing.y + 20 <= HEIGHT);
            assert_true(placing.y + 10 >= LOAD_TOP);
            assert_true(placing.share >= 0.2f && placing.share <= 1);
        }
    }
    assert_true(placed > CROPS * 45 / 100 && placed < CROPS * 55 / 100);
    finder_set_fini(&set);
}

/* Adds its share at both energies, and the noise of the photons that are missing then: in a load
 * that lets e^-3 of N photons through, what is added has the variance (e^(3 + a) - e^3) / N. */
static void threat_adds_its_share_and_its_noise(void **state)
{
    (void)state;
    enum { TIMES = 4000 };
    static struct block block;
    struct finder_set set = load_set(0, 8);
    struct rng rng;
    rng_init(&rng, 3, 0);
    make_block(&block, 40, 8, 4);
    assert_good(finder_set_threat(&set, &block.threat));
    set.level_highest = FINDER_SET_LEVEL_MAX;
    const struct finder_placing placing = {set.threats, 50, 30, 0.5f};
    const double inside[2] = {60.3, 39.8}, outside[2] = {49.4, 40};
    float pixels[2] = {3, 3.36f};
    float *const both[2] = {&pixels[0], &pixels[1]};
    set.photons = 0;
    finder_threat_add(&set, &placing, outside, &rng, both);
    assert_true(pixels[0] == 3 && pixels[1] == 3.36f);
    finder_threat_add(&set, &placing, inside, &rng, both);
    assert_true(fabsf(pixels[0] - 3.5f) < 1e-5f && fabsf(pixels[1] - 3.96f) < 1e-5f);
    double sum = 0, squares = 0;
    set.photons = 1000;
    for (int n = 0; n < TIMES; n++) {
        pixels[0] = 3;
        pixels[1] = 3.36f;
        finder_threat_add(&set, &placing, inside, &rng, both);
        double over = (double)pixels[0] - 3.5;
        sum += over / TIMES;
        squares += over * over / TIMES;
    }
    double variance = (exp(3.5) - exp(3)) / 1000;
    assert_true(fabs(sum) < 6 * sqrt(variance / TIMES));
    assert_true(fabs(squares / variance - 1) < 6 * sqrt(2.0 / TIMES));
    set.level_highest = FINDER_SET_LEVEL_MAX / 5; /* 3.2: no pixel is darker than any was */
    finder_threat_add(&set, &placing, inside, &rng, both);
    assert_true(pixels[1] < 3.21f);
    finder_set_fini(&set);
}

static void photons_are_estimated_from_noise(void **state)
{
    (void)state;
    for (double photons = 500; photons < 1e6; photons *= 16) {
        struct finder_set set = load_set(photons, 8);
        assert_true(fabs(set.photons / photons - 1) < 0.15);
        finder_set_fini(&set);
    }
}

/* Crops with a threat in them say where: what stands out there is 0.2 to 1 of it. */
static void crops_tell_where_their_threat_lies(void **state)
{
    (void)state;
    static struct block block;
    struct finder_set set = load_set(0, 8);
    struct finder_crop_space space;
    uint32_t seen = 0;
    make_block(&block, 40, 8, 4);
    assert_good(finder_set_threat(&set, &block.threat));
    set.level_highest = FINDER_SET_LEVEL_MAX;
    set.photons = 0;
    set.input.a_max = 6;
    uint32_t side = finder_set_crop_side(&set);
    float *crop = calloc((size_t)side * side * FINDER_CHANNELS_MAX, sizeof *crop);
    assert_non_null(crop);
    assert_good(finder_crop_init(&space, side));
    for (uint64_t number = 0; number < 200; number++) {
        struct rng rng;
        rng_init(&rng, 4, number);
        finder_crop_draw(&set, 1 + (uint32_t)(number % 3), side, &rng, &space, crop);
        assert_true(space.truth_count <= 1); /* these images have no object of their own */
        float x = (space.truths[0].left + space.truths[0].right) / 2;
        float y = (space.truths[0].top + space.truths[0].bottom) / 2;
        bool within = x > 6 && y > 6 && x < (float)side - 6 && y < (float)side - 6;
        if (space.truth_count == 1 && within) {
            /* Its lower half, which lies on the load, but for the rim. */
            for (int i = 0; i < 9 * 4; i++) {
                const int row = i / 9;
                size_t u = (size_t)(x - 4 + (float)(i % 9)), v = (size_t)(y + 1 + (float)row);
                size_t at = (v * side + u) * FINDER_CHANNELS_MAX;
                double attenuation = (double)crop[at] * set.input.a_max;
                assert_true(attenuation > 3.12 && attenuation < 4.1);
            }
            seen++;
        }
    }
    assert_true(seen > 50);
    free(crop);
    finder_crop_fini(&space);
    finder_set_fini(&set);
}

/* A set that nobody marked, with a threat in about half of its images. */
static struct finder_set projected_set(uint64_t seed, uint32_t *count)
{
    static struct block block;
    struct finder_set set = load_set(0, 8);
    set.images[0].truth_count = 0;
    set.level_highest = FINDER_SET_LEVEL_MAX;
    set.photons = 0;
    assert_good(finder_set_project(&set, seed, count));
    assert_int_equal(*count, 0); /* it has no threats yet */
    make_block(&block, 40, 8, 4);
    assert_good(finder_set_threat(&set, &block.threat));
    assert_good(finder_set_project(&set, seed, count));
    return set;
}

/* Where its mark is, an image differs from what it was by 0.2 to 1 of the threat, at both energies;
 * nowhere else, and an image without a mark not at all. */
static void assert_only_marks_differ(const struct finder_set *set, uint32_t number,
                                     const struct finder_set_image *before)
{
    const struct finder_set_image *with = &set->images[number];
    const struct finder_truth none = {-1, -1, -1, -1};
    const struct finder_truth box = with->truth_count > 0 ? with->truths[0] : none;
    double unit = set->kept_max / FINDER_SET_LEVEL_MAX;
    assert_true(with->truth_count <= 1);
    assert_true(with->truth_count == 0 ||
                (box.right - box.left == 12 && box.bottom - box.top == 12));
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        const size_t row = i / WIDTH;
        float x = (float)(i % WIDTH), y = (float)row;
        bool inside = x >= box.left && x < box.right && y >= box.top && y < box.bottom;
        double rise = (with->levels[i] - before->levels[i]) * unit;
        double low = (with->low_levels[i] - before->low_levels[i]) * unit;
        assert_true(inside ? rise > 0.199 && rise < 1.001 : with->levels[i] == before->levels[i]);
        assert_true(fabs(low - 1.2 * rise) < 3 * unit);
    }
}

static void images_that_nobody_marked_get_threats(void **state)
{
    (void)state;
    enum { IMAGES = 4, SEEDS = 50 };
    struct finder_set before = load_set(0, 8);
    uint32_t total = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint32_t count, marked = 0;
        struct finder_set set = projected_set(seed, &count);
        for (uint32_t n = 0; n < IMAGES; n++) {
            assert_only_marks_differ(&set, n, &before.images[n]);
            marked += set.images[n].truth_count;
        }
        assert_int_equal(marked, count);
        total += count;
        finder_set_fini(&set);
    }
    assert_true(total > IMAGES * SEEDS * 35 / 100 && total < IMAGES * SEEDS * 65 / 100);
    finder_set_fini(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threat_is_resampled_to_the_pitch_of_the_set),
        cmocka_unit_test(threat_that_cannot_be_used_is_refused),
        cmocka_unit_test(threats_lie_on_the_load),
        cmocka_unit_test(threat_adds_its_share_and_its_noise),
        cmocka_unit_test(photons_are_estimated_from_noise),
        cmocka_unit_test(crops_tell_where_their_threat_lies),
        cmocka_unit_test(images_that_nobody_marked_get_threats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
