/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_H
#define PIPELINE_H

/* Pipeline: the life of a scan, all stages by name. Two lines of threads: the receive line (socket,
 * intake, log, answer) and the judge line, which reads the log behind it (join, score, decide, log
 * again, read model), with the archiver behind both. Threads: open, run and close belong to main.
 */

#include <stdbool.h>

#include "base/conf.h"
#include "decide/policy.h"

struct pipeline;

/* Opens every store, recovers, binds the sockets, catches the read model up with the log and starts
 * the threads. why: CONF_WHY_BYTES, says more than the error where more is known. */
MUST_USE struct err pipeline_open(const struct conf *conf, const struct policy *policy,
                                  struct pipeline **out, char *why);
/* Waits until *stop is set (by a signal), an operator asked for the shard of the log to be closed
 * (then it is), or a stage failed; returns what failed. */
MUST_USE struct err pipeline_run(struct pipeline *self, const volatile bool *stop);
/* Stops the threads in the order of the flow and closes the stores. Accepts NULL. */
void pipeline_close(struct pipeline **self);

#endif
