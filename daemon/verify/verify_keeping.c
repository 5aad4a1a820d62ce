/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_keeping.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Digests are found by their first 16 bytes, as ids are: finding two SHA-256 that share them takes
 * 2^64 steps, and all that would be won is one wrong line in a report. */

/* A tail is at most one group long: header, payload and padding (FORMAT.md, section 5). */
#define KEEPING_TORN_BYTES_MAX (UINT64_C(1048576) + 4096)

struct disclosed {
    uint64_t n;          /* of the entry that has the digest */
    uint64_t redacted_n; /* of the entry that redacted it; 0: none */
};

struct verify_keeping {
    struct verify_report *report;
    struct verify_shard *shard;
    const struct verify_ids *ids;
    struct id_map digests; /* of disclosures, to a place in `disclosed` */
    struct disclosed *disclosed;
    uint64_t disclosed_count;
    uint64_t disclosed_capacity;
};

struct err verify_keeping_open(struct verify_report *report, struct verify_shard *shard,
                               const struct verify_ids *ids, struct verify_keeping **out)
{
    struct verify_keeping *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_keeping_open");
    }
    self->report = report;
    self->shard = shard;
    self->ids = ids;
    id_map_init(&self->digests);
    *out = self;
    return err_none;
}

void verify_keeping_close(struct verify_keeping **self)
{
    if (*self != NULL) {
        id_map_fini(&(*self)->digests);
        free((*self)->disclosed);
        free(*self);
    }
    *self = NULL;
}

struct err verify_keeping_digests(struct verify_keeping *self, const struct entry *entry)
{
    struct err err = err_none;
    for (uint32_t i = 0; i < entry->sd_count && !err_is(err); i++) {
        bool added = false;
        if (self->disclosed_count == self->disclosed_capacity) {
            uint64_t grown_count =
                self->disclosed_capacity == 0 ? 256 : self->disclosed_capacity * 2;
            struct disclosed *grown =
                reallocarray(self->disclosed, (size_t)grown_count, sizeof *grown);
            if (grown == NULL) {
                return err_make(ERR_MEMORY, "verify_keeping");
            }
            self->disclosed = grown;
            self->disclosed_capacity = grown_count;
        }
        err = id_map_add(&self->digests, entry->sd[i], self->disclosed_count, &added);
        if (!err_is(err) && added) {
            self->disclosed[self->disclosed_count++] = (struct disclosed){entry->n, 0};
        } else if (!err_is(err)) {
            verify_warning(self->report,
                           "entry %" PRIu64 ": has a digest that was there before: a salt was used "
                           "twice",
                           entry->n);
        }
    }
    return err;
}

/* Entries that are spoken of lie before the one that speaks; those of earlier shards do. */
static bool keeping_is_before(struct verify_keeping *self, const struct entry *entry, uint64_t n)
{
    if (n >= entry->n) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": %s of entry %" PRIu64 ", which is not "
                       "before it",
                       entry->n, entry_type_text(entry->type), n);
        return false;
    }
    return true;
}

void verify_keeping_access(struct verify_keeping *self, const struct entry *entry)
{
    const struct entry_access *access = &entry->body.access;
    self->shard->accesses++;
    if (access->purpose == NULL || access->purpose[0] == '\0') {
        verify_problem(self->report, "entry %" PRIu64 ": access without a purpose", entry->n);
    }
    if (access->entries_count == 0) {
        verify_problem(self->report, "entry %" PRIu64 ": access to no entry", entry->n);
    }
    for (uint32_t i = 0; i < access->entries_count; i++) {
        (void)keeping_is_before(self, entry, access->entry_index[i]);
    }
}

static bool redact_names(const struct entry_redact *redact, uint64_t n)
{
    for (uint32_t i = 0; i < redact->entries_count; i++) {
        if (redact->entry_index[i] == n) {
            return true;
        }
    }
    return false;
}

static void redact_digest(struct verify_keeping *self, const struct entry *entry,
                          const uint8_t digest[HASH_BYTES])
{
    uint64_t at = 0;
    char hex[17];
    hex_encode(digest, 8, hex);
    if (!id_map_find(&self->digests, digest, &at)) {
        if (!self->ids->gap) {
            verify_problem(self->report,
                           "entry %" PRIu64 ": redacts digest %s..., which no entry before it has",
                           entry->n, hex);
        }
        return;
    }
    struct disclosed *disclosed = &self->disclosed[at];
    if (!redact_names(&entry->body.redact, disclosed->n)) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": redacts digest %s... of entry %" PRIu64
                       ", which it does not name",
                       entry->n, hex, disclosed->n);
    }
    if (disclosed->redacted_n != 0) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": redacts digest %s... a second time, after entry "
                       "%" PRIu64,
                       entry->n, hex, disclosed->redacted_n);
    } else {
        disclosed->redacted_n = entry->n;
        self->shard->digests_redacted++;
    }
}

void verify_keeping_redact(struct verify_keeping *self, const struct entry *entry)
{
    const struct entry_redact *redact = &entry->body.redact;
    self->shard->redactions++;
    if (redact->legal_basis == NULL || redact->legal_basis[0] == '\0') {
        verify_problem(self->report, "entry %" PRIu64 ": redaction without a legal basis",
                       entry->n);
    }
    for (uint32_t i = 0; i < redact->entries_count; i++) {
        (void)keeping_is_before(self, entry, redact->entry_index[i]);
    }
    for (uint32_t i = 0; i < redact->digests_count; i++) {
        redact_digest(self, entry, redact->digests[i]);
    }
}

void verify_keeping_recovered(struct verify_keeping *self, const struct entry *entry)
{
    uint64_t torn_bytes = entry->body.wal_recovered.torn_bytes;
    self->shard->tails_recovered++;
    if (torn_bytes == 0 || torn_bytes > KEEPING_TORN_BYTES_MAX) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": recovery cut %" PRIu64
                       " bytes: a torn tail has 1 to %" PRIu64,
                       entry->n, torn_bytes, KEEPING_TORN_BYTES_MAX);
        return;
    }
    verify_warning(self->report,
                   "entry %" PRIu64 ": after a crash %" PRIu64
                   " bytes that had not been answered were cut off",
                   entry->n, torn_bytes);
}
