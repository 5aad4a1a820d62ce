/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LINE_PEER_H
#define BENCH_LINE_PEER_H

/* Line_peer: a peer that runs as a program of its own, for the library that it links or the
 * interpreter that it needs. It says "ready NAME" when it has read its data, and then answers every
 * line with the seconds that one round took. */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define LINE_PEER_NAME_BYTES 64u

struct line_peer {
    pid_t child;
    FILE *questions;
    FILE *answers;
    char name[LINE_PEER_NAME_BYTES]; /* as it calls itself */
};

/* arguments end with NULL; core: OPENBLAS_CORETYPE for it, "" for its own choice; threads: of its
 * BLAS and OpenMP. False when there is no such peer here: it said nothing, or left with 77. */
bool line_peer_open(struct line_peer *self, const char *const *arguments, const char *core,
                    unsigned threads);

/* Seconds of one round; negative when the peer has died. */
double line_peer_ask(struct line_peer *self);
void line_peer_close(struct line_peer *self);
#endif
