/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <string.h>

/* What the judge line asks when it starts, and what commands are checked against. Every answer is a
 * function of the entries applied so far, so that a restart sees what the running daemon saw. */

struct err state_streams(struct state *self, struct state_stream *out, uint32_t capacity,
                         uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_STREAMS, &statement);
    if (err_is(err)) {
        return err;
    }
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        if (found < capacity) {
            column_copy_text(statement, 0, out[found].publisher, sizeof out->publisher);
            column_copy_text(statement, 1, out[found].stream, sizeof out->stream);
            out[found].next_sequence = column_index(statement, 2);
        }
        found++;
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

/* Entry indices: the only column of every row. */
static struct err take_indices(struct statement *statement, uint64_t *out, uint32_t capacity,
                               uint32_t *count)
{
    struct err err = err_none;
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        out[found++] = column_index(statement, 0);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_undecided(struct state *self, uint64_t from, uint64_t *out, uint32_t capacity,
                           uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_UNDECIDED, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, from);
    bind_integer(statement, 2, capacity);
    return take_indices(statement, out, capacity, count);
}

struct err state_recent_decisions(struct state *self, struct state_decided *out, uint32_t capacity,
                                  uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_RECENT_DECISIONS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        struct state_decided *decided = &out[found++];
        column_copy_blob(statement, 0, decided->item, ITEM_ID_BYTES);
        decided->mode = mode_parse(column_text(statement, 1));
        column_copy_text(statement, 2, decided->site, sizeof decided->site);
        column_copy_text(statement, 3, decided->key, sizeof decided->key);
        decided->probability = column_real(statement, 4);
        decided->scorable = column_integer(statement, 5) != 0; /* only a score enters its window */
        decided->referred = column_integer(statement, 6) != 0;
        decided->t_ns = column_integer(statement, 7);
        decided->entry_index = column_index(statement, 8);
        decided->cutoff = column_real(statement, 9);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

/* Declarations that came before entry index `before`. */
static struct err declarations_before(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                                      uint64_t before, uint64_t *out, uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_ITEM_DECLARATIONS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, item, ITEM_ID_BYTES);
    bind_index(statement, 2, before);
    bind_integer(statement, 3, 8);
    return take_indices(statement, out, 8, count);
}

/* An outcome teaches about the declarations that were there when it was entered: a replay at a
 * later start must learn exactly what the running daemon learnt. */
struct err state_outcomes(struct state *self, uint64_t from, struct state_outcome *out,
                          uint32_t capacity, uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OUTCOMES, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, from);
    bind_integer(statement, 2, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        must(exam_result_is_label(
            column_text(statement, 4))); /* the statement's list and the rule must agree */
        struct state_outcome *outcome = &out[found];
        outcome->entry_index = column_index(statement, 0);
        outcome->t_ns = column_integer(statement, 1);
        outcome->found = column_integer(statement, 2) != 0;
        uint8_t item[ITEM_ID_BYTES];
        column_copy_blob(statement, 3, item, ITEM_ID_BYTES);
        err = declarations_before(self, item, outcome->entry_index, outcome->declaration_entries,
                                  &outcome->declarations_count);
        if (err_is(err)) {
            break;
        }
        found++;
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_item_declarations(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                                   uint64_t *out, uint32_t *count)
{
    return declarations_before(self, item, INT64_MAX, out, count);
}

struct err state_models(struct state *self, struct state_model *out, uint32_t capacity,
                        uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_MODELS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        column_copy_text(statement, 0, out[found].name, sizeof out->name);
        column_copy_blob(statement, 1, out[found].sha256, HASH_BYTES);
        found++;
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

/* First row of a statement that is ready to run; the caller reads it and resets. */
static struct err first_row(struct state *self, enum statement_name name,
                            struct statement **statement, bool *row)
{
    struct err err = store_statement(self->store, name, statement);
    if (!err_is(err)) {
        err = statement_step(*statement, row);
    }
    return err;
}

struct err state_last_draw(struct state *self, char day[11], bool *revealed)
{
    struct statement *statement;
    bool row;
    struct err err = first_row(self, STATEMENT_LAST_DRAW, &statement, &row);
    if (err_is(err)) {
        return err;
    }
    if (row) {
        column_copy_text(statement, 0, day, 11);
        *revealed = column_integer(statement, 1) != 0;
        statement_reset(statement);
    } else {
        day[0] = '\0';
        *revealed = false;
    }
    return err_none;
}

struct err state_open_draws(struct state *self, char (*days)[11], uint32_t capacity,
                            uint32_t *count)
{
    struct statement *statement;
    uint32_t found = 0;
    struct err err = store_statement(self->store, STATEMENT_OPEN_DRAWS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, capacity);
    while (statement_next(statement, &err)) {
        must(found < capacity);
        column_copy_text(statement, 0, days[found++], 11);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_sealed_until(struct state *self, uint64_t *next_index)
{
    struct statement *statement;
    bool row;
    struct err err = first_row(self, STATEMENT_SEALED_UNTIL, &statement, &row);
    if (err_is(err)) {
        return err;
    }
    must(row); /* an aggregate always has one row; NULL reads as 0 */
    *next_index = column_index(statement, 0);
    statement_reset(statement);
    return err_none;
}

struct err state_config(struct state *self, struct state_config *out)
{
    struct statement *statement;
    bool row;
    struct err err = first_row(self, STATEMENT_CONFIG, &statement, &row);
    if (err_is(err)) {
        return err;
    }
    memset(out, 0, sizeof *out);
    if (row) {
        column_copy_blob(statement, 0, out->config, HASH_BYTES);
        column_copy_blob(statement, 1, out->policy, HASH_BYTES);
        column_copy_text(statement, 2, out->computing, sizeof out->computing);
        out->arm_hidden = column_integer(statement, 3) != 0;
        statement_reset(statement);
    }
    return err_none;
}

struct err state_record_known(struct state *self, enum record_kind kind, const char *record_id,
                              const uint8_t sha256[HASH_BYTES], bool *known, bool *same)
{
    must(kind == RECORD_DECLARATION || kind == RECORD_SCAN);
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_RECORD_KNOWN, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, record_id);
    bind_text(statement, 2, kind == RECORD_SCAN ? "scan" : "declaration");
    bind_blob(statement, 3, sha256, HASH_BYTES);
    bool row;
    err = statement_step(statement, &row);
    if (err_is(err)) {
        return err;
    }
    *known = row;
    *same = false;
    if (row) {
        *same = column_integer(statement, 0) != 0;
        statement_reset(statement);
    }
    return err_none;
}

struct err state_referral(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                          struct state_referral *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REFERRAL, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, item, ITEM_ID_BYTES);
    err = statement_first(statement, "no decision about this item");
    if (err_is(err)) {
        return err;
    }
    out->state = referral_state_parse(column_text(statement, 0));
    out->version = column_index(statement, 1);
    column_copy_text(statement, 2, out->actor, sizeof out->actor);
    column_copy_blob(statement, 3, out->decision_id, ENTRY_ID_BYTES);
    column_copy_text(statement, 4, out->mode, sizeof out->mode);
    column_copy_text(statement, 5, out->site, sizeof out->site);
    statement_reset(statement);
    return err_none;
}

struct err state_open_referrals(struct state *self, struct state_open *out, uint32_t capacity,
                                uint32_t *count)
{
    struct statement *statement;
    uint32_t found = 0;
    struct err err = store_statement(self->store, STATEMENT_OPEN_REFERRALS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_integer(statement, 1, capacity);
    while (statement_next(statement, &err)) {
        must(found < capacity);
        out[found].mode = mode_parse(column_text(statement, 0));
        column_copy_text(statement, 1, out[found].site, sizeof out[found].site);
        out[found].count = (uint32_t)column_integer(statement, 2);
        found++;
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

struct err state_request(struct state *self, const char *request_id, struct state_request *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REQUEST, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, request_id);
    err = statement_first(statement, "no entry with this request id");
    if (err_is(err)) {
        return err;
    }
    out->entry_index = column_index(statement, 0);
    column_copy_text(statement, 1, out->what, sizeof out->what);
    column_copy_blob(statement, 2, out->item, ITEM_ID_BYTES);
    column_copy_text(statement, 3, out->actor, sizeof out->actor);
    statement_reset(statement);
    return err_none;
}

struct err state_standing(struct state *self, const uint8_t item[ITEM_ID_BYTES],
                          struct state_standing *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_STANDING, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, item, ITEM_ID_BYTES);
    err = statement_first(statement, "no outcome of this item");
    if (err_is(err)) {
        return err;
    }
    out->entry_index = column_index(statement, 0);
    column_copy_text(statement, 1, out->result, sizeof out->result);
    statement_reset(statement);
    return err_none;
}
