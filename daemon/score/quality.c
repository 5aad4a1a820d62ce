/* SPDX-License-Identifier: Apache-2.0 */
#include "score/quality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Limits from looking at real scans, MODELS.md: below this contrast (95th minus 5th percentile of
 * attenuation) even the tyres cannot be seen; noise of a tenth of the contrast hides small objects.
 */
static const double contrast_good = 0.10;
static const double noise_share_bad = 0.10;
/* Pixels that nothing gets through, above this share, are a load the scanner cannot see into. */
static const double opaque_share_bad = 0.30;

static double held(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static void add_words(struct quality *quality, const char *words)
{
    size_t used = strlen(quality->words);
    (void)snprintf(quality->words + used, sizeof quality->words - used, "%s%s",
                   used > 0 ? ", " : "", words);
}

void quality_of_image(const struct working *working, struct quality *out)
{
    struct image_view view = working_view(working);
    bool transmission = working->calibration.meaning == IMAGE_TRANSMISSION;
    double opaque = transmission ? -log((double)working->calibration.floor) * 0.98 : 0.99;
    const double thresholds[IMAGE_SHARE_COUNT] = {opaque, opaque, opaque, opaque};
    struct image_statistics statistics;
    image_statistics(&view, working->valid, thresholds, &statistics);
    *out = (struct quality){.value = 1};
    if (statistics.valid_count == 0) {
        out->value = 0;
        add_words(out, "nothing valid in the image");
        return;
    }
    char text[48];
    if (statistics.invalid_share > 0.10) {
        (void)snprintf(text, sizeof text, "%.0f%% of the image invalid",
                       100 * statistics.invalid_share);
        add_words(out, text);
    }
    if (statistics.contrast < contrast_good) {
        (void)snprintf(text, sizeof text, "contrast only %.3f", statistics.contrast);
        add_words(out, text);
    }
    double noise_share = statistics.contrast > 0 ? statistics.noise / statistics.contrast : 1;
    if (noise_share > noise_share_bad) {
        add_words(out, "noisy");
    }
    if (statistics.share_above[0] > opaque_share_bad) {
        (void)snprintf(text, sizeof text, "%.0f%% opaque", 100 * statistics.share_above[0]);
        add_words(out, text);
    }
    out->value = (1 - held(statistics.invalid_share)) * held(statistics.contrast / contrast_good) *
                 held(1 - (noise_share - noise_share_bad)) *
                 held(1 - (statistics.share_above[0] - opaque_share_bad));
}

void quality_of_declaration(const struct declaration *declaration, struct quality *out)
{
    const struct goods_line *line = declaration->lines_count > 0 ? &declaration->lines[0] : NULL;
    const struct {
        bool there;
        const char *name;
    } fields[] = {
        {declaration->importer[0] != '\0', "importer"},
        {declaration->seller[0] != '\0', "seller"},
        {declaration->declarant[0] != '\0', "declarant"},
        {declaration->departure_country[0] != '\0', "departure"},
        {declaration->declared_empty || (line != NULL && line->hs_code[0] != '\0'), "HS code"},
        {declaration->declared_empty || (line != NULL && line->origin_country[0] != '\0'),
         "origin"},
        {declaration->declared_empty || declaration->gross_mass_kg > 0 ||
             (line != NULL && line->net_mass_kg > 0),
         "mass"},
        {declaration->declared_empty || (line != NULL && line->value > 0), "value"},
    };
    const size_t count = sizeof fields / sizeof fields[0];
    size_t there = 0;
    *out = (struct quality){.value = 0};
    for (size_t i = 0; i < count; i++) {
        there += fields[i].there;
        if (!fields[i].there) {
            add_words(out, fields[i].name);
        }
    }
    out->value = (double)there / (double)count;
}
