/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a program and lets one of its file system calls below a directory go wrong, in the kernel's
 * place: the calls stop in a seccomp filter and are answered here.
 *
 * strace can inject too, but it counts the calls of each thread apart and cannot be told which
 * thread is meant, so that of the third fsync of three threads only the first to come is ever
 * tried; and its short write is not executed. Here a call is known by the name of its thread, its
 * own name and its number among those, and a short write is really written, only shorter. */

static const char usage[] =
    "usage: inject DIR REPORT [THREAD CALL NUMBER FAULT] -- PROGRAM...\n"
    "REPORT gets a line \"THREAD CALL NUMBER PATH\" for every call below DIR, and \"hit\" before "
    "the one that was chosen.\n"
    "FAULT: a number: that errno; short: half is written or read; lie: said to be written, but is "
    "not; kill: SIGKILL.\n"
    "Status: the program's; 128 and the signal's number when it was killed; 77 where the kernel "
    "does not allow it.\n";

enum { STATUS_USAGE = 125, STATUS_SKIP = 77, PATH_BYTES = 1024 };

/* Where a call says which file it means. */
enum target { TARGET_FD, TARGET_PATH, TARGET_AT };

static const struct call {
    int number;
    const char *name;
    enum target target;
} calls[] = {
#ifdef SYS_open /* architectures of this century have the *at calls only */
    {SYS_open, "open", TARGET_PATH},
    {SYS_creat, "creat", TARGET_PATH},
    {SYS_stat, "stat", TARGET_PATH},
    {SYS_lstat, "lstat", TARGET_PATH},
    {SYS_access, "access", TARGET_PATH},
    {SYS_rename, "rename", TARGET_PATH},
    {SYS_unlink, "unlink", TARGET_PATH},
    {SYS_link, "link", TARGET_PATH},
    {SYS_mkdir, "mkdir", TARGET_PATH},
    {SYS_rmdir, "rmdir", TARGET_PATH},
    {SYS_chmod, "chmod", TARGET_PATH},
    {SYS_getdents, "getdents", TARGET_FD},
#endif
    {SYS_openat, "openat", TARGET_AT},
    {SYS_newfstatat, "newfstatat", TARGET_AT},
    {SYS_statx, "statx", TARGET_AT},
    {SYS_faccessat, "faccessat", TARGET_AT},
    {SYS_faccessat2, "faccessat2", TARGET_AT},
    {SYS_renameat2, "renameat2", TARGET_AT},
    {SYS_unlinkat, "unlinkat", TARGET_AT},
    {SYS_linkat, "linkat", TARGET_AT},
    {SYS_mkdirat, "mkdirat", TARGET_AT},
    {SYS_fchmodat, "fchmodat", TARGET_AT},
    {SYS_truncate, "truncate", TARGET_PATH},
    {SYS_close, "close", TARGET_FD},
    {SYS_read, "read", TARGET_FD},
    {SYS_readv, "readv", TARGET_FD},
    {SYS_pread64, "pread64", TARGET_FD},
    {SYS_preadv, "preadv", TARGET_FD},
    {SYS_write, "write", TARGET_FD},
    {SYS_writev, "writev", TARGET_FD},
    {SYS_pwrite64, "pwrite64", TARGET_FD},
    {SYS_pwritev, "pwritev", TARGET_FD},
    {SYS_pwritev2, "pwritev2", TARGET_FD},
    {SYS_fstat, "fstat", TARGET_FD},
    {SYS_fsync, "fsync", TARGET_FD},
    {SYS_fdatasync, "fdatasync", TARGET_FD},
    {SYS_syncfs, "syncfs", TARGET_FD},
    {SYS_sync_file_range, "sync_file_range", TARGET_FD},
    {SYS_ftruncate, "ftruncate", TARGET_FD},
    {SYS_fallocate, "fallocate", TARGET_FD},
    {SYS_fchmod, "fchmod", TARGET_FD},
    {SYS_lseek, "lseek", TARGET_FD},
    {SYS_flock, "flock", TARGET_FD},
    {SYS_getdents64, "getdents64", TARGET_FD},
};
#define CALLS_COUNT (sizeof calls / sizeof *calls)

/* How often a thread of that name made that call. */
struct tally {
    char thread[16];
    size_t call;
    unsigned count;
};

struct supervisor {
    const char *directory;
    const char *thread; /* NULL: nothing is chosen */
    const char *call;
    unsigned number;
    const char *fault;
    FILE *report;
    pid_t child;
    int pidfd;
    int listener;
    struct tally tallies[256];
    size_t tallies_count;
};

/* ---- the program's side ---- */

/* A pipe's descriptors are let through: the ledger goes there, line by line. */
static int filter_install(void)
{
    struct sock_filter code[2 * CALLS_COUNT + 8];
    unsigned short at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              (unsigned)offsetof(struct seccomp_data, nr));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              (unsigned)offsetof(struct seccomp_data, args[0]));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              (unsigned)offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS_COUNT; i++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                  (unsigned)calls[i].number, 0, 1);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {at, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

/* Shared with the child, which can make no call that the filter would hold back. */
struct handover {
    _Atomic int listener; /* 0 until the filter is there; -1: it was refused */
    _Atomic bool taken;   /* the parent has a copy */
};

static bool child_start(struct supervisor *self, char **program)
{
    struct handover *handover =
        mmap(NULL, sizeof *handover, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (handover == MAP_FAILED) {
        return false;
    }
    self->child = fork();
    if (self->child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int listener = filter_install();
        handover->listener = listener > 0 ? listener : -1;
        while (listener > 0 && !handover->taken) {
            (void)poll(NULL, 0, 1); /* two calls away; execv closes the listener here */
        }
        execv(program[0], program);
        _exit(STATUS_USAGE);
    }
    int status = 0;
    while (self->child > 0 && handover->listener == 0 &&
           waitpid(self->child, &status, WNOHANG) == 0) {
        (void)poll(NULL, 0, 1); /* a fork and one call away */
    }
    self->pidfd = self->child > 0 ? (int)syscall(SYS_pidfd_open, self->child, 0) : -1;
    self->listener = handover->listener > 0 && self->pidfd >= 0
                         ? (int)syscall(SYS_pidfd_getfd, self->pidfd, (int)handover->listener, 0)
                         : -1;
    handover->taken = true;
    (void)munmap(handover, sizeof *handover);
    if (self->listener < 0 && self->child > 0) {
        (void)kill(self->child, SIGKILL);
        (void)waitpid(self->child, &status, 0);
    }
    return self->listener >= 0;
}

/* ---- which file, which thread ---- */

static bool memory_read(pid_t pid, uint64_t address, void *out, size_t bytes)
{
    struct iovec here = {out, bytes};
    struct iovec there = {(void *)(uintptr_t)address, bytes};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

/* Up to the end of a page at a time: the page behind it may not be there. */
static void path_read(pid_t pid, uint64_t address, char out[PATH_BYTES])
{
    size_t at = 0;
    out[0] = '\0';
    while (at + 1 < PATH_BYTES && memchr(out, '\0', at) == NULL) {
        size_t run = 4096 - (size_t)((address + at) % 4096);
        run = run > PATH_BYTES - 1 - at ? PATH_BYTES - 1 - at : run;
        if (!memory_read(pid, address + at, out + at, run)) {
            break;
        }
        at += run;
    }
    out[at] = '\0';
}

static void descriptor_path(pid_t pid, int fd, char out[PATH_BYTES])
{
    char link[64];
    if (fd == AT_FDCWD) {
        (void)snprintf(link, sizeof link, "/proc/%d/cwd", pid);
    } else {
        (void)snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
    }
    ssize_t bytes = readlink(link, out, PATH_BYTES - 1);
    out[bytes > 0 ? bytes : 0] = '\0';
}

static void call_path(const struct seccomp_notif *notif, enum target target, char out[PATH_BYTES])
{
    pid_t pid = (pid_t)notif->pid;
    char name[PATH_BYTES];
    if (target == TARGET_FD) {
        descriptor_path(pid, (int)notif->data.args[0], out);
        return;
    }
    if (target == TARGET_PATH) {
        path_read(pid, notif->data.args[0], out);
        return;
    }
    path_read(pid, notif->data.args[1], name);
    if (name[0] == '/') {
        memcpy(out, name, PATH_BYTES);
        return;
    }
    char folder[PATH_BYTES];
    descriptor_path(pid, (int)notif->data.args[0], folder);
    if (snprintf(out, PATH_BYTES, name[0] == '\0' ? "%s" : "%s/%s", folder, name) >= PATH_BYTES) {
        out[0] = '\0';
    }
}

static void thread_name(pid_t pid, char out[16])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(out, 16, file) == NULL) {
        (void)snprintf(out, 16, "?");
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    out[strcspn(out, "\n")] = '\0';
}

static unsigned tally_add(struct supervisor *self, const char *thread, size_t call)
{
    for (size_t i = 0; i < self->tallies_count; i++) {
        if (self->tallies[i].call == call && strcmp(self->tallies[i].thread, thread) == 0) {
            return ++self->tallies[i].count;
        }
    }
    if (self->tallies_count == sizeof self->tallies / sizeof *self->tallies) {
        return 0;
    }
    struct tally *tally = &self->tallies[self->tallies_count++];
    *tally = (struct tally){.call = call, .count = 1};
    (void)snprintf(tally->thread, sizeof tally->thread, "%s", thread);
    return 1;
}

/* ---- what goes wrong ---- */

/* Half of the bytes, by the supervisor's own call on the same open file. */
static int64_t transfer_half(const struct supervisor *self, const struct seccomp_notif *notif)
{
    const __u64 *args = notif->data.args;
    size_t half = (size_t)args[2] / 2;
    int64_t moved = -EIO;
    int fd = (int)syscall(SYS_pidfd_getfd, self->pidfd, (int)args[0], 0);
    void *bytes = aligned_alloc(4096, (half / 4096 + 1) * 4096);
    struct iovec here = {bytes, half};
    struct iovec there = {(void *)(uintptr_t)args[1], half};
    pid_t pid = (pid_t)notif->pid;
    if (fd < 0 || bytes == NULL || half == 0) {
        moved = -EINVAL;
    } else if (notif->data.nr == SYS_pwrite64) {
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)half) {
            moved = pwrite(fd, bytes, half, (off_t)args[3]);
        }
    } else if (notif->data.nr == SYS_pread64) {
        moved = pread(fd, bytes, half, (off_t)args[3]);
        there.iov_len = here.iov_len = moved > 0 ? (size_t)moved : 0;
        if (moved > 0 && process_vm_writev(pid, &here, 1, &there, 1, 0) != moved) {
            moved = -EIO;
        }
    }
    free(bytes);
    if (fd >= 0) {
        (void)close(fd);
    }
    return moved == -1 ? -errno : moved;
}

static void answer_wrongly(const struct supervisor *self, const struct seccomp_notif *notif,
                           struct seccomp_notif_resp *answer)
{
    if (strcmp(self->fault, "kill") == 0) {
        (void)kill(self->child, SIGKILL);
    } else if (strcmp(self->fault, "lie") == 0) {
        answer->val = (int64_t)notif->data.args[2];
    } else if (strcmp(self->fault, "short") == 0) {
        int64_t moved = transfer_half(self, notif);
        answer->val = moved < 0 ? 0 : moved;
        answer->error = moved < 0 ? (int)moved : 0;
    } else {
        answer->error = -(int)strtol(self->fault, NULL, 10);
    }
}

static void call_answer(struct supervisor *self, const struct seccomp_notif *notif,
                        struct seccomp_notif_resp *answer)
{
    char path[PATH_BYTES];
    char thread[16];
    size_t call = 0;
    while (call < CALLS_COUNT && calls[call].number != notif->data.nr) {
        call++;
    }
    *answer =
        (struct seccomp_notif_resp){.id = notif->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (call == CALLS_COUNT) {
        return;
    }
    size_t directory_bytes = strlen(self->directory);
    call_path(notif, calls[call].target, path);
    if (strncmp(path, self->directory, directory_bytes) != 0) {
        return;
    }
    thread_name((pid_t)notif->pid, thread);
    unsigned number = tally_add(self, thread, call);
    bool chosen = self->thread != NULL && number == self->number &&
                  strcmp(self->thread, thread) == 0 && strcmp(self->call, calls[call].name) == 0;
    (void)fprintf(self->report, "%s%s %s %u .%s\n", chosen ? "hit " : "", thread, calls[call].name,
                  number, path + directory_bytes);
    if (chosen) {
        answer->flags = 0;
        answer_wrongly(self, notif, answer);
    }
}

static int supervise(struct supervisor *self)
{
    struct pollfd ready = {self->listener, POLLIN, 0};
    for (;;) { /* until the last thread of the program is gone */
        if (poll(&ready, 1, 120000) <= 0 || (ready.revents & POLLIN) == 0) {
            break;
        }
        struct seccomp_notif notif = {0};
        struct seccomp_notif_resp answer;
        if (ioctl(self->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) != 0) {
            continue; /* its thread was killed meanwhile */
        }
        call_answer(self, &notif, &answer);
        (void)ioctl(self->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    int status = 0;
    if (ready.revents == 0) {
        (void)fprintf(self->report, "stuck\n");
        (void)kill(self->child, SIGKILL);
    }
    if (waitpid(self->child, &status, 0) != self->child || fclose(self->report) != 0) {
        return STATUS_USAGE;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    static struct supervisor self;
    int program = 3;
    if (argc > 8 && strcmp(argv[7], "--") == 0) {
        self.thread = argv[3];
        self.call = argv[4];
        self.number = (unsigned)strtoul(argv[5], NULL, 10);
        self.fault = argv[6];
        program = 7;
    }
    if (argc <= program + 1 || strcmp(argv[program], "--") != 0) {
        (void)fputs(usage, stderr);
        return STATUS_USAGE;
    }
    self.directory = argv[1];
    self.report = fopen(argv[2], "we");
    if (self.report == NULL) {
        perror(argv[2]);
        return STATUS_USAGE;
    }
    if (!child_start(&self, argv + program + 1)) {
        (void)puts("SKIP: the kernel does not let a process answer system calls of another "
                   "(seccomp user notification, pidfd_getfd)");
        return STATUS_SKIP;
    }
    return supervise(&self);
}
