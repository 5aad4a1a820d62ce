/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <string.h>

/* What people see: the ranked queue, metrics, totals. Metrics are SQL files that an auditor can
 * read; they get a reader's rights and nothing more, whoever wrote them. */

#define METRIC_COLUMNS_MAX 32u
#define METRIC_HEX_BYTES \
    2049u /* blobs of up to 1 KiB as text: every digest and id we keep is far below */

static void read_reasons(const char *text, struct state_queue_row *row)
{
    row->reasons_count = 0;
    while (*text != '\0' && row->reasons_count < STATE_REASONS_MAX) {
        size_t line_bytes = strcspn(text, "\n");
        char *reason = row->reasons[row->reasons_count++];
        size_t kept = utf8_cut(text, line_bytes, sizeof row->reasons[0] - 1);
        memcpy(reason, text, kept);
        reason[kept] = '\0';
        text += line_bytes;
        text += *text == '\n';
    }
}

static void read_queue_row(struct statement *statement, struct state_queue_row *row)
{
    column_copy_blob(statement, 0, row->item, ITEM_ID_BYTES);
    column_copy_text(statement, 1, row->label, sizeof row->label);
    column_copy_text(statement, 2, row->mode, sizeof row->mode);
    column_copy_text(statement, 3, row->site, sizeof row->site);
    column_copy_text(statement, 4, row->lane, sizeof row->lane);
    column_copy_text(statement, 5, row->arm, sizeof row->arm);
    column_copy_text(statement, 6, row->state, sizeof row->state);
    column_copy_text(statement, 7, row->actor, sizeof row->actor);
    row->probability = column_real(statement, 8);
    row->propensity = column_real(statement, 9);
    row->priority = column_real(statement, 10);
    row->cutoff = column_real(statement, 11);
    row->decided_ns = column_integer(statement, 12);
    row->version = column_index(statement, 13);
    row->decision_index = column_index(statement, 14);
    read_reasons(column_text(statement, 15), row);
}

struct err state_queue(struct state *self, const struct state_queue_filter *filter,
                       struct state_queue_row *out, uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(
        self->store, filter->all_states ? STATEMENT_QUEUE_ALL : STATEMENT_QUEUE_OPEN, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, filter->mode);
    bind_text(statement, 2, filter->site);
    bind_integer(statement, 3, filter->limit);
    bind_integer(statement, 4, filter->offset);
    bind_integer(statement, 5, filter->now_ns);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < filter->limit);
        read_queue_row(statement, &out[found++]);
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}

static struct err hand_out_rows(struct statement *statement, state_metric_row row, void *arg)
{
    uint32_t columns_count = statement_columns(statement);
    if (columns_count > METRIC_COLUMNS_MAX) {
        return err_make(ERR_ARGUMENT, "query has more than 32 columns");
    }
    const char *names[METRIC_COLUMNS_MAX];
    const char *values[METRIC_COLUMNS_MAX];
    char hex[METRIC_COLUMNS_MAX][METRIC_HEX_BYTES];
    for (uint32_t i = 0; i < columns_count; i++) {
        names[i] = statement_column_name(statement, i);
    }
    struct err err = err_none;
    while (statement_next(statement, &err)) {
        for (uint32_t i = 0; i < columns_count; i++) {
            values[i] = column_readable(statement, i, hex[i], METRIC_HEX_BYTES);
        }
        row(arg, columns_count, names, values);
    }
    return err;
}

/* Parameters of a metric (":from_ns", ":to_ns") stay NULL here, which every metric takes as "no
 * bound". */
struct err state_metric(struct state *self, const char *sql, state_metric_row row, void *arg)
{
    struct statement *statement = NULL;
    struct err err = store_prepare_select(self->store, sql, &statement);
    if (!err_is(err)) {
        err = hand_out_rows(statement, row, arg);
    }
    statement_drop(&statement);
    return err;
}

struct err state_query(struct state *self, const char *sql, const void *parameter,
                       uint32_t parameter_bytes, bool parameter_is_text, state_metric_row row,
                       void *arg)
{
    struct statement *statement = NULL;
    struct err err = store_prepare_select(self->store, sql, &statement);
    if (!err_is(err) && statement_parameters(statement) != 1) {
        err = err_make(ERR_ARGUMENT, "query does not have exactly one parameter");
    }
    if (!err_is(err)) {
        if (parameter_is_text) {
            bind_text_bytes(statement, 1, parameter, parameter_bytes);
        } else {
            bind_blob(statement, 1, parameter, parameter_bytes);
        }
        err = hand_out_rows(statement, row, arg);
    }
    statement_drop(&statement);
    return err;
}

static struct err count_rows(struct state *self, enum statement_name name, uint64_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, name, &statement);
    bool row = false;
    if (!err_is(err)) {
        err = statement_step(statement, &row);
    }
    if (err_is(err)) {
        return err;
    }
    must(row);
    *count = column_index(statement, 0);
    statement_reset(statement);
    return err_none;
}

struct err state_counts(struct state *self, struct state_counts *out)
{
    uint64_t undecided_items = 0;
    uint64_t undecided_records = 0;
    uint64_t open_referrals = 0;
    (void)state_applied(self); /* a reader takes the newest totals from the file */
    struct err err = count_rows(self, STATEMENT_COUNT_UNDECIDED_ITEMS, &undecided_items);
    if (!err_is(err)) {
        err = count_rows(self, STATEMENT_COUNT_UNDECIDED_RECORDS, &undecided_records);
    }
    if (!err_is(err)) {
        err = count_rows(self, STATEMENT_COUNT_OPEN_REFERRALS, &open_referrals);
    }
    if (err_is(err)) {
        return err;
    }
    *out = (struct state_counts){
        .items = self->totals[TOTAL_decided_items] + undecided_items,
        .undecided = undecided_records,
        .decisions = self->totals[TOTAL_decisions],
        .referred = self->totals[TOTAL_referred],
        .open_referrals = open_referrals,
        .outcomes = self->totals[TOTAL_outcomes],
        .refusals = self->totals[TOTAL_refusals],
        .scans = self->totals[TOTAL_scans],
        .declarations = self->totals[TOTAL_declarations],
        .seals = self->totals[TOTAL_seals],
    };
    return err_none;
}
