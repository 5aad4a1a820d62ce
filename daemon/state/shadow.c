/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

/* What a model in shadow said, in a table of its own: no query of queue, report or decision meets
 * it. */

struct err apply_shadow_score(struct state *self, const struct entry *entry)
{
    const struct entry_shadow_score *shadow = &entry->body.shadow_score;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_SHADOW_SCORE_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_index(statement, 2, entry->n);
    bind_integer(statement, 3, entry->t_ns);
    bind_text(statement, 4, shadow->place);
    bind_blob(statement, 5, shadow->sha256, HASH_BYTES);
    bind_real(statement, 6, shadow->score.probability);
    bind_real(statement, 7, shadow->score.logit);
    bind_text(statement, 8, shadow->score.unscorable);
    return statement_run(statement);
}

struct err state_shadow(struct state *self, struct state_shadow *out)
{
    struct statement *statement;
    bool row = false;
    struct err err = store_statement(self->store, STATEMENT_SHADOW, &statement);
    if (!err_is(err)) {
        err = statement_step(statement, &row);
    }
    if (err_is(err) || !row) {
        return err_is(err) ? err : err_make(ERR_NOT_FOUND, "model in shadow");
    }
    column_copy_text(statement, 0, out->place, sizeof out->place);
    column_copy_blob(statement, 1, out->sha256, HASH_BYTES);
    out->entry_index = column_index(statement, 2);
    out->t_ns = column_integer(statement, 3);
    statement_reset(statement);
    return err_none;
}

struct err state_models_since(struct state *self, uint64_t *entry_index)
{
    struct statement *statement;
    bool row = false;
    struct err err = store_statement(self->store, STATEMENT_MODELS_SINCE, &statement);
    if (!err_is(err)) {
        err = statement_step(statement, &row);
    }
    if (!err_is(err)) {
        must(row); /* an aggregate always has one */
        *entry_index = column_index(statement, 0);
        statement_reset(statement);
    }
    return err;
}

struct err state_shadow_pasts(struct state *self, uint64_t from, const uint8_t sha256[HASH_BYTES],
                              struct state_shadow_past *out, uint32_t capacity, uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_SHADOW_PASTS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, from);
    bind_blob(statement, 2, sha256, HASH_BYTES);
    bind_integer(statement, 3, capacity);
    uint32_t found = 0;
    bool row = true;
    while (row) {
        err = statement_step(statement, &row);
        if (err_is(err) || !row) {
            break;
        }
        must(found < capacity);
        take_past(statement, &out[found].past);
        out[found].scored = column_integer(statement, 18) != 0;
        out[found].scorable = column_integer(statement, 19) != 0;
        out[found].probability = column_real(statement, 20);
        found++;
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_record_entry(struct state *self, const uint8_t id[ENTRY_ID_BYTES],
                              uint64_t *entry_index)
{
    struct statement *statement;
    bool row = false;
    struct err err = store_statement(self->store, STATEMENT_RECORD_ENTRY, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, id, ENTRY_ID_BYTES);
    err = statement_step(statement, &row);
    if (err_is(err) || !row) {
        return err_is(err) ? err : err_make(ERR_NOT_FOUND, "record");
    }
    *entry_index = column_index(statement, 0);
    statement_reset(statement);
    return err_none;
}
