/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proto/witness_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* What is read is written again letter by letter: a request has one spelling. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static char again[WITNESS_REQUEST_BYTES_MAX];
    struct witness_request request;
    struct checkpoint checkpoint;
    if (witness_request_read((const char *)bytes, bytes_count, &request, &checkpoint) !=
        WITNESS_REQUEST_GOOD) {
        return 0;
    }
    if (witness_request_write(&request, again) != bytes_count ||
        memcmp(again, bytes, bytes_count) != 0 || request.old_size > checkpoint.size) {
        abort();
    }
    return 0;
}
