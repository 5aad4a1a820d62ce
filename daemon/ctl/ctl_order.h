/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ORDER_H
#define CTL_ORDER_H

/* Ctl order: send a command to the daemon and tell its answer. */

#include "ctl/ctl.h"
#include "proto/wire.h"

/* The same, but what the daemon answers is the caller's to tell: CTL_GOOD and *answer, or the exit
 * code of what was told. The answer lives until the next command is sent. */
int ctl_order_answer(struct ctl *ctl, struct wire_command *command, struct wire_answer *answer);

/* One short try; false when nobody answers (told). */
bool ctl_order_answer_briefly(struct ctl *ctl, struct wire_command *command,
                              struct wire_answer *answer);

struct json_t;

/* What the daemon says of itself; NULL, and nothing is told, when nobody answers within a blink.
 * For commands that can do without. New reference. */
struct json_t *ctl_order_health(struct ctl *ctl);

/* Fills request id and actor, sends, prints "done, entry N" or the refusal (as JSON with --json);
 * returns an exit code. */
int ctl_order(struct ctl *ctl, struct wire_command *command);
/* The same, but nothing is printed when it is done: a step of another command. */
int ctl_order_quietly(struct ctl *ctl, struct wire_command *command);
/* As ctl_order; *entry_index is that of the entry it made when CTL_GOOD comes back. */
int ctl_order_entry(struct ctl *ctl, struct wire_command *command, uint64_t *entry_index);
/* The same, but what a done command carries as JSON is printed: indented with --json, as name and
 * value otherwise. */
int ctl_order_report(struct ctl *ctl, struct wire_command *command);

#endif
