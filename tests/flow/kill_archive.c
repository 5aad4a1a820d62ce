/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a daemon: ends it with SIGKILL right before the n-th thing that its archiver does
 * to a part file (copies of sealed files begin as such, too), to the name of the finished file, or,
 * from then on, to the write-ahead log (where seal, copy and discard go); or that anybody does to
 * remove a payload. TRIAGED_KILL_AT is n, 0 never; what was done goes to TRIAGED_KILL_NOTES, a word
 * a line. TRIAGED_STOP_BEFORE is a word: the first such thing is preceded by a SIGSTOP. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FDS = 1024, WATCHED_AFTER_NAME = 8 };

static atomic_int events;
static atomic_int after_name = -1; /* writes to the log since the file has its name */
static atomic_bool watched[FDS];   /* of the part file */
static atomic_bool of_log[FDS];
static atomic_bool of_blobs[FDS]; /* directories of payloads, once one was removed */
static atomic_bool removed;
static atomic_bool stopped;

static void *next_of(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    return found;
}

static void happen(const char *word)
{
    const char *at = getenv("TRIAGED_KILL_AT");
    const char *notes = getenv("TRIAGED_KILL_NOTES");
    int number = atomic_fetch_add(&events, 1) + 1;
    if (notes != NULL) {
        char line[64];
        int bytes = snprintf(line, sizeof line, "%s\n", word);
        ssize_t (*real_write)(int, const void *, size_t) =
            (ssize_t(*)(int, const void *, size_t))next_of("write");
        int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))next_of("open");
        int fd = real_open(notes, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd < 0 || real_write(fd, line, (size_t)bytes) != bytes ||
            ((int (*)(int))next_of("close"))(fd) != 0) {
            abort();
        }
    }
    if (at != NULL && atoi(at) == number) {
        (void)raise(SIGKILL);
    }
    const char *stop = getenv("TRIAGED_STOP_BEFORE");
    if (stop != NULL && strcmp(stop, word) == 0 && !atomic_exchange(&stopped, true)) {
        (void)kill(getpid(), SIGSTOP);
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* The log opens its files relative to its folder: the kernel knows the whole name. */
static int opened(const char *path, int fd)
{
    if (fd >= 0 && fd < FDS) {
        char link[64];
        char whole[512] = "";
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t bytes = readlink(link, whole, sizeof whole - 1);
        atomic_store(&watched[fd], ends_with(path, ".h5.part"));
        atomic_store(&of_log[fd], bytes > 0 && strstr(whole, "/wal/") != NULL);
        atomic_store(&of_blobs[fd],
                     atomic_load(&removed) && strstr(path, "/blobs/sha256/") != NULL);
    }
    return fd;
}

static bool is_watched(int fd)
{
    return fd >= 0 && fd < FDS && atomic_load(&watched[fd]);
}

static void wrote(int fd)
{
    if (is_watched(fd)) {
        happen("write");
    } else if (fd >= 0 && fd < FDS && atomic_load(&of_log[fd]) && atomic_load(&after_name) >= 0 &&
               atomic_fetch_add(&after_name, 1) < WATCHED_AFTER_NAME) {
        happen("log");
    }
}

static mode_t mode_of(int flags, va_list rest)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

#define OPEN_LIKE(name)                                                                        \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        va_list rest;                                                                          \
        va_start(rest, flags);                                                                 \
        mode_t mode = mode_of(flags, rest);                                                    \
        va_end(rest);                                                                          \
        if (ends_with(path, ".h5.part")) {                                                     \
            happen("open");                                                                    \
        }                                                                                      \
        int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next_of(#name); \
        return opened(path, real(path, flags, mode));                                          \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)

#define OPENAT_LIKE(name)                                         \
    int name(int directory, const char *path, int flags, ...)     \
    {                                                             \
        va_list rest;                                             \
        va_start(rest, flags);                                    \
        mode_t mode = mode_of(flags, rest);                       \
        va_end(rest);                                             \
        int (*real)(int, const char *, int, ...) =                \
            (int (*)(int, const char *, int, ...))next_of(#name); \
        return opened(path, real(directory, path, flags, mode));  \
    }
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)

#define PWRITE_LIKE(name)                                                 \
    ssize_t name(int fd, const void *bytes, size_t count, off_t offset)   \
    {                                                                     \
        wrote(fd);                                                        \
        ssize_t (*real)(int, const void *, size_t, off_t) =               \
            (ssize_t(*)(int, const void *, size_t, off_t))next_of(#name); \
        return real(fd, bytes, count, offset);                            \
    }
PWRITE_LIKE(pwrite)
PWRITE_LIKE(pwrite64)

ssize_t write(int fd, const void *bytes, size_t count)
{
    wrote(fd);
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))next_of("write");
    return real(fd, bytes, count);
}

#define FD_LIKE(name, word)                                             \
    int name(int fd)                                                    \
    {                                                                   \
        if (is_watched(fd)) {                                           \
            happen(word);                                               \
        } else if (fd >= 0 && fd < FDS && atomic_load(&of_blobs[fd])) { \
            happen("directory");                                        \
        }                                                               \
        int (*real)(int) = (int (*)(int))next_of(#name);                \
        return real(fd);                                                \
    }
FD_LIKE(fdatasync, "sync")
FD_LIKE(fsync, "sync")

int close(int fd)
{
    if (is_watched(fd)) {
        happen("close");
        atomic_store(&watched[fd], false);
    }
    if (fd >= 0 && fd < FDS) {
        atomic_store(&of_log[fd], false);
        atomic_store(&of_blobs[fd], false);
    }
    int (*real)(int) = (int (*)(int))next_of("close");
    return real(fd);
}

int rename(const char *from, const char *to)
{
    bool names = ends_with(from, ".h5.part");
    if (names) {
        happen("rename");
    }
    int (*real)(const char *, const char *) =
        (int (*)(const char *, const char *))next_of("rename");
    int result = real(from, to);
    if (names) {
        atomic_store(&after_name, 0);
        happen("named");
    }
    return result;
}

int unlink(const char *path)
{
    if (strstr(path, "/blobs/sha256/") != NULL) {
        atomic_store(&removed, true);
        happen("unlink");
    }
    int (*real)(const char *) = (int (*)(const char *))next_of("unlink");
    return real(path);
}
