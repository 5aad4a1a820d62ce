/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

MUST_USE struct err train_model_write(const struct train_model *model, struct model_file *file,
                                      const char *directory, struct train_report *report)
{
    char seed[24];
    char digest[HASH_HEX_BYTES];
    (void)snprintf(seed, sizeof seed, "%" PRIu64, model->seed);
    hex_encode(model->training_set_sha256, HASH_BYTES, digest);
    const char *const texts[][2] = {{"name", model->name},
                                    {"kind", model->kind},
                                    {"seed", seed},
                                    {"training_set_sha256", digest},
                                    {"evaluation", model->evaluation}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err err = model_file_add_text(file, texts[i][0], texts[i][1]);
        if (err_is(err)) {
            return err;
        }
    }
    struct train_report written;
    memset(&written, 0, sizeof written);
    struct err err = model_file_write(file, directory, written.path);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(written.name, sizeof written.name, "%s", model->name);
    (void)snprintf(written.evaluation, sizeof written.evaluation, "%s", model->evaluation);
    memcpy(written.sha256, file->sha256, HASH_BYTES);
    *report = written;
    return err_none;
}
