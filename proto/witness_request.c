/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/witness_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OLD_WORD "old "
#define OLD_WORD_BYTES 4u
#define HASH_TEXT_BYTES 44u

const char *witness_request_fault_text(enum witness_request_fault fault)
{
    switch (fault) {
    case WITNESS_REQUEST_GOOD:
        return "good";
    case WITNESS_REQUEST_TOO_LONG:
        return "longer than a request can be";
    case WITNESS_REQUEST_OLD_LINE:
        return "the first line is not 'old' and a size";
    case WITNESS_REQUEST_HASH:
        return "a proof line is not a hash in base64";
    case WITNESS_REQUEST_HASHES:
        return "more than 63 proof lines";
    case WITNESS_REQUEST_CUT:
        return "no empty line behind the proof";
    case WITNESS_REQUEST_CHECKPOINT:
        return "no signed checkpoint of three lines behind the empty line";
    case WITNESS_REQUEST_OLD_SIZE:
        return "the old size is larger than the checkpoint's";
    }
    return "unknown";
}

/* The line at *at, without its newline; NULL when there is no newline left. */
static const char *line_take(const char *body, size_t body_bytes, size_t *at, size_t *line_bytes)
{
    const char *line = body + *at;
    const char *end = *at == body_bytes ? NULL : memchr(line, '\n', body_bytes - *at);
    if (end == NULL) {
        return NULL;
    }
    *line_bytes = (size_t)(end - line);
    *at += *line_bytes + 1;
    return line;
}

static enum witness_request_fault hashes_read(const char *body, size_t body_bytes, size_t *at,
                                              struct witness_request *out)
{
    out->hashes_count = 0;
    for (;;) { /* every turn takes a line, and there are 64 at most */
        size_t line_bytes = 0;
        size_t hash_bytes = 0;
        const char *line = line_take(body, body_bytes, at, &line_bytes);
        if (line == NULL) {
            return WITNESS_REQUEST_CUT;
        }
        if (line_bytes == 0) {
            return WITNESS_REQUEST_GOOD;
        }
        if (out->hashes_count == WITNESS_PROOF_HASHES_MAX) {
            return WITNESS_REQUEST_HASHES;
        }
        if (line_bytes != HASH_TEXT_BYTES ||
            !base64_decode(line, line_bytes, out->hashes[out->hashes_count], HASH_BYTES,
                           &hash_bytes) ||
            hash_bytes != HASH_BYTES) {
            return WITNESS_REQUEST_HASH;
        }
        out->hashes_count++;
    }
}

/* Every line behind the text must have the form of a signature, whoever's it is. */
static bool note_has_form(const char *note, size_t note_bytes, struct checkpoint *out)
{
    size_t signed_bytes = 0;
    size_t at = 0;
    if (!checkpoint_split(note, note_bytes, out, &signed_bytes, &at)) {
        return false;
    }
    while (at < note_bytes) {
        struct note_signature signature;
        if (!note_signature_next(note, note_bytes, &at, &signature)) {
            return false;
        }
    }
    return true;
}

enum witness_request_fault witness_request_read(const char *body, size_t body_bytes,
                                                struct witness_request *out,
                                                struct checkpoint *checkpoint)
{
    if (body_bytes >= WITNESS_REQUEST_BYTES_MAX) {
        return WITNESS_REQUEST_TOO_LONG;
    }
    size_t at = 0;
    size_t line_bytes = 0;
    const char *line = line_take(body, body_bytes, &at, &line_bytes);
    if (line == NULL || line_bytes < OLD_WORD_BYTES ||
        memcmp(line, OLD_WORD, OLD_WORD_BYTES) != 0 ||
        !note_decimal_read(line + OLD_WORD_BYTES, line_bytes - OLD_WORD_BYTES, &out->old_size)) {
        return WITNESS_REQUEST_OLD_LINE;
    }
    enum witness_request_fault fault = hashes_read(body, body_bytes, &at, out);
    if (fault != WITNESS_REQUEST_GOOD) {
        return fault;
    }
    out->note = body + at;
    out->note_bytes = body_bytes - at;
    if (!note_has_form(out->note, out->note_bytes, checkpoint)) {
        return WITNESS_REQUEST_CHECKPOINT;
    }
    return out->old_size <= checkpoint->size ? WITNESS_REQUEST_GOOD : WITNESS_REQUEST_OLD_SIZE;
}

size_t witness_request_write_proof(const struct witness_request *request, char *out)
{
    size_t at = (size_t)snprintf(out, 32, OLD_WORD "%" PRIu64 "\n", request->old_size);
    for (uint32_t i = 0; i < request->hashes_count; i++) {
        base64_encode(request->hashes[i], HASH_BYTES, out + at);
        at += HASH_TEXT_BYTES;
        out[at++] = '\n';
    }
    out[at] = '\0';
    return at;
}

size_t witness_request_write(const struct witness_request *request, char *out)
{
    size_t at = witness_request_write_proof(request, out);
    out[at++] = '\n';
    memcpy(out + at, request->note, request->note_bytes);
    at += request->note_bytes;
    out[at] = '\0';
    return at;
}
