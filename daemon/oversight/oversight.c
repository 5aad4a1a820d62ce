/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/oversight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/wake.h"
#include "oversight/commit_index.h"
#include "oversight/mirror.h"
#include "oversight/oversight_state.h"
#include "oversight/retire.h"
#include "oversight/wal_removed.h"
#include "oversight/wal_segment.h"

#define OVERSIGHT_BACKLOG_ENTRIES 4096u /* published before open returns: 32 files at most */

static struct err oversight_make(const struct oversight_conf *conf, struct oversight **out)
{
    if (conf->queue_entries == 0 || strlen(conf->wal_directory) >= DURABLE_PATH_BYTES ||
        strlen(conf->log_directory) >= DURABLE_PATH_BYTES || !note_origin_valid(conf->origin)) {
        return err_make(ERR_ARGUMENT, "oversight_open");
    }
    struct oversight *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "oversight_open");
    }
    self->ring = calloc(conf->queue_entries, sizeof *self->ring);
    if (self->ring == NULL) {
        free(self);
        return err_make(ERR_MEMORY, "oversight_open");
    }
    self->capacity = conf->queue_entries;
    self->checkpoint_interval_ns = conf->checkpoint_interval_ns;
    self->publish_grace_ns = conf->publish_grace_ns;
    self->lock_fd = -1;
    self->mirror_lock_fd = -1;
    strcpy(self->wal_directory, conf->wal_directory);
    strcpy(self->log_directory, conf->log_directory);
    strcpy(self->origin_now, conf->origin);
    self->key = conf->key;
    self->next_key = conf->next_key;
    self->rotate_reason = conf->rotate_reason;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    wake_init(&self->has_drafts);
    wake_init(&self->has_room);
    wake_init(&self->moved);
    wake_init(&self->publish_due);
    *out = self;
    return err_none;
}

/* The lock lies on the directory itself: it goes with the process, however that ends. */
static struct err oversight_lock(const char *directory, int *fd)
{
    struct err err = durable_directory(directory, 0700);
    if (err_is(err)) {
        return err;
    }
    *fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        return err_os(errno == EWOULDBLOCK ? ERR_LOCKED : ERR_IO, "lock write-ahead log");
    }
    return err_none;
}

/* No segment is there: a new log, if nothing says that there once was one. */
static struct err oversight_begin(struct oversight *self, struct wal_end *end)
{
    if (publication_signed(self->publication) != NULL || self->shards.count > 1) {
        return err_make(ERR_LOG_ROLLED_BACK, "write-ahead log is gone");
    }
    if (faccessat(self->lock_fd, COMMIT_INDEX_NAME, F_OK, 0) != 0) {
        if (errno != ENOENT) { /* what may be there must not be replaced unread */
            return err_os(ERR_IO, "look for commit index");
        }
    } else {
        struct commit_index *index = NULL;
        struct wal_slot slot;
        bool any = false;
        struct err err = commit_index_open(self->wal_directory, false, &index);
        if (!err_is(err)) {
            err = commit_index_newest(index, &slot, &any);
        }
        commit_index_close(&index);
        if (err_is(err) || any) {
            return err_is(err) ? err : err_make(ERR_WAL_DAMAGED, "segments are gone");
        }
    }
    *end = (struct wal_end){0};
    merkle_range_init(&end->range);
    return commit_index_create(self->wal_directory);
}

static struct err oversight_recover(struct oversight *self, struct wal_end *end)
{
    struct merkle_range known;
    struct wal_recover_conf conf = {
        .wal_directory = self->wal_directory,
        .shards = &self->shards,
        .shard_index = (uint32_t)(self->shard - self->shards.list),
        .is_signed = publication_signed(self->publication),
        .known = &known,
    };
    struct err err = publication_resume(self->publication, &known);
    if (!err_is(err)) {
        err = wal_recover(&conf, end);
    }
    bool from_tiles = err.code == ERR_LOG_ROLLED_BACK || err.code == ERR_WAL_DAMAGED ||
                      err.code == ERR_TILE_DIFFERS;
    if (!from_tiles) {
        return err;
    }
    struct wal_removed removed;
    struct err unknown = wal_removed_read(self->wal_directory, &removed);
    if (err_is(unknown) || removed.first_index > 0) {
        return err;
    }
    /* Perhaps the tiles lied and the log is whole: it has the last word, from its first entry on,
     * as long as it has that. */
    conf.known = NULL;
    err = publication_restart(self->publication);
    return err_is(err) ? err : wal_recover(&conf, end);
}

static struct err oversight_open_files(struct oversight *self, const struct oversight_conf *conf,
                                       struct wal_end *end)
{
    const char *mirror = conf->mirror_directory;
    struct err err = oversight_lock(self->wal_directory, &self->lock_fd);
    if (!err_is(err) && mirror != NULL) {
        err = oversight_lock(mirror, &self->mirror_lock_fd);
        err = err_is(err) ? err : mirror_repair(self->wal_directory, mirror);
    }
    err = err_is(err) ? err : oversight_choose_shard(self);
    if (!err_is(err)) {
        err = oversight_open_publication(self, self->key, false);
    }
    if (err_is(err)) {
        return err;
    }
    DIR *listing = opendir(self->wal_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    uint64_t first_index = 0;
    bool found = false;
    err = wal_segment_find(listing, UINT64_MAX, &first_index, &found);
    (void)closedir(listing);
    if (!err_is(err)) {
        err = found ? oversight_recover(self, end) : oversight_begin(self, end);
    }
    if (!err_is(err)) {
        err = retire_leftovers(self->wal_directory);
    }
    if (!err_is(err)) {
        err = oversight_follow_shard(self, end);
    }
    if (!err_is(err) && mirror != NULL) {
        err = mirror_level(self->wal_directory, mirror);
    }
    if (err_is(err)) {
        return err;
    }
    /* A segment holds its header and at least one largest group. */
    uint64_t least_bytes = WAL_BLOCK_BYTES + WAL_GROUP_BYTES_MAX;
    uint64_t wanted_bytes = conf->segment_bytes < least_bytes ? least_bytes : conf->segment_bytes;
    uint8_t origin_sha256[HASH_BYTES];
    sha256_of(self->shard->origin, strlen(self->shard->origin), origin_sha256);
    struct wal_conf wal_conf = {
        self->wal_directory, origin_sha256,
        (wanted_bytes + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES, mirror};
    return wal_open(&wal_conf, end, &self->wal);
}

/* What a crash left unpublished may be a whole segment, a thousand files: the publisher makes up
 * for that while the log already takes entries. A change of the key, if one is wanted and not yet
 * in the log, waits for it: the checkpoint that both keys sign must cover little else. */
static struct err oversight_publish_first(struct oversight *self, uint64_t *published)
{
    const struct checkpoint *is_signed = publication_signed(self->publication);
    uint64_t size = oversight_size(self);
    *published = self->shard->first_n + (is_signed == NULL ? 0 : is_signed->size);
    if (self->next_key == NULL && size - *published > OVERSIGHT_BACKLOG_ENTRIES) {
        return err_none;
    }
    struct err err = publication_step(self->publication, size);
    bool changes = self->next_key != NULL && publication_key(self->publication) != self->next_key;
    if (!err_is(err) && changes) {
        err = oversight_append_rotate(self);
        size = oversight_size(self);
        err = err_is(err) ? err : publication_step(self->publication, size);
    }
    if (!err_is(err)) {
        *published = size;
    }
    return err;
}

/* With the files open: threads, first entries, first checkpoint. */
static struct err oversight_start(struct oversight *self, const struct wal_end *end)
{
    self->size = end->size;
    if (pthread_create(&self->committer, NULL, committer_run, self) != 0) {
        return err_make(ERR_THREAD, "oversight_open");
    }
    self->committer_runs = true;
    struct err err = end->size == end->first_n ? oversight_append_first(self) : err_none;
    if (!err_is(err)) {
        err = oversight_append_recovered(self);
    }
    uint64_t published = 0;
    if (!err_is(err)) {
        err = oversight_publish_first(self, &published);
    }
    if (err_is(err)) {
        return err;
    }
    self->published = published; /* the publisher does not run yet, and nobody has the handle */
    self->requested = oversight_size(self);
    if (pthread_create(&self->publisher, NULL, publisher_run, self) != 0) {
        return err_make(ERR_THREAD, "oversight_open");
    }
    self->publisher_runs = true;
    return err_none;
}

static struct err oversight_open_once(const struct oversight_conf *conf, struct oversight **out,
                                      struct oversight_recovery *recovery)
{
    struct oversight *self = NULL;
    struct wal_end end = {0};
    struct err err = oversight_make(conf, &self);
    if (err_is(err)) {
        return err;
    }
    err = oversight_open_files(self, conf, &end);
    if (!err_is(err)) {
        err = oversight_start(self, &end);
    }
    if (err_is(err)) {
        if (self->committer_runs) {
            oversight_fail(self,
                           err); /* so that closing does not publish what open did not vouch for */
        }
        oversight_close(&self);
        return err;
    }
    bool changed = self->next_key != NULL && publication_key(self->publication) == self->next_key;
    *recovery = (struct oversight_recovery){end.size, end.torn_bytes, end.size == 0, changed};
    *out = self;
    return err_none;
}

/* A shard that has to end is opened like any other, closed, and opened again: what follows a closed
 * shard is then found as after a crash, in one way only. */
struct err oversight_open(const struct oversight_conf *conf, struct oversight **out,
                          struct oversight_recovery *recovery)
{
    struct oversight *self = NULL;
    struct err err = oversight_open_once(conf, &self, recovery);
    if (!err_is(err) && oversight_is_due(self)) {
        struct oversight_recovery again;
        err = oversight_end(self, NULL, "year", shard_year(conf->origin), NULL);
        oversight_close(&self);
        if (!err_is(err)) {
            err = oversight_open_once(conf, &self, &again);
        }
        must(err_is(err) || !oversight_is_due(self));
    }
    if (!err_is(err)) {
        *out = self;
    }
    return err;
}

void oversight_close(struct oversight **self)
{
    struct oversight *closing = *self;
    if (closing == NULL) {
        return;
    }
    must(pthread_mutex_lock(&closing->lock) == 0);
    bool told = err_is(closing->failure);
    closing->closing = true;
    must(pthread_cond_broadcast(&closing->has_drafts) == 0);
    must(pthread_cond_broadcast(&closing->has_room) == 0);
    must(pthread_cond_broadcast(&closing->moved) == 0);
    must(pthread_mutex_unlock(&closing->lock) == 0);
    if (closing->committer_runs) {
        must(pthread_join(closing->committer, NULL) == 0);
    }
    if (closing->publisher_runs) {
        must(pthread_join(closing->publisher, NULL) == 0);
    }
    if (err_is(closing->failure) && !told) { /* oversight_failure can no longer be asked */
        char text[ERR_TEXT_BYTES];
        diag_err(halt, "error=%s reason=\"%s\" what=\"closing the oversight log\"",
                 err_name(closing->failure.code), err_text(closing->failure, text));
    }
    wal_close(&closing->wal);
    publication_close(&closing->publication);
    (void)(closing->lock_fd >= 0 && close(closing->lock_fd));
    (void)(closing->mirror_lock_fd >= 0 && close(closing->mirror_lock_fd));
    must(pthread_cond_destroy(&closing->publish_due) == 0);
    must(pthread_cond_destroy(&closing->moved) == 0);
    must(pthread_cond_destroy(&closing->has_room) == 0);
    must(pthread_cond_destroy(&closing->has_drafts) == 0);
    must(pthread_mutex_destroy(&closing->lock) == 0);
    free(closing->ring);
    free(closing);
    *self = NULL;
}
