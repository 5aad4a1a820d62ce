/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/wal_removed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "oversight/wal_frame.h"
#include "oversight/wal_segment.h"

#define REMOVED_NAME "removed"
#define REMOVED_BYTES 48u
#define REMOVED_VERSION 1u

static const uint8_t removed_magic[8] = {'O', 'V', 'W', 'R', 'E', 'M', 0, 1};

struct err wal_removed_read(const char *wal_directory, struct wal_removed *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = wal_path(wal_directory, REMOVED_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, REMOVED_BYTES + 1, &bytes, &bytes_count);
    }
    if (err.os_errno == ENOENT) {
        *out = (struct wal_removed){0};
        return err_none;
    }
    if (err_is(err)) {
        return err;
    }
    bool good = bytes_count == REMOVED_BYTES && memcmp(bytes, removed_magic, 8) == 0 &&
                wal_get_u32(bytes + 8) == REMOVED_VERSION &&
                wal_get_u32(bytes + 44) == wal_crc32c(bytes, 44);
    if (good) {
        *out = (struct wal_removed){wal_get_u64(bytes + 16), wal_get_u64(bytes + 24),
                                    (int64_t)wal_get_u64(bytes + 32)};
    }
    free(bytes);
    return good ? err_none : err_make(ERR_WAL_DAMAGED, "read what was removed");
}

struct err wal_removed_write(const char *wal_directory, const struct wal_removed *removed)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t bytes[REMOVED_BYTES] = {0};
    must(removed->first_index > 0 && removed->segment_number > 0);
    memcpy(bytes, removed_magic, sizeof removed_magic);
    wal_put_u32(bytes + 8, REMOVED_VERSION);
    wal_put_u64(bytes + 16, removed->first_index);
    wal_put_u64(bytes + 24, removed->segment_number);
    wal_put_u64(bytes + 32, (uint64_t)removed->removed_ns);
    wal_put_u32(bytes + 44, wal_crc32c(bytes, 44));
    struct err err = wal_path(wal_directory, REMOVED_NAME, path);
    return err_is(err) ? err : durable_replace(path, bytes, sizeof bytes, 0600);
}
