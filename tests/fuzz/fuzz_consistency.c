/* SPDX-License-Identifier: Apache-2.0 */
/* A model of consistency out of a file that may say anything: a sound one is taken, and the input
 * overwrites numbers, lengths and names in it (model_edit.h). What is then taken must give every
 * load a chance. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "score/consistency_model.h"
#include "tests/fuzz/model_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

enum { F = CONSISTENCY_FEATURES, HELD = 40, CELLS = 64 * 64, ARRAYS = 18 };

static struct base {
    uint64_t shape[3], counts[HS_CHAPTERS], first[2][HS_CHAPTERS + 1];
    double means[F], whitening[F * F], places[HS_CHAPTERS * F], spreads[HS_CHAPTERS];
    double numbers[HS_CHAPTERS * 4], step[1];
    float held[2][HELD], strangers[2][HELD], least[64], most[64], number[CELLS], density[CELLS];
} base;

static void fill_base(void)
{
    memset(&base, 0, sizeof base);
    base.shape[0] = 256;
    base.shape[1] = CONSISTENCY_NUMBER;
    base.shape[2] = F;
    base.step[0] = 0.125;
    for (int i = 0; i < F; i++) {
        base.means[i] = i;
        base.whitening[i * F + i] = 1;
    }
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        base.counts[c] = c == 8 || c == 61 ? HELD / 2 : 0;
        base.spreads[c] = 1;
        base.numbers[(size_t)4 * c] = c == 8 ? 7 : 13;
        base.numbers[(size_t)4 * c + 1] = 0.5;
        base.numbers[(size_t)4 * c + 2] = 6;
        base.numbers[(size_t)4 * c + 3] = 14;
        base.places[(size_t)c * F] = c == 8 ? 3 : -3;
    }
    for (uint32_t c = 0; c <= HS_CHAPTERS; c++) {
        base.first[0][c] = base.first[1][c] = c <= 8 ? 0 : c <= 61 ? HELD / 2 : HELD;
    }
    for (int i = 0; i < HELD; i++) {
        base.held[0][i] = base.held[1][i] = (float)(i % (HELD / 2));
        base.strangers[0][i] = base.strangers[1][i] = (float)i;
    }
    for (int row = 0; row < 64; row++) {
        base.least[row] = 1.0f;
        base.most[row] = 1.2f;
        for (int column = 0; column < 64; column++) {
            base.number[row * 64 + column] = 80.0f - (float)column;
            base.density[row * 64 + column] = (float)row;
        }
    }
}

static void put(struct model_file *file, const char *name, enum model_type type, uint64_t rows,
                uint64_t columns, void *values)
{
    struct model_array *array = &file->arrays[file->arrays_count++];
    must(file->arrays_count <= ARRAYS + 1);
    memset(array, 0, sizeof *array);
    (void)snprintf(array->name, sizeof array->name, "%s", name);
    array->type = type;
    array->dimensions[0] = rows;
    array->dimensions[1] = columns;
    array->dimensions_count = columns > 0 ? 2 : 1;
    array->values = values;
}

static void make_file(struct model_file *file)
{
    static char texts[3][1024];
    static const char *const names[3] = {"name", "meaning", "inputs"};
    file->arrays_count = 0;
    put(file, "cargo_shape", MODEL_U64, 3, 0, base.shape);
    put(file, "means", MODEL_F64, F, 0, base.means);
    put(file, "whitening", MODEL_F64, F, F, base.whitening);
    put(file, "counts", MODEL_U64, HS_CHAPTERS, 0, base.counts);
    put(file, "places", MODEL_F64, HS_CHAPTERS, F, base.places);
    put(file, "spreads", MODEL_F64, HS_CHAPTERS, 0, base.spreads);
    put(file, "numbers", MODEL_F64, HS_CHAPTERS, 4, base.numbers);
    put(file, "fit_first", MODEL_U64, HS_CHAPTERS + 1, 0, base.first[0]);
    put(file, "fit_held", MODEL_F32, HELD, 0, base.held[0]);
    put(file, "fit_strangers", MODEL_F32, HELD, 0, base.strangers[0]);
    put(file, "number_first", MODEL_U64, HS_CHAPTERS + 1, 0, base.first[1]);
    put(file, "number_held", MODEL_F32, HELD, 0, base.held[1]);
    put(file, "number_strangers", MODEL_F32, HELD, 0, base.strangers[1]);
    put(file, "table_step", MODEL_F64, 1, 0, base.step);
    put(file, "table_least", MODEL_F32, 64, 0, base.least);
    put(file, "table_most", MODEL_F32, 64, 0, base.most);
    put(file, "table_number", MODEL_F32, CELLS, 0, base.number);
    put(file, "table_density", MODEL_F32, CELLS, 0, base.density);
    (void)snprintf(texts[0], sizeof texts[0], "consistency/x");
    (void)snprintf(texts[1], sizeof texts[1], "transmission");
    (void)snprintf(texts[2], sizeof texts[2], "%s", consistency_inputs_names);
    file->texts_count = 3;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(file->texts[i].name, sizeof file->texts[i].name, "%s", names[i]);
        file->texts[i].text = texts[i];
    }
}

static void ask(const struct consistency_model *model)
{
    for (uint32_t chapter = 1; chapter < HS_CHAPTERS; chapter += 7) {
        float inputs[CONSISTENCY_INPUTS];
        struct consistency_verdict verdict;
        for (uint32_t i = 0; i < CONSISTENCY_INPUTS; i++) {
            inputs[i] = (float)i;
        }
        inputs[CONSISTENCY_INPUT_CHAPTER] = (float)chapter;
        must(consistency_inputs_are_sound(inputs));
        consistency_verdict(model, inputs, &verdict);
        must(!verdict.fit.told || (verdict.fit.chance > 0 && verdict.fit.chance <= 1));
        must(!verdict.number.told || (verdict.number.chance > 0 && verdict.number.chance <= 1));
        must(verdict.nearest < HS_CHAPTERS);
    }
    const struct material_table *table = consistency_table(model);
    const float low[3] = {0.1f, 3, 1e5f}, high[3] = {0.09f, 2.9f, 7};
    float number[3], density[3];
    if (table != NULL) {
        material_estimate(table, &(struct material_pixels){low, high, 3, 0}, number, density);
        for (int i = 0; i < 3; i++) {
            must(number[i] >= 0 && number[i] <= MATERIAL_ELEMENTS_MAX && isfinite(density[i]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static struct model_file file;
    struct consistency_model model;
    fill_base();
    make_file(&file);
    for (size_t at = 0; at + MODEL_EDIT_BYTES <= bytes_count; at += MODEL_EDIT_BYTES) {
        model_edit(&file.arrays[bytes[at] % ARRAYS], bytes + at);
    }
    struct err err = consistency_read(&file, &model);
    must(bytes_count >= MODEL_EDIT_BYTES || !err_is(err)); /* the sound one */
    if (!err_is(err)) {
        ask(&model);
        consistency_model_fini(&model);
    } else {
        must(err.code == ERR_MODEL_UNREADABLE);
    }
    return 0;
}
