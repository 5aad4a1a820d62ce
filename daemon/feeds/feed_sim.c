/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/durable.h"
#include "feeds/feed.h"
#include "feeds/image_sidecar.h"
#include "feeds/sim_truth.h"
#include "feeds/sim_wedge.h"
#include "feeds/sim_world.h"
#include "feeds/text_buffer.h"
#include "picture/picture.h"

/* The truth is kept in memory and written when the run ends: a million items are 300 MB, which is
 * the bound. */

#define TRUTH_BYTES_MAX (512u << 20)
#define START_DEFAULT "2026-01-05T06:00:00Z"

enum {
    OPTION_SEED = 0x2000,
    OPTION_COUNT,
    OPTION_MODES,
    OPTION_CONTRABAND,
    OPTION_MISDECLARE,
    OPTION_ODDITY,
    OPTION_MIXED,
    OPTION_PARCELS,
    OPTION_CARGO_DENSITY,
    OPTION_BRICKS,
    OPTION_CLEAN,
    OPTION_PER_SCAN,
    OPTION_SCALE,
    OPTION_MAIL_SCALE,
    OPTION_DEAD_ROWS,
    OPTION_START,
    OPTION_INTERVAL,
    OPTION_LABELS,
    OPTION_TRUTH,
    OPTION_HISTORY,
    OPTION_HISTORY_FACTOR,
    OPTION_SCANS_ONLY,
    OPTION_DECLARATIONS_ONLY,
    OPTION_WRITE,
    OPTION_THREATS,
    OPTION_FIRST,
    OPTION_DECLARED,
    OPTION_WEDGE
};

struct arguments {
    struct feed_options common; /* first: the child parser's input */
    struct sim_conf sim;
    uint64_t count;
    uint64_t first;
    bool scans_only;
    bool declarations_only;
    const char *labels_path;
    const char *truth_path;
    const char *history_path;
    const char *write_directory;
    const char *threats_directory;
    const char *declared_path;
    const char *wedge_directory;
};

static const struct argp_option option_table[] = {
    {"seed", OPTION_SEED, "N", 0, "the same seed and options give the same bytes (1)", 0},
    {"count", OPTION_COUNT, "N", 0, "items: vehicles and parcels, each with a declaration (100)",
     0},
    {"first", OPTION_FIRST, "N", 0, "begin with item N of the world (0)", 0},
    {"modes", OPTION_MODES, "LIST", 0,
     "which, and how often: \"truck,sea=2,mail=20\" (all six, once each)", 0},
    {"contraband-rate", OPTION_CONTRABAND, "R", 0, "share of items with something hidden (0.05)",
     0},
    {"misdeclare-rate", OPTION_MISDECLARE, "R", 0,
     "share with a wrong mass, ware or value, or loaded as empty (0.05)", 0},
    {"oddity-rate", OPTION_ODDITY, "R", 0, "share with something innocent that looks odd (0.15)",
     0},
    {"mixed-rate", OPTION_MIXED, "R", 0,
     "share of loaded trucks, containers and rail cars with mixed cargo (0)", 0},
    {"parcels-share", OPTION_PARCELS, "R", 0,
     "of the places in mixed cargo: loose parcels instead of pallets (0)", 0},
    {"cargo-density", OPTION_CARGO_DENSITY, "FROM:TO", 0,
     "of mixed cargo as packed, g/cm3 (0.1:0.6)", 0},
    {"bricks-kg", OPTION_BRICKS, "FROM:TO", 0,
     "contraband is bricks of organic powder among the goods, of such a mass (any contraband)", 0},
    {"clean", OPTION_CLEAN, NULL, 0, "no contraband and nothing misdeclared: for training", 0},
    {"declarations-per-scan", OPTION_PER_SCAN, "N", 0,
     "of N parcels one is scanned (10); others always are", 0},
    {"scale", OPTION_SCALE, "S", 0,
     "resolution of vehicle scans; 1 is 4 mm a pixel, 20 MB a truck (0.4)", 0},
    {"mail-scale", OPTION_MAIL_SCALE, "S", 0, "resolution of parcel scans; 1 is 1 mm a pixel (1)",
     0},
    {"dead-rows", OPTION_DEAD_ROWS, "N", 0,
     "one scan in ten has up to N dead detector channels (3)", 0},
    {"start", OPTION_START, "TIME", 0, "time of item 0, or \"now\" (" START_DEFAULT ")", 0},
    {"interval", OPTION_INTERVAL, "S", 0, "simulated seconds from item to item (20)", 0},
    {"labels", OPTION_LABELS, "FILE", 0, "write the truth about each item as CSV", 0},
    {"truth", OPTION_TRUTH, "FILE", 0, "write the truth about each item as lines of JSON", 0},
    {"declared", OPTION_DECLARED, "FILE", 0,
     "write what is declared of each scan as CSV: image,hs_code,net_mass_kg", 0},
    {"wedge", OPTION_WEDGE, "DIR", 0,
     "instead of sending anything write what a step wedge of plastic, aluminium, steel, copper and "
     "lead reads behind the scanners of these modes, as DIR/SCANNER-TYPE.csv",
     0},
    {"scans-only", OPTION_SCANS_ONLY, NULL, 0, "every item is scanned; no declarations", 0},
    {"declarations-only", OPTION_DECLARATIONS_ONLY, NULL, 0, "no scans", 0},
    {"history", OPTION_HISTORY, "FILE", 0,
     "instead of sending anything write COUNT labelled declarations of the year before as CSV", 0},
    {"history-factor", OPTION_HISTORY_FACTOR, "F", 0,
     "those were examined with cause: they break the rules F times as often as traffic (4)", 0},
    {"write", OPTION_WRITE, "DIR", 0,
     "instead of sending anything write the scans as 16-bit PNG with sidecars, into "
     "DIR/SCANNER-TYPE/",
     0},
    {"threats", OPTION_THREATS, "DIR", 0,
     "instead of sending anything write COUNT scans of bricks of organic powder alone in the air, "
     "of "
     "--bricks-kg (5:60), which triagectl projects into normal scans to train and to evaluate, "
     "into "
     "DIR/vehicle-portal/",
     0},
    {0}};

static void parse_modes(struct argp_state *state, const char *text, double weights[MODE_COUNT])
{
    char list[256];
    (void)snprintf(list, sizeof list, "%s", text);
    memset(weights, 0, MODE_COUNT * sizeof *weights);
    char *rest = list;
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        char *equals = strchr(word, '=');
        double weight = 1;
        if (equals != NULL) {
            *equals = '\0';
            weight = feed_number(state, "modes", equals + 1, (double[]){0, 1e9});
        }
        enum mode mode = mode_parse(word);
        if (mode == MODE_UNKNOWN) {
            argp_error(state, "--modes: %s is none of truck, passenger, rail, sea, air, mail",
                       word);
        }
        weights[mode] = weight;
    }
}

/* "FROM:TO", or one number for both. */
static void parse_range(struct argp_state *state, const char *name, const char *text,
                        const double limits[2], double range[2])
{
    char words[64];
    (void)snprintf(words, sizeof words, "%s", text);
    char *colon = strchr(words, ':');
    if (colon != NULL) {
        *colon = '\0';
    }
    range[0] = feed_number(state, name, words, limits);
    range[1] = colon == NULL ? range[0] : feed_number(state, name, colon + 1, limits);
    if (range[0] > range[1]) {
        argp_error(state, "--%s %s: the first number must not be the greater", name, text);
    }
}

static void parse_start(struct argp_state *state, const char *text, int64_t *start_ns)
{
    if (strcmp(text, "now") == 0) {
        *start_ns = clock_utc_ns();
    } else if (!image_sidecar_time(text, start_ns)) {
        argp_error(state, "--start %s: a time like %s or \"now\" is wanted", text, START_DEFAULT);
    }
}

static bool parse_path(int key, char *text, struct arguments *arguments)
{
    const char **place = key == OPTION_LABELS     ? &arguments->labels_path
                         : key == OPTION_TRUTH    ? &arguments->truth_path
                         : key == OPTION_HISTORY  ? &arguments->history_path
                         : key == OPTION_WRITE    ? &arguments->write_directory
                         : key == OPTION_THREATS  ? &arguments->threats_directory
                         : key == OPTION_DECLARED ? &arguments->declared_path
                         : key == OPTION_WEDGE    ? &arguments->wedge_directory
                                                  : NULL;
    if (place != NULL) {
        *place = text;
    }
    return place != NULL;
}

static bool parse_number(int key, char *text, struct argp_state *state, struct arguments *arguments)
{
    const struct {
        int key;
        const char *name;
        double range[2];
        double *number;
        uint64_t *whole;
    } numbers[] = {
        {OPTION_SEED, "seed", {0, 9e15}, NULL, &arguments->sim.seed},
        {OPTION_COUNT, "count", {1, 1e9}, NULL, &arguments->count},
        {OPTION_FIRST, "first", {0, 1e9}, NULL, &arguments->first},
        {OPTION_CONTRABAND, "contraband-rate", {0, 1}, &arguments->sim.contraband_rate, NULL},
        {OPTION_MISDECLARE, "misdeclare-rate", {0, 1}, &arguments->sim.misdeclare_rate, NULL},
        {OPTION_ODDITY, "oddity-rate", {0, 1}, &arguments->sim.oddity_rate, NULL},
        {OPTION_MIXED, "mixed-rate", {0, 1}, &arguments->sim.mixed_rate, NULL},
        {OPTION_PARCELS, "parcels-share", {0, 1}, &arguments->sim.parcels_share, NULL},
        {OPTION_HISTORY_FACTOR, "history-factor", {0, 100}, &arguments->sim.history_factor, NULL},
        {OPTION_PER_SCAN,
         "declarations-per-scan",
         {1, 1e9},
         &arguments->sim.mail_declarations_per_scan,
         NULL},
        {OPTION_SCALE, "scale", {0.02, 2}, &arguments->sim.scale, NULL},
        {OPTION_MAIL_SCALE, "mail-scale", {0.1, 4}, &arguments->sim.mail_scale, NULL},
        {OPTION_INTERVAL, "interval", {0, 86400}, &arguments->sim.interval_s, NULL},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].key != key) {
            continue;
        }
        double value = feed_number(state, numbers[i].name, text, numbers[i].range);
        if (numbers[i].number != NULL) {
            *numbers[i].number = value;
        } else {
            must(numbers[i].whole != NULL);
            *numbers[i].whole = (uint64_t)value;
        }
        return true;
    }
    return false;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (parse_path(key, text, arguments) || parse_number(key, text, state, arguments)) {
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case OPTION_MODES:
        parse_modes(state, text, arguments->sim.mode_weights);
        return 0;
    case OPTION_CARGO_DENSITY:
        parse_range(state, "cargo-density", text, (double[]){0.05, 1.5},
                    arguments->sim.cargo_density);
        return 0;
    case OPTION_BRICKS:
        parse_range(state, "bricks-kg", text, (double[]){1, 500}, arguments->sim.bricks_kg);
        return 0;
    case OPTION_CLEAN:
        arguments->sim.contraband_rate = 0;
        arguments->sim.misdeclare_rate = 0;
        return 0;
    case OPTION_SCANS_ONLY:
        arguments->scans_only = true;
        return 0;
    case OPTION_DECLARATIONS_ONLY:
        arguments->declarations_only = true;
        return 0;
    case ARGP_KEY_END:
        if (arguments->scans_only && arguments->declarations_only) {
            argp_error(state, "--scans-only and --declarations-only leave nothing");
        }
        return 0;
    case OPTION_DEAD_ROWS:
        arguments->sim.dead_rows_max =
            (uint32_t)feed_number(state, "dead-rows", text, (double[]){0, 64});
        return 0;
    case OPTION_START:
        parse_start(state, text, &arguments->sim.start_ns);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no argument is wanted: %s", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int complain(const char *path, struct err err)
{
    char text[ERR_TEXT_BYTES];
    (void)fprintf(stderr, "triage-feed sim: %s: %s\n", path, err_text(err, text));
    return FEED_EXIT_UNANSWERED;
}

static struct err write_history(const struct sim_world *world, const struct arguments *arguments)
{
    struct text_buffer text = {.bytes_max = TRUTH_BYTES_MAX};
    sim_truth_past_header(&text);
    for (uint64_t i = 0; i < arguments->count; i++) {
        struct sim_past past;
        sim_world_past(world, i, arguments->count, &past);
        sim_truth_past_row(&past, &text);
    }
    struct err err = text_buffer_write(&text, arguments->history_path);
    text_buffer_fini(&text);
    return err;
}

static struct err write_scan(const struct sim_item *item, const char *directory)
{
    static const char *const endings[] = {"_low.png", "_high.png", ".json"};
    char folder[DURABLE_PATH_BYTES], paths[3][DURABLE_PATH_BYTES];
    int written = snprintf(folder, sizeof folder, "%s/%s", directory, item->scan.scanner_type);
    for (int i = 0; i < 3 && written > 0 && written < (int)sizeof folder; i++) {
        written =
            snprintf(paths[i], sizeof paths[i], "%.440s/%s%s", folder, item->scan_id, endings[i]);
    }
    if (written < 0 || written >= (int)DURABLE_PATH_BYTES || strlen(folder) > 440) {
        return err_make(ERR_ARGUMENT, "path is too long");
    }
    struct err err = durable_directory(folder, 0755);
    for (int i = 0; i < 2 && !err_is(err); i++) {
        const struct image *image = &item->images[i];
        err = picture_write_png(paths[i], item->pixels[i], image->width, image->height, 1, 16);
    }
    return err_is(err) ? err : image_sidecar_write(paths[2], &item->scan);
}

/* Masses rise evenly in their logarithm from the first to the last threat. */
static struct err write_threats(struct sim_world *world, const struct arguments *arguments)
{
    const double any[2] = {5, 60};
    const double *range = arguments->sim.bricks_kg[1] > 0 ? arguments->sim.bricks_kg : any;
    struct err err = err_none;
    for (uint64_t i = 0; i < arguments->count && !err_is(err); i++) {
        double share = arguments->count > 1 ? (double)i / (double)(arguments->count - 1) : 0;
        struct sim_item item;
        err = sim_world_threat(world, arguments->first + i,
                               range[0] * pow(range[1] / range[0], share), &item);
        char mass[32];
        (void)snprintf(mass, sizeof mass, "%.3f", item.truth.hidden.mass_kg);
        const struct field other[2] = {{"mass_kg", mass}, {"material", item.truth.hidden.what}};
        item.scan.other = other;
        item.scan.other_count = 2;
        item.scan.keys_count = 0;
        err = err_is(err) ? err : write_scan(&item, arguments->threats_directory);
    }
    return err;
}

struct run {
    struct feed feed;
    struct sim_world *world;
    struct text_buffer labels;
    struct text_buffer truth;
    struct text_buffer declared;
};

static void note_truth(struct run *self, const struct arguments *arguments,
                       const struct sim_item *item)
{
    if (arguments->labels_path != NULL) {
        sim_truth_csv_row(item, &self->labels);
    }
    if (arguments->truth_path != NULL) {
        sim_truth_json_line(item, &self->truth);
    }
    if (arguments->declared_path != NULL && item->has_scan) {
        sim_truth_declared_row(item, &self->declared);
    }
}

/* A declaration nearly always comes first; now and then the vehicle is faster than its papers. */
static void send_item(struct run *self, const struct arguments *arguments,
                      const struct sim_item *item)
{
    bool scan_first = item->index % 10 == 7;
    if (scan_first && item->has_scan) {
        (void)feed_scan(&self->feed, &item->scan, item->pixels, item->scan_id);
    }
    if (!arguments->scans_only) {
        (void)feed_declaration(&self->feed, &item->declaration, item->declaration_id);
    }
    if (!scan_first && item->has_scan) {
        (void)feed_scan(&self->feed, &item->scan, item->pixels, item->scan_id);
    }
}

static struct err make_items(struct run *self, const struct arguments *arguments)
{
    self->feed.total = arguments->common.follow ? 0 : (double)arguments->count;
    for (uint64_t i = 0;
         (arguments->common.follow || i < arguments->count) && feed_goes_on(&self->feed); i++) {
        struct sim_item item;
        struct err err = sim_world_item(self->world, arguments->first + i, &item);
        if (err_is(err)) {
            return err;
        }
        note_truth(self, arguments, &item);
        if (arguments->write_directory == NULL) {
            send_item(self, arguments, &item);
        } else if (item.has_scan) {
            err = write_scan(&item, arguments->write_directory);
            self->feed.sent_count++;
        }
        if (err_is(err)) {
            return err;
        }
        self->feed.done = (double)(i + 1);
    }
    return err_none;
}

static struct err write_truth(const struct run *self, const struct arguments *arguments)
{
    struct err err = err_none;
    if (arguments->labels_path != NULL) {
        err = text_buffer_write(&self->labels, arguments->labels_path);
    }
    if (!err_is(err) && arguments->truth_path != NULL) {
        err = text_buffer_write(&self->truth, arguments->truth_path);
    }
    if (!err_is(err) && arguments->declared_path != NULL) {
        err = text_buffer_write(&self->declared, arguments->declared_path);
    }
    return err;
}

static int run(struct run *self, struct arguments *arguments)
{
    self->labels.bytes_max = self->truth.bytes_max = self->declared.bytes_max = TRUTH_BYTES_MAX;
    sim_truth_csv_header(&self->labels);
    sim_truth_declared_header(&self->declared);
    if (arguments->wedge_directory != NULL) {
        struct err err = sim_wedge_write(arguments->sim.mode_weights, arguments->wedge_directory);
        return err_is(err) ? complain(arguments->wedge_directory, err) : FEED_EXIT_GOOD;
    }
    struct err err = sim_world_open(&arguments->sim, &self->world);
    if (err_is(err)) {
        return complain("--modes", err);
    }
    if (arguments->history_path != NULL) {
        err = write_history(self->world, arguments);
        return err_is(err) ? complain(arguments->history_path, err) : FEED_EXIT_GOOD;
    }
    if (arguments->threats_directory != NULL) {
        err = write_threats(self->world, arguments);
        return err_is(err) ? complain(arguments->threats_directory, err) : FEED_EXIT_GOOD;
    }
    if (arguments->write_directory != NULL) {
        arguments->common.dry_run = true; /* nothing goes to a daemon */
    }
    if (err_is(feed_open(&self->feed, &arguments->common, "sim"))) {
        return FEED_EXIT_UNANSWERED;
    }
    err = make_items(self, arguments);
    int exit_code = feed_finish(&self->feed);
    if (!err_is(err)) {
        err = write_truth(self, arguments);
    }
    return err_is(err) ? complain("simulated port", err) : exit_code;
}

int feed_sim(int argc, char **argv)
{
    static const struct argp_child children[] = {{&feed_options_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table,
                                     parse_option,
                                     NULL,
                                     "A simulated port: vehicles and parcels with their "
                                     "declarations, dual-energy 16-bit scans, and the truth about "
                                     "them in files of their own.\vThe scans are Beer-Lambert "
                                     "transmission through simple shapes with photon noise: "
                                     "good for trying the whole line out, no evidence of detection "
                                     "in the field. --follow goes on without end. "
                                     "The past and the present of one seed have the same parties.",
                                     children,
                                     NULL,
                                     NULL};
    static struct arguments arguments;
    arguments = (struct arguments){.count = 100,
                                   .sim = {.seed = 1,
                                           .mode_weights = {0, 1, 1, 1, 1, 1, 1},
                                           .contraband_rate = 0.05,
                                           .misdeclare_rate = 0.05,
                                           .history_factor = 4,
                                           .oddity_rate = 0.15,
                                           .cargo_density = {0.1, 0.6},
                                           .mail_declarations_per_scan = 10,
                                           .scale = 0.4,
                                           .mail_scale = 1,
                                           .dead_rows_max = 3,
                                           .interval_s = 20}};
    (void)image_sidecar_time(START_DEFAULT, &arguments.sim.start_ns);
    feed_options_init(&arguments.common, "sim");
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) {
        return FEED_EXIT_USAGE;
    }
    arguments.sim.scans = arguments.scans_only          ? SIM_SCANS_ALL
                          : arguments.declarations_only ? SIM_SCANS_NONE
                                                        : SIM_SCANS_SOME;
    arguments.sim.site = arguments.common.site;
    arguments.sim.lane = arguments.common.lane;
    static struct run state;
    state = (struct run){0};
    int exit_code = run(&state, &arguments);
    sim_world_close(&state.world);
    text_buffer_fini(&state.labels);
    text_buffer_fini(&state.truth);
    text_buffer_fini(&state.declared);
    return exit_code;
}
