/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIMULATE_TELL_H
#define SIMULATE_TELL_H

/* Simulate tell: a simulation as tables or as one JSON object. Main thread only. */

#include <stdint.h>

#include "ctl/simulate.h"

struct simulate_told {
    const struct policy *policy;
    const char *file;
    int64_t from_ns;
    int64_t to_ns; /* exclusive */
};

/* Each returns an exit code of ctl.h. */
int simulate_json(const struct simulate *simulate, const struct simulate_told *told);
int simulate_print(const struct simulate *simulate, const struct simulate_told *told);

#endif
