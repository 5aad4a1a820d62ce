/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/declaration_set.h"
#include "bench/figure.h"
#include "score/train_rows.h"

/* Not a bench but what peers_declarations.py learns from: our features of every labelled row of two
 * tables, as of the beginning of its block of TRAIN_BLOCK_DAYS, counted back from the first later
 * row (so training makes them too); those of the later rows as of the end of the earlier ones.
 *
 * Usage: bench_features EARLIER LATER DIRECTORY
 * DIRECTORY/earlier.f32, later.f32: rows of float32, in the order of the rows of the table;
 * names.txt: what the features are called. */

static void add(struct train_rows *rows, const struct declaration_set *set, size_t earlier)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct train_outcome outcome = {.found = set->labels[i].found,
                                              .critical = set->labels[i].critical,
                                              .validation = i >= earlier,
                                              .t_ns = set->labels[i].t_ns};
        struct err err = train_rows_add(rows, &set->declarations[i], &outcome);
        bench_check(!err_is(err), "row %zu: %s", i, err.where);
    }
}

/* Features of the block from..to, written to where each row stood in its table. */
static void read_block(struct train_rows *rows, uint64_t from, uint64_t to, float *features)
{
    struct err err = train_rows_norms(rows, from);
    bench_check(!err_is(err), "no norms");
    for (uint64_t i = from; i < to; i++) {
        train_rows_features(rows, i, features + rows->rows[i].order * LINE_FEATURES);
    }
}

static void make_features(struct train_rows *rows, float *features)
{
    const int64_t block_ns = TRAIN_BLOCK_DAYS * INT64_C(86400) * 1000000000;
    uint64_t earlier = 0;
    struct err err = train_rows_sort(rows, &earlier);
    bench_check(!err_is(err) && earlier > 0 && earlier < rows->rows_count, "both tables need rows");
    int64_t end_ns = rows->rows[earlier].outcome.t_ns;
    int64_t blocks = (end_ns - rows->rows[0].outcome.t_ns) / block_ns;
    uint64_t from = 0;
    for (int64_t left = blocks; left >= 0; left--) {
        uint64_t to = from;
        while (to < earlier &&
               (left == 0 || rows->rows[to].outcome.t_ns < end_ns - left * block_ns)) {
            to++;
        }
        read_block(rows, from, to, features);
        err = train_rows_learn(rows, from, to);
        bench_check(!err_is(err), "no memory");
        from = to;
    }
    read_block(rows, earlier, rows->rows_count, features);
}

static void write_rows(const char *directory, const char *name, const float *features, size_t rows)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    size_t count = rows * LINE_FEATURES;
    bench_check(file != NULL && fwrite(features, sizeof *features, count, file) == count &&
                    fclose(file) == 0,
                "%s: %s", path, strerror(errno));
}

static void write_names(const char *directory)
{
    char path[4096];
    char names[LINE_NAMES_BYTES];
    line_feature_names(names);
    (void)snprintf(path, sizeof path, "%s/names.txt", directory);
    FILE *file = fopen(path, "w");
    bench_check(file != NULL && fprintf(file, "%s\n", names) > 0 && fclose(file) == 0, "%s: %s",
                path, strerror(errno));
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench_features EARLIER LATER DIRECTORY\n");
        return 2;
    }
    struct declaration_set set = {0};
    size_t earlier = declaration_set_read(&set, argv[1]);
    size_t later = declaration_set_read(&set, argv[2]);
    struct train_rows rows;
    static const uint8_t secret[PART_SECRET_BYTES] = {1};
    struct err err = train_rows_init(&rows, TRAIN_LINES_MAX, secret);
    bench_check(!err_is(err), "no memory");
    add(&rows, &set, earlier);
    float *features = calloc(set.count, LINE_FEATURES * sizeof *features);
    bench_check(features != NULL, "no memory");
    make_features(&rows, features);
    write_rows(argv[3], "earlier.f32", features, earlier);
    write_rows(argv[3], "later.f32", features + earlier * LINE_FEATURES, later);
    write_names(argv[3]);
    printf("%zu earlier and %zu later rows of %u features\n", earlier, later,
           (unsigned)LINE_FEATURES);
    free(features);
    train_rows_fini(&rows);
    declaration_set_free(&set);
    return 0;
}
