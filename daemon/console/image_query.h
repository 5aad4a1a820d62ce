/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_IMAGE_QUERY_H
#define CONSOLE_IMAGE_QUERY_H

/* Image query: what GET /images/<sha256>?x=&y=&w=&h=&width=&height=&format= asks for.
 *
 * Strict: every parameter is known, given once, and a plain decimal number of one to five digits up
 * to 65535, or the request is refused with words that say which and why. Region and size are
 * checked against the image in image_query_settle, when its shape is known. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/hash.h"

#define IMAGE_QUERY_WHY_BYTES 128u
#define IMAGE_QUERY_PIXELS_MAX (UINT64_C(1) << 24)
#define IMAGE_ETAG_BYTES 160u

enum image_format { IMAGE_FORMAT_PNG, IMAGE_FORMAT_RAW };

struct image_query {
    uint32_t x; /* the region, in pixels of the image */
    uint32_t y;
    uint32_t w;
    uint32_t h;
    uint32_t width; /* of the answer */
    uint32_t height;
    enum image_format format;
    uint32_t given; /* one bit a parameter; private */
};

/* "/images/" and 64 hexadecimal digits, nothing behind them. */
bool image_path_read(const char *path, uint8_t digest[HASH_BYTES]);
void image_query_init(struct image_query *out);
/* One parameter as it was given; value NULL when there was none. False: why says so. */
bool image_query_add(struct image_query *self, const char *name, size_t name_bytes,
                     const char *value, size_t value_bytes, char why[IMAGE_QUERY_WHY_BYTES]);
/* Fills what was not given: the region from its corner to the end of the image; the size of the
 * region, or the side that keeps its shape. False when region or size do not fit. */
bool image_query_settle(struct image_query *self, uint32_t image_width, uint32_t image_height,
                        char why[IMAGE_QUERY_WHY_BYTES]);
/* Of a settled query: the same tag is the same bytes, for ever. Quoted, as HTTP wants it. */
void image_query_etag(const struct image_query *self, const uint8_t digest[HASH_BYTES],
                      char out[IMAGE_ETAG_BYTES]);

#endif
