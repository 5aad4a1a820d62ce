/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_OPERATION_H
#define LEDGER_OPERATION_H

/* Targeted operations: "in the next four weeks, passenger lanes 3 and 4". What an operation will be
 * judged by is fixed in the log before its first item is decided: scope, dates, hypothesis, metric,
 * comparator, stop rule. Closing it writes the figures of its metric, as they are then, so that
 * nobody chooses afterwards what to count.
 *
 * Threads: as ledger.h. */

#include "ledger/ledger.h"

#define OPERATION_DAYS_MAX 731
/* Between what is asked and the time that the committer gives the entry. */
#define OPERATION_AHEAD_NS (INT64_C(60) * 1000000000)

/* What is counted over the items of a scope: finds among concluded exams, concluded exams among
 * items, finds among items. And against what: the same scope in as long a time right before; the
 * other sites of the mode in the same time; the random arm within the same scope and time, against
 * the target arm. */
bool operation_metric_known(const char *metric);         /* hit_rate, exam_rate, find_rate */
bool operation_comparator_known(const char *comparator); /* before, others, random */

/* NULL, or a static sentence why this cannot be registered at now_ns. */
const char *operation_fault(const struct entry_operation *operation, int64_t now_ns);

/* As ledger_consider, for ORDER_OPERATION. */
MUST_USE struct err operation_consider(struct state *state, const struct wire_command *command,
                                       const char *actor, int64_t now_ns, struct entry *entry,
                                       struct ledger_answer *answer);

#endif
