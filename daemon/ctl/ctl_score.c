/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_consistency.h"
#include "ctl/ctl_emptiness.h"
#include "ctl/declaration_batch.h"
#include "ctl/declaration_options.h"
#include "ctl/score_images.h"
#include "export/export_csv.h"
#include "kernels/logistic.h"
#include "score/declaration_words.h"

/* `triagectl model score`: of declarations one row out for every row in, in the same order. Label
 * columns are never looked for. Images: score_images.h. */

struct options {
    struct declaration_csv_conf table;
    const char *model;
    const char *out;
    uint32_t reasons_count;
    bool details;
    struct score_images_options images; /* but for model and out */
};

enum {
    OPTION_MODEL = 0x2000,
    OPTION_OUT,
    OPTION_REASONS,
    OPTION_DETAILS,
    OPTION_IMAGES,
    OPTION_IMAGE_SCORES,
    OPTION_LIST,
    OPTION_SKIP_LIST
};

/* A table of declarations or a folder of images, not both. */
static void check_options(struct argp_state *state, const struct options *options)
{
    bool images = options->images.folder.directory != NULL;
    bool table = options->table.path != NULL;
    bool of_images = options->images.scores != NULL || options->images.folder.list_path != NULL ||
                     options->images.folder.skip_list_path != NULL;
    if (images == table) {
        argp_error(state, "--declarations or --images is required, and not both");
    }
    if (options->model == NULL) {
        argp_error(state, "--model is required");
    }
    if (options->out == NULL && options->images.scores == NULL) {
        argp_error(state, "--out is required");
    }
    if (images ? options->details || options->reasons_count > 0 : of_images) {
        argp_error(state, images ? "--reasons and --details are of declarations"
                                 : "--image-scores, --list and --skip-list are of images");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->table;
        return 0;
    case OPTION_MODEL:
        options->model = text;
        return 0;
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_REASONS:
        options->reasons_count = (uint32_t)ctl_number(state, "reasons", text, LINE_GROUPS);
        return 0;
    case OPTION_DETAILS:
        options->details = true;
        return 0;
    case OPTION_IMAGES:
        options->images.folder.directory = text;
        return 0;
    case OPTION_IMAGE_SCORES:
        options->images.scores = text;
        return 0;
    case OPTION_LIST:
        options->images.folder.list_path = text;
        return 0;
    case OPTION_SKIP_LIST:
        options->images.folder.skip_list_path = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        check_options(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_head(FILE *to, const struct options *options)
{
    (void)fputs("declaration_id,score", to);
    if (options->details) {
        (void)fputs(",logit,lower,upper,critical", to);
    }
    if (options->details || options->reasons_count > 0) {
        (void)fputs(",data_quality", to);
    }
    for (uint32_t i = 1; i <= options->reasons_count; i++) {
        (void)fprintf(to, ",reason_%" PRIu32, i);
    }
    (void)fputc('\n', to);
}

/* One column each, empty ones where there are no more. */
static void print_reasons(FILE *to, const struct declaration_said *said,
                          const struct declaration_judgement *judgement, uint32_t reasons_count)
{
    for (uint32_t i = 0; i < reasons_count; i++) {
        (void)fputc(',', to);
        if (i < judgement->reasons_count) {
            char words[DECLARATION_WORDS_BYTES];
            char reason[DECLARATION_WORDS_BYTES + 16];
            declaration_group_words(said, judgement->reasons[i].group, words);
            (void)snprintf(reason, sizeof reason, "%+.2f %s",
                           (double)judgement->reasons[i].part * OBLIVIOUS_LOGIT, words);
            export_csv_put_text(to, reason);
        }
    }
}

static void print_details(FILE *to, const struct declaration_batch *batch,
                          const struct declaration_judgement *judgement)
{
    double logit = (double)judgement->logit * OBLIVIOUS_LOGIT;
    struct declaration_interval interval = declaration_model_interval(&batch->model.bins, logit);
    (void)fprintf(to, ",%.7f,%.4f,%.4f,", logit, interval.lower, interval.upper);
    if (judgement->critical != INT32_MIN) {
        (void)fprintf(to, "%.6f",
                      logistic_probability((double)judgement->critical * OBLIVIOUS_LOGIT));
    }
}

static void print_faults(FILE *to, const struct declaration_said *said, const char *problem)
{
    char faults[512];
    char both[512 + BATCH_PROBLEM_BYTES + 2];
    declaration_faults(said, faults, sizeof faults);
    (void)snprintf(both, sizeof both, "%s%s%s", problem,
                   problem[0] != '\0' && faults[0] != '\0' ? "; " : "", faults);
    (void)fputc(',', to);
    export_csv_put_text(to, both);
}

static void print_batch(FILE *to, const struct declaration_batch *batch,
                        const struct options *options)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_row *row = &batch->rows[i];
        const struct declaration_judgement *judgement = &batch->judgements[i];
        struct declaration_said said = {.history = &batch->history,
                                        .norms = &batch->model.norms,
                                        .declaration = &row->declaration,
                                        .line_index = judgement->line_index};
        if (options->details || options->reasons_count > 0) {
            declaration_said_fill(&said);
        }
        export_csv_put_text(to, row->declaration.declaration_id);
        (void)fprintf(to, ",%.12g",
                      logistic_probability((double)judgement->logit * OBLIVIOUS_LOGIT));
        if (options->details) {
            print_details(to, batch, judgement);
        }
        if (options->details || options->reasons_count > 0) {
            print_faults(to, &said, row->problem);
        }
        if (options->reasons_count > 0) {
            print_reasons(to, &said, judgement, options->reasons_count);
        }
        (void)fputc('\n', to);
    }
}

static int score_table(struct declaration_batch *batch, struct declaration_csv *table,
                       const struct options *options, FILE *to)
{
    char error[CSV_ERROR_BYTES] = "";
    print_head(to, options);
    do {
        struct err err = declaration_batch_next(batch, table, error);
        if (err_is(err)) {
            return ctl_refuse("%s: %s", options->table.path, error);
        }
        declaration_batch_judge(batch, options->reasons_count);
        print_batch(to, batch, options);
    } while (batch->count > 0);
    return CTL_GOOD;
}

static int run(struct declaration_batch *batch, const struct options *options)
{
    char error[CSV_ERROR_BYTES] = "";
    struct declaration_csv *table = NULL;
    struct err err = declaration_csv_open(&options->table, &table, error);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", options->table.path, error);
    }
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *to = open_memstream(&text, &text_bytes);
    int result = to == NULL ? ctl_refuse("no memory") : score_table(batch, table, options, to);
    declaration_csv_close(&table);
    if (to != NULL && (fclose(to) != 0 || text == NULL)) {
        result = ctl_refuse("no memory");
    }
    if (result == CTL_GOOD) {
        result = score_deliver(options->out, text, text_bytes);
    }
    free(text);
    return result;
}

int ctl_model_score(struct ctl *ctl, int argc, char **argv)
{
    if (ctl_consistency_asked(argc, argv)) {
        return ctl_consistency_score(ctl, argc, argv);
    }
    if (ctl_emptiness_asked(argc, argv)) {
        return ctl_emptiness_score(ctl, argc, argv);
    }
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0,
         "made by `model train declarations` or `model train appearance` (required)", 1},
        {"out", OPTION_OUT, "FILE", 0,
         "where declaration_id,score goes, or image,x,y,width,height,score; - for here (required)",
         1},
        {"images", OPTION_IMAGES, "DIR", 0,
         "images instead of declarations, as triage-feed images reads them", 1},
        {"image-scores", OPTION_IMAGE_SCORES, "FILE", 0, "where image,score goes", 1},
        {"list", OPTION_LIST, "FILE", 0, "only the images named in FILE, one a line", 1},
        {"skip-list", OPTION_SKIP_LIST, "FILE", 0, "leave out the images named in FILE", 1},
        {"reasons", OPTION_REASONS, "N", 0, "with the N heaviest contributions in words", 1},
        {"details", OPTION_DETAILS, 0, 0,
         "with logit, interval, probability of a grave find, data quality", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "Score a table of declarations: the probability that an exam finds something; labels are"
        " never read. Or a folder of images: the regions that stand out, best first, at most 20 an"
        " image.",
        declaration_options_children,
        NULL,
        NULL};
    struct options options = {.table = {.site = "scoring", .lane = "", .blind = true},
                              .images = {.folder = {.every = 1,
                                                    .pixels_max = UINT64_C(1) << 28,
                                                    .mode = MODE_TRUCK,
                                                    .site = "scoring",
                                                    .lane = "",
                                                    .scanner = "scoring"}}};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.images.folder.directory != NULL) {
        options.images.model = options.model;
        options.images.out = options.out;
        return score_images(ctl, &options.images);
    }
    struct declaration_batch *batch = NULL;
    struct err err = declaration_batch_open(options.model, &batch);
    int result = err_is(err) ? ctl_fail(options.model, err) : run(batch, &options);
    declaration_batch_close(&batch);
    return result;
}
