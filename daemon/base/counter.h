/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

/* Counter: numbers about the running daemon: totals, gauges of every place where data waits,
 * latencies of stages. Process-wide, lock-free, any thread. Rendered in the Prometheus text format
 * by counter_render. */

#include <stddef.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, kind, sentence) COUNTER_##name,
#define STAGE(name, sentence)
#include "base/counter_table.h"
#undef COUNTER
#undef STAGE
    COUNTER_COUNT
};

enum stage {
#define COUNTER(name, kind, sentence)
#define STAGE(name, sentence) STAGE_##name,
#include "base/counter_table.h"
#undef COUNTER
#undef STAGE
    STAGE_COUNT
};

void counter_add(enum counter counter, uint64_t more);
void counter_set(enum counter counter, uint64_t value);
uint64_t counter_value(enum counter counter);
/* One passage through a stage. Buckets are powers of two from 16 us to 134 s. */
void stage_took(enum stage stage, int64_t ns);
/* count things that took as long as this one. */
void stage_took_many(enum stage stage, int64_t ns, uint32_t count);
uint64_t stage_count(enum stage stage);
/* Upper edge of the bucket that holds this share (0..1) of all passages, in ns; 0 when none. */
int64_t stage_quantile_ns(enum stage stage, double share);
/* Prometheus text exposition format 0.0.4; returns the bytes written (cut at capacity). */
size_t counter_render(char *out, size_t out_capacity);
/* Upper bound of what counter_render writes. */
#define COUNTER_RENDER_BYTES 65536u

#endif
