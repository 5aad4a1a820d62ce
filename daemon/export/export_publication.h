/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_PUBLICATION_H
#define EXPORT_PUBLICATION_H

/* Export publication: tables for everybody out of tables of sealed files: what was decided and
 * found, and nothing by which a vehicle, a load or a person could be recognised. The rules stand in
 * PUBLICATION.md beside this file and, as text, in every copy.
 *
 * Two tables that cannot be joined: `items` has only what the public log has, coarser; `goods` has
 * what declarations said, without day, site and score. Rows are named and ordered by HMAC under a
 * key that the caller makes and, unless told otherwise, forgets. The same tables, key and threshold
 * give the same rows. One thread; memory grows with the tables. */

#include "archive/archive_read.h"
#include "proto/hash.h"

#define EXPORT_K_MIN 3u
#define EXPORT_K_DEFAULT 5u

enum published_name {
    PUBLISHED_ITEMS,
    PUBLISHED_GOODS,
    PUBLISHED_MODELS,
    PUBLISHED_METRICS,
    PUBLISHED_SOURCES,
    PUBLISHED_IMAGES, /* without rows unless asked for */
    PUBLISHED_COUNT
};

struct export_publication {
    const struct archive_tables *from;
    const uint8_t *key; /* HASH_BYTES */
    uint64_t k;         /* no cell of fewer rows; EXPORT_K_MIN at least */
    bool images;
};

struct export_published {
    struct archive_table tables[PUBLISHED_COUNT];
    uint8_t (*images)[HASH_BYTES]; /* different ones, in the order of the table */
    uint64_t images_count;
    uint64_t decided_count; /* items with a decision in the source */
    uint64_t declared_count;
    uint64_t imaged_count; /* with images, if those were asked for */
};

extern const struct archive_table_spec export_published_tables[PUBLISHED_COUNT];
/* What is done to the source; a text for the copies themselves. */
extern const char export_rules[];

/* MEMORY. On success the caller ends it with export_published_fini. Items and goods of
 * fewer than k rows have none, and images of fewer than k items; the other tables have any number.
 */
MUST_USE struct err export_publish(const struct export_publication *self,
                                   struct export_published *out);
void export_published_fini(struct export_published *self);
/* A sealed file that the tables came from, as its seal states it. MEMORY. */
MUST_USE struct err export_published_source(struct export_published *self, uint64_t seal_entry,
                                            const char *path, uint64_t file_bytes,
                                            const char *sha256);

#endif
