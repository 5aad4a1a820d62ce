/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEED_PROGRESS_H
#define FEED_PROGRESS_H

/* Feed progress: a line that rewrites itself on a terminal (ten times a second), a plain line every
 * five seconds otherwise; both on standard error. Also the closing summary. */

#include <stddef.h>
#include <stdint.h>

#include "feeds/feed.h"

#define FEED_PROGRESS_BYTES 200u

/* The line as text, without the bar's control characters; elapsed since the start in seconds. */
void feed_progress_text(const struct feed *self, const struct feed_sink_counts *counts,
                        double elapsed_s, char out[FEED_PROGRESS_BYTES]);
/* Show it when it is time to. */
void feed_progress_show(struct feed *self);
/* Before any other line goes to standard error: wipes the bar. */
void feed_progress_clear(const struct feed *self);
void feed_progress_summary(const struct feed *self, const struct feed_sink_counts *counts,
                           int exit_code);

#endif
