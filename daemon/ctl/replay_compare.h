/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_REPLAY_COMPARE_H
#define CTL_REPLAY_COMPARE_H

/* Replay compare: a score as it was logged against the same score computed again, bit for bit.
 * Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/entry.h"

struct replay_difference {
    char what[112];  /* "contribution history.importer", "input image_z", "region 1 x" */
    char logged[32]; /* shortest texts that read back, or "-" */
    char again[32];
    bool measured;     /* the two below mean something */
    uint64_t ulps;     /* steps between neighbouring numbers of its kind (double, input: float) */
    double difference; /* absolute */
};

#define REPLAY_DIFFERENCES_MAX 48u
struct replay_differences {
    struct replay_difference rows[REPLAY_DIFFERENCES_MAX];
    uint32_t count; /* may be more than are kept */
    double largest_probability;
    double largest_logit; /* of contributions and of their sum */
};

/* names: of the inputs at each place, separated by spaces; NULL where unknown. Words are not
 * compared. */
void replay_compare(const struct entry_score *logged, const struct entry_score *again,
                    const char *const names[ENTRY_INPUTS_MAX], struct replay_differences *out);

#endif
