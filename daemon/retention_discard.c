/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/durable.h"
#include "retention_parts.h"

/* A payload leaves blobs/ in this order, and whatever stops the machine in between, the next step
 * is done at the next start or never needed:
 *
 * 1 all that names it is sealed, decided and closed, its time is over, nobody holds it;
 * 2 the sealed file is read whole from its own disk and from every place of copies, and the pixels
 *   are read out of it once more, all against the log;
 * 3 it is marked, and what intake had begun before the mark is in the log;
 * 4 step 1 is looked at again (the seal has the pixels, whoever brought them anew), and
 * blob.discard is durable: under the lock that holds wait for; 5 the read model has the entry and
 * names the payload nowhere else: the file goes. */

#define NS_PER_DAY (86400 * (double)NS_PER_S)

struct page {
    struct state_blob rows[RETENTION_PAGE];
    uint8_t digests[RETENTION_PAGE][HASH_BYTES];
    uint64_t bytes[RETENTION_PAGE];
    uint32_t count;
    struct state_blob after; /* the last row looked at */
    bool end;                /* of this seal */
    bool too_young;          /* rows from here on, of later seals too */
};

static struct err is_due(struct retention *self, const uint8_t digest[HASH_BYTES], bool *due)
{
    const struct conf *conf = &self->pipeline->conf;
    struct state_blob_uses uses = {0};
    struct err err =
        state_blob_uses(self->state, digest, (int64_t)(conf->retention_days * NS_PER_DAY),
                        (int64_t)(conf->retention_found_days * NS_PER_DAY), &uses);
    *due = uses.count > 0 && !uses.undecided && !uses.referral_open && !uses.held &&
           uses.until_ns <= clock_utc_ns();
    return err;
}

/* The next payloads of this seal that are due, at most a page. Every use of a payload must be
 * sealed: the newest of them lies in this seal by the query. */
static struct err page_fill(struct retention *self, const struct state_seal *seal,
                            struct page *page)
{
    const struct conf *conf = &self->pipeline->conf;
    double days = conf->retention_days < conf->retention_found_days ? conf->retention_days
                                                                    : conf->retention_found_days;
    int64_t young_ns = clock_utc_ns() - (int64_t)(days * NS_PER_DAY);
    uint32_t count = RETENTION_PAGE;
    struct err err = err_none;
    page->count = 0;
    while (!err_is(err) && page->count == 0 && count == RETENTION_PAGE && !page->too_young) {
        err = state_blobs(self->state, seal->first_index, seal->last_index, &page->after,
                          page->rows, RETENTION_PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count && !page->too_young; i++) {
            bool due = false;
            page->too_young = page->rows[i].t_ns > young_ns;
            err = page->too_young ? err_none : is_due(self, page->rows[i].sha256, &due);
            if (!err_is(err) && due) {
                memcpy(page->digests[page->count], page->rows[i].sha256, HASH_BYTES);
                page->bytes[page->count++] = page->rows[i].bytes;
            }
            page->after = page->rows[i];
        }
        err = err_is(err) ? err : retention_going(self);
    }
    page->end = count < RETENTION_PAGE;
    return err;
}

/* The sealed file here and in every place, whole; once a pass. */
static struct err seal_verify(struct retention *self, const struct state_seal *seal)
{
    const struct archive_sealed sealed = retention_sealed(seal);
    if (self->has_verified && self->verified == seal->entry_index) {
        return err_none;
    }
    struct err err = archive_copy_check(self->archive, &sealed, &self->pipeline->stop_retention);
    for (uint32_t i = 0; i < self->places_count && !err_is(err); i++) {
        struct retention_place *place = &self->places[i];
        err = place->usable ? retention_copy(self, place, seal, true)
                            : err_make(ERR_NOT_FOUND, "a directory of copies");
    }
    if (!err_is(err)) {
        self->verified = seal->entry_index;
        self->has_verified = true;
    }
    return err;
}

/* Every payload once more out of the sealed file; only after seal_verify, so that a file that is
 * not ours is never opened. */
static struct err pixels_verify(struct retention *self, const struct state_seal *seal,
                                const struct page *page)
{
    char path[DURABLE_PATH_BYTES + sizeof seal->path];
    struct archive_file *file = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", self->archive, seal->path);
    struct err err = archive_file_open(path, &file);
    for (uint32_t i = 0; i < page->count && !err_is(err); i++) {
        uint8_t *pixels = NULL;
        uint64_t bytes = 0;
        err = archive_file_image(file, page->digests[i], &pixels, &bytes);
        if (!err_is(err) && bytes != page->bytes[i]) {
            err = err_make(ERR_ARCHIVE_DIFFERS, "length of a sealed image");
        }
        free(pixels);
        err = err_is(err) ? err : retention_going(self);
    }
    archive_file_close(&file);
    return err;
}

/* What intake had begun when the marks were made has been submitted, in front of what we append. */
static struct err intake_drain(struct retention *self)
{
    uint64_t turn = atomic_load(&self->pipeline->intake_turns);
    struct err err = err_none;
    while (!err_is(err) && turn % 2 == 1 && atomic_load(&self->pipeline->intake_turns) == turn) {
        void *ask;
        (void)queue_take(self->pipeline->retention_asks, &ask, 1, NS_PER_MS);
        err = retention_going(self);
    }
    return err;
}

/* Step 4: a look at what is still due, and the entry. count 0: nothing is left to discard. */
static struct err page_append(struct retention *self, const struct state_seal *seal,
                              struct page *page, uint64_t *entry_index)
{
    struct entry entry;
    uint32_t left = 0;
    struct err err = err_none;
    must(pthread_mutex_lock(&self->pipeline->hold_lock) == 0);
    for (uint32_t i = 0; i < page->count && !err_is(err); i++) {
        bool due = false;
        err = is_due(self, page->digests[i], &due);
        if (!err_is(err) && due) {
            memmove(page->digests[left], page->digests[i], HASH_BYTES);
            page->bytes[left++] = page->bytes[i];
        }
    }
    page->count = left;
    if (!err_is(err) && left > 0) {
        pipeline_entry(&entry, ENTRY_BLOB_DISCARD);
        entry.body.blob_discard =
            (struct entry_blob_discard){.sha256 = (const uint8_t(*)[HASH_BYTES])page->digests,
                                        .blobs_count = left,
                                        .reason = "retention is over",
                                        .kept_in = seal->path};
        err = pipeline_append(self->pipeline, &entry, entry_index);
    }
    must(pthread_mutex_unlock(&self->pipeline->hold_lock) == 0);
    return err;
}

struct err retention_remove(struct pipeline *pipeline, struct state *state,
                            const uint8_t (*digests)[HASH_BYTES], uint32_t count)
{
    struct err err = err_none;
    for (uint32_t i = 0; i < count && !err_is(err); i++) {
        bool known = true;
        bool gone = false;
        err = state_blob_known(state, digests[i], &known);
        if (!err_is(err) && !known) {
            err = blob_leave(pipeline->blobs, digests[i], &gone);
        }
    }
    struct err ended = blob_leave_end(pipeline->blobs);
    return err_is(err) ? err : ended;
}

/* Steps 3 to 5. */
static struct err page_discard(struct retention *self, const struct state_seal *seal,
                               struct page *page)
{
    uint64_t entry_index = 0;
    blob_leave_begin(self->pipeline->blobs, (const uint8_t(*)[HASH_BYTES])page->digests,
                     page->count);
    struct err err = intake_drain(self);
    if (!err_is(err)) {
        err = page_append(self, seal, page, &entry_index);
    }
    if (!err_is(err) && page->count > 0) {
        err = retention_await(self, entry_index);
    }
    if (err_is(err) ||
        page->count == 0) { /* an entry without its removal: the next start ends it */
        struct err ended = blob_leave_end(self->pipeline->blobs);
        return err_is(err) ? err : ended;
    }
    err = retention_remove(self->pipeline, self->state, (const uint8_t(*)[HASH_BYTES])page->digests,
                           page->count);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < page->count; i++) {
        bytes += page->bytes[i];
    }
    if (!err_is(err)) {
        counter_add(COUNTER_blobs_discarded, page->count);
        counter_add(COUNTER_blob_bytes_discarded, bytes);
        diag_info(discarded, "payloads=%u bytes=%llu entry=%llu kept_in=%s", page->count,
                  (unsigned long long)bytes, (unsigned long long)entry_index, seal->path);
    }
    return err;
}

/* All that is due of one seal. *trouble: something could not be verified, nothing of it went. */
static struct err seal_discard(struct retention *self, const struct state_seal *seal,
                               struct page *page, struct err *trouble)
{
    struct err err = err_none;
    *trouble = err_none;
    memset(&page->after, 0, sizeof page->after);
    page->end = false;
    while (!err_is(err) && !page->end && !page->too_young) {
        err = page_fill(self, seal, page);
        if (err_is(err) || page->count == 0) {
            continue;
        }
        err = seal_verify(self, seal);
        if (!err_is(err)) {
            err = pixels_verify(self, seal, page);
        }
        if (retention_is_trouble(err)) {
            *trouble = err;
            return err_none;
        }
        if (!err_is(err)) {
            err = page_discard(self, seal, page);
        }
    }
    return err;
}

struct err retention_discard(struct retention *self)
{
    if (err_is(self->left.fault)) {
        char unfinished[sizeof self->left.kept_in + 32];
        (void)snprintf(unfinished, sizeof unfinished, "unfinished discard, %s", self->left.kept_in);
        retention_tell(self, self->trouble, unfinished, self->left.fault);
        return err_none;
    }
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL) {
        return err_make(ERR_MEMORY, "retention_discard");
    }
    struct state_seal seal = {.entry_index = UINT64_MAX};
    struct err trouble = err_none;
    char where[sizeof seal.path] = "";
    self->has_verified = false;
    struct err err = state_seal_next(self->state, seal.entry_index, NULL, &seal);
    while (!err_is(err) && !page->too_young) {
        struct err here = err_none;
        err = seal_discard(self, &seal, page, &here);
        if (err_is(here) && !err_is(trouble)) {
            trouble = here;
            memcpy(where, seal.path, sizeof where);
        }
        err = err_is(err) ? err : state_seal_next(self->state, seal.entry_index, NULL, &seal);
    }
    free(page);
    if (err_is(err) && err.code != ERR_NOT_FOUND) {
        return err;
    }
    retention_tell(self, self->trouble, where, trouble);
    return err_none;
}
