/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ARCHIVE_FAULTY_H
#define TESTS_ARCHIVE_FAULTY_H

/* Faulty: a disk that fails when it is told to. Stands in front of the C library's pwrite, pread,
 * fdatasync and ftruncate, for files whose names end with ".part" only. The n-th such call of one
 * kind goes wrong, once. Calls may come from any thread; arming is the test's alone. */

#include <stdbool.h>
#include <stdint.h>

enum faulty_call { FAULTY_WRITE, FAULTY_READ, FAULTY_SYNC, FAULTY_CUT, FAULTY_CALLS };
enum faulty_way {
    FAULTY_FAILS,  /* with EIO */
    FAULTY_FULL,   /* with ENOSPC */
    FAULTY_HALF,   /* transfers half of it, in whole blocks, and says so */
    FAULTY_ENDS,   /* a read finds the end of the file */
    FAULTY_STALLS, /* a write waits till faulty_advance was called `offset` times, and a moment more
                    */
    FAULTY_FLIPS   /* does its work and changes one bit on the way */
};

struct faulty {
    enum faulty_call call;
    enum faulty_way way;
    unsigned at;     /* 1: the first; 0: only count */
    uint64_t offset; /* FAULTY_FLIPS: of the byte, within the call, modulo its length */
};

void faulty_arm(const struct faulty *fault);
/* Back to a good disk; tells whether the fault came to pass. */
bool faulty_disarm(void);
/* Calls of a kind since faulty_arm. */
unsigned faulty_count(enum faulty_call call);
/* Whoever hands in goes on: for FAULTY_STALLS. */
void faulty_advance(void);
/* Did the bytes of a write that stalled change meanwhile? */
bool faulty_changed(void);
/* Where in the file the flipped byte lies. */
uint64_t faulty_flipped_at(void);

#endif
