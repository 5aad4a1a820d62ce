/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_MODEL_EDIT_H
#define TESTS_FUZZ_MODEL_EDIT_H

/* Model edit: a sound model file, made wrong by the input of a fuzz target, in records of 11 bytes:
 * which array (the target's choice), what of it (a value, the length, the name), where, and 8 bytes
 * to put there. */

#include <stdint.h>
#include <string.h>

#include "archive/model_file.h"

enum { MODEL_EDIT_BYTES = 11, MODEL_EDIT_VALUES_MAX = 1 << 16 };

static inline size_t model_edit_width(enum model_type type)
{
    return type == MODEL_F32 ? 4 : type == MODEL_U8 ? 1 : 8;
}

/* A length only ever gets less than what stands in memory (at most MODEL_EDIT_VALUES_MAX values),
 * or more than any check lets through: a real file has as many values as it says. */
static inline void model_edit(struct model_array *array, const uint8_t record[MODEL_EDIT_BYTES])
{
    uint64_t count =
        array->dimensions[0] * (array->dimensions_count > 1 ? array->dimensions[1] : 1);
    size_t width = model_edit_width(array->type);
    switch (record[1] % 4) {
    case 0:
        array->name[0] = (char)(record[2] & 0x7f);
        break;
    case 1:
        array->dimensions[0] =
            (record[2] & 1) != 0 ? UINT64_MAX - record[3] : array->dimensions[0] * record[3] / 256;
        break;
    default:
        if (count > 0 && count <= MODEL_EDIT_VALUES_MAX) {
            uint64_t at = (uint64_t)(record[2] | record[1] >> 2 << 8) % count;
            memcpy((uint8_t *)array->values + at * width, record + 3, width);
        }
    }
}

#endif
