/* SPDX-License-Identifier: Apache-2.0 */
#include "score/appearance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score/machine_cache.h"

/* A model file is trusted as far as its hash goes, and no further: a shape or number that does not
 * fit is refused here, so that the scoring line needs no checks of its own. */

static const struct model_array *find_shaped(const struct model_file *file, const char *name,
                                             enum model_type type, uint64_t rows, uint64_t columns)
{
    const struct model_array *array = model_file_find(file, name, type);
    if (array == NULL) {
        return NULL;
    }
    bool fits = columns == 0 ? array->dimensions_count == 1 && array->dimensions[0] == rows
                             : array->dimensions_count == 2 && array->dimensions[0] == rows &&
                                   array->dimensions[1] == columns;
    return fits ? array : NULL;
}

static float *copy_floats(const struct model_array *array, size_t count)
{
    float *copy = malloc(count * sizeof *copy);
    if (copy != NULL) {
        memcpy(copy, array->values, count * sizeof *copy);
    }
    return copy;
}

static bool all_finite(const struct model_array *array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value = array->type == MODEL_F32 ? (double)((const float *)array->values)[i]
                                                : ((const double *)array->values)[i];
        if (!isfinite(value)) {
            return false;
        }
    }
    return true;
}

static bool read_meaning(const char *text, enum image_meaning *out)
{
    if (text == NULL) {
        return false;
    }
    switch (pixel_meaning_parse(text)) {
    case PIXEL_TRANSMISSION:
        *out = IMAGE_TRANSMISSION;
        return true;
    case PIXEL_DISPLAY:
        *out = IMAGE_DISPLAY;
        return true;
    case PIXEL_DISPLAY_INVERTED:
        *out = IMAGE_DISPLAY_INVERTED;
        return true;
    default:
        return false;
    }
}

/* "geometry": working height, side, step, levels. "placing": per level median and spread, then of
 * images, then mass (slope, intercept, spread, pitch known), then ratio (median, spread). */
enum { GEOMETRY_COUNT = 4, PLACING_COUNT = 2 * (int)APPEARANCE_LEVELS + 2 + 4 + 2 };

static struct err read_numbers(const struct model_file *file, struct appearance_model *out)
{
    const struct model_array *geometry =
        find_shaped(file, "geometry", MODEL_U64, GEOMETRY_COUNT, 0);
    const struct model_array *placing = find_shaped(file, "placing", MODEL_F64, PLACING_COUNT, 0);
    if (geometry == NULL || placing == NULL || !all_finite(placing, PLACING_COUNT)) {
        return err_make(ERR_MODEL_UNREADABLE, "appearance model: geometry or placing");
    }
    const uint64_t *g = geometry->values;
    if (g[0] < WORKING_HEIGHT_MIN || g[0] > WORKING_HEIGHT_MAX || g[1] != APPEARANCE_SIDE ||
        g[2] != APPEARANCE_STEP || g[3] != APPEARANCE_LEVELS) {
        return err_make(ERR_MODEL_UNREADABLE,
                        "appearance model: made for other patches than these");
    }
    out->working_height = (uint32_t)g[0];
    const double *p = placing->values;
    bool placed = true;
    for (uint32_t i = 0; i < APPEARANCE_LEVELS; i++) {
        out->level_median[i] = *p++;
        out->level_spread[i] = *p++;
        placed = placed && out->level_spread[i] > 0;
    }
    out->image_median = *p++;
    out->image_spread = *p++;
    out->mass = (struct appearance_mass){p[0], p[1], p[2], p[3] != 0};
    out->ratio_median = p[4];
    out->ratio_spread = p[5];
    if (!placed || out->image_spread <= 0 || out->mass.spread < 0 || out->ratio_spread < 0) {
        return err_make(ERR_MODEL_UNREADABLE, "appearance model: a spread is not positive");
    }
    return err_none;
}

static struct err read_bank(const struct model_file *file, struct appearance_model *out)
{
    const struct model_array *bank = model_file_find(file, "bank", MODEL_F32);
    if (bank == NULL || bank->dimensions_count != 2 || bank->dimensions[0] == 0 ||
        bank->dimensions[0] > APPEARANCE_BANK_MAX || bank->dimensions[1] == 0 ||
        bank->dimensions[1] > APPEARANCE_DIMENSIONS_MAX) {
        return err_make(ERR_MODEL_UNREADABLE, "appearance model: bank");
    }
    uint64_t rows = bank->dimensions[0];
    uint64_t dimensions = bank->dimensions[1];
    const struct model_array *weights =
        find_shaped(file, "projection", MODEL_F32, APPEARANCE_FEATURES, dimensions);
    const struct model_array *bias = find_shaped(file, "bias", MODEL_F32, dimensions, 0);
    if (weights == NULL || bias == NULL || !all_finite(bank, rows * dimensions) ||
        !all_finite(weights, APPEARANCE_FEATURES * dimensions) || !all_finite(bias, dimensions)) {
        return err_make(ERR_MODEL_UNREADABLE,
                        "appearance model: projection, bias or a number that is not finite");
    }
    out->dimensions = (uint32_t)dimensions;
    out->bank_count = (uint32_t)rows;
    out->weights = copy_floats(weights, APPEARANCE_FEATURES * dimensions);
    out->bias = copy_floats(bias, dimensions);
    out->bank = copy_floats(bank, rows * dimensions);
    if (out->weights == NULL || out->bias == NULL || out->bank == NULL) {
        return err_make(ERR_MEMORY, "appearance model");
    }
    return appearance_bank_prepare(out);
}

MUST_USE struct err appearance_bank_prepare(struct appearance_model *self)
{
    struct nearest_bank bank = {.rows = self->bank,
                                .row_count = self->bank_count,
                                .dimension_count = self->dimensions,
                                .stride = self->dimensions};
    bool packs = nearest_path_packs(nearest_path_best());
    self->cache = machine_cache();
    self->bank_norms = malloc(bank.row_count * sizeof(float));
    self->bank_memory =
        packs ? malloc(nearest_pack_bytes(bank.row_count, bank.dimension_count)) : NULL;
    if (self->bank_norms == NULL || (packs && self->bank_memory == NULL)) {
        return err_make(ERR_MEMORY, "memory bank");
    }
    nearest_squared_norms(bank.rows, bank.row_count, bank.dimension_count, bank.stride,
                          self->bank_norms);
    self->bank_packed = packs ? nearest_pack(&bank, self->bank_memory) : NULL;
    return err_none;
}

MUST_USE struct err appearance_read(const struct model_file *file, struct appearance_model *out)
{
    struct appearance_model read = {.bank_count = 0};
    const char *name = model_file_text(file, "name");
    if (name == NULL || strncmp(name, APPEARANCE_PREFIX, strlen(APPEARANCE_PREFIX)) != 0 ||
        strlen(name) >= APPEARANCE_NAME_BYTES ||
        !read_meaning(model_file_text(file, "meaning"), &read.meaning)) {
        return err_make(ERR_MODEL_UNREADABLE, "appearance model: name or meaning");
    }
    (void)snprintf(read.name, sizeof read.name, "%s", name);
    memcpy(read.sha256, file->sha256, HASH_BYTES);
    struct err err = read_numbers(file, &read);
    err = err_is(err) ? err : read_bank(file, &read);
    err = err_is(err) ? err : finder_read(file, &read.has_finder, &read.finder);
    err = err_is(err) ? err : lump_read(file, &read.lump);
    err = err_is(err) ? err : dome_read(file, &read.dome);
    if (err_is(err)) {
        appearance_model_fini(&read);
        return err;
    }
    read.dome.present = read.dome.present && !read.has_finder;
    *out = read;
    return err_none;
}

void appearance_model_fini(struct appearance_model *self)
{
    free(self->weights);
    free(self->bias);
    free(self->bank);
    free(self->bank_norms);
    if (self->has_finder) {
        finder_model_fini(&self->finder);
    }
    free(self->bank_memory);
    lump_model_fini(&self->lump);
    memset(self, 0, sizeof *self);
}
