/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_SHARE_TELL_H
#define CTL_SHARE_TELL_H

/* Share tell: what share of the traffic the coin draws today, what oversight set as its floor, and
 * why it stands where it does. From the read model, which has it from the day's commitment. */

#include "state/state.h"

struct json_t;

/* New reference: an array, a stratum each; NULL when told. */
struct json_t *share_json(struct state *state);
/* The lines for people; with only_adapting nothing where nothing adapts. Returns an exit code. */
int share_print(const struct json_t *shares, bool only_adapting);

#endif
