/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PART_DIGEST_H
#define SCORE_PART_DIGEST_H

/* Part digest: one value of a declaration as 64 bits, of which keys are mixed. The same value gives
 * the same digest for ever: model files hold keys made of them. Any thread. */

#include <stddef.h>
#include <stdint.h>

#include "score/history_kind.h"

/* 0 for an empty text, never 0 for another. text_bytes <= RECORD_TEXT_BYTES_MAX. */
uint64_t part_digest_text(enum history_part part, const char *text, size_t text_bytes);
/* Of the text that text_of makes of a number; it returns its length, 0 for "none". */
uint64_t part_digest_number(enum history_part part, double number,
                            size_t (*text_of)(double number, char out[24]));

#endif
