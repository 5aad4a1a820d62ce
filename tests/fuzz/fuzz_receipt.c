/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proto/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* What reads has one spelling: written again it is the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static char again[RECEIPT_BYTES_MAX];
    static uint8_t extra[RECEIPT_EXTRA_BYTES_MAX];
    struct receipt receipt;
    size_t extra_bytes = 0;
    if (receipt_read((const char *)bytes, bytes_count, &receipt) != RECEIPT_GOOD) {
        return 0;
    }
    bool has_extra = receipt_extra(&receipt, extra, sizeof extra, &extra_bytes);
    if (has_extra != (receipt.extra_text != NULL) || receipt.checkpoint_bytes > NOTE_BYTES_MAX) {
        return 0; /* extra that is no base64, a checkpoint that is too long: refused later on */
    }
    size_t written =
        receipt_write(&receipt, has_extra ? extra : NULL, extra_bytes, again, sizeof again);
    if (written != bytes_count || memcmp(again, bytes, bytes_count) != 0) {
        abort();
    }
    return 0;
}
