/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "proto/note.h"

#define SIGNATURE_MARK "\xe2\x80\x94 " /* em dash (U+2014), space */

size_t checkpoint_sign_also(const struct checkpoint *checkpoint, const struct sign_key *key,
                            char *text, size_t text_bytes)
{
    char alone[NOTE_BYTES_MAX];
    size_t alone_bytes = checkpoint_sign(checkpoint, key, alone);
    const char *line = strstr(alone, "\n\n") + 2; /* an origin has no newline */
    size_t line_bytes = alone_bytes - (size_t)(line - alone);
    memcpy(text + text_bytes, line, line_bytes + 1);
    return text_bytes + line_bytes;
}

/* Where the signatures begin, behind three lines and an empty one; NULL when they do not. */
static const char *signatures_of(const char *text, size_t text_bytes, size_t *origin_bytes)
{
    const char *at = text;
    const char *end = text + text_bytes;
    for (int line = 0; line < 4; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL || (line == 3) != (newline == at)) {
            return NULL;
        }
        *origin_bytes = line == 0 ? (size_t)(newline - at) : *origin_bytes;
        at = newline + 1;
    }
    return at;
}

static bool line_is_of(const char *line, size_t line_bytes, const char *name, size_t name_bytes)
{
    size_t mark_bytes = strlen(SIGNATURE_MARK);
    return line_bytes > mark_bytes + name_bytes && memcmp(line, SIGNATURE_MARK, mark_bytes) == 0 &&
           memcmp(line + mark_bytes, name, name_bytes) == 0 && line[mark_bytes + name_bytes] == ' ';
}

bool checkpoint_strip(const char *text, size_t text_bytes, char *out, size_t *out_bytes,
                      uint32_t *lines)
{
    size_t origin_bytes = 0;
    const char *end = text + text_bytes;
    const char *at =
        text_bytes > NOTE_BYTES_MAX ? NULL : signatures_of(text, text_bytes, &origin_bytes);
    if (at == NULL) {
        return false;
    }
    size_t written = (size_t)(at - text);
    memcpy(out, text, written);
    *lines = 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return false;
        }
        size_t line_bytes = (size_t)(newline - at) + 1;
        if (line_is_of(at, line_bytes, text, origin_bytes)) {
            memcpy(out + written, at, line_bytes);
            written += line_bytes;
            ++*lines;
        }
        at = newline + 1;
    }
    out[written] = '\0';
    *out_bytes = written;
    return true;
}
