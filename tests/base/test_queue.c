/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { THINGS_PER_PUTTER = 20000, PUTTERS = 3 };

static bool is_readable(const struct queue *queue)
{
    struct pollfd poll_for = {.fd = queue_fd(queue), .events = POLLIN};
    return poll(&poll_for, 1, 0) == 1;
}

static void order_is_kept_and_full_is_told(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    int things[4];
    void *out[8];
    assert_int_equal(queue_open(3, &queue).code, ERR_NONE);
    assert_int_equal(queue_take(queue, out, 8, 0), 0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(queue_try_put(queue, &things[i]).code, ERR_NONE);
        }
        assert_int_equal(queue_try_put(queue, &things[3]).code, ERR_QUEUE_FULL);
        assert_int_equal(queue_take(queue, out, 2, -1), 2);
        assert_ptr_equal(out[0], &things[0]);
        assert_ptr_equal(out[1], &things[1]);
        assert_int_equal(queue_take(queue, out, 8, 1000), 1);
        assert_ptr_equal(out[0], &things[2]);
    }
    queue_free(&queue);
    assert_null(queue);
}

static void many_go_in_together_or_not_at_all(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    int things[4];
    void *const all[4] = {&things[0], &things[1], &things[2], &things[3]};
    void *out[8];
    assert_int_equal(queue_open_polled(5, &queue).code, ERR_NONE);
    for (int round = 0; round < 5; round++) { /* round the ring */
        assert_int_equal(queue_try_put_many(queue, all, 4).code, ERR_NONE);
        assert_true(is_readable(queue));
        assert_int_equal(queue_try_put_many(queue, all, 2).code, ERR_QUEUE_FULL);
        assert_int_equal(queue_depth(queue), 4);
        assert_int_equal(queue_take(queue, out, 8, 0), 4);
        for (int i = 0; i < 4; i++) {
            assert_ptr_equal(out[i], &things[i]);
        }
        assert_false(is_readable(queue));
    }
    queue_stop(queue);
    assert_int_equal(queue_try_put_many(queue, all, 2).code, ERR_CLOSED);
    queue_free(&queue);
}

static void descriptor_is_readable_while_something_is_inside(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    int thing;
    void *out[2];
    assert_int_equal(queue_open_polled(4, &queue).code, ERR_NONE);
    assert_false(is_readable(queue));
    assert_int_equal(queue_put(queue, &thing).code, ERR_NONE);
    assert_int_equal(queue_put(queue, &thing).code, ERR_NONE);
    assert_true(is_readable(queue));
    assert_int_equal(queue_take(queue, out, 1, 0), 1);
    assert_true(is_readable(queue));
    assert_int_equal(queue_take(queue, out, 1, 0), 1);
    assert_false(is_readable(queue));
    queue_free(&queue);
}

static void stopped_queue_drains_and_refuses(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    int thing;
    void *out[2];
    assert_int_equal(queue_open(4, &queue).code, ERR_NONE);
    assert_int_equal(queue_put(queue, &thing).code, ERR_NONE);
    queue_stop(queue);
    assert_int_equal(queue_put(queue, &thing).code, ERR_CLOSED);
    assert_int_equal(queue_take(queue, out, 2, -1), 1);
    assert_int_equal(queue_take(queue, out, 2, -1), 0); /* does not wait for ever */
    queue_free(&queue);
}

static void *put_many(void *arg)
{
    static int thing;
    for (int i = 0; i < THINGS_PER_PUTTER; i++) {
        if (err_is(queue_put(arg, &thing))) {
            return arg;
        }
    }
    return NULL;
}

static void many_putters_lose_nothing(void **state)
{
    (void)state;
    struct queue *queue = NULL;
    pthread_t putters[PUTTERS];
    void *out[64];
    uint32_t taken = 0;
    assert_int_equal(queue_open_polled(16, &queue).code, ERR_NONE);
    for (int i = 0; i < PUTTERS; i++) {
        assert_int_equal(pthread_create(&putters[i], NULL, put_many, queue), 0);
    }
    while (taken < PUTTERS * THINGS_PER_PUTTER) {
        uint32_t now = queue_take(queue, out, 64, INT64_C(10000000000));
        assert_true(now > 0);
        taken += now;
    }
    for (int i = 0; i < PUTTERS; i++) {
        void *result;
        assert_int_equal(pthread_join(putters[i], &result), 0);
        assert_null(result);
    }
    assert_int_equal(queue_depth(queue), 0);
    queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept_and_full_is_told),
        cmocka_unit_test(many_go_in_together_or_not_at_all),
        cmocka_unit_test(descriptor_is_readable_while_something_is_inside),
        cmocka_unit_test(stopped_queue_drains_and_refuses),
        cmocka_unit_test(many_putters_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
