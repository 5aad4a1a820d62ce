/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_keys.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "verify/verify_checkpoints.h"
#include "verify/verify_file.h"

/* Files of keys lie in the copy and can be forged like everything in it. They are believed only as
 * far as the signed log agrees: where a change of the key is claimed, both keys must have signed
 * one checkpoint, and the entry that this checkpoint brings into the log must name both. */

bool verify_keys_text(const char *given, char out[NOTE_VKEY_BYTES_MAX])
{
    struct verify_file file = {.bytes = NULL};
    enum verify_read read = verify_file_read(&file, given, NOTE_VKEY_BYTES_MAX - 1);
    out[0] = '\0';
    if (read == READ_MISSING || read == READ_GOOD) {
        const char *text = read == READ_GOOD ? (const char *)file.bytes : given;
        (void)snprintf(out, NOTE_VKEY_BYTES_MAX, "%s", text);
    }
    size_t line_bytes = strcspn(out, "\n");
    bool one_line = read == READ_MISSING || file.bytes_count <= line_bytes + 1;
    out[line_bytes] = '\0';
    verify_file_fini(&file);
    return one_line && (read == READ_MISSING || read == READ_GOOD);
}

/* ---- the files ---- */

static bool keys_parse_size(const char *name, uint64_t *size)
{
    return note_decimal_read(name, strlen(name), size) && *size < UINT64_MAX;
}

/* In the order of their sizes. */
static void keys_insert(struct verify_keys *self, uint64_t until, const struct note_vkey *vkey)
{
    uint32_t at = self->count++;
    for (; at > 0 && self->until[at - 1] > until; at--) {
        self->until[at] = self->until[at - 1];
        self->vkeys[at] = self->vkeys[at - 1];
    }
    self->until[at] = until;
    self->vkeys[at] = *vkey;
}

static void keys_read_old(struct verify_keys *self, struct verify_report *report,
                          const struct verify_shard *shard)
{
    char folder[DURABLE_PATH_BYTES + 16];
    (void)snprintf(folder, sizeof folder, "%s/vkeys", shard->path);
    DIR *listing = opendir(folder);
    for (const struct dirent *name; listing != NULL && (name = readdir(listing)) != NULL;) {
        char path[2 * DURABLE_PATH_BYTES];
        char text[NOTE_VKEY_BYTES_MAX];
        struct note_vkey vkey;
        uint64_t size = 0;
        if (!keys_parse_size(name->d_name, &size)) {
            continue; /* the list of files tells of it */
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, name->d_name);
        if (self->count == VERIFY_KEYS_MAX - 1) {
            verify_problem(report, "%s: more than %u keys", folder, VERIFY_KEYS_MAX - 1);
            break;
        }
        if (!verify_keys_text(path, text) || !note_vkey_decode(text, &vkey)) {
            verify_problem(report, "%s: no readable verifier key", path);
            continue;
        }
        keys_insert(self, size, &vkey);
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
}

static bool keys_is_here(const struct verify_keys *self, const struct note_vkey *vkey)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->vkeys[i].name, vkey->name) == 0 &&
            memcmp(self->vkeys[i].public_key, vkey->public_key, SIGN_PUBLIC_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

bool verify_keys_read(struct verify_report *report, struct verify_shard *shard, const char *given,
                      struct verify_keys *out, bool *given_is_here)
{
    char path[DURABLE_PATH_BYTES + 16];
    char text[NOTE_VKEY_BYTES_MAX] = "";
    struct note_vkey beside;
    struct note_vkey wanted;
    memset(out, 0, sizeof *out);
    *given_is_here = false;
    (void)snprintf(path, sizeof path, "%s/vkey", shard->path);
    bool has_beside =
        access(path, F_OK) == 0 && verify_keys_text(path, text) && note_vkey_decode(text, &beside);
    if (!has_beside) {
        verify_problem(report, "%s: missing, or no readable verifier key", path);
    }
    bool has_wanted =
        given != NULL && verify_keys_text(given, text) && note_vkey_decode(text, &wanted);
    if (!has_beside && !has_wanted) {
        return false;
    }
    keys_insert(out, UINT64_MAX, has_beside ? &beside : &wanted);
    keys_read_old(out, report, shard);
    *given_is_here = has_wanted && keys_is_here(out, &wanted);
    shard->key_was_given = given != NULL;
    const struct note_vkey *last = &out->vkeys[out->count - 1];
    memcpy(shard->origin, last->name, sizeof shard->origin);
    shard->key_id = last->key_id;
    return true;
}

/* ---- checkpoints ---- */

const char *verify_keys_check(const struct verify_keys *self, const char *text, size_t text_bytes,
                              struct checkpoint *out)
{
    char own[NOTE_BYTES_MAX + 1];
    size_t own_bytes = 0;
    size_t signed_bytes = 0;
    size_t lines_at = 0;
    uint32_t lines = 0;
    uint32_t at = 0;
    struct checkpoint checkpoint;
    if (!checkpoint_split(text, text_bytes, &checkpoint, &signed_bytes, &lines_at) ||
        !checkpoint_strip(text, text_bytes, own, &own_bytes, &lines)) {
        return note_fault_text(NOTE_MALFORMED);
    }
    while (self->until[at] < checkpoint.size) {
        at++; /* the last one is for every size */
    }
    enum note_fault fault = checkpoint_open(text, text_bytes, &self->vkeys[at], &checkpoint);
    if (fault != NOTE_GOOD) {
        return note_fault_text(fault);
    }
    bool changes = self->until[at] == checkpoint.size;
    if (changes &&
        checkpoint_open(text, text_bytes, &self->vkeys[at + 1], &checkpoint) != NOTE_GOOD) {
        return "the key that comes after it did not sign it";
    }
    if (lines != (changes ? 2u : 1u)) {
        return "somebody else signed it in the name of the log";
    }
    *out = checkpoint;
    return NULL;
}

/* ---- entries ---- */

void verify_keys_rotate(struct verify_keys *self, struct verify_report *report, uint64_t index,
                        const struct entry_key_rotate *rotate)
{
    if (self->rotations_count == VERIFY_KEYS_MAX) {
        verify_problem(report, "more than %u key.rotate entries", VERIFY_KEYS_MAX);
        return;
    }
    struct verify_rotation *rotation = &self->rotations[self->rotations_count++];
    rotation->index = index;
    (void)snprintf(rotation->old_vkey, sizeof rotation->old_vkey, "%s", rotate->old_vkey);
    (void)snprintf(rotation->new_vkey, sizeof rotation->new_vkey, "%s", rotate->new_vkey);
}

/* The largest signed size below this one. */
static uint64_t keys_size_before(const struct verify_heads *heads, uint64_t size)
{
    uint64_t before = 0;
    for (uint64_t i = 0; i < heads->count; i++) {
        if (heads->heads[i].size < size && heads->heads[i].size > before) {
            before = heads->heads[i].size;
        }
    }
    return before;
}

static void keys_finish_one(const struct verify_keys *self, struct verify_report *report,
                            const struct verify_shard *shard, const struct verify_heads *heads,
                            uint32_t change)
{
    char old_vkey[NOTE_VKEY_BYTES_MAX];
    char new_vkey[NOTE_VKEY_BYTES_MAX];
    uint64_t until = self->until[change];
    if (change >= self->rotations_count) {
        verify_problem(report,
                       "%s/vkeys/%" PRIu64 ": no key.rotate entry tells of this change of the key",
                       shard->path, until);
        return;
    }
    const struct verify_rotation *rotation = &self->rotations[change];
    note_vkey_encode(&self->vkeys[change], old_vkey);
    note_vkey_encode(&self->vkeys[change + 1], new_vkey);
    if (strcmp(rotation->old_vkey, old_vkey) != 0 || strcmp(rotation->new_vkey, new_vkey) != 0) {
        verify_problem(report,
                       "%s/vkeys/%" PRIu64 ": entry %" PRIu64 " goes from another key, or to one",
                       shard->path, until, shard->first_n + rotation->index);
    }
    if (rotation->index >= until || rotation->index < keys_size_before(heads, until)) {
        verify_problem(report,
                       "%s/checkpoints/%" PRIu64 ": is not the first one that covers entry %" PRIu64
                       ", which changes the key",
                       shard->path, until, shard->first_n + rotation->index);
    }
}

void verify_keys_finish(const struct verify_keys *self, struct verify_report *report,
                        const struct verify_shard *shard, const struct verify_heads *heads)
{
    (void)verify_report_step(report, STEP_key);
    for (uint32_t i = 0; i + 1 < self->count; i++) {
        if (self->until[i] > shard->size) {
            verify_problem(report, "%s/vkeys/%" PRIu64 ": is of a size that the log does not have",
                           shard->path, self->until[i]);
        } else {
            keys_finish_one(self, report, shard, heads, i);
        }
    }
    for (uint32_t i = self->count - 1; i < self->rotations_count; i++) {
        verify_problem(report, "entry %" PRIu64 ": key.rotate, but the old key signs on",
                       shard->first_n + self->rotations[i].index);
    }
}
