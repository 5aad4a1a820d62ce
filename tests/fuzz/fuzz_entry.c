/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proto/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* What decodes as a good entry encodes, and decodes to the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static uint8_t arena_bytes[2][ENTRY_ARENA_BYTES];
    static uint8_t encoded[2][2 * 65536];
    static struct entry first;
    static struct entry second;
    struct arena arena;
    arena_init(&arena, arena_bytes[0], sizeof arena_bytes[0]);
    if (entry_decode(bytes, bytes_count, &arena, &first) != ENTRY_GOOD) {
        return 0;
    }
    size_t stamp = entry_encode_stamp(first.n, first.t_ns, encoded[0], sizeof encoded[0]);
    size_t rest = entry_encode_rest(&first, encoded[0] + stamp, sizeof encoded[0] - stamp);
    if (stamp == 0 || rest == 0) {
        abort();
    }
    arena_init(&arena, arena_bytes[1], sizeof arena_bytes[1]);
    enum entry_fault fault = entry_decode(encoded[0], stamp + rest, &arena, &second);
    if (fault == ENTRY_TOO_LONG) {
        return 0; /* texts of numbers grew beyond the format when written the one right way */
    }
    size_t again = entry_encode_rest(&second, encoded[1], sizeof encoded[1]);
    if (fault != ENTRY_GOOD || again != rest || memcmp(encoded[0] + stamp, encoded[1], rest) != 0) {
        abort();
    }
    return 0;
}
