/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

/* Decisions page by page with what came of them: what a simulation of another policy reads. */

void take_past(struct statement *statement, struct state_past *out)
{
    out->entry_index = column_index(statement, 0);
    out->t_ns = column_integer(statement, 1);
    out->mode = mode_parse(column_text(statement, 2));
    column_copy_text(statement, 3, out->site, sizeof out->site);
    column_copy_text(statement, 4, out->lane, sizeof out->lane);
    out->probability = column_real(statement, 5);
    out->cutoff = column_real(statement, 6);
    out->scorable = column_integer(statement, 7) != 0;
    out->referred = column_integer(statement, 8) != 0;
    column_copy_text(statement, 9, out->arm, sizeof out->arm);
    out->propensity = column_real(statement, 10);
    out->random_rate = column_real(statement, 11);
    column_copy_blob(statement, 12, out->policy, HASH_BYTES);
    out->by_hand = column_integer(statement, 13) != 0;
    out->opened_ns = column_integer(statement, 14);
    out->closed_ns = column_integer(statement, 15);
    out->examined = column_integer(statement, 16) != 0;
    out->found = column_integer(statement, 17) != 0;
}

struct err state_pasts(struct state *self, uint64_t from, int64_t until_ns, struct state_past *out,
                       uint32_t capacity, uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_PASTS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, from);
    bind_integer(statement, 2, until_ns);
    bind_integer(statement, 3, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        take_past(statement, &out[found++]);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_past_first(struct state *self, int64_t until_ns, uint64_t limit, uint64_t *from)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_PAST_FIRST, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, until_ns);
    bind_index(statement, 2, limit);
    bool row;
    err = statement_step(statement, &row);
    if (!err_is(err) && row) {
        *from = column_index(statement, 0);
        statement_reset(statement);
    }
    return err;
}
