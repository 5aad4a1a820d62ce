/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "pipeline_parts.h"
#include "proto/disclosure.h"

/* What the log only has digests of is shown and deleted here and nowhere else. Shown: the access
 * entry is durable before the first byte goes out, so a machine that stops in between leaves an
 * entry without an answer, never an answer without an entry. Deleted: the redact entry is durable
 * first; from then on nothing of it is shown, and the keeper takes it off the disk, however often
 * it is stopped. */

struct private_entry {
    struct entry entry;
    struct wal_entry at;
};

static bool private_is_received(const struct entry *entry)
{
    return entry->type == ENTRY_SCAN_RECEIVED || entry->type == ENTRY_DECLARATION_RECEIVED;
}

/* Its bundle is gone, its private record may still be kept: whoever has one was received. */
static const char *private_of_pruned(struct private_entry *out)
{
    struct disclosure_walk walk;
    struct disclosure disclosure;
    memset(&out->entry, 0, sizeof out->entry);
    disclosure_walk_open(out->at.private_bytes, out->at.private_count, &walk);
    while (disclosure_next(&walk, &disclosure)) {
        out->entry.sd_count++;
    }
    return out->at.private_bytes == NULL ? "it was pruned, and nothing private of it is kept"
           : walk.broken ? "it was pruned; restore its bundle from a copy of the log first"
                         : NULL;
}

/* *why tells when the entry cannot be one to show or redact. */
static struct err private_look_up(struct pipeline *self, uint64_t entry_index,
                                  struct private_entry *out, const char **why)
{
    *why = NULL;
    struct err err = entry_index < oversight_size(self->oversight)
                         ? judge_look_up(self, entry_index, &out->at)
                         : err_make(ERR_NOT_FOUND, "");
    if (err.code == ERR_NOT_FOUND) {
        *why = "there is no such entry";
        return err_none;
    }
    if (err.code == ERR_PRUNED) {
        *why = private_of_pruned(out);
        return err_none;
    }
    if (err_is(err)) {
        return err;
    }
    arena_reset(&self->judge_arena);
    if (entry_decode(out->at.bytes, out->at.bytes_count, &self->judge_arena, &out->entry) !=
            ENTRY_GOOD ||
        !private_is_received(&out->entry)) {
        *why = "only scan.received and declaration.received have a private record";
    }
    return err_none;
}

static bool private_is_wanted(const struct wire_command *command, const char *name)
{
    for (uint32_t i = 0; i < command->names_count; i++) {
        if (strcmp(command->names[i], name) == 0) {
            return true;
        }
    }
    return command->names_count == 0;
}

/* The next disclosure that was asked for and not redacted; *found false at the end. */
static struct err private_next(struct pipeline *self, const struct wire_command *command,
                               struct disclosure_walk *walk, struct disclosure *out, bool *found)
{
    *found = false;
    while (disclosure_next(walk, out)) {
        uint8_t digest[HASH_BYTES];
        bool redacted = false;
        if (!private_is_wanted(command, out->name)) {
            continue;
        }
        disclosure_digest(out, digest);
        struct err err = state_digest_redacted(self->state, digest, &redacted);
        if (err_is(err) || !redacted) {
            *found = !err_is(err);
            return err;
        }
    }
    return walk->broken ? err_make(ERR_WAL_DAMAGED, "private record") : err_none;
}

static void private_walk(const struct private_entry *entry, struct disclosure_walk *out)
{
    bool none = entry->at.private_bytes == NULL || entry->entry.sd_count == 0;
    disclosure_walk_open(entry->at.private_bytes, none ? 0 : entry->at.private_count, out);
}

static struct err private_refuse(struct pipeline *self, struct command_job *job,
                                 uint64_t entry_index, const char *why)
{
    char reason[ERR_TEXT_BYTES];
    (void)snprintf(reason, sizeof reason, "entry %llu: %s", (unsigned long long)entry_index, why);
    return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), reason);
}

/* Who asks and why must be told, and names must be ones that there are. NULL when all is well. */
static const char *private_check(const struct wire_command *command)
{
    if (command->actor == NULL || command->actor[0] == '\0') {
        return "an actor must be named";
    }
    for (uint32_t i = 0; i < command->names_count; i++) {
        const char *name = command->names[i];
        if (strcmp(name, DISCLOSURE_RECORD) != 0 && strcmp(name, DISCLOSURE_ITEM_KEY) != 0 &&
            strcmp(name, DISCLOSURE_RECORD_ID) != 0) {
            return "names are record, item_key and record_id";
        }
    }
    return NULL;
}

/* ---- show ---- */

/* Into the job's own memory: what the look-up gave goes with the next one. */
static bool reveal_add(struct command_job *job, uint64_t entry_index,
                       const struct disclosure *disclosure)
{
    if (job->answer.revealed_count == WIRE_REVEALED_MAX ||
        disclosure->encoded_bytes > sizeof job->revealed - job->revealed_bytes) {
        return false;
    }
    uint8_t *at = job->revealed + job->revealed_bytes;
    memcpy(at, disclosure->encoded, disclosure->encoded_bytes);
    job->revealed_bytes += disclosure->encoded_bytes;
    job->answer.revealed[job->answer.revealed_count++] =
        (struct wire_revealed){entry_index, at, disclosure->encoded_bytes};
    return true;
}

static void reveal_note_name(struct entry_access *access, const char *name)
{
    static const char *const names[] = {DISCLOSURE_RECORD, DISCLOSURE_ITEM_KEY,
                                        DISCLOSURE_RECORD_ID};
    for (uint32_t i = 0; i < access->names_count; i++) {
        if (strcmp(access->names[i], name) == 0) {
            return;
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0 && access->names_count < ENTRY_NAMES_MAX) {
            access->names[access->names_count++] = names[i];
        }
    }
}

/* One entry's disclosures into the job; *why when it must be refused. */
static struct err reveal_gather(struct pipeline *self, struct command_job *job,
                                uint64_t entry_index, struct entry_access *access, const char **why)
{
    struct private_entry entry;
    struct disclosure_walk walk;
    struct err err = private_look_up(self, entry_index, &entry, why);
    if (err_is(err) || *why != NULL) {
        return err;
    }
    private_walk(&entry, &walk);
    bool found = true;
    bool any = false;
    while (!err_is(err) && found && *why == NULL) {
        struct disclosure disclosure;
        err = private_next(self, &job->command->command, &walk, &disclosure, &found);
        if (!err_is(err) && found) {
            *why = reveal_add(job, entry_index, &disclosure)
                       ? NULL
                       : "more than one answer holds; ask for fewer entries or names";
            reveal_note_name(access, disclosure.name);
            any = true;
        }
    }
    if (any && access->entries_count < ENTRY_INDICES_MAX) {
        access->entry_index[access->entries_count++] = entry_index;
    }
    return err;
}

struct err command_reveal(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    const char *why = private_check(command);
    if (why != NULL) {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), why);
    }
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    pipeline_entry(&entry, ENTRY_ACCESS);
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    entry.actor = actor;
    entry.body.access.purpose = command->sentence;
    entry.body.access.request_id = command->request_id;
    for (uint32_t i = 0; i < command->entries_count; i++) {
        struct err err = reveal_gather(self, job, command->entries[i], &entry.body.access, &why);
        if (err_is(err)) {
            return err;
        }
        if (why != NULL) {
            job->answer.revealed_count = 0;
            return private_refuse(self, job, command->entries[i], why);
        }
    }
    if (job->answer.revealed_count == 0) {
        return command_refuse(self, job, err_make(ERR_NOT_FOUND, ""),
                              "nothing of this is kept, or it was redacted");
    }
    counter_add(COUNTER_disclosures_shown, job->answer.revealed_count);
    return command_append(self, job, &entry);
}

/* ---- delete ---- */

/* Until an item is decided its records are needed for that; a hold is short. */
static struct err redact_is_undecided(struct pipeline *self, uint64_t entry_index, bool *undecided)
{
    uint64_t first = 0;
    uint32_t count = 0;
    struct err err = state_undecided(self->state, entry_index, &first, 1, &count);
    *undecided = count == 1 && first == entry_index;
    return err;
}

struct redaction {
    uint8_t digests[ENTRY_DIGESTS_MAX][HASH_BYTES];
    uint32_t digests_count;
};

static struct err redact_gather(struct pipeline *self, const struct wire_command *command,
                                uint64_t entry_index, struct redaction *redaction, const char **why)
{
    struct private_entry entry;
    struct disclosure_walk walk;
    bool undecided = false;
    struct err err = private_look_up(self, entry_index, &entry, why);
    if (!err_is(err) && *why == NULL) {
        err = redact_is_undecided(self, entry_index, &undecided);
        *why = undecided ? "its item is not decided yet; ask again when it is" : NULL;
    }
    if (err_is(err) || *why != NULL) {
        return err;
    }
    if (entry.entry.sd_count == 0) { /* of a log before disclosures: all or nothing */
        bool redacted = false;
        err = state_entry_redacted(self->state, entry_index, &redacted);
        *why = redacted || entry.at.private_bytes == NULL ? "nothing of this is kept"
               : command->names_count > 0 ? "it has no named disclosures; leave --names out"
                                          : NULL;
        return err;
    }
    uint32_t before = redaction->digests_count;
    bool found = true;
    private_walk(&entry, &walk);
    while (!err_is(err) && found && *why == NULL) {
        struct disclosure disclosure;
        err = private_next(self, command, &walk, &disclosure, &found);
        if (!err_is(err) && found && redaction->digests_count == ENTRY_DIGESTS_MAX) {
            *why = "more than one redaction holds; ask for fewer entries";
        } else if (!err_is(err) && found) {
            disclosure_digest(&disclosure, redaction->digests[redaction->digests_count++]);
        }
    }
    if (*why == NULL && redaction->digests_count == before) {
        *why = "nothing of this is kept, or it was redacted before";
    }
    return err;
}

static struct err redact_append(struct pipeline *self, struct command_job *job,
                                const struct redaction *redaction)
{
    const struct wire_command *command = &job->command->command;
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    pipeline_entry(&entry, ENTRY_REDACT);
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    entry.actor = actor;
    struct entry_redact *redact = &entry.body.redact;
    memcpy(redact->entry_index, command->entries, sizeof redact->entry_index);
    redact->entries_count = command->entries_count;
    redact->digests = redaction->digests;
    redact->digests_count = redaction->digests_count;
    redact->legal_basis = command->sentence;
    redact->request_id = command->request_id;
    struct err err = command_append(self, job, &entry);
    if (!err_is(err)) {
        struct err asked = queue_try_put(self->keeper_asks, self);
        (void)asked; /* full: it has been asked already */
    }
    return err;
}

struct err command_redact(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    const char *why = private_check(command);
    if (why != NULL) {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), why);
    }
    bool answered;
    uint8_t asked[ITEM_ID_BYTES];
    state_asked_entries(command->entries, command->entries_count, asked);
    struct err err = command_before(self, job, "redact", asked, &answered);
    if (err_is(err) || answered) {
        return err;
    }
    struct redaction redaction = {.digests_count = 0};
    for (uint32_t i = 0; !err_is(err) && i < command->entries_count; i++) {
        err = redact_gather(self, command, command->entries[i], &redaction, &why);
        if (!err_is(err) && why != NULL) {
            return private_refuse(self, job, command->entries[i], why);
        }
    }
    return err_is(err) ? err : redact_append(self, job, &redaction);
}
