/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PICTURE_FORMAT_H
#define PICTURE_FORMAT_H

/* Picture format: what the three decoders share. Inside daemon/picture only. A decoder gets the
 * whole file in memory, fills *out (pixels allocated with picture_allocate) and returns true;
 * otherwise it returns false, has freed everything, and has written one sentence with
 * picture_complain(). */

#include <stdbool.h>

#include "picture/picture.h"

struct picture_source {
    const uint8_t *bytes;
    uint64_t bytes_count;
    uint32_t page;
    uint64_t pixels_max;
};

bool picture_decode_png(const struct picture_source *source, struct picture *out);
bool picture_decode_jpeg(const struct picture_source *source, struct picture *out);
bool picture_decode_tiff(const struct picture_source *source, struct picture *out);

/* Checks the sides against the bounds, fills the geometry and allocates zeroed pixels. */
bool picture_allocate(const struct picture_source *source, uint32_t width, uint32_t height,
                      uint32_t bits, struct picture *out);
/* Keep a sentence for *why: thread-local, until the next one. */
void picture_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
