/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/declaration_stages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/figure.h"
#include "score/part_read.h"

enum { ROUNDS = 9, REASONS = 3, BATCH = 256, COLUMNS = 4 };

/* Room of every stage; what they make is kept so that nothing is left out as unused. */
struct room {
    struct part_block parts;
    struct history_block histories;
    struct oblivious_plan plan;
    void *plan_memory;
    void *workspace;
    float *columns;    /* [COLUMNS][LINE_FEATURES x HISTORY_LANES]: blocks in turns */
    uint64_t *offsets; /* [count x HISTORY_KINDS]: of lines, from the first bucket of all */
    size_t offsets_count;
    int32_t contributions[LINE_GROUPS * HISTORY_LANES];
    int32_t scores[HISTORY_LANES];
    int32_t heaviest[REASONS * HISTORY_LANES];
    int32_t groups[REASONS * HISTORY_LANES];
    uint64_t kept;
};

static void *make(size_t bytes)
{
    void *made = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    bench_check(made != NULL, "no memory");
    memset(made, 0, bytes);
    return made;
}

static const struct declaration *at(const struct declaration_stages *self, size_t index)
{
    return &self->set->declarations[self->order[index]];
}

static float *columns_of(const struct room *room, size_t row)
{
    return room->columns + row / HISTORY_LANES % COLUMNS * HISTORY_LANES * LINE_FEATURES;
}

static void read_block(const struct declaration_stages *self, size_t from, struct room *room)
{
    for (uint32_t lane = 0; lane < HISTORY_LANES; lane++) {
        const struct declaration *declaration = at(self, from + lane);
        part_block_put(&self->history->key, declaration, declaration->lines, false, lane,
                       &room->parts);
    }
    part_block_digest(&self->history->key, &room->parts, HISTORY_LANES,
                      room->histories.parts.digests);
    room->histories.parts.keyed = true;
    room->histories.count = HISTORY_LANES;
}

static void stage_judge(const struct declaration_stages *self, struct room *room)
{
    static struct declaration_judgement judgements[BATCH];
    for (size_t from = 0; from < self->count; from += BATCH) {
        const struct declaration *declarations[BATCH];
        for (size_t i = 0; i < BATCH; i++) {
            declarations[i] = at(self, from + i);
        }
        declaration_model_judge(self->model, self->history, declarations, BATCH, REASONS,
                                judgements);
        room->kept += (uint64_t)judgements[0].logit;
    }
}

static void stage_read(const struct declaration_stages *self, struct room *room)
{
    for (size_t from = 0; from < self->count; from += HISTORY_LANES) {
        read_block(self, from, room);
        room->kept += room->histories.parts.digests[0][0];
    }
}

static void stage_look_up(const struct declaration_stages *self, struct room *room)
{
    uint64_t kinds = declaration_model_kinds(self->model);
    for (size_t from = 0; from < self->count; from += HISTORY_LANES) {
        read_block(self, from, room);
        history_odds_block(self->history, kinds, &room->histories, columns_of(room, from));
    }
}

static void stage_trees(const struct declaration_stages *self, struct room *room)
{
    for (size_t from = 0; from < self->count; from += HISTORY_LANES) {
        oblivious_block_explain(&room->plan, columns_of(room, from), room->workspace, room->scores,
                                room->contributions);
        oblivious_block_heaviest(room->contributions, LINE_GROUPS, REASONS, room->heaviest,
                                 room->groups);
        room->kept += (uint64_t)room->heaviest[0];
    }
}

static void stage_lines(const struct declaration_stages *self, struct room *room)
{
    const char *first = (const char *)self->history->index.buckets;
    uint64_t sum = 0;
    for (size_t i = 0; i < room->offsets_count; i++) {
        uint64_t key;
        memcpy(&key, first + room->offsets[i], sizeof key);
        sum += key;
    }
    room->kept += sum;
}

static void find_lines(const struct declaration_stages *self, struct room *room)
{
    uint64_t kinds = declaration_model_kinds(self->model);
    for (size_t from = 0; from < self->count; from += HISTORY_LANES) {
        read_block(self, from, room);
        for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
            const struct lookup_table *table = &self->history->index.tables[kind];
            uint64_t keys[HISTORY_LANES];
            struct lookup_asked asked;
            if ((kinds >> kind & 1) == 0 || table->bucket_count == 0) {
                continue;
            }
            history_keys_of_kind(kind, &room->histories.parts, keys);
            lookup_ask(table, keys, HISTORY_LANES, &asked);
            uint64_t base =
                (uint64_t)(table->buckets - self->history->index.buckets) * sizeof *table->buckets;
            for (uint32_t lane = 0; lane < HISTORY_LANES; lane++) {
                room->offsets[room->offsets_count++] = base + asked.offsets[lane];
            }
        }
    }
}

static double thread_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

typedef void stage(const struct declaration_stages *self, struct room *room);
static double best_of(const struct declaration_stages *self, struct room *room, stage *run)
{
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = thread_ns();
        run(self, room);
        double took = (thread_ns() - start) / (double)self->count;
        best = round == 0 || took < best ? took : best;
    }
    return best;
}

static void plan_trees(const struct declaration_stages *self, struct room *room)
{
    const struct oblivious_model *trees = &self->model->found;
    uint16_t groups[LINE_FEATURES];
    for (uint32_t feature = 0; feature < LINE_FEATURES; feature++) {
        groups[feature] = (uint16_t)line_group_of(feature);
    }
    room->plan_memory = make(oblivious_plan_bytes(trees, LINE_GROUPS));
    room->workspace = make(oblivious_block_bytes(trees));
    oblivious_plan_make(trees, groups, LINE_GROUPS, room->plan_memory, &room->plan);
}

void declaration_stages_tell(const struct declaration_stages *self)
{
    struct room *room = make(sizeof *room);
    room->columns = make((size_t)COLUMNS * HISTORY_LANES * LINE_FEATURES * sizeof(float));
    room->offsets = make(self->count * HISTORY_KINDS * sizeof(uint64_t));
    plan_trees(self, room);
    find_lines(self, room);
    double whole = best_of(self, room, stage_judge);
    double read = best_of(self, room, stage_read);
    double looked_up = best_of(self, room, stage_look_up) - read;
    double trees = best_of(self, room, stage_trees);
    double lines = best_of(self, room, stage_lines);
    printf(
        "of one processor, a declaration: %.0f ns; texts and numbers of the record digested %.0f, "
        "%.0f histories looked up, odds %.0f,\n  trees and reasons %.0f, the rest (goods, the "
        "trees of grave finds) %.0f. Reading the lines of the counts alone, addresses known: "
        "%.0f ns\n",
        whole, read, (double)room->offsets_count / (double)self->count, looked_up, trees,
        whole - read - looked_up - trees, lines);
    bench_check(room->kept != 1, "nothing was made"); /* whatever was summed has been used */
    free(room->columns);
    free(room->offsets);
    free(room->plan_memory);
    free(room->workspace);
    free(room);
}
