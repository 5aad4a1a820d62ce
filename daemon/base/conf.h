/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

/* Conf: triaged.conf as a struct, driven by conf_table.h, and a reader of other files in the same
 * syntax (libconfig). An unknown or repeated key, a wrong type or a value out of range refuses the
 * file with its line. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

#define CONF_TEXT_BYTES 256u
#define CONF_WHY_BYTES 512u

struct conf {
#define CONF_TEXT(group, key, standard, reloadable, sentence) char group##_##key[CONF_TEXT_BYTES];
#define CONF_INT(group, key, standard, min, max, unit, reloadable, sentence) int64_t group##_##key;
#define CONF_REAL(group, key, standard, min, max, unit, reloadable, sentence) double group##_##key;
#define CONF_BOOL(group, key, standard, reloadable, sentence) bool group##_##key;
#include "base/conf_table.h"
#undef CONF_TEXT
#undef CONF_INT
#undef CONF_REAL
#undef CONF_BOOL
    char file[CONF_TEXT_BYTES]; /* where it was read from; "" for the defaults */
};

void conf_defaults(struct conf *out);
/* why: CONF_WHY_BYTES, says file:line and reason when the error is CONF_INVALID. */
MUST_USE struct err conf_read(const char *path, struct conf *out, char *why);
/* The whole configuration with every key, its unit, bounds and sentence, as a file that conf_read
 * takes. The caller frees *out. This text is what the digest in config.change is taken of. */
MUST_USE struct err conf_print(const struct conf *conf, char **out);
MUST_USE struct err conf_digest(const struct conf *conf, uint8_t out[HASH_BYTES]);
/* path, or store.directory/path when it is relative; out has out_capacity bytes. */
MUST_USE struct err conf_path(const struct conf *conf, const char *path, char *out,
                              size_t out_capacity);

/* ---- other files in the same syntax
 * ------------------------------------------------------------------------------------ */

struct conf_tree;

MUST_USE struct err conf_tree_open(const char *path, struct conf_tree **out, char *why);
void conf_tree_close(struct conf_tree **self);
/* Values by path ("modes.truck.random_rate", "sites.[0].name"). False when absent or of another
 * type: *line (may be NULL) is then 0 when absent, else the line of the value. Integers are taken
 * for reals. */
bool conf_tree_real(const struct conf_tree *self, const char *path, double *out, int *line);
bool conf_tree_bool(const struct conf_tree *self, const char *path, bool *out, int *line);
/* Lives as long as the tree. */
const char *conf_tree_text(const struct conf_tree *self, const char *path, int *line);
/* Number of members of a group or list; -1 when there is none of this name. */
int conf_tree_count(const struct conf_tree *self, const char *path);
/* Name of member `index` of a group ("" for list members) and its line; NULL when out of range. */
const char *conf_tree_name(const struct conf_tree *self, const char *path, int index, int *line);

#endif
