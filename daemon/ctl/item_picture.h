/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ITEM_PICTURE_H
#define CTL_ITEM_PICTURE_H

/* Item picture: an item's image with the anomaly map over it. The image with a region, else the
 * largest one that is not a low-energy companion; pixels from the blob store, or from the sealed
 * archive file when the blob is gone; the map is made anew by the appearance model that the score
 * entry names. */

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl.h"

struct json_t;

struct item_picture {
    const char *path;   /* of the PNG */
    bool has_region;    /* only this part, once, as it is */
    uint32_t region[4]; /* x, y, width, height in pixels of the image; the sides are not 0 */
    uint32_t width;     /* 0: as large as it is; else once, as it is, at most this wide and high */
    uint32_t height;
};

/* item: what ctl_show gathered. Writes the PNG and says so on standard error; returns an exit code.
 */
int item_picture_write(struct ctl *ctl, const struct json_t *item,
                       const struct item_picture *options);

#endif
