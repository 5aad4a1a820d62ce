/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/shadow_tell.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/json_text.h"
#include "ctl/table.h"

/* A number that cannot be estimated is not written: the words why stand in its place. */

static const char caveat[] =
    "Who is examined was chosen by the model in use, which favours it: the raw finds of all exams"
    " are no comparison. The estimate by all exams weighs each by its logged chance of selection,"
    " which mends that as far as the coin reaches what the model in use let go; the one by the"
    " coin's exams alone needs no such trust.";

/* ---- JSON */

static void set_count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *exams_json(struct statistics_rate exams)
{
    json_t *object = json_object();
    set_count(object, "examined", exams.count);
    set_count(object, "found", exams.hit_count);
    return object;
}

static json_t *estimate_json(struct statistics_rate exams, const struct simulate_estimate *estimate)
{
    json_t *object = exams_json(exams);
    json_object_set_new(object, "estimable", json_boolean(estimate->method != NULL));
    if (estimate->method == NULL) {
        json_object_set_new(object, "why", json_text(estimate->why));
        return object;
    }
    json_object_set_new(object, "method", json_text(estimate->method));
    json_object_set_new(object, "rate", json_real(estimate->won));
    json_t *interval = json_array();
    json_array_append_new(interval, json_real(estimate->interval.lower));
    json_array_append_new(interval, json_real(estimate->interval.upper));
    json_object_set_new(object, "interval", interval);
    return object;
}

static json_t *top_json(const struct shadow_top *top)
{
    json_t *object = json_object();
    set_count(object, "items", top->items);
    json_object_set_new(object, "random", estimate_json(top->coin, &top->by_coin));
    json_object_set_new(object, "all", estimate_json(top->exams, &top->by_exams));
    return object;
}

static json_t *shares_json(const struct shadow_report *report)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < SHADOW_SHARES; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "share", json_real(shadow_shares[i]));
        set_count(object, "shared", report->shares[i].shared);
        json_object_set_new(object, "in_use", top_json(&report->shares[i].in_use));
        json_object_set_new(object, "shadow", top_json(&report->shares[i].shadow));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *sums_json(const struct simulate_sums *sums)
{
    json_t *object = json_object();
    struct simulate_estimate won;
    set_count(object, "referred", sums->simulated);
    set_count(object, "kept", sums->kept);
    set_count(object, "dropped", sums->dropped);
    set_count(object, "added", sums->added);
    json_object_set_new(object, "dropped_share", real_or_null(shadow_report_dropped(sums)));
    json_object_set_new(object, "dropped_exams", exams_json(sums->dropped_exams));
    simulate_by_design(sums, &won);
    json_t *finds = exams_json(sums->drawn_exams);
    json_object_set_new(finds, "estimable", json_boolean(won.method != NULL));
    if (won.method != NULL) {
        json_object_set_new(finds, "method", json_text(won.method));
        json_object_set_new(finds, "won", json_real(won.won));
    } else {
        json_object_set_new(finds, "why", json_text(won.why));
    }
    json_object_set_new(object, "added_finds", finds);
    return object;
}

static json_t *referred_json(const struct shadow_report *report)
{
    json_t *object = json_object();
    bool known = report->policy_fault == NULL && report->by_shadow.logged > 0;
    json_object_set_new(object, "estimable", json_boolean(known));
    if (!known) {
        json_object_set_new(object, "why",
                            json_text(report->policy_fault != NULL ? report->policy_fault
                                                                   : "nothing was referred"));
        return object;
    }
    set_count(object, "logged", report->by_shadow.logged);
    json_object_set_new(object, "by_shadow", sums_json(&report->by_shadow));
    json_object_set_new(object, "by_in_use", sums_json(&report->by_in_use));
    return object;
}

int shadow_json(const struct shadow_report *report)
{
    json_t *out = json_object();
    json_object_set_new(out, "place", json_text(report->shadow.place));
    json_object_set_new(out, "model", json_hex("sha256:", report->shadow.sha256, HASH_BYTES));
    set_count(out, "entry", report->shadow.entry_index);
    json_object_set_new(out, "since", json_time(report->shadow.t_ns));
    set_count(out, "from_entry", report->from);
    json_object_set_new(out, "models_changed_since", json_boolean(report->models_since));
    set_count(out, "decisions", report->decisions);
    json_object_set_new(out, "cut", json_boolean(report->cut));
    set_count(out, "scored", report->scored);
    set_count(out, "missed", report->decisions - report->scored);
    set_count(out, "compared", report->compared);
    json_object_set_new(out, "rank_correlation", real_or_null(report->correlation));
    json_t *exams = json_object();
    json_object_set_new(exams, "random", exams_json(report->coin));
    json_object_set_new(exams, "all", exams_json(report->exams));
    json_object_set_new(out, "exams", exams);
    json_object_set_new(out, "top", shares_json(report));
    json_object_set_new(out, "referred", referred_json(report));
    json_object_set_new(out, "caveat", json_text(caveat));
    return json_print(out, true);
}

/* ---- text */

static void cell_estimate(struct table *table, struct statistics_rate exams,
                          const struct simulate_estimate *estimate)
{
    table_cellf(table, "%" PRIu64 " of %" PRIu64, exams.hit_count, exams.count);
    if (estimate->method == NULL) {
        table_cellf(table, "not estimable: %s", estimate->why);
    } else {
        table_cellf(table, "%.1f%% (%.1f to %.1f)", 100 * estimate->won,
                    100 * estimate->interval.lower, 100 * estimate->interval.upper);
    }
}

static void row_top(struct table *table, const char *share, const char *model,
                    const struct shadow_top *top)
{
    table_cell(table, share);
    table_cell(table, model);
    table_cellf(table, "%" PRIu64, top->items);
    cell_estimate(table, top->coin, &top->by_coin);
    cell_estimate(table, top->exams, &top->by_exams);
}

static bool print_shares(const struct shadow_report *report)
{
    static const struct table_column columns[] = {{"TOP", TABLE_RIGHT, 0},
                                                  {"BY", TABLE_LEFT, 0},
                                                  {"ITEMS", TABLE_RIGHT, 3},
                                                  {"COIN'S EXAMS", TABLE_RIGHT, 1},
                                                  {"HIT RATE BY COIN", TABLE_LEFT, 0},
                                                  {"ALL EXAMS", TABLE_RIGHT, 2},
                                                  {"HIT RATE BY ALL", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; table != NULL && i < SHADOW_SHARES; i++) {
        char share[TABLE_CELL_BYTES];
        (void)snprintf(share, sizeof share, "%.0f%%", 100 * shadow_shares[i]);
        row_top(table, share, "in use", &report->shares[i].in_use);
        row_top(table, "", "shadow", &report->shares[i].shadow);
    }
    bool whole = table != NULL && table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole;
}

static void print_referred(const struct shadow_report *report)
{
    struct simulate_estimate won;
    const struct simulate_sums *sums = &report->by_shadow;
    if (report->policy_fault != NULL || sums->logged == 0) {
        printf("What it would have referred is not estimable: %s.\n",
               report->policy_fault != NULL ? report->policy_fault : "nothing was referred");
        return;
    }
    printf("Of %" PRIu64 " referrals the policy would have dropped %.1f%% with it (%.1f%% with the"
           " model in use, decided\nagain: what the log does not tell), and added %" PRIu64 ".",
           sums->logged, 100 * shadow_report_dropped(sums),
           100 * shadow_report_dropped(&report->by_in_use), sums->added);
    printf(" Finds in what was dropped: %" PRIu64 " of %" PRIu64 " exams; in what was added: ",
           sums->dropped_exams.hit_count, sums->dropped_exams.count);
    simulate_by_design(sums, &won);
    if (won.method == NULL) {
        printf("not estimable (%s).\n", won.why);
    } else {
        printf("%.1f (%.1f to %.1f).\n", won.won, won.interval.lower, won.interval.upper);
    }
}

static void print_head(const struct shadow_report *report)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(report->shadow.sha256, HASH_BYTES, hex);
    printf("%s in shadow since entry %" PRIu64 ": model %.12s, used for nothing\n",
           report->shadow.place, report->shadow.entry_index, hex);
    if (report->models_since) {
        printf("Told from entry %" PRIu64 " on, where a model in use changed.\n", report->from);
    }
    printf("%" PRIu64 " decisions%s, %" PRIu64 " scored by the shadow, %" PRIu64 " not; %" PRIu64
           " scored by both\n",
           report->decisions, report->cut ? " (the first ones)" : "", report->scored,
           report->decisions - report->scored, report->compared);
    printf("Exams of these: %" PRIu64 " with %" PRIu64 " finds, of them the coin's %" PRIu64
           " with %" PRIu64 "\n",
           report->exams.count, report->exams.hit_count, report->coin.count,
           report->coin.hit_count);
    if (isnan(report->correlation)) {
        puts("Rank correlation with the model in use: not estimable");
    } else {
        printf("Rank correlation with the model in use: %.3f\n", report->correlation);
    }
}

int shadow_print(const struct shadow_report *report)
{
    print_head(report);
    puts("");
    if (!print_shares(report)) {
        return ctl_refuse("no memory");
    }
    puts("");
    print_referred(report);
    puts("");
    text_print(stdout, caveat, terminal_width(stdout), 0);
    puts("");
    return CTL_GOOD;
}

/* ---- the line for the log */

static size_t put_estimate(char *out, size_t room, const char *name,
                           const struct simulate_estimate *estimate)
{
    int bytes = estimate->method == NULL
                    ? snprintf(out, room, "%s not estimable (%s)", name, estimate->why)
                    : snprintf(out, room, "%s %.2f%% (%.2f-%.2f)", name, 100 * estimate->won,
                               100 * estimate->interval.lower, 100 * estimate->interval.upper);
    return bytes < 0 ? 0 : (size_t)bytes < room ? (size_t)bytes : room - 1;
}

void shadow_figures(const struct shadow_report *report, char out[SHADOW_FIGURES_BYTES])
{
    size_t used = (size_t)snprintf(
        out, SHADOW_FIGURES_BYTES,
        "entries from %" PRIu64 ": %" PRIu64 " decisions, %" PRIu64
        " scored by both; exams %" PRIu64 ", finds %" PRIu64 ", of the coin %" PRIu64 ", %" PRIu64,
        report->from, report->decisions, report->compared, report->exams.count,
        report->exams.hit_count, report->coin.count, report->coin.hit_count);
    const struct {
        const char *name;
        double value;
    } shown[] = {{"rank correlation", report->correlation},
                 {"share of referrals dropped", report->policy_fault == NULL
                                                    ? shadow_report_dropped(&report->by_shadow)
                                                    : (double)NAN}};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        used +=
            (size_t)(isnan(shown[i].value) ? snprintf(out + used, SHADOW_FIGURES_BYTES - used,
                                                      "; %s not estimable", shown[i].name)
                                           : snprintf(out + used, SHADOW_FIGURES_BYTES - used,
                                                      "; %s %.3f", shown[i].name, shown[i].value));
    }
    must(used < SHADOW_FIGURES_BYTES / 2);
    const struct shadow_share *tenth = &report->shares[2];
    used += (size_t)snprintf(out + used, SHADOW_FIGURES_BYTES - used,
                             "; hit rate in the top %.0f%%:", 100 * shadow_shares[2]);
    used += put_estimate(out + used, SHADOW_FIGURES_BYTES - used, " by coin, in use",
                         &tenth->in_use.by_coin);
    used +=
        put_estimate(out + used, SHADOW_FIGURES_BYTES - used, ", shadow", &tenth->shadow.by_coin);
    used += put_estimate(out + used, SHADOW_FIGURES_BYTES - used, "; by all exams, in use",
                         &tenth->in_use.by_exams);
    (void)put_estimate(out + used, SHADOW_FIGURES_BYTES - used, ", shadow",
                       &tenth->shadow.by_exams);
}
