/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_FILE_H
#define VERIFY_FILE_H

/* Verify file: reads a file of a copy that somebody else made. Symbolic links, pipes and devices
 * are refused and never waited for, sizes are bounded, the buffer is used again. One thread a
 * struct. */

#include <stddef.h>
#include <stdint.h>

enum verify_read {
    READ_GOOD,
    READ_MISSING,
    READ_NO_FILE,   /* a link, directory, pipe, socket or device */
    READ_TOO_LARGE, /* longer than bytes_max */
    READ_FAILED     /* the disk or the memory */
};

struct verify_file {
    uint8_t *bytes; /* one zero byte behind them */
    size_t bytes_count;
    size_t capacity;
};

/* *self must be zero before the first call. What was read lives until the next call. */
enum verify_read verify_file_read(struct verify_file *self, const char *path, size_t bytes_max);
void verify_file_fini(struct verify_file *self);
const char *verify_read_text(enum verify_read read);

/* Opens for reading under the same rules; -1 with *out set when it cannot be. */
int verify_file_open(const char *path, uint64_t *file_bytes, enum verify_read *out);

#endif
