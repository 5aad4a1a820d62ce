/* SPDX-License-Identifier: Apache-2.0 */
#include "base/team.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

enum { PARTS = 300, JOBS = 200 };

struct job {
    unsigned calls[PARTS]; /* each part is one thread's alone */
    unsigned number;
};

static void count_call(void *argument, size_t part)
{
    struct job *job = argument;
    job->calls[part] += job->number;
}

/* Every part once, and all are done when the call returns: nothing here is atomic, so a part that
 * ran twice or late would show (and ThreadSanitizer would see it). */
static void run_every_part_is_done_once(void **state)
{
    (void)state;
    const size_t threads[] = {1, 2, 5};
    for (size_t t = 0; t < 3; t++) {
        struct team *team = NULL;
        assert_false(err_is(team_open(threads[t], &team)));
        struct job job = {.number = 0};
        unsigned wanted = 0;
        for (unsigned k = 1; k <= JOBS; k++) {
            size_t parts = k % 7 == 0 ? 0 : PARTS;
            job.number = k;
            team_run(team, count_call, &job, parts);
            wanted += parts > 0 ? k : 0;
        }
        for (size_t part = 0; part < PARTS; part++) {
            assert_int_equal(job.calls[part], wanted);
        }
        team_close(&team);
        assert_null(team);
        team_close(&team);
    }
}

struct meeting {
    pthread_barrier_t barrier;
    pthread_t caller;
    unsigned sums[3];
};

/* Whoever is not the caller goes on for a while after the caller is through. */
static void meet(void *argument, size_t part)
{
    struct meeting *meeting = argument;
    pthread_barrier_wait(&meeting->barrier);
    unsigned rounds = pthread_equal(pthread_self(), meeting->caller) ? 1 : 20000000;
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < rounds; i++) {
        sum = sum + 1;
    }
    meeting->sums[part] = sum;
}

/* Three parts that wait for one another can end only side by side; the call ends with the last. */
static void run_parts_are_side_by_side(void **state)
{
    (void)state;
    struct meeting meeting = {.caller = pthread_self()};
    assert_int_equal(pthread_barrier_init(&meeting.barrier, NULL, 3), 0);
    struct team *team = NULL;
    assert_false(err_is(team_open(3, &team)));
    team_run(team, meet, &meeting, 3);
    for (size_t part = 0; part < 3; part++) {
        assert_true(meeting.sums[part] > 0);
    }
    team_close(&team);
    assert_int_equal(pthread_barrier_destroy(&meeting.barrier), 0);
}

static void threads_are_at_least_one(void **state)
{
    (void)state;
    assert_int_equal(team_threads(1), 1);
    assert_true(team_threads(1000) >= 1 && team_threads(1000) <= TEAM_THREADS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_every_part_is_done_once),
        cmocka_unit_test(run_parts_are_side_by_side),
        cmocka_unit_test(threads_are_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
