/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/replay_tell.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "ctl/json_text.h"
#include "ctl/table.h"

enum { ITEM_DIGITS = 12, PROGRESS_CELLS = 30 };

struct replay_teller {
    bool as_json;
    bool inputs_suffice;
    uint64_t rows_max;
    uint64_t rows_left_off;
    struct table *table;
    json_t *findings;
    json_t *tables; /* that do not say what the entries say */
    json_t *unread; /* files */
    bool shows;     /* a bar is on the terminal */
    int64_t shown_ns;
};

static const struct table_column columns[] = {
    {"ITEM", TABLE_LEFT, 0},    {"ENTRY", TABLE_RIGHT, 0},    {"WHAT", TABLE_LEFT, 0},
    {"LOGGED", TABLE_RIGHT, 0}, {"REPLAYED", TABLE_RIGHT, 0}, {"STEPS", TABLE_RIGHT, 1},
    {"BY", TABLE_RIGHT, 0},
};

struct replay_teller *replay_teller_open(bool as_json, bool inputs_suffice, uint64_t rows_max)
{
    struct replay_teller *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->as_json = as_json;
    self->inputs_suffice = inputs_suffice;
    self->rows_max = rows_max;
    self->table = table_open(columns, sizeof columns / sizeof columns[0]);
    self->findings = json_array();
    self->tables = json_array();
    self->unread = json_array();
    if (self->table == NULL || self->findings == NULL || self->tables == NULL ||
        self->unread == NULL) {
        replay_teller_close(&self);
    }
    return self;
}

void replay_teller_close(struct replay_teller **self)
{
    if (*self == NULL) {
        return;
    }
    table_close(&(*self)->table);
    json_decref((*self)->findings);
    json_decref((*self)->tables);
    json_decref((*self)->unread);
    free(*self);
    *self = NULL;
}

void replay_teller_progress(void *teller, uint64_t done, uint64_t total)
{
    static const char full[] = "##############################";
    struct replay_teller *self = teller;
    int64_t now_ns = clock_monotonic_ns();
    if (!isatty(STDERR_FILENO) || now_ns - self->shown_ns < NS_PER_S / 10) {
        return;
    }
    self->shown_ns = now_ns;
    self->shows = true;
    double share = total == 0 ? 1.0 : (double)done / (double)total;
    int cells = (int)(share * PROGRESS_CELLS);
    (void)fprintf(stderr, "\rreplay [%.*s%*s] %3.0f%% of the file's entries\033[K", cells, full,
                  PROGRESS_CELLS - cells, "", 100 * share);
}

static void clear_progress(struct replay_teller *self)
{
    if (self->shows) {
        (void)fputs("\r\033[K", stderr);
        self->shows = false;
    }
}

/* ---- findings ---- */

static void add_row(struct replay_teller *self, const struct replay_finding *finding,
                    const struct replay_difference *difference)
{
    char item[2 * ITEM_ID_BYTES + 1];
    if (table_rows(self->table) >= self->rows_max) {
        self->rows_left_off++;
        return;
    }
    hex_encode(finding->entry->item, ITEM_ID_BYTES, item);
    table_cellf(self->table, "%.*s", ITEM_DIGITS, item);
    table_cellf(self->table, "%" PRIu64, finding->entry->n);
    if (difference == NULL) {
        table_cellf(self->table, "not replayed: %s", finding->why);
        for (uint32_t i = 3; i < sizeof columns / sizeof columns[0]; i++) {
            table_cell(self->table, "");
        }
        return;
    }
    table_cell(self->table, difference->what);
    table_cell(self->table, difference->logged);
    table_cell(self->table, difference->again);
    if (difference->measured) {
        table_cellf(self->table, "%" PRIu64, difference->ulps);
        table_cellf(self->table, "%.1e", difference->difference);
    } else {
        table_cell(self->table, "");
        table_cell(self->table, "");
    }
}

static json_t *difference_json(const struct replay_difference *difference)
{
    json_t *out = json_object();
    json_object_set_new(out, "what", json_text(difference->what));
    json_object_set_new(out, "logged", json_text(difference->logged));
    json_object_set_new(out, "replayed", json_text(difference->again));
    if (difference->measured) {
        json_object_set_new(out, "steps", json_integer((json_int_t)difference->ulps));
        json_object_set_new(out, "difference", json_real(difference->difference));
    }
    return out;
}

static void add_json(struct replay_teller *self, const struct replay_finding *finding,
                     uint32_t differences_kept)
{
    if (json_array_size(self->findings) >= self->rows_max) {
        self->rows_left_off++;
        return;
    }
    json_t *out = json_object();
    json_t *rows = json_array();
    for (uint32_t i = 0; i < differences_kept; i++) {
        json_array_append_new(rows, difference_json(&finding->differences->rows[i]));
    }
    json_object_set_new(out, "item", json_hex("", finding->entry->item, ITEM_ID_BYTES));
    json_object_set_new(out, "entry", json_integer((json_int_t)finding->entry->n));
    json_object_set_new(out, "shadow", json_boolean(finding->shadow));
    json_object_set_new(out, "file", json_text(finding->path));
    if (finding->why != NULL) {
        json_object_set_new(out, "why", json_text(finding->why));
    }
    json_object_set_new(out, "replayed", json_boolean(finding->depth != REPLAY_NOT));
    json_object_set_new(out, "differences", rows);
    json_array_append_new(self->findings, out);
}

void replay_teller_finding(void *teller, const struct replay_finding *finding)
{
    struct replay_teller *self = teller;
    uint32_t count = finding->depth == REPLAY_NOT ? 0 : finding->differences->count;
    if (finding->depth != REPLAY_NOT && count == 0) {
        return;
    }
    uint32_t kept = count < REPLAY_DIFFERENCES_MAX ? count : REPLAY_DIFFERENCES_MAX;
    if (self->as_json) {
        add_json(self, finding, kept);
        return;
    }
    if (finding->depth == REPLAY_NOT) {
        add_row(self, finding, NULL);
    }
    for (uint32_t i = 0; i < kept; i++) {
        add_row(self, finding, &finding->differences->rows[i]);
    }
    self->rows_left_off += count - kept;
}

void replay_teller_table(struct replay_teller *self, const char *path, const char *table)
{
    clear_progress(self);
    (void)fprintf(stderr,
                  "triagectl: %s: table /%s does not say what the entries of the file say\n", path,
                  table);
    json_array_append_new(self->tables,
                          json_pack("{s:o, s:s}", "file", json_text(path), "table", table));
}

void replay_teller_unread(struct replay_teller *self, const char *path, struct err err)
{
    char text[ERR_TEXT_BYTES];
    clear_progress(self);
    (void)ctl_fail(path, err);
    json_array_append_new(self->unread, json_pack("{s:o, s:o}", "file", json_text(path), "why",
                                                  json_text(err_text(err, text))));
}

/* ---- the end ---- */

static json_t *computing_json(const struct score_computing *computing)
{
    json_t *out = json_object();
    json_object_set_new(out, "build", json_text(computing->build));
    json_object_set_new(out, "blas", json_text(computing->blas));
    json_object_set_new(out, "libm", json_text(computing->libm));
    json_object_set_new(out, "processor", json_text(computing->processor));
    return out;
}

static void add_missing(json_t *missing, const struct replay_models *models)
{
    for (uint32_t i = 0; i < models->missing_count; i++) {
        const struct replay_missing *one = &models->missing[i];
        json_array_append_new(missing,
                              json_pack("{s:o, s:s, s:I, s:o}", "name", json_text(one->name),
                                        "sha256", one->sha256, "scores",
                                        (json_int_t)one->scores_count, "why", json_text(one->why)));
    }
}

static int print_json(struct replay_teller *self, const struct replay_run *run)
{
    struct score_computing here;
    score_computing(&here);
    const struct replay_counts *counts = &run->counts;
    json_t *out = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "scores", (json_int_t)counts->scores, "shadows",
        (json_int_t)counts->shadows, "identical", (json_int_t)counts->identical, "inputs_alone",
        (json_int_t)counts->inputs_alone, "differing", (json_int_t)counts->differing,
        "not_replayed", (json_int_t)counts->not_replayed, "tables_differing",
        (json_int_t)counts->tables_differing);
    json_t *machines = json_array();
    for (uint32_t i = 0; i < run->machines_count; i++) {
        const struct replay_machine *machine = &run->machines[i];
        if (machine->scores_count == 0) {
            continue;
        }
        json_t *one = computing_json(&machine->computing);
        json_object_set_new(one, "scores", json_integer((json_int_t)machine->scores_count));
        json_object_set_new(one, "differing", json_integer((json_int_t)machine->differing_count));
        json_object_set_new(one, "largest_probability", json_real(machine->largest_probability));
        json_object_set_new(one, "largest_logit", json_real(machine->largest_logit));
        json_array_append_new(machines, one);
    }
    json_t *missing = json_array();
    add_missing(missing, run->models);
    add_missing(missing, run->shadow_models);
    json_object_set_new(out, "scored_on", machines);
    json_object_set_new(out, "replayed_on", computing_json(&here));
    json_object_set_new(out, "missing_models", missing);
    json_object_set(out, "differing_tables", self->tables);
    json_object_set(out, "files_unread", self->unread);
    json_object_set_new(out, "stopped", json_boolean(replay_run_is_done(run)));
    json_object_set(out, "findings", self->findings);
    json_object_set_new(out, "left_off", json_integer((json_int_t)self->rows_left_off));
    return json_print(out, true);
}

static void print_changed(const char *what, const char *before, const char *now)
{
    if (strcmp(before, now) != 0) {
        (void)printf("  %s: %s when scored, %s now\n", what,
                     before[0] != '\0' ? before : "not told", now);
    }
}

static void print_machine(const struct replay_machine *machine, const struct score_computing *here)
{
    const struct score_computing *then = &machine->computing;
    if (machine->scores_count == 0) {
        return;
    }
    bool told = then->build[0] != '\0' || then->blas[0] != '\0';
    bool same = memcmp(then, here, sizeof *here) == 0;
    if (!told) {
        (void)printf("%" PRIu64
                     " scores: the files at hand do not say on what they were computed.\n",
                     machine->scores_count);
    } else {
        (void)printf("%" PRIu64 " scores were computed on %s, %s, %s, processor %s%s\n",
                     machine->scores_count, then->build, then->blas, then->libm, then->processor,
                     same ? ": the same as here." : "; here is another:");
    }
    if (told && !same) {
        print_changed("build", then->build, here->build);
        print_changed("BLAS", then->blas, here->blas);
        print_changed("libm", then->libm, here->libm);
        print_changed("processor", then->processor, here->processor);
    }
    if (machine->differing_count > 0) {
        (void)printf(
            "  %" PRIu64 " of them differ: at most %.1e in a probability, %.1e in a logit.%s\n",
            machine->differing_count, machine->largest_probability, machine->largest_logit,
            told && same ? " Same build, libraries and processor: this is no rounding." : "");
    }
}

static void print_missing(const struct replay_models *models)
{
    for (uint32_t i = 0; i < models->missing_count; i++) {
        const struct replay_missing *one = &models->missing[i];
        bool builtin = strncmp(one->name, "builtin/", 8) == 0;
        (void)printf("Missing model %s, SHA-256 %s, of %" PRIu64 " scores: %s%s%s\n", one->name,
                     one->sha256, one->scores_count, one->why, one->why[0] != '\0' ? "; " : "",
                     builtin
                         ? "constants of another version of this program."
                         : "get the file called by that hash and name its folder with --models.");
    }
}

static int print_words(struct replay_teller *self, const struct replay_run *run)
{
    const struct replay_counts *counts = &run->counts;
    struct score_computing here;
    score_computing(&here);
    if (table_rows(self->table) > 0) {
        bool whole = table_print(self->table, stdout, terminal_width(stdout));
        (void)printf("%s", whole ? "" : "(rows were lost for want of memory)\n");
    }
    if (self->rows_left_off > 0) {
        (void)printf("... and %" PRIu64 " more (--rows).\n", self->rows_left_off);
    }
    (void)printf("%" PRIu64 " scores: %" PRIu64 " bit-identical, %" PRIu64 " differ, %" PRIu64
                 " could not be replayed.\n",
                 counts->scores, counts->identical, counts->differing, counts->not_replayed);
    if (counts->shadows > 0) {
        (void)printf("%" PRIu64 " of them are by models in shadow.\n", counts->shadows);
    }
    if (counts->inputs_alone > 0) {
        (void)printf("%" PRIu64
                     " from their inputs alone, without a difference: images and regions not "
                     "compared, since a record of the item is in no archive file at hand%s.\n",
                     counts->inputs_alone, self->inputs_suffice ? "" : " (--inputs-suffice)");
    }
    if (replay_run_is_done(run)) {
        (void)printf("Stopped after %" PRIu64 " scores (--items): there may be more.\n",
                     counts->scores);
    }
    if (counts->files_unread > 0) {
        (void)printf("%" PRIu64 " files could not be read: scores in them are not counted.\n",
                     counts->files_unread);
    }
    for (uint32_t i = 0; i < run->machines_count; i++) {
        print_machine(&run->machines[i], &here);
    }
    print_missing(run->models);
    print_missing(run->shadow_models);
    return fflush(stdout) == 0 ? CTL_GOOD : CTL_REFUSED;
}

int replay_teller_finish(struct replay_teller *self, const struct replay_run *run)
{
    const struct replay_counts *counts = &run->counts;
    clear_progress(self);
    int printed = self->as_json ? print_json(self, run) : print_words(self, run);
    uint64_t good = counts->identical + (self->inputs_suffice ? counts->inputs_alone : 0);
    bool proven =
        good == counts->scores && counts->tables_differing == 0 && counts->files_unread == 0;
    return printed != CTL_GOOD ? printed : proven ? CTL_GOOD : CTL_REFUSED;
}
