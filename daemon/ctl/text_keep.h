/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_TEXT_KEEP_H
#define CTL_TEXT_KEEP_H

/* Text keep: copies of texts that are all forgotten at once. Allocates; what it has it uses again.
 * One thread. */

#include <stdbool.h>
#include <stddef.h>

struct text_chunk;

struct text_keep {
    struct text_chunk *first; /* {NULL, NULL, false}: nothing yet */
    struct text_chunk *last;  /* the one that is being filled */
    bool no_memory;           /* some copy is "" for want of memory */
};

/* Lives until the next text_keep_forget or text_keep_fini; "" and no_memory when there is none. */
const char *text_keep_add(struct text_keep *self, const char *text);
void text_keep_forget(struct text_keep *self);
void text_keep_fini(struct text_keep *self);

#endif
