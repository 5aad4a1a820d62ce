/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history_kind.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "kernels/rng.h"
#include "kernels/text_digest.h"
#include "score/part_digest.h"
#include "score/part_read.h"
#include "score/say.h"

#define PARTS_1(a) {a}, 1
#define PARTS_2(a, b) {a, b}, 2
#define PARTS_3(a, b, c) {a, b, c}, 3
#define NO_PARENT {0}, 0
#define PARENT_1(a) {a}, 1
#define PARENT_2(a, b) {a, b}, 2

enum { ALL, IMPORTER, SELLER, DECLARANT, COURIER, HS6, HS4, ORIGIN, OFFICE, TAX, IMPORTER_HS6 };
enum { SELLER_HS6 = 13, ORIGIN_HS6 = 19 };
enum { HS6_MASS = 55, HS6_VALUE };
enum {
    HS2 = HISTORY_LINEAR_KINDS,
    PROCESS,
    IMPORT_TYPE,
    IMPORT_USE,
    PAYMENT,
    MODE,
    MARK,
    DEPARTURE
};

const struct history_kind history_kinds[HISTORY_KINDS] = {
    {"history.all", {0}, 0, NO_PARENT},
    {"history.importer", PARTS_1(PART_IMPORTER), NO_PARENT},
    {"history.seller", PARTS_1(PART_SELLER), NO_PARENT},
    {"history.declarant", PARTS_1(PART_DECLARANT), NO_PARENT},
    {"history.courier", PARTS_1(PART_COURIER), NO_PARENT},
    {"history.hs6", PARTS_1(PART_HS6), NO_PARENT},
    {"history.hs4", PARTS_1(PART_HS4), NO_PARENT},
    {"history.origin", PARTS_1(PART_ORIGIN), NO_PARENT},
    {"history.office", PARTS_1(PART_OFFICE), NO_PARENT},
    {"history.tax", PARTS_2(PART_TAX_TYPE, PART_TAX_RATE), NO_PARENT},
    {"history.importer_hs6", PARTS_2(PART_IMPORTER, PART_HS6), PARENT_2(IMPORTER, HS6)},
    {"history.importer_origin", PARTS_2(PART_IMPORTER, PART_ORIGIN), PARENT_2(IMPORTER, ORIGIN)},
    {"history.importer_hs4", PARTS_2(PART_IMPORTER, PART_HS4), PARENT_2(IMPORTER, HS4)},
    {"history.seller_hs6", PARTS_2(PART_SELLER, PART_HS6), PARENT_2(SELLER, HS6)},
    {"history.seller_origin", PARTS_2(PART_SELLER, PART_ORIGIN), PARENT_2(SELLER, ORIGIN)},
    {"history.declarant_importer", PARTS_2(PART_DECLARANT, PART_IMPORTER),
     PARENT_2(DECLARANT, IMPORTER)},
    {"history.declarant_hs6", PARTS_2(PART_DECLARANT, PART_HS6), PARENT_2(DECLARANT, HS6)},
    {"history.origin_hs2", PARTS_2(PART_ORIGIN, PART_HS2), PARENT_1(ORIGIN)},
    {"history.departure_origin", PARTS_2(PART_DEPARTURE, PART_ORIGIN), PARENT_1(ORIGIN)},
    {"history.origin_hs6", PARTS_2(PART_ORIGIN, PART_HS6), PARENT_2(ORIGIN, HS6)},
    {"history.hs6_tax_type", PARTS_2(PART_HS6, PART_TAX_TYPE), PARENT_1(HS6)},
    {"history.hs6_tax_rate", PARTS_2(PART_HS6, PART_TAX_RATE), PARENT_1(HS6)},
    {"history.hs6_office", PARTS_2(PART_HS6, PART_OFFICE), PARENT_2(HS6, OFFICE)},
    {"history.hs6_origin_indicator", PARTS_2(PART_HS6, PART_ORIGIN_INDICATOR), PARENT_1(HS6)},
    {"history.importer_hs6_origin", PARTS_3(PART_IMPORTER, PART_HS6, PART_ORIGIN),
     PARENT_2(IMPORTER, HS6)},
    {"history.hs2", PARTS_1(PART_HS2), NO_PARENT},
    {"history.process_type", PARTS_1(PART_PROCESS), NO_PARENT},
    {"history.import_type", PARTS_1(PART_IMPORT_TYPE), NO_PARENT},
    {"history.import_use", PARTS_1(PART_IMPORT_USE), NO_PARENT},
    {"history.payment_type", PARTS_1(PART_PAYMENT), NO_PARENT},
    {"history.mode", PARTS_1(PART_MODE), NO_PARENT},
    {"history.origin_indicator", PARTS_1(PART_ORIGIN_INDICATOR), NO_PARENT},
    {"history.departure", PARTS_1(PART_DEPARTURE), NO_PARENT},
    {"history.importer_seller", PARTS_2(PART_IMPORTER, PART_SELLER), PARENT_2(IMPORTER, SELLER)},
    {"history.declarant_seller", PARTS_2(PART_DECLARANT, PART_SELLER), PARENT_2(DECLARANT, SELLER)},
    {"history.importer_office", PARTS_2(PART_IMPORTER, PART_OFFICE), PARENT_2(IMPORTER, OFFICE)},
    {"history.declarant_office", PARTS_2(PART_DECLARANT, PART_OFFICE), PARENT_2(DECLARANT, OFFICE)},
    {"history.hs6_mode", PARTS_2(PART_HS6, PART_MODE), PARENT_2(HS6, MODE)},
    {"history.hs6_import_type", PARTS_2(PART_HS6, PART_IMPORT_TYPE), PARENT_2(HS6, IMPORT_TYPE)},
    {"history.hs6_import_use", PARTS_2(PART_HS6, PART_IMPORT_USE), PARENT_2(HS6, IMPORT_USE)},
    {"history.declarant_hs4", PARTS_2(PART_DECLARANT, PART_HS4), PARENT_2(DECLARANT, HS4)},
    {"history.seller_hs4", PARTS_2(PART_SELLER, PART_HS4), PARENT_2(SELLER, HS4)},
    {"history.courier_hs6", PARTS_2(PART_COURIER, PART_HS6), PARENT_2(COURIER, HS6)},
    {"history.hs6_departure", PARTS_2(PART_HS6, PART_DEPARTURE), PARENT_2(HS6, DEPARTURE)},
    {"history.hs6_process_type", PARTS_2(PART_HS6, PART_PROCESS), PARENT_2(HS6, PROCESS)},
    {"history.declarant_origin", PARTS_2(PART_DECLARANT, PART_ORIGIN), PARENT_2(DECLARANT, ORIGIN)},
    {"history.declarant_hs2", PARTS_2(PART_DECLARANT, PART_HS2), PARENT_2(DECLARANT, HS2)},
    {"history.importer_hs2", PARTS_2(PART_IMPORTER, PART_HS2), PARENT_2(IMPORTER, HS2)},
    {"history.seller_hs2", PARTS_2(PART_SELLER, PART_HS2), PARENT_2(SELLER, HS2)},
    {"history.hs4_origin", PARTS_2(PART_HS4, PART_ORIGIN), PARENT_2(HS4, ORIGIN)},
    {"history.office_hs4", PARTS_2(PART_OFFICE, PART_HS4), PARENT_2(OFFICE, HS4)},
    {"history.import_type_use", PARTS_2(PART_IMPORT_TYPE, PART_IMPORT_USE),
     PARENT_2(IMPORT_TYPE, IMPORT_USE)},
    {"history.importer_hs6_tax_rate", PARTS_3(PART_IMPORTER, PART_HS6, PART_TAX_RATE),
     PARENT_1(IMPORTER_HS6)},
    {"history.hs6_origin_tax_rate", PARTS_3(PART_HS6, PART_ORIGIN, PART_TAX_RATE),
     PARENT_1(ORIGIN_HS6)},
    {"history.seller_importer_hs6", PARTS_3(PART_SELLER, PART_IMPORTER, PART_HS6),
     PARENT_2(SELLER_HS6, IMPORTER_HS6)},
    {"history.hs6_mass", PARTS_2(PART_HS6, PART_MASS), PARENT_1(HS6)},
    {"history.hs6_value", PARTS_2(PART_HS6, PART_VALUE), PARENT_1(HS6)},
    {"history.hs6_mass_value", PARTS_3(PART_HS6, PART_MASS, PART_VALUE),
     PARENT_2(HS6_MASS, HS6_VALUE)},
    {"history.origin_mass_value", PARTS_3(PART_ORIGIN, PART_MASS, PART_VALUE), PARENT_1(ORIGIN)},
    {"history.tax_rate_mass_value", PARTS_3(PART_TAX_RATE, PART_MASS, PART_VALUE), NO_PARENT},
};

#define PART_TEXT_BYTES (RECORD_TEXT_BYTES_MAX + 1u)

/* Without spaces at the ends, upper case. Returns the length; 0 is "empty". */
static size_t normalise(const char *value, char out[PART_TEXT_BYTES])
{
    const char *first = value;
    while (isspace((unsigned char)*first)) {
        first++;
    }
    size_t count = strnlen(first, PART_TEXT_BYTES - 1);
    while (count > 0 && isspace((unsigned char)first[count - 1])) {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = (char)toupper((unsigned char)first[i]);
    }
    out[count] = '\0';
    return count;
}

static uint64_t digest_part(enum history_part part, const char *value)
{
    char text[PART_TEXT_BYTES];
    size_t text_bytes = normalise(value, text);
    return part_digest_text(part, text, text_bytes);
}

/* Two spellings of each name are read, because feeds keep the column's own name. */
static const char *other_value(const struct declaration *declaration, const char *name,
                               const char *second_name)
{
    const char *value = field_find(declaration->other, declaration->other_count, name);
    if (value == NULL || value[0] == '\0') {
        value = field_find(declaration->other, declaration->other_count, second_name);
    }
    return value != NULL ? value : "";
}

/* Codes that have no field of their own in a record. */
static const char *declared_code(enum history_part part, const struct declaration *declaration)
{
    static const char *const names[PART_COUNT][2] = {
        [PART_TAX_TYPE] = {"tax_type", "Tax Type"},
        [PART_ORIGIN_INDICATOR] = {"origin_indicator", "Country of Origin Indicator"},
        [PART_PROCESS] = {"process_type", "Process Type"},
        [PART_IMPORT_TYPE] = {"import_type", "Import Type"},
        [PART_IMPORT_USE] = {"import_use", "Import Use"},
        [PART_PAYMENT] = {"payment_type", "Payment Type"},
        [PART_MODE] = {"transport_mode", "Mode of Transport"},
    };
    must(part < PART_COUNT && names[part][0] != NULL);
    const char *value = other_value(declaration, names[part][0], names[part][1]);
    bool is_mode = part == PART_MODE && value[0] == '\0' && declaration->mode != MODE_UNKNOWN;
    return is_mode ? mode_text(declaration->mode) : value;
}

static const char *office_of(const struct declaration *declaration)
{
    const char *office = other_value(declaration, "office", "office_id");
    return office[0] != '\0' ? office : declaration->site;
}

void history_parts_of_declaration(const struct part_key *key, const struct declaration *declaration,
                                  struct history_parts *out)
{
    out->keyed = key->keyed;
    if (key->keyed) {
        part_read_declaration(key, declaration, 1, out->digests);
        return;
    }
    memset(out->digests, 0, sizeof out->digests);
    out->digests[PART_IMPORTER] = digest_part(PART_IMPORTER, declaration->importer);
    out->digests[PART_SELLER] = digest_part(PART_SELLER, declaration->seller);
    out->digests[PART_DECLARANT] = digest_part(PART_DECLARANT, declaration->declarant);
    out->digests[PART_COURIER] = digest_part(PART_COURIER, declaration->courier);
    out->digests[PART_DEPARTURE] = digest_part(PART_DEPARTURE, declaration->departure_country);
    out->digests[PART_OFFICE] = digest_part(PART_OFFICE, office_of(declaration));
    for (enum history_part part = PART_TAX_TYPE; part <= PART_MODE; part++) {
        if (part != PART_TAX_RATE) {
            out->digests[part] = digest_part(part, declared_code(part, declaration));
        }
    }
}

/* The digits of an HS code, at most six; what is not a digit is skipped ("4408.90"). */
static size_t hs_digits(const char *code, char out[7])
{
    size_t count = 0;
    for (const char *at = code; *at != '\0' && count < 6; at++) {
        if (isdigit((unsigned char)*at)) {
            out[count++] = *at;
        }
    }
    out[count] = '\0';
    return count;
}

/* "8", "6.5": to a tenth of a percent, so that 8.0 and 8 are one rate. */
static size_t rate_text(double percent, char out[24])
{
    if (!isfinite(percent) || percent < 0 || percent > 10000) {
        out[0] = '\0';
        return 0;
    }
    int written = snprintf(out, 24, "%.1f", percent);
    must(written > 0 && written < 24);
    return (size_t)written;
}

/* "20.7": to four digits, so that one consignment declared again in other units' rounding is the
 * same one. */
static size_t amount_text(double amount, char out[24])
{
    if (!(amount > 0) || isinf(amount)) {
        out[0] = '\0';
        return 0;
    }
    int written = snprintf(out, 24, "%.4g", amount);
    must(written > 0 && written < 24);
    return (size_t)written;
}

void history_parts_add_line(const struct part_key *key, const struct goods_line *line,
                            struct history_parts *parts)
{
    if (key->keyed) {
        part_read_line(key, line, 1, parts->digests);
        return;
    }
    char digits[7];
    size_t count = hs_digits(line->hs_code, digits);
    parts->digests[PART_HS6] = count >= 6 ? part_digest_text(PART_HS6, digits, 6) : 0;
    parts->digests[PART_HS4] = count >= 4 ? part_digest_text(PART_HS4, digits, 4) : 0;
    parts->digests[PART_HS2] = count >= 2 ? part_digest_text(PART_HS2, digits, 2) : 0;
    parts->digests[PART_ORIGIN] = digest_part(PART_ORIGIN, line->origin_country);
    parts->digests[PART_MASS] = part_digest_number(PART_MASS, line->net_mass_kg, amount_text);
    parts->digests[PART_VALUE] = part_digest_number(PART_VALUE, line->value, amount_text);
    parts->digests[PART_TAX_RATE] =
        part_digest_number(PART_TAX_RATE, line->tax_rate_percent, rate_text);
}

/* digests[part * stride]: 0 where a part is empty. */
static uint64_t mixed_key(uint32_t kind_index, const uint64_t *digests, size_t stride)
{
    const struct history_kind *kind = &history_kinds[kind_index];
    uint64_t key = kind_index;
    for (uint32_t i = 0; i < kind->parts_count; i++) {
        uint64_t digest = digests[kind->parts[i] * stride];
        if (digest == 0) {
            return 0;
        }
        uint64_t state = key ^ digest;
        key = rng_splitmix(&state);
    }
    return key != 0 ? key : 1;
}

uint64_t history_key(uint32_t kind_index, const struct history_parts *parts)
{
    must(kind_index < HISTORY_KINDS);
    if (!parts->keyed) {
        return mixed_key(kind_index, parts->digests, 1);
    }
    const struct history_kind *kind = &history_kinds[kind_index];
    uint64_t joined = 0;
    for (uint32_t i = 0; i < kind->parts_count; i++) {
        uint64_t digest = parts->digests[kind->parts[i]];
        if (digest == 0) {
            return 0;
        }
        joined ^= digest;
    }
    return text_digest_joined(joined, kind_index);
}

void history_keys_of_kind(uint32_t kind_index, const struct history_columns *parts,
                          uint64_t keys[HISTORY_LANES])
{
    const struct history_kind *kind = &history_kinds[kind_index];
    if (!parts->keyed) {
        for (uint32_t i = 0; i < HISTORY_LANES; i++) {
            keys[i] = mixed_key(kind_index, &parts->digests[0][i], HISTORY_LANES);
        }
        return;
    }
    const uint64_t *columns[HISTORY_KIND_PARTS_MAX];
    for (uint32_t i = 0; i < kind->parts_count; i++) {
        columns[i] = parts->digests[kind->parts[i]];
    }
    text_digest_join(columns, kind->parts_count, HISTORY_LANES, kind_index, keys);
}

static const char *part_value(enum history_part part, const struct declaration *declaration,
                              const struct goods_line *line)
{
    switch (part) {
    case PART_IMPORTER:
        return declaration->importer;
    case PART_SELLER:
        return declaration->seller;
    case PART_DECLARANT:
        return declaration->declarant;
    case PART_COURIER:
        return declaration->courier;
    case PART_DEPARTURE:
        return declaration->departure_country;
    case PART_OFFICE:
        return office_of(declaration);
    case PART_TAX_TYPE:
    case PART_ORIGIN_INDICATOR:
    case PART_PROCESS:
    case PART_IMPORT_TYPE:
    case PART_IMPORT_USE:
    case PART_PAYMENT:
    case PART_MODE:
        return declared_code(part, declaration);
    case PART_ORIGIN:
        return line != NULL ? line->origin_country : "";
    default:
        return "";
    }
}

static const char *const part_words[PART_COUNT] = {[PART_IMPORTER] = "importer",
                                                   [PART_SELLER] = "seller",
                                                   [PART_DECLARANT] = "declarant",
                                                   [PART_COURIER] = "courier",
                                                   [PART_HS6] = "HS",
                                                   [PART_HS4] = "HS",
                                                   [PART_HS2] = "HS chapter",
                                                   [PART_ORIGIN] = "origin",
                                                   [PART_DEPARTURE] = "departure",
                                                   [PART_OFFICE] = "office",
                                                   [PART_TAX_TYPE] = "tax type",
                                                   [PART_TAX_RATE] = "tax rate",
                                                   [PART_ORIGIN_INDICATOR] = "origin mark",
                                                   [PART_PROCESS] = "process",
                                                   [PART_IMPORT_TYPE] = "import type",
                                                   [PART_IMPORT_USE] = "import use",
                                                   [PART_PAYMENT] = "payment",
                                                   [PART_MODE] = "transport",
                                                   [PART_MASS] = "this net mass",
                                                   [PART_VALUE] = "this value"};

/* Only what is a code by its nature may be printed as it is: a few letters and digits. Somebody's
 * name in the wrong column must not reach a public entry. */
static void say_code(struct say_line *line, const char *value)
{
    char text[PART_TEXT_BYTES];
    size_t count = normalise(value, text);
    bool plain = count <= 12;
    for (size_t i = 0; i < count && plain; i++) {
        plain = isalnum((unsigned char)text[i]) || text[i] == '-' || text[i] == '_';
    }
    say_add(line, count > 0 && plain ? " " : "");
    say_add(line, plain ? text : " (other)");
}

static void say_hs(struct say_line *line, enum history_part part, const struct goods_line *goods)
{
    char digits[7] = "";
    size_t count = hs_digits(goods->hs_code, digits);
    char tail[4] = "";
    if (part == PART_HS6) {
        (void)memcpy(tail, count > 4 ? digits + 4 : "", count > 4 ? count - 3 : 1);
    }
    digits[part == PART_HS2 && count > 2 ? 2 : count > 4 ? 4 : count] = '\0';
    say_add(line, digits[0] != '\0' || part == PART_HS6 ? " " : "");
    say_add(line, digits);
    say_add(line, part == PART_HS6 ? "." : "");
    say_add(line, tail);
}

/* With a space in front, nothing when there is nothing to be told. */
static void say_part(struct say_line *line, enum history_part part,
                     const struct declaration *declaration, const struct goods_line *goods,
                     const uint8_t *pseudonym_key)
{
    static const struct goods_line no_goods = {.hs_code = "", .tax_rate_percent = -1};
    const struct goods_line *given = goods != NULL ? goods : &no_goods;
    if (part <= PART_COURIER) {
        char pseudonym[PSEUDONYM_BYTES] = "";
        if (pseudonym_key != NULL) {
            pseudonym_of(pseudonym_key, part_words[part], part_value(part, declaration, goods),
                         pseudonym);
        }
        say_add(line, pseudonym[0] != '\0' ? " " : "");
        say_add(line, pseudonym);
    } else if (part >= PART_HS6 && part <= PART_HS2) {
        say_hs(line, part, given);
    } else if (part == PART_TAX_RATE) {
        char rate[24] = "";
        rate_text(given->tax_rate_percent, rate);
        say_add(line, " ");
        say_add(line, rate);
        say_add(line, "%");
    } else {
        say_code(line, part_value(part, declaration, goods));
    }
}

void history_kind_words(uint32_t kind_index, const struct declaration *declaration,
                        const struct goods_line *line, const uint8_t *pseudonym_key,
                        char out[HISTORY_WORDS_BYTES])
{
    must(kind_index < HISTORY_KINDS);
    const struct history_kind *kind = &history_kinds[kind_index];
    struct say_line words;
    say_begin(&words, out, HISTORY_WORDS_BYTES);
    for (uint32_t i = 0; i < kind->parts_count; i++) {
        say_add(&words, i > 0 ? " x " : "");
        say_add(&words, part_words[kind->parts[i]]);
        say_part(&words, kind->parts[i], declaration, line, pseudonym_key);
    }
}

void history_kind_names(char *out, size_t out_bytes)
{
    size_t used = 0;
    for (uint32_t kind = 0; kind < HISTORY_LINEAR_KINDS; kind++) {
        int more = snprintf(out + used, out_bytes - used, "%s%s", kind == 0 ? "" : " ",
                            history_kinds[kind].name);
        must(more > 0 && (size_t)more < out_bytes - used);
        used += (size_t)more;
    }
}
