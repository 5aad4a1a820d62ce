/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_CUSTOMS_TABLE_H
#define TESTS_SCORE_CUSTOMS_TABLE_H

/* Customs table: the sample table of labelled declarations, row by row, as the declarations feed
 * maps it. Header only. */

#include <time.h>

#include "fixture.h"

enum { TABLE_COLUMNS = 22, TABLE_LINE_BYTES = 1024 };

struct table_row {
    char text[TABLE_LINE_BYTES];
    struct goods_line line;
    struct field other[8];
    struct declaration declaration;
    bool found;
    int64_t t_ns;
};

static inline bool table_next(FILE *file, struct table_row *row)
{
    if (fgets(row->text, sizeof row->text, file) == NULL) {
        return false;
    }
    row->text[strcspn(row->text, "\r\n")] = '\0';
    char *cells[TABLE_COLUMNS];
    char *rest = row->text;
    for (int i = 0; i < TABLE_COLUMNS; i++) {
        cells[i] = strsep(&rest, ",");
        assert_non_null(cells[i]);
    }
    struct tm day = {0};
    assert_non_null(strptime(cells[1], "%Y-%m-%d", &day));
    row->t_ns = (int64_t)timegm(&day) * 1000000000;
    row->line = (struct goods_line){.hs_code = cells[12],
                                    .description = "",
                                    .origin_country = cells[14],
                                    .net_mass_kg = atof(cells[18]),
                                    .value = atof(cells[19]),
                                    .currency = "KRW",
                                    .quantity_unit = "",
                                    .tax_rate_percent = atof(cells[15])};
    const struct field other[8] = {{"office", cells[2]},
                                   {"process_type", cells[3]},
                                   {"import_type", cells[4]},
                                   {"import_use", cells[5]},
                                   {"payment_type", cells[6]},
                                   {"tax_type", cells[16]},
                                   {"origin_indicator", cells[17]},
                                   {"transport_mode", cells[7]}};
    memcpy(row->other, other, sizeof other);
    row->declaration = (struct declaration){.declaration_id = cells[0],
                                            .mode = MODE_SEA,
                                            .site = "",
                                            .lane = "",
                                            .declared_ns = row->t_ns,
                                            .lines = &row->line,
                                            .lines_count = 1,
                                            .importer = cells[9],
                                            .seller = cells[10],
                                            .declarant = cells[8],
                                            .courier = cells[11],
                                            .departure_country = cells[13],
                                            .other = row->other,
                                            .other_count = 8,
                                            .raw_format = "csv"};
    row->found = cells[20][0] == '1';
    return true;
}

static inline FILE *table_open(const char *folder, const char *name)
{
    char path[FIXTURE_PATH_BYTES + 32];
    char header[TABLE_LINE_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(header, sizeof header, file));
    return file;
}

#endif
