/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "archive/model_file.h"
#include "feeds/csv_table.h"
#include "kernels/rng.h"
#include "score/emptiness.h"
#include "score/score.h"
#include "score/train_emptiness.h"

/* Side views of drawn containers: walls a little darker than air, posts, a floor with the frame of
 * a trailer below, wheels with air between them, and loads that stand on the floor. */

enum { WIDTH = 900, HEIGHT = 400, BOX_X = 150, BOX_Y = 40, BOX_WIDTH = 600, BOX_HEIGHT = 280 };

static uint8_t pixels[WIDTH * HEIGHT];
static struct working_space working_space;
static struct cargo_space cargo;
static char directory[FIXTURE_PATH_BYTES];
static struct train_report model;

static void fill(int x0, int y0, int x1, int y1, int grey, int noise, struct rng *rng)
{
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            int value = grey + (int)rng_below(rng, (uint64_t)(2 * noise + 1)) - noise;
            pixels[y * WIDTH + x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

/* load: share of the box's height that is filled, 0: empty; wall: grey of two walls. */
static void draw(uint64_t seed, int wall, double load, int load_grey)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    int right = BOX_X + BOX_WIDTH;
    int bottom = BOX_Y + BOX_HEIGHT;
    fill(0, 0, WIDTH, HEIGHT, 250, 2, &rng);
    fill(BOX_X, BOX_Y, right, bottom, wall, 3, &rng);
    if (load > 0) {
        int top = bottom - 20 - (int)(load * (BOX_HEIGHT - 30));
        fill(BOX_X + 30, top, right - 30 - (int)rng_below(&rng, 120), bottom - 20, load_grey, 20,
             &rng);
    }
    fill(BOX_X, BOX_Y, BOX_X + 8, bottom, 60, 5, &rng);
    fill(right - 8, BOX_Y, right, bottom, 60, 5, &rng);
    fill(BOX_X, BOX_Y, right, BOX_Y + 4, 120, 5, &rng);
    fill(BOX_X, bottom - 20, right, bottom, 40, 20, &rng);
    for (int wheel = 0; wheel < 3; wheel++) {
        fill(BOX_X + 100 + 150 * wheel, bottom, BOX_X + 170 + 150 * wheel, bottom + 60, 10, 5,
             &rng);
    }
}

static struct image drawn_image(void)
{
    return (struct image){.width = WIDTH,
                          .height = HEIGHT,
                          .bits = 8,
                          .meaning = PIXEL_DISPLAY,
                          .energy = ENERGY_SINGLE,
                          .payload_bytes = sizeof pixels};
}

static uint32_t measure(struct emptiness_measure out[CARGO_BOXES_MAX], uint32_t *factor)
{
    struct image image = drawn_image();
    struct working working;
    working_make(&working_space, &image, pixels, 200, &working);
    *factor = (uint32_t)working.factor;
    return emptiness_measure(&cargo, &working, out);
}

static void draw_row(uint32_t index, struct emptiness_row *row)
{
    static const int walls[3] = {228, 215, 235};
    uint32_t factor = 0;
    struct emptiness_measure found[CARGO_BOXES_MAX];
    memset(row, 0, sizeof *row);
    row->loaded = index % 2 == 1;
    draw(index + 1, walls[index % 3], row->loaded ? 0.45 + 0.1 * (double)(index % 5) : 0,
         20 + 15 * (int)(index % 4));
    assert_int_equal(measure(found, &factor), 1);
    snprintf(row->image, sizeof row->image, "drawn-%u", (unsigned)index);
    snprintf(row->scanner, sizeof row->scanner, "wall %d", walls[index % 3]);
    row->measure = found[0];
    row->meaning = IMAGE_DISPLAY;
    row->overlap = 1;
}

enum { DRAWN = 60 };
static struct emptiness_row rows[1000];

static int make_model(void **state)
{
    (void)state;
    const uint8_t digest[HASH_BYTES] = {1};
    fixture_make_directory(directory);
    assert_good(working_init(&working_space, 200));
    assert_good(cargo_space_init(&cargo, 200));
    for (uint32_t i = 0; i < DRAWN; i++) {
        draw_row(i, &rows[i]);
    }
    assert_good(emptiness_leave_out(rows, DRAWN));
    assert_good(emptiness_write(rows, DRAWN, 1, digest, directory, &model));
    return 0;
}

static int drop_model(void **state)
{
    (void)state;
    working_fini(&working_space);
    cargo_space_fini(&cargo);
    fixture_remove_directory(directory);
    return 0;
}

static void box_is_found_where_it_was_drawn(void **state)
{
    (void)state;
    for (int filled = 0; filled < 4; filled++) {
        struct emptiness_measure found[CARGO_BOXES_MAX];
        uint32_t factor = 0;
        draw(7, 228, 0.3 * filled, 30);
        assert_int_equal(measure(found, &factor), 1);
        assert_true(found[0].box.found);
        assert_in_range(found[0].box.x * factor, BOX_X - 6, BOX_X + 6);
        assert_in_range(found[0].box.y * factor, BOX_Y - 6, BOX_Y + 6);
        assert_in_range((found[0].box.x + found[0].box.width) * factor, BOX_X + BOX_WIDTH - 6,
                        BOX_X + BOX_WIDTH + 6);
        assert_in_range((found[0].box.y + found[0].box.height) * factor, BOX_Y + BOX_HEIGHT - 6,
                        BOX_Y + BOX_HEIGHT + 6);
    }
}

/* A margin that is grey from top to bottom is no wall. */
static void grey_margin_is_no_container(void **state)
{
    (void)state;
    struct emptiness_measure found[CARGO_BOXES_MAX];
    uint32_t factor = 0;
    struct rng rng;
    draw(7, 228, 0, 0);
    rng_init(&rng, 3, 0);
    fill(BOX_X + BOX_WIDTH + 10, 0, WIDTH, HEIGHT, 232, 1, &rng);
    assert_int_equal(measure(found, &factor), 1);
    assert_in_range((found[0].box.x + found[0].box.width) * factor, BOX_X + BOX_WIDTH - 6,
                    BOX_X + BOX_WIDTH + 6);
}

static void two_containers_are_two_boxes(void **state)
{
    (void)state;
    struct emptiness_measure found[CARGO_BOXES_MAX];
    uint32_t factor = 0;
    struct rng rng;
    draw(7, 228, 0.5, 20);
    rng_init(&rng, 3, 0);
    fill(BOX_X + 280, 0, BOX_X + 310, BOX_Y + BOX_HEIGHT - 20, 250, 2, &rng);
    assert_int_equal(measure(found, &factor), 2);
    assert_true(found[0].box.x + found[0].box.width <= found[1].box.x);
}

/* Walls of another scanner's rendering than any of training. */
static void scanner_that_was_left_out_is_told_as_well(void **state)
{
    (void)state;
    struct emptiness_figures figures;
    assert_good(emptiness_figures(rows, DRAWN, &figures));
    assert_int_equal(figures.scanners, 3);
    assert_int_equal(figures.loaded, DRAWN / 2);
    assert_true(figures.auc.value > 0.99);
    assert_true(figures.auc.lower <= figures.auc.value);
    assert_int_equal(figures.errors, 0);
}

/* What a fit that leaves a scanner out has learnt does not depend on the rows of that scanner, and
 * the figures are of such fits. */
static void figures_are_of_scanners_left_out(void **state)
{
    (void)state;
    static struct emptiness_row turned[DRAWN];
    static const char scanner[] = "wall 235";
    struct emptiness_model without;
    struct emptiness_model without_turned;
    struct emptiness_model with;
    memcpy(turned, rows, sizeof turned);
    for (uint32_t i = 0; i < DRAWN; i++) {
        turned[i].loaded ^= strcmp(turned[i].scanner, scanner) == 0;
    }
    assert_good(emptiness_fit(rows, DRAWN, scanner, &without));
    assert_good(emptiness_fit(turned, DRAWN, scanner, &without_turned));
    assert_good(emptiness_fit(turned, DRAWN, NULL, &with));
    assert_memory_equal(without.coefficients, without_turned.coefficients,
                        sizeof without.coefficients);
    assert_memory_not_equal(with.coefficients, without.coefficients, sizeof with.coefficients);
    assert_good(emptiness_leave_out(turned, DRAWN));
    for (uint32_t i = 0; i < DRAWN; i++) {
        if (strcmp(turned[i].scanner, scanner) == 0) {
            double expected = emptiness_logit(&without, turned[i].measure.features);
            assert_memory_equal(&turned[i].logit, &expected, sizeof expected);
        }
    }
}

static const char *words_of(const struct entry_score *score, const char *name, double *logit)
{
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        if (strcmp(score->contributions[i].name, name) == 0) {
            *logit = score->contributions[i].logit;
            return score->contributions[i].words;
        }
    }
    return NULL;
}

/* One scanner has nearly all loaded boxes, then all boxes: it cannot be left out, and that is told
 * wherever the figures are. */
static void thirds_instead_of_scanners_are_told(void **state)
{
    (void)state;
    static struct emptiness_row some[DRAWN];
    const uint8_t digest[HASH_BYTES] = {2};
    struct emptiness_figures figures;
    struct train_report report;
    char text[EMPTINESS_TEXT_BYTES];
    assert_good(emptiness_figures(rows, DRAWN, &figures));
    emptiness_figures_text(&figures, text, sizeof text);
    assert_int_equal(figures.rows_by_thirds, 0);
    assert_null(strstr(text, "third"));
    uint32_t of_one = 0;
    for (uint32_t i = 0; i < DRAWN; i++) {
        some[i] = rows[i];
        if (some[i].loaded) {
            snprintf(some[i].scanner, sizeof some[i].scanner, "wall 235");
        }
        of_one += strcmp(some[i].scanner, "wall 235") == 0;
    }
    assert_true(of_one < DRAWN);
    assert_good(emptiness_leave_out(some, DRAWN));
    assert_good(emptiness_figures(some, DRAWN, &figures));
    emptiness_figures_text(&figures, text, sizeof text);
    assert_int_equal(figures.rows_by_thirds, of_one);
    assert_int_equal(figures.scanners_by_thirds, 1);
    assert_non_null(strstr(text, "boxes of 1 scanners judged by thirds of the images"));
    assert_good(emptiness_write(some, DRAWN, 1, digest, directory, &report));
    assert_non_null(strstr(report.evaluation, "one scanner after another where it could be left"));
    assert_non_null(strstr(report.evaluation, "by thirds of the images"));
    for (uint32_t i = 0; i < DRAWN; i++) {
        some[i] = rows[i];
        snprintf(some[i].scanner, sizeof some[i].scanner, "the only one");
    }
    assert_good(emptiness_leave_out(some, DRAWN));
    assert_good(emptiness_figures(some, DRAWN, &figures));
    emptiness_figures_text(&figures, text, sizeof text);
    assert_int_equal(figures.rows_by_thirds, DRAWN);
    assert_non_null(strstr(text, "(no interval: one scanner)"));
    assert_null(strstr(text, "nan"));
    assert_good(emptiness_write(some, DRAWN, 1, digest, directory, &report));
    assert_int_equal(strncmp(report.evaluation, "thirds of the images, not scanners,", 35), 0);
}

static void declared_and_seen_are_held_against_each_other(void **state)
{
    (void)state;
    struct score_conf conf = {
        .image_bytes_max = sizeof pixels, .history_slots = 64, .working_height = 200};
    struct score *self = NULL;
    assert_good(score_open(&conf, &self));
    assert_good(score_install(self, model.path, model.sha256, NULL));
    struct image image = drawn_image();
    struct scan scan = {.scan_id = "S",
                        .mode = MODE_TRUCK,
                        .scanner_type = "drawn",
                        .images = &image,
                        .images_count = 1};
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct score_input input = {.scans = {{.scan = &scan, .pixels = {pixels}}}, .scans_count = 1};
    input.declarations[0] = &declaration;
    input.declarations_count = 1;
    static const struct {
        double load;
        bool declared_empty;
        bool suspicious;
        const char *words; /* NULL: nothing is said */
    } cases[] = {{0, true, false, "declared empty, and 0% of the cargo space is dense"},
                 {0.6, true, true, "declared empty, but "},
                 {0.6, false, false, NULL},
                 {0, false, true, "declared 12,000 kg, but looks empty: 0% of the cargo space"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct score_result result;
        static struct score_result again;
        const char *why = NULL;
        double logit = 0;
        draw(90 + i, 222, cases[i].load, 30);
        declaration.declared_empty = cases[i].declared_empty;
        declaration.gross_mass_kg = cases[i].declared_empty ? 0 : 12000;
        score_items(self, &input, &result, 1);
        const char *words = words_of(&result.score, "consistency.empty", &logit);
        assert_true(cases[i].suspicious ? logit > 1 : logit == 0);
        assert_true(cases[i].words == NULL ? words == NULL
                                           : words != NULL && strncmp(words, cases[i].words,
                                                                      strlen(cases[i].words)) == 0);
        /* An outsider, with pixels and without, computes the same. */
        struct score_input scans = input;
        scans.declarations_count = 0;
        assert_true(score_replay(self, &result.score, &scans, &again, &why));
        assert_memory_equal(&again.score.logit, &result.score.logit, sizeof(double));
        assert_true(score_replay(self, &result.score, NULL, &again, &why));
        assert_memory_equal(&again.score.logit, &result.score.logit, sizeof(double));
    }
    score_close(&self);
}

static void hostile_model_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *array;
        uint64_t count;
        double value;
    } broken[] = {{"means", 4, 2},        {"means", 4, NAN},        {"means", 3, 0},
                  {"spreads", 4, 0},      {"spreads", 4, -1},       {"spreads", 4, INFINITY},
                  {"coefficients", 4, 1}, {"coefficients", 5, 1e9}, {"coefficients", 5, NAN}};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        static const char *const names[3] = {"means", "spreads", "coefficients"};
        struct model_file file;
        struct emptiness_model read;
        model_file_init(&file);
        for (size_t n = 0; n < 3; n++) {
            bool hit = strcmp(names[n], broken[i].array) == 0;
            uint64_t shape[1] = {hit ? broken[i].count : EMPTINESS_FEATURES + (n == 2)};
            double values[8] = {1, 1, 1, 1, 1, 1, 1, 1};
            values[1] = hit ? broken[i].value : 1;
            assert_good(model_file_add(&file, names[n], MODEL_F64, shape, 1, values));
        }
        assert_good(model_file_add_text(&file, "meaning", "display"));
        /* The first is sound: what refuses the others is what they break. */
        assert_int_equal(emptiness_read(&file, &read).code,
                         i == 0 ? ERR_NONE : ERR_MODEL_UNREADABLE);
        model_file_fini(&file);
    }
}

static void any_size_is_measured_or_not_at_all(void **state)
{
    (void)state;
    static uint8_t any[600 * 70];
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (int round = 0; round < 400; round++) {
        struct emptiness_measure found[CARGO_BOXES_MAX];
        struct image image = drawn_image();
        struct working working;
        image.width = 1 + (uint32_t)rng_below(&rng, round % 2 == 0 ? 600 : 12);
        image.height = 1 + (uint32_t)rng_below(&rng, round % 3 == 0 ? 70 : 5);
        for (size_t i = 0; i < sizeof any; i++) {
            any[i] = round % 5 == 0 ? 0 : round % 5 == 1 ? 255 : (uint8_t)rng_below(&rng, 256);
        }
        working_make(&working_space, &image, any, 200, &working);
        uint32_t count = emptiness_measure(&cargo, &working, found);
        assert_true(count <= CARGO_BOXES_MAX);
        for (uint32_t i = 0; i < count; i++) {
            const struct cargo_box *box = &found[i].box;
            assert_true(box->x + box->width <= working.width);
            assert_true(box->y + box->height <= working.height);
            for (int f = 0; f < EMPTINESS_FEATURES; f++) {
                assert_true(isfinite(found[i].features[f]));
            }
        }
    }
}

/* Real histograms of another customs project: the share of what this model calls dense separates
 * its labels. Bins run from the darkest to the brightest grey of each image, which is taken for 0
 * and 255 here. Nothing was fitted to them. */
static void dense_share_separates_histograms_of_others(void **state)
{
    (void)state;
    char path[FIXTURE_PATH_BYTES];
    char error[CSV_ERROR_BYTES];
    if (!fixture_shared("empty_histograms/histograms.csv", path)) {
        skip();
    }
    static double shares[2000];
    static bool loaded[2000];
    uint32_t count = 0;
    struct csv_table *table = NULL;
    enum csv_step step = CSV_ROW;
    assert_good(csv_table_open(path, ',', false, &table, error));
    while (step != CSV_END && count < 2000) {
        struct csv_row row;
        assert_good(csv_table_next(table, &row, &step, error));
        if (step != CSV_ROW || row.fields_count < 33) {
            continue;
        }
        double dense = 0;
        double all = 0;
        for (uint32_t bin = 0; bin < 32; bin++) {
            double density = strtod(row.fields[bin + 1], NULL);
            all += density;
            dense += bin < 20 ? density : 0; /* darker than 0.35 below white */
        }
        shares[count] = dense / all;
        loaded[count++] = atoi(row.fields[0]) == 1;
    }
    csv_table_close(&table);
    double above = 0;
    double pairs = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count && loaded[i]; j++) {
            if (!loaded[j]) {
                pairs++;
                above += shares[i] > shares[j] ? 1 : shares[i] == shares[j] ? 0.5 : 0;
            }
        }
    }
    assert_true(pairs > 0);
    printf("share of dense pixels on %u histograms of others: AUC %.4f\n", (unsigned)count,
           above / pairs);
    assert_true(above / pairs > 0.97);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_is_found_where_it_was_drawn),
        cmocka_unit_test(grey_margin_is_no_container),
        cmocka_unit_test(two_containers_are_two_boxes),
        cmocka_unit_test(scanner_that_was_left_out_is_told_as_well),
        cmocka_unit_test(figures_are_of_scanners_left_out),
        cmocka_unit_test(thirds_instead_of_scanners_are_told),
        cmocka_unit_test(declared_and_seen_are_held_against_each_other),
        cmocka_unit_test(hostile_model_is_refused),
        cmocka_unit_test(any_size_is_measured_or_not_at_all),
        cmocka_unit_test(dense_share_separates_histograms_of_others),
    };
    return cmocka_run_group_tests(tests, make_model, drop_model);
}
