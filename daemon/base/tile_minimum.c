/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tile_minimum.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "proto/note.h"

bool tile_minimum_parse(const char *text, size_t text_bytes, uint64_t *out)
{
    char again[TILE_MINIMUM_BYTES_MAX];
    uint64_t minimum = 0;
    if (text_bytes < 2 || text_bytes >= sizeof again) {
        return false;
    }
    for (size_t i = 0; i + 1 < text_bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        minimum = minimum * 10 + (uint64_t)(text[i] - '0');
    }
    int again_bytes = snprintf(again, sizeof again, "%" PRIu64 "\n", minimum);
    if ((size_t)again_bytes != text_bytes || memcmp(again, text, text_bytes) != 0 || minimum == 0 ||
        minimum % TILE_WIDTH != 0 || minimum > INT64_MAX) {
        return false; /* leading zeros, more than 64 bits, another end of line */
    }
    *out = minimum;
    return true;
}

static bool minimum_path(const char *shard_directory, char path[DURABLE_PATH_BYTES])
{
    int bytes = snprintf(path, DURABLE_PATH_BYTES, "%s/" TILE_MINIMUM_NAME, shard_directory);
    return bytes > 0 && bytes < (int)DURABLE_PATH_BYTES;
}

struct err tile_minimum_read(const char *shard_directory, uint64_t *out)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    *out = 0;
    if (!minimum_path(shard_directory, path)) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    struct err err = durable_read(path, TILE_MINIMUM_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_none : err;
    }
    bool good = tile_minimum_parse((const char *)text, text_bytes, out);
    free(text);
    return good ? err_none : err_make(ERR_TILE_DIFFERS, "file minimum is malformed");
}

struct err tile_minimum_write(const char *shard_directory, uint64_t minimum)
{
    char path[DURABLE_PATH_BYTES];
    char text[TILE_MINIMUM_BYTES_MAX];
    uint64_t before = 0;
    struct err err = tile_minimum_read(shard_directory, &before);
    if (err_is(err)) {
        return err;
    }
    if (minimum < before || minimum % TILE_WIDTH != 0 || !minimum_path(shard_directory, path)) {
        return err_make(ERR_ARGUMENT, "minimum only grows, by whole bundles");
    }
    int bytes = snprintf(text, sizeof text, "%" PRIu64 "\n", minimum);
    return minimum == before ? err_none : durable_replace(path, text, (size_t)bytes, 0644);
}

bool tile_minimum_covers(uint64_t minimum, uint64_t leaf_index)
{
    return leaf_index >= TILE_WIDTH && leaf_index < minimum;
}

struct err tile_minimum_explain(const char *shard_directory, uint64_t leaf_index,
                                const char *pruned_words, struct err missing)
{
    uint64_t minimum = 0;
    struct err err = tile_minimum_read(shard_directory, &minimum);
    if (err_is(err) || !tile_minimum_covers(minimum, leaf_index)) {
        return err_is(err) ? err : missing;
    }
    return err_make(ERR_PRUNED, pruned_words);
}
