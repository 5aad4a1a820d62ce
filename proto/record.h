/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

/* Record: declarations and scans as values, and their bytes (triage.proto).
 *
 * Strings are zero-terminated and never NULL ("" when absent). A decoded value points into the
 * arena and into nothing else; it lives as long as the arena. An encoder borrows. Strings with a
 * zero byte or broken UTF-8 are malformed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/hash.h"
#include "proto/words.h"

/* Bounds of one record; what exceeds them is refused by name. PROTOCOL.md repeats them. */
#define RECORD_BODY_BYTES_MAX 65536u
#define RECORD_KEYS_MAX 8u
#define RECORD_LINES_MAX 256u
#define RECORD_FIELDS_MAX 64u
#define RECORD_IMAGES_MAX 8u
#define RECORD_ID_BYTES_MAX 64u
#define RECORD_NAME_BYTES_MAX 64u /* site, lane, scanner, scanner_type */
#define RECORD_KEY_BYTES_MAX 35u
#define RECORD_TEXT_BYTES_MAX 512u
#define IMAGE_SIDE_MAX 65535u
#define RECORD_ARENA_BYTES 262144u /* enough to decode any record within the bounds above */

struct item_key {
    enum key_scheme scheme;
    const char *value;
};

struct field {
    const char *name;
    const char *value;
};

struct goods_line {
    const char *hs_code;
    const char *description;
    const char *origin_country;
    double net_mass_kg;
    double value;
    const char *currency;
    double quantity;
    const char *quantity_unit;
    double tax_rate_percent;
};

struct declaration {
    const char *declaration_id;
    enum mode mode;
    const char *site;
    const char *lane;
    const struct item_key *keys;
    uint32_t keys_count;
    int64_t declared_ns;
    const struct goods_line *lines;
    uint32_t lines_count;
    const char *importer;
    const char *seller;
    const char *declarant;
    const char *courier;
    const char *departure_country;
    bool declared_empty;
    double gross_mass_kg;
    const struct field *other;
    uint32_t other_count;
    const char *raw_format;
    const uint8_t *raw;
    uint32_t raw_bytes;
};

struct image {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    enum pixel_meaning meaning;
    enum energy energy;
    uint32_t view;
    double energy_kev;
    uint64_t payload_bytes;
    uint8_t sha256[HASH_BYTES];
    double pixel_pitch_mm;
    uint32_t air_level;
    uint32_t dark_level;
};

struct scan {
    const char *scan_id;
    enum mode mode;
    const char *site;
    const char *lane;
    const char *scanner;
    const char *scanner_type;
    const struct item_key *keys;
    uint32_t keys_count;
    int64_t acquired_ns;
    const struct image *images;
    uint32_t images_count;
    const struct field *other;
    uint32_t other_count;
};

/* Why a record is refused; also the refusal codes on the wire and in record.refused (PROTOCOL.md).
 * 0 is "good". The numbers are part of the protocol and never change. */
enum refusal {
    REFUSAL_NONE = 0,
    REFUSAL_MALFORMED = 1,       /* protobuf does not parse */
    REFUSAL_TOO_LARGE = 2,       /* body, image or count beyond a bound */
    REFUSAL_DIGEST_MISMATCH = 3, /* body or pixels do not have the digest they claim */
    REFUSAL_UNKNOWN_KIND = 4,
    REFUSAL_UNKNOWN_MODE = 5,
    REFUSAL_NO_ID = 6, /* declaration without declaration_id, scan without scan_id */
    REFUSAL_NO_SITE = 7,
    REFUSAL_EMPTY_IMAGE = 8, /* zero pixels, or a scan without images */
    REFUSAL_IMAGE_TRUNCATED =
        9, /* payload shorter or longer than width * height * bits / 8, or part missing */
    REFUSAL_IMAGE_FORMAT = 10, /* bits, meaning or energy that nothing here can read */
    REFUSAL_BAD_NUMBER = 11,   /* NaN, infinite, negative mass, time out of range */
    REFUSAL_BAD_TEXT = 12,     /* over-long or broken text */
    REFUSAL_DUPLICATE = 13,    /* the same record, byte for byte, was received before */
    REFUSAL_COUNT
};

/* "malformed", "too_large", "digest_mismatch", ... and one sentence. */
const char *refusal_name(enum refusal refusal);
const char *refusal_sentence(enum refusal refusal);

/* Decode and validate in one go. On anything but REFUSAL_NONE *out is undefined and *where names
 * the field (static). */
enum refusal declaration_decode(const uint8_t *bytes, size_t bytes_count, struct arena *arena,
                                struct declaration *out, const char **where);
enum refusal scan_decode(const uint8_t *bytes, size_t bytes_count, struct arena *arena,
                         struct scan *out, const char **where);
/* Returns the encoded length; writes only when out is not NULL and capacity suffices, otherwise
 * just tells. */
size_t declaration_encode(const struct declaration *declaration, uint8_t *out, size_t out_capacity);
size_t scan_encode(const struct scan *scan, uint8_t *out, size_t out_capacity);

/* Value of a named field of `other`, or NULL. */
const char *field_find(const struct field *fields, uint32_t fields_count, const char *name);
/* The key that joins a record to its item: the first key with a known scheme, by the order
 * container, railcar, awb, s10, vin, plate, uld, scan, declaration; a record without keys joins by
 * its own id. *scheme is never UNKNOWN. */
const char *declaration_join_key(const struct declaration *declaration, enum key_scheme *scheme);
const char *scan_join_key(const struct scan *scan, enum key_scheme *scheme);

#endif
