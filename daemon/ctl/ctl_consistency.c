/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_consistency.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/consistency_figures.h"
#include "ctl/consistency_reader.h"
#include "ctl/consistency_tell.h"
#include "ctl/image_options.h"
#include "ctl/json_text.h"
#include "ctl/progress.h"
#include "ctl/score_images.h"
#include "score/train_consistency.h"

/* `model train consistency`, and what `model score` and `model evaluate` do with such a model. */

enum {
    OPTION_IMAGES = 0x2000,
    OPTION_DECLARATIONS,
    OPTION_OUT,
    OPTION_MODEL,
    OPTION_WEDGE,
    OPTION_SCANNER_TYPE,
    OPTION_SEED,
    OPTION_HEIGHT
};

struct options {
    struct image_folder_conf folder;
    const char *declarations;
    const char *out;
    const char *model;
    const char *wedge;
    uint64_t seed;
    uint32_t height;
    bool trains;
    bool needs_out;
};

/* Which scans, and what they were declared as: of all three commands. */
static const struct argp_option images_table[] = {
    {"images", OPTION_IMAGES, "DIR", 0, "scans, as triage-feed images reads them (required)", 1},
    {"declarations", OPTION_DECLARATIONS, "FILE", 0,
     "table image,hs_code and, if it is known, net_mass_kg: what each scan was declared as"
     " (required)",
     1},
    {0, 0, 0, 0, 0, 0},
};

static error_t parse_images(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case OPTION_IMAGES:
        options->folder.directory = text;
        return 0;
    case OPTION_DECLARATIONS:
        options->declarations = text;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->folder;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp images_argp = {images_table,          parse_images, NULL, NULL,
                                        image_sample_children, NULL,         NULL};
static const struct argp_child children[] = {{&images_argp, 0, NULL, 0}, {NULL, 0, NULL, 0}};

static error_t check(struct argp_state *state, const struct options *options)
{
    if (options->folder.directory == NULL || options->declarations == NULL ||
        (!options->trains && options->model == NULL) ||
        (options->needs_out && options->out == NULL)) {
        argp_error(state, "--images, --declarations%s%s are required",
                   options->trains ? "" : ", --model", options->needs_out ? ", --out" : "");
    }
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = options;
        return 0;
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_MODEL:
        options->model = text;
        return 0;
    case OPTION_WEDGE:
        options->wedge = text;
        return 0;
    case OPTION_SCANNER_TYPE:
        options->folder.scanner_type = text;
        return 0;
    case OPTION_SEED:
        options->seed = ctl_number(state, "seed", text, UINT64_MAX);
        return 0;
    case OPTION_HEIGHT:
        options->height = (uint32_t)ctl_number(state, "height", text, WORKING_HEIGHT_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        return check(state, options);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct options options_init(void)
{
    struct options options = {.folder = image_options_default("training"), .seed = 1};
    options.folder.scanner_type = "default";
    return options;
}

static bool open_reader(const struct options *options, struct image_folder **folder,
                        struct consistency_reader *reader)
{
    char why[FOLDER_WHY_BYTES] = "";
    struct err err = image_folder_open(&options->folder, folder, why);
    if (err_is(err)) {
        ctl_refuse("%s: %s", options->folder.directory, why);
        return false;
    }
    return consistency_reader_open(*folder, options->declarations, reader);
}

static void close_reader(struct image_folder **folder, struct consistency_reader *reader)
{
    if (reader->undeclared + reader->unreadable > 0) {
        (void)fprintf(stderr,
                      "triagectl: %" PRIu32 " scans without a chapter in the table, %" PRIu32
                      " that could not be read\n",
                      reader->undeclared, reader->unreadable);
    }
    consistency_reader_close(reader);
    image_folder_close(folder);
}

/* ---- train ---- */

static int learn(struct train_consistency *train, struct consistency_reader *reader,
                 const struct options *options, struct train_report *report)
{
    struct consistency_scan scan;
    uint32_t skipped = 0;
    while (consistency_reader_next(reader, &scan)) {
        struct err err = train_consistency_add(train, &scan.image, scan.chapter);
        if (err.code == ERR_IMAGE_UNREADABLE) {
            ctl_fail(scan.name, err);
            skipped++;
        } else if (err_is(err)) {
            return ctl_fail(scan.name, err);
        }
        progress_show("images", reader->at, image_folder_count(reader->folder));
    }
    if (skipped > 0) {
        (void)fprintf(stderr, "triagectl: %" PRIu32 " images skipped\n", skipped);
    }
    struct err err = durable_directory(options->out, 0755);
    err = err_is(err) ? err : train_consistency_write(train, options->out, report);
    return err_is(err) ? ctl_fail(options->out, err) : CTL_GOOD;
}

static int tell_report(const struct ctl *ctl, const struct train_report *report)
{
    if (!ctl->json) {
        printf("%s\n  %s\n  %s\n", report->name, report->path, report->evaluation);
        return CTL_GOOD;
    }
    json_t *one = json_object();
    json_object_set_new(one, "path", json_text(report->path));
    json_object_set_new(one, "name", json_text(report->name));
    json_object_set_new(one, "sha256", json_hex("", report->sha256, HASH_BYTES));
    json_object_set_new(one, "evaluation", json_text(report->evaluation));
    json_t *array = json_array();
    json_array_append_new(array, one);
    return json_print(array, true);
}

static int train(struct ctl *ctl, const struct options *options)
{
    struct image_folder *folder = NULL;
    struct consistency_reader reader = {.folder = NULL};
    struct train_consistency *train = NULL;
    struct material_step *steps = NULL;
    struct train_report report;
    struct train_consistency_conf conf = {
        .scanner_type = options->folder.scanner_type,
        .working_height =
            (uint32_t)(options->height > 0 ? options->height
                                           : (uint64_t)ctl->conf.judge_working_height),
        .seed = options->seed};
    bool good = (options->wedge == NULL ||
                 consistency_wedge_read(options->wedge, &steps, &conf.wedge_count)) &&
                open_reader(options, &folder, &reader);
    int result = CTL_REFUSED;
    if (good) {
        conf.wedge = steps;
        struct err err = train_consistency_open(&conf, &train);
        result = err_is(err) ? ctl_fail(options->wedge != NULL ? options->wedge : "train", err)
                             : learn(train, &reader, options, &report);
    }
    train_consistency_close(&train);
    close_reader(&folder, &reader);
    free(steps);
    return result == CTL_GOOD ? tell_report(ctl, &report) : result;
}

int ctl_model_train_consistency(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"scanner-type", OPTION_SCANNER_TYPE, "T", 0,
         "the model becomes consistency/T (default: default)", 1},
        {"wedge", OPTION_WEDGE, "FILE", 0,
         "table atomic_number,areal_density,low,high of a step wedge behind this scanner: loads are"
         " then told by their effective atomic number",
         1},
        {"out", OPTION_OUT, "DIR", 0, "where the model file goes (required)", 1},
        {"height", OPTION_HEIGHT, "PIXELS", 0,
         "images are reduced to at most this (default: judge.working_height)", 1},
        {"seed", OPTION_SEED, "N", 0, "told in the file; nothing is drawn (default 1)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "Learn what loads declared under each HS chapter look like, to notice declarations that the"
        " scan does not fit. Same images, table and options: same file.",
        children,
        NULL,
        NULL};
    struct options options = options_init();
    options.trains = true;
    options.needs_out = true;
    ctl_parse(ctl, &own, &options, argc, argv);
    return ctl_settle(ctl) ? train(ctl, &options) : CTL_REFUSED;
}

/* ---- score and evaluate ---- */

static bool read_model(const char *path, struct consistency_model *out)
{
    struct model_file *file = NULL;
    struct err err = model_file_open(path, NULL, &file);
    err = err_is(err) ? err : consistency_read(file, out);
    model_file_close(&file);
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

struct looking {
    const struct consistency_model *model;
    struct working_space working;
    struct cargo_space boxes;
    struct consistency_space space;
};

static bool looking_init(struct looking *self, const struct consistency_model *model)
{
    *self = (struct looking){.model = model};
    struct err err = working_init(&self->working, model->working_height);
    err = err_is(err) ? err : cargo_space_init(&self->boxes, model->working_height);
    err = err_is(err) ? err : consistency_space_init(&self->space, model->working_height);
    if (err_is(err)) {
        ctl_fail("working images", err);
    }
    return !err_is(err);
}

static void looking_fini(struct looking *self)
{
    working_fini(&self->working);
    cargo_space_fini(&self->boxes);
    consistency_space_fini(&self->space);
}

/* The inputs that a score would have; false, and told, when the image cannot be used. */
static bool look(struct looking *self, const struct consistency_scan *scan,
                 float inputs[CONSISTENCY_INPUTS])
{
    const struct train_image *image = &scan->image;
    struct consistency_cargo cargo;
    struct working working;
    const float *low = NULL;
    if (image->pixels == NULL || working_refusal(image->image, UINT64_MAX) != NULL ||
        working_calibration(image->image).meaning != self->model->meaning) {
        ctl_refuse("%s: it cannot be read, or has another pixel meaning than the model",
                   scan->name);
        return false;
    }
    working_make(&self->working, image->image, image->pixels, self->model->working_height,
                 &working);
    if (image->low_image != NULL && image->low_pixels != NULL &&
        self->model->material != CONSISTENCY_NONE) {
        low = working_make_low(&self->working, image->low_image, image->low_pixels, &working);
    }
    consistency_cargo_measure(&self->space, &self->boxes, &working, low,
                              consistency_table(self->model), &cargo);
    consistency_inputs(scan->chapter, &cargo, inputs);
    return true;
}

static int evaluate(const struct ctl *ctl, const struct options *options,
                    const struct consistency_model *model)
{
    struct image_folder *folder = NULL;
    struct consistency_reader reader = {.folder = NULL};
    struct consistency_figures_rows rows = {.count = 0};
    struct consistency_figures figures;
    struct looking looking;
    bool told = !looking_init(&looking, model) || !open_reader(options, &folder, &reader);
    bool good = !told;
    struct consistency_scan scan;
    while (good && consistency_reader_next(&reader, &scan)) {
        float inputs[CONSISTENCY_INPUTS];
        good = !look(&looking, &scan, inputs) || consistency_figures_add(&rows, inputs);
        progress_show("images", reader.at, image_folder_count(folder));
    }
    good = good && consistency_figures_make(model, &rows, &figures);
    int result = told             ? CTL_REFUSED
                 : !good          ? ctl_refuse("evaluate: no memory, or too many scans")
                 : rows.count > 0 ? consistency_tell_figures(ctl, &figures)
                                  : ctl_refuse("%s: no declared scan", options->folder.directory);
    consistency_figures_rows_fini(&rows);
    close_reader(&folder, &reader);
    looking_fini(&looking);
    return result;
}

int ctl_consistency_evaluate(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0, "made by `model train consistency`", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "How often right declarations are flagged, and how often the same scans are when they are"
        " declared under another chapter, by how far the chapters lie apart.",
        children,
        NULL,
        NULL};
    struct options options = options_init();
    struct consistency_model model;
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl) || !read_model(options.model, &model)) {
        return CTL_REFUSED;
    }
    int result = evaluate(ctl, &options, &model);
    consistency_model_fini(&model);
    return result;
}

static int score(const struct options *options, const struct consistency_model *model)
{
    struct image_folder *folder = NULL;
    struct consistency_reader reader = {.folder = NULL};
    struct looking looking;
    char *text = NULL;
    size_t text_bytes = 0;
    bool good = looking_init(&looking, model) && open_reader(options, &folder, &reader);
    bool told = !good;
    FILE *to = good ? open_memstream(&text, &text_bytes) : NULL;
    struct consistency_scan scan;
    if (to != NULL) {
        consistency_tell_head(to);
    }
    while (to != NULL && consistency_reader_next(&reader, &scan)) {
        float inputs[CONSISTENCY_INPUTS];
        if (look(&looking, &scan, inputs)) {
            struct consistency_verdict verdict;
            consistency_verdict(model, inputs, &verdict);
            consistency_tell_row(to, scan.name, inputs, &verdict);
        }
    }
    good = to != NULL && fclose(to) == 0 && text != NULL;
    int result = good   ? score_deliver(options->out, text, text_bytes)
                 : told ? CTL_REFUSED
                        : ctl_refuse("score: no memory");
    free(text);
    close_reader(&folder, &reader);
    looking_fini(&looking);
    return result;
}

int ctl_consistency_score(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0, "made by `model train consistency`", 1},
        {"out", OPTION_OUT, "FILE", 0,
         "a row a scan: image,chapter,chance,chapter_chance,as_bad,held,nearest,atomic_number,"
         "atomic_number_error,number_chance,number_from,number_to",
         1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse, "",  "How well scans fit the HS chapter they are declared under.",
        children,      NULL,  NULL};
    struct options options = options_init();
    struct consistency_model model;
    options.needs_out = true;
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl) || !read_model(options.model, &model)) {
        return CTL_REFUSED;
    }
    int result = score(&options, &model);
    consistency_model_fini(&model);
    return result;
}
