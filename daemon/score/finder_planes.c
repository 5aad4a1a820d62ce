/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder.h"

#include "kernels/dual_planes.h"
#include "kernels/planes.h"
#include "kernels/round.h"

/* The ratio is one float operation after another in a stated order, nothing that a compiler may
 * fuse for this processor, no library function; the other planes are the kernel's. */

_Static_assert((int)FINDER_CHANNELS == (int)PLANES_COUNT, "a pixel's planes lie side by side");
_Static_assert((int)FINDER_CHANNELS_MAX == (int)DUAL_PLANES_COUNT, "the same of two energies");
_Static_assert((int)FINDER_LOCAL_RADIUS == (int)PLANES_RADIUS &&
                   (int)FINDER_MATERIAL_RADIUS == (int)DUAL_PLANES_RADIUS,
               "the kernels' windows are the finder's");

/* What 7 x 7 and 17 x 17 pixels show is less than 65 x 65 do, and so is given more of a byte. */
static const double near_gain = 2.6;
static const double middle_gain = 1.3;
static const double middle_excess_gain = 3;

struct finder_input finder_input_default(enum image_meaning meaning)
{
    struct finder_input input = {
        .a_max = 1, .contrast = 2, .ratio_low = 0.9, .ratio_high = 1.6, .ratio_least = 0.05};
    if (meaning == IMAGE_TRANSMISSION) {
        input.a_max = 6;
        input.contrast = 6;
        input.ratio_least = 0.3;
    }
    return input;
}

size_t finder_planes_workspace_bytes(size_t width)
{
    size_t levels = planes_workspace_bytes(width);
    size_t material = dual_planes_workspace_bytes(width);
    return levels > material ? levels : material;
}

static void write_ratios(const struct finder_input *input, const struct working *working,
                         const float *low_pixels, uint8_t *planes)
{
    const float least = (float)input->ratio_least;
    const float from = (float)input->ratio_low;
    const float scale = (float)(254 / (input->ratio_high - input->ratio_low));
    for (size_t i = 0; i < working->width * working->height; i++) {
        if (working->valid[i] != 0 && working->pixels[i] > least) {
            float ratio = low_pixels[i] / working->pixels[i];
            planes[i * FINDER_CHANNELS + 2] =
                (uint8_t)round_even(round_hold(1 + scale * (ratio - from), 1, 255));
        }
    }
}

static struct dual_planes_rule material_rule(const struct finder_input *input)
{
    const double step = DUAL_PLANES_ONE;
    const double rise = input->contrast * 255 / input->a_max / step;
    const double excess = input->material / step;
    return (struct dual_planes_rule){
        .level = (float)(255 / input->a_max / step),
        .least = (float)(input->ratio_least * step),
        .usual = (float)((input->ratio_low + input->ratio_high) / 2),
        .ratio = (float)(254 / (input->ratio_high - input->ratio_low)),
        .ratio_low = (float)input->ratio_low,
        .rises = {(float)(near_gain * rise), (float)(middle_gain * rise), (float)rise},
        .excess = {(float)(middle_excess_gain * excess), (float)excess},
    };
}

void finder_planes(const struct finder_input *input, const struct working *working,
                   const float *low_pixels, void *restrict workspace, uint8_t *restrict planes)
{
    const struct image_view image = working_view(working);
    if (input->material > 0) {
        const struct dual_planes_rule dual = material_rule(input);
        dual_planes_make(&dual, &image, low_pixels, working->valid, workspace, planes);
        return;
    }
    const struct planes_rule rule = {.scale = (float)(255 * PLANES_FINE / input->a_max),
                                     .contrast = (float)(input->contrast / PLANES_FINE)};
    planes_make(&rule, &image, working->valid, workspace, planes);
    if (low_pixels != NULL) {
        write_ratios(input, working, low_pixels, planes);
    }
}
