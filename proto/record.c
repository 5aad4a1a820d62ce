/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/record.h"

#include <string.h>

/* Names of refusals and the key that joins. Bytes: record_encode.c and record_decode.c. */

struct refusal_row {
    const char *name;
    const char *sentence;
};

static const struct refusal_row refusal_rows[] = {
    [REFUSAL_NONE] = {"none", "the record is good"},
    [REFUSAL_MALFORMED] = {"malformed", "the record is not a message of its kind"},
    [REFUSAL_TOO_LARGE] = {"too_large", "the record, an image or a list in it is beyond its bound"},
    [REFUSAL_DIGEST_MISMATCH] = {"digest_mismatch",
                                 "the bytes received do not have the digest they claim"},
    [REFUSAL_UNKNOWN_KIND] = {"unknown_kind", "the record is neither a declaration nor a scan"},
    [REFUSAL_UNKNOWN_MODE] = {"unknown_mode", "the mode of transport is missing or unknown"},
    [REFUSAL_NO_ID] = {"no_id", "the record has no identifier of its own"},
    [REFUSAL_NO_SITE] = {"no_site", "the record does not say at which site it was made"},
    [REFUSAL_EMPTY_IMAGE] = {"empty_image", "the scan has no image or an image without pixels"},
    [REFUSAL_IMAGE_TRUNCATED] = {"image_truncated",
                                 "the pixels are not as many bytes as width, height and bits say"},
    [REFUSAL_IMAGE_FORMAT] = {"image_format",
                              "bits, meaning, energy or levels of an image cannot be read here"},
    [REFUSAL_BAD_NUMBER] = {"bad_number", "a number is not finite, negative or out of its range"},
    [REFUSAL_BAD_TEXT] = {"bad_text", "a text is too long or not well-formed"},
    [REFUSAL_DUPLICATE] = {"duplicate", "the same record, byte for byte, was received before"},
};
_Static_assert(sizeof refusal_rows / sizeof refusal_rows[0] == REFUSAL_COUNT,
               "every refusal has a name");

static const struct refusal_row *refusal_row_of(enum refusal refusal)
{
    static const struct refusal_row later = {"unknown", "refused for a reason of a later version"};
    return (unsigned)refusal < REFUSAL_COUNT ? &refusal_rows[refusal] : &later;
}

const char *refusal_name(enum refusal refusal)
{
    return refusal_row_of(refusal)->name;
}

const char *refusal_sentence(enum refusal refusal)
{
    return refusal_row_of(refusal)->sentence;
}

const char *field_find(const struct field *fields, uint32_t fields_count, const char *name)
{
    for (uint32_t i = 0; i < fields_count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].value;
        }
    }
    return NULL;
}

/* Identifiers that two parties read off the same thing come first; numbers that one party made up
 * come last. */
static const enum key_scheme join_order[] = {
    KEY_CONTAINER, KEY_RAILCAR, KEY_AWB,  KEY_S10,         KEY_VIN,
    KEY_PLATE,     KEY_ULD,     KEY_SCAN, KEY_DECLARATION,
};

/* NULL when no key serves. */
static const struct item_key *join_key_of(const struct item_key *keys, uint32_t keys_count)
{
    for (size_t order = 0; order < sizeof join_order / sizeof join_order[0]; order++) {
        for (uint32_t i = 0; i < keys_count; i++) {
            if (keys[i].scheme == join_order[order] && keys[i].value[0] != '\0') {
                return &keys[i];
            }
        }
    }
    return NULL;
}

const char *declaration_join_key(const struct declaration *declaration, enum key_scheme *scheme)
{
    const struct item_key *key = join_key_of(declaration->keys, declaration->keys_count);
    *scheme = key == NULL ? KEY_DECLARATION : key->scheme;
    return key == NULL ? declaration->declaration_id : key->value;
}

const char *scan_join_key(const struct scan *scan, enum key_scheme *scheme)
{
    const struct item_key *key = join_key_of(scan->keys, scan->keys_count);
    *scheme = key == NULL ? KEY_SCAN : key->scheme;
    return key == NULL ? scan->scan_id : key->value;
}
