/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_WITNESS_REQUEST_H
#define PROTO_WITNESS_REQUEST_H

/* Witness request: the body of add-checkpoint of C2SP tlog-witness, read and written: a size that
 * the witness holds, the proof that the tree only grew since, and the new checkpoint. Pure;
 * caller's memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/note.h"

#define WITNESS_PROOF_HASHES_MAX 63u
/* Longest body: "old " and 20 digits, 63 lines of base64, an empty line, a checkpoint, a zero. */
#define WITNESS_REQUEST_BYTES_MAX (25u + 45u * WITNESS_PROOF_HASHES_MAX + 1u + NOTE_BYTES_MAX + 1u)

struct witness_request {
    uint64_t old_size;
    uint32_t hashes_count;
    uint8_t hashes[WITNESS_PROOF_HASHES_MAX][HASH_BYTES];
    const char *note; /* the checkpoint, not terminated; points into the body */
    size_t note_bytes;
};

enum witness_request_fault {
    WITNESS_REQUEST_GOOD,
    WITNESS_REQUEST_TOO_LONG,
    WITNESS_REQUEST_OLD_LINE,   /* not "old " and a number */
    WITNESS_REQUEST_HASH,       /* a line that is no SHA-256 in base64 */
    WITNESS_REQUEST_HASHES,     /* more of them than a proof can have */
    WITNESS_REQUEST_CUT,        /* it ends before the empty line */
    WITNESS_REQUEST_CHECKPOINT, /* behind it there is no three-line checkpoint with signature lines
                                 */
    WITNESS_REQUEST_OLD_SIZE    /* older than what it is said to follow */
};

const char *witness_request_fault_text(enum witness_request_fault fault);

/* Form alone: no signature and no proof is checked. *out and *checkpoint are written when GOOD. */
enum witness_request_fault witness_request_read(const char *body, size_t body_bytes,
                                                struct witness_request *out,
                                                struct checkpoint *checkpoint);
/* Zero-terminated; out needs WITNESS_REQUEST_BYTES_MAX. Returns the length. */
size_t witness_request_write(const struct witness_request *request, char *out);
/* The same without empty line and checkpoint: what a proof file holds. */
size_t witness_request_write_proof(const struct witness_request *request, char *out);

#endif
