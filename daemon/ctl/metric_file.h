/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_METRIC_FILE_H
#define CTL_METRIC_FILE_H

/* Metric file: one published metric, config/metrics/NAME.sql: its header and its SELECT. Blocks on
 * the disk. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/metric_set.h"
#include "base/err.h"

struct metric_file {
    char name[64];
    char version[32];
    char definition[METRIC_TEXT_BYTES];
    char numerator[METRIC_TEXT_BYTES];
    char denominator[METRIC_TEXT_BYTES];
    char *sql; /* the period is filled in; metric_file_fini frees */
};

struct metric_period {
    bool has_from;
    bool has_to;
    int64_t from_ns; /* inclusive */
    int64_t to_ns;   /* exclusive */
};

/* Reads the file and puts the period's bounds where :from_ns and :to_ns stand. TABLE_UNREADABLE
 * when a header line is missing or over-long. */
MUST_USE struct err metric_file_read(const char *path, const struct metric_period *period,
                                     struct metric_file *out);
void metric_file_fini(struct metric_file *self);

#endif
