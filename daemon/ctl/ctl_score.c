/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/ctl_consistency.h"
#include "ctl/ctl_emptiness.h"
#include "ctl/declaration_batch.h"
#include "ctl/declaration_options.h"
#include "ctl/image_options.h"
#include "ctl/json_text.h"
#include "ctl/model_named.h"
#include "ctl/score_images.h"
#include "export/export_csv.h"
#include "kernels/logistic.h"
#include "score/consistency_model.h"
#include "score/declaration_words.h"
#include "score/emptiness.h"

/* `triagectl model score`: of declarations one row out for every row in, in the same order. Label
 * columns are never looked for. Images: score_images.h. */

struct options {
    struct declaration_csv_conf table;
    const char *model;
    const char *out;
    uint32_t reasons_count;
    bool details;
    bool lines;                         /* rows of one id are lines of one declaration */
    struct score_images_options images; /* but for model and out */
};

enum {
    OPTION_MODEL = 0x2000,
    OPTION_OUT,
    OPTION_REASONS,
    OPTION_DETAILS,
    OPTION_IMAGES,
    OPTION_IMAGE_SCORES,
    OPTION_LINES
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
    if (images ? options->details || options->lines || options->reasons_count > 0 : of_images) {
        argp_error(state, images ? "--reasons, --details and --lines are of declarations"
                                 : "--image-scores, --list and --skip-list are of images");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->table;
        state->child_inputs[1] = &options->images.folder;
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
    case OPTION_LINES:
        options->lines = true;
        return 0;
    case OPTION_IMAGES:
        options->images.folder.directory = text;
        return 0;
    case OPTION_IMAGE_SCORES:
        options->images.scores = text;
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

static void print_reason(FILE *to, int32_t part, const char *words)
{
    char text[DECLARATION_WORDS_BYTES + 16];
    (void)snprintf(text, sizeof text, "%+.2f %s", (double)part * OBLIVIOUS_LOGIT, words);
    export_csv_put_text(to, text);
}

/* What weighs most, heaviest first, and among it how many lines there are; one column each, empty
 * ones where there are no more. */
static void print_reasons(FILE *to, const struct declaration_said *said,
                          const struct declaration_judgement *judgement, uint32_t reasons_count)
{
    int32_t lines = judgement->logit - judgement->lines.riskiest;
    uint32_t next = 0;
    for (uint32_t i = 0; i < reasons_count; i++) {
        char words[DECLARATION_WORDS_BYTES];
        bool more = next < judgement->reasons_count;
        (void)fputc(',', to);
        if (lines != 0 && (!more || abs(lines) > abs(judgement->reasons[next].part))) {
            (void)snprintf(words, sizeof words,
                           "riskiest of %" PRIu32 " lines, judged with the others",
                           judgement->lines.count);
            print_reason(to, lines, words);
            lines = 0;
        } else if (more) {
            declaration_group_words(said, judgement->reasons[next].group, words);
            print_reason(to, judgement->reasons[next].part, words);
            next++;
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

static int score_table(struct declaration_batch *batch, struct declaration_group *table,
                       const struct options *options, FILE *to, uint64_t *count)
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
        *count += batch->count;
    } while (batch->count > 0);
    return CTL_GOOD;
}

/* Beside the scores, not among them: on standard error, or as JSON. */
static int tell(const struct ctl *ctl, const struct options *options, uint64_t count,
                uint64_t faulty)
{
    if (!ctl->json) {
        (void)fprintf(stderr,
                      "%s: %" PRIu64 " declarations scored; %" PRIu64
                      " rows could not be read whole%s\n",
                      options->table.path, count, faulty,
                      faulty > 0 && !options->details && options->reasons_count == 0
                          ? " (--details tells why)"
                          : "");
        return CTL_GOOD;
    }
    json_t *out = json_object();
    json_object_set_new(out, "declarations", json_integer((json_int_t)count));
    json_object_set_new(out, "faulty_rows", json_integer((json_int_t)faulty));
    json_object_set_new(out, "out", json_text(options->out));
    return json_print(out, true);
}

static int run(const struct ctl *ctl, struct declaration_batch *batch,
               const struct options *options)
{
    char error[CSV_ERROR_BYTES] = "";
    struct declaration_group *table = NULL;
    struct err err = declaration_group_open(&options->table, options->lines, &table, error);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", options->table.path, error);
    }
    char *text = NULL;
    size_t text_bytes = 0;
    uint64_t count = 0;
    FILE *to = open_memstream(&text, &text_bytes);
    int result =
        to == NULL ? ctl_refuse("no memory") : score_table(batch, table, options, to, &count);
    uint64_t faulty = declaration_group_faulty(table);
    declaration_group_tell(table, options->table.path);
    declaration_group_close(&table);
    if (to != NULL && (fclose(to) != 0 || text == NULL)) {
        result = ctl_refuse("no memory");
    }
    if (result == CTL_GOOD) {
        result = score_deliver(options->out, text, text_bytes);
    }
    free(text);
    return result == CTL_GOOD ? tell(ctl, options, count, faulty) : result;
}

int ctl_model_score(struct ctl *ctl, int argc, char **argv)
{
    char kind[MODEL_NAMED_KIND_BYTES];
    model_named_kind(argc, argv, kind);
    if (strcmp(kind, CONSISTENCY_KIND) == 0) {
        return ctl_consistency_score(ctl, argc, argv);
    }
    if (strcmp(kind, EMPTINESS_NAME) == 0) {
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
        {"reasons", OPTION_REASONS, "N", 0, "with the N heaviest contributions in words", 1},
        {"details", OPTION_DETAILS, 0, 0,
         "with logit, interval, probability of a grave find, data quality", 1},
        {"lines", OPTION_LINES, 0, 0,
         "rows that follow one another with the same id are lines of one declaration, which gets"
         " one score",
         1},
        {0, 0, 0, 0, 0, 0},
    };
    const struct argp_child children[] = {
        declaration_options_children[0], image_list_children[0], {NULL, 0, NULL, 0}};
    const struct argp own = {
        options_table,
        parse,
        "",
        "Score a table of declarations: the probability that an exam finds something; labels are"
        " never read. Or a folder of images: the regions that stand out, best first, at most 20 an"
        " image.",
        children,
        NULL,
        NULL};
    struct options options = {
        .table = {.site = "scoring", .lane = "", .lenient = true, .blind = true},
        .images = {.folder = image_options_default("scoring")}};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.images.folder.directory != NULL) {
        options.images.model = options.model;
        options.images.out = options.out;
        return score_images(ctl, &options.images);
    }
    if (ctl->json && options.out != NULL && strcmp(options.out, "-") == 0) {
        return ctl_refuse("--json and --out - would both write here");
    }
    struct declaration_batch *batch = NULL;
    struct err err = declaration_batch_open(options.model, &batch);
    int result = err_is(err) ? ctl_fail(options.model, err) : run(ctl, batch, &options);
    declaration_batch_close(&batch);
    return result;
}
