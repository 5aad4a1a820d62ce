/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "proto/entry.h"
#include "proto/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* Cutting a bundle gives pieces that lie inside it, one behind the other, and ends. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static uint8_t arena_bytes[ENTRY_ARENA_BYTES];
    static struct entry out;
    size_t offset = 0;
    const uint8_t *entry = NULL;
    uint32_t entry_bytes = 0;
    size_t before = 0;
    while (bundle_next(bytes, bytes_count, &offset, &entry, &entry_bytes)) {
        if (entry != bytes + before + 2 || offset != before + 2 + entry_bytes ||
            offset > bytes_count) {
            abort();
        }
        struct arena arena;
        arena_init(&arena, arena_bytes, sizeof arena_bytes);
        (void)entry_fault_text(entry_decode(entry, entry_bytes, &arena, &out));
        before = offset;
    }
    return 0;
}
