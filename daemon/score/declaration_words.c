/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* " since March 2020"; "" when not known. */
static void since_words(uint16_t first_day, char out[32])
{
    time_t seconds = (time_t)first_day * 86400;
    struct tm parts;
    out[0] = '\0';
    if (first_day > 0 && gmtime_r(&seconds, &parts) != NULL) {
        static const char *const months[12] = {"January",   "February", "March",    "April",
                                               "May",       "June",     "July",     "August",
                                               "September", "October",  "November", "December"};
        (void)snprintf(out, 32, " since %s %d", months[parts.tm_mon], parts.tm_year + 1900);
    }
}

static void history_words(const struct declaration_said *said, uint32_t kind,
                          char out[DECLARATION_WORDS_BYTES])
{
    struct history_known known = {0};
    char entity[HISTORY_WORDS_BYTES];
    history_kind_words(kind, said->declaration, line_of(said), said->pseudonym_key, entity);
    uint64_t key = history_key(kind, &said->parts);
    if (key == 0) {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s: not given", entity);
        return;
    }
    history_know(said->history, key, &known);
    if (known.exams_count == 0) {
        (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s: no exams yet", entity);
        return;
    }
    char since[32];
    since_words(known.first_day, since);
    /* Counts that have faded to less than half are old: say so, or the weight will not be
     * understood. */
    bool old = known.exams < 0.5 * (double)known.exams_count;
    (void)snprintf(out, DECLARATION_WORDS_BYTES, "%s: %" PRIu64 " %s in %" PRIu64 " %s%s%s", entity,
                   known.finds_count, say_plural(known.finds_count, "find", "finds"),
                   known.exams_count, say_plural(known.exams_count, "exam", "exams"), since,
                   old ? ", most of them long ago" : "");
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
