/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_OPERATIONS_H
#define VERIFY_OPERATIONS_H

/* Verify operations: every targeted operation was registered before it began, under a name of its
 * own, and was closed at most once. Memory: about 100 bytes an operation. One thread. */

#include "verify/verify_ids.h"

struct verify_operations;

MUST_USE struct err verify_operations_open(struct verify_report *report,
                                           const struct verify_ids *ids,
                                           struct verify_operations **out);
void verify_operations_close(struct verify_operations **self);
MUST_USE struct err verify_operations_entry(struct verify_operations *self,
                                            const struct entry *entry);

#endif
