/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

/* Figure: one measured number beside its peer, as every program of bench/ tells it: a line of a
 * table for people, or with
 * --json one object. A figure is the median of its rounds; the table shows their spread. One
 * thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIGURE_ROUNDS_MAX 31u

struct rounds {
    double values[FIGURE_ROUNDS_MAX];
    uint32_t count;
};

void rounds_add(struct rounds *self, double value);
/* 0 of none. */
double rounds_median(const struct rounds *self);
double rounds_least(const struct rounds *self);
double rounds_most(const struct rounds *self);
/* Sorts; the share-quantile by the nearest rank. 0 of none. */
double quantile_of(double *values, size_t count, double share);

struct figure {
    const char *name;
    const struct rounds *value;
    const char *unit;
    const char *peer; /* what it is held against; NULL for nothing */
    const struct rounds *peer_value;
    double ceiling; /* 0: none known */
    const char *ceiling_name;
};

void figure_head(bool as_json);
void figure_print(const struct figure *figure, bool as_json);

/* Ends the program when a step of a bench fails: a figure of half a run is worse than none. */
void bench_check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
