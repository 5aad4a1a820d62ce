/* SPDX-License-Identifier: Apache-2.0 */
/* triagectl model train appearance --marks and model evaluate --images, as a person runs them. What
 * a finder learns is tests/score/test_finder_train.c's business. */
#include "program.h"

#include <math.h>

#include "kernels/rng.h"
#include "picture/picture.h"
#include "tests/score/fixture.h"

enum { IMAGES = 12, SIDE = 80 };

/* Two versions of each of six scans, with a dark disc in five of them. */
static void write_image(uint32_t number, FILE *table)
{
    static uint8_t pixels[SIDE * SIDE];
    char name[64];
    struct rng rng;
    rng_init(&rng, 3, number);
    int x_centre = 20 + (int)rng_below(&rng, 40), y_centre = 20 + (int)rng_below(&rng, 40);
    bool has_disc = number / 2 != 5;
    for (int i = 0; i < SIDE * SIDE; i++) {
        bool dark = has_disc && hypot(i % SIDE - x_centre, i / SIDE - y_centre) < 6;
        pixels[i] = (uint8_t)((dark ? 60 : 150) + rng_below(&rng, 12));
    }
    snprintf(name, sizeof name, "in/scan%u_jpg.rf.%u.png", number / 2, number);
    assert_good(picture_write_png(path_of(name), pixels, SIDE, SIDE, 1, 8));
    snprintf(name, sizeof name, "voc/scan%u_jpg.rf.%u.xml", number / 2, number);
    FILE *voc = create(name);
    snprintf(name, sizeof name, "scan%u_jpg.rf.%u.png", number / 2, number);
    fprintf(voc, "<annotation><size><width>%d</width></size>", SIDE);
    if (has_disc) {
        fprintf(table, "%s,%d,%d,12,12\n", name, x_centre - 6, y_centre - 6);
        fprintf(voc,
                "<object><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax>"
                "</bndbox></object>",
                x_centre - 6, y_centre - 6, x_centre + 6, y_centre + 6);
    } else {
        fprintf(table, "%s,,,,\n", name);
    }
    fputs("</annotation>", voc);
    fclose(voc);
}

static int set_up(void **state)
{
    (void)state;
    workplace_make();
    make_subfolder("in");
    make_subfolder("voc");
    FILE *table = create("marks.csv");
    fputs("image,x,y,width,height\n", table);
    for (uint32_t i = 0; i < IMAGES; i++) {
        write_image(i, table);
    }
    fclose(table);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    workplace_remove();
    return 0;
}

static void assert_runs(int exit_code, int wanted)
{
    if (exit_code != wanted) {
        fail_msg("exit code %d: %s", exit_code, said);
    }
}

/* Path of the model that the last training wrote into out/. */
static void model_path(char path[128])
{
    const char *from = strstr(said, "out/");
    assert_non_null(from);
    size_t bytes = strcspn(from, "\n");
    assert_true(bytes < 128);
    memcpy(path, from, bytes);
    path[bytes] = '\0';
}

static void a_model_with_marks_is_the_same_from_folder_or_table_and_any_threads(void **state)
{
    (void)state;
    char one[128], other[128];
    assert_runs(run("model train appearance --images in --marks voc --out out --epochs 3 "
                    "--threads 1"),
                0);
    assert_says("appearance/default");
    assert_says("finder: 12 images, 10 objects of 6 scans, usual side 12.0, reduced 1 times");
    assert_says("held out 2 scans, 4 images");
    model_path(one);
    assert_runs(run("model train appearance --images in --marks marks.csv --out out --epochs 3 "
                    "--threads 2"),
                0);
    model_path(other);
    assert_string_equal(one, other);
    assert_runs(run("model train appearance --images in --marks voc --out out --epochs 3 "
                    "--seed 2"),
                0);
    model_path(other);
    assert_string_not_equal(one, other);
    /* It scores, and it can be judged on images. */
    assert_runs(run("model score --model %s --images in --out scores.csv", one), 0);
    assert_runs(run("model evaluate --model %s --images in --marks voc --picture froc.png", one),
                0);
    assert_says("overlap 0.5");
    assert_says("10 objects in 12 images (2 without any) of 6 scans");
    struct stat status;
    assert_int_equal(stat(path_of("froc.png"), &status), 0);
    assert_true(status.st_size > 500);
}

static void folds_judge_images_that_were_not_trained_on(void **state)
{
    (void)state;
    assert_runs(run("--json model evaluate --images in --marks voc --folds 3 --epochs 2"), 0);
    assert_says("\"scans\": 6");
    assert_says("\"images_without_objects\": 2");
    assert_says("\"overlap 0.3\"");
    assert_runs(run("model evaluate --images in --marks voc --folds 7 --epochs 1"), 1);
    assert_says("7 parts cannot be made of 6 scans");
    FILE *groups = create("groups.csv");
    fputs("image,group\nscan0_jpg.rf.0.png,a\nscan0_jpg.rf.1.png,b\n", groups);
    fclose(groups);
    assert_runs(run("--json model evaluate --images in --marks voc --folds 7 --epochs 1 "
                    "--groups groups.csv"),
                0);
    assert_says("\"scans\": 7");
}

static void what_cannot_be_read_is_named_and_left_out(void **state)
{
    (void)state;
    make_subfolder("few");
    FILE *voc = create("few/scan0_jpg.rf.0.xml");
    fputs("<!DOCTYPE annotation [<!ENTITY a SYSTEM \"/etc/passwd\">]><annotation>&a;</annotation>",
          voc);
    fclose(voc);
    voc = create("few/scan1_jpg.rf.2.xml");
    fputs("<annotation><object><bndbox><xmin>30</xmin><ymin>30</ymin><xmax>42</xmax><ymax>42"
          "</ymax></bndbox></object></annotation>",
          voc);
    fclose(voc);
    assert_runs(run("model train appearance --images in --marks few --out out --epochs 1"), 0);
    assert_says("scan0_jpg.rf.0.png: a document type");
    assert_says("1 images left out");
    assert_says("10 images have no marks");
    assert_says("too few marked scans to hold any out");
    assert_runs(run("model train appearance --images in --marks none --out out"), 1);
    assert_says("none: No such file or directory");
    make_subfolder("empty");
    assert_runs(run("model train appearance --images in --marks empty --out out"), 1);
    assert_says("no image with a mark");
}

/* Recall by the centre, at the k-th rate of false marks, of what was said as JSON. */
static double recall_told(int k)
{
    const char *at = strstr(said, "\"centre\"");
    for (int i = 0; i <= k && at != NULL; i++) {
        at = strstr(at + 1, "\"recall\":");
    }
    assert_non_null(at);
    return strtod(at + strlen("\"recall\":"), NULL);
}

static void the_bare_command_trains_a_bank_alone(void **state)
{
    (void)state;
    char path[128];
    assert_runs(run("model train appearance --images in --out out"), 0);
    model_path(path);
    assert_runs(run("model evaluate --model %s --images in --marks voc", path), 0);
    assert_says("10 objects in 12 images (2 without any) of 6 scans");
    FILE *list = create("list.txt");
    fputs("scan0_jpg.rf.1.png\nscan1_jpg.rf.2.png\n", list);
    fclose(list);
    assert_runs(run("model evaluate --model %s --images in --marks voc --list list.txt", path), 0);
    assert_says("2 objects in 2 images (0 without any) of 2 scans");
    /* It knows no disc, but finds them. */
    assert_runs(run("--json model evaluate --images in --marks voc --folds 3 --bank"), 0);
    assert_says("\"objects\": 10");
    printf("%s\n", said);
    assert_true(recall_told(2) > 0.85);
    assert_runs(run("model evaluate --images in --marks voc --folds 3 --bank --height 40"), 0);
    assert_runs(run("model evaluate --images in --marks voc --folds 3 --bank --height 5000"), 2);
    assert_runs(run("model evaluate --images in --marks voc --folds 3 --height 40"), 2);
    assert_says("--height with --bank");
    assert_runs(run("model evaluate --model %s --images in --marks voc --bank", path), 2);
    assert_says("--bank goes with --folds");
    assert_runs(run("model evaluate --images in --marks voc --folds 3 --bank --height 8"), 1);
    assert_runs(run("model evaluate --images in --marks voc"), 2);
    assert_runs(run("model evaluate --images in --folds 3"), 2);
    assert_runs(run("model evaluate --marks voc"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_with_marks_is_the_same_from_folder_or_table_and_any_threads),
        cmocka_unit_test(folds_judge_images_that_were_not_trained_on),
        cmocka_unit_test(what_cannot_be_read_is_named_and_left_out),
        cmocka_unit_test(the_bare_command_trains_a_bank_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
