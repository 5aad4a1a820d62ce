/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/witness_logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"

enum { LOGS_FILE_BYTES_MAX = 65536 };

static struct err logs_take(struct witness_logs *self, char *line, const char *path,
                            unsigned number, char *why)
{
    line += strspn(line, " \t");
    line[strcspn(line, " \t\r")] = '\0';
    if (line[0] == '\0' || line[0] == '#') {
        return err_none;
    }
    if (self->count == WITNESS_LOGS_MAX) {
        (void)snprintf(why, ERR_TEXT_BYTES, "%.150s: more than %u keys", path, WITNESS_LOGS_MAX);
        return err_make(ERR_KEY, "logs");
    }
    if (!note_vkey_decode(line, &self->keys[self->count])) {
        (void)snprintf(why, ERR_TEXT_BYTES, "%.150s:%u: not the verifier key of a log", path,
                       number);
        return err_make(ERR_KEY, "logs");
    }
    self->count++;
    return err_none;
}

struct err witness_logs_read(const char *path, struct witness_logs *out, char *why)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    (void)snprintf(why, ERR_TEXT_BYTES, "%.150s: cannot be read", path);
    struct err err = durable_read(path, LOGS_FILE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    out->count = 0;
    char *line = (char *)bytes;
    for (unsigned number = 1; !err_is(err) && line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        err = logs_take(out, line, path, number, why);
        line = end == NULL ? NULL : end + 1;
    }
    free(bytes);
    return err;
}

/* A key of this origin that the line says it is by; NULL when there is none. */
static const struct note_vkey *logs_key(const struct witness_logs *self, const char *origin,
                                        const struct note_signature *line)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->keys[i].name, origin) == 0 && note_signature_is_by(line, &self->keys[i])) {
            return &self->keys[i];
        }
    }
    return NULL;
}

static bool logs_know(const struct witness_logs *self, const char *origin)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->keys[i].name, origin) == 0) {
            return true;
        }
    }
    return false;
}

enum witness_trust witness_logs_judge(const struct witness_logs *self, const char *note,
                                      size_t note_bytes, char *out)
{
    struct checkpoint checkpoint;
    size_t signed_bytes = 0;
    size_t at = 0;
    size_t written = 0;
    out[0] = '\0';
    if (!checkpoint_split(note, note_bytes, &checkpoint, &signed_bytes, &at)) {
        return WITNESS_UNTRUSTED;
    }
    if (!logs_know(self, checkpoint.origin)) {
        return WITNESS_UNKNOWN_ORIGIN;
    }
    while (at < note_bytes) {
        struct note_signature line;
        if (!note_signature_next(note, note_bytes, &at, &line)) {
            return WITNESS_UNTRUSTED;
        }
        const struct note_vkey *key = logs_key(self, checkpoint.origin, &line);
        if (key == NULL) {
            continue;
        }
        if (line.bytes_count != SIGN_SIGNATURE_BYTES ||
            !sign_verify(key->public_key, note, signed_bytes, line.bytes)) {
            return WITNESS_UNTRUSTED;
        }
        memcpy(out + written, line.line, line.line_bytes); /* out is as long as a note can be */
        written += line.line_bytes;
        out[written++] = '\n';
        out[written] = '\0';
    }
    return written > 0 ? WITNESS_TRUSTED : WITNESS_UNTRUSTED;
}
