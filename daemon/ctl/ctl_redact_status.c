/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/ctl_order.h"
#include "ctl/json_text.h"
#include "ctl/log_source.h"
#include "ctl/rows.h"
#include "ctl/table.h"
#include "oversight/retire.h"
#include "proto/disclosure.h"
#include "state/state.h"

#define WORDS_BYTES 96u

/* What of a redaction is done is read off the disk, not believed: the private record of each entry
 * named, and whether anything is left in it that the redaction names, in every copy that this store
 * has of it. */

struct status {
    struct ctl *ctl;
    struct state *state;
    struct log_source *source;
    struct arena arena;
    json_t *health; /* of the daemon; NULL when it does not answer */
    char wal[DURABLE_PATH_BYTES];
    char mirror[DURABLE_PATH_BYTES]; /* the second copy of the write-ahead log; "": there is none */
    json_t *rows;
};

static bool is_left(struct status *self, const struct log_bytes *bytes, struct err *err)
{
    struct entry *entry = arena_take(&self->arena, sizeof *entry);
    struct disclosure_walk walk;
    struct disclosure disclosure;
    bool redacted = false;
    if (bytes->private_bytes == NULL || entry == NULL ||
        entry_decode(bytes->bytes, bytes->bytes_count, &self->arena, entry) != ENTRY_GOOD) {
        return bytes->private_bytes != NULL;
    }
    if (entry->sd_count == 0) {
        return true;
    }
    disclosure_walk_open(bytes->private_bytes, bytes->private_count, &walk);
    while (!err_is(*err) && !redacted && disclosure_next(&walk, &disclosure)) {
        uint8_t digest[HASH_BYTES];
        disclosure_digest(&disclosure, digest);
        *err = state_digest_redacted(self->state, digest, &redacted);
    }
    return redacted;
}

/* Why it is still there, in words. */
static void tell_wait(struct status *self, uint64_t entry_index, char out[WORDS_BYTES])
{
    uint64_t end = 0;
    bool ended = false;
    struct retire_segment oldest;
    bool found = false;
    struct err err = retire_oldest(self->wal, &oldest, &found);
    if (!err_is(err) && found && entry_index < oldest.first_index) {
        (void)snprintf(out, WORDS_BYTES, "its pack is to be written anew");
        return;
    }
    err = err_is(err) ? err : retire_boundary(self->wal, entry_index + 1, &end, &ended);
    if (err_is(err)) {
        (void)snprintf(out, WORDS_BYTES, "the write-ahead log cannot be read");
    } else if (self->health == NULL) {
        (void)snprintf(out, WORDS_BYTES, "the daemon does not run");
    } else if (!ended) {
        (void)snprintf(out, WORDS_BYTES, "the next entry ends its segment");
    } else if (member_integer(self->health, "judged") <= (long long)end) {
        (void)snprintf(out, WORDS_BYTES, "the judge line is behind");
    } else if (self->ctl->conf.archive_enabled &&
               member_integer(self->health, "sealed") < (long long)end) {
        (void)snprintf(out, WORDS_BYTES, "no archive file covers its segment yet");
    } else {
        (void)snprintf(out, WORDS_BYTES,
                       "a full public bundle must cover its segment (up to %u more entries)",
                       TILE_WIDTH);
    }
}

/* Is it in the second copy of the write-ahead log? What cannot be looked at may be anywhere. */
static bool is_in_mirror(const struct status *self, uint64_t entry_index, char out[WORDS_BYTES])
{
    struct retire_segment oldest;
    bool found = false;
    if (self->mirror[0] == '\0') {
        return false;
    }
    struct err err = retire_oldest(self->mirror, &oldest, &found);
    if (err_is(err)) {
        (void)snprintf(out, WORDS_BYTES, "oversight.mirror cannot be read: it may have it");
        return true;
    }
    if (found && entry_index >= oldest.first_index) {
        (void)snprintf(out, WORDS_BYTES, "its segment lies in oversight.mirror still%s",
                       self->health == NULL ? "; the daemon does not run" : "");
        return true;
    }
    return false;
}

static struct err add_row(struct status *self, const struct state_redaction *redaction)
{
    struct log_bytes bytes;
    bool got = false;
    char words[WORDS_BYTES] = "";
    struct err err = log_source_seek(self->source, redaction->entry_index);
    if (!err_is(err)) {
        err = log_source_next(self->source, &bytes, &got);
    }
    if (err_is(err) || !got) {
        return err;
    }
    arena_reset(&self->arena);
    bool left = is_left(self, &bytes, &err);
    if (left) {
        tell_wait(self, redaction->entry_index, words);
    } else if (!err_is(err)) {
        left = is_in_mirror(self, redaction->entry_index, words);
    }
    json_array_append_new(self->rows,
                          json_pack("{s:I, s:I, s:o, s:b, s:s}", "redact_entry",
                                    (json_int_t)redaction->redact_entry, "entry",
                                    (json_int_t)redaction->entry_index, "t",
                                    json_time(redaction->t_ns), "gone", !left, "waits_for", words));
    return err;
}

static struct err add_rows(struct status *self)
{
    enum { PAGE = 64 };
    struct state_redaction page[PAGE];
    struct state_redaction from = {0};
    uint32_t count = PAGE;
    struct err err = err_none;
    while (!err_is(err) && count == PAGE) {
        err = state_redactions(self->state, &from, page, PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count; i++) {
            err = add_row(self, &page[i]);
            from = page[i];
            from.entry_index++;
        }
    }
    return err;
}

static int print_rows(struct status *self)
{
    static const struct table_column columns[] = {{"REDACTION", TABLE_RIGHT, 0},
                                                  {"ENTRY", TABLE_RIGHT, 0},
                                                  {"WHEN", TABLE_LEFT, 0},
                                                  {"ON THE DISK", TABLE_LEFT, 0}};
    if (self->ctl->json) {
        json_t *rows = self->rows;
        self->rows = NULL;
        return json_print(rows, true);
    }
    struct table *table = table_open(columns, 4);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    size_t place;
    json_t *row;
    json_array_foreach(self->rows, place, row)
    {
        table_cellf(table, "%lld", member_integer(row, "redact_entry"));
        table_cellf(table, "%lld", member_integer(row, "entry"));
        table_cell(table, member_text(row, "t"));
        if (json_is_true(json_object_get(row, "gone"))) {
            table_cell(table, "gone");
        } else {
            table_cellf(table, "still there: %s", member_text(row, "waits_for"));
        }
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : CTL_REFUSED;
}

int ctl_redact_status(struct ctl *ctl)
{
    struct wire_command command = {.order = ORDER_HEALTH};
    struct wire_answer answer;
    struct status self = {.ctl = ctl, .rows = json_array()};
    if (ctl_order_answer_briefly(ctl, &command, &answer) && answer.json != NULL) {
        self.health = json_loads(answer.json, 0, NULL);
    }
    uint8_t *memory = malloc((size_t)2 * ENTRY_ARENA_BYTES);
    self.state = memory == NULL ? NULL : ctl_open_state(ctl);
    int result = CTL_REFUSED;
    bool mirrored = ctl->conf.oversight_mirror[0] != '\0';
    if (self.state != NULL && ctl_path(ctl, "wal", self.wal) &&
        (!mirrored || ctl_path(ctl, ctl->conf.oversight_mirror, self.mirror))) {
        arena_init(&self.arena, memory, (size_t)2 * ENTRY_ARENA_BYTES);
        struct err err = log_source_open_store(ctl->conf.store_directory, &self.source);
        if (!err_is(err)) {
            err = add_rows(&self);
        }
        result = err_is(err) ? ctl_fail(self.wal, err) : print_rows(&self);
    }
    log_source_close(&self.source);
    state_close(&self.state);
    json_decref(self.health);
    json_decref(self.rows);
    free(memory);
    return result;
}
