/* SPDX-License-Identifier: Apache-2.0 */
/* A finder taught on scans of two energies, by the commands a person runs: marks under the name of
 * either file of a pair are the same marks, and the model sees material. */
#include "tests/score/fixture.h"

#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kernels/rng.h"
#include "picture/picture.h"
#include "score/appearance.h"

enum { SCANS = 4, PLAIN_SCANS = 12, WIDTH = 120, HEIGHT = 56, AIR = 60000, DARK = 1200 };

static char folder[FIXTURE_PATH_BYTES];
static char output[65536];

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
    char arguments[2048];
    char command[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "cd %s && %s/bin/triagectl %s 2>&1 </dev/null", folder,
             BINARY_DIR, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t bytes = fread(output, 1, sizeof output - 1, pipe);
    output[bytes] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static FILE *create(const char *name)
{
    char path[2 * FIXTURE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    return file;
}

/* `load` and an organic lump of that attenuation in it, as scan `number` of a folder. */
static void write_lump(const char *into, uint32_t number, double load, double attenuation)
{
    static const char *const energies[2] = {"low", "high"};
    static uint16_t pixels[WIDTH * HEIGHT];
    char path[2 * FIXTURE_PATH_BYTES];
    struct rng rng;
    rng_init(&rng, 5, number);
    for (int energy = 0; energy < 2; energy++) {
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            int x = i % WIDTH - 30 - 10 * (int)number, y = i / WIDTH - 20;
            bool lump = x >= 0 && x < 14 && y >= 0 && y < 14;
            double more = lump ? attenuation : 0;
            double high = load + more + 0.02 * rng_normal(&rng);
            double low = 1.1 * load + 1.18 * more + 0.02 * rng_normal(&rng);
            pixels[i] = (uint16_t)(DARK + (AIR - DARK) * exp(energy == 0 ? -low : -high));
        }
        snprintf(path, sizeof path, "%s/%s/s%u_%s.png", folder, into, number, energies[energy]);
        assert_good(picture_write_png(path, (const uint8_t *)pixels, WIDTH, HEIGHT, 1, 16));
    }
    char name[32];
    snprintf(name, sizeof name, "%s/s%u.json", into, number);
    FILE *sidecar = create(name);
    fprintf(sidecar, "{\"scanner_type\": \"portal\", \"images\": [");
    for (int energy = 0; energy < 2; energy++) {
        fprintf(sidecar,
                "%s{\"meaning\": \"transmission\", \"energy\": \"%s\", \"view\": 0, "
                "\"air_level\": %d, \"dark_level\": %d, \"pixel_pitch_mm\": 10}",
                energy > 0 ? ", " : "", energies[energy], AIR, DARK);
    }
    fprintf(sidecar, "]}\n");
    fclose(sidecar);
}

static void write_scan(const char *into, uint32_t number, double load)
{
    write_lump(into, number, load, 0.6);
}

static void write_marks(const char *energy)
{
    char name[32];
    snprintf(name, sizeof name, "%s.csv", energy);
    FILE *table = create(name);
    fputs("image,x,y,width,height\n", table);
    for (int i = 0; i < SCANS; i++) {
        fprintf(table, "s%d_%s.png,%d,20,14,14\n", i, energy, 30 + 10 * i);
    }
    fclose(table);
}

static void make_folder(const char *name)
{
    char path[2 * FIXTURE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void remove_energy(const char *name)
{
    char path[2 * FIXTURE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

static int set_up(void **state)
{
    (void)state;
    fixture_make_directory(folder);
    make_folder("in");
    for (uint32_t i = 0; i < SCANS; i++) {
        write_scan("in", i, 2);
    }
    make_folder("threats");
    write_scan("threats", 0, 0);
    write_scan("threats", 1, 0);
    make_folder("plain");
    make_folder("one_energy");
    for (uint32_t i = 0; i < PLAIN_SCANS; i++) {
        char name[64];
        write_lump("plain", i, 2, 0);
        write_lump("one_energy", i, 2, 0);
        snprintf(name, sizeof name, "one_energy/s%u_low.png", i);
        remove_energy(name);
    }
    make_folder("single");
    write_scan("single", 0, 0);
    remove_energy("single/s0_low.png");
    write_marks("low");
    write_marks("high");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_remove_directory(folder);
    return 0;
}

/* Path of the model that the last training wrote into out/. */
static void model_path(char path[128])
{
    const char *from = strstr(output, "out/");
    if (from == NULL) {
        fail_msg("no model: %s", output);
    }
    size_t bytes = strcspn(from, "\n");
    assert_true(bytes < 128);
    memcpy(path, from, bytes);
    path[bytes] = '\0';
}

static void marks_stand_under_either_name_of_a_pair(void **state)
{
    (void)state;
    char one[128], other[128];
    assert_int_equal(run("model train appearance --images in --marks low.csv --out out --epochs 1"),
                     0);
    model_path(one);
    assert_non_null(strstr(output, "4 images, 4 objects of 4 scans, usual side 14.0"));
    assert_null(strstr(output, "have no marks"));
    assert_int_equal(
        run("model train appearance --images in --marks high.csv --out out --epochs 1"), 0);
    model_path(other);
    assert_string_equal(one, other);
}

/* A table of groups may use either name, too; one that names none of the images is a mistake. */
static void groups_stand_under_either_name_of_a_pair(void **state)
{
    (void)state;
    static const char command[] =
        "model train appearance --images in --marks low.csv --out out --epochs 1 --groups";
    static const char *const energies[] = {"low", "high"};
    for (int energy = 0; energy < 2; energy++) {
        FILE *table = create("groups.csv");
        fprintf(table, "image,group\ns0_%s.png,a\ns1_%s.png,a\n", energies[energy],
                energies[energy]);
        fclose(table);
        assert_int_equal(run("%s groups.csv", command), 0);
        assert_non_null(strstr(output, "4 images, 4 objects of 3 scans, "));
    }
    FILE *table = create("groups.csv");
    fputs("image,group\ns0.png,a\ns1.png,a\n", table);
    fclose(table);
    assert_int_equal(run("%s groups.csv", command), 1);
    assert_non_null(strstr(output, "groups.csv: none of its images is among those read"));
}

static void two_energies_make_a_finder_that_sees_material(void **state)
{
    (void)state;
    char name[128], path[2 * FIXTURE_PATH_BYTES];
    struct model_file file;
    struct appearance_model model;
    assert_int_equal(
        run("model train appearance --images in --marks high.csv --out out --epochs 1"), 0);
    model_path(name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_good(model_file_read(path, NULL, &file));
    assert_good(appearance_read(&file, &model));
    model_file_fini(&file);
    assert_true(model.has_finder && model.finder.input.material > 0);
    assert_true(model.finder.views == 4 && model.finder.places == 6 && model.finder.pooled);
    assert_non_null(strstr(output, "; 6 places of an image are looked at 4 ways; "));
    assert_int_equal(model.finder.networks, 2);
    assert_non_null(
        strstr(output, "mean of 2 networks, each taught without a part of its own, by"));
    assert_memory_not_equal(model.finder.packed[0], model.finder.packed[1],
                            convnet_packed_bytes(&model.finder.nets[0]));
    /* The constants follow the images: attenuations to 2.7, ratios from 1.07 to 1.14. */
    const struct finder_input *input = &model.finder.input;
    assert_true(input->a_max > 2.55 && input->a_max < 2.9);
    assert_true(input->ratio_low > 1 && input->ratio_low < 1.08);
    assert_true(input->ratio_high > 1.12 && input->ratio_high < 1.2);
    appearance_model_fini(&model);
    assert_int_equal(run("model score --model %s --images in --out -", name), 0);
    assert_non_null(strstr(output, "image,x,y,width,height,score\ns0_low.png,"));
}

/* Without anything to hold out both networks learn from all scans, from other beginnings. */
static void one_group_makes_two_networks_of_all_scans(void **state)
{
    (void)state;
    char name[128], path[2 * FIXTURE_PATH_BYTES];
    struct model_file file;
    struct appearance_model model;
    FILE *table = create("groups.csv");
    for (int i = 0; i < 4; i++) {
        fprintf(table, "%ss%d_low.png,all\n", i == 0 ? "image,group\n" : "", i);
    }
    fclose(table);
    assert_int_equal(run("model train appearance --images in --marks low.csv --out out --epochs 1"
                         " --groups groups.csv"),
                     0);
    assert_non_null(strstr(output, "4 images, 4 objects of 1 scans, "));
    assert_non_null(strstr(output, ", mean of 2 networks: 3 steps, "));
    assert_non_null(strstr(output, "too few marked scans to hold any out: not judged"));
    model_path(name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_good(model_file_read(path, NULL, &file));
    assert_good(appearance_read(&file, &model));
    model_file_fini(&file);
    assert_true(model.finder.networks == 2 && model.finder.slope == 1 && model.finder.offset == 0);
    assert_memory_not_equal(model.finder.packed[0], model.finder.packed[1],
                            convnet_packed_bytes(&model.finder.nets[0]));
    appearance_model_fini(&model);
}

/* With threats the finder is another one, the words say how many, and what was learnt from them is
 * the same again; a threat of one energy is no threat. */
static void threats_are_put_into_what_the_finder_learns_from(void **state)
{
    (void)state;
    static const char command[] =
        "model train appearance --images in --marks low.csv --out out --epochs 1";
    char without[128], with[128], again[128];
    assert_int_equal(run("%s", command), 0);
    model_path(without);
    assert_null(strstr(output, "threats put into them"));
    assert_int_equal(run("%s --project threats", command), 0);
    model_path(with);
    assert_non_null(strstr(output, "; 2 threats put into them, "));
    assert_string_not_equal(with, without);
    assert_int_equal(run("%s --project threats --threads 1", command), 0);
    model_path(again);
    assert_string_equal(with, again);
    assert_int_not_equal(run("%s --project single", command), 0);
    assert_non_null(strstr(output, "s0_high.png: "));
    assert_int_not_equal(run("%s --project nowhere", command), 0);
    assert_non_null(strstr(output, "nowhere"));
}

/* Without any mark, where asked for: the objects are threats, the words say so, scores are placed
 * by them, and the file does not depend on the threads. */
static void threats_alone_make_a_finder(void **state)
{
    (void)state;
    static const char command[] =
        "model train appearance --images plain --out out --epochs 1 --finder";
    char one[128], other[128];
    assert_int_equal(run("%s --project threats", command), 0);
    model_path(one);
    assert_non_null(strstr(output, "finder: 12 images, "));
    assert_non_null(strstr(output, "objects: threats put into images that nobody marked"));
    assert_non_null(strstr(output, "held out "));
    assert_null(strstr(output, "have no marks"));
    assert_int_equal(run("%s --project threats --threads 1", command), 0);
    model_path(other);
    assert_string_equal(one, other);
    assert_int_equal(run("%s --project threats --seed 2", command), 0);
    model_path(other);
    assert_string_not_equal(one, other);
    assert_int_equal(run("model train appearance --images plain --out out --project threats"), 0);
    assert_null(strstr(output, "finder: "));
    assert_int_equal(run("model score --model %s --images plain --out -", one), 0);
    assert_int_not_equal(run("%s", command), 0);
    assert_non_null(strstr(output, "--finder needs the threats of --project"));
    assert_int_not_equal(run("model train appearance --images one_energy --out out --finder "
                             "--project threats"),
                         0);
    assert_non_null(strstr(output, "two energies"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_stand_under_either_name_of_a_pair),
        cmocka_unit_test(groups_stand_under_either_name_of_a_pair),
        cmocka_unit_test(two_energies_make_a_finder_that_sees_material),
        cmocka_unit_test(one_group_makes_two_networks_of_all_scans),
        cmocka_unit_test(threats_are_put_into_what_the_finder_learns_from),
        cmocka_unit_test(threats_alone_make_a_finder),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
