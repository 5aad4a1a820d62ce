/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_maker.h"

/* Models in shadow in the read model: among those in use never, ended by their own rules, and what
 * they said in a table of its own. */

static char directory[32];
static char path[64];
static struct log_maker maker;

static int open_log(void **unused)
{
    (void)unused;
    bool rebuilt = false;
    memset(&maker, 0, sizeof maker);
    strcpy(directory, "/tmp/triage-shadow-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/state.db", directory);
    assert_false(err_is(state_open(path, &maker.state, &rebuilt)));
    log_housekeeping(&maker);
    return 0;
}

static int close_log(void **unused)
{
    (void)unused;
    static const char *const tails[] = {"", "-wal", "-shm"};
    state_close(&maker.state);
    for (int i = 0; i < 3; i++) {
        char one[80];
        snprintf(one, sizeof one, "%s%s", path, tails[i]);
        unlink(one);
    }
    return rmdir(directory);
}

static uint64_t change(const char *name, uint8_t model, bool removed, bool promoted)
{
    struct entry entry = log_entry(&maker, ENTRY_MODEL_CHANGE);
    entry.body.model_change = (struct entry_model_change){
        .name = name, .reason = "why", .removed = removed, .promoted = promoted};
    memset(entry.body.model_change.sha256, model, HASH_BYTES);
    return log_apply(&maker, &entry, NULL);
}

static void shadow_score(unsigned item, uint8_t model, double probability, const char *unscorable)
{
    struct entry entry = log_entry(&maker, ENTRY_SHADOW_SCORE);
    entry.has_item = true;
    log_item(item, entry.item);
    entry.body.shadow_score.place = "history";
    memset(entry.body.shadow_score.sha256, model, HASH_BYTES);
    entry.body.shadow_score.score.probability = probability;
    entry.body.shadow_score.score.unscorable = unscorable;
    log_apply(&maker, &entry, NULL);
}

/* How many models are in use, and the first byte of that of `history`. */
static uint32_t in_use(uint8_t *history)
{
    struct state_model models[8];
    uint32_t count = 0;
    assert_false(err_is(state_models(maker.state, models, 8, &count)));
    *history = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(strncmp(models[i].name, "shadow/", 7) != 0);
        *history = strcmp(models[i].name, "history") == 0 ? models[i].sha256[0] : *history;
    }
    return count;
}

static void assert_shadow(const char *place, uint8_t model, uint64_t entry_index)
{
    struct state_shadow shadow;
    assert_false(err_is(state_shadow(maker.state, &shadow)));
    assert_string_equal(shadow.place, place);
    assert_int_equal(shadow.sha256[0], model);
    assert_int_equal(shadow.entry_index, entry_index);
}

static void assert_no_shadow(void)
{
    struct state_shadow shadow;
    assert_int_equal(state_shadow(maker.state, &shadow).code, ERR_NOT_FOUND);
}

static void a_shadow_is_never_in_use_until_it_is_promoted(void **unused)
{
    (void)unused;
    uint8_t history = 0;
    uint64_t since = 0;
    uint64_t later = 0;
    assert_no_shadow();
    assert_int_equal(in_use(&history), 1);
    assert_int_equal(history, 0xe0);
    assert_false(err_is(state_models_since(maker.state, &since)));
    uint64_t first = change("shadow/history", 0x11, false, false);
    assert_shadow("history", 0x11, first);
    uint64_t second = change("shadow/history", 0x22, false, false);
    assert_shadow("history", 0x22, second);
    assert_int_equal(in_use(&history), 1);
    assert_int_equal(history, 0xe0);
    assert_false(err_is(state_models_since(maker.state, &later)));
    assert_int_equal(later, since);
    uint64_t promoted = change("history", 0x22, false, true);
    assert_no_shadow();
    assert_int_equal(in_use(&history), 1);
    assert_int_equal(history, 0x22);
    assert_false(err_is(state_models_since(maker.state, &later)));
    assert_int_equal(later, promoted);
}

static void a_shadow_that_is_taken_away_leaves_what_is_in_use(void **unused)
{
    (void)unused;
    uint8_t history = 0;
    change("shadow/history", 0x11, false, false);
    change("fusion", 0x33, false, false); /* another place ends nothing */
    assert_shadow("history", 0x11, maker.next - 2);
    change("shadow/history", 0x11, true, false);
    assert_no_shadow();
    assert_int_equal(in_use(&history), 2);
    assert_int_equal(history, 0xe0);
}

static void decisions_tell_what_this_shadow_said_of_them(void **unused)
{
    (void)unused;
    struct state_shadow_past pasts[8];
    uint8_t model[HASH_BYTES];
    uint32_t count = 0;
    uint64_t first = log_whole_item(&maker, 10);
    log_whole_item(&maker, 11);
    log_whole_item(&maker, 12);
    log_whole_item(&maker, 13);
    shadow_score(10, 0x11, 0.75, "");
    shadow_score(10, 0x11, 0.5, "");  /* the first one stays */
    shadow_score(11, 0x22, 0.25, ""); /* another model's */
    shadow_score(12, 0x11, 0, "no number");
    memset(model, 0x11, sizeof model);
    assert_false(err_is(state_shadow_pasts(maker.state, first, model, pasts, 8, &count)));
    assert_int_equal(count, 4);
    assert_true(pasts[0].scored && pasts[0].scorable && pasts[0].probability == 0.75);
    assert_true(pasts[0].past.referred && pasts[0].past.probability == 10.0 / 97.0);
    assert_false(pasts[1].scored || pasts[1].scorable);
    assert_true(pasts[2].scored && !pasts[2].scorable);
    assert_false(pasts[3].scored);
    assert_false(err_is(state_shadow_pasts(maker.state, first + 1, model, pasts, 2, &count)));
    assert_int_equal(count, 2);
    assert_true(pasts[0].past.entry_index > first);
}

static void a_record_is_found_by_the_id_of_its_entry(void **unused)
{
    (void)unused;
    uint8_t id[ENTRY_ID_BYTES];
    uint64_t entry_index = 0;
    uint64_t record = log_received(
        &maker, &(struct log_record){RECORD_DECLARATION, MODE_TRUCK, "north", "KEY1", "D-1", 1});
    log_id(record, id);
    assert_false(err_is(state_record_entry(maker.state, id, &entry_index)));
    assert_int_equal(entry_index, record);
    id[0] ^= 0xff;
    assert_int_equal(state_record_entry(maker.state, id, &entry_index).code, ERR_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)
    const struct CMUnitTest tests[] = {
        TEST(a_shadow_is_never_in_use_until_it_is_promoted),
        TEST(a_shadow_that_is_taken_away_leaves_what_is_in_use),
        TEST(decisions_tell_what_this_shadow_said_of_them),
        TEST(a_record_is_found_by_the_id_of_its_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
