/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_H
#define POLICY_H

/* Policy: what oversight and the operator decided, as numbers. A versioned file
 * (config/policy.conf); its digest stands in every decision. Plain values, no I/O: the file is read
 * by daemon/policy_file.c. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/words.h"

#define POLICY_VERSION_BYTES 64u
#define POLICY_SITES_MAX 64u
#define POLICY_SITE_BYTES 65u

/* What happens to an item that cannot be scored: a closed list, chosen by the operator, the
 * cautious one by default. */
enum unscorable_policy { UNSCORABLE_REFER, UNSCORABLE_RELEASE };

struct mode_policy {
    bool expects_scan; /* an item of this mode is complete when what is expected has come */
    bool expects_declaration;
    double hold_s; /* how long to wait for the rest */
    double late_s; /* a record within this time after its item's decision belongs to that item, as
                    * late; after it, the same key is another item */
    double random_rate;       /* of the random arm, 0..1; where it adapts: the floor */
    double random_rate_max;   /* how far it may adapt upwards; up to random_rate: not at all */
    double capacity_per_hour; /* exams a site can do in this mode */
    double horizon_h;         /* the queue may hold this many hours of capacity */
    double initial_cutoff; /* probability from which the target arm refers before the window knows
                              the traffic */
    double minimum_probability; /* the target arm never refers below: no fill-up */
    double severity;            /* weight in the queue's order */
    double perishable_weight;   /* how much an hour of waiting adds to the priority */
    enum unscorable_policy unscorable;
};

/* A site with a capacity of its own. */
struct site_policy {
    char site[POLICY_SITE_BYTES];
    enum mode mode;
    double capacity_per_hour;
};

struct policy {
    char version[POLICY_VERSION_BYTES];
    uint8_t sha256[HASH_BYTES]; /* of the file */
    uint32_t window_count;      /* recent scores that a cut-off is taken from */
    uint32_t warmup_count;      /* fewer than this: initial_cutoff */
    struct mode_policy modes[MODE_COUNT];
    struct site_policy sites[POLICY_SITES_MAX];
    uint32_t sites_count;
};

/* NULL when good, else a static sentence naming what is out of range. */
const char *policy_check(const struct policy *policy);
double policy_capacity(const struct policy *policy, enum mode mode, const char *site);

#endif
