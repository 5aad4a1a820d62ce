/* SPDX-License-Identifier: Apache-2.0 */
#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/image.h"
#include "kernels/nearest.h"
#include "kernels/patch.h"
#include "kernels/rng.h"
#include "kernels/xray.h"

/* Kernel speeds next to the plain library call of the same shape, measured in turns in the same
 * run; the figure is the median of ROUNDS. The ceiling is what SGEMM reaches here on a large square
 * product, so value / ceiling is a share of what this machine and this BLAS can do. The caller sets
 * OPENBLAS_CORETYPE and OPENBLAS_NUM_THREADS; the core type is printed.
 *
 * Usage: bench_kernels [--json] */

enum { ROUNDS = 15 };

static int as_json;

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *room(size_t count, size_t element_bytes)
{
    void *bytes = calloc(count, element_bytes);
    if (bytes == NULL) {
        fprintf(stderr, "bench_kernels: no memory for %zu elements\n", count);
        exit(1);
    }
    return bytes;
}

static float *draw(uint64_t seed, size_t count)
{
    float *values = room(count, sizeof *values);
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)rng_normal(&rng);
    }
    return values;
}

static int compare_doubles(const void *a, const void *b)
{
    double first, second;
    memcpy(&first, a, sizeof first);
    memcpy(&second, b, sizeof second);
    return (first > second) - (first < second);
}

/* Run two jobs in turns; medians in seconds. */
static void time_in_turns(void (*job)(void *), void (*peer)(void *), void *arguments,
                          double seconds[2])
{
    double own[ROUNDS];
    double other[ROUNDS];
    job(arguments);
    peer(arguments);
    for (int i = 0; i < ROUNDS; i++) {
        double start = now_s();
        job(arguments);
        double middle = now_s();
        peer(arguments);
        own[i] = middle - start;
        other[i] = now_s() - middle;
    }
    qsort(own, ROUNDS, sizeof *own, compare_doubles);
    qsort(other, ROUNDS, sizeof *other, compare_doubles);
    seconds[0] = own[ROUNDS / 2];
    seconds[1] = other[ROUNDS / 2];
}

struct figure {
    const char *name;
    double value;
    const char *unit;
    const char *peer;
    double peer_value;
    double ceiling;
};

static void print_figure(struct figure figure)
{
    double ratio = figure.value / figure.peer_value;
    if (as_json) {
        printf(
            "{\"name\":\"%s\",\"value\":%.4g,\"unit\":\"%s\",\"peer\":\"%s\",\"peer_value\":%.4g,"
            "\"ratio\":%.4g,\"ceiling\":%.4g}\n",
            figure.name, figure.value, figure.unit, figure.peer, figure.peer_value, ratio,
            figure.ceiling);
    } else {
        printf("%-34s %9.4g %-9s %-34s %9.4g %6.2f %9.4g\n", figure.name, figure.value, figure.unit,
               figure.peer, figure.peer_value, ratio, figure.ceiling);
    }
}

static void nothing(void *arguments)
{
    (void)arguments;
}

static void square_product(void *arguments)
{
    float **m = arguments;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1024, 1024, 1024, 1, m[0], 1024, m[1],
                1024, 0, m[2], 1024);
}

static double measure_ceiling(void)
{
    float *matrices[3] = {draw(1, 1 << 20), draw(2, 1 << 20), draw(3, 1 << 20)};
    double seconds[2];
    time_in_turns(square_product, nothing, matrices, seconds);
    for (int i = 0; i < 3; i++) {
        free(matrices[i]);
    }
    return 2.0 * 1024 * 1024 * 1024 / seconds[0] * 1e-9;
}

enum { QUERIES = 4096, BANK = 8192 };

struct nearest_case {
    struct nearest_bank bank;
    struct nearest_queries queries;
    float *workspace;
    float *whole; /* the distance matrix the peers make and the kernel does not */
    uint32_t *index;
    float *distance;
};

static void run_nearest(void *arguments)
{
    struct nearest_case *c = arguments;
    nearest_search(&c->bank, &c->queries, c->workspace, c->index, c->distance);
}

static void run_product(void *arguments)
{
    struct nearest_case *c = arguments;
    int dimensions = (int)c->bank.dimension_count;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, QUERIES, BANK, dimensions, -2,
                c->queries.rows, dimensions, c->bank.rows, dimensions, 0, c->whole, BANK);
}

static void run_product_and_minimum(void *arguments)
{
    struct nearest_case *c = arguments;
    run_product(c);
    for (size_t i = 0; i < QUERIES; i++) {
        const float *row = c->whole + i * BANK;
        float least = INFINITY;
        uint32_t index = 0;
        for (uint32_t j = 0; j < BANK; j++) {
            float value = row[j] + c->bank.squared_norms[j];
            index = value < least ? j : index;
            least = value < least ? value : least;
        }
        c->index[i] = index;
        c->distance[i] = least;
    }
}

static void bench_nearest(size_t dimensions, double ceiling)
{
    float *bank_rows = draw(4, BANK * dimensions);
    float *norms = room(BANK, sizeof *norms);
    nearest_squared_norms(bank_rows, BANK, dimensions, dimensions, norms);
    float *query_rows = draw(5, QUERIES * dimensions);
    struct nearest_case c = {.bank = {bank_rows, BANK, dimensions, dimensions, norms, NULL, NULL},
                             .queries = {query_rows, QUERIES, dimensions},
                             .workspace = room(nearest_workspace_floats(), sizeof(float)),
                             .whole = room((size_t)QUERIES * BANK, sizeof(float)),
                             .index = room(QUERIES, sizeof(uint32_t)),
                             .distance = room(QUERIES, sizeof(float))};
    void *packed = room(nearest_pack_bytes(BANK, dimensions), 1);
    c.bank.packed = nearest_pack(&c.bank, packed);
    double work = 2.0 * QUERIES * BANK * (double)dimensions * 1e-9;
    double seconds[2];
    char name[64];
    snprintf(name, sizeof name, "nearest %dx%dx%zu", QUERIES, BANK, dimensions);
    time_in_turns(run_nearest, run_product, &c, seconds);
    print_figure((struct figure){name, work / seconds[0], "GFLOP/s", "cblas_sgemm alone",
                                 work / seconds[1], ceiling});
    time_in_turns(run_nearest, run_product_and_minimum, &c, seconds);
    print_figure((struct figure){name, work / seconds[0], "GFLOP/s", "cblas_sgemm, then minimum",
                                 work / seconds[1], ceiling});
    free(bank_rows);
    free(norms);
    free(packed);
    free(query_rows);
    free(c.workspace);
    free(c.whole);
    free(c.index);
    free(c.distance);
}

enum { SIDE = 16, FEATURES = SIDE * SIDE + PATCH_LEVEL_FEATURES, AXES = 64, PATCHES = 8192 };

struct patch_case {
    struct patch_projection projection;
    struct patch_level level;
    struct patch_batch batch;
    float *embedding;
    double *workspace;
    size_t count;
};

static const struct patch_rule patch_rule = {SIDE, SIDE / 2, 0.25f, 0.02f, 1.0f, -INFINITY};

static void run_embed(void *arguments)
{
    struct patch_case *c = arguments;
    patch_embed(&c->projection, c->batch.features, PATCHES, FEATURES, c->workspace, c->embedding);
}

static void run_embed_product(void *arguments)
{
    struct patch_case *c = arguments;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, PATCHES, AXES, FEATURES, 1,
                c->batch.features, FEATURES, c->projection.weights, AXES, 0, c->embedding, AXES);
}

static void run_extract(void *arguments)
{
    struct patch_case *c = arguments;
    struct patch_cursor cursor = {0};
    c->count = patch_extract(&c->level, 1, &patch_rule, &cursor, &c->batch);
}

/* Reading the image once and writing the feature matrix once: the least any extraction does. */
static void run_copy(void *arguments)
{
    struct patch_case *c = arguments;
    const float *pixels = c->level.image.pixels;
    for (size_t i = 0; i < c->count; i++) {
        memcpy(c->batch.features + i * FEATURES, pixels + i, FEATURES * sizeof(float));
    }
}

static void bench_patch(double ceiling)
{
    enum { WIDTH = 1024, HEIGHT = 512 };
    float *weights = draw(6, FEATURES * AXES);
    float *bias = draw(7, AXES);
    float *pixels = draw(8, WIDTH * HEIGHT);
    struct patch_case c = {.projection = {.feature_count = FEATURES,
                                          .embedding_count = AXES,
                                          .weights = weights,
                                          .bias = bias},
                           .level = {{pixels, WIDTH, HEIGHT, WIDTH}, NULL, 1},
                           .batch = {PATCHES, FEATURES, draw(9, PATCHES * FEATURES),
                                     room(PATCHES, sizeof(struct patch_position))},
                           .embedding = room(PATCHES * AXES, sizeof(float))};
    c.workspace = room(patch_embed_workspace_doubles(&c.projection), sizeof(double));
    double work = 2.0 * PATCHES * FEATURES * AXES * 1e-9;
    double seconds[2];
    time_in_turns(run_embed, run_embed_product, &c, seconds);
    print_figure((struct figure){"patch embed 8192x260x64 (exact)", work / seconds[0], "GFLOP/s",
                                 "cblas_sgemm alone", work / seconds[1], ceiling / 2});
    time_in_turns(run_extract, run_copy, &c, seconds);
    double patches = (double)c.count * 1e-6;
    print_figure((struct figure){"patch extract 16x16", patches / seconds[0], "Mpatch/s",
                                 "memcpy of the rows", patches / seconds[1], patches / seconds[1]});
    free(weights);
    free(bias);
    free(pixels);
    free(c.batch.features);
    free(c.batch.positions);
    free(c.embedding);
    free(c.workspace);
}

enum { PIXELS = 65536, MATERIALS = 5, BINS = 48 };

struct xray_case {
    struct xray_beam beam;
    float *densities;
    float *workspace;
    float *transmission;
    uint16_t *counts;
};

static void run_xray(void *arguments)
{
    struct xray_case *c = arguments;
    xray_transmission(&c->beam, c->densities, PIXELS, c->workspace, c->transmission);
}

/* The loop as a textbook has it, with libm's expf. */
static void run_xray_loop(void *arguments)
{
    struct xray_case *c = arguments;
    for (size_t i = 0; i < PIXELS; i++) {
        float sums[2] = {0};
        for (size_t e = 0; e < BINS; e++) {
            float depth = 0;
            for (size_t m = 0; m < MATERIALS; m++) {
                depth += c->densities[i * MATERIALS + m] * c->beam.mu_rho[m * BINS + e];
            }
            float passed = expf(-depth);
            sums[0] += passed * c->beam.weights[2 * e];
            sums[1] += passed * c->beam.weights[2 * e + 1];
        }
        c->transmission[2 * i] = sums[0];
        c->transmission[2 * i + 1] = sums[1];
    }
}

static void run_detect(void *arguments)
{
    struct xray_case *c = arguments;
    struct xray_detector detector = {60000, 200, 20000, 5};
    struct xray_pixels pixels = {c->transmission, 2, PIXELS, 0};
    xray_detect_u16(&detector, &pixels, 1, c->counts);
}

static void bench_xray(void)
{
    float *mu_rho = draw(10, MATERIALS * BINS);
    float *weights = room(BINS * 2, sizeof *weights);
    struct xray_case c = {.beam = {MATERIALS, BINS, 2, mu_rho, weights},
                          .densities = draw(11, PIXELS * MATERIALS),
                          .transmission = room(PIXELS * 2, sizeof(float)),
                          .counts = room(PIXELS, sizeof(uint16_t))};
    for (size_t i = 0; i < MATERIALS * BINS; i++) {
        mu_rho[i] = 0.02f + 0.1f * fabsf(mu_rho[i]);
    }
    for (size_t i = 0; i < PIXELS * MATERIALS; i++) {
        c.densities[i] = 10 * fabsf(c.densities[i]);
    }
    for (size_t i = 0; i < (size_t)BINS * 2; i++) {
        weights[i] = 1.0f / BINS;
    }
    c.workspace = room(xray_transmission_workspace_floats(&c.beam), sizeof(float));
    double seconds[2];
    time_in_turns(run_xray, run_xray_loop, &c, seconds);
    double pixels = PIXELS * 1e-6;
    print_figure((struct figure){"xray transmission 5x48x2", pixels / seconds[0], "Mpixel/s",
                                 "plain loop with expf", pixels / seconds[1], pixels / seconds[0]});
    double other[2];
    time_in_turns(run_detect, nothing, &c, other);
    print_figure((struct figure){"xray detect u16", pixels / other[0], "Mpixel/s",
                                 "xray transmission", pixels / seconds[0], pixels / other[0]});
    free(mu_rho);
    free(weights);
    free(c.densities);
    free(c.workspace);
    free(c.transmission);
    free(c.counts);
}

int main(int argc, char **argv)
{
    as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    double ceiling = measure_ceiling();
    if (!as_json) {
        printf("%s, %d threads\n", openblas_get_config(), openblas_get_num_threads());
        printf("%-34s %9s %-9s %-34s %9s %6s %9s\n", "name", "value", "unit", "peer", "peer value",
               "ratio", "ceiling");
    }
    bench_nearest(32, ceiling);
    bench_nearest(64, ceiling);
    bench_nearest(128, ceiling);
    bench_patch(ceiling);
    bench_xray();
    return 0;
}
