/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <string.h>

#include "proto/entry.h"
#include "proto/hash.h"

#include "sim_machine.h"
#include "sim_memory.h"
#include "sim_random.h"

/* The bytes of a draft are a function of its row's number: nothing has to be kept to know them. */

#define MARK "simulated draft "
#define MARK_BYTES (sizeof MARK - 1)
#define PURPOSE_CONTENT 1000u

enum { ROW_BYTES_MIN = MARK_BYTES + 8 };

void ledger_init(struct ledger *self)
{
    *self = (struct ledger){0};
}

void ledger_fini(struct ledger *self)
{
    sim_memory_free(self->rows);
    sim_memory_free(self->entries);
    sim_memory_free(self->seen);
    *self = (struct ledger){0};
}

static void *rows_copy(const void *rows, uint32_t count, size_t row_bytes)
{
    void *copy = sim_memory_take(count * row_bytes + 1);
    if (count > 0) {
        memcpy(copy, rows, count * row_bytes);
    }
    return copy;
}

void ledger_copy(struct ledger *self, const struct ledger *from)
{
    *self = *from;
    self->rows = rows_copy(from->rows, from->rows_count, sizeof *from->rows);
    self->rows_capacity = from->rows_count;
    self->entries = rows_copy(from->entries, from->entries_count, sizeof *from->entries);
    self->entries_capacity = from->entries_count;
    self->seen = rows_copy(from->seen, from->seen_count, sizeof *from->seen);
    self->seen_capacity = from->seen_count;
}

/* rest, then the digest, then the private bytes, from one stream. */
static void row_bytes(const struct ledger_row *row, uint64_t number, uint8_t *rest,
                      uint8_t sha256[HASH_BYTES], uint8_t *private_bytes)
{
    struct sim_random random = sim_random_make(number, PURPOSE_CONTENT);
    memcpy(rest, MARK, MARK_BYTES);
    memcpy(rest + MARK_BYTES, &number, sizeof number);
    sim_random_fill(&random, rest + ROW_BYTES_MIN, row->rest_bytes - ROW_BYTES_MIN);
    sim_random_fill(&random, sha256, HASH_BYTES);
    if (row->private_count != LEDGER_NO_PRIVATE) {
        sim_random_fill(&random, private_bytes, row->private_count);
    }
}

uint64_t ledger_submit(struct ledger *self, const struct ledger_row *shape,
                       struct oversight_draft *draft, uint8_t *private_buffer)
{
    uint64_t number = self->rows_count;
    sim_memory_grow((void **)&self->rows, self->rows_count, &self->rows_capacity,
                    sizeof *self->rows);
    struct ledger_row *row = &self->rows[self->rows_count++];
    *row = *shape;
    if (row->rest_bytes < ROW_BYTES_MIN) {
        row->rest_bytes = ROW_BYTES_MIN;
    }
    if (row->rest_bytes > sizeof draft->rest) {
        row->rest_bytes = sizeof draft->rest;
    }
    bool is_private = row->private_count != LEDGER_NO_PRIVATE;
    row_bytes(row, number, draft->rest, draft->private_sha256, private_buffer);
    draft->rest_bytes = row->rest_bytes;
    draft->private_bytes = is_private ? private_buffer : NULL;
    draft->private_count = is_private ? row->private_count : 0;
    return number;
}

void ledger_answer(struct ledger *self, uint64_t row, uint64_t entry_index, int64_t t_ns)
{
    if (self->rows[row].answered) {
        sim_violated("draft %llu came back twice", (unsigned long long)row);
    }
    self->rows[row].answered = true;
    self->rows[row].entry_index = entry_index;
    self->rows[row].t_ns = t_ns;
}

void ledger_saw(struct ledger *self, uint64_t size, const uint8_t root[HASH_BYTES])
{
    for (uint32_t i = 0; i < self->seen_count; i++) {
        if (self->seen[i].size == size && memcmp(self->seen[i].root, root, HASH_BYTES) == 0) {
            return;
        }
    }
    sim_memory_grow((void **)&self->seen, self->seen_count, &self->seen_capacity,
                    sizeof *self->seen);
    self->seen[self->seen_count].size = size;
    memcpy(self->seen[self->seen_count++].root, root, HASH_BYTES);
}

/* Where the submitted bytes begin in an entry; 0 when it is none of ours. */
static uint32_t entry_mark(const struct wal_entry *entry)
{
    for (uint32_t at = 1; at <= ENTRY_STAMP_BYTES_MAX && at + ROW_BYTES_MIN <= entry->bytes_count;
         at++) {
        if (memcmp(entry->bytes + at, MARK, MARK_BYTES) == 0) {
            return at;
        }
    }
    return 0;
}

static void check_own_entry(const struct wal_entry *entry)
{
    static uint8_t memory[ENTRY_ARENA_BYTES];
    struct arena arena;
    struct entry decoded;
    arena_init(&arena, memory, sizeof memory);
    bool good = entry_decode(entry->bytes, entry->bytes_count, &arena, &decoded) == ENTRY_GOOD;
    bool known = good && decoded.n == entry->entry_index && entry->private_bytes == NULL &&
                 (decoded.type == ENTRY_WAL_RECOVERED ||
                  (decoded.type == ENTRY_LOG_OPEN && entry->entry_index == 0));
    if (!known) {
        sim_violated("entry %llu was never submitted", (unsigned long long)entry->entry_index);
    }
}

static bool private_is_same(const struct ledger_row *row, const struct wal_entry *entry,
                            const uint8_t *private_bytes, const uint8_t sha256[HASH_BYTES],
                            bool is_retired)
{
    bool kept = row->private_count != LEDGER_NO_PRIVATE && (row->private_count > 0 || !is_retired);
    if (!kept) {
        return entry->private_bytes == NULL;
    }
    return entry->private_bytes != NULL && entry->private_count == row->private_count &&
           memcmp(entry->private_bytes, private_bytes, row->private_count) == 0 &&
           (is_retired || memcmp(entry->private_sha256, sha256, HASH_BYTES) == 0);
}

static void check_bytes(const struct ledger_row *row, uint64_t number,
                        const struct wal_entry *entry, uint32_t mark, bool is_retired)
{
    static uint8_t rest[ENTRY_BYTES_MAX];
    static uint8_t private_bytes[1 << 17];
    uint8_t sha256[HASH_BYTES];
    row_bytes(row, number, rest, sha256, private_bytes);
    bool same = entry->bytes_count == mark + row->rest_bytes &&
                memcmp(entry->bytes + mark, rest, row->rest_bytes) == 0 &&
                private_is_same(row, entry, private_bytes, sha256, is_retired);
    if (same && row->answered) {
        uint8_t stamp[ENTRY_STAMP_BYTES_MAX];
        size_t stamp_bytes = entry_encode_stamp(row->entry_index, row->t_ns, stamp, sizeof stamp);
        same = stamp_bytes == mark && memcmp(stamp, entry->bytes, mark) == 0;
    }
    if (!same) {
        sim_violated("entry %llu has other bytes than draft %llu",
                     (unsigned long long)entry->entry_index, (unsigned long long)number);
    }
}

/* The row of an entry, all of it compared. */
static uint64_t check_entry(struct ledger *self, const struct wal_entry *entry, uint64_t retired)
{
    uint64_t number = 0;
    uint32_t mark = entry_mark(entry);
    if (mark == 0) {
        check_own_entry(entry);
        return LEDGER_LOG_ITSELF;
    }
    memcpy(&number, entry->bytes + mark + MARK_BYTES, sizeof number);
    if (number >= self->rows_count || self->rows[number].found) {
        sim_violated("entry %llu: draft %llu was never submitted, or is there twice",
                     (unsigned long long)entry->entry_index, (unsigned long long)number);
    }
    struct ledger_row *row = &self->rows[number];
    if (row->answered && row->entry_index != entry->entry_index) {
        sim_violated("draft %llu came back as entry %llu and is entry %llu",
                     (unsigned long long)number, (unsigned long long)row->entry_index,
                     (unsigned long long)entry->entry_index);
    }
    check_bytes(row, number, entry, mark, entry->entry_index < retired);
    row->found = true;
    row->entry_index = entry->entry_index;
    return number;
}

/* An entry that an earlier start has shown is the same for ever; a new one is written down. */
static void check_lasting(struct ledger *self, const struct wal_entry *entry, uint64_t row)
{
    struct ledger_entry now = {.row = row};
    sha256_of_prefixed(0, entry->bytes, entry->bytes_count, now.leaf);
    if (entry->entry_index < self->entries_count) {
        const struct ledger_entry *then = &self->entries[entry->entry_index];
        if (then->row != row || memcmp(then->leaf, now.leaf, HASH_BYTES) != 0) {
            sim_violated("entry %llu is another one than at an earlier start",
                         (unsigned long long)entry->entry_index);
        }
        return;
    }
    sim_memory_grow((void **)&self->entries, self->entries_count, &self->entries_capacity,
                    sizeof now);
    self->entries[self->entries_count++] = now;
}

/* Rows are in the order of submission: of one submitter's, those that are there come first and
 * stand in order. */
static void check_order(const struct ledger *self)
{
    for (uint32_t i = 0; i < self->rows_count; i++) {
        const struct ledger_row *row = &self->rows[i];
        if (row->answered && !row->found) {
            sim_violated("draft %u came back as entry %llu and is gone", i,
                         (unsigned long long)row->entry_index);
        }
        uint32_t next = i + 1;
        while (next < self->rows_count && self->rows[next].submitter != row->submitter) {
            next++;
        }
        if (next < self->rows_count && self->rows[next].found &&
            (!row->found || self->rows[next].entry_index <= row->entry_index)) {
            sim_violated("draft %u is there, draft %u before it is not, or later", next, i);
        }
    }
}

static void check_seen(struct ledger *self)
{
    uint8_t(*leaves)[HASH_BYTES] = sim_memory_take((size_t)(self->entries_count + 1) * HASH_BYTES);
    for (uint32_t i = 0; i < self->entries_count; i++) {
        memcpy(leaves[i], self->entries[i].leaf, HASH_BYTES);
    }
    for (uint32_t i = 0; i < self->seen_count; i++) {
        uint8_t root[HASH_BYTES];
        const struct ledger_checkpoint *seen = &self->seen[i];
        if (seen->size <= self->entries_count) {
            ledger_root((const uint8_t(*)[HASH_BYTES])leaves, seen->size, root);
        }
        if (seen->size > self->entries_count || memcmp(root, seen->root, HASH_BYTES) != 0) {
            sim_violated("the checkpoint of %llu entries that was public is not of this log",
                         (unsigned long long)seen->size);
        }
    }
    self->seen_count = 0; /* its entries last from now on */
    sim_memory_free(leaves);
}

bool ledger_check(struct ledger *self, const struct wal_places *places, uint64_t retired,
                  uint64_t size, bool may_break)
{
    struct wal_reader *reader = NULL;
    for (uint32_t i = 0; i < self->rows_count; i++) {
        self->rows[i].found = false;
    }
    uint64_t count = 0;
    bool got = true;
    struct err err = wal_reader_open_store(places, &reader);
    while (!err_is(err) && got) {
        struct wal_entry entry;
        err = wal_reader_next(reader, &entry, &got);
        if (err_is(err) || !got) {
            break;
        }
        if (entry.entry_index != count++) {
            sim_violated("entry %llu follows entry %llu", (unsigned long long)entry.entry_index,
                         (unsigned long long)count - 2);
        }
        check_lasting(self, &entry, check_entry(self, &entry, retired));
    }
    wal_reader_close(&reader);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        if (!may_break) {
            sim_violated("the log does not read back: %s", err_text(err, text));
        }
        return true;
    }
    if (count != size || count < self->entries_count) {
        sim_violated("the log says %llu entries, gives %llu, and %u were promised",
                     (unsigned long long)size, (unsigned long long)count, self->entries_count);
    }
    check_order(self);
    check_seen(self);
    return false;
}

void ledger_root(const uint8_t (*leaves)[HASH_BYTES], uint64_t count, uint8_t out[HASH_BYTES])
{
    if (count == 0) {
        sha256_of("", 0, out);
        return;
    }
    if (count == 1) {
        memcpy(out, leaves[0], HASH_BYTES);
        return;
    }
    uint64_t split = 1;
    while (2 * split < count) {
        split *= 2;
    }
    uint8_t both[2 * HASH_BYTES];
    ledger_root(leaves, split, both);
    ledger_root(leaves + split, count - split, both + HASH_BYTES);
    sha256_of_prefixed(1, both, sizeof both, out);
}
