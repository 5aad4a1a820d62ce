/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_GOODS_H
#define SCORE_GOODS_H

/* Goods: what a kilogram of a code usually costs, how much of it usually comes at once, and how far
 * a line is from that.
 *
 * Logarithms (base e) of unit value, mass and value; of each HS 6 and HS 4 code the median and the
 * spread (1.4826 * median absolute deviation), drawn towards those of the code above it as if that
 * had been seen in GOODS_PRIOR_ROWS rows: HS 6 -> HS 4 -> all goods. No labels enter.
 * goods_norms_fit allocates; everything else does not. Any thread may read. */

#include <stddef.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "proto/record.h"

enum goods_quantity { GOODS_UNIT_VALUE, GOODS_MASS, GOODS_VALUE, GOODS_QUANTITIES };
enum goods_level { GOODS_ALL, GOODS_HS4, GOODS_HS6, GOODS_LEVELS };

#define GOODS_PRIOR_ROWS 3.0

struct goods_values {
    uint32_t codes[GOODS_LEVELS]; /* of each level; 0: the line has none */
    float logs[GOODS_QUANTITIES]; /* NaN: no mass, no value */
};

struct goods_norm {
    uint32_t code; /* 0: free slot */
    float rows;
    float medians[GOODS_QUANTITIES];
    float spreads[GOODS_QUANTITIES];
};

struct goods_norms {
    struct goods_norm *norms; /* open addressing */
    uint32_t slots;           /* power of two; 0: nothing is known of any goods */
    uint32_t used;
};

void goods_values_of(const struct goods_line *line, struct goods_values *out);

/* Frees what *out had before. ERR_MEMORY leaves it alone. */
MUST_USE struct err goods_norms_fit(const struct goods_values *rows, size_t rows_count,
                                    struct goods_norms *out);
void goods_norms_fini(struct goods_norms *self);

/* The norm of a line at this level or, when that code was never seen, above it; NULL when nothing
 * is known at all. */
const struct goods_norm *goods_norm_of(const struct goods_norms *self,
                                       const struct goods_values *values, enum goods_level level);
/* True when the code of this level itself was seen. */
bool goods_code_is_known(const struct goods_norms *self, const struct goods_values *values,
                         enum goods_level level);
/* In spreads, held within -20..20; 0 when either is unknown. */
float goods_deviation(const struct goods_norm *norm, const struct goods_values *values,
                      enum goods_quantity quantity);

/* The arrays goods_codes and goods_norms of a model file. */
MUST_USE struct err goods_norms_write(const struct goods_norms *self, struct model_file *file);
/* MODEL_UNREADABLE leaves *out alone; also for codes that were chosen to lie on one another. */
MUST_USE struct err goods_norms_read(const struct model_file *file, struct goods_norms *out);

#endif
