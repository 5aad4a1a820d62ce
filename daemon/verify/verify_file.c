/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"

const char *verify_read_text(enum verify_read read)
{
    switch (read) {
    case READ_GOOD:
        return "good";
    case READ_MISSING:
        return "missing or unreadable: there is no such file";
    case READ_NO_FILE:
        return "missing or unreadable: not a plain file";
    case READ_TOO_LARGE:
        return "missing or unreadable: larger than its format allows";
    case READ_FAILED:
        return "missing or unreadable: it cannot be read";
    }
    return "unknown";
}

int verify_file_open(const char *path, uint64_t *file_bytes, enum verify_read *out)
{
    struct stat status;
    /* A pipe without a writer would block the opening itself. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        *out = errno == ENOENT || errno == ENOTDIR ? READ_MISSING
               : errno == ELOOP || errno == ENXIO  ? READ_NO_FILE
                                                   : READ_FAILED;
        return -1;
    }
    *out = fstat(fd, &status) != 0   ? READ_FAILED
           : S_ISREG(status.st_mode) ? READ_GOOD
                                     : READ_NO_FILE;
    if (*out != READ_GOOD) {
        (void)close(fd); /* read only: nothing can be lost here */
        return -1;
    }
    *file_bytes = (uint64_t)status.st_size;
    return fd;
}

static enum verify_read file_fill(struct verify_file *self, int fd, size_t bytes_count)
{
    if (bytes_count + 1 > self->capacity) {
        free(self->bytes);
        self->capacity = 2 * (bytes_count + 1);
        self->bytes = malloc(self->capacity);
    }
    if (self->bytes == NULL) {
        self->capacity = 0;
        return READ_FAILED;
    }
    if (err_is(durable_read_at(fd, self->bytes, bytes_count, 0))) {
        return READ_FAILED;
    }
    self->bytes[bytes_count] = 0;
    self->bytes_count = bytes_count;
    return READ_GOOD;
}

enum verify_read verify_file_read(struct verify_file *self, const char *path, size_t bytes_max)
{
    uint64_t file_bytes = 0;
    enum verify_read read = READ_GOOD;
    self->bytes_count = 0;
    int fd = verify_file_open(path, &file_bytes, &read);
    if (fd < 0) {
        return read;
    }
    read = file_bytes > bytes_max ? READ_TOO_LARGE : file_fill(self, fd, (size_t)file_bytes);
    (void)close(fd); /* read only: nothing can be lost here */
    return read;
}

void verify_file_fini(struct verify_file *self)
{
    free(self->bytes);
    self->bytes = NULL;
    self->capacity = 0;
    self->bytes_count = 0;
}
