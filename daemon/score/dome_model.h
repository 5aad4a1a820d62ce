/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_DOME_MODEL_H
#define SCORE_DOME_MODEL_H

/* Dome model: how high domes (kernels/dome.h) of normal images are: a part of an appearance model
 * that was trained without marks. In attenuation. MODELS.md, section 5. */

#include <stdbool.h>

#include "archive/model_file.h"
#include "base/err.h"

struct dome_model {
    bool present;
    double median; /* of the rises of the domes of normal images */
    double spread;
    double usual_highest; /* median of the highest rise of a normal image */
};

/* A model file without the part is no error: then out->present is false. MODEL_UNREADABLE. */
MUST_USE struct err dome_read(const struct model_file *file, struct dome_model *out);
MUST_USE struct err dome_write(const struct dome_model *model, struct model_file *file);

#endif
