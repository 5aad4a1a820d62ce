/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_DAY_H
#define VERIFY_DAY_H

/* Verify day: what the check of a whole log says of the random draws of one day, in words. Filled
 * while the log is walked: ask by verify_conf.day. One thread. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/entry.h"
#include "proto/hash.h"

#define VERIFY_DAY_STRATA 256u
#define VERIFY_DAY_STRATUM_BYTES 200u

struct verify_day_stratum {
    char stratum[VERIFY_DAY_STRATUM_BYTES]; /* row of the commitment */
    double rate;
    uint64_t items;
    uint64_t drawn;
};

struct verify_day {
    char day[11]; /* by the caller, all else zero */
    bool committed;
    bool scheme_known;
    bool revealed;
    bool covered; /* a signed checkpoint has the commitment and none of the draws */
    uint64_t commit_n;
    int64_t commit_ns;
    uint64_t covered_size;    /* of the log, n of the first entry that it does not have */
    uint64_t restated;        /* further commitments of the same key: rates of later hours */
    uint64_t restated_inside; /* of these, after the first draw, with other rates */
    uint64_t reveal_n;
    int64_t reveal_ns;
    int64_t last_ns;       /* of the log's last entry */
    uint64_t first_draw_n; /* with items > 0 */
    uint64_t last_draw_n;
    uint64_t items;
    uint64_t drawn;
    uint64_t made_again;  /* after the reveal; all items when all is well */
    uint64_t differing;   /* of these: another number or another arm */
    uint64_t elsewhen;    /* decided more than ten minutes before or after the day */
    uint64_t out_of_turn; /* drawn when another key was secret or had drawn, or too early */
    uint64_t known;       /* recorded before the key was committed */
    uint32_t strata_count;
    bool strata_left_out; /* more rates and strata than there is room for */
    struct verify_day_stratum strata[VERIFY_DAY_STRATA];
};

/* A decision of this day; drawn: as the decision says. */
void verify_day_add(struct verify_day *self, const struct entry *entry, bool drawn, bool known);
/* n of the first entry beyond a signed checkpoint. */
void verify_day_cover(struct verify_day *self, uint64_t end_n);
/* Everything about this day checks; the log itself may still be bad. */
bool verify_day_good(const struct verify_day *self);
/* Two-sided exact binomial: the chance of a count no more likely than this one. */
double verify_binomial(uint64_t hits, uint64_t count, double rate);
/* problems: of the whole log, of which `lines` are shown elsewhere. */
void verify_day_print(const struct verify_day *self, uint64_t problems, FILE *out);
bool verify_day_print_json(const struct verify_day *self, uint64_t problems, FILE *out);

#endif
