/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_checkpoints.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "verify/verify_against.h"
#include "verify/verify_crew.h"
#include "verify/verify_quorum.h"
#include "verify/verify_file.h"

/* The copies are listed before the newest checkpoint is read: a log that is being written while we
 * look then shows a newest one that is at least as large. A copy that is larger than the newest was
 * signed and taken back. */

#define HEADS_MAX (UINT64_C(1) << 28) /* eight years at one a second */
#define HEADS_CHUNK 32u

static bool heads_open(const char *path, const struct verify_keys *keys, struct verify_file *file,
                       struct verify_lines *lines, struct checkpoint *out)
{
    enum verify_read read = verify_file_read(file, path, NOTE_BYTES_MAX);
    if (read != READ_GOOD) {
        verify_lines_add(lines, STEP_checkpoints, "%s: %s", path, verify_read_text(read));
        return false;
    }
    const char *fault = verify_keys_check(keys, (const char *)file->bytes, file->bytes_count, out);
    if (fault != NULL) {
        verify_lines_add(lines, STEP_checkpoints, "%s: %s", path, fault);
        return false;
    }
    return true;
}

/* ---- the copies, by a crew: a signature costs as much as a hundred hashes ---- */

struct heads_chunk {
    struct verify_head heads[HEADS_CHUNK];
    uint32_t count;
    struct verify_lines lines;
    struct verify_file file;
};

struct heads_source {
    const struct verify_shard *shard;
    const struct verify_keys *keys;
    uint64_t *sizes;
    uint64_t count;
    uint64_t capacity;
};

static void heads_work(void *shared, void *slot, uint64_t index)
{
    const struct heads_source *source = shared;
    struct heads_chunk *chunk = slot;
    uint64_t end = (index + 1) * HEADS_CHUNK;
    chunk->count = 0;
    for (uint64_t i = index * HEADS_CHUNK; i < end && i < source->count; i++) {
        char path[2 * DURABLE_PATH_BYTES];
        struct checkpoint checkpoint;
        (void)snprintf(path, sizeof path, "%s/checkpoints/%" PRIu64, source->shard->path,
                       source->sizes[i]);
        if (!heads_open(path, source->keys, &chunk->file, &chunk->lines, &checkpoint)) {
            continue;
        }
        if (checkpoint.size != source->sizes[i]) {
            verify_lines_add(&chunk->lines, STEP_checkpoints,
                             "%s: is a checkpoint of %" PRIu64 " entries", path, checkpoint.size);
        }
        struct verify_head *head = &chunk->heads[chunk->count++];
        *head = (struct verify_head){.size = checkpoint.size};
        memcpy(head->root, checkpoint.root, HASH_BYTES);
    }
}

static struct err heads_take_chunks(struct verify_heads *self, struct verify_report *report,
                                    struct heads_source *source, struct heads_chunk *chunks,
                                    uint32_t chunks_count)
{
    const struct verify_crew_conf conf = {.work = heads_work,
                                          .shared = source,
                                          .slots = chunks,
                                          .slot_bytes = sizeof *chunks,
                                          .slots_count = chunks_count,
                                          .threads_count = verify_crew_threads(),
                                          .pieces_count =
                                              (source->count + HEADS_CHUNK - 1) / HEADS_CHUNK};
    struct verify_crew *crew = NULL;
    struct err err = verify_crew_open(&conf, &crew);
    while (!err_is(err)) {
        struct heads_chunk *chunk = verify_crew_next(crew);
        if (chunk == NULL) {
            break;
        }
        verify_report_take(report, &chunk->lines);
        for (uint32_t i = 0; i < chunk->count && !err_is(err); i++) {
            err = verify_heads_add(self, &chunk->heads[i]);
        }
    }
    verify_crew_close(&crew);
    return err;
}

static struct err heads_open_copies(struct verify_heads *self, struct verify_report *report,
                                    struct heads_source *source)
{
    uint32_t chunks_count = verify_crew_threads() + 2;
    struct heads_chunk *chunks = calloc(chunks_count, sizeof *chunks);
    struct err err = chunks == NULL ? err_make(ERR_MEMORY, "heads_open_copies") : err_none;
    for (uint32_t i = 0; i < chunks_count && !err_is(err); i++) {
        err = verify_lines_init(&chunks[i].lines, HEADS_CHUNK);
    }
    if (!err_is(err)) {
        err = heads_take_chunks(self, report, source, chunks, chunks_count);
    }
    for (uint32_t i = 0; i < chunks_count && chunks != NULL; i++) {
        verify_lines_fini(&chunks[i].lines);
        verify_file_fini(&chunks[i].file);
    }
    free(chunks);
    return err;
}

static bool heads_parse_size(const char *name, uint64_t *size)
{
    char again[24];
    char *end = NULL;
    errno = 0;
    *size = strtoull(name, &end, 10);
    (void)snprintf(again, sizeof again, "%" PRIu64, *size);
    return errno == 0 && *end == '\0' && strcmp(again, name) == 0;
}

static struct err heads_list_add(struct heads_source *self, uint64_t size)
{
    if (self->count == self->capacity) {
        uint64_t grown_count = self->capacity == 0 ? 1024 : self->capacity * 2;
        uint64_t *grown = reallocarray(self->sizes, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "heads_list_add");
        }
        self->sizes = grown;
        self->capacity = grown_count;
    }
    self->sizes[self->count++] = size;
    return err_none;
}

/* Names that are no size are told of by the list of files. */
static struct err heads_list(struct heads_source *self, struct verify_report *report)
{
    char folder[DURABLE_PATH_BYTES + 16];
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", self->shard->path);
    DIR *listing = opendir(folder);
    if (listing == NULL) {
        verify_warning(report, "%s: missing: earlier tree heads are not checked", folder);
        return err_none;
    }
    struct err err = err_none;
    for (const struct dirent *name = readdir(listing); name != NULL && !err_is(err);
         name = readdir(listing)) {
        uint64_t size = 0;
        if (self->count == HEADS_MAX) {
            verify_problem(report, "%s: more than %" PRIu64 " files", folder, HEADS_MAX);
            break;
        }
        if (heads_parse_size(name->d_name, &size)) {
            err = heads_list_add(self, size);
        }
    }
    (void)closedir(listing);
    return err;
}

static int heads_compare_sizes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static struct err heads_read_copies(struct verify_heads *self, struct verify_report *report,
                                    const struct verify_shard *shard)
{
    struct heads_source source = {.shard = shard, .keys = &self->keys};
    struct err err = heads_list(&source, report);
    if (source.count > 0) {
        qsort(source.sizes, source.count, sizeof *source.sizes, heads_compare_sizes);
    }
    if (!err_is(err) && source.count > 0) {
        err = heads_open_copies(self, report, &source);
    }
    free(source.sizes);
    return err;
}

struct err verify_heads_add(struct verify_heads *self, const struct verify_head *head)
{
    if (self->count == self->capacity) {
        uint64_t grown_count = self->capacity == 0 ? 256 : self->capacity * 2;
        struct verify_head *grown = reallocarray(self->heads, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "verify_heads_add");
        }
        self->heads = grown;
        self->capacity = grown_count;
    }
    self->heads[self->count++] = *head;
    return err_none;
}

static int heads_compare(const void *a, const void *b)
{
    const struct verify_head *left = a;
    const struct verify_head *right = b;
    return (left->size > right->size) - (left->size < right->size);
}

/* The newest is what `checkpoint` says; when that is no good, the largest good copy lets the rest
 * be checked. */
static bool heads_find_newest(struct verify_heads *self, struct verify_report *report,
                              const char *path, bool has_checkpoint,
                              const struct checkpoint *checkpoint)
{
    const struct verify_head *largest = self->count == 0 ? NULL : &self->heads[self->count - 1];
    if (!has_checkpoint) {
        if (largest != NULL) {
            self->newest = *largest;
        }
        return largest != NULL;
    }
    self->newest.size = checkpoint->size;
    memcpy(self->newest.root, checkpoint->root, HASH_BYTES);
    if (largest != NULL && largest->size > checkpoint->size) {
        verify_problem(report,
                       "%s: %" PRIu64 " entries, but a checkpoint of %" PRIu64
                       " entries was signed: the log was rolled back",
                       path, checkpoint->size, largest->size);
    }
    return true;
}

struct err verify_heads_read(struct verify_report *report, struct verify_shard *shard,
                             const char *vkey, struct verify_heads *out, bool *vkey_is_here,
                             bool *usable)
{
    char path[DURABLE_PATH_BYTES + 16];
    struct checkpoint checkpoint;
    struct verify_file file = {.bytes = NULL};
    memset(out, 0, sizeof *out);
    (void)verify_report_step(report, STEP_key);
    *usable = verify_keys_read(report, shard, vkey, &out->keys, vkey_is_here);
    (void)verify_report_step(report, STEP_checkpoints);
    if (!*usable) {
        return err_none;
    }
    struct err err = heads_read_copies(out, report, shard);
    if (!err_is(err)) {
        err = verify_quorum_heads(report, shard, out);
    }
    if (err_is(err)) {
        verify_heads_fini(out);
        return err;
    }
    (void)snprintf(path, sizeof path, "%s/checkpoint", shard->path);
    bool has_checkpoint = heads_open(path, &out->keys, &file, &report->problems, &checkpoint);
    verify_file_fini(&file);
    verify_heads_sort(out);
    *usable = heads_find_newest(out, report, path, has_checkpoint, &checkpoint);
    if (*usable) {
        shard->checkpoints = out->count + has_checkpoint;
        shard->size = out->newest.size;
        memcpy(shard->root, out->newest.root, HASH_BYTES);
    }
    return err_none;
}

void verify_heads_sort(struct verify_heads *self)
{
    if (self->count > 0) {
        qsort(self->heads, self->count, sizeof *self->heads, heads_compare);
    }
}

void verify_heads_fini(struct verify_heads *self)
{
    free(self->heads);
    self->heads = NULL;
    self->count = 0;
}

uint64_t verify_heads_next(const struct verify_heads *self)
{
    return self->met < self->count ? self->heads[self->met].size : UINT64_MAX;
}

void verify_heads_skip(struct verify_heads *self, uint64_t size)
{
    for (; verify_heads_next(self) < size; self->met++) {
        self->skipped += self->heads[self->met].kept == NULL;
    }
}

void verify_heads_meet(struct verify_heads *self, uint64_t size, const uint8_t root[HASH_BYTES])
{
    verify_heads_skip(self, size);
    for (; verify_heads_next(self) == size; self->met++) {
        const struct verify_head *head = &self->heads[self->met];
        bool same = hash_equal(head->root, root);
        if (head->kept != NULL) {
            verify_kept_met(head->kept, same);
        } else if (!same) {
            self->first_differing = self->differing == 0 ? size : self->first_differing;
            self->differing++;
        }
    }
}

void verify_heads_finish(struct verify_heads *self, struct verify_report *report,
                         struct verify_shard *shard)
{
    (void)verify_report_step(report, STEP_checkpoints);
    verify_heads_skip(self, self->newest.size + 1); /* those above were told of as a roll-back */
    shard->checkpoints_unmet = self->skipped;
    if (self->skipped > 0) {
        verify_warning(report,
                       "%s/checkpoints: %" PRIu64
                       " could not be compared, because the entries below them are missing",
                       shard->path, self->skipped);
    }
    if (self->differing > 0) {
        verify_problem(report,
                       "%s/checkpoints/%" PRIu64
                       ": root is not that of the entries (first of %" PRIu64 ")",
                       shard->path, self->first_differing, self->differing);
    }
}
