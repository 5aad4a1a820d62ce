/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/emptiness_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "feeds/csv_table.h"
#include "proto/hash.h"
#include "score/score_companion.h"

enum column { IMAGE_ID, X0, Y0, X1, Y1, OCCUPANCY, SCANNER, NOTE, COLUMNS };
static const char *const column_names[COLUMNS] = {"image_id", "x0",        "y0",      "x1",
                                                  "y1",       "occupancy", "scanner", "note"};
enum { COLUMNS_NEEDED = SCANNER };

struct label {
    char image[128];
    double box[4]; /* x0 y0 x1 y1 */
    char occupancy[16];
    char scanner[64];
    char note[EMPTINESS_NOTE_BYTES];
};

struct labels {
    struct label *list;
    uint32_t count;
    uint32_t capacity;
};

struct reading {
    struct labels labels;
    struct working_space working;
    struct cargo_space cargo;
    struct sha256 *digest;
    uint32_t working_height;
};

static bool find_columns(const struct csv_table *table, const char *path, int at[COLUMNS])
{
    uint32_t count = 0;
    char *const *names = csv_table_columns(table, &count);
    for (int c = 0; c < COLUMNS; c++) {
        at[c] = -1;
        for (uint32_t i = 0; i < count; i++) {
            at[c] = strcmp(names[i], column_names[c]) == 0 ? (int)i : at[c];
        }
        if (at[c] < 0 && c < COLUMNS_NEEDED) {
            ctl_refuse("%s: no column %s", path, column_names[c]);
            return false;
        }
    }
    return true;
}

static const char *field(const struct csv_row *row, int at)
{
    return at >= 0 && (uint32_t)at < row->fields_count ? row->fields[at] : "";
}

static bool take_label(struct labels *self, const struct csv_row *row, const int at[COLUMNS],
                       const char *path)
{
    if (self->count == self->capacity) {
        uint32_t capacity = 2 * self->capacity + 256;
        struct label *list = realloc(self->list, capacity * sizeof *list);
        if (list == NULL || self->count >= EMPTINESS_ROWS_MAX) {
            self->list = list != NULL ? list : self->list;
            ctl_refuse("%s: too many rows", path);
            return false;
        }
        self->list = list;
        self->capacity = capacity;
    }
    struct label *label = &self->list[self->count++];
    memset(label, 0, sizeof *label);
    (void)snprintf(label->image, sizeof label->image, "%s", field(row, at[IMAGE_ID]));
    (void)snprintf(label->occupancy, sizeof label->occupancy, "%s", field(row, at[OCCUPANCY]));
    (void)snprintf(label->scanner, sizeof label->scanner, "%s", field(row, at[SCANNER]));
    (void)snprintf(label->note, sizeof label->note, "%s", field(row, at[NOTE]));
    for (int i = 0; i < 4; i++) {
        char *end = NULL;
        const char *text = field(row, at[X0 + i]);
        label->box[i] = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(label->box[i])) {
            ctl_refuse("%s:%llu: %s is no number", path, (unsigned long long)row->line,
                       column_names[X0 + i]);
            return false;
        }
    }
    return true;
}

static bool read_labels(const char *path, struct reading *self)
{
    char error[CSV_ERROR_BYTES] = "";
    struct csv_table *table = NULL;
    int at[COLUMNS];
    struct err err = csv_table_open(path, ',', false, &table, error);
    bool good = !err_is(err) && find_columns(table, path, at);
    enum csv_step step = CSV_ROW;
    while (good && step != CSV_END) {
        struct csv_row row;
        err = csv_table_next(table, &row, &step, error);
        good = !err_is(err) && (step != CSV_ROW || take_label(&self->labels, &row, at, path));
        if (good && step == CSV_ROW) {
            const struct label *label = &self->labels.list[self->labels.count - 1];
            sha256_add(self->digest, label->image, strlen(label->image) + 1);
            sha256_add(self->digest, label->occupancy, strlen(label->occupancy) + 1);
            sha256_add(self->digest, label->box, sizeof label->box);
        }
    }
    csv_table_close(&table);
    if (err_is(err)) {
        ctl_refuse("%s: %s", path, error);
    }
    return good;
}

static double overlap_of(const struct cargo_box *box, uint32_t factor, const double labelled[4])
{
    double x0 = (double)box->x * factor;
    double y0 = (double)box->y * factor;
    double x1 = x0 + (double)box->width * factor;
    double y1 = y0 + (double)box->height * factor;
    double wide = fmin(x1, labelled[2]) - fmax(x0, labelled[0]);
    double high = fmin(y1, labelled[3]) - fmax(y0, labelled[1]);
    double shared = wide > 0 && high > 0 ? wide * high : 0;
    double both =
        (x1 - x0) * (y1 - y0) + (labelled[2] - labelled[0]) * (labelled[3] - labelled[1]) - shared;
    return both > 0 ? shared / both : 0;
}

/* Black margins left or right were taken out of the picture. */
static bool has_margins(const struct working *working)
{
    bool left = false;
    bool right = false;
    for (size_t y = 0; y < working->height; y++) {
        left |= working->valid[y * working->width] != 0;
        right |= working->valid[y * working->width + working->width - 1] != 0;
    }
    return !left || !right;
}

static bool reserve(struct emptiness_rows *self)
{
    if (self->count < self->capacity) {
        return true;
    }
    uint32_t capacity = 2 * self->capacity + 256;
    struct emptiness_row *rows = realloc(self->rows, capacity * sizeof *rows);
    self->rows = rows != NULL ? rows : self->rows;
    struct emptiness_source *sources = realloc(self->sources, capacity * sizeof *sources);
    self->sources = sources != NULL ? sources : self->sources;
    if (rows == NULL || sources == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    self->capacity = capacity;
    return true;
}

struct looked {
    const struct image *image;
    const struct working *working;
    struct emptiness_measure measures[CARGO_BOXES_MAX];
    uint32_t count;
    uint32_t folder_index;
};

static bool take_row(const struct looked *looked, const struct label *label,
                     struct emptiness_rows *out)
{
    bool loaded = strcmp(label->occupancy, "loaded") == 0;
    if (looked->count == 0 || (!loaded && strcmp(label->occupancy, "empty") != 0)) {
        out->left_out++;
        return true;
    }
    if (!reserve(out)) {
        return false;
    }
    uint32_t factor = (uint32_t)looked->working->factor;
    uint32_t best = 0;
    double overlap = -1;
    for (uint32_t i = 0; i < looked->count; i++) {
        double found = overlap_of(&looked->measures[i].box, factor, label->box);
        best = found > overlap ? i : best;
        overlap = found > overlap ? found : overlap;
    }
    struct emptiness_row *row = &out->rows[out->count];
    struct emptiness_source *source = &out->sources[out->count++];
    memset(row, 0, sizeof *row);
    memset(source, 0, sizeof *source);
    (void)snprintf(row->image, sizeof row->image, "%s", label->image);
    if (label->scanner[0] != '\0') {
        (void)snprintf(row->scanner, sizeof row->scanner, "%s", label->scanner);
    } else {
        (void)snprintf(row->scanner, sizeof row->scanner, "%u rows%s",
                       (unsigned)looked->image->height,
                       has_margins(looked->working) ? ", black margins" : "");
    }
    row->loaded = loaded;
    row->measure = looked->measures[best];
    row->meaning = looked->working->calibration.meaning;
    row->overlap = overlap;
    source->folder_index = looked->folder_index;
    source->factor = factor;
    memcpy(source->note, label->note, sizeof source->note);
    return true;
}

static bool is_of(const char *file_name, const char *image_id)
{
    size_t bytes = strlen(image_id);
    return strncmp(file_name, image_id, bytes) == 0 &&
           (file_name[bytes] == '.' || file_name[bytes] == '\0');
}

static bool take_scan(struct reading *self, const struct folder_scan *scan, const char *name,
                      uint32_t folder_index, struct emptiness_rows *out)
{
    uint32_t at = score_main_image(&scan->scan, NULL);
    const struct image *image = &scan->images[at];
    struct working working;
    if (working_refusal(image, UINT64_MAX) != NULL) {
        return true;
    }
    sha256_add(self->digest, scan->pixels[at], (size_t)image->payload_bytes);
    working_make(&self->working, image, scan->pixels[at], self->working_height, &working);
    struct looked looked = {.image = image, .working = &working, .folder_index = folder_index};
    looked.count = emptiness_measure(&self->cargo, &working, looked.measures);
    bool room = true;
    for (uint32_t i = 0; i < self->labels.count && room; i++) {
        if (is_of(name, self->labels.list[i].image)) {
            room = take_row(&looked, &self->labels.list[i], out);
        }
    }
    return room;
}

static bool read_images(struct reading *self, const struct image_folder *folder,
                        struct emptiness_rows *out)
{
    bool good = true;
    for (uint32_t i = 0; i < image_folder_count(folder) && good; i++) {
        const char *name = image_folder_name(folder, i);
        bool labelled = false;
        for (uint32_t l = 0; l < self->labels.count && !labelled; l++) {
            labelled = is_of(name, self->labels.list[l].image);
        }
        char why[FOLDER_WHY_BYTES] = "";
        struct folder_scan *scan = NULL;
        if (!labelled) {
            continue;
        }
        struct err err = image_folder_read(folder, i, &scan, why);
        if (err_is(err)) {
            ctl_refuse("%s: %s", name, why);
            continue;
        }
        good = take_scan(self, scan, name, i, out);
        folder_scan_close(&scan);
    }
    return good;
}

bool emptiness_rows_read(const struct image_folder *folder, const char *labels_path,
                         uint32_t working_height, struct emptiness_rows *out)
{
    struct reading reading;
    memset(&reading, 0, sizeof reading);
    memset(out, 0, sizeof *out);
    reading.working_height = working_height;
    reading.digest = sha256_open();
    struct err err = working_init(&reading.working, working_height);
    err = err_is(err) ? err : cargo_space_init(&reading.cargo, working_height);
    bool good = !err_is(err);
    if (!good) {
        ctl_fail("working images", err);
    }
    good = good && read_labels(labels_path, &reading) && read_images(&reading, folder, out);
    sha256_finish(reading.digest, out->training_set_sha256);
    sha256_close(&reading.digest);
    working_fini(&reading.working);
    cargo_space_fini(&reading.cargo);
    free(reading.labels.list);
    return good;
}

void emptiness_rows_fini(struct emptiness_rows *self)
{
    free(self->rows);
    free(self->sources);
    memset(self, 0, sizeof *self);
}
