/* SPDX-License-Identifier: Apache-2.0 */
#include "score/part_read.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "kernels/text_digest.h"
#include "score/part_key.h"

/* Two spellings of each name are read, because feeds keep the column's own name. */
const char *const part_names[PART_NAMES] = {
    "office",           "office_id",
    "tax_type",         "Tax Type",
    "origin_indicator", "Country of Origin Indicator",
    "process_type",     "Process Type",
    "import_type",      "Import Type",
    "import_use",       "Import Use",
    "payment_type",     "Payment Type",
    "transport_mode",   "Mode of Transport",
};

enum {
    NAME_OFFICE = 0,
    NAME_TAX_TYPE = 2,
    NAME_ORIGIN_INDICATOR = 4,
    NAME_PROCESS = 6,
    NAME_IMPORT_TYPE = 8,
    NAME_IMPORT_USE = 10,
    NAME_PAYMENT = 12,
    NAME_MODE = 14,
};

/* The first field of each name. */
static void find_codes(const struct part_key *key, const struct declaration *declaration,
                       const char *values[PART_NAMES])
{
    int8_t indices[RECORD_FIELDS_MAX];
    uint32_t count = declaration->other_count;
    for (uint32_t from = 0; from < count; from += RECORD_FIELDS_MAX) {
        uint32_t some = count - from < RECORD_FIELDS_MAX ? count - from : RECORD_FIELDS_MAX;
        const struct field *fields = declaration->other + from;
        text_names_find_many(&key->names, &fields->name, sizeof *fields / sizeof fields->name, some,
                             indices);
        for (uint32_t i = 0; i < some; i++) {
            if (indices[i] >= 0 && values[indices[i]] == NULL) {
                values[indices[i]] = fields[i].value;
            }
        }
    }
}

static const char *code_of(const char *const values[PART_NAMES], int name)
{
    const char *value = values[name];
    if (value == NULL || value[0] == '\0') {
        value = values[name + 1];
    }
    return value != NULL ? value : "";
}

void part_read_declaration(const struct part_key *key, const struct declaration *declaration,
                           size_t stride, uint64_t *digests)
{
    enum { TEXTS = 13 };
    static const uint8_t parts[TEXTS] = {PART_IMPORTER,    PART_SELLER,           PART_DECLARANT,
                                         PART_COURIER,     PART_DEPARTURE,        PART_OFFICE,
                                         PART_TAX_TYPE,    PART_ORIGIN_INDICATOR, PART_PROCESS,
                                         PART_IMPORT_TYPE, PART_IMPORT_USE,       PART_PAYMENT,
                                         PART_MODE};
    const char *values[PART_NAMES] = {NULL};
    find_codes(key, declaration, values);
    const char *office = code_of(values, NAME_OFFICE);
    const char *mode = code_of(values, NAME_MODE);
    if (mode[0] == '\0' && declaration->mode != MODE_UNKNOWN) {
        mode = mode_text(declaration->mode);
    }
    const char *const texts[TEXTS] = {declaration->importer,
                                      declaration->seller,
                                      declaration->declarant,
                                      declaration->courier,
                                      declaration->departure_country,
                                      office[0] != '\0' ? office : declaration->site,
                                      code_of(values, NAME_TAX_TYPE),
                                      code_of(values, NAME_ORIGIN_INDICATOR),
                                      code_of(values, NAME_PROCESS),
                                      code_of(values, NAME_IMPORT_TYPE),
                                      code_of(values, NAME_IMPORT_USE),
                                      code_of(values, NAME_PAYMENT),
                                      mode};
    uint64_t made[TEXTS];
    text_digest_many(&key->texts, texts, parts, TEXTS, made);
    for (uint32_t part = PART_HS6; part <= PART_ORIGIN; part++) {
        digests[part * stride] = 0;
    }
    digests[PART_TAX_RATE * stride] = 0;
    digests[PART_MASS * stride] = 0;
    digests[PART_VALUE * stride] = 0;
    for (int i = 0; i < TEXTS; i++) {
        digests[parts[i] * stride] = made[i];
    }
}

/* ---- numbers ---- */

static const double powers_of_ten[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Four digits and a power of ten, so that one consignment declared again in other units' rounding
 * is the same one. All powers used are exact in binary: one rounding of a product or quotient, and
 * one to a whole number. Amounts that no cargo has are themselves. */
static uint64_t amount_word(double amount)
{
    uint64_t bits;
    memcpy(&bits, &amount, sizeof bits);
    if (!(amount >= 1e-9 && amount < 1e19)) {
        return bits;
    }
    int power = (int)(bits >> 52) - 1023;
    power = (int)(((int64_t)power * 78913) >> 18); /* log10 2; at most one too small */
    double above = power + 1 >= 0 ? powers_of_ten[power + 1] : 1 / powers_of_ten[-power - 1];
    power += amount >= above;
    double digits =
        power >= 3 ? amount / powers_of_ten[power - 3] : amount * powers_of_ten[3 - power];
    uint64_t whole = (uint64_t)(digits + 0.5);
    if (whole >= 10000) {
        whole = 1000;
        power++;
    }
    return whole << 8 | (uint64_t)(power + 64);
}

static uint64_t amount_digest(const struct part_key *key, enum history_part part, double amount)
{
    return amount > 0 && !isinf(amount)
               ? text_digest_words(&key->texts, part, amount_word(amount), 0)
               : 0;
}

/* The digits of an HS code, at most six, as a number; what is not a digit is skipped. */
static uint32_t read_hs(const char *code, uint64_t prefixes[3])
{
    uint32_t digits = 0;
    uint64_t number = 0;
    for (const char *at = code; *at != '\0' && digits < 6; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';
        if (digit < 10) {
            number = number * 10 + digit;
            digits++;
            if (digits % 2 == 0) {
                prefixes[digits / 2 - 1] = number;
            }
        }
    }
    return digits;
}

void part_read_line(const struct part_key *key, const struct goods_line *line, size_t stride,
                    uint64_t *digests)
{
    static const uint8_t hs_parts[3] = {PART_HS2, PART_HS4, PART_HS6};
    static const uint8_t origin = PART_ORIGIN;
    uint64_t prefixes[3] = {0, 0, 0};
    uint32_t digits = read_hs(line->hs_code, prefixes);
    for (uint32_t i = 0; i < 3; i++) {
        digests[hs_parts[i] * stride] =
            digits >= 2 * i + 2 ? text_digest_words(&key->texts, hs_parts[i], prefixes[i], 0) : 0;
    }
    text_digest_many(&key->texts, &line->origin_country, &origin, 1,
                     &digests[PART_ORIGIN * stride]);
    digests[PART_MASS * stride] = amount_digest(key, PART_MASS, line->net_mass_kg);
    digests[PART_VALUE * stride] = amount_digest(key, PART_VALUE, line->value);
    double percent = line->tax_rate_percent;
    bool told = percent >= 0 && percent <= 10000;
    digests[PART_TAX_RATE * stride] =
        told ? text_digest_words(&key->texts, PART_TAX_RATE, (uint64_t)(percent * 10 + 0.5), 0) : 0;
}
