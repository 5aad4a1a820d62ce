/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const size_t huge_page_bytes = (size_t)2 << 20;

/* Two keys a bucket of four: 4 in 100 keys have to go to a second bucket. With two and two fifths
 * it would be 6, with one and a half 2. Small tables are near the processor at a third more, too.
 */
static uint64_t buckets_for(uint64_t keys)
{
    static const uint64_t small = 1 << 18;
    return (keys < small ? keys * 2 / 3 : keys / 2) + 1;
}

static struct lookup_bucket *buckets_make(size_t bytes)
{
    if (bytes < huge_page_bytes) {
        struct lookup_bucket *buckets = aligned_alloc(sizeof *buckets, bytes);
        if (buckets != NULL) {
            memset(buckets, 0, bytes);
        }
        return buckets;
    }
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(room, bytes, MADV_HUGEPAGE); /* a wish: without it the table is slower */
    return room;
}

static uint32_t table_of(uint64_t key, bool by_kind)
{
    return by_kind ? (uint32_t)(key & (HISTORY_INDEX_TABLES - 1)) : 0;
}

static int put_one(const struct history_entry *entry, bool by_kind, const float *fades,
                   struct history_index *self)
{
    float left = history_left(fades, history_day(entry->last_ns), self->day);
    const float counts[2] = {entry->exams * left, entry->finds * left};
    return lookup_put(&self->tables[table_of(entry->key, by_kind)], entry->key, counts);
}

/* Who was examined often will be asked for often, and comes first: a key that has to go to a second
 * bucket is then a rare one. */
static struct err put_all(const struct history_table *table, bool by_kind, const float *fades,
                          struct history_index *self)
{
    static const uint32_t exams_from[] = {64, 8, 2, 0};
    uint32_t below = UINT32_MAX;
    for (size_t turn = 0; turn < sizeof exams_from / sizeof *exams_from; turn++) {
        for (uint64_t i = 0; i < table->slots; i++) {
            const struct history_entry *entry = &table->entries[i];
            uint32_t exams = entry->exams_count < UINT32_MAX ? entry->exams_count : UINT32_MAX - 1;
            bool now = entry->key != 0 && exams >= exams_from[turn] && exams < below;
            if (now && !put_one(entry, by_kind, fades, self)) {
                return err_make(ERR_MODEL_UNREADABLE, "model: keys that lie on one another");
            }
        }
        below = exams_from[turn];
    }
    return err_none;
}

uint32_t history_day(int64_t t_ns)
{
    static const int64_t day_ns = INT64_C(86400) * 1000000000;
    int64_t day = t_ns / day_ns;
    return day < 0 ? 0 : day > UINT16_MAX ? UINT16_MAX : (uint32_t)day;
}

float history_left(const float fades[HISTORY_FADES], uint32_t from_day, uint32_t to_day)
{
    uint32_t days = to_day > from_day ? to_day - from_day : 0;
    return fades[days < HISTORY_FADES ? days : HISTORY_FADES - 1];
}

MUST_USE struct err history_index_make(const struct history_table *table, bool by_kind,
                                       const float fades[HISTORY_FADES], struct history_index *out)
{
    uint64_t counts[HISTORY_INDEX_TABLES] = {0};
    for (uint64_t i = 0; i < table->slots; i++) {
        if (table->entries[i].key != 0) {
            counts[table_of(table->entries[i].key, by_kind)]++;
        }
    }
    uint64_t buckets = 0;
    for (uint32_t i = 0; i < HISTORY_INDEX_TABLES; i++) {
        buckets += counts[i] > 0 ? buckets_for(counts[i]) : 0;
    }
    memset(out, 0, sizeof *out);
    out->day = history_day(table->newest_ns);
    if (buckets == 0) {
        return err_none;
    }
    size_t bytes = (buckets + 1) * sizeof(struct lookup_bucket);
    struct lookup_bucket *at = buckets_make(bytes);
    if (at == NULL) {
        return err_make(ERR_MEMORY, "history index");
    }
    out->buckets = at;
    out->bytes = bytes;
    for (uint32_t i = 0; i < HISTORY_INDEX_TABLES; i++) {
        if (counts[i] > 0) {
            out->tables[i] = (struct lookup_table){at, (uint32_t)buckets_for(counts[i])};
            at += buckets_for(counts[i]);
        }
    }
    struct err err = put_all(table, by_kind, fades, out);
    if (err_is(err)) {
        history_index_fini(out);
        return err;
    }
    for (uint32_t i = 1; i < HISTORY_INDEX_TABLES && !by_kind; i++) {
        out->tables[i] = out->tables[0];
    }
    return err_none;
}

void history_index_fini(struct history_index *self)
{
    if (self->bytes >= huge_page_bytes) {
        (void)munmap(self->buckets, self->bytes);
    } else {
        free(self->buckets);
    }
    memset(self, 0, sizeof *self);
}
