/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_consistency_fit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "score/train_model.h"

/* The arrays of MODELS.md; consistency_read() takes them. */

static struct err add_held(struct model_file *file, const char *const names[3],
                           const struct consistency_held *held)
{
    uint64_t first[HS_CHAPTERS + 1];
    const uint64_t first_shape[1] = {HS_CHAPTERS + 1};
    const uint64_t answers_shape[1] = {held->first[HS_CHAPTERS]};
    const uint64_t strangers_shape[1] = {held->strangers_count};
    for (uint32_t c = 0; c <= HS_CHAPTERS; c++) {
        first[c] = held->first[c];
    }
    struct err err = model_file_add(file, names[0], MODEL_U64, first_shape, 1, first);
    if (!err_is(err) && answers_shape[0] > 0) {
        err = model_file_add(file, names[1], MODEL_F32, answers_shape, 1, held->answers);
    }
    if (!err_is(err) && strangers_shape[0] > 0) {
        err = model_file_add(file, names[2], MODEL_F32, strangers_shape, 1, held->strangers);
    }
    return err;
}

static struct err add_table(struct model_file *file, const struct material_table *table)
{
    const uint64_t one[1] = {1};
    const uint64_t rows[1] = {CONSISTENCY_TABLE_ROWS};
    const uint64_t cells[1] = {(uint64_t)CONSISTENCY_TABLE_ROWS * CONSISTENCY_TABLE_COLUMNS};
    const double step = (double)table->attenuation_step;
    struct err err = model_file_add(file, "table_step", MODEL_F64, one, 1, &step);
    err = err_is(err) ? err
                      : model_file_add(file, "table_least", MODEL_F32, rows, 1, table->ratio_least);
    err = err_is(err) ? err
                      : model_file_add(file, "table_most", MODEL_F32, rows, 1, table->ratio_most);
    err = err_is(err)
              ? err
              : model_file_add(file, "table_number", MODEL_F32, cells, 1, table->atomic_number);
    return err_is(err)
               ? err
               : model_file_add(file, "table_density", MODEL_F32, cells, 1, table->areal_density);
}

static const char *meaning_text(enum image_meaning meaning)
{
    return pixel_meaning_text(meaning == IMAGE_TRANSMISSION ? PIXEL_TRANSMISSION
                              : meaning == IMAGE_DISPLAY    ? PIXEL_DISPLAY
                                                            : PIXEL_DISPLAY_INVERTED);
}

static struct err add_arrays(const struct consistency_model *model, const char *scanner_type,
                             struct model_file *file)
{
    static const char *const fit_names[3] = {"fit_first", "fit_held", "fit_strangers"};
    static const char *const number_names[3] = {"number_first", "number_held", "number_strangers"};
    const uint64_t f = model->feature_count;
    const uint64_t shape[3] = {model->working_height, (uint64_t)model->material, f};
    const uint64_t three[1] = {3}, features[1] = {f}, square[2] = {f, f};
    const uint64_t chapters[1] = {HS_CHAPTERS};
    const uint64_t places[2] = {HS_CHAPTERS, f}, numbers[2] = {HS_CHAPTERS, 4};
    const struct {
        const char *name;
        enum model_type type;
        const uint64_t *shape;
        uint32_t dimensions;
        const void *values;
    } arrays[] = {
        {"cargo_shape", MODEL_U64, three, 1, shape},
        {"means", MODEL_F64, features, 1, model->means},
        {"whitening", MODEL_F64, square, 2, model->whitening},
        {"counts", MODEL_U64, chapters, 1, model->counts},
        {"places", MODEL_F64, places, 2, model->places},
        {"spreads", MODEL_F64, chapters, 1, model->spreads},
        {"numbers", MODEL_F64, numbers, 2, model->numbers},
    };
    struct err err = err_none;
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0] && !err_is(err); i++) {
        err = model_file_add(file, arrays[i].name, arrays[i].type, arrays[i].shape,
                             arrays[i].dimensions, arrays[i].values);
    }
    err = err_is(err) ? err : add_held(file, fit_names, &model->fit);
    err = err_is(err) ? err : add_held(file, number_names, &model->number);
    err =
        err_is(err) || model->material != CONSISTENCY_NUMBER ? err : add_table(file, &model->table);
    err = err_is(err) ? err : model_file_add_text(file, "meaning", meaning_text(model->meaning));
    err = err_is(err) ? err : model_file_add_text(file, "inputs", consistency_inputs_names);
    return err_is(err) ? err : model_file_add_text(file, "scanner_type", scanner_type);
}

MUST_USE struct err consistency_write(const struct consistency_model *model,
                                      const struct consistency_written *about,
                                      const char *directory, struct train_report *report)
{
    char name[CONSISTENCY_NAME_BYTES];
    char evaluation[TRAIN_EVALUATION_BYTES];
    uint32_t chapters = 0;
    for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
        chapters += model->counts[c] > 0;
    }
    (void)snprintf(name, sizeof name, CONSISTENCY_PREFIX "%s", about->scanner_type);
    (void)snprintf(evaluation, sizeof evaluation,
                   "scans %" PRIu32 ", chapters %" PRIu32
                   "; material by %s; held out in five folds: nearest to their own chapter %" PRIu32
                   " of %" PRIu32,
                   about->scans, chapters,
                   model->material == CONSISTENCY_NUMBER  ? "effective atomic number"
                   : model->material == CONSISTENCY_RATIO ? "ratio of the energies"
                                                          : "nothing (one energy)",
                   about->nearest_right, about->scans);
    struct train_model told = {
        .name = name, .kind = CONSISTENCY_KIND, .seed = about->seed, .evaluation = evaluation};
    memcpy(told.training_set_sha256, about->training_set_sha256, HASH_BYTES);
    struct model_file file;
    model_file_init(&file);
    struct err err = add_arrays(model, about->scanner_type, &file);
    err = err_is(err) ? err : train_model_write(&told, &file, directory, report);
    model_file_fini(&file);
    return err;
}
