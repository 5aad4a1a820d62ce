/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_retention.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify_story.h"

/* Payloads are found by the first 16 bytes of their digest, as ids are. Each has a chain of the
 * entries that received it, newest first. */

#define USE_NONE UINT64_MAX

struct use {
    uint64_t n;
    uint64_t older; /* place in `uses`, or USE_NONE */
};

struct copied {
    char path[160];
    bool other_device; /* one of its copies lies on another device than the archive */
};

struct hold {
    uint64_t n;
    bool all;
    uint8_t item[ITEM_ID_BYTES];
};

struct verify_retention {
    struct verify_report *report;
    struct verify_shard *shard;
    const struct verify_ids *ids;
    const struct verify_items *items;
    struct id_map payloads; /* to a place in `newest` */
    uint64_t *newest;       /* places in `uses` */
    uint64_t newest_count;
    uint64_t newest_capacity;
    struct use *uses;
    uint64_t uses_count;
    uint64_t uses_capacity;
    struct copied *copies;
    uint64_t copies_count;
    uint64_t copies_capacity;
    struct hold *holds; /* in force */
    uint64_t holds_count;
    uint64_t holds_capacity;
    uint64_t kept_nowhere;
    uint64_t kept_nowhere_n; /* of the first entry that says so */
    uint64_t one_device;
    uint64_t one_device_n;
};

struct err verify_retention_open(struct verify_report *report, struct verify_shard *shard,
                                 const struct verify_ids *ids, const struct verify_items *items,
                                 struct verify_retention **out)
{
    struct verify_retention *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_retention_open");
    }
    self->report = report;
    self->shard = shard;
    self->ids = ids;
    self->items = items;
    id_map_init(&self->payloads);
    *out = self;
    return err_none;
}

void verify_retention_close(struct verify_retention **self)
{
    if (*self != NULL) {
        id_map_fini(&(*self)->payloads);
        free((*self)->newest);
        free((*self)->uses);
        free((*self)->copies);
        free((*self)->holds);
        free(*self);
    }
    *self = NULL;
}

/* Room for one more. */
static struct err grow(void *array, uint64_t count, uint64_t *capacity, size_t one_bytes)
{
    void **at = array;
    if (count < *capacity) {
        return err_none;
    }
    uint64_t grown_count = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = reallocarray(*at, (size_t)grown_count, one_bytes);
    if (grown == NULL) {
        return err_make(ERR_MEMORY, "verify_retention");
    }
    *at = grown;
    *capacity = grown_count;
    return err_none;
}

static struct err add_use(struct verify_retention *self, const uint8_t digest[HASH_BYTES],
                          uint64_t n)
{
    uint64_t place = self->newest_count;
    bool added = false;
    struct err err = grow(&self->uses, self->uses_count, &self->uses_capacity, sizeof *self->uses);
    if (!err_is(err)) {
        err = grow(&self->newest, self->newest_count, &self->newest_capacity, sizeof *self->newest);
    }
    if (!err_is(err) && !id_map_find(&self->payloads, digest, &place)) {
        err = id_map_add(&self->payloads, digest, place, &added);
        if (!err_is(err)) {
            self->newest[self->newest_count++] = USE_NONE;
        }
    }
    if (!err_is(err)) {
        self->uses[self->uses_count] = (struct use){n, self->newest[place]};
        self->newest[place] = self->uses_count++;
    }
    return err;
}

struct err verify_retention_received(struct verify_retention *self, const struct entry *entry)
{
    const struct entry_received *received = &entry->body.received;
    struct err err = err_none;
    for (uint32_t i = 0; i < received->images_count && !err_is(err); i++) {
        err = add_use(self, received->images[i].sha256, entry->n);
    }
    return err;
}

static const struct verify_seal *find_seal(const char *path, const struct verify_seal *seals,
                                           uint64_t seals_count)
{
    for (uint64_t i = seals_count; i-- > 0;) { /* mostly one of the newest */
        if (strcmp(seals[i].path, path) == 0) {
            return &seals[i];
        }
    }
    return NULL;
}

static struct copied *find_copied(struct verify_retention *self, const char *path)
{
    for (uint64_t i = self->copies_count; i-- > 0;) {
        if (strcmp(self->copies[i].path, path) == 0) {
            return &self->copies[i];
        }
    }
    return NULL;
}

struct err verify_retention_copied(struct verify_retention *self, const struct entry *entry,
                                   const struct verify_seal *seals, uint64_t seals_count)
{
    const struct entry_archive_copied *copied = &entry->body.archive_copied;
    const char *path = copied->path == NULL ? "" : copied->path;
    const struct verify_seal *seal = find_seal(path, seals, seals_count);
    if (seal == NULL && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": tells of a copy of '%s', which no entry before it seals",
                       entry->n, path);
        return err_none;
    }
    if (seal != NULL &&
        (seal->file_bytes != copied->file_bytes || !hash_equal(seal->sha256, copied->sha256))) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": the copy of '%s' is not the file that entry %" PRIu64
                       " seals",
                       entry->n, path, seal->entry_index);
        return err_none;
    }
    struct copied *known = find_copied(self, path);
    if (known != NULL) {
        known->other_device |= !copied->same_device;
        return err_none;
    }
    struct err err =
        grow(&self->copies, self->copies_count, &self->copies_capacity, sizeof *self->copies);
    if (!err_is(err)) {
        struct copied *added = &self->copies[self->copies_count++];
        (void)snprintf(added->path, sizeof added->path, "%s", path);
        added->other_device = !copied->same_device;
    }
    return err;
}

struct err verify_retention_hold(struct verify_retention *self, const struct entry *entry)
{
    const struct entry_hold *change = &entry->body.hold;
    struct hold hold = {.n = entry->n, .all = !entry->has_item};
    if (entry->has_item) {
        memcpy(hold.item, entry->item, ITEM_ID_BYTES);
    }
    if (change->reason == NULL || change->reason[0] == '\0') {
        verify_problem(self->report, "entry %" PRIu64 ": hold without a reason", entry->n);
    }
    for (uint64_t i = 0; i < self->holds_count; i++) {
        struct hold *one = &self->holds[i];
        if (one->all == hold.all && memcmp(one->item, hold.item, ITEM_ID_BYTES) == 0) {
            *one = change->placed ? *one : self->holds[--self->holds_count];
            return err_none; /* the first of two has the longer reach */
        }
    }
    if (!change->placed) {
        if (!self->ids->gap) {
            verify_problem(self->report, "entry %" PRIu64 ": lifts a hold that nobody placed",
                           entry->n);
        }
        return err_none;
    }
    struct err err =
        grow(&self->holds, self->holds_count, &self->holds_capacity, sizeof *self->holds);
    if (!err_is(err)) {
        self->holds[self->holds_count++] = hold;
    }
    return err;
}

/* Is the record of entry n one of the held item's? Records that came late are named by no score:
 * whose they are the log does not prove. */
static bool is_of_item(const struct verify_retention *self, uint64_t n, const struct hold *hold)
{
    uint32_t number = 0;
    uint64_t index = n - self->ids->first_n;
    return hold->all || (n >= self->ids->first_n && index < self->ids->count &&
                         verify_items_number(self->items, hold->item, &number) &&
                         self->ids->owners[index] == number);
}

static void discard_one(struct verify_retention *self, const struct entry *entry,
                        const struct verify_seal *seal, const uint8_t digest[HASH_BYTES])
{
    uint64_t place = 0;
    char hex[17];
    bool covered = false;
    hex_encode(digest, 8, hex);
    if (!id_map_find(&self->payloads, digest, &place)) {
        if (!self->ids->gap) {
            verify_problem(self->report,
                           "entry %" PRIu64 ": discards payload %s..., which no entry before it "
                           "received",
                           entry->n, hex);
        }
        return;
    }
    uint64_t newest_n = self->uses[self->newest[place]].n;
    for (uint64_t at = self->newest[place]; at != USE_NONE; at = self->uses[at].older) {
        uint64_t n = self->uses[at].n;
        covered |= seal != NULL && n >= seal->first_index && n <= seal->last_index;
        for (uint64_t i = 0; i < self->holds_count; i++) {
            if (is_of_item(self, n, &self->holds[i])) {
                verify_problem(self->report,
                               "entry %" PRIu64 ": discards payload %s... of entry %" PRIu64
                               ", which entry %" PRIu64 " holds",
                               entry->n, hex, n, self->holds[i].n);
            }
        }
    }
    if (seal != NULL && !covered) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": payload %s... of entry %" PRIu64
                       " is said to be kept in '%s', which holds entries %" PRIu64 " to %" PRIu64,
                       entry->n, hex, newest_n, seal->path, seal->first_index, seal->last_index);
    }
}

/* The file that keeps them was sealed, and copied, before. */
static const struct verify_seal *discard_file(struct verify_retention *self,
                                              const struct entry *entry,
                                              const struct verify_seal *seals, uint64_t seals_count)
{
    const char *path = entry->body.blob_discard.kept_in;
    const struct verify_seal *seal = find_seal(path, seals, seals_count);
    const struct copied *copied = find_copied(self, path);
    if (seal == NULL && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": payloads are said to be kept in '%s', which no entry "
                       "before it seals",
                       entry->n, path);
    } else if (copied == NULL && !self->ids->gap) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": payloads are said to be kept in '%s', of which no entry "
                       "before it tells a copy",
                       entry->n, path);
    } else if (copied != NULL && !copied->other_device) {
        self->one_device_n = self->one_device == 0 ? entry->n : self->one_device_n;
        self->one_device += entry->body.blob_discard.blobs_count;
    }
    return seal;
}

void verify_retention_discard(struct verify_retention *self, const struct entry *entry,
                              const struct verify_seal *seals, uint64_t seals_count)
{
    const struct entry_blob_discard *discard = &entry->body.blob_discard;
    const struct verify_seal *seal = NULL;
    self->shard->payloads_discarded += discard->blobs_count;
    if (discard->kept_in != NULL && discard->kept_in[0] != '\0') {
        seal = discard_file(self, entry, seals, seals_count);
    } else {
        self->kept_nowhere_n = self->kept_nowhere == 0 ? entry->n : self->kept_nowhere_n;
        self->kept_nowhere += discard->blobs_count;
    }
    for (uint32_t i = 0; i < discard->blobs_count; i++) {
        discard_one(self, entry, seal, discard->sha256[i]);
    }
}

void verify_retention_finish(struct verify_retention *self)
{
    if (self->kept_nowhere > 0) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": payloads are kept nowhere any more (first of %" PRIu64
                       ")",
                       self->kept_nowhere_n, self->kept_nowhere);
    }
    if (self->one_device > 0) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": payloads are kept in a file whose copies lie on the "
                       "device of the archive (first of %" PRIu64 ")",
                       self->one_device_n, self->one_device);
    }
}
