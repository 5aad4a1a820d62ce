/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t day_ns = INT64_C(86400) * 1000000000;

MUST_USE struct err history_table_init(struct history_table *self, uint64_t slots)
{
    if (slots > HISTORY_SLOTS_MAX) {
        return err_make(ERR_ARGUMENT, "history slots");
    }
    uint64_t rounded = HISTORY_SLOTS_MIN;
    while (rounded < slots) {
        rounded *= 2;
    }
    struct history_entry *entries = calloc(rounded, sizeof *entries);
    uint16_t *first_days = calloc(rounded, sizeof *first_days);
    if (entries == NULL || first_days == NULL) {
        free(entries);
        free(first_days);
        return err_make(ERR_MEMORY, "history table");
    }
    *self = (struct history_table){
        .entries = entries, .first_days = first_days, .slots = rounded, .newest_ns = INT64_MIN};
    return err_none;
}

void history_table_fini(struct history_table *self)
{
    free(self->entries);
    free(self->first_days);
    memset(self, 0, sizeof *self);
}

void history_table_reset(struct history_table *self)
{
    memset(self->entries, 0, self->slots * sizeof *self->entries);
    memset(self->first_days, 0, self->slots * sizeof *self->first_days);
    self->used = 0;
    self->dropped = 0;
    self->newest_ns = INT64_MIN;
}

static bool is_full(const struct history_table *self)
{
    return self->used >= self->slots - self->slots / 8;
}

MUST_USE struct err history_table_reserve(struct history_table *self)
{
    if (self->used < self->slots / 2) {
        return err_none;
    }
    struct history_table larger;
    struct err err = history_table_init(&larger, self->slots * 2);
    if (err_is(err)) {
        return err;
    }
    for (uint64_t i = 0; i < self->slots; i++) {
        if (self->entries[i].key != 0) {
            uint64_t at = history_table_slot(&larger, self->entries[i].key);
            larger.entries[at] = self->entries[i];
            larger.first_days[at] = self->first_days[i];
        }
    }
    larger.used = self->used;
    larger.dropped = self->dropped;
    larger.newest_ns = self->newest_ns;
    history_table_fini(self);
    *self = larger;
    return err_none;
}

double history_fading(int64_t from_ns, int64_t to_ns, double half_life_ns)
{
    double elapsed_ns = (double)to_ns - (double)from_ns;
    return elapsed_ns > 0 ? exp2(-elapsed_ns / half_life_ns) : 1.0;
}

static uint16_t day_of(int64_t t_ns)
{
    int64_t day = t_ns / day_ns;
    return day < 0 ? 0 : day > UINT16_MAX ? UINT16_MAX : (uint16_t)day;
}

void history_table_learn(struct history_table *self, uint64_t key, bool found, int64_t t_ns,
                         double half_life_ns)
{
    self->newest_ns = t_ns > self->newest_ns ? t_ns : self->newest_ns;
    must(key != 0 && self->used < self->slots);
    uint64_t at = history_table_slot(self, key);
    struct history_entry *entry = &self->entries[at];
    if (entry->key == 0) {
        if (is_full(self)) {
            self->dropped++;
            return;
        }
        *entry = (struct history_entry){.key = key, .last_ns = t_ns};
        self->first_days[at] = day_of(t_ns);
        self->used++;
    }
    double left = history_fading(entry->last_ns, t_ns, half_life_ns);
    entry->exams = (float)((double)entry->exams * left + 1.0);
    entry->finds = (float)((double)entry->finds * left + (found ? 1.0 : 0.0));
    entry->last_ns = t_ns > entry->last_ns ? t_ns : entry->last_ns;
    entry->exams_count += entry->exams_count < UINT32_MAX;
    entry->finds_count += found && entry->finds_count < UINT32_MAX;
}

uint16_t history_table_first_day(const struct history_table *self,
                                 const struct history_entry *entry)
{
    must(entry >= self->entries && entry < self->entries + self->slots);
    return self->first_days[entry - self->entries];
}
