/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_DECLARATION_SET_H
#define BENCH_DECLARATION_SET_H

/* Declaration set: the rows of a table of declarations as decoded records, in memory, with their
 * labels; and relatives of them: the same goods brought by other people, so that a table of
 * histories can be filled with any number of entities. Ends the program when something fails. One
 * thread. */

#include "score/history.h"

struct declaration_label {
    int64_t t_ns;
    bool found;
    bool critical;
};

struct declaration_set {
    struct declaration *declarations; /* [count], of one line each */
    struct declaration_label *labels; /* [count] */
    struct goods_line *lines;
    size_t count;
    size_t capacity;
    char **texts; /* arenas */
    size_t texts_count;
    char *text;
    size_t text_left;
};

/* Labelled rows of the table at the end of the set. Returns how many. */
size_t declaration_set_read(struct declaration_set *self, const char *path);
/* Declaration `index` with other persons and firms, at the end of the set. */
void declaration_set_relate(struct declaration_set *self, size_t index, unsigned relative);
void declaration_set_free(struct declaration_set *self);

/* A table in which at least `entities` are known, from the set and as many relatives as it takes,
 * which stand at the end of the set after that. */
void declaration_set_fill(struct declaration_set *self, const struct part_key *key,
                          uint64_t entities, struct history_table *out);

#endif
