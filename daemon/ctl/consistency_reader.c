/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/consistency_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "feeds/csv_table.h"
#include "score/train_consistency.h"

struct consistency_entry {
    char image[128];
    uint32_t row; /* of the table, for a stable order */
    uint32_t chapter;
    double net_mass_kg;
};

enum { COLUMNS_MAX = 4 };

/* Where the columns are; -1: not there. False, and told, when one of the first `needed` is not. */
static bool find_columns(const struct csv_table *table, const char *path,
                         const char *const names[COLUMNS_MAX], uint32_t needed, int at[COLUMNS_MAX])
{
    uint32_t count = 0;
    char *const *columns = csv_table_columns(table, &count);
    for (uint32_t c = 0; c < COLUMNS_MAX; c++) {
        at[c] = -1;
        for (uint32_t i = 0; i < count && names[c] != NULL; i++) {
            at[c] = strcmp(columns[i], names[c]) == 0 ? (int)i : at[c];
        }
        if (c < needed && at[c] < 0) {
            ctl_refuse("%s: no column %s", path, names[c]);
            return false;
        }
    }
    return true;
}

static const char *field(const struct csv_row *row, int at)
{
    return at >= 0 && (uint32_t)at < row->fields_count ? row->fields[at] : "";
}

/* Doubles the room of a list. */
static bool grow(void **list, size_t count, size_t *capacity, size_t each, size_t count_max)
{
    if (count < *capacity) {
        return true;
    }
    size_t more = 2 * *capacity + 256;
    void *bigger = count < count_max ? realloc(*list, more * each) : NULL;
    if (bigger == NULL) {
        ctl_refuse("table: too many rows, or no memory");
        return false;
    }
    *list = bigger;
    *capacity = more;
    return true;
}

/* Of a whole field; told when it is none. */
static bool read_number(const struct csv_row *row, const char *text, const char *path, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    bool good = end != text && *end == '\0' && isfinite(*out);
    if (!good) {
        ctl_refuse("%s:%llu: \"%s\" is no number", path, (unsigned long long)row->line, text);
    }
    return good;
}

static bool take_entry(struct consistency_reader *self, const struct csv_row *row, const int at[],
                       const char *path)
{
    const char *mass = field(row, at[2]);
    double net_mass_kg = at[2] >= 0 ? 0 : 1; /* 0: an empty field */
    if (*mass != '\0' && !read_number(row, mass, path, &net_mass_kg)) {
        return false;
    }
    size_t capacity = self->entries_capacity;
    void *list = self->entries;
    if (!grow(&list, self->entries_count, &capacity, sizeof *self->entries, CONSISTENCY_ROWS_MAX)) {
        return false;
    }
    self->entries = list;
    self->entries_capacity = (uint32_t)capacity;
    struct consistency_entry *entry = &self->entries[self->entries_count];
    memset(entry, 0, sizeof *entry);
    (void)snprintf(entry->image, sizeof entry->image, "%s", field(row, at[0]));
    entry->row = self->entries_count++;
    entry->chapter = hs_chapter_of(field(row, at[1]));
    entry->net_mass_kg = net_mass_kg;
    return true;
}

static int by_image(const void *a, const void *b)
{
    const struct consistency_entry *first = a, *second = b;
    int order = strcmp(first->image, second->image);
    return order != 0 ? order : first->row < second->row ? -1 : 1;
}

bool consistency_reader_open(const struct image_folder *folder, const char *table_path,
                             struct consistency_reader *out)
{
    static const char *const names[COLUMNS_MAX] = {"image", "hs_code", "net_mass_kg", NULL};
    char error[CSV_ERROR_BYTES] = "";
    struct csv_table *table = NULL;
    int at[COLUMNS_MAX];
    *out = (struct consistency_reader){.folder = folder};
    struct err err = csv_table_open(table_path, ',', false, &table, error);
    bool good = !err_is(err) && find_columns(table, table_path, names, 2, at);
    enum csv_step step = CSV_ROW;
    while (good && step != CSV_END) {
        struct csv_row row;
        err = csv_table_next(table, &row, &step, error);
        good = !err_is(err) && (step != CSV_ROW || take_entry(out, &row, at, table_path));
    }
    csv_table_close(&table);
    if (err_is(err)) {
        ctl_refuse("%s: %s", table_path, error);
    }
    if (good && out->entries_count > 0) {
        qsort(out->entries, out->entries_count, sizeof *out->entries, by_image);
    }
    return good;
}

void consistency_reader_close(struct consistency_reader *self)
{
    folder_scan_close(&self->scan);
    free(self->entries);
    memset(self, 0, sizeof *self);
}

/* The first row of an image; entries_count when there is none. */
static uint32_t find_first(const struct consistency_reader *self, const char *image)
{
    uint32_t low = 0;
    uint32_t high = self->entries_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(self->entries[middle].image, image) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool there = low < self->entries_count && strcmp(self->entries[low].image, image) == 0;
    return there ? low : self->entries_count;
}

/* The chapter of an image by the rule for lines of a declaration; 0: none. */
static uint32_t chapter_of(const struct consistency_reader *self, const char *image)
{
    double shares[HS_CHAPTERS] = {0};
    double all = 0;
    for (uint32_t i = find_first(self, image);
         i < self->entries_count && strcmp(self->entries[i].image, image) == 0; i++) {
        double mass = self->entries[i].net_mass_kg;
        mass = isfinite(mass) && mass > 0 ? mass : 0;
        shares[self->entries[i].chapter] += mass;
        all += mass;
    }
    for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
        if (all > 0 && shares[c] >= HS_CHAPTER_SHARE_MIN * all) {
            return c;
        }
    }
    return 0;
}

/* By the scan's id, the file's name, or that without its ending. */
static uint32_t chapter_of_scan(const struct consistency_reader *self,
                                const struct folder_scan *scan, const char *name)
{
    char stem[128];
    uint32_t chapter = chapter_of(self, scan->scan.scan_id);
    chapter = chapter > 0 ? chapter : chapter_of(self, name);
    (void)snprintf(stem, sizeof stem, "%s", name);
    char *dot = strrchr(stem, '.');
    if (dot != NULL) {
        *dot = '\0';
    }
    return chapter > 0 ? chapter : chapter_of(self, stem);
}

/* The image that is looked at is the first that is no low-energy one, as in a score. */
static bool give_out(const struct consistency_reader *self, struct consistency_scan *out)
{
    const struct scan *scan = &self->scan->scan;
    uint32_t at = 0;
    while (at < scan->images_count && scan->images[at].energy == ENERGY_LOW) {
        at++;
    }
    at = at < scan->images_count ? at : 0;
    if (scan->images_count == 0) {
        return false;
    }
    const struct image *image = &scan->images[at];
    out->image =
        (struct train_image){.image = image, .pixels = self->scan->pixels[at], .name = out->name};
    for (uint32_t i = 0; i < scan->images_count && image->energy == ENERGY_HIGH; i++) {
        const struct image *other = &scan->images[i];
        if (other->energy == ENERGY_LOW && other->view == image->view &&
            other->width == image->width && other->height == image->height &&
            other->meaning == image->meaning) {
            out->image.low_image = other;
            out->image.low_pixels = self->scan->pixels[i];
            break;
        }
    }
    return true;
}

bool consistency_reader_next(struct consistency_reader *self, struct consistency_scan *out)
{
    while (self->at < image_folder_count(self->folder)) {
        char why[FOLDER_WHY_BYTES] = "";
        uint32_t index = self->at++;
        folder_scan_close(&self->scan);
        *out = (struct consistency_scan){.name = image_folder_name(self->folder, index)};
        struct err err = image_folder_read(self->folder, index, &self->scan, why);
        if (err_is(err)) {
            ctl_refuse("%s: %s", out->name, why);
            self->unreadable++;
            continue;
        }
        out->chapter = chapter_of_scan(self, self->scan, out->name);
        if (out->chapter > 0 && give_out(self, out)) {
            return true;
        }
        self->undeclared++;
    }
    folder_scan_close(&self->scan);
    return false;
}

static bool take_step(const struct csv_row *row, const int at[COLUMNS_MAX], const char *path,
                      struct material_step *out)
{
    double numbers[COLUMNS_MAX];
    for (int c = 0; c < COLUMNS_MAX; c++) {
        if (!read_number(row, field(row, at[c]), path, &numbers[c])) {
            return false;
        }
    }
    *out = (struct material_step){numbers[0], numbers[1], numbers[2], numbers[3]};
    return true;
}

bool consistency_wedge_read(const char *path, struct material_step **steps, size_t *count)
{
    static const char *const names[COLUMNS_MAX] = {"atomic_number", "areal_density", "low", "high"};
    char error[CSV_ERROR_BYTES] = "";
    struct csv_table *table = NULL;
    int at[COLUMNS_MAX];
    size_t capacity = 0;
    void *list = NULL;
    *count = 0;
    struct err err = csv_table_open(path, ',', false, &table, error);
    bool good = !err_is(err) && find_columns(table, path, names, COLUMNS_MAX, at);
    enum csv_step step = CSV_ROW;
    while (good && step != CSV_END) {
        struct csv_row row;
        err = csv_table_next(table, &row, &step, error);
        good = !err_is(err);
        if (good && step == CSV_ROW) {
            good = grow(&list, *count, &capacity, sizeof **steps, TRAIN_CONSISTENCY_STEPS_MAX) &&
                   take_step(&row, at, path, (struct material_step *)list + *count);
            *count += good;
        }
    }
    csv_table_close(&table);
    if (err_is(err)) {
        ctl_refuse("%s: %s", path, error);
    }
    *steps = list;
    return good;
}
