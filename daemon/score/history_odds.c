/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history.h"

#include <string.h>

#include "kernels/odds.h"

/* Odds instead of logits: the trees only compare, and ratios of odds compare as differences of
 * logits do. The mean of two parents' logits is the root of the product of their odds. So a line
 * costs no logarithm, and no bit of it depends on a libm, given the same counts and fades; those
 * come from exp2.
 *
 * Kind by kind through a block of lines: the slots of one kind are sent for a few kinds before they
 * are read, so that the table's memory answers for some two hundred keys at once. */

/* A kind is asked for and told three kinds later. */
enum { TOLD = 3, RING = 4, STEP = 16 };
_Static_assert(RING > TOLD, "what has been asked for is not overwritten");
_Static_assert(HISTORY_LANES == ODDS_LANES && HISTORY_LANES == LOOKUP_LANES, "one block");
_Static_assert(HISTORY_KINDS <= ODDS_KINDS_MAX && HISTORY_KINDS <= HISTORY_INDEX_TABLES, "kinds");

/* The day of the newest outcome. */
static uint32_t today(const struct history *self)
{
    return history_day(self->base.newest_ns > self->live.newest_ns ? self->base.newest_ns
                                                                   : self->live.newest_ns);
}

static void add_live(const struct history *self, const uint64_t *keys, size_t count, uint32_t day,
                     float *exams, float *finds)
{
    for (size_t i = 0; i < count; i++) {
        const struct history_entry *entry =
            keys[i] != 0 ? history_table_find(&self->live, keys[i]) : NULL;
        if (entry != NULL) {
            float left = history_left(self->fades, history_day(entry->last_ns), day);
            exams[i] += entry->exams * left;
            finds[i] += entry->finds * left;
        }
    }
}

/* Parents as the kernel wants them. */
static void fill_kinds(uint64_t wanted, struct odds_kind kinds[HISTORY_KINDS])
{
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        const struct history_kind *about = &history_kinds[kind];
        kinds[kind] = (struct odds_kind){(uint8_t)about->parents_count,
                                         {(uint8_t)about->parents[0], (uint8_t)about->parents[1]},
                                         (wanted >> kind & 1) == 0};
    }
}

static struct odds_prior prior_of(const struct history *self)
{
    const struct history_weights *weights = &self->weights;
    return (struct odds_prior){(float)(weights->prior / (1 - weights->prior)),
                               (float)weights->prior_exams, (float)weights->shrinkage};
}

static void ask(const struct history *self, struct history_block *block, uint32_t kind,
                uint32_t place)
{
    uint64_t *keys = block->keys[place];
    history_keys_of_kind(kind, &block->parts, keys);
    lookup_ask(&self->index.tables[kind], keys, block->count, &block->asked[place]);
    for (uint32_t i = 0; i < block->count && self->live.used > 0; i++) {
        history_table_prefetch(&self->live, keys[i]);
    }
}

/* exams of the kind; its finds go to block->finds. */
static void tell(const struct history *self, struct history_block *block, uint32_t kind,
                 uint32_t place, uint32_t day, float *exams)
{
    const uint64_t *keys = block->keys[place];
    float left = history_left(self->fades, self->index.day, day);
    lookup_tell(&self->index.tables[kind], left, keys, block->count, &block->asked[place], exams,
                block->finds[kind]);
    if (self->live.used > 0) {
        add_live(self, keys, block->count, day, exams, block->finds[kind]);
    }
}

void history_odds_block(const struct history *self, uint64_t kinds_wanted,
                        struct history_block *block, float *columns)
{
    uint32_t day = today(self);
    uint8_t order[HISTORY_KINDS];
    uint32_t count = 0;
    must(block->count > 0 && block->count <= HISTORY_LANES);
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        order[count] = (uint8_t)kind;
        count += (kinds_wanted >> kind & 1) != 0;
    }
    for (uint32_t turn = 0; turn < count + TOLD; turn++) {
        if (turn < count) {
            ask(self, block, order[turn], turn % RING);
        }
        if (turn >= TOLD) {
            uint32_t ready = order[turn - TOLD];
            float *exams =
                ready == 0 ? block->all_exams : columns + (2 * (size_t)ready - 1) * HISTORY_LANES;
            tell(self, block, ready, (turn - TOLD) % RING, day, exams);
        }
    }
    struct odds_kind kinds[HISTORY_KINDS];
    const struct odds_prior prior = prior_of(self);
    fill_kinds(kinds_wanted, kinds);
    const struct odds_columns odds = {.all_exams = block->all_exams,
                                      .exams = columns + HISTORY_LANES,
                                      .finds = block->finds[0],
                                      .ratios = columns,
                                      .odds = block->odds[0],
                                      .stride = 2 * (size_t)HISTORY_LANES,
                                      .lanes = (size_t)(block->count + STEP - 1) / STEP * STEP};
    odds_ratios(kinds, HISTORY_KINDS, &prior, &odds);
}

void history_odds(const struct history *self, const uint64_t keys[HISTORY_KINDS],
                  float out[HISTORY_ODDS_COLUMNS])
{
    uint32_t day = today(self);
    float base_left = history_left(self->fades, self->index.day, day);
    struct lookup_asked asked[HISTORY_KINDS];
    float exams[HISTORY_KINDS][STEP] = {{0}};
    float finds[HISTORY_KINDS][ODDS_LANES] = {{0}};
    float ratios[HISTORY_KINDS][STEP];
    float space[HISTORY_KINDS][ODDS_LANES];
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        lookup_ask_by(LOOKUP_PORTABLE, &self->index.tables[kind], &keys[kind], 1, &asked[kind]);
        if (keys[kind] != 0) {
            history_table_prefetch(&self->live, keys[kind]);
        }
    }
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        const struct lookup_table *table = &self->index.tables[kind];
        lookup_tell_by(LOOKUP_PORTABLE, table, base_left, &keys[kind], 1, &asked[kind], exams[kind],
                       finds[kind]);
        add_live(self, &keys[kind], 1, day, exams[kind], finds[kind]);
    }
    struct odds_kind kinds[HISTORY_KINDS];
    const struct odds_prior prior = prior_of(self);
    fill_kinds(HISTORY_EVERY_KIND, kinds);
    const struct odds_columns odds = {.all_exams = exams[0],
                                      .exams = exams[1],
                                      .finds = finds[0],
                                      .ratios = ratios[1],
                                      .odds = space[0],
                                      .stride = STEP,
                                      .lanes = STEP};
    odds_ratios(kinds, HISTORY_KINDS, &prior, &odds);
    for (uint32_t kind = 1; kind < HISTORY_KINDS; kind++) {
        size_t at = 2 * ((size_t)kind - 1);
        out[at] = ratios[kind][0];
        out[at + 1] = exams[kind][0];
    }
}
