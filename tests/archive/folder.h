/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ARCHIVE_FOLDER_H
#define TESTS_ARCHIVE_FOLDER_H

/* Folder: directory trees of tests. */

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Called for every file whose path contains `part`; returns how many there are. */
static inline unsigned folder_each(const char *path, const char *part,
                                   void (*visit)(const char *path, void *arg), void *arg)
{
    char root[512];
    unsigned count = 0;
    (void)snprintf(root, sizeof root, "%s", path);
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL;
         found = fts_read(walk)) {
        if (found->fts_info == FTS_F && strstr(found->fts_path, part) != NULL) {
            count++;
            if (visit != NULL) {
                visit(found->fts_path, arg);
            }
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
    return count;
}

static inline unsigned folder_count(const char *path, const char *part)
{
    return folder_each(path, part, NULL, NULL);
}

/* The first path found that contains `part`, into out[512]; false when none. */
static inline void folder_keep_first(const char *path, void *out)
{
    if (((char *)out)[0] == '\0') {
        (void)snprintf(out, 512, "%s", path);
    }
}

static inline int folder_find(const char *path, const char *part, char out[512])
{
    out[0] = '\0';
    return folder_each(path, part, folder_keep_first, out) > 0;
}

/* How many object headers of an HDF5 file (version 2: "OHDR", version, flags) carry times, which
 * would make two builds of the same content differ; *headers tells how many there are. */
static inline unsigned folder_timed_headers(const unsigned char *bytes, size_t bytes_count,
                                            unsigned *headers)
{
    unsigned timed = 0;
    *headers = 0;
    for (size_t at = 0; at + 6 < bytes_count; at++) {
        if (memcmp(bytes + at, "OHDR\x02", 5) == 0) {
            *headers += 1;
            timed += (bytes[at + 5] & 0x20) != 0;
        }
    }
    return timed;
}

static inline void folder_remove(const char *path)
{
    char root[512];
    (void)snprintf(root, sizeof root, "%s", path);
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL;
         found = fts_read(walk)) {
        if (found->fts_info != FTS_D && remove(found->fts_path) != 0) {
            (void)fprintf(stderr, "cannot remove %s\n", found->fts_path);
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
}

#endif
