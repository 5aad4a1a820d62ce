/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/marked_images.h"

/* A finder at work on the images of a set, as it would be on a scanner's: the same planes, the same
 * whole numbers. */

struct looking {
    struct working working; /* room for the largest image */
    float *low_pixels;
    uint8_t *planes;
    void *planes_space;
    void *net_space;
    float *outputs;
};

static void *aligned_room(size_t bytes)
{
    return aligned_alloc(CONVNET_ALIGNMENT,
                         (bytes + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT);
}

static bool looking_open(const struct marked_images *self, const struct finder_model *finder,
                         struct looking *out)
{
    size_t pixels = 0;
    uint32_t width = 0;
    for (uint32_t i = 0; i < self->set.image_count; i++) {
        const struct finder_set_image *image = &self->set.images[i];
        size_t own = (size_t)(image->width + FINDER_CELL) * (image->height + FINDER_CELL);
        pixels = own > pixels ? own : pixels;
        width = image->width > width ? image->width : width;
    }
    *out = (struct looking){
        .working = {.pixels = malloc(pixels * sizeof(float)), .valid = malloc(pixels)},
        .low_pixels = malloc(pixels * sizeof(float)),
        .planes = malloc(pixels * FINDER_CHANNELS),
        .planes_space = malloc(finder_planes_workspace_bytes(width)),
        .net_space = aligned_room(convnet_workspace_bytes(&finder->net, width)),
        .outputs = malloc(pixels / (FINDER_CELL * FINDER_CELL) * FINDER_OUTPUTS * sizeof(float)),
    };
    return out->working.pixels != NULL && out->working.valid != NULL && out->low_pixels != NULL &&
           out->planes != NULL && out->planes_space != NULL && out->net_space != NULL &&
           out->outputs != NULL;
}

static void looking_close(struct looking *self)
{
    free(self->working.pixels);
    free(self->working.valid);
    free(self->low_pixels);
    free(self->planes);
    free(self->planes_space);
    free(self->net_space);
    free(self->outputs);
}

/* Heats from -16 to 16 in steps of a 64th. */
static size_t heat_index(float heat)
{
    float index = (heat + 16.0f) * (MARKED_HEATS / 32.0f);
    index = index > 0 ? index : 0; /* NaN: 0 */
    return index < MARKED_HEATS - 1 ? (size_t)index : MARKED_HEATS - 1;
}

static void tally(const struct finder_set_image *image, const float *outputs, uint32_t height,
                  uint32_t width, struct marked_cells *cells)
{
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            float right = ((float)x + 0.5f) * FINDER_CELL;
            float down = ((float)y + 0.5f) * FINDER_CELL;
            int within = 0;
            for (uint32_t k = 0; k < image->truth_count; k++) {
                const struct finder_truth *truth = &image->truths[k];
                within |= right >= truth->left && right <= truth->right && down >= truth->top &&
                          down <= truth->bottom;
            }
            float heat = outputs[((size_t)y * width + x) * FINDER_OUTPUTS];
            cells->counts[within][heat_index(heat)]++;
        }
    }
}

double marked_cells_auc(const struct marked_cells *self)
{
    double below = 0, above = 0, objects = 0;
    for (int i = 0; i < MARKED_HEATS; i++) {
        double others = (double)self->counts[0][i];
        above += (double)self->counts[1][i] * (below + others / 2);
        objects += (double)self->counts[1][i];
        below += others;
    }
    return objects > 0 && below > 0 ? above / (objects * below) : NAN;
}

static uint32_t look(const struct marked_images *self, const struct finder_model *finder,
                     uint32_t index, struct looking *space, struct marked_cells *cells,
                     struct froc_mark *out)
{
    struct finder_mark marks[FINDER_MARKS_MAX];
    uint32_t height, width;
    bool has_low = finder_set_restore(&self->set, index, &space->working, space->low_pixels);
    finder_planes(&finder->input, &space->working, has_low ? space->low_pixels : NULL,
                  space->planes_space, space->planes);
    const struct convnet_image image = {space->planes, (uint32_t)space->working.height,
                                        (uint32_t)space->working.width};
    convnet_run(&finder->net, finder->packed, &image, space->net_space, space->outputs);
    convnet_output_size(&finder->net, image.height, image.width, &height, &width);
    if (cells != NULL) {
        tally(&self->set.images[index], space->outputs, height, width, cells);
    }
    uint32_t count = finder_peaks(finder, space->outputs, height, width, marks);
    double factor = self->factors[index];
    for (uint32_t i = 0; i < count; i++) {
        const struct finder_mark *mark = &marks[i];
        double left = fmax(mark->left, 0) * factor;
        double top = fmax(mark->top, 0) * factor;
        double right = fmin(mark->left + mark->width, image.width) * factor;
        double bottom = fmin(mark->top + mark->height, image.height) * factor;
        out[i] = (struct froc_mark){.box = {left, top, right - left, bottom - top},
                                    .score = finder->slope * mark->heat + finder->offset,
                                    .image = index};
    }
    return count;
}

bool marked_images_find(const struct marked_images *self, const struct finder_model *finder,
                        const struct marked_choice *choice, struct marked_cells *cells,
                        struct froc_mark **marks, uint32_t *mark_count)
{
    struct looking space;
    uint32_t count = 0;
    bool whole = looking_open(self, finder, &space);
    struct froc_mark *found =
        calloc((size_t)self->set.image_count * FINDER_MARKS_MAX + 1, sizeof *found);
    whole = whole && found != NULL;
    for (uint32_t i = 0; whole && i < self->set.image_count; i++) {
        if (choice->chosen == NULL || choice->chosen[i] == choice->value) {
            count += look(self, finder, i, &space, cells, found + count);
        }
    }
    looking_close(&space);
    if (!whole) {
        free(found);
        ctl_refuse("no memory");
        return false;
    }
    *marks = found;
    *mark_count = count;
    return true;
}
