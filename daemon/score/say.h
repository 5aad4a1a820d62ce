/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_SAY_H
#define SCORE_SAY_H

/* Say: numbers as people read them in reasons. Pure. */

#include <stdint.h>

#define SAY_BYTES 32u

/* "12,000": rounded to the nearest whole; values beyond 999,999,999,999 are cut there. */
void say_count(double value, char out[SAY_BYTES]);
/* The same to two significant figures: "4,100". For estimates, which should not look more exact
 * than they are. */
void say_about(double value, char out[SAY_BYTES]);
/* "exam", "exams". */
const char *say_plural(uint64_t count, const char *one, const char *many);

#endif
