/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <string.h>

/* Rows of `blobs` are what the log says must lie in blobs/: a received entry adds them, a discard
 * takes away those up to the end of the sealed file that keeps the pixels. A payload that was
 * received again behind that has its row and stays. */

struct err put_blob(struct state *self, uint64_t entry_index, const struct entry_image *image)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_BLOB_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry_index);
    bind_blob(statement, 2, image->sha256, HASH_BYTES);
    bind_index(statement, 3, image->payload_bytes);
    return statement_run(statement);
}

struct err apply_copied(struct state *self, const struct entry *entry)
{
    const struct entry_archive_copied *copied = &entry->body.archive_copied;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_COPY_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, copied->path);
    bind_text(statement, 2, copied->place);
    bind_index(statement, 3, entry->n);
    bind_integer(statement, 4, entry->t_ns);
    bind_index(statement, 5, copied->file_bytes);
    bind_blob(statement, 6, copied->sha256, HASH_BYTES);
    bind_integer(statement, 7, copied->same_device);
    return statement_run(statement);
}

struct err apply_discard(struct state *self, const struct entry *entry)
{
    const struct entry_blob_discard *discard = &entry->body.blob_discard;
    struct err err = err_none;
    must(discard->blobs_count <= ENTRY_DIGESTS_MAX);
    for (uint32_t i = 0; i < discard->blobs_count && !err_is(err); i++) {
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_DISCARD_PUT, &statement);
        if (err_is(err)) {
            break;
        }
        bind_blob(statement, 1, discard->sha256[i], HASH_BYTES);
        bind_index(statement, 2, entry->n);
        bind_integer(statement, 3, entry->t_ns);
        bind_text(statement, 4, discard->kept_in);
        err = statement_run(statement);
        if (!err_is(err)) {
            err = store_statement(self->store, STATEMENT_BLOB_GONE, &statement);
        }
        if (!err_is(err)) {
            bind_blob(statement, 1, discard->sha256[i], HASH_BYTES);
            bind_text(statement, 2, discard->kept_in);
            err = statement_run(statement);
        }
    }
    return err;
}

/* An item, or for all items an empty one. */
static void bind_held(struct statement *statement, const uint8_t *item)
{
    bind_blob(statement, 1, item == NULL ? (const void *)"" : item,
              item == NULL ? 0 : ITEM_ID_BYTES);
}

struct err apply_hold(struct state *self, const struct entry *entry)
{
    const struct entry_hold *hold = &entry->body.hold;
    struct statement *statement;
    struct err err = store_statement(
        self->store, hold->placed ? STATEMENT_HOLD_PUT : STATEMENT_HOLD_GONE, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_held(statement, entry->has_item ? entry->item : NULL);
    if (hold->placed) {
        bind_index(statement, 2, entry->n);
        bind_integer(statement, 3, entry->t_ns);
        bind_text(statement, 4, entry->actor);
        bind_text(statement, 5, hold->reason);
    }
    err = statement_run(statement);
    return err_is(err) ? err : put_request(self, entry, hold->request_id);
}

/* ---- asking ---- */

static struct err take_seal(struct statement *statement, struct state_seal *out)
{
    struct err err = statement_first(statement, "seal");
    if (err_is(err)) {
        return err;
    }
    out->entry_index = column_index(statement, 0);
    column_copy_text(statement, 1, out->path, sizeof out->path);
    out->file_bytes = column_index(statement, 2);
    column_copy_blob(statement, 3, out->sha256, HASH_BYTES);
    out->first_index = column_index(statement, 4);
    out->last_index = column_index(statement, 5);
    statement_reset(statement);
    return err_none;
}

struct err state_seal_next(struct state *self, uint64_t after, const char *place,
                           struct state_seal *out)
{
    struct statement *statement;
    struct err err = store_statement(
        self->store, place == NULL ? STATEMENT_SEAL_NEXT : STATEMENT_SEAL_UNCOPIED, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, after == UINT64_MAX ? -1 : (int64_t)after);
    if (place != NULL) {
        bind_text(statement, 2, place);
    }
    return take_seal(statement, out);
}

struct err state_discard_seal(struct state *self, struct state_seal *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_DISCARD_SEAL, &statement);
    return err_is(err) ? err : take_seal(statement, out);
}

struct err state_copies_waiting(struct state *self, const char *place, uint64_t *count,
                                int64_t *since_ns)
{
    struct statement *statement;
    bool row = false;
    struct err err = store_statement(self->store, STATEMENT_COPIES_WAITING, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, place);
    err = statement_step(statement, &row);
    if (!err_is(err) && row) {
        *count = column_index(statement, 0);
        *since_ns = column_integer(statement, 1);
        statement_reset(statement);
    }
    return err;
}

struct err state_blobs(struct state *self, uint64_t first, uint64_t last,
                       const struct state_blob *after, struct state_blob *out, uint32_t capacity,
                       uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_BLOBS_OF_SEAL, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, first);
    bind_index(statement, 2, last);
    bind_index(statement, 3, after->entry_index);
    bind_blob(statement, 4, after->sha256, HASH_BYTES);
    bind_integer(statement, 5, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        column_copy_blob(statement, 0, out[found].sha256, HASH_BYTES);
        out[found].entry_index = column_index(statement, 1);
        out[found].bytes = column_index(statement, 2);
        out[found].t_ns = column_integer(statement, 3);
        found++;
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_blob_uses(struct state *self, const uint8_t sha256[HASH_BYTES], int64_t keep_ns,
                           int64_t keep_found_ns, struct state_blob_uses *out)
{
    struct statement *statement;
    bool row = false;
    struct err err = store_statement(self->store, STATEMENT_BLOB_USES, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, sha256, HASH_BYTES);
    bind_integer(statement, 2, keep_ns);
    bind_integer(statement, 3, keep_found_ns);
    err = statement_step(statement, &row);
    if (!err_is(err) && row) {
        *out = (struct state_blob_uses){.count = column_index(statement, 0),
                                        .undecided = column_integer(statement, 1) != 0,
                                        .referral_open = column_integer(statement, 2) != 0,
                                        .held = column_integer(statement, 3) != 0,
                                        .until_ns = column_integer(statement, 4),
                                        .found = column_integer(statement, 5) != 0};
        statement_reset(statement);
    }
    return err;
}

struct err state_blob_known(struct state *self, const uint8_t sha256[HASH_BYTES], bool *known)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_BLOB_KNOWN, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, sha256, HASH_BYTES);
    return statement_any(statement, known);
}

struct err state_place_known(struct state *self, const char *place, bool *known)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_PLACE_KNOWN, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, place);
    return statement_any(statement, known);
}

struct err state_hold(struct state *self, const uint8_t *item, bool *held)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_HELD, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_held(statement, item);
    return statement_any(statement, held);
}

struct err state_last_discards(struct state *self, uint8_t (*out)[HASH_BYTES], uint32_t capacity,
                               uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_LAST_DISCARDS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        column_copy_blob(statement, 0, out[found++], HASH_BYTES);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}
