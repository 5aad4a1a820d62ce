/* SPDX-License-Identifier: Apache-2.0 */
/* Domes through a model: what the file says of them, what of an image is marked. */
#include "score/dome_image.h"

#include <math.h>

#include "score/image_scorer.h"
#include "score/score.h"
#include "synthetic.h"

enum { BYTES = WIDTH * HEIGHT * 2 };
static char directory[FIXTURE_PATH_BYTES];
static struct train_report plain;
static uint8_t pixels[BYTES];

static int make_model(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    synthetic_train("test-portal", directory, &plain);
    return 0;
}

static int drop_model(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

/* A load that gets denser from left to right, with the noise of 60,000 counts in the air. */
static void draw_slope(double attenuation, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        double mean = 60000 * exp(-attenuation - 0.5 * (i % WIDTH) / WIDTH);
        uint16_t counts = (uint16_t)(mean + sqrt(mean) * rng_normal(&rng));
        pixels[2 * i] = (uint8_t)counts;
        pixels[2 * i + 1] = (uint8_t)(counts >> 8);
    }
}

/* A tilted wire, 2 x 24 pixels, of `attenuation`, about x and y. */
static void put_wire(double attenuation, int x, int y)
{
    for (int i = 0; i < 24; i++) {
        for (int k = 0; k < 2; k++) {
            uint8_t *at = pixels + 2 * ((y - 12 + i) * WIDTH + x + i / 3 - 4 + k);
            double counts = (at[0] | at[1] << 8) * exp(-attenuation);
            at[0] = (uint8_t)((uint16_t)counts);
            at[1] = (uint8_t)((uint16_t)counts >> 8);
        }
    }
}

static struct image_marks marks_of(struct image_scorer *scorer, const struct image *image)
{
    struct image_marks marks;
    const struct scan scan = synthetic_scan(image);
    const void *const all[1] = {pixels};
    image_scorer_run(scorer, &scan, all, &marks);
    return marks;
}

/* The first mark about a point with a box that fits the wire, or NULL. The cells of the bank are 8
 * pixels wide: its boxes are wider. */
static const struct image_mark *wire_mark(const struct image_marks *marks, int x, int y)
{
    for (uint32_t i = 0; i < marks->marks_count; i++) {
        const struct image_mark *mark = &marks->marks[i];
        if ((int)mark->x <= x && x < (int)(mark->x + mark->width) && (int)mark->y <= y &&
            y < (int)(mark->y + mark->height) && mark->width < 16 && mark->height >= 20 &&
            mark->height <= 32) {
            return mark;
        }
    }
    return NULL;
}

/* A thing is about as high in front of a thick load as in front of a thin one. */
static void wire_is_marked_in_any_load(void **state)
{
    (void)state;
    struct image_scorer *scorer = NULL;
    const struct image image = synthetic_image();
    struct dome_line line = {.ready = false};
    assert_good(image_scorer_open(plain.path, &scorer));
    assert_good(dome_line_fit(&line));
    for (uint64_t i = 0; i < 12; i++) {
        int x = 60 + (int)(i * 25), y = 50 + (int)(i * 37 % 100);
        draw_slope(0.5 + 0.2 * (double)i, i);
        struct image_marks marks = marks_of(scorer, &image);
        assert_null(wire_mark(&marks, x, y));
        put_wire(0.7, x, y);
        marks = marks_of(scorer, &image);
        const struct image_mark *mark = wire_mark(&marks, x, y);
        assert_non_null(mark);
        struct appearance_region domes[DOME_IMAGE_MAX];
        uint32_t count = dome_line_find(&line, &image, pixels, domes), at = 0;
        while (at < count && (domes[at].x != mark->x || domes[at].y != mark->y)) {
            at++;
        }
        assert_true(at < count && domes[at].score > 0.4 && domes[at].score < 0.7);
    }
    dome_line_fini(&line);
    image_scorer_close(&scorer);
}

/* The daemon shows what stands higher than the highest of a normal image, and leaves a place to the
 * bank. Same bits every time. */
static void daemon_shows_it_and_same_bits_come_again(void **state)
{
    (void)state;
    static struct score_result result, again;
    struct score *self = NULL;
    struct score_conf conf = {.image_bytes_max = BYTES, .history_slots = 64, .working_height = 200};
    const struct image image = synthetic_image();
    const struct scan scan = synthetic_scan(&image);
    const struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels}}},
                                      .scans_count = 1};
    assert_good(score_open(&conf, &self));
    assert_good(score_install(self, plain.path, plain.sha256, NULL));
    synthetic_draw(pixels, 77, 0.9, true);
    for (int i = 0; i < 6; i++) {
        put_wire(2.5, 50 + 30 * i, 60);
    }
    score_items(self, &input, &result, 1);
    score_items(self, &input, &again, 1);
    const struct entry_score *score = &result.score;
    assert_memory_equal(score->regions, again.score.regions, sizeof score->regions);
    assert_int_equal(score->regions_count, 4);
    int wires = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const struct entry_region *region = &score->regions[i];
        wires += region->y < 60 && region->y + region->height > 60 && region->width < 16;
        assert_true(i == 0 || region->score <= score->regions[i - 1].score);
    }
    assert_int_equal(wires, 3);
    score_close(&self);
}

static struct appearance_region region_of(double score)
{
    return (struct appearance_region){.x = 1, .width = 1, .height = 1, .score = score};
}

/* Regions of the bank are placed anew, cut to what is left of the list, and stand in order. */
static void list_leaves_places_to_the_bank(void **state)
{
    (void)state;
    struct dome_line line = {.ready = false};
    struct appearance_model model = {
        .image_median = 4, .image_spread = 2, .dome = {true, 0.05, 0.01, 0.3}};
    struct appearance_region regions[APPEARANCE_REGIONS_MAX];
    const struct image image = synthetic_image();
    assert_good(dome_line_fit(&line));
    assert_good(dome_line_fit(&line)); /* again: nothing */
    synthetic_draw(pixels, 78, 0.9, false);
    for (int i = 0; i < 9; i++) {
        put_wire(2.5, 50 + 30 * i, 60);
    }
    const struct dome_view all = {&image, pixels, model.dome.median};
    const struct dome_view none = {&image, pixels, 100};
    regions[0] = region_of(8);
    regions[1] = region_of(6);
    assert_int_equal(dome_line_add(&line, &model, &none, regions, 2, 4), 2);
    assert_true(regions[0].score == 2 && regions[1].score == 1);
    for (uint32_t i = 0; i < 4; i++) {
        regions[i] = region_of(8 - i);
    }
    assert_int_equal(dome_line_add(&line, &model, &all, regions, 4, 4), 4);
    assert_true(regions[2].score > 10 && regions[3].score == 2);
    assert_true(regions[0].score >= regions[1].score && regions[1].score >= regions[2].score);
    assert_int_equal(dome_line_add(&line, &model, &all, regions, 0, 4), 4);
    assert_true(regions[3].score > 10);
    regions[0] = region_of(1e6); /* a region may stand before all domes */
    assert_int_equal(dome_line_add(&line, &model, &all, regions, 1, 20), 20);
    assert_true(regions[0].score == (1e6 - 4) / 2);
    assert_int_equal(dome_line_add(&line, &model, &none, regions, 0, 1), 0);
    dome_line_fini(&line);
}

static void read_refuses_what_cannot_be(void **state)
{
    (void)state;
    static const double placings[][4] = {{0.1, 0.02, 0.3, 0}, {0.1, 0, 0.3, 0},
                                         {0.1, -1, 0.3, 0},   {0.1, 1e-300, 0.3, 0},
                                         {NAN, 0.02, 0.3, 0}, {0.1, 0.02, INFINITY, 0}};
    for (uint64_t count = 3; count <= 4; count++) {
        for (size_t i = 0; i < sizeof placings / sizeof placings[0]; i++) {
            struct model_file file;
            struct dome_model model;
            model_file_init(&file);
            assert_good(model_file_add(&file, "dome_placing", MODEL_F64, &count, 1, placings[i]));
            struct err err = dome_read(&file, &model);
            assert_int_equal(err.code, count == 3 && i == 0 ? ERR_NONE : ERR_MODEL_UNREADABLE);
            assert_true(model.present == (count == 3 && i == 0));
            model_file_fini(&file);
        }
    }
    struct model_file file;
    struct dome_model model = {true, 0.25, 0.5, 1.5}, read;
    model_file_init(&file);
    assert_good(dome_read(&file, &read)); /* models of before have no such part */
    assert_false(read.present);
    assert_good(dome_write(&model, &file));
    assert_good(dome_read(&file, &read));
    assert_true(read.present && read.median == 0.25 && read.spread == 0.5 &&
                read.usual_highest == 1.5);
    model_file_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_is_marked_in_any_load),
        cmocka_unit_test(daemon_shows_it_and_same_bits_come_again),
        cmocka_unit_test(list_leaves_places_to_the_bank),
        cmocka_unit_test(read_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, make_model, drop_model);
}
