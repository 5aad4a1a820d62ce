/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/logged_declarations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/log_source.h"
#include "proto/disclosure.h"
#include "state/state.h"

/* The read model says which entries, the log has them. The order is the read model's, so that two
 * runs over the same log teach the same. */

static const char labelled_sql[] =
    "SELECT records.entry AS entry, decisions.t_ns AS decided_ns, outcomes.t_ns AS known_ns,"
    " decisions.probability AS probability, decisions.propensity AS propensity, decisions.arm AS"
    " arm, outcomes.found AS found, outcomes.entry AS exam"
    " FROM outcomes JOIN items ON items.item = outcomes.item"
    " JOIN decisions ON decisions.entry = items.decision_entry"
    " JOIN records ON records.item = outcomes.item AND records.kind = 'declaration'"
    " AND records.entry < outcomes.entry"
    " WHERE outcomes.standing = 1 AND outcomes.result IN ('nothing_found', 'found', 'partial')"
    " AND records.entry NOT IN (SELECT entry FROM redactions)"
    " ORDER BY decisions.t_ns, outcomes.entry, records.entry";

struct logged_declarations {
    struct logged_declaration *rows;
    uint64_t rows_count;
    uint64_t rows_capacity;
    uint64_t all;
    uint64_t stride; /* of all, each stride-th is kept */
    uint64_t newest; /* and of those the last so many: a ring, whose oldest row is at `oldest` */
    uint64_t oldest;
    bool no_memory;
    struct log_source *source;
    uint8_t entry_memory[ENTRY_ARENA_BYTES];
    uint8_t record_memory[RECORD_ARENA_BYTES];
    struct entry entry;
    struct declaration declaration;
};

static struct logged_declaration *room(struct logged_declarations *self)
{
    if (self->rows_count == self->newest) {
        struct logged_declaration *row = &self->rows[self->oldest];
        self->oldest = (self->oldest + 1) % self->newest;
        return row;
    }
    if (self->rows_count == self->rows_capacity) {
        uint64_t capacity = 2 * self->rows_capacity + 1024;
        capacity = capacity < self->newest ? capacity : self->newest;
        struct logged_declaration *larger = realloc(self->rows, capacity * sizeof *larger);
        if (larger == NULL) {
            self->no_memory = true;
            return NULL;
        }
        self->rows = larger;
        self->rows_capacity = capacity;
    }
    return &self->rows[self->rows_count++];
}

static double real_of(const char *text)
{
    return text != NULL ? strtod(text, NULL) : 0;
}

static int64_t integer_of(const char *text)
{
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* Columns in the order of the statements. */
static void take_row(void *argument, uint32_t columns_count, const char *const *names,
                     const char *const *values)
{
    struct logged_declarations *self = argument;
    (void)names;
    must(columns_count == 8);
    bool wanted = self->all++ % self->stride == 0;
    struct logged_declaration *row = wanted ? room(self) : NULL;
    if (row != NULL) {
        *row = (struct logged_declaration){.entry_index = (uint64_t)integer_of(values[0]),
                                           .decided_ns = integer_of(values[1]),
                                           .known_ns = integer_of(values[2]),
                                           .probability = real_of(values[3]),
                                           .propensity = real_of(values[4]),
                                           .found = integer_of(values[6]) != 0,
                                           .exam = (uint64_t)integer_of(values[7])};
        (void)snprintf(row->arm, sizeof row->arm, "%s", values[5] != NULL ? values[5] : "");
    }
}

static bool query(struct ctl *ctl, const char *sql, struct logged_declarations *self)
{
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    struct err err = state_metric(state, sql, take_row, self);
    state_close(&state);
    if (!err_is(err) && self->no_memory) {
        err = err_make(ERR_MEMORY, "logged declarations");
    }
    if (err_is(err)) {
        ctl_fail("read model", err);
    }
    return !err_is(err);
}

static bool open_source(struct ctl *ctl, struct logged_declarations *self)
{
    struct err err = log_source_open_store(ctl->conf.store_directory, &self->source);
    if (err_is(err)) {
        ctl_fail(ctl->conf.store_directory, err);
    }
    return !err_is(err);
}

static void reverse(struct logged_declaration *rows, uint64_t count)
{
    for (uint64_t i = 0; i < count / 2; i++) {
        struct logged_declaration row = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

/* The ring begins with its oldest row. */
static void unroll(struct logged_declarations *self)
{
    reverse(self->rows, self->oldest);
    reverse(self->rows + self->oldest, self->rows_count - self->oldest);
    reverse(self->rows, self->rows_count);
    self->oldest = 0;
}

bool logged_declarations_open(struct ctl *ctl, uint64_t newest, struct logged_declarations **out)
{
    must(newest > 0 && newest <= LOGGED_MAX);
    struct logged_declarations *self = calloc(1, sizeof *self);
    if (self == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    self->stride = 1;
    self->newest = newest;
    if (!query(ctl, labelled_sql, self) || !open_source(ctl, self)) {
        logged_declarations_close(&self);
        return false;
    }
    if (self->all > self->rows_count) {
        unroll(self);
        (void)fprintf(stderr,
                      "log: %" PRIu64
                      " declarations with the outcome of an exam; the oldest %" PRIu64
                      " are passed over\n",
                      self->all, self->all - self->rows_count);
    }
    *out = self;
    return true;
}

/* How many rows there are, first: from that follows which of them are kept. */
static void take_count(void *argument, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    uint64_t *count = argument;
    (void)columns_count, (void)names;
    *count = (uint64_t)integer_of(values[0]);
}

static bool count_received(struct ctl *ctl, const char *where, uint64_t *count)
{
    char sql[512];
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM records WHERE %s", where);
    struct err err = state_metric(state, sql, take_count, count);
    state_close(&state);
    if (err_is(err)) {
        ctl_fail("read model", err);
    }
    return !err_is(err);
}

bool logged_declarations_open_received(struct ctl *ctl, int64_t from_ns, int64_t until_ns,
                                       uint64_t sample_max, struct logged_declarations **out)
{
    char where[256];
    char sql[1024];
    uint64_t count = 0;
    must(sample_max > 0);
    (void)snprintf(where, sizeof where,
                   "records.kind = 'declaration' AND records.t_ns >= %" PRId64
                   " AND records.t_ns < %" PRId64
                   " AND records.entry NOT IN (SELECT entry FROM redactions)",
                   from_ns, until_ns);
    (void)snprintf(sql, sizeof sql,
                   "SELECT records.entry, ifnull(decisions.t_ns, 0), 0, decisions.probability,"
                   " decisions.propensity, decisions.arm, 0, 0 FROM records"
                   " LEFT JOIN items ON items.item = records.item"
                   " LEFT JOIN decisions ON decisions.entry = items.decision_entry"
                   " WHERE %s ORDER BY records.entry",
                   where);
    if (!count_received(ctl, where, &count)) {
        return false;
    }
    struct logged_declarations *self = calloc(1, sizeof *self);
    if (self == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    self->stride = (count + sample_max - 1) / sample_max;
    self->stride = self->stride > 0 ? self->stride : 1;
    self->newest = UINT64_MAX;
    if (!query(ctl, sql, self) || !open_source(ctl, self)) {
        logged_declarations_close(&self);
        return false;
    }
    *out = self;
    return true;
}

void logged_declarations_close(struct logged_declarations **self)
{
    if (*self == NULL) {
        return;
    }
    log_source_close(&(*self)->source);
    free((*self)->rows);
    free(*self);
    *self = NULL;
}

uint64_t logged_declarations_count(const struct logged_declarations *self)
{
    return self->rows_count;
}

uint64_t logged_declarations_all(const struct logged_declarations *self)
{
    return self->all;
}

const struct logged_declaration *logged_declarations_at(const struct logged_declarations *self,
                                                        uint64_t index)
{
    must(index < self->rows_count);
    return &self->rows[index];
}

/* Decoded only when it is what its entry speaks of: a record that somebody changed beside the log
 * must not teach. */
static const struct declaration *decode(struct logged_declarations *self,
                                        const struct log_bytes *bytes)
{
    struct arena arena;
    const uint8_t *record = NULL;
    uint32_t record_bytes = 0;
    const char *where = NULL;
    arena_init(&arena, self->entry_memory, sizeof self->entry_memory);
    bool good =
        entry_decode(bytes->bytes, bytes->bytes_count, &arena, &self->entry) == ENTRY_GOOD &&
        self->entry.type == ENTRY_DECLARATION_RECEIVED &&
        received_check(&self->entry, bytes->private_bytes, bytes->private_count) == RECEIVED_GOOD &&
        received_record(&self->entry, bytes->private_bytes, bytes->private_count, &record,
                        &record_bytes);
    if (!good) {
        return NULL;
    }
    arena_init(&arena, self->record_memory, sizeof self->record_memory);
    return declaration_decode(record, record_bytes, &arena, &self->declaration, &where) ==
                   REFUSAL_NONE
               ? &self->declaration
               : NULL;
}

MUST_USE struct err logged_declarations_read(struct logged_declarations *self, uint64_t index,
                                             const struct declaration **out)
{
    struct log_bytes bytes;
    bool got = false;
    must(index < self->rows_count);
    *out = NULL;
    struct err err = log_source_seek(self->source, self->rows[index].entry_index);
    err = err_is(err) ? err : log_source_next(self->source, &bytes, &got);
    if (err_is(err)) {
        return err.code == ERR_PRUNED ? err_none : err;
    }
    if (got && bytes.entry_index == self->rows[index].entry_index) {
        *out = decode(self, &bytes);
    }
    return err_none;
}

bool logged_is_random(const struct logged_declaration *declaration)
{
    return strcmp(declaration->arm, "random") == 0 || strcmp(declaration->arm, "both") == 0;
}
