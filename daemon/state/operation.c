/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <string.h>

/* Targeted operations: registered once, closed once. */

static struct err operation_register(struct state *self, const struct entry *entry)
{
    const struct entry_operation *operation = &entry->body.operation;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OPERATION_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, operation->name);
    bind_index(statement, 2, entry->n);
    bind_integer(statement, 3, entry->t_ns);
    bind_text(statement, 4, entry->actor);
    bind_text(statement, 5, operation->mode == MODE_UNKNOWN ? "" : mode_text(operation->mode));
    bind_text(statement, 6, operation->site);
    bind_text(statement, 7, operation->lane);
    bind_integer(statement, 8, operation->from_ns);
    bind_integer(statement, 9, operation->to_ns);
    bind_text(statement, 10, operation->hypothesis);
    bind_text(statement, 11, operation->metric);
    bind_text(statement, 12, operation->comparator);
    bind_text(statement, 13, operation->stop_rule);
    return statement_run(statement);
}

static struct err operation_close(struct state *self, const struct entry *entry)
{
    const struct entry_operation *operation = &entry->body.operation;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OPERATION_CLOSE, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, operation->name);
    bind_index(statement, 2, entry->n);
    bind_integer(statement, 3, entry->t_ns);
    bind_text(statement, 4, operation->reason);
    bind_index(statement, 5, operation->numerator);
    bind_index(statement, 6, operation->denominator);
    bind_index(statement, 7, operation->comparator_numerator);
    bind_index(statement, 8, operation->comparator_denominator);
    return statement_run(statement);
}

struct err apply_operation(struct state *self, const struct entry *entry)
{
    const struct entry_operation *operation = &entry->body.operation;
    bool closes = operation->step != NULL && strcmp(operation->step, "close") == 0;
    struct err err = closes ? operation_close(self, entry) : operation_register(self, entry);
    return err_is(err) ? err : put_request(self, entry, operation->request_id);
}

struct err state_operation(struct state *self, const char *name, struct state_operation *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OPERATION, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, name);
    err = statement_first(statement, "no operation of this name");
    if (err_is(err)) {
        return err;
    }
    out->entry_index = column_index(statement, 0);
    out->closed = !column_is_null(statement, 1);
    statement_reset(statement);
    return err_none;
}

struct err state_operation_figures(struct state *self, const char *name, int64_t until_ns,
                                   struct state_figures *out)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OPERATION_FIGURES, &statement);
    if (err_is(err)) {
        return err;
    }
    memset(out, 0, sizeof *out);
    bind_text(statement, 1, name);
    bind_integer(statement, 2, until_ns);
    while (statement_next(statement, &err)) {
        bool is_comparator = column_integer(statement, 0) == 1;
        *(is_comparator ? &out->comparator_numerator : &out->numerator) =
            column_index(statement, 1);
        *(is_comparator ? &out->comparator_denominator : &out->denominator) =
            column_index(statement, 2);
    }
    return err;
}
