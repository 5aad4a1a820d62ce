/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATE_INSIDE_H
#define STATE_INSIDE_H

/* State inside: what the files of this module share. state.c opens and counts, apply_*.c change,
 * judge.c and report.c read. */

#include "state/state.h"
#include "state/store.h"

/* TOTAL(name): running totals kept as rows of meta, so that health needs no table scan. */
#define STATE_TOTALS(TOTAL) \
    TOTAL(decided_items)    \
    TOTAL(decisions)        \
    TOTAL(referred)         \
    TOTAL(outcomes)         \
    TOTAL(refusals)         \
    TOTAL(scans)            \
    TOTAL(declarations)     \
    TOTAL(seals)

enum state_total {
#define TOTAL(name) TOTAL_##name,
    STATE_TOTALS(TOTAL)
#undef TOTAL
        TOTAL_COUNT
};

struct state {
    struct store *store;
    uint64_t applied; /* entries; of a writer: those of the open transaction included */
    int64_t last_ns;  /* time of the newest entry applied */
    uint64_t totals[TOTAL_COUNT];
    bool in_transaction;
    bool write;
};

/* One entry into the tables; bookkeeping (applied, transaction) is the caller's. Records and
 * everything that no item hangs on; scores, decisions, actions and outcomes. */
MUST_USE struct err apply_received(struct state *self, const struct entry *entry,
                                   const struct state_hint *hint);
MUST_USE struct err apply_refused(struct state *self, const struct entry *entry);
MUST_USE struct err apply_config_change(struct state *self, const struct entry *entry);
MUST_USE struct err apply_model_change(struct state *self, const struct entry *entry);
MUST_USE struct err apply_draw_commit(struct state *self, const struct entry *entry);
MUST_USE struct err apply_draw_reveal(struct state *self, const struct entry *entry);
MUST_USE struct err apply_redact(struct state *self, const struct entry *entry);
MUST_USE struct err apply_operation(struct state *self, const struct entry *entry);
/* The entry that this request led to; nothing for an empty id. */
MUST_USE struct err put_request(struct state *self, const struct entry *entry,
                                const char *request_id);
MUST_USE struct err put_blob(struct state *self, uint64_t entry_index,
                             const struct entry_image *image);
MUST_USE struct err apply_copied(struct state *self, const struct entry *entry);
MUST_USE struct err apply_discard(struct state *self, const struct entry *entry);
MUST_USE struct err apply_hold(struct state *self, const struct entry *entry);
MUST_USE struct err apply_seal(struct state *self, const struct entry *entry);
/* What the scanner delivered, by its days. */
MUST_USE struct err apply_quality(struct state *self, const struct entry *entry);
MUST_USE struct err apply_score(struct state *self, const struct entry *entry);
MUST_USE struct err apply_shadow_score(struct state *self, const struct entry *entry);
/* The present row of PASTS, or of SHADOW_PASTS, whose first columns are the same. */
void take_past(struct statement *statement, struct state_past *out);
MUST_USE struct err apply_decision(struct state *self, const struct entry *entry);
MUST_USE struct err apply_officer_action(struct state *self, const struct entry *entry);
MUST_USE struct err apply_outcome(struct state *self, const struct entry *entry);

#endif
