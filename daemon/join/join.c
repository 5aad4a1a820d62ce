/* SPDX-License-Identifier: Apache-2.0 */
#include "join/join.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Held items stand in one first-in-first-out line a mode: the hold is the same for every item of a
 * mode, so the order of arrival is the order of deadlines and no heap is needed. A chained hash
 * table finds an item by its key. Keys of decided items stay in a ring that forgets the oldest. */

enum { JOIN_NONE = -1 };

struct join_slot {
    struct join_item item;
    uint64_t key_hash;
    int32_t next_in_bucket;
    int32_t next_in_line;
    int32_t previous_in_line;
    bool ready;
};

struct join_line {
    int32_t first;
    int32_t last;
};

struct join_memory { /* one decided item */
    uint64_t key_hash;
    uint8_t id[ITEM_ID_BYTES];
    int64_t decided_ns;
    int32_t next_in_bucket;
    bool used;
};

struct join {
    struct join_conf conf;
    struct mode_policy modes[MODE_COUNT];
    struct join_slot *slots;
    int32_t free_first;
    uint32_t held_count; /* held or ready or taken */
    uint64_t held_bytes;
    struct join_line held[MODE_COUNT];
    struct join_line ready;
    int32_t *buckets;
    uint32_t buckets_mask;
    struct join_memory *memories;
    uint32_t memories_next;
    int32_t *memory_buckets;
    uint32_t memory_mask;
};

static uint32_t join_power_of_two(uint32_t least)
{
    uint32_t power = 16;
    while (power < least && power < UINT32_C(1) << 30) {
        power *= 2;
    }
    return power;
}

/* Buckets are chosen by SHA-256, so that nobody outside can pile items into one. */
static uint64_t join_hash(enum mode mode, const char *site, const char *key)
{
    uint8_t digest[HASH_BYTES];
    uint8_t text[256];
    size_t site_bytes = strnlen(site, 96);
    size_t key_bytes = strnlen(key, 96);
    text[0] = (uint8_t)mode;
    memcpy(text + 1, site, site_bytes);
    text[1 + site_bytes] = 0;
    memcpy(text + 2 + site_bytes, key, key_bytes);
    sha256_of(text, 2 + site_bytes + key_bytes, digest);
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

void join_item_id(enum mode mode, const char *site, const char *key,
                  const uint8_t record_key[HASH_BYTES], uint8_t out[ITEM_ID_BYTES])
{
    static const char head[] = "triaged item v2\n";
    struct sha256 *sha = sha256_open();
    uint8_t digest[HASH_BYTES];
    sha256_add(sha, head, sizeof head - 1);
    const char *const words[] = {mode_text(mode), site, key};
    for (int i = 0; i < 3; i++) {
        sha256_add(sha, words[i], strlen(words[i]));
        sha256_add(sha, "\n", 1);
    }
    sha256_add(sha, record_key, HASH_BYTES);
    sha256_finish(sha, digest);
    sha256_close(&sha);
    memcpy(out, digest, ITEM_ID_BYTES);
}

static struct err join_open_tables(struct join *self)
{
    uint32_t items = self->conf.items_max;
    uint32_t remembered = self->conf.remembered_max;
    uint32_t buckets = join_power_of_two(items);
    uint32_t memory_buckets = join_power_of_two(remembered);
    self->slots = calloc(items, sizeof *self->slots);
    self->buckets = malloc(buckets * sizeof *self->buckets);
    self->memories = calloc(remembered, sizeof *self->memories);
    self->memory_buckets = malloc(memory_buckets * sizeof *self->memory_buckets);
    bool got = self->slots != NULL && self->buckets != NULL && self->memories != NULL &&
               self->memory_buckets != NULL;
    if (!got) {
        return err_make(ERR_MEMORY, "join_open");
    }
    memset(self->buckets, 0xff, buckets * sizeof *self->buckets); /* all JOIN_NONE */
    memset(self->memory_buckets, 0xff, memory_buckets * sizeof *self->memory_buckets);
    self->buckets_mask = buckets - 1;
    self->memory_mask = memory_buckets - 1;
    for (uint32_t i = 0; i < items; i++) {
        self->slots[i].next_in_line = i + 1 < items ? (int32_t)i + 1 : JOIN_NONE;
    }
    return err_none;
}

struct err join_open(const struct join_conf *conf, const struct policy *policy, struct join **out)
{
    must(conf->items_max > 0 && conf->items_max < INT32_MAX && conf->remembered_max > 0);
    struct join *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "join_open");
    }
    self->conf = *conf;
    memcpy(self->modes, policy->modes, sizeof self->modes);
    self->free_first = 0;
    self->ready = (struct join_line){JOIN_NONE, JOIN_NONE};
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        self->held[mode] = (struct join_line){JOIN_NONE, JOIN_NONE};
    }
    struct err err = join_open_tables(self);
    if (err_is(err)) {
        join_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void join_set_policy(struct join *self, const struct policy *policy)
{
    memcpy(self->modes, policy->modes, sizeof self->modes);
}

static void join_free_parts(struct join *self, struct join_item *item)
{
    for (uint32_t i = 0; i < item->parts_count; i++) {
        must(self->held_bytes >= item->parts[i].body_bytes);
        self->held_bytes -= item->parts[i].body_bytes;
        free(item->parts[i].body);
    }
    item->parts_count = 0;
}

void join_close(struct join **self)
{
    if (*self == NULL) {
        return;
    }
    for (uint32_t i = 0; (*self)->slots != NULL && i < (*self)->conf.items_max; i++) {
        join_free_parts(*self, &(*self)->slots[i].item);
    }
    free((*self)->slots);
    free((*self)->buckets);
    free((*self)->memories);
    free((*self)->memory_buckets);
    free(*self);
    *self = NULL;
}

static void line_append(struct join *self, struct join_line *line, int32_t index)
{
    struct join_slot *slot = &self->slots[index];
    slot->next_in_line = JOIN_NONE;
    slot->previous_in_line = line->last;
    if (line->last != JOIN_NONE) {
        self->slots[line->last].next_in_line = index;
    } else {
        line->first = index;
    }
    line->last = index;
}

static void line_prepend(struct join *self, struct join_line *line, int32_t index)
{
    struct join_slot *slot = &self->slots[index];
    slot->previous_in_line = JOIN_NONE;
    slot->next_in_line = line->first;
    if (line->first != JOIN_NONE) {
        self->slots[line->first].previous_in_line = index;
    } else {
        line->last = index;
    }
    line->first = index;
}

static void line_remove(struct join *self, struct join_line *line, int32_t index)
{
    struct join_slot *slot = &self->slots[index];
    if (slot->previous_in_line != JOIN_NONE) {
        self->slots[slot->previous_in_line].next_in_line = slot->next_in_line;
    } else {
        line->first = slot->next_in_line;
    }
    if (slot->next_in_line != JOIN_NONE) {
        self->slots[slot->next_in_line].previous_in_line = slot->previous_in_line;
    } else {
        line->last = slot->previous_in_line;
    }
}

static void join_make_ready(struct join *self, int32_t index, bool complete)
{
    struct join_slot *slot = &self->slots[index];
    must(!slot->ready);
    line_remove(self, &self->held[slot->item.mode], index);
    line_append(self, &self->ready, index);
    slot->ready = true;
    slot->item.complete = complete;
}

static int32_t join_find(const struct join *self, uint64_t key_hash,
                         const struct join_record *record)
{
    int32_t index = self->buckets[key_hash & self->buckets_mask];
    while (index != JOIN_NONE) {
        const struct join_slot *slot = &self->slots[index];
        if (slot->key_hash == key_hash && slot->item.mode == record->mode &&
            strcmp(slot->item.site, record->site) == 0 &&
            strcmp(slot->item.key, record->key) == 0) {
            return index;
        }
        index = slot->next_in_bucket;
    }
    return JOIN_NONE;
}

static struct join_memory *join_recall(const struct join *self, uint64_t key_hash)
{
    int32_t index = self->memory_buckets[key_hash & self->memory_mask];
    while (index != JOIN_NONE) {
        /* 64 bits of SHA-256: two keys that agree in all of them are not to be expected. */
        if (self->memories[index].key_hash == key_hash) {
            return &self->memories[index];
        }
        index = self->memories[index].next_in_bucket;
    }
    return NULL;
}

static void join_copy_text(char *out, size_t out_capacity, const char *text)
{
    size_t text_bytes = strnlen(text, out_capacity - 1);
    memcpy(out, text, text_bytes);
    out[text_bytes] = '\0';
}

/* A fresh slot for this record's item, in its mode's line; JOIN_NONE when there is none. */
static int32_t join_new(struct join *self, uint64_t key_hash, const struct join_record *record)
{
    int32_t index = self->free_first;
    if (index == JOIN_NONE) {
        return JOIN_NONE;
    }
    struct join_slot *slot = &self->slots[index];
    self->free_first = slot->next_in_line;
    memset(&slot->item, 0, sizeof slot->item);
    slot->key_hash = key_hash;
    slot->ready = false;
    slot->next_in_bucket = self->buckets[key_hash & self->buckets_mask];
    self->buckets[key_hash & self->buckets_mask] = index;
    struct join_item *item = &slot->item;
    item->mode = record->mode;
    join_copy_text(item->site, sizeof item->site, record->site);
    join_copy_text(item->lane, sizeof item->lane, record->lane);
    join_copy_text(item->key, sizeof item->key, record->key);
    item->first_ns = record->t_ns;
    item->deadline_ns =
        record->t_ns + (int64_t)(self->modes[record->mode].hold_s * (double)NS_PER_S);
    join_item_id(record->mode, record->site, record->key, record->record_key, item->id);
    line_append(self, &self->held[record->mode], index);
    self->held_count++;
    return index;
}

static bool join_is_complete(const struct join *self, const struct join_item *item)
{
    bool has_scan = false;
    bool has_declaration = false;
    for (uint32_t i = 0; i < item->parts_count; i++) {
        has_scan = has_scan || item->parts[i].kind == RECORD_SCAN;
        has_declaration = has_declaration || item->parts[i].kind == RECORD_DECLARATION;
    }
    const struct mode_policy *mode = &self->modes[item->mode];
    return (has_scan || !mode->expects_scan) && (has_declaration || !mode->expects_declaration);
}

/* False when there is no memory for the body. */
static bool join_add_part(struct join *self, struct join_item *item,
                          const struct join_record *record)
{
    uint8_t *body = malloc(record->body_bytes > 0 ? record->body_bytes : 1);
    if (body == NULL) {
        return false;
    }
    memcpy(body, record->body, record->body_bytes);
    struct join_part *part = &item->parts[item->parts_count];
    part->kind = record->kind;
    part->entry_index = record->entry_index;
    memcpy(part->entry_id, record->entry_id, ENTRY_ID_BYTES);
    part->body = body;
    part->body_bytes = record->body_bytes;
    item->parts_count++;
    item->last_ns = record->t_ns;
    self->held_bytes += record->body_bytes;
    if (item->lane[0] == '\0') {
        join_copy_text(item->lane, sizeof item->lane, record->lane);
    }
    return true;
}

/* The oldest held item of all modes gives way. */
static void join_give_way(struct join *self)
{
    int32_t oldest = JOIN_NONE;
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        int32_t first = self->held[mode].first;
        bool older = first != JOIN_NONE &&
                     (oldest == JOIN_NONE ||
                      self->slots[first].item.first_ns < self->slots[oldest].item.first_ns);
        oldest = older ? first : oldest;
    }
    if (oldest != JOIN_NONE) {
        join_make_ready(self, oldest, false);
    }
}

enum join_result join_add(struct join *self, const struct join_record *record, uint8_t *late_item)
{
    must(record->mode > MODE_UNKNOWN && record->mode < MODE_COUNT);
    uint64_t key_hash = join_hash(record->mode, record->site, record->key);
    int32_t index = join_find(self, key_hash, record);
    if (index == JOIN_NONE) {
        const struct join_memory *memory = join_recall(self, key_hash);
        double late_s = memory == NULL ? 0 : (double)(record->t_ns - memory->decided_ns) / 1e9;
        if (memory != NULL && late_s <= self->modes[record->mode].late_s) {
            memcpy(late_item, memory->id, ITEM_ID_BYTES);
            return JOIN_LATE;
        }
    }
    bool no_room =
        self->held_bytes + record->body_bytes > self->conf.bytes_max && self->held_count > 0;
    if (no_room || (index == JOIN_NONE && self->free_first == JOIN_NONE)) {
        join_give_way(self);
        return JOIN_FULL;
    }
    if (index == JOIN_NONE) {
        index = join_new(self, key_hash, record);
    }
    struct join_slot *slot = &self->slots[index];
    if (slot->item.parts_count == JOIN_PARTS_MAX || !join_add_part(self, &slot->item, record)) {
        /* More parts than an item can hold: it is decided by those it has; the log still has this
         * one. */
        if (!slot->ready) {
            join_make_ready(self, index, join_is_complete(self, &slot->item));
        }
        return JOIN_HELD;
    }
    if (!slot->ready && join_is_complete(self, &slot->item)) {
        join_make_ready(self, index, true);
    }
    return JOIN_HELD;
}

static void join_end_holds(struct join *self, int64_t now_ns)
{
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        int32_t first = self->held[mode].first;
        while (first != JOIN_NONE && self->slots[first].item.deadline_ns <= now_ns) {
            join_make_ready(self, first, false);
            first = self->held[mode].first;
        }
    }
}

uint32_t join_take_ready(struct join *self, int64_t now_ns, struct join_item **out,
                         uint32_t capacity)
{
    join_end_holds(self, now_ns);
    uint32_t taken = 0;
    while (taken < capacity && self->ready.first != JOIN_NONE) {
        int32_t index = self->ready.first;
        line_remove(self, &self->ready, index);
        out[taken] = &self->slots[index].item;
        taken++;
    }
    return taken;
}

static void memory_unlink(struct join *self, uint32_t index)
{
    struct join_memory *memory = &self->memories[index];
    int32_t *link = &self->memory_buckets[memory->key_hash & self->memory_mask];
    while (*link != JOIN_NONE) {
        if (*link == (int32_t)index) {
            *link = memory->next_in_bucket;
            return;
        }
        link = &self->memories[*link].next_in_bucket;
    }
}

static void join_remember_hash(struct join *self, uint64_t key_hash,
                               const uint8_t id[ITEM_ID_BYTES], int64_t decided_ns)
{
    struct join_memory *known = join_recall(self, key_hash);
    if (known != NULL) {
        memcpy(known->id, id, ITEM_ID_BYTES);
        known->decided_ns = decided_ns;
        return;
    }
    uint32_t index = self->memories_next;
    self->memories_next = (index + 1) % self->conf.remembered_max;
    struct join_memory *memory = &self->memories[index];
    if (memory->used) {
        memory_unlink(self, index);
    }
    memory->used = true;
    memory->key_hash = key_hash;
    memory->decided_ns = decided_ns;
    memcpy(memory->id, id, ITEM_ID_BYTES);
    memory->next_in_bucket = self->memory_buckets[key_hash & self->memory_mask];
    self->memory_buckets[key_hash & self->memory_mask] = (int32_t)index;
}

void join_remember(struct join *self, enum mode mode, const char *site, const char *key,
                   const uint8_t id[ITEM_ID_BYTES], int64_t decided_ns)
{
    join_remember_hash(self, join_hash(mode, site, key), id, decided_ns);
}

/* item is the slot's first member */
static int32_t join_index_of(const struct join *self, const struct join_item *item)
{
    int32_t index = (int32_t)((const struct join_slot *)(const void *)item - self->slots);
    must(index >= 0 && (uint32_t)index < self->conf.items_max && self->slots[index].ready);
    return index;
}

void join_put_back(struct join *self, struct join_item *item)
{
    line_prepend(self, &self->ready, join_index_of(self, item));
}

void join_release(struct join *self, struct join_item *item, int64_t decided_ns)
{
    int32_t index = join_index_of(self, item);
    struct join_slot *slot = &self->slots[index];
    join_remember_hash(self, slot->key_hash, item->id, decided_ns);
    int32_t *link = &self->buckets[slot->key_hash & self->buckets_mask];
    while (*link != index) {
        must(*link != JOIN_NONE);
        link = &self->slots[*link].next_in_bucket;
    }
    *link = slot->next_in_bucket;
    join_free_parts(self, item);
    slot->ready = false;
    slot->next_in_line = self->free_first;
    self->free_first = index;
    must(self->held_count > 0);
    self->held_count--;
}

int64_t join_next_deadline_ns(struct join *self)
{
    int64_t next_ns = self->ready.first != JOIN_NONE ? INT64_MIN : INT64_MAX;
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        int32_t first = self->held[mode].first;
        if (first != JOIN_NONE && self->slots[first].item.deadline_ns < next_ns) {
            next_ns = self->slots[first].item.deadline_ns;
        }
    }
    return next_ns;
}

uint32_t join_held(struct join *self)
{
    return self->held_count;
}
