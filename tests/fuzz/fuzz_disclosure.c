/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proto/disclosure.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* What is read lies within the input and is spelled in one way only: written again, with the salt
 * and name that were read, it gives the same bytes. */
static void check(const uint8_t *bytes, size_t bytes_count, const struct disclosure *found)
{
    const uint8_t *end = bytes + bytes_count;
    if (found->encoded < bytes || found->encoded + found->encoded_bytes > end ||
        found->value + found->value_bytes != found->encoded + found->encoded_bytes ||
        found->salt < found->encoded || strlen(found->name) > DISCLOSURE_NAME_BYTES_MAX) {
        abort();
    }
    if (found->salt_bytes != DISCLOSURE_SALT_BYTES) {
        return;
    }
    uint8_t *again = malloc(DISCLOSURE_BYTES_MAX + DISCLOSURE_FRAME_BYTES);
    if (again == NULL) {
        abort();
    }
    size_t framed = disclosure_write(found->salt, found->name, found->value, found->value_bytes,
                                     again, DISCLOSURE_BYTES_MAX + DISCLOSURE_FRAME_BYTES);
    if (framed != 0 &&
        (framed != DISCLOSURE_FRAME_BYTES + (size_t)found->encoded_bytes ||
         memcmp(again + DISCLOSURE_FRAME_BYTES, found->encoded, found->encoded_bytes) != 0)) {
        abort();
    }
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    struct disclosure_walk walk;
    struct disclosure found;
    size_t covered = 0;
    if (disclosure_parse(bytes, bytes_count, &found)) {
        check(bytes, bytes_count, &found);
    }
    disclosure_walk_open(bytes, bytes_count, &walk);
    while (disclosure_next(&walk, &found)) {
        check(bytes, bytes_count, &found);
        covered += DISCLOSURE_FRAME_BYTES + found.encoded_bytes;
    }
    if (walk.broken == (covered == bytes_count)) {
        abort();
    }
    return 0;
}
