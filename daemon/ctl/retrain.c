/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/retrain.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/logged_declarations.h"
#include "ctl/model_store.h"
#include "ctl/table_secret.h"
#include "kernels/logistic.h"
#include "kernels/oblivious.h"
#include "score/declaration_model.h"

static const int64_t day_ns = INT64_C(86400) * NS_PER_S;

/* Trees as the daemon has them. */
struct trees {
    struct declaration_model model;
    struct history history;
};

#define RETRAIN_PATH_BYTES 600u

struct work {
    const struct retrain_conf *conf;
    struct retrain *out;
    struct logged_declarations *logged;
    struct trees fresh;
    struct trees in_use;
    struct drift *drift;
    double *logits_new;
    double *logits_old;
    uint8_t *labels;
    uint8_t *random;
    uint64_t *exams;
    uint64_t count;             /* of exams: declarations of one item are judged as the item */
    struct item_lines item_new; /* of the last exam so far */
    struct item_lines item_old;
    uint64_t keys[HISTORY_KEYS_MAX];
};

static void trees_fini(struct trees *self)
{
    declaration_model_fini(&self->model);
    history_fini(&self->history);
}

/* *is_trees false: the file holds another kind of model. */
static struct err trees_read(const char *path, const uint8_t *sha256, uint64_t slots,
                             struct trees *out, bool *is_trees)
{
    struct model_file *file = NULL;
    *is_trees = false;
    struct err err = model_file_open(path, sha256, &file);
    if (!err_is(err)) {
        const char *kind = model_file_text(file, "kind");
        *is_trees = kind != NULL && strcmp(kind, DECLARATION_MODEL_KIND) == 0;
        if (*is_trees) {
            err = history_init(&out->history, slots);
            err = err_is(err) ? err : declaration_model_read(file, &out->model);
            err = err_is(err) ? err : declaration_model_counts(file, &out->history);
        }
    }
    model_file_close(&file);
    return err;
}

static bool read_in_use(struct ctl *ctl, struct work *work)
{
    struct retrain *out = work->out;
    char directory[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES + HASH_HEX_BYTES + 8];
    char hex[HASH_HEX_BYTES];
    bool found = false;
    if (!model_store_in_use(ctl, "history", out->in_use, &found) ||
        !ctl_path(ctl, ctl->conf.store_models, directory)) {
        return false;
    }
    if (!found) {
        return true;
    }
    hex_encode(out->in_use, HASH_BYTES, hex);
    (void)snprintf(path, sizeof path, "%s/%s.h5", directory, hex);
    struct err err = trees_read(path, out->in_use, (uint64_t)ctl->conf.judge_history_slots,
                                &work->in_use, &out->has_model);
    if (err_is(err)) {
        ctl_fail(path, err);
        return false;
    }
    out->learnt_until_ns = out->has_model ? work->in_use.history.learnt_until_ns : 0;
    return true;
}

static void find_cut(struct work *work)
{
    struct retrain *out = work->out;
    uint64_t count = logged_declarations_count(work->logged);
    int64_t last_ns = count > 0 ? logged_declarations_at(work->logged, count - 1)->decided_ns : 0;
    out->cut_ns = (last_ns / day_ns - work->conf->later_days + 1) * day_ns;
    if (out->has_model && out->learnt_until_ns >= out->cut_ns) {
        out->cut_ns = out->learnt_until_ns + 1;
    }
}

static bool tell_of(struct err err)
{
    if (err_is(err)) {
        ctl_fail("retrain", err);
    }
    return !err_is(err);
}

/* Every labelled declaration that had told before until_ns. */
static struct err teach(struct logged_declarations *logged, struct train_declarations *train,
                        int64_t until_ns)
{
    struct err err = err_none;
    uint64_t count = logged_declarations_count(logged);
    for (uint64_t i = 0; i < count && !err_is(err); i++) {
        const struct logged_declaration *row = logged_declarations_at(logged, i);
        const struct declaration *declaration = NULL;
        const struct train_outcome outcome = {.found = row->found,
                                              .t_ns = row->decided_ns,
                                              .known_ns = row->known_ns,
                                              .exam = row->exam};
        if (row->known_ns >= until_ns) {
            continue;
        }
        err = logged_declarations_read(logged, i, &declaration);
        if (!err_is(err) && declaration != NULL) {
            err = train_declarations_add(train, declaration, &outcome);
        }
    }
    return err;
}

static struct err fit(const struct retrain_conf *conf, struct logged_declarations *logged,
                      int64_t until_ns, const char *note, struct train_declarations_report *report)
{
    struct train_declarations_conf given = {
        .seed = conf->seed, .threads = conf->threads, .note = note};
    struct train_declarations *train = NULL;
    struct err err = logged_secret(logged, given.secret);
    err = err_is(err) ? err : durable_directory(conf->directory, 0750);
    err = err_is(err) ? err : train_declarations_open(&given, &train);
    err = err_is(err) ? err : teach(logged, train, until_ns);
    err = err_is(err) ? err : train_declarations_write(train, conf->directory, report);
    train_declarations_close(&train);
    return err;
}

/* The file of the model that knows only what was known before the cut is of no use afterwards. It
 * gets a folder of its own: by its name it could be a file that somebody keeps. */
static struct err fit_fresh(struct work *work)
{
    struct train_declarations_report report;
    char folder[RETRAIN_PATH_BYTES];
    bool is_trees = false;
    int bytes = snprintf(folder, sizeof folder, "%s/compare-XXXXXX", work->conf->directory);
    struct err err = durable_directory(work->conf->directory, 0750);
    if (err_is(err)) {
        return err;
    }
    if (bytes < 0 || (size_t)bytes >= sizeof folder || mkdtemp(folder) == NULL) {
        return err_make(ERR_IO, "a folder for the comparison");
    }
    struct retrain_conf conf = *work->conf;
    conf.directory = folder;
    err = fit(&conf, work->logged, work->out->cut_ns, NULL, &report);
    if (!err_is(err)) {
        err = trees_read(report.model.path, NULL, 0, &work->fresh, &is_trees);
        struct err removed = durable_remove(report.model.path);
        err = err_is(err) ? err : removed;
    }
    (void)rmdir(folder);
    return err;
}

static bool is_anything_later(const struct work *work)
{
    uint64_t count = logged_declarations_count(work->logged);
    for (uint64_t i = 0; i < count; i++) {
        if (logged_declarations_at(work->logged, i)->decided_ns >= work->out->cut_ns) {
            return true;
        }
    }
    return false;
}

/* Of the item with this declaration added to it, as the scorer judges items. */
static double logit_of(struct trees *trees, const struct declaration *declaration,
                       struct item_lines *item)
{
    struct declaration_risk risk;
    declaration_model_score(&trees->model, &trees->history, &declaration, 1, &risk, NULL);
    item_lines_join(item, &risk.lines);
    return (double)item_lines_settle(&trees->model.lines, item) * OBLIVIOUS_LOGIT;
}

/* What was in force said this of the whole item; a thousandth is as sure as it is taken to be. */
static double logit_told(const struct logged_declaration *row)
{
    return logistic_logit(fmin(fmax(row->probability, 0.001), 0.999));
}

static void judge_row(struct work *work, const struct logged_declaration *row,
                      const struct declaration *declaration)
{
    bool scored = row->probability > 0; /* 0: it could not be scored, so nothing was said of it */
    if (!work->out->has_model && !scored) {
        return;
    }
    /* Declarations of one exam come one after another. */
    bool same = work->count > 0 && work->exams[work->count - 1] == row->exam;
    uint64_t at = same ? work->count - 1 : work->count++;
    if (!same) {
        work->item_new.count = 0;
        work->item_old.count = 0;
    }
    work->logits_new[at] = logit_of(&work->fresh, declaration, &work->item_new);
    work->logits_old[at] = work->out->has_model
                               ? logit_of(&work->in_use, declaration, &work->item_old)
                               : logit_told(row);
    work->labels[at] = row->found;
    work->random[at] = logged_is_random(row);
    work->exams[at] = row->exam;
    work->out->random_count += logged_is_random(row);
}

/* What the daemon has learnt live since the model in use was trained, up to the cut. */
static void learn_live(struct work *work, const struct logged_declaration *row,
                       const struct declaration *declaration)
{
    if (work->out->has_model && row->known_ns < work->out->cut_ns) {
        history_learn(&work->in_use.history, declaration, row->found, row->known_ns, work->keys);
    }
}

/* Two rounds over the log: what is known before the cut, then what was decided after it. */
static struct err go_through(struct work *work, bool later)
{
    struct err err = err_none;
    uint64_t count = logged_declarations_count(work->logged);
    for (uint64_t i = 0; i < count && !err_is(err); i++) {
        const struct logged_declaration *row = logged_declarations_at(work->logged, i);
        const struct declaration *declaration = NULL;
        bool is_later = row->decided_ns >= work->out->cut_ns;
        if (is_later != later) {
            continue;
        }
        err = logged_declarations_read(work->logged, i, &declaration);
        if (err_is(err) || declaration == NULL) {
            work->out->lost_count += declaration == NULL;
            continue;
        }
        err = drift_add(work->drift, declaration, row->probability > 0 ? row->probability : NAN,
                        later);
        if (later) {
            work->out->later_count++;
            judge_row(work, row, declaration);
        } else {
            work->out->training_count += row->known_ns < work->out->cut_ns;
            learn_live(work, row, declaration);
        }
    }
    return err;
}

static void describe(struct retrain *out)
{
    char words[512];
    char day[CLOCK_DAY_BYTES];
    char hex[HASH_HEX_BYTES];
    clock_day_text(out->cut_ns, day);
    hex_encode(out->in_use, HASH_BYTES, hex);
    compare_describe(&out->compare, words, sizeof words);
    (void)snprintf(
        out->note, sizeof out->note, "against %s%.12s, both without what exams told after %s: %s",
        out->has_model ? "model " : "the scores in the log", out->has_model ? hex : "", day, words);
}

static struct err compare(struct work *work)
{
    struct retrain *out = work->out;
    struct err err = go_through(work, false);
    bool enough = out->training_count >= RETRAIN_TRAINING_MIN;
    if (err_is(err) || !enough || !is_anything_later(work)) {
        return err;
    }
    err = fit_fresh(work);
    err = err_is(err) ? err : go_through(work, true);
    if (err_is(err) || work->count == 0) {
        return err;
    }
    const struct compare_rows judged = {work->logits_new, work->logits_old, work->labels,
                                        work->random,     work->exams,      work->count};
    err = compare_make(&judged, &out->compare);
    err = err_is(err) ? err : drift_make(work->drift, out->drift, &out->drift_count);
    if (!err_is(err)) {
        out->compared = true;
        describe(out);
    }
    return err;
}

static bool reserve(struct work *work)
{
    uint64_t room = logged_declarations_count(work->logged) + 1;
    work->logits_new = calloc(room, sizeof *work->logits_new);
    work->logits_old = calloc(room, sizeof *work->logits_old);
    work->labels = calloc(room, 1);
    work->random = calloc(room, 1);
    work->exams = calloc(room, sizeof *work->exams);
    bool good = work->logits_new != NULL && work->logits_old != NULL && work->labels != NULL &&
                work->random != NULL && work->exams != NULL;
    return good ? tell_of(drift_open(&work->drift)) : tell_of(err_make(ERR_MEMORY, "retrain"));
}

bool retrain_compare(struct ctl *ctl, const struct retrain_conf *conf, struct retrain *out)
{
    struct work *work = calloc(1, sizeof *work);
    memset(out, 0, sizeof *out);
    if (work == NULL) {
        return tell_of(err_make(ERR_MEMORY, "retrain"));
    }
    work->conf = conf;
    work->out = out;
    bool good = logged_declarations_open(ctl, conf->newest, &work->logged) && reserve(work) &&
                read_in_use(ctl, work);
    if (good) {
        find_cut(work);
        good = tell_of(compare(work));
    }
    trees_fini(&work->fresh);
    trees_fini(&work->in_use);
    drift_close(&work->drift);
    logged_declarations_close(&work->logged);
    free(work->logits_new);
    free(work->logits_old);
    free(work->labels);
    free(work->random);
    free(work->exams);
    free(work);
    return good;
}

bool retrain_write(struct ctl *ctl, const struct retrain_conf *conf, const struct retrain *retrain,
                   struct train_declarations_report *report)
{
    struct logged_declarations *logged = NULL;
    if (!logged_declarations_open(ctl, conf->newest, &logged)) {
        return false;
    }
    bool good = tell_of(fit(conf, logged, INT64_MAX, retrain->note, report));
    logged_declarations_close(&logged);
    return good;
}
