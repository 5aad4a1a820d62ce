/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_IMAGE_GROUPS_H
#define CTL_IMAGE_GROUPS_H

/* Image groups: which images are versions of one scan, so that they never stand on both sides of a
 * split. */

#include <stdbool.h>
#include <stdint.h>

/* path: a table image,group, or NULL: then the names tell (marked_images_stem()). Groups are
 * numbered in the order of their names. An image that the table does not have is in the group its
 * name tells. False when it was told why not. */
bool image_groups_assign(const char *path, char *const *names, uint32_t count, uint32_t *groups,
                         uint32_t *group_count);
#endif
