/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ORDER_H
#define CTL_ORDER_H

/* Ctl order: send a command to the daemon and tell its answer. */

#include "ctl/ctl.h"
#include "proto/wire.h"

struct json_t;

/* Fills request id and actor, sends, prints "done, entry N" or the refusal (as JSON with --json);
 * returns an exit code. */
int ctl_order(struct ctl *ctl, struct wire_command *command);
/* The same, but what a done command carries as JSON is printed: indented with --json, as name and
 * value otherwise. */
int ctl_order_report(struct ctl *ctl, struct wire_command *command);

#endif
