/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_COSIGNATURE_H
#define PROTO_COSIGNATURE_H

/* Cosignature: C2SP tlog-cosignature, version 1 over Ed25519: a witness's statement that at a time
 * this was the largest consistent tree of the log that it had seen. Pure; caller's memory.
 *
 * The signed message does not name the witness, so one key must never serve two witnesses. */

#include <stdint.h>

#include "proto/note.h"

#define COSIGNATURE_SIGNATURE_BYTES (8u + SIGN_SIGNATURE_BYTES) /* time, Ed25519 */
#define COSIGNATURE_TEXT_BYTES_MAX 256u /* longest three-line checkpoint text is 195 */

enum cosignature_fault {
    COSIGNATURE_GOOD,
    COSIGNATURE_OTHER_KEY,  /* name or key id is not the witness's: not for us to judge */
    COSIGNATURE_LENGTH,     /* not a time and an Ed25519 signature */
    COSIGNATURE_TIME_RANGE, /* 2^63 or later */
    COSIGNATURE_FORGED      /* the signature does not fit text and time */
};

const char *cosignature_fault_text(enum cosignature_fault fault);

/* The cosignature line over a checkpoint's text (its three lines, up to
 * COSIGNATURE_TEXT_BYTES_MAX), with newline and zero; out needs NOTE_LINE_BYTES_MAX. Returns its
 * length. name is the witness's; time_s < 2^63. */
size_t cosignature_make(const char *text, size_t text_bytes, const char *name,
                        const struct sign_key *key, uint64_t time_s, char *out);
/* A signature line against the text it is said to cover. *time_s is written when GOOD. */
enum cosignature_fault cosignature_check(const char *text, size_t text_bytes,
                                         const struct note_signature *line,
                                         const struct note_vkey *witness, uint64_t *time_s);

#endif
