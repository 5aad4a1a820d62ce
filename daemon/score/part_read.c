/* SPDX-License-Identifier: Apache-2.0 */
#include "score/part_read.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "kernels/text_digest.h"
#include "score/part_key.h"
#include "score/part_parts.h"

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

void part_find_codes(const struct part_key *key, const struct declaration *declaration,
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

const uint8_t part_declared_parts[PART_DECLARED_TEXTS] = {
    PART_IMPORTER,  PART_SELLER,      PART_DECLARANT,  PART_COURIER,
    PART_DEPARTURE, PART_OFFICE,      PART_TAX_TYPE,   PART_ORIGIN_INDICATOR,
    PART_PROCESS,   PART_IMPORT_TYPE, PART_IMPORT_USE, PART_PAYMENT,
    PART_MODE};

void part_declared_texts(const struct declaration *declaration,
                         const char *const values[PART_NAMES],
                         const char *texts[PART_DECLARED_TEXTS])
{
    const char *office = code_of(values, NAME_OFFICE);
    const char *mode = code_of(values, NAME_MODE);
    if (mode[0] == '\0' && declaration->mode != MODE_UNKNOWN) {
        mode = mode_text(declaration->mode);
    }
    texts[0] = declaration->importer;
    texts[1] = declaration->seller;
    texts[2] = declaration->declarant;
    texts[3] = declaration->courier;
    texts[4] = declaration->departure_country;
    texts[5] = office[0] != '\0' ? office : declaration->site;
    texts[6] = code_of(values, NAME_TAX_TYPE);
    texts[7] = code_of(values, NAME_ORIGIN_INDICATOR);
    texts[8] = code_of(values, NAME_PROCESS);
    texts[9] = code_of(values, NAME_IMPORT_TYPE);
    texts[10] = code_of(values, NAME_IMPORT_USE);
    texts[11] = code_of(values, NAME_PAYMENT);
    texts[12] = mode;
}

void part_read_declaration(const struct part_key *key, const struct declaration *declaration,
                           size_t stride, uint64_t *digests)
{
    const char *values[PART_NAMES] = {NULL};
    const char *texts[PART_DECLARED_TEXTS];
    uint64_t made[PART_DECLARED_TEXTS];
    part_find_codes(key, declaration, values);
    part_declared_texts(declaration, values, texts);
    text_digest_many(&key->texts, texts, part_declared_parts, PART_DECLARED_TEXTS, made);
    for (uint32_t part = PART_HS6; part <= PART_ORIGIN; part++) {
        digests[part * stride] = 0;
    }
    digests[PART_TAX_RATE * stride] = 0;
    digests[PART_MASS * stride] = 0;
    digests[PART_VALUE * stride] = 0;
    for (int i = 0; i < PART_DECLARED_TEXTS; i++) {
        digests[part_declared_parts[i] * stride] = made[i];
    }
}

/* ---- numbers ---- */

/* Of each power of ten from -10 on: the next one, and by what to multiply and to divide to have
 * four digits before the point, one of which is 1. */
enum { POWER_MIN = -10, POWERS = 30 };
static const struct {
    double next, times, over;
} powers[POWERS] = {{1 / 1e9, 1e13, 1}, {1 / 1e8, 1e12, 1}, {1 / 1e7, 1e11, 1}, {1 / 1e6, 1e10, 1},
                    {1 / 1e5, 1e9, 1},  {1 / 1e4, 1e8, 1},  {1 / 1e3, 1e7, 1},  {1 / 1e2, 1e6, 1},
                    {1 / 1e1, 1e5, 1},  {1e0, 1e4, 1},      {1e1, 1e3, 1},      {1e2, 1e2, 1},
                    {1e3, 1e1, 1},      {1e4, 1, 1e0},      {1e5, 1, 1e1},      {1e6, 1, 1e2},
                    {1e7, 1, 1e3},      {1e8, 1, 1e4},      {1e9, 1, 1e5},      {1e10, 1, 1e6},
                    {1e11, 1, 1e7},     {1e12, 1, 1e8},     {1e13, 1, 1e9},     {1e14, 1, 1e10},
                    {1e15, 1, 1e11},    {1e16, 1, 1e12},    {1e17, 1, 1e13},    {1e18, 1, 1e14},
                    {1e19, 1, 1e15},    {1e20, 1, 1e16}};

/* Four digits and a power of ten, so that one consignment declared again in other units' rounding
 * is the same one. All powers used are exact in binary: one rounding of a product or quotient, and
 * one to a whole number. Amounts that no cargo has are themselves. No branch: digits are any. */
static uint64_t amount_word(double amount)
{
    uint64_t bits;
    memcpy(&bits, &amount, sizeof bits);
    if (!(amount >= 1e-9 && amount < 1e19)) {
        return bits;
    }
    int power = (int)(bits >> 52) - 1023;
    power = (int)(((int64_t)power * 78913) >> 18); /* log10 2; at most one too small */
    power += amount >= powers[power - POWER_MIN].next;
    uint64_t whole =
        (uint64_t)(amount * powers[power - POWER_MIN].times / powers[power - POWER_MIN].over + 0.5);
    bool carried = whole >= 10000;
    power += carried;
    return (carried ? 1000 : whole) << 8 | (uint64_t)(power + 64);
}

bool part_amount_word(double amount, uint64_t *word)
{
    bool told = amount > 0 && !isinf(amount);
    *word = told ? amount_word(amount) : 0;
    return told;
}

/* Half upwards, to a tenth. */
bool part_rate_word(double percent, uint64_t *word)
{
    bool told = percent >= 0 && percent <= 10000;
    *word = told ? (uint64_t)(percent * 10 + 0.5) : 0;
    return told;
}

/* 0 when it says nothing. */
static uint64_t number_digest(const struct part_key *key, enum history_part part, bool told,
                              uint64_t word)
{
    return told ? text_digest_words(&key->texts, part, word, 0) : 0;
}

/* What is not a digit is skipped. */
uint32_t part_read_hs(const char *code, uint64_t prefixes[3])
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
    uint64_t word;
    uint32_t digits = part_read_hs(line->hs_code, prefixes);
    for (uint32_t i = 0; i < 3; i++) {
        digests[hs_parts[i] * stride] =
            number_digest(key, hs_parts[i], digits >= 2 * i + 2, prefixes[i]);
    }
    text_digest_many(&key->texts, &line->origin_country, &origin, 1,
                     &digests[PART_ORIGIN * stride]);
    bool told = part_amount_word(line->net_mass_kg, &word);
    digests[PART_MASS * stride] = number_digest(key, PART_MASS, told, word);
    told = part_amount_word(line->value, &word);
    digests[PART_VALUE * stride] = number_digest(key, PART_VALUE, told, word);
    told = part_rate_word(line->tax_rate_percent, &word);
    digests[PART_TAX_RATE * stride] = number_digest(key, PART_TAX_RATE, told, word);
}
