/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_name.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "base/clock.h"

#define ARCHIVE_ORIGIN_IN_NAME 90u /* keeps the path within archive_result */
#define ARCHIVE_INDEX_DIGITS_MAX 20u

/* The origin keeps letters, digits, dots, hyphens. */
static void archive_plain_origin(const char *origin, char out[ARCHIVE_ORIGIN_IN_NAME + 1])
{
    (void)snprintf(out, ARCHIVE_ORIGIN_IN_NAME + 1, "%s", origin);
    for (char *c = out; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || (*c == '.' && c != out);
        if (!plain) {
            *c = '_';
        }
    }
}

/* The day is that of the first entry. */
struct err archive_name(const char *directory, const char *origin, const struct archive_rows *rows,
                        struct archive_names *names)
{
    char plain[ARCHIVE_ORIGIN_IN_NAME + 1];
    char day[CLOCK_DAY_BYTES];
    archive_plain_origin(origin, plain);
    clock_day_text(rows->first_t_ns, day);
    (void)snprintf(names->below, sizeof names->below, "%.4s/%.2s/%.2s/%s-%010llu-%010llu.h5", day,
                   day + 5, day + 8, plain, (unsigned long long)rows->first_index,
                   (unsigned long long)(rows->first_index + rows->entries_count - 1));
    int full_bytes = snprintf(names->full, sizeof names->full, "%s/%s", directory, names->below);
    int part_bytes =
        snprintf(names->part, sizeof names->part, "%s/%s.part", directory, names->below);
    (void)snprintf(names->directory, sizeof names->directory, "%s/%.10s", directory, names->below);
    bool fits = full_bytes > 0 && part_bytes > 0 && (size_t)part_bytes < sizeof names->part;
    return fits ? err_none : err_make(ERR_ARGUMENT, "archive path length");
}

/* ---- what a crash leaves ---- */

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

/* "<prefix><last>.h5" */
static bool archive_is_begun(const FTSENT *found, const char *prefix, uint64_t *last_index)
{
    size_t prefix_bytes = strlen(prefix);
    if (found->fts_info != FTS_F || strncmp(found->fts_name, prefix, prefix_bytes) != 0) {
        return false;
    }
    const char *digits = found->fts_name + prefix_bytes;
    size_t digits_count = strspn(digits, "0123456789");
    if (digits_count == 0 || digits_count > ARCHIVE_INDEX_DIGITS_MAX ||
        strcmp(digits + digits_count, ".h5") != 0) {
        return false;
    }
    *last_index = strtoull(digits, NULL, 10);
    return true;
}

bool archive_find_begun(const char *directory, const char *origin, uint64_t first_index,
                        uint64_t *last_index)
{
    char path[DURABLE_PATH_BYTES];
    char plain[ARCHIVE_ORIGIN_IN_NAME + 1];
    char prefix[ARCHIVE_ORIGIN_IN_NAME + 32];
    bool begun = false;
    archive_plain_origin(origin, plain);
    (void)snprintf(prefix, sizeof prefix, "%s-%010llu-", plain, (unsigned long long)first_index);
    (void)snprintf(path, sizeof path, "%s", directory);
    char *const roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL && !begun;
         found = fts_read(walk)) {
        begun = archive_is_begun(found, prefix, last_index);
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
    return begun && *last_index >= first_index;
}
