/* SPDX-License-Identifier: Apache-2.0 */
#include "score/dome_model.h"

#include <math.h>

/* "dome_placing": median, spread, usual highest. */
enum { PLACING_COUNT = 3 };
/* Scores over less would not be finite for every image. */
#define SPREAD_MIN 1e-6

MUST_USE struct err dome_read(const struct model_file *file, struct dome_model *out)
{
    const struct model_array *array = model_file_find(file, "dome_placing", MODEL_F64);
    *out = (struct dome_model){.present = false};
    if (array == NULL) {
        return err_none;
    }
    if (array->dimensions_count != 1 || array->dimensions[0] != PLACING_COUNT) {
        return err_make(ERR_MODEL_UNREADABLE, "model: dome_placing");
    }
    const double *placing = array->values;
    const struct dome_model read = {true, placing[0], placing[1], placing[2]};
    if (!isfinite(read.median) || !isfinite(read.spread) || !isfinite(read.usual_highest) ||
        read.spread < SPREAD_MIN) {
        return err_make(ERR_MODEL_UNREADABLE, "model: dome_placing: a number that cannot be");
    }
    *out = read;
    return err_none;
}

MUST_USE struct err dome_write(const struct dome_model *model, struct model_file *file)
{
    const uint64_t shape[1] = {PLACING_COUNT};
    const double placing[PLACING_COUNT] = {model->median, model->spread, model->usual_highest};
    return model_file_add(file, "dome_placing", MODEL_F64, shape, 1, placing);
}
