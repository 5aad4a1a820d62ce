/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_threat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double projected_share = 0.5; /* of the crops */
static const double share_min = 0.2;
static const double load_least = 0.4; /* attenuation where a threat may lie: something is there */
static const float core_share = 0.1f; /* of a threat's highest attenuation */
enum { PLACE_TRIES = 30 };

void finder_threat_fini(struct finder_threat *self)
{
    free(self->high);
    free(self->low);
    memset(self, 0, sizeof *self);
}

static bool find_core(struct finder_threat *self)
{
    float highest = 0;
    size_t count = (size_t)self->width * self->height;
    for (size_t i = 0; i < count; i++) {
        highest = self->high[i] > highest ? self->high[i] : highest;
    }
    struct finder_truth core = {(float)self->width, (float)self->height, 0, 0};
    for (size_t i = 0; i < count; i++) {
        if (self->high[i] > core_share * highest) {
            const size_t row = i / self->width;
            float x = (float)(i % self->width), y = (float)row;
            core.left = fminf(core.left, x);
            core.top = fminf(core.top, y);
            core.right = fmaxf(core.right, x + 1);
            core.bottom = fmaxf(core.bottom, y + 1);
        }
    }
    self->core = core;
    return core.right > core.left;
}

MUST_USE struct err finder_set_threat(struct finder_set *self,
                                      const struct projection_threat *threat)
{
    const struct projection_image *high = &threat->images[0], *low = &threat->images[1];
    if (threat->images_count < 2 || low->image.width != high->image.width ||
        low->image.height != high->image.height || self->threat_count == FINDER_SET_THREATS_MAX) {
        return err_make(ERR_ARGUMENT, "threat without both energies, or one too many");
    }
    bool known = high->image.pixel_pitch_mm > 0 && self->pitch_mm > 0;
    double step = known ? self->pitch_mm / high->image.pixel_pitch_mm : self->reduction;
    double width = ceil(high->image.width / step), height = ceil(high->image.height / step);
    if (!(width >= 1 && height >= 1 && width <= FINDER_THREAT_SIDE_MAX &&
          height <= FINDER_THREAT_SIDE_MAX)) {
        return err_make(ERR_ARGUMENT, "threat too large for a training image");
    }
    struct finder_threat made = {.width = (uint32_t)width, .height = (uint32_t)height};
    size_t count = (size_t)made.width * made.height;
    made.high = malloc(count * sizeof(float));
    made.low = malloc(count * sizeof(float));
    struct finder_threat *threats =
        realloc(self->threats, ((size_t)self->threat_count + 1) * sizeof *threats);
    self->threats = threats != NULL ? threats : self->threats;
    if (made.high == NULL || made.low == NULL || threats == NULL) {
        finder_threat_fini(&made);
        return err_make(ERR_MEMORY, "finder_set_threat");
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t x = (uint32_t)(i % made.width), y = (uint32_t)(i / made.width);
        made.high[i] = (float)fmax(projection_mean(high, step, x, y), 0); /* noise of the air */
        made.low[i] = (float)fmax(projection_mean(low, step, x, y), 0);
    }
    if (!find_core(&made)) {
        finder_threat_fini(&made);
        return err_make(ERR_ARGUMENT, "threat that weakens no beam");
    }
    self->threats[self->threat_count++] = made;
    return err_none;
}

struct finder_placing finder_threat_place(const struct finder_set *set,
                                          const struct finder_set_image *image, struct rng *rng)
{
    const struct finder_placing nowhere = {.threat = NULL};
    if (set->threat_count == 0 || !set->calibrated || rng_uniform(rng) >= projected_share) {
        return nowhere;
    }
    const struct finder_threat *threat = &set->threats[rng_below(rng, set->threat_count)];
    double share = share_min + (1 - share_min) * rng_uniform(rng);
    if (threat->width > image->width || threat->height > image->height) {
        return nowhere;
    }
    const uint32_t least = (uint32_t)(load_least / set->kept_max * FINDER_SET_LEVEL_MAX);
    for (int attempt = 0; attempt < PLACE_TRIES; attempt++) {
        uint32_t x = (uint32_t)rng_below(rng, image->width - threat->width + 1u);
        uint32_t y = (uint32_t)rng_below(rng, image->height - threat->height + 1u);
        uint32_t level =
            image->levels[(size_t)(y + threat->height / 2) * image->width + x + threat->width / 2];
        if (level >= least && level != FINDER_SET_LEVEL_INVALID) {
            return (struct finder_placing){threat, x, y, (float)share};
        }
    }
    return nowhere;
}

struct finder_truth finder_placing_truth(const struct finder_placing *placing)
{
    struct finder_truth truth = placing->threat->core;
    truth.left += (float)placing->x;
    truth.right += (float)placing->x;
    truth.top += (float)placing->y;
    truth.bottom += (float)placing->y;
    return truth;
}

/* A pixel counts N e^-A photons, so A has the variance e^A / N. */
static float darkened(const struct finder_set *set, float before, float more, struct rng *rng)
{
    double after = (double)before + (double)more;
    if (set->photons > 0 && more > 0) {
        double variance = (exp(after) - exp((double)before)) / set->photons;
        after += sqrt(variance) * rng_normal(rng);
    }
    double most = set->level_highest * set->kept_max / FINDER_SET_LEVEL_MAX;
    return (float)fmin(fmax(after, 0), most);
}

void finder_threat_add(const struct finder_set *set, const struct finder_placing *placing,
                       const double at[2], struct rng *rng, float *const pixels[2])
{
    const struct finder_threat *threat = placing->threat;
    double x = floor(at[0] - placing->x + 0.5), y = floor(at[1] - placing->y + 0.5);
    if (!(x >= 0 && y >= 0 && x < threat->width && y < threat->height)) {
        return;
    }
    size_t i = (size_t)y * threat->width + (size_t)x;
    *pixels[0] = darkened(set, *pixels[0], placing->share * threat->high[i], rng);
    *pixels[1] = darkened(set, *pixels[1], placing->share * threat->low[i], rng);
}

static void put_in(const struct finder_set *set, const struct finder_placing *placing,
                   struct rng *rng, struct finder_set_image *image)
{
    const float unit = (float)(set->kept_max / FINDER_SET_LEVEL_MAX);
    for (uint32_t v = 0; v < placing->threat->height; v++) {
        for (uint32_t u = 0; u < placing->threat->width; u++) {
            const uint32_t x = placing->x + u, y = placing->y + v;
            const size_t i = (size_t)y * image->width + x;
            const double at[2] = {x, y};
            float high = (float)image->levels[i] * unit, low = (float)image->low_levels[i] * unit;
            if (image->levels[i] != FINDER_SET_LEVEL_INVALID) {
                finder_threat_add(set, placing, at, rng, (float *const[2]){&high, &low});
                image->levels[i] = finder_set_level(set->kept_max, high);
                image->low_levels[i] = finder_set_level(set->kept_max, low);
            }
        }
    }
}

MUST_USE struct err finder_set_project(struct finder_set *self, uint64_t seed, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < self->image_count; i++) {
        struct finder_set_image *image = &self->images[i];
        struct rng rng;
        rng_init(&rng, seed, (UINT64_C(1) << 41) + i);
        const struct finder_placing placing = finder_threat_place(self, image, &rng);
        if (placing.threat == NULL || image->truth_count == FINDER_TRUTHS_MAX) {
            continue;
        }
        struct finder_truth *truths =
            realloc(image->truths, ((size_t)image->truth_count + 1) * sizeof *truths);
        if (truths == NULL) {
            return err_make(ERR_MEMORY, "finder_set_project");
        }
        image->truths = truths;
        truths[image->truth_count++] = finder_placing_truth(&placing);
        put_in(self, &placing, &rng, image);
        ++*count;
    }
    return err_none;
}
