/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_WORKING_H
#define SCORE_WORKING_H

/* Working image: a raw image of any size as a small attenuation image with its valid mask.
 *
 * Raw rows are calibrated through a table of all grey levels and averaged on the way: a 20 MB image
 * is read once and never exists as floats. The mean of the attenuations is kept, not the
 * attenuation of the mean, as in kernels/image.h. One thread a handle; nothing is allocated after
 * working_init(). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/image.h"
#include "proto/record.h"

#define WORKING_HEIGHT_MIN 32u
#define WORKING_HEIGHT_MAX 2048u
#define WORKING_ASPECT \
    16u /* the working image is at most this many times as wide as it may be high */

struct working {
    float *pixels; /* width * height, dense */
    uint8_t *valid;
    size_t width;
    size_t height;
    size_t factor; /* of reduction */
    size_t valid_count;
    struct image_calibration calibration;
    const float *low_pixels; /* what working_make_low() gave, or NULL; set by who called it */
};

struct working_space {
    uint32_t height_max;
    size_t pixels_max;
    float *pixels;
    uint8_t *valid;
    float *low_pixels;
    float *table;     /* 65536 */
    double *row_sums; /* one row of the working image */
    uint32_t *mask_words;
};

MUST_USE struct err working_init(struct working_space *self, uint32_t height_max);
void working_fini(struct working_space *self);

/* Why an image cannot be used, or NULL when it can: sides, bits, meaning, bytes. Static words. */
const char *working_refusal(const struct image *image, uint64_t image_bytes_max);
struct image_calibration working_calibration(const struct image *image);

/* The reduced image and its valid pixels; *out points into the space until the next call.
 * height_max is held within the space's own. The image must not be refused. */
void working_make(struct working_space *self, const struct image *image, const uint8_t *pixels,
                  uint32_t height_max, struct working *out);
/* The low-energy image of the same size, reduced in the same way: returns its pixels. */
const float *working_make_low(struct working_space *self, const struct image *low_image,
                              const uint8_t *low_pixels, const struct working *high);

/* Attenuations of all pixels of an image, for training; the caller frees. NULL: no memory. */
float *working_attenuations(const struct image *image, const uint8_t *pixels);

static inline struct image_view working_view(const struct working *working)
{
    return (struct image_view){working->pixels, working->width, working->height, working->width};
}

#endif
