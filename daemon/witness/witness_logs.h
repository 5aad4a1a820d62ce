/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WITNESS_LOGS_H
#define WITNESS_LOGS_H

/* Witness logs: the verifier keys of logs that a witness serves, out of a file of one key a line
 * (empty lines and lines with # are skipped). A log whose key changes has two lines for a while.
 * Read once; then only read from. */

#include <stdint.h>

#include "base/err.h"
#include "proto/note.h"

#define WITNESS_LOGS_MAX 256u

struct witness_logs {
    struct note_vkey keys[WITNESS_LOGS_MAX];
    uint32_t count;
};

/* Errors: KEY, with why (ERR_TEXT_BYTES) naming file and line; IO. */
MUST_USE struct err witness_logs_read(const char *path, struct witness_logs *out, char *why);

enum witness_trust {
    WITNESS_TRUSTED,
    WITNESS_UNKNOWN_ORIGIN,
    WITNESS_UNTRUSTED /* no line by a key of this origin, or one that does not verify */
};

/* Judges the signature lines of a note by the keys of its origin; copies the lines that verify,
 * with their newlines, to out (NOTE_BYTES_MAX, zero-terminated). */
enum witness_trust witness_logs_judge(const struct witness_logs *self, const char *note,
                                      size_t note_bytes, char *out);

#endif
