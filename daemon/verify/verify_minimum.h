/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_MINIMUM_H
#define VERIFY_MINIMUM_H

/* Verify minimum: the file `minimum` of a shard says which bundles were taken out on purpose, and
 * an entry of the log must say so too. What it allows is the absence of bundles, nothing else. */

#include "verify/verify_report.h"

/* Into shard->minimum. One that is malformed, or above the size, is a problem and allows nothing.
 */
void verify_minimum_read(struct verify_report *report, struct verify_shard *shard);
/* After the last entry of all shards. whole: they are all here, so that the entry must be. */
void verify_minimum_finish(struct verify_report *report, bool whole);

#endif
