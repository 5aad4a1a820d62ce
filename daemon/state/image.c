/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <string.h>

/* Seals cover ranges that do not overlap, so that the one with the nearest first index is the only
 * one that can cover an entry. A picture that ten thousand scans share costs no more than another:
 * only its first scans are looked at. */

static struct err image_add_seal(struct state *self, uint64_t entry_index, struct state_image *out)
{
    struct statement *statement;
    bool row = false;
    char path[sizeof out->seals[0]];
    struct err err = store_statement(self->store, STATEMENT_SEAL_OF, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry_index);
    err = statement_step(statement, &row);
    if (err_is(err) || !row) {
        return err;
    }
    bool covers = column_index(statement, 1) >= entry_index;
    column_copy_text(statement, 0, path, sizeof path);
    statement_reset(statement);
    for (uint32_t i = 0; covers && i < out->seals_count; i++) {
        covers = strcmp(path, out->seals[i]) != 0;
    }
    if (covers && out->seals_count < STATE_IMAGE_SEALS_MAX) {
        memcpy(out->seals[out->seals_count++], path, sizeof path);
    }
    return err_none;
}

static struct err image_find(struct state *self, const uint8_t digest[HASH_BYTES],
                             struct state_image *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_IMAGE_FIND, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, digest, HASH_BYTES);
    bind_integer(statement, 2, STATE_IMAGE_ENTRIES_MAX);
    while (statement_next(statement, &err)) {
        uint64_t entry_index = column_index(statement, 0);
        if (out->entries_count == 0) {
            out->width = (uint32_t)column_integer(statement, 1);
            out->height = (uint32_t)column_integer(statement, 2);
            out->bits = (uint32_t)column_integer(statement, 3);
        }
        must(out->entries_count < STATE_IMAGE_ENTRIES_MAX);
        if (out->entries_count == 0 || out->entries[out->entries_count - 1] != entry_index) {
            out->entries[out->entries_count++] = entry_index;
        }
    }
    return err;
}

struct err state_image(struct state *self, const uint8_t digest[HASH_BYTES],
                       struct state_image *out)
{
    struct state_image image = {.entries_count = 0};
    struct err err = image_find(self, digest, &image);
    if (!err_is(err) && image.entries_count == 0) {
        err = err_make(ERR_NOT_FOUND, "no accepted scan has this image");
    }
    for (uint32_t i = 0; i < image.entries_count && !err_is(err); i++) {
        err = image_add_seal(self, image.entries[i], &image);
    }
    if (!err_is(err)) {
        *out = image;
    }
    return err;
}
