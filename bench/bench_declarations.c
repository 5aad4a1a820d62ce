/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/declaration_set.h"
#include "bench/declaration_stages.h"
#include "bench/figure.h"
#include "bench/trees_link.h"
#include "kernels/logistic.h"
#include "kernels/rng.h"
#include "score/declaration_model.h"
#include "score/declaration_words.h"

/* Declarations a second: from the decoded record to the calibrated probability, its interval and
 * the three heaviest reasons, on two threads, with 37,000 and with 10,000,000 known entities; and
 * what other libraries of trees do on as many features that somebody else has made, in the same
 * run.
 *
 * Usage: bench_declarations [--quick] MODEL TABLE [PYTHON PEER_SCRIPT DIRECTORY]
 * MODEL is a file of `triagectl model train declarations`, TABLE its labelled declarations. */

enum { BATCH = 256, REASONS = 3, THREADS = 2, SCORED = 1 << 16, STAGED = 1 << 14, ROUNDS = 7 };

struct work {
    const char *model_path;
    struct model_file file;
    struct declaration_set set;
    uint32_t *order; /* [SCORED] of the set, which has more than BATCH */
    struct history history;
    struct declaration_model models[THREADS];
    bool in_words;
    bool alone;      /* the trees only: features are ready */
    float *features; /* [SCORED x LINE_FEATURES] */
    int32_t *scores; /* [SCORED] */
    void *workspaces[THREADS];
    double sums[THREADS]; /* so that nothing is left out as unused */
    double processor_s[THREADS];
};

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The reasons in words, with what stands behind them. */
static double tell_in_words(const struct work *work, const struct declaration_model *model,
                            const struct declaration *declaration,
                            const struct declaration_judgement *judgement)
{
    double told = 0;
    struct declaration_said said = {.history = &work->history,
                                    .norms = &model->norms,
                                    .declaration = declaration,
                                    .line_index = judgement->line_index};
    declaration_said_fill(&said);
    for (uint32_t reason = 0; reason < judgement->reasons_count; reason++) {
        char words[DECLARATION_WORDS_BYTES];
        declaration_group_words(&said, judgement->reasons[reason].group, words);
        told += words[0];
    }
    return told;
}

/* What an officer is told of one declaration. */
static double tell(const struct work *work, const struct declaration_model *model,
                   const struct declaration *declaration,
                   const struct declaration_judgement *judgement)
{
    double logit = judgement->logit * OBLIVIOUS_LOGIT;
    double probability = logistic_probability(logit);
    struct declaration_interval interval =
        declaration_model_interval_of(&model->bins, logit, probability);
    double told = probability + interval.lower + interval.upper;
    for (uint32_t reason = 0; reason < judgement->reasons_count; reason++) {
        told += judgement->reasons[reason].part;
    }
    return work->in_words ? told + tell_in_words(work, model, declaration, judgement) : told;
}

struct hand {
    struct work *work;
    unsigned number;
};

static double thread_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *score_share(void *argument)
{
    const struct hand *hand = argument;
    struct work *work = hand->work;
    struct declaration_model *model = &work->models[hand->number];
    const struct declaration *declarations[BATCH];
    struct declaration_judgement judgements[BATCH];
    double sum = 0;
    size_t share = SCORED / THREADS;
    for (size_t from = hand->number * share; from < (hand->number + 1) * share; from += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            declarations[i] = &work->set.declarations[work->order[from + i]];
        }
        declaration_model_judge(model, &work->history, declarations, BATCH, REASONS, judgements);
        for (size_t i = 0; i < BATCH; i++) {
            sum += tell(work, model, declarations[i], &judgements[i]);
        }
    }
    work->sums[hand->number] = sum;
    return NULL;
}

static void *score_alone(void *argument)
{
    const struct hand *hand = argument;
    struct work *work = hand->work;
    struct declaration_model *model = &work->models[hand->number];
    size_t share = SCORED / THREADS;
    const struct oblivious_rows rows = {work->features + hand->number * share * LINE_FEATURES,
                                        share, LINE_FEATURES};
    oblivious_score(&model->found, &rows, work->workspaces[hand->number],
                    work->scores + hand->number * share);
    return NULL;
}

static void *run_hand(void *argument)
{
    const struct hand *hand = argument;
    double start = thread_s();
    (void)(hand->work->alone ? score_alone(argument) : score_share(argument));
    hand->work->processor_s[hand->number] = thread_s() - start;
    return NULL;
}

/* Millions a second of the clock, and of THREADS processors that do nothing else: the second is
 * what a busy machine leaves to compare. */
struct rates {
    struct rounds clock;
    struct rounds processor;
};

static void measure_round(struct work *work, struct rates *rates)
{
    pthread_t threads[THREADS];
    struct hand hands[THREADS];
    double start = now_s();
    for (unsigned i = 0; i < THREADS; i++) {
        hands[i] = (struct hand){work, i};
        bench_check(pthread_create(&threads[i], NULL, run_hand, &hands[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        bench_check(pthread_join(threads[i], NULL) == 0, "no join");
    }
    double used = work->processor_s[0] + work->processor_s[1];
    rounds_add(&rates->clock, SCORED / (now_s() - start) * 1e-6);
    rounds_add(&rates->processor, SCORED / used * THREADS * 1e-6);
}

/* What is measured in turns with the peers. */
struct measured {
    struct rates reasons;
    struct rates words;
    struct rates alone;
};

static void measure(struct work *work, struct trees_link *peers, unsigned rounds_wanted,
                    struct measured *out)
{
    *out = (struct measured){0};
    struct rates warm = {0};
    measure_round(work, &warm);
    for (unsigned round = 0; round < rounds_wanted; round++) {
        for (unsigned again = 0; again < 3; again++) {
            measure_round(work, &out->reasons);
        }
        work->in_words = true;
        measure_round(work, &out->words);
        work->in_words = false;
        work->alone = true;
        measure_round(work, &out->alone);
        work->alone = false;
        trees_link_round(peers);
    }
}

static void know(struct work *work, uint64_t entities)
{
    struct history_table table;
    struct part_key key = work->history.key;
    struct history_weights weights = work->history.weights;
    declaration_set_fill(&work->set, &key, entities, &table);
    struct err err = history_install_counts(&work->history, &weights, &key, &table);
    bench_check(!err_is(err), "no memory for the index");
    struct rng rng;
    rng_init(&rng, entities, 0);
    /* Records of one batch came one after the other, as they do from a decoder or a table; batches
     * are from anywhere. */
    uint64_t first = 0;
    for (size_t i = 0; i < SCORED; i++) {
        first = i % BATCH == 0 ? rng_below(&rng, work->set.count - BATCH) : first + 1;
        work->order[i] = (uint32_t)first;
    }
}

static void read_model(struct work *work)
{
    struct err err = model_file_read(work->model_path, NULL, &work->file);
    bench_check(!err_is(err), "%s: no model", work->model_path);
    for (unsigned i = 0; i < THREADS; i++) {
        err = declaration_model_read(&work->file, &work->models[i]);
        bench_check(!err_is(err), "%s: not a model of declarations", work->model_path);
        size_t bytes = (oblivious_workspace_bytes(&work->models[i].found) + 63) / 64 * 64;
        work->workspaces[i] = aligned_alloc(64, bytes);
        bench_check(work->workspaces[i] != NULL, "no memory");
    }
    err = history_init(&work->history, 1024);
    err = err_is(err) ? err : declaration_model_counts(&work->file, &work->history);
    bench_check(!err_is(err), "%s: no counts", work->model_path);
    work->order = calloc(SCORED, sizeof *work->order);
    work->features = calloc((size_t)SCORED * LINE_FEATURES, sizeof *work->features);
    work->scores = calloc(SCORED, sizeof *work->scores);
    bench_check(work->order != NULL && work->features != NULL && work->scores != NULL, "no memory");
}

/* The features of the scored declarations, ready made, and their labels for the peers to learn. */
static void make_features(struct work *work, const char *directory)
{
    float *labels = calloc(SCORED, sizeof *labels);
    bench_check(labels != NULL, "no memory");
    for (size_t i = 0; i < SCORED; i++) {
        struct declaration_risk risk;
        const struct declaration *declaration = &work->set.declarations[work->order[i]];
        declaration_model_score(&work->models[0], &work->history, &declaration, 1, &risk, NULL);
        memcpy(work->features + i * LINE_FEATURES, risk.features, sizeof risk.features);
        labels[i] = work->set.labels[work->order[i]].found;
    }
    if (directory != NULL) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/features-%u.f32", directory, (unsigned)LINE_FEATURES);
        FILE *file = fopen(path, "wb");
        bench_check(file != NULL, "%s: %s", path, strerror(errno));
        size_t count = (size_t)SCORED * LINE_FEATURES;
        bench_check(fwrite(work->features, sizeof(float), count, file) == count &&
                        fwrite(labels, sizeof(float), SCORED, file) == SCORED && fclose(file) == 0,
                    "%s: %s", path, strerror(errno));
    }
    free(labels);
}

/* By the clock the median, by processor time the best round of either: what other work on the
 * machine does to caches and memory is not theirs. */
static void show(const char *name, const struct rates *rates, const struct trees_link *peers)
{
    const struct trees_peer *fastest = trees_link_fastest(peers);
    const struct rounds none = {.count = 0};
    const struct rounds best = {{rounds_most(&rates->processor)}, 1};
    struct rounds peer_best = {{0}, 1};
    struct figure figure = {.name = name,
                            .value = &rates->clock,
                            .unit = "M/s",
                            .peer = fastest != NULL ? fastest->name : NULL,
                            .peer_value = fastest != NULL ? &fastest->clock : &none};
    figure_print(&figure, false);
    if (fastest != NULL) {
        peer_best.values[0] = rounds_most(&fastest->processor);
    }
    figure.name = "  by processor time, best round";
    figure.value = &best;
    figure.peer_value = fastest != NULL ? &peer_best : &none;
    figure_print(&figure, false);
}

static void tell_peers(const struct trees_link *peers)
{
    for (uint32_t i = 0; i < peers->peers_count; i++) {
        const struct trees_peer *peer = &peers->peers[i];
        printf("peer %s: %.3f M/s of %u ready features, 300 trees; by processor time %.3f (%.3f to "
               "%.3f)\n",
               peer->name, rounds_median(&peer->clock), (unsigned)LINE_FEATURES,
               rounds_median(&peer->processor), rounds_least(&peer->processor),
               rounds_most(&peer->processor));
    }
}

static void tell_memory(const struct work *work)
{
    const struct history_table *table = &work->history.base;
    uint64_t bytes = table->slots * HISTORY_SLOT_BYTES + work->history.index.bytes;
    printf("%" PRIu64 " entities known: %.1f bytes each, %.1f of them for look-ups\n", table->used,
           (double)bytes / (double)table->used,
           (double)work->history.index.bytes / (double)table->used);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    char **arguments = argv + 1 + quick;
    int given = argc - 1 - quick;
    if (given != 2 && given != 5) {
        (void)fprintf(stderr, "usage: bench_declarations [--quick] MODEL TABLE [PYTHON PEER_SCRIPT "
                              "DIRECTORY]\n");
        return 2;
    }
    unsigned rounds_wanted = quick ? 2 : ROUNDS;
    struct work *work = calloc(1, sizeof *work);
    bench_check(work != NULL, "no memory");
    work->model_path = arguments[0];
    read_model(work);
    size_t rows = declaration_set_read(&work->set, arguments[1]);
    printf("%zu declarations, %u features, %" PRIu32 " + %" PRIu32 " trees, %d threads\n", rows,
           (unsigned)LINE_FEATURES, work->models[0].found.tree_count,
           work->models[0].critical.tree_count, THREADS);
    const uint64_t entities[] = {37000, quick ? 1000000 : 10000000};
    struct measured ours[2];
    struct trees_link peers = {.peers_count = 0};
    for (int i = 0; i < 2; i++) {
        know(work, entities[i]);
        if (i == 0) {
            make_features(work, given == 5 ? arguments[4] : NULL);
        }
        if (i == 0 && given == 5) {
            trees_link_open(&peers, arguments + 2, THREADS);
        }
        measure(work, &peers, rounds_wanted, &ours[i]);
        tell_memory(work);
        declaration_stages_tell(&(struct declaration_stages){&work->models[0], &work->history,
                                                             &work->set, work->order, STAGED});
    }
    trees_link_close(&peers);
    tell_peers(&peers);
    figure_head(false);
    show("record to reasons, 37k known", &ours[0].reasons, &peers);
    show(quick ? "record to reasons, 1M known" : "record to reasons, 10M known", &ours[1].reasons,
         &peers);
    show("the same in words, 37k known", &ours[0].words, &peers);
    show(quick ? "the same in words, 1M known" : "the same in words, 10M known", &ours[1].words,
         &peers);
    show("trees alone, features ready", &ours[0].alone, &peers);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("resident at most: %ld MiB\n", usage.ru_maxrss / 1024);
    return 0;
}
