/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the parameters of a request for an image: the first four are the image's sides. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "console/image_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

static void settle(struct image_query *query, uint32_t width, uint32_t height)
{
    char why[IMAGE_QUERY_WHY_BYTES] = "";
    char etag[IMAGE_ETAG_BYTES];
    const uint8_t digest[HASH_BYTES] = {0};
    if (!image_query_settle(query, width, height, why)) {
        must(why[0] != '\0');
        return;
    }
    must(query->w >= 1 && query->x < width && query->w <= width - query->x);
    must(query->h >= 1 && query->y < height && query->h <= height - query->y);
    must(query->width >= 1 && query->width <= query->w);
    must(query->height >= 1 && query->height <= query->h);
    must((uint64_t)query->width * query->height <= IMAGE_QUERY_PIXELS_MAX);
    image_query_etag(query, digest, etag);
    must(strlen(etag) < IMAGE_ETAG_BYTES - 1 && etag[strlen(etag) - 1] == '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    struct image_query query;
    if (bytes_count < 4) {
        return 0;
    }
    uint32_t width = 1u + (uint32_t)(bytes[0] << 8 | bytes[1]) % 65535u;
    uint32_t height = 1u + (uint32_t)(bytes[2] << 8 | bytes[3]) % 65535u;
    const char *at = (const char *)bytes + 4;
    const char *end = (const char *)bytes + bytes_count;
    image_query_init(&query);
    while (at < end) {
        char why[IMAGE_QUERY_WHY_BYTES] = "";
        const char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        const char *name_end = equals == NULL ? stop : equals;
        if (!image_query_add(&query, at, (size_t)(name_end - at),
                             equals == NULL ? NULL : equals + 1,
                             equals == NULL ? 0 : (size_t)(stop - equals - 1), why)) {
            must(why[0] != '\0' && strlen(why) < sizeof why);
            return 0;
        }
        at = stop + (stop < end);
    }
    settle(&query, width, height);
    return 0;
}
