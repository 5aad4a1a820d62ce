/* SPDX-License-Identifier: Apache-2.0 */
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

enum {
    RATIO_BINS = 4000, /* of 0.001 */
    LEVEL_BINS = 1024, /* of 64 levels */
};

struct seen {
    uint64_t ratios[RATIO_BINS];
    uint64_t levels[LEVEL_BINS];
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
