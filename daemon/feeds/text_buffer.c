/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/durable.h"

static bool make_room(struct text_buffer *self, size_t wanted)
{
    if (wanted > self->bytes_max || self->bytes_count > self->bytes_max - wanted) {
        return false;
    }
    if (self->bytes_count + wanted <= self->capacity) {
        return true;
    }
    size_t capacity = 2 * (self->bytes_count + wanted);
    char *larger = realloc(self->bytes, capacity);
    if (larger == NULL) {
        return false;
    }
    self->bytes = larger;
    self->capacity = capacity;
    return true;
}

void text_buffer_add(struct text_buffer *self, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int wanted = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (self->failed || wanted < 0 || !make_room(self, (size_t)wanted + 1)) {
        self->failed = true;
    } else {
        (void)vsnprintf(self->bytes + self->bytes_count, (size_t)wanted + 1, format, again);
        self->bytes_count += (size_t)wanted;
    }
    va_end(again);
}

struct err text_buffer_write(const struct text_buffer *self, const char *path)
{
    if (self->failed) {
        return err_make(ERR_MEMORY, "hold text");
    }
    return durable_replace(path, self->bytes != NULL ? self->bytes : "", self->bytes_count, 0644);
}

void text_buffer_fini(struct text_buffer *self)
{
    free(self->bytes);
    *self = (struct text_buffer){.bytes_max = self->bytes_max};
}
