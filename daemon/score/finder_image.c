/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_image.h"

MUST_USE struct err finder_line_fit(struct finder_line *self, const struct finder_model *model)
{
    if (!self->ready) {
        struct err err = working_init(&self->working, WORKING_HEIGHT_MAX);
        if (err_is(err)) {
            return err;
        }
        self->ready = true;
    }
    return finder_space_fit(&self->space, model, (size_t)WORKING_HEIGHT_MAX * WORKING_ASPECT,
                            WORKING_HEIGHT_MAX);
}

void finder_line_fini(struct finder_line *self)
{
    if (self->ready) {
        working_fini(&self->working);
        finder_space_fini(&self->space);
    }
    self->ready = false;
}

/* As working_make() will reduce it. */
static size_t factor_of(const struct image *image, uint32_t height_max)
{
    return image_reduce_factor(image->width, image->height, (size_t)height_max * WORKING_ASPECT,
                               height_max);
}

uint32_t finder_line_run(struct finder_line *self, const struct finder_model *model,
                         const struct finder_view *view, struct finder_box out[FINDER_BOXES_MAX])
{
    const struct image *image = view->image;
    uint32_t wanted = finder_working_height(model->reduction, image->height);
    uint32_t height = wanted < WORKING_HEIGHT_MAX ? wanted : WORKING_HEIGHT_MAX;
    if (view->made != NULL && view->made->factor == factor_of(image, height)) {
        return finder_run(&self->space, model, view->made, view->made->low_pixels, image, out);
    }
    struct working working;
    working_make(&self->working, image, view->pixels, height, &working);
    if (view->low_image != NULL) {
        working.low_pixels =
            working_make_low(&self->working, view->low_image, view->low_pixels, &working);
    }
    return finder_run(&self->space, model, &working, working.low_pixels, image, out);
}
