/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_files.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/tile_minimum.h"

/* A name is read back into what it should stand for, and written again: only the spelling that the
 * format gives is a name of it. What nobody reads cannot deceive a verifier, but it can a person;
 * hence an unknown plain file is a warning, and whatever is no plain file a problem. */

#define FILES_TOLD 20u
#define FILES_LEVELS 8u

/* "x001/234/067" -> 1234067; false when it is no such text. */
static bool files_parse_index(const char *text, uint64_t *out)
{
    uint64_t index = 0;
    for (uint32_t groups = 0; groups < 7; groups++) { /* 7 groups of three pass 2^64 */
        bool more = text[0] == 'x';
        text += more;
        for (uint32_t i = 0; i < 3; i++, text++) {
            if (text[0] < '0' || text[0] > '9') {
                return false;
            }
            index = index * 10 + (uint64_t)(text[0] - '0');
        }
        if (!more) {
            *out = index;
            return text[0] == '\0';
        }
        if (text[0] != '/') {
            return false;
        }
        text++;
    }
    return false;
}

/* Below tile/: "<level>/<index>" or "<level>/<index>.p/<width>", bundles with "entries". */
static bool files_is_tile(const char *below)
{
    char index_text[TILE_PATH_BYTES_MAX];
    char again[TILE_PATH_BYTES_MAX];
    const char *slash = strchr(below, '/');
    const char *partial = strstr(below, ".p/");
    uint64_t index = 0;
    unsigned long width = partial == NULL ? 0 : strtoul(partial + 3, NULL, 10);
    size_t below_bytes = strlen(below);
    if (slash == NULL || below_bytes >= sizeof index_text - 8 || (partial != NULL && width == 0) ||
        width >= TILE_WIDTH) {
        return false;
    }
    size_t end = partial == NULL ? below_bytes : (size_t)(partial - below);
    size_t first = (size_t)(slash + 1 - below);
    if (end < first) {
        return false;
    }
    memcpy(index_text, slash + 1, end - first);
    index_text[end - first] = '\0';
    if (!files_parse_index(index_text, &index)) {
        return false;
    }
    if (strncmp(below, "entries/", 8) == 0) {
        bundle_path(index, (uint32_t)width, again);
    } else if (below[0] >= '0' && below[0] < (char)('0' + FILES_LEVELS) && below[1] == '/') {
        tile_path((uint32_t)(below[0] - '0'), index, (uint32_t)width, again);
    } else {
        return false;
    }
    return strcmp(again + strlen("tile/"), below) == 0;
}

static bool files_is_size(const char *name)
{
    char again[24];
    (void)snprintf(again, sizeof again, "%" PRIu64, (uint64_t)strtoull(name, NULL, 10));
    return strcmp(again, name) == 0;
}

/* "<size>.cosigned": the same checkpoint with lines of witnesses. */
static bool files_is_cosigned(const char *name)
{
    char digits[24];
    const char *ending = strchr(name, '.');
    if (ending == NULL || strcmp(ending, ".cosigned") != 0 || ending - name >= 24) {
        return false;
    }
    memcpy(digits, name, (size_t)(ending - name));
    digits[ending - name] = '\0';
    return files_is_size(digits);
}

static bool files_is_being_written(const char *below)
{
    size_t below_bytes = strlen(below);
    return below_bytes > 4 && strcmp(below + below_bytes - 4, ".tmp") == 0;
}

static bool files_is_known(const char *below)
{
    return files_is_being_written(below) || strcmp(below, "vkey") == 0 ||
           strcmp(below, "checkpoint") == 0 || strcmp(below, TILE_MINIMUM_NAME) == 0 ||
           strcmp(below, "checkpoint.cosigned") == 0 ||
           (strncmp(below, "checkpoints/", 12) == 0 &&
            (files_is_size(below + 12) || files_is_cosigned(below + 12))) ||
           (strncmp(below, "vkeys/", 6) == 0 && files_is_size(below + 6)) ||
           (strncmp(below, "tile/", 5) == 0 && files_is_tile(below + 5));
}

static void files_look(struct verify_report *report, struct verify_shard *shard,
                       const FTSENT *found)
{
    const char *below = found->fts_path + strlen(shard->path) + 1;
    switch (found->fts_info) {
    case FTS_F:
        shard->files++;
        shard->files_bytes += (uint64_t)found->fts_statp->st_size;
        if (!files_is_known(below) && shard->files_unknown++ < FILES_TOLD) {
            verify_warning(report, "%s: does not belong here, and was not looked at",
                           found->fts_path);
        }
        break;
    case FTS_SL:
    case FTS_SLNONE:
        verify_problem(report, "%s: is a symbolic link, not a file of a copy", found->fts_path);
        break;
    case FTS_DEFAULT:
        verify_problem(report, "%s: is a pipe, socket or device, not a file", found->fts_path);
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        /* The log of a daemon that runs: the file got its name between listing and looking. */
        if (found->fts_errno != ENOENT || !files_is_being_written(below)) {
            verify_problem(report, "%s: unreadable: %s", found->fts_path,
                           strerror(found->fts_errno));
        }
        break;
    default:
        break; /* directories */
    }
}

struct err verify_files(struct verify_report *report, struct verify_shard *shard)
{
    char root[DURABLE_PATH_BYTES];
    (void)snprintf(root, sizeof root, "%s", shard->path);
    char *const roots[] = {root, NULL};
    (void)verify_report_step(report, STEP_files);
    /* The shard itself may be reached by a link: it is what the caller named. */
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (walk == NULL) {
        return err_os(ERR_IO, "list the log's directory");
    }
    for (FTSENT *found = fts_read(walk); found != NULL; found = fts_read(walk)) {
        if (found->fts_level > 0) {
            files_look(report, shard, found);
        }
    }
    bool whole = errno == 0;
    (void)fts_close(walk);
    if (!whole) {
        verify_problem(report, "%s: could not be listed to its end", shard->path);
    }
    if (shard->files_unknown > FILES_TOLD) {
        verify_warning(report, "%s: %" PRIu64 " files do not belong here; the first %u are told",
                       shard->path, shard->files_unknown, FILES_TOLD);
    }
    return err_none;
}
