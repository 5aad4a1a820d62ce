/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <stdio.h>
#include <string.h>

/* Entries about what came in and about the daemon itself. Numbers of the log go into the tables as
 * they are; words of closed vocabularies go in as text, so that metrics read as sentences. */

static struct err put_stream(struct state *self, const char *publisher, const char *stream,
                             uint64_t sequence)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_STREAM_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, publisher);
    bind_text(statement, 2, stream);
    bind_index(statement, 3, sequence + 1);
    return statement_run(statement);
}

static struct err put_images(struct state *self, const struct entry *entry)
{
    const struct entry_received *received = &entry->body.received;
    must(received->images_count <= ENTRY_IMAGES_MAX);
    struct err err = err_none;
    for (uint32_t i = 0; i < received->images_count && !err_is(err); i++) {
        const struct entry_image *image = &received->images[i];
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_IMAGE_PUT, &statement);
        if (err_is(err)) {
            break;
        }
        bind_index(statement, 1, entry->n);
        bind_integer(statement, 2, i);
        bind_integer(statement, 3, image->width);
        bind_integer(statement, 4, image->height);
        bind_integer(statement, 5, image->bits);
        bind_integer(statement, 6, image->meaning);
        bind_text(statement, 7, energy_text(image->energy));
        bind_integer(statement, 8, image->view);
        bind_index(statement, 9, image->payload_bytes);
        bind_blob(statement, 10, image->sha256, HASH_BYTES);
        err = statement_run(statement);
        err = err_is(err) ? err : put_blob(self, entry->n, image);
    }
    return err;
}

/* The item that this key was decided under, newest first; *found false when there is none. */
static struct err find_decided_item(struct state *self, const struct entry_received *received,
                                    const char *key, int64_t late_since_ns,
                                    uint8_t item[ITEM_ID_BYTES], bool *found)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_ITEM_BY_KEY, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, key);
    bind_text(statement, 2, mode_text(received->mode));
    bind_text(statement, 3, received->site);
    bind_integer(statement, 4, late_since_ns != 0 ? late_since_ns : INT64_MIN);
    err = statement_step(statement, found);
    if (!err_is(err) && *found) {
        column_copy_blob(statement, 0, item, ITEM_ID_BYTES);
        statement_reset(statement);
    }
    return err;
}

/* Records join by the keyed pseudonym of their key, which is public: so a rebuild without private
 * records, redacted ones for instance, gives the same items, and no plate is ever written here. */
struct err apply_received(struct state *self, const struct entry *entry,
                          const struct state_hint *hint)
{
    const struct entry_received *received = &entry->body.received;
    const char *key = received->item_key;
    const char *label = hint != NULL && hint->label != NULL ? hint->label : key;
    bool is_scan = entry->type == ENTRY_SCAN_RECEIVED;
    uint8_t item[ITEM_ID_BYTES];
    bool late = false;
    struct err err = err_none;
    if (key != NULL && key[0] != '\0') {
        int64_t since_ns = hint != NULL ? hint->late_since_ns : 0;
        err = find_decided_item(self, received, key, since_ns, item, &late);
    }
    struct statement *statement = NULL;
    if (!err_is(err)) {
        err = store_statement(self->store, STATEMENT_RECORD_PUT, &statement);
    }
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_blob(statement, 2, entry->id, ENTRY_ID_BYTES);
    bind_integer(statement, 3, entry->t_ns);
    bind_text(statement, 4, is_scan ? "scan" : "declaration");
    bind_text(statement, 5, mode_text(received->mode));
    bind_text(statement, 6, received->site);
    bind_text(statement, 7, received->lane);
    bind_text(statement, 8, received->publisher);
    bind_text(statement, 9, received->stream);
    bind_index(statement, 10, received->sequence);
    bind_text(statement, 11, received->record_id);
    bind_blob(statement, 12,
              hint != NULL && hint->record_key != NULL ? hint->record_key : received->record_sha256,
              HASH_BYTES);
    bind_index(statement, 13, received->record_bytes);
    bind_text(statement, 14, received->item_key);
    bind_text(statement, 15, key);
    bind_text(statement, 16, label);
    bind_text(statement, 17, received->scanner);
    bind_text(statement, 18, received->scanner_type);
    bind_integer(statement, 19, received->acquired_ns);
    if (late) {
        bind_blob(statement, 20, item, ITEM_ID_BYTES);
    } else {
        bind_null(statement, 20);
    }
    bind_integer(statement, 21, late);
    err = statement_run(statement);
    if (!err_is(err)) {
        err = put_images(self, entry);
    }
    if (!err_is(err)) {
        err = put_stream(self, received->publisher, received->stream, received->sequence);
    }
    if (!err_is(err)) {
        self->totals[is_scan ? TOTAL_scans : TOTAL_declarations]++;
    }
    return err;
}

/* A refused record used up its sequence number: its publisher goes on behind it. */
struct err apply_refused(struct state *self, const struct entry *entry)
{
    const struct entry_refused *refused = &entry->body.refused;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REFUSAL_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_integer(statement, 2, entry->t_ns);
    bind_text(statement, 3, refused->publisher);
    bind_text(statement, 4, refused->stream);
    bind_index(statement, 5, refused->sequence);
    bind_integer(statement, 6, refused->code);
    bind_text(statement, 7, refused->name);
    bind_text(statement, 8, refused->reason);
    bind_blob(statement, 9, refused->record_sha256, HASH_BYTES);
    bind_index(statement, 10, refused->record_bytes);
    bind_integer(statement, 11, refused->quarantined);
    err = statement_run(statement);
    if (!err_is(err)) {
        err = put_stream(self, refused->publisher, refused->stream, refused->sequence);
    }
    if (!err_is(err)) {
        self->totals[TOTAL_refusals]++;
    }
    return err;
}

struct err apply_config_change(struct state *self, const struct entry *entry)
{
    const struct entry_config_change *change = &entry->body.config_change;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_CONFIG_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_integer(statement, 2, entry->t_ns);
    bind_blob(statement, 3, change->config_sha256, HASH_BYTES);
    bind_blob(statement, 4, change->policy_sha256, HASH_BYTES);
    bind_text(statement, 5, change->policy_version);
    const char *parts[] = {change->build, change->blas, change->libm, change->processor};
    char computing[STATE_COMPUTING_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && used < sizeof computing; i++) {
        used += (size_t)snprintf(computing + used, sizeof computing - used, "%s%s",
                                 i == 0 ? "" : "\n", parts[i] == NULL ? "" : parts[i]);
    }
    bind_text(statement, 6, computing);
    bind_integer(statement, 7, change->arm_hidden);
    return statement_run(statement);
}

/* What is in force under this name, if anything, is so no longer. */
static struct err end_model(struct state *self, const char *prefix, const char *name,
                            uint64_t entry_index)
{
    char whole[128];
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_MODEL_END, &statement);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(whole, sizeof whole, "%s%s", prefix, name == NULL ? "" : name);
    bind_text(statement, 1, whole);
    bind_index(statement, 2, entry_index);
    return statement_run(statement);
}

struct err apply_model_change(struct state *self, const struct entry *entry)
{
    const struct entry_model_change *change = &entry->body.model_change;
    struct statement *statement;
    struct err err = end_model(self, "", change->name, entry->n);
    if (!err_is(err) && change->promoted) {
        err = end_model(self, ENTRY_SHADOW_PREFIX, change->name, entry->n);
    }
    if (err_is(err) || change->removed) {
        return err;
    }
    err = store_statement(self->store, STATEMENT_MODEL_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_integer(statement, 2, entry->t_ns);
    bind_text(statement, 3, change->name);
    bind_blob(statement, 4, change->sha256, HASH_BYTES);
    bind_index(statement, 5, change->file_bytes);
    bind_text(statement, 6, change->evaluation);
    bind_text(statement, 7, entry->actor);
    bind_text(statement, 8, change->reason);
    bind_text(statement, 9, change->figures);
    bind_integer(statement, 10, change->promoted);
    return statement_run(statement);
}

struct err apply_draw_commit(struct state *self, const struct entry *entry)
{
    const struct entry_draw_commit *commit = &entry->body.draw_commit;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_DRAW_COMMIT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, commit->day);
    bind_text(statement, 2, commit->scheme);
    bind_blob(statement, 3, commit->commitment, HASH_BYTES);
    bind_index(statement, 4, entry->n);
    err = statement_run(statement);
    must(commit->rates_count <= ENTRY_RATES_MAX);
    for (uint32_t i = 0; i < commit->rates_count && !err_is(err); i++) {
        err = store_statement(self->store, STATEMENT_DRAW_RATE_PUT, &statement);
        if (err_is(err)) {
            break;
        }
        bind_text(statement, 1, commit->day);
        bind_text(statement, 2, commit->rates[i].stratum);
        bind_real(statement, 3, commit->rates[i].rate);
        if (commit->rates[i].adapts) {
            bind_real(statement, 4, commit->rates[i].floor);
            bind_text(statement, 5, commit->rates[i].reason);
        } else {
            bind_null(statement, 4);
            bind_null(statement, 5);
        }
        err = statement_run(statement);
    }
    return err;
}

struct err apply_draw_reveal(struct state *self, const struct entry *entry)
{
    const struct entry_draw_reveal *reveal = &entry->body.draw_reveal;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_DRAW_REVEAL, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, reveal->day);
    bind_index(statement, 2, entry->n);
    bind_blob(statement, 3, reveal->key, HASH_BYTES);
    return statement_run(statement);
}

struct err apply_seal(struct state *self, const struct entry *entry)
{
    const struct entry_archive_seal *seal = &entry->body.archive_seal;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_SEAL_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_integer(statement, 2, entry->t_ns);
    bind_text(statement, 3, seal->path);
    bind_index(statement, 4, seal->file_bytes);
    bind_blob(statement, 5, seal->sha256, HASH_BYTES);
    bind_index(statement, 6, seal->first_index);
    bind_index(statement, 7, seal->last_index);
    bind_text(statement, 8, seal->hdf5_version);
    bind_text(statement, 9, seal->filters);
    err = statement_run(statement);
    if (!err_is(err)) {
        self->totals[TOTAL_seals]++;
    }
    return err;
}
