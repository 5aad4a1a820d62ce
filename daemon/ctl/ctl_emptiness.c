/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_emptiness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/emptiness_rows.h"
#include "ctl/emptiness_scores.h"
#include "ctl/emptiness_sheet.h"
#include "ctl/image_options.h"
#include "ctl/json_text.h"
#include "kernels/logistic.h"

/* `model train emptiness`, and what `model score` and `model evaluate` do with such a model. */

enum {
    OPTION_IMAGES = 0x2000,
    OPTION_LABELS,
    OPTION_OUT,
    OPTION_SEED,
    OPTION_MODEL,
    OPTION_SCORES,
    OPTION_PNG
};

/* How many of the rows that were hardest to tell are named. */
enum { HARD_ROWS = 12 };

struct options {
    const char *images;
    const char *labels;
    const char *out;
    const char *model;
    const char *image_scores;
    const char *png;
    uint64_t seed;
    bool needs_labels;
    bool needs_model;
    bool needs_out;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    const char **const texts[] = {&options->images, &options->labels,       &options->out, NULL,
                                  &options->model,  &options->image_scores, &options->png};
    if (key == OPTION_SEED) {
        options->seed = ctl_number(state, "seed", text, UINT64_MAX);
        return 0;
    }
    if (key >= OPTION_IMAGES && key <= OPTION_PNG) {
        *texts[key - OPTION_IMAGES] = text;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        argp_error(state, "unexpected argument %s", text);
    }
    if (key == ARGP_KEY_END) {
        if (options->images == NULL || (options->needs_labels && options->labels == NULL) ||
            (options->needs_model && options->model == NULL) ||
            (options->needs_out && options->out == NULL)) {
            argp_error(state, "--images%s%s%s required", options->needs_labels ? ", --labels" : "",
                       options->needs_model ? ", --model" : "",
                       options->needs_out ? " and --out are" : " are");
        }
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static struct image_folder *open_folder(const struct options *options)
{
    struct image_folder_conf conf = image_options_default("training");
    char why[FOLDER_WHY_BYTES] = "";
    struct image_folder *folder = NULL;
    conf.directory = options->images;
    struct err err = image_folder_open(&conf, &folder, why);
    if (err_is(err)) {
        ctl_refuse("%s: %s", options->images, why);
    }
    return folder;
}

/* ---- how hard each row was ---- */

struct order {
    uint32_t rows[HARD_ROWS];
    uint32_t count;
};

static double right_by(const struct emptiness_row *row)
{
    return row->loaded ? row->logit : -row->logit;
}

static void find_hard(const struct emptiness_rows *rows, struct order *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t at = out->count < HARD_ROWS ? out->count++ : HARD_ROWS;
        while (at > 0 && right_by(&rows->rows[out->rows[at - 1]]) > right_by(&rows->rows[i])) {
            if (at < HARD_ROWS) {
                out->rows[at] = out->rows[at - 1];
            }
            at--;
        }
        if (at < HARD_ROWS) {
            out->rows[at] = i;
        }
    }
}

static void hard_words(const struct emptiness_rows *rows, uint32_t index, char *out,
                       size_t out_capacity)
{
    const struct emptiness_row *row = &rows->rows[index];
    const char *note = rows->sources[index].note;
    bool split = row->measure.box.found && row->overlap < 0.6;
    (void)snprintf(
        out, out_capacity,
        "%s: labelled %s, a load with %.1f%%: %.0f%% of the cargo space is dense, lower part %+.3f "
        "over the upper one%s%s%s",
        row->image, row->loaded ? "loaded" : "empty", 100 * logistic_probability(row->logit),
        100 * row->measure.dense_share, row->measure.features[EMPTINESS_DROP],
        !row->measure.box.found ? "; no box was found" : "",
        split ? "; the box that was found is another than the labelled one" : "",
        note[0] != '\0' ? "; note: " : "");
    size_t used = strlen(out);
    (void)snprintf(out + used, out_capacity - used, "%s", note);
}

static int tell(const struct ctl *ctl, const struct emptiness_rows *rows, const char *model_path)
{
    struct emptiness_figures figures;
    struct order hard;
    char text[EMPTINESS_TEXT_BYTES];
    struct err err = emptiness_figures(rows->rows, rows->count, &figures);
    if (err_is(err)) {
        return ctl_fail("evaluate", err);
    }
    find_hard(rows, &hard);
    emptiness_figures_text(&figures, text, sizeof text);
    json_t *list = json_array();
    if (!ctl->json) {
        printf("%s%s%s\n  left out (other labels, no image, too small): %u\nhardest:\n",
               model_path != NULL ? model_path : "", model_path != NULL ? "\n  " : "", text,
               (unsigned)rows->left_out);
    }
    for (uint32_t i = 0; i < hard.count; i++) {
        char words[512];
        hard_words(rows, hard.rows[i], words, sizeof words);
        if (!ctl->json) {
            printf("  %s%s\n", right_by(&rows->rows[hard.rows[i]]) < 0 ? "WRONG " : "", words);
        }
        json_array_append_new(list, json_text(words));
    }
    if (!ctl->json) {
        json_decref(list);
        return CTL_GOOD;
    }
    json_t *out = json_object();
    json_object_set_new(out, "rows", json_integer(figures.rows));
    json_object_set_new(out, "loaded", json_integer(figures.loaded));
    json_object_set_new(out, "scanners", json_integer(figures.scanners));
    json_object_set_new(out, "rows_by_thirds", json_integer(figures.rows_by_thirds));
    json_object_set_new(out, "scanners_by_thirds", json_integer(figures.scanners_by_thirds));
    json_object_set_new(out, "auc",
                        isnan(figures.auc.value) ? json_null() : json_real(figures.auc.value));
    json_object_set_new(out, "auc_lower",
                        isnan(figures.auc.lower) ? json_null() : json_real(figures.auc.lower));
    json_object_set_new(out, "auc_upper",
                        isnan(figures.auc.upper) ? json_null() : json_real(figures.auc.upper));
    json_object_set_new(out, "errors", json_integer(figures.errors));
    json_object_set_new(out, "calibration_error", json_real(figures.calibration_error));
    json_object_set_new(out, "box_overlap", json_real(figures.mean_overlap));
    json_object_set_new(out, "left_out", json_integer(rows->left_out));
    json_object_set_new(out, "text", json_text(text));
    json_object_set_new(out, "path", json_text(model_path != NULL ? model_path : ""));
    json_object_set_new(out, "hardest", list);
    return json_print(out, true);
}

static int draw(const struct ctl *ctl, const struct image_folder *folder,
                const struct emptiness_rows *rows, const char *path)
{
    struct order hard;
    find_hard(rows, &hard);
    if (path == NULL) {
        return CTL_GOOD;
    }
    if (!emptiness_sheet_write(folder, rows, hard.rows, hard.count, path)) {
        return CTL_REFUSED;
    }
    if (!ctl->json) {
        printf("%s: these, row by row\n", path);
    }
    return CTL_GOOD;
}

/* ---- train ---- */

static int train(struct ctl *ctl, const struct options *options, const struct image_folder *folder,
                 struct emptiness_rows *rows)
{
    struct train_report report;
    if (!emptiness_rows_read(folder, options->labels, (uint32_t)ctl->conf.judge_working_height,
                             rows)) {
        return CTL_REFUSED;
    }
    struct err err = rows->count > 0 ? emptiness_leave_out(rows->rows, rows->count)
                                     : err_make(ERR_ARGUMENT, "no labelled box in these images");
    err = err_is(err) ? err : durable_directory(options->out, 0755);
    err = err_is(err) ? err
                      : emptiness_write(rows->rows, rows->count, options->seed,
                                        rows->training_set_sha256, options->out, &report);
    if (err_is(err)) {
        return ctl_fail("train emptiness", err);
    }
    int result = tell(ctl, rows, report.path);
    return result == CTL_GOOD ? draw(ctl, folder, rows, options->png) : result;
}

int ctl_model_train_emptiness(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"images", OPTION_IMAGES, "DIR", 0, "side views, as triage-feed images reads them", 1},
        {"labels", OPTION_LABELS, "FILE", 0,
         "table with image_id, x0, y0, x1, y1, occupancy (empty, loaded) and, if it is known,"
         " scanner",
         1},
        {"out", OPTION_OUT, "DIR", 0, "where the model file goes", 1},
        {"seed", OPTION_SEED, "N", 0, "told in the file; nothing is drawn (default 1)", 1},
        {"png", OPTION_PNG, "FILE", 0, "picture of the cases that were hardest to tell", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "Learn to tell empty containers from loaded ones. Figures are of scanners that the fit had"
        " not seen.",
        NULL,
        NULL,
        NULL};
    struct options options = {.seed = 1, .needs_labels = true, .needs_out = true};
    struct emptiness_rows rows = {.count = 0};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl)) {
        return CTL_REFUSED;
    }
    struct image_folder *folder = open_folder(&options);
    int result = folder != NULL ? train(ctl, &options, folder, &rows) : CTL_REFUSED;
    emptiness_rows_fini(&rows);
    image_folder_close(&folder);
    return result;
}

/* ---- evaluate and score ---- */

static bool read_model(const char *path, struct emptiness_model *out)
{
    struct model_file *file = NULL;
    struct err err = model_file_open(path, NULL, &file);
    err = err_is(err) ? err : emptiness_read(file, out);
    model_file_close(&file);
    if (err_is(err)) {
        ctl_fail(path, err);
    }
    return !err_is(err);
}

static int evaluate(struct ctl *ctl, const struct options *options,
                    const struct image_folder *folder, struct emptiness_rows *rows)
{
    struct emptiness_model model;
    if (!read_model(options->model, &model) ||
        !emptiness_rows_read(folder, options->labels, (uint32_t)ctl->conf.judge_working_height,
                             rows)) {
        return CTL_REFUSED;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].meaning != model.meaning) {
            return ctl_refuse("%s: its pixels have another meaning than those of training",
                              rows->rows[i].image);
        }
        rows->rows[i].logit = emptiness_logit(&model, rows->rows[i].measure.features);
    }
    int result = tell(ctl, rows, NULL);
    return result == CTL_GOOD ? draw(ctl, folder, rows, options->png) : result;
}

int ctl_emptiness_evaluate(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0, "made by `model train emptiness`", 1},
        {"images", OPTION_IMAGES, "DIR", 0, "side views", 1},
        {"labels", OPTION_LABELS, "FILE", 0, "as for training", 1},
        {"png", OPTION_PNG, "FILE", 0, "picture of the cases that were hardest to tell", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse, "",  "How well a model of emptiness tells labelled containers.",
        NULL,          NULL,  NULL};
    struct options options = {.needs_labels = true, .needs_model = true};
    struct emptiness_rows rows = {.count = 0};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl)) {
        return CTL_REFUSED;
    }
    struct image_folder *folder = open_folder(&options);
    int result = folder != NULL ? evaluate(ctl, &options, folder, &rows) : CTL_REFUSED;
    emptiness_rows_fini(&rows);
    image_folder_close(&folder);
    return result;
}

int ctl_emptiness_score(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0, "made by `model train emptiness`", 1},
        {"images", OPTION_IMAGES, "DIR", 0, "side views", 1},
        {"out", OPTION_OUT, "FILE", 0, "a row a container: image,x,y,width,height,score", 1},
        {"image-scores", OPTION_SCORES, "FILE", 0, "a row an image: its highest score", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse, "",  "How likely there is a load in each container of images.",
        NULL,          NULL,  NULL};
    struct options options = {.needs_model = true, .needs_out = true};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!ctl_settle(ctl)) {
        return CTL_REFUSED;
    }
    struct image_folder *folder = open_folder(&options);
    struct emptiness_model model;
    int result = CTL_REFUSED;
    if (folder != NULL && read_model(options.model, &model)) {
        const struct emptiness_scores wanted = {.ctl = ctl,
                                                .directory = options.images,
                                                .model = &model,
                                                .working_height =
                                                    (uint32_t)ctl->conf.judge_working_height,
                                                .boxes_path = options.out,
                                                .images_path = options.image_scores};
        result = emptiness_scores_write(&wanted, folder);
    }
    image_folder_close(&folder);
    return result;
}
