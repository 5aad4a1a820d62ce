/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"
#include "score/finder_threat.h"

enum { LEVEL_MAX = FINDER_SET_LEVEL_MAX, LEVEL_INVALID = FINDER_SET_LEVEL_INVALID };

static const double box_least = 4.0;
static const double box_usual = 12.0; /* without any box */
/* Transmissions of e^-16 are beyond every detector; one level is 0.00025. */
static const double transmission_kept = 16.0;
/* A network that looks far costs more a pixel: smaller crops, as many minutes. */
enum { CROP_CALIBRATED_MAX = 256 };

void finder_set_init(struct finder_set *self, enum image_meaning meaning, uint32_t reduction)
{
    *self = (struct finder_set){.input = finder_input_default(meaning), .reduction = reduction};
    self->kept_max = meaning == IMAGE_TRANSMISSION ? transmission_kept : self->input.a_max;
    self->transmission = meaning == IMAGE_TRANSMISSION;
    self->upright = true;
}

void finder_set_fini(struct finder_set *self)
{
    for (uint32_t i = 0; i < self->image_count; i++) {
        free(self->images[i].levels);
        free(self->images[i].low_levels);
        free(self->images[i].truths);
    }
    for (uint32_t i = 0; i < self->threat_count; i++) {
        finder_threat_fini(&self->threats[i]);
    }
    free(self->threats);
    free(self->images);
    memset(self, 0, sizeof *self);
}

static bool reserve(struct finder_set *self)
{
    if (self->image_count < self->image_room) {
        return true;
    }
    uint32_t room = 2 * self->image_room + 64;
    struct finder_set_image *images = realloc(self->images, room * sizeof *images);
    if (images == NULL) {
        return false;
    }
    self->images = images;
    self->image_room = room;
    return true;
}

uint16_t finder_set_level(double kept_max, float attenuation)
{
    float level = attenuation * (float)(LEVEL_MAX / kept_max);
    level = level > 0 ? level : 0; /* NaN: 0 */
    return (uint16_t)floorf((level < LEVEL_MAX ? level : LEVEL_MAX) + 0.5f);
}

/* Returns the highest level. */
static uint32_t store(const float *pixels, const uint8_t *valid, size_t count, double kept_max,
                      uint16_t *out)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t level = finder_set_level(kept_max, pixels[i]);
        highest = valid[i] != 0 && level > highest ? level : highest;
        out[i] = valid[i] != 0 ? level : LEVEL_INVALID;
    }
    return highest;
}

MUST_USE struct err finder_set_add(struct finder_set *self, const struct finder_set_add *image)
{
    const struct working *working = image->working;
    size_t count = working->width * working->height;
    if (self->pixels + count > FINDER_SET_PIXELS_MAX ||
        self->image_count >= FINDER_SET_IMAGES_MAX) {
        return err_make(ERR_POOL_EMPTY, "finder_set_add: training images beyond the limit");
    }
    uint32_t truth_count =
        image->truth_count < FINDER_TRUTHS_MAX ? image->truth_count : FINDER_TRUTHS_MAX;
    struct finder_set_image kept = {
        .levels = malloc(count * sizeof(uint16_t)),
        .low_levels = image->low_pixels != NULL ? malloc(count * sizeof(uint16_t)) : NULL,
        .width = (uint32_t)working->width,
        .height = (uint32_t)working->height,
        .truths = calloc(truth_count + 1, sizeof(struct finder_truth)),
        .truth_count = truth_count,
        .group = image->group,
        .number = image->number};
    if (kept.levels == NULL || kept.truths == NULL || !reserve(self) ||
        (image->low_pixels != NULL && kept.low_levels == NULL)) {
        free(kept.levels);
        free(kept.low_levels);
        free(kept.truths);
        return err_make(ERR_MEMORY, "finder_set_add");
    }
    uint32_t highest = store(working->pixels, working->valid, count, self->kept_max, kept.levels);
    if (image->low_pixels != NULL) {
        (void)store(image->low_pixels, working->valid, count, self->kept_max, kept.low_levels);
    }
    memcpy(kept.truths, image->truths, truth_count * sizeof *kept.truths);
    self->images[self->image_count++] = kept;
    self->pixels += count;
    self->level_highest = highest > self->level_highest ? highest : self->level_highest;
    self->pitch_mm = self->pitch_mm > 0 ? self->pitch_mm : image->pitch_mm;
    uint32_t side = kept.width > kept.height ? kept.width : kept.height;
    self->side_max = side > self->side_max ? side : self->side_max;
    self->height_max = kept.height > self->height_max ? kept.height : self->height_max;
    self->upright = self->upright && kept.width >= 2 * kept.height;
    return err_none;
}

double finder_set_box(const struct finder_set *self)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->image_count; i++) {
        count += self->images[i].truth_count;
    }
    double *sides = count > 0 ? calloc(count, sizeof *sides) : NULL;
    if (sides == NULL) {
        return box_usual;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < self->image_count; i++) {
        for (uint32_t k = 0; k < self->images[i].truth_count; k++) {
            const struct finder_truth *truth = &self->images[i].truths[k];
            sides[at++] =
                sqrt((double)(truth->right - truth->left) * (double)(truth->bottom - truth->top));
        }
    }
    statistics_sort(sides, count);
    double box = statistics_quantile(sides, count, 0.5);
    free(sides);
    return box > box_least ? box : box_least;
}

uint32_t finder_set_crop_side(const struct finder_set *self)
{
    uint32_t most = self->calibrated && self->upright ? self->height_max : self->side_max;
    uint32_t limit = self->calibrated ? CROP_CALIBRATED_MAX : FINDER_CROP_MAX;
    uint32_t side = (most + 7) / 8 * 8;
    return side < limit ? side : limit;
}

MUST_USE struct err finder_restored_init(struct finder_restored *self, const struct finder_set *set)
{
    *self = (struct finder_restored){.width_max = 1, .height_max = 1};
    for (uint32_t i = 0; i < set->image_count; i++) {
        const struct finder_set_image *image = &set->images[i];
        self->width_max = image->width > self->width_max ? image->width : self->width_max;
        self->height_max = image->height > self->height_max ? image->height : self->height_max;
    }
    size_t pixels = self->width_max * self->height_max;
    self->working.pixels = malloc(pixels * sizeof(float));
    self->working.valid = malloc(pixels);
    self->low_pixels = malloc(pixels * sizeof(float));
    bool whole =
        self->working.pixels != NULL && self->working.valid != NULL && self->low_pixels != NULL;
    return whole ? err_none : err_make(ERR_MEMORY, "images of a finder's set");
}

void finder_restored_fini(struct finder_restored *self)
{
    free(self->working.pixels);
    free(self->working.valid);
    free(self->low_pixels);
    memset(self, 0, sizeof *self);
}

const float *finder_restored_take(struct finder_restored *self, const struct finder_set *set,
                                  uint32_t index)
{
    const struct finder_set_image *image = &set->images[index];
    const float scale = (float)(set->kept_max / LEVEL_MAX);
    size_t count = (size_t)image->width * image->height;
    self->working.width = image->width;
    self->working.height = image->height;
    for (size_t i = 0; i < count; i++) {
        self->working.valid[i] = image->levels[i] != LEVEL_INVALID;
        self->working.pixels[i] = (float)image->levels[i] * scale;
        if (image->low_levels != NULL) {
            self->low_pixels[i] = (float)image->low_levels[i] * scale;
        }
    }
    return image->low_levels != NULL ? self->low_pixels : NULL;
}
