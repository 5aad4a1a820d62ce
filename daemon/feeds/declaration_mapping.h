/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECLARATION_MAPPING_H
#define DECLARATION_MAPPING_H

/* Declaration mapping: which column of a table becomes which field of a declaration, read from a
 * JSON file (config/mappings/; the keys are described there in README.md). A column named under
 * "labels" is the truth that training learns from: a mapping that also names it anywhere else is
 * refused, and only mapped columns are ever sent. Any thread; blocks on the disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

#define MAPPING_CODES_MAX 64u
#define MAPPING_OTHER_MAX 32u
#define MAPPING_TEXT_BYTES 65u
#define MAPPING_ERROR_BYTES 256u
#define MAPPING_MISSING_BYTES 512u

/* Where a mapped value goes. The order is that of the names in declaration_mapping.c. */
enum mapping_field {
    MAPPING_DECLARATION_ID,
    MAPPING_MODE,
    MAPPING_SITE,
    MAPPING_LANE,
    MAPPING_DECLARED,
    MAPPING_IMPORTER,
    MAPPING_SELLER,
    MAPPING_DECLARANT,
    MAPPING_COURIER,
    MAPPING_DEPARTURE_COUNTRY,
    MAPPING_DECLARED_EMPTY,
    MAPPING_GROSS_MASS_KG,
    MAPPING_HS_CODE,
    MAPPING_DESCRIPTION,
    MAPPING_ORIGIN_COUNTRY,
    MAPPING_NET_MASS_KG,
    MAPPING_VALUE,
    MAPPING_CURRENCY,
    MAPPING_QUANTITY,
    MAPPING_QUANTITY_UNIT,
    MAPPING_TAX_RATE_PERCENT,
    MAPPING_FIELD_COUNT
};

struct mapping_code {
    char from[MAPPING_TEXT_BYTES];
    char to[MAPPING_TEXT_BYTES];
};

struct mapping_source {
    char column[MAPPING_TEXT_BYTES]; /* "" when the value is constant or absent */
    char constant[MAPPING_TEXT_BYTES];
    char prefix[MAPPING_TEXT_BYTES];
    char format[MAPPING_TEXT_BYTES]; /* of a date, for strptime */
    double scale;                    /* a number is multiplied by it; 1 when absent */
    struct mapping_code codes[MAPPING_CODES_MAX];
    uint32_t codes_count;
    char unlisted[MAPPING_TEXT_BYTES]; /* what a code outside the table means; "" makes the row bad
                                        */
    int32_t column_index;              /* in the open table; -1 when not a column */
};

struct mapping_named {
    char name[MAPPING_TEXT_BYTES]; /* of an `other` field, or a key scheme */
    struct mapping_source source;
};

struct mapping_label {
    char column[MAPPING_TEXT_BYTES]; /* "" when there is none */
    double at_least;                 /* from this number on the answer is yes; 1 when absent */
    int32_t column_index;            /* in the open table; -1 when it has no such column */
};

struct declaration_mapping {
    char format[MAPPING_TEXT_BYTES]; /* becomes raw_format */
    char delimiter;
    struct mapping_source fields[MAPPING_FIELD_COUNT];
    struct mapping_named keys[RECORD_KEYS_MAX];
    uint32_t keys_count;
    struct mapping_named other[MAPPING_OTHER_MAX];
    uint32_t other_count;
    struct mapping_label found;    /* something was found */
    struct mapping_label critical; /* and it was grave */
};

/* path NULL: config/mappings/customs-import.json, as it was when this program was built.
 * Errors: TABLE_UNREADABLE with one sentence in error (MAPPING_ERROR_BYTES), MEMORY, IO. The caller
 * frees *out with declaration_mapping_close. */
MUST_USE struct err declaration_mapping_open(const char *path, struct declaration_mapping **out,
                                             char *error);
void declaration_mapping_close(struct declaration_mapping **self);
/* Find every named column among the table's; the first missing one is named in error. missing
 * (MAPPING_MISSING_BYTES, a text; NULL: none may be): columns that are not there are named in it
 * and are as if empty in every row, but for that of the declaration's id, and for half of all. */
MUST_USE struct err declaration_mapping_bind(struct declaration_mapping *self, char *const *columns,
                                             uint32_t columns_count, char *missing, char *error);
/* "declaration_id", "mode", ... as in the mapping file. */
const char *mapping_field_name(enum mapping_field field);

#endif
