/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest neighbours: the fused kernel beside FAISS and scikit-learn, the same normal random rows,
 * in turns. The peers are programs of their own (line_peer.h), each with the OpenBLAS core type
 * that is fastest for it; a ratio is ours over the peer's. Figures are products of two numbers a
 * second, counted as two operations: 2 x queries x bank x dimensions over the time of a search.
 *
 * usage: bench_nearest [--quick] [--json] DIRECTORY PYTHON PEER_SCRIPT PEER_PROGRAM */
#include <cblas.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/team.h"
#include "bench/ceiling.h"
#include "bench/figure.h"
#include "bench/line_peer.h"
#include "bench/product_ceiling.h"
#include "kernels/blas.h"
#include "kernels/nearest.h"
#include "kernels/ref/nearest_ref.h"
#include "kernels/rng.h"
#include "score/tile_permission.h"

enum {
    QUERIES = 16384,
    CHECKED = 256, /* queries that a search in double is made for */
    PEERS = 3,
    THREADS_MAX = 2,
    SLICE = 512, /* queries of one plain product: a result of any more only fills memory */
    PATH_BYTES = 512
};

static const size_t bank_rows[] = {4096, 16384};
static const size_t dimension_counts[] = {64, 128};
static const char *const cores[] = {"", "Cooperlake", "SkylakeX", "Haswell", "Zen"};

struct bench {
    bool as_json;
    uint32_t rounds;
    const char *directory;
    const char *python;
    const char *script;
    const char *program;
    const char *core[PEERS]; /* the fastest; NULL: no such peer */
};

struct shape {
    struct nearest_bank bank;
    struct nearest_queries queries;
    unsigned threads;
    enum nearest_path path;
    struct team *team;
    float *workspace[THREADS_MAX];
    float *products;
    uint32_t *index;
    float *distance;
};

static void *room(size_t count, size_t element_bytes)
{
    void *bytes = aligned_alloc(64, (count * element_bytes + 63) / 64 * 64);
    bench_check(bytes != NULL, "no memory");
    memset(bytes, 0, (count * element_bytes + 63) / 64 * 64);
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

static void path_of(const struct bench *self, const char *name, char out[PATH_BYTES])
{
    int bytes = snprintf(out, PATH_BYTES, "%s/%s", self->directory, name);
    bench_check(bytes > 0 && bytes < PATH_BYTES, "%s: too long", self->directory);
}

static void write_floats(const struct bench *self, const char *name, const float *values,
                         size_t count)
{
    char path[PATH_BYTES];
    path_of(self, name, path);
    FILE *file = fopen(path, "wb");
    bench_check(file != NULL && fwrite(values, sizeof *values, count, file) == count &&
                    fclose(file) == 0,
                "%s: %s", path, strerror(errno));
}

/* ---- one round each ---------------------------------------------------------------------------*/

static void search_part(void *argument, size_t part)
{
    struct shape *shape = argument;
    size_t first = part * QUERIES / shape->threads;
    size_t after = (part + 1) * QUERIES / shape->threads;
    struct nearest_queries queries = shape->queries;
    struct nearest_request request = {.path = shape->path, .wanted = 1};
    queries.rows += first * queries.stride;
    queries.row_count = after - first;
    nearest_search_by(&request, &shape->bank, &queries, shape->workspace[part],
                      shape->index + first, shape->distance + first);
}

static double time_ours(struct shape *shape, enum nearest_path path)
{
    shape->path = path;
    int64_t began_ns = clock_monotonic_ns();
    team_run(shape->team, search_part, shape, shape->threads);
    return (double)(clock_monotonic_ns() - began_ns) / 1e9;
}

/* Plain SGEMM of the same shape, which reduces nothing: slices of queries into the same memory. */
static double time_product(struct shape *shape)
{
    int dimensions = (int)shape->bank.dimension_count;
    int rows = (int)shape->bank.row_count;
    openblas_set_num_threads((int)shape->threads);
    int64_t began_ns = clock_monotonic_ns();
    for (size_t first = 0; first < QUERIES; first += SLICE) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, SLICE, rows, dimensions, -2,
                    shape->queries.rows + first * shape->queries.stride, dimensions,
                    shape->bank.rows, dimensions, 0, shape->products, rows);
    }
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    openblas_set_num_threads(1);
    return took_s;
}

static bool open_peer(const struct bench *self, uint32_t which, size_t dimensions, const char *core,
                      unsigned threads, struct line_peer *out)
{
    char bank[PATH_BYTES];
    char queries[PATH_BYTES];
    char found[PATH_BYTES];
    char columns[16];
    char name[16];
    path_of(self, "bank", bank);
    path_of(self, "queries", queries);
    (void)snprintf(name, sizeof name, "found%u", which);
    path_of(self, name, found);
    (void)snprintf(columns, sizeof columns, "%zu", dimensions);
    const char *const by_python[] = {self->python, self->script, which == 0 ? "faiss" : "sklearn",
                                     bank,         queries,      columns,
                                     found,        NULL};
    const char *const by_program[] = {self->program, bank, queries, columns, found, NULL};
    return line_peer_open(out, which == 1 ? by_program : by_python, core, threads);
}

static const char *const peer_words[PEERS] = {"faiss-cpu", "Debian libfaiss", "scikit-learn"};

/* The core type that a peer's own OpenBLAS is fastest with, by two searches each. */
static void choose_core(struct bench *self, uint32_t which, size_t dimensions)
{
    double least_s = 0;
    for (size_t c = 0; c < sizeof cores / sizeof *cores; c++) {
        struct line_peer peer;
        if (!open_peer(self, which, dimensions, cores[c], 1, &peer)) {
            continue;
        }
        (void)line_peer_ask(&peer);
        double took_s = line_peer_ask(&peer);
        line_peer_close(&peer);
        if (took_s > 0 && (self->core[which] == NULL || took_s < least_s)) {
            self->core[which] = cores[c];
            least_s = took_s;
        }
    }
}

/* ---- is it right ------------------------------------------------------------------------------*/

/* Against the search in double, and how many of a peer's answers are the same as ours. */
static void check_answers(const struct bench *self, const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < CHECKED; i++) {
        size_t query = i * (QUERIES / CHECKED);
        double distance;
        uint32_t index = nearest_ref_search(
            &shape->bank, shape->queries.rows + query * shape->queries.stride, &distance);
        bench_check(shape->index[query] == index && shape->distance[query] == (float)distance,
                    "%s: query %zu has another answer in double", name, query);
    }
    for (uint32_t p = 0; p < PEERS; p++) {
        char path[PATH_BYTES];
        char file_name[16];
        uint32_t *found = room(QUERIES, sizeof *found);
        (void)snprintf(file_name, sizeof file_name, "found%u", p);
        path_of(self, file_name, path);
        FILE *file = self->core[p] == NULL ? NULL : fopen(path, "rb");
        if (file != NULL && fread(found, sizeof *found, QUERIES, file) == QUERIES) {
            size_t same = 0;
            for (size_t i = 0; i < QUERIES; i++) {
                same += found[i] == shape->index[i];
            }
            if (!self->as_json && same < QUERIES) {
                (void)printf("%s: %zu of %d indices of %s are others\n", name, QUERIES - same,
                             QUERIES, peer_words[p]);
            }
            bench_check(same > QUERIES - QUERIES / 100, "%s: %s has other answers", name,
                        peer_words[p]);
        }
        if (file != NULL) {
            (void)fclose(file);
        }
        free(found);
    }
}

/* ---- figures ----------------------------------------------------------------------------------*/

struct figures {
    struct rounds ours;
    struct rounds by_floats; /* the path of processors that cannot multiply bytes */
    struct rounds product;
    struct rounds peer[PEERS];
    char peer_name[PEERS][LINE_PEER_NAME_BYTES + 16];
};

static void measure(const struct bench *self, struct shape *shape, struct figures *figures)
{
    struct line_peer peers[PEERS];
    double work = 2e-9 * QUERIES * (double)(shape->bank.row_count * shape->bank.dimension_count);
    bool there[PEERS];
    enum nearest_path best = nearest_path_best();
    for (uint32_t p = 0; p < PEERS; p++) {
        there[p] = self->core[p] != NULL && open_peer(self, p, shape->bank.dimension_count,
                                                      self->core[p], shape->threads, &peers[p]);
        if (there[p]) {
            (void)snprintf(figures->peer_name[p], sizeof figures->peer_name[p], "%.50s %s",
                           peers[p].name, self->core[p]);
            (void)line_peer_ask(&peers[p]);
        }
    }
    for (uint32_t r = 0; r < self->rounds; r++) {
        rounds_add(&figures->by_floats,
                   work / time_ours(shape, best < NEAREST_AVX512 ? best : NEAREST_AVX512));
        rounds_add(&figures->ours, work / time_ours(shape, best));
        rounds_add(&figures->product, work / time_product(shape));
        for (uint32_t p = 0; p < PEERS; p++) {
            double took_s = there[p] ? line_peer_ask(&peers[p]) : 0;
            bench_check(took_s >= 0, "%s has died", peer_words[p]);
            if (there[p]) {
                rounds_add(&figures->peer[p], work / took_s);
            }
        }
    }
    for (uint32_t p = 0; p < PEERS; p++) {
        if (there[p]) {
            line_peer_close(&peers[p]);
        }
    }
}

static void print(const struct bench *self, const char *name, const struct rounds *value,
                  const char *peer, const struct rounds *peer_value)
{
    struct figure figure = {
        .name = name, .value = value, .unit = "Gop/s", .peer = peer, .peer_value = peer_value};
    figure_print(&figure, self->as_json);
}

static void print_aim(const struct bench *self, const char *name, const char *what,
                      const struct rounds *value, const struct rounds *peer, double aim)
{
    char whole[96];
    struct rounds times = {.count = 0};
    struct rounds wanted = {.count = 0};
    if (peer->count == 0) {
        return;
    }
    for (uint32_t i = 0; i < value->count && i < peer->count; i++) {
        rounds_add(&times, value->values[i] / peer->values[i]);
    }
    rounds_add(&wanted, aim);
    (void)snprintf(whole, sizeof whole, "%s.over_%s (at least)", name, what);
    struct figure figure = {
        .name = whole, .value = &times, .unit = "times", .peer = "aim", .peer_value = &wanted};
    figure_print(&figure, self->as_json);
}

static void tell(const struct bench *self, const char *name, const struct figures *figures)
{
    char floats[96];
    (void)snprintf(floats, sizeof floats, "%s.by_floats", name);
    print(self, name, &figures->ours, "cblas_sgemm alone", &figures->product);
    for (uint32_t p = 0; p < PEERS; p++) {
        if (figures->peer[p].count > 0) {
            print(self, name, &figures->ours, figures->peer_name[p], &figures->peer[p]);
        } else if (!self->as_json) {
            (void)printf("SKIP: no %s to hold %s against\n", peer_words[p], name);
        }
    }
    print(self, floats, &figures->by_floats, "cblas_sgemm alone", &figures->product);
    print_aim(self, name, "sgemm", &figures->ours, &figures->product, 0.95);
    print_aim(self, name, "faiss", &figures->ours, &figures->peer[0], 2);
    print_aim(self, name, "generic_faiss", &figures->ours, &figures->peer[1], 5);
}

static void bench_shape(struct bench *self, size_t rows, size_t dimensions, unsigned threads)
{
    float *norms = room(rows, sizeof *norms);
    struct shape shape = {
        .bank = {draw(1, rows * dimensions), rows, dimensions, dimensions, norms, NULL, NULL},
        .queries = {draw(2, QUERIES * dimensions), QUERIES, dimensions},
        .threads = threads,
        .products = room(SLICE * rows, sizeof(float)),
        .index = room(QUERIES, sizeof(uint32_t)),
        .distance = room(QUERIES, sizeof(float))};
    void *packed = room(nearest_pack_bytes(rows, dimensions), 1);
    struct figures figures = {.ours = {.count = 0}};
    char name[64];
    (void)snprintf(name, sizeof name, "nearest.%zux%zu.%u_thread%s", rows, dimensions, threads,
                   threads == 1 ? "" : "s");
    bench_check(!err_is(team_open(threads, &shape.team)), "threads");
    for (unsigned t = 0; t < threads; t++) {
        shape.workspace[t] = room(nearest_workspace_floats(), sizeof(float));
    }
    nearest_squared_norms(shape.bank.rows, rows, dimensions, dimensions, norms);
    shape.bank.packed = nearest_pack(&shape.bank, packed);
    write_floats(self, "bank", shape.bank.rows, rows * dimensions);
    write_floats(self, "queries", shape.queries.rows, QUERIES * dimensions);
    for (uint32_t p = 0; p < PEERS && rows == bank_rows[0] && threads == 1; p++) {
        self->core[p] = NULL;
        choose_core(self, p, dimensions);
    }
    measure(self, &shape, &figures);
    (void)time_ours(&shape, nearest_path_best());
    check_answers(self, &shape, name);
    tell(self, name, &figures);
    team_close(&shape.team);
    for (unsigned t = 0; t < threads; t++) {
        free(shape.workspace[t]);
    }
    free((void *)(uintptr_t)shape.bank.rows);
    free((void *)(uintptr_t)shape.queries.rows);
    free(norms);
    free(packed);
    free(shape.products);
    free(shape.index);
    free(shape.distance);
}

static void print_ceilings(const struct bench *self)
{
    static const char *const names[] = {"ceiling.float_fma", "ceiling.byte_products",
                                        "ceiling.tile_byte_products"};
    static const char *const words[] = {"one core, registers only", "one core, VPDPBUSD",
                                        "one core, TDPBSUD"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct rounds rounds = {.count = 0};
        double rate = product_ceiling((enum product_ceiling)i);
        for (uint32_t r = 0; r < self->rounds && rate > 0; r++) {
            rounds_add(&rounds, product_ceiling((enum product_ceiling)i) / 1e9);
        }
        if (rate > 0) {
            print(self, names[i], &rounds, words[i], NULL);
        }
    }
    struct rounds copy = {.count = 0};
    for (uint32_t r = 0; r < self->rounds; r++) {
        rounds_add(&copy, ceiling_copy() / 1e9);
    }
    struct figure figure = {.name = "ceiling.memory_copy", .value = &copy, .unit = "GB/s"};
    figure_print(&figure, self->as_json);
}

int main(int argc, char **argv)
{
    struct bench self = {.rounds = 7};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        bool quick = strcmp(argv[at], "--quick") == 0;
        self.rounds = quick ? 3 : self.rounds;
        self.as_json = self.as_json || strcmp(argv[at], "--json") == 0;
    }
    if (argc - at != 4) {
        (void)fputs("usage: bench_nearest [--quick] [--json] DIRECTORY PYTHON SCRIPT PROGRAM\n",
                    stderr);
        return 2;
    }
    self.directory = argv[at];
    self.python = argv[at + 1];
    self.script = argv[at + 2];
    self.program = argv[at + 3];
    bench_check(mkdir(self.directory, 0755) == 0 || errno == EEXIST, "%s", self.directory);
    blas_use_one_thread();
    tile_permission_ask();
    if (!self.as_json) {
        (void)printf("%d queries a search; path %d; OpenBLAS core %s\n", QUERIES,
                     (int)nearest_path_best(), blas_core_name());
    }
    figure_head(self.as_json);
    print_ceilings(&self);
    for (size_t d = 0; d < 2; d++) {
        for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
            for (size_t b = 0; b < 2; b++) {
                bench_shape(&self, bank_rows[b], dimension_counts[d], threads);
            }
        }
    }
    return 0;
}
