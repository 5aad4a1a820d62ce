/* SPDX-License-Identifier: Apache-2.0 */
/* triagectl model score --images, as a person runs it. */
#include "program.h"

#include <math.h>

#include "picture/picture.h"
#include "tests/score/finder_fixture.h"

enum { IMAGES = 12, SIDE_X = 150, SIDE_Y = 96 };

static char bank_model[FIXTURE_PATH_BYTES];
static char finder_model[FIXTURE_PATH_BYTES];

/* Grey waves with noise; every third has a dark square. */
static void write_image(uint32_t number)
{
    static uint8_t pixels[SIDE_X * SIDE_Y];
    char name[32];
    struct rng rng;
    rng_init(&rng, 3, number);
    for (int i = 0; i < SIDE_X * SIDE_Y; i++) {
        int x = i % SIDE_X, y = i / SIDE_X;
        double grey = 130 + 30 * sin(x * 0.2 + number) + 20 * cos(y * 0.3) + 4 * rng_normal(&rng);
        bool dark = number % 3 == 0 && x > 60 && x < 84 && y > 30 && y < 54;
        pixels[i] = (uint8_t)(dark ? 15 : grey);
    }
    snprintf(name, sizeof name, "in/scan%02u.png", number);
    assert_good(picture_write_png(path_of(name), pixels, SIDE_X, SIDE_Y, 1, 8));
}

static int set_up(void **state)
{
    (void)state;
    uint8_t sha256[HASH_BYTES];
    workplace_make();
    make_subfolder("in");
    make_subfolder("bad");
    make_subfolder("m");
    for (uint32_t i = 0; i < IMAGES; i++) {
        write_image(i);
    }
    if (run("model train appearance --images in --scanner-type waves --out m --bank 64 "
            "--dimensions 8 --height 96") != 0) {
        fail_msg("%s", said);
    }
    char *from = strstr(said, "m/");
    assert_non_null(from);
    *strchr(from, '\n') = '\0';
    snprintf(bank_model, sizeof bank_model, "%s", from);
    struct finder_model finder = finder_fixture(7);
    finder_fixture_add(path_of(bank_model), &finder, path_of("m"), finder_model, sha256);
    finder_model_fini(&finder);
    write_text("in/broken.png", "no picture");
    write_text("bad/broken.png", "no picture");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    workplace_remove();
    return 0;
}

struct row {
    char image[64];
    double x, y, width, height, score;
};

/* Rows of a table of marks, checked one by one; returns how many there are. */
static uint32_t check_marks(char *text, struct row first[IMAGES])
{
    uint32_t rows = 0, images = 0, of_image = 0;
    struct row before = {.image = ""};
    char *rest = NULL;
    assert_string_equal(strtok_r(text, "\n", &rest), "image,x,y,width,height,score");
    for (char *line = strtok_r(NULL, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct row row;
        assert_int_equal(sscanf(line, "%63[^,],%lf,%lf,%lf,%lf,%lf", row.image, &row.x, &row.y,
                                &row.width, &row.height, &row.score),
                         6);
        assert_true(row.x >= 0 && row.width >= 1 && row.x + row.width <= SIDE_X);
        assert_true(row.y >= 0 && row.height >= 1 && row.y + row.height <= SIDE_Y);
        if (strcmp(row.image, before.image) == 0) {
            assert_true(row.score <= before.score && ++of_image <= 20);
        } else {
            assert_true(images < IMAGES && strcmp(row.image, before.image) > 0);
            first[images++] = row;
            of_image = 1;
        }
        before = row;
        rows++;
    }
    return rows;
}

/* One row for every image that can be read, in the order of names. */
static void check_scores(char *text, double scores[IMAGES])
{
    char *rest = NULL;
    assert_string_equal(strtok_r(text, "\n", &rest), "image,score");
    for (uint32_t i = 0; i < IMAGES; i++) {
        char image[64], wanted[64];
        char *line = strtok_r(NULL, "\n", &rest);
        assert_non_null(line);
        assert_int_equal(sscanf(line, "%63[^,],%lf", image, &scores[i]), 2);
        snprintf(wanted, sizeof wanted, "scan%02u.png", i);
        assert_string_equal(image, wanted);
    }
    assert_null(strtok_r(NULL, "\n", &rest));
}

static void bank_marks_what_stands_out(void **state)
{
    (void)state;
    struct row first[IMAGES] = {{.score = 0}};
    double scores[IMAGES];
    assert_int_equal(
        run("model score --model %s --images in --out d.csv --image-scores s.csv", bank_model), 0);
    assert_says("broken.png: ");
    assert_says("1 of 13 images refused");
    assert_says("12 images scored, 1 refused: ");
    assert_says(" rows in d.csv, the highest of each in s.csv");
    assert_int_equal(
        run("model score --model %s --images in --out j.csv --json 2>/dev/null", bank_model), 0);
    assert_says("\"refused\": 1");
    assert_says("\"out\": \"j.csv\"");
    assert_int_equal(run("model score --model no.h5 --images in --out none.csv"), 1);
    assert_says("no.h5: ");
    assert_says("No such file");
    assert_int_equal(run("model evaluate --model %s --images in --labels t", bank_model), 2);
    assert_says("--labels judges a model of");
    char *marks = read_file("d.csv");
    char *table = read_file("s.csv");
    assert_in_range(check_marks(marks, first), 1, 20 * IMAGES);
    check_scores(table, scores);
    free(marks);
    free(table);
}

/* Probabilities; the image's score is that of its best mark. */
static void finder_marks_with_probabilities(void **state)
{
    (void)state;
    struct row first[IMAGES] = {{.score = 0}};
    double scores[IMAGES];
    const char *command = "model score --model %s --images in --out %s --image-scores s.csv";
    assert_int_equal(run(command, finder_model, "d.csv"), 0);
    assert_int_equal(run(command, finder_model, "again.csv"), 0);
    char *marks = read_file("d.csv");
    char *again = read_file("again.csv");
    char *table = read_file("s.csv");
    assert_string_equal(marks, again);
    assert_true(check_marks(marks, first) >= IMAGES);
    check_scores(table, scores);
    for (uint32_t i = 0; i < IMAGES; i++) {
        assert_true(first[i].score > 0 && first[i].score < 1 && first[i].score == scores[i]);
    }
    free(marks);
    free(again);
    free(table);
}

static void list_names_the_images(void **state)
{
    (void)state;
    write_text("two.txt", "scan03.png\nscan05.png\n");
    assert_int_equal(
        run("model score --model %s --images in --list two.txt --image-scores -", finder_model), 0);
    const char *second = strchr(strchr(said, '\n') + 1, '\n') + 1;
    assert_int_equal(strncmp(said, "image,score\nscan03.png,", 23), 0);
    assert_int_equal(strncmp(second, "scan05.png,", 11), 0);
    assert_null(strchr(strchr(second, '\n') + 1, '\n'));
}

static void nothing_to_score_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run("model score --model %s --images bad --out none.csv", bank_model), 1);
    assert_says("no image could be scored");
    assert_int_not_equal(access(path_of("none.csv"), F_OK), 0);
    assert_int_equal(run("model score --model %s --images nowhere --out none.csv", bank_model), 1);
    assert_int_equal(run("model score --model in/scan01.png --images in --out none.csv"), 1);
    assert_int_equal(run("model score --model %s --images in", bank_model), 2);
    assert_int_equal(run("model score --images in --out x"), 2);
    assert_int_equal(run("model score --model %s --out x", bank_model), 2);
    assert_int_equal(run("model score --model %s --images in --declarations t --out x", bank_model),
                     2);
    assert_int_equal(run("model score --model %s --images in --details --out x", bank_model), 2);
    assert_int_equal(run("model score --model %s --declarations t --list x --out x", bank_model),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bank_marks_what_stands_out),
        cmocka_unit_test(finder_marks_with_probabilities),
        cmocka_unit_test(list_names_the_images),
        cmocka_unit_test(nothing_to_score_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
