/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/record.h"
#include "score/drift.h"
#include "score/line_consistency.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* What is said of a declaration beside its risk: plain words within the room, finite figures. */
static void say(const struct declaration *declaration)
{
    char told[512];
    struct drift *drift = NULL;
    struct drift_field fields[DRIFT_FIELDS_MAX];
    uint32_t count = 0;
    line_consistency(declaration, told, sizeof told);
    for (const char *at = told; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            abort();
        }
    }
    if (err_is(drift_open(&drift)) || err_is(drift_add(drift, declaration, NAN, false)) ||
        err_is(drift_add(drift, declaration, 0.5, true)) ||
        err_is(drift_make(drift, fields, &count))) {
        abort();
    }
    drift_close(&drift);
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(fields[i].index)) {
            abort();
        }
    }
}

/* A good declaration encodes within its bound and decodes to the same bytes again; a refusal has a
 * name and a field. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static uint8_t arena_bytes[2][RECORD_ARENA_BYTES];
    static uint8_t encoded[2][2 * RECORD_BODY_BYTES_MAX];
    struct arena arena;
    struct declaration first;
    struct declaration second;
    const char *where = NULL;
    arena_init(&arena, arena_bytes[0], sizeof arena_bytes[0]);
    enum refusal refusal = declaration_decode(bytes, bytes_count, &arena, &first, &where);
    if (refusal != REFUSAL_NONE) {
        if (where == NULL || where[0] == '\0' || (unsigned)refusal >= REFUSAL_COUNT) {
            abort();
        }
        return 0;
    }
    say(&first);
    enum key_scheme scheme = KEY_UNKNOWN;
    if (declaration_join_key(&first, &scheme)[0] == '\0' || scheme == KEY_UNKNOWN) {
        abort();
    }
    size_t once = declaration_encode(&first, encoded[0], sizeof encoded[0]);
    if (once == 0 || once > bytes_count) {
        abort(); /* our own encoding is the shortest */
    }
    arena_init(&arena, arena_bytes[1], sizeof arena_bytes[1]);
    refusal = declaration_decode(encoded[0], once, &arena, &second, &where);
    size_t twice = declaration_encode(&second, encoded[1], sizeof encoded[1]);
    if (refusal != REFUSAL_NONE || twice != once || memcmp(encoded[0], encoded[1], once) != 0) {
        abort();
    }
    return 0;
}
