/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_SAY_H
#define SCORE_SAY_H

/* Say: numbers as people read them in reasons. Pure. */

#include <stddef.h>
#include <stdint.h>

#define SAY_BYTES 32u

/* "12,000": rounded to the nearest whole; values beyond 999,999,999,999 are cut there. */
void say_count(double value, char out[SAY_BYTES]);
/* The same to two significant figures: "4,100". For estimates, which should not look more exact
 * than they are. */
void say_about(double value, char out[SAY_BYTES]);
/* Pieces one after the other: for reasons, which are written a hundred thousand times a second.
 * What does not fit is cut; the text always ends. bytes >= 1. */
struct say_line {
    char *text;
    size_t bytes;
    size_t used;
};
void say_begin(struct say_line *self, char *text, size_t bytes);
void say_add(struct say_line *self, const char *piece);
void say_add_number(struct say_line *self, uint64_t number);

/* "exam", "exams". */
const char *say_plural(uint64_t count, const char *one, const char *many);

#endif
