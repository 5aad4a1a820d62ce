/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_KEEPING_H
#define VERIFY_KEEPING_H

/* Verify keeping: what was shown, redacted and recovered, held against the entries that are spoken
 * of. Memory: about 70 bytes a digest of a disclosure. One thread. */

#include "verify/verify_ids.h"

struct verify_keeping;

MUST_USE struct err verify_keeping_open(struct verify_report *report, struct verify_shard *shard,
                                        const struct verify_ids *ids, struct verify_keeping **out);
void verify_keeping_close(struct verify_keeping **self);

/* Every entry: the digests of its disclosures. */
MUST_USE struct err verify_keeping_digests(struct verify_keeping *self, const struct entry *entry);
void verify_keeping_access(struct verify_keeping *self, const struct entry *entry);
void verify_keeping_redact(struct verify_keeping *self, const struct entry *entry);
void verify_keeping_recovered(struct verify_keeping *self, const struct entry *entry);

#endif
