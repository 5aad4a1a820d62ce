/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_FIXTURE_H
#define TESTS_SCORE_FIXTURE_H

/* Fixture: temporary folders, the sample data folder, small records. Header only: each test is a
 * program of its own. */

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "proto/record.h"

#define FIXTURE_PATH_BYTES 512

static inline void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static inline int fixture_remove_one(const char *path, const struct stat *status, int flag,
                                     struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void fixture_make_directory(char path[FIXTURE_PATH_BYTES])
{
    snprintf(path, FIXTURE_PATH_BYTES, "/tmp/triaged_score_XXXXXX");
    assert_non_null(mkdtemp(path));
}

static inline void fixture_remove_directory(const char *path)
{
    nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* False, with a line that says why, when the sample data are not on this machine. */
static inline bool fixture_shared(const char *folder, char path[FIXTURE_PATH_BYTES])
{
    const char *root = getenv("TRIAGED_SHARED_DATA");
    if (root != NULL) {
        snprintf(path, FIXTURE_PATH_BYTES, "%s/%s", root, folder);
    } else {
        snprintf(path, FIXTURE_PATH_BYTES, "%s/../shared/data/%s", SOURCE_DIR, folder);
    }
    if (access(path, R_OK) == 0) {
        return true;
    }
    printf("SKIP: no sample data at %s (set TRIAGED_SHARED_DATA)\n", path);
    return false;
}

/* A declaration with every field that scoring reads; the caller changes what matters. */
static inline struct declaration fixture_declaration(const struct goods_line *line)
{
    return (struct declaration){
        .declaration_id = "D-1",
        .mode = MODE_TRUCK,
        .site = "north",
        .lane = "1",
        .declared_ns = 1,
        .lines = line,
        .lines_count = line != NULL ? 1 : 0,
        .importer = "Ada Lovelace Imports",
        .seller = "Grace Hopper Trading",
        .declarant = "Broker Nine",
        .courier = "",
        .departure_country = "BE",
        .gross_mass_kg = 12000,
        .raw_format = "test",
    };
}

static inline struct goods_line fixture_line(const char *hs_code)
{
    return (struct goods_line){.hs_code = hs_code,
                               .description = "plywood",
                               .origin_country = "CN",
                               .net_mass_kg = 11000,
                               .value = 5000,
                               .currency = "EUR",
                               .quantity = 1,
                               .quantity_unit = "",
                               .tax_rate_percent = 8};
}

#endif
