/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECIDE_QUEUE_ORDER_H
#define DECIDE_QUEUE_ORDER_H

/* Queue order: who is next. The priority of a referral grows with the hours it waits: by the
 * `ageing` that it was referred with, and by `perishable` of its own for the first
 * QUEUE_PERISHABLE_HOURS. What is perishable therefore gains a bounded lead, and everybody else
 * catches up: after queue_overtake_hours nothing that arrives later and ages no faster stands
 * before an item, whatever it is. From then on only those wait before it that stood there already:
 * nothing starves. That holds among referrals of one ageing_per_hour. One by hand ages by
 * STATE_MANUAL_AGEING, and one of an older policy keeps its own: what ages faster may overtake it
 * at any time, until it is examined itself.
 * The read model orders by the same sum (statement_table.h). Pure. */

#define QUEUE_PERISHABLE_HOURS 8.0

struct queue_place {
    double priority;   /* when it was referred: severity times what is expected, POLICY.md */
    double ageing;     /* added by each hour of waiting; above 0, or items may starve */
    double perishable; /* added by each of the first hours */
};

double queue_priority(const struct queue_place *place, double waited_h);
/* Hours after which no later referral stands before this one, if none has more than priority_most
 * and perishable_most, and all have the same ageing. Infinite without ageing. */
double queue_overtake_hours(const struct queue_place *place, double priority_most,
                            double perishable_most);

#endif
