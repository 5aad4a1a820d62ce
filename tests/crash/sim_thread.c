/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "sim_machine.h"

#if defined(__SANITIZE_ADDRESS__)
#define SWITCH_IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWITCH_IS_WATCHED 1
#endif
#endif
#if defined(SWITCH_IS_WATCHED)
#include <sanitizer/common_interface_defs.h>
#define SWITCH_BEGIN(keep, stack, bytes) __sanitizer_start_switch_fiber(keep, stack, bytes)
#define SWITCH_END(kept, bottom, bytes) __sanitizer_finish_switch_fiber(kept, bottom, bytes)
#else
#define SWITCH_BEGIN(keep, stack, bytes) ((void)(keep), (void)(stack), (void)(bytes))
#define SWITCH_END(kept, bottom, bytes) ((void)(kept), (void)(bottom), (void)(bytes))
#endif

/* Contexts of one kernel thread: an exchange costs a tenth of a microsecond, and nothing outside of
 * the seed can change the order. */

enum { THREADS_MAX = 32, STACK_BYTES = 512 * 1024, NAME_BYTES = 16 };

enum thread_state { THREAD_FREE, THREAD_READY, THREAD_WAITS, THREAD_ENDED };

struct thread {
    ucontext_t context;
    uint8_t *stack;
    enum thread_state state;
    const void *waits_for; /* a mutex, a condition, or the thread that is joined */
    int64_t deadline_ns;   /* INT64_MAX: none */
    bool timed_out;
    void *(*start)(void *);
    void *argument;
    char name[NAME_BYTES];
    void *shadow; /* the address sanitizer's */
};

static struct thread threads[THREADS_MAX];
static ucontext_t outside;
static const void *outside_stack; /* for the address sanitizer */
static size_t outside_stack_bytes;
static struct thread *running;
static struct sim_random *chance;
static bool is_quiet;
static bool crashed;
static int64_t now_ns;

int64_t sim_clock_ns(void)
{
    return now_ns;
}

void sim_clock_advance(int64_t ns)
{
    now_ns += ns;
}

void sim_clock_reset(void)
{
    now_ns = INT64_C(1000000000000);
}

bool sim_thread_inside(void)
{
    return running != NULL && !is_quiet;
}

uint32_t sim_thread_number(void)
{
    return running == NULL ? 0 : (uint32_t)(running - threads);
}

const char *sim_thread_name(void)
{
    return running == NULL ? "" : running->name;
}

void sim_thread_quiet(bool quiet)
{
    is_quiet = quiet;
}

static void thread_leave(struct thread *from)
{
    void *shadow = NULL;
    running = NULL;
    SWITCH_BEGIN(&shadow, outside_stack, outside_stack_bytes);
    (void)swapcontext(&from->context, &outside);
    abort(); /* nobody comes back to a process that ended */
}

static void thread_switch(struct thread *to)
{
    struct thread *from = running;
    int kept_errno = errno;
    if (to == from) {
        return;
    }
    running = to;
    SWITCH_BEGIN(from->state == THREAD_ENDED ? NULL : &from->shadow, to->stack, STACK_BYTES);
    (void)swapcontext(&from->context, &to->context);
    SWITCH_END(running->shadow, NULL, NULL);
    errno = kept_errno; /* a thread has its own */
}

/* Whose turn it is. Threads whose time has come compete with those that can run anyway. */
static struct thread *thread_choose(void)
{
    for (;;) { /* ends: the second round finds the thread whose deadline the clock was set to */
        struct thread *able[THREADS_MAX];
        uint32_t able_count = 0;
        int64_t next_ns = INT64_MAX;
        for (uint32_t i = 0; i < THREADS_MAX; i++) {
            struct thread *thread = &threads[i];
            bool waits = thread->state == THREAD_WAITS;
            if (thread->state == THREAD_READY || (waits && thread->deadline_ns <= now_ns)) {
                able[able_count++] = thread;
            } else if (waits && thread->deadline_ns < next_ns) {
                next_ns = thread->deadline_ns;
            }
        }
        if (able_count > 0) {
            struct thread *chosen = able[sim_random_below(chance, able_count)];
            chosen->timed_out = chosen->state == THREAD_WAITS;
            chosen->state = THREAD_READY;
            return chosen;
        }
        if (next_ns == INT64_MAX) {
            sim_violated("every thread waits for another one");
        }
        now_ns = next_ns;
    }
}

/* Returns when the thread was woken (false) or its deadline passed (true). */
static bool thread_wait(const void *what, int64_t deadline_ns)
{
    running->state = THREAD_WAITS;
    running->waits_for = what;
    running->deadline_ns = deadline_ns;
    thread_switch(thread_choose());
    return running->timed_out;
}

static void thread_wake(const void *what, bool all)
{
    struct thread *waiting[THREADS_MAX];
    uint32_t waiting_count = 0;
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        if (threads[i].state == THREAD_WAITS && threads[i].waits_for == what) {
            waiting[waiting_count++] = &threads[i];
        }
    }
    if (!all && waiting_count > 1) {
        waiting[0] = waiting[sim_random_below(chance, waiting_count)];
        waiting_count = 1;
    }
    for (uint32_t i = 0; i < waiting_count; i++) {
        waiting[i]->state = THREAD_READY;
        waiting[i]->timed_out = false;
    }
}

void sim_thread_yield(void)
{
    if (sim_thread_inside()) {
        thread_switch(thread_choose());
    }
}

static void thread_enter(void)
{
    bool first = running == &threads[0]; /* it alone is entered from outside */
    SWITCH_END(NULL, first ? &outside_stack : NULL, first ? &outside_stack_bytes : NULL);
    (void)running->start(running->argument);
    if (running == &threads[0]) {
        thread_leave(running);
    }
    running->state = THREAD_ENDED;
    thread_wake(running, true);
    thread_switch(thread_choose());
    abort(); /* an ended thread is never chosen */
}

/* On its own stack, before the first line of it. */
static void thread_aim(struct thread *self)
{
    (void)getcontext(&self->context);
    self->context.uc_stack.ss_sp = self->stack;
    self->context.uc_stack.ss_size = STACK_BYTES;
    self->context.uc_link = NULL;
    makecontext(&self->context, thread_enter, 0);
}

static struct thread *thread_make(void *(*start)(void *), void *argument)
{
    struct thread *self = threads;
    while (self->state != THREAD_FREE) {
        if (++self == threads + THREADS_MAX) {
            return NULL;
        }
    }
    if (self->stack == NULL) {
        self->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (self->stack == MAP_FAILED || mprotect(self->stack, 4096, PROT_NONE) != 0) {
            abort();
        }
    }
    self->start = start;
    self->argument = argument;
    self->name[0] = '\0';
    self->waits_for = NULL;
    self->shadow = NULL;
    self->state = THREAD_READY;
    thread_aim(self);
    return self;
}

static void (*first_start)(void *);

static void *thread_first(void *argument)
{
    first_start(argument);
    return NULL;
}

bool sim_threads_run(struct sim_random *random, void (*start)(void *), void *argument)
{
    chance = random;
    crashed = false;
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        threads[i].state = THREAD_FREE;
    }
    first_start = start;
    running = thread_make(thread_first, argument);
    void *shadow = NULL;
    SWITCH_BEGIN(&shadow, running->stack, STACK_BYTES);
    (void)swapcontext(&outside, &running->context);
    SWITCH_END(shadow, NULL, NULL);
    for (uint32_t i = 1; i < THREADS_MAX && !crashed; i++) {
        if (threads[i].state != THREAD_FREE) {
            sim_violated("a thread was left behind");
        }
    }
    return !crashed;
}

void sim_thread_crash(void)
{
    crashed = true;
    thread_leave(running);
    abort();
}

/* ---- what the product calls ---- */

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument);
int __wrap_pthread_join(pthread_t id, void **result);
int __wrap_pthread_setname_np(pthread_t id, const char *name);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *condition);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *deadline);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument)
{
    (void)attributes;
    struct thread *made = thread_make(start, argument);
    if (made == NULL) {
        return EAGAIN;
    }
    *out = (pthread_t)(made - threads);
    sim_thread_yield();
    return 0;
}

int __wrap_pthread_join(pthread_t id, void **result)
{
    struct thread *other = &threads[id];
    while (other->state != THREAD_ENDED) {
        (void)thread_wait(other, INT64_MAX);
    }
    other->state = THREAD_FREE;
    if (result != NULL) {
        *result = NULL;
    }
    return 0;
}

int __wrap_pthread_setname_np(pthread_t id, const char *name)
{
    (void)id; /* the product names only the thread that runs */
    if (running != NULL) {
        (void)snprintf(running->name, sizeof running->name, "%s", name);
    }
    return 0;
}

/* A mutex is one number in its own memory: 0 free, else the owner's plus one. All zeros is what
 * PTHREAD_MUTEX_INITIALIZER is too. */
static uint32_t mutex_owner(const pthread_mutex_t *mutex)
{
    uint32_t owner;
    memcpy(&owner, mutex, sizeof owner);
    return owner;
}

static void mutex_set(pthread_mutex_t *mutex, uint32_t owner)
{
    memcpy(mutex, &owner, sizeof owner);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    mutex_set(mutex, 0);
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    return mutex_owner(mutex) == 0 ? 0 : EBUSY;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    while (mutex_owner(mutex) != 0 && running != NULL) {
        if (mutex_owner(mutex) == sim_thread_number() + 1) {
            return EDEADLK;
        }
        (void)thread_wait(mutex, INT64_MAX);
    }
    mutex_set(mutex, sim_thread_number() + 1);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (mutex_owner(mutex) != sim_thread_number() + 1) {
        return EPERM;
    }
    mutex_set(mutex, 0);
    thread_wake(mutex, true);
    return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    (void)condition; /* waiters are found by its address */
    (void)attributes;
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        if (threads[i].state == THREAD_WAITS && threads[i].waits_for == condition) {
            return EBUSY;
        }
    }
    return 0;
}

static bool condition_wait(const pthread_cond_t *condition, pthread_mutex_t *mutex,
                           int64_t deadline_ns)
{
    (void)__wrap_pthread_mutex_unlock(mutex);
    bool timed_out = false;
    if (sim_random_one_in(chance, 64)) {
        sim_thread_yield(); /* POSIX lets a wait end without a reason */
    } else {
        timed_out = thread_wait(condition, deadline_ns);
    }
    (void)__wrap_pthread_mutex_lock(mutex);
    return timed_out;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)condition_wait(condition, mutex, INT64_MAX);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *deadline)
{
    int64_t deadline_ns = (int64_t)deadline->tv_sec * 1000000000 + deadline->tv_nsec;
    return condition_wait(condition, mutex, deadline_ns) ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    thread_wake(condition, false);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    thread_wake(condition, true);
    return 0;
}
