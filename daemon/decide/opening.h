/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECIDE_OPENING_H
#define DECIDE_OPENING_H

/* Opening: what exams a place can do at a moment, or over some hours, by the bays that policy lists
 * for it and their hours of the day, UTC. A place without bays has the capacity of its site or mode
 * around the clock. Pure. */

#include <stdint.h>

#include "decide/policy.h"

/* Exams an hour at this moment. */
double opening_per_hour(const struct policy *policy, enum mode mode, const char *site,
                        int64_t t_ns);
/* Exams an hour when every bay is open. */
double opening_per_hour_most(const struct policy *policy, enum mode mode, const char *site);
/* Exams from from_ns until to_ns; 0 when that is not later. */
double opening_exams(const struct policy *policy, enum mode mode, const char *site, int64_t from_ns,
                     int64_t to_ns);

#endif
