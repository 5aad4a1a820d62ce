/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECLARATION_OPTIONS_H
#define DECLARATION_OPTIONS_H

/* Declaration options: --declarations, --mapping and --mode, of every command that reads a table of
 * declarations. A command names `declaration_options_children` as its argp's children and answers
 * ARGP_KEY_INIT with state->child_inputs[0] = a struct declaration_csv_conf *; which of the options
 * it requires it says itself, at ARGP_KEY_END. */

#include <argp.h>

#include "feeds/declaration_csv.h"

extern const struct argp_child declaration_options_children[];

#endif
