/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "score/say.h"

static const struct goods_line *line_of(const struct declaration_said *said)
{
    const struct declaration *declaration = said->declaration;
    uint32_t index = said->line_index;
    return index < declaration->lines_count ? &declaration->lines[index] : NULL;
}

void declaration_said_fill(struct declaration_said *said)
{
    history_parts_of_declaration(&said->history->key, said->declaration, &said->parts);
    if (line_of(said) != NULL) {
        history_parts_add_line(&said->history->key, line_of(said), &said->parts);
    }
}

/* " since March 2020"; nothing when not known. Days of the civil calendar after Hinnant: eras of
 * 400 years, years that begin in March. */
static void say_since(struct say_line *line, uint16_t first_day)
{
    static const char *const months[12] = {"March",    "April",    "May",       "June",
                                           "July",     "August",   "September", "October",
                                           "November", "December", "January",   "February"};
    enum { MARCH_0000_TO_1970 = 719468, DAYS_OF_ERA = 146097 };
    if (first_day == 0) {
        return;
    }
    uint32_t days = (uint32_t)first_day + MARCH_0000_TO_1970;
    uint32_t in_era = days % DAYS_OF_ERA;
    uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * in_year + 2) / 153; /* 0: March */
    say_add(line, " since ");
    say_add(line, months[month]);
    say_add(line, " ");
    say_add_number(line, year + 400 * (days / DAYS_OF_ERA) + (month >= 10));
}

static void history_words(const struct declaration_said *said, uint32_t kind,
                          char out[DECLARATION_WORDS_BYTES])
{
    struct history_known known = {0};
    struct say_line line;
    char entity[HISTORY_WORDS_BYTES];
    history_kind_words(kind, said->declaration, line_of(said), said->pseudonym_key, entity);
    say_begin(&line, out, DECLARATION_WORDS_BYTES);
    say_add(&line, entity);
    uint64_t key = history_key(kind, &said->parts);
    if (key == 0) {
        say_add(&line, ": not given");
        return;
    }
    history_know(said->history, key, &known);
    if (known.exams_count == 0) {
        say_add(&line, ": no exams yet");
        return;
    }
    say_add(&line, ": ");
    say_add_number(&line, known.finds_count);
    say_add(&line, say_plural(known.finds_count, " find in ", " finds in "));
    say_add_number(&line, known.exams_count);
    say_add(&line, say_plural(known.exams_count, " exam", " exams"));
    say_since(&line, known.first_day);
    /* Counts that have faded to less than half are old: say so, or the weight will not be
     * understood. */
    say_add(&line, known.exams < 0.5 * (double)known.exams_count ? ", most of them long ago" : "");
}

/* Amounts themselves are not told: words go into public entries. */
static void goods_words(const struct declaration_said *said, enum goods_quantity quantity,
                        char out[DECLARATION_WORDS_BYTES])
{
    static const char *const names[GOODS_QUANTITIES] = {"value a kg", "net mass", "value"};
    struct goods_values values;
    const struct goods_line *line = line_of(said);
    if (line != NULL) {
        goods_values_of(line, &values);
    }
    if (line == NULL || isnan(values.logs[quantity])) {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s: not given", names[quantity]);
        return;
    }
    const struct goods_norm *norm = goods_norm_of(said->norms, &values, GOODS_HS6);
    if (norm == NULL) {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s: nothing is known of what is usual",
                       names[quantity]);
        return;
    }
    double deviation = (double)goods_deviation(norm, &values, quantity);
    (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s: %.1f spreads %s what is usual for %s",
                   names[quantity], fabs(deviation), deviation < 0 ? "below" : "above",
                   goods_code_is_known(said->norms, &values, GOODS_HS6) ? "its HS code"
                                                                        : "goods of its kind");
}

void declaration_group_words(const struct declaration_said *said, uint32_t group,
                             char out[DECLARATION_WORDS_BYTES])
{
    const struct goods_line *line = line_of(said);
    must(group < LINE_GROUPS);
    if (group < GROUP_UNIT_VALUE) {
        history_words(said, group + 1, out);
    } else if (group < GROUP_TAX_RATE) {
        goods_words(said, (enum goods_quantity)(group - GROUP_UNIT_VALUE), out);
    } else if (group == GROUP_TAX_RATE) {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "tax rate %.6g%%",
                       line != NULL ? line->tax_rate_percent : 0.0);
    } else if (group == GROUP_SELLER) {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s seller is named",
                       said->declaration->seller[0] == '\0' ? "no" : "a");
    } else {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s courier is named",
                       said->declaration->courier[0] == '\0' ? "no" : "a");
    }
}
