/* SPDX-License-Identifier: Apache-2.0 */
#include "score/froc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/rng.h"
#include "kernels/statistics.h"

const double froc_rates[FROC_RATES] = {0.1, 0.5, 1, 2, 5};
const char *const froc_hit_words[FROC_HITS] = {"centre", "overlap 0.3", "overlap 0.5"};

static const double centre_slack = 3.0; /* pixels */
static const uint64_t bootstrap_seed = 20260922;

double froc_overlap(const struct froc_box *a, const struct froc_box *b)
{
    double right = fmin(a->left + a->width, b->left + b->width);
    double bottom = fmin(a->top + a->height, b->top + b->height);
    double width = right - fmax(a->left, b->left);
    double height = bottom - fmax(a->top, b->top);
    if (!(width > 0 && height > 0)) {
        return 0;
    }
    double common = width * height;
    return common / (a->width * a->height + b->width * b->height - common);
}

/* How well a mark hits an object: above 0 is a hit, more is better. */
static double worth_of(const struct froc_box *mark, const struct froc_box *object,
                       enum froc_hit definition)
{
    double overlap = froc_overlap(mark, object);
    if (definition != FROC_CENTRE) {
        return overlap > (definition == FROC_OVERLAP_3 ? 0.3 : 0.5) ? overlap : 0;
    }
    double x = mark->left + mark->width / 2;
    double y = mark->top + mark->height / 2;
    bool inside =
        x >= object->left - centre_slack && x <= object->left + object->width + centre_slack &&
        y >= object->top - centre_slack && y <= object->top + object->height + centre_slack;
    return inside ? 1e-6 + overlap : 0;
}

struct ranked {
    double score;
    uint32_t index;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *first = a;
    const struct ranked *second = b;
    if (first->score != second->score) {
        return first->score > second->score ? -1 : 1;
    }
    return first->index < second->index ? -1 : first->index > second->index;
}

/* Marks, best first. */
static struct ranked *rank(const struct froc_sample *sample)
{
    struct ranked *ranked = calloc((size_t)sample->mark_count + 1, sizeof *ranked);
    for (uint32_t i = 0; ranked != NULL && i < sample->mark_count; i++) {
        ranked[i] = (struct ranked){sample->marks[i].score, i};
    }
    if (ranked != NULL) {
        qsort(ranked, sample->mark_count, sizeof *ranked, compare_ranked);
    }
    return ranked;
}

/* Objects in the order of their images: first[image] .. first[image + 1] of order. */
struct by_image {
    uint32_t *first;
    uint32_t *order;
    uint8_t *taken;
};

static bool by_image_open(const struct froc_sample *sample, struct by_image *out)
{
    out->first = calloc((size_t)sample->image_count + 2, sizeof *out->first);
    out->order = calloc((size_t)sample->object_count + 1, sizeof *out->order);
    out->taken = calloc((size_t)sample->object_count + 1, 1);
    if (out->first == NULL || out->order == NULL || out->taken == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < sample->object_count; i++) {
        must(sample->objects[i].image < sample->image_count);
        out->first[sample->objects[i].image + 1]++;
    }
    for (uint32_t i = 1; i <= sample->image_count; i++) {
        out->first[i] += out->first[i - 1];
    }
    uint32_t *next = calloc((size_t)sample->image_count + 1, sizeof *next);
    if (next == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < sample->object_count; i++) {
        uint32_t image = sample->objects[i].image;
        out->order[out->first[image] + next[image]++] = i;
    }
    free(next);
    return true;
}

static void by_image_close(struct by_image *self)
{
    free(self->first);
    free(self->order);
    free(self->taken);
}

MUST_USE struct err froc_match(const struct froc_sample *sample, enum froc_hit definition,
                               uint8_t *hits)
{
    struct by_image objects = {NULL, NULL, NULL};
    struct ranked *ranked = rank(sample);
    if (ranked == NULL || !by_image_open(sample, &objects)) {
        free(ranked);
        by_image_close(&objects);
        return err_make(ERR_MEMORY, "froc_match");
    }
    memset(hits, 0, sample->mark_count);
    for (uint32_t i = 0; i < sample->mark_count; i++) {
        const struct froc_mark *mark = &sample->marks[ranked[i].index];
        uint32_t best = UINT32_MAX;
        double best_worth = 0;
        for (uint32_t k = objects.first[mark->image]; k < objects.first[mark->image + 1]; k++) {
            uint32_t object = objects.order[k];
            double worth = worth_of(&mark->box, &sample->objects[object].box, definition);
            if (objects.taken[object] == 0 && worth > best_worth) {
                best = object;
                best_worth = worth;
            }
        }
        if (best != UINT32_MAX) {
            objects.taken[best] = 1;
            hits[ranked[i].index] = 1;
        }
    }
    free(ranked);
    by_image_close(&objects);
    return err_none;
}

/* How often each image was drawn; NULL: once. */
struct draw {
    const uint32_t *times;
    double images;
    double objects;
};

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* Recall at each of the rates (ascending), walking down the ranked marks once. */
static void walk(const struct froc_sample *sample, const struct ranked *ranked, const uint8_t *hits,
                 const struct draw *draw, const double *rates, uint32_t rate_count, double *recalls)
{
    double found = 0, wrong = 0;
    uint32_t rate = 0;
    for (uint32_t i = 0; i < sample->mark_count && rate < rate_count; i++) {
        uint32_t index = ranked[i].index;
        double times = draw->times != NULL ? draw->times[sample->marks[index].image] : 1;
        *(hits[index] != 0 ? &found : &wrong) += times;
        while (rate < rate_count && wrong > rates[rate] * draw->images) {
            recalls[rate++] = share(found, draw->objects);
        }
    }
    while (rate < rate_count) {
        recalls[rate++] = share(found, draw->objects);
    }
}

struct resampling {
    uint32_t *group_times;
    uint32_t *times;
    double *values[FROC_RATES]; /* [FROC_RESAMPLES] */
};

static bool resampling_open(const struct froc_sample *sample, struct resampling *out)
{
    memset(out, 0, sizeof *out);
    out->group_times = calloc(sample->image_count, sizeof *out->group_times);
    out->times = calloc(sample->image_count, sizeof *out->times);
    bool whole = out->group_times != NULL && out->times != NULL;
    for (int i = 0; i < FROC_RATES; i++) {
        out->values[i] = calloc(FROC_RESAMPLES, sizeof(double));
        whole = whole && out->values[i] != NULL;
    }
    return whole;
}

static void resampling_close(struct resampling *self)
{
    free(self->group_times);
    free(self->times);
    for (int i = 0; i < FROC_RATES; i++) {
        free(self->values[i]);
    }
}

/* Draws as many groups as there are, with replacement. */
static struct draw draw_groups(const struct froc_sample *sample, uint32_t group_count,
                               struct rng *rng, struct resampling *space)
{
    memset(space->group_times, 0, sample->image_count * sizeof *space->group_times);
    for (uint32_t i = 0; i < group_count; i++) {
        space->group_times[rng_below(rng, group_count)]++;
    }
    struct draw draw = {space->times, 0, 0};
    for (uint32_t i = 0; i < sample->image_count; i++) {
        space->times[i] = space->group_times[sample->groups[i]];
        draw.images += space->times[i];
    }
    for (uint32_t i = 0; i < sample->object_count; i++) {
        draw.objects += space->times[sample->objects[i].image];
    }
    return draw;
}

static void make_one(const struct froc_sample *sample, const struct ranked *ranked,
                     const uint8_t *hits, struct resampling *space, enum froc_hit definition,
                     struct froc *out)
{
    const struct draw once = {NULL, sample->image_count, sample->object_count};
    double rates[FROC_CURVE];
    double recalls[FROC_RATES];
    uint32_t group_count = 0;
    struct rng rng;
    for (int i = 0; i < FROC_CURVE; i++) {
        rates[i] = 5.0 * i / (FROC_CURVE - 1);
    }
    walk(sample, ranked, hits, &once, rates, FROC_CURVE, out->curve[definition]);
    walk(sample, ranked, hits, &once, froc_rates, FROC_RATES, recalls);
    for (uint32_t i = 0; i < sample->image_count; i++) {
        group_count = sample->groups[i] >= group_count ? sample->groups[i] + 1 : group_count;
    }
    rng_init(&rng, bootstrap_seed, (uint64_t)definition);
    for (int round = 0; round < FROC_RESAMPLES; round++) {
        struct draw draw = draw_groups(sample, group_count, &rng, space);
        double drawn[FROC_RATES];
        walk(sample, ranked, hits, &draw, froc_rates, FROC_RATES, drawn);
        for (int i = 0; i < FROC_RATES; i++) {
            space->values[i][round] = drawn[i];
        }
    }
    for (int i = 0; i < FROC_RATES; i++) {
        statistics_sort(space->values[i], FROC_RESAMPLES);
        out->recalls[definition][i] = (struct froc_recall){
            recalls[i], statistics_quantile(space->values[i], FROC_RESAMPLES, 0.025),
            statistics_quantile(space->values[i], FROC_RESAMPLES, 0.975)};
    }
}

MUST_USE struct err froc_make(const struct froc_sample *sample, struct froc *out)
{
    struct resampling space;
    struct ranked *ranked = rank(sample);
    uint8_t *hits = calloc((size_t)sample->mark_count + 1, 1);
    bool whole = resampling_open(sample, &space);
    struct err err =
        ranked == NULL || hits == NULL || !whole ? err_make(ERR_MEMORY, "froc_make") : err_none;
    for (int definition = 0; definition < FROC_HITS && !err_is(err); definition++) {
        err = froc_match(sample, (enum froc_hit)definition, hits);
        if (!err_is(err)) {
            make_one(sample, ranked, hits, &space, (enum froc_hit)definition, out);
        }
    }
    resampling_close(&space);
    free(hits);
    free(ranked);
    return err;
}
