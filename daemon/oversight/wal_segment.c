/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/wal_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_DIGITS 20u

void wal_segment_name(uint64_t first_index, char out[WAL_SEGMENT_NAME_BYTES])
{
    int name_bytes = snprintf(out, WAL_SEGMENT_NAME_BYTES, "%020" PRIu64 ".seg", first_index);
    must(name_bytes == (int)WAL_SEGMENT_NAME_BYTES - 1);
}

bool wal_segment_name_parse(const char *name, uint64_t *first_index)
{
    if (strlen(name) != WAL_SEGMENT_NAME_BYTES - 1 || strcmp(name + SEGMENT_DIGITS, ".seg") != 0) {
        return false;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < SEGMENT_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *first_index = value;
    return true;
}

struct err wal_path(const char *directory, const char *name, char out[DURABLE_PATH_BYTES])
{
    int path_bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", directory, name);
    if (path_bytes < 0 || path_bytes >= (int)DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    return err_none;
}

struct err wal_open_direct(int directory_fd, const char *name, int flags, int *out, bool *direct)
{
    bool is_direct = true;
    int fd = openat(directory_fd, name, flags | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EINVAL) {
        is_direct = false;
        fd = openat(directory_fd, name, flags | O_CLOEXEC, 0600);
    }
    if (fd < 0) {
        return err_os(ERR_IO, "open write-ahead log file");
    }
    *out = fd;
    if (direct != NULL) {
        *direct = is_direct;
    }
    return err_none;
}

struct err wal_segment_find(DIR *listing, uint64_t index, uint64_t *first_index, bool *found)
{
    bool any = false;
    uint64_t best = 0;
    rewinddir(listing);
    for (;;) {
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            break;
        }
        uint64_t first = 0;
        if (wal_segment_name_parse(name->d_name, &first) && first <= index &&
            (!any || first > best)) {
            best = first;
            any = true;
        }
    }
    if (errno != 0) {
        return err_os(ERR_IO, "list write-ahead log");
    }
    if (any) {
        *first_index = best;
    }
    *found = any;
    return err_none;
}
