/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_REF_H
#define KERNELS_OBLIVIOUS_REF_H

/* Oblivious_ref: scores and contributions by their definition, one row at a time, values against
 * borders without bins; and what a set of splits gains, from the rows themselves. */

#include "kernels/oblivious_train.h"

int64_t oblivious_ref_score(const struct oblivious_model *model, const float *row);

/* contributions[feature_count]. */
void oblivious_ref_explain(const struct oblivious_model *model, const float *row,
                           int64_t *contributions);

/* Yes where the value is there and, unless `any`, above the border. */
struct oblivious_ref_question {
    size_t feature;
    int any;
    float border;
};

/* Sum over the leaves that the questions make of G^2 / (H + l2), all rows having the probability.
 * count <= 8; leaf_values (the first question is the highest bit), when not NULL, gets
 * G / (H + l2). */
double oblivious_ref_gain(const struct oblivious_sample *sample, double probability, double l2,
                          const struct oblivious_ref_question *questions, size_t count,
                          double *leaf_values);
#endif
