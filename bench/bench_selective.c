/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "bench/declaration_set.h"
#include "bench/figure.h"
#include "bench/selective.h"
#include "decide/adapt.h"
#include "kernels/logistic.h"
#include "score/drift.h"
#include "score/train_rows.h"
#include "score/train_trees.h"

/* Selective labels: the tables' weeks are gone through in order; of each week only what a strategy
 * inspects gets a label, is learnt by the histories and teaches the trees of the weeks after. The
 * others' labels are read for the figures alone. Features of a row are those of the day it came, so
 * a strategy lives with the histories that its own choices made. The first WEEKS_BLIND weeks are
 * drawn at random for everybody: there is no model yet.
 *
 * Usage: bench_selective [--quick] DIRECTORY TABLE...
 * DIRECTORY/selective.csv: a line for each run and week. A table of means on standard output. */

enum {
    WEEKS_BLIND = 4,
    WEEKS_MAX = 120,
    SEEDS_MAX = 3,
    LATE_WEEKS = 13,
    NORMS_EVERY = 4,
    ADAPT_WEEKS = 4
};

static const double budgets[] = {0.01, 0.05, 0.10};
enum { BUDGETS = sizeof budgets / sizeof *budgets };

/* Few rows, often: smaller trees than the product's, taught by the product's code. */
static const struct oblivious_options weekly_trees = {.tree_count = 100,
                                                      .depth = 4,
                                                      .border_max = 32,
                                                      .learning_rate = 0.1,
                                                      .l2 = 5,
                                                      .hessian_min = 1,
                                                      .row_share = 0.8,
                                                      .column_share = 0.5,
                                                      .seed = 1};

struct tally {
    double inspected;
    double found;
    double finds;    /* in all rows of the week */
    double possible; /* as many as the inspections could have found */
    double top_5;    /* share of finds among the twentieth with the highest scores */
    double share;    /* explored */
};

struct run {
    const struct declaration_set *set;
    size_t strategy;
    size_t budget;
    uint64_t seed;
    struct tally weeks[WEEKS_MAX];
    size_t weeks_count;
};

struct state {
    struct run *run;
    struct train_rows rows;
    struct team *alone; /* of one: the runs are what is shared out */
    struct rng rng;
    float *features; /* of the week [count x LINE_FEATURES] */
    float *taught;   /* of inspected rows [capacity x LINE_FEATURES] */
    float *labels;   /* of inspected rows */
    size_t taught_count;
    struct oblivious_model trees;
    bool has_trees;
    double *probabilities;
    int32_t *scores;
    int32_t *contributions;
    float *embeddings;
    uint32_t *chosen;
    double share;
    double bins[10]; /* of scores in the weeks before, fading */
    double seen;     /* rows in them */
    struct selective_bandit bandit;
    struct adapt_figures latest[ADAPT_WEEKS];
};

static void *room(size_t count, size_t element_bytes)
{
    void *bytes = calloc(count + 1, element_bytes);
    bench_check(bytes != NULL, "no memory");
    return bytes;
}

static void open_state(struct state *self, struct run *run)
{
    size_t count = run->set->count;
    *self = (struct state){.run = run, .share = strategies[run->strategy].explore_share};
    static const uint8_t secret[PART_SECRET_BYTES] = {1};
    struct err err = train_rows_init(&self->rows, TRAIN_LINES_MAX, secret);
    err = err_is(err) ? err : team_open(1, &self->alone);
    bench_check(!err_is(err), "no memory");
    for (size_t i = 0; i < count; i++) {
        const struct train_outcome outcome = {.found = run->set->labels[i].found,
                                              .t_ns = run->set->labels[i].t_ns};
        err = train_rows_add(&self->rows, &run->set->declarations[i], &outcome);
        bench_check(!err_is(err), "row %zu: %s", i, err.where);
    }
    uint64_t training = 0;
    err = train_rows_sort(&self->rows, &training);
    bench_check(!err_is(err), "rows: %s", err.where);
    selective_bandit_init(&self->bandit);
    rng_init(&self->rng, run->seed, run->strategy * BUDGETS + run->budget);
    self->features = room(count, LINE_FEATURES * sizeof(float));
    self->taught = room(count, LINE_FEATURES * sizeof(float));
    self->labels = room(count, sizeof(float));
    self->probabilities = room(count, sizeof(double));
    self->scores = room(count, sizeof(int32_t));
    self->contributions = room(count, LINE_FEATURES * sizeof(int32_t));
    self->embeddings = room(count, LINE_FEATURES * sizeof(float));
    self->chosen = room(count, sizeof(uint32_t));
}

static void close_state(struct state *self)
{
    train_rows_fini(&self->rows);
    team_close(&self->alone);
    declaration_trees_free(&self->trees);
    free(self->features);
    free(self->taught);
    free(self->labels);
    free(self->probabilities);
    free(self->scores);
    free(self->contributions);
    free(self->embeddings);
    free(self->chosen);
}

/* Probabilities and contributions of the week's rows; noise as long as there is no model. */
static void score_week(struct state *self, size_t count)
{
    if (!self->has_trees) {
        for (size_t i = 0; i < count; i++) {
            self->probabilities[i] = rng_uniform(&self->rng);
        }
        return;
    }
    size_t bytes = oblivious_workspace_bytes(&self->trees);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    bench_check(workspace != NULL, "no memory");
    const struct oblivious_rows rows = {self->features, count, LINE_FEATURES};
    const struct oblivious_reasons reasons = {self->scores, self->contributions, LINE_FEATURES};
    oblivious_explain(&self->trees, &rows, workspace, &reasons);
    free(workspace);
    for (size_t i = 0; i < count; i++) {
        self->probabilities[i] = logistic_probability(self->scores[i] * OBLIVIOUS_LOGIT);
    }
    for (size_t i = 0; i < count * LINE_FEATURES; i++) {
        self->embeddings[i] = (float)(self->contributions[i] * OBLIVIOUS_LOGIT);
    }
}

/* Population stability index of the week's scores against those before, which it then joins. */
static void follow_scores(struct state *self, size_t count, struct adapt_figures *figures)
{
    double now[10] = {0};
    double index = 0;
    double before = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bin = (size_t)(self->probabilities[i] * 10);
        now[bin < 10 ? bin : 9] += 1 / (double)count;
    }
    for (int bin = 0; bin < 10; bin++) {
        before += self->bins[bin];
    }
    for (int bin = 0; bin < 10; bin++) {
        double was = before > 0 ? self->bins[bin] / before : now[bin];
        double a = now[bin] > 1e-3 ? now[bin] : 1e-3;
        double b = was > 1e-3 ? was : 1e-3;
        index += (a - b) * log(a / b);
        self->bins[bin] = 0.85 * self->bins[bin] + now[bin];
    }
    figures->drift = before > 0 ? index : 0;
    figures->drift_chance = drift_chance((uint64_t)self->seen, count, 10);
    self->seen = 0.85 * self->seen + (double)count;
}

/* Share of finds among the highest twentieth of all rows: what the ranking is worth. */
static double top_share(const struct state *self, size_t from, size_t count)
{
    size_t wanted = count / 20 > 0 ? count / 20 : 1;
    bool *taken = room(count, sizeof *taken);
    double found = 0;
    for (size_t k = 0; k < wanted; k++) {
        size_t best = count;
        for (size_t i = 0; i < count; i++) {
            bool better = best == count || self->probabilities[i] > self->probabilities[best];
            best = !taken[i] && better ? i : best;
        }
        taken[best] = true;
        found += self->rows.rows[from + best].outcome.found;
    }
    free(taken);
    return found / (double)wanted;
}

/* What was inspected becomes knowledge. Returns the finds; figures: what the model expected of
 * either kind of inspections, and what they held. */
static double learn_week(struct state *self, size_t from, size_t budget, size_t explored_from,
                         struct adapt_figures *figures)
{
    double found = 0;
    for (size_t k = 0; k < budget; k++) {
        size_t row = self->chosen[k];
        bool is_find = self->rows.rows[from + row].outcome.found;
        found += is_find;
        bool targeted = k < explored_from;
        double promised = self->probabilities[row];
        *(targeted ? &figures->target_promised : &figures->random_promised) += promised;
        *(targeted ? &figures->target_exams : &figures->random_exams) += 1;
        *(targeted ? &figures->target_finds : &figures->random_finds) += is_find;
        memcpy(self->taught + self->taught_count * LINE_FEATURES,
               self->features + row * LINE_FEATURES, LINE_FEATURES * sizeof(float));
        self->labels[self->taught_count++] = is_find;
    }
    for (size_t k = 0; k < budget; k++) {
        struct err err =
            train_rows_learn(&self->rows, from + self->chosen[k], from + self->chosen[k] + 1);
        bench_check(!err_is(err), "no memory");
    }
    return found;
}

static void teach_trees(struct state *self)
{
    const struct trees_rows rows = {self->taught, self->labels, self->taught_count};
    if (self->has_trees) {
        declaration_trees_free(&self->trees);
    }
    struct err err = trees_fit(&rows, &weekly_trees, self->alone, &self->trees);
    bench_check(!err_is(err), "no memory");
    self->has_trees = true;
}

/* The share of the coming week. The figures are those of the last four weeks, as the daemon's are
 * of the last 28 days. */
static void adapt_share(struct state *self, size_t week, const struct adapt_figures *figures)
{
    static const struct adapt_limits limits = {SELECTIVE_FLOOR, SELECTIVE_CEILING};
    const struct tally *tally = &self->run->weeks[week];
    struct adapt_choice choice;
    if (strategies[self->run->strategy].adapts == ADAPT_BANDIT) {
        double drift = figures->drift > figures->drift_chance ? figures->drift / DRIFT_OTHER : 0;
        self->share = selective_bandit_next(&self->bandit, tally->found / tally->inspected, drift,
                                            &self->rng);
        return;
    }
    struct adapt_figures sum = {.drift = figures->drift, .drift_chance = figures->drift_chance};
    self->latest[week % ADAPT_WEEKS] = *figures;
    for (size_t i = 0; i < ADAPT_WEEKS; i++) {
        const struct adapt_figures *one = &self->latest[i];
        sum.target_exams += one->target_exams;
        sum.target_finds += one->target_finds;
        sum.target_promised += one->target_promised;
        sum.random_exams += one->random_exams;
        sum.random_finds += one->random_finds;
        sum.random_promised += one->random_promised;
    }
    adapt_choose(&limits, &sum, self->share, &choice);
    self->share = choice.share;
}

static void live_week(struct state *self, size_t week, size_t from, size_t to)
{
    struct run *run = self->run;
    const struct strategy *strategy = &strategies[run->strategy];
    size_t count = to - from;
    if (week % NORMS_EVERY == 0) {
        struct err err = train_rows_norms(&self->rows, from);
        bench_check(!err_is(err), "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        train_rows_features(&self->rows, from + i, self->features + i * LINE_FEATURES);
    }
    score_week(self, count);
    struct adapt_figures figures = {.drift_chance = 0};
    follow_scores(self, count, &figures);
    double wanted = budgets[run->budget] * (double)count;
    size_t budget = (size_t)(wanted + 0.5) > 0 ? (size_t)(wanted + 0.5) : 1;
    const struct tally *last = week > 0 ? &run->weeks[week - 1] : NULL;
    struct week given = {.probabilities = self->probabilities,
                         .embeddings = self->embeddings,
                         .count = count,
                         .width = LINE_FEATURES,
                         .budget = budget,
                         .share = self->has_trees ? self->share : 1,
                         .model_is_good = last != NULL && last->found > 0.5 * last->inspected};
    static const struct strategy blind = {"blind", 1, EXPLORE_RANDOM, ADAPT_NOT};
    size_t explored_from = 0;
    selective_choose(self->has_trees ? strategy : &blind, &given, &self->rng, self->chosen,
                     &explored_from);
    struct tally *tally = &run->weeks[week];
    tally->top_5 = top_share(self, from, count);
    tally->share = given.share;
    tally->inspected = (double)budget;
    tally->found = learn_week(self, from, budget, explored_from, &figures);
    for (size_t i = from; i < to; i++) {
        tally->finds += self->rows.rows[i].outcome.found;
    }
    tally->possible = tally->finds < tally->inspected ? tally->finds : tally->inspected;
    if (strategy->adapts != ADAPT_NOT && self->has_trees) {
        adapt_share(self, week, &figures);
    }
    if (week + 1 >= WEEKS_BLIND) {
        teach_trees(self);
    }
}

static void live(void *argument, size_t part)
{
    static const int64_t week_ns = 7 * INT64_C(86400) * 1000000000;
    struct run *run = (struct run *)argument + part;
    struct state state;
    open_state(&state, run);
    const struct train_row *rows = state.rows.rows;
    size_t count = state.rows.rows_count;
    int64_t begin_ns = rows[0].outcome.t_ns;
    for (size_t from = 0; from < count && run->weeks_count < WEEKS_MAX;) {
        int64_t end_ns = begin_ns + (int64_t)(run->weeks_count + 1) * week_ns;
        size_t to = from;
        while (to < count && rows[to].outcome.t_ns < end_ns) {
            to++;
        }
        /* Weeks without any row, and the torn one at the end, say nothing. */
        if (to > from && (to < count || rows[count - 1].outcome.t_ns >= end_ns - week_ns / 7)) {
            live_week(&state, run->weeks_count, from, to);
        } else if (to == count) {
            break;
        }
        run->weeks_count++;
        from = to;
    }
    close_state(&state);
}

struct sums {
    struct tally all;
    struct tally late;
    double late_weeks;
};

static void add_tally(struct tally *sum, const struct tally *one)
{
    sum->inspected += one->inspected;
    sum->found += one->found;
    sum->finds += one->finds;
    sum->possible += one->possible;
    sum->top_5 += one->top_5;
    sum->share += one->share;
}

static void print_means(const struct run *runs, size_t seeds)
{
    printf(
        "| inspected | strategy | precision | recall | norm. precision | precision, last %d weeks "
        "(least..most of %zu seeds) | norm. precision, last %d | of the top 5%% of all rows, last "
        "%d | explored |\n|---|---|---|---|---|---|---|---|---|\n",
        LATE_WEEKS, seeds, LATE_WEEKS, LATE_WEEKS);
    for (size_t budget = 0; budget < BUDGETS; budget++) {
        for (size_t strategy = 0; strategy < strategies_count; strategy++) {
            struct sums sums = {0};
            struct rounds late = {0};
            for (size_t seed = 0; seed < seeds; seed++) {
                const struct run *run =
                    runs + (budget * strategies_count + strategy) * seeds + seed;
                struct tally of_seed = {0};
                for (size_t week = WEEKS_BLIND; week < run->weeks_count; week++) {
                    add_tally(&sums.all, &run->weeks[week]);
                    if (week + LATE_WEEKS >= run->weeks_count) {
                        add_tally(&of_seed, &run->weeks[week]);
                        add_tally(&sums.late, &run->weeks[week]);
                        sums.late_weeks++;
                    }
                }
                rounds_add(&late, of_seed.found / of_seed.inspected);
            }
            printf(
                "| %.0f%% | %s | %.3f | %.3f | %.3f | %.3f (%.3f..%.3f) | %.3f | %.3f | %.2f |\n",
                budgets[budget] * 100, strategies[strategy].name,
                sums.all.found / sums.all.inspected, sums.all.found / sums.all.finds,
                sums.all.found / sums.all.possible, sums.late.found / sums.late.inspected,
                rounds_least(&late), rounds_most(&late), sums.late.found / sums.late.possible,
                sums.late.top_5 / sums.late_weeks, sums.late.share / sums.late_weeks);
        }
    }
}

static void write_weeks(const char *directory, const struct run *runs, size_t count)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/selective.csv", directory);
    FILE *file = fopen(path, "w");
    bench_check(file != NULL, "%s: %s", path, strerror(errno));
    (void)fputs(
        "inspected_share,strategy,seed,week,inspected,found,finds,possible,top_5,explored\n", file);
    for (size_t i = 0; i < count; i++) {
        for (size_t week = 0; week < runs[i].weeks_count; week++) {
            const struct tally *tally = &runs[i].weeks[week];
            (void)fprintf(file, "%g,%s,%llu,%zu,%.0f,%.0f,%.0f,%.0f,%.4f,%.4f\n",
                          budgets[runs[i].budget], strategies[runs[i].strategy].name,
                          (unsigned long long)runs[i].seed, week, tally->inspected, tally->found,
                          tally->finds, tally->possible, tally->top_5, tally->share);
        }
    }
    bench_check(fclose(file) == 0, "%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    if (argc - quick < 3) {
        (void)fprintf(stderr, "usage: bench_selective [--quick] DIRECTORY TABLE...\n");
        return 2;
    }
    struct declaration_set set = {0};
    for (int i = 2 + quick; i < argc; i++) {
        (void)declaration_set_read(&set, argv[i]);
    }
    size_t seeds = quick ? 1 : SEEDS_MAX;
    size_t count = BUDGETS * strategies_count * seeds;
    struct run *runs = room(count, sizeof *runs);
    for (size_t i = 0; i < count; i++) {
        runs[i] = (struct run){.set = &set,
                               .budget = i / seeds / strategies_count,
                               .strategy = i / seeds % strategies_count,
                               .seed = 1 + i % seeds};
    }
    struct team *team = NULL;
    struct err err = team_open(team_threads(2), &team);
    bench_check(!err_is(err), "no threads");
    team_run(team, live, runs, count);
    team_close(&team);
    write_weeks(argv[1 + quick], runs, count);
    print_means(runs, seeds);
    free(runs);
    declaration_set_free(&set);
    return 0;
}
