/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

/* Team: a few threads that share out the parts of one job at a time, for training. The thread that
 * calls takes part, so a team of one has no thread of its own. One caller at a time. */

#include <stddef.h>

#include "base/err.h"

struct team; /* opaque; team.c */

/* thread_count 1..TEAM_THREADS_MAX, the caller among them. Threads that the system does not give
 * are done without. Errors: MEMORY. */
enum { TEAM_THREADS_MAX = 64 };
MUST_USE struct err team_open(size_t thread_count, struct team **out);

/* Joins the threads; accepts NULL. */
void team_close(struct team **self);

/* As many as one may run at once on this machine, at most `most`. */
size_t team_threads(size_t most);

/* Calls work(argument, part) once for every part below part_count, side by side and in any order;
 * returns when all are done. self is a struct team; its type is what oblivious_team.run asks for.
 */
void team_run(void *self, void (*work)(void *argument, size_t part), void *argument,
              size_t part_count);
#endif
