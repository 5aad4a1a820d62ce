/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_words.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "score/line_consistency.h"

/* Faults of the data are told beside the score and weigh nothing: a clerk's slip is not fraud, and
 * who wants to look honest must not gain by leaving a field empty. */

/* Beyond these no single goods line is believed. */
static const double mass_absurd_kg = 1e9;
static const double value_absurd = 1e13;
static const float deviation_absurd = 10;
static const int64_t ten_years_ns = INT64_C(3653) * 86400 * 1000000000;

struct list {
    char *text;
    size_t bytes;
    size_t used;
};

static void add(struct list *list, const char *fault)
{
    if (list->used >= list->bytes) {
        return;
    }
    int written = snprintf(list->text + list->used, list->bytes - list->used, "%s%s",
                           list->used > 0 ? "; " : "", fault);
    list->used += written > 0 ? (size_t)written : 0;
}

/* RFC 3629, without surrogates and over-long forms. */
static bool is_utf8(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    while (*at != 0) {
        uint8_t first = *at++;
        int more = first < 0x80   ? 0
                   : first < 0xc2 ? -1
                   : first < 0xe0 ? 1
                   : first < 0xf0 ? 2
                   : first < 0xf5 ? 3
                                  : -1;
        if (more < 0 || (first == 0xe0 && *at < 0xa0) || (first == 0xed && *at > 0x9f) ||
            (first == 0xf0 && *at < 0x90) || (first == 0xf4 && *at > 0x8f)) {
            return false;
        }
        for (; more > 0; more--, at++) {
            if ((*at & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

static void add_text_faults(const struct declaration *declaration, const struct goods_line *line,
                            struct list *list)
{
    const char *const texts[] = {declaration->declaration_id,
                                 declaration->importer,
                                 declaration->seller,
                                 declaration->declarant,
                                 declaration->courier,
                                 declaration->departure_country,
                                 line != NULL ? line->hs_code : "",
                                 line != NULL ? line->origin_country : "",
                                 line != NULL ? line->description : ""};
    bool good = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        good = good && is_utf8(texts[i]);
    }
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        good = good && is_utf8(declaration->other[i].value);
    }
    if (!good) {
        add(list, "text is not UTF-8");
    }
}

static void add_empty_fields(const struct declaration *declaration, const struct goods_line *line,
                             struct list *list)
{
    const struct {
        bool empty;
        const char *fault;
    } fields[] = {
        {declaration->declaration_id[0] == '\0', "no declaration id"},
        {declaration->importer[0] == '\0', "no importer"},
        {declaration->seller[0] == '\0', "no seller"},
        {declaration->declarant[0] == '\0', "no declarant"},
        {declaration->departure_country[0] == '\0', "no departure"},
        {line == NULL || line->origin_country[0] == '\0', "no origin"},
        {line == NULL || line->hs_code[0] == '\0', "no HS code"},
        {line == NULL || !(line->net_mass_kg > 0), "no net mass"},
        {line == NULL || !(line->value > 0), "no value"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].empty) {
            add(list, fields[i].fault);
        }
    }
}

static void add_goods_faults(const struct declaration_said *said, const struct goods_line *line,
                             struct list *list)
{
    struct goods_values values;
    goods_values_of(line, &values);
    if (line->hs_code[0] != '\0' && values.codes[GOODS_HS6] == 0) {
        add(list, "HS code has less than six digits");
    } else if (values.codes[GOODS_HS6] != 0 &&
               !goods_code_is_known(said->norms, &values, GOODS_HS6)) {
        add(list, "HS code never seen before");
    }
    if (line->net_mass_kg > mass_absurd_kg || line->net_mass_kg < 0) {
        add(list, "absurd net mass");
    }
    if (line->value > value_absurd || line->value < 0) {
        add(list, "absurd value");
    }
    if (!(line->tax_rate_percent >= 0 && line->tax_rate_percent <= 1000)) {
        add(list, "absurd tax rate");
    }
    const struct goods_norm *norm = goods_norm_of(said->norms, &values, GOODS_HS6);
    if (fabsf(goods_deviation(norm, &values, GOODS_UNIT_VALUE)) >= deviation_absurd) {
        add(list, "value and mass do not go together");
    }
}

/* Codes that nobody has examined under; HS codes are told above. */
static void add_unknown_codes(const struct declaration_said *said, const struct goods_line *line,
                              struct list *list)
{
    for (uint32_t kind = 1; kind < HISTORY_KINDS; kind++) {
        const struct history_kind *about = &history_kinds[kind];
        enum history_part part = about->parts[0];
        bool is_code = about->parts_count == 1 && part > PART_HS2;
        uint64_t key = is_code ? history_key(kind, &said->parts) : 0;
        struct history_known known = {0};
        if (key != 0) {
            history_know(said->history, key, &known);
        }
        if (key != 0 && known.exams_count == 0) {
            char entity[HISTORY_WORDS_BYTES];
            char fault[HISTORY_WORDS_BYTES + 24];
            history_kind_words(kind, said->declaration, line, NULL, entity);
            (void)snprintf(fault, sizeof fault, "%s never seen before", entity);
            add(list, fault);
        }
    }
}

static void add_consistency(const struct declaration *declaration, struct list *list)
{
    char findings[512];
    line_consistency(declaration, findings, sizeof findings);
    if (findings[0] != '\0') {
        add(list, findings);
    }
}

void declaration_faults(const struct declaration_said *said, char *out, size_t out_bytes)
{
    const struct declaration *declaration = said->declaration;
    uint32_t index = said->line_index;
    const struct goods_line *line =
        index < declaration->lines_count ? &declaration->lines[index] : NULL;
    struct list list = {out, out_bytes, 0};
    out[0] = '\0';
    add_empty_fields(declaration, line, &list);
    add_text_faults(declaration, line, &list);
    if (line != NULL) {
        add_goods_faults(said, line, &list);
    }
    add_consistency(declaration, &list);
    add_unknown_codes(said, line, &list);
    int64_t newest_ns = said->history->base.newest_ns;
    if (newest_ns != INT64_MIN && newest_ns > 0 &&
        (declaration->declared_ns > newest_ns + ten_years_ns ||
         declaration->declared_ns < newest_ns - ten_years_ns)) {
        add(&list, "date far from all that were learnt");
    }
}
