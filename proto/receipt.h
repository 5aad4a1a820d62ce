/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_RECEIPT_H
#define PROTO_RECEIPT_H

/* Receipt: C2SP tlog-proof, the text that proves to anybody, offline, that an entry lies in the log
 * under a signed checkpoint. Pure; caller's memory.
 *
 * The "extra" of a receipt of ours is the entry itself, so that the file alone is enough: its
 * reader hashes the extra and finds out whether it is what the log holds. Extra that is not an
 * entry of the log fails that check; it is never believed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/merkle.h"
#include "proto/note.h"

#define RECEIPT_EXTRA_BYTES_MAX 65535u /* an entry of the format */
/* Longest text: header, extra, index, hashes, an empty line, checkpoint, a zero. */
#define RECEIPT_BYTES_MAX                                                                    \
    (32u + 8u + 4u * ((RECEIPT_EXTRA_BYTES_MAX + 2u) / 3u) + 32u + 45u * MERKLE_LEVELS_MAX + \
     NOTE_BYTES_MAX)

struct receipt {
    uint64_t leaf_index;
    uint8_t hashes[MERKLE_LEVELS_MAX][HASH_BYTES]; /* from the leaf's sibling to the root's child */
    uint32_t hashes_count;
    const char *extra_text; /* base64, not terminated; NULL when absent; points into the text */
    size_t extra_text_bytes;
    const char *checkpoint; /* the signed note, not terminated; points into the text */
    size_t checkpoint_bytes;
};

enum receipt_fault {
    RECEIPT_GOOD,
    RECEIPT_MALFORMED,
    RECEIPT_TOO_LONG,
    RECEIPT_CHECKPOINT,   /* the checkpoint is not signed by this key; *note says how */
    RECEIPT_NOT_INCLUDED, /* the leaf does not lead to the checkpoint's root */
};

const char *receipt_fault_text(enum receipt_fault fault);

/* Writes the text, zero-terminated; extra may be NULL. Returns its length, 0 when it exceeds the
 * capacity. checkpoint is taken verbatim. */
size_t receipt_write(const struct receipt *receipt, const uint8_t *extra, size_t extra_bytes,
                     char *out, size_t out_capacity);
/* Views point into the text. MALFORMED or TOO_LONG; nothing is verified. */
enum receipt_fault receipt_read(const char *text, size_t text_bytes, struct receipt *out);
/* The decoded extra; false when absent, malformed or longer than the capacity. */
bool receipt_extra(const struct receipt *receipt, uint8_t *out, size_t out_capacity,
                   size_t *out_bytes);
/* Steps 2 and 4 of the specification: signature of the log's key, inclusion of the leaf. Writes
 * *head and *note when the note could be read. */
enum receipt_fault receipt_check(const struct receipt *receipt, const uint8_t leaf[HASH_BYTES],
                                 const struct note_vkey *vkey, struct checkpoint *head,
                                 enum note_fault *note);

#endif
