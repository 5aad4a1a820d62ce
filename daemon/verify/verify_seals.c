/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_seals.h"

#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/durable.h"
#include "base/tile_files.h"
#include "proto/merkle.h"
#include "verify/verify_file.h"
#include "verify/verify_progress.h"
#include "verify/verify_tile.h"

#define SEALS_PIECE_BYTES ((size_t)1 << 20)

/* Paths come out of the log: they must stay below the archive directory. */
static bool seals_path_is_plain(const char *path)
{
    return path[0] != '\0' && path[0] != '/' && strstr(path, "..") == NULL;
}

static bool seals_hash_file(const char *path, uint64_t *file_bytes, uint8_t sha256[HASH_BYTES])
{
    enum verify_read read = READ_GOOD;
    *file_bytes = 0;
    int fd = verify_file_open(path, file_bytes, &read);
    uint8_t *piece = malloc(SEALS_PIECE_BYTES);
    bool good = fd >= 0 && piece != NULL;
    struct sha256 *hash = sha256_open();
    for (uint64_t at = 0; good && at < *file_bytes; at += SEALS_PIECE_BYTES) {
        uint64_t left = *file_bytes - at;
        size_t count = left < SEALS_PIECE_BYTES ? (size_t)left : SEALS_PIECE_BYTES;
        good = !err_is(durable_read_at(fd, piece, count, at));
        sha256_add(hash, piece, good ? count : 0);
    }
    sha256_finish(hash, sha256);
    sha256_close(&hash);
    free(piece);
    if (fd >= 0) {
        (void)close(fd); /* read only: nothing can be lost here */
    }
    return good;
}

/* Every entry of the file against the leaf of the tree. */
static void seals_check_entries(struct verify_report *report, struct verify_shard *shard,
                                const struct verify_seal *seal, struct archive_file *file)
{
    struct verify_leaves leaves;
    verify_leaves_init(&leaves, shard);
    for (uint64_t i = seal->first_index; i <= seal->last_index; i++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        uint8_t in_file[HASH_BYTES];
        uint8_t in_log[HASH_BYTES];
        if (err_is(archive_file_entry(file, i, &bytes, &bytes_count)) ||
            !verify_leaves_at(&leaves, i - shard->first_n, in_log)) {
            verify_problem(report,
                           "archive/%s: entry %" PRIu64 " is missing in the file or in the log",
                           seal->path, i);
            break;
        }
        merkle_leaf(bytes, bytes_count, in_file);
        if (!hash_equal(in_file, in_log)) {
            verify_problem(report, "archive/%s: entry %" PRIu64 " is not the one in the log",
                           seal->path, i);
            break;
        }
        shard->archive_entries++;
    }
    verify_leaves_fini(&leaves);
}

/* The root that the file states, against that of the log's tree at this size: then the subtrees
 * before the file are the log's, too. A file of before has none. */
static struct err seals_check_root(struct verify_report *report, const struct verify_shard *shard,
                                   const struct verify_seal *seal, struct archive_file *file)
{
    struct archive_tree_end end;
    uint8_t root[HASH_BYTES];
    struct err err = archive_file_tree(file, &end);
    if (err.code == ERR_NOT_FOUND) {
        return err_none;
    }
    struct tile_files *tiles = calloc(1, sizeof *tiles); /* 64 KB */
    if (tiles == NULL) {
        return err_make(ERR_MEMORY, "verify_seals"); /* says nothing of the file */
    }
    bool good = !err_is(err) && end.first_n == shard->first_n &&
                end.size == seal->last_index + 1 - shard->first_n && end.size <= shard->size &&
                tile_files_init(tiles, shard->path, shard->size) &&
                merkle_root(tile_files_hash, tiles, end.size, root) && hash_equal(root, end.root);
    free(tiles);
    if (!good) {
        verify_problem(report, "archive/%s: tree_root is not the root of the log's tree there",
                       seal->path);
    }
    return err_none;
}

static struct err seals_check_inside(struct verify_report *report, struct verify_shard *shard,
                                     const struct verify_seal *seal, struct archive_file *file)
{
    struct archive_summary summary;
    uint64_t images_checked = 0;
    uint64_t entries_checked = 0;
    char bad_path[128] = "";
    struct err err = archive_file_summary(file, &summary);
    if (!err_is(err)) {
        err = archive_file_check(file, &images_checked, &entries_checked, bad_path);
    }
    shard->archive_images += images_checked;
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        verify_problem(report, "archive/%s: %s", seal->path, err_text(err, text));
        return err_none;
    }
    if (bad_path[0] != '\0') {
        verify_problem(report, "archive/%s: %s is not what its digest says", seal->path, bad_path);
    }
    if (summary.first_index != seal->first_index || summary.last_index != seal->last_index ||
        strcmp(summary.origin, shard->origin) != 0) {
        verify_problem(report,
                       "archive/%s: holds entries %" PRIu64 "..%" PRIu64
                       " of %s, the seal says %" PRIu64 "..%" PRIu64,
                       seal->path, summary.first_index, summary.last_index, summary.origin,
                       seal->first_index, seal->last_index);
        return err_none;
    }
    seals_check_entries(report, shard, seal, file);
    return seals_check_root(report, shard, seal, file);
}

static struct err seals_check_file(struct verify_report *report, struct verify_shard *shard,
                                   const struct verify_seal *seal, const char *archive_directory)
{
    char path[DURABLE_PATH_BYTES + sizeof seal->path];
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes = 0;
    struct archive_file *file = NULL;
    if (!seals_path_is_plain(seal->path)) {
        verify_problem(report, "entry %" PRIu64 ": seal of the path '%s'", seal->entry_index,
                       seal->path);
        return err_none;
    }
    (void)snprintf(path, sizeof path, "%s/%s", archive_directory, seal->path);
    if (!seals_hash_file(path, &file_bytes, sha256)) {
        verify_problem(report, "archive/%s: missing or unreadable (sealed by entry %" PRIu64 ")",
                       seal->path, seal->entry_index);
        return err_none;
    }
    if (file_bytes != seal->file_bytes || !hash_equal(sha256, seal->sha256)) {
        verify_problem(report, "archive/%s: %s is not that of its seal in entry %" PRIu64,
                       seal->path, file_bytes != seal->file_bytes ? "length" : "SHA-256",
                       seal->entry_index);
        return err_none;
    }
    struct err err = archive_file_open(path, &file);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        verify_problem(report, "archive/%s: %s", seal->path, err_text(err, text));
        return err_none;
    }
    shard->archive_files++;
    err = seals_check_inside(report, shard, seal, file);
    archive_file_close(&file);
    return err;
}

/* The shard of the sealed entries: a seal may lie in the one after it. */
static struct verify_shard *seals_shard_of(struct verify_report *report,
                                           const struct verify_seal *seal)
{
    for (uint32_t i = 0; i < report->shards_count; i++) {
        struct verify_shard *shard = &report->shards[i];
        if (seal->first_index >= shard->first_n &&
            seal->first_index - shard->first_n < shard->size) {
            return shard;
        }
    }
    return NULL;
}

struct err verify_seals(struct verify_report *report, struct verify_shard *last,
                        const struct verify_story *story, const char *archive_directory,
                        bool progress)
{
    uint64_t count = 0;
    struct verify_progress bar;
    struct err err = err_none;
    const struct verify_seal *seals = verify_story_seals(story, &count);
    (void)verify_report_step(report, STEP_archive);
    if (archive_directory == NULL) {
        last->seals_unchecked = count;
        if (count > 0) {
            verify_warning(report,
                           "%s: %" PRIu64 " sealed archive files are not here and were not checked",
                           last->path, count);
        }
        return err_none;
    }
    verify_progress_init(&bar, progress, last->origin, "archive files", count);
    for (uint64_t i = 0; i < count && !err_is(err); i++) {
        struct verify_shard *shard = seals_shard_of(report, &seals[i]);
        if (shard == NULL) {
            verify_warning(report,
                           "archive/%s: not checked, the shard of its entries %" PRIu64 "..%" PRIu64
                           " is not here",
                           seals[i].path, seals[i].first_index, seals[i].last_index);
        } else {
            err = seals_check_file(report, shard, &seals[i], archive_directory);
        }
        verify_progress_show(&bar, i + 1);
    }
    verify_progress_end(&bar);
    return err;
}

static bool seals_names(const char (*sealed)[160], uint64_t sealed_count, const char *below)
{
    for (uint64_t i = 0; i < sealed_count; i++) {
        if (strcmp(sealed[i], below) == 0) {
            return true;
        }
    }
    return false;
}

/* A crash between the name and the seal leaves one such file; the next start builds it again and
 * seals it. */
void verify_unsealed(struct verify_report *report, const char *archive_directory,
                     const char (*sealed)[160], uint64_t sealed_count)
{
    char root[DURABLE_PATH_BYTES + 16];
    (void)verify_report_step(report, STEP_archive);
    (void)snprintf(root, sizeof root, "%s", archive_directory);
    char *const roots[] = {root, NULL};
    size_t root_bytes = strlen(root);
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL;
         found = fts_read(walk)) {
        size_t name_bytes = found->fts_namelen;
        bool is_file = found->fts_info == FTS_F && name_bytes > 3 &&
                       strcmp(found->fts_name + name_bytes - 3, ".h5") == 0;
        const char *below = found->fts_path + root_bytes + 1;
        if (is_file && found->fts_pathlen > root_bytes + 1 &&
            !seals_names(sealed, sealed_count, below)) {
            verify_warning(report, "archive/%s: no entry seals it", below);
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
}
