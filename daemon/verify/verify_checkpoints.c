/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_checkpoints.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"

/* The copies are listed before the newest checkpoint is read: a log that is being written while we
 * look then shows a newest one that is at least as large. A copy that is larger than the newest was
 * signed and taken back. */

#define HEADS_MAX (UINT64_C(1) << 28) /* eight years at one a second */

/* Text of a key that is given as itself or as the name of a file of one line. */
static struct err heads_key_text(const char *given, char out[NOTE_VKEY_BYTES_MAX])
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    if (access(given, F_OK) != 0) {
        (void)snprintf(out, NOTE_VKEY_BYTES_MAX, "%s", given);
        return err_none;
    }
    struct err err = durable_read(given, NOTE_VKEY_BYTES_MAX - 1, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(out, NOTE_VKEY_BYTES_MAX, "%s", (const char *)bytes);
    size_t line_bytes = strcspn(out, "\n");
    out[line_bytes] = '\0';
    free(bytes);
    return bytes_count <= line_bytes + 1 ? err_none
                                         : err_make(ERR_KEY, "more than one line in key file");
}

static bool heads_read_key(struct verify_report *report, struct verify_shard *shard,
                           const char *given, struct note_vkey *out)
{
    char path[DURABLE_PATH_BYTES + 16];
    char beside[NOTE_VKEY_BYTES_MAX] = "";
    char text[NOTE_VKEY_BYTES_MAX] = "";
    (void)snprintf(path, sizeof path, "%s/vkey", shard->path);
    struct err err =
        access(path, F_OK) == 0 ? heads_key_text(path, beside) : err_make(ERR_NOT_FOUND, "");
    if (err_is(err)) {
        verify_problem(report, "%s: missing or unreadable", path);
    }
    shard->key_was_given = given != NULL;
    if (given != NULL) {
        err = heads_key_text(given, text);
    } else {
        memcpy(text, beside, sizeof text);
    }
    if (err_is(err) || !note_vkey_decode(text, out)) {
        verify_problem(report, "%s: no readable verifier key", given != NULL ? given : path);
        return false;
    }
    if (given != NULL && beside[0] != '\0' && strcmp(beside, text) != 0) {
        verify_problem(report, "%s: is not the key that you gave", path);
    }
    memcpy(shard->origin, out->name, sizeof shard->origin);
    return true;
}

static bool heads_open(struct verify_report *report, const char *path, const struct note_vkey *vkey,
                       struct checkpoint *out)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct err err = durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        verify_problem(report, "%s: missing or unreadable", path);
        return false;
    }
    enum note_fault fault = checkpoint_open((const char *)text, text_bytes, vkey, out);
    free(text);
    if (fault != NOTE_GOOD) {
        verify_problem(report, "%s: %s", path, note_fault_text(fault));
        return false;
    }
    return true;
}

static struct err heads_add(struct verify_heads *self, const struct checkpoint *checkpoint)
{
    if (self->count == self->capacity) {
        uint64_t grown_count = self->capacity == 0 ? 256 : self->capacity * 2;
        struct verify_head *grown = reallocarray(self->heads, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "heads_add");
        }
        self->heads = grown;
        self->capacity = grown_count;
    }
    struct verify_head *head = &self->heads[self->count++];
    head->size = checkpoint->size;
    memcpy(head->root, checkpoint->root, HASH_BYTES);
    return err_none;
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

static struct err heads_read_copy(struct verify_heads *self, struct verify_report *report,
                                  const char *folder, const char *name)
{
    char path[2 * DURABLE_PATH_BYTES];
    struct checkpoint checkpoint;
    uint64_t size = 0;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".tmp") == 0) {
        return err_none; /* a copy that is being written */
    }
    const char *ending = strstr(name, ".cosigned"); /* the same checkpoint with witnesses' lines */
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%.*s",
                   ending != NULL && strcmp(ending, ".cosigned") == 0 ? (int)(ending - name) : 23,
                   name);
    if (!heads_parse_size(digits, &size) || self->count == HEADS_MAX) {
        verify_problem(report, "%s: does not belong here", path);
        return err_none;
    }
    if (!heads_open(report, path, &self->vkey, &checkpoint)) {
        return err_none;
    }
    if (checkpoint.size != size) {
        verify_problem(report, "%s: is a checkpoint of %" PRIu64 " entries", path, checkpoint.size);
    }
    return heads_add(self, &checkpoint);
}

static struct err heads_read_copies(struct verify_heads *self, struct verify_report *report,
                                    const char *shard_path)
{
    char folder[DURABLE_PATH_BYTES + 16];
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", shard_path);
    DIR *listing = opendir(folder);
    if (listing == NULL) {
        verify_warning(report, "%s: missing: earlier tree heads are not checked", folder);
        return err_none;
    }
    struct err err = err_none;
    for (const struct dirent *name = readdir(listing); name != NULL && !err_is(err);
         name = readdir(listing)) {
        if (name->d_name[0] != '.') {
            err = heads_read_copy(self, report, folder, name->d_name);
        }
    }
    (void)closedir(listing);
    return err;
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
                             const char *vkey, struct verify_heads *out, bool *usable)
{
    char path[DURABLE_PATH_BYTES + 32];
    struct checkpoint checkpoint;
    memset(out, 0, sizeof *out);
    *usable = heads_read_key(report, shard, vkey, &out->vkey);
    if (!*usable) {
        return err_none;
    }
    struct err err = heads_read_copies(out, report, shard->path);
    if (err_is(err)) {
        verify_heads_fini(out);
        return err;
    }
    (void)snprintf(path, sizeof path, "%s/checkpoint.cosigned", shard->path);
    if (access(path, F_OK) == 0 && heads_open(report, path, &out->vkey, &checkpoint)) {
        err = heads_add(out, &checkpoint);
    }
    if (err_is(err)) {
        verify_heads_fini(out);
        return err;
    }
    (void)snprintf(path, sizeof path, "%s/checkpoint", shard->path);
    bool has_checkpoint = heads_open(report, path, &out->vkey, &checkpoint);
    if (out->count > 0) {
        qsort(out->heads, out->count, sizeof *out->heads, heads_compare);
    }
    *usable = heads_find_newest(out, report, path, has_checkpoint, &checkpoint);
    if (*usable) {
        shard->checkpoints = out->count + has_checkpoint;
        shard->size = out->newest.size;
        memcpy(shard->root, out->newest.root, HASH_BYTES);
    }
    return err_none;
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

void verify_heads_meet(struct verify_heads *self, uint64_t size, const uint8_t root[HASH_BYTES])
{
    for (; self->met < self->count && self->heads[self->met].size <= size; self->met++) {
        const struct verify_head *head = &self->heads[self->met];
        if (head->size == size && !hash_equal(head->root, root)) {
            self->first_differing = self->differing == 0 ? size : self->first_differing;
            self->differing++;
        }
    }
}

void verify_heads_finish(struct verify_heads *self, struct verify_report *report, const char *path)
{
    if (self->differing > 0) {
        verify_problem(report,
                       "%s/checkpoints/%" PRIu64
                       ": root is not that of the entries (first of %" PRIu64 ")",
                       path, self->first_differing, self->differing);
    }
}
