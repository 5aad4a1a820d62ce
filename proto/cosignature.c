/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/cosignature.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The header line keeps the message apart from what logs sign: no text of a checkpoint begins with
 * it, for the second line of a checkpoint is a number. */

#define MESSAGE_BYTES_MAX (COSIGNATURE_TEXT_BYTES_MAX + 64u)
#define TIME_BYTES 8u

const char *cosignature_fault_text(enum cosignature_fault fault)
{
    switch (fault) {
    case COSIGNATURE_GOOD:
        return "good";
    case COSIGNATURE_OTHER_KEY:
        return "of another key";
    case COSIGNATURE_LENGTH:
        return "not a timestamped Ed25519 signature";
    case COSIGNATURE_TIME_RANGE:
        return "time out of range";
    case COSIGNATURE_FORGED:
        return "the signature does not fit the checkpoint";
    }
    return "unknown";
}

/* Returns the message's length; 0 when the text is no checkpoint's. */
static size_t message_write(const char *text, size_t text_bytes, uint64_t time_s,
                            char out[MESSAGE_BYTES_MAX])
{
    if (text_bytes > COSIGNATURE_TEXT_BYTES_MAX) {
        return 0;
    }
    int head_bytes = snprintf(out, MESSAGE_BYTES_MAX, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    memcpy(out + head_bytes, text, text_bytes);
    return (size_t)head_bytes + text_bytes;
}

size_t cosignature_make(const char *text, size_t text_bytes, const char *name,
                        const struct sign_key *key, uint64_t time_s, char *out)
{
    char message[MESSAGE_BYTES_MAX];
    uint8_t signature[COSIGNATURE_SIGNATURE_BYTES];
    struct note_vkey vkey;
    size_t message_bytes = message_write(text, text_bytes, time_s, message);
    for (unsigned i = 0; i < TIME_BYTES; i++) {
        signature[i] = (uint8_t)(time_s >> (56 - 8 * i));
    }
    sign_bytes(key, message, message_bytes, signature + TIME_BYTES);
    note_vkey_make_typed(NOTE_KEY_WITNESS, &vkey, name, key->public_key);
    return note_signature_write(vkey.name, vkey.key_id, signature, sizeof signature, out);
}

enum cosignature_fault cosignature_check(const char *text, size_t text_bytes,
                                         const struct note_signature *line,
                                         const struct note_vkey *witness, uint64_t *time_s)
{
    if (!note_signature_is_by(line, witness)) {
        return COSIGNATURE_OTHER_KEY;
    }
    if (line->bytes_count != COSIGNATURE_SIGNATURE_BYTES) {
        return COSIGNATURE_LENGTH;
    }
    uint64_t signed_s = 0;
    for (unsigned i = 0; i < TIME_BYTES; i++) {
        signed_s = signed_s << 8 | line->bytes[i];
    }
    if (signed_s > INT64_MAX) {
        return COSIGNATURE_TIME_RANGE;
    }
    char message[MESSAGE_BYTES_MAX];
    size_t message_bytes = message_write(text, text_bytes, signed_s, message);
    if (message_bytes == 0 ||
        !sign_verify(witness->public_key, message, message_bytes, line->bytes + TIME_BYTES)) {
        return COSIGNATURE_FORGED;
    }
    *time_s = signed_s;
    return COSIGNATURE_GOOD;
}
