/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_quorum.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/tile_files.h"
#include "proto/cosignature.h"
#include "proto/entry.h"

/* The bundles are read once more for the receipts: who asks for a quorum gets a check that leans on
 * nothing but the tree. */

#define COSIGNED_ENDING ".cosigned"

struct quorum_walk {
    struct verify_report *report;
    struct verify_shard *shard;
    const struct quorum *quorum;
    struct tile_files *tiles;
    struct arena arena;
};

struct err verify_quorum_read(const char *path, struct quorum *out, char *why)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    uint32_t line = 0;
    struct err err = durable_read(path, QUORUM_FILE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        (void)snprintf(why, VERIFY_LINE_BYTES, "%.200s: cannot be read", path);
        return err_make(ERR_CONF_INVALID, "quorum file");
    }
    enum quorum_fault fault = quorum_read((const char *)text, text_bytes, out, &line);
    free(text);
    if (fault != QUORUM_GOOD) {
        (void)snprintf(why, VERIFY_LINE_BYTES, "%.200s: line %" PRIu32 ": %s", path, line,
                       quorum_fault_text(fault));
        return err_make(ERR_CONF_INVALID, "quorum file");
    }
    return err_none;
}

/* Is this the tree's own root at that size? */
static bool walk_has_root(struct quorum_walk *walk, uint64_t size, const uint8_t root[HASH_BYTES])
{
    uint8_t own[HASH_BYTES];
    return size <= walk->shard->size && merkle_root(tile_files_hash, walk->tiles, size, own) &&
           hash_equal(own, root);
}

static void walk_take_newest(struct quorum_walk *walk, const struct quorum_tally *tally)
{
    struct verify_quorum_result *result = &walk->shard->quorum;
    if (result->cosigned > 1 && tally->checkpoint.size < result->size) {
        return;
    }
    result->size = tally->checkpoint.size;
    for (uint32_t i = 0; i < walk->quorum->witnesses_count; i++) {
        result->times_s[i] = tally->votes[i] == QUORUM_SIGNED ? tally->times_s[i] : 0;
    }
}

/* One file that may hold a cosigned checkpoint; *met tells whether it meets the quorum. */
static struct err walk_file(struct quorum_walk *walk, const char *path, bool *met)
{
    uint8_t *note = NULL;
    size_t note_bytes = 0;
    struct quorum_tally tally;
    *met = false;
    struct err err = durable_read(path, NOTE_BYTES_MAX, &note, &note_bytes);
    if (err_is(err)) {
        verify_problem(walk->report, "%s: missing or unreadable", path);
        return err.code == ERR_MEMORY ? err : err_none;
    }
    enum quorum_verdict verdict =
        quorum_judge(walk->quorum, (const char *)note, note_bytes, &tally);
    free(note);
    if (verdict == QUORUM_MISSED) {
        return err_none;
    }
    if (verdict != QUORUM_MET) {
        verify_problem(walk->report, "%s: %s", path, quorum_verdict_text(verdict));
    } else if (strcmp(tally.checkpoint.origin, walk->shard->origin) != 0) {
        verify_problem(walk->report, "%s: of another log", path);
    } else if (!walk_has_root(walk, tally.checkpoint.size, tally.checkpoint.root)) {
        verify_problem(walk->report,
                       "%s: witnesses have cosigned a tree of %" PRIu64
                       " entries that this log does not have",
                       path, tally.checkpoint.size);
    } else {
        *met = true;
        walk->shard->quorum.cosigned++;
        walk_take_newest(walk, &tally);
    }
    return err_none;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t name_bytes = strlen(name);
    size_t ending_bytes = strlen(ending);
    return name_bytes > ending_bytes && strcmp(name + name_bytes - ending_bytes, ending) == 0;
}

static struct err walk_copies(struct quorum_walk *walk)
{
    char folder[DURABLE_PATH_BYTES + 16];
    uint64_t missed = 0;
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", walk->shard->path);
    DIR *listing = opendir(folder);
    if (listing == NULL) {
        return err_none; /* told of already */
    }
    struct err err = err_none;
    for (const struct dirent *name = readdir(listing); name != NULL && !err_is(err);
         name = readdir(listing)) {
        char path[2 * DURABLE_PATH_BYTES];
        bool met = true;
        (void)snprintf(path, sizeof path, "%s/%s", folder, name->d_name);
        if (ends_with(name->d_name, COSIGNED_ENDING)) {
            err = walk_file(walk, path, &met);
        }
        missed += !met;
    }
    (void)closedir(listing);
    if (missed > 0) {
        verify_warning(walk->report, "%s: %" PRIu64 " cosigned checkpoints do not meet this quorum",
                       folder, missed);
    }
    return err;
}

/* The newest of all: what a reader is to believe. */
static struct err walk_newest(struct quorum_walk *walk)
{
    static const char *const names[] = {"checkpoint", "checkpoint" COSIGNED_ENDING};
    char path[DURABLE_PATH_BYTES + 32];
    struct err err = err_none;
    for (size_t i = 0; i < 2 && !err_is(err); i++) {
        bool met = false;
        (void)snprintf(path, sizeof path, "%s/%s", walk->shard->path, names[i]);
        FILE *there = fopen(path, "rb");
        if (there != NULL) {
            (void)fclose(there);
            err = walk_file(walk, path, &met);
        }
    }
    const struct verify_quorum_result *result = &walk->shard->quorum;
    if (err_is(err)) {
        return err;
    }
    if (result->cosigned == 0) {
        verify_problem(walk->report, "%s: no checkpoint meets the quorum", walk->shard->path);
    } else if (result->size < walk->shard->size) {
        verify_warning(walk->report,
                       "%s: the last %" PRIu64
                       " entries came after the newest checkpoint that meets the quorum",
                       walk->shard->path, walk->shard->size - result->size);
    }
    return err_none;
}

/* The line against the checkpoint it names: its three lines follow from the receipt. */
static const char *receipt_fault(struct quorum_walk *walk, const struct entry *entry,
                                 uint64_t leaf_index)
{
    const struct entry_witness_receipt *receipt = &entry->body.witness_receipt;
    char text[NOTE_BYTES_MAX];
    char root[HASH_BYTES * 2];
    struct note_signature line;
    char spelled[NOTE_LINE_BYTES_MAX];
    size_t at = 0;
    uint64_t time_s = 0;
    if (receipt->size > leaf_index || !walk_has_root(walk, receipt->size, receipt->root)) {
        return "is of a tree that this log did not have";
    }
    int line_bytes = snprintf(spelled, sizeof spelled, "%s\n", receipt->line);
    if (line_bytes < 0 || line_bytes >= (int)sizeof spelled ||
        !note_signature_next(spelled, (size_t)line_bytes, &at, &line) || at != (size_t)line_bytes) {
        return "holds no signature line";
    }
    base64_encode(receipt->root, HASH_BYTES, root);
    int bytes = snprintf(text, sizeof text, "%s\n%" PRIu64 "\n%s\n", walk->shard->origin,
                         receipt->size, root);
    for (uint32_t i = 0; i < walk->quorum->witnesses_count; i++) {
        const struct note_vkey *vkey = &walk->quorum->witnesses[i].vkey;
        if (strcmp(vkey->name, receipt->witness) == 0) {
            return cosignature_check(text, (size_t)bytes, &line, vkey, &time_s) == COSIGNATURE_GOOD
                       ? NULL
                       : "does not verify by the key of its witness";
        }
    }
    walk->shard->quorum.receipts_unknown++;
    return NULL;
}

static void walk_bundle(struct quorum_walk *walk, const uint8_t *bundle, size_t bundle_bytes,
                        uint64_t leaf_index)
{
    size_t offset = 0;
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    for (; bundle_next(bundle, bundle_bytes, &offset, &bytes, &bytes_count); leaf_index++) {
        struct entry entry;
        arena_reset(&walk->arena);
        if (entry_decode(bytes, bytes_count, &walk->arena, &entry) != ENTRY_GOOD ||
            entry.type != ENTRY_WITNESS_RECEIPT) {
            continue; /* what cannot be read was reported by the walk of the tree */
        }
        const char *fault = receipt_fault(walk, &entry, leaf_index);
        walk->shard->quorum.receipts++;
        if (fault != NULL) {
            verify_problem(walk->report, "entry %" PRIu64 ": the receipt of witness %.100s %s",
                           entry.n, entry.body.witness_receipt.witness, fault);
        }
    }
}

static struct err walk_receipts(struct quorum_walk *walk)
{
    uint64_t size = walk->shard->size;
    for (uint64_t index = 0; index * TILE_WIDTH < size; index++) {
        char name[TILE_PATH_BYTES_MAX];
        char path[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX];
        uint8_t *bundle = NULL;
        size_t bundle_bytes = 0;
        uint64_t left = size - index * TILE_WIDTH;
        bundle_path(index, 0, name);
        (void)snprintf(path, sizeof path, "%s/%s", walk->shard->path, name);
        struct err err = durable_read(path, BUNDLE_BYTES_MAX, &bundle, &bundle_bytes);
        if (err_is(err) && left < TILE_WIDTH) {
            bundle_path(index, (uint32_t)left, name);
            (void)snprintf(path, sizeof path, "%s/%s", walk->shard->path, name);
            err = durable_read(path, BUNDLE_BYTES_MAX, &bundle, &bundle_bytes);
        }
        if (err.code == ERR_MEMORY) {
            return err;
        }
        if (!err_is(err)) { /* a missing one was reported by the walk of the tree */
            walk_bundle(walk, bundle, bundle_bytes, index * TILE_WIDTH);
            free(bundle);
        }
    }
    return err_none;
}

/* ---- also without a quorum: a cosigned checkpoint is a checkpoint of the log ---- */

static struct err head_read(struct verify_report *report, const char *path, uint64_t size,
                            struct verify_heads *heads)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct checkpoint checkpoint;
    struct err err = durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        verify_problem(report, "%s: missing or unreadable", path);
        return err.code == ERR_MEMORY ? err : err_none;
    }
    const char *fault =
        verify_keys_check(&heads->keys, (const char *)text, text_bytes, &checkpoint);
    free(text);
    if (fault != NULL) {
        verify_problem(report, "%s: %s", path, fault);
        return err_none;
    }
    if (size != UINT64_MAX && checkpoint.size != size) {
        verify_problem(report, "%s: is a checkpoint of %" PRIu64 " entries", path, checkpoint.size);
    }
    struct verify_head head = {.size = checkpoint.size};
    memcpy(head.root, checkpoint.root, HASH_BYTES);
    return verify_heads_add(heads, &head);
}

struct err verify_quorum_heads(struct verify_report *report, const struct verify_shard *shard,
                               struct verify_heads *heads)
{
    char folder[DURABLE_PATH_BYTES + 32];
    struct err err = err_none;
    (void)snprintf(folder, sizeof folder, "%s/checkpoint" COSIGNED_ENDING, shard->path);
    if (access(folder, F_OK) == 0) {
        err = head_read(report, folder, UINT64_MAX, heads);
    }
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", shard->path);
    DIR *listing = opendir(folder);
    for (const struct dirent *name;
         !err_is(err) && listing != NULL && (name = readdir(listing)) != NULL;) {
        char path[2 * DURABLE_PATH_BYTES];
        char *end = NULL;
        uint64_t size = strtoull(name->d_name, &end, 10);
        (void)snprintf(path, sizeof path, "%s/%s", folder, name->d_name);
        if (end != name->d_name && strcmp(end, COSIGNED_ENDING) == 0) {
            err = head_read(report, path, size, heads);
        }
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
    return err;
}

struct err verify_quorum(struct verify_report *report, struct verify_shard *shard,
                         const struct quorum *quorum)
{
    struct quorum_walk walk = {.report = report, .shard = shard, .quorum = quorum};
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES);
    walk.tiles = malloc(sizeof *walk.tiles);
    struct err err =
        memory == NULL || walk.tiles == NULL ? err_make(ERR_MEMORY, "verify_quorum") : err_none;
    enum verify_step step = verify_report_step(report, STEP_witnesses);
    shard->quorum.asked = true;
    shard->quorum.witnesses_count = quorum->witnesses_count;
    for (uint32_t i = 0; i < quorum->witnesses_count; i++) {
        memcpy(shard->quorum.witnesses[i], quorum->witnesses[i].vkey.name,
               sizeof shard->quorum.witnesses[i]);
    }
    if (!err_is(err)) {
        bool fits = tile_files_init(walk.tiles, shard->path, shard->size);
        must(fits); /* verify_find left room */
        arena_init(&walk.arena, memory, ENTRY_ARENA_BYTES);
        err = walk_copies(&walk);
    }
    if (!err_is(err)) {
        err = walk_newest(&walk);
    }
    if (!err_is(err)) {
        err = walk_receipts(&walk);
    }
    if (!err_is(err) && shard->quorum.receipts_unknown > 0) {
        verify_warning(report,
                       "%s: %" PRIu64 " receipts are of witnesses that the quorum does not name",
                       shard->path, shard->quorum.receipts_unknown);
    }
    (void)verify_report_step(report, step);
    free(walk.tiles);
    free(memory);
    return err;
}
