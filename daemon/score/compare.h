/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_COMPARE_H
#define SCORE_COMPARE_H

/* Compare: a new model beside the one in use, on the same later declarations, none of whose
 * outcomes either has learnt. Two sets: all that were examined, which the old model's choice has
 * shaped, and those that the coin drew, which no score has chosen. What counts is the difference of
 * the log loss, row by row, with the interval of its mean: a model is worse beyond noise when the
 * whole interval says so. Declarations of one exam share its outcome and much else, so the interval
 * is a bootstrap that draws whole exams (percentiles, 95%), and it is exams that must be enough: a
 * thousand declarations of ten exams say what ten exams say. Exams of one importer are still taken
 * for independent of each other. Offline; allocates; a fixed seed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "score/evaluation.h"

#define COMPARE_EXAMS_MIN 100u        /* with fewer exams later than the model in use ... */
#define COMPARE_FINDS_MIN 10u         /* ... or fewer of them with a find nothing is said */
#define COMPARE_RANDOM_EXAMS_MIN 100u /* the coin's speak for themselves from here on */
#define COMPARE_RANDOM_FINDS_MIN 5u
#define COMPARE_RESAMPLES 2000u /* fewer beyond 100,000 exams */

struct compare_rows {
    const double *logits_new;
    const double *logits_old;
    const uint8_t *labels;
    const uint8_t *random; /* 1: drawn by the coin */
    const uint64_t *exams; /* the same for rows of one exam; NULL: each row is an exam */
    uint64_t count;
};

struct compare_set {
    struct evaluation of_new;
    struct evaluation of_old; /* both count rows and draw them one by one for their intervals */
    uint64_t exams;
    uint64_t exams_found;
    double difference; /* log loss of the new less that of the old; below 0: the new is better */
    double lower;      /* 95%; -infinity and infinity with fewer than two exams */
    double upper;
};

enum compare_verdict {
    COMPARE_TOO_FEW,
    COMPARE_WORSE,   /* beyond noise, in one of the sets */
    COMPARE_NO_WORSE /* the new one may take the place */
};

struct compare {
    struct compare_set all;
    struct compare_set random;
    bool random_counts; /* enough of them to be heard */
    enum compare_verdict verdict;
};

MUST_USE struct err compare_make(const struct compare_rows *rows, struct compare *out);
/* In one line, for the log: at most out_bytes. */
void compare_describe(const struct compare *compare, char *out, size_t out_bytes);

#endif
