/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_EVALUATION_JSON_H
#define CTL_EVALUATION_JSON_H

/* Evaluation json: figures of a model on labelled rows, for programs. */

#include "score/evaluation.h"
#include "score/line_buckets.h"

struct json_t;

/* New reference; a figure that cannot be told is null. */
struct json_t *evaluation_json(const struct evaluation *evaluation);

/* An array: one object for each bucket that has rows. */
struct json_t *line_buckets_json(const struct line_bucket buckets[LINE_BUCKETS]);

#endif
