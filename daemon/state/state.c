/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/schema.h"
#include "state/state_inside.h"

/* The file is a cache of the log: it may lose its newest transactions in a power cut
 * (synchronous=NORMAL) because `applied` is written in the same transaction as what it counts, and
 * the caller then applies the missing entries again. */

static const char *const total_names[TOTAL_COUNT] = {
#define TOTAL(name) [TOTAL_##name] = #name,
    STATE_TOTALS(TOTAL)
#undef TOTAL
};

/* 64 MiB of pages: the open part of a busy port's day fits, and ten times less shows in the rebuild
 * time. The checkpoint every 8192 pages (32 MiB) keeps syncs rare without letting the -wal file
 * grow for long. */
static const char pragmas_of_writer[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    " PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;"
    " PRAGMA wal_autocheckpoint = 8192; PRAGMA trusted_schema = OFF;";
static const char pragmas_of_reader[] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
                                        " PRAGMA trusted_schema = OFF;";

static struct err meta_get(struct state *self, const char *name, int64_t *value, bool *found)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_META_GET, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, name);
    err = statement_step(statement, found);
    if (err_is(err)) {
        return err;
    }
    if (*found) {
        *value = column_integer(statement, 0);
        statement_reset(statement);
    }
    return err_none;
}

static struct err meta_set(struct state *self, const char *name, int64_t value)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_META_SET, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, name);
    bind_integer(statement, 2, value);
    return statement_run(statement);
}

/* Missing rows are NOT_FOUND: the file is not (yet) ours. */
static struct err load_meta(struct state *self)
{
    int64_t version = 0;
    int64_t applied = 0;
    bool found = false;
    struct err err = meta_get(self, "schema_version", &version, &found);
    if (!err_is(err) && found) {
        err = meta_get(self, "applied", &applied, &found);
    }
    if (!err_is(err) && found) {
        err = meta_get(self, "last_ns", &self->last_ns, &found);
    }
    for (int i = 0; i < TOTAL_COUNT && found && !err_is(err); i++) {
        int64_t total = 0;
        err = meta_get(self, total_names[i], &total, &found);
        self->totals[i] = (uint64_t)total;
    }
    if (err_is(err)) {
        return err;
    }
    if (!found || version != STATE_SCHEMA_VERSION || applied < 0) {
        return err_make(ERR_NOT_FOUND, "read model is of another schema version");
    }
    self->applied = (uint64_t)applied;
    return err_none;
}

static struct err save_meta(struct state *self)
{
    struct err err = meta_set(self, "applied", (int64_t)self->applied);
    if (!err_is(err)) {
        err = meta_set(self, "last_ns", self->last_ns);
    }
    for (int i = 0; i < TOTAL_COUNT && !err_is(err); i++) {
        err = meta_set(self, total_names[i], (int64_t)self->totals[i]);
    }
    return err;
}

static struct err make_schema(struct state *self)
{
    struct err err = store_execute(self->store, "BEGIN IMMEDIATE");
    for (int i = 0; state_schema_sql[i] != NULL && !err_is(err); i++) {
        err = store_execute(self->store, state_schema_sql[i]);
    }
    if (!err_is(err)) {
        err = meta_set(self, "schema_version", STATE_SCHEMA_VERSION);
    }
    if (!err_is(err)) {
        err = save_meta(self);
    }
    if (!err_is(err)) {
        err = store_execute(self->store, "COMMIT");
    }
    return err;
}

static struct err open_with(const char *path, bool write, struct state **out)
{
    struct state *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open read model");
    }
    self->write = write;
    struct err err = store_open(path, write, &self->store);
    if (!err_is(err)) {
        err = store_execute(self->store, write ? pragmas_of_writer : pragmas_of_reader);
    }
    if (err_is(err)) {
        state_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

/* A file that opens but has no tables of ours, or that SQLite calls damaged, is worth nothing. A
 * full disk, a lock or a missing directory is not the file's fault and removes nothing. */
struct err state_open(const char *path, struct state **out, bool *rebuilt)
{
    struct state *self = NULL;
    struct err err = open_with(path, true, &self);
    if (!err_is(err)) {
        err = load_meta(self);
    }
    if (!err_is(err)) {
        *out = self;
        *rebuilt = false;
        return err_none;
    }
    state_close(&self);
    if (err.code != ERR_STATE_STORE && err.code != ERR_NOT_FOUND) {
        return err;
    }
    err = store_remove(path);
    if (err_is(err)) {
        return err;
    }
    err = open_with(path, true, &self);
    if (err_is(err)) {
        return err;
    }
    err = make_schema(self);
    if (err_is(err)) {
        state_close(&self);
        return err;
    }
    *out = self;
    *rebuilt = true;
    return err_none;
}

struct err state_open_readonly(const char *path, struct state **out)
{
    struct state *self = NULL;
    struct err err = open_with(path, false, &self);
    if (err_is(err)) {
        return err;
    }
    err = load_meta(self);
    if (err_is(err)) {
        state_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void state_close(struct state **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    store_close(&(*self)->store);
    free(*self);
    *self = NULL;
}

/* A reader asks the file each time: another process moves it on. */
uint64_t state_applied(struct state *self)
{
    if (!self->write) {
        struct err err = load_meta(self);
        (void)err; /* the last known number is still true of what was seen */
    }
    return self->applied;
}

struct err state_begin(struct state *self)
{
    must(self->write && !self->in_transaction);
    struct err err = store_execute(self->store, "BEGIN IMMEDIATE");
    if (!err_is(err)) {
        self->in_transaction = true;
    }
    return err;
}

struct err state_commit(struct state *self)
{
    must(self->in_transaction);
    struct err err = save_meta(self);
    if (!err_is(err)) {
        err = store_execute(self->store, "COMMIT");
    }
    if (!err_is(err)) {
        self->in_transaction = false;
    }
    return err;
}

static struct err apply_by_type(struct state *self, const struct entry *entry,
                                const struct state_hint *hint)
{
    switch (entry->type) {
    case ENTRY_SCAN_RECEIVED:
    case ENTRY_DECLARATION_RECEIVED:
        return apply_received(self, entry, hint);
    case ENTRY_RECORD_REFUSED:
        return apply_refused(self, entry);
    case ENTRY_SCORE:
        return apply_score(self, entry);
    case ENTRY_SHADOW_SCORE:
        return apply_shadow_score(self, entry);
    case ENTRY_REFERRAL_DECISION:
        return apply_decision(self, entry);
    case ENTRY_OFFICER_ACTION:
        return apply_officer_action(self, entry);
    case ENTRY_OUTCOME:
        return apply_outcome(self, entry);
    case ENTRY_CONFIG_CHANGE:
        return apply_config_change(self, entry);
    case ENTRY_MODEL_CHANGE:
        return apply_model_change(self, entry);
    case ENTRY_DRAW_COMMIT:
        return apply_draw_commit(self, entry);
    case ENTRY_DRAW_REVEAL:
        return apply_draw_reveal(self, entry);
    case ENTRY_ARCHIVE_SEAL:
        return apply_seal(self, entry);
    case ENTRY_REDACT:
        return apply_redact(self, entry);
    case ENTRY_ARCHIVE_COPIED:
        return apply_copied(self, entry);
    case ENTRY_BLOB_DISCARD:
        return apply_discard(self, entry);
    case ENTRY_HOLD:
        return apply_hold(self, entry);
    case ENTRY_OPERATION:
        return apply_operation(self, entry);
    case ENTRY_LOG_OPEN:
    case ENTRY_LOG_CLOSE:
    case ENTRY_KEY_ROTATE:
    case ENTRY_ACCESS:
    case ENTRY_WITNESS_RECEIPT:
    case ENTRY_WAL_RECOVERED:
    case ENTRY_TIME_TICK:
    case ENTRY_UNKNOWN:
        break; /* nothing that the read model shows */
    }
    return err_none;
}

struct err state_apply(struct state *self, const struct entry *entry, const struct state_hint *hint)
{
    must(self->write);
    if (entry->n < self->applied) {
        return err_none;
    }
    must(entry->n == self->applied);
    bool alone = !self->in_transaction;
    struct err err = alone ? state_begin(self) : err_none;
    if (!err_is(err)) {
        err = apply_by_type(self, entry, hint);
    }
    if (err_is(err)) {
        return err;
    }
    self->applied = entry->n + 1;
    if (entry->t_ns > self->last_ns) {
        self->last_ns = entry->t_ns;
    }
    return alone ? state_commit(self) : err_none;
}
