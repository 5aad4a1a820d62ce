/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_MODEL_NAMED_H
#define CTL_MODEL_NAMED_H

/* Model named: what kind of model a command line names, before its options are parsed: each kind
 * has options of its own. */

#define MODEL_NAMED_KIND_BYTES 64u

/* The kind of the file that --model names, the last one if several do; "" when none is named or the
 * file cannot be read: whoever parses the options then tells why. Blocks on the disk. */
void model_named_kind(int argc, char **argv, char kind[MODEL_NAMED_KIND_BYTES]);

#endif
