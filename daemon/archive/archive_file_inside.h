/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_FILE_INSIDE_H
#define ARCHIVE_FILE_INSIDE_H

/* Archive file inside: what an open sealed file is, for the sources that read it. Private to
 * daemon/archive. */

#include "archive/archive.h"
#include "archive/h5.h"

#define ARCHIVE_LEAVES_WINDOW 2048u

struct archive_file {
    int64_t file;
    int64_t bytes_dataset;
    int64_t leaf_dataset;
    int64_t images_group;
    struct h5_array bytes_array;
    struct h5_array leaf_array;
    uint64_t *offsets; /* entries_count + 1 */
    uint8_t *window;   /* ARCHIVE_WINDOW_BYTES of `bytes`, from window_first */
    uint64_t window_first;
    uint64_t window_bytes;
    uint64_t leaves_first; /* of the window in `leaves`: relative to the range */
    uint64_t leaves_count;
    uint8_t leaves[ARCHIVE_LEAVES_WINDOW][HASH_BYTES];
    struct archive_summary summary;
    uint8_t arena_memory[ENTRY_ARENA_BYTES];
};

#endif
