/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_COMPUTING_H
#define SCORE_COMPUTING_H

/* Computing: what computes scores in this process, in words that can be compared. The same inputs
 * and models give the same bits where all four texts are the same. Pure; any thread. */

struct score_computing {
    char build[96];     /* "triaged 0.1.0, gcc 12.2.0, optimised" */
    char blas[64];      /* "OpenBLAS 0.3.21 Cooperlake" */
    char libm[32];      /* "glibc 2.36": exp, log and their like */
    char processor[64]; /* "avx2 fma avx512": what libm and BLAS choose by; "plain" */
};

void score_computing(struct score_computing *out);

#endif
