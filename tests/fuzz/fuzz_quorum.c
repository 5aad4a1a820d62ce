/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proto/quorum.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* A policy, and behind a zero byte, if there is one, a checkpoint to be judged by it. What is met
 * by some witnesses is met by all of them, and nothing but "none" by nobody. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static struct quorum quorum;
    const uint8_t *zero = bytes_count == 0 ? NULL : memchr(bytes, 0, bytes_count);
    size_t policy_bytes = zero == NULL ? bytes_count : (size_t)(zero - bytes);
    enum quorum_vote votes[QUORUM_WITNESSES_MAX] = {QUORUM_ABSENT};
    uint32_t line = 0;
    if (!sign_init()) {
        abort();
    }
    if (quorum_read((const char *)bytes, policy_bytes, &quorum, &line) != QUORUM_GOOD) {
        return 0;
    }
    if (quorum_is_met(&quorum, votes) != (quorum.wanted == 0)) {
        abort();
    }
    if (zero != NULL) {
        struct quorum_tally tally;
        enum quorum_verdict verdict =
            quorum_judge(&quorum, (const char *)zero + 1, bytes_count - policy_bytes - 1, &tally);
        if (verdict == QUORUM_MET && tally.signed_count == 0 && quorum.wanted != 0) {
            abort();
        }
    }
    for (uint32_t i = 0; i < quorum.witnesses_count; i++) {
        votes[i] = QUORUM_SIGNED;
    }
    if (!quorum_is_met(&quorum, votes)) {
        abort();
    }
    return 0;
}
