/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/sealed_pixels.h"

#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "archive/archive.h"
#include "ctl/archive_seals.h"
#include "ctl/rows.h"
#include "state/state.h"

/* A file is opened as HDF5 only after its bytes are those of the seal, and every image is hashed
 * again as it comes out: so pixels of a rebuild are those of the log, wherever they were kept. */

struct opening {
    const json_t *seal;
    struct archive_file *file;
    struct sealed_pixels *self;
    struct state *state;
};

/* An archive_found. */
static bool open_sealed(void *arg, const char *path)
{
    struct opening *opening = arg;
    char hex[HASH_HEX_BYTES];
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes = 0;
    if (err_is(archive_hash_file(path, sha256, &file_bytes))) {
        return false;
    }
    hex_encode(sha256, HASH_BYTES, hex);
    if (strcmp(hex, member_text(opening->seal, "sha256")) != 0 ||
        err_is(archive_file_open(path, &opening->file))) {
        return false;
    }
    (void)snprintf(opening->self->source, sizeof opening->self->source, "%s", path);
    return true;
}

static struct err take_image(struct sealed_pixels *self, struct opening *opening,
                             struct blob_store *scratch, const uint8_t digest[HASH_BYTES])
{
    uint8_t found[HASH_BYTES];
    uint8_t *pixels = NULL;
    uint64_t pixels_bytes = 0;
    bool stored = false;
    if (opening->file == NULL &&
        !archive_seal_anywhere(self->ctl, opening->seal, open_sealed, opening)) {
        return err_make(ERR_NOT_FOUND, "a blob, and a whole sealed file or copy with its pixels");
    }
    struct err err = archive_file_image(opening->file, digest, &pixels, &pixels_bytes);
    if (!err_is(err)) {
        err = blob_put(scratch, pixels, pixels_bytes, digest, found, &stored);
    }
    if (!err_is(err)) {
        err = blob_commit(scratch);
    }
    free(pixels);
    self->taken += err_is(err) ? 0 : 1;
    return err;
}

static struct err take_of_entry(struct sealed_pixels *self, struct opening *opening,
                                struct blob_store *scratch, const struct log_bytes *at)
{
    static uint8_t memory[ENTRY_ARENA_BYTES];
    struct arena arena;
    struct entry entry;
    struct err err = err_none;
    arena_init(&arena, memory, sizeof memory);
    if (entry_decode(at->bytes, at->bytes_count, &arena, &entry) != ENTRY_GOOD ||
        entry.type != ENTRY_SCAN_RECEIVED) {
        return err_none;
    }
    for (uint32_t i = 0; i < entry.body.received.images_count && !err_is(err); i++) {
        const uint8_t *digest = entry.body.received.images[i].sha256;
        bool known = true; /* the log says that it lies among the blobs: lost when it does not */
        err = state_blob_known(opening->state, digest, &known);
        if (!err_is(err) && !known && !blob_exists(self->blobs, digest) &&
            !blob_exists(scratch, digest)) {
            err = take_image(self, opening, scratch, digest);
        }
    }
    return err;
}

static struct err take_range(struct sealed_pixels *self, struct opening *opening,
                             struct blob_store *scratch)
{
    uint64_t last = (uint64_t)member_integer(opening->seal, "last_index");
    struct log_bytes at = {.entry_index = 0};
    bool got = true;
    struct err err =
        log_source_seek(self->log, (uint64_t)member_integer(opening->seal, "first_index"));
    while (!err_is(err) && got) {
        err = log_source_next(self->log, &at, &got);
        got = got && at.entry_index <= last;
        if (!err_is(err) && got) {
            err = take_of_entry(self, opening, scratch, &at);
        }
    }
    return err;
}

struct err sealed_pixels_take(struct sealed_pixels *self, const char *out_directory,
                              const json_t *seal)
{
    struct blob_store *scratch = NULL;
    struct opening opening = {.seal = seal, .self = self, .state = ctl_open_state(self->ctl)};
    self->taken = 0;
    int bytes = snprintf(self->scratch, sizeof self->scratch, "%s/.pixels", out_directory);
    must(bytes > 0); /* a path that was cut is too long for the store too, which says so */
    struct err err = opening.state == NULL ? err_make(ERR_NOT_FOUND, "read model")
                                           : blob_store_open(self->scratch, 0, &scratch);
    if (!err_is(err)) {
        err = blob_store_also(self->blobs, self->scratch);
    }
    if (!err_is(err)) {
        err = take_range(self, &opening, scratch);
    }
    archive_file_close(&opening.file);
    blob_store_close(&scratch);
    state_close(&opening.state);
    return err;
}

void sealed_pixels_fini(struct sealed_pixels *self)
{
    char *const roots[] = {self->scratch, NULL};
    FTS *walk = self->scratch[0] == '\0' ? NULL : fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL;
         found = fts_read(walk)) {
        if (found->fts_info == FTS_F) {
            struct err removed = durable_remove_unsynced(found->fts_path);
            (void)removed; /* what stays is seen in the directory that somebody named */
        } else if (found->fts_info == FTS_DP) {
            (void)rmdir(found->fts_path);
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
}
