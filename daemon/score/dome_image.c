/* SPDX-License-Identifier: Apache-2.0 */
#include "score/dome_image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Levels are 256ths of an attenuation. A display value says nothing of attenuation, but the same
 * thing darkens it by less the more lies in front of it, as it does a transmission: of its
 * logarithm a dome is about as high wherever it lies. 0.03 is the darkest grey that still tells
 * anything. */

static const double darkest_grey = 0.03;

/* A thing larger than one pixel in 640 of the picture is a part of the load; of small pictures one
 * larger than 16 x 16 pixels. */
enum { AREA_PART = 640, AREA_LEAST = 256 };
/* Around a dome, as a part of the picture's lesser side, is load, or it is an edge or a speck. */
enum { MARGIN_PART = 80, MARGIN_LEAST = 2, AIR_PART = 20 };
/* People draw around a thing, and a dome's box ends at half of its rise: working pixels between. */
enum { DRAWN_AROUND = 2 };

static uint32_t area_max_of(size_t pixels)
{
    return (uint32_t)(pixels / AREA_PART > AREA_LEAST ? pixels / AREA_PART : AREA_LEAST);
}

static void fill_tables(uint16_t *tables)
{
    for (size_t i = 0; i < DOME_LEVELS; i++) {
        double grey = 1 - (double)i / (DOME_LEVELS - 1);
        grey = grey > darkest_grey ? grey : darkest_grey;
        tables[i] = (uint16_t)lrint(-log(grey) * DOME_RISE_LEVELS);
        tables[DOME_LEVELS + i] = (uint16_t)i;
    }
}

MUST_USE struct err dome_line_fit(struct dome_line *self)
{
    if (self->ready) {
        return err_none;
    }
    const size_t width = (size_t)DOME_HEIGHT * WORKING_ASPECT, pixels = width * DOME_HEIGHT;
    struct dome_line made = {
        .ready = true,
        .scratch = calloc(pixels, sizeof(uint16_t)),
        .levels = calloc(pixels, sizeof(uint16_t)),
        .workspace =
            calloc(dome_workspace_words(width, DOME_HEIGHT, area_max_of(pixels)), sizeof(uint32_t)),
        .tables = calloc((size_t)2 * DOME_LEVELS, sizeof(uint16_t)),
    };
    struct err err = working_init(&made.working, DOME_HEIGHT);
    if (!err_is(err) && (made.scratch == NULL || made.levels == NULL || made.workspace == NULL ||
                         made.tables == NULL)) {
        err = err_make(ERR_MEMORY, "dome_line_fit");
    }
    if (err_is(err)) {
        dome_line_fini(&made);
        return err;
    }
    fill_tables(made.tables);
    *self = made;
    return err_none;
}

void dome_line_fini(struct dome_line *self)
{
    if (self->ready) {
        working_fini(&self->working);
        free(self->scratch);
        free(self->levels);
        free(self->workspace);
        free(self->tables);
    }
    self->ready = false;
}

/* Of working pixels first <= pixel < first + count, in original ones, drawn around. */
static void scale_side(uint32_t first, uint32_t count, size_t factor, uint32_t side, uint32_t *from,
                       uint32_t *length)
{
    uint32_t begin = first > DRAWN_AROUND ? first - DRAWN_AROUND : 0;
    uint32_t end = (uint32_t)((first + count + DRAWN_AROUND) * factor);
    end = end < side ? end : side;
    *from = (uint32_t)(begin * factor);
    *length = end - *from;
}

uint32_t dome_line_find(struct dome_line *self, const struct image *image, const uint8_t *pixels,
                        struct appearance_region out[DOME_IMAGE_MAX])
{
    struct working working;
    struct dome domes[DOME_IMAGE_MAX];
    working_make(&self->working, image, pixels, DOME_HEIGHT, &working);
    const struct image_view view = working_view(&working);
    const bool is_transmission = working.calibration.meaning == IMAGE_TRANSMISSION;
    const size_t side = view.width < view.height ? view.width : view.height;
    const struct dome_rule rule = {
        .level_min = (uint32_t)(appearance_air(working.calibration.meaning) * DOME_RISE_LEVELS),
        .rise_min = DOME_RISE_LEAST,
        .area_max = area_max_of(view.width * view.height),
        .margin = (uint32_t)(side / MARGIN_PART > MARGIN_LEAST ? side / MARGIN_PART : MARGIN_LEAST),
        .air_part = AIR_PART};
    dome_levels(&view, working.valid, (float)(is_transmission ? DOME_RISE_LEVELS : DOME_LEVELS - 1),
                self->tables + (is_transmission ? DOME_LEVELS : 0), self->scratch, self->levels);
    size_t count = dome_find(self->levels, view.width, view.height, &rule, self->workspace,
                             DOME_IMAGE_MAX, domes);
    for (size_t i = 0; i < count; i++) {
        const struct dome *dome = &domes[i];
        out[i].score = dome->rise / DOME_RISE_LEVELS;
        scale_side(dome->x, dome->width, working.factor, image->width, &out[i].x, &out[i].width);
        scale_side(dome->y, dome->height, working.factor, image->height, &out[i].y, &out[i].height);
    }
    return (uint32_t)count;
}

/* Into the list, best first; of equal ones the earlier stands first. There is room. */
static void put(struct appearance_region *regions, uint32_t count, struct appearance_region region)
{
    uint32_t at = count;
    for (; at > 0 && regions[at - 1].score < region.score; at--) {
        regions[at] = regions[at - 1];
    }
    regions[at] = region;
}

uint32_t dome_line_add(struct dome_line *self, const struct appearance_model *model,
                       const struct dome_view *view, struct appearance_region *regions,
                       uint32_t regions_count, uint32_t regions_max)
{
    must(regions_max >= 1 && regions_max <= APPEARANCE_REGIONS_MAX && regions_count <= regions_max);
    struct appearance_region domes[DOME_IMAGE_MAX];
    const struct dome_model *placing = &model->dome;
    const uint32_t kept = regions_max / 5 > 1 ? regions_max / 5 : 1;
    uint32_t found = dome_line_find(self, view->image, view->pixels, domes);
    uint32_t domes_count = 0;
    while (domes_count < found && domes[domes_count].score >= view->rise_least) {
        domes_count++;
    }
    for (uint32_t i = 0; i < regions_count; i++) {
        regions[i].score = (regions[i].score - model->image_median) / model->image_spread;
    }
    uint32_t own = regions_count < kept ? regions_count : kept;
    domes_count = domes_count < regions_max - own ? domes_count : regions_max - own;
    uint32_t count =
        regions_count < regions_max - domes_count ? regions_count : regions_max - domes_count;
    for (uint32_t i = 0; i < domes_count; i++) {
        domes[i].score = (domes[i].score - placing->median) / placing->spread;
        put(regions, count++, domes[i]);
    }
    return count;
}
