/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/detection_curve.h"
#include "feeds/sim_scanner.h"
#include "feeds/sim_world.h"
#include "kernels/statistics.h"
#include "score/image_scorer.h"
#include "score/score.h"

/* Hidden organic masses in simulated dual-energy trucks of mixed cargo, for a model that was
 * trained by the commands of trucks.sh: sets the threshold on normal trucks of another seed than it
 * learnt from, and counts how many trucks of further seeds, in which bricks really displace goods,
 * score beyond it. All through image_scorer_run(), as `triagectl model score --image-scores` does.
 * Beside it stands what nobody can do better: an observer who knows the truck without the bricks,
 * the bricks and their place up to a thousand places, and is disturbed by photons alone. */

#define WORKING_HEIGHT 256
/* The simulator's truck portal (feeds/sim_scanner.c). */
#define PHOTONS_IN_AIR 60000.0
#define ELECTRONS 3.0
#define CELLS_MASS 5
#define CELLS_DENSITY 5
static const double masses_kg[CELLS_MASS] = {5, 10, 20, 30, 50};
/* The asked figure first. */
static const int order[CELLS_MASS] = {2, 3, 1, 4, 0};
static const double densities[CELLS_DENSITY + 1] = {0.1, 0.2, 0.3, 0.45, 0.6, 1.0};
static const char *const density_names[CELLS_DENSITY] = {"0.10-0.20 g/cm3", "0.20-0.30",
                                                         "0.30-0.45", "0.45-0.60", "0.60-1.00"};
enum { SEED_CLEAN = 902, SEED_HIDDEN = 1000, CLEAN_MAX = 4000, TRUCKS_MAX = 10000 };

struct study {
    double scale;
    double parcels_share;
    uint32_t clean_count;
    uint32_t hidden_count; /* a cell */
    uint32_t ideal_count;  /* of these the ideal observer looks at */
    bool speed_only;
    const char *svg;
    struct image_scorer *scorer;
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

/* The score of the scan; *marked: its best mark touches what is hidden. */
static double judge(const struct study *study, const struct sim_item *item, bool *marked)
{
    static struct image_marks found;
    const void *const pixels[2] = {item->pixels[0], item->pixels[1]};
    image_scorer_run(study->scorer, &item->scan, pixels, &found);
    check(found.judged == 1 ? err_none : err_make(ERR_IMAGE_UNREADABLE, "truck"), "score");
    const int32_t *box = item->truth.hidden_px;
    const struct image_mark *mark = &found.marks[0];
    *marked = found.marks_count > 0 && (int64_t)mark->x < box[2] && (int64_t)mark->y < box[3] &&
              box[0] < (int64_t)mark->x + mark->width && box[1] < (int64_t)mark->y + mark->height;
    return found.score;
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

/* What there is to see of the bricks, by the same truck without them. */
struct sight {
    double separation; /* of the ideal observer, in standard deviations */
    double rise;       /* of the attenuation of the high energy, in the middle of the bricks */
};

/* Sums of 4 x 4 pixels: photons of both trucks, whose noise is small enough to be told from bricks.
 */
static struct sight compare(const struct sim_item *with, const struct sim_item *without)
{
    enum { BLOCK = 4 };
    const double per_level = PHOTONS_IN_AIR / (SIM_AIR_LEVEL - SIM_DARK_LEVEL);
    const int32_t *box = with->truth.hidden_px;
    double squares = 0;
    static double rises[1 << 16];
    uint32_t rises_count = 0;
    for (int32_t y = box[1]; y + BLOCK <= box[3]; y += BLOCK) {
        for (int32_t x = box[0]; x + BLOCK <= box[2]; x += BLOCK) {
            for (int energy = 0; energy < 2; energy++) {
                double photons[2] = {0, 0};
                for (int i = 0; i < BLOCK * BLOCK; i++) {
                    size_t at = (size_t)(y + i / BLOCK) * with->images[energy].width +
                                (size_t)(x + i % BLOCK);
                    photons[0] += (double)((const uint16_t *)with->pixels[energy])[at];
                    photons[1] += (double)((const uint16_t *)without->pixels[energy])[at];
                }
                for (int k = 0; k < 2; k++) {
                    photons[k] = (photons[k] - BLOCK * BLOCK * (double)SIM_DARK_LEVEL) * per_level;
                    photons[k] = photons[k] > 1 ? photons[k] : 1;
                }
                double variance =
                    (photons[0] + photons[1]) / 2 + BLOCK * BLOCK * ELECTRONS * ELECTRONS;
                double difference = photons[1] - photons[0];
                squares += difference * difference / variance - 2; /* both trucks are noisy */
                if (energy == 1 && rises_count < sizeof rises / sizeof rises[0]) {
                    rises[rises_count++] = log(photons[1] / photons[0]);
                }
            }
        }
    }
    statistics_sort(rises, rises_count);
    return (struct sight){sqrt(squares > 0 ? squares : 0),
                          rises_count > 0 ? statistics_quantile(rises, rises_count, 0.5) : 0};
}

struct tally {
    struct curve_point point;
    uint32_t marked;
    uint32_t odd; /* beyond the threshold of all normal trucks */
    uint32_t ideal_count;
    double ideal; /* found by the ideal observer, expected */
    double separations[TRUCKS_MAX];
    double rises[TRUCKS_MAX];
};

/* Among a thousand places a twentieth of the normal trucks is beyond this many deviations. */
static const double ideal_threshold = 3.89;

static void look_ideally(const struct sim_item *item, const struct sim_item *bare,
                         struct tally *tally)
{
    struct sight sight = compare(item, bare);
    tally->ideal += 0.5 * erfc((ideal_threshold - sight.separation) / M_SQRT2);
    tally->separations[tally->ideal_count] = sight.separation;
    tally->rises[tally->ideal_count++] = sight.rise;
}

static void measure(const struct study *study, int mass, int density, struct tally *tally)
{
    static struct sim_item item, bare;
    uint64_t seed = SEED_HIDDEN + (uint64_t)(mass * CELLS_DENSITY + density);
    struct sim_world *world = world_of(study, seed, densities + density, masses_kg[mass]);
    struct sim_world *without = world_of(study, seed, densities + density, 0);
    *tally = (struct tally){.point = {masses_kg[mass], 0, study->hidden_count}};
    uint64_t index = 0;
    for (uint32_t i = 0; i < study->hidden_count; i++) {
        bool marked;
        next_truck(world, &index, true, &item);
        double score = judge(study, &item, &marked);
        bool found = score > study->threshold;
        tally->point.hits += found;
        tally->marked += found && marked;
        tally->odd += score > study->threshold_odd;
        if (i < study->ideal_count) {
            check(sim_world_item(without, index - 1, &bare), "truck");
            look_ideally(&item, &bare, tally);
        }
    }
    sim_world_close(&world);
    sim_world_close(&without);
    statistics_sort(tally->separations, tally->ideal_count);
    statistics_sort(tally->rises, tally->ideal_count);
}

static void tell_point(const struct study *study, int density, const struct tally *tally)
{
    const struct curve_point *point = &tally->point;
    struct statistics_interval interval =
        statistics_wilson((struct statistics_rate){point->hits, point->count}, 0.95);
    printf("| %.0f kg | %.2f-%.2f | %.0f%% | %.3f | %.3f-%.3f | %.3f | %.3f |", point->mass_kg,
           densities[density], densities[density + 1], 100 * study->parcels_share,
           (double)point->hits / (double)point->count, interval.lower, interval.upper,
           (double)tally->marked / (double)point->count, (double)tally->odd / (double)point->count);
    if (tally->ideal_count > 0) {
        printf(" %.3f | %.0f | %.2f | %.2f |", tally->ideal / tally->ideal_count,
               tally->separations[0], statistics_quantile(tally->rises, tally->ideal_count, 0.1),
               statistics_quantile(tally->rises, tally->ideal_count, 0.5));
    }
    printf("\n");
    (void)fflush(stdout);
}

static double seconds_of(clockid_t clock)
{
    struct timespec at;
    (void)clock_gettime(clock, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

/* All that the daemon does with a scan: finder, patches against the bank, lumps if there are any.
 */
static void score_once(struct score *score, const struct sim_item *item)
{
    static struct score_input input;
    static struct score_result result;
    input = (struct score_input){.scans_count = 1, .scans = {{.scan = &item->scan}}};
    input.scans[0].pixels[0] = item->pixels[0];
    input.scans[0].pixels[1] = item->pixels[1];
    score_items(score, &input, &result, 1);
    /* Without an appearance model of its scanner a truck costs next to nothing. */
    check(result.unscorable[0] == '\0' ? err_none : err_make(ERR_MODEL_UNREADABLE, "no model"),
          "a model of vehicle-portal");
}

/* With a model that was taught on trucks of that resolution. A truck of full resolution, 18 MB in
 * two energies, from decoded pixels to score. Time of the processor beside that of the clock: on a
 * busy machine only the former says something. */
static void measure_speed(const struct study *study, const char *model)
{
    enum { ROUNDS = 15 };
    static const double density[2] = {0.3, 0.3};
    static struct sim_item item;
    struct study full = *study;
    struct score *score = NULL;
    const struct score_conf conf = {.image_bytes_max = UINT64_C(1) << 28,
                                    .history_slots = 1024,
                                    .working_height = WORKING_HEIGHT};
    check(score_open(&conf, &score), "scorer");
    check(score_install(score, model, NULL, NULL), model);
    full.scale = 1;
    struct sim_world *world = world_of(&full, SEED_CLEAN, density, 0);
    uint64_t index = 0;
    next_truck(world, &index, false, &item);
    double clock[ROUNDS], processor[ROUNDS], copy[ROUNDS];
    size_t bytes = 2 * (size_t)item.images[0].payload_bytes;
    uint8_t *to = malloc(bytes);
    check(to == NULL ? err_make(ERR_MEMORY, "speed") : err_none, "speed");
    for (int round = 0; round < ROUNDS; round++) {
        double t = seconds_of(CLOCK_MONOTONIC), p = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        score_once(score, &item);
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
    score_close(&score);
}

enum { LINES = CELLS_DENSITY + 1 }; /* the last is the ideal observer's worst density */

/* After each cell: a run that is ended early leaves the picture of what it measured. */
static void draw(const struct study *study, const struct curve_line lines[LINES])
{
    const struct curve_labels labels = {
        "Hidden organic bricks detected in simulated mixed cargo, 5% false referrals",
        "hidden mass, kg; lines: density of the cargo as packed"};
    if (study->svg != NULL) {
        check(detection_curve_write(&labels, lines, study->ideal_count > 0 ? LINES : CELLS_DENSITY,
                                    study->svg),
              study->svg);
    }
}

static void add_ideal(const struct tally *tally, struct curve_point *point)
{
    uint64_t hits = (uint64_t)(tally->ideal + 0.5);
    bool worse = point->count == 0 || hits * point->count < point->hits * tally->ideal_count;
    if (worse) {
        *point = (struct curve_point){tally->point.mass_kg, hits, tally->ideal_count};
    }
}

static void measure_all(const struct study *study)
{
    static struct curve_line lines[LINES];
    static struct tally tally;
    for (int line = 0; line < LINES; line++) {
        lines[line].name = line < CELLS_DENSITY ? density_names[line] : "ideal, worst";
        lines[line].points_count = CELLS_MASS;
    }
    for (int n = 0; n < CELLS_MASS; n++) {
        for (int density = 0; density < CELLS_DENSITY; density++) {
            measure(study, order[n], density, &tally);
            lines[density].points[order[n]] = tally.point;
            if (tally.ideal_count > 0) {
                add_ideal(&tally, &lines[CELLS_DENSITY].points[order[n]]);
            }
            tell_point(study, density, &tally);
            draw(study, lines);
        }
    }
}

static void run(struct study *study, const char *model)
{
    check(image_scorer_open(model, &study->scorer), model);
    if (study->speed_only) {
        measure_speed(study, model);
    } else {
        find_thresholds(study);
        printf("\nthreshold: %.4f; of all %u normal trucks, oddities included, %.4f\n\n"
               "| hidden | cargo, g/cm3 | loose parcels | detected | 95%% | and marked | threshold "
               "of all |%s\n|---|---|---|---|---|---|---|%s\n",
               study->threshold, study->clean_count, study->threshold_odd,
               study->ideal_count > 0 ? " ideal observer | its least d' | rise, tenth | median |"
                                      : "",
               study->ideal_count > 0 ? "---|---|---|---|" : "");
        measure_all(study);
    }
    image_scorer_close(&study->scorer);
}

static uint32_t count_of(const char *text, long least, long most)
{
    long value = strtol(text, NULL, 10);
    return (uint32_t)(value < least ? least : value > most ? most : value);
}

int main(int argc, char **argv)
{
    struct study study = {.scale = 0.4, .clean_count = 300, .hidden_count = 40, .ideal_count = 10};
    const char *model = NULL;
    for (int option; (option = getopt(argc, argv, "s:p:c:n:i:g:m:S")) != -1;) {
        switch (option) {
        case 's':
            study.scale = strtod(optarg, NULL);
            break;
        case 'p':
            study.parcels_share = strtod(optarg, NULL);
            break;
        case 'c':
            study.clean_count = count_of(optarg, 20, CLEAN_MAX);
            break;
        case 'n':
            study.hidden_count = count_of(optarg, 5, TRUCKS_MAX);
            break;
        case 'i':
            study.ideal_count = count_of(optarg, 0, TRUCKS_MAX);
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
            model = NULL;
            optind = argc;
        }
    }
    if (model == NULL) {
        (void)fprintf(stderr, "usage: bench_trucks -m model [-s scale] [-p share of parcels] [-c "
                              "normal trucks] [-n trucks a cell] [-i of which the ideal observer "
                              "sees] [-g picture.svg] [-S]\n");
        return 2;
    }
    run(&study, model);
    return 0;
}
