/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Linked into a daemon of the tests with --wrap for every allocator: counts, by the name of the
 * thread, what our own code asks for. Libraries that lie in files of their own are not counted.
 * At exit a line for each thread goes to stderr, where the flow test reads it. */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

#define NAMES_COUNT 4u
static const char *const names[NAMES_COUNT] = {"receive", "intake", "commit", "judge"};
static _Atomic uint64_t counts[NAMES_COUNT];

static void count_one(void)
{
    char name[16];
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0) {
        return;
    }
    for (uint32_t i = 0; i < NAMES_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            atomic_fetch_add(&counts[i], 1);
        }
    }
}

void *__wrap_malloc(size_t bytes)
{
    count_one();
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    count_one();
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    count_one();
    return __real_realloc(old, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    count_one();
    return __real_aligned_alloc(alignment, bytes);
}

char *__wrap_strdup(const char *text)
{
    count_one();
    return __real_strdup(text);
}

__attribute__((destructor)) static void tell_counts(void)
{
    for (uint32_t i = 0; i < NAMES_COUNT; i++) {
        (void)fprintf(stderr, "allocations thread=%s count=%llu\n", names[i],
                      (unsigned long long)atomic_load(&counts[i]));
    }
}
