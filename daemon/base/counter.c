/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counter.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/err.h"

/* Buckets at powers of two keep a passage at one shift, one add: a counter must never be what makes
 * a stage slow. */

enum { STAGE_BUCKETS = 24, STAGE_FIRST_SHIFT = 14 }; /* first bucket ends at 2^14 ns = 16.4 us */

struct counter_row {
    const char *name;
    const char *kind;
    const char *sentence;
};

static const struct counter_row counter_rows[COUNTER_COUNT] = {
#define COUNTER(name, kind, sentence) [COUNTER_##name] = {#name, #kind, sentence},
#define STAGE(name, sentence)
#include "base/counter_table.h"
#undef COUNTER
#undef STAGE
};
static const struct counter_row stage_rows[STAGE_COUNT] = {
#define COUNTER(name, kind, sentence)
#define STAGE(name, sentence) [STAGE_##name] = {#name, "histogram", sentence},
#include "base/counter_table.h"
#undef COUNTER
#undef STAGE
};

static _Atomic uint64_t counter_values[COUNTER_COUNT];
static _Atomic uint64_t stage_buckets[STAGE_COUNT][STAGE_BUCKETS + 1]; /* the last one: beyond */
static _Atomic uint64_t stage_sums_ns[STAGE_COUNT];

void counter_add(enum counter counter, uint64_t more)
{
    must(counter >= 0 && counter < COUNTER_COUNT);
    atomic_fetch_add_explicit(&counter_values[counter], more, memory_order_relaxed);
}

void counter_set(enum counter counter, uint64_t value)
{
    must(counter >= 0 && counter < COUNTER_COUNT);
    atomic_store_explicit(&counter_values[counter], value, memory_order_relaxed);
}

uint64_t counter_value(enum counter counter)
{
    must(counter >= 0 && counter < COUNTER_COUNT);
    return atomic_load_explicit(&counter_values[counter], memory_order_relaxed);
}

void stage_took(enum stage stage, int64_t ns)
{
    stage_took_many(stage, ns, 1);
}

void stage_took_many(enum stage stage, int64_t ns, uint32_t count)
{
    must(stage >= 0 && stage < STAGE_COUNT);
    uint64_t took_ns = ns > 0 ? (uint64_t)ns : 0;
    int bucket = 0;
    while (bucket < STAGE_BUCKETS && took_ns > UINT64_C(1) << (STAGE_FIRST_SHIFT + bucket)) {
        bucket++;
    }
    atomic_fetch_add_explicit(&stage_buckets[stage][bucket], count, memory_order_relaxed);
    atomic_fetch_add_explicit(&stage_sums_ns[stage], took_ns * count, memory_order_relaxed);
}

uint64_t stage_count(enum stage stage)
{
    must(stage >= 0 && stage < STAGE_COUNT);
    uint64_t count = 0;
    for (int bucket = 0; bucket <= STAGE_BUCKETS; bucket++) {
        count += atomic_load_explicit(&stage_buckets[stage][bucket], memory_order_relaxed);
    }
    return count;
}

int64_t stage_quantile_ns(enum stage stage, double share)
{
    uint64_t count = stage_count(stage);
    uint64_t seen = 0;
    for (int bucket = 0; bucket <= STAGE_BUCKETS && count > 0; bucket++) {
        seen += atomic_load_explicit(&stage_buckets[stage][bucket], memory_order_relaxed);
        if ((double)seen >= share * (double)count) {
            return INT64_C(1) << (STAGE_FIRST_SHIFT + bucket);
        }
    }
    return 0;
}

struct counter_page {
    char *at;
    size_t capacity;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void counter_print(struct counter_page *page,
                                                                const char *format, ...)
{
    if (page->used >= page->capacity) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(page->at + page->used, page->capacity - page->used, format, arguments);
    va_end(arguments);
    if (more > 0) {
        page->used += (size_t)more;
    }
    if (page->used > page->capacity) {
        page->used = page->capacity;
    }
}

static void counter_render_stage(struct counter_page *page, enum stage stage)
{
    const char *name = stage_rows[stage].name;
    counter_print(page,
                  "# HELP triaged_stage_%s_seconds %s\n# TYPE triaged_stage_%s_seconds histogram\n",
                  name, stage_rows[stage].sentence, name);
    uint64_t seen = 0;
    for (int bucket = 0; bucket < STAGE_BUCKETS; bucket++) {
        seen += atomic_load_explicit(&stage_buckets[stage][bucket], memory_order_relaxed);
        counter_print(page, "triaged_stage_%s_seconds_bucket{le=\"%.9g\"} %llu\n", name,
                      (double)(UINT64_C(1) << (STAGE_FIRST_SHIFT + bucket)) * 1e-9,
                      (unsigned long long)seen);
    }
    seen += atomic_load_explicit(&stage_buckets[stage][STAGE_BUCKETS], memory_order_relaxed);
    double sum_s = (double)atomic_load_explicit(&stage_sums_ns[stage], memory_order_relaxed) * 1e-9;
    counter_print(page, "triaged_stage_%s_seconds_bucket{le=\"+Inf\"} %llu\n", name,
                  (unsigned long long)seen);
    counter_print(page, "triaged_stage_%s_seconds_sum %.9g\n", name, sum_s);
    counter_print(page, "triaged_stage_%s_seconds_count %llu\n", name, (unsigned long long)seen);
}

size_t counter_render(char *out, size_t out_capacity)
{
    must(out_capacity > 0);
    struct counter_page page = {out, out_capacity, 0};
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = &counter_rows[i];
        int is_total = row->kind[0] == 't';
        const char *suffix = is_total ? "_total" : "";
        counter_print(&page, "# HELP triaged_%s%s %s\n# TYPE triaged_%s%s %s\ntriaged_%s%s %llu\n",
                      row->name, suffix, row->sentence, row->name, suffix,
                      is_total ? "counter" : "gauge", row->name, suffix,
                      (unsigned long long)counter_value((enum counter)i));
    }
    for (int i = 0; i < STAGE_COUNT; i++) {
        counter_render_stage(&page, (enum stage)i);
    }
    return page.used;
}
