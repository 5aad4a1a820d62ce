/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/image_options.h"

#include "ctl/ctl.h"

/* The keys lie apart from those of commands and of other children: declaration_options.c. */
enum { OPTION_LIST = 0x5000, OPTION_SKIP_LIST, OPTION_EVERY, OPTION_OFFSET };

#define EVERY_MAX 1000000u

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct image_folder_conf *folder = state->input;
    switch (key) {
    case OPTION_LIST:
        folder->list_path = text;
        return 0;
    case OPTION_SKIP_LIST:
        folder->skip_list_path = text;
        return 0;
    case OPTION_EVERY:
        folder->every = (uint32_t)ctl_number(state, "every", text, EVERY_MAX);
        return 0;
    case OPTION_OFFSET:
        folder->offset = (uint32_t)ctl_number(state, "offset", text, EVERY_MAX);
        return 0;
    case ARGP_KEY_END:
        if (folder->offset > 0 && folder->offset >= folder->every) {
            argp_error(state, "--offset must be below --every");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define LISTS                                                                             \
    {"list", OPTION_LIST, "FILE", 0, "only the images named in FILE, one a line", 0},     \
    {                                                                                     \
        "skip-list", OPTION_SKIP_LIST, "FILE", 0, "leave out the images named in FILE", 0 \
    }

static const struct argp_option list_options[] = {LISTS, {0, 0, 0, 0, 0, 0}};

static const struct argp_option sample_options[] = {
    LISTS,
    {"every", OPTION_EVERY, "K", 0, "of what is left, each K-th scan in the order of names", 0},
    {"offset", OPTION_OFFSET, "J", 0, "with --every: begin with the J-th, from 0", 0},
    {0, 0, 0, 0, 0, 0},
};

static const struct argp list_argp = {list_options, parse, NULL, NULL, NULL, NULL, NULL};
static const struct argp sample_argp = {sample_options, parse, NULL, NULL, NULL, NULL, NULL};

const struct argp_child image_list_children[] = {{&list_argp, 0, NULL, 2}, {NULL, 0, NULL, 0}};
const struct argp_child image_sample_children[] = {{&sample_argp, 0, NULL, 2}, {NULL, 0, NULL, 0}};

struct image_folder_conf image_options_default(const char *purpose)
{
    return (struct image_folder_conf){.every = 1,
                                      .pixels_max = UINT64_C(1) << 28,
                                      .mode = MODE_TRUCK,
                                      .site = purpose,
                                      .lane = "",
                                      .scanner = purpose,
                                      .scanner_type = purpose};
}
