/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/evaluate_images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "archive/model_file.h"
#include "base/team.h"
#include "ctl/crossfit.h"
#include "ctl/froc_picture.h"
#include "ctl/image_options.h"
#include "ctl/json_text.h"
#include "ctl/progress.h"
#include "ctl/table.h"
#include "score/image_scorer.h"
#include "score/train.h"

/* Keys apart from those of commands and of the tables of declarations. */
enum {
    OPTION_IMAGES = 0x4000,
    OPTION_MARKS,
    OPTION_GROUPS,
    OPTION_LIST,
    OPTION_PICTURE,
    OPTION_FOLDS,
    OPTION_EPOCHS,
    OPTION_SEED,
    OPTION_THREADS,
    OPTION_BANK,
    OPTION_HEIGHT
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct evaluate_images_conf *conf = state->input;
    switch (key) {
    case OPTION_IMAGES:
        conf->images = text;
        return 0;
    case OPTION_MARKS:
        conf->marks = text;
        return 0;
    case OPTION_GROUPS:
        conf->groups = text;
        return 0;
    case OPTION_LIST:
        conf->list = text;
        return 0;
    case OPTION_PICTURE:
        conf->picture = text;
        return 0;
    case OPTION_FOLDS:
        conf->folds = (uint32_t)ctl_number(state, "folds", text, CROSSFIT_FOLDS_MAX);
        if (conf->folds < 2) {
            argp_error(state, "--folds takes 2 to %d", CROSSFIT_FOLDS_MAX);
        }
        return 0;
    case OPTION_EPOCHS:
        conf->epochs = ctl_real(state, "epochs", text);
        return 0;
    case OPTION_SEED:
        conf->seed = ctl_number(state, "seed", text, UINT64_MAX);
        return 0;
    case OPTION_THREADS:
        conf->threads = (uint32_t)ctl_number(state, "threads", text, TEAM_THREADS_MAX);
        return 0;
    case OPTION_BANK:
        conf->bank = true;
        return 0;
    case OPTION_HEIGHT:
        conf->height = (uint32_t)ctl_number(state, "height", text, 4096);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options_table[] = {
    {"images", OPTION_IMAGES, "DIR", 0, "judge marks on these images", 0},
    {"marks", OPTION_MARKS, "PATH", 0,
     "what was drawn on them: folder of Pascal-VOC files, or table image,x,y,width,height", 0},
    {"folds", OPTION_FOLDS, "N", 0,
     "no --model: train without a part of the scans and judge on it, N times", 0},
    {"bank", OPTION_BANK, NULL, 0,
     "with --folds: judge what a model finds that learnt from images alone, without marks", 0},
    {"height", OPTION_HEIGHT, "PIXELS", 0,
     "with --bank: as in `model train appearance` (default: judge.working_height)", 0},
    {"groups", OPTION_GROUPS, "FILE", 0,
     "table image,group of versions of one scan (default: the name before .rf. or the ending)", 0},
    {"list", OPTION_LIST, "FILE", 0, "only the images named in FILE, one a line", 0},
    {"picture", OPTION_PICTURE, "FILE", 0, "draw recall against false marks an image (PNG)", 0},
    {"epochs", OPTION_EPOCHS, "N", 0, "with --folds: as in `model train appearance`", 0},
    {"seed", OPTION_SEED, "N", 0, "with --folds: of the split and the training (default 1)", 0},
    {"threads", OPTION_THREADS, "N", 0, "with --folds (default: up to 4); no figure depends on it",
     0},
    {0, 0, 0, 0, 0, 0},
};

const struct argp evaluate_images_argp = {options_table, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- telling */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *recalls_json(const struct froc_recall recalls[FROC_RATES])
{
    json_t *out = json_array();
    for (int i = 0; i < FROC_RATES; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "false_marks", json_real(froc_rates[i]));
        json_object_set_new(object, "recall", real(recalls[i].value));
        json_object_set_new(object, "lower", real(recalls[i].lower));
        json_object_set_new(object, "upper", real(recalls[i].upper));
        json_array_append_new(out, object);
    }
    return out;
}

static json_t *figures_json(const struct crossfit_figures *figures)
{
    json_t *out = json_object();
    json_object_set_new(out, "images", json_integer(figures->images));
    json_object_set_new(out, "images_without_objects", json_integer(figures->empty_images));
    json_object_set_new(out, "scans", json_integer(figures->groups));
    json_object_set_new(out, "objects", json_integer(figures->objects));
    json_object_set_new(out, "auc_images", real(figures->auc_images));
    json_object_set_new(out, "auc_cells", real(figures->auc_cells));
    json_t *froc = json_object();
    for (int i = 0; i < FROC_HITS; i++) {
        json_object_set_new(froc, froc_hit_words[i], recalls_json(figures->froc.recalls[i]));
    }
    json_object_set_new(out, "recall", froc);
    if (figures->gated) {
        json_object_set_new(out, "recall_looking_everywhere",
                            recalls_json(figures->everywhere.recalls[FROC_CENTRE]));
    }
    return out;
}

static void add_row(struct table *table, const char *what, const struct froc_recall *recalls)
{
    table_cell(table, what);
    for (int k = 0; k < FROC_RATES; k++) {
        table_cellf(table, "%.3f (%.3f-%.3f)", recalls[k].value, recalls[k].lower,
                    recalls[k].upper);
    }
}

static int print_figures(const struct crossfit_figures *figures)
{
    static const struct table_column columns[] = {
        {"RECALL AT", TABLE_LEFT, 0}, {"0.1", TABLE_LEFT, 0},
        {"0.5", TABLE_LEFT, 0},       {"1", TABLE_LEFT, 0},
        {"2", TABLE_LEFT, 0},         {"5 FALSE MARKS AN IMAGE", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    for (int i = 0; i < FROC_HITS; i++) {
        add_row(table, froc_hit_words[i], figures->froc.recalls[i]);
    }
    if (figures->gated) {
        add_row(table, "centre, no gate", figures->everywhere.recalls[FROC_CENTRE]);
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    printf("%u objects in %u images (%u without any) of %u scans\n", figures->objects,
           figures->images, figures->empty_images, figures->groups);
    if (isfinite(figures->auc_images)) {
        printf("area under the curve, images with objects above those without: %.3f\n",
               figures->auc_images);
    }
    if (isfinite(figures->auc_cells)) {
        printf("area under the curve, cells on objects above the others: %.4f\n",
               figures->auc_cells);
    }
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

static int tell(const struct ctl *ctl, const struct evaluate_images_conf *conf,
                const struct crossfit_figures *figures)
{
    if (conf->picture != NULL) {
        struct err err = froc_picture_write(&figures->froc, conf->picture);
        if (err_is(err)) {
            return ctl_fail(conf->picture, err);
        }
    }
    int result = ctl->json ? json_print(figures_json(figures), true) : print_figures(figures);
    if (result == CTL_GOOD && !ctl->json && conf->picture != NULL) {
        printf("%s: recall against false marks an image\n", conf->picture);
    }
    return result;
}

/* ---- doing */

/* What is judged when there is a model: its finder, or without one the whole model. */
struct judged {
    bool has_finder;
    struct finder_model finder;
    struct image_scorer *scorer;
};

static void judged_close(struct judged *self)
{
    if (self->has_finder) {
        finder_model_fini(&self->finder);
    }
    image_scorer_close(&self->scorer);
}

static bool judged_open(const char *path, struct judged *out)
{
    struct model_file *file = NULL;
    *out = (struct judged){.scorer = NULL};
    struct err err = model_file_open(path, NULL, &file);
    err = err_is(err) ? err : finder_read(file, &out->has_finder, &out->finder);
    model_file_close(&file);
    err = err_is(err) || out->has_finder ? err : image_scorer_open(path, &out->scorer);
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

/* The marks of a model on all images, in the shape of a crossfit. */
static bool mark_all(const struct marked_images *images, const struct image_folder *folder,
                     const struct judged *judged, struct crossfit *out)
{
    const struct marked_choice all = {NULL, 0};
    if (!crossfit_open(images, out)) {
        return false;
    }
    memset(out->covered, 1, images->set.image_count);
    bool good = judged->has_finder ? crossfit_find(images, &judged->finder, &all, out)
                                   : crossfit_score(images, folder, judged->scorer, &all, out);
    if (!good) {
        crossfit_fini(out);
    }
    return good;
}

static int run(const struct ctl *ctl, const struct evaluate_images_conf *conf,
               const struct image_folder *folder, const struct judged *judged)
{
    static char reading[] = "images";
    const struct marked_images_conf about = {
        .folder = folder,
        .marks = conf->marks,
        .groups = conf->groups,
        .reduction = judged != NULL && judged->has_finder ? judged->finder.reduction : 0,
        .progress = progress_tell,
        .argument = reading};
    struct marked_images images;
    struct crossfit fit;
    struct crossfit_figures figures;
    if (!marked_images_open(&about, &images)) {
        return CTL_REFUSED;
    }
    const struct crossfit_bank bank = {
        .folder = folder,
        .train = {.scanner_type = "evaluation",
                  .bank_patches_max = TRAIN_BANK_PATCHES,
                  .dimensions = TRAIN_DIMENSIONS,
                  .working_height =
                      conf->height > 0 ? conf->height : (uint32_t)ctl->conf.judge_working_height}};
    const struct crossfit_conf parts = {.bank = conf->bank ? &bank : NULL,
                                        .folds = conf->folds,
                                        .end = conf->folds,
                                        .epochs = conf->epochs,
                                        .seed = conf->seed,
                                        .threads = conf->threads > 0 ? conf->threads
                                                                     : (uint32_t)team_threads(4)};
    bool good = judged != NULL ? mark_all(&images, folder, judged, &fit)
                               : crossfit_make(&images, &parts, &fit);
    int result = CTL_REFUSED;
    if (good) {
        good = crossfit_judge(&images, &fit, &figures);
        crossfit_fini(&fit);
        result = good ? tell(ctl, conf, &figures) : CTL_REFUSED;
    }
    marked_images_close(&images);
    return result;
}

int evaluate_images(struct ctl *ctl, const struct evaluate_images_conf *conf, const char *model)
{
    struct image_folder_conf about = image_options_default("evaluation");
    char why[FOLDER_WHY_BYTES] = "";
    struct image_folder *folder = NULL;
    struct judged judged = {.scorer = NULL};
    about.directory = conf->images;
    about.list_path = conf->list;
    if (conf->bank && !ctl_settle(ctl)) {
        return CTL_REFUSED;
    }
    if (model != NULL && !judged_open(model, &judged)) {
        return CTL_REFUSED;
    }
    struct err err = image_folder_open(&about, &folder, why);
    int result = err_is(err) ? ctl_refuse("%s: %s", conf->images, why)
                             : run(ctl, conf, folder, model != NULL ? &judged : NULL);
    image_folder_close(&folder);
    judged_close(&judged);
    return result;
}
