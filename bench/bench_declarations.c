/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/declaration_set.h"
#include "bench/figure.h"
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

enum { BATCH = 256, REASONS = 3, THREADS = 2, SCORED = 1 << 16, ROUNDS = 7 };

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

static struct rates measure(struct work *work, unsigned rounds_wanted)
{
    struct rates rates = {0};
    for (unsigned round = 0; round <= rounds_wanted; round++) {
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
        /* The first round warms up. */
        if (round > 0) {
            double used = work->processor_s[0] + work->processor_s[1];
            rounds_add(&rates.clock, SCORED / (now_s() - start) * 1e-6);
            rounds_add(&rates.processor, SCORED / used * THREADS * 1e-6);
        }
    }
    return rates;
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

/* The peers' rates, of the fastest. */
struct peers {
    char name[64];
    struct rates rates;
};

static void show(const char *name, const struct rates *rates, const struct peers *peers)
{
    const char *peer = peers->rates.clock.count > 0 ? peers->name : NULL;
    struct figure figure = {.name = name,
                            .value = &rates->clock,
                            .unit = "M/s",
                            .peer = peer,
                            .peer_value = &peers->rates.clock};
    figure_print(&figure, false);
    figure.name = "  by processor time";
    figure.value = &rates->processor;
    figure.peer_value = &peers->rates.processor;
    figure_print(&figure, false);
}

/* What the peer script prints; *child is waited for by the caller. */
static FILE *start_script(char **arguments, pid_t *child)
{
    int ends[2];
    char threads[16];
    (void)snprintf(threads, sizeof threads, "%d", THREADS);
    bench_check(pipe(ends) == 0, "pipe: %s", strerror(errno));
    *child = fork();
    bench_check(*child >= 0, "fork: %s", strerror(errno));
    if (*child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)execl(arguments[0], arguments[0], arguments[1], arguments[2], threads, (char *)NULL);
        _exit(77);
    }
    (void)close(ends[1]);
    FILE *script = fdopen(ends[0], "r");
    bench_check(script != NULL, "fdopen: %s", strerror(errno));
    return script;
}

/* Lines "name rate rate" of the script (by the clock, by processor time); keeps the fastest. */
static void run_peers(char **arguments, struct peers *out)
{
    pid_t child;
    (void)fflush(stdout);
    FILE *script = start_script(arguments, &child);
    char line[256];
    while (fgets(line, sizeof line, script) != NULL) {
        char name[64];
        double clock, processor;
        if (sscanf(line, "%63s %lf %lf", name, &clock, &processor) != 3) {
            (void)fputs(line, stdout);
            continue;
        }
        printf("peer %s: %.3f M/s of %u ready features, 300 trees; %.3f by processor time\n", name,
               clock * 1e-6, (unsigned)LINE_FEATURES, processor * 1e-6);
        struct rates *best = &out->rates;
        if (best->clock.count == 0 || processor * 1e-6 > best->processor.values[0]) {
            *best = (struct rates){{{clock * 1e-6}, 1}, {{processor * 1e-6}, 1}};
            (void)snprintf(out->name, sizeof out->name, "%s", name);
        }
    }
    (void)fclose(script);
    int status = 0;
    bench_check(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                    (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77),
                "%s failed", arguments[1]);
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
    struct rates ours[2];
    struct rates words[2];
    struct peers peers = {.name = ""};
    /* Peers before and after: the faster of the two counts, whatever the machine did meanwhile. */
    know(work, entities[0]);
    make_features(work, given == 5 ? arguments[4] : NULL);
    if (given == 5) {
        run_peers(arguments + 2, &peers);
    }
    for (int i = 0; i < 2; i++) {
        if (i > 0) {
            know(work, entities[i]);
        }
        ours[i] = measure(work, rounds_wanted);
        work->in_words = true;
        words[i] = measure(work, rounds_wanted);
        work->in_words = false;
        tell_memory(work);
    }
    work->alone = true;
    struct rates alone = measure(work, rounds_wanted);
    if (given == 5) {
        run_peers(arguments + 2, &peers);
    }
    figure_head(false);
    show("record to reasons, 37k known", &ours[0], &peers);
    show(quick ? "record to reasons, 1M known" : "record to reasons, 10M known", &ours[1], &peers);
    show("the same in words, 37k known", &words[0], &peers);
    show(quick ? "the same in words, 1M known" : "the same in words, 10M known", &words[1], &peers);
    show("trees alone, features ready", &alone, &peers);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("resident at most: %ld MiB\n", usage.ru_maxrss / 1024);
    return 0;
}
