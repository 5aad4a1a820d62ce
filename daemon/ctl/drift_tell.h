/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRIFT_TELL_H
#define CTL_DRIFT_TELL_H

/* Drift tell: drift figures for people and for programs. */

#include "score/drift.h"

struct json_t;

/* New reference: an array. */
struct json_t *drift_json(const struct drift_field *fields, uint32_t count);
/* Returns an exit code. */
int drift_print(const struct drift_field *fields, uint32_t count);

#endif
