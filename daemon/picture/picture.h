/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PICTURE_H
#define PICTURE_H

/* Picture: image files as grey pixels. Owns libpng, libtiff and libjpeg. Reads JPEG (grey or colour
 * taken to luminance), PNG (8 and 16 bits) and TIFF (8 and 16 bits, one sample a pixel, strips or
 * tiles); writes PNG. The file's first bytes, not its name, tell the format. Bounds: sides up to
 * IMAGE_SIDE_MAX, pixels_max in all, file up to 1 GiB. Any thread; a broken file is
 * IMAGE_UNREADABLE with the library's own words in *why (static or thread-local, until the next
 * call). */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct picture {
    uint32_t width;
    uint32_t height;
    uint32_t bits;   /* 8 or 16 */
    uint32_t pages;  /* pages in the file; only the asked one is read */
    uint8_t *pixels; /* rows from the top, little-endian, width * height * bits / 8 bytes;
                        picture_fini frees */
    uint64_t pixels_bytes;
};

MUST_USE struct err picture_read(const char *path, uint32_t page, uint64_t pixels_max,
                                 struct picture *out, const char **why);
/* The same from memory, for fuzzing and for relays. */
MUST_USE struct err picture_decode(const uint8_t *bytes, uint64_t bytes_count, uint32_t page,
                                   uint64_t pixels_max, struct picture *out, const char **why);
void picture_fini(struct picture *self);
/* channels: 1 grey, 3 RGB; bits 8 or 16 (little-endian in memory). */
MUST_USE struct err picture_write_png(const char *path, const uint8_t *pixels, uint32_t width,
                                      uint32_t height, uint32_t channels, uint32_t bits);

/* The same in memory; the caller frees *out. */
MUST_USE struct err picture_encode_png(const struct picture *grey, uint8_t **out,
                                       size_t *out_bytes);

#endif
