/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger, by random stories. Officers with old screens claim, release, examine, examine again and
 * correct; the network loses orders and answers and delivers copies late; the daemon dies before
 * its log has an entry, after, and in the middle of the read model's transaction, and sometimes
 * loses the read model; between orders it ends items that nobody has claimed. An officer who got no
 * answer asks again until he has one. Then:
 *
 *   every item ended in exactly one terminal state; every order that was said to be done is in the
 *   log once, none that was refused is; a model of ten lines agrees with the read model; the log
 *   applied to an empty read model gives the same rows.
 *
 * TRIAGED_LEDGER_STORIES: how many items live through this (20,000; the soak run is 1,000,000). */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../test_folder.h"
#include "kernels/rng.h"
#include "ledger/ledger.h"
#include "proto/arena.h"
#include "proto/hash.h"
#include "referral/referral.h"

enum {
    WORLD_ITEMS = 1000,
    OFFICERS = 6,
    ORDER_BYTES = 512,
    ENTRY_BYTES = 1024,
    LATE_COPIES = 32,
    ENTRIES_MAX = WORLD_ITEMS * 24,
    ORDERS_MAX = WORLD_ITEMS * 24,
    COMMIT_EVERY = 40,
};

/* What the test knows of an item: from answers alone. */
struct fate {
    enum referral_state state;
    uint64_t version;
    int says; /* of the outcome that stands: 2 a find, 1 nothing found, 0 neither */
    uint32_t terminal_moves;
};

struct asked {
    uint8_t bytes[ORDER_BYTES];
    size_t bytes_count;
    uint32_t item;
    enum order order;
    enum referral_state to;
    bool again;
    bool correction;
    int says;
    bool answered;
    bool done;
    uint64_t entry_index;
};

struct officer {
    char name[16];
    uint32_t open;              /* index of the order that waits for its answer, ORDERS_MAX: none */
    uint64_t seen[WORLD_ITEMS]; /* version on his screen */
};

struct stored {
    uint8_t bytes[ENTRY_BYTES];
    size_t bytes_count;
};

struct world {
    struct rng rng;
    char folder[64];
    char path[96];
    struct state *state;
    bool in_transaction;
    uint32_t since_commit;
    struct stored *log;
    uint64_t log_count;
    struct asked *orders;
    uint32_t orders_count;
    struct fate fates[WORLD_ITEMS];
    struct officer officers[OFFICERS];
    uint32_t late[LATE_COPIES]; /* orders of which a copy is still on its way */
    uint32_t late_count;
    uint8_t arena_buffer[65536];
    struct arena arena;
    uint64_t crashes, copies, lost, refused, expired, kept;
};

static void good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static bool chance(struct world *self, uint64_t in_thousand)
{
    return rng_below(&self->rng, 1000) < in_thousand;
}

static void item_id(uint32_t item, uint8_t out[ITEM_ID_BYTES])
{
    memset(out, 0x11, ITEM_ID_BYTES);
    memcpy(out, &item, sizeof item);
}

/* ---- the daemon ---- */

static void log_append(struct world *self, struct entry *entry)
{
    assert_true(self->log_count < ENTRIES_MAX);
    struct stored *to = &self->log[self->log_count];
    memset(entry->id, 0x70, ENTRY_ID_BYTES);
    memcpy(entry->id, &self->log_count, sizeof self->log_count);
    size_t stamp =
        entry_encode_stamp(self->log_count, INT64_C(1790000000000000000) + (int64_t)self->log_count,
                           to->bytes, sizeof to->bytes);
    size_t rest = entry_encode_rest(entry, to->bytes + stamp, sizeof to->bytes - stamp);
    assert_true(stamp > 0 && rest > 0);
    to->bytes_count = stamp + rest;
    self->log_count++;
}

static void log_read(struct world *self, uint64_t index, struct entry *out)
{
    arena_reset(&self->arena);
    assert_int_equal(
        entry_decode(self->log[index].bytes, self->log[index].bytes_count, &self->arena, out),
        ENTRY_GOOD);
}

static void state_catch_up(struct world *self, struct state *state, uint64_t until)
{
    while (state_applied(state) < until) {
        struct entry entry;
        log_read(self, state_applied(state), &entry);
        good(state_apply(state, &entry, NULL));
    }
}

static void daemon_start(struct world *self)
{
    bool rebuilt;
    good(state_open(self->path, &self->state, &rebuilt));
    good(state_begin(self->state));
    self->since_commit = 0;
    state_catch_up(self, self->state, self->log_count);
}

/* What was not committed is gone; now and then the whole read model is. */
static void daemon_crash(struct world *self)
{
    self->crashes++;
    state_close(&self->state);
    if (chance(self, 50)) {
        (void)unlink(self->path);
    }
    daemon_start(self);
}

/* False: it died, and nobody was answered. */
static bool daemon_take(struct world *self, const struct asked *asked, bool may_crash,
                        struct ledger_answer *answer)
{
    struct wire_command command;
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    uint8_t buffer[4096];
    struct arena arena;
    arena_init(&arena, buffer, sizeof buffer);
    assert_true(wire_command_decode(asked->bytes, asked->bytes_count, &arena, &command));
    (void)snprintf(actor, sizeof actor, "p-%s", command.actor);
    good(ledger_consider(self->state, &command, actor, &entry, answer));
    uint64_t fate = may_crash ? rng_below(&self->rng, 1000) : 1000;
    if (fate == 0) {
        daemon_crash(self);
        return false;
    }
    if (answer->verdict == LEDGER_ENTRY) {
        answer->entry_index = self->log_count;
        log_append(self, &entry);
        if (fate == 1) { /* durable, and the read model has not seen it */
            daemon_crash(self);
            return false;
        }
        state_catch_up(self, self->state, self->log_count);
    }
    if (++self->since_commit == COMMIT_EVERY) {
        good(state_commit(self->state));
        good(state_begin(self->state));
        self->since_commit = 0;
    }
    if (fate == 2) { /* all is done, the answer is not sent */
        daemon_crash(self);
        return false;
    }
    return true;
}

/* The deadline of an item strikes, whatever state it is in; sometimes twice. */
static void daemon_expire(struct world *self, uint32_t item)
{
    uint8_t id[ITEM_ID_BYTES];
    struct entry entry;
    struct ledger_answer answer;
    struct state_referral before;
    item_id(item, id);
    uint64_t rounds = 1 + rng_below(&self->rng, 2);
    for (uint64_t round = 0; round < rounds; round++) {
        good(state_referral(self->state, id, &before));
        good(ledger_expire(self->state, id, &entry, &answer));
        if (before.state != REFERRAL_QUEUED) {
            assert_int_equal(answer.verdict, LEDGER_REFUSED);
            assert_int_equal(answer.fault.code, ERR_ILLEGAL_TRANSITION);
            self->kept++;
            continue;
        }
        assert_int_equal(answer.verdict, LEDGER_ENTRY);
        uint64_t fate = rng_below(&self->rng, 100);
        if (fate == 0) {
            daemon_crash(self);
            return;
        }
        log_append(self, &entry);
        if (fate == 1) { /* durable, and the read model has not seen it */
            daemon_crash(self);
            continue;
        }
        state_catch_up(self, self->state, self->log_count);
    }
}

/* ---- officers ---- */

static const char *const releases[] = {"capacity", "drove_on", "sent_back", "other_port", "typo"};
static const char *const findings[] = {"found", "nothing_found", "abandoned", "partial"};

static void outcome_choose(struct world *self, struct asked *asked, struct wire_command *command)
{
    const char *result = findings[rng_below(&self->rng, 4)];
    asked->says = exam_result_is_find(result) ? 2 : exam_result_is_label(result);
    command->outcome = (struct entry_outcome){.exam_level = "full", .result = result};
    if (asked->says == 2) {
        command->outcome.seizure_class = "narcotics";
        command->outcome.quantity = 1.5;
        command->outcome.unit = "kg";
    }
    asked->to = REFERRAL_OUTCOME;
    asked->again = chance(self, 400);
    asked->correction = asked->again && chance(self, 500);
    if (asked->again) {
        command->outcome.again = asked->correction ? "correction" : "second_exam";
        command->outcome.code = asked->correction ? "typing" : "";
    }
}

static uint32_t order_make(struct world *self, uint32_t officer, uint32_t item)
{
    assert_true(self->orders_count < ORDERS_MAX);
    uint32_t number = self->orders_count++;
    struct asked *asked = &self->orders[number];
    struct wire_command command = {.actor = self->officers[officer].name};
    char request_id[32];
    memset(asked, 0, sizeof *asked);
    (void)snprintf(request_id, sizeof request_id, "r-%u", number);
    command.request_id = request_id;
    item_id(item, command.item);
    asked->item = item;
    uint64_t what = rng_below(&self->rng, 10);
    if (what < 4) {
        command.order = ORDER_CLAIM;
        asked->to = REFERRAL_IN_EXAM;
    } else if (what < 6) {
        command.order = ORDER_RELEASE;
        command.code = releases[rng_below(&self->rng, 5)];
        const struct referral_code *code = referral_code_find(command.code);
        asked->to = code == NULL ? REFERRAL_NONE : code->state;
    } else {
        command.order = ORDER_OUTCOME;
        outcome_choose(self, asked, &command);
    }
    asked->order = command.order;
    command.expected_version = self->officers[officer].seen[item];
    asked->bytes_count = wire_command_encode(&command, asked->bytes, sizeof asked->bytes);
    assert_true(asked->bytes_count > 0);
    return number;
}

/* The ten lines: may this be done to an item that is known to be so? */
static void fate_take(struct fate *fate, const struct asked *asked)
{
    if (asked->again) {
        assert_int_equal(fate->state, REFERRAL_OUTCOME);
        fate->says = asked->correction || asked->says > fate->says ? asked->says : fate->says;
    } else {
        assert_true(referral_may_go(fate->state, asked->to));
        fate->state = asked->to;
        fate->says = asked->to == REFERRAL_OUTCOME ? asked->says : 0;
        fate->terminal_moves += referral_state_is_terminal(asked->to);
    }
    fate->version++;
}

static void answer_take(struct world *self, struct asked *asked, const struct ledger_answer *answer)
{
    bool done = answer->verdict != LEDGER_REFUSED;
    if (asked->answered) { /* to a copy: the same answer */
        if (asked->done) {
            assert_int_equal(answer->verdict, LEDGER_BEFORE);
            assert_int_equal(answer->entry_index, asked->entry_index);
        } else {
            assert_int_equal(answer->verdict, LEDGER_REFUSED);
        }
        return;
    }
    asked->answered = true;
    asked->done = done;
    asked->entry_index = answer->entry_index;
    self->refused += !done;
}

static void officer_turn(struct world *self, uint32_t index, uint32_t item, bool calm)
{
    struct officer *officer = &self->officers[index];
    if (officer->open == ORDERS_MAX) {
        if (calm || chance(self, 700)) { /* looks at the screen before acting */
            uint8_t id[ITEM_ID_BYTES];
            struct state_referral referral;
            item_id(item, id);
            good(state_referral(self->state, id, &referral));
            officer->seen[item] = referral.version;
        }
        officer->open = order_make(self, index, item);
    }
    struct asked *asked = &self->orders[officer->open];
    if (!calm && chance(self, 20)) { /* lost on the way there */
        self->lost++;
        return;
    }
    if (!calm && chance(self, 30) && self->late_count < LATE_COPIES) {
        self->late[self->late_count++] = officer->open;
    }
    struct ledger_answer answer;
    if (!daemon_take(self, asked, !calm, &answer)) {
        return;
    }
    if (!calm && chance(self, 20)) { /* lost on the way back */
        self->lost++;
        return;
    }
    answer_take(self, asked, &answer);
    officer->open = ORDERS_MAX;
}

static void late_copy(struct world *self)
{
    if (self->late_count == 0 || !chance(self, 30)) {
        return;
    }
    uint32_t at = (uint32_t)rng_below(&self->rng, self->late_count);
    struct asked *asked = &self->orders[self->late[at]];
    if (!asked->answered) { /* whose order still waits: that would be its retry */
        return;
    }
    self->late[at] = self->late[--self->late_count];
    self->copies++;
    struct ledger_answer answer;
    if (daemon_take(self, asked, true, &answer)) {
        answer_take(self, asked, &answer);
    }
}

/* ---- a world from its first entry to the count at the end ---- */

static void world_open(struct world *self, uint64_t seed)
{
    rng_init(&self->rng, seed, 1);
    test_folder_make("triaged-ledger", self->folder, sizeof self->folder);
    (void)snprintf(self->path, sizeof self->path, "%s/state.db", self->folder);
    self->log = calloc(ENTRIES_MAX, sizeof *self->log);
    self->orders = calloc(ORDERS_MAX, sizeof *self->orders);
    assert_true(self->log != NULL && self->orders != NULL);
    arena_init(&self->arena, self->arena_buffer, sizeof self->arena_buffer);
    for (uint32_t i = 0; i < WORLD_ITEMS; i++) {
        struct entry entry = {.type = ENTRY_REFERRAL_DECISION, .actor = "daemon", .has_item = true};
        item_id(i, entry.item);
        entry.body.decision = (struct entry_decision){.decision = "refer",
                                                      .arm = i % 3 == 0 ? "random" : "target",
                                                      .propensity = 0.25,
                                                      .random_rate = 0.05,
                                                      .probability = 0.5,
                                                      .priority = (double)i,
                                                      .mode = MODE_TRUCK,
                                                      .site = "north"};
        log_append(self, &entry);
        self->fates[i] = (struct fate){.state = REFERRAL_QUEUED, .version = 1};
    }
    for (uint32_t i = 0; i < OFFICERS; i++) {
        struct officer *officer = &self->officers[i];
        (void)snprintf(officer->name, sizeof officer->name, "officer-%u", i);
        officer->open = ORDERS_MAX;
        for (uint32_t item = 0; item < WORLD_ITEMS; item++) {
            officer->seen[item] = 1;
        }
    }
    daemon_start(self);
}

static void world_close(struct world *self)
{
    state_close(&self->state);
    free(self->log);
    free(self->orders);
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", self->folder);
    assert_int_equal(system(command), 0);
}

/* Officers crowd around a few items at a time, so that they do meet. */
static void world_live(struct world *self)
{
    for (uint32_t first = 0; first < WORLD_ITEMS; first += 10) {
        for (uint32_t turn = 0; turn < 80; turn++) {
            uint32_t item = first + (uint32_t)rng_below(&self->rng, 10);
            officer_turn(self, (uint32_t)rng_below(&self->rng, OFFICERS), item, false);
            late_copy(self);
            if (chance(self, 30)) {
                daemon_expire(self, first + (uint32_t)rng_below(&self->rng, 10));
            }
        }
    }
    /* Everybody gets his answer, and what is open is ended by somebody who sees well. */
    for (uint32_t i = 0; i < OFFICERS; i++) {
        while (self->officers[i].open != ORDERS_MAX) {
            officer_turn(self, i, 0, true);
        }
    }
    for (uint32_t item = 0; item < WORLD_ITEMS; item++) {
        uint8_t id[ITEM_ID_BYTES];
        struct state_referral referral = {.state = REFERRAL_QUEUED};
        item_id(item, id);
        for (uint32_t turn = 0; turn < 200 && !referral_state_is_terminal(referral.state); turn++) {
            officer_turn(self, 0, item, true);
            good(state_referral(self->state, id, &referral));
        }
    }
    good(state_commit(self->state));
}

/* What nobody ordered is the daemon's: of an item that nobody had claimed, and its end. */
static void check_expired(struct world *self, const struct entry *entry)
{
    uint32_t item;
    memcpy(&item, entry->item, sizeof item);
    assert_true(item < WORLD_ITEMS);
    struct fate *fate = &self->fates[item];
    assert_int_equal(entry->type, ENTRY_OFFICER_ACTION);
    assert_string_equal(entry->actor, "daemon");
    assert_string_equal(entry->body.officer_action.action, "expire");
    assert_string_equal(entry->body.officer_action.code, "deadline");
    assert_string_equal(entry->body.officer_action.to_state, "expired");
    assert_int_equal(fate->state, REFERRAL_QUEUED);
    fate->state = REFERRAL_EXPIRED;
    fate->terminal_moves++;
    fate->version++;
    assert_int_equal(entry->body.officer_action.version, fate->version);
    self->expired++;
}

/* The orders that were done, in the order of the log, lead every item to where it is. */
static void check_orders(struct world *self)
{
    uint32_t *of_entry = calloc(self->log_count, sizeof *of_entry);
    assert_non_null(of_entry);
    for (uint32_t i = 0; i < self->orders_count; i++) {
        const struct asked *asked = &self->orders[i];
        assert_true(asked->answered);
        if (asked->done) {
            assert_true(asked->entry_index >= WORLD_ITEMS && asked->entry_index < self->log_count);
            assert_int_equal(of_entry[asked->entry_index], 0); /* two orders, one entry */
            of_entry[asked->entry_index] = i + 1;
        }
    }
    for (uint64_t n = WORLD_ITEMS; n < self->log_count; n++) {
        struct entry entry;
        uint8_t id[ITEM_ID_BYTES];
        char request_id[32];
        log_read(self, n, &entry);
        if (of_entry[n] == 0) { /* an order that nobody was told of does not pass here */
            check_expired(self, &entry);
            continue;
        }
        const struct asked *asked = &self->orders[of_entry[n] - 1];
        item_id(asked->item, id);
        assert_memory_equal(entry.item, id, ITEM_ID_BYTES);
        (void)snprintf(request_id, sizeof request_id, "r-%u", of_entry[n] - 1);
        assert_string_equal(entry.type == ENTRY_OUTCOME ? entry.body.outcome.request_id
                                                        : entry.body.officer_action.request_id,
                            request_id);
        fate_take(&self->fates[asked->item], asked);
    }
    free(of_entry);
}

static void check_items(struct world *self)
{
    for (uint32_t item = 0; item < WORLD_ITEMS; item++) {
        const struct fate *fate = &self->fates[item];
        uint8_t id[ITEM_ID_BYTES];
        struct state_referral referral;
        struct state_standing standing;
        item_id(item, id);
        good(state_referral(self->state, id, &referral));
        assert_int_equal(fate->terminal_moves, 1);
        assert_int_equal(referral.state, fate->state);
        assert_true(referral_state_is_terminal(referral.state));
        assert_int_equal(referral.version, fate->version);
        struct err err = state_standing(self->state, id, &standing);
        assert_int_equal(!err_is(err), fate->state == REFERRAL_OUTCOME);
        if (!err_is(err)) {
            assert_int_equal(
                exam_result_is_find(standing.result) ? 2 : exam_result_is_label(standing.result),
                fate->says);
        }
    }
}

static void take_row(void *arg, uint32_t count, const char *const *names, const char *const *values)
{
    struct sha256 *hash = arg;
    for (uint32_t i = 0; i < count; i++) {
        sha256_add(hash, names[i], strlen(names[i]) + 1);
        const char *value = values[i] == NULL ? "\1" : values[i];
        sha256_add(hash, value, strlen(value) + 1);
    }
}

static void rows_digest(struct state *state, uint8_t out[HASH_BYTES])
{
    static const char *const tables[] = {
        "SELECT * FROM referrals ORDER BY item", "SELECT * FROM actions ORDER BY entry",
        "SELECT * FROM outcomes ORDER BY entry", "SELECT * FROM requests ORDER BY request_id",
        "SELECT * FROM items ORDER BY item",     "SELECT * FROM decisions ORDER BY entry"};
    struct sha256 *hash = sha256_open();
    assert_non_null(hash);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        good(state_metric(state, tables[i], take_row, hash));
    }
    sha256_finish(hash, out);
    sha256_close(&hash);
}

static void take_number(void *arg, uint32_t count, const char *const *names,
                        const char *const *values)
{
    (void)names;
    assert_int_equal(count, 1);
    *(uint64_t *)arg = strtoull(values[0], NULL, 10);
}

static void check_one_stands(struct world *self)
{
    uint64_t wrong = 1;
    good(state_metric(self->state,
                      "SELECT count(*) FROM (SELECT item FROM outcomes GROUP BY item"
                      " HAVING sum(standing) <> 1)",
                      take_number, &wrong));
    assert_int_equal(wrong, 0);
}

static void check_replay(struct world *self)
{
    char path[96];
    bool rebuilt;
    struct state *fresh;
    uint8_t lived[HASH_BYTES];
    uint8_t replayed[HASH_BYTES];
    (void)snprintf(path, sizeof path, "%s/fresh.db", self->folder);
    good(state_open(path, &fresh, &rebuilt));
    good(state_begin(fresh));
    state_catch_up(self, fresh, self->log_count);
    good(state_commit(fresh));
    rows_digest(self->state, lived);
    rows_digest(fresh, replayed);
    assert_memory_equal(lived, replayed, HASH_BYTES);
    state_close(&fresh);
}

static void random_stories_lose_and_double_nothing(void **arg)
{
    (void)arg;
    const char *wanted = getenv("TRIAGED_LEDGER_STORIES");
    uint64_t stories = wanted == NULL ? 20000 : strtoull(wanted, NULL, 10);
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    uint64_t orders = 0, entries = 0, crashes = 0, copies = 0, lost = 0, refused = 0;
    uint64_t expired = 0, kept = 0;
    for (uint64_t seed = 1; (seed - 1) * WORLD_ITEMS < stories; seed++) {
        memset(world, 0, sizeof *world);
        world_open(world, seed);
        world_live(world);
        check_orders(world);
        check_items(world);
        check_one_stands(world);
        check_replay(world);
        orders += world->orders_count;
        entries += world->log_count - WORLD_ITEMS;
        crashes += world->crashes;
        copies += world->copies;
        lost += world->lost;
        refused += world->refused;
        expired += world->expired;
        kept += world->kept;
        world_close(world);
    }
    printf("%" PRIu64 " items, %" PRIu64 " orders, %" PRIu64 " of them refused, %" PRIu64
           " entries; %" PRIu64 " crashes, %" PRIu64 " messages lost, %" PRIu64
           " late copies; %" PRIu64 " items expired, %" PRIu64 " did not\n",
           (stories + WORLD_ITEMS - 1) / WORLD_ITEMS * WORLD_ITEMS, orders, refused, entries,
           crashes, lost, copies, expired, kept);
    assert_true(expired > 0 && kept > 0);
    assert_true(crashes > 0 && copies > 0 && lost > 0 && refused > 0 && entries > 0);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_stories_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
