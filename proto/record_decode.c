/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/record.h"

#include <math.h>
#include <string.h>

#include "proto/schema.h"
#include "proto/triage.pb-c.h"

/* Checks run in the order of the record's fields, so the first fault is the one that is told,
 * always the same one for the same bytes. A check returns true when the record is good so far. */

#define SECONDS_1990 631152000
#define SECONDS_2200 7258118400
#define NS_IN_SECOND 1000000000

struct fault {
    enum refusal refusal;
    const char *where;
};

static bool fail(struct fault *fault, enum refusal refusal, const char *where)
{
    fault->refusal = refusal;
    fault->where = where;
    return false;
}

static bool text_check(const char *text, size_t bytes_max, const char *where, struct fault *fault)
{
    return strnlen(text, bytes_max + 1) <= bytes_max || fail(fault, REFUSAL_BAD_TEXT, where);
}

static bool number_check(double number, const char *where, struct fault *fault)
{
    return isfinite(number) || fail(fault, REFUSAL_BAD_NUMBER, where);
}

/* Masses, counts and lengths. */
static bool amount_check(double amount, const char *where, struct fault *fault)
{
    return (isfinite(amount) && amount >= 0.0) || fail(fault, REFUSAL_BAD_NUMBER, where);
}

/* 0 is "not known". A clock that was never set or counts in another unit falls out of the range. */
static bool time_check(int64_t t_ns, const char *where, struct fault *fault)
{
    int64_t seconds = t_ns / NS_IN_SECOND;
    return t_ns == 0 || (seconds >= SECONDS_1990 && seconds < SECONDS_2200) ||
           fail(fault, REFUSAL_BAD_NUMBER, where);
}

/* Id, mode, site and lane: both kinds of record begin with them. */
struct origin {
    const char *id;
    const char *id_where;
    int64_t mode;
    const char *site;
    const char *lane;
};

static bool origin_check(const struct origin *origin, struct fault *fault)
{
    if (origin->id[0] == '\0') {
        return fail(fault, REFUSAL_NO_ID, origin->id_where);
    }
    if (!text_check(origin->id, RECORD_ID_BYTES_MAX, origin->id_where, fault)) {
        return false;
    }
    if (origin->mode <= MODE_UNKNOWN || origin->mode >= MODE_COUNT) {
        return fail(fault, REFUSAL_UNKNOWN_MODE, "mode");
    }
    if (origin->site[0] == '\0') {
        return fail(fault, REFUSAL_NO_SITE, "site");
    }
    return text_check(origin->site, RECORD_NAME_BYTES_MAX, "site", fault) &&
           text_check(origin->lane, RECORD_NAME_BYTES_MAX, "lane", fault);
}

/* A list in the arena; NULL, with the fault set, when it does not fit. An empty list is not NULL.
 */
static void *list_take(struct arena *arena, size_t count, size_t each_bytes, struct fault *fault)
{
    void *list = arena_take(arena, count * each_bytes); /* counts are bounded before this call */
    if (list == NULL) {
        (void)fail(fault, REFUSAL_TOO_LARGE, "body");
    }
    return list;
}

static const struct item_key *keys_read(Triage__V1__ItemKey **from, size_t count,
                                        struct arena *arena, struct fault *fault)
{
    if (count > RECORD_KEYS_MAX) {
        (void)fail(fault, REFUSAL_TOO_LARGE, "keys");
        return NULL;
    }
    struct item_key *keys = list_take(arena, count, sizeof *keys, fault);
    for (size_t i = 0; keys != NULL && i < count; i++) {
        int64_t scheme = (int64_t)from[i]->scheme;
        if (scheme < 0 || scheme >= KEY_SCHEME_COUNT) {
            (void)fail(fault, REFUSAL_MALFORMED, "keys.scheme");
            return NULL;
        }
        if (!text_check(from[i]->value, RECORD_KEY_BYTES_MAX, "keys.value", fault)) {
            return NULL;
        }
        keys[i].scheme = (enum key_scheme)scheme;
        keys[i].value = from[i]->value;
    }
    return keys;
}

static const struct field *fields_read(Triage__V1__Field **from, size_t count, struct arena *arena,
                                       struct fault *fault)
{
    if (count > RECORD_FIELDS_MAX) {
        (void)fail(fault, REFUSAL_TOO_LARGE, "other");
        return NULL;
    }
    struct field *fields = list_take(arena, count, sizeof *fields, fault);
    for (size_t i = 0; fields != NULL && i < count; i++) {
        if (!text_check(from[i]->name, RECORD_NAME_BYTES_MAX, "other.name", fault) ||
            !text_check(from[i]->value, RECORD_TEXT_BYTES_MAX, "other.value", fault)) {
            return NULL;
        }
        fields[i].name = from[i]->name;
        fields[i].value = from[i]->value;
    }
    return fields;
}

static bool line_check(const Triage__V1__GoodsLine *line, struct fault *fault)
{
    return text_check(line->hs_code, RECORD_NAME_BYTES_MAX, "lines.hs_code", fault) &&
           text_check(line->description, RECORD_TEXT_BYTES_MAX, "lines.description", fault) &&
           text_check(line->origin_country, RECORD_NAME_BYTES_MAX, "lines.origin_country", fault) &&
           amount_check(line->net_mass_kg, "lines.net_mass_kg", fault) &&
           number_check(line->value, "lines.value", fault) &&
           text_check(line->currency, RECORD_NAME_BYTES_MAX, "lines.currency", fault) &&
           amount_check(line->quantity, "lines.quantity", fault) &&
           text_check(line->quantity_unit, RECORD_NAME_BYTES_MAX, "lines.quantity_unit", fault) &&
           number_check(line->tax_rate_percent, "lines.tax_rate_percent", fault);
}

static const struct goods_line *lines_read(Triage__V1__GoodsLine **from, size_t count,
                                           struct arena *arena, struct fault *fault)
{
    if (count > RECORD_LINES_MAX) {
        (void)fail(fault, REFUSAL_TOO_LARGE, "lines");
        return NULL;
    }
    struct goods_line *lines = list_take(arena, count, sizeof *lines, fault);
    for (size_t i = 0; lines != NULL && i < count; i++) {
        if (!line_check(from[i], fault)) {
            return NULL;
        }
        lines[i].hs_code = from[i]->hs_code;
        lines[i].description = from[i]->description;
        lines[i].origin_country = from[i]->origin_country;
        lines[i].net_mass_kg = from[i]->net_mass_kg;
        lines[i].value = from[i]->value;
        lines[i].currency = from[i]->currency;
        lines[i].quantity = from[i]->quantity;
        lines[i].quantity_unit = from[i]->quantity_unit;
        lines[i].tax_rate_percent = from[i]->tax_rate_percent;
    }
    return lines;
}

/* Width and height are at most 65535 each, so the product of both and two bytes stays far below
 * 2^64. */
static bool image_payload_check(const Triage__V1__Image *image, struct fault *fault)
{
    uint64_t pixels = (uint64_t)image->width * image->height;
    if (image->payload_bytes != pixels * (image->bits / 8)) {
        return fail(fault, REFUSAL_IMAGE_TRUNCATED, "images.payload_bytes");
    }
    if (image->sha256.len != HASH_BYTES) {
        return fail(fault, REFUSAL_DIGEST_MISMATCH, "images.sha256");
    }
    return true;
}

static bool image_check(const Triage__V1__Image *image, struct fault *fault)
{
    if (image->width == 0 || image->height == 0) {
        return fail(fault, REFUSAL_EMPTY_IMAGE,
                    image->width == 0 ? "images.width" : "images.height");
    }
    if (image->width > IMAGE_SIDE_MAX || image->height > IMAGE_SIDE_MAX) {
        return fail(fault, REFUSAL_TOO_LARGE,
                    image->width > IMAGE_SIDE_MAX ? "images.width" : "images.height");
    }
    if (image->bits != 8 && image->bits != 16) {
        return fail(fault, REFUSAL_IMAGE_FORMAT, "images.bits");
    }
    int64_t meaning = (int64_t)image->meaning;
    if (meaning <= PIXEL_UNKNOWN || meaning > PIXEL_DISPLAY_INVERTED) {
        return fail(fault, REFUSAL_IMAGE_FORMAT, "images.meaning");
    }
    int64_t energy = (int64_t)image->energy;
    if (energy < ENERGY_SINGLE || energy > ENERGY_HIGH) {
        return fail(fault, REFUSAL_IMAGE_FORMAT, "images.energy");
    }
    if (!amount_check(image->energy_kev, "images.energy_kev", fault) ||
        !image_payload_check(image, fault) ||
        !amount_check(image->pixel_pitch_mm, "images.pixel_pitch_mm", fault)) {
        return false;
    }
    if (meaning == PIXEL_TRANSMISSION && image->air_level <= image->dark_level) {
        return fail(fault, REFUSAL_IMAGE_FORMAT, "images.air_level");
    }
    return true;
}

static const struct image *images_read(Triage__V1__Image **from, size_t count, struct arena *arena,
                                       struct fault *fault)
{
    if (count == 0 || count > RECORD_IMAGES_MAX) {
        (void)fail(fault, count == 0 ? REFUSAL_EMPTY_IMAGE : REFUSAL_TOO_LARGE, "images");
        return NULL;
    }
    struct image *images = list_take(arena, count, sizeof *images, fault);
    for (size_t i = 0; images != NULL && i < count; i++) {
        if (!image_check(from[i], fault)) {
            return NULL;
        }
        images[i].width = from[i]->width;
        images[i].height = from[i]->height;
        images[i].bits = from[i]->bits;
        images[i].meaning = (enum pixel_meaning)from[i]->meaning;
        images[i].energy = (enum energy)from[i]->energy;
        images[i].energy_kev = from[i]->energy_kev;
        images[i].view = from[i]->view;
        images[i].payload_bytes = from[i]->payload_bytes;
        memcpy(images[i].sha256, from[i]->sha256.data, HASH_BYTES);
        images[i].pixel_pitch_mm = from[i]->pixel_pitch_mm;
        images[i].air_level = from[i]->air_level;
        images[i].dark_level = from[i]->dark_level;
    }
    return images;
}

static const void *body_unpack(const void *descriptor, const uint8_t *bytes, size_t bytes_count,
                               struct arena *arena, struct fault *fault)
{
    if (bytes_count > RECORD_BODY_BYTES_MAX) {
        (void)fail(fault, REFUSAL_TOO_LARGE, "body");
        return NULL;
    }
    enum schema_fault unpacked;
    const char *where = "body";
    const void *message = schema_unpack(descriptor, bytes, bytes_count, arena, &unpacked, &where);
    if (message == NULL) {
        (void)fail(fault,
                   unpacked == SCHEMA_FULL       ? REFUSAL_TOO_LARGE
                   : unpacked == SCHEMA_BAD_TEXT ? REFUSAL_BAD_TEXT
                                                 : REFUSAL_MALFORMED,
                   where);
    }
    return message;
}

static bool declaration_texts_check(const Triage__V1__Declaration *from, struct fault *fault)
{
    return text_check(from->importer, RECORD_TEXT_BYTES_MAX, "importer", fault) &&
           text_check(from->seller, RECORD_TEXT_BYTES_MAX, "seller", fault) &&
           text_check(from->declarant, RECORD_TEXT_BYTES_MAX, "declarant", fault) &&
           text_check(from->courier, RECORD_TEXT_BYTES_MAX, "courier", fault) &&
           text_check(from->departure_country, RECORD_NAME_BYTES_MAX, "departure_country", fault) &&
           text_check(from->raw_format, RECORD_NAME_BYTES_MAX, "raw_format", fault);
}

static bool declaration_read(const Triage__V1__Declaration *from, struct arena *arena,
                             struct declaration *out, struct fault *fault)
{
    const struct origin origin = {
        .id = from->declaration_id,
        .id_where = "declaration_id",
        .mode = (int64_t)from->mode,
        .site = from->site,
        .lane = from->lane,
    };
    if (!origin_check(&origin, fault) || !time_check(from->declared_ns, "declared_ns", fault) ||
        !amount_check(from->gross_mass_kg, "gross_mass_kg", fault) ||
        !declaration_texts_check(from, fault)) {
        return false;
    }
    out->keys = keys_read(from->keys, from->n_keys, arena, fault);
    out->lines = out->keys == NULL ? NULL : lines_read(from->lines, from->n_lines, arena, fault);
    out->other = out->lines == NULL ? NULL : fields_read(from->other, from->n_other, arena, fault);
    if (out->other == NULL) {
        return false;
    }
    out->declaration_id = from->declaration_id;
    out->mode = (enum mode)from->mode;
    out->site = from->site;
    out->lane = from->lane;
    out->keys_count = (uint32_t)from->n_keys;
    out->declared_ns = from->declared_ns;
    out->lines_count = (uint32_t)from->n_lines;
    out->importer = from->importer;
    out->seller = from->seller;
    out->declarant = from->declarant;
    out->courier = from->courier;
    out->departure_country = from->departure_country;
    out->declared_empty = from->declared_empty != 0;
    out->gross_mass_kg = from->gross_mass_kg;
    out->other_count = (uint32_t)from->n_other;
    out->raw_format = from->raw_format;
    out->raw = from->raw.data;
    out->raw_bytes = (uint32_t)from->raw.len;
    return true;
}

enum refusal declaration_decode(const uint8_t *bytes, size_t bytes_count, struct arena *arena,
                                struct declaration *out, const char **where)
{
    struct fault fault = {.refusal = REFUSAL_NONE, .where = ""};
    const Triage__V1__Declaration *message =
        body_unpack(&triage__v1__declaration__descriptor, bytes, bytes_count, arena, &fault);
    if (message != NULL) {
        (void)declaration_read(message, arena, out, &fault);
    }
    *where = fault.where;
    return fault.refusal;
}

static bool scan_read(const Triage__V1__Scan *from, struct arena *arena, struct scan *out,
                      struct fault *fault)
{
    const struct origin origin = {
        .id = from->scan_id,
        .id_where = "scan_id",
        .mode = (int64_t)from->mode,
        .site = from->site,
        .lane = from->lane,
    };
    if (!origin_check(&origin, fault) ||
        !text_check(from->scanner, RECORD_NAME_BYTES_MAX, "scanner", fault) ||
        !text_check(from->scanner_type, RECORD_NAME_BYTES_MAX, "scanner_type", fault) ||
        !time_check(from->acquired_ns, "acquired_ns", fault)) {
        return false;
    }
    out->keys = keys_read(from->keys, from->n_keys, arena, fault);
    out->images =
        out->keys == NULL ? NULL : images_read(from->images, from->n_images, arena, fault);
    out->other = out->images == NULL ? NULL : fields_read(from->other, from->n_other, arena, fault);
    if (out->other == NULL) {
        return false;
    }
    out->scan_id = from->scan_id;
    out->mode = (enum mode)from->mode;
    out->site = from->site;
    out->lane = from->lane;
    out->scanner = from->scanner;
    out->scanner_type = from->scanner_type;
    out->keys_count = (uint32_t)from->n_keys;
    out->acquired_ns = from->acquired_ns;
    out->images_count = (uint32_t)from->n_images;
    out->other_count = (uint32_t)from->n_other;
    return true;
}

enum refusal scan_decode(const uint8_t *bytes, size_t bytes_count, struct arena *arena,
                         struct scan *out, const char **where)
{
    struct fault fault = {.refusal = REFUSAL_NONE, .where = ""};
    const Triage__V1__Scan *message =
        body_unpack(&triage__v1__scan__descriptor, bytes, bytes_count, arena, &fault);
    if (message != NULL) {
        (void)scan_read(message, arena, out, &fault);
    }
    *where = fault.where;
    return fault.refusal;
}
