/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ARCHIVE_PERTURB_H
#define TESTS_ARCHIVE_PERTURB_H

/* From here on, memory that was just obtained holds the complement of this byte: what depends on
 * bytes nobody set differs from call to call. glibc looks at MALLOC_PERTURB_ when a program starts
 * only; a sanitizer's own allocator has no such switch and fills memory itself. */

#include <malloc.h>

static inline void perturb(int byte)
{
    int taken = mallopt(M_PERTURB, byte);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(taken, 1);
#else
    (void)taken;
#endif
}

#endif
