/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "archive/model_file.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "bench/image_stages.h"
#include "kernels/rng.h"
#include "score/blas_core.h"
#include "score/finder_train.h"
#include "score/score.h"
#include "score/train.h"

/* From decoded pixels to a score, as a scoring line of the daemon does it: a drawn parcel of 640 x
 * 640 grey levels and a drawn truck of two energies, 20 MB of 16 bits, each by an appearance model
 * with a bank of 4,096 patches and the wider finder, with one and with two scorers at once.
 *
 * Usage: bench_images [--json] [FOLDER for model files] */

enum {
    ROUNDS = 25,
    TRAINING_IMAGES = 12,
    PARCEL_SIDE = 640,
    TRUCK_WIDTH = 2500,
    TRUCK_HEIGHT = 2000
};

static double time_s(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void check(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

struct subject {
    const char *name;
    const char *scanner_type;
    struct image images[2];
    uint32_t images_count;
    uint8_t *pixels[2];
    uint32_t working_height; /* of the bank */
    uint32_t finder_reduction;
};

/* A load of boxes between air: attenuation at a pixel, in units that suit 0..1 of display. */
static double load_at(const struct subject *subject, const double phases[4], uint32_t x, uint32_t y)
{
    double u = (double)x / subject->images[0].width;
    double v = (double)y / subject->images[0].height;
    if (u < 0.1 || u > 0.9 || v < 0.15 || v > 0.85) {
        return 0.01;
    }
    double waves = sin(60 * u + phases[0]) * cos(45 * v + phases[1]);
    double boxes = fmod(u * 11 + phases[2], 1) < 0.5 ? 0.15 : 0;
    return 0.3 + 0.1 * waves + boxes + (fmod(v * 7 + phases[3], 1) < 0.3 ? 0.1 : 0);
}

static void draw(struct subject *subject, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    double phases[4];
    for (int i = 0; i < 4; i++) {
        phases[i] = 6 * rng_uniform(&rng);
    }
    const struct image *image = &subject->images[0];
    for (uint32_t i = 0; i < image->width * image->height; i++) {
        double load = load_at(subject, phases, i % image->width, i / image->width);
        double noise = 0.006 * rng_normal(&rng);
        if (image->bits == 8) {
            double grey = 255 * (1 - load + noise);
            subject->pixels[0][i] = (uint8_t)(grey < 0 ? 0 : grey > 255 ? 255 : grey);
            continue;
        }
        for (uint32_t energy = 0; energy < 2; energy++) {
            double counts = 60000 * (exp(-load * (energy == 0 ? 3 : 3.6)) + noise);
            uint32_t level = counts < 0 ? 0 : counts > 65535 ? 65535 : (uint32_t)counts;
            subject->pixels[energy][2 * i] = (uint8_t)level;
            subject->pixels[energy][2 * i + 1] = (uint8_t)(level >> 8);
        }
    }
}

static void make_room(struct subject *subject)
{
    for (uint32_t i = 0; i < subject->images_count; i++) {
        subject->pixels[i] = malloc(subject->images[i].payload_bytes);
        bench_check(subject->pixels[i] != NULL, "no memory");
    }
}

static struct subject make_parcel(uint32_t working_height, uint32_t finder_reduction)
{
    struct subject subject = {.name = "parcel 640 x 640",
                              .scanner_type = "bench-parcel",
                              .images = {{.width = PARCEL_SIDE,
                                          .height = PARCEL_SIDE,
                                          .bits = 8,
                                          .meaning = PIXEL_DISPLAY,
                                          .payload_bytes = PARCEL_SIDE * PARCEL_SIDE}},
                              .images_count = 1,
                              .working_height = working_height,
                              .finder_reduction = finder_reduction};
    make_room(&subject);
    return subject;
}

static struct subject make_truck(uint32_t working_height, uint32_t finder_reduction)
{
    struct image image = {.width = TRUCK_WIDTH,
                          .height = TRUCK_HEIGHT,
                          .bits = 16,
                          .meaning = PIXEL_TRANSMISSION,
                          .payload_bytes = (uint64_t)TRUCK_WIDTH * TRUCK_HEIGHT * 2,
                          .pixel_pitch_mm = 5,
                          .air_level = 60000,
                          .energy = ENERGY_HIGH};
    struct subject subject = {.name = "truck 20 MB, two energies",
                              .scanner_type = "bench-truck",
                              .images = {image, image},
                              .images_count = 2,
                              .working_height = working_height,
                              .finder_reduction = finder_reduction};
    subject.images[1].energy = ENERGY_LOW;
    make_room(&subject);
    return subject;
}

static void fill_layer(struct convnet_layer *layer, struct rng *rng)
{
    for (size_t i = 0; i < convnet_weight_count(layer); i++) {
        layer->weights[i] = (int8_t)((int)rng_below(rng, 127) - 63);
    }
    for (size_t i = 0; i < layer->out; i++) {
        layer->scale[i] = 0.002f;
    }
}

/* What passes a gate that learnt nothing lies closer together than what may be an object: on 103
 * real parcels one of a cell in 128 left 0.33 of the products (0.37 at most), as this one does. */
enum { GATE_DEPTH = 3, GATE_SHARE = 64 };

/* Of the shape of those that are trained, with planes of material for two energies; it has learnt
 * nothing, which takes as long. What passes its gate lies at edges of the load. */
static void add_finder(const struct subject *subject, const char *path, const char *folder,
                       char out[512])
{
    bool material = subject->images_count > 1;
    struct convnet shape;
    memset(&shape, 0, sizeof shape);
    shape.layer_count = finder_layers(material, shape.layers);
    struct finder_model finder;
    struct rng rng;
    rng_init(&rng, 1, 0);
    check(finder_model_init(&finder, &shape, finder_networks(material)), "finder");
    for (uint32_t n = 0; n < finder.networks; n++) {
        for (uint32_t i = 0; i < shape.layer_count; i++) {
            fill_layer(&finder.nets[n].layers[i], &rng);
        }
    }
    finder.input = finder_input_default(
        subject->images[0].meaning == PIXEL_DISPLAY ? IMAGE_DISPLAY : IMAGE_TRANSMISSION);
    finder.input.material = material ? 300 : 0;
    finder.box = 12;
    finder.reduction = subject->finder_reduction;
    finder_look(material, &finder);
    finder.slope = 1;
    if (!material) {
        check(finder_model_set_gate(&finder, GATE_DEPTH, GATE_SHARE), "gate");
        fill_layer(&finder.gate.net.layers[0], &rng);
    }
    check(finder_model_settle(&finder), "finder");
    struct model_file file;
    check(model_file_read(path, NULL, &file), path);
    check(finder_add(&finder, &file), "finder");
    check(model_file_write(&file, folder, out), folder);
    model_file_fini(&file);
    finder_model_fini(&finder);
}

/* Paths of a model without finder and one with. */
static void train(struct subject *subject, const char *folder, char bank[512], char finder[512])
{
    struct train_appearance_conf conf = {.scanner_type = subject->scanner_type,
                                         .bank_patches_max = 4096,
                                         .dimensions = 64,
                                         .working_height = subject->working_height,
                                         .seed = 1};
    struct train_appearance *trainer = NULL;
    struct train_report report;
    check(train_appearance_open(&conf, &trainer), "train");
    for (uint32_t i = 0; i < TRAINING_IMAGES; i++) {
        draw(subject, i);
        struct train_image image = {.image = &subject->images[0],
                                    .pixels = subject->pixels[0],
                                    .name = "drawn",
                                    .low_image =
                                        subject->images_count > 1 ? &subject->images[1] : NULL,
                                    .low_pixels = subject->pixels[1]};
        check(train_appearance_add(trainer, &image), "train");
    }
    check(train_appearance_write(trainer, folder, &report), folder);
    train_appearance_close(&trainer);
    (void)snprintf(bank, 512, "%s", report.path);
    add_finder(subject, bank, folder, finder);
}

struct line {
    const struct subject *subject;
    const char *model;
    pthread_barrier_t *start;
    struct rounds ms;
    struct rounds processor_ms; /* what the thread itself took: what others run does not count */
    double seconds;             /* of all rounds */
};

static void *run_line(void *argument)
{
    struct line *line = argument;
    const struct subject *subject = line->subject;
    struct score_conf conf = {.image_bytes_max = UINT64_C(1) << 26,
                              .history_slots = 4096,
                              .working_height = subject->working_height};
    struct score *score = NULL;
    struct scan scan = {.scan_id = "S-1",
                        .mode = MODE_MAIL,
                        .site = "bench",
                        .lane = "1",
                        .scanner = "bench",
                        .scanner_type = subject->scanner_type,
                        .images = subject->images,
                        .images_count = subject->images_count};
    struct score_input input = {
        .scans = {{.scan = &scan, .pixels = {subject->pixels[0], subject->pixels[1]}}},
        .scans_count = 1};
    static _Thread_local struct score_result result;
    check(score_open(&conf, &score), "scorer");
    if (line->model != NULL) {
        check(score_install(score, line->model, NULL, NULL), line->model);
    }
    score_items(score, &input, &result, 1);
    bench_check(line->model == NULL || result.unscorable[0] == '\0', "%s: %s", subject->name,
                result.unscorable);
    pthread_barrier_wait(line->start);
    double first = time_s(CLOCK_MONOTONIC);
    for (int round = 0; round < ROUNDS; round++) {
        double start = time_s(CLOCK_MONOTONIC);
        double start_processor = time_s(CLOCK_THREAD_CPUTIME_ID);
        score_items(score, &input, &result, 1);
        rounds_add(&line->processor_ms, 1e3 * (time_s(CLOCK_THREAD_CPUTIME_ID) - start_processor));
        rounds_add(&line->ms, 1e3 * (time_s(CLOCK_MONOTONIC) - start));
    }
    line->seconds = time_s(CLOCK_MONOTONIC) - first;
    score_close(&score);
    return NULL;
}

static void bench_lines(const struct subject *subject, const char *model, const char *what,
                        uint32_t lines_count, bool as_json)
{
    enum { LINES_MAX = 2 };
    struct line lines[LINES_MAX];
    pthread_t threads[LINES_MAX];
    pthread_barrier_t start;
    bench_check(pthread_barrier_init(&start, NULL, lines_count) == 0, "barrier");
    for (uint32_t i = 0; i < lines_count; i++) {
        lines[i] = (struct line){.subject = subject, .model = model, .start = &start};
        bench_check(pthread_create(&threads[i], NULL, run_line, &lines[i]) == 0, "thread");
    }
    double a_second = 0;
    for (uint32_t i = 0; i < lines_count; i++) {
        (void)pthread_join(threads[i], NULL);
        a_second += ROUNDS / lines[i].seconds;
    }
    (void)pthread_barrier_destroy(&start);
    char name[160];
    struct rounds rate = {.count = 0};
    rounds_add(&rate, a_second);
    (void)snprintf(name, sizeof name, "%s, %s, %u scorer%s", subject->name, what, lines_count,
                   lines_count > 1 ? "s" : "");
    figure_print(&(struct figure){.name = name, .value = &lines[0].ms, .unit = "ms"}, as_json);
    figure_print(
        &(struct figure){.name = name, .value = &lines[0].processor_ms, .unit = "ms of processor"},
        as_json);
    figure_print(&(struct figure){.name = name, .value = &rate, .unit = "a second"}, as_json);
}

static void bench_subject(struct subject *subject, const char *folder, bool as_json)
{
    char bank[512];
    char finder[512];
    train(subject, folder, bank, finder);
    draw(subject, 99);
    for (uint32_t lines = 1; lines <= 2; lines++) {
        bench_lines(subject, NULL, "no model", lines, as_json);
        bench_lines(subject, bank, "bank and domes", lines, as_json);
        bench_lines(subject, finder, "bank and finder", lines, as_json);
    }
    if (subject->images_count == 1) {
        image_stages_print(subject->name, &subject->images[0], subject->pixels[0], finder, as_json);
    }
    (void)unlink(bank);
    (void)unlink(finder);
    free(subject->pixels[0]);
    free(subject->pixels[1]);
}

int main(int argc, char **argv)
{
    blas_core_force(argv);
    bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    const char *folder = argc > (as_json ? 2 : 1) ? argv[argc - 1] : "/tmp";
    char models[512];
    (void)snprintf(models, sizeof models, "%s/bench-images-XXXXXX", folder);
    bench_check(mkdtemp(models) != NULL, "%s", models);
    figure_head(as_json);
    static const struct {
        uint32_t working_height;
        uint32_t finder_reduction;
    } ways[] = {{256, 2}, {256, 1}, {640, 1}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (!as_json) {
            printf("bank at a height of %u, finder at 1/%u\n", ways[i].working_height,
                   ways[i].finder_reduction);
        }
        struct subject parcel = make_parcel(ways[i].working_height, ways[i].finder_reduction);
        bench_subject(&parcel, models, as_json);
    }
    struct subject truck = make_truck(256, 2);
    bench_subject(&truck, models, as_json);
    (void)rmdir(models);
    return 0;
}
