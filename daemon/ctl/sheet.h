/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_SHEET_H
#define CTL_SHEET_H

/* Sheet: two panes with the same picture, one as it is and one with what is painted over it, so
 * that no colour hides what an officer wants to see. Wide pictures stand below one another, others
 * side by side; small ones are magnified by whole pixels. */

#include <stdbool.h>
#include <stdint.h>

#include "ctl/overlay.h"

struct sheet {
    uint8_t *rgb; /* width * height * 3; owned */
    uint32_t width;
    uint32_t height;
    uint32_t zoom; /* pixels of the sheet for one of the picture, each way */
    uint32_t second_x;
    uint32_t second_y;
};

/* For pictures of this size; false without memory. The caller closes it. */
bool sheet_open(uint32_t width, uint32_t height, struct sheet *out);
/* pane 0 is the left or upper one, 1 the other. The picture has the size the sheet was opened for.
 */
void sheet_place(struct sheet *self, unsigned pane, const struct overlay *picture);
void sheet_close(struct sheet *self);

#endif
