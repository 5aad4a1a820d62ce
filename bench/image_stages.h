/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_IMAGE_STAGES_H
#define BENCH_IMAGE_STAGES_H

/* Image stages: what each step between decoded pixels and a score takes, one by one, beside what
 * this core would take for as many bytes or products and nothing else. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/record.h"

/* An image without companion and the path of an appearance model with a finder that fits it. */
void image_stages_print(const char *name, const struct image *image, const uint8_t *pixels,
                        const char *model_path, bool as_json);

#endif
