/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PART_READ_H
#define SCORE_PART_READ_H

/* Part read: the parts of a declaration and of its lines as digests under a key. What counts as the
 * same value is the same as without a key (part_digest.h), but for numbers: an amount is its four
 * first digits and its power of ten, rounded once in binary; a rate is rounded to a tenth of a
 * percent, half upwards. No allocation; any thread. */

#include "score/history_kind.h"

/* Names of codes in `other`, two spellings each, in the order of part_read_name. */
enum { PART_NAMES = 16 };
extern const char *const part_names[PART_NAMES];

/* digests[part * stride]. Those of a declaration: all of them, 0 where only a line tells. */
void part_read_declaration(const struct part_key *key, const struct declaration *declaration,
                           size_t stride, uint64_t *digests);
void part_read_line(const struct part_key *key, const struct goods_line *line, size_t stride,
                    uint64_t *digests);

/* The same of many lines at once, the lines of a block: texts and numbers are gathered first, then
 * digested column by column. Where the codes in `other` stand is kept from one declaration to the
 * next, and looked for again when its names are others. One thread. */
enum { PART_TEXTS = 14, PART_NUMBERS = 6 };
struct part_block {
    struct text_row names;     /* of `other` in the declaration before */
    int8_t places[PART_NAMES]; /* where it has each name first; -1: nowhere */
    const char *texts[PART_TEXTS][HISTORY_LANES];
    uint64_t numbers[PART_NUMBERS][HISTORY_LANES];
    uint64_t there[PART_NUMBERS]; /* a bit a line */
};
/* lane 0 begins a block. line may be NULL: a declaration without lines. is_next: another line of
 * the declaration in the lane before. What is pointed at must stay until the digests are made. */
void part_block_put(const struct part_key *key, const struct declaration *declaration,
                    const struct goods_line *line, bool is_next, uint32_t lane,
                    struct part_block *block);
/* The digests of the first lanes_count lanes; what is in lanes beyond means nothing. */
void part_block_digest(const struct part_key *key, struct part_block *block, uint32_t lanes_count,
                       uint64_t digests[PART_COUNT][HISTORY_LANES]);

#endif
