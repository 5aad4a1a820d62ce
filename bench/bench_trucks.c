/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "ctl/detection_curve.h"
#include "feeds/sim_world.h"
#include "kernels/statistics.h"
#include "score/score.h"
#include "score/train.h"

/* Hidden organic masses in simulated dual-energy trucks of mixed cargo: trains on normal trucks of
 * one seed with projected threats of another, sets the threshold on normal trucks of a third, and
 * counts how many trucks of further seeds, in which bricks really displace goods, score beyond it.
 * All through score_items(), as the daemon does. */

#define CELLS_MASS 5
#define CELLS_DENSITY 5
static const double masses_kg[CELLS_MASS] = {5, 10, 20, 30, 50};
/* The asked figure first. */
static const int order[CELLS_MASS] = {2, 3, 1, 4, 0};
static const double densities[CELLS_DENSITY + 1] = {0.1, 0.2, 0.3, 0.45, 0.6, 1.0};
static const char *const density_names[CELLS_DENSITY] = {"0.10-0.20 g/cm3", "0.20-0.30",
                                                         "0.30-0.45", "0.45-0.60", "0.60-1.00"};
enum {
    SEED_THREATS = 900,
    SEED_TRAIN = 901,
    SEED_CLEAN = 902,
    SEED_HIDDEN = 1000,
    CLEAN_MAX = 4000
};

struct study {
    double scale;
    double parcels_share;
    uint32_t train_count;
    uint32_t threats_count;
    uint32_t clean_count;
    uint32_t hidden_count; /* a cell */
    uint32_t height;
    bool speed_only;
    const char *models;
    const char *svg;
    struct score *score;
    double threshold;     /* 5% of normal trucks without an innocent oddity are beyond it */
    double threshold_odd; /* the same of all normal trucks, 15% of which have one */
};

static void check(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        (void)fprintf(stderr, "bench_trucks: %s: %s\n", what, err_text(err, text));
        exit(1);
    }
}

static struct sim_world *world_of(const struct study *study, uint64_t seed, const double density[2],
                                  double mass_kg)
{
    struct sim_conf conf = {.seed = seed,
                            .scale = study->scale,
                            .mail_scale = 1,
                            .mail_declarations_per_scan = 1,
                            .oddity_rate = 0.15,
                            .mixed_rate = 1,
                            .parcels_share = study->parcels_share,
                            .cargo_density = {density[0], density[1]},
                            .bricks_kg = {mass_kg, mass_kg},
                            .contraband_rate = mass_kg > 0 ? 1 : 0,
                            .dead_rows_max = 3,
                            .interval_s = 20,
                            .site = "bench",
                            .lane = ""};
    conf.mode_weights[MODE_TRUCK] = 1;
    struct sim_world *world = NULL;
    check(sim_world_open(&conf, &world), "world");
    return world;
}

/* The next loaded truck, with something hidden when `hidden`. */
static void next_truck(struct sim_world *world, uint64_t *index, bool hidden, struct sim_item *item)
{
    do {
        check(sim_world_item(world, (*index)++, item), "truck");
    } while (item->truth.cargo_density <= 0 || (hidden && item->truth.hidden.what == NULL));
}

static struct train_image image_of(const struct sim_item *item)
{
    return (struct train_image){.image = &item->images[1],
                                .pixels = item->pixels[1],
                                .name = item->scan_id,
                                .low_image = &item->images[0],
                                .low_pixels = item->pixels[0]};
}

static void train(const struct study *study, struct train_report *report)
{
    static const double all[2] = {0.08, 1.0};
    static struct sim_item item;
    const struct train_appearance_conf conf = {.scanner_type = "vehicle-portal",
                                               .bank_patches_max = 4096,
                                               .dimensions = 64,
                                               .working_height = study->height,
                                               .seed = 1};
    struct train_appearance *trainer = NULL;
    check(train_appearance_open(&conf, &trainer), "train");
    struct sim_world *world = world_of(study, SEED_THREATS, all, 0);
    for (uint32_t i = 0; i < study->threats_count; i++) {
        double mass_kg = 4 * pow(15, (double)i / study->threats_count);
        check(sim_world_threat(world, i, mass_kg, &item), "threat");
        struct train_image threat = image_of(&item);
        check(train_appearance_threat(trainer, &threat), "threat");
    }
    sim_world_close(&world);
    world = world_of(study, SEED_TRAIN, all, 0);
    uint64_t index = 0;
    for (uint32_t i = 0; i < study->train_count; i++) {
        next_truck(world, &index, false, &item);
        struct train_image load = image_of(&item);
        check(train_appearance_add(trainer, &load), "truck");
    }
    sim_world_close(&world);
    check(durable_directory(study->models, 0755), study->models);
    check(train_appearance_write(trainer, study->models, report), "model");
    train_appearance_close(&trainer);
}

static double judge(const struct study *study, const struct sim_item *item, bool *marked)
{
    static struct score_input input;
    static struct score_result result;
    input = (struct score_input){.scans_count = 1, .scans = {{.scan = &item->scan}}};
    input.scans[0].pixels[0] = item->pixels[0];
    input.scans[0].pixels[1] = item->pixels[1];
    score_items(study->score, &input, &result, 1);
    const int32_t *box = item->truth.hidden_px;
    *marked = false;
    for (uint32_t i = 0; i < result.score.regions_count; i++) {
        const struct entry_region *region = &result.score.regions[i];
        *marked = *marked || ((int64_t)region->x < box[2] && (int64_t)region->y < box[3] &&
                              box[0] < (int64_t)region->x + region->width &&
                              box[1] < (int64_t)region->y + region->height);
    }
    return result.score.logit;
}

/* At most a twentieth of the normal trucks are beyond it. */
static void find_thresholds(struct study *study)
{
    static const double mixed[2] = {0.1, 0.6};
    static struct sim_item item;
    static double scores[CLEAN_MAX], plain[CLEAN_MAX];
    uint32_t plain_count = 0;
    struct sim_world *world = world_of(study, SEED_CLEAN, mixed, 0);
    uint64_t index = 0;
    for (uint32_t i = 0; i < study->clean_count; i++) {
        bool marked;
        next_truck(world, &index, false, &item);
        scores[i] = judge(study, &item, &marked);
        if (item.truth.oddity.what == NULL) {
            plain[plain_count++] = scores[i];
        }
    }
    sim_world_close(&world);
    statistics_sort(scores, study->clean_count);
    statistics_sort(plain, plain_count);
    study->threshold_odd = scores[study->clean_count - 1 - study->clean_count / 20];
    study->threshold = plain[plain_count - 1 - plain_count / 20];
}

struct tally {
    struct curve_point point;
    uint32_t marked;
    uint32_t odd; /* beyond the threshold of all normal trucks */
};

static struct tally measure(const struct study *study, int mass, int density)
{
    static struct sim_item item;
    uint64_t seed = SEED_HIDDEN + (uint64_t)(mass * CELLS_DENSITY + density);
    struct sim_world *world = world_of(study, seed, densities + density, masses_kg[mass]);
    struct tally tally = {.point = {masses_kg[mass], 0, study->hidden_count}};
    uint64_t index = 0;
    for (uint32_t i = 0; i < study->hidden_count; i++) {
        bool marked;
        next_truck(world, &index, true, &item);
        double logit = judge(study, &item, &marked);
        bool found = logit > study->threshold;
        tally.point.hits += found;
        tally.marked += found && marked;
        tally.odd += logit > study->threshold_odd;
    }
    sim_world_close(&world);
    return tally;
}

static void tell_point(const struct study *study, int density, const struct tally *tally)
{
    const struct curve_point *point = &tally->point;
    struct statistics_interval interval =
        statistics_wilson((struct statistics_rate){point->hits, point->count}, 0.95);
    printf("| %.0f kg | %.2f-%.2f | %.0f%% | %.3f | %.3f-%.3f | %.3f | %.3f |\n", point->mass_kg,
           densities[density], densities[density + 1], 100 * study->parcels_share,
           (double)point->hits / (double)point->count, interval.lower, interval.upper,
           (double)tally->marked / (double)point->count, (double)tally->odd / (double)point->count);
    (void)fflush(stdout);
}

static double seconds_of(clockid_t clock)
{
    struct timespec at;
    (void)clock_gettime(clock, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

/* A truck of full resolution, 18 MB in two energies, from decoded pixels to score. Time of the
 * processor beside that of the clock: on a busy machine only the former says something. */
static void measure_speed(const struct study *study)
{
    enum { ROUNDS = 15 };
    static const double density[2] = {0.3, 0.3};
    static struct sim_item item;
    struct study full = *study;
    full.scale = 1;
    struct sim_world *world = world_of(&full, SEED_CLEAN, density, 0);
    uint64_t index = 0;
    next_truck(world, &index, false, &item);
    double clock[ROUNDS], processor[ROUNDS], copy[ROUNDS];
    size_t bytes = 2 * (size_t)item.images[0].payload_bytes;
    uint8_t *to = malloc(bytes);
    check(to == NULL ? err_make(ERR_MEMORY, "speed") : err_none, "speed");
    for (int round = 0; round < ROUNDS; round++) {
        bool marked;
        double t = seconds_of(CLOCK_MONOTONIC), p = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        (void)judge(study, &item, &marked);
        clock[round] = seconds_of(CLOCK_MONOTONIC) - t;
        processor[round] = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - p;
        t = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        memcpy(to, item.pixels[0], bytes / 2);
        memcpy(to + bytes / 2, item.pixels[1], bytes / 2);
        copy[round] = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - t;
    }
    statistics_sort(clock, ROUNDS);
    statistics_sort(processor, ROUNDS);
    statistics_sort(copy, ROUNDS);
    printf(
        "| scan to score | %.1f MB | clock, median %.1f ms, best %.1f | processor, median %.1f ms,"
        " best %.1f | copying the pixels %.1f ms |\n",
        (double)bytes / 1e6, 1e3 * clock[ROUNDS / 2], 1e3 * clock[0], 1e3 * processor[ROUNDS / 2],
        1e3 * processor[0], 1e3 * copy[ROUNDS / 2]);
    free(to);
    sim_world_close(&world);
}

/* After each cell: a run that is ended early leaves the picture of what it measured. */
static void draw(const struct study *study, const struct curve_line lines[CELLS_DENSITY])
{
    const struct curve_labels labels = {
        "Hidden organic bricks detected in simulated mixed cargo, 5% false referrals",
        "hidden mass, kg; lines: density of the cargo as packed"};
    if (study->svg != NULL) {
        check(detection_curve_write(&labels, lines, CELLS_DENSITY, study->svg), study->svg);
    }
}

static void run(struct study *study, const char *model)
{
    struct train_report report = {.evaluation = ""};
    double begun = (double)clock_monotonic_ns();
    if (model == NULL) {
        train(study, &report);
        model = report.path;
    }
    (void)fprintf(stderr, "%s\n%s\n%.0f s\n", model, report.evaluation,
                  ((double)clock_monotonic_ns() - begun) / 1e9);
    const struct score_conf conf = {.image_bytes_max = UINT64_C(1) << 28,
                                    .history_slots = 1024,
                                    .working_height = study->height};
    check(score_open(&conf, &study->score), "scorer");
    check(score_install(study->score, model, NULL, NULL), model);
    measure_speed(study);
    if (study->speed_only) {
        score_close(&study->score);
        return;
    }
    find_thresholds(study);
    printf("threshold: logit %.3f; of all %u normal trucks, oddities included, %.3f\n\n"
           "| hidden | cargo, g/cm3 | loose parcels | detected | 95%% | and marked | threshold of "
           "all |\n"
           "|---|---|---|---|---|---|---|\n",
           study->threshold, study->clean_count, study->threshold_odd);
    static struct curve_line lines[CELLS_DENSITY];
    for (int density = 0; density < CELLS_DENSITY; density++) {
        lines[density] = (struct curve_line){.name = density_names[density]};
        lines[density].points_count = CELLS_MASS;
    }
    for (int n = 0; n < CELLS_MASS; n++) {
        for (int density = 0; density < CELLS_DENSITY; density++) {
            struct tally tally = measure(study, order[n], density);
            lines[density].points[order[n]] = tally.point;
            tell_point(study, density, &tally);
            draw(study, lines);
        }
    }
    score_close(&study->score);
}

static uint32_t count_of(const char *text, uint32_t most)
{
    long value = strtol(text, NULL, 10);
    return value < 20 ? 20 : value > (long)most ? most : (uint32_t)value;
}

int main(int argc, char **argv)
{
    struct study study = {.scale = 0.4,
                          .train_count = 320,
                          .threats_count = 200,
                          .clean_count = 300,
                          .hidden_count = 40,
                          .height = 256,
                          .models = "models"};
    const char *model = NULL;
    for (int option; (option = getopt(argc, argv, "s:p:t:c:n:o:g:m:S")) != -1;) {
        switch (option) {
        case 's':
            study.scale = strtod(optarg, NULL);
            break;
        case 'p':
            study.parcels_share = strtod(optarg, NULL);
            break;
        case 't':
            study.train_count = count_of(optarg, 2000);
            break;
        case 'c':
            study.clean_count = count_of(optarg, CLEAN_MAX);
            break;
        case 'n':
            study.hidden_count = count_of(optarg, 10000);
            break;
        case 'o':
            study.models = optarg;
            break;
        case 'g':
            study.svg = optarg;
            break;
        case 'S':
            study.speed_only = true;
            break;
        case 'm':
            model = optarg;
            break;
        default:
            (void)fprintf(stderr,
                          "usage: bench_trucks [-s scale] [-p share of parcels] [-t trucks "
                          "to learn] [-c normal trucks] [-n trucks a cell] [-o model folder]"
                          " [-m model] [-g picture.svg] [-S]\n");
            return 2;
        }
    }
    run(&study, model);
    return 0;
}
