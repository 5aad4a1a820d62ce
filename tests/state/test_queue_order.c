/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "decide/queue_order.h"
#include "log_maker.h"

/* The queue that officers see, ordered in SQL, against queue_order.h, which says what is promised.
 */

enum { PLACES = 40 };
#define HOUR_NS INT64_C(3600000000000)

static struct queue_place places[PLACES];
static int64_t opened_ns[PLACES];

static void refer(struct log_maker *maker, unsigned number)
{
    char key[16];
    (void)snprintf(key, sizeof key, "K%u", number);
    const struct log_record received = {RECORD_DECLARATION, MODE_TRUCK, "north", key, key, 1};
    uint64_t record = log_received(maker, &received);
    log_score(maker, number, &record, 1, 0.6);
    struct entry entry = log_entry(maker, ENTRY_REFERRAL_DECISION);
    entry.has_item = true;
    log_item(number, entry.item);
    entry.t_ns += number * HOUR_NS / 3;
    opened_ns[number] = entry.t_ns;
    places[number] = (struct queue_place){.priority = (double)(number * 17 % PLACES) / PLACES,
                                          .ageing = 0.05,
                                          .perishable = number % 3 == 0 ? 0.2 : 0};
    entry.body.decision = (struct entry_decision){.decision = "refer",
                                                  .arm = "target",
                                                  .propensity = 1,
                                                  .priority = places[number].priority,
                                                  .ageing_per_hour = places[number].ageing,
                                                  .perishable_per_hour = places[number].perishable,
                                                  .draw_day = "2026-09-21",
                                                  .mode = MODE_TRUCK,
                                                  .site = "north",
                                                  .label = key};
    log_apply(maker, &entry, NULL);
}

static double priority_at(unsigned number, int64_t now_ns)
{
    return queue_priority(&places[number], (double)(now_ns - opened_ns[number]) / (double)HOUR_NS);
}

static void sql_orders_as_promised(void **unused)
{
    (void)unused;
    static struct log_maker maker;
    static struct state_queue_row rows[PLACES];
    char path[] = "/tmp/triage-order-XXXXXX";
    bool rebuilt = false;
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    (void)unlink(path);
    assert_false(err_is(state_open(path, &maker.state, &rebuilt)));
    assert_false(err_is(state_begin(maker.state)));
    for (unsigned number = 0; number < PLACES; number++) {
        refer(&maker, number);
    }
    assert_false(err_is(state_commit(maker.state)));
    unsigned first_before = PLACES;
    unsigned changes = 0;
    for (int64_t hours = 0; hours < 40; hours += 3) {
        const struct state_queue_filter filter = {.limit = PLACES,
                                                  .now_ns = LOG_START_NS + hours * HOUR_NS};
        uint32_t count = 0;
        assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
        assert_int_equal(count, PLACES);
        for (uint32_t i = 0; i + 1 < count; i++) {
            unsigned here = (unsigned)strtoul(rows[i].label + 1, NULL, 10);
            unsigned next = (unsigned)strtoul(rows[i + 1].label + 1, NULL, 10);
            assert_true(priority_at(here, filter.now_ns) >=
                        priority_at(next, filter.now_ns) - 1e-9);
        }
        unsigned first = (unsigned)strtoul(rows[0].label + 1, NULL, 10);
        changes += first != first_before;
        first_before = first;
    }
    assert_true(changes >= 2); /* or waiting would move nothing and this prove nothing */
    state_close(&maker.state);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sql_orders_as_promised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
