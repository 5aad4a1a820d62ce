/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_TREE_H
#define VERIFY_TREE_H

/* Verify tree: every bundle is cut, every entry hashed, every tile compared with the hashes of the
 * entries, every root with the signed ones. Streams: memory does not grow with the log. Works with
 * a thread a processor; the story is told in order, on the caller's. */

#include "verify/verify_checkpoints.h"
#include "verify/verify_report.h"
#include "verify/verify_story.h"

/* Walk the entries below heads->newest; tells the story each one. progress: a bar on standard
 * error. */
MUST_USE struct err verify_tree_walk(struct verify_report *report, struct verify_shard *shard,
                                     struct verify_heads *heads, struct verify_story *story,
                                     bool progress);

#endif
