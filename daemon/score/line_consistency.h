/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_LINE_CONSISTENCY_H
#define SCORE_LINE_CONSISTENCY_H

/* Line consistency: what does not fit between the lines of one declaration: the same goods at very
 * different unit values or unit masses, counted in different units or said to come from several
 * countries, the same line twice, several currencies, masses of lines against the gross mass. Told
 * with the numbers, beside the risk: who splits a consignment may have reasons. Pure, no
 * allocation; any bytes and numbers. */

#include <stddef.h>

#include "proto/record.h"

/* The same goods differ in unit value or unit mass by this factor before it is told, and gross mass
 * from net mass by the other. Lower ones tell of every assortment. */
#define LINE_UNIT_RATIO 20.0
#define LINE_GROSS_RATIO 10.0

/* "; " between the findings, cut at out_bytes; "" when all fits. At most one finding of a kind. */
void line_consistency(const struct declaration *declaration, char *out, size_t out_bytes);

#endif
