/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/ctl_consistency.h"
#include "ctl/ctl_emptiness.h"
#include "ctl/ctl_project.h"
#include "ctl/declaration_batch.h"
#include "ctl/declaration_options.h"
#include "ctl/evaluate_images.h"
#include "ctl/evaluation_json.h"
#include "ctl/json_text.h"
#include "ctl/model_named.h"
#include "ctl/reliability.h"
#include "ctl/table.h"
#include "score/consistency_model.h"
#include "score/emptiness.h"

/* `triagectl model evaluate`: scores a labelled table first, looks at the labels afterwards. With
 * --images it is about marks on images: evaluate_images.h. */

struct options {
    struct evaluate_images_conf images;
    struct declaration_csv_conf table;
    const char *model;
    const char *png;
    bool lines; /* rows of one id are lines of one declaration */
};

enum { OPTION_MODEL = 0x2000, OPTION_PNG, OPTION_LINES };

static void check(struct argp_state *state, const struct options *options)
{
    const struct evaluate_images_conf *images = &options->images;
    if (images->images == NULL) {
        if (options->table.path == NULL || options->model == NULL) {
            argp_error(state, "--model and --declarations are required, or --images and --marks");
        }
        if (images->marks != NULL || images->folds > 0 || images->groups != NULL ||
            images->picture != NULL || images->bank) {
            argp_error(state, "--marks, --folds, --bank, --groups and --picture go with --images");
        }
        return;
    }
    if (images->marks == NULL || (options->model != NULL) == (images->folds > 0)) {
        argp_error(state, "--images wants --marks, and --model or --folds");
    }
    if ((images->bank && images->folds == 0) || (images->height > 0 && !images->bank)) {
        argp_error(state, "--bank goes with --folds, --height with --bank");
    }
    if (images->bank && images->epochs > 0) {
        argp_error(state, "--epochs is of a finder's training, a bank has none");
    }
    if (options->table.path != NULL || options->png != NULL || options->lines) {
        argp_error(state, "--declarations, --lines and --png do not go with --images");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->table;
        state->child_inputs[1] = &options->images;
        return 0;
    case OPTION_MODEL:
        options->model = text;
        return 0;
    case OPTION_PNG:
        options->png = text;
        return 0;
    case OPTION_LINES:
        options->lines = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        check(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

enum subset { SUBSET_ALL, SUBSET_KNOWN, SUBSET_NEWCOMERS, SUBSET_CRITICAL, SUBSETS };
static const char *const subset_names[SUBSETS] = {"all", "known_importers", "newcomers",
                                                  "critical"};
static const char *const subset_words[SUBSETS] = {"all rows", "importers examined before",
                                                  "importers never examined", "grave finds"};

struct collected {
    double *logits[SUBSETS];
    uint8_t *labels[SUBSETS];
    uint64_t counts[SUBSETS];
    uint32_t *lines_counts; /* of all rows */
    uint64_t capacity;
    uint64_t unlabelled;
};

static void collected_fini(struct collected *self)
{
    for (int i = 0; i < SUBSETS; i++) {
        free(self->logits[i]);
        free(self->labels[i]);
    }
    free(self->lines_counts);
}

static bool reserve(struct collected *self)
{
    if (self->counts[SUBSET_ALL] < self->capacity) {
        return true;
    }
    uint64_t capacity = 2 * self->capacity + 4096;
    uint32_t *lines_counts = realloc(self->lines_counts, capacity * sizeof *lines_counts);
    if (lines_counts == NULL) {
        return false;
    }
    self->lines_counts = lines_counts;
    for (int i = 0; i < SUBSETS; i++) {
        double *logits = realloc(self->logits[i], capacity * sizeof *logits);
        self->logits[i] = logits != NULL ? logits : self->logits[i];
        uint8_t *labels = realloc(self->labels[i], capacity);
        self->labels[i] = labels != NULL ? labels : self->labels[i];
        if (logits == NULL || labels == NULL) {
            return false;
        }
    }
    self->capacity = capacity;
    return true;
}

static void put(struct collected *self, enum subset subset, int32_t logit, bool label)
{
    self->logits[subset][self->counts[subset]] = (double)logit * OBLIVIOUS_LOGIT;
    self->labels[subset][self->counts[subset]++] = label;
}

static bool collect(struct collected *self, const struct batch_row *row,
                    const struct declaration_risk *risk)
{
    enum { IMPORTER_EXAMS = 1 };
    if (!row->labelled) {
        self->unlabelled++;
        return true;
    }
    if (!reserve(self)) {
        return false;
    }
    bool known = risk->features[IMPORTER_EXAMS] > 0;
    self->lines_counts[self->counts[SUBSET_ALL]] = risk->lines.count;
    put(self, SUBSET_ALL, risk->logit, row->found);
    put(self, known ? SUBSET_KNOWN : SUBSET_NEWCOMERS, risk->logit, row->found);
    if (risk->critical != INT32_MIN) {
        put(self, SUBSET_CRITICAL, risk->critical, row->critical);
    }
    return true;
}

static int read_table(struct declaration_batch *batch, const struct options *options,
                      struct collected *out)
{
    char error[CSV_ERROR_BYTES] = "";
    struct declaration_group *table = NULL;
    struct err err = declaration_group_open(&options->table, options->lines, &table, error);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", options->table.path, error);
    }
    bool room = true;
    do {
        err = declaration_batch_next(batch, table, error);
        if (!err_is(err)) {
            declaration_batch_score(batch);
        }
        for (uint32_t i = 0; i < batch->count && !err_is(err) && room; i++) {
            room = collect(out, &batch->rows[i], &batch->risks[i]);
        }
    } while (!err_is(err) && room && batch->count > 0);
    declaration_group_tell(table, options->table.path);
    declaration_group_close(&table);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", options->table.path, error);
    }
    return room ? CTL_GOOD : ctl_refuse("no memory");
}

static void rate_cell(struct table *table, const struct evaluation_rate *rate)
{
    if (isfinite(rate->value)) {
        table_cellf(table, "%.3f (%.3f-%.3f)", rate->value, rate->lower, rate->upper);
    } else {
        table_cell(table, "-");
    }
}

static int print_lines(const struct line_bucket buckets[LINE_BUCKETS])
{
    static const struct table_column columns[] = {
        {"LINES", TABLE_LEFT, 0},  {"DECLARATIONS", TABLE_RIGHT, 0}, {"PREDICTED", TABLE_RIGHT, 0},
        {"FOUND", TABLE_RIGHT, 0}, {"ECE", TABLE_LEFT, 0},           {"BY CHANCE", TABLE_RIGHT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
        const struct line_bucket *of = &buckets[i];
        if (of->rows == 0) {
            continue;
        }
        table_cell(table, line_bucket_names[i]);
        table_cellf(table, "%" PRIu64, of->rows);
        table_cellf(table, "%.4f", of->predicted);
        table_cellf(table, "%.4f", (double)of->finds / (double)of->rows);
        table_cellf(table, "%.4f (%.4f-%.4f)", of->calibration_error.value,
                    of->calibration_error.lower, of->calibration_error.upper);
        table_cellf(table, "%.4f", of->chance);
    }
    printf("\n");
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

static int print_table(const struct evaluation evaluations[SUBSETS])
{
    static const struct table_column columns[] = {
        {"", TABLE_LEFT, 0},          {"ROWS", TABLE_RIGHT, 0},
        {"FINDS", TABLE_RIGHT, 0},    {"PRECISION 5%", TABLE_LEFT, 0},
        {"10%", TABLE_LEFT, 0},       {"AUC", TABLE_LEFT, 0},
        {"LOG LOSS", TABLE_RIGHT, 0}, {"ECE", TABLE_RIGHT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    for (int i = 0; i < SUBSETS; i++) {
        const struct evaluation *of = &evaluations[i];
        if (of->rows == 0) {
            continue;
        }
        table_cell(table, subset_words[i]);
        table_cellf(table, "%" PRIu64, of->rows);
        table_cellf(table, "%" PRIu64, of->finds);
        rate_cell(table, &of->precision_5);
        rate_cell(table, &of->precision_10);
        rate_cell(table, &of->auc);
        table_cellf(table, "%.4f", of->loss);
        table_cellf(table, "%.4f", of->calibration_error);
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

static int tell(const struct ctl *ctl, const struct evaluation evaluations[SUBSETS],
                const struct line_bucket buckets[LINE_BUCKETS])
{
    if (!ctl->json) {
        int result = print_table(evaluations);
        return result == CTL_GOOD ? print_lines(buckets) : result;
    }
    json_t *out = json_object();
    for (int i = 0; i < SUBSETS; i++) {
        json_object_set_new(out, subset_names[i], evaluation_json(&evaluations[i]));
    }
    json_object_set_new(out, "by_lines", line_buckets_json(buckets));
    return json_print(out, true);
}

static int run(const struct ctl *ctl, struct declaration_batch *batch,
               const struct options *options)
{
    struct collected collected = {.capacity = 0};
    struct evaluation evaluations[SUBSETS];
    int result = read_table(batch, options, &collected);
    if (result == CTL_GOOD && collected.counts[SUBSET_ALL] == 0) {
        result = ctl_refuse("%s: no labelled rows", options->table.path);
    }
    for (int i = 0; i < SUBSETS && result == CTL_GOOD; i++) {
        const struct evaluation_rows rows = {collected.logits[i], collected.labels[i],
                                             collected.counts[i]};
        struct err err = evaluation_make(&rows, &evaluations[i]);
        result = err_is(err) ? ctl_fail("evaluate", err) : CTL_GOOD;
    }
    struct line_bucket buckets[LINE_BUCKETS];
    if (result == CTL_GOOD) {
        const struct line_rows rows = {{collected.logits[SUBSET_ALL], collected.labels[SUBSET_ALL],
                                        collected.counts[SUBSET_ALL]},
                                       collected.lines_counts};
        struct err err = line_buckets_make(&rows, buckets);
        result = err_is(err) ? ctl_fail("evaluate", err) : CTL_GOOD;
    }
    if (collected.unlabelled > 0) {
        (void)fprintf(stderr, "%" PRIu64 " rows without a label are left out\n",
                      collected.unlabelled);
    }
    collected_fini(&collected);
    if (result == CTL_GOOD && options->png != NULL) {
        struct err err = reliability_write_png(&evaluations[SUBSET_ALL], options->png);
        result = err_is(err) ? ctl_fail(options->png, err) : CTL_GOOD;
    }
    return result == CTL_GOOD ? tell(ctl, evaluations, buckets) : result;
}

static bool names_option(int argc, char **argv, const char *option)
{
    size_t bytes = strlen(option);
    bool named = false;
    for (int i = 1; i < argc; i++) {
        named = named || (strncmp(argv[i], option, bytes) == 0 &&
                          (argv[i][bytes] == '\0' || argv[i][bytes] == '='));
    }
    return named;
}

/* Which options there are follows from the kind of the model: who takes one for another is told so,
 * and not that an option of this page does not exist. */
static const char *other_kind(int argc, char **argv, bool emptiness)
{
    if (emptiness && names_option(argc, argv, "--marks")) {
        return "this model tells empty containers: it is judged by --labels, not by --marks";
    }
    if (!emptiness && names_option(argc, argv, "--labels")) {
        return "--labels judges a model of `model train emptiness` (--model), which this is not";
    }
    return NULL;
}

int ctl_model_evaluate(struct ctl *ctl, int argc, char **argv)
{
    if (ctl_project_is_asked(argc, argv)) {
        return ctl_project(ctl, argc, argv);
    }
    char kind[MODEL_NAMED_KIND_BYTES];
    model_named_kind(argc, argv, kind);
    if (strcmp(kind, CONSISTENCY_KIND) == 0) {
        return ctl_consistency_evaluate(ctl, argc, argv);
    }
    bool emptiness = strcmp(kind, EMPTINESS_NAME) == 0;
    const char *wrong = other_kind(argc, argv, emptiness);
    if (wrong != NULL) {
        ctl_refuse("%s", wrong);
        return CTL_USAGE;
    }
    if (emptiness) {
        return ctl_emptiness_evaluate(ctl, argc, argv);
    }
    static const struct argp_option options_table[] = {
        {"model", OPTION_MODEL, "FILE", 0, "made by `model train`", 1},
        {"png", OPTION_PNG, "FILE", 0, "draw predicted probability against share of finds", 1},
        {"lines", OPTION_LINES, 0, 0,
         "rows that follow one another with the same id are lines of one declaration", 1},
        {0, 0, 0, 0, 0, 0},
    };
    const struct argp_child children[] = {
        declaration_options_children[0], {&evaluate_images_argp, 0, NULL, 3}, {NULL, 0, NULL, 0}};
    const struct argp own = {
        options_table,
        parse,
        "",
        "How well a model ranks and how well it is calibrated on labelled declarations"
        " (--declarations, required; the mapping names the labels): precision"
        " in the highest 5% and 10%, AUC, with 95% bootstrap intervals, log loss, expected"
        " calibration error, also by the number of lines. Or how well marks hit what was drawn on "
        "images: recall at 0.1, 0.5, 1,"
        " 2 and 5 false marks an image, with 95% bootstrap intervals over scans. Or, with "
        "--project,"
        " how often threats multiplied into normal scans are noticed: add --help to --project. Or,"
        " with a --model of `model train emptiness`, --images and --labels, how well it tells empty"
        " containers.",
        children,
        NULL,
        NULL};
    struct options options = {.table = {.site = "evaluation", .lane = "", .lenient = true},
                              .images = {.seed = 1}};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.images.images != NULL) {
        return evaluate_images(ctl, &options.images, options.model);
    }
    struct declaration_batch *batch = NULL;
    struct err err = declaration_batch_open(options.model, &batch);
    int result = err_is(err) ? ctl_fail(options.model, err) : run(ctl, batch, &options);
    declaration_batch_close(&batch);
    return result;
}
