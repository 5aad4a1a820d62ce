/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

/* Open referrals that are older than they should be. */

enum { AGEING_MODES = 6 }; /* as the statements have them */
_Static_assert(MODE_COUNT == AGEING_MODES + 1, "the statements have a pair for every mode");

static void bind_before(struct statement *statement, const struct state_before *before)
{
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        bind_text(statement, 2 * mode - 1, mode_text((enum mode)mode));
        bind_integer(statement, 2 * mode, before->opened_ns[mode]);
    }
}

struct err state_unclaimed(struct state *self, const struct state_before *before,
                           uint8_t (*out)[ITEM_ID_BYTES], uint32_t capacity, uint32_t *count)
{
    struct statement *statement;
    uint32_t found = 0;
    struct err err = store_statement(self->store, STATEMENT_UNCLAIMED, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_before(statement, before);
    bind_integer(statement, 2 * AGEING_MODES + 1, capacity);
    while (statement_next(statement, &err)) {
        must(found < capacity);
        column_copy_blob(statement, 0, out[found++], ITEM_ID_BYTES);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_overdue(struct state *self, const struct state_before *before,
                         struct state_overdue *out, uint32_t capacity, uint32_t *count,
                         uint64_t *total)
{
    struct statement *statement;
    uint32_t found = 0;
    uint64_t sum = 0;
    struct err err = store_statement(self->store, STATEMENT_OVERDUE, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_before(statement, before);
    while (statement_next(statement, &err)) {
        sum += column_index(statement, 2);
        if (found < capacity) {
            struct state_overdue *place = &out[found++];
            place->mode = mode_parse(column_text(statement, 0));
            column_copy_text(statement, 1, place->site, sizeof place->site);
            place->count = (uint32_t)column_integer(statement, 2);
            place->oldest_ns = column_integer(statement, 3);
        }
    }
    if (!err_is(err)) {
        *count = found;
        *total = sum;
    }
    return err;
}
