/* SPDX-License-Identifier: Apache-2.0 */
#include "score/line_consistency.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Every line is held against those before it: a quarter of a million pairs at the most, and a
 * declaration of a few lines is what comes. */

enum { CODE_DIGITS = 6 };

struct list {
    char *text;
    size_t bytes;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *list, const char *format, ...)
{
    va_list arguments;
    char finding[160];
    va_start(arguments, format);
    (void)vsnprintf(finding, sizeof finding, format, arguments);
    va_end(arguments);
    if (list->used < list->bytes) {
        int written = snprintf(list->text + list->used, list->bytes - list->used, "%s%s",
                               list->used > 0 ? "; " : "", finding);
        list->used += written > 0 ? (size_t)written : 0;
    }
}

/* The first six digits; false with fewer. */
static bool code_of(const char *hs_code, char out[CODE_DIGITS + 1])
{
    size_t used = 0;
    for (const char *at = hs_code; *at != '\0' && used < CODE_DIGITS; at++) {
        if (isdigit((unsigned char)*at)) {
            out[used++] = *at;
        }
    }
    out[used] = '\0';
    return used == CODE_DIGITS;
}

static bool is_positive(double number)
{
    return number > 0 && isfinite(number);
}

/* Two lines of the same goods that differ most in something, so far. */
struct widest {
    double ratio;
    double low;
    double high;
    char code[CODE_DIGITS + 1];
};

static void widen(struct widest *widest, const char *code, double a, double b)
{
    double low = fmin(a, b);
    double high = fmax(a, b);
    double ratio = high / low;
    if (is_positive(ratio) && ratio > widest->ratio) {
        *widest = (struct widest){.ratio = ratio, .low = low, .high = high};
        memcpy(widest->code, code, CODE_DIGITS + 1);
    }
}

struct findings {
    struct widest unit_value;
    struct widest unit_mass;
    const struct goods_line *units[2];   /* the same goods in two units */
    const struct goods_line *origins[2]; /* ... from two countries */
    uint32_t twins[2];                   /* the same line twice, from 1; 0: none */
    bool currencies;
};

static void compare_goods(const struct goods_line *a, const struct goods_line *b, const char *code,
                          struct findings *found)
{
    if (strcmp(a->currency, b->currency) == 0) {
        widen(&found->unit_value, code, a->value / a->net_mass_kg, b->value / b->net_mass_kg);
    }
    if (strcmp(a->quantity_unit, b->quantity_unit) == 0) {
        widen(&found->unit_mass, code, a->net_mass_kg / a->quantity, b->net_mass_kg / b->quantity);
    } else if (found->units[0] == NULL && a->quantity_unit[0] != '\0' &&
               b->quantity_unit[0] != '\0') {
        found->units[0] = a;
        found->units[1] = b;
    }
    if (found->origins[0] == NULL && a->origin_country[0] != '\0' && b->origin_country[0] != '\0' &&
        strcmp(a->origin_country, b->origin_country) != 0) {
        found->origins[0] = a;
        found->origins[1] = b;
    }
}

/* The description counts: two sizes of the same shirt may well weigh and cost the same. */
static bool are_twins(const struct goods_line *a, const struct goods_line *b)
{
    return is_positive(a->value) && !(a->value < b->value) && !(a->value > b->value) &&
           is_positive(a->net_mass_kg) && !(a->net_mass_kg < b->net_mass_kg) &&
           !(a->net_mass_kg > b->net_mass_kg) && strcmp(a->hs_code, b->hs_code) == 0 &&
           strcmp(a->origin_country, b->origin_country) == 0 &&
           strcmp(a->description, b->description) == 0;
}

static void compare(const struct declaration *declaration, struct findings *found)
{
    uint32_t count =
        declaration->lines_count < RECORD_LINES_MAX ? declaration->lines_count : RECORD_LINES_MAX;
    for (uint32_t i = 1; i < count; i++) {
        const struct goods_line *line = &declaration->lines[i];
        char code[CODE_DIGITS + 1];
        bool has_code = code_of(line->hs_code, code);
        for (uint32_t before = 0; before < i; before++) {
            const struct goods_line *other = &declaration->lines[before];
            char other_code[CODE_DIGITS + 1];
            found->currencies |= other->currency[0] != '\0' && line->currency[0] != '\0' &&
                                 strcmp(other->currency, line->currency) != 0;
            if (has_code && code_of(other->hs_code, other_code) && strcmp(code, other_code) == 0) {
                compare_goods(other, line, code, found);
            }
            if (found->twins[0] == 0 && are_twins(other, line)) {
                found->twins[0] = before + 1;
                found->twins[1] = i + 1;
            }
        }
    }
}

static void tell_masses(const struct declaration *declaration, struct list *list)
{
    double lines_kg = 0;
    for (uint32_t i = 0; i < declaration->lines_count; i++) {
        lines_kg += declaration->lines[i].net_mass_kg;
    }
    double gross_kg = declaration->gross_mass_kg;
    if (gross_kg > 0 && lines_kg > gross_kg * 1.001) {
        add(list, "net mass of the lines, %.6g kg, exceeds the gross mass, %.6g kg", lines_kg,
            gross_kg);
    } else if (is_positive(gross_kg) && is_positive(lines_kg) &&
               gross_kg >= LINE_GROSS_RATIO * lines_kg) {
        add(list, "gross mass, %.6g kg, is %.0f times the net mass of the lines", gross_kg,
            gross_kg / lines_kg);
    }
}

/* Codes and units are short words of a list; anything else is not repeated to anybody. */
static const char *word(const char *text)
{
    size_t length = strlen(text);
    bool plain = length <= 4;
    for (size_t i = 0; i < length && plain; i++) {
        plain = isalnum((unsigned char)text[i]) != 0;
    }
    return plain ? text : "?";
}

void line_consistency(const struct declaration *declaration, char *out, size_t out_bytes)
{
    struct findings found = {.currencies = false};
    struct list list = {out, out_bytes, 0};
    out[0] = '\0';
    compare(declaration, &found);
    tell_masses(declaration, &list);
    if (found.unit_value.ratio >= LINE_UNIT_RATIO) {
        add(&list, "lines of HS %s differ %.0f times in value a kg (%.3g to %.3g)",
            found.unit_value.code, found.unit_value.ratio, found.unit_value.low,
            found.unit_value.high);
    }
    if (found.unit_mass.ratio >= LINE_UNIT_RATIO) {
        add(&list, "lines of HS %s differ %.0f times in mass a unit (%.3g to %.3g kg)",
            found.unit_mass.code, found.unit_mass.ratio, found.unit_mass.low, found.unit_mass.high);
    }
    if (found.units[0] != NULL) {
        add(&list, "the same goods counted in %s and %s", word(found.units[0]->quantity_unit),
            word(found.units[1]->quantity_unit));
    }
    if (found.origins[0] != NULL) {
        add(&list, "the same goods from %s and %s", word(found.origins[0]->origin_country),
            word(found.origins[1]->origin_country));
    }
    if (found.twins[0] != 0) {
        add(&list, "lines %u and %u are the same", found.twins[0], found.twins[1]);
    }
    if (found.currencies) {
        add(&list, "lines in several currencies");
    }
}
