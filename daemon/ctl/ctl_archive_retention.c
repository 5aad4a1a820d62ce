/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"
#include "state/state.h"

/* What the daemon would do, asked with its own questions of the read model, and nothing done: so
 * this is the dry run of a discard, whether retention.discard is on or not. Only the reading of the
 * files themselves is left to the daemon. */

#define NS_PER_DAY (86400 * (double)NS_PER_S)

enum why {
    WHY_UNSEALED,
    WHY_UNCOPIED,
    WHY_UNDECIDED,
    WHY_OPEN,
    WHY_HELD,
    WHY_FOUND,
    WHY_TIME,
    WHY_DUE
};
static const char *const why_words[] = {
    "in no sealed file yet",
    "no copy in every place yet",
    "its item is not decided",
    "its referral is open",
    "a legal hold",
    "something was found",
    "its time is not over",
    "due: goes at the next look",
};
enum { WHY_COUNT = sizeof why_words / sizeof why_words[0], PAGE = 256 };

struct retention {
    struct ctl *ctl;
    struct state *state;
    json_t *list; /* NULL: only sums */
    uint64_t count[WHY_COUNT];
    uint64_t bytes[WHY_COUNT];
    int64_t until_ns[WHY_COUNT]; /* when the first of them may go; 0: no time tells */
};

static struct err blob_weigh(struct retention *self, const struct state_blob *blob, bool sealed,
                             bool copied)
{
    const struct conf *conf = &self->ctl->conf;
    struct state_blob_uses uses = {0};
    struct err err =
        state_blob_uses(self->state, blob->sha256, (int64_t)(conf->retention_days * NS_PER_DAY),
                        (int64_t)(conf->retention_found_days * NS_PER_DAY), &uses);
    if (err_is(err)) {
        return err;
    }
    bool waits = uses.until_ns > clock_utc_ns();
    enum why why = !sealed               ? WHY_UNSEALED
                   : uses.undecided      ? WHY_UNDECIDED
                   : uses.referral_open  ? WHY_OPEN
                   : uses.held           ? WHY_HELD
                   : waits && uses.found ? WHY_FOUND
                   : waits               ? WHY_TIME
                   : !copied             ? WHY_UNCOPIED
                                         : WHY_DUE;
    bool timed = why == WHY_FOUND || why == WHY_TIME;
    self->count[why]++;
    self->bytes[why] += blob->bytes;
    if (timed && (self->until_ns[why] == 0 || uses.until_ns < self->until_ns[why])) {
        self->until_ns[why] = uses.until_ns;
    }
    if (self->list != NULL) {
        json_t *row = json_pack(
            "{s:o, s:I, s:I, s:s}", "sha256", json_hex("", blob->sha256, HASH_BYTES), "entry",
            (json_int_t)blob->entry_index, "bytes", (json_int_t)blob->bytes, "why", why_words[why]);
        if (timed) {
            json_object_set_new(row, "until", json_time(uses.until_ns));
        }
        json_array_append_new(self->list, row);
    }
    return err_none;
}

static struct err range_weigh(struct retention *self, uint64_t first, uint64_t last, bool sealed,
                              bool copied)
{
    struct state_blob *page = calloc(PAGE, sizeof *page);
    struct state_blob after = {.entry_index = 0};
    uint32_t count = PAGE;
    struct err err = page == NULL ? err_make(ERR_MEMORY, "archive retention") : err_none;
    while (!err_is(err) && count == PAGE) {
        err = state_blobs(self->state, first, last, &after, page, PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count; i++) {
            err = blob_weigh(self, &page[i], sealed, copied);
            after = page[i];
        }
    }
    free(page);
    return err;
}

/* The next seal that every place of archive.copy has is told by asking each for its next gap. */
static struct err seal_copied(struct retention *self, const struct state_seal *seal, bool *copied)
{
    char place[CONF_TEXT_BYTES];
    const char *at = self->ctl->conf.archive_copy;
    uint64_t before = seal->entry_index == 0 ? UINT64_MAX : seal->entry_index - 1;
    bool all = true;
    uint32_t places_count = 0;
    *copied = false;
    while (*at != '\0') {
        size_t bytes = strcspn(at, ":");
        struct state_seal gap;
        (void)snprintf(place, sizeof place, "%.*s", (int)bytes, at);
        at += bytes + (at[bytes] == ':' ? 1 : 0);
        struct err err = bytes == 0 ? err_make(ERR_NOT_FOUND, "")
                                    : state_seal_next(self->state, before, place, &gap);
        if (err_is(err) && err.code != ERR_NOT_FOUND) {
            return err;
        }
        all = all && (err_is(err) || gap.entry_index != seal->entry_index);
        places_count += bytes > 0 ? 1 : 0;
    }
    *copied = all && places_count > 0;
    return err_none;
}

static struct err retention_weigh(struct retention *self)
{
    struct state_seal seal = {.entry_index = UINT64_MAX};
    uint64_t next = 0;
    struct err err = state_seal_next(self->state, seal.entry_index, NULL, &seal);
    while (!err_is(err)) {
        bool copied = false;
        err = seal_copied(self, &seal, &copied);
        if (!err_is(err)) {
            err = range_weigh(self, seal.first_index, seal.last_index, true, copied);
        }
        next = seal.last_index + 1;
        err = err_is(err) ? err : state_seal_next(self->state, seal.entry_index, NULL, &seal);
    }
    return err.code == ERR_NOT_FOUND ? range_weigh(self, next, INT64_MAX, false, false) : err;
}

/* ---- telling ---- */

static json_t *places_json(struct retention *self, struct err *err)
{
    json_t *places = json_array();
    char place[CONF_TEXT_BYTES];
    const char *at = self->ctl->conf.archive_copy;
    while (*at != '\0' && !err_is(*err)) {
        size_t bytes = strcspn(at, ":");
        uint64_t waiting = 0;
        int64_t since_ns = 0;
        (void)snprintf(place, sizeof place, "%.*s", (int)bytes, at);
        at += bytes + (at[bytes] == ':' ? 1 : 0);
        if (bytes == 0) {
            continue;
        }
        *err = state_copies_waiting(self->state, place, &waiting, &since_ns);
        json_t *row =
            json_pack("{s:o, s:I}", "place", json_text(place), "waiting", (json_int_t)waiting);
        if (since_ns != 0) {
            json_object_set_new(row, "oldest_sealed", json_time(since_ns));
        }
        json_array_append_new(places, row);
    }
    return places;
}

static json_t *retention_json(struct retention *self, struct err *err)
{
    json_t *kept = json_array();
    for (int why = 0; why < WHY_COUNT; why++) {
        if (self->count[why] == 0) {
            continue;
        }
        json_t *row =
            json_pack("{s:s, s:I, s:I}", "why", why_words[why], "payloads",
                      (json_int_t)self->count[why], "bytes", (json_int_t)self->bytes[why]);
        if (self->until_ns[why] != 0) {
            json_object_set_new(row, "first_until", json_time(self->until_ns[why]));
        }
        json_array_append_new(kept, row);
    }
    json_t *out = json_pack("{s:b, s:o, s:o}", "discarding", (int)self->ctl->conf.retention_discard,
                            "copies", places_json(self, err), "blobs", kept);
    if (self->list != NULL) {
        json_object_set(out, "list", self->list);
    }
    return out;
}

static int print_rows(const json_t *told)
{
    static const struct table_column columns[] = {{"PAYLOADS", TABLE_RIGHT, 0},
                                                  {"BYTES", TABLE_RIGHT, 0},
                                                  {"FIRST UNTIL", TABLE_LEFT, 0},
                                                  {"KEPT BECAUSE", TABLE_LEFT, 0}};
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(told, "copies"), index, row)
    {
        (void)printf("copies in %s: %lld sealed files wait%s%.19s\n", member_text(row, "place"),
                     member_integer(row, "waiting"),
                     member_integer(row, "waiting") > 0 ? ", the oldest since " : "",
                     member_text(row, "oldest_sealed"));
    }
    if (json_array_size(json_object_get(told, "copies")) == 0) {
        puts("archive.copy is empty: there are no second copies, and nothing can be discarded");
    }
    if (!json_is_true(json_object_get(told, "discarding"))) {
        puts("retention.discard is off: nothing goes");
    }
    struct table *table = table_open(columns, 4);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    json_array_foreach(json_object_get(told, "blobs"), index, row)
    {
        char bytes[TABLE_CELL_BYTES];
        format_bytes((uint64_t)member_integer(row, "bytes"), bytes);
        table_cellf(table, "%lld", member_integer(row, "payloads"));
        table_cell(table, bytes);
        table_cellf(table, "%.19s", member_text(row, "first_until"));
        table_cell(table, member_text(row, "why"));
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    json_array_foreach(json_object_get(told, "list"), index, row)
    {
        (void)printf("%.16s entry %lld, %lld B: %s%s%.19s\n", member_text(row, "sha256"),
                     member_integer(row, "entry"), member_integer(row, "bytes"),
                     member_text(row, "why"), member_text(row, "until")[0] == '\0' ? "" : " until ",
                     member_text(row, "until"));
    }
    return whole ? CTL_GOOD : CTL_REFUSED;
}

static error_t parse_list(int key, char *text, struct argp_state *state)
{
    if (key == 'l') {
        *(bool *)state->input = true;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        argp_error(state, "unexpected argument %s", text);
    }
    return ARGP_ERR_UNKNOWN;
}

int ctl_archive_retention(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"list", 'l', 0, 0, "every payload, not only sums", 0}, {0}};
    static const struct argp own = {
        table,
        parse_list,
        "",
        "Which sealed files still lack a copy, which payloads lie in blobs and why, and which "
        "would "
        "be discarded at the daemon's next look: a dry run, with or without a daemon.",
        NULL,
        NULL,
        NULL};
    bool listed = false;
    struct retention self = {.ctl = ctl};
    ctl_parse(ctl, &own, &listed, argc, argv);
    self.state = ctl_open_state(ctl);
    if (self.state == NULL) {
        return CTL_REFUSED;
    }
    self.list = listed ? json_array() : NULL;
    struct err err = retention_weigh(&self);
    json_t *told = err_is(err) ? NULL : retention_json(&self, &err);
    int result = CTL_REFUSED;
    if (err_is(err)) {
        result = ctl_fail("read model", err);
    } else if (ctl->json) {
        json_incref(told);
        result = json_print(told, true);
    } else {
        result = print_rows(told);
    }
    json_decref(told);
    json_decref(self.list);
    state_close(&self.state);
    return result;
}
