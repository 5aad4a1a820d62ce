/* SPDX-License-Identifier: Apache-2.0 */
#include "faulty.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096 };

static struct faulty armed;
static atomic_bool is_armed;
static atomic_bool happened;
static atomic_uint counts[FAULTY_CALLS];
static _Atomic uint64_t flipped_at;
static _Atomic uint64_t advanced;
static atomic_bool changed;

void faulty_arm(const struct faulty *fault)
{
    armed = *fault;
    for (int i = 0; i < FAULTY_CALLS; i++) {
        atomic_store(&counts[i], 0);
    }
    atomic_store(&happened, false);
    atomic_store(&advanced, 0);
    atomic_store(&changed, false);
    atomic_store(&is_armed, true);
}

bool faulty_disarm(void)
{
    atomic_store(&is_armed, false);
    return atomic_load(&happened);
}

unsigned faulty_count(enum faulty_call call)
{
    return atomic_load(&counts[call]);
}

void faulty_advance(void)
{
    atomic_fetch_add(&advanced, 1);
}

bool faulty_changed(void)
{
    return atomic_load(&changed);
}

uint64_t faulty_flipped_at(void)
{
    return atomic_load(&flipped_at);
}

/* The kernel's reading and writing of memory, told to the race detector, which does not see it. */
#if defined(__SANITIZE_THREAD__)
void __tsan_read_range(void *from, long bytes_count);
void __tsan_write_range(void *to, long bytes_count);
static void memory_is_read(const void *from, size_t bytes_count)
{
    __tsan_read_range((void *)(uintptr_t)from, (long)bytes_count);
}
static void memory_is_written(void *to, size_t bytes_count)
{
    __tsan_write_range(to, (long)bytes_count);
}
#else
static void memory_is_read(const void *from, size_t bytes_count)
{
    (void)from;
    (void)bytes_count;
}
static void memory_is_written(void *to, size_t bytes_count)
{
    (void)to;
    (void)bytes_count;
}
#endif

/* Is it this call's turn? */
static bool turn(int fd, enum faulty_call call)
{
    char link[64];
    char path[512];
    if (!atomic_load(&is_armed)) {
        return false;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path);
    if (bytes < 5 || memcmp(path + bytes - 5, ".part", 5) != 0) {
        return false;
    }
    bool now = atomic_fetch_add(&counts[call], 1) + 1 == armed.at && call == armed.call;
    if (now) {
        atomic_store(&happened, true);
    }
    return now;
}

static int refuse(void)
{
    errno = armed.way == FAULTY_FULL ? ENOSPC : EIO;
    return -1;
}

static size_t half(size_t count)
{
    size_t blocks = count / 2 / BLOCK_BYTES * BLOCK_BYTES;
    return blocks > 0 ? blocks : count;
}

/* Ten seconds at most until the others are where they must wait, then a moment in which they would
 * go on if nothing held them. */
static ssize_t stall(int fd, const uint8_t *bytes, size_t count, off_t offset)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    uint8_t *before = malloc(count);
    if (before == NULL) {
        abort();
    }
    memcpy(before, bytes, count);
    for (int i = 0; i < 500 && atomic_load(&advanced) < armed.offset; i++) {
        (void)nanosleep(&moment, NULL);
    }
    (void)nanosleep(&moment, NULL);
    atomic_store(&changed, memcmp(before, bytes, count) != 0);
    free(before);
    return syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    memory_is_read(bytes, count);
    if (!turn(fd, FAULTY_WRITE)) {
        return syscall(SYS_pwrite64, fd, bytes, count, offset);
    }
    if (armed.way == FAULTY_STALLS) {
        return stall(fd, bytes, count, offset);
    }
    if (armed.way == FAULTY_FLIPS) {
        uint64_t at = armed.offset % count;
        uint8_t *copy =
            aligned_alloc(BLOCK_BYTES, (count + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES);
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, bytes, count);
        copy[at] ^= 0x10;
        atomic_store(&flipped_at, (uint64_t)offset + at);
        ssize_t written = syscall(SYS_pwrite64, fd, copy, count, offset);
        free(copy);
        return written;
    }
    return armed.way == FAULTY_HALF ? syscall(SYS_pwrite64, fd, bytes, half(count), offset)
                                    : refuse();
}

static ssize_t faulty_read(int fd, void *bytes, size_t count, off_t offset)
{
    memory_is_written(bytes, count);
    if (!turn(fd, FAULTY_READ)) {
        return syscall(SYS_pread64, fd, bytes, count, offset);
    }
    if (armed.way == FAULTY_FLIPS) {
        ssize_t got = syscall(SYS_pread64, fd, bytes, count, offset);
        if (got > 0) {
            uint64_t at = armed.offset % (uint64_t)got;
            ((uint8_t *)bytes)[at] ^= 0x10;
            atomic_store(&flipped_at, (uint64_t)offset + at);
        }
        return got;
    }
    if (armed.way == FAULTY_HALF) {
        return syscall(SYS_pread64, fd, bytes, half(count), offset);
    }
    return armed.way == FAULTY_ENDS ? 0 : refuse();
}

/* HDF5 has either name, by how it was built. */
ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    return faulty_read(fd, bytes, count, offset);
}

ssize_t pread64(int fd, void *bytes, size_t count, off_t offset)
{
    return faulty_read(fd, bytes, count, offset);
}

int fdatasync(int fd)
{
    return turn(fd, FAULTY_SYNC) ? refuse() : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t bytes)
{
    return turn(fd, FAULTY_CUT) ? refuse() : (int)syscall(SYS_ftruncate, fd, bytes);
}
