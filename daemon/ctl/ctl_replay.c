/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/replay_run.h"
#include "ctl/replay_tell.h"

/* Scores are computed again from what outsiders have: sealed archive files and model files. Neither
 * log, nor read model, nor keys are asked. Whether the files are those of the log, triage-verify
 * and `archive verify` tell. */

enum { ROWS_SHOWN = 40 };

enum { OPTION_MODELS = 0x300, OPTION_ARCHIVE, OPTION_ITEMS, OPTION_ROWS, OPTION_INPUTS };

struct replay_options {
    const char *what;
    const char *archive;
    const char *models[REPLAY_FOLDERS_MAX];
    uint32_t models_count;
    uint64_t items;
    uint64_t rows;
    bool inputs_suffice;
};

static error_t parse_replay(int key, char *text, struct argp_state *state)
{
    struct replay_options *options = state->input;
    switch (key) {
    case OPTION_MODELS:
        if (options->models_count + 1 >= REPLAY_FOLDERS_MAX) {
            argp_error(state, "at most %u folders of models", REPLAY_FOLDERS_MAX - 1);
        }
        options->models[options->models_count++] = text;
        return 0;
    case OPTION_ARCHIVE:
        options->archive = text;
        return 0;
    case OPTION_ITEMS:
        options->items = ctl_number(state, "items", text, UINT32_MAX);
        return 0;
    case OPTION_ROWS:
        options->rows = ctl_number(state, "rows", text, UINT32_MAX);
        return 0;
    case OPTION_INPUTS:
        options->inputs_suffice = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->what != NULL) {
            argp_error(state, "one ITEM, FILE or DAY at a time");
        }
        options->what = text;
        return 0;
    case ARGP_KEY_END:
        if (options->what == NULL) {
            argp_error(state, "an ITEM, FILE or DAY is missing");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_list[] = {
    {"models", OPTION_MODELS, "DIR", 0, "look for model files here, too (default: the store's)", 1},
    {"archive", OPTION_ARCHIVE, "DIR", 0, "archive files are below DIR (default: the store's)", 1},
    {"items", OPTION_ITEMS, "N", 0, "stop after N scores", 1},
    {"rows", OPTION_ROWS, "N", 0, "show at most N lines of differences (default: 40)", 1},
    {"inputs-suffice", OPTION_INPUTS, NULL, 0,
     "exit 0 also when images and regions of some scores could not be compared", 1},
    {0}};

/* What a replay works with. */
struct job {
    struct replay_shelf shelf;
    struct replay_models models;
    struct replay_models shadow_models;
    struct replay_run run;
    struct replay_teller *teller;
    char archive[DURABLE_PATH_BYTES];
    char store_models[DURABLE_PATH_BYTES];
};

/* "2026-09-21" as "/2026/09/21/"; false for anything else. */
static bool day_folder(const char *text, char out[16])
{
    int64_t t_ns = 0;
    if (strlen(text) != 10 || !ctl_parse_time(text, &t_ns)) {
        return false;
    }
    (void)snprintf(out, 16, "/%.4s/%.2s/%.2s/", text, text + 5, text + 8);
    return true;
}

/* A FILE is named by a path from here, or below the archive. False: told, or it is none (*at is
 * files_count). */
static bool find_file(struct job *job, const char *text, uint32_t *at)
{
    char below[2 * DURABLE_PATH_BYTES];
    struct stat status;
    *at = job->shelf.files_count;
    (void)snprintf(below, sizeof below, "%s/%s", job->archive, text);
    const char *path = stat(text, &status) == 0 && S_ISREG(status.st_mode) ? text : below;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return true;
    }
    struct err err = replay_shelf_add(&job->shelf, path);
    if (err_is(err)) {
        (void)ctl_fail(path, err);
        return false;
    }
    *at = replay_shelf_find(&job->shelf, path);
    return true;
}

/* A file that cannot be read takes nothing from what is found in the others. */
static void run_one(struct job *job, uint32_t at)
{
    struct err err = replay_run_file(&job->run, at);
    if (err_is(err)) {
        job->run.counts.files_unread++;
        replay_teller_unread(job->teller, job->shelf.files[at].path, err);
    }
    if (job->run.bad_table[0] != '\0') {
        replay_teller_table(job->teller, job->shelf.files[at].path, job->run.bad_table);
    }
}

static void find_label(struct job *job)
{
    for (uint32_t i = 0; i < job->shelf.files_count; i++) {
        struct err err = replay_run_find_label(&job->run, i);
        (void)err; /* run_one opens the same file and tells */
    }
}

/* All files that are meant; how many, or -1 when told. */
static long run_files(struct job *job, const char *what)
{
    char folder[16] = "";
    uint32_t one = 0;
    long files = 0;
    bool is_day = day_folder(what, folder);
    if (!is_day && !find_file(job, what, &one)) {
        return -1;
    }
    bool is_file = !is_day && one < job->shelf.files_count;
    job->run.item = is_day || is_file ? NULL : what;
    if (job->run.item != NULL) {
        find_label(job);
    }
    for (uint32_t i = 0; i < job->shelf.files_count && !replay_run_is_done(&job->run); i++) {
        bool meant =
            is_day ? strstr(job->shelf.files[i].path, folder) != NULL : !is_file || i == one;
        if (meant) {
            run_one(job, i);
        }
        files += meant;
    }
    return files;
}

static int replay(struct job *job, const char *what)
{
    long files = run_files(job, what);
    if (files < 0) {
        return CTL_REFUSED;
    }
    if (files == 0) {
        return ctl_refuse("no archive file below %s is of '%s'", job->archive, what);
    }
    if (job->run.counts.scores == 0 && job->run.item != NULL && job->run.counts.files_unread == 0) {
        return ctl_refuse("no score of the item '%s' in %ld archive files: one that is not sealed "
                          "yet is in none (triagectl archive seal)",
                          what, files);
    }
    return replay_teller_finish(job->teller, &job->run);
}

static bool job_prepare(struct ctl *ctl, const struct replay_options *options, struct job *job)
{
    if (options->archive != NULL) {
        (void)snprintf(job->archive, sizeof job->archive, "%s", options->archive);
    } else if (!ctl_path(ctl, "archive", job->archive)) {
        return false;
    }
    if (!ctl_path(ctl, "models", job->store_models)) {
        return false;
    }
    for (uint32_t i = 0; i < options->models_count; i++) {
        job->models.folders[job->models.folders_count++] = options->models[i];
    }
    job->models.folders[job->models.folders_count++] = job->store_models;
    job->shadow_models = job->models;
    struct err err = replay_shelf_open(job->archive, &job->shelf);
    if (err_is(err)) {
        (void)ctl_fail(job->archive, err);
        return false;
    }
    job->teller = replay_teller_open(ctl->json, options->inputs_suffice, options->rows);
    if (job->teller == NULL) {
        (void)ctl_fail("replay", err_make(ERR_MEMORY, "replay_teller_open"));
        return false;
    }
    job->run = (struct replay_run){.shelf = &job->shelf,
                                   .models = &job->models,
                                   .shadow_models = &job->shadow_models,
                                   .scores_max = options->items,
                                   .tell = replay_teller_finding,
                                   .progress = replay_teller_progress,
                                   .teller = job->teller,
                                   .bad_table = ""};
    id_map_init(&job->run.labelled);
    return true;
}

int ctl_replay(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp argp = {
        option_list,
        parse_replay,
        "ITEM|FILE|DAY",
        "Computes scores again from sealed archive files and model files, and compares them with "
        "what was logged, bit for bit.\vScores of an ITEM (label, or six or more digits of its "
        "id), "
        "of an archive FILE, or of the files of a DAY (2026-09-21). Neither log nor keys are "
        "needed: copies of archive files and models do. Another BLAS core, library, build or "
        "processor than that of scoring is told, with the largest difference. Exit 0: all "
        "that were replayed are bit-identical, images and regions too; 1: not; 2: usage.",
        NULL,
        NULL,
        NULL};
    struct replay_options options = {.rows = ROWS_SHOWN};
    ctl_parse(ctl, &argp, &options, argc, argv);
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return ctl_fail("replay", err_make(ERR_MEMORY, "ctl_replay"));
    }
    int result = job_prepare(ctl, &options, job) ? replay(job, options.what) : CTL_REFUSED;
    replay_teller_close(&job->teller);
    replay_models_fini(&job->models);
    replay_models_fini(&job->shadow_models);
    replay_shelf_close(&job->shelf);
    id_map_fini(&job->run.labelled);
    free(job);
    return result;
}
