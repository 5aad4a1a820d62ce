/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "export/export_inside.h"

static void publish_image(struct publish *self, const struct published *one, uint64_t scan,
                          uint64_t row)
{
    const struct archive_table *images = publish_source(self, TABLE_SCAN_IMAGES);
    struct archive_table *to = &self->out->tables[PUBLISHED_IMAGES];
    archive_put_text(to, one->pseudonym);
    for (uint32_t c = 1; c + 1 < to->spec->columns_count; c++) {
        const struct archive_column *column = &to->spec->columns[c];
        if (column->type == H5_TEXT) {
            archive_put_text(to, archive_table_text(images, row, column->name));
        } else {
            archive_put_number(to, archive_table_number(images, row, column->name));
        }
    }
    archive_put_text(to,
                     archive_table_text(publish_source(self, TABLE_SCANS), scan, "scanner_type"));
    archive_row_end(to);
}

/* The digests of the table, each once. */
static struct err publish_digests(struct publish *self)
{
    const struct archive_table *table = &self->out->tables[PUBLISHED_IMAGES];
    struct export_published *out = self->out;
    struct id_map seen;
    id_map_init(&seen);
    out->images = calloc((size_t)table->rows_count + 1, HASH_BYTES);
    struct err err = out->images == NULL ? err_make(ERR_MEMORY, "publish_digests") : err_none;
    for (uint64_t row = 0; row < table->rows_count && !err_is(err); row++) {
        uint8_t *digest = out->images[out->images_count];
        bool added = false;
        if (hex_decode(archive_table_text(table, row, "sha256"), digest, HASH_BYTES)) {
            err = id_map_add(&seen, digest, row, &added); /* half a digest tells them apart */
        }
        out->images_count += added;
    }
    id_map_fini(&seen);
    return err;
}

static int compare_scans(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (left[0] > right[0]) - (left[0] < right[0]);
}

/* Items with images among the scans, which stand by items. */
static uint64_t count_imaged(const struct archive_table *scans, uint64_t (*ranked)[2],
                             uint64_t ranked_count)
{
    uint64_t count = 0;
    uint64_t last = UINT64_MAX;
    for (uint64_t i = 0; i < ranked_count; i++) {
        uint64_t place = ranked[i][0] / scans->rows_count;
        if (place != last && archive_table_number(scans, ranked[i][1], "images_count") > 0) {
            count++;
            last = place;
        }
    }
    return count;
}

/* Scans in the order of the items' names; those of one item in that of the log. */
struct err publish_images(struct publish *self)
{
    const struct archive_table *scans = publish_source(self, TABLE_SCANS);
    uint64_t count = 0;
    struct published **rows = publish_order(self, "item", false, &count);
    uint64_t(*ranked)[2] = calloc((size_t)scans->rows_count + 1, sizeof *ranked);
    if (rows == NULL || ranked == NULL) {
        free(rows);
        free(ranked);
        return err_make(ERR_MEMORY, "publish_images");
    }
    uint64_t used = 0;
    for (uint64_t scan = 0; scan < scans->rows_count; scan++) {
        struct published *one = publish_find(self, scans, scan);
        struct published **at = one == NULL ? NULL
                                            : bsearch(&one, rows, (size_t)count,
                                                      sizeof(struct published *), publish_compare);
        if (at != NULL) {
            ranked[used][0] = (uint64_t)(at - rows) * scans->rows_count + scan;
            ranked[used++][1] = scan;
        }
    }
    qsort(ranked, (size_t)used, sizeof *ranked, compare_scans);
    self->out->imaged_count = count_imaged(scans, ranked, used);
    bool small = self->out->imaged_count < self->order->k;
    for (uint64_t i = 0; i < used && !small; i++) {
        uint64_t scan = ranked[i][1];
        uint64_t first = archive_table_number(scans, scan, "first_image");
        uint64_t images_count = archive_table_number(scans, scan, "images_count");
        for (uint64_t n = 0; n < images_count; n++) {
            publish_image(self, rows[ranked[i][0] / scans->rows_count], scan, first + n);
        }
    }
    free(rows);
    free(ranked);
    return publish_digests(self);
}
