/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/random.h"
#include "oversight/oversight_state.h"
#include "oversight/wal_segment.h"

/* The entries that the log writes about itself. They go the way of every other entry. */

#define TORN_PREFIX "torn-"
#define PENDING_SUFFIX ".pending"

enum place { PLACE_NEXT, PLACE_LAST };

static struct err oversight_append(struct oversight *self, struct entry *entry, enum place place,
                                   uint64_t *entry_index)
{
    struct oversight_draft *draft = calloc(1, sizeof *draft);
    if (draft == NULL) {
        return err_make(ERR_MEMORY, "oversight_open");
    }
    random_uuid7(entry->id);
    entry->actor = entry->actor == NULL ? "daemon" : entry->actor;
    size_t rest_bytes = entry_encode_rest(entry, draft->rest, sizeof draft->rest);
    if (rest_bytes == 0) { /* a reason or a checkpoint can be longer than an entry */
        free(draft);
        return err_make(ERR_ARGUMENT, "entry of the log about itself");
    }
    draft->rest_bytes = (uint32_t)rest_bytes;
    struct err err = place == PLACE_LAST ? oversight_submit_last(self, draft)
                                         : oversight_submit_and_wait(self, draft);
    if (!err_is(err) && entry_index != NULL) {
        *entry_index = draft->entry_index;
    }
    free(draft);
    return err;
}

struct err oversight_append_first(struct oversight *self)
{
    struct entry entry = {.type = ENTRY_LOG_OPEN};
    struct entry_log_open *body = &entry.body.log_open;
    body->origin = self->shard->origin;
    body->format_version = 1;
    body->first_n = self->shard->first_n;
    body->previous_checkpoint = (const uint8_t *)self->previous_checkpoint;
    body->previous_checkpoint_bytes = (uint32_t)strlen(self->previous_checkpoint);
    must((body->first_n == 0) == (body->previous_checkpoint_bytes == 0));
    must(hex_decode(TRIAGED_OVERSIGHT_SCHEMA_SHA256, body->schema_sha256, HASH_BYTES));
    struct err err = oversight_append(self, &entry, PLACE_NEXT, NULL);
    if (!err_is(err)) {
        diag_info(shard, "origin=%s first_n=%" PRIu64 " opened=1", body->origin, body->first_n);
    }
    return err;
}

struct err oversight_append_last(struct oversight *self, struct entry *entry, uint64_t *entry_index)
{
    return oversight_append(self, entry, PLACE_LAST, entry_index);
}

/* Still under the old key: the checkpoint that covers it is the first the new one signs too. */
struct err oversight_append_rotate(struct oversight *self)
{
    struct entry entry = {.type = ENTRY_KEY_ROTATE};
    struct note_vkey vkey;
    char old_vkey[NOTE_VKEY_BYTES_MAX];
    char new_vkey[NOTE_VKEY_BYTES_MAX];
    uint64_t entry_index = 0;
    note_vkey_make(&vkey, self->shard->origin, publication_key(self->publication)->public_key);
    note_vkey_encode(&vkey, old_vkey);
    note_vkey_make(&vkey, self->shard->origin, self->next_key->public_key);
    note_vkey_encode(&vkey, new_vkey);
    entry.body.key_rotate.old_vkey = old_vkey;
    entry.body.key_rotate.new_vkey = new_vkey;
    entry.body.key_rotate.reason = self->rotate_reason;
    struct err err = oversight_append(self, &entry, PLACE_NEXT, &entry_index);
    if (!err_is(err)) {
        diag_warn(key, "rotate=1 entry=%" PRIu64 " new_vkey=%s", entry_index, new_vkey);
    }
    return err;
}

/* Tell of one saved tail, then take ".pending" off its name. If the machine stops in between, the
 * next start tells of it a second time: better twice than never. */
static struct err oversight_tell_torn(struct oversight *self, const char *name)
{
    char pending[DURABLE_PATH_BYTES];
    char told[DURABLE_PATH_BYTES];
    uint8_t *torn = NULL;
    size_t torn_bytes = 0;
    struct err err = wal_path(self->wal_directory, name, pending);
    if (!err_is(err)) {
        err = durable_read(pending, WAL_GROUP_BYTES_MAX, &torn, &torn_bytes);
    }
    if (err_is(err)) {
        return err;
    }
    struct entry entry = {.type = ENTRY_WAL_RECOVERED};
    entry.body.wal_recovered.torn_bytes = torn_bytes;
    sha256_of(torn, torn_bytes, entry.body.wal_recovered.torn_sha256);
    free(torn);
    err = oversight_append(self, &entry, PLACE_NEXT, NULL);
    if (err_is(err)) {
        return err;
    }
    diag_warn(recovered, "torn_bytes=%zu", torn_bytes);
    strcpy(told, pending);
    told[strlen(told) - strlen(PENDING_SUFFIX)] = '\0';
    return durable_rename(pending, told);
}

static bool oversight_is_pending(const char *name)
{
    size_t name_bytes = strlen(name);
    size_t suffix_bytes = strlen(PENDING_SUFFIX);
    return strncmp(name, TORN_PREFIX, strlen(TORN_PREFIX)) == 0 && name_bytes > suffix_bytes &&
           strcmp(name + name_bytes - suffix_bytes, PENDING_SUFFIX) == 0;
}

struct err oversight_append_recovered(struct oversight *self)
{
    DIR *listing = opendir(self->wal_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    struct err err = err_none;
    while (!err_is(err)) {
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            err = errno == 0 ? err_none : err_os(ERR_IO, "list write-ahead log");
            break;
        }
        if (oversight_is_pending(name->d_name)) {
            err = oversight_tell_torn(self, name->d_name);
        }
    }
    (void)closedir(listing);
    return err;
}
