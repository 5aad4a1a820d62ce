/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/planes_ref.h"

#include <math.h>
#include <string.h>

/* Steps and the local contrast are floats by definition: rounded after every operation. */

static double step_of(const struct planes_rule *rule, float attenuation)
{
    float steps = attenuation * rule->scale;
    return rint(fmin(fmax((double)steps, 0), 255 * PLANES_FINE)); /* NaN: 0 */
}

void planes_ref_pixel(const struct planes_rule *rule, const struct image_view *image,
                      const uint8_t *valid, size_t x, size_t y, uint8_t planes[PLANES_COUNT])
{
    double sum = 0, count = 0;
    size_t top = y > PLANES_RADIUS ? y - PLANES_RADIUS : 0;
    size_t left = x > PLANES_RADIUS ? x - PLANES_RADIUS : 0;
    for (size_t j = top; j <= y + PLANES_RADIUS && j < image->height; j++) {
        for (size_t i = left; i <= x + PLANES_RADIUS && i < image->width; i++) {
            if (valid[j * image->width + i]) {
                sum += step_of(rule, image->pixels[j * image->stride + i]);
                count += 1;
            }
        }
    }
    memset(planes, 0, PLANES_COUNT);
    if (valid[y * image->width + x]) {
        double step = step_of(rule, image->pixels[y * image->stride + x]);
        float mean = (float)sum / (float)count;
        float above = (float)step - mean;
        float contrast = rule->contrast * above;
        float local = 128 + contrast;
        planes[0] = (uint8_t)floor((step + 0.5 * PLANES_FINE) / PLANES_FINE);
        planes[1] = (uint8_t)rint(fmin(fmax((double)local, 0), 255));
        planes[3] = 255;
    }
}
