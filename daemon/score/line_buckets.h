/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_LINE_BUCKETS_H
#define SCORE_LINE_BUCKETS_H

/* Line buckets: how well probabilities are calibrated in declarations of one line, of 2 to 3, of 4
 * to 8 and of 9 and more. Offline; allocates; a fixed seed: the same rows give the same figures. */

#include <stdint.h>

#include "base/err.h"
#include "score/evaluation.h"

#define LINE_BUCKETS 4u

extern const char *const line_bucket_names[LINE_BUCKETS];
/* Of 0 (counted as 1) lines on. */
uint32_t line_bucket_of(uint32_t lines_count);

struct line_bucket {
    uint64_t rows;
    uint64_t finds;
    double predicted; /* mean probability; NaN without rows, as are the others */
    /* Expected calibration error over EVALUATION_BINS bins, with its 95% bootstrap interval. Few
     * rows have a large one by chance: of probabilities that are exactly right it would be below
     * `chance` 95 times in 100 (outcomes drawn from them). */
    struct evaluation_rate calibration_error;
    double chance;
};

/* rows->lines_count [count]: of each row. ERR_MEMORY. */
struct line_rows {
    struct evaluation_rows rows;
    const uint32_t *lines_counts;
};
MUST_USE struct err line_buckets_make(const struct line_rows *given,
                                      struct line_bucket out[LINE_BUCKETS]);

#endif
