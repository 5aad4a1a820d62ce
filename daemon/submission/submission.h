/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUBMISSION_H
#define SUBMISSION_H

/* Submission: takes a published checkpoint to the witnesses of a quorum file (C2SP tlog-policy and
 * tlog-witness), collects their cosignatures, and shows the checkpoint with them once the quorum is
 * met: checkpoints/<size>.cosigned, written once, and checkpoint.cosigned, which only goes forward.
 *
 * Promises: a witness that saw a larger or another tree than this log has is an error
 * (LOG_ROLLED_BACK), never a line in a diary. A witness that does not answer is no error: it is
 * asked more and more rarely. Does not promise that the quorum is ever met. Threads: one owner;
 * submission_health from any. Blocks on network (timeout) and disk. */

#include <stdint.h>

#include "base/err.h"
#include "base/conf.h"
#include "base/err.h"
#include "proto/quorum.h"

struct submission;

struct submission_conf {
    const char *public_directory; /* the shard: holds vkey, checkpoint, checkpoints/, tile/ */
    const char *policy_file;
    int64_t timeout_ns;  /* of one request */
    int64_t interval_ns; /* between rounds; the first pause after a failure is twice as long */
};

/* Reads a quorum file. CONF_INVALID with why (CONF_WHY_BYTES) naming file and line; IO. */
MUST_USE struct err submission_policy_read(const char *path, struct quorum *out, char *why);

/* Errors: CONF_INVALID (why: CONF_WHY_BYTES), LOG_ROLLED_BACK when checkpoint.cosigned is newer
 * than the log, IO, MEMORY. */
MUST_USE struct err submission_open(const struct submission_conf *conf, struct submission **out,
                                    char *why);
void submission_close(struct submission **self);

/* One round for the checkpoint that lies in the public directory now: asks every witness with a URL
 * that is due (with only_well: those that answered the last time). Does nothing when the quorum was
 * met at its size. Errors: LOG_ROLLED_BACK, IO, DISK_FULL, MEMORY, SOCKET. */
MUST_USE struct err submission_round(struct submission *self, bool only_well);
/* Some cosignature lines that came another way (a stick, paper), for the checkpoint of this size.
 * Each must be of a witness of the policy and verify: else ARGUMENT with why (CONF_WHY_BYTES), and
 * nothing is taken. */
MUST_USE struct err submission_bring(struct submission *self, uint64_t size, const char *lines,
                                     size_t lines_bytes, char *why);

/* What a witness has signed and no receipt was written of. */
struct submission_receipt {
    uint32_t witness; /* of the policy */
    const char *name; /* of its key; these live until the next round */
    uint64_t size;
    uint8_t root[HASH_BYTES];
    const char *line; /* without its newline */
};
/* The next receipt that is due: signed since the last one, which is older than min_ns. False when
 * there is none. */
bool submission_receipt_due(const struct submission *self, int64_t min_ns,
                            struct submission_receipt *out);
void submission_receipt_written(struct submission *self, const struct submission_receipt *receipt);

/* Members of a JSON object, without its braces: "quorum":"met", ... Returns the bytes written. Any
 * thread. */
size_t submission_health(struct submission *self, char *out, size_t out_capacity);

#endif
