/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ITEM_PIXELS_H
#define CTL_ITEM_PIXELS_H

/* Item pixels: pixels of an item's image for drawing, by the reader that the console uses
 * (view/view.h): from the blob, else from the sealed file in the archive or a directory of copies.
 * Main thread. */

#include "ctl/ctl.h"
#include "view/view.h"

/* wanted names image and region; width and height are those of the output. False when told why not.
 * The caller frees with view_fini(). */
bool item_pixels_read(struct ctl *ctl, const struct image_wanted *wanted, uint64_t entry_index,
                      uint32_t width, uint32_t height, struct view *out);

#endif
