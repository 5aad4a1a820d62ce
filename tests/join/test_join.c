/* SPDX-License-Identifier: Apache-2.0 */
#include "join/join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static struct policy test_policy(void)
{
    struct policy policy = {.window_count = 8};
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy.modes[mode] = (struct mode_policy){
            .expects_scan = true, .expects_declaration = true, .hold_s = 10, .late_s = 60};
    }
    policy.modes[MODE_MAIL].expects_scan = false;
    policy.modes[MODE_MAIL].hold_s = 3;
    return policy;
}

static struct join *open_join(uint32_t items, uint64_t bytes, uint32_t remembered)
{
    struct policy policy = test_policy();
    struct join_conf conf = {items, bytes, remembered};
    struct join *join = NULL;
    assert_int_equal(join_open(&conf, &policy, &join).code, ERR_NONE);
    return join;
}

static struct join_record record_of(enum record_kind kind, enum mode mode, const char *key,
                                    int64_t t_ns)
{
    struct join_record record = {.kind = kind,
                                 .mode = mode,
                                 .site = "north",
                                 .lane = "1",
                                 .key = key,
                                 .body = (const uint8_t *)"body",
                                 .body_bytes = 4,
                                 .t_ns = t_ns};
    sha256_of(key, strlen(key), record.record_key);
    return record;
}

static enum join_result add(struct join *join, enum record_kind kind, enum mode mode,
                            const char *key, int64_t t_ns)
{
    struct join_record record = record_of(kind, mode, key, t_ns);
    uint8_t late[ITEM_ID_BYTES];
    return join_add(join, &record, late);
}

static void both_parts_make_one_complete_item(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    assert_int_equal(add(join, RECORD_DECLARATION, MODE_TRUCK, "CSQU3054383", 5), JOIN_HELD);
    assert_int_equal(join_take_ready(join, 6, items, 4), 0);
    assert_int_equal(add(join, RECORD_SCAN, MODE_TRUCK, "CSQU3054383", 7), JOIN_HELD);
    assert_int_equal(join_take_ready(join, 8, items, 4), 1);
    assert_true(items[0]->complete);
    assert_int_equal(items[0]->parts_count, 2);
    assert_int_equal(items[0]->first_ns, 5);
    assert_int_equal(items[0]->last_ns, 7);
    assert_memory_equal(items[0]->parts[1].body, "body", 4);
    join_release(join, items[0], 1);
    assert_int_equal(join_held(join), 0);
    join_close(&join);
}

static void same_key_elsewhere_is_another_item(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    (void)add(join, RECORD_DECLARATION, MODE_TRUCK, "KEY", 1);
    (void)add(join, RECORD_SCAN, MODE_RAIL, "KEY", 1);
    assert_int_equal(join_held(join), 2);
    assert_int_equal(join_take_ready(join, 2, items, 4), 0);
    join_close(&join);
}

static void hold_ends_by_its_deadline(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    (void)add(join, RECORD_SCAN, MODE_TRUCK, "LONE", NS_PER_S);
    assert_int_equal(join_next_deadline_ns(join), 11 * NS_PER_S);
    assert_int_equal(join_take_ready(join, 11 * NS_PER_S - 1, items, 4), 0);
    assert_int_equal(join_take_ready(join, 11 * NS_PER_S, items, 4), 1);
    assert_false(items[0]->complete);
    join_release(join, items[0], 1);
    assert_int_equal(join_next_deadline_ns(join), INT64_MAX);
    join_close(&join);
}

static void record_after_the_decision_is_late(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 2);
    struct join_item *items[4];
    uint8_t late[ITEM_ID_BYTES];
    uint8_t id[ITEM_ID_BYTES];
    (void)add(join, RECORD_DECLARATION, MODE_MAIL, "A", 1);
    assert_int_equal(join_take_ready(join, 1, items, 4), 1);
    memcpy(id, items[0]->id, sizeof id);
    join_release(join, items[0], 1);
    struct join_record record = record_of(RECORD_SCAN, MODE_MAIL, "A", 2);
    assert_int_equal(join_add(join, &record, late), JOIN_LATE);
    assert_memory_equal(late, id, sizeof id);
    /* two more decided items push it out of the memory */
    join_remember(join, MODE_MAIL, "north", "B", id, 1);
    join_remember(join, MODE_MAIL, "north", "C", id, 1);
    assert_int_equal(join_add(join, &record, late), JOIN_HELD);
    join_close(&join);
}

/* A truck that comes back next week is another item, whatever its plate was remembered for. */
static void same_key_after_the_late_time_is_a_new_item(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    uint8_t first[ITEM_ID_BYTES];
    (void)add(join, RECORD_DECLARATION, MODE_MAIL, "A", 1);
    assert_int_equal(join_take_ready(join, 1, items, 4), 1);
    memcpy(first, items[0]->id, sizeof first);
    join_release(join, items[0], NS_PER_S);
    assert_int_equal(add(join, RECORD_DECLARATION, MODE_MAIL, "A", 61 * NS_PER_S), JOIN_LATE);
    struct join_record later = record_of(RECORD_DECLARATION, MODE_MAIL, "A", 61 * NS_PER_S + 1);
    later.record_key[0] ^= 1; /* its content is another one */
    assert_int_equal(join_add(join, &later, first), JOIN_HELD);
    assert_int_equal(join_take_ready(join, later.t_ns, items, 4), 1);
    assert_memory_not_equal(items[0]->id, first, sizeof first);
    join_release(join, items[0], later.t_ns);
    assert_int_equal(add(join, RECORD_SCAN, MODE_MAIL, "A", later.t_ns + NS_PER_S), JOIN_LATE);
    join_close(&join);
}

static void identity_is_fixed_by_the_first_record(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    uint8_t expected[ITEM_ID_BYTES];
    struct join_record first = record_of(RECORD_DECLARATION, MODE_TRUCK, "KEY", 1);
    uint8_t late[ITEM_ID_BYTES];
    (void)join_add(join, &first, late);
    struct join_record second = record_of(RECORD_SCAN, MODE_TRUCK, "KEY", 2);
    second.record_key[0] ^= 1;
    (void)join_add(join, &second, late);
    assert_int_equal(join_take_ready(join, 3, items, 4), 1);
    join_item_id(MODE_TRUCK, "north", "KEY", first.record_key, expected);
    assert_memory_equal(items[0]->id, expected, sizeof expected);
    join_item_id(MODE_TRUCK, "north", "KEY", second.record_key, expected);
    assert_memory_not_equal(items[0]->id, expected, sizeof expected);
    join_release(join, items[0], 1);
    join_close(&join);
}

static void full_table_lets_the_oldest_through_and_loses_none(void **state)
{
    (void)state;
    struct join *join = open_join(4, 1 << 20, 64);
    struct join_item *items[8];
    char key[16];
    uint32_t decided = 0;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "K%d", i);
        while (add(join, RECORD_SCAN, MODE_TRUCK, key, i) == JOIN_FULL) {
            uint32_t taken = join_take_ready(join, i, items, 8);
            assert_true(taken > 0);
            for (uint32_t t = 0; t < taken; t++) {
                (void)snprintf(key, sizeof key, "K%u", decided);
                assert_string_equal(items[t]->key, key); /* the oldest first */
                assert_false(items[t]->complete);
                join_release(join, items[t], i);
                decided++;
            }
            (void)snprintf(key, sizeof key, "K%d", i);
        }
    }
    assert_int_equal(decided + join_held(join), 40);
    join_close(&join);
}

static void item_put_back_stands_first_again(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    const char *const keys[] = {"A", "B", "C"};
    for (int i = 0; i < 3; i++) {
        (void)add(join, RECORD_DECLARATION, MODE_MAIL, keys[i], i);
    }
    assert_int_equal(join_take_ready(join, 3, items, 4), 3);
    for (int i = 2; i > 0; i--) { /* the later one first, so that the order stays */
        join_put_back(join, items[i]);
    }
    join_release(join, items[0], 3);
    (void)add(join, RECORD_DECLARATION, MODE_MAIL, "D", 4);
    assert_int_equal(join_take_ready(join, 4, items, 4), 3);
    assert_string_equal(items[0]->key, "B");
    assert_string_equal(items[1]->key, "C");
    assert_string_equal(items[2]->key, "D");
    join_put_back(join, items[2]); /* into an empty line */
    assert_int_equal(join_take_ready(join, 4, items + 2, 1), 1);
    assert_string_equal(items[2]->key, "D");
    join_close(&join);
}

static void byte_bound_holds(void **state)
{
    (void)state;
    struct join *join = open_join(1000, 40, 64); /* ten bodies of four bytes */
    char key[16];
    enum join_result result = JOIN_HELD;
    int added = 0;
    for (; result == JOIN_HELD && added < 100; added++) {
        (void)snprintf(key, sizeof key, "K%d", added);
        result = add(join, RECORD_SCAN, MODE_TRUCK, key, added);
    }
    assert_int_equal(result, JOIN_FULL);
    assert_int_equal(added, 11);
    join_close(&join);
}

static void more_parts_than_fit_are_bounded(void **state)
{
    (void)state;
    struct join *join = open_join(16, 1 << 20, 16);
    struct join_item *items[4];
    for (int i = 0; i < 20; i++) {
        assert_int_equal(add(join, RECORD_SCAN, MODE_TRUCK, "KEY", i), JOIN_HELD);
    }
    assert_int_equal(join_take_ready(join, 20, items, 4), 1);
    assert_int_equal(items[0]->parts_count, JOIN_PARTS_MAX);
    join_release(join, items[0], 1);
    join_close(&join);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_parts_make_one_complete_item),
        cmocka_unit_test(same_key_elsewhere_is_another_item),
        cmocka_unit_test(hold_ends_by_its_deadline),
        cmocka_unit_test(record_after_the_decision_is_late),
        cmocka_unit_test(same_key_after_the_late_time_is_a_new_item),
        cmocka_unit_test(identity_is_fixed_by_the_first_record),
        cmocka_unit_test(full_table_lets_the_oldest_through_and_loses_none),
        cmocka_unit_test(item_put_back_stands_first_again),
        cmocka_unit_test(byte_bound_holds),
        cmocka_unit_test(more_parts_than_fit_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
