/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WITNESS_KEY_H
#define WITNESS_KEY_H

/* Witness key: DIR/witness.seed (0600, 64 hexadecimal digits, the Ed25519 seed) and
 * DIR/witness.vkey (its verifier key with the witness's name). Made once, never written over: with
 * another key it is another witness. */

#include "base/err.h"
#include "proto/note.h"

struct witness_key {
    struct sign_key key; /* locked in memory where the system allows it */
    struct note_vkey vkey;
};

/* CONFLICT when a key is there already; ARGUMENT when the name is no key name. */
MUST_USE struct err witness_key_make(const char *directory, const char *name);
/* KEY, with why (ERR_TEXT_BYTES), when a file is missing, open to others, or the two do not belong
 * together. Wipe when done. */
MUST_USE struct err witness_key_read(const char *directory, struct witness_key *out, char *why);
void witness_key_wipe(struct witness_key *self);
/* The verifier key alone, which needs no secret; out has NOTE_VKEY_BYTES_MAX. */
MUST_USE struct err witness_key_text(const char *directory, char *out);

#endif
