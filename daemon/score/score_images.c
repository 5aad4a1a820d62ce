/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Every view of every scan is looked at; the one that stands out most speaks for the item, and the
 * one in which something looks most like what officers marked. Images are counted over all scans of
 * the item, in order, so that a region names its image. */

/* One logit of the finder is worth half a logit, as one spread of the appearance is; what it does
 * not find weighs nothing, because it knows only what was marked so far. Beyond 6 (99.75%) a
 * calibration has seen too little to be believed. */
static const double finder_weight = 0.5;
static const double finder_logit_max = 6;
/* Boxes less likely than a quarter are not shown: an officer who looks at three of them in vain
 * stops looking. */
static const double shown_logit_min = -1.0986122886681098;

static const char *refusal_of(const struct score *self, const struct score_scan *scan,
                              uint32_t image_index)
{
    if (scan->pixels[image_index] == NULL) {
        return "its pixels are missing";
    }
    return working_refusal(&scan->scan->images[image_index], self->image_bytes_max);
}

/* The low-energy image that belongs to this one and can be used, or NULL. */
static const struct image *low_of(const struct score *self, const struct score_scan *scan,
                                  uint32_t image_index, const uint8_t **low_pixels)
{
    uint32_t low_index = 0;
    const struct image *low = score_low_companion(scan->scan, image_index, &low_index);
    if (low == NULL || refusal_of(self, scan, low_index) != NULL) {
        return NULL;
    }
    *low_pixels = scan->pixels[low_index];
    return low;
}

/* What looks like what officers marked. */
static void find(struct score *self, const struct appearance_model *model,
                 const struct score_scan *scan, uint32_t image_index, uint32_t item_image_index,
                 const struct working *working, struct score_sight *sight)
{
    struct finder_box boxes[FINDER_BOXES_MAX];
    if (!model->has_finder) {
        return;
    }
    struct finder_view view = {.image = &scan->scan->images[image_index],
                               .pixels = scan->pixels[image_index],
                               .made = working};
    view.low_image = low_of(self, scan, image_index, &view.low_pixels);
    uint32_t count = finder_line_run(&self->finder, &model->finder, &view, boxes);
    if (count == 0 || boxes[0].logit <= sight->finder_logit) {
        return;
    }
    sight->finder_logit = boxes[0].logit;
    sight->found_image_index = item_image_index;
    sight->found_count = 0;
    for (uint32_t i = 0; i < count && i < SCORE_REGIONS_SHOWN; i++) {
        if (boxes[i].logit >= shown_logit_min) {
            sight->found[sight->found_count++] = boxes[i];
        }
    }
}

/* A lump in the load speaks for the item when it stands out more than the patches do. */
static void look_for_lumps(struct score *self, const struct appearance_model *model,
                           const struct image *image, uint32_t item_image_index,
                           const struct working *working, struct score_sight *sight)
{
    struct lump_finding finding;
    lump_run(&self->lump, &model->lump, working, working->low_pixels, image->pixel_pitch_mm,
             &finding);
    if (isnan(finding.z) || (sight->judged_by != NULL && finding.z <= sight->z)) {
        return;
    }
    sight->z = finding.z;
    sight->image_index = item_image_index;
    sight->judged_by = model;
    sight->lump_kg = finding.excess_kg > 0 ? finding.excess_kg : 0;
    sight->regions_count = lump_regions(&self->lump, model, working, image, sight->regions);
}

static void look(struct score *self, const struct score_scan *scan, uint32_t image_index,
                 uint32_t item_image_index, const struct working *working,
                 struct score_sight *sight)
{
    const struct appearance_model *model = score_appearance_of(self, scan->scan->scanner_type);
    if (model == NULL || model->meaning != working->calibration.meaning) {
        return;
    }
    find(self, model, scan, image_index, item_image_index, working, sight);
    look_for_lumps(self, model, &scan->scan->images[image_index], item_image_index, working, sight);
    struct appearance_finding finding;
    appearance_run(&self->space, model, working, &finding);
    if (isnan(finding.image_score) || (sight->judged_by != NULL && finding.z <= sight->z)) {
        return;
    }
    sight->z = finding.z;
    sight->image_index = item_image_index;
    sight->judged_by = model;
    sight->lump_kg = 0;
    const struct image *image = &scan->scan->images[image_index];
    sight->regions_count = appearance_regions(&self->space, working, &finding, image,
                                              SCORE_REGIONS_SHOWN, sight->regions);
    if (model->dome.present) {
        const struct dome_view view = {image, scan->pixels[image_index], model->dome.usual_highest};
        sight->regions_count = dome_line_add(&self->dome, model, &view, sight->regions,
                                             sight->regions_count, SCORE_REGIONS_SHOWN);
    }
}

static void see_image(struct score *self, const struct score_scan *scan, uint32_t image_index,
                      const struct working *working, struct score_case *out)
{
    const struct image *image = &scan->scan->images[image_index];
    struct score_sight *sight = &out->sight;
    struct quality quality;
    quality_of_image(working, &quality);
    if (sight->usable_count == 0 || quality.value < sight->quality) {
        sight->quality = quality.value;
        sight->has_measured = true;
        image_quality_measure(&self->quality, image, scan->pixels[image_index], &sight->measured);
        memcpy(out->image_words, quality.words, sizeof out->image_words);
    }
    if (sight->usable_count == 0) {
        consistency_measure(working, working->low_pixels, image->pixel_pitch_mm, &sight->measure);
        sight->measured_by = score_appearance_of(self, scan->scan->scanner_type);
        const struct emptiness_model *emptiness = score_emptiness(self);
        if (emptiness != NULL && sight->cargo_window) {
            sight->emptiness_asked = true;
            consistency_measure_emptiness(emptiness, &self->cargo, working, &sight->measure);
        }
    }
    sight->usable_count++;
}

/* A model that was asked is named in the score, whether or not its image spoke for the item. */
static void use_model(const struct appearance_model *model, struct score_sight *sight)
{
    for (uint32_t i = 0; i < sight->used_count; i++) {
        if (sight->used[i] == model) {
            return;
        }
    }
    sight->used[sight->used_count++] = model;
}

static enum mode mode_of(const struct score_input *input)
{
    return input->scans_count > 0          ? input->scans[0].scan->mode
           : input->declarations_count > 0 ? input->declarations[0]->mode
                                           : MODE_UNKNOWN;
}

static void gather_scan(struct score *self, const struct score_scan *scan,
                        uint32_t *item_image_index, struct score_case *out)
{
    const struct appearance_model *model = score_appearance_of(self, scan->scan->scanner_type);
    for (uint32_t i = 0; i < scan->scan->images_count; i++, (*item_image_index)++) {
        if (score_is_companion(scan->scan, i)) {
            continue;
        }
        out->sight.images_count++;
        const char *why = refusal_of(self, scan, i);
        if (why != NULL) {
            out->refusal = why;
            continue;
        }
        if (model != NULL) {
            use_model(model, &out->sight);
        }
        struct working working;
        uint32_t height = model != NULL ? model->working_height : out->working_height;
        working_make(&self->working, &scan->scan->images[i], scan->pixels[i], height, &working);
        const uint8_t *low_pixels = NULL;
        const struct image *low = low_of(self, scan, i, &low_pixels);
        if (low != NULL && (out->sight.usable_count == 0 ||
                            (model != NULL && (model->has_finder || model->lump.present)))) {
            working.low_pixels = working_make_low(&self->working, low, low_pixels, &working);
        }
        see_image(self, scan, i, &working, out);
        look(self, scan, i, *item_image_index, &working, &out->sight);
        if (out->sight.usable_count == 1 &&
            score_consistency_asks(self, out, scan->scan->scanner_type, &working)) {
            const struct score_view view = {scan->scan->scanner_type,
                                            &scan->scan->images[i],
                                            scan->pixels[i],
                                            low,
                                            low_pixels,
                                            &working,
                                            height};
            score_see_cargo(self, &view, out); /* last: it makes a working image of its own */
        }
    }
}

void score_gather_images(struct score *self, const struct score_input *input,
                         struct score_case *out)
{
    struct score_sight *sight = &out->sight;
    *sight = (struct score_sight){
        .scans_count = input->scans_count,
        .quality = 1,
        .z = NAN,
        .finder_logit = NAN,
        .cargo_window = consistency_has_cargo_window(mode_of(input)),
        .measure = {.filled_share = NAN, .loaded_logit = NAN, .dense_share = NAN}};
    uint32_t item_image_index = 0;
    for (uint32_t s = 0; s < input->scans_count; s++) {
        gather_scan(self, &input->scans[s], &item_image_index, out);
    }
    out->scanner_type = input->scans_count > 0 ? input->scans[0].scan->scanner_type : "";
    sight->quality = score_rounded(sight->quality);
    sight->z = score_rounded(sight->z);
    sight->finder_logit = score_rounded(sight->finder_logit);
    sight->measured.sharpness = score_rounded(sight->measured.sharpness);
    sight->measured.contrast_to_noise = score_rounded(sight->measured.contrast_to_noise);
    sight->measured.saturated_share = score_rounded(sight->measured.saturated_share);
    sight->measure.filled_share = score_rounded(sight->measure.filled_share);
    sight->measure.mass_index = score_rounded(sight->measure.mass_index);
    sight->measure.ratio = score_rounded(sight->measure.ratio);
    sight->measure.loaded_logit = score_rounded(sight->measure.loaded_logit);
    sight->measure.dense_share = score_rounded(sight->measure.dense_share);
}

static void add_region(struct score_result *result, struct entry_region region)
{
    must(result->score.regions_count < ENTRY_REGIONS_MAX);
    struct entry_region *to = &result->score.regions[result->score.regions_count++];
    /* Member by member: the bytes between them stay 0, for those who compare scores as bytes. */
    to->image_index = region.image_index;
    to->x = region.x;
    to->y = region.y;
    to->width = region.width;
    to->height = region.height;
    to->score = region.score;
}

static void add_appearance(const struct score *self, const struct score_sight *sight,
                           struct score_result *result)
{
    double held = sight->z < self->fusion.appearance_low    ? self->fusion.appearance_low
                  : sight->z > self->fusion.appearance_high ? self->fusion.appearance_high
                                                            : sight->z;
    if (sight->lump_kg > 0) {
        fusion_add(result, "appearance", self->fusion.appearance * held,
                   "image %" PRIu32 " shows a lump of about %.0f kg that the load around it does "
                   "not (%.1f spreads from normal for %.30s); %" PRIu32 " marked",
                   sight->image_index + 1, sight->lump_kg, sight->z,
                   sight->judged_by->name + strlen(APPEARANCE_PREFIX), sight->regions_count);
    } else {
        fusion_add(result, "appearance", self->fusion.appearance * held,
                   "image %" PRIu32 " looks %.1f spreads %s than normal for %.40s; %" PRIu32
                   " regions marked",
                   sight->image_index + 1, fabs(sight->z), sight->z >= 0 ? "stranger" : "plainer",
                   sight->judged_by->name + strlen(APPEARANCE_PREFIX), sight->regions_count);
    }
    for (uint32_t i = 0; i < sight->regions_count; i++) {
        const struct appearance_region *region = &sight->regions[i];
        add_region(result, (struct entry_region){.image_index = sight->image_index,
                                                 .x = region->x,
                                                 .y = region->y,
                                                 .width = region->width,
                                                 .height = region->height,
                                                 .score = region->score});
    }
}

static void add_found(const struct score_sight *sight, struct score_result *result)
{
    double held = sight->finder_logit < 0                  ? 0
                  : sight->finder_logit > finder_logit_max ? finder_logit_max
                                                           : sight->finder_logit;
    double percent = 100 * finder_probability(sight->finder_logit);
    if (sight->found_count == 0) { /* or a replay that has no images */
        fusion_add(result, "finder", finder_weight * held,
                   "nothing looks like what officers marked (best %.0f%%)", percent);
        return;
    }
    const struct finder_box *best = &sight->found[0];
    fusion_add(result, "finder", finder_weight * held,
               "looks like what officers marked: %.0f%%, image %" PRIu32 " region %" PRIu32
               ",%" PRIu32 " %" PRIu32 "x%" PRIu32,
               percent, sight->found_image_index + 1, best->x, best->y, best->width, best->height);
    for (uint32_t i = 0; i < sight->found_count; i++) {
        const struct finder_box *box = &sight->found[i];
        add_region(result, (struct entry_region){.image_index = sight->found_image_index,
                                                 .x = box->x,
                                                 .y = box->y,
                                                 .width = box->width,
                                                 .height = box->height,
                                                 .score = finder_probability(box->logit)});
    }
}

/* What the scanner delivered. It weighs nothing; scores of before it was measured have none. */
static void add_image_quality(const struct score_sight *sight, struct score_result *result)
{
    const struct image_quality *measured = &sight->measured;
    fusion_add(result, "quality.image", 0,
               "image: sharpness %.2f, contrast %.0f times the noise, %.0f%% of it black, %" PRIu32
               " dead rows, %" PRIu32 " dead columns",
               measured->sharpness, measured->contrast_to_noise, 100 * measured->saturated_share,
               measured->dead_rows, measured->dead_columns);
}

static void add_missing(const struct score *self, const struct score_case *of,
                        struct score_result *result)
{
    const struct score_sight *sight = &of->sight;
    if (sight->scans_count == 0) {
        fusion_add(result, "scan.none", 0, "no scan yet: judged by declaration alone");
        return;
    }
    if (sight->usable_count < sight->images_count) {
        fusion_add(result, "scan.unreadable", 0,
                   "%" PRIu32 " of %" PRIu32 " images could not be used: %s",
                   sight->images_count - sight->usable_count, sight->images_count,
                   of->refusal != NULL ? of->refusal : "");
    }
    if (sight->usable_count > 0 && sight->judged_by == NULL) {
        bool installed = of->worded && score_appearance_of(self, of->scanner_type) != NULL;
        fusion_add(result, "appearance.none", 0,
                   installed ? "the appearance model for scanner type %.40s does not fit this image"
                             : "no appearance model for scanner type %.40s",
                   of->worded ? of->scanner_type : "");
    }
}

void score_weigh_images(const struct score *self, const struct score_case *of,
                        struct score_result *result)
{
    const struct score_sight *sight = &of->sight;
    if (!isnan(sight->finder_logit)) {
        add_found(sight, result);
    }
    if (sight->judged_by != NULL) {
        add_appearance(self, sight, result);
    }
    if (sight->usable_count > 0) {
        consistency_judge(&sight->measure, &of->declared, sight->cargo_window, sight->measured_by,
                          &self->fusion, result);
        score_weigh_consistency(of, result);
    }
    if (sight->has_measured && of->fusion_count > FUSION_DEAD_COLUMNS) {
        add_image_quality(sight, result);
    }
    add_missing(self, of, result);
}
