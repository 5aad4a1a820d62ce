/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_declarations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/train_fit.h"
#include "score/train_judge.h"
#include "score/train_model.h"
#include "score/train_rows.h"
#include "score/train_tell.h"
#include "score/train_trees.h"

/* Two models are fitted. The first has not seen the later rows (validation, or the last block): it
 * is judged on them and calibrated by them. The second, which is written, has seen everything that
 * may be learnt, because the newest outcomes are worth most for what comes next; it takes over the
 * calibration of the first. */

static const int64_t day_ns = INT64_C(86400) * 1000000000;

/* Fewer grave finds than this teach nothing; and trees that have seen fewer rows of either outcome
 * tell nothing about the scale of others. */
enum { CRITICAL_MIN = 50, OUTCOMES_MIN = 50 };

struct train_declarations {
    struct train_declarations_conf conf;
    struct train_rows rows;
    struct team *team;
    uint64_t training_count; /* rows before the validation rows */
    uint64_t seen_count;     /* rows that the model which is judged has seen */
    float *features;         /* [rows x LINE_FEATURES] */
    float *found;            /* [rows] */
    float *critical;         /* [rows] */
    uint8_t *known;          /* [rows]: its importer had been examined before */
};

MUST_USE struct err train_declarations_open(const struct train_declarations_conf *conf,
                                            struct train_declarations **out)
{
    struct train_declarations *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "train_declarations_open");
    }
    self->conf = *conf;
    struct err err = train_rows_init(&self->rows, conf->lines_max, conf->secret);
    err = err_is(err) ? err : team_open(conf->threads > 0 ? conf->threads : 1, &self->team);
    if (err_is(err)) {
        train_declarations_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void train_declarations_close(struct train_declarations **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    train_rows_fini(&(*self)->rows);
    team_close(&(*self)->team);
    free((*self)->features);
    free((*self)->found);
    free((*self)->critical);
    free((*self)->known);
    free(*self);
    *self = NULL;
}

MUST_USE struct err train_declarations_add(struct train_declarations *self,
                                           const struct declaration *declaration,
                                           const struct train_outcome *outcome)
{
    return train_rows_add(&self->rows, declaration, outcome);
}

/* Blocks are counted back from the time at which scoring would begin: the first validation row, or
 * the day after the last row. */
static int64_t scoring_begins_day(const struct train_declarations *self)
{
    const struct train_rows *rows = &self->rows;
    if (self->training_count < rows->rows_count) {
        return rows->rows[self->training_count].outcome.t_ns / day_ns;
    }
    return rows->rows[rows->rows_count - 1].outcome.t_ns / day_ns + 1;
}

static uint64_t first_row_from(const struct train_declarations *self, int64_t day)
{
    uint64_t at = 0;
    while (at < self->training_count && self->rows.rows[at].outcome.t_ns < day * day_ns) {
        at++;
    }
    return at;
}

/* A feature that is the same in every row is never asked for. */
static void leave_out(const struct train_declarations *self, float features[LINE_FEATURES])
{
    for (uint32_t feature = 0; feature < LINE_FEATURES; feature++) {
        if (self->conf.left_out[line_group_of(feature)]) {
            features[feature] = 0;
        }
    }
}

/* Features of rows from..to as things are known at begin_ns of the rows before `from`. */
static struct err read_block(struct train_declarations *self, uint64_t from, uint64_t to,
                             int64_t begin_ns)
{
    enum { IMPORTER_EXAMS = 1 };
    struct err err = train_rows_learn_known(&self->rows, from, begin_ns);
    err = err_is(err) ? err : train_rows_norms(&self->rows, from);
    for (uint64_t i = from; i < to && !err_is(err); i++) {
        float *features = self->features + i * LINE_FEATURES;
        train_rows_features(&self->rows, i, features);
        self->known[i] = features[IMPORTER_EXAMS] > 0;
        leave_out(self, features);
    }
    return err;
}

static struct err read_features(struct train_declarations *self)
{
    struct train_rows *rows = &self->rows;
    int64_t end = scoring_begins_day(self);
    int64_t days = end - rows->rows[0].outcome.t_ns / day_ns;
    /* A table of few days is cut into quarters of its own, of a day at least. */
    int64_t quarter = days > 4 ? (days + 3) / 4 : 1;
    int64_t block = quarter < TRAIN_BLOCK_DAYS ? quarter : TRAIN_BLOCK_DAYS;
    uint64_t blocks = (uint64_t)(days / block);
    uint64_t from = 0;
    struct err err = err_none;
    for (uint64_t left = blocks + 1; left > 0 && !err_is(err); left--) {
        uint64_t to = first_row_from(self, end - (int64_t)(left - 1) * block);
        to = left == 1 ? self->training_count : to;
        if (to > from) {
            self->seen_count = from;
            err = read_block(self, from, to, (end - (int64_t)left * block) * day_ns);
        }
        from = to;
    }
    if (!err_is(err) && self->training_count < rows->rows_count) {
        self->seen_count = self->training_count;
        err = read_block(self, self->training_count, rows->rows_count,
                         rows->rows[self->training_count].outcome.t_ns + 1);
    }
    return err;
}

static struct err prepare(struct train_declarations *self)
{
    uint64_t count = self->rows.rows_count;
    struct err err = train_rows_sort(&self->rows, &self->training_count);
    if (!err_is(err) && self->conf.keep_validation_out && self->training_count == 0) {
        err = err_make(ERR_ARGUMENT, "no training rows, and the validation rows are kept out");
    }
    if (err_is(err)) {
        return err;
    }
    self->features = calloc(count, LINE_FEATURES * sizeof *self->features);
    self->found = calloc(count, sizeof *self->found);
    self->critical = calloc(count, sizeof *self->critical);
    self->known = calloc(count, sizeof *self->known);
    if (self->features == NULL || self->found == NULL || self->critical == NULL ||
        self->known == NULL) {
        return err_make(ERR_MEMORY, "train_declarations_write");
    }
    for (uint64_t i = 0; i < count; i++) {
        self->found[i] = self->rows.rows[i].outcome.found ? 1.0f : 0.0f;
        self->critical[i] = self->rows.rows[i].outcome.critical ? 1.0f : 0.0f;
    }
    return read_features(self);
}

static struct trees_rows rows_between(const struct train_declarations *self, const float *labels,
                                      uint64_t from, uint64_t to)
{
    return (struct trees_rows){self->features + from * LINE_FEATURES, labels + from, to - from};
}

/* Fits one target on what the first model may see. The caller frees *out. */
static struct err fit_early(struct train_declarations *self, const float *labels,
                            const struct oblivious_options *options, struct oblivious_model *out)
{
    const struct trees_rows early = rows_between(self, labels, 0, self->seen_count);
    return trees_fit(&early, options, self->team, out);
}

static struct err fit_all(struct train_declarations *self, const float *labels,
                          const struct oblivious_options *options, struct oblivious_model *out)
{
    uint64_t used = self->conf.keep_validation_out ? self->training_count : self->rows.rows_count;
    const struct trees_rows all = rows_between(self, labels, 0, used);
    return trees_fit(&all, options, self->team, out);
}

static struct oblivious_options seeded(const struct train_declarations *self,
                                       const struct oblivious_options *given)
{
    struct oblivious_options options = *given;
    options.seed += self->conf.seed * 1000;
    return options;
}

static uint64_t count_of(const float *labels, uint64_t count)
{
    uint64_t positive = 0;
    for (uint64_t i = 0; i < count; i++) {
        positive += labels[i] > 0;
    }
    return positive;
}

/* Trees that have seen few rows of an outcome tell nothing about the scale of others. */
static bool has_scale(const struct train_declarations *self, const float *labels)
{
    uint64_t positive = count_of(labels, self->seen_count);
    return positive >= OUTCOMES_MIN && self->seen_count - positive >= OUTCOMES_MIN;
}

static void features_of_line(const struct train_declarations *self,
                             const struct train_item_line *line, float out[LINE_FEATURES])
{
    uint64_t row = self->seen_count + line->row;
    if (self->rows.rows[row].lines_count == 1) {
        memcpy(out, self->features + row * LINE_FEATURES, LINE_FEATURES * sizeof *out);
        return;
    }
    train_rows_line_features(&self->rows, row, line->line, out);
    leave_out(self, out);
}

/* All lines of the later rows, as the histories and norms are before the first of them: they have
 * learnt nothing since the block of these rows was read. */
static struct err score_lines(const struct train_declarations *self,
                              const struct oblivious_model *trees, struct train_later *later)
{
    enum { BLOCK = 256 };
    uint64_t count = later->items.first_lines[later->items.count];
    float *features = calloc(BLOCK, LINE_FEATURES * sizeof *features);
    struct err err = features != NULL ? err_none : err_make(ERR_MEMORY, "train_declarations_write");
    for (uint64_t from = 0; from < count && !err_is(err); from += BLOCK) {
        double logits[BLOCK];
        uint64_t block = count - from < BLOCK ? count - from : BLOCK;
        for (uint64_t i = 0; i < block; i++) {
            features_of_line(self, &later->lines[from + i], features + i * LINE_FEATURES);
        }
        const struct trees_rows rows = {features, NULL, block};
        err = trees_logits(trees, &rows, logits);
        for (uint64_t i = 0; i < block && !err_is(err); i++) {
            later->items.logits[from + i] = (int32_t)lround(logits[i] / OBLIVIOUS_LOGIT);
        }
    }
    free(features);
    return err;
}

static struct err fit_found(struct train_declarations *self, struct declaration_model *model,
                            struct train_declarations_report *report)
{
    const struct oblivious_options options = seeded(self, &trees_of_finds);
    struct oblivious_model early = {.tree_count = 0};
    struct train_later later;
    uint64_t from = self->seen_count;
    struct err err = train_later_init(self->rows.rows + from, self->known + from,
                                      self->rows.rows_count - from, &later);
    if (err_is(err)) {
        return err;
    }
    later.has_scale = has_scale(self, self->found);
    err = fit_early(self, self->found, &options, &early);
    err = err_is(err) ? err : score_lines(self, &early, &later);
    err = err_is(err) ? err : fit_all(self, self->found, &options, &model->found);
    err = err_is(err) ? err : train_later_judge(&later, &model->bins, report);
    if (!err_is(err)) {
        err = trees_calibrate(&model->found, report->scale, report->offset);
        model->lines = report->lines;
        report->trees = model->found.tree_count;
    }
    declaration_trees_free(&early);
    train_later_fini(&later);
    return err;
}

/* Row by row: what is grave is told of the riskiest line. */
static struct err judge_critical(struct train_declarations *self, double *logits, uint8_t *labels,
                                 struct declaration_model *model,
                                 struct train_declarations_report *report)
{
    uint64_t from = self->seen_count;
    const struct evaluation_rows rows = {logits, labels, self->rows.rows_count - from};
    double scale = 1;
    double offset = 0;
    for (uint64_t i = 0; i < rows.count; i++) {
        labels[i] = self->critical[from + i] > 0;
    }
    if (has_scale(self, self->critical)) {
        fit_calibration(logits, labels, rows.count, &scale, &offset);
    }
    struct err err = trees_calibrate(&model->critical, scale, offset);
    return err_is(err) ? err : evaluation_make(&rows, &report->critical);
}

static struct err fit_critical(struct train_declarations *self, struct declaration_model *model,
                               struct train_declarations_report *report)
{
    if (count_of(self->critical, self->rows.rows_count) < CRITICAL_MIN) {
        return err_none;
    }
    const struct oblivious_options options = seeded(self, &trees_of_critical);
    uint64_t count = self->rows.rows_count - self->seen_count;
    struct oblivious_model early = {.tree_count = 0};
    double *logits = calloc(count + 1, sizeof *logits);
    uint8_t *labels = calloc(count + 1, 1);
    struct err err = err_make(ERR_MEMORY, "train_declarations_write");
    if (logits != NULL && labels != NULL) {
        const struct trees_rows late =
            rows_between(self, self->critical, self->seen_count, self->rows.rows_count);
        err = fit_early(self, self->critical, &options, &early);
        err = err_is(err) ? err : trees_logits(&early, &late, logits);
        err = err_is(err) ? err : fit_all(self, self->critical, &options, &model->critical);
        err = err_is(err) ? err : judge_critical(self, logits, labels, model, report);
    }
    declaration_trees_free(&early);
    free(logits);
    free(labels);
    return err;
}

static struct err fill_file(struct train_declarations *self, const struct declaration_model *model,
                            struct model_file *file)
{
    const struct history_weights *weights = &self->rows.history.weights;
    const double constants[4] = {weights->shrinkage, weights->half_life_days, weights->prior,
                                 weights->prior_exams};
    const uint64_t constants_count = 4;
    struct err err = declaration_trees_write(&model->found, "trees_", file);
    err = err_is(err) ? err : declaration_trees_write(&model->critical, "critical_", file);
    err = err_is(err) ? err : declaration_bins_write(&model->bins, file);
    err = err_is(err) ? err : goods_norms_write(&self->rows.norms, file);
    err = err_is(err)
              ? err
              : model_file_add(file, "constants", MODEL_F64, &constants_count, 1, constants);
    err = err_is(err) ? err : history_table_write(&self->rows.history.live, file);
    err = err_is(err) ? err : model_file_add_text(file, "kinds_version", HISTORY_KINDS_VERSION);
    err = err_is(err) ? err : declaration_lines_write(&model->lines, file);
    char secret[2 * PART_SECRET_BYTES + 1];
    hex_encode(self->conf.secret, PART_SECRET_BYTES, secret);
    err = err_is(err) ? err : model_file_add_text(file, "digest_secret", secret);
    char inputs[LINE_NAMES_BYTES];
    declaration_input_names(&model->lines, inputs);
    return err_is(err) ? err : model_file_add_text(file, "inputs", inputs);
}

static struct err write_model(struct train_declarations *self,
                              const struct declaration_model *model, const char *directory,
                              struct train_declarations_report *report)
{
    const struct train_told told = {.conf = &self->conf,
                                    .report = report,
                                    .rows = self->rows.rows_given,
                                    .entities = self->rows.history.live.used,
                                    .validated = self->training_count < self->rows.rows_count};
    char evaluation[TRAIN_TOLD_BYTES];
    train_tell(&told, evaluation);
    struct train_model head = {.name = "history",
                               .kind = DECLARATION_MODEL_KIND,
                               .seed = self->conf.seed,
                               .evaluation = evaluation};
    sha256_finish(self->rows.training_set, head.training_set_sha256);
    struct model_file file;
    model_file_init(&file);
    struct err err = fill_file(self, model, &file);
    err = err_is(err) ? err : train_model_write(&head, &file, directory, &report->model);
    model_file_fini(&file);
    return err;
}

MUST_USE struct err train_declarations_write(struct train_declarations *self, const char *directory,
                                             struct train_declarations_report *report)
{
    if (self->rows.rows_count == 0) {
        return err_make(ERR_ARGUMENT, "no labelled rows to learn from");
    }
    struct declaration_model model = {.space = NULL};
    struct train_declarations_report made = {.trees = 0};
    made.critical.auc.value = NAN; /* until there is one */
    struct err err = prepare(self);
    err = err_is(err) ? err : fit_found(self, &model, &made);
    err = err_is(err) ? err : fit_critical(self, &model, &made);
    uint64_t learnt = self->conf.keep_validation_out ? self->training_count : self->rows.rows_count;
    err = err_is(err) ? err : train_rows_learn_known(&self->rows, learnt, INT64_MAX);
    if (!err_is(err)) {
        err = train_rows_norms(&self->rows, learnt);
    }
    err = err_is(err) ? err : write_model(self, &model, directory, &made);
    declaration_model_fini(&model);
    if (!err_is(err)) {
        *report = made;
    }
    return err;
}
