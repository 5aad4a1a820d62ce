/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_H
#define POLICY_H

/* Policy: what oversight and the operator decided, as numbers. A versioned file
 * (config/policy.conf); its digest stands in every decision. Plain values, no I/O: the file is read
 * by policy_file.c. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/words.h"

#define POLICY_VERSION_BYTES 64u
#define POLICY_SITES_MAX 64u
#define POLICY_EXAMS_MAX 64u
#define POLICY_SITE_BYTES 65u
#define POLICY_STRATUM_BYTES 144u /* "passenger/" site "/" lane, 64 bytes each */
#define POLICY_RATES_MAX 26u      /* with a row a mode they fit one commitment */

/* What happens to an item that cannot be scored: a closed list, chosen by the operator, the
 * cautious one by default. */
/* What the target arm does: refer; only say what it would have referred; nothing at all (the kill
 * switch). The random arm goes on in all three: it is what effectiveness is measured by. */
enum target_policy { TARGET_ON, TARGET_SHADOW, TARGET_OFF };
const char *target_policy_text(enum target_policy target);

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
    double grave_weight; /* how much more a grave find weighs there than another one; 0: no more */
    double perishable_weight;   /* what each of the first hours of waiting adds besides */
    enum unscorable_policy unscorable;
    double queue_max;  /* open referrals of a site in this mode, in fact; 0: they are not counted */
    double deadline_h; /* a referral that nobody claimed for so long ends as expired; 0: never */
    double alarm_h;    /* an open referral older than this raises an alarm; 0: none does */
};

/* A bay, crew or machine of a site: exams of a kind, so many an hour while it is open. */
struct exam_policy {
    char site[POLICY_SITE_BYTES];
    enum mode mode;
    char exam[16]; /* level, as outcomes have it: "nii", "full", ... */
    double per_hour;
    uint32_t opens_min; /* minutes of the UTC day; equal: around the clock */
    uint32_t closes_min;
};

/* A stratum whose rate is not that of its mode: "truck/north" or "truck/north/lane-3". */
struct rate_policy {
    char stratum[POLICY_STRATUM_BYTES];
    double rate;
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
    struct rate_policy rates[POLICY_RATES_MAX];
    uint32_t rates_count;
    struct exam_policy exams[POLICY_EXAMS_MAX];
    uint32_t exams_count;
    enum target_policy target;
    double hysteresis;      /* how much load may move before the cut-off does: 0.1 is a tenth */
    double ageing_per_hour; /* what an hour of waiting adds to any priority; nothing starves */
    bool hide_arm;          /* officers are not told the arm before the outcome is recorded */
};

/* NULL when good, else a static sentence naming what is out of range. */
const char *policy_check(const struct policy *policy);
/* "truck/north/lane-3": what the random arm calls the place of an item. Empty parts at the end are
 * left out. */
void policy_stratum(enum mode mode, const char *site, const char *lane,
                    char out[POLICY_STRATUM_BYTES]);
/* The rate of a stratum: of its own row, else of the row of the name before its last slash, else of
 * its mode; the stratum becomes the name of that row. Whoever has the rates of a day's commitment
 * looks them up in the same way. */
double policy_random_rate(const struct policy *policy, enum mode mode,
                          char stratum[POLICY_STRATUM_BYTES]);
double policy_capacity(const struct policy *policy, enum mode mode, const char *site);

#endif
