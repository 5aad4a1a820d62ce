/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/replay_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score/score.h"

/* The entries in the file are what counts: they are leaves of the signed log. The tables beside
 * them are compared with the entries first, so that a score that was changed in either place is
 * found. */

/* What one score is replayed with; too large for the stack. */
struct work {
    uint8_t arena_memory[ENTRY_ARENA_BYTES];
    uint8_t scan_memory[SCORE_PARTS_MAX][ENTRY_ARENA_BYTES];
    struct entry score;
    struct entry received[SCORE_PARTS_MAX];
    struct image images[SCORE_PARTS_MAX][RECORD_IMAGES_MAX];
    struct scan scans[SCORE_PARTS_MAX];
    struct score_input input;
    uint8_t *pixels[SCORE_PARTS_MAX * RECORD_IMAGES_MAX];
    uint32_t pixels_count;
    struct score_result result;
    struct replay_differences differences;
};

bool replay_run_is_done(const struct replay_run *self)
{
    return self->scores_max > 0 && self->counts.scores >= self->scores_max;
}

static bool decode(const uint8_t *bytes, uint32_t bytes_count, uint8_t *memory, struct entry *out)
{
    struct arena arena;
    arena_init(&arena, memory, ENTRY_ARENA_BYTES);
    return entry_decode(bytes, bytes_count, &arena, out) == ENTRY_GOOD;
}

static struct err read_entry(const struct replay_file *file, uint64_t index, uint8_t *memory,
                             struct entry *out)
{
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    struct err err = archive_file_entry(file->file, index, &bytes, &bytes_count);
    return err_is(err) || decode(bytes, bytes_count, memory, out)
               ? err
               : err_make(ERR_ARCHIVE_DIFFERS, "an entry cannot be read");
}

/* ---- what computed the scores ---- */

static struct score_computing computing_of(const struct entry_config_change *change)
{
    struct score_computing told = {{0}, {0}, {0}, {0}}; /* compared as bytes */
    (void)snprintf(told.build, sizeof told.build, "%s", change->build);
    (void)snprintf(told.blas, sizeof told.blas, "%s", change->blas);
    (void)snprintf(told.libm, sizeof told.libm, "%s", change->libm);
    (void)snprintf(told.processor, sizeof told.processor, "%s", change->processor);
    return told;
}

static void set_machine(struct replay_run *self, const struct score_computing *told)
{
    uint32_t at = 0;
    while (at < self->machines_count &&
           memcmp(&self->machines[at].computing, told, sizeof *told) != 0) {
        at++;
    }
    if (at == self->machines_count && at < REPLAY_MACHINES_MAX) {
        self->machines[at] = (struct replay_machine){.computing = *told};
        self->machines_count++;
    }
    self->machine = at < REPLAY_MACHINES_MAX ? at : REPLAY_MACHINES_MAX - 1;
}

/* The newest config.change of a file, which is opened for this look only: the walk back may be over
 * thousands of them. Forwards, since an archive file reads ahead. */
static struct err look_for_change(const char *path, struct work *work, struct score_computing *told,
                                  bool *found)
{
    struct archive_file *file = NULL;
    struct archive_summary summary = {0};
    *found = false;
    struct err err = archive_file_open(path, &file);
    if (err_is(err)) {
        return err;
    }
    err = archive_file_summary(file, &summary);
    for (uint64_t n = summary.first_index; !err_is(err) && n <= summary.last_index; n++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        err = archive_file_entry(file, n, &bytes, &bytes_count);
        if (!err_is(err) && entry_type_peek(bytes, bytes_count) == ENTRY_CONFIG_CHANGE &&
            decode(bytes, bytes_count, work->arena_memory, &work->score)) {
            *told = computing_of(&work->score.body.config_change);
            *found = true;
        }
    }
    archive_file_close(&file);
    return err;
}

/* The config.change that is in force where the file begins is the newest before it. The log may
 * have begun before the files at hand, and one of them may be unreadable: not finding it is no
 * fault. After the file replayed last it is known already. */
static void find_machine(struct replay_run *self, uint32_t at, struct work *work)
{
    struct score_computing told = {{0}, {0}, {0}, {0}};
    bool found = false;
    if (self->machines_count > 0 && self->machine_until == self->shelf->files[at].first_index) {
        return;
    }
    for (uint32_t i = replay_shelf_before(self->shelf, at); i < self->shelf->files_count && !found;
         i = replay_shelf_before(self->shelf, i)) {
        if (err_is(look_for_change(self->shelf->files[i].path, work, &told, &found))) {
            memset(&told, 0, sizeof told); /* a newer one may lie in what cannot be read */
            break;
        }
    }
    set_machine(self, &told);
}

/* ---- images ---- */

static void let_go(struct work *work)
{
    for (uint32_t i = 0; i < work->pixels_count; i++) {
        free(work->pixels[i]);
    }
    work->pixels_count = 0;
    memset(&work->input, 0, sizeof work->input);
}

static struct err load_image(struct work *work, const struct replay_file *file,
                             const struct entry *received, uint32_t scan_index, uint32_t at)
{
    const struct entry_image *stated = &received->body.received.images[at];
    const struct archive_calibration *calibration = replay_shelf_calibration(file, received->n, at);
    uint8_t *pixels = NULL;
    uint64_t bytes_count = 0;
    if (calibration == NULL) {
        return err_make(ERR_ARCHIVE_DIFFERS, "an image without its calibration");
    }
    struct err err = archive_file_image(file->file, stated->sha256, &pixels, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    work->pixels[work->pixels_count++] = pixels;
    if (bytes_count != stated->payload_bytes ||
        bytes_count != (uint64_t)stated->width * stated->height * (stated->bits / 8)) {
        return err_make(ERR_ARCHIVE_DIFFERS, "an image of another size than its entry states");
    }
    struct image *image = &work->images[scan_index][at];
    *image = (struct image){.width = stated->width,
                            .height = stated->height,
                            .bits = stated->bits,
                            .meaning = stated->meaning,
                            .energy = stated->energy,
                            .view = stated->view,
                            .payload_bytes = stated->payload_bytes,
                            .pixel_pitch_mm = calibration->pixel_pitch_mm,
                            .air_level = calibration->air_level,
                            .dark_level = calibration->dark_level};
    memcpy(image->sha256, stated->sha256, HASH_BYTES);
    work->input.scans[scan_index].pixels[at] = pixels;
    return err_none;
}

static struct err load_scan(struct work *work, const struct replay_file *file, uint64_t entry_index)
{
    uint32_t at = work->input.scans_count;
    struct entry *entry = &work->received[at];
    struct err err = read_entry(file, entry_index, work->scan_memory[at], entry);
    if (err_is(err) || entry->type != ENTRY_SCAN_RECEIVED) {
        return err;
    }
    const struct entry_received *received = &entry->body.received;
    work->scans[at] = (struct scan){.scan_id = "",
                                    .mode = received->mode,
                                    .site = received->site,
                                    .lane = received->lane,
                                    .scanner = received->scanner,
                                    .scanner_type = received->scanner_type,
                                    .images = work->images[at],
                                    .images_count = received->images_count};
    work->input.scans[at].scan = &work->scans[at];
    work->input.scans_count++;
    for (uint32_t i = 0; i < received->images_count && !err_is(err); i++) {
        err = load_image(work, file, entry, at, i);
    }
    return err;
}

/* The scans of an item, in the order of the score's causes, which is that in which it was scored.
 * *why is set when one of them is not at hand. */
static struct err load_scans(struct replay_run *self, uint32_t at, struct work *work,
                             const char **why)
{
    struct err err = err_none;
    *why = NULL;
    for (uint32_t i = 0; i < work->score.causes_count && !err_is(err); i++) {
        struct replay_file *file = NULL;
        uint64_t entry_index = 0;
        err = replay_shelf_received(self->shelf, at, work->score.causes[i], &file, &entry_index);
        if (!err_is(err) && file == NULL) {
            *why = "a record of the item is in no archive file at hand";
            return err_none;
        }
        if (!err_is(err) && work->input.scans_count == SCORE_PARTS_MAX) {
            err = err_make(ERR_ARCHIVE_DIFFERS, "a score of more scans than an item can have");
        }
        err = err_is(err) ? err : load_scan(work, file, entry_index);
    }
    return err;
}

/* ---- one score ---- */

static void count_finding(struct replay_run *self, const struct replay_finding *finding)
{
    struct replay_counts *counts = &self->counts;
    struct replay_machine *machine = &self->machines[self->machine];
    counts->scores++;
    counts->shadows += finding->shadow;
    machine->scores_count++;
    if (finding->depth == REPLAY_NOT) {
        counts->not_replayed++;
        return;
    }
    const struct replay_differences *differences = finding->differences;
    if (differences->count == 0) {
        bool whole = finding->depth == REPLAY_WHOLE;
        counts->identical += whole;
        counts->inputs_alone += !whole;
        return;
    }
    counts->differing++;
    machine->differing_count++;
    machine->largest_probability = differences->largest_probability > machine->largest_probability
                                       ? differences->largest_probability
                                       : machine->largest_probability;
    machine->largest_logit = differences->largest_logit > machine->largest_logit
                                 ? differences->largest_logit
                                 : machine->largest_logit;
}

static struct err replay_score(struct replay_run *self, uint32_t at, struct work *work,
                               struct replay_finding *finding)
{
    struct err err = err_none;
    bool shadow = finding->shadow;
    struct replay_models *models = shadow ? self->shadow_models : self->models;
    const struct entry_score *logged =
        shadow ? &work->score.body.shadow_score.score : &work->score.body.score;
    if (shadow && logged->contributions_count == 0) {
        finding->why = "the model in shadow gave no finite number";
        return err_none;
    }
    if (logged->inputs_count == 0) {
        finding->why = "a score of before inputs were kept";
        return err_none;
    }
    err = replay_models_fit(models, logged, &finding->why);
    if (err_is(err) || finding->why != NULL) {
        return err;
    }
    const char *missing = NULL;
    err = load_scans(self, at, work, &missing);
    if (err.code == ERR_ARCHIVE_DIFFERS || err.code == ERR_NOT_FOUND) {
        finding->why = err.where; /* a finding about this item, not the end of the run */
        return err_none;
    }
    if (err_is(err) || !score_replay(models->scorer, logged, missing == NULL ? &work->input : NULL,
                                     &work->result, &finding->why)) {
        return err;
    }
    const char *names[ENTRY_INPUTS_MAX] = {NULL};
    for (uint32_t i = 0; i < logged->inputs_count; i++) {
        names[i] = score_input_names(models->scorer, logged, i);
    }
    replay_compare(logged, &work->result.score, names, &work->differences);
    finding->depth = missing == NULL ? REPLAY_WHOLE : REPLAY_INPUTS;
    finding->why = missing;
    finding->differences = &work->differences;
    return err_none;
}

static struct err replay_entry(struct replay_run *self, uint32_t at, struct work *work)
{
    struct replay_finding finding = {.entry = &work->score,
                                     .shadow = work->score.type == ENTRY_SHADOW_SCORE,
                                     .path = self->shelf->files[at].path,
                                     .depth = REPLAY_NOT};
    struct err err = replay_score(self, at, work, &finding);
    if (!err_is(err)) {
        count_finding(self, &finding);
        self->tell(self->teller, &finding);
    }
    let_go(work);
    return err;
}

/* ---- a file ---- */

enum { ITEM_DIGITS_MIN = 6 };

struct err replay_run_find_label(struct replay_run *self, uint32_t at)
{
    struct archive_file *file = NULL;
    struct archive_summary summary = {0};
    struct work *work = calloc(1, sizeof *work);
    struct err err = work == NULL ? err_make(ERR_MEMORY, "replay")
                                  : archive_file_open(self->shelf->files[at].path, &file);
    err = err_is(err) ? err : archive_file_summary(file, &summary);
    for (uint64_t n = summary.first_index; !err_is(err) && n <= summary.last_index; n++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        bool added = false;
        err = archive_file_entry(file, n, &bytes, &bytes_count);
        if (!err_is(err) && entry_type_peek(bytes, bytes_count) == ENTRY_REFERRAL_DECISION &&
            decode(bytes, bytes_count, work->arena_memory, &work->score) && work->score.has_item &&
            strcmp(work->score.body.decision.label, self->item) == 0) {
            err = id_map_add(&self->labelled, work->score.item, n, &added);
        }
    }
    archive_file_close(&file);
    free(work);
    return err;
}

static bool is_meant(const struct replay_run *self, const struct entry *score)
{
    char hex[2 * ITEM_ID_BYTES + 1];
    uint64_t place = 0;
    if (self->item == NULL) {
        return true;
    }
    hex_encode(score->item, ITEM_ID_BYTES, hex);
    return (strlen(self->item) >= ITEM_DIGITS_MIN &&
            strncmp(hex, self->item, strlen(self->item)) == 0) ||
           id_map_find(&self->labelled, score->item, &place);
}

static struct err replay_entries(struct replay_run *self, uint32_t at, struct work *work)
{
    const struct replay_file *file = &self->shelf->files[at];
    struct err err = err_none;
    for (uint64_t n = file->first_index;
         n <= file->last_index && !err_is(err) && !replay_run_is_done(self); n++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        err = archive_file_entry(file->file, n, &bytes, &bytes_count);
        enum entry_type type = err_is(err) ? ENTRY_UNKNOWN : entry_type_peek(bytes, bytes_count);
        if (type != ENTRY_SCORE && type != ENTRY_SHADOW_SCORE && type != ENTRY_CONFIG_CHANGE) {
            continue;
        }
        if (!decode(bytes, bytes_count, work->arena_memory, &work->score)) {
            return err_make(ERR_ARCHIVE_DIFFERS, "an entry cannot be read");
        }
        if (type == ENTRY_CONFIG_CHANGE) {
            struct score_computing told = computing_of(&work->score.body.config_change);
            set_machine(self, &told);
        } else if (is_meant(self, &work->score)) {
            err = replay_entry(self, at, work);
            self->progress(self->teller, n - file->first_index + 1,
                           file->last_index - file->first_index + 1);
        }
    }
    return err;
}

struct err replay_run_file(struct replay_run *self, uint32_t at)
{
    struct work *work = calloc(1, sizeof *work);
    self->bad_table = "";
    if (work == NULL) {
        return err_make(ERR_MEMORY, "replay");
    }
    struct err err = replay_shelf_load(self->shelf, at);
    const struct replay_file *file = &self->shelf->files[at];
    if (!err_is(err) && self->item == NULL) {
        err = archive_file_check_tables(file->file, &self->bad_table);
        self->counts.tables_differing += !err_is(err) && self->bad_table[0] != '\0';
    }
    if (!err_is(err)) {
        find_machine(self, at, work);
        err = replay_entries(self, at, work);
        self->machine_until = err_is(err) ? 0 : file->last_index + 1;
    }
    free(work);
    return err;
}
