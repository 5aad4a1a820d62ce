/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OVERSIGHT_CRASH_H
#define TESTS_OVERSIGHT_CRASH_H

/* Crash: a child does something and is killed right before or right after its k-th call that
 * changes the disk, for every k. The calls are those of the C library: this file's functions take
 * their place in the whole test program. Zeroing of the next segment runs beside everything in a
 * thread of its own and changes nothing that counts, so it is not counted. Include from one file
 * only. */

#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"

static _Atomic uint32_t crash_calls; /* so far */
static _Atomic uint32_t crash_at;    /* the call to die in; 0: none */
static _Atomic bool crash_after;     /* die after it, not before */

static bool crash_counts(void)
{
    char name[32] = "";
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    return strcmp(name, "wal-spare") != 0;
}

static void crash_die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

/* True when the caller has to die behind the call. */
static bool crash_before(void)
{
    if (!crash_counts()) {
        return false;
    }
    bool here = atomic_fetch_add(&crash_calls, 1) + 1 == atomic_load(&crash_at);
    if (here && !atomic_load(&crash_after)) {
        crash_die();
    }
    return here;
}

static long crash_through(bool here, long result)
{
    if (here) {
        crash_die();
    }
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    bool here = crash_before();
    return crash_through(here, syscall(SYS_pwrite64, fd, bytes, count, offset));
}

int fdatasync(int fd)
{
    bool here = crash_before();
    return (int)crash_through(here, syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
    bool here = crash_before();
    return (int)crash_through(here, syscall(SYS_fsync, fd));
}

int rename(const char *from, const char *to)
{
    bool here = crash_before();
    return (int)crash_through(here, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char *path)
{
    bool here = crash_before();
    return (int)crash_through(here, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int mkdir(const char *path, mode_t mode)
{
    bool here = crash_before();
    return (int)crash_through(here, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int chmod(const char *path, mode_t mode)
{
    bool here = crash_before();
    return (int)crash_through(here, syscall(SYS_fchmodat, AT_FDCWD, path, mode));
}

/* Runs `work` in a child that dies at call k. False when it came through, with status 0; then k was
 * larger than the number of its calls. */
static bool crash_run(uint32_t k, bool after, int (*work)(struct fixture *),
                      struct fixture *fixture)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        atomic_store(&crash_calls, 0);
        atomic_store(&crash_after, after);
        atomic_store(&crash_at, k);
        _exit(work(fixture));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child ended with %d", status);
    }
    return false;
}

#endif
