/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/declaration_options.h"

/* The keys lie apart from those of commands (0x2000 on) and of the global options (0x1000 on): argp
 * gives every key to every parser until one takes it. */
enum { OPTION_DECLARATIONS = 0x3000, OPTION_MAPPING, OPTION_MODE };

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct declaration_csv_conf *table = state->input;
    switch (key) {
    case OPTION_DECLARATIONS:
        table->path = text;
        return 0;
    case OPTION_MAPPING:
        table->mapping_path = text;
        return 0;
    case OPTION_MODE:
        table->mode = mode_parse(text);
        if (table->mode == MODE_UNKNOWN) {
            argp_error(state, "--mode takes truck, passenger, rail, sea, air or mail, not %s",
                       text);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options_table[] = {
    {"declarations", OPTION_DECLARATIONS, "FILE", 0, "table of declarations", 0},
    {"mapping", OPTION_MAPPING, "FILE", 0,
     "which column of it is what (default: customs-import.json)", 0},
    {"mode", OPTION_MODE, "MODE", 0, "for tables whose mapping names no mode", 0},
    {0, 0, 0, 0, 0, 0},
};

static const struct argp options_argp = {options_table, parse, NULL, NULL, NULL, NULL, NULL};

const struct argp_child declaration_options_children[] = {{&options_argp, 0, NULL, 2},
                                                          {NULL, 0, NULL, 0}};
