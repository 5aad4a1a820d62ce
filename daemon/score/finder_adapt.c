/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "score/finder_set.h"

/* Scanners differ in what they let through and in how far two energies lie apart: the bytes of the
 * planes are spent on what the images of this one show. */

/* Ratios are counted up to this attenuation: beyond it they are noise. */
static const double ratio_most = 4.0;
/* What plane 1 shows of an attenuation that stands out: 25 cm of water in a beam of 6 to 9 MV is
 * 0.8; more of it hides noise that thin loads show. */
static const double rise_most = 1.3;
/* And of what A_low exceeds its usual share of A by, in spreads of the ratio. */
static const double excess_most = 1.0;
enum { PLANE_HALF = 128, PLANE_MAX = 255 };

/* Noise is looked at between these attenuations: photons are what it is made of there. */
static const double noise_least = 2.0;
static const double noise_most = 6.0;
/* Of |normal|: its median. */
static const double median_of_normal = 0.6744897501960817;

enum {
    RATIO_BINS = 4000, /* of 0.001 */
    LEVEL_BINS = 1024, /* of 64 levels */
    NOISE_BINS = 1280, /* of 1/32 of a doubling, from 2^-40 on */
    NOISE_OCTAVES = 40,
    NOISE_EVERY = 16, /* pixels of a row */
};

struct seen {
    uint64_t ratios[RATIO_BINS];
    uint64_t levels[LEVEL_BINS];
    uint64_t noises[NOISE_BINS];
    uint64_t noise_count;
    uint64_t ratio_count;
    uint64_t level_count;
};

static void look_at(const struct finder_set *self, const struct finder_set_image *image,
                    struct seen *seen)
{
    const uint32_t least =
        (uint32_t)(self->input.ratio_least / self->kept_max * FINDER_SET_LEVEL_MAX);
    const uint32_t most = (uint32_t)(ratio_most / self->kept_max * FINDER_SET_LEVEL_MAX);
    for (size_t i = 0; i < (size_t)image->width * image->height; i++) {
        uint32_t level = image->levels[i];
        if (level == FINDER_SET_LEVEL_INVALID || level <= least) {
            continue;
        }
        seen->levels[level / 64]++;
        seen->level_count++;
        if (level < most) {
            uint64_t bin = UINT64_C(1000) * image->low_levels[i] / level;
            seen->ratios[bin < RATIO_BINS ? bin : RATIO_BINS - 1]++;
            seen->ratio_count++;
        }
    }
}

/* Neighbours differ by noise of twice the variance e^A / N; edges are few, and the median passes
 * over them. */
static void look_at_noise(const struct finder_set *self, const struct finder_set_image *image,
                          struct seen *seen)
{
    const double unit = self->kept_max / FINDER_SET_LEVEL_MAX;
    for (size_t i = 0; i + 1 < (size_t)image->width * image->height; i += NOISE_EVERY) {
        double level = image->levels[i] * unit;
        bool pair = i % image->width + 1 < image->width &&
                    image->levels[i] != FINDER_SET_LEVEL_INVALID &&
                    image->levels[i + 1] != FINDER_SET_LEVEL_INVALID;
        if (!pair || level < noise_least || level > noise_most) {
            continue;
        }
        double step = fabs(level - image->levels[i + 1] * unit) * exp(-level / 2);
        double bin = step > 0 ? (log2(step) + NOISE_OCTAVES) * NOISE_BINS / NOISE_OCTAVES : 0;
        bin = bin > 0 ? bin : 0;
        seen->noises[bin < NOISE_BINS - 1 ? (uint32_t)bin : NOISE_BINS - 1]++;
        seen->noise_count++;
    }
}

/* The middle of the bin before which `share` of all lies, in bins. */
static double bin_at(const uint64_t *bins, uint32_t bins_count, uint64_t count, double share)
{
    double before = share * (double)count;
    double sum = 0;
    uint32_t bin = 0;
    while (bin < bins_count - 1 && sum + (double)bins[bin] <= before) {
        sum += (double)bins[bin++];
    }
    return bin + 0.5;
}

static double within(double value, double low, double high)
{
    return value > low ? value < high ? value : high : low;
}

MUST_USE struct err finder_set_adapt(struct finder_set *self)
{
    bool dual = self->transmission && self->image_count > 0;
    for (uint32_t i = 0; i < self->image_count; i++) {
        dual = dual && self->images[i].low_levels != NULL;
    }
    struct seen *seen = dual ? calloc(1, sizeof *seen) : NULL;
    if (seen == NULL) {
        return dual ? err_make(ERR_MEMORY, "finder_set_adapt") : err_none;
    }
    for (uint32_t i = 0; i < self->image_count; i++) {
        look_at(self, &self->images[i], seen);
        look_at_noise(self, &self->images[i], seen);
    }
    if (seen->noise_count >= LEVEL_BINS) {
        double bin = bin_at(seen->noises, NOISE_BINS, seen->noise_count, 0.5);
        double step = exp2(bin * NOISE_OCTAVES / NOISE_BINS - NOISE_OCTAVES);
        self->photons = 2 * (median_of_normal / step) * (median_of_normal / step);
    }
    if (seen->ratio_count >= RATIO_BINS) {
        struct finder_input *input = &self->input;
        double low = bin_at(seen->ratios, RATIO_BINS, seen->ratio_count, 0.01) / 1000;
        double high = bin_at(seen->ratios, RATIO_BINS, seen->ratio_count, 0.99) / 1000;
        double spare = within((high - low) / 4, 0.02, 1);
        double most = bin_at(seen->levels, LEVEL_BINS, seen->level_count, 0.999) * 64;
        input->a_max = within(most / FINDER_SET_LEVEL_MAX * self->kept_max, 1, self->kept_max);
        input->ratio_low = within(low - spare, 0, low); /* dark low-energy pixels: near 0 */
        input->ratio_high = high + spare;
        input->contrast = PLANE_HALF / (rise_most / input->a_max * PLANE_MAX);
        input->material = PLANE_HALF / (excess_most * (input->ratio_high - input->ratio_low));
        self->calibrated = true;
    }
    free(seen);
    return err_none;
}
