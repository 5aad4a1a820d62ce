/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_EMPTINESS_SHEET_H
#define CTL_EMPTINESS_SHEET_H

/* Emptiness sheet: a picture with one thumbnail a row, the box that was found outlined, in the
 * order given, three across. */

#include "ctl/emptiness_rows.h"

/* False when it was told why not. */
bool emptiness_sheet_write(const struct image_folder *folder, const struct emptiness_rows *rows,
                           const uint32_t *order, uint32_t order_count, const char *path);

#endif
