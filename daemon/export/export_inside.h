/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_INSIDE_H
#define EXPORT_INSIDE_H

/* Export inside: what the files that make a publication share. Nobody else includes this. */

#include "base/id_map.h"
#include "export/export_pool.h"
#include "export/export_publication.h"

#define PUBLISH_NONE UINT64_MAX
#define PUBLISH_DAY_BYTES 11u
#define PUBLISH_CHAPTER_BYTES 3u
#define PUBLISH_CLASS_BYTES 80u
#define PUBLISH_RATE_BYTES 32u

struct published {
    const char *item;  /* hexadecimal; borrowed from the source, as all texts */
    uint64_t decision; /* rows of the source; PUBLISH_NONE */
    uint64_t outcome;
    uint64_t declaration;
    const char *state;
    const char *code;
    const char *seizure_class;
    int64_t closed_ns;
    char day[PUBLISH_DAY_BYTES];
    char rate[PUBLISH_RATE_BYTES]; /* of the random arm: pooled like mode and day, as it tells them
                                    */
    char chapter[PUBLISH_CHAPTER_BYTES];
    char class[PUBLISH_CLASS_BYTES]; /* of goods: what can be seen of it in items, too */
    char pseudonym[PSEUDONYM_BYTES];
};

struct publish {
    const struct export_publication *order;
    struct published *items;
    uint64_t items_count;
    struct id_map places;
    struct export_published *out;
};

const struct archive_table *publish_source(const struct publish *self,
                                           enum archive_table_name name);
/* The item that this row speaks of; NULL when it is not among those that were decided. */
struct published *publish_find(const struct publish *self, const struct archive_table *table,
                               uint64_t row);
/* The items in the order of their names under this field, which they have from then on; the caller
 * frees it. NULL without memory. */
struct published **publish_order(struct publish *self, const char *field, bool declared_only,
                                 uint64_t *count);
int publish_compare(const void *a, const void *b); /* of two struct published *, by name */
/* Of its newest outcome; "" without. */
const char *publish_outcome(const struct publish *self, const struct published *one,
                            const char *column);
/* What publishers, parties and officers wrote, as it may stand in a cell: EXPORT_POOLED for what a
 * spreadsheet would take for a formula. */
const char *publish_text(const char *text);
/* Of its decision, where the arm says it already or its rate was not pooled; else NaN. */
double publish_propensity(const struct publish *self, const struct published *one,
                          const char *rate);

/* Fill one table of the copy each. MEMORY. */
MUST_USE struct err publish_goods(struct publish *self);
MUST_USE struct err publish_images(struct publish *self);

#endif
