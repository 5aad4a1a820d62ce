/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_RELIABILITY_H
#define CTL_RELIABILITY_H

/* Reliability: a picture of an evaluation's calibration: predicted probability to the right, share
 * of finds upwards, one point a bin with its 95% interval (Wilson), how many rows a bin has as bars
 * at the foot, and the diagonal on which a calibrated model lies. */

#include "base/err.h"
#include "score/evaluation.h"

MUST_USE struct err reliability_write_png(const struct evaluation *evaluation, const char *path);

#endif
