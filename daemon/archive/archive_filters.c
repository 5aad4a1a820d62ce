/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "archive/archive.h"
#include "archive/chunk.h"
#include "archive/h5.h"

static const char filters_plain[] = "fletcher32";
static const char filters_head[] = "shuffle,deflate(";
static const char filters_tail[] = ",fletcher32";

struct err archive_filters(uint32_t deflate_level, char out[ARCHIVE_FILTERS_BYTES])
{
    char compressor[CHUNK_COMPRESSOR_BYTES];
    if (deflate_level == 0) {
        (void)snprintf(out, ARCHIVE_FILTERS_BYTES, "%s", filters_plain);
        return err_none;
    }
    struct err err = chunk_compressor(compressor);
    if (!err_is(err)) {
        (void)snprintf(out, ARCHIVE_FILTERS_BYTES, "%s%u):%s%s", filters_head, deflate_level,
                       compressor, filters_tail);
    }
    return err;
}

bool archive_filters_level(const char *filters, uint32_t *deflate_level)
{
    const size_t head_bytes = sizeof filters_head - 1;
    if (strcmp(filters, filters_plain) == 0) {
        *deflate_level = 0;
        return true;
    }
    if (strncmp(filters, filters_head, head_bytes) != 0 || filters[head_bytes] < '1' ||
        filters[head_bytes] > (char)('0' + CHUNK_DEFLATE_LEVEL_MAX) ||
        strncmp(filters + head_bytes + 1, "):isa-l/", 8) != 0) {
        return false;
    }
    *deflate_level = (uint32_t)(filters[head_bytes] - '0');
    return true;
}

void archive_hdf5_version(char out[16])
{
    h5_version(out);
}
