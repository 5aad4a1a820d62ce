/* SPDX-License-Identifier: Apache-2.0 */
#include "score/projection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/score_companion.h"
#include "score/working.h"

/* Everything goes through lightness, the transmission or what stands for it: 1 is air, 0 nothing
 * comes through. */

enum { PLACE_TRIES = 2000 };
static const double lightness_min = 1e-4;

struct scale {
    double dark; /* grey of lightness 0 */
    double air;  /* grey of lightness 1 */
    double white;
};

static struct scale scale_of(const struct image *image)
{
    struct image_calibration c = working_calibration(image);
    double white = image->bits == 8 ? 255 : 65535;
    if (c.meaning == IMAGE_TRANSMISSION) {
        return (struct scale){(double)c.dark_level, (double)c.air_level, white};
    }
    bool inverted = c.meaning == IMAGE_DISPLAY_INVERTED;
    return (struct scale){inverted ? white : 0, inverted ? 0 : white, white};
}

static double grey_at(const struct image *image, const uint8_t *pixels, size_t at)
{
    return image->bits == 8 ? pixels[at] : pixels[2 * at] | (unsigned)pixels[2 * at + 1] << 8;
}

static double lightness_at(const struct image *image, const struct scale *scale,
                           const uint8_t *pixels, size_t at)
{
    double value = (grey_at(image, pixels, at) - scale->dark) / (scale->air - scale->dark);
    return value > lightness_min ? value : lightness_min;
}

static struct err take_image(const struct image *image, const uint8_t *pixels,
                             struct projection_image *out)
{
    if (pixels == NULL || working_refusal(image, UINT64_MAX) != NULL ||
        (uint64_t)image->width * image->height > PROJECTION_PIXELS_MAX) {
        return err_make(ERR_ARGUMENT, "threat image");
    }
    size_t count = (size_t)image->width * image->height;
    *out = (struct projection_image){.image = *image, .attenuation = malloc(count * sizeof(float))};
    if (out->attenuation == NULL) {
        return err_make(ERR_MEMORY, "threat image");
    }
    struct scale scale = scale_of(image);
    for (size_t i = 0; i < count; i++) {
        out->attenuation[i] = (float)-log(lightness_at(image, &scale, pixels, i));
    }
    return err_none;
}

static double mass_of(const struct scan *scan)
{
    for (uint32_t i = 0; i < scan->other_count; i++) {
        char *end = NULL;
        if (strcmp(scan->other[i].name, "mass_kg") == 0) {
            double mass = strtod(scan->other[i].value, &end);
            return end != scan->other[i].value && *end == '\0' && mass > 0 && mass < 1e6
                       ? mass
                       : (double)NAN;
        }
    }
    return (double)NAN;
}

MUST_USE struct err projection_take(const struct scan *scan, const void *const *pixels,
                                    struct projection_threat *out)
{
    struct projection_threat threat = {.mass_kg = mass_of(scan)};
    uint32_t first = 0;
    while (first < scan->images_count && score_is_companion(scan, first)) {
        first++;
    }
    if (first == scan->images_count) {
        return err_make(ERR_ARGUMENT, "threat without an image");
    }
    struct err err = take_image(&scan->images[first], pixels[first], &threat.images[0]);
    uint32_t low_index = 0;
    const struct image *low = score_low_companion(scan, first, &low_index);
    threat.images_count = err_is(err) ? 0 : 1;
    if (low != NULL && !err_is(err)) {
        err = take_image(low, pixels[low_index], &threat.images[1]);
        threat.images_count += err_is(err) ? 0 : 1;
    }
    if (err_is(err)) {
        projection_threat_fini(&threat);
        return err;
    }
    *out = threat;
    return err_none;
}

void projection_threat_fini(struct projection_threat *self)
{
    for (uint32_t i = 0; i < 2; i++) {
        free(self->images[i].attenuation);
    }
    memset(self, 0, sizeof *self);
}

/* Pixels of the threat a pixel of the scan. */
static double step_of(const struct image *threat, const struct image *image)
{
    bool known = threat->pixel_pitch_mm > 0 && image->pixel_pitch_mm > 0;
    return known ? image->pixel_pitch_mm / threat->pixel_pitch_mm : 1;
}

struct projection_box projection_size(const struct projection_threat *threat,
                                      const struct image *image)
{
    const struct image *of = &threat->images[0].image;
    double step = step_of(of, image);
    double width = ceil(of->width / step), height = ceil(of->height / step);
    if (!(width >= 1 && height >= 1 && width <= image->width && height <= image->height)) {
        return (struct projection_box){0, 0, 0, 0};
    }
    return (struct projection_box){0, 0, (uint32_t)width, (uint32_t)height};
}

bool projection_place(const struct image *image, const uint8_t *pixels, struct rng *rng,
                      double attenuation_min, struct projection_box *box, double *background)
{
    struct scale scale = scale_of(image);
    for (int attempt = 0; attempt < PLACE_TRIES && box->width > 0; attempt++) {
        uint32_t x = (uint32_t)rng_below(rng, image->width - box->width + 1u);
        uint32_t y = (uint32_t)rng_below(rng, image->height - box->height + 1u);
        size_t at = (size_t)(y + box->height / 2) * image->width + x + box->width / 2;
        double attenuation = -log(lightness_at(image, &scale, pixels, at));
        if (attenuation >= attenuation_min) {
            box->x = x;
            box->y = y;
            *background = attenuation;
            return true;
        }
    }
    return false;
}

double projection_mean(const struct projection_image *threat, double step, uint32_t x, uint32_t y)
{
    uint32_t left = (uint32_t)(x * step), top = (uint32_t)(y * step);
    uint32_t right = (uint32_t)ceil((x + 1) * step), below = (uint32_t)ceil((y + 1) * step);
    right = right < threat->image.width ? right : threat->image.width;
    below = below < threat->image.height ? below : threat->image.height;
    double sum = 0;
    for (uint32_t row = top; row < below; row++) {
        double tall = fmin(row + 1, (y + 1) * step) - fmax(row, y * step);
        for (uint32_t column = left; column < right; column++) {
            double weight = tall * (fmin(column + 1, (x + 1) * step) - fmax(column, x * step));
            sum += weight * (double)threat->attenuation[(size_t)row * threat->image.width + column];
        }
    }
    return sum / (step * step);
}

void projection_apply(const struct projection_threat *threat, uint32_t which,
                      const struct image *image, const struct projection_box *box,
                      double photons_in_air, struct rng *rng, uint8_t *pixels)
{
    must(which < threat->images_count && box->x + box->width <= image->width &&
         box->y + box->height <= image->height);
    struct scale scale = scale_of(image);
    const struct projection_image *from = &threat->images[which];
    double step = step_of(&from->image, image);
    for (uint32_t y = 0; y < box->height; y++) {
        for (uint32_t x = 0; x < box->width; x++) {
            size_t at = (size_t)(box->y + y) * image->width + box->x + x;
            double through = exp(-projection_mean(from, step, x, y));
            through = through < 1 ? through : 1; /* noise of the threat's air brightens nothing */
            double grey = grey_at(image, pixels, at);
            double after = scale.dark + (grey - scale.dark) * through;
            if (photons_in_air > 0) {
                double light = (after - scale.dark) / (scale.air - scale.dark);
                double variance = light > 0 ? light * (1 - through) / photons_in_air : 0;
                after += (scale.air - scale.dark) * sqrt(variance) * rng_normal(rng);
            }
            after = floor(after + 0.5);
            after = after < 0 ? 0 : after > scale.white ? scale.white : after;
            unsigned whole = (unsigned)after;
            if (image->bits == 8) {
                pixels[at] = (uint8_t)whole;
            } else {
                pixels[2 * at] = (uint8_t)whole;
                pixels[2 * at + 1] = (uint8_t)(whole >> 8);
            }
        }
    }
}
