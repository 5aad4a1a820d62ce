/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_H
#define LEDGER_H

/* Ledger: what an officer orders about a referral, and what its deadline does, held against what
 * the log says of it so far, and made an entry or refused. It decides nothing by itself and writes
 * nothing: the caller appends the entry, applies it to the read model, and only then considers the
 * next order. So of two officers who claim one item the second is told that it is gone; and an
 * order that is asked again, because its answer was lost, is answered by the entry that it made the
 * first time.
 *
 * Any thread, one at a time for a state. */

#include <stdint.h>

#include "base/err.h"
#include "proto/entry.h"
#include "proto/wire.h"
#include "state/state.h"

#define LEDGER_REASON_BYTES 160u

enum ledger_verdict {
    LEDGER_ENTRY,  /* to be appended */
    LEDGER_BEFORE, /* this very order was carried out: entry_index */
    LEDGER_REFUSED /* fault and reason */
};

struct ledger_answer {
    enum ledger_verdict verdict;
    uint64_t entry_index;
    struct err fault; /* NOT_FOUND, CONFLICT, ILLEGAL_TRANSITION, ARGUMENT */
    char reason[LEDGER_REASON_BYTES];
};

/* Fills the answer; returns err_none. For the files of this module. */
MUST_USE struct err ledger_refuse(struct ledger_answer *answer, enum err_code code,
                                  const char *reason);

/* order is claim, release, refer or outcome; actor is the pseudonym of who orders. With
 * LEDGER_ENTRY *entry is filled but for what the committer gives it (v, n, id, t_ns); its texts are
 * the command's, static, or actor. An error is one of the read model. */
MUST_USE struct err ledger_consider(struct state *state, const struct wire_command *command,
                                    const char *actor, struct entry *entry,
                                    struct ledger_answer *answer);

/* The daemon itself ends what nobody claimed within its deadline (the caller's to tell): held
 * against the read model as an order is. LEDGER_REFUSED for what is claimed, has ended or was never
 * referred. *entry as of ledger_consider, by the actor "daemon" and without a request id: that it
 * happens once is the referral's own state, which has no way out of expired. */
MUST_USE struct err ledger_expire(struct state *state, const uint8_t item[ITEM_ID_BYTES],
                                  struct entry *entry, struct ledger_answer *answer);

#endif
