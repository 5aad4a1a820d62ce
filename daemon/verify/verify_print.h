/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_PRINT_H
#define VERIFY_PRINT_H

/* Verify print: the report as text for people and as JSON (the shape is in VERIFY.md). */

#include "verify/verify_report.h"

struct verify_print_conf {
    bool quiet;     /* verdict and problems alone */
    double seconds; /* that the checking took; below 0: not to be told */
};

/* First the verdict, then what was checked, then problems with what to do, what to know besides,
 * and what no verifier can tell. */
void verify_report_print(const struct verify_report *self, const struct verify_print_conf *conf,
                         FILE *out);
/* One JSON object. False when it could not be made or written. */
bool verify_report_print_json(const struct verify_report *self, double seconds, FILE *out);

#endif
