/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/selective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/figure.h"

const struct strategy strategies[] = {
    {"random", 1, EXPLORE_RANDOM, ADAPT_NOT},
    {"uncertain", 1, EXPLORE_UNCERTAIN, ADAPT_NOT},
    {"BADGE", 1, EXPLORE_BADGE, ADAPT_NOT},
    {"bATE", 1, EXPLORE_BATE, ADAPT_NOT},
    {"exploit", 0, EXPLORE_RANDOM, ADAPT_NOT},
    {"exploit 90 + random 10", 0.1, EXPLORE_RANDOM, ADAPT_NOT},
    {"exploit 90 + bATE 10", 0.1, EXPLORE_BATE, ADAPT_NOT},
    {"exploit 90 + gATE 10", 0.1, EXPLORE_GATE, ADAPT_NOT},
    {"exploit + random by daemon", SELECTIVE_FLOOR, EXPLORE_RANDOM, ADAPT_PRODUCT},
    {"exploit + random by ADAPT", SELECTIVE_FLOOR, EXPLORE_RANDOM, ADAPT_BANDIT},
    {"exploit + gATE by ADAPT", SELECTIVE_FLOOR, EXPLORE_GATE, ADAPT_BANDIT},
};
const size_t strategies_count = sizeof strategies / sizeof *strategies;

struct choice {
    const struct week *week;
    struct rng *rng;
    uint32_t *chosen;
    size_t count;
    bool *taken; /* [week->count] */
};

static void take(struct choice *self, size_t row)
{
    self->taken[row] = true;
    self->chosen[self->count++] = (uint32_t)row;
}

/* The free row with the largest value, of equal ones the first. */
static void take_best(struct choice *self, const double *values, size_t wanted)
{
    for (; wanted > 0; wanted--) {
        size_t best = self->week->count;
        for (size_t i = 0; i < self->week->count; i++) {
            if (!self->taken[i] && (best == self->week->count || values[i] > values[best])) {
                best = i;
            }
        }
        take(self, best);
    }
}

/* In proportion to the weights of free rows; any of them when all are 0. */
static void take_drawn(struct choice *self, const double *weights)
{
    double sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < self->week->count; i++) {
        sum += self->taken[i] ? 0 : weights[i];
        last = self->taken[i] ? last : i;
    }
    if (!(sum > 0)) {
        size_t row;
        do {
            row = rng_below(self->rng, self->week->count);
        } while (self->taken[row]);
        take(self, row);
        return;
    }
    double left = rng_uniform(self->rng) * sum;
    for (size_t i = 0; i < self->week->count; i++) {
        left -= self->taken[i] ? 0 : weights[i];
        if (!self->taken[i] && weights[i] > 0 && left <= 0) {
            last = i;
            break;
        }
    }
    take(self, last);
}

static void take_random(struct choice *self, size_t wanted)
{
    double *weights = calloc(self->week->count, sizeof *weights);
    bench_check(weights != NULL, "no memory");
    for (; wanted > 0; wanted--) {
        take_drawn(self, weights);
    }
    free(weights);
}

static void take_uncertain(struct choice *self, size_t wanted)
{
    double *values = calloc(self->week->count, sizeof *values);
    bench_check(values != NULL, "no memory");
    for (size_t i = 0; i < self->week->count; i++) {
        values[i] = -fabs(self->week->probabilities[i] - 0.5);
    }
    take_best(self, values, wanted);
    free(values);
}

/* The gradient of the loss at the label that the model expects, over the weights of an additive
 * model's terms: (p - expected) x contributions. */
static double gradient_scale(const struct week *week, size_t row, bool by_probability)
{
    double p = week->probabilities[row];
    double residual = p < 0.5 ? p : p - 1;
    return by_probability ? residual * p : residual;
}

static double squared_distance(const struct week *week, size_t a, size_t b, bool by_probability)
{
    double scale_a = gradient_scale(week, a, by_probability);
    double scale_b = gradient_scale(week, b, by_probability);
    double sum = 0;
    for (size_t j = 0; j < week->width; j++) {
        double difference = scale_a * (double)week->embeddings[a * week->width + j] -
                            scale_b * (double)week->embeddings[b * week->width + j];
        sum += difference * difference;
    }
    return sum;
}

static void take_spread(struct choice *self, size_t wanted, bool by_probability)
{
    const struct week *week = self->week;
    double *distances = calloc(week->count, sizeof *distances);
    bench_check(distances != NULL, "no memory");
    /* The first by the length of its own gradient, each next one by its distance to the nearest. */
    for (size_t i = 0; i < week->count; i++) {
        double scale = gradient_scale(week, i, by_probability);
        for (size_t j = 0; j < week->width; j++) {
            double entry = scale * (double)week->embeddings[i * week->width + j];
            distances[i] += entry * entry;
        }
    }
    for (size_t k = 0; k < wanted; k++) {
        take_drawn(self, distances);
        size_t newest = self->chosen[self->count - 1];
        for (size_t i = 0; i < week->count; i++) {
            double distance = squared_distance(week, i, newest, by_probability);
            distances[i] = k == 0 || distance < distances[i] ? distance : distances[i];
        }
    }
    free(distances);
}

void selective_choose(const struct strategy *strategy, const struct week *week, struct rng *rng,
                      uint32_t *chosen, size_t *explored_from)
{
    struct choice choice = {.week = week, .rng = rng, .chosen = chosen};
    choice.taken = calloc(week->count + 1, sizeof *choice.taken);
    bench_check(choice.taken != NULL && week->budget <= week->count, "no memory");
    /* A fraction of an inspection is drawn for, so that small budgets explore too. */
    double wanted = week->share * (double)week->budget;
    size_t explored = (size_t)wanted;
    explored += rng_uniform(rng) < wanted - (double)explored;
    explored = explored < week->budget ? explored : week->budget;
    take_best(&choice, week->probabilities, week->budget - explored);
    *explored_from = choice.count;
    switch (strategy->rule) {
    case EXPLORE_UNCERTAIN:
        take_uncertain(&choice, explored);
        break;
    case EXPLORE_BADGE:
        take_spread(&choice, explored, false);
        break;
    case EXPLORE_BATE:
        take_spread(&choice, explored, true);
        break;
    case EXPLORE_GATE:
        if (week->model_is_good) {
            take_spread(&choice, explored, true);
            break;
        }
        take_random(&choice, explored);
        break;
    case EXPLORE_RANDOM:
        take_random(&choice, explored);
        break;
    }
    free(choice.taken);
}

/* Part of the drawing that no weight decides, and what is left of a weight after a week. */
static const double bandit_free = 0.1;
static const double bandit_fading = 0.95;
enum { BANDIT_NEAR = 2 };

static double bandit_share(size_t arm)
{
    return SELECTIVE_FLOOR +
           (SELECTIVE_CEILING - SELECTIVE_FLOOR) * (double)arm / (SELECTIVE_ARMS - 1);
}

void selective_bandit_init(struct selective_bandit *self)
{
    *self = (struct selective_bandit){.arm = 0};
    for (size_t i = 0; i < SELECTIVE_ARMS; i++) {
        self->weights[i] = 1;
        self->chances[i] = 1;
    }
}

static void bandit_learn(struct selective_bandit *self, double reward)
{
    double largest = 0;
    for (size_t i = 0; i < SELECTIVE_ARMS; i++) {
        double earned = i == self->arm ? reward / self->chances[i] : 0;
        self->weights[i] =
            pow(self->weights[i], bandit_fading) * exp(bandit_free * earned / SELECTIVE_ARMS);
        largest = self->weights[i] > largest ? self->weights[i] : largest;
    }
    for (size_t i = 0; i < SELECTIVE_ARMS; i++) {
        self->weights[i] /= largest;
    }
}

double selective_bandit_next(struct selective_bandit *self, double reward, double drift,
                             struct rng *rng)
{
    double inside = drift < 0 ? 0 : drift > 1 ? 1 : drift;
    size_t centre = (size_t)(inside * (SELECTIVE_ARMS - 1) + 0.5);
    size_t from = centre > BANDIT_NEAR ? centre - BANDIT_NEAR : 0;
    size_t to = centre + BANDIT_NEAR < SELECTIVE_ARMS ? centre + BANDIT_NEAR : SELECTIVE_ARMS - 1;
    double sum = 0;
    bandit_learn(self, reward);
    for (size_t i = from; i <= to; i++) {
        sum += self->weights[i];
    }
    double left = rng_uniform(rng);
    size_t drawn = to;
    for (size_t i = from; i <= to; i++) {
        self->chances[i] =
            (1 - bandit_free) * self->weights[i] / sum + bandit_free / (double)(to - from + 1);
    }
    for (size_t i = from; i <= to && left >= 0; i++) {
        left -= self->chances[i];
        drawn = left < 0 ? i : drawn;
    }
    self->arm = drawn;
    return bandit_share(drawn);
}
