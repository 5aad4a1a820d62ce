/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "verify/verify_file.h"

#define CHAIN_LIST_BYTES_MAX 65536u

/* ---- putting shards in order ---- */

static bool chain_read(const struct verify_shard *shard, const char *name, size_t bytes_max,
                       struct verify_file *file)
{
    char path[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", shard->path, name);
    return verify_file_read(file, path, bytes_max) == READ_GOOD;
}

static uint64_t chain_first_n(const uint8_t *bundle, size_t bundle_bytes)
{
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    size_t offset = 0;
    struct arena arena;
    struct entry entry;
    uint64_t first_n = 0;
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES);
    if (memory != NULL && bundle_next(bundle, bundle_bytes, &offset, &bytes, &bytes_count)) {
        arena_init(&arena, memory, ENTRY_ARENA_BYTES);
        bool opens = entry_decode(bytes, bytes_count, &arena, &entry) == ENTRY_GOOD &&
                     entry.type == ENTRY_LOG_OPEN;
        first_n = opens ? entry.body.log_open.first_n : 0;
    }
    free(memory);
    return first_n;
}

uint64_t verify_chain_peek(const struct verify_shard *shard)
{
    struct verify_file file = {.bytes = NULL};
    struct checkpoint checkpoint = {.size = TILE_WIDTH};
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    char name[TILE_PATH_BYTES_MAX];
    uint64_t first_n = 0;
    if (chain_read(shard, "checkpoint", NOTE_BYTES_MAX, &file)) {
        (void)checkpoint_split((const char *)file.bytes, file.bytes_count, &checkpoint,
                               &signed_bytes, &lines_at);
    }
    uint32_t width = checkpoint.size < TILE_WIDTH ? (uint32_t)checkpoint.size : 0;
    bundle_path(0, width, name);
    bool found = chain_read(shard, name, BUNDLE_BYTES_MAX, &file);
    if (!found) { /* copied while the log grew */
        bundle_path(0, 0, name);
        found = chain_read(shard, name, BUNDLE_BYTES_MAX, &file);
    }
    if (found) {
        first_n = chain_first_n(file.bytes, file.bytes_count);
    }
    verify_file_fini(&file);
    return first_n;
}

/* ---- entries ---- */

static void chain_open(struct verify_link *self, struct verify_report *report,
                       const struct entry *entry)
{
    const struct entry_log_open *open = &entry->body.log_open;
    self->opened = true;
    self->first_n = open->first_n;
    (void)snprintf(self->origin, sizeof self->origin, "%s", open->origin);
    uint32_t bytes = open->previous_checkpoint_bytes; /* 0: the pointer may be NULL */
    if (bytes > NOTE_BYTES_MAX ||
        (bytes > 0 && memchr(open->previous_checkpoint, '\0', bytes) != NULL)) {
        verify_problem(report, "entry %" PRIu64 ": embeds something that is no checkpoint",
                       entry->n);
        bytes = 0;
    }
    if (bytes > 0) {
        memcpy(self->previous, open->previous_checkpoint, bytes);
    }
    self->previous[bytes] = '\0';
    if ((open->first_n == 0) != (open->previous_checkpoint_bytes == 0)) {
        verify_problem(report,
                       "entry %" PRIu64 ": log.open of entry %" PRIu64
                       " %s a checkpoint of a shard "
                       "before it",
                       entry->n, open->first_n, bytes == 0 ? "without" : "with");
    }
}

void verify_chain_entry(struct verify_link *self, struct verify_report *report, uint64_t index,
                        const struct entry *entry)
{
    if (self->closed && index == self->closed_at + 1) {
        verify_problem(report, "entry %" PRIu64 ": comes behind log.close", entry->n);
    }
    if (entry->type == ENTRY_LOG_OPEN && index == 0) {
        chain_open(self, report, entry);
    } else if (entry->type == ENTRY_LOG_CLOSE && !self->closed) {
        self->closed = true;
        self->closed_at = index;
        (void)snprintf(self->next_origin, sizeof self->next_origin, "%s",
                       entry->body.log_close.next_origin);
    } else if (entry->type == ENTRY_KEY_ROTATE && self->keys != NULL) {
        verify_keys_rotate(self->keys, report, index, &entry->body.key_rotate);
    }
}

/* ---- the whole ---- */

/* Without what witnesses may have added to either. */
static bool chain_same_checkpoint(const struct verify_shard *before, const char *embedded)
{
    struct verify_file file = {.bytes = NULL};
    char final[NOTE_BYTES_MAX + 1];
    char stripped[NOTE_BYTES_MAX + 1];
    size_t final_bytes = 0;
    size_t stripped_bytes = 0;
    uint32_t lines = 0;
    bool same =
        chain_read(before, "checkpoint", NOTE_BYTES_MAX, &file) &&
        checkpoint_strip((const char *)file.bytes, file.bytes_count, final, &final_bytes, &lines) &&
        checkpoint_strip(embedded, strlen(embedded), stripped, &stripped_bytes, &lines) &&
        final_bytes == stripped_bytes && memcmp(final, stripped, final_bytes) == 0;
    verify_file_fini(&file);
    return same;
}

static void chain_check_pair(struct verify_report *report, const struct verify_shard *before,
                             const struct verify_link *before_link,
                             const struct verify_shard *shard, const struct verify_link *link)
{
    if (before->first_n + before->size != link->first_n) {
        verify_problem(
            report, "%s: begins with entry %" PRIu64 ", the shard before it ends before %" PRIu64,
            shard->path, link->first_n, before->first_n + before->size);
    }
    if (!before_link->closed || before_link->closed_at + 1 != before->size) {
        verify_problem(report, "%s: has a successor, but its last entry is not log.close",
                       before->path);
    } else if (strcmp(before_link->next_origin, shard->origin) != 0) {
        verify_problem(report, "%s: log.close names %s as its successor, not %s", before->path,
                       before_link->next_origin, shard->origin);
    }
    if (!chain_same_checkpoint(before, link->previous)) {
        verify_problem(report, "%s: log.open does not embed the final checkpoint of %s",
                       shard->path, before->path);
    }
    if (!before_link->keys_known || !link->keys_known ||
        memcmp(before_link->last_key, link->first_key, SIGN_PUBLIC_BYTES) != 0) {
        verify_problem(report, "%s: does not begin with the key that %s ended with", shard->path,
                       before->path);
    }
}

void verify_chain_finish(struct verify_report *report, const struct verify_link *links, bool whole)
{
    (void)verify_report_step(report, STEP_chain);
    for (uint32_t i = 0; i < report->shards_count; i++) {
        const struct verify_shard *shard = &report->shards[i];
        const struct verify_link *link = &links[i];
        if (!link->opened) {
            continue; /* told of by the entries */
        }
        if (strcmp(link->origin, shard->origin) != 0) {
            verify_problem(report, "%s: log.open is of %s, the checkpoints are of %s", shard->path,
                           link->origin, shard->origin);
        }
        if (i > 0) {
            chain_check_pair(report, &report->shards[i - 1], &links[i - 1], shard, link);
        } else if (link->first_n > 0 && whole) {
            verify_problem(report,
                           "%s: begins with entry %" PRIu64 ", and no shard before it is here",
                           shard->path, link->first_n);
        } else if (link->first_n > 0) {
            verify_warning(report,
                           "%s: begins with entry %" PRIu64
                           "; the shard before it is not here, and was not held against it",
                           shard->path, link->first_n);
        }
    }
}

/* ---- the list ---- */

static bool chain_list_has(const char *list, const struct verify_shard *shard)
{
    char line[NOTE_ORIGIN_BYTES_MAX + 128];
    const char *slash = strrchr(shard->path, '/');
    int bytes = snprintf(line, sizeof line, "%" PRIu64 " %s %.64s\n", shard->first_n, shard->origin,
                         slash == NULL ? shard->path : slash + 1);
    for (const char *at = list; at != NULL; at = strchr(at, '\n')) {
        at += at != list;
        if (strncmp(at, line, (size_t)bytes) == 0) {
            return true;
        }
    }
    return false;
}

void verify_chain_list(struct verify_report *report, const char *directory)
{
    char path[DURABLE_PATH_BYTES + 16];
    struct verify_file file = {.bytes = NULL};
    (void)verify_report_step(report, STEP_chain);
    (void)snprintf(path, sizeof path, "%s/log/shards", directory);
    enum verify_read read = verify_file_read(&file, path, CHAIN_LIST_BYTES_MAX);
    if (read == READ_GOOD) {
        uint32_t lines = 0;
        for (size_t i = 0; i < file.bytes_count; i++) {
            lines += file.bytes[i] == '\n';
        }
        for (uint32_t i = 0; i < report->shards_count; i++) {
            if (report->shards[i].size > 0 &&
                !chain_list_has((const char *)file.bytes, &report->shards[i])) {
                verify_problem(report, "%s: does not list %s as it is", path,
                               report->shards[i].path);
            }
        }
        if (lines > report->shards_count) {
            verify_problem(report, "%s: lists %u shards, %u are here", path, lines,
                           report->shards_count);
        }
    } else if (read != READ_MISSING) {
        verify_problem(report, "%s: %s", path, verify_read_text(read));
    }
    verify_file_fini(&file);
}
