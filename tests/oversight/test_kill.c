/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* A child appends and reports every answered number through a pipe; it is killed in the middle of
 * its work, again and again. What was reported is kept here, outside of the files, and must all be
 * in the log exactly once, at the end and after every cycle. */

#define CYCLES \
    50u /* of one log; TRIAGED_KILL_CYCLES=1000 in the environment: 20 logs, a few minutes */
#define NUMBERS_MAX 400000u
#define FLIGHT 32u

struct answer {
    uint64_t number;
    uint64_t entry_index;
};

static _Noreturn void child_run(struct fixture *fixture, int pipe_fd, uint64_t first)
{
    static struct oversight_draft drafts[FLIGHT];
    struct queue *done = NULL;
    fixture->conf.checkpoint_interval_ns = 2 * NS_PER_MS; /* so that publishing is killed too */
    if (err_is(fixture_try_open(fixture)) || err_is(queue_open(FLIGHT, &done))) {
        _exit(3);
    }
    uint64_t next = first;
    for (uint32_t i = 0; i < FLIGHT; i++) {
        if (err_is(queue_try_put(done, &drafts[i]))) {
            _exit(6);
        }
    }
    for (;;) { /* until it is killed, or the parent stops reading */
        void *things[FLIGHT];
        uint32_t count = queue_take(done, things, FLIGHT, -1);
        for (uint32_t i = 0; i < count; i++) {
            struct oversight_draft *draft = things[i];
            if (draft->owner != NULL) {
                struct answer answer = {(uint64_t)(uintptr_t)draft->owner, draft->entry_index};
                if (write(pipe_fd, &answer, sizeof answer) != (ssize_t)sizeof answer) {
                    _exit(4);
                }
            }
            fixture_fill(draft, next, 32 + (uint32_t)(next % 3000));
            draft->owner = (void *)(uintptr_t)next;
            draft->done = done;
            next++;
            if (err_is(oversight_submit(fixture->log, &draft, 1))) {
                _exit(5);
            }
        }
    }
}

/* Returns the numbers answered in this cycle, marked in `answered`; kills after `kill_after` of
 * them. */
static uint64_t cycle_run(struct fixture *fixture, uint64_t first, uint64_t kill_after,
                          uint64_t *indices)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        child_run(fixture, ends[1], first);
    }
    (void)close(ends[1]);
    uint64_t highest = first;
    uint64_t seen = 0;
    struct answer answer;
    while (read(ends[0], &answer, sizeof answer) ==
           (ssize_t)sizeof answer) { /* drains the pipe after the kill */
        assert_true(answer.number < NUMBERS_MAX);
        indices[answer.number] = answer.entry_index;
        highest = answer.number > highest ? answer.number : highest;
        if (++seen == kill_after) {
            assert_int_equal(kill(child, SIGKILL), 0);
        }
    }
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not stop by itself */
    return highest + 1 + FLIGHT;      /* numbers that may have been submitted are not used again */
}

static void check_answered(const struct fixture *fixture, const uint64_t *indices, uint64_t numbers)
{
    struct wal_reader *reader = NULL;
    uint8_t *times = calloc(numbers, 1);
    assert_non_null(times);
    assert_false(err_is(wal_reader_open(fixture->wal, &reader)));
    for (;;) {
        struct wal_entry entry;
        bool got = false;
        assert_false(err_is(wal_reader_next(reader, &entry, &got)));
        if (!got) {
            break;
        }
        uint64_t number = fixture_number(entry.bytes, entry.bytes_count);
        if (number < numbers) {
            times[number]++;
            assert_true(indices[number] == UINT64_MAX || indices[number] == entry.entry_index);
        }
    }
    for (uint64_t i = 0; i < numbers; i++) {
        assert_true(indices[i] == UINT64_MAX ? times[i] <= 1 : times[i] == 1);
    }
    wal_reader_close(&reader);
    free(times);
}

static void kill_one_log(uint32_t cycles)
{
    struct fixture fixture;
    fixture_make(&fixture);
    uint64_t *indices = malloc(NUMBERS_MAX * sizeof *indices);
    assert_non_null(indices);
    memset(indices, 0xff, NUMBERS_MAX * sizeof *indices);
    uint64_t next = 1;
    for (uint32_t cycle = 0; cycle < cycles; cycle++) {
        next = cycle_run(&fixture, next, 1 + cycle * 137 % 1500, indices);
        check_answered(&fixture, indices, next); /* before anybody repaired anything */
    }
    fixture_open(&fixture);
    check_answered(&fixture, indices, next);
    uint64_t size = oversight_size(fixture.log);
    oversight_close(&fixture.log);
    naive_check(&fixture, size);
    free(indices);
    fixture_remove(&fixture);
}

static void killed_writer_keeps_every_answered_entry_exactly_once(void **state)
{
    (void)state;
    const char *wanted = getenv("TRIAGED_KILL_CYCLES");
    uint32_t cycles = wanted == NULL ? CYCLES : (uint32_t)strtoul(wanted, NULL, 10);
    assert_true(cycles > 0);
    for (uint32_t done = 0; done < cycles; done += CYCLES) {
        kill_one_log(cycles - done < CYCLES ? cycles - done : CYCLES);
    }
    print_message("killed %u times\n", cycles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writer_keeps_every_answered_entry_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
