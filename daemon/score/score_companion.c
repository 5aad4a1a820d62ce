/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score_companion.h"

#include "base/err.h"

static bool is_pair(const struct image *high, const struct image *low)
{
    return high->energy == ENERGY_HIGH && low->energy == ENERGY_LOW && high->view == low->view &&
           high->width == low->width && high->height == low->height &&
           high->meaning == low->meaning;
}

bool score_is_companion(const struct scan *scan, uint32_t image_index)
{
    for (uint32_t i = 0; i < scan->images_count; i++) {
        if (is_pair(&scan->images[i], &scan->images[image_index])) {
            return true;
        }
    }
    return false;
}

const struct image *score_low_companion(const struct scan *scan, uint32_t image_index,
                                        uint32_t *low_index)
{
    for (uint32_t i = 0; i < scan->images_count; i++) {
        if (is_pair(&scan->images[image_index], &scan->images[i])) {
            *low_index = i;
            return &scan->images[i];
        }
    }
    return NULL;
}

uint32_t score_main_image(const struct scan *scan, uint32_t *low_index)
{
    uint32_t index = 0;
    must(scan->images_count > 0);
    while (index < scan->images_count && scan->images[index].energy == ENERGY_LOW) {
        index++;
    }
    index = index < scan->images_count ? index : 0;
    if (low_index != NULL) {
        *low_index = UINT32_MAX;
        (void)score_low_companion(scan, index, low_index);
    }
    return index;
}
