/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

/* A redact entry names entries and digests; a disclosure goes when its digest is named, and the
 * private record of an entry without digests goes as a whole. Digests are salted, so one of them
 * never stands for two disclosures and no pairing of the two lists is needed. */

static struct err put_entry(struct state *self, const struct entry *entry, uint64_t redacted)
{
    static const enum statement_name names[] = {STATEMENT_RECORD_REDACT, STATEMENT_ITEM_REDACT};
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REDACTION_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_index(statement, 2, redacted);
    bind_integer(statement, 3, entry->t_ns);
    err = statement_run(statement);
    for (size_t i = 0; !err_is(err) && i < sizeof names / sizeof names[0]; i++) {
        err = store_statement(self->store, names[i], &statement);
        if (!err_is(err)) {
            bind_index(statement, 1, redacted);
            err = statement_run(statement);
        }
    }
    return err;
}

struct err apply_redact(struct state *self, const struct entry *entry)
{
    const struct entry_redact *redact = &entry->body.redact;
    struct err err = err_none;
    must(redact->entries_count <= ENTRY_INDICES_MAX && redact->digests_count <= ENTRY_DIGESTS_MAX);
    for (uint32_t i = 0; !err_is(err) && i < redact->entries_count; i++) {
        err = put_entry(self, entry, redact->entry_index[i]);
    }
    for (uint32_t i = 0; !err_is(err) && i < redact->digests_count; i++) {
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_REDACTED_DIGEST_PUT, &statement);
        if (!err_is(err)) {
            bind_blob(statement, 1, redact->digests[i], HASH_BYTES);
            bind_index(statement, 2, entry->n);
            err = statement_run(statement);
        }
    }
    return err_is(err) ? err : put_request(self, entry, redact->request_id);
}

struct err state_entry_redacted(struct state *self, uint64_t entry_index, bool *redacted)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_ENTRY_REDACTED, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry_index);
    return statement_any(statement, redacted);
}

struct err state_digest_redacted(struct state *self, const uint8_t digest[HASH_BYTES],
                                 bool *redacted)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_DIGEST_REDACTED, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, digest, HASH_BYTES);
    return statement_any(statement, redacted);
}

struct err state_redactions(struct state *self, const struct state_redaction *from,
                            struct state_redaction *out, uint32_t capacity, uint32_t *count)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REDACTIONS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, from->redact_entry);
    bind_index(statement, 2, from->entry_index);
    bind_integer(statement, 3, capacity);
    uint32_t found = 0;
    while (statement_next(statement, &err)) {
        must(found < capacity);
        out[found++] = (struct state_redaction){
            column_index(statement, 0), column_index(statement, 1), column_integer(statement, 2)};
    }
    if (!err_is(err)) {
        *count = found;
    }
    return err;
}
