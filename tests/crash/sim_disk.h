/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

/* Sim disk: a file system in memory that promises no more than POSIX does. What it may do to
 * unsynced bytes and names is told in CRASH.md.
 *
 * Pure memory; single thread. Paths are absolute; "." and ".." are not understood. */

#include "sim_file.h"

struct sim_disk {
    struct sim_file *root;
    struct sim_file **files;
    uint32_t files_count;
    uint32_t files_capacity;
    uint32_t next_number;
};

struct sim_disk *sim_disk_open(void);
void sim_disk_close(struct sim_disk **self);
/* Of a disk where everything is synced. */
struct sim_disk *sim_disk_copy(const struct sim_disk *self);

/* NULL and *os_errno when it is not there. base: where relative paths start; NULL: none allowed. */
struct sim_file *sim_disk_find(const struct sim_disk *self, struct sim_file *base, const char *path,
                               int *os_errno);
/* The directory that holds the last name of path, and that name. */
struct sim_file *sim_disk_find_parent(const struct sim_disk *self, struct sim_file *base,
                                      const char *path, char name[SIM_NAME_BYTES], int *os_errno);
struct sim_file *sim_disk_make(struct sim_disk *self, struct sim_file *parent, const char *name,
                               bool is_directory);

/* Whatever was not synced survives or not; what nobody can reach any more is freed. */
void sim_disk_power_cut(struct sim_disk *self, struct sim_random *random,
                        const struct sim_weather *weather);

/* Whole file as everybody sees it, for the checks: NULL when it is not there. The caller frees it
 * with sim_memory_free; one zero byte is behind it. */
uint8_t *sim_disk_read(const struct sim_disk *self, const char *path, size_t *bytes_count);

#endif
