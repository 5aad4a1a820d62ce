/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/figure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void rounds_add(struct rounds *self, double value)
{
    must(self->count < FIGURE_ROUNDS_MAX);
    self->values[self->count++] = value;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double quantile_of(double *values, size_t count, double share)
{
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof *values, compare_doubles);
    size_t rank = (size_t)(share * (double)count);
    return values[rank < count ? rank : count - 1];
}

double rounds_median(const struct rounds *self)
{
    struct rounds sorted = *self;
    return quantile_of(sorted.values, sorted.count, 0.5);
}

double rounds_least(const struct rounds *self)
{
    struct rounds sorted = *self;
    return quantile_of(sorted.values, sorted.count, 0);
}

double rounds_most(const struct rounds *self)
{
    struct rounds sorted = *self;
    return quantile_of(sorted.values, sorted.count, 1);
}

void figure_head(bool as_json)
{
    if (!as_json) {
        printf("%-44s %10s %-9s %21s  %-30s %10s %21s %7s %10s\n", "figure", "median", "unit",
               "rounds", "peer", "median", "rounds", "ratio", "ceiling");
    }
}

/* "123.4..567.8" */
static void spread_text(const struct rounds *rounds, char out[32])
{
    out[0] = '\0';
    if (rounds != NULL && rounds->count > 1) {
        (void)snprintf(out, 32, "%.4g..%.4g", rounds_least(rounds), rounds_most(rounds));
    }
}

void figure_print(const struct figure *figure, bool as_json)
{
    double value = rounds_median(figure->value);
    double peer_value = figure->peer_value == NULL ? 0 : rounds_median(figure->peer_value);
    double ratio = peer_value > 0 ? value / peer_value : 0;
    const char *peer = figure->peer == NULL ? "" : figure->peer;
    if (as_json) {
        printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"peer\":\"%s\",\"peer_value\":%."
               "6g,\"ratio\":%.4f,"
               "\"ceiling\":%.6g}\n",
               figure->name, value, figure->unit, peer, peer_value, ratio, figure->ceiling);
    } else {
        char spread[32];
        char peer_spread[32];
        char peer_text[16] = "";
        char ratio_text[16] = "";
        char ceiling_text[16] = "";
        spread_text(figure->value, spread);
        spread_text(figure->peer_value, peer_spread);
        if (peer_value > 0) {
            (void)snprintf(peer_text, sizeof peer_text, "%.5g", peer_value);
            (void)snprintf(ratio_text, sizeof ratio_text, "%.3f", ratio);
        }
        if (figure->ceiling > 0) {
            (void)snprintf(ceiling_text, sizeof ceiling_text, "%.5g", figure->ceiling);
        }
        printf("%-44s %10.5g %-9s %21s  %-30s %10s %21s %7s %10s %s\n", figure->name, value,
               figure->unit, spread, peer, peer_text, peer_spread, ratio_text, ceiling_text,
               figure->ceiling_name == NULL ? "" : figure->ceiling_name);
    }
    (void)fflush(stdout);
}

void bench_check(bool good, const char *format, ...)
{
    if (good) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "bench: ");
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}
