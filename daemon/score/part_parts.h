/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PART_PARTS_H
#define SCORE_PART_PARTS_H

/* Part parts: what reading one line and reading a block of them share. Private to part_read.c and
 * part_block.c. */

#include "score/part_read.h"

/* The texts that a declaration itself says, and of which part each is. */
enum { PART_DECLARED_TEXTS = 13 };
extern const uint8_t part_declared_parts[PART_DECLARED_TEXTS];

/* The value of the first field of each name; others are left as they are. */
void part_find_codes(const struct part_key *key, const struct declaration *declaration,
                     const char *values[PART_NAMES]);
/* values: of the names in `other`; NULL where there is none. */
void part_declared_texts(const struct declaration *declaration,
                         const char *const values[PART_NAMES],
                         const char *texts[PART_DECLARED_TEXTS]);

/* The digits of an HS code, at most six: how many, and the first 2, 4 and 6 of them as numbers. */
uint32_t part_read_hs(const char *code, uint64_t prefixes[3]);
/* What of a number is digested; false when it says nothing (*word is 0 then). */
bool part_amount_word(double amount, uint64_t *word);
bool part_rate_word(double percent, uint64_t *word);

#endif
