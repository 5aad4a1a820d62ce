/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_project.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "archive/model_file.h"
#include "ctl/detection_curve.h"
#include "ctl/image_options.h"
#include "ctl/json_text.h"
#include "ctl/project_report.h"
#include "feeds/image_folder.h"
#include "score/projection.h"
#include "score/score.h"
#include "score/score_companion.h"

/* `triagectl model evaluate --project`: every scan is scored as it is, and again with threats
 * projected into it. The threshold comes from the scans as they are, so they must be normal ones
 * that the model has not learnt. */

struct options {
    struct image_folder_conf images;
    struct image_folder_conf threats;
    struct project_conf conf;
    const char *model;
    const char *svg;
    const char *out;
    uint32_t times;
    uint64_t seed;
    double photons;
};

enum {
    OPTION_MODEL = 0x2000,
    OPTION_IMAGES,
    OPTION_PROJECT,
    OPTION_TIMES,
    OPTION_SEED,
    OPTION_FALSE_REFERRALS,
    OPTION_PHOTONS,
    OPTION_SVG,
    OPTION_OUT
};

static bool parse_text(int key, char *text, struct options *options)
{
    const char **place = key == OPTION_MODEL     ? &options->model
                         : key == OPTION_IMAGES  ? &options->images.directory
                         : key == OPTION_PROJECT ? &options->threats.directory
                         : key == OPTION_SVG     ? &options->svg
                         : key == OPTION_OUT     ? &options->out
                                                 : NULL;
    if (place != NULL) {
        *place = text;
    }
    return place != NULL;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (parse_text(key, text, options)) {
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->images;
        return 0;
    case OPTION_TIMES:
        options->times = (uint32_t)ctl_number(state, "times", text, 1000);
        return 0;
    case OPTION_SEED:
        options->seed = ctl_number(state, "seed", text, UINT64_MAX);
        return 0;
    case OPTION_FALSE_REFERRALS:
        options->conf.false_share = ctl_real(state, "false-referrals", text);
        return 0;
    case OPTION_PHOTONS:
        options->photons = ctl_real(state, "photons", text);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->model == NULL || options->images.directory == NULL ||
            options->threats.directory == NULL || options->times == 0) {
            argp_error(state, "--model, --images and --project are required, --times at least 1");
        }
        if (!(options->conf.false_share > 0 && options->conf.false_share < 1)) {
            argp_error(state, "--false-referrals takes a share between 0 and 1");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct projecting {
    const struct options *options;
    struct score *score;
    struct rng rng;
    char scanner_type[96];
    struct projection_threat threats[PROJECTION_THREATS_MAX];
    uint32_t threats_count;
    struct project_report report;
    struct score_result result;
    uint32_t skipped;
};

static int read_threats(struct projecting *self)
{
    char why[FOLDER_WHY_BYTES] = "";
    struct image_folder *folder = NULL;
    struct err err = image_folder_open(&self->options->threats, &folder, why);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", self->options->threats.directory, why);
    }
    for (uint32_t i = 0;
         i < image_folder_count(folder) && self->threats_count < PROJECTION_THREATS_MAX; i++) {
        struct folder_scan *scan = NULL;
        err = image_folder_read(folder, i, &scan, why);
        err = err_is(err)
                  ? err
                  : projection_take(&scan->scan, scan->pixels, &self->threats[self->threats_count]);
        self->threats_count += err_is(err) ? 0 : 1;
        if (err_is(err)) {
            ctl_fail(image_folder_name(folder, i), err);
        }
        folder_scan_close(&scan);
    }
    image_folder_close(&folder);
    return self->threats_count > 0
               ? CTL_GOOD
               : ctl_refuse("%s: no threat that can be used", self->options->threats.directory);
}

/* The score that the queue would go by; NaN when it cannot be scored. */
static double judge(struct projecting *self, const struct scan *scan,
                    const uint8_t *const pixels[RECORD_IMAGES_MAX])
{
    static struct score_input input;
    input = (struct score_input){.scans_count = 1, .scans = {{.scan = scan}}};
    memcpy(input.scans[0].pixels, pixels, sizeof input.scans[0].pixels);
    score_items(self->score, &input, &self->result, 1);
    return self->result.unscorable[0] == '\0' ? self->result.score.logit : (double)NAN;
}

static bool touches(const struct entry_region *region, const struct projection_box *box)
{
    return region->x < box->x + box->width && box->x < region->x + region->width &&
           region->y < box->y + box->height && box->y < region->y + region->height;
}

/* One threat into copies of the pixels. False when it does not fit anywhere or has not the energies
 * of the scan. */
static bool project(struct projecting *self, const struct scan *scan,
                    uint8_t *const copies[RECORD_IMAGES_MAX], struct projection_box *box,
                    struct project_row *row)
{
    uint32_t low_index;
    uint32_t index = score_main_image(scan, &low_index);
    const struct projection_threat *threat =
        &self->threats[rng_below(&self->rng, self->threats_count)];
    const struct image *image = &scan->images[index];
    *box = projection_size(threat, image);
    if (box->width == 0 || (low_index != UINT32_MAX && threat->images_count < 2) ||
        !projection_place(image, copies[index], &self->rng, self->options->conf.attenuation_min,
                          box, &row->background)) {
        return false;
    }
    row->mass_kg = threat->mass_kg;
    projection_apply(threat, 0, image, box, self->options->photons, &self->rng, copies[index]);
    if (low_index != UINT32_MAX) {
        projection_apply(threat, 1, &scan->images[low_index], box, self->options->photons,
                         &self->rng, copies[low_index]);
    }
    return true;
}

static size_t bytes_of(const struct image *image)
{
    return (size_t)image->width * image->height * (image->bits / 8);
}

static struct err project_all(struct projecting *self, const struct folder_scan *scan,
                              uint8_t *const copies[RECORD_IMAGES_MAX])
{
    struct err err = err_none;
    for (uint32_t n = 0; n < self->options->times && !err_is(err); n++) {
        for (uint32_t i = 0; i < scan->scan.images_count; i++) {
            memcpy(copies[i], scan->pixels[i], bytes_of(&scan->images[i]));
        }
        struct projection_box box;
        struct project_row row = {.mass_kg = NAN};
        if (!project(self, &scan->scan, copies, &box, &row)) {
            self->report.unplaced++;
            continue;
        }
        row.logit = judge(self, &scan->scan, (const uint8_t *const *)copies);
        for (uint32_t i = 0; i < self->result.score.regions_count; i++) {
            row.marked = row.marked || touches(&self->result.score.regions[i], &box);
        }
        err = project_report_add(&self->report, &row);
    }
    return err;
}

static struct err one_scan(struct projecting *self, struct folder_scan *scan)
{
    uint8_t *copies[RECORD_IMAGES_MAX] = {NULL};
    struct err err = err_none;
    scan->scan.scanner_type = self->scanner_type;
    double clean = judge(self, &scan->scan, (const uint8_t *const *)scan->pixels);
    if (isnan(clean)) {
        self->skipped++;
        return err_none;
    }
    err = project_report_add_clean(&self->report, clean);
    for (uint32_t i = 0; i < scan->scan.images_count && !err_is(err); i++) {
        copies[i] = malloc(bytes_of(&scan->images[i]));
        err = copies[i] == NULL ? err_make(ERR_MEMORY, "copy of a scan") : err;
    }
    err = err_is(err) ? err : project_all(self, scan, copies);
    for (uint32_t i = 0; i < scan->scan.images_count; i++) {
        free(copies[i]);
    }
    return err;
}

static int read_images(struct projecting *self)
{
    char why[FOLDER_WHY_BYTES] = "";
    struct image_folder *folder = NULL;
    struct err err = image_folder_open(&self->options->images, &folder, why);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", self->options->images.directory, why);
    }
    for (uint32_t i = 0; i < image_folder_count(folder) && !err_is(err); i++) {
        struct folder_scan *scan = NULL;
        if (err_is(image_folder_read(folder, i, &scan, why))) {
            ctl_refuse("%s: %s", image_folder_name(folder, i), why);
            self->skipped++;
            continue;
        }
        err = one_scan(self, scan);
        folder_scan_close(&scan);
    }
    image_folder_close(&folder);
    if (self->skipped > 0) {
        (void)fprintf(stderr, "triagectl: %u scans skipped\n", self->skipped);
    }
    return err_is(err) ? ctl_fail("project", err) : CTL_GOOD;
}

static int open_model(struct ctl *ctl, struct projecting *self)
{
    struct model_file *file = NULL;
    struct err err = model_file_open(self->options->model, NULL, &file);
    const char *type = err_is(err) ? NULL : model_file_text(file, "scanner_type");
    const bool typed = type != NULL;
    (void)snprintf(self->scanner_type, sizeof self->scanner_type, "%s", typed ? type : "");
    model_file_close(&file);
    if (!err_is(err) && !typed) {
        return ctl_refuse("%s: is no model of images", self->options->model);
    }
    const struct score_conf conf = {.image_bytes_max = UINT64_C(1) << 30,
                                    .history_slots = 1024,
                                    .working_height = (uint32_t)ctl->conf.judge_working_height};
    err = err_is(err) ? err : score_open(&conf, &self->score);
    err = err_is(err) ? err : score_install(self->score, self->options->model, NULL, NULL);
    return err_is(err) ? ctl_fail(self->options->model, err) : CTL_GOOD;
}

static int run(struct ctl *ctl, const struct options *options)
{
    struct projecting *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return ctl_refuse("no memory");
    }
    self->options = options;
    self->report.conf = options->conf;
    rng_init(&self->rng, options->seed, 0);
    int result = open_model(ctl, self);
    result = result == CTL_GOOD ? read_threats(self) : result;
    result = result == CTL_GOOD ? read_images(self) : result;
    if (result == CTL_GOOD) {
        result = project_report_tell(&self->report, ctl->json);
    }
    if (result == CTL_GOOD && options->svg != NULL) {
        struct err err = project_report_draw(&self->report, options->svg);
        result = err_is(err) ? ctl_fail(options->svg, err) : CTL_GOOD;
    }
    if (result == CTL_GOOD && options->out != NULL) {
        struct err err = project_report_write(&self->report, options->out);
        result = err_is(err) ? ctl_fail(options->out, err) : CTL_GOOD;
    }
    for (uint32_t i = 0; i < self->threats_count; i++) {
        projection_threat_fini(&self->threats[i]);
    }
    project_report_fini(&self->report);
    score_close(&self->score);
    free(self);
    return result;
}

bool ctl_project_is_asked(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--project", 9) == 0 && (argv[i][9] == '\0' || argv[i][9] == '=')) {
            return true;
        }
    }
    return false;
}

int ctl_project(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0, "made by `model train appearance` (required)", 1},
        {"images", OPTION_IMAGES, "DIR", 0, "normal scans that it has not learnt (required)", 1},
        {"project", OPTION_PROJECT, "DIR", 0,
         "scans of threats alone in the air, of the same energies; a sidecar's other.mass_kg is "
         "the mass (required)",
         1},
        {"times", OPTION_TIMES, "K", 0, "threats a scan, one at a time (4)", 1},
        {"seed", OPTION_SEED, "N", 0, "of threats and places (1)", 1},
        {"false-referrals", OPTION_FALSE_REFERRALS, "SHARE", 0,
         "of the scans as they are beyond the threshold (0.05)", 1},
        {"photons", OPTION_PHOTONS, "N", 0,
         "a pixel behind air: adds the noise that a darker pixel lacks (0: none)", 1},
        {"svg", OPTION_SVG, "FILE", 0, "draw detection over mass, by background", 1},
        {"out", OPTION_OUT, "FILE", 0, "a row per projection as CSV", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "Threat image projection: how often a model notices threats multiplied into normal scans, "
        "in"
        " transmission space, by mass and by what lies before and behind them.",
        image_sample_children,
        NULL,
        NULL};
    struct options options = {.images = image_options_default("evaluation"),
                              .threats = image_options_default("evaluation"),
                              .conf = {.false_share = 0.05, .attenuation_min = 0.3},
                              .times = 4,
                              .seed = 1};
    ctl_parse(ctl, &own, &options, argc, argv);
    return ctl_settle(ctl) ? run(ctl, &options) : CTL_REFUSED;
}
