/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_machine.h"
#include "sim_memory.h"
#include "sim_thread.h"

/* The file calls of the product, by the linker's --wrap. A call is a step before it begins; a write
 * is several, so that a crash finds it unbegun, half done, done but not yet synced, or synced with
 * nobody told. Rules of POSIX and of O_DIRECT that a real kernel answers with an error end the run
 * as a violation: the product must not depend on the error. */

enum { FDS_MAX = 128, FD_FIRST = 1 << 20 };

struct sim_fd {
    struct sim_file *file; /* NULL: free */
    int flags;
};

static struct sim_fd fds[FDS_MAX];
static const struct sim_file *lock_holder_of; /* one lock is enough: that of the log's directory */
static const struct sim_fd *lock_holder;

ssize_t __real_write(int fd, const void *bytes, size_t bytes_count);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap___open_2(const char *path, int flags);
int __wrap___openat_2(int at, const char *path, int flags);
ssize_t __wrap___pread_chk(int fd, void *out, size_t bytes_count, off_t offset, size_t out_bytes);
int __wrap_close(int fd);
ssize_t __wrap_pread(int fd, void *out, size_t bytes_count, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t bytes_count, off_t offset);
ssize_t __wrap_write(int fd, const void *bytes, size_t bytes_count);
off_t __wrap_lseek(int fd, off_t offset, int from);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_sync_file_range(int fd, off_t offset, off_t bytes_count, unsigned flags);
int __wrap_ftruncate(int fd, off_t bytes_count);
int __wrap_fstat(int fd, struct stat *out);
int __wrap_stat(const char *path, struct stat *out);
int __wrap_access(const char *path, int mode);
int __wrap_faccessat(int at, const char *path, int mode, int flags);
int __wrap_flock(int fd, int operation);

static struct sim_fd *fd_of(int fd, const char *call)
{
    if (fd < FD_FIRST || fd >= FD_FIRST + FDS_MAX || fds[fd - FD_FIRST].file == NULL) {
        sim_violated("%s of a descriptor that is not open (%d)", call, fd);
    }
    return &fds[fd - FD_FIRST];
}

void sim_calls_reset(void)
{
    memset(fds, 0, sizeof fds);
    sim_listings_reset();
    lock_holder = NULL;
    lock_holder_of = NULL;
}

uint32_t sim_calls_open_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < FDS_MAX; i++) {
        count += fds[i].file != NULL;
    }
    return count + sim_listings_open_count();
}

/* ---- descriptors ---- */

static int fd_make(struct sim_file *file, int flags)
{
    for (int i = 0; i < FDS_MAX; i++) {
        if (fds[i].file == NULL) {
            fds[i] = (struct sim_fd){file, flags};
            return FD_FIRST + i;
        }
    }
    sim_violated("more than %d descriptors are open", FDS_MAX);
}

static int call_open(struct sim_file *base, const char *path, int flags)
{
    sim_machine_note(path, strlen(path));
    int fails = sim_machine_step(SIM_OPEN, base, (flags & O_CREAT) != 0);
    if (fails != 0) {
        return sim_fail(fails);
    }
    int os_errno = 0;
    char name[SIM_NAME_BYTES];
    struct sim_disk *disk = sim_machine_disk();
    struct sim_file *parent = sim_disk_find_parent(disk, base, path, name, &os_errno);
    if (parent == NULL) {
        return sim_fail(os_errno);
    }
    struct sim_file *file = sim_disk_find(disk, base, path, &os_errno);
    if (file == NULL && (flags & O_CREAT) == 0) {
        return sim_fail(ENOENT);
    }
    if (file != NULL && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return sim_fail(EEXIST);
    }
    if (file != NULL && !file->is_directory && (flags & O_DIRECTORY) != 0) {
        return sim_fail(ENOTDIR);
    }
    if ((flags & O_DIRECT) != 0 && sim_machine_refuses_direct()) {
        return sim_fail(EINVAL);
    }
    if ((flags & (O_TRUNC | O_APPEND)) != 0) {
        sim_violated("O_TRUNC and O_APPEND are not simulated");
    }
    if (file == NULL) {
        file = sim_disk_make(disk, parent, name, false);
    }
    return fd_make(file, flags);
}

int __wrap_open(const char *path, int flags, ...)
{
    return call_open(NULL, path, flags);
}

int __wrap_openat(int at, const char *path, int flags, ...)
{
    return call_open(fd_of(at, "openat")->file, path, flags);
}

/* What a build with _FORTIFY_SOURCE calls instead. */
int __wrap___open_2(const char *path, int flags)
{
    return call_open(NULL, path, flags);
}

int __wrap___openat_2(int at, const char *path, int flags)
{
    return __wrap_openat(at, path, flags);
}

int __wrap_close(int fd)
{
    struct sim_fd *self = fd_of(fd, "close");
    int fails = sim_machine_step(SIM_CLOSE, self->file, false);
    if (lock_holder == self) {
        lock_holder = NULL;
        lock_holder_of = NULL;
    }
    *self = (struct sim_fd){0};
    return fails != 0 ? sim_fail(fails) : 0;
}

int __wrap_flock(int fd, int operation)
{
    const struct sim_fd *self = fd_of(fd, "flock");
    int fails = sim_machine_step(SIM_LOOK, self->file, false);
    if (fails != 0) {
        return sim_fail(fails);
    }
    if (operation != (LOCK_EX | LOCK_NB)) {
        sim_violated("only an exclusive lock that does not wait is simulated");
    }
    if (lock_holder != NULL && lock_holder != self && lock_holder_of == self->file) {
        return sim_fail(EWOULDBLOCK);
    }
    lock_holder = self;
    lock_holder_of = self->file;
    return 0;
}

static int call_stat(const struct sim_file *file, struct stat *out)
{
    int fails = sim_machine_step(SIM_LOOK, file, false);
    if (fails != 0) {
        return sim_fail(fails);
    }
    memset(out, 0, sizeof *out);
    out->st_mode = file->is_directory ? S_IFDIR | 0700 : S_IFREG | 0600;
    out->st_size = (off_t)file->visible.bytes_count;
    out->st_blksize = SIM_BLOCK_BYTES;
    out->st_ino = file->number;
    out->st_nlink = 1;
    return 0;
}

int __wrap_fstat(int fd, struct stat *out)
{
    return call_stat(fd_of(fd, "fstat")->file, out);
}

int __wrap_stat(const char *path, struct stat *out)
{
    int os_errno = 0;
    const struct sim_file *file = sim_disk_find(sim_machine_disk(), NULL, path, &os_errno);
    return file == NULL ? sim_fail(os_errno) : call_stat(file, out);
}

off_t __wrap_lseek(int fd, off_t offset, int from)
{
    const struct sim_fd *self = fd_of(fd, "lseek");
    if (offset != 0 || from != SEEK_END) {
        sim_violated("only lseek to the end is simulated");
    }
    int fails = sim_machine_step(SIM_LOOK, self->file, false);
    return fails != 0 ? sim_fail(fails) : (off_t)self->file->visible.bytes_count;
}

/* ---- bytes ---- */

static void check_alignment(const struct sim_fd *self, const void *bytes, size_t bytes_count,
                            off_t offset)
{
    bool aligned = (uintptr_t)bytes % SIM_BLOCK_BYTES == 0 && bytes_count % SIM_BLOCK_BYTES == 0 &&
                   offset % (off_t)SIM_BLOCK_BYTES == 0;
    if ((self->flags & O_DIRECT) != 0 && !aligned) {
        sim_violated("O_DIRECT with an odd address, length or offset (%zu bytes at %lld)",
                     bytes_count, (long long)offset);
    }
    if (offset < 0) {
        sim_violated("negative offset");
    }
}

ssize_t __wrap_pread(int fd, void *out, size_t bytes_count, off_t offset)
{
    const struct sim_fd *self = fd_of(fd, "pread");
    struct sim_file *file = self->file;
    check_alignment(self, out, bytes_count, offset);
    int fails = sim_machine_step(SIM_READ, file, false);
    if (fails != 0) {
        return sim_fail(fails);
    }
    uint64_t left = (uint64_t)offset < file->visible.bytes_count
                        ? file->visible.bytes_count - (uint64_t)offset
                        : 0;
    size_t taken = bytes_count < left ? bytes_count : (size_t)left;
    if (file->lost_pages && (self->flags & O_DIRECT) != 0) {
        struct sim_image device = {0};
        sim_file_device(file, &device);
        sim_image_read(&device, (uint64_t)offset, out, taken);
        sim_image_clear(&device);
    } else {
        sim_image_read(&file->visible, (uint64_t)offset, out, taken);
    }
    return (ssize_t)taken;
}

ssize_t __wrap___pread_chk(int fd, void *out, size_t bytes_count, off_t offset, size_t out_bytes)
{
    if (bytes_count > out_bytes) {
        sim_violated("a read of more bytes than there is room for");
    }
    return __wrap_pread(fd, out, bytes_count, offset);
}

/* Bytes of a write up to some sector in its middle; all of it when it is shorter than one. */
static size_t write_part(size_t bytes_count, size_t unit)
{
    size_t units = bytes_count / unit;
    return units < 2 ? bytes_count
                     : (1 + (size_t)sim_random_below(sim_machine_random(), units - 1)) * unit;
}

/* The waiting half of an O_DSYNC write. */
static int write_sync(struct sim_file *file, uint32_t writes_count)
{
    int fails = sim_machine_step(SIM_SYNC, file, false);
    if (fails != 0) {
        if (sim_machine_loses()) {
            sim_file_lose(file, writes_count);
        }
        return fails;
    }
    sim_file_sync_newest(file, writes_count);
    return 0;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t bytes_count, off_t offset)
{
    const struct sim_fd *self = fd_of(fd, "pwrite");
    struct sim_file *file = self->file;
    const uint8_t *at = bytes;
    uint64_t from = (uint64_t)offset;
    check_alignment(self, bytes, bytes_count, offset);
    if ((self->flags & O_ACCMODE) == O_RDONLY) {
        sim_violated("write through a descriptor for reading");
    }
    bool grows = from + bytes_count > file->visible.bytes_count;
    int fails = sim_machine_step(SIM_WRITE, file, grows);
    size_t unit = (self->flags & O_DIRECT) != 0 ? SIM_BLOCK_BYTES : 1;
    size_t taken = bytes_count;
    if (sim_machine_cuts_write()) {
        taken = write_part(bytes_count, unit);
    }
    if (fails != 0) { /* the device may have taken some of it */
        if (sim_random_one_in(sim_machine_random(), 2)) {
            sim_file_write(file, from, at, write_part(bytes_count, SIM_SECTOR_BYTES));
        }
        return sim_fail(fails);
    }
    uint32_t before = file->writes_count;
    size_t part = sim_thread_inside() ? write_part(taken, SIM_SECTOR_BYTES) : taken;
    sim_file_write(file, from, at, part);
    if (part < taken) { /* others may see half of it, and a crash may find it so */
        fails = sim_machine_step(SIM_PASS, file, false);
        sim_file_write(file, from + part, at + part, taken - part);
    }
    if (fails == 0 && (self->flags & O_DSYNC) != 0 && file->writes_count > before) {
        fails = write_sync(file, file->writes_count - before);
    } /* else somebody else synced the whole file meanwhile */
    sim_machine_note(bytes, taken < SIM_BLOCK_BYTES ? taken : SIM_BLOCK_BYTES);
    (void)sim_machine_step(SIM_PASS, file, false); /* durable, and nobody was told */
    return fails != 0 ? sim_fail(fails) : (ssize_t)taken;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t bytes_count)
{
    if (fd == STDERR_FILENO || fd == STDOUT_FILENO) {
        return __real_write(fd, bytes, bytes_count); /* diag lines */
    }
    sim_violated("only pwrite is simulated");
}

static int call_sync(int fd, const char *call)
{
    struct sim_file *file = fd_of(fd, call)->file;
    int fails = sim_machine_step(SIM_SYNC, file, false);
    if (fails != 0) {
        if (sim_machine_loses()) {
            sim_file_lose(file, file->writes_count);
        }
        return sim_fail(fails);
    }
    sim_file_sync(file);
    (void)sim_machine_step(SIM_PASS, file, false);
    return 0;
}

int __wrap_fsync(int fd)
{
    return call_sync(fd, "fsync");
}

int __wrap_fdatasync(int fd)
{
    return call_sync(fd, "fdatasync");
}

/* Begins to write, and promises nothing. */
int __wrap_sync_file_range(int fd, off_t offset, off_t bytes_count, unsigned flags)
{
    (void)offset;
    (void)bytes_count;
    (void)flags;
    int fails = sim_machine_step(SIM_LOOK, fd_of(fd, "sync_file_range")->file, false);
    return fails != 0 ? sim_fail(fails) : 0;
}

/* Only archive files have their length set, and they can be made again: the log may not come here.
 */
int __wrap_ftruncate(int fd, off_t bytes_count)
{
    (void)fd;
    (void)bytes_count;
    sim_violated("the length of a file of the log is never set");
    return sim_fail(EIO);
}

/* ---- looking ---- */

static int call_access(struct sim_file *base, const char *path)
{
    int os_errno = 0;
    int fails = sim_machine_step(SIM_LOOK, base, false);
    bool there = sim_disk_find(sim_machine_disk(), base, path, &os_errno) != NULL;
    return fails != 0 || !there ? sim_fail(fails != 0 ? fails : os_errno) : 0;
}

int __wrap_access(const char *path, int mode)
{
    (void)mode;
    return call_access(NULL, path);
}

int __wrap_faccessat(int at, const char *path, int mode, int flags)
{
    (void)mode;
    (void)flags;
    return call_access(fd_of(at, "faccessat")->file, path);
}
