/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_PORT_ROWS_H
#define TESTS_SCORE_PORT_ROWS_H

/* Port rows: labelled declarations of a made-up port, and models trained on them. */

#include "fixture.h"

#include "kernels/rng.h"
#include "score/declaration_model.h"
#include "score/train_declarations.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;

struct row {
    char importer[24];
    char seller[24];
    char hs_code[8];
    struct goods_line line;
    struct declaration declaration;
};

static inline void make_row(struct row *row, unsigned importer, unsigned goods, double mass_kg)
{
    static const char *const codes[] = {"440890", "690722", "610910", "847989", "330499"};
    snprintf(row->importer, sizeof row->importer, "firm %u", importer);
    snprintf(row->seller, sizeof row->seller, "seller %u", importer % 37);
    snprintf(row->hs_code, sizeof row->hs_code, "%s", codes[goods % 5]);
    row->line = fixture_line(row->hs_code);
    row->line.net_mass_kg = mass_kg;
    row->line.value = 10 * mass_kg + goods;
    row->declaration = fixture_declaration(&row->line);
    row->declaration.importer = row->importer;
    row->declaration.seller = row->seller;
}

/* Shares neither importer nor seller nor code with a row of another number. */
static inline void make_lone_row(struct row *row, unsigned number)
{
    make_row(row, number, number, 100);
    snprintf(row->hs_code, sizeof row->hs_code, "%06u", 100000 + number * 7);
    snprintf(row->seller, sizeof row->seller, "seller %u", number);
    row->line.value = 50000 + number;
}

static inline struct train_declarations *open_training(uint32_t threads, uint64_t lines_max)
{
    struct train_declarations *self = NULL;
    const struct train_declarations_conf conf = {
        .seed = 3, .threads = threads, .lines_max = lines_max};
    assert_good(train_declarations_open(&conf, &self));
    return self;
}

static inline void write_model(struct train_declarations *self, const char *directory,
                               struct train_declarations_report *report)
{
    assert_good(train_declarations_write(self, directory, report));
    train_declarations_close(&self);
}

/* A port whose bad importers can be learnt: every seventh firm is found out three times in four. */
static inline void add_port_row(struct train_declarations *self, struct rng *rng, int64_t t_ns,
                                bool validation)
{
    struct row row;
    unsigned importer = (unsigned)rng_below(rng, 200);
    double chance = importer % 7 == 0 ? 0.75 : 0.05;
    make_row(&row, importer, (unsigned)rng_below(rng, 5), 1 + rng_uniform(rng) * 500);
    struct train_outcome outcome = {
        .found = rng_uniform(rng) < chance, .validation = validation, .t_ns = t_ns};
    outcome.critical = outcome.found && rng_below(rng, 4) == 0;
    assert_good(train_declarations_add(self, &row.declaration, &outcome));
}

enum { PORT_ROWS = 1500 };

static inline void train_port(struct train_declarations *self, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (int i = 0; i < PORT_ROWS; i++) {
        add_port_row(self, &rng, (int64_t)(i / 5) * day_ns, false);
    }
}

/* The same port with 1 to 3 lines a declaration, which change no rate; of so many rows the last
 * fifth has enough finds to learn from. */
static inline void train_wide_port(struct train_declarations *self, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (int i = 0; i < 2 * PORT_ROWS; i++) {
        struct row row;
        struct goods_line lines[3];
        unsigned importer = (unsigned)rng_below(&rng, 200);
        double chance = importer % 7 == 0 ? 0.75 : 0.05;
        make_row(&row, importer, (unsigned)rng_below(&rng, 5), 1 + rng_uniform(&rng) * 500);
        row.declaration.lines_count = 1 + (uint32_t)rng_below(&rng, 3);
        for (uint32_t line = 0; line < row.declaration.lines_count; line++) {
            lines[line] = row.line;
            lines[line].value = 10 + (double)rng_below(&rng, 5000);
        }
        row.declaration.lines = lines;
        struct train_outcome outcome = {.found = rng_uniform(&rng) < chance,
                                        .t_ns = (int64_t)(i / 10) * day_ns};
        outcome.critical = outcome.found && rng_below(&rng, 4) == 0;
        assert_good(train_declarations_add(self, &row.declaration, &outcome));
    }
}

static inline void open_model(const struct train_report *report, struct declaration_model *model,
                              struct history *history)
{
    struct model_file file;
    assert_good(model_file_read(report->path, report->sha256, &file));
    assert_good(history_init(history, 0));
    assert_good(declaration_model_read(&file, model));
    assert_good(declaration_model_counts(&file, history));
    model_file_fini(&file);
}

#endif
