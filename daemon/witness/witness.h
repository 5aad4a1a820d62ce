/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WITNESS_H
#define WITNESS_H

/* Witness: judges one add-checkpoint request (C2SP tlog-witness) and cosigns what only grew. Knows
 * no network: the HTTP side and the command line put in bodies and take out answers.
 *
 * Promises: the new checkpoint is on the disk before its cosignature is given away; a smaller or
 * another tree than the remembered one is never cosigned, also after a restart; the time of
 * cosignatures of one log never goes back. One thread at a time. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/note.h"
#include "witness/witness_logs.h"
#include "witness/witness_memory.h"

struct witness;

struct witness_conf {
    const char *name; /* of our key */
    const struct sign_key *key;
    const struct witness_logs *logs;
    struct witness_memory *memory;
}; /* all borrowed while open */

enum witness_status { /* of HTTP */
                      WITNESS_COSIGNED = 200,
                      WITNESS_BAD_REQUEST = 400,
                      WITNESS_FORBIDDEN = 403,
                      WITNESS_NOT_FOUND = 404,
                      WITNESS_CONFLICT = 409,
                      WITNESS_INCONSISTENT = 422
};

struct witness_answer {
    enum witness_status status;
    bool is_size;                   /* text is a tree size: text/x.tlog.size */
    char text[NOTE_LINE_BYTES_MAX]; /* one line with its newline */
    size_t text_bytes;
    char origin[NOTE_ORIGIN_BYTES_MAX + 1]; /* "" when the request could not be read */
    uint64_t size;
};

MUST_USE struct err witness_open(const struct witness_conf *conf, struct witness **out);
void witness_close(struct witness **self);

/* Errors are those of the memory: nothing was cosigned, and the witness must stop (the disk may
 * hold less than it should). Whatever is wrong with the request is an answer. */
MUST_USE struct err witness_add_checkpoint(struct witness *self, const char *body,
                                           size_t body_bytes, uint64_t now_s,
                                           struct witness_answer *out);
/* A page for people: our key, the logs, what was cosigned last. Zero-terminated, cut at capacity.
 */
MUST_USE struct err witness_page(const struct witness *self, char *out, size_t out_capacity);

#endif
