/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_QUORUM_H
#define VERIFY_QUORUM_H

/* Verify quorum: what witnesses say about a shard, held against a quorum file (C2SP tlog-policy) of
 * the reader's own: cosigned checkpoints, and witness.receipt entries. One thread.
 *
 * Problems: no checkpoint meets the quorum; a line of a log or witness of the file that is forged;
 * a cosigned checkpoint, or a receipt, of a tree that is not this one. Warnings: entries that came
 * after the newest checkpoint that meets it; older cosigned checkpoints that do not (witnesses may
 * have changed since). */

#include "proto/quorum.h"
#include "verify/verify_checkpoints.h"
#include "verify/verify_report.h"

/* CONF_INVALID: why has VERIFY_LINE_BYTES and names file and line. */
MUST_USE struct err verify_quorum_read(const char *path, struct quorum *out, char *why);

/* Cosigned checkpoints as what they are besides: checkpoints of the log, signed by its key. They
 * are added to the heads that the tree must meet. */
MUST_USE struct err verify_quorum_heads(struct verify_report *report,
                                        const struct verify_shard *shard,
                                        struct verify_heads *heads);

/* After the tree was walked: shard->size and the tiles are then known to be good, or reported. */
MUST_USE struct err verify_quorum(struct verify_report *report, struct verify_shard *shard,
                                  const struct quorum *quorum);

#endif
