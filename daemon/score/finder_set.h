/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_SET_H
#define SCORE_FINDER_SET_H

/* Finder set: images with the boxes that were drawn on them, kept small in memory, and the crops a
 * finder is trained on. Offline; allocates, within FINDER_SET_PIXELS_MAX.
 *
 * Attenuations are kept as 16 bit shares of the most that is kept. A crop is a piece of one image,
 * about an object in seven of ten cases, turned, mirrored, a little larger or smaller, brighter or
 * darker, with a threat put into it perhaps (finder_threat.h); its planes are made by
 * finder_planes() from the piece with what lies around it. Outside the image all planes are 0, as
 * the network sees it when it looks at whole images. */

#include <stdint.h>

#include "base/err.h"
#include "kernels/rng.h"
#include "score/finder.h"
#include "score/finder_loss.h"
#include "score/working.h"

#define FINDER_SET_PIXELS_MAX (UINT64_C(1) << 31) /* 2 or 4 bytes each */
enum {
    FINDER_SET_IMAGES_MAX = 1 << 20,
    FINDER_SET_THREATS_MAX = 1024,
    FINDER_CROP_MAX = 320,
};
enum { FINDER_SET_LEVEL_MAX = 65534, FINDER_SET_LEVEL_INVALID = 65535 };

struct finder_set_image {
    uint16_t *levels;
    uint16_t *low_levels; /* NULL without a low-energy image */
    uint32_t width;
    uint32_t height;
    struct finder_truth *truths; /* working pixels */
    uint32_t truth_count;
    uint32_t group;
    uint32_t number; /* the caller's */
};

struct finder_set {
    struct finder_input input;
    double kept_max; /* the attenuation of the highest level */
    bool transmission;
    bool calibrated; /* finder_set_adapt() found both energies: attenuations are physical */
    bool upright;    /* all images are at least twice as wide as high: loads that stand */
    struct finder_set_image *images;
    uint32_t image_count;
    uint32_t image_room;
    struct finder_threat *threats; /* finder_threat.h */
    uint32_t threat_count;
    uint32_t reduction; /* of all images */
    double pitch_mm;    /* of a working pixel of the first image; 0: not told */
    double photons;     /* a working pixel counts in air, by its noise; 0: not known */
    uint32_t level_highest;
    uint64_t pixels;
    uint32_t side_max; /* of any image */
    uint32_t height_max;
};

void finder_set_init(struct finder_set *self, enum image_meaning meaning, uint32_t reduction);
void finder_set_fini(struct finder_set *self);

struct finder_set_add {
    const struct working *working;
    const float *low_pixels;           /* or NULL */
    const struct finder_truth *truths; /* working pixels */
    uint32_t truth_count;
    double pitch_mm; /* of a working pixel; 0: not told */
    uint32_t group;  /* versions of one scan have the same */
    uint32_t number; /* the caller's, for images that are looked at again */
};
/* POOL_EMPTY when FINDER_SET_PIXELS_MAX would be passed: the image is left out. MEMORY. */
MUST_USE struct err finder_set_add(struct finder_set *self, const struct finder_set_add *image);

/* An attenuation as an image keeps it, 0..FINDER_SET_LEVEL_MAX; NaN: 0. */
uint16_t finder_set_level(double kept_max, float attenuation);

/* Once all images are in it: where every one has transmissions at both energies, the planes'
 * constants follow what these images show, those of material among them (finder.h), and `photons`.
 * Otherwise nothing changes. MEMORY. */
MUST_USE struct err finder_set_adapt(struct finder_set *self);

/* The median of the square roots of the areas of all boxes, at least 4 pixels; 12 without boxes. */
double finder_set_box(const struct finder_set *self);

/* The side of crops: what the largest image (calibrated and upright: the highest) needs, a multiple
 * of 8, at most FINDER_CROP_MAX, where calibrated 256. */
uint32_t finder_set_crop_side(const struct finder_set *self);

struct finder_crop_space {
    float *pixels;
    float *low_pixels;
    uint8_t *valid;
    uint8_t *planes;
    void *workspace;
    struct finder_truth truths[FINDER_TRUTHS_MAX]; /* of the last crop, in its pixels */
    uint32_t truth_count;
};
MUST_USE struct err finder_crop_init(struct finder_crop_space *self, uint32_t side);
void finder_crop_fini(struct finder_crop_space *self);

/* Draws a crop: input[side][side][finder_channels(&set->input)] of shares 0..1, truths in the
 * space. */
void finder_crop_draw(const struct finder_set *set, uint32_t index, uint32_t side, struct rng *rng,
                      struct finder_crop_space *space, float *input);

/* ---- images of the set as they were given, one at a time ---- */

struct finder_restored {
    struct working working; /* of the last one */
    float *low_pixels;
    size_t width_max; /* of the set's images */
    size_t height_max;
};
/* Room for the largest image of the set; fini also after it failed. */
MUST_USE struct err finder_restored_init(struct finder_restored *self,
                                         const struct finder_set *set);
void finder_restored_fini(struct finder_restored *self);
/* An image into the working image, whose factor and calibration are the caller's to say; returns
 * its low-energy pixels, which stay until the next, or NULL. */
const float *finder_restored_take(struct finder_restored *self, const struct finder_set *set,
                                  uint32_t index);
#endif
