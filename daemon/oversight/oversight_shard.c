/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/diag.h"
#include "oversight/oversight_state.h"
#include "oversight/wal_segment.h"

/* From one shard to the next. The order, each durable before the next is begun: log.close; the
 * final checkpoint; the line of the successor in log/shards; its first segment; log.open; its first
 * checkpoint, which takes the place of the final one in last-signed. At every start the last entry
 * says how far it came: a shard that ends in log.close has a successor to be opened, one whose
 * successor has an entry is left alone. So log.open is never written twice, and nothing can be
 * written between the two. */

#define SIGNED_NAME "last-signed"
#define ORIGIN_NAME "origin"
#define CLOSED_MODE 0555

static struct err shard_path(const struct oversight *self, const struct shard *shard,
                             char out[DURABLE_PATH_BYTES])
{
    return wal_path(self->log_directory, shard->directory, out);
}

/* ---- which shard ---- */

static struct err shards_make(struct oversight *self)
{
    char signed_path[DURABLE_PATH_BYTES];
    int year = shard_year(self->origin_now);
    struct err err = wal_path(self->wal_directory, SIGNED_NAME, signed_path);
    bool is_signed = false;
    if (!err_is(err)) {
        err = durable_exists(signed_path, &is_signed);
    }
    if (err_is(err)) {
        return err;
    }
    if (is_signed) { /* a guess would stay in the way of who puts it back */
        return err_make(ERR_LOG_ROLLED_BACK, "list of shards is gone");
    }
    if (year >= 0 && year < STILL_YEAR) {
        return err_make(ERR_ARGUMENT, "the clock was never set: no new log");
    }
    err = durable_directory(self->log_directory, 0755);
    if (err_is(err)) {
        return err;
    }
    return shards_add(&self->shards, 0, self->origin_now) ? err_none
                                                          : err_make(ERR_ARGUMENT, "origin");
}

/* The list, made when there is none, and in the form of today. */
static struct err shards_settle(struct oversight *self)
{
    char path[DURABLE_PATH_BYTES];
    char old_path[DURABLE_PATH_BYTES];
    struct err err = shards_read(self->log_directory, &self->shards);
    if (err.code == ERR_NOT_FOUND) {
        err = shards_make(self);
    }
    if (!err_is(err)) {
        err = wal_path(self->log_directory, SHARDS_NAME, path);
    }
    if (!err_is(err)) {
        err = wal_path(self->log_directory, ORIGIN_NAME, old_path);
    }
    bool exists = false;
    bool old_exists = false;
    if (!err_is(err)) {
        err = durable_exists(path, &exists);
    }
    if (!err_is(err)) {
        err = durable_exists(old_path, &old_exists);
    }
    if (err_is(err)) {
        return err;
    }
    bool settled = exists && !old_exists;
    return settled ? err_none : shards_write(self->log_directory, &self->shards);
}

/* Of which shard something was signed last: of the last one, or of the one before it while that has
 * no checkpoint yet. */
static struct err shard_of_signed(const struct oversight *self, uint32_t *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    uint32_t last = self->shards.count - 1;
    struct err err = wal_path(self->wal_directory, SIGNED_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes);
    }
    if (err.os_errno == ENOENT && last == 0) {
        *out = 0;
        return err_none;
    }
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_make(ERR_LOG_ROLLED_BACK, "last-signed is gone") : err;
    }
    text[strcspn((char *)text, "\n")] = '\0';
    const struct shard *found = shards_of_origin(&self->shards, (const char *)text);
    free(text);
    /* One that is not in the list is looked at, and refused, by publication_open. */
    uint32_t index = found == NULL ? last : (uint32_t)(found - self->shards.list);
    if (last - index > 1) {
        return err_make(ERR_LOG_ROLLED_BACK, "last-signed is of an older shard");
    }
    *out = index;
    return err_none;
}

/* Best effort: the files in it are read-only anyway, and who owns them can undo both. */
static void shard_make_read_only(const struct oversight *self, const struct shard *shard)
{
    char path[DURABLE_PATH_BYTES];
    if (!err_is(shard_path(self, shard, path)) && chmod(path, CLOSED_MODE) != 0) {
        diag_warn(shard, "origin=%s reason=\"directory stays writable\"", shard->origin);
    }
}

struct err oversight_choose_shard(struct oversight *self)
{
    uint32_t index = 0;
    struct err err = shards_settle(self);
    if (!err_is(err)) {
        err = shard_of_signed(self, &index);
    }
    if (err_is(err)) {
        return err;
    }
    self->shard = &self->shards.list[index];
    return err_none;
}

struct err oversight_open_publication(struct oversight *self, const struct sign_key *key,
                                      bool begins)
{
    struct err err = shard_path(self, self->shard, self->public_directory);
    if (err_is(err)) {
        return err;
    }
    struct publication_conf conf = {
        .wal_directory = self->wal_directory,
        .public_directory = self->public_directory,
        .origin = self->shard->origin,
        .key = key,
        .next_key = key == self->next_key ? NULL : self->next_key,
        .first_n = self->shard->first_n,
        .begins = begins,
    };
    return publication_open(&conf, &self->publication);
}

/* ---- from one to the next ---- */

/* With the key that the shard before ended with. */
static struct err shard_enter_next(struct oversight *self)
{
    const struct sign_key *key = publication_key(self->publication);
    publication_close(&self->publication);
    self->shard++;
    return oversight_open_publication(self, key, true);
}

/* *next_origin is empty unless the last entry is log.close. */
static struct err shard_read_close(const struct oversight *self, uint64_t size,
                                   char next_origin[NOTE_ORIGIN_BYTES_MAX + 1])
{
    struct wal_reader *reader = NULL;
    struct wal_entry at;
    struct entry entry;
    struct arena arena;
    bool got = false;
    next_origin[0] = '\0';
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES);
    if (memory == NULL) {
        return err_make(ERR_MEMORY, "oversight_open");
    }
    arena_init(&arena, memory, ENTRY_ARENA_BYTES);
    struct err err = wal_reader_open(self->wal_directory, &reader);
    if (!err_is(err)) {
        err = wal_reader_seek(reader, size - 1);
    }
    if (!err_is(err)) {
        err = wal_reader_next(reader, &at, &got);
    }
    if (!err_is(err) && !got) {
        err = err_make(ERR_WAL_DAMAGED, "last entry does not read back");
    }
    if (!err_is(err) && entry_type_peek(at.bytes, at.bytes_count) == ENTRY_LOG_CLOSE) {
        bool good = entry_decode(at.bytes, at.bytes_count, &arena, &entry) == ENTRY_GOOD &&
                    note_origin_valid(entry.body.log_close.next_origin);
        err = good ? err_none : err_make(ERR_WAL_DAMAGED, "log.close does not read back");
        (void)snprintf(next_origin, NOTE_ORIGIN_BYTES_MAX + 1, "%s",
                       good ? entry.body.log_close.next_origin : "");
    }
    wal_reader_close(&reader);
    free(memory);
    return err;
}

/* Final checkpoint and the successor's line, unless a crash came behind them. */
static struct err shard_name_next(struct oversight *self, uint64_t size, const char *next_origin)
{
    const struct shard *next = self->shard + 1;
    if (shards_end(&self->shards, self->shard) != UINT64_MAX) {
        return next->first_n == size && strcmp(next->origin, next_origin) == 0
                   ? err_none
                   : err_make(ERR_LOG_ROLLED_BACK, "log.close and the list of shards differ");
    }
    struct err err = publication_step(self->publication, size);
    if (err_is(err)) {
        return err;
    }
    if (!shards_add(&self->shards, size, next_origin)) {
        return err_make(ERR_WAL_DAMAGED, "log.close names an origin that cannot be");
    }
    return shards_write(self->log_directory, &self->shards);
}

static struct err shard_succeed(struct oversight *self, const char *next_origin,
                                struct wal_end *end)
{
    uint32_t next_index = (uint32_t)(self->shard - self->shards.list) + 1;
    struct err err = shard_name_next(self, end->size, next_origin);
    if (err_is(err)) {
        return err;
    }
    const struct checkpoint *final = publication_signed(self->publication);
    if (final == NULL || final->size != end->size - self->shard->first_n) {
        return err_make(ERR_LOG_ROLLED_BACK, "closed shard has no final checkpoint");
    }
    strcpy(self->previous_checkpoint, publication_signed_text(self->publication));
    shard_make_read_only(self, self->shard);
    if (end->shard_index != next_index) { /* its first segment is not there yet */
        end->shard_index = next_index;
        end->first_n = end->size;
        merkle_range_init(&end->range);
        end->has_segment = false;
    }
    return shard_enter_next(self);
}

struct err oversight_follow_shard(struct oversight *self, struct wal_end *end)
{
    bool crossed = end->shard_index != (uint32_t)(self->shard - self->shards.list);
    if (crossed && end->size > end->first_n) {
        shard_make_read_only(self, self->shard);
        return shard_enter_next(self);
    }
    if (end->size == 0) {
        return err_none;
    }
    char next_origin[NOTE_ORIGIN_BYTES_MAX + 1];
    struct err err = shard_read_close(self, end->size, next_origin);
    if (err_is(err)) {
        return err;
    }
    if (next_origin[0] != '\0') {
        return shard_succeed(self, next_origin, end);
    }
    return shards_end(&self->shards, self->shard) == UINT64_MAX
               ? err_none
               : err_make(ERR_WAL_DAMAGED, "shard has a successor, but no log.close");
}

bool oversight_is_due(const struct oversight *self)
{
    int now = shard_year(self->origin_now);
    int open = shard_year(self->shard->origin);
    if (now < open) {
        diag_warn(shard,
                  "origin=%s year_of_clock=%d reason=\"the clock is behind: the shard stays\"",
                  self->shard->origin, now);
    }
    return now > open;
}

struct err oversight_end(struct oversight *self, const char *actor, const char *reason, int year,
                         uint64_t *entry_index)
{
    char next_origin[NOTE_ORIGIN_BYTES_MAX + 1];
    uint64_t closed_by = 0;
    if (!shards_next_origin(&self->shards, year, next_origin)) {
        return err_make(ERR_ARGUMENT, "name of the next shard");
    }
    struct entry entry = {.type = ENTRY_LOG_CLOSE, .actor = actor};
    entry.body.log_close.reason = reason;
    entry.body.log_close.next_origin = next_origin;
    struct err err = oversight_append_last(self, &entry, &closed_by);
    if (!err_is(err)) {
        err = oversight_publish(self);
    }
    if (!err_is(err)) {
        diag_info(shard, "origin=%s closed=1 entry=%llu next=%s", self->shard->origin,
                  (unsigned long long)closed_by, next_origin);
    }
    if (!err_is(err) && entry_index != NULL) {
        *entry_index = closed_by;
    }
    return err;
}

const struct shards *oversight_shards(const struct oversight *self)
{
    return &self->shards;
}
