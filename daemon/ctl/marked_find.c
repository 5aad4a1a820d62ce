/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/marked_images.h"
#include "score/image_scorer.h"
#include "score/score_companion.h"

/* A finder at work on the images of a set, as it would be on a scanner's: the same planes, the same
 * whole numbers. */

struct looking {
    struct finder_restored restored;
    struct finder_space space;
};

static bool looking_open(const struct marked_images *self, const struct finder_model *finder,
                         struct looking *out)
{
    *out = (struct looking){0};
    return !err_is(finder_restored_init(&out->restored, &self->set)) &&
           !err_is(finder_space_fit(&out->space, finder, out->restored.width_max,
                                    out->restored.height_max));
}

static void looking_close(struct looking *self)
{
    finder_restored_fini(&self->restored);
    finder_space_fini(&self->space);
}

/* Heats from -16 to 16 in steps of a 64th. */
static size_t heat_index(float heat)
{
    float index = (heat + 16.0f) * (MARKED_HEATS / 32.0f);
    index = index > 0 ? index : 0; /* NaN: 0 */
    return index < MARKED_HEATS - 1 ? (size_t)index : MARKED_HEATS - 1;
}

static void tally(const struct finder_set_image *image, const float *outputs,
                  struct marked_cells *cells)
{
    const size_t width = finder_cells(image->width);
    for (size_t y = 0; y < finder_cells(image->height); y++) {
        for (size_t x = 0; x < width; x++) {
            float right = ((float)x + 0.5f) * FINDER_CELL;
            float down = ((float)y + 0.5f) * FINDER_CELL;
            int within = 0;
            for (uint32_t k = 0; k < image->truth_count; k++) {
                const struct finder_truth *truth = &image->truths[k];
                within |= right >= truth->left && right <= truth->right && down >= truth->top &&
                          down <= truth->bottom;
            }
            float heat = outputs[(y * width + x) * FINDER_OUTPUTS];
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
                     uint32_t index, struct looking *looking, struct marked_cells *cells,
                     struct froc_mark *out)
{
    struct finder_box boxes[FINDER_BOXES_MAX];
    const struct marked_size *size = &self->sizes[index];
    const struct finder_set_image *kept = &self->set.images[index];
    const struct image image = {.width = size->width, .height = size->height};
    struct working *working = &looking->restored.working;
    const float *low_pixels = finder_restored_take(&looking->restored, &self->set, index);
    working->factor = size->factor;
    uint32_t count = finder_run(&looking->space, finder, working, low_pixels, &image, boxes);
    if (cells != NULL) {
        tally(kept, looking->space.cells, cells);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct finder_box *box = &boxes[i];
        out[i] = (struct froc_mark){
            .box = {box->x, box->y, box->width, box->height}, .score = box->logit, .image = index};
    }
    return count;
}

static bool is_chosen(const struct marked_choice *choice, uint32_t index)
{
    return choice->chosen == NULL || choice->chosen[index] == choice->value;
}

bool marked_images_find(const struct marked_images *self, const struct finder_model *finder,
                        const struct marked_choice *choice, struct marked_cells *cells,
                        struct froc_mark **marks, uint32_t *mark_count)
{
    struct looking looking;
    uint32_t count = 0;
    bool whole = looking_open(self, finder, &looking);
    struct froc_mark *found =
        calloc((size_t)self->set.image_count * FINDER_BOXES_MAX + 1, sizeof *found);
    whole = whole && found != NULL;
    for (uint32_t i = 0; whole && i < self->set.image_count; i++) {
        if (is_chosen(choice, i)) {
            count += look(self, finder, i, &looking, cells, found + count);
        }
    }
    looking_close(&looking);
    if (!whole) {
        free(found);
        ctl_refuse("no memory");
        return false;
    }
    *marks = found;
    *mark_count = count;
    return true;
}

/* Marks on the image that what was drawn belongs to; those on other views are not judged. */
static uint32_t score_scan(struct image_scorer *scorer, const struct folder_scan *scan,
                           uint32_t number, struct froc_mark *out)
{
    static struct image_marks marks;
    uint32_t count = 0;
    uint32_t main_index = score_main_image(&scan->scan, NULL);
    image_scorer_run(scorer, &scan->scan, scan->pixels, &marks);
    for (uint32_t i = 0; i < marks.marks_count; i++) {
        const struct image_mark *mark = &marks.marks[i];
        if (mark->image_index == main_index) {
            out[count++] = (struct froc_mark){.box = {mark->x, mark->y, mark->width, mark->height},
                                              .score = mark->score,
                                              .image = number};
        }
    }
    return count;
}

bool marked_images_score(const struct marked_images *self, const struct image_folder *folder,
                         struct image_scorer *scorer, const struct marked_choice *choice,
                         struct froc_mark **marks, uint32_t *mark_count)
{
    uint32_t count = 0;
    struct froc_mark *found =
        calloc((size_t)self->set.image_count * IMAGE_SCORER_MARKS_MAX + 1, sizeof *found);
    if (found == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    for (uint32_t i = 0; i < self->set.image_count; i++) {
        char why[FOLDER_WHY_BYTES] = "";
        struct folder_scan *scan = NULL;
        if (!is_chosen(choice, i)) {
            continue;
        }
        struct err err = image_folder_read(folder, self->set.images[i].number, &scan, why);
        if (err_is(err)) {
            free(found);
            ctl_refuse("%s: %s", self->names[i], why);
            return false;
        }
        count += score_scan(scorer, scan, i, found + count);
        folder_scan_close(&scan);
    }
    *marks = found;
    *mark_count = count;
    return true;
}
