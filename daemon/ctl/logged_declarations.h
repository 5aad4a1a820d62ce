/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_LOGGED_DECLARATIONS_H
#define CTL_LOGGED_DECLARATIONS_H

/* Logged declarations: what a port's log has of declarations: whole, as only the port itself can
 * read them, from the private records beside the log; and what exams found.
 *
 * A label is the outcome of an item that stands (corrections and second exams are in it), when it
 * is a real exam that came to an end (exam_result_is_label). Releases without exam, waivers,
 * overrides and exams that were broken off are no labels. It stands for each declaration of its
 * item that was there when it was entered, as in the daemon's live learning. What was redacted is
 * passed over, also when it still lies on the disk; what is only pruned or lost is counted. Nobody
 * is shown anything of it.
 *
 * One thread; blocks on the disk; allocates 80 bytes a declaration, of LOGGED_MAX at most, while it
 * reads as well as afterwards. */

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl.h"
#include "proto/record.h"

#define LOGGED_MAX (UINT64_C(1) << 22)
#define LOGGED_ARM_BYTES 12u

struct logged_declaration {
    uint64_t entry_index; /* declaration.received */
    int64_t decided_ns;   /* 0: no decision yet; then the rest is not known either */
    int64_t known_ns;     /* of the outcome; 0: no label */
    uint64_t exam;        /* the same for declarations that one outcome speaks of, never 0 there */
    double probability;   /* as in the decision: what was in force said of the item */
    double propensity;
    char arm[LOGGED_ARM_BYTES];
    bool found;
};

struct logged_declarations;

/* Those with a label, in the order of decisions, those of one exam together: the newest
 * `newest`, 1..LOGGED_MAX. That there are more is told on standard error. False when told. */
bool logged_declarations_open(struct ctl *ctl, uint64_t newest, struct logged_declarations **out);
/* All that were received from..until (UTC ns), labelled or not, thinned evenly to at most
 * sample_max, in the order of the log. */
bool logged_declarations_open_received(struct ctl *ctl, int64_t from_ns, int64_t until_ns,
                                       uint64_t sample_max, struct logged_declarations **out);
void logged_declarations_close(struct logged_declarations **self);

uint64_t logged_declarations_count(const struct logged_declarations *self);
const struct logged_declaration *logged_declarations_at(const struct logged_declarations *self,
                                                        uint64_t index);
/* How many there are in all, also those that were too many. */
uint64_t logged_declarations_all(const struct logged_declarations *self);
/* The declaration itself; lives until the next call. NULL: it is not there any more. */
MUST_USE struct err logged_declarations_read(struct logged_declarations *self, uint64_t index,
                                             const struct declaration **out);
/* Drawn by the coin (arms random and both): a sample that no score chose. */
bool logged_is_random(const struct logged_declaration *declaration);

#endif
