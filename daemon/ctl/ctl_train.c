/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "base/team.h"
#include "ctl/declaration_options.h"
#include "ctl/image_options.h"
#include "ctl/json_text.h"
#include "ctl/progress.h"
#include "ctl/train_finder.h"
#include "ctl/train_scans.h"
#include "feeds/declaration_csv.h"
#include "feeds/image_folder.h"
#include "score/score_companion.h"
#include "score/train.h"

/* Training reads what triage-feed would send, through the same readers and in the same order, so
 * that "every second image" means the same images in both. It writes model files and nothing else;
 * installing is another, logged, step. */

struct train_options {
    struct image_folder_conf folder;
    struct train_appearance_conf appearance;
    struct train_finder_conf finder;
    struct declaration_csv_conf table;
    const char *out;
    const char *threats; /* folder, or NULL */
    uint64_t seed;
};

static json_t *report_json(const struct train_report *report)
{
    json_t *out = json_object();
    json_object_set_new(out, "path", json_text(report->path));
    json_object_set_new(out, "name", json_text(report->name));
    json_object_set_new(out, "sha256", json_hex("", report->sha256, HASH_BYTES));
    json_object_set_new(out, "evaluation", json_text(report->evaluation));
    return out;
}

static int tell(const struct ctl *ctl, const struct train_report *reports, uint32_t count)
{
    if (ctl->json) {
        json_t *array = json_array();
        for (uint32_t i = 0; i < count; i++) {
            json_array_append_new(array, report_json(&reports[i]));
        }
        return json_print(array, true);
    }
    for (uint32_t i = 0; i < count; i++) {
        printf("%s\n  %s\n  %s\n", reports[i].name, reports[i].path, reports[i].evaluation);
    }
    return CTL_GOOD;
}

/* All of the folder, whatever part of the images is learnt from. */
static int open_threats(const struct train_options *options, struct image_folder **out)
{
    char why[FOLDER_WHY_BYTES] = "";
    struct image_folder_conf conf = options->folder;
    conf.directory = options->threats;
    conf.list_path = conf.skip_list_path = NULL;
    conf.every = 1;
    conf.offset = 0;
    struct err err = image_folder_open(&conf, out, why);
    return err_is(err) ? ctl_refuse("%s: %s", options->threats, why) : CTL_GOOD;
}

static int learn_threats(struct train_appearance *train, const struct image_folder *folder)
{
    char why[FOLDER_WHY_BYTES] = "";
    int result = CTL_GOOD;
    for (uint32_t i = 0; i < image_folder_count(folder) && result == CTL_GOOD; i++) {
        struct folder_scan *scan = NULL;
        const char *name = image_folder_name(folder, i);
        if (err_is(image_folder_read(folder, i, &scan, why))) {
            result = ctl_refuse("%s: %s", name, why);
            continue;
        }
        uint32_t high = 0, low = 0;
        const struct image *low_image = NULL;
        for (uint32_t k = 0; k < scan->scan.images_count && low_image == NULL; k++) {
            high = k;
            low_image = score_low_companion(&scan->scan, k, &low);
        }
        const struct train_image given = {.image = &scan->images[high],
                                          .pixels = scan->pixels[high],
                                          .name = name,
                                          .low_image = low_image,
                                          .low_pixels =
                                              low_image != NULL ? scan->pixels[low] : NULL};
        const struct err err = train_appearance_threat(train, &given);
        result = err_is(err) ? ctl_fail(name, err) : CTL_GOOD;
        folder_scan_close(&scan);
    }
    return result;
}

static int learn_images(struct ctl *ctl, struct train_appearance *train,
                        const struct image_folder *folder, const struct train_options *options)
{
    const char *out = options->out;
    uint32_t count = image_folder_count(folder);
    uint32_t skipped = 0;
    if (count == 0) {
        return ctl_refuse("%s: no images", options->folder.directory);
    }
    for (uint32_t i = 0; i < count; i++) {
        char why[FOLDER_WHY_BYTES] = "";
        struct folder_scan *scan = NULL;
        const char *name = image_folder_name(folder, i);
        struct err err = image_folder_read(folder, i, &scan, why);
        if (err_is(err)) {
            ctl_refuse("%s: %s", name, why);
            skipped++;
            continue;
        }
        err = train_scans_add(train, scan, name, &skipped);
        folder_scan_close(&scan);
        if (err_is(err)) {
            return ctl_fail(name, err);
        }
        progress_show("images", i + 1, count);
    }
    if (skipped > 0) {
        (void)fprintf(stderr, "triagectl: %u images skipped\n", skipped);
    }
    bool with_finder = options->finder.marks != NULL || options->finder.threats_alone;
    if (with_finder && !train_finder(&options->finder, folder, train)) {
        return CTL_REFUSED;
    }
    struct train_report report;
    struct err err = train_appearance_write(train, out, &report);
    return err_is(err) ? ctl_fail(out, err) : tell(ctl, &report, 1);
}

static bool make_out(const char *out)
{
    struct err err = durable_directory(out, 0755);
    if (err_is(err)) {
        ctl_fail(out, err);
    }
    return !err_is(err);
}

enum {
    OPTION_IMAGES = 0x2000,
    OPTION_SCANNER_TYPE,
    OPTION_OUT,
    OPTION_SEED,
    OPTION_BANK,
    OPTION_DIMENSIONS,
    OPTION_HEIGHT,
    OPTION_PROJECT,
    OPTION_FINDER,
    OPTION_MARKS,
    OPTION_GROUPS,
    OPTION_EPOCHS,
    OPTION_THREADS,
};

static error_t parse_appearance(int key, char *text, struct argp_state *state)
{
    struct train_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->folder;
        return 0;
    case OPTION_IMAGES:
        options->folder.directory = text;
        return 0;
    case OPTION_SCANNER_TYPE:
        options->appearance.scanner_type = text;
        options->folder.scanner_type = text;
        return 0;
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_SEED:
        options->appearance.seed = ctl_number(state, "seed", text, UINT64_MAX);
        options->finder.seed = options->appearance.seed;
        return 0;
    case OPTION_MARKS:
        options->finder.marks = text;
        return 0;
    case OPTION_GROUPS:
        options->finder.groups = text;
        return 0;
    case OPTION_EPOCHS:
        options->finder.epochs = ctl_real(state, "epochs", text);
        return 0;
    case OPTION_THREADS:
        options->finder.threads = (uint32_t)ctl_number(state, "threads", text, TEAM_THREADS_MAX);
        return 0;
    case OPTION_BANK:
        options->appearance.bank_patches_max = (uint32_t)ctl_number(state, "bank", text, 65536);
        return 0;
    case OPTION_DIMENSIONS:
        options->appearance.dimensions = (uint32_t)ctl_number(state, "dimensions", text, 128);
        return 0;
    case OPTION_PROJECT:
        options->threats = text;
        return 0;
    case OPTION_FINDER:
        options->finder.threats_alone = true;
        return 0;
    case OPTION_HEIGHT:
        options->appearance.working_height = (uint32_t)ctl_number(state, "height", text, 4096);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->folder.directory == NULL || options->out == NULL) {
            argp_error(state, "--images and --out are required");
        }
        if (options->finder.threats_alone && options->threats == NULL) {
            argp_error(state, "--finder needs the threats of --project");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int train_images(struct ctl *ctl, struct train_options *options)
{
    char why[FOLDER_WHY_BYTES] = "";
    struct image_folder *folder = NULL;
    struct err err = image_folder_open(&options->folder, &folder, why);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", options->folder.directory, why);
    }
    struct train_appearance *train = NULL;
    struct image_folder *threats = NULL;
    err = train_appearance_open(&options->appearance, &train);
    int result = err_is(err) ? ctl_fail("train", err) : CTL_GOOD;
    if (result == CTL_GOOD && options->threats != NULL) {
        result = open_threats(options, &threats);
        result = result == CTL_GOOD ? learn_threats(train, threats) : result;
        options->finder.threats = threats;
    }
    result = result == CTL_GOOD ? learn_images(ctl, train, folder, options) : result;
    image_folder_close(&threats);
    train_appearance_close(&train);
    image_folder_close(&folder);
    return result;
}

int ctl_model_train_appearance(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"images", OPTION_IMAGES, "DIR", 0,
         "images of normal traffic, as triage-feed images reads them (required)", 1},
        {"scanner-type", OPTION_SCANNER_TYPE, "T", 0,
         "the model becomes appearance/T (default: default)", 1},
        {"out", OPTION_OUT, "DIR", 0, "where the model file goes (required)", 1},
        {"marks", OPTION_MARKS, "PATH", 0,
         "what officers marked on them, to learn to find the like: folder of Pascal-VOC files, or"
         " table image,x,y,width,height",
         1},
        {"groups", OPTION_GROUPS, "FILE", 0,
         "table image,group of versions of one scan (default: the name before .rf. or the ending)",
         1},
        {"epochs", OPTION_EPOCHS, "N", 0,
         "with --marks or --finder: how often each image is looked at (default: 30, of two "
         "energies "
         "120, more for few images)",
         1},
        {"threads", OPTION_THREADS, "N", 0,
         "with --marks or --finder (default: up to 4); the model does not depend on it", 1},
        {"project", OPTION_PROJECT, "DIR", 0,
         "dual-energy scans of threats alone in the air: also learn to notice such lumps in loads;"
         " with --marks the finder learns from them, too, put into the images",
         1},
        {"finder", OPTION_FINDER, NULL, 0,
         "with --project, where nobody marked anything: also train a finder, by the threats put "
         "into half of the images",
         1},
        {"seed", OPTION_SEED, "N", 0, "of the sampling (default 1)", 1},
        {"bank", OPTION_BANK, "N", 0, "patches kept in the memory bank (default 4096)", 1},
        {"dimensions", OPTION_DIMENSIONS, "N", 0, "of an embedding (default 64)", 1},
        {"height", OPTION_HEIGHT, "PIXELS", 0,
         "images are reduced to at most this (default: judge.working_height)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_appearance,
        "",
        "Learn what normal images of a scanner type look like. Same images, options and machine:"
        " same file.",
        image_sample_children,
        NULL,
        NULL};
    struct train_options options = {.folder = image_options_default("training"),
                                    .appearance = {.scanner_type = "default",
                                                   .bank_patches_max = TRAIN_BANK_PATCHES,
                                                   .dimensions = TRAIN_DIMENSIONS,
                                                   .seed = 1},
                                    .finder = {.seed = 1}};
    options.folder.scanner_type = options.appearance.scanner_type;
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl) || !make_out(options.out)) {
        return CTL_REFUSED;
    }
    if (options.appearance.working_height == 0) {
        options.appearance.working_height = (uint32_t)ctl->conf.judge_working_height;
    }
    return train_images(ctl, &options);
}

static error_t parse_history(int key, char *text, struct argp_state *state)
{
    struct train_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->table;
        return 0;
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_SEED:
        options->seed = ctl_number(state, "seed", text, UINT64_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->table.path == NULL || options->table.mapping_path == NULL ||
            options->out == NULL) {
            argp_error(state, "--declarations, --mapping and --out are required");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Rows must come in the order of time; a bad or unlabelled row is counted, not guessed at. */
static int learn_rows(struct ctl *ctl, struct train_history *train, struct declaration_csv *table,
                      const struct train_options *options)
{
    char error[CSV_ERROR_BYTES] = "";
    uint64_t used = 0;
    uint64_t skipped = 0;
    enum csv_step step = CSV_ROW;
    while (step != CSV_END) {
        struct declaration_row row;
        struct err err = declaration_csv_next(table, &row, &step, error);
        if (err_is(err)) {
            return ctl_refuse("%s: %s", options->table.path, error);
        }
        if (step != CSV_ROW) {
            continue;
        }
        if (row.problem != NULL || !row.labelled) {
            skipped++;
            continue;
        }
        err = train_history_add(train, &row.declaration, row.found, row.declaration.declared_ns);
        if (err.code == ERR_ARGUMENT) {
            return ctl_refuse("%s:%" PRIu64 ": %s", options->table.path, row.line, err.where);
        }
        if (err_is(err)) {
            return ctl_fail(options->table.path, err);
        }
        used++;
        progress_show("bytes of the table", row.end_offset, declaration_csv_bytes(table));
    }
    (void)fprintf(stderr,
                  "%" PRIu64 " labelled rows, %" PRIu64 " skipped (unlabelled or unreadable)\n",
                  used, skipped);
    struct train_report reports[2];
    struct err err = train_history_write(train, options->out, &reports[0], &reports[1]);
    return err_is(err) ? ctl_fail(options->out, err) : tell(ctl, reports, 2);
}

int ctl_model_train_history(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"out", OPTION_OUT, "DIR", 0, "where the two model files go (required)", 1},
        {"seed", OPTION_SEED, "N", 0, "of the fit (default 1)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_history,
        "",
        "Learn from past exams of declarations, a table in the order of time: makes the models"
        " history and fusion. --declarations, --mapping, which names the labels, and --out are"
        " required.",
        declaration_options_children,
        NULL,
        NULL};
    struct train_options options = {.seed = 1, .table = {.site = "training", .lane = ""}};
    char error[CSV_ERROR_BYTES] = "";
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!make_out(options.out)) {
        return CTL_REFUSED;
    }
    struct declaration_csv *table = NULL;
    struct err err = declaration_csv_open(&options.table, &table, error);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", options.table.path, error);
    }
    struct train_history *train = NULL;
    err = train_history_open(options.seed, &train);
    int result = err_is(err) ? ctl_fail("train", err) : learn_rows(ctl, train, table, &options);
    train_history_close(&train);
    declaration_csv_close(&table);
    return result;
}
