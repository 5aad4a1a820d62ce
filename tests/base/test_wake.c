/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool called;
};

static void sleeper_init(struct sleeper *self)
{
    assert_int_equal(pthread_mutex_init(&self->lock, NULL), 0);
    wake_init(&self->wake);
    self->called = false;
}

static void sleeper_fini(struct sleeper *self)
{
    assert_int_equal(pthread_cond_destroy(&self->wake), 0);
    assert_int_equal(pthread_mutex_destroy(&self->lock), 0);
}

/* Not before that moment, whatever the clock on the wall says; a moment that has passed is no
 * reason to sleep. */
static void nobody_calls_and_the_moment_comes(void **state)
{
    (void)state;
    struct sleeper self;
    sleeper_init(&self);
    assert_int_equal(pthread_mutex_lock(&self.lock), 0);
    int64_t until_ns = clock_monotonic_ns() + 20 * NS_PER_MS;
    while (wake_wait(&self.wake, &self.lock, until_ns)) { /* for nothing */
    }
    assert_true(clock_monotonic_ns() >= until_ns);
    assert_false(wake_wait(&self.wake, &self.lock, until_ns - NS_PER_S));
    assert_int_equal(pthread_mutex_unlock(&self.lock), 0);
    sleeper_fini(&self);
}

static void *call(void *argument)
{
    struct sleeper *self = argument;
    assert_int_equal(pthread_mutex_lock(&self->lock), 0);
    self->called = true;
    assert_int_equal(pthread_cond_signal(&self->wake), 0);
    assert_int_equal(pthread_mutex_unlock(&self->lock), 0);
    return NULL;
}

static void a_call_comes_first(void **state)
{
    (void)state;
    struct sleeper self;
    pthread_t thread;
    bool in_time = true;
    sleeper_init(&self);
    assert_int_equal(pthread_mutex_lock(&self.lock), 0);
    int64_t until_ns = clock_monotonic_ns() + 60 * NS_PER_S;
    assert_int_equal(pthread_create(&thread, NULL, call, &self), 0);
    while (!self.called && in_time) {
        in_time = wake_wait(&self.wake, &self.lock, until_ns);
    }
    assert_true(in_time);
    assert_int_equal(pthread_mutex_unlock(&self.lock), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sleeper_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_calls_and_the_moment_comes),
        cmocka_unit_test(a_call_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
