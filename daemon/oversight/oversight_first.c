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

static struct err oversight_append(struct oversight *self, struct entry *entry)
{
    struct oversight_draft *draft = calloc(1, sizeof *draft);
    if (draft == NULL) {
        return err_make(ERR_MEMORY, "oversight_open");
    }
    random_uuid7(entry->id);
    entry->actor = "daemon";
    size_t rest_bytes = entry_encode_rest(entry, draft->rest, sizeof draft->rest);
    must(rest_bytes > 0);
    draft->rest_bytes = (uint32_t)rest_bytes;
    struct err err = oversight_submit_and_wait(self, draft);
    free(draft);
    return err;
}

struct err oversight_append_first(struct oversight *self)
{
    struct entry entry = {.type = ENTRY_LOG_OPEN};
    entry.body.log_open.origin = self->origin;
    entry.body.log_open.format_version = 1;
    must(
        hex_decode(TRIAGED_OVERSIGHT_SCHEMA_SHA256, entry.body.log_open.schema_sha256, HASH_BYTES));
    return oversight_append(self, &entry);
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
    err = oversight_append(self, &entry);
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
