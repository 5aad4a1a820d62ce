/* SPDX-License-Identifier: Apache-2.0 */
#include "score/consistency_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model file may come from anywhere: every shape is compared before a byte is copied, every
 * number is held to its range, and lists that are searched by halves must ascend. */

static const double number_max = 1e6; /* of places and means */
static const double whitening_max = 1e9;
static const double spread_min = 1e-3, spread_max = 1e3;

static const double *find_f64(const struct model_file *file, const char *name, uint64_t rows,
                              uint64_t columns, double limit)
{
    const struct model_array *array = model_file_find(file, name, MODEL_F64);
    bool fits = array != NULL && array->dimensions[0] == rows &&
                (columns == 0 ? array->dimensions_count == 1
                              : array->dimensions_count == 2 && array->dimensions[1] == columns);
    uint64_t count = rows * (columns > 0 ? columns : 1);
    const double *values = fits ? array->values : NULL;
    for (uint64_t i = 0; fits && i < count; i++) {
        fits = fabs(values[i]) <= limit; /* false for NaN */
    }
    return fits ? values : NULL;
}

static const uint64_t *find_u64(const struct model_file *file, const char *name, uint64_t count)
{
    const struct model_array *array = model_file_find(file, name, MODEL_U64);
    bool fits = array != NULL && array->dimensions_count == 1 && array->dimensions[0] == count;
    return fits ? array->values : NULL;
}

static bool ascends(const float *values, uint32_t from, uint32_t to)
{
    bool good = true;
    for (uint32_t i = from; good && i < to; i++) {
        good = isfinite(values[i]) && (i == from || values[i - 1] <= values[i]);
    }
    return good;
}

/* A copy of an array of floats with this many values at most; an absent one has none. */
static bool take_f32(const struct model_file *file, const char *name, uint64_t count_max,
                     float **out, uint32_t *count)
{
    const struct model_array *array = model_file_find(file, name, MODEL_F32);
    *count = 0;
    if (array == NULL) {
        return true;
    }
    if (array->dimensions_count != 1 || array->dimensions[0] > count_max) {
        return false;
    }
    *count = (uint32_t)array->dimensions[0];
    *out = malloc(((size_t)*count + 1) * sizeof **out);
    if (*out != NULL) {
        memcpy(*out, array->values, (size_t)*count * sizeof **out);
    }
    return *out != NULL;
}

struct held_names {
    const char *first;
    const char *answers;
    const char *strangers;
};
static const struct held_names fit_names = {"fit_first", "fit_held", "fit_strangers"};
static const struct held_names number_names = {"number_first", "number_held", "number_strangers"};

static bool read_held(const struct model_file *file, const struct held_names *names,
                      struct consistency_held *out)
{
    uint32_t count = 0;
    const uint64_t *first = find_u64(file, names->first, HS_CHAPTERS + 1);
    if (first == NULL ||
        !take_f32(file, names->answers, CONSISTENCY_HELD_MAX, &out->answers, &count) ||
        !take_f32(file, names->strangers, CONSISTENCY_HELD_MAX, &out->strangers,
                  &out->strangers_count)) {
        return false;
    }
    bool good =
        first[0] == 0 && first[HS_CHAPTERS] == count && (count > 0) == (out->strangers_count > 0);
    for (uint32_t c = 0; good && c < HS_CHAPTERS; c++) {
        good = first[c] <= first[c + 1] && first[c + 1] <= count;
        out->first[c + 1] = good ? (uint32_t)first[c + 1] : 0;
        good = good && ascends(out->answers, out->first[c], out->first[c + 1]);
    }
    return good && first[1] == 0 && ascends(out->strangers, 0, out->strangers_count);
}

static bool read_shape(const struct model_file *file, struct consistency_model *out)
{
    const uint64_t *shape = find_u64(file, "cargo_shape", 3);
    const char *meaning = model_file_text(file, "meaning");
    const char *inputs = model_file_text(file, "inputs");
    const char *name = model_file_text(file, "name");
    enum pixel_meaning pixels = meaning != NULL ? pixel_meaning_parse(meaning) : PIXEL_UNKNOWN;
    if (shape == NULL || pixels == PIXEL_UNKNOWN || inputs == NULL || name == NULL ||
        strcmp(inputs, consistency_inputs_names) != 0 || shape[0] < WORKING_HEIGHT_MIN ||
        shape[0] > WORKING_HEIGHT_MAX || shape[1] > CONSISTENCY_NUMBER ||
        strncmp(name, CONSISTENCY_PREFIX, strlen(CONSISTENCY_PREFIX)) != 0 ||
        strlen(name) >= sizeof out->name) {
        return false;
    }
    out->meaning = pixels == PIXEL_TRANSMISSION       ? IMAGE_TRANSMISSION
                   : pixels == PIXEL_DISPLAY_INVERTED ? IMAGE_DISPLAY_INVERTED
                                                      : IMAGE_DISPLAY;
    out->working_height = (uint32_t)shape[0];
    out->material = (enum consistency_material)shape[1];
    out->feature_count =
        out->material == CONSISTENCY_NONE ? CONSISTENCY_MATERIAL : CONSISTENCY_FEATURES;
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    return shape[2] == out->feature_count;
}

static double *copy_f64(const double *values, size_t count)
{
    double *copy = values != NULL ? malloc(count * sizeof *copy) : NULL;
    if (copy != NULL) {
        memcpy(copy, values, count * sizeof *copy);
    }
    return copy;
}

static bool read_numbers(const struct model_file *file, struct consistency_model *out)
{
    uint32_t f = out->feature_count;
    const double *means = find_f64(file, "means", f, 0, number_max);
    const double *whitening = find_f64(file, "whitening", f, f, whitening_max);
    const double *places = find_f64(file, "places", HS_CHAPTERS, f, number_max);
    const double *spreads = find_f64(file, "spreads", HS_CHAPTERS, 0, spread_max);
    const double *numbers = find_f64(file, "numbers", HS_CHAPTERS, 4, number_max);
    const uint64_t *counts = find_u64(file, "counts", HS_CHAPTERS);
    if (means == NULL || whitening == NULL || places == NULL || spreads == NULL ||
        numbers == NULL || counts == NULL) {
        return false;
    }
    bool good = true;
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        out->counts[c] = counts[c];
        out->spreads[c] = spreads[c];
        memcpy(out->numbers[c], numbers + (size_t)4 * c, sizeof out->numbers[c]);
        good = good && spreads[c] >= spread_min && counts[c] <= CONSISTENCY_HELD_MAX &&
               (out->numbers[c][1] == 0 || out->numbers[c][1] >= spread_min) &&
               out->numbers[c][2] <= out->numbers[c][3];
    }
    memcpy(out->means, means, f * sizeof *means);
    out->whitening = copy_f64(whitening, (size_t)f * f);
    out->places = copy_f64(places, (size_t)HS_CHAPTERS * f);
    return good && out->whitening != NULL && out->places != NULL;
}

/* Four arrays, each within its range, so that no reading gives a number that is none. */
static bool read_table(const struct model_file *file, struct material_table *out)
{
    const double *step = find_f64(file, "table_step", 1, 0, 10);
    const char *const names[4] = {"table_least", "table_most", "table_number", "table_density"};
    const uint64_t cells = (uint64_t)CONSISTENCY_TABLE_ROWS * CONSISTENCY_TABLE_COLUMNS;
    const uint64_t wanted[4] = {CONSISTENCY_TABLE_ROWS, CONSISTENCY_TABLE_ROWS, cells, cells};
    float **const to[4] = {&out->ratio_least, &out->ratio_most, &out->atomic_number,
                           &out->areal_density};
    const float limits[4] = {100, 100, MATERIAL_ELEMENTS_MAX, 1e6f};
    bool good = step != NULL && step[0] >= 1e-3;
    for (int i = 0; i < 4 && good; i++) {
        uint32_t count = 0;
        good = take_f32(file, names[i], wanted[i], to[i], &count) && count == wanted[i];
        for (uint32_t k = 0; good && k < count; k++) {
            good = (*to[i])[k] >= 0 && (*to[i])[k] <= limits[i];
        }
    }
    for (uint32_t row = 0; good && row < CONSISTENCY_TABLE_ROWS; row++) {
        good = out->ratio_least[row] < out->ratio_most[row];
    }
    if (good) {
        out->row_count = CONSISTENCY_TABLE_ROWS;
        out->column_count = CONSISTENCY_TABLE_COLUMNS;
        out->attenuation_step = (float)step[0];
    }
    return good;
}

MUST_USE struct err consistency_read(const struct model_file *file, struct consistency_model *out)
{
    struct consistency_model read;
    memset(&read, 0, sizeof read);
    const char *why =
        !read_shape(file, &read)     ? "consistency model: shape, meaning or inputs"
        : !read_numbers(file, &read) ? "consistency model: places of the chapters"
        : !read_held(file, &fit_names, &read.fit) || !read_held(file, &number_names, &read.number)
            ? "consistency model: answers of held-out scans"
        : read.material == CONSISTENCY_NUMBER && !read_table(file, &read.table)
            ? "consistency model: table of atomic numbers"
            : NULL;
    if (why != NULL) {
        consistency_model_fini(&read);
        return err_make(ERR_MODEL_UNREADABLE, why);
    }
    memcpy(read.sha256, file->sha256, HASH_BYTES);
    *out = read;
    return err_none;
}

void consistency_model_fini(struct consistency_model *self)
{
    free(self->whitening);
    free(self->places);
    free(self->fit.answers);
    free(self->fit.strangers);
    free(self->number.answers);
    free(self->number.strangers);
    free(self->table.ratio_least);
    free(self->table.ratio_most);
    free(self->table.atomic_number);
    free(self->table.areal_density);
    memset(self, 0, sizeof *self);
}
