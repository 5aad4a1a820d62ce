/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_CSV_H
#define EXPORT_CSV_H

/* Export csv: tables as text. RFC 4180: a header of column names, lines end in CR LF, cells with a
 * comma, a quote or a line end are quoted; UTF-8. Numbers read back to the same double; NaN, INF,
 * -INF. Beside them lie csv-metadata.json (W3C CSV on the Web: types, units and meanings of every
 * column), README.txt with the same for people, and SHA256SUMS. Blocks on the disk. */

#include <stdio.h>

#include "archive/archive_table.h"
#include "proto/hash.h"

struct export_page {
    const char *directory; /* exists */
    const char *title;
    const char *words; /* what this is, paragraphs for README.txt */
    const struct archive_table *const *tables;
    uint32_t tables_count;
    const char *other; /* a file that is there already, for README.txt and the sums; NULL: none */
    const char *other_words;
    uint8_t other_sha256[HASH_BYTES];
};

/* One file a table, and the three beside them. No file of these names may be there with other
 * bytes: ARCHIVE_DIFFERS. */
MUST_USE struct err export_csv_write(const struct export_page *page);
/* The table as CSV; the caller frees *out. MEMORY. */
MUST_USE struct err export_csv_text(const struct archive_table *table, char **out,
                                    size_t *out_bytes);
/* One cell, quoted where RFC 4180 says; nothing is done to texts that begin as formulas do. */
void export_csv_put_text(FILE *to, const char *text);

#endif
