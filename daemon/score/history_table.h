/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HISTORY_TABLE_H
#define SCORE_HISTORY_TABLE_H

/* History table: faded counts of exams and finds by key; open addressing, linear probing, never
 * more than seven eighths full. A slot is 34 bytes: HISTORY_SLOT_BYTES. Reading and learning
 * allocate nothing. One thread a handle. Its arrays in a model file: MODELS.md, section 2. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"

struct history_entry {
    uint64_t key; /* 0: free slot */
    int64_t last_ns;
    float exams; /* faded to last_ns */
    float finds;
    uint32_t exams_count; /* as they were, for words */
    uint32_t finds_count;
};

struct history_table {
    struct history_entry *entries;
    uint16_t *first_days; /* of each slot's first exam, from 1970; 0: not known. Only words ask, so
                             they lie apart from what every score reads. */
    uint64_t slots;       /* power of two; 0: no table, which knows nobody */
    uint64_t used;
    uint64_t dropped;  /* entities not remembered because seven eighths of the slots were in use */
    int64_t newest_ns; /* time of the newest outcome learnt; INT64_MIN: none */
};

#define HISTORY_KEY_KIND_BITS 6u
#define HISTORY_SLOTS_MIN 1024u
#define HISTORY_SLOTS_MAX (UINT64_C(1) << 28)
#define HISTORY_SLOT_BYTES (sizeof(struct history_entry) + sizeof(uint16_t))

/* slots is rounded up to a power of two within the bounds above. */
MUST_USE struct err history_table_init(struct history_table *self, uint64_t slots);
void history_table_fini(struct history_table *self);
void history_table_reset(struct history_table *self);
/* Twice the slots when half of them are in use. For training only. */
MUST_USE struct err history_table_reserve(struct history_table *self);
void history_table_learn(struct history_table *self, uint64_t key, bool found, int64_t t_ns,
                         double half_life_ns);
/* Where the search for a key begins. The low bits of a key may be its kind: they choose nothing. */
static inline uint64_t history_table_home(const struct history_table *self, uint64_t key)
{
    return key >> HISTORY_KEY_KIND_BITS & (self->slots - 1);
}
/* The slot of a key (not 0), or the free one where it would go. */
static inline uint64_t history_table_slot(const struct history_table *self, uint64_t key)
{
    uint64_t at = history_table_home(self, key);
    while (self->entries[at].key != 0 && self->entries[at].key != key) {
        at = (at + 1) & (self->slots - 1);
    }
    return at;
}
/* NULL when nobody of that key was examined; lives until the table is changed. key is not 0. Here
 * and the next one: every line asks some fifty times. */
static inline const struct history_entry *history_table_find(const struct history_table *self,
                                                             uint64_t key)
{
    if (self->used == 0) {
        return NULL;
    }
    const struct history_entry *entry = &self->entries[history_table_slot(self, key)];
    return entry->key != 0 ? entry : NULL;
}
/* Day of the first exam of an entry that history_table_find gave. */
uint16_t history_table_first_day(const struct history_table *self,
                                 const struct history_entry *entry);
/* Has the slot fetched that history_table_find will look at first. */
static inline void history_table_prefetch(const struct history_table *self, uint64_t key)
{
    if (self->used > 0) {
        __builtin_prefetch(&self->entries[history_table_home(self, key)]);
    }
}

/* What is left after a time; time that runs backwards takes nothing away. */
double history_fading(int64_t from_ns, int64_t to_ns, double half_life_ns);

/* The arrays keys, exams, finds, last_ns, counts, first_days of a model file. Every row is checked,
 * because a wrong count would be a wrong reason; keys that were chosen so that a search would walk
 * more than HISTORY_RUN_MAX slots are refused (random ones do that in less than one table of the
 * largest kind in 10^20). MODEL_UNREADABLE leaves *out alone. */
#define HISTORY_RUN_MAX 1024u
MUST_USE struct err history_table_read(const struct model_file *file, struct history_table *out);
/* In the order of keys, so that the file does not depend on how the table grew. */
MUST_USE struct err history_table_write(const struct history_table *self, struct model_file *file);

#endif
