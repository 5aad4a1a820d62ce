/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "verify/verify_crew.h"

enum { PIECES = 5000, SLOTS = 6, THREADS = 4 };

struct shared {
    atomic_uint worked;
    atomic_uint under_work; /* begun and not yet taken: never more than there are slots */
    atomic_uint most;
};

static void work(void *shared, void *slot, uint64_t index)
{
    struct shared *self = shared;
    unsigned now = atomic_fetch_add(&self->under_work, 1) + 1;
    unsigned most = atomic_load(&self->most);
    while (now > most && !atomic_compare_exchange_weak(&self->most, &most, now)) {
    }
    atomic_fetch_add(&self->worked, 1);
    *(uint64_t *)slot = index * 3;
}

static struct verify_crew_conf conf_of(struct shared *shared, uint64_t *slots, uint64_t pieces)
{
    return (struct verify_crew_conf){.work = work,
                                     .shared = shared,
                                     .slots = slots,
                                     .slot_bytes = sizeof *slots,
                                     .slots_count = SLOTS,
                                     .threads_count = THREADS,
                                     .pieces_count = pieces};
}

static void results_come_in_order_and_slots_bound_them(void **state)
{
    struct shared shared = {.worked = 0};
    uint64_t slots[SLOTS];
    struct verify_crew *crew = NULL;
    const struct verify_crew_conf conf = conf_of(&shared, slots, PIECES);
    (void)state;
    assert_false(err_is(verify_crew_open(&conf, &crew)));
    for (uint64_t i = 0; i < PIECES; i++) {
        const uint64_t *slot = verify_crew_next(crew);
        assert_non_null(slot);
        assert_int_equal(*slot, i * 3);
        atomic_fetch_sub(&shared.under_work, 1);
    }
    assert_null(verify_crew_next(crew));
    verify_crew_close(&crew);
    assert_null(crew);
    assert_int_equal(shared.worked, PIECES);
    assert_true(shared.most <= SLOTS);
}

static void none_and_one_piece_are_fine(void **state)
{
    struct shared shared = {.worked = 0};
    uint64_t slots[SLOTS];
    (void)state;
    for (uint64_t pieces = 0; pieces < 3; pieces++) {
        struct verify_crew *crew = NULL;
        const struct verify_crew_conf conf = conf_of(&shared, slots, pieces);
        uint64_t taken = 0;
        assert_false(err_is(verify_crew_open(&conf, &crew)));
        while (verify_crew_next(crew) != NULL) {
            taken++;
        }
        assert_int_equal(taken, pieces);
        verify_crew_close(&crew);
    }
}

static void closing_in_the_middle_begins_nothing_more(void **state)
{
    struct shared shared = {.worked = 0};
    uint64_t slots[SLOTS];
    struct verify_crew *crew = NULL;
    const struct verify_crew_conf conf = conf_of(&shared, slots, PIECES);
    (void)state;
    assert_false(err_is(verify_crew_open(&conf, &crew)));
    for (uint64_t i = 0; i < 10; i++) {
        assert_non_null(verify_crew_next(crew));
    }
    verify_crew_close(&crew);
    assert_true(shared.worked >= 10 && shared.worked <= 10 + SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_in_order_and_slots_bound_them),
        cmocka_unit_test(none_and_one_piece_are_fine),
        cmocka_unit_test(closing_in_the_middle_begins_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
