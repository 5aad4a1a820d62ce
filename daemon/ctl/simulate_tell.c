/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/simulate_tell.h"

#include <inttypes.h>

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/json_text.h"
#include "ctl/table.h"

/* A number that cannot be estimated is not written: the words why stand in its place. */

static const char assumed[] =
    "Assumed: officers do what they did; what was added would have been examined, and a referral"
    " that only the simulation has is open as long as others of its place.";

/* ---- JSON */

static void set_count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *exams_json(struct statistics_rate exams)
{
    json_t *object = json_object();
    set_count(object, "examined", exams.count);
    set_count(object, "found", exams.hit_count);
    return object;
}

static json_t *interval_json(struct statistics_interval interval)
{
    json_t *array = json_array();
    json_array_append_new(array, json_real(interval.lower));
    json_array_append_new(array, json_real(interval.upper));
    return array;
}

/* lost: counted, so that it moves the interval and does not widen it. */
static json_t *estimate_json(const struct simulate_estimate *estimate, double lost)
{
    json_t *object = json_object();
    json_object_set_new(object, "estimable", json_boolean(estimate->method != NULL));
    if (estimate->method == NULL) {
        json_object_set_new(object, "why", json_text(estimate->why));
        return object;
    }
    const struct statistics_interval *won = &estimate->interval;
    json_object_set_new(object, "method", json_text(estimate->method));
    json_object_set_new(object, "won", json_real(estimate->won));
    json_object_set_new(object, "won_interval", interval_json(*won));
    json_object_set_new(object, "difference", json_real(estimate->won - lost));
    json_object_set_new(
        object, "difference_interval",
        interval_json((struct statistics_interval){won->lower - lost, won->upper - lost}));
    return object;
}

static json_t *cutoff_json(const struct simulate_cutoff *cutoff)
{
    json_t *object = json_object();
    if (cutoff->count > 0) {
        json_object_set_new(object, "mean", json_real(cutoff->sum / (double)cutoff->count));
    }
    set_count(object, "decisions", cutoff->count);
    set_count(object, "full", cutoff->full);
    return object;
}

static json_t *sums_json(const struct simulate_sums *sums)
{
    json_t *object = json_object();
    set_count(object, "decided", sums->decided);
    set_count(object, "agree", sums->agree);
    set_count(object, "same_policy", sums->same_policy);
    set_count(object, "by_hand", sums->by_hand);
    set_count(object, "referred_logged", sums->logged);
    set_count(object, "referred_simulated", sums->simulated);
    set_count(object, "kept", sums->kept);
    set_count(object, "dropped", sums->dropped);
    set_count(object, "added", sums->added);
    set_count(object, "added_unscorable", sums->added_unscorable);
    json_object_set_new(object, "kept_exams", exams_json(sums->kept_exams));
    json_object_set_new(object, "dropped_exams", exams_json(sums->dropped_exams));
    json_object_set_new(object, "random_exams", exams_json(sums->drawn_exams));
    set_count(object, "random_drawn", sums->drawn);
    json_object_set_new(object, "cutoff_logged", cutoff_json(&sums->cutoff_logged));
    json_object_set_new(object, "cutoff_simulated", cutoff_json(&sums->cutoff_simulated));
    struct simulate_estimate estimate;
    double lost = (double)sums->dropped_exams.hit_count;
    simulate_by_design(sums, &estimate);
    json_object_set_new(object, "by_design", estimate_json(&estimate, lost));
    simulate_by_model(sums, &estimate);
    json_t *model = estimate_json(&estimate, lost);
    json_object_set_new(model, "expected_in_dropped", json_real(sums->model_lost));
    json_object_set_new(object, "by_model", model);
    return object;
}

int simulate_json(const struct simulate *simulate, const struct simulate_told *told)
{
    struct simulate_sums total;
    simulate_total(simulate, &total);
    json_t *out = json_object();
    json_object_set_new(out, "policy", json_text(told->policy->version));
    json_object_set_new(out, "policy_sha256",
                        json_hex("sha256:", told->policy->sha256, HASH_BYTES));
    json_object_set_new(out, "from", json_time(told->from_ns));
    json_object_set_new(out, "to", json_time(told->to_ns));
    set_count(out, "decisions", total.decided);
    set_count(out, "warmed_by", simulate_warmed(simulate));
    json_object_set_new(out, "assumed", json_text(assumed));
    json_object_set_new(out, "total", sums_json(&total));
    json_t *places = json_array();
    uint32_t count = 0;
    const struct simulate_place *list = simulate_places(simulate, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].sums.decided == 0) {
            continue;
        }
        json_t *place = sums_json(&list[i].sums);
        json_object_set_new(place, "mode", json_text(mode_text(list[i].mode)));
        json_object_set_new(place, "site", json_text(list[i].site));
        set_count(place, "queue_most_logged", list[i].queue_logged.most);
        set_count(place, "queue_most_simulated", list[i].queue_simulated.most);
        json_array_append_new(places, place);
    }
    json_object_set_new(out, "places", places);
    return json_print(out, true);
}

/* ---- text */

static void format_cutoff(const struct simulate_cutoff *cutoff, char out[TABLE_CELL_BYTES])
{
    if (cutoff->count > 0) {
        (void)snprintf(out, TABLE_CELL_BYTES, "%.3f", cutoff->sum / (double)cutoff->count);
    } else {
        (void)snprintf(out, TABLE_CELL_BYTES, "%s", cutoff->full > 0 ? "full" : "-");
    }
}

static void cell_exams(struct table *table, struct statistics_rate exams)
{
    table_cellf(table, "%" PRIu64 " of %" PRIu64, exams.hit_count, exams.count);
}

static void cells_estimate(struct table *table, const struct simulate_estimate *estimate,
                           double lost)
{
    if (estimate->method == NULL) {
        table_cellf(table, "not estimable: %s", estimate->why);
        table_cell(table, "-");
        return;
    }
    table_cellf(table, "%.1f (%.1f to %.1f)", estimate->won, estimate->interval.lower,
                estimate->interval.upper);
    table_cellf(table, "%+.1f (%+.1f to %+.1f)", estimate->won - lost,
                estimate->interval.lower - lost, estimate->interval.upper - lost);
}

static void place_name(const struct simulate_place *place, char *out, size_t out_bytes)
{
    (void)snprintf(out, out_bytes, "%s/%s", mode_text(place->mode), place->site);
}

static void row_referrals(struct table *table, const struct simulate_place *place)
{
    const struct simulate_sums *sums = &place->sums;
    char name[96];
    place_name(place, name, sizeof name);
    table_cell(table, name);
    const uint64_t counts[] = {sums->decided, sums->logged,  sums->simulated,
                               sums->kept,    sums->dropped, sums->added};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        table_cellf(table, "%" PRIu64, counts[i]);
    }
    char logged[TABLE_CELL_BYTES];
    char simulated[TABLE_CELL_BYTES];
    format_cutoff(&sums->cutoff_logged, logged);
    format_cutoff(&sums->cutoff_simulated, simulated);
    table_cellf(table, "%s, %s", logged, simulated);
    table_cellf(table, "%u, %u", place->queue_logged.most, place->queue_simulated.most);
}

static bool print_referrals(const struct simulate *simulate)
{
    static const struct table_column columns[] = {
        {"PLACE", TABLE_LEFT, 0},      {"DECIDED", TABLE_RIGHT, 2},  {"LOGGED", TABLE_RIGHT, 0},
        {"SIMULATED", TABLE_RIGHT, 0}, {"KEPT", TABLE_RIGHT, 0},     {"DROPPED", TABLE_RIGHT, 0},
        {"ADDED", TABLE_RIGHT, 0},     {"CUT-OFFS", TABLE_RIGHT, 1}, {"MOST OPEN", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    uint32_t count = 0;
    const struct simulate_place *places = simulate_places(simulate, &count);
    for (uint32_t i = 0; table != NULL && i < count; i++) {
        if (places[i].sums.decided > 0) {
            row_referrals(table, &places[i]);
        }
    }
    bool whole = table != NULL && table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole;
}

static void rows_finds(struct table *table, const char *name, const struct simulate_sums *sums)
{
    struct simulate_estimate estimate;
    double lost = (double)sums->dropped_exams.hit_count;
    simulate_by_design(sums, &estimate);
    table_cell(table, name);
    cell_exams(table, sums->kept_exams);
    cell_exams(table, sums->dropped_exams);
    table_cell(table, "random arm");
    cells_estimate(table, &estimate, lost);
    simulate_by_model(sums, &estimate);
    table_cell(table, "");
    table_cell(table, "");
    table_cell(table, "");
    table_cell(table, "model");
    cells_estimate(table, &estimate, lost);
}

static bool print_finds(const struct simulate *simulate, const struct simulate_sums *total)
{
    static const struct table_column columns[] = {
        {"FINDS", TABLE_LEFT, 0}, {"IN KEPT", TABLE_RIGHT, 0}, {"LOST", TABLE_RIGHT, 0},
        {"BY", TABLE_LEFT, 0},    {"WON", TABLE_LEFT, 0},      {"WON LESS LOST", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    uint32_t count = 0;
    uint32_t told = 0;
    const struct simulate_place *places = simulate_places(simulate, &count);
    for (uint32_t i = 0; table != NULL && i < count; i++) {
        char name[96];
        place_name(&places[i], name, sizeof name);
        if (places[i].sums.decided > 0) {
            rows_finds(table, name, &places[i].sums);
            told++;
        }
    }
    if (table != NULL && told > 1) {
        rows_finds(table, "all", total);
    }
    bool whole = table != NULL && table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole;
}

static void print_agreement(const struct simulate_sums *total)
{
    char share[TABLE_CELL_BYTES];
    format_share((double)total->agree / (double)total->decided, share);
    printf("\nThe same arm as logged: %s (%" PRIu64 " of %" PRIu64 "). Decided by this very policy:"
           " %" PRIu64 ".\n",
           share, total->agree, total->decided, total->same_policy);
    if (total->agree < total->decided && total->same_policy == total->decided) {
        puts("The same policy differs where the daemon knew what the log does not tell: the moment "
             "within\nmilliseconds, restarts, rates that adapt, and how full a queue was.");
    }
    if (total->by_hand > 0) {
        printf("Referred by hand in both, and in no sum: %" PRIu64 ".\n", total->by_hand);
    }
    if (total->added_unscorable > 0) {
        printf("Added without a score, of which the model says nothing: %" PRIu64 ".\n",
               total->added_unscorable);
    }
}

int simulate_print(const struct simulate *simulate, const struct simulate_told *told)
{
    struct simulate_sums total;
    simulate_total(simulate, &total);
    printf("Policy %s (%s): %" PRIu64 " decisions read, windows warmed by %" PRIu64
           " before them.\n",
           told->policy->version, told->file, total.decided, simulate_warmed(simulate));
    if (total.decided == 0) {
        puts("There is no decision in this period: nothing to simulate.");
        return CTL_GOOD;
    }
    puts("");
    bool whole = print_referrals(simulate);
    puts("");
    whole = print_finds(simulate, &total) && whole;
    if (!whole) {
        return ctl_refuse("no memory");
    }
    print_agreement(&total);
    text_print(stdout,
               "Cut-offs (mean where anything fitted) and open referrals: logged, simulated."
               " Random arm: estimated from drawn items that this policy would choose too"
               " (Horvitz-Thompson; with few finds the exact interval of their rate). Model: the"
               " sum of calibrated probabilities; its interval is chance alone, not whether the"
               " model is right. Intervals are 95%. Lost: found in what was dropped, counted.",
               terminal_width(stdout), 0);
    puts("");
    text_print(stdout, assumed, terminal_width(stdout), 0);
    puts("");
    return CTL_GOOD;
}
