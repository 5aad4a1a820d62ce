/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BUFFER_H
#define TEXT_BUFFER_H

/* Text buffer: text that grows by printf up to a bound and is then written to a file in one go.
 * Zeroed memory with bytes_max set is an empty buffer. A failed addition is remembered and told by
 * text_buffer_write. One thread. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct text_buffer {
    char *bytes;
    size_t bytes_count;
    size_t capacity;
    size_t bytes_max;
    bool failed;
};

void text_buffer_add(struct text_buffer *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Replaces the file. Errors: MEMORY when an addition failed, IO. */
MUST_USE struct err text_buffer_write(const struct text_buffer *self, const char *path);
void text_buffer_fini(struct text_buffer *self);

#endif
