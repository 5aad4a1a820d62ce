/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Every view of every scan is looked at; the one that stands out most speaks for the item. Images
 * are counted over all scans of the item, in order, so that a region names its image. */

struct best_look {
    bool found;
    double z;
    uint32_t image_index;
    const struct appearance_model *model;
    struct appearance_region regions[APPEARANCE_REGIONS_MAX];
    uint32_t regions_count;
};

bool score_is_companion(const struct scan *scan, uint32_t image_index)
{
    const struct image *image = &scan->images[image_index];
    if (image->energy != ENERGY_LOW) {
        return false;
    }
    for (uint32_t i = 0; i < scan->images_count; i++) {
        const struct image *other = &scan->images[i];
        if (i != image_index && other->view == image->view && other->energy == ENERGY_HIGH &&
            other->width == image->width && other->height == image->height &&
            other->meaning == image->meaning) {
            return true;
        }
    }
    return false;
}

const struct image *score_low_companion(const struct scan *scan, uint32_t image_index,
                                        uint32_t *low_index)
{
    const struct image *image = &scan->images[image_index];
    for (uint32_t i = 0; i < scan->images_count && image->energy == ENERGY_HIGH; i++) {
        const struct image *other = &scan->images[i];
        if (other->energy == ENERGY_LOW && other->view == image->view &&
            other->width == image->width && other->height == image->height &&
            other->meaning == image->meaning) {
            *low_index = i;
            return other;
        }
    }
    return NULL;
}

static const char *refusal_of(const struct score *self, const struct score_scan *scan,
                              uint32_t image_index)
{
    if (scan->pixels[image_index] == NULL) {
        return "its pixels are missing";
    }
    return working_refusal(&scan->scan->images[image_index], self->image_bytes_max);
}

static void look(struct score *self, const struct score_scan *scan, uint32_t image_index,
                 uint32_t item_image_index, const struct working *working, struct best_look *best)
{
    const struct appearance_model *model = score_appearance_of(self, scan->scan->scanner_type);
    if (model == NULL || model->meaning != working->calibration.meaning) {
        return;
    }
    struct appearance_finding finding;
    appearance_run(&self->space, model, working, &finding);
    if (isnan(finding.image_score) || (best->found && finding.z <= best->z)) {
        return;
    }
    best->found = true;
    best->z = finding.z;
    best->image_index = item_image_index;
    best->model = model;
    best->regions_count = appearance_regions(&self->space, model, working, &finding,
                                             &scan->scan->images[image_index], best->regions);
}

static void see_image(struct score *self, const struct score_scan *scan, uint32_t image_index,
                      const struct working *working, struct consistency_measure *measure,
                      struct score_sight *sight)
{
    const struct image *image = &scan->scan->images[image_index];
    struct quality quality;
    quality_of_image(working, &quality);
    if (sight->usable_count == 0 || quality.value < sight->quality) {
        sight->quality = quality.value;
        memcpy(sight->quality_words, quality.words, sizeof sight->quality_words);
    }
    if (sight->usable_count == 0) {
        uint32_t low_index = 0;
        const struct image *low = score_low_companion(scan->scan, image_index, &low_index);
        const float *low_pixels = NULL;
        if (low != NULL && refusal_of(self, scan, low_index) == NULL) {
            low_pixels = working_make_low(&self->working, low, scan->pixels[low_index], working);
        }
        consistency_measure(working, low_pixels, image->pixel_pitch_mm, measure);
    }
    sight->usable_count++;
}

static void add_best(const struct score *self, const struct best_look *best,
                     struct score_result *result)
{
    double held = best->z < self->fusion.appearance_low    ? self->fusion.appearance_low
                  : best->z > self->fusion.appearance_high ? self->fusion.appearance_high
                                                           : best->z;
    fusion_add(result, "appearance", self->fusion.appearance * held,
               "image %" PRIu32 " looks %.1f spreads %s than normal for %.40s; %" PRIu32
               " regions marked",
               best->image_index + 1, fabs(best->z), best->z >= 0 ? "stranger" : "plainer",
               best->model->name + strlen(APPEARANCE_PREFIX), best->regions_count);
    score_name_model(result, best->model->name, best->model->sha256);
    for (uint32_t i = 0; i < best->regions_count; i++) {
        const struct appearance_region *region = &best->regions[i];
        result->score.regions[i] = (struct entry_region){.image_index = best->image_index,
                                                         .x = region->x,
                                                         .y = region->y,
                                                         .width = region->width,
                                                         .height = region->height,
                                                         .score = region->score};
    }
    result->score.regions_count = best->regions_count;
}

static void add_missing(const struct score *self, const struct score_input *input,
                        const struct score_sight *sight, const char *refusal,
                        struct score_result *result)
{
    if (input->scans_count == 0) {
        fusion_add(result, "scan.none", 0, "no scan yet: judged by declaration alone");
        return;
    }
    if (refusal != NULL) {
        fusion_add(result, "scan.unreadable", 0,
                   "%" PRIu32 " of %" PRIu32 " images could not be used: %s",
                   sight->images_count - sight->usable_count, sight->images_count, refusal);
    }
    if (sight->usable_count > 0 && sight->judged_count == 0) {
        const char *scanner_type = input->scans[0].scan->scanner_type;
        bool installed = score_appearance_of(self, scanner_type) != NULL;
        fusion_add(result, "appearance.none", 0,
                   installed ? "the appearance model for scanner type %.40s does not fit this image"
                             : "no appearance model for scanner type %.40s",
                   scanner_type);
    }
}

static enum mode mode_of(const struct score_input *input)
{
    return input->scans_count > 0          ? input->scans[0].scan->mode
           : input->declarations_count > 0 ? input->declarations[0]->mode
                                           : MODE_UNKNOWN;
}

void score_add_images(struct score *self, const struct score_input *input,
                      struct score_result *result, struct score_sight *out)
{
    struct score_sight sight = {.quality = 1};
    struct best_look best = {.found = false};
    struct consistency_measure measure = {.filled_share = NAN};
    const struct appearance_model *measured_by = NULL;
    const char *refusal = NULL;
    uint32_t item_image_index = 0;
    for (uint32_t s = 0; s < input->scans_count; s++) {
        const struct score_scan *scan = &input->scans[s];
        const struct appearance_model *model = score_appearance_of(self, scan->scan->scanner_type);
        for (uint32_t i = 0; i < scan->scan->images_count; i++, item_image_index++) {
            if (score_is_companion(scan->scan, i)) {
                continue;
            }
            sight.images_count++;
            const char *why = refusal_of(self, scan, i);
            if (why != NULL) {
                refusal = why;
                continue;
            }
            struct working working;
            working_make(&self->working, &scan->scan->images[i], scan->pixels[i],
                         model != NULL ? model->working_height : self->working_height, &working);
            measured_by = sight.usable_count == 0 ? model : measured_by;
            see_image(self, scan, i, &working, &measure, &sight);
            look(self, scan, i, item_image_index, &working, &best);
        }
    }
    sight.judged_count = best.found;
    if (best.found) {
        add_best(self, &best, result);
    }
    if (sight.usable_count > 0) {
        struct consistency_declared declared =
            consistency_declared(input->declarations, input->declarations_count);
        consistency_judge(&measure, &declared, mode_of(input), measured_by, &self->fusion, result);
    }
    add_missing(self, input, &sight, refusal, result);
    *out = sight;
}
