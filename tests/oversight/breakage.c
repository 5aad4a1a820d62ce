/* SPDX-License-Identifier: Apache-2.0 */
#include "cycle.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oversight/commit_index.h"
#include "oversight/wal.h"

/* The log, broken on purpose: the linker's --wrap leads the calls of the library through here. A
 * test of the tests: each of these must be noticed by the rig named in tests.cmake. */

static const char *breakage = "";

static bool is_broken(const char *name)
{
    return strcmp(breakage, name) == 0;
}

bool breakage_choose(const char *name)
{
    static const char *const names[] = {"no-sync",       "no-directory-sync", "no-write-sync",
                                        "no-file-sync",  "answer-early",      "sign-late",
                                        "write-hopeful", "write-again",       "clock-old"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            breakage = names[i];
            return true;
        }
    }
    return false;
}

int64_t __real_clock_utc_ns(void);
int64_t __wrap_clock_utc_ns(void);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *bytes, size_t bytes_count, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t bytes_count, off_t offset);
struct err __real_commit_index_write(struct commit_index *self, const struct wal_slot *slot);
struct err __wrap_commit_index_write(struct commit_index *self, const struct wal_slot *slot);
void __real_wal_settle(struct wal *self);
void __wrap_wal_settle(struct wal *self);
struct err __real_durable_replace(const char *path, const void *bytes, size_t bytes_count,
                                  mode_t mode);
struct err __wrap_durable_replace(const char *path, const void *bytes, size_t bytes_count,
                                  mode_t mode);

/* ---- nothing, no names, or no contents are synced ---- */

static bool sync_is_left_out(int fd)
{
    struct stat status;
    bool directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    return is_broken("no-sync") || is_broken(directory ? "no-directory-sync" : "no-file-sync");
}

int __wrap_fsync(int fd)
{
    return sync_is_left_out(fd) ? 0 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    return sync_is_left_out(fd) ? 0 : __real_fdatasync(fd);
}

static int flags_left(int flags)
{
    if (is_broken("no-sync")) { /* O_DIRECT would carry the bytes to the device all the same */
        return flags & ~(O_DSYNC | O_DIRECT);
    }
    return is_broken("no-write-sync") ? flags & ~O_DSYNC : flags;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0;
    va_end(list);
    return __real_open(path, flags_left(flags), mode);
}

int __wrap_openat(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0;
    va_end(list);
    return __real_openat(directory, path, flags_left(flags), mode);
}

/* ---- an error of a write is taken for a success, or for a reason to try again ---- */

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t bytes_count, off_t offset)
{
    ssize_t written = __real_pwrite(fd, bytes, bytes_count, offset);
    if (written < 0 && is_broken("write-again")) {
        written = __real_pwrite(fd, bytes, bytes_count, offset);
    }
    return written < 0 && is_broken("write-hopeful") ? (ssize_t)bytes_count : written;
}

/* ---- the answer before the slot: from the second group on, the slot follows the answer ---- */

static struct commit_index *held_index;
static struct wal_slot held_slot;

struct err __wrap_commit_index_write(struct commit_index *self, const struct wal_slot *slot)
{
    if (!is_broken("answer-early") || slot->group_number == 0) {
        return __real_commit_index_write(self, slot);
    }
    held_index = self;
    held_slot = *slot;
    return err_none;
}

void __wrap_wal_settle(struct wal *self)
{
    if (held_index != NULL) {
        (void)poll(NULL, 0, 20); /* the answer was given: let it come out */
        must(!err_is(__real_commit_index_write(held_index, &held_slot)));
        held_index = NULL;
    }
    __real_wal_settle(self);
}

/* ---- shown before it is remembered ---- */

static bool path_ends(const char *path, const char *name)
{
    size_t path_bytes = strlen(path);
    size_t name_bytes = strlen(name);
    return path_bytes >= name_bytes && strcmp(path + path_bytes - name_bytes, name) == 0;
}

struct err __wrap_durable_replace(const char *path, const void *bytes, size_t bytes_count,
                                  mode_t mode)
{
    static char signed_path[DURABLE_PATH_BYTES];
    static char signed_text[NOTE_BYTES_MAX];
    static size_t signed_bytes;
    if (is_broken("sign-late") && path_ends(path, "/last-signed")) {
        memcpy(signed_text, bytes, bytes_count);
        signed_bytes = bytes_count;
        strcpy(signed_path, path);
        return err_none;
    }
    struct err err = __real_durable_replace(path, bytes, bytes_count, mode);
    if (!err_is(err) && is_broken("sign-late") && path_ends(path, "/checkpoint")) {
        err = __real_durable_replace(signed_path, signed_text, signed_bytes, 0600);
    }
    return err;
}

/* ---- not broken, but a clock that begins at New Year 2026 and goes on by a millisecond a look
 * ---- */

int64_t __wrap_clock_utc_ns(void)
{
    static _Atomic int64_t looks;
    if (is_broken("clock-old")) {
        return INT64_C(1767225600) * NS_PER_S + looks++ * NS_PER_MS;
    }
    return __real_clock_utc_ns();
}
