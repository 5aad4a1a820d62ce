/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_DECLARATION_SPACE_H
#define SCORE_DECLARATION_SPACE_H

/* Declaration space: what a model of declarations needs to score one block of lines: its trees laid
 * out for blocks, and room for everything on the way. Private to declaration_*.c. Some 600 KB for
 * 250 trees. One thread. */

#include "kernels/oblivious_block.h"
#include "score/declaration_model.h"
#include "score/part_read.h"

_Static_assert(OBLIVIOUS_LANES == HISTORY_LANES, "one block");
_Static_assert((int)LINE_GROUPS <= (int)OBLIVIOUS_HEAVIEST_MAX, "every group can be a reason");

struct declaration_space {
    struct oblivious_plan found;
    struct oblivious_plan critical;
    uint64_t kinds_asked; /* by the trees, and their parents: a bit each */
    void *found_memory;
    void *critical_memory;
    void *workspace; /* of the kernels, 64-byte aligned */
    struct part_block parts_read;
    struct history_block histories;
    struct line_subject subject;
    uint32_t owners[OBLIVIOUS_LANES]; /* index of the declaration */
    uint32_t lines[OBLIVIOUS_LANES];
    float columns[LINE_FEATURES * OBLIVIOUS_LANES];
    int32_t contributions[LINE_GROUPS * OBLIVIOUS_LANES];
    int32_t scores[OBLIVIOUS_LANES];
    int32_t criticals[OBLIVIOUS_LANES];
    int32_t parts[OBLIVIOUS_HEAVIEST_MAX * OBLIVIOUS_LANES];
    int32_t groups[OBLIVIOUS_HEAVIEST_MAX * OBLIVIOUS_LANES];
};

/* For sound trees. ERR_MEMORY. */
MUST_USE struct err declaration_space_open(const struct oblivious_model *found,
                                           const struct oblivious_model *critical,
                                           struct declaration_space **out);
void declaration_space_close(struct declaration_space **self);

#endif
