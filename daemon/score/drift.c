/* SPDX-License-Identifier: Apache-2.0 */
#include "score/drift.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"
#include "proto/hash.h"

/* A declaration becomes a row of numbers: words by 52 bits of their digest, which a double holds
 * exactly. So one sort serves both kinds of field. */

enum { TENTHS = 10, WORDS = 20, BINS_MAX = WORDS + 2 };

enum drift_place {
    FIELD_SCORE,
    FIELD_MODE,
    FIELD_SITE,
    FIELD_OFFICE,
    FIELD_HS_CHAPTER,
    FIELD_HS_CODE,
    FIELD_ORIGIN,
    FIELD_DEPARTURE,
    FIELD_CURRENCY,
    FIELD_IMPORTER,
    FIELD_SELLER,
    FIELD_DECLARANT,
    FIELD_COURIER,
    FIELD_LINES,
    FIELD_VALUE,
    FIELD_NET_MASS,
    FIELD_GROSS_MASS,
    FIELD_UNIT_VALUE,
    FIELDS
};
_Static_assert((int)FIELDS <= (int)DRIFT_FIELDS_MAX, "fields");

static const struct {
    const char *name;
    bool is_word;
} fields[FIELDS] = {
    [FIELD_SCORE] = {"score", false},
    [FIELD_MODE] = {"mode", true},
    [FIELD_SITE] = {"site", true},
    [FIELD_OFFICE] = {"office", true},
    [FIELD_HS_CHAPTER] = {"hs_chapter", true},
    [FIELD_HS_CODE] = {"hs_code", true},
    [FIELD_ORIGIN] = {"origin_country", true},
    [FIELD_DEPARTURE] = {"departure_country", true},
    [FIELD_CURRENCY] = {"currency", true},
    [FIELD_IMPORTER] = {"importer", true},
    [FIELD_SELLER] = {"seller", true},
    [FIELD_DECLARANT] = {"declarant", true},
    [FIELD_COURIER] = {"courier", true},
    [FIELD_LINES] = {"lines", false},
    [FIELD_VALUE] = {"value", false},
    [FIELD_NET_MASS] = {"net_mass_kg", false},
    [FIELD_GROSS_MASS] = {"gross_mass_kg", false},
    [FIELD_UNIT_VALUE] = {"unit_value", false},
};

struct side {
    double *rows; /* [count x FIELDS]; NaN: missing */
    uint64_t count;
    uint64_t capacity;
};

struct drift {
    struct side sides[2]; /* then, now */
};

const char *drift_words(enum drift_verdict verdict)
{
    static const char *const words[] = {
        [DRIFT_STEADY] = "as before",
        [DRIFT_UNKNOWN] = "too few to tell",
        [DRIFT_HAS_MOVED] = "has moved",
        [DRIFT_IS_OTHER] = "another population",
    };
    return words[verdict];
}

static double share(uint64_t count, uint64_t all, size_t bins)
{
    return ((double)count + 0.5) / ((double)all + 0.5 * (double)bins);
}

double drift_index(const uint64_t *then, const uint64_t *now, size_t bins)
{
    uint64_t then_count = 0;
    uint64_t now_count = 0;
    for (size_t bin = 0; bin < bins; bin++) {
        then_count += then[bin];
        now_count += now[bin];
    }
    double index = 0;
    for (size_t bin = 0; bin < bins && then_count > 0 && now_count > 0; bin++) {
        double was = share(then[bin], then_count, bins);
        double is = share(now[bin], now_count, bins);
        index += (is - was) * log(is / was);
    }
    return index;
}

/* Without a change the index is about chi-squared of bins - 1 degrees, times the sum of both sides'
 * 1 / count; its quantile by Wilson and Hilferty. */
double drift_chance(uint64_t then_count, uint64_t now_count, size_t bins)
{
    static const double z = 1.6448536269514722;
    if (bins < 2 || then_count == 0 || now_count == 0) {
        return 0;
    }
    double degrees = (double)(bins - 1);
    double root = 1 - 2 / (9 * degrees) + z * sqrt(2 / (9 * degrees));
    return degrees * root * root * root * (1 / (double)then_count + 1 / (double)now_count);
}

enum drift_verdict drift_judge(double index, double chance)
{
    if (index < DRIFT_MOVED) {
        return DRIFT_STEADY;
    }
    if (index <= chance) {
        return DRIFT_UNKNOWN;
    }
    return index < DRIFT_OTHER ? DRIFT_HAS_MOVED : DRIFT_IS_OTHER;
}

MUST_USE struct err drift_open(struct drift **out)
{
    struct drift *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "drift");
    }
    *out = self;
    return err_none;
}

void drift_close(struct drift **self)
{
    if (*self != NULL) {
        free((*self)->sides[0].rows);
        free((*self)->sides[1].rows);
        free(*self);
        *self = NULL;
    }
}

uint64_t drift_count(const struct drift *self, bool now)
{
    return self->sides[now].count;
}

/* Without regard to case and blanks, as histories read names. */
static size_t plain(const char *text, size_t wanted, char kept[256])
{
    size_t used = 0;
    size_t room = wanted < 256 ? wanted : 256;
    for (const char *at = text; *at != '\0' && used < room; at++) {
        kept[used] = (char)toupper((unsigned char)*at);
        used += isspace((unsigned char)*at) == 0;
    }
    return used;
}

/* 52 bits of a digest of the first so many characters; NaN of none. */
static double word_of(const char *text, size_t wanted)
{
    char kept[256];
    uint8_t digest[HASH_BYTES];
    size_t used = plain(text, wanted, kept);
    uint64_t bits = 0;
    sha256_of(kept, used, digest);
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | digest[i];
    }
    return used > 0 ? (double)(bits >> 12) : NAN;
}

static double positive(double number)
{
    return number > 0 && isfinite(number) ? number : NAN;
}

static void read_lines(const struct declaration *declaration, double row[FIELDS])
{
    double value = 0;
    double mass = 0;
    for (uint32_t i = 0; i < declaration->lines_count; i++) {
        value += declaration->lines[i].value;
        mass += declaration->lines[i].net_mass_kg;
    }
    row[FIELD_VALUE] = positive(value);
    row[FIELD_NET_MASS] = positive(mass);
    row[FIELD_UNIT_VALUE] = positive(value / mass);
    if (declaration->lines_count > 0) {
        const struct goods_line *line = &declaration->lines[0];
        row[FIELD_HS_CHAPTER] = word_of(line->hs_code, 2);
        row[FIELD_HS_CODE] = word_of(line->hs_code, 6);
        row[FIELD_ORIGIN] = word_of(line->origin_country, SIZE_MAX);
        row[FIELD_CURRENCY] = word_of(line->currency, SIZE_MAX);
    }
}

static void read_row(const struct declaration *declaration, double probability, double row[FIELDS])
{
    for (int field = 0; field < FIELDS; field++) {
        row[field] = NAN;
    }
    row[FIELD_SCORE] = probability;
    row[FIELD_MODE] = (double)declaration->mode;
    row[FIELD_SITE] = word_of(declaration->site, SIZE_MAX);
    row[FIELD_DEPARTURE] = word_of(declaration->departure_country, SIZE_MAX);
    row[FIELD_IMPORTER] = word_of(declaration->importer, SIZE_MAX);
    row[FIELD_SELLER] = word_of(declaration->seller, SIZE_MAX);
    row[FIELD_DECLARANT] = word_of(declaration->declarant, SIZE_MAX);
    row[FIELD_COURIER] = word_of(declaration->courier, SIZE_MAX);
    row[FIELD_LINES] = declaration->lines_count;
    row[FIELD_GROSS_MASS] = positive(declaration->gross_mass_kg);
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        if (strcmp(declaration->other[i].name, "office") == 0) {
            row[FIELD_OFFICE] = word_of(declaration->other[i].value, SIZE_MAX);
        }
    }
    read_lines(declaration, row);
}

MUST_USE struct err drift_add(struct drift *self, const struct declaration *declaration,
                              double probability, bool now)
{
    struct side *side = &self->sides[now];
    if (side->count == side->capacity) {
        uint64_t capacity = 2 * side->capacity + 1024;
        double *larger = realloc(side->rows, capacity * FIELDS * sizeof *larger);
        if (larger == NULL) {
            return err_make(ERR_MEMORY, "drift");
        }
        side->rows = larger;
        side->capacity = capacity;
    }
    read_row(declaration, probability, side->rows + side->count++ * FIELDS);
    return err_none;
}

/* Borders of a field's bins: of numbers the highest of each bin, of words the words themselves. */
struct cut {
    double borders[WORDS];
    uint32_t count;
    bool is_word;
};

/* The last bin is for what is missing, the one before for whatever fits no border. */
static uint32_t bin_of(const struct cut *cut, double value)
{
    if (isnan(value)) {
        return cut->count + 1;
    }
    for (uint32_t i = 0; i < cut->count; i++) {
        if (cut->is_word ? value == cut->borders[i] : value <= cut->borders[i]) {
            return i;
        }
    }
    return cut->count;
}

/* What lies below the least and above the most of then has bins of its own: a number that was
 * always the same may be another one now. */
static void cut_numbers(const double *sorted, uint64_t count, struct cut *out)
{
    if (count == 0) {
        return;
    }
    out->borders[out->count++] = nextafter(sorted[0], -INFINITY);
    for (int tenth = 1; tenth <= TENTHS; tenth++) {
        double border = sorted[(count - 1) * (uint64_t)tenth / TENTHS];
        if (border > out->borders[out->count - 1]) {
            out->borders[out->count++] = border;
        }
    }
}

/* The most frequent words, of equally frequent ones the first; a word that stands for less than one
 * row in a hundred is one of the others. */
static void cut_words(const double *sorted, uint64_t count, struct cut *out)
{
    uint64_t frequencies[WORDS] = {0};
    for (uint64_t from = 0, to = 0; from < count; from = to) {
        while (to < count && sorted[to] == sorted[from]) {
            to++;
        }
        uint64_t frequency = to - from;
        uint32_t place = out->count;
        while (place > 0 && frequencies[place - 1] < frequency) {
            place--;
        }
        if (frequency * 100 < count || place == WORDS) {
            continue;
        }
        uint32_t moved = out->count < WORDS ? out->count : WORDS - 1;
        memmove(out->borders + place + 1, out->borders + place, (moved - place) * sizeof(double));
        memmove(frequencies + place + 1, frequencies + place, (moved - place) * sizeof(uint64_t));
        out->borders[place] = sorted[from];
        frequencies[place] = frequency;
        out->count = moved + 1;
    }
}

static uint64_t present(const struct side *side, int field, double *out)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < side->count; i++) {
        double value = side->rows[i * FIELDS + (uint64_t)field];
        if (!isnan(value)) {
            out[count++] = value;
        }
    }
    return count;
}

static void make_field(const struct drift *self, int field, double *workspace,
                       struct drift_field *out)
{
    struct cut cut = {.is_word = fields[field].is_word};
    uint64_t counts[2][BINS_MAX] = {{0}};
    uint64_t given = present(&self->sides[0], field, workspace);
    statistics_sort(workspace, given);
    if (cut.is_word) {
        cut_words(workspace, given, &cut);
    } else {
        cut_numbers(workspace, given, &cut);
    }
    for (int side = 0; side < 2; side++) {
        for (uint64_t i = 0; i < self->sides[side].count; i++) {
            counts[side][bin_of(&cut, self->sides[side].rows[i * FIELDS + (uint64_t)field])]++;
        }
    }
    /* A bin that nobody was ever in is none. */
    uint64_t then[BINS_MAX];
    uint64_t now[BINS_MAX];
    uint32_t bins = 0;
    for (uint32_t bin = 0; bin < cut.count + 2; bin++) {
        if (counts[0][bin] + counts[1][bin] > 0) {
            then[bins] = counts[0][bin];
            now[bins++] = counts[1][bin];
        }
    }
    *out = (struct drift_field){
        .name = fields[field].name,
        .bins = bins,
        .index = drift_index(then, now, bins),
        .chance = drift_chance(self->sides[0].count, self->sides[1].count, bins),
        .missing_then = (double)counts[0][cut.count + 1] / (double)self->sides[0].count,
        .missing_now = (double)counts[1][cut.count + 1] / (double)self->sides[1].count};
    out->verdict = drift_judge(out->index, out->chance);
}

MUST_USE struct err drift_make(const struct drift *self, struct drift_field out[DRIFT_FIELDS_MAX],
                               uint32_t *count)
{
    if (self->sides[0].count == 0 || self->sides[1].count == 0) {
        return err_make(ERR_ARGUMENT, "one side has no declarations");
    }
    double *workspace = calloc(self->sides[0].count, sizeof *workspace);
    if (workspace == NULL) {
        return err_make(ERR_MEMORY, "drift");
    }
    for (int field = 0; field < FIELDS; field++) {
        make_field(self, field, workspace, &out[field]);
    }
    free(workspace);
    *count = FIELDS;
    return err_none;
}
