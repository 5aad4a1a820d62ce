/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECIDE_CAPACITY_H
#define DECIDE_CAPACITY_H

/* Capacity: from which probability on the target arm refers at one place (mode and site), so that
 * the queue fits what its bays can take.
 *
 * Two bounds hold at any moment: what open bays work off within the horizon (tokens, refilled by
 * the hours that exams are done in), and, when queue_max is set, the referrals that are open in
 * fact, less a reserve for the random arm: where bays stand still nothing is referred into a full
 * queue. Within them the cut-off is a quantile of recent scores: the share of traffic that will
 * fit. It stays where it is while load moves by less than `hysteresis`. Random, cautious and manual
 * referrals are never refused; they only make the place fuller. Nothing is referred to fill up:
 * the cut-off never goes below the minimum.
 *
 * Pure, one thread. Everything here can be rebuilt from the log (capacity_replay). */

#include <stdbool.h>
#include <stdint.h>

#include "decide/window.h"

/* What policy says of the place at this moment. */
struct capacity_rule {
    double per_hour;   /* exams that open bays do now */
    double ahead;      /* exams that they will do within the horizon, opening hours counted */
    double worked_off; /* exams since the last look */
    double horizon_h;
    double room;        /* exams that the queue may hold: horizon times capacity when all is open */
    double random_rate; /* of the mode: what the random arm will bring */
    double minimum;
    double initial; /* until the window knows the traffic */
    double hysteresis;
    uint32_t warmup_count;
    uint32_t queue_max; /* 0: open referrals are not counted */
    bool shadow;        /* the target arm only marks */
};

/* Since the last time that they were told: what the cut-off was and what it cost. */
struct capacity_minute {
    uint64_t items;       /* that were decided */
    uint64_t scored;      /* of these, the scorable ones */
    uint64_t target;      /* referred by the target arm, those of both among them */
    uint64_t random;      /* drawn */
    uint64_t below;       /* wanted, not referred, not under the minimum: capacity was missing */
    uint64_t just_below;  /* of these, at least half of the cut-off */
    double finds_lost;    /* sum of the probabilities of `below` */
    double cutoff_lowest; /* that a score was held against; 1: full; 0 both while none was scored */
    double cutoff_highest;
};

struct capacity {
    struct window window;
    double tokens;        /* referrals that fit into the horizon */
    double tokens_shadow; /* the same, had all been referred that shadow marked */
    int64_t tokens_ns;    /* when that was right; 0: never yet */
    double in_force;      /* the cut-off; negative: none yet */
    uint32_t queue;       /* open referrals */
    struct capacity_minute minute;
};

struct capacity_view {
    bool fits;     /* there is room for one more of the target arm now */
    double cutoff; /* in force, whether it fits or not */
    double edge;   /* where the weakest item of the target arm stands in the queue */
    uint64_t rank; /* of the item, 1 is the highest */
    double arrivals_per_hour;
};

/* Time goes on: bays work off. */
void capacity_refill(struct capacity *self, const struct capacity_rule *rule, int64_t t_ns);
/* A score enters the window; what holds for it. */
void capacity_look(struct capacity *self, const struct capacity_rule *rule, double probability,
                   int64_t t_ns, struct capacity_view *out);
/* One referral more, by whatever arm; one less, when it has ended. */
void capacity_refer(struct capacity *self, const struct capacity_rule *rule);
/* One that the target arm would have made: it takes time of the bays as long as shadow lasts, and
 * no place in the queue.
 */
void capacity_would(struct capacity *self, const struct capacity_rule *rule);
void capacity_end(struct capacity *self);
/* Referrals that the target arm may still open here: queue_max less what is open and the reserve.
 */
double capacity_queue_room(const struct capacity *self, const struct capacity_rule *rule,
                           double arrivals_per_hour);
/* A decision that the log holds already. probability < 0: not scorable; cutoff: as logged, 1 when
 * it was full. The queue is set apart, from the read model. What shadow mode marked is not known to
 * it: after a restart shadow starts with the time that real referrals left. */
void capacity_replay(struct capacity *self, const struct capacity_rule *rule, double probability,
                     double cutoff, bool referred, int64_t t_ns);

/* Whether the target arm may refer one more now. */
bool capacity_fits(const struct capacity *self, const struct capacity_rule *rule,
                   double arrivals_per_hour);

/* For the minute: one decided item. probability < 0: not scorable. */
struct capacity_item {
    double probability;
    double cutoff; /* in force; 1 when nothing fits; not read of what is not scorable */
    bool by_target;
    bool by_random;
    bool referred;
    bool wanted; /* the target arm is on and has not taken it, or would not have: only capacity did
                  */
};
void capacity_count(struct capacity *self, const struct capacity_rule *rule,
                    const struct capacity_item *item);

#endif
