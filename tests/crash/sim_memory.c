/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_memory.h"

#include <stdlib.h>
#include <string.h>

#include "sim_thread.h"

/* Everything the product takes inside a simulated process is in one table. A crash gives it back
 * without running a line of the product, as the end of a process does; a process that ends by
 * itself must leave the table empty. Allocations made outside of a simulated thread (a library's
 * first use, the checks) are ordinary ones. */

enum { HELD_MAX = 4096 };

enum memory_kind { MEMORY_BYTES, MEMORY_DIGEST };

struct held {
    void *memory;
    enum memory_kind kind;
};

static struct held held[HELD_MAX];
static uint32_t held_count;

void *__real_malloc(size_t bytes_count);
void *__real_calloc(size_t count, size_t bytes_count);
void *__real_realloc(void *memory, size_t bytes_count);
void *__real_aligned_alloc(size_t alignment, size_t bytes_count);
void __real_free(void *memory);
void *__real_EVP_MD_CTX_new(void);
void __real_EVP_MD_CTX_free(void *digest);
void *__wrap_malloc(size_t bytes_count);
void *__wrap_calloc(size_t count, size_t bytes_count);
void *__wrap_realloc(void *memory, size_t bytes_count);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes_count);
void __wrap_free(void *memory);
void *__wrap_EVP_MD_CTX_new(void);
void __wrap_EVP_MD_CTX_free(void *digest);

void *sim_memory_take(size_t bytes_count)
{
    void *memory = __real_calloc(1, bytes_count);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

void sim_memory_free(void *memory)
{
    __real_free(memory);
}

void sim_memory_grow(void **rows, uint32_t count, uint32_t *capacity, size_t row_bytes)
{
    if (count < *capacity) {
        return;
    }
    *capacity = *capacity == 0 ? 4 : 2 * *capacity;
    *rows = __real_realloc(*rows, *capacity * row_bytes);
    if (*rows == NULL) {
        abort();
    }
}

uint32_t sim_memory_held(void)
{
    return held_count;
}

void sim_memory_release(void)
{
    while (held_count > 0) {
        struct held *last = &held[--held_count];
        if (last->kind == MEMORY_DIGEST) {
            __real_EVP_MD_CTX_free(last->memory);
        } else {
            __real_free(last->memory);
        }
    }
}

static void *memory_hold(void *memory, enum memory_kind kind)
{
    if (memory != NULL && sim_thread_inside()) {
        if (held_count == HELD_MAX) {
            abort();
        }
        held[held_count++] = (struct held){memory, kind};
    }
    return memory;
}

static void memory_let_go(const void *memory)
{
    for (uint32_t i = held_count; i-- > 0;) {
        if (held[i].memory == memory) {
            held[i] = held[--held_count];
            return;
        }
    }
}

void *__wrap_malloc(size_t bytes_count)
{
    return memory_hold(__real_malloc(bytes_count), MEMORY_BYTES);
}

void *__wrap_calloc(size_t count, size_t bytes_count)
{
    return memory_hold(__real_calloc(count, bytes_count), MEMORY_BYTES);
}

void *__wrap_realloc(void *memory, size_t bytes_count)
{
    memory_let_go(memory);
    return memory_hold(__real_realloc(memory, bytes_count), MEMORY_BYTES);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes_count)
{
    return memory_hold(__real_aligned_alloc(alignment, bytes_count), MEMORY_BYTES);
}

void __wrap_free(void *memory)
{
    if (memory != NULL) {
        memory_let_go(memory);
        __real_free(memory);
    }
}

void *__wrap_EVP_MD_CTX_new(void)
{
    return memory_hold(__real_EVP_MD_CTX_new(), MEMORY_DIGEST);
}

void __wrap_EVP_MD_CTX_free(void *digest)
{
    memory_let_go(digest);
    __real_EVP_MD_CTX_free(digest);
}
