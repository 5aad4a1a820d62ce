/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_IMAGE_GROUPS_H
#define CTL_IMAGE_GROUPS_H

/* Image groups: which images are versions of one scan, so that they never stand on both sides of a
 * split. */

#include <stdbool.h>
#include <stdint.h>

struct image_groups_conf {
    const char *path; /* a table image,group, or NULL: then names tell (marked_images_stem()) */
    char *const *names;
    const char *const *second_names; /* of pairs of energies, which the table may use as well; each
                                        NULL where there is none */
    uint32_t count;
};

/* groups[count], numbered in the order of their names. An image that the table does not have is in
 * the group its name tells; a table that has none of them is refused. False when it was told why
 * not. */
bool image_groups_assign(const struct image_groups_conf *conf, uint32_t *groups,
                         uint32_t *group_count);
#endif
