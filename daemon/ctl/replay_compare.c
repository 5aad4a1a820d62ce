/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/replay_compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct replay_difference *next_row(struct replay_differences *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Where the next difference goes; beyond the bound it is only counted. */
static struct replay_difference *next_row(struct replay_differences *out, const char *format, ...)
{
    static struct replay_difference beyond; /* written, never read */
    bool kept = out->count < REPLAY_DIFFERENCES_MAX;
    struct replay_difference *row = kept ? &out->rows[out->count] : &beyond;
    out->count++;
    memset(row, 0, sizeof *row);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(row->what, sizeof row->what, format, arguments);
    va_end(arguments);
    (void)snprintf(row->logged, sizeof row->logged, "-");
    (void)snprintf(row->again, sizeof row->again, "-");
    return row;
}

/* Doubles in the order of their values as integers: neighbours differ by one. */
static int64_t ordered(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static int32_t float_bits(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static int32_t ordered_float(float value)
{
    int32_t bits = float_bits(value);
    return bits < 0 ? INT32_MIN - bits : bits;
}

/* Proto3 leaves zero out, minus zero too: they are one number in the log, and one here. */
static bool same_double(double a, double b)
{
    return ordered(a) == ordered(b);
}

static void compare_double(const char *what, double logged, double again, double *largest,
                           struct replay_differences *out)
{
    if (same_double(logged, again)) {
        return;
    }
    struct replay_difference *row = next_row(out, "%s", what);
    number_format(logged, row->logged);
    number_format(again, row->again);
    row->measured = isfinite(logged) && isfinite(again);
    if (row->measured) {
        int64_t a = ordered(logged);
        int64_t b = ordered(again);
        row->ulps = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
        row->difference = fabs(logged - again);
        *largest = row->difference > *largest ? row->difference : *largest;
    }
}

static void compare_count(const char *what, uint32_t number, const char *part, uint32_t logged,
                          uint32_t again, struct replay_differences *out)
{
    if (logged != again) {
        struct replay_difference *row = next_row(out, "%s %u%s", what, number, part);
        (void)snprintf(row->logged, sizeof row->logged, "%u", logged);
        (void)snprintf(row->again, sizeof row->again, "%u", again);
    }
}

static const struct entry_contribution *find_contribution(const struct entry_score *score,
                                                          const char *name)
{
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        if (strcmp(score->contributions[i].name, name) == 0) {
            return &score->contributions[i];
        }
    }
    return NULL;
}

static void compare_contributions(const struct entry_score *logged, const struct entry_score *again,
                                  struct replay_differences *out)
{
    bool ordered_alike = true;
    for (uint32_t i = 0; i < logged->contributions_count; i++) {
        const struct entry_contribution *one = &logged->contributions[i];
        const struct entry_contribution *other = find_contribution(again, one->name);
        char what[112];
        (void)snprintf(what, sizeof what, "contribution %.90s", one->name);
        if (other == NULL) {
            number_format(one->logit, next_row(out, "%s", what)->logged);
            ordered_alike = false;
            continue;
        }
        compare_double(what, one->logit, other->logit, &out->largest_logit, out);
        ordered_alike = ordered_alike && other == &again->contributions[i];
    }
    for (uint32_t i = 0; i < again->contributions_count; i++) {
        const struct entry_contribution *one = &again->contributions[i];
        if (find_contribution(logged, one->name) == NULL) {
            number_format(one->logit, next_row(out, "contribution %.90s", one->name)->again);
            ordered_alike = false;
        }
    }
    if (!ordered_alike) {
        (void)next_row(out, "order of contributions");
    }
}

/* The word at this place of a list of words, or its number. */
static void input_name(const char *names, uint32_t at, char *out, size_t out_bytes)
{
    for (uint32_t i = 0; i < at && names != NULL; i++) {
        names = strchr(names, ' ');
        names = names != NULL ? names + 1 : NULL;
    }
    if (names == NULL) {
        (void)snprintf(out, out_bytes, "input %u", at);
    } else {
        (void)snprintf(out, out_bytes, "input %.*s", (int)strcspn(names, " "), names);
    }
}

static void compare_input(const char *names, uint32_t at, float logged, float again,
                          struct replay_differences *out)
{
    if (float_bits(logged) == float_bits(again) || (isnan(logged) && isnan(again))) {
        return;
    }
    char what[100];
    input_name(names, at, what, sizeof what);
    struct replay_difference *row = next_row(out, "%s", what);
    float_format(logged, row->logged);
    float_format(again, row->again);
    row->measured = !isnan(logged) && !isnan(again);
    if (row->measured) {
        int64_t a = ordered_float(logged);
        int64_t b = ordered_float(again);
        row->ulps = (uint64_t)(a > b ? a - b : b - a);
        row->difference = fabs((double)logged - (double)again);
    }
}

static void compare_inputs(const struct entry_score *logged, const struct entry_score *again,
                           const char *const names[ENTRY_INPUTS_MAX],
                           struct replay_differences *out)
{
    if (logged->inputs_count != again->inputs_count) {
        (void)next_row(out, "number of models with inputs");
        return;
    }
    for (uint32_t i = 0; i < logged->inputs_count; i++) {
        const struct entry_inputs *one = &logged->inputs[i];
        const struct entry_inputs *other = &again->inputs[i];
        if (one->model != other->model || one->values_count != other->values_count) {
            (void)next_row(out, "inputs of model %u", one->model);
            continue;
        }
        for (uint32_t at = 0; at < one->values_count; at++) {
            compare_input(names[i], at, one->values[at], other->values[at], out);
        }
    }
}

static void compare_models(const struct entry_score *logged, const struct entry_score *again,
                           struct replay_differences *out)
{
    bool same = logged->models_count == again->models_count;
    for (uint32_t i = 0; same && i < logged->models_count; i++) {
        same = strcmp(logged->models[i].name, again->models[i].name) == 0 &&
               hash_equal(logged->models[i].sha256, again->models[i].sha256);
    }
    if (!same) {
        (void)next_row(out, "models");
    }
}

static void compare_regions(const struct entry_score *logged, const struct entry_score *again,
                            struct replay_differences *out)
{
    double not_a_logit = 0;
    if (logged->regions_count != again->regions_count) {
        compare_count("regions", 0, ": how many", logged->regions_count, again->regions_count, out);
        return;
    }
    for (uint32_t i = 0; i < logged->regions_count; i++) {
        const struct entry_region *one = &logged->regions[i];
        const struct entry_region *other = &again->regions[i];
        char what[32];
        (void)snprintf(what, sizeof what, "region %u score", i + 1);
        compare_count("region", i + 1, " image", one->image_index, other->image_index, out);
        compare_count("region", i + 1, " x", one->x, other->x, out);
        compare_count("region", i + 1, " y", one->y, other->y, out);
        compare_count("region", i + 1, " width", one->width, other->width, out);
        compare_count("region", i + 1, " height", one->height, other->height, out);
        compare_double(what, one->score, other->score, &not_a_logit, out);
    }
}

void replay_compare(const struct entry_score *logged, const struct entry_score *again,
                    const char *const names[ENTRY_INPUTS_MAX], struct replay_differences *out)
{
    double not_a_logit = 0;
    memset(out, 0, sizeof *out);
    compare_double("probability", logged->probability, again->probability,
                   &out->largest_probability, out);
    compare_double("logit", logged->logit, again->logit, &out->largest_logit, out);
    compare_contributions(logged, again, out);
    compare_inputs(logged, again, names, out);
    compare_regions(logged, again, out);
    compare_double("quality", logged->quality, again->quality, &not_a_logit, out);
    compare_double("grave", logged->grave, again->grave, &not_a_logit, out);
    compare_models(logged, again, out);
    const char *why = logged->unscorable != NULL ? logged->unscorable : "";
    const char *why_again = again->unscorable != NULL ? again->unscorable : "";
    if (strcmp(why, why_again) != 0) {
        (void)next_row(out, "reason of being unscorable");
    }
}
