/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/train_scans.h"

#include "ctl/ctl.h"
#include "score/score_companion.h"

MUST_USE struct err train_scans_add(struct train_appearance *train, const struct folder_scan *scan,
                                    const char *name, uint32_t *skipped)
{
    struct err err = err_none;
    for (uint32_t i = 0; i < scan->scan.images_count && !err_is(err); i++) {
        const struct image *image = &scan->scan.images[i];
        uint32_t low_index = 0;
        if (score_is_companion(&scan->scan, i)) {
            continue;
        }
        struct train_image given = {.image = image, .pixels = scan->pixels[i], .name = name};
        given.low_image = score_low_companion(&scan->scan, i, &low_index);
        given.low_pixels = given.low_image == NULL ? NULL : scan->pixels[low_index];
        err = train_appearance_add(train, &given);
        if (err.code == ERR_IMAGE_UNREADABLE) {
            ctl_fail(name, err);
            ++*skipped;
            err = err_none;
        }
    }
    return err;
}
