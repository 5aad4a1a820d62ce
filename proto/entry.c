/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/entry.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/member.h"

/* What surrounds the bodies: the stamp, identifiers and numbers. Bodies: entry_encode.c and
 * entry_decode.c. */

#define MEMBER_V 1u
#define MEMBER_N 2u
#define MEMBER_T_NS 4u
#define NUMBER_TEXT_BYTES 32u

const char *entry_fault_text(enum entry_fault fault)
{
    switch (fault) {
    case ENTRY_GOOD:
        return "good";
    case ENTRY_MALFORMED:
        return "not an entry";
    case ENTRY_TOO_LONG:
        return "longer than the format's bounds";
    case ENTRY_WRONG_VERSION:
        return "of another version of the format";
    case ENTRY_BODY_MISMATCH:
        return "type and body disagree";
    case ENTRY_UNKNOWN_TYPE:
        return "of a type that this version does not know";
    }
    return "unknown";
}

size_t entry_encode_stamp(uint64_t n, int64_t t_ns, uint8_t *out, size_t out_capacity)
{
    uint8_t stamp[ENTRY_STAMP_BYTES_MAX];
    uint8_t *end = member_varint_write(MEMBER_V, ENTRY_VERSION, stamp);
    /* proto3 leaves zeros out; so does every other encoder that an auditor may compare with. */
    if (n != 0) {
        end = member_varint_write(MEMBER_N, n, end);
    }
    if (t_ns != 0) {
        end = member_varint_write(MEMBER_T_NS, (uint64_t)t_ns, end);
    }
    size_t bytes = (size_t)(end - stamp);
    if (bytes > out_capacity) {
        return 0;
    }
    memcpy(out, stamp, bytes);
    return bytes;
}

void uuid7_make(int64_t t_ns, const uint8_t random[10], uint8_t out[ENTRY_ID_BYTES])
{
    uint64_t t_ms = (uint64_t)t_ns / 1000000u;
    for (unsigned i = 0; i < 6; i++) {
        out[i] = (uint8_t)(t_ms >> (40 - 8 * i));
    }
    memcpy(out + 6, random, 10);
    out[6] = (uint8_t)((out[6] & 0x0fu) | 0x70u); /* version 7 */
    out[8] = (uint8_t)((out[8] & 0x3fu) | 0x80u); /* variant 10 */
}

void uuid_format(const uint8_t id[ENTRY_ID_BYTES], char *out)
{
    static const size_t group_bytes[] = {4, 2, 2, 2, 6};
    const size_t groups_count = sizeof group_bytes / sizeof group_bytes[0];
    for (size_t group = 0; group < groups_count; group++) {
        hex_encode(id, group_bytes[group], out);
        id += group_bytes[group];
        out += 2 * group_bytes[group];
        *out++ = group + 1 < groups_count ? '-' : '\0';
    }
}

void number_format(double value, char *out)
{
    /* Any decimal of up to 15 digits survives a normal double, so 15 digits without trailing zeros
     * are the shortest text or there is none below 16. Subnormal doubles hold fewer digits: there
     * the search starts at one. */
    int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    do {
        (void)snprintf(out, NUMBER_TEXT_BYTES, "%.*g", digits, value);
        digits++;
    } while (digits <= DBL_DECIMAL_DIG && strtod(out, NULL) != value);
}

void float_format(float value, char *out)
{
    int digits = fabsf(value) < FLT_MIN ? 1 : FLT_DIG;
    do {
        (void)snprintf(out, NUMBER_TEXT_BYTES, "%.*g", digits, (double)value);
        digits++;
    } while (digits <= FLT_DECIMAL_DIG && strtof(out, NULL) != value);
}

bool entry_inputs_are_sound(const struct entry_score *score, uint32_t inputs_index)
{
    const struct entry_inputs *inputs = &score->inputs[inputs_index];
    if (inputs->model >= score->models_count || inputs->values_count > ENTRY_INPUT_VALUES_MAX ||
        (inputs_index > 0 && inputs->model <= score->inputs[inputs_index - 1].model)) {
        return false;
    }
    for (uint32_t i = 0; i < inputs->values_count; i++) {
        if (isinf(inputs->values[i])) {
            return false;
        }
    }
    return true;
}

bool entry_score_figures(const struct entry_score *score, struct entry_image_figures *out)
{
    const struct entry_inputs *inputs = &score->inputs[0];
    if (score->models_count == 0 || score->inputs_count == 0 || inputs->model != 0 ||
        inputs->values_count < ENTRY_FIGURES_POSITION + 5) {
        return false;
    }
    const char *name = score->models[0].name;
    if (strcmp(name, "fusion") != 0 && strcmp(name, "builtin/fusion") != 0) {
        return false;
    }
    const float *values = inputs->values + ENTRY_FIGURES_POSITION;
    for (int i = 0; i < 5; i++) {
        if (isnan(values[i])) {
            return false;
        }
    }
    *out = (struct entry_image_figures){(double)values[0], (double)values[1], (double)values[2],
                                        (double)values[3] + (double)values[4]};
    return true;
}
