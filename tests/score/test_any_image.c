/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "finder_fixture.h"
#include "score/score.h"
#include "synthetic.h"

/* Whatever an image is, from one pixel to 20,000 x 8,000, whatever its calibration says: its score
 * is a defined number with finite reasons, or the reasons say which images could not be used. */

enum { SMALL_BYTES = 700 * 700 * 2 };
static uint8_t small[SMALL_BYTES];
static char directory[FIXTURE_PATH_BYTES];
static struct train_report plain;
static char model_path[FIXTURE_PATH_BYTES];
static uint8_t model_sha256[HASH_BYTES];

static int make_model(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    synthetic_train("test-portal", directory, &plain);
    struct finder_model finder = finder_fixture(3);
    finder.input = finder_input_default(IMAGE_TRANSMISSION);
    finder_fixture_add(plain.path, &finder, directory, model_path, model_sha256);
    finder_model_fini(&finder);
    return 0;
}

static int drop_model(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

/* The same, with a model that speaks by its bank and its domes. */
static int make_plain_model(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    synthetic_train("test-portal", directory, &plain);
    memcpy(model_path, plain.path, sizeof model_path);
    memcpy(model_sha256, plain.sha256, sizeof model_sha256);
    return 0;
}

static struct score *open_scorer(uint64_t image_bytes_max)
{
    struct score_conf conf = {
        .image_bytes_max = image_bytes_max, .history_slots = 64, .working_height = 200};
    struct score *self = NULL;
    assert_good(score_open(&conf, &self));
    assert_good(score_install(self, model_path, model_sha256, NULL));
    return self;
}

/* True when the image was used, false when a reason says why not. */
static bool check(struct score *self, const struct image *image, const uint8_t *pixels)
{
    static struct score_result result;
    struct scan scan = synthetic_scan(image);
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels}}}, .scans_count = 1};
    input.declarations[0] = &declaration;
    input.declarations_count = 1;
    score_items(self, &input, &result, 1);
    const struct entry_score *score = &result.score;
    bool refused = false;
    assert_true(score->probability > 0 && score->probability < 1);
    assert_true(isfinite(score->logit));
    assert_true(score->quality >= 0 && score->quality <= 1);
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        assert_true(isfinite(score->contributions[i].logit));
        assert_null(strcasestr(score->contributions[i].words, "nan"));
        assert_null(strcasestr(score->contributions[i].words, "inf "));
        refused |= strcmp(score->contributions[i].name, "scan.unreadable") == 0;
    }
    for (uint32_t i = 0; i < score->regions_count; i++) {
        const struct entry_region *region = &score->regions[i];
        assert_true(region->width > 0 && region->x + region->width <= image->width);
        assert_true(region->height > 0 && region->y + region->height <= image->height);
    }
    return !refused;
}

static const struct {
    uint32_t air;
    uint32_t dark;
} levels[] = {{60000, 0},     {0, 0}, {1, 0},          {100, 100},     {5, 65535},
              {65535, 65534}, {1, 1}, {UINT32_MAX, 0}, {0, UINT32_MAX}};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static void fill(uint8_t *out, size_t bytes, uint32_t kind, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < bytes; i++) {
        out[i] = kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? 77 : (uint8_t)rng_below(&rng, 256);
    }
}

static void small_image_of_any_kind_has_a_defined_score(void **state)
{
    (void)state;
    static const uint32_t sides[][2] = {{1, 1},   {1, 2},     {2, 1},   {3, 3},
                                        {1, 700}, {700, 1},   {16, 15}, {17, 33},
                                        {64, 64}, {401, 203}, {700, 2}, {2, 700}};
    static const enum pixel_meaning meanings[] = {PIXEL_TRANSMISSION, PIXEL_DISPLAY,
                                                  PIXEL_DISPLAY_INVERTED};
    struct score *self = open_scorer(SMALL_BYTES);
    for (uint32_t kind = 0; kind < 4; kind++) {
        fill(small, 401 * 203 * 2, kind, 9);
        for (size_t side = 0; side < sizeof sides / sizeof sides[0]; side++) {
            for (uint32_t variant = 0; variant < 2 * (LEVELS + 2); variant++) {
                uint32_t level = variant / 2 < LEVELS ? variant / 2 : 0;
                uint32_t meaning = variant / 2 < LEVELS ? 0 : variant / 2 - LEVELS + 1;
                struct image image = {.width = sides[side][0],
                                      .height = sides[side][1],
                                      .bits = variant % 2 == 0 ? 8 : 16,
                                      .meaning = meanings[meaning],
                                      .energy = ENERGY_SINGLE,
                                      .air_level = levels[level].air,
                                      .dark_level = levels[level].dark,
                                      .pixel_pitch_mm = kind == 3 ? (double)NAN : 5};
                image.payload_bytes = (uint64_t)image.width * image.height * (image.bits / 8);
                assert_true(check(self, &image, small));
            }
        }
    }
    score_close(&self);
}

static void largest_images_have_a_defined_score(void **state)
{
    (void)state;
    static const struct {
        uint32_t width;
        uint32_t height;
        uint32_t bits;
    } large[] = {{20000, 8000, 16}, {8000, 20000, 8}, {65535, 3, 16}, {3, 65535, 8}};
    size_t bytes = (size_t)20000 * 8000 * 2;
    uint8_t *pixels = calloc(bytes, 1); /* pages that are not written cost nothing */
    assert_non_null(pixels);
    fill(pixels + bytes / 3, 4000000, 3, 4);
    struct score *self = open_scorer(bytes);
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        struct image image = {.width = large[i].width,
                              .height = large[i].height,
                              .bits = large[i].bits,
                              .meaning = PIXEL_TRANSMISSION,
                              .energy = ENERGY_SINGLE,
                              .air_level = large[i].bits == 8 ? 250 : 60000};
        image.payload_bytes = (uint64_t)image.width * image.height * (image.bits / 8);
        assert_true(check(self, &image, pixels));
    }
    score_close(&self);
    free(pixels);
}

static void image_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    struct score *self = open_scorer(SMALL_BYTES);
    const struct image sound = synthetic_image();
    struct image broken[6] = {sound, sound, sound, sound, sound, sound};
    broken[0].width = 0;
    broken[1].height = 65536;
    broken[2].bits = 12;
    broken[3].meaning = PIXEL_UNKNOWN;
    broken[4].width = 60000; /* more than image_bytes_max */
    for (size_t i = 0; i < 5; i++) {
        assert_false(check(self, &broken[i], small));
    }
    assert_false(check(self, &broken[5], NULL));
    assert_true(check(self, &sound, small));
    score_close(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_image_of_any_kind_has_a_defined_score),
        cmocka_unit_test(largest_images_have_a_defined_score),
        cmocka_unit_test(image_that_cannot_be_used_is_named),
    };
    int failed = cmocka_run_group_tests(tests, make_model, drop_model);
    return failed + cmocka_run_group_tests(tests, make_plain_model, drop_model);
}
