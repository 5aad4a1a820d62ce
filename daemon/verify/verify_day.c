/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_day.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"

/* Each sentence below stands for one check of verify_draws.c or verify_items.c; what fails is also
 * a problem of the log, with its entry. */

#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define DAY_SLACK_NS (INT64_C(600) * NS_PER_S) /* a decision's entry is stamped after its draw */

static struct verify_day_stratum *day_stratum(struct verify_day *self, const char *name,
                                              double rate)
{
    for (uint32_t i = 0; i < self->strata_count; i++) {
        struct verify_day_stratum *row = &self->strata[i];
        if (!(row->rate < rate) && !(row->rate > rate) && strcmp(row->stratum, name) == 0) {
            return row;
        }
    }
    if (self->strata_count == VERIFY_DAY_STRATA) {
        self->strata_left_out = true;
        return NULL;
    }
    struct verify_day_stratum *row = &self->strata[self->strata_count++];
    (void)snprintf(row->stratum, sizeof row->stratum, "%s", name);
    row->rate = rate;
    return row;
}

void verify_day_add(struct verify_day *self, const struct entry *entry, bool drawn, bool known)
{
    const struct entry_decision *decision = &entry->body.decision;
    const char *name = decision->draw_stratum == NULL ? "" : decision->draw_stratum;
    struct verify_day_stratum *row = day_stratum(self, name, decision->random_rate);
    int64_t start_ns = 0;
    if (row != NULL) {
        row->items++;
        row->drawn += drawn;
    }
    self->first_draw_n = self->items == 0 ? entry->n : self->first_draw_n;
    self->last_draw_n = entry->n;
    self->items++;
    self->drawn += drawn;
    self->known += known;
    self->elsewhen +=
        clock_day_ns(self->day, &start_ns) &&
        (entry->t_ns < start_ns - DAY_SLACK_NS || entry->t_ns >= start_ns + DAY_NS + DAY_SLACK_NS);
}

void verify_day_cover(struct verify_day *self, uint64_t end_n)
{
    bool before = self->items == 0 || end_n <= self->first_draw_n;
    if (self->committed && !self->covered && end_n > self->commit_n && before) {
        self->covered = true;
        self->covered_size = end_n;
    }
}

bool verify_day_good(const struct verify_day *self)
{
    return self->committed && self->scheme_known && self->revealed && self->differing == 0 &&
           self->out_of_turn == 0 && self->made_again == self->items;
}

static double day_log_chance(double hits, double count, double rate)
{
    if (rate <= 0 || rate >= 1) {
        bool certain = rate <= 0 ? hits <= 0 : hits >= count;
        return certain ? 0 : -INFINITY;
    }
    return lgamma(count + 1) - lgamma(hits + 1) - lgamma(count - hits + 1) + hits * log(rate) +
           (count - hits) * log1p(-rate);
}

double verify_binomial(uint64_t hits, uint64_t count, double rate)
{
    double observed = day_log_chance((double)hits, (double)count, rate);
    double sum = 0;
    for (uint64_t i = 0; i <= count; i++) {
        double chance = day_log_chance((double)i, (double)count, rate);
        sum += chance <= observed + 1e-7 ? exp(chance) : 0;
    }
    return fmin(sum, 1);
}

/* ---- words ---- */

static void day_print_commit(const struct verify_day *self, FILE *out)
{
    char when[CLOCK_TEXT_BYTES];
    int64_t start_ns = 0;
    if (!self->committed) {
        (void)fprintf(out, "commitment  there is none: nothing was drawn by a key of this day\n");
        return;
    }
    clock_text(self->commit_ns, when);
    bool ahead = clock_day_ns(self->day, &start_ns) && self->commit_ns < start_ns;
    (void)fprintf(out, "commitment  entry %" PRIu64 ", %.19sZ, %s: SHA-256 of the key, and rates\n",
                  self->commit_n, when, ahead ? "before the day began" : "AFTER the day had begun");
    if (self->covered) {
        (void)fprintf(out,
                      "            a signed checkpoint holds it (entries up to %" PRIu64
                      ") and none of the draws\n",
                      self->covered_size - 1);
    } else {
        (void)fprintf(out, "            no signed checkpoint here holds it without draws: only the "
                           "order of entries says that it came first\n");
    }
    if (self->restated > 0) {
        (void)fprintf(out,
                      "            the same key was committed %" PRIu64 " more times; %" PRIu64
                      " of them changed a rate after the first draw\n",
                      self->restated, self->restated_inside);
    }
}

static void day_print_reveal(const struct verify_day *self, FILE *out)
{
    char when[CLOCK_TEXT_BYTES];
    int64_t start_ns = 0;
    (void)clock_day_ns(self->day, &start_ns);
    if (self->revealed) {
        clock_text(self->reveal_ns, when);
        (void)fprintf(out,
                      "reveal      entry %" PRIu64 ", %.19sZ: the key whose SHA-256 was committed, "
                      "after the last draw\n",
                      self->reveal_n, when);
    } else if (self->committed && self->last_ns > start_ns + DAY_NS + DAY_SLACK_NS) {
        clock_text(self->last_ns, when);
        (void)fprintf(
            out, "reveal      OVERDUE: the log goes on to %.19sZ and the key is not in it\n", when);
    } else if (self->committed) {
        (void)fprintf(out, "reveal      not yet: the day is not over in this copy of the log\n");
    }
}

static void day_print_draws(const struct verify_day *self, FILE *out)
{
    (void)fprintf(out,
                  "draws       %" PRIu64 " items, each decided once; %" PRIu64
                  " draws made again from key and item id, %" PRIu64 " differ\n",
                  self->items, self->made_again, self->differing);
    (void)fprintf(out,
                  "arms        %" PRIu64 " items are said to be drawn: exactly those with u below "
                  "the committed rate%s\n",
                  self->drawn, verify_day_good(self) ? "" : " should be");
    (void)fprintf(out,
                  "identity    %" PRIu64
                  " items were recorded before the key was committed: whoever "
                  "made it could know these\n",
                  self->known);
    if (self->elsewhen > 0) {
        (void)fprintf(out,
                      "time        %" PRIu64
                      " items were decided on another day than the one whose key drew them\n",
                      self->elsewhen);
    }
}

static void day_print_strata(const struct verify_day *self, FILE *out)
{
    if (self->strata_count > 0) {
        (void)fprintf(out, "\n%-28s %10s %9s %9s %9s  %s\n", "stratum", "rate", "items", "drawn",
                      "expected", "chance of a count as odd, were the coin fair");
    }
    for (uint32_t i = 0; i < self->strata_count; i++) {
        const struct verify_day_stratum *row = &self->strata[i];
        (void)fprintf(out, "%-28s %10.6g %9" PRIu64 " %9" PRIu64 " %9.1f  %.3f\n", row->stratum,
                      row->rate, row->items, row->drawn, (double)row->items * row->rate,
                      verify_binomial(row->drawn, row->items, row->rate));
    }
    if (self->strata_left_out) {
        (void)fprintf(out, "(more strata than are listed; all draws were made again)\n");
    }
}

void verify_day_print(const struct verify_day *self, uint64_t problems, FILE *out)
{
    bool good = verify_day_good(self) && problems == 0;
    (void)fprintf(out, "%s: %s\n", self->day,
                  good ? "good: every draw of this day was made again and is as recorded"
                  : !self->revealed && problems == 0
                      ? "cannot be checked: the key of this day is not in the log"
                      : "BAD");
    day_print_commit(self, out);
    day_print_reveal(self, out);
    if (self->items > 0) {
        day_print_draws(self, out);
    }
    day_print_strata(self, out);
    (void)fputs("\nwhat this cannot tell: whether somebody at the port read the key before it was "
                "revealed, or\nwhether what drove past the scanner was recorded; what every record "
                "of an item said.\n",
                out);
}

bool verify_day_print_json(const struct verify_day *self, uint64_t problems, FILE *out)
{
    json_t *strata = json_array();
    for (uint32_t i = 0; i < self->strata_count; i++) {
        const struct verify_day_stratum *row = &self->strata[i];
        json_array_append_new(strata,
                              json_pack("{s:s, s:f, s:I, s:I, s:f}", "stratum", row->stratum,
                                        "rate", row->rate, "items", (json_int_t)row->items, "drawn",
                                        (json_int_t)row->drawn, "p",
                                        verify_binomial(row->drawn, row->items, row->rate)));
    }
    json_t *root = json_pack(
        "{s:s, s:b, s:I, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "day",
        self->day, "good", verify_day_good(self) && problems == 0, "problems_count",
        (json_int_t)problems, "committed", self->committed, "covered", self->covered, "revealed",
        self->revealed, "commit_entry", (json_int_t)self->commit_n, "reveal_entry",
        (json_int_t)self->reveal_n, "items", (json_int_t)self->items, "drawn",
        (json_int_t)self->drawn, "made_again", (json_int_t)self->made_again, "differing",
        (json_int_t)self->differing, "known_before", (json_int_t)self->known, "elsewhen",
        (json_int_t)self->elsewhen, "rates_changed_inside", (json_int_t)self->restated_inside,
        "strata", strata);
    bool printed = root != NULL && json_dumpf(root, out, JSON_INDENT(2)) == 0;
    json_decref(root);
    return printed && fputc('\n', out) != EOF;
}
