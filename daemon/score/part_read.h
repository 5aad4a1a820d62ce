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

#endif
