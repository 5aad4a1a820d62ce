/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/window.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

enum { WINDOW_RECENT = 32 };

/* Index of the first that is not below (or, with `above`, that is above). */
static uint32_t window_search(const struct window *self, double probability, int above)
{
    uint32_t low = 0;
    uint32_t high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        double value = self->sorted[middle];
        if (value < probability || (above && value <= probability)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The oldest goes and the newest comes: only what lies between the two places moves. */
static void window_replace(struct window *self, double probability)
{
    uint32_t from = window_search(self, self->ring[self->first].probability, 0);
    uint32_t to = window_search(self, probability, 0);
    must(from < self->count);
    if (to > from) {
        to--;
        memmove(&self->sorted[from], &self->sorted[from + 1], (to - from) * sizeof self->sorted[0]);
    } else {
        memmove(&self->sorted[to + 1], &self->sorted[to], (from - to) * sizeof self->sorted[0]);
    }
    self->sorted[to] = probability;
    self->ring[self->first].probability = probability;
}

void window_add(struct window *self, double probability, int64_t t_ns)
{
    must(self->capacity > 0 && !isnan(probability));
    if (self->count == self->capacity) {
        window_replace(self, probability);
        self->ring[self->first].t_ns = t_ns;
        self->first = (self->first + 1) % self->capacity;
        return;
    }
    uint32_t at = window_search(self, probability, 0);
    memmove(&self->sorted[at + 1], &self->sorted[at], (self->count - at) * sizeof self->sorted[0]);
    self->sorted[at] = probability;
    self->ring[(self->first + self->count) % self->capacity] =
        (struct window_seen){probability, t_ns};
    self->count++;
}

uint32_t window_above(const struct window *self, double probability)
{
    return self->count - window_search(self, probability, 1);
}

uint32_t window_from(const struct window *self, double probability)
{
    return self->count - window_search(self, probability, 0);
}

double window_nth(const struct window *self, uint32_t nth)
{
    must(nth >= 1 && nth <= self->count);
    return self->sorted[self->count - nth];
}

static double window_rate(const struct window *self, uint32_t count, int64_t t_ns)
{
    uint32_t place = (self->first + self->count - count) % self->capacity;
    double hours = (double)(t_ns - self->ring[place].t_ns) / (3600.0 * (double)NS_PER_S);
    return (double)count / fmax(hours, 1.0 / 60.0);
}

double window_arrivals_per_hour(const struct window *self, int64_t t_ns)
{
    if (self->count == 0) {
        return 0;
    }
    double whole = window_rate(self, self->count, t_ns);
    return self->count <= WINDOW_RECENT ? whole
                                        : fmax(whole, window_rate(self, WINDOW_RECENT, t_ns));
}
