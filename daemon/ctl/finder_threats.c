/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/finder_threats.h"

#include <math.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "kernels/statistics.h"
#include "score/finder_threat.h"
#include "score/score_companion.h"

bool finder_threats_read(struct finder_set *set, const struct image_folder *threats)
{
    for (uint32_t i = 0; i < image_folder_count(threats); i++) {
        char why[FOLDER_WHY_BYTES] = "";
        const char *name = image_folder_name(threats, i);
        struct folder_scan *scan = NULL;
        struct projection_threat threat;
        struct err err = image_folder_read(threats, i, &scan, why);
        if (err_is(err)) {
            ctl_refuse("%s: %s", name, why);
            return false;
        }
        err = projection_take(&scan->scan, scan->pixels, &threat);
        folder_scan_close(&scan);
        if (!err_is(err)) {
            err = finder_set_threat(set, &threat);
            projection_threat_fini(&threat);
        }
        if (err_is(err)) {
            ctl_fail(name, err);
            return false;
        }
    }
    return true;
}

/* Of the first image that tells one; 0 when none does. Images that cannot be read are told when
 * they are learnt from. */
static double first_pitch_mm(const struct image_folder *images)
{
    double pitch_mm = 0;
    for (uint32_t i = 0; i < image_folder_count(images) && !(pitch_mm > 0); i++) {
        char why[FOLDER_WHY_BYTES] = "";
        struct folder_scan *scan = NULL;
        uint32_t low_index;
        if (!err_is(image_folder_read(images, i, &scan, why))) {
            pitch_mm = scan->images[score_main_image(&scan->scan, &low_index)].pixel_pitch_mm;
            folder_scan_close(&scan);
        }
    }
    return pitch_mm;
}

bool finder_threats_side(const struct image_folder *images, const struct image_folder *threats,
                         double *side)
{
    struct finder_set scratch; /* of no images, and of the pitch of theirs */
    finder_set_init(&scratch, IMAGE_TRANSMISSION, 1);
    scratch.pitch_mm = first_pitch_mm(images);
    bool good = finder_threats_read(&scratch, threats);
    double *sides = calloc((size_t)scratch.threat_count + 1, sizeof *sides);
    if (good && (sides == NULL || scratch.threat_count == 0)) {
        ctl_refuse(sides == NULL ? "no memory" : "no threats");
        good = false;
    }
    for (uint32_t i = 0; i < scratch.threat_count && good; i++) {
        const struct finder_truth *core = &scratch.threats[i].core;
        sides[i] = sqrt((double)(core->right - core->left) * (double)(core->bottom - core->top));
    }
    if (good) {
        statistics_sort(sides, scratch.threat_count);
        *side = statistics_quantile(sides, scratch.threat_count, 0.5);
    }
    free(sides);
    finder_set_fini(&scratch);
    return good;
}
