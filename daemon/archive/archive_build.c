/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive.h"

#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive_rows.h"
#include "archive/archive_write.h"
#include "archive/h5.h"
#include "base/clock.h"
#include "base/durable.h"

/* HDF5 syncs nothing and a killed writer's file is lost whole, so a file is never touched again
 * once it is closed: it is built beside its name, synced, read back from the disk, and only then
 * named. Whatever goes wrong, the part file goes; the log and the blobs can make it again. */

#define ARCHIVE_ORIGIN_IN_NAME 90u /* keeps the path within archive_result */
#define ARCHIVE_HASH_PIECE_BYTES ((size_t)1 << 20)

struct archive_names {
    char below[160]; /* "2026/09/21/<origin>-<first>-<last>.h5" */
    char full[DURABLE_PATH_BYTES];
    char part[DURABLE_PATH_BYTES];
    char directory[DURABLE_PATH_BYTES];
};

static struct err archive_collect(struct archive_rows *rows, archive_next next, void *source)
{
    struct archive_entry entry;
    struct err err = err_none;
    while (next(source, &entry, &err)) {
        err = archive_rows_add(rows, &entry);
        if (err_is(err)) {
            return err;
        }
    }
    if (!err_is(err) && rows->entries_count == 0) {
        err = err_make(ERR_ARGUMENT, "archive range without entries");
    }
    return err;
}

/* The day is that of the first entry; the origin keeps letters, digits, dots, hyphens. */
static struct err archive_name(const struct archive_conf *conf, const struct archive_rows *rows,
                               struct archive_names *names)
{
    char origin[ARCHIVE_ORIGIN_IN_NAME + 1];
    char day[CLOCK_DAY_BYTES];
    (void)snprintf(origin, sizeof origin, "%s", conf->origin);
    for (char *c = origin; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || (*c == '.' && c != origin);
        if (!plain) {
            *c = '_';
        }
    }
    clock_day_text(rows->first_t_ns, day);
    (void)snprintf(names->below, sizeof names->below, "%.4s/%.2s/%.2s/%s-%010llu-%010llu.h5", day,
                   day + 5, day + 8, origin, (unsigned long long)rows->first_index,
                   (unsigned long long)(rows->first_index + rows->entries_count - 1));
    int full_bytes =
        snprintf(names->full, sizeof names->full, "%s/%s", conf->directory, names->below);
    int part_bytes =
        snprintf(names->part, sizeof names->part, "%s/%s.part", conf->directory, names->below);
    (void)snprintf(names->directory, sizeof names->directory, "%s/%.10s", conf->directory,
                   names->below);
    bool fits = full_bytes > 0 && part_bytes > 0 && (size_t)part_bytes < sizeof names->part;
    return fits ? err_none : err_make(ERR_ARGUMENT, "archive path length");
}

/* ---- from part file to sealed file
 * ----------------------------------------------------------------------------------- */

/* Sync, make it read-only, and push its pages out of the cache: what is read back shall come from
 * the disk. */
static struct err archive_sync_part(const char *part)
{
    int fd = open(part, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_ARCHIVE_WRITE, "open part file");
    }
    struct stat status;
    struct err err = durable_sync(fd);
    if (!err_is(err) && (fstat(fd, &status) != 0 || fchmod(fd, status.st_mode & 0444) != 0)) {
        err = err_os(ERR_ARCHIVE_WRITE, "make part file read-only");
    }
    (void)posix_fadvise(
        fd, 0, 0, POSIX_FADV_DONTNEED); /* a wish: the check below is as good as the cache then */
    (void)close(fd);                    /* opened for reading: nothing can be lost here */
    return err;
}

static struct err archive_hash_file(const char *path, uint8_t sha256[HASH_BYTES],
                                    uint64_t *file_bytes)
{
    struct stat status = {.st_size = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_ARCHIVE_DIFFERS, "open archive file");
    }
    uint8_t *piece = malloc(ARCHIVE_HASH_PIECE_BYTES);
    struct err err = piece == NULL ? err_make(ERR_MEMORY, "archive_hash_file") : err_none;
    if (!err_is(err) && fstat(fd, &status) != 0) {
        err = err_os(ERR_ARCHIVE_DIFFERS, "stat archive file");
    }
    struct sha256 *hash = sha256_open();
    uint64_t total = err_is(err) ? 0 : (uint64_t)status.st_size;
    for (uint64_t at = 0; at < total && !err_is(err); at += ARCHIVE_HASH_PIECE_BYTES) {
        uint64_t left = total - at;
        size_t count = left < ARCHIVE_HASH_PIECE_BYTES ? (size_t)left : ARCHIVE_HASH_PIECE_BYTES;
        err = durable_read_at(fd, piece, count, at);
        if (!err_is(err)) {
            sha256_add(hash, piece, count);
        }
    }
    if (!err_is(err)) {
        sha256_finish(hash, sha256);
        *file_bytes = total;
    }
    sha256_close(&hash);
    free(piece);
    (void)close(fd);
    return err;
}

/* Every image and entry as it lies on the disk, against the entries that were put in. */
static struct err archive_check_part(const char *part, const struct archive_rows *rows,
                                     uint64_t images_count)
{
    struct archive_file *file = NULL;
    uint64_t images_checked = 0;
    uint64_t entries_checked = 0;
    char bad_path[128];
    struct err err = archive_file_open(part, &file);
    if (err_is(err)) {
        return err;
    }
    err = archive_file_check(file, &images_checked, &entries_checked, bad_path);
    bool whole = images_checked == images_count && entries_checked == rows->entries_count;
    if (!err_is(err) && (bad_path[0] != '\0' || !whole)) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "part file read back");
    }
    for (uint64_t i = 0; i < rows->entries_count && !err_is(err); i++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        uint64_t stated = rows->offsets[i + 1] - rows->offsets[i];
        err = archive_file_entry(file, rows->first_index + i, &bytes, &bytes_count);
        const uint8_t *put = rows->bytes + rows->offsets[i];
        if (!err_is(err) && (bytes_count != stated || memcmp(bytes, put, bytes_count) != 0)) {
            err = err_make(ERR_ARCHIVE_DIFFERS, "entry read back");
        }
    }
    archive_file_close(&file);
    return err;
}

/* A sealed file that is already there must be this very file. */
static struct err archive_give_name(const struct archive_names *names,
                                    const struct archive_result *result)
{
    uint8_t there[HASH_BYTES];
    uint64_t there_bytes = 0;
    if (access(names->full, F_OK) != 0) {
        return durable_rename(names->part, names->full);
    }
    struct err err = archive_hash_file(names->full, there, &there_bytes);
    if (!err_is(err) && (there_bytes != result->file_bytes || !hash_equal(there, result->sha256))) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "sealed file of this name holds something else");
    }
    return err_is(err) ? err : durable_remove(names->part);
}

static struct err archive_seal(const struct archive_conf *conf, const struct archive_rows *rows,
                               struct blob_store *blobs, const struct archive_names *names,
                               struct archive_result *result)
{
    struct err err = archive_write(conf, rows, blobs, names->part, &result->images_count);
    if (!err_is(err)) {
        err = archive_sync_part(names->part);
    }
    if (!err_is(err)) {
        err = archive_check_part(names->part, rows, result->images_count);
    }
    if (!err_is(err)) {
        err = archive_hash_file(names->part, result->sha256, &result->file_bytes);
    }
    return err_is(err) ? err : archive_give_name(names, result);
}

static struct err archive_build_rows(const struct archive_conf *conf,
                                     const struct archive_rows *rows, struct blob_store *blobs,
                                     struct archive_result *out)
{
    struct archive_names names;
    struct archive_result result = {.first_index = rows->first_index};
    struct err err = archive_name(conf, rows, &names);
    if (!err_is(err)) {
        err = durable_directory(names.directory, 0750);
    }
    if (!err_is(err)) {
        err = durable_remove_unsynced(names.part);
    }
    if (err_is(err)) {
        return err;
    }
    err = archive_seal(conf, rows, blobs, &names, &result);
    if (err_is(err)) {
        struct err removed = durable_remove_unsynced(names.part);
        (void)removed; /* the first error is the one to tell; a part file that stays is swept */
        return err;
    }
    result.last_index = rows->first_index + rows->entries_count - 1;
    memcpy(result.path, names.below, sizeof result.path);
    h5_version(result.hdf5_version);
    (void)snprintf(result.filters, sizeof result.filters,
                   conf->deflate_level > 0 ? "shuffle,deflate(%u),fletcher32" : "fletcher32",
                   conf->deflate_level);
    *out = result;
    return err_none;
}

struct err archive_build(const struct archive_conf *conf, struct blob_store *blobs,
                         archive_next next, void *source, struct archive_result *out)
{
    must(conf->deflate_level <= 9);
    struct archive_rows *rows = malloc(sizeof *rows);
    if (rows == NULL) {
        return err_make(ERR_MEMORY, "archive_build");
    }
    struct err err = archive_rows_init(rows, conf->pseudonym_key);
    if (!err_is(err)) {
        err = archive_collect(rows, next, source);
    }
    if (!err_is(err)) {
        err = archive_build_rows(conf, rows, blobs, out);
    }
    archive_rows_fini(rows);
    free(rows);
    if (err.code == ERR_IO) {
        err.code = ERR_ARCHIVE_WRITE;
    }
    return err;
}

static bool archive_is_part(const FTSENT *found)
{
    return found->fts_info == FTS_F && found->fts_namelen > 8 &&
           strcmp(found->fts_name + found->fts_namelen - 8, ".h5.part") == 0;
}

struct err archive_sweep(const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    int path_bytes = snprintf(path, sizeof path, "%s", directory);
    if (path_bytes < 0 || (size_t)path_bytes >= sizeof path) {
        return err_make(ERR_ARGUMENT, "archive path length");
    }
    char *const roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (walk == NULL) {
        return err_os(ERR_IO, "walk archive");
    }
    struct err err = err_none;
    for (FTSENT *found = fts_read(walk); found != NULL && !err_is(err); found = fts_read(walk)) {
        if (archive_is_part(found)) {
            err = durable_remove(found->fts_path);
        }
    }
    (void)fts_close(walk);
    return err;
}
