/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_OPTIONS_H
#define IMAGE_OPTIONS_H

/* Image options: which images of a folder, of every command that reads one: --list and --skip-list,
 * and where a sample will do --every and --offset. A command names one of the arrays as its argp's
 * children and answers ARGP_KEY_INIT with state->child_inputs[0] = a struct image_folder_conf *;
 * the directory is its own option. */

#include <argp.h>

#include "feeds/image_folder.h"

extern const struct argp_child image_list_children[];   /* the lists */
extern const struct argp_child image_sample_children[]; /* these and the others */

/* Every image of up to 2^28 pixels, as a truck's; site, scanner and scanner type are called after
 * what is done with them, as there is no port. */
struct image_folder_conf image_options_default(const char *purpose);

#endif
