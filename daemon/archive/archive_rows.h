/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_ROWS_H
#define ARCHIVE_ROWS_H

/* Archive rows: what a range of entries says, as tables in memory. Private to daemon/archive. The
 * caller bounds the range; everything here grows with it. One thread a handle. */

#include <stdint.h>

#include "archive/archive.h"
#include "archive/archive_table.h"
#include "base/id_map.h"
#include "proto/record.h"

/* An image that an entry of the range speaks of; the same digest may come several times. */
struct archive_image {
    struct image image;
    uint64_t entry_index;
};

struct archive_rows {
    struct archive_table tables[TABLE_COUNT];
    uint8_t *bytes; /* raw entries, one behind the other */
    uint64_t bytes_count;
    uint64_t bytes_capacity;
    uint64_t *offsets; /* of each entry in bytes, and the end: entries_count + 1 of them */
    uint64_t offsets_capacity;
    uint8_t *leaves; /* entries_count x HASH_BYTES */
    uint64_t leaves_capacity;
    struct archive_image *images;
    uint64_t images_count;
    uint64_t images_capacity;
    uint64_t entries_count;
    uint64_t first_index;
    int64_t first_t_ns;
    int64_t last_t_ns;
    struct id_map received; /* id of a received entry -> its row, the table in the lowest bit */
    struct id_map items;
    const uint8_t *pseudonym_key;
    bool has_tree;
    struct archive_tree tree_before;
    struct archive_tree tree_after;
    void *arena_memory;
};

MUST_USE struct err archive_rows_init(struct archive_rows *self, const uint8_t *pseudonym_key);
void archive_rows_fini(struct archive_rows *self);
/* Add the next entry of the range. ARCHIVE_DIFFERS when it cannot be read, is not the next one, or
 * the private record has another digest than the entry says. */
MUST_USE struct err archive_rows_add(struct archive_rows *self, const struct archive_entry *entry);

#endif
