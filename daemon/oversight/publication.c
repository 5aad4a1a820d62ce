/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/publication.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "oversight/oversight.h"
#include "oversight/publication_inside.h"
#include "oversight/tiles.h"
#include "oversight/wal_segment.h"

/* Entries are read back from the write-ahead log, not handed over in memory: so publishing may lag
 * as far as it likes, and what is signed is what the disk gives back. */

#define SIGNED_NAME "last-signed"
#define CHECKPOINT_NAME "checkpoint"
#define COPIES_NAME "checkpoints"

/* A signed checkpoint from a file; *found is false when there is no such file. text: NOTE_BYTES_MAX
 * + 1, zero-terminated. */
static struct err publication_read(const struct publication *self, const char *path,
                                   enum err_code when_bad, struct checkpoint *out, char *text,
                                   bool *found)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(path, NOTE_BYTES_MAX, &bytes, &bytes_count);
    if (err.os_errno == ENOENT) {
        *found = false;
        return err_none;
    }
    if (err_is(err)) {
        return err;
    }
    enum note_fault fault = checkpoint_open((const char *)bytes, bytes_count, &self->vkey, out);
    memcpy(text, bytes, bytes_count + 1);
    free(bytes);
    if (fault == NOTE_NOT_SIGNED || fault == NOTE_WRONG_ORIGIN) {
        return err_make(ERR_KEY, "checkpoint is of another origin or key");
    }
    if (fault != NOTE_GOOD) {
        return err_make(when_bad, "read checkpoint");
    }
    *found = true;
    return err_none;
}

static struct err publication_prepare_files(struct publication *self)
{
    const char *public_directory = self->conf.public_directory;
    struct err err = wal_path(public_directory, CHECKPOINT_NAME, self->checkpoint_path);
    if (!err_is(err)) {
        err = wal_path(public_directory, COPIES_NAME, self->copies_path);
    }
    if (!err_is(err)) {
        err = wal_path(self->conf.wal_directory, SIGNED_NAME, self->signed_path);
    }
    if (!err_is(err)) {
        err = durable_directory(self->copies_path, 0755);
    }
    return err_is(err) ? err : publication_settle_key(self);
}

static struct err publication_put(struct publication *self);

/* Every checkpoint that was signed stays to be had by its size. */
static struct err publication_copy(const struct publication *self)
{
    char name[32];
    char copy_path[DURABLE_PATH_BYTES];
    bool differs = false;
    (void)snprintf(name, sizeof name, "%" PRIu64, self->is_signed.size);
    struct err err = wal_path(self->copies_path, name, copy_path);
    if (!err_is(err)) {
        err =
            durable_create(copy_path, self->signed_text, strlen(self->signed_text), 0444, &differs);
    }
    if (!err_is(err) && differs) {
        err = err_make(ERR_TILE_DIFFERS, "copy of the checkpoint");
    }
    return err;
}

/* last-signed is written before the public checkpoint, so it can be newer but never older. */
static struct err publication_read_signed(struct publication *self)
{
    struct checkpoint public_one;
    char public_text[NOTE_BYTES_MAX + 1];
    bool has_public = false;
    struct err err = self->conf.begins
                         ? err_none
                         : publication_read(self, self->signed_path, ERR_LOG_ROLLED_BACK,
                                            &self->is_signed, self->signed_text, &self->has_signed);
    if (!err_is(err)) {
        err = publication_read(self, self->checkpoint_path, ERR_TILE_DIFFERS, &public_one,
                               public_text, &has_public);
    }
    if (err_is(err) || !has_public) {
        return err;
    }
    if (!self->has_signed || public_one.size > self->is_signed.size ||
        (public_one.size == self->is_signed.size &&
         !hash_equal(public_one.root, self->is_signed.root))) {
        return err_make(ERR_LOG_ROLLED_BACK, "public checkpoint is newer than last-signed");
    }
    return err_none;
}

struct err publication_open(const struct publication_conf *conf, struct publication **out)
{
    if (!note_origin_valid(conf->origin)) {
        return err_make(ERR_ARGUMENT, "origin");
    }
    struct publication *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "publication_open");
    }
    self->conf = *conf;
    struct err err = publication_prepare_files(self);
    if (!err_is(err)) {
        err = publication_read_signed(self);
    }
    if (!err_is(err) && self->has_signed && publication_signed_by_both(self)) {
        err = publication_put(self); /* a crash came between last-signed and the new vkey */
        err = err_is(err) ? err : publication_finish_rotation(self);
    }
    if (!err_is(err)) {
        err = tiles_open(conf->public_directory, &self->tiles);
    }
    if (err_is(err)) {
        publication_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void publication_close(struct publication **self)
{
    if (*self == NULL) {
        return;
    }
    wal_reader_close(&(*self)->reader);
    tiles_close(&(*self)->tiles);
    free(*self);
    *self = NULL;
}

const struct checkpoint *publication_signed(const struct publication *self)
{
    return self->has_signed ? &self->is_signed : NULL;
}

const char *publication_signed_text(const struct publication *self)
{
    must(self->has_signed);
    return self->signed_text;
}

const struct sign_key *publication_key(const struct publication *self)
{
    return self->key;
}

struct err publication_resume(struct publication *self, struct merkle_range *range)
{
    uint64_t size = 0;
    struct err err =
        tiles_complete_size(self->tiles, self->has_signed ? self->is_signed.size : 0, &size);
    if (!err_is(err)) {
        err = tiles_load(self->tiles, size);
    }
    if (!err_is(err)) {
        tiles_range(self->tiles, range);
    }
    return err;
}

struct err publication_restart(struct publication *self)
{
    return tiles_load(self->tiles, 0);
}

/* The tree that is about to be signed must contain the tree that was: the hashes it started from
 * were only read from files that others can reach. */
static struct err publication_check_signed(const struct publication *self)
{
    if (!self->has_signed || tiles_size(self->tiles) != self->is_signed.size) {
        return err_none;
    }
    struct merkle_range range;
    uint8_t root[HASH_BYTES];
    tiles_range(self->tiles, &range);
    merkle_range_root(&range, root);
    return hash_equal(root, self->is_signed.root)
               ? err_none
               : err_make(ERR_TILE_DIFFERS, "tiles do not give the signed root");
}

static struct err publication_take_entries(struct publication *self, uint64_t size)
{
    struct err err = err_none;
    if (self->reader == NULL) {
        err = wal_reader_open(self->conf.wal_directory, &self->reader);
        if (!err_is(err)) {
            err = wal_reader_seek(self->reader, self->conf.first_n + tiles_size(self->tiles));
        }
        if (!err_is(err)) {
            err = publication_check_signed(self);
        }
    }
    while (!err_is(err) && tiles_size(self->tiles) < size) {
        struct wal_entry entry;
        bool got = false;
        err = wal_reader_next(self->reader, &entry, &got);
        if (!err_is(err) && !got) {
            err = err_make(ERR_WAL_DAMAGED, "durable entry does not read back");
        }
        if (!err_is(err)) {
            must(entry.entry_index == self->conf.first_n + tiles_size(self->tiles));
            err = publication_look(self, &entry);
        }
        if (!err_is(err)) {
            err = tiles_append(self->tiles, entry.bytes, entry.bytes_count);
        }
        if (!err_is(err)) {
            err = publication_check_signed(self);
        }
    }
    return err;
}

/* What is in last-signed, where everybody sees it. */
static struct err publication_put(struct publication *self)
{
    const char *text = self->signed_text;
    struct err err = durable_replace(self->checkpoint_path, text, strlen(text), 0644);
    return err_is(err) ? err : publication_copy(self);
}

/* The copy of a checkpoint is the last of its files, so the machine may have stopped before it. It
 * is made up for before the next checkpoint, which has another size. */
static struct err publication_copy_signed(struct publication *self)
{
    if (self->copied || !self->has_signed) {
        return err_none;
    }
    struct err err = publication_copy(self);
    self->copied = !err_is(err);
    return err;
}

/* Remember, then show: after last-signed is durable the log can never again be continued without
 * these entries. One size is signed once: what was signed is shown again as it was. */
static struct err publication_show(struct publication *self, const struct checkpoint *checkpoint)
{
    struct err err = err_none;
    if (!self->has_signed || self->is_signed.size != checkpoint->size) {
        char text[NOTE_BYTES_MAX + 1];
        size_t text_bytes = checkpoint_sign(checkpoint, self->key, text);
        if (self->rotates) {
            text_bytes = checkpoint_sign_also(checkpoint, self->conf.next_key, text, text_bytes);
        }
        err = durable_replace(self->signed_path, text, text_bytes, 0600);
        if (err_is(err)) {
            return err;
        }
        self->is_signed = *checkpoint;
        self->has_signed = true;
        memcpy(self->signed_text, text, text_bytes + 1);
    }
    err = publication_put(self);
    return err_is(err) || !self->rotates ? err : publication_finish_rotation(self);
}

struct err publication_step(struct publication *self, uint64_t size)
{
    must(size > self->conf.first_n);
    uint64_t leaves = size - self->conf.first_n;
    must(!self->has_signed || leaves >= self->is_signed.size);
    struct err err = publication_take_entries(self, leaves);
    if (!err_is(err)) {
        err = publication_copy_signed(self);
    }
    if (!err_is(err)) {
        err = tiles_write_partials(self->tiles);
    }
    if (err_is(err)) {
        return err;
    }
    must(tiles_size(self->tiles) == leaves);
    struct checkpoint checkpoint = {.size = leaves};
    strcpy(checkpoint.origin, self->conf.origin); /* publication_open checked its length */
    struct merkle_range range;
    tiles_range(self->tiles, &range);
    merkle_range_root(&range, checkpoint.root);
    return publication_show(self, &checkpoint);
}
