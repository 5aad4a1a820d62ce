/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WITNESS_OFFLINE_H
#define WITNESS_OFFLINE_H

/* Witness offline: cosigning without a network, from files that were carried here: a checkpoint,
 * and either a proof or a copy of the log from whose tiles the proof is made. */

#include <stdint.h>

#include "base/err.h"
#include "witness/witness.h"

struct witness_files {
    const char *checkpoint;    /* NULL: log_directory/checkpoint */
    const char *proof;         /* "old <size>" and hashes, as triagectl log proof prints; or NULL */
    const char *log_directory; /* a shard of the log; or NULL */
};

/* Without proof and log the checkpoint must be the first of its log, or the one already cosigned.
 * Errors: IO, ARGUMENT and NOT_FOUND with why (ERR_TEXT_BYTES), those of witness_add_checkpoint. */
MUST_USE struct err witness_offline_cosign(struct witness *self,
                                           const struct witness_memory *memory,
                                           const struct witness_files *files, uint64_t now_s,
                                           struct witness_answer *out, char *why);

#endif
