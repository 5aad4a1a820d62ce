/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oversight/publication_inside.h"
#include "oversight/wal_segment.h"

/* Which key signs is told by the public vkey file and not by the files of keys: those are changed
 * last, when nothing can need the old seed any more. */

#define VKEY_NAME "vkey"
#define OLD_VKEYS_NAME "vkeys"

/* One line with its newline; out needs NOTE_VKEY_BYTES_MAX + 1. */
static void vkey_line(const struct note_vkey *vkey, char *out)
{
    note_vkey_encode(vkey, out);
    size_t bytes = strlen(out);
    out[bytes] = '\n';
    out[bytes + 1] = '\0';
}

static void publication_use(struct publication *self, const struct sign_key *key)
{
    self->key = key;
    note_vkey_make(&self->vkey, self->conf.origin, key->public_key);
}

struct err publication_settle_key(struct publication *self)
{
    char path[DURABLE_PATH_BYTES];
    char line[NOTE_VKEY_BYTES_MAX + 1];
    uint8_t *there = NULL;
    size_t there_bytes = 0;
    bool differs = false;
    publication_use(self, self->conf.key);
    struct err err = wal_path(self->conf.public_directory, VKEY_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, NOTE_VKEY_BYTES_MAX, &there, &there_bytes);
    }
    if (err_is(err)) {
        if (err.os_errno != ENOENT) { /* one that is too long to be a key is another one */
            return err.os_errno != 0 ? err : err_make(ERR_KEY, "read vkey");
        }
        vkey_line(&self->vkey, line);
        err = durable_create(path, line, strlen(line), 0444, &differs);
        return !err_is(err) && differs ? err_make(ERR_KEY, "write vkey") : err;
    }
    vkey_line(&self->vkey, line);
    bool known = strcmp(line, (const char *)there) == 0;
    if (!known && self->conf.next_key != NULL) {
        publication_use(self, self->conf.next_key);
        vkey_line(&self->vkey, line);
        known = strcmp(line, (const char *)there) == 0;
    }
    free(there);
    return known ? err_none : err_make(ERR_KEY, "public directory belongs to another key");
}

bool publication_signed_by_both(const struct publication *self)
{
    if (self->conf.next_key == NULL || self->key == self->conf.next_key) {
        return false;
    }
    struct note_vkey next;
    struct checkpoint checkpoint;
    note_vkey_make(&next, self->conf.origin, self->conf.next_key->public_key);
    return checkpoint_open(self->signed_text, strlen(self->signed_text), &next, &checkpoint) ==
           NOTE_GOOD;
}

/* Rare enough for memory of its own. */
static struct err publication_take_rotate(struct publication *self, const struct wal_entry *at)
{
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES);
    if (memory == NULL) {
        return err_make(ERR_MEMORY, "key.rotate");
    }
    struct arena arena;
    struct entry entry;
    char old_vkey[NOTE_VKEY_BYTES_MAX] = "";
    char new_vkey[NOTE_VKEY_BYTES_MAX] = "";
    arena_init(&arena, memory, ENTRY_ARENA_BYTES);
    note_vkey_encode(&self->vkey, old_vkey);
    if (self->conf.next_key != NULL) {
        struct note_vkey next;
        note_vkey_make(&next, self->conf.origin, self->conf.next_key->public_key);
        note_vkey_encode(&next, new_vkey);
    }
    bool ours = entry_decode(at->bytes, at->bytes_count, &arena, &entry) == ENTRY_GOOD &&
                strcmp(entry.body.key_rotate.old_vkey, old_vkey) == 0 &&
                strcmp(entry.body.key_rotate.new_vkey, new_vkey) == 0;
    free(memory);
    if (!ours || self->rotates) {
        return err_make(ERR_KEY, "the log goes on to a key that is not here");
    }
    self->rotates = true;
    return err_none;
}

struct err publication_look(struct publication *self, const struct wal_entry *entry)
{
    bool covered =
        self->has_signed && entry->entry_index - self->conf.first_n < self->is_signed.size;
    if (covered || entry_type_peek(entry->bytes, entry->bytes_count) != ENTRY_KEY_ROTATE) {
        return err_none;
    }
    return publication_take_rotate(self, entry);
}

struct err publication_finish_rotation(struct publication *self)
{
    char folder[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES];
    char name[32];
    char line[NOTE_VKEY_BYTES_MAX + 1];
    bool differs = false;
    must(self->key != self->conf.next_key);
    (void)snprintf(name, sizeof name, "%" PRIu64, self->is_signed.size);
    struct err err = wal_path(self->conf.public_directory, OLD_VKEYS_NAME, folder);
    if (!err_is(err)) {
        err = durable_directory(folder, 0755);
    }
    if (!err_is(err)) {
        err = wal_path(folder, name, path);
    }
    if (!err_is(err)) {
        vkey_line(&self->vkey, line);
        err = durable_create(path, line, strlen(line), 0444, &differs);
    }
    if (!err_is(err) && differs) {
        err = err_make(ERR_TILE_DIFFERS, "verifier key of before");
    }
    if (!err_is(err)) {
        err = wal_path(self->conf.public_directory, VKEY_NAME, path);
    }
    if (err_is(err)) {
        return err;
    }
    publication_use(self, self->conf.next_key);
    vkey_line(&self->vkey, line);
    self->rotates = false;
    return durable_replace(path, line, strlen(line), 0444);
}
