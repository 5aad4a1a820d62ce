/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HS_CHAPTER_H
#define SCORE_HS_CHAPTER_H

/* HS chapter: the first two digits of a Harmonized System code, the section it belongs to, and what
 * it is about in a word or two. Pure. */

#include <stdint.h>

#include "proto/record.h"

#define HS_CHAPTERS 100u /* 1..99; 0: none */
#define HS_SECTIONS 23u  /* 1..21; 22: chapters 98 and 99, of national use; 0: none */

/* 0 when the code does not begin with two digits, or with 00. Dots and blanks between digits are
 * passed over. */
uint32_t hs_chapter_of(const char *hs_code);
uint32_t hs_section_of(uint32_t chapter);
/* "coffee, tea, spices"; "" for none and for those of national use. At most 28 bytes. */
const char *hs_chapter_words(uint32_t chapter);

/* A mixed load looks like none of its chapters; below this share nothing is held against it. */
#define HS_CHAPTER_SHARE_MIN 0.8
/* The chapter that four fifths of the net mass are declared under (of the value, then of the lines,
 * where masses are not told); 0 when there is none, or when something is declared empty. */
uint32_t hs_chapter_declared(const struct declaration *const *declarations, uint32_t count);

#endif
