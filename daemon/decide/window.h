/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECIDE_WINDOW_H
#define DECIDE_WINDOW_H

/* Window: the last scores of a place, in the order of arrival and in the order of size. Adding one
 * moves at most the bytes of one array; rank and quantile are a search. Pure; one thread. */

#include <stdint.h>

struct window_seen {
    double probability;
    int64_t t_ns;
};

struct window {
    struct window_seen *ring; /* capacity places, the caller's */
    double *sorted;           /* the same, ascending */
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
};

/* The oldest gives way when it is full. */
void window_add(struct window *self, double probability, int64_t t_ns);
/* How many are higher. */
uint32_t window_above(const struct window *self, double probability);
/* How many are as high or higher. */
uint32_t window_from(const struct window *self, double probability);
/* Number `nth` from the top, 1 is the highest; nth is 1 to count. */
double window_nth(const struct window *self, uint32_t nth);
/* Arrivals an hour: over the whole window or over its last 32, whichever is more, because a burst
 * fills a bay before the window has noticed it. Never over less than a minute: two that come
 * together must not look like a million an hour. */
double window_arrivals_per_hour(const struct window *self, int64_t t_ns);

#endif
