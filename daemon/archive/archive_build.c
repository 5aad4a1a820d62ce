/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive_array.h"
#include "archive/archive_images.h"
#include "archive/archive_items.h"
#include "archive/archive_name.h"
#include "archive/archive_rows.h"
#include "archive/archive_tree.h"
#include "archive/archive_write.h"
#include "archive/chunk.h"
#include "archive/h5.h"
#include "base/clock.h"
#include "base/durable.h"

/* HDF5 syncs nothing and a killed writer's file is lost whole, so a file is never touched again
 * once it is closed: it is built beside its name, synced, read back from the disk, and only then
 * named. Whatever goes wrong, the part file goes; the log and the blobs can make it again. */

#define ARCHIVE_HASH_PIECE_BYTES ((size_t)1 << 20)

/* What a build works with. */
struct archive_job {
    const struct archive_rows *rows;
    struct archive_images images;
    struct chunk_pool *pool;
    struct blob_store *blobs;
    int64_t start_ns;
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
    if (!err_is(err)) {
        archive_items_finish(rows);
    }
    return err;
}

/* ---- from part file to sealed file ---- */

struct err archive_hash_file(const char *path, uint8_t sha256[HASH_BYTES], uint64_t *file_bytes)
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

/* Every dataset as it lies on the disk, against what was put in; the file's own hash on the way. */
static struct err archive_check_part(const char *part, const struct archive_job *job,
                                     struct archive_result *result)
{
    struct archive_file *file = NULL;
    struct archive_summary summary;
    struct err err = archive_file_open(part, &file);
    if (err_is(err)) {
        return err;
    }
    err = archive_file_summary(file, &summary);
    archive_file_close(&file);
    if (!err_is(err) && (summary.images_count != job->images.count ||
                         summary.entries_count != job->rows->entries_count)) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "part file read back");
    }
    if (!err_is(err)) {
        err = archive_check_tables(job->rows, part);
    }
    if (!err_is(err)) {
        err = archive_images_check(&job->images, job->pool, job->blobs, part, result->sha256,
                                   &result->file_bytes);
    }
    return err;
}

/* A sealed file that is already there must be this very file. */
static struct err archive_give_name(const struct archive_names *names, bool replace_unsealed,
                                    const struct archive_result *result)
{
    uint8_t there[HASH_BYTES];
    uint64_t there_bytes = 0;
    bool exists = false;
    struct err err = durable_exists(names->full, &exists);
    if (err_is(err) || !exists) { /* what cannot be looked at is not replaced */
        return err_is(err) ? err : durable_rename(names->part, names->full);
    }
    err = archive_hash_file(names->full, there, &there_bytes);
    bool same =
        !err_is(err) && there_bytes == result->file_bytes && hash_equal(there, result->sha256);
    if (same) { /* its name may not be on the disk yet when a crash came in between */
        err = durable_sync_parent(names->full);
        return err_is(err) ? err : durable_remove(names->part);
    }
    if (replace_unsealed) {
        return durable_rename(names->part, names->full);
    }
    return err_is(err)
               ? err
               : err_make(ERR_ARCHIVE_DIFFERS, "sealed file of this name holds something else");
}

static struct err archive_seal(const struct archive_conf *conf, const struct archive_job *job,
                               const struct archive_names *names, struct archive_result *result)
{
    struct err err = archive_write(conf, job->rows, &job->images, job->pool, names->part);
    result->write_ns = clock_monotonic_ns() - job->start_ns;
    if (!err_is(err)) {
        err = archive_check_part(names->part, job, result);
    }
    if (!err_is(err)) {
        err = archive_give_name(names, conf->replace_unsealed, result);
    }
    result->seal_ns = clock_monotonic_ns() - job->start_ns;
    return err;
}

static struct err archive_build_named(const struct archive_conf *conf,
                                      const struct archive_job *job, struct archive_result *result)
{
    struct archive_names names;
    struct err err = archive_name(conf->directory, conf->origin, job->rows, &names);
    if (!err_is(err)) {
        err = durable_directory(names.directory, 0750);
    }
    if (!err_is(err)) {
        err = durable_remove_unsynced(names.part);
    }
    if (err_is(err)) {
        return err;
    }
    err = archive_seal(conf, job, &names, result);
    if (err_is(err)) {
        struct err removed = durable_remove_unsynced(names.part);
        (void)removed; /* the first error is the one to tell; a part file that stays is swept */
        return err;
    }
    memcpy(result->path, names.below, sizeof result->path);
    return err_none;
}

static struct err archive_build_rows(const struct archive_conf *conf,
                                     const struct archive_rows *rows, struct blob_store *blobs,
                                     int64_t start_ns, struct archive_result *out)
{
    struct archive_job job = {.rows = rows, .blobs = blobs, .start_ns = start_ns};
    struct archive_conf told = *conf;
    struct archive_result result = {.first_index = rows->first_index};
    const struct chunk_pool_conf pool = {.threads = conf->threads == 0 ? 1 : conf->threads,
                                         .chunk_bytes_max = ARCHIVE_CHUNK_BYTES,
                                         .deflate_level = conf->deflate_level,
                                         .blobs = blobs};
    h5_version(result.hdf5_version);
    struct err err = archive_filters(conf->deflate_level, result.filters);
    told.filters = conf->filters == NULL ? result.filters : conf->filters;
    told.hdf5_version = conf->hdf5_version == NULL ? result.hdf5_version : conf->hdf5_version;
    if (!err_is(err)) {
        err = archive_images_init(&job.images, rows);
    }
    if (!err_is(err)) {
        err = chunk_pool_open(&pool, &job.pool);
    }
    if (!err_is(err)) {
        err = archive_build_named(&told, &job, &result);
    }
    result.tree = rows->tree_after;
    result.images_count = job.images.count;
    result.last_index = rows->first_index + rows->entries_count - 1;
    chunk_pool_close(&job.pool);
    archive_images_fini(&job.images);
    if (!err_is(err)) {
        *out = result;
    }
    return err;
}

struct err archive_build(const struct archive_conf *conf, struct blob_store *blobs,
                         archive_next next, void *source, struct archive_result *out)
{
    must(conf->deflate_level <= CHUNK_DEFLATE_LEVEL_MAX);
    int64_t start_ns = clock_monotonic_ns();
    struct archive_rows *rows = malloc(sizeof *rows);
    if (rows == NULL) {
        return err_make(ERR_MEMORY, "archive_build");
    }
    struct err err = archive_rows_init(rows, conf->pseudonym_key);
    if (!err_is(err)) {
        err = archive_collect(rows, next, source);
    }
    if (!err_is(err)) {
        err = archive_tree_take(rows, conf->tree);
    }
    if (!err_is(err)) {
        err = archive_metrics_add(rows, conf->metrics);
    }
    if (!err_is(err)) {
        err = archive_build_rows(conf, rows, blobs, start_ns, out);
    }
    archive_rows_fini(rows);
    free(rows);
    if (err.code == ERR_IO) {
        err.code = ERR_ARCHIVE_WRITE;
    }
    return err;
}

struct err archive_compare(const char *path, const char *other_path,
                           char out[ARCHIVE_DIFFERENCE_BYTES])
{
    bool differs = false;
    return h5_first_difference(path, other_path, out, &differs);
}
