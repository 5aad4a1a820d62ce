/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/dual_planes_ref.h"

#include <math.h>
#include <string.h>

/* Steps, excesses and what is above a mean are floats by definition: rounded after every operation.
 */

static const double most = (double)DUAL_PLANES_HIGHEST * DUAL_PLANES_ONE;

static double steps_of(float attenuation)
{
    float steps = attenuation * DUAL_PLANES_ONE;
    return rint(fmin(fmax((double)steps, 0), most)); /* NaN: 0 */
}

struct sums {
    double attenuation;
    double excess;
    double count;
};

struct scene {
    const struct dual_planes_rule *rule;
    const struct image_view *high;
    const float *low;
    const uint8_t *valid;
};

static struct sums look_around(const struct scene *scene, size_t x0, size_t y0, size_t radius)
{
    const struct image_view *high = scene->high;
    struct sums sums = {0, 0, 0};
    for (size_t y = y0 > radius ? y0 - radius : 0; y <= y0 + radius && y < high->height; y++) {
        for (size_t x = x0 > radius ? x0 - radius : 0; x <= x0 + radius && x < high->width; x++) {
            if (scene->valid[y * high->width + x] == 0) {
                continue;
            }
            double steps = steps_of(high->pixels[y * high->stride + x]);
            sums.attenuation += steps;
            sums.count += 1;
            if (scene->low != NULL) {
                float usual = scene->rule->usual * (float)steps;
                float excess = (float)steps_of(scene->low[y * high->width + x]) - usual;
                sums.excess += rint(fmin(fmax((double)excess, -most), most));
            }
        }
    }
    return sums;
}

static uint8_t byte_of(float value, double least)
{
    return (uint8_t)rint(fmin(fmax((double)value, least), 255));
}

static uint8_t above(float gain, float own, float sum, double count)
{
    float mean = sum / (float)count;
    float over = own - mean;
    float scaled = gain * over;
    return byte_of(128 + scaled, 0);
}

void dual_planes_ref_pixel(const struct dual_planes_rule *rule, const struct image_view *high,
                           const float *low, const uint8_t *valid, size_t x, size_t y,
                           uint8_t planes[DUAL_PLANES_COUNT])
{
    const struct scene scene = {rule, high, low, valid};
    memset(planes, 0, DUAL_PLANES_COUNT);
    if (valid[y * high->width + x] == 0) {
        return;
    }
    struct sums three = look_around(&scene, x, y, 1);
    struct sums near = look_around(&scene, x, y, DUAL_PLANES_NEAR);
    struct sums middle = look_around(&scene, x, y, DUAL_PLANES_MIDDLE);
    struct sums far = look_around(&scene, x, y, DUAL_PLANES_RADIUS);
    float own = (float)look_around(&scene, x, y, 0).attenuation;
    float own_excess = (float)three.excess / (float)three.count;
    float level = rule->level * own;
    planes[0] = byte_of(level, 0);
    planes[1] = above(rule->rises[2], own, (float)far.attenuation, far.count);
    if (low != NULL && (float)three.attenuation / (float)three.count > rule->least) {
        float ratio = (float)three.excess / (float)three.attenuation;
        float over = ratio + (rule->usual - rule->ratio_low);
        float scaled = rule->ratio * over;
        planes[2] = byte_of(1 + scaled, 1);
    }
    planes[3] = above(rule->excess[1], own_excess, (float)far.excess, far.count);
    planes[4] = above(rule->rises[0], own, (float)near.attenuation, near.count);
    planes[5] = above(rule->rises[1], own, (float)middle.attenuation, middle.count);
    planes[6] = above(rule->excess[0], own_excess, (float)middle.excess, middle.count);
    planes[7] = 255;
}
