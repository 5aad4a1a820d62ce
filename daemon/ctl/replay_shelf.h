/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_REPLAY_SHELF_H
#define CTL_REPLAY_SHELF_H

/* Replay shelf: the archive files at hand, and where in them an entry lies that a score names as
 * its cause. An item's records may be in a file before that of its score. Nothing but the files is
 * asked, so that a copy of them is enough. Main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/archive.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/id_map.h"

struct replay_file {
    char path[DURABLE_PATH_BYTES];
    uint64_t first_index;
    uint64_t last_index;
    struct archive_file *file; /* NULL: not open */
    struct id_map received;    /* id of a received entry -> its index */
    struct archive_calibration *calibrations;
    uint64_t calibrations_count;
    bool has_calibrations;
};

struct replay_shelf {
    struct replay_file *files; /* by first_index */
    uint32_t files_count;
    uint32_t files_capacity;
    void *arena_memory;
};

/* Every *.h5 below `directory` whose name ends in -<first>-<last>.h5. */
MUST_USE struct err replay_shelf_open(const char *directory, struct replay_shelf *out);
void replay_shelf_close(struct replay_shelf *self);
/* One file more, whatever it is called, unless it is there already; its range comes from inside. */
MUST_USE struct err replay_shelf_add(struct replay_shelf *self, const char *path);
/* The place of this path (the same file under any spelling); files_count when it is not there. */
uint32_t replay_shelf_find(const struct replay_shelf *self, const char *path);

/* The place of a file that ends right before file `at` begins, whatever copies of either there are;
 * files_count when there is none. */
uint32_t replay_shelf_before(const struct replay_shelf *self, uint32_t at);

/* Opens the file and learns what it received. Files far before it are closed again. */
MUST_USE struct err replay_shelf_load(struct replay_shelf *self, uint32_t at);
/* The entry with this id, a received one, in file `at` or in one of the few right before it (which
 * are loaded for it); *found is its file, or NULL. */
MUST_USE struct err replay_shelf_received(struct replay_shelf *self, uint32_t at,
                                          const uint8_t id[ENTRY_ID_BYTES],
                                          struct replay_file **found, uint64_t *entry_index);
/* NULL when the file does not tell. */
const struct archive_calibration *replay_shelf_calibration(const struct replay_file *file,
                                                           uint64_t entry_index,
                                                           uint64_t image_index);

#endif
