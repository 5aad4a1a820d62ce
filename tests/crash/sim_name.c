/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sim_machine.h"
#include "sim_memory.h"

/* The calls of the product that change names and list them. A listing shows the names as they were
 * when it was opened or rewound, which POSIX allows, in an order that nobody can count on. */

enum { LISTINGS_MAX = 16 };

struct listing {
    struct sim_file *file;  /* NULL: free */
    struct sim_names names; /* as they were at opendir or rewinddir, in any order */
    uint32_t at;
    struct dirent entry;
};

static struct listing listings[LISTINGS_MAX];

int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rmdir(const char *path);
int __wrap_chmod(const char *path, mode_t mode);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir(DIR *directory);
void __wrap_rewinddir(DIR *directory);
int __wrap_closedir(DIR *directory);

static void listing_close(struct listing *self)
{
    sim_memory_free(self->names.rows);
    *self = (struct listing){0};
}

void sim_listings_reset(void)
{
    for (uint32_t i = 0; i < LISTINGS_MAX; i++) {
        listing_close(&listings[i]);
    }
}

uint32_t sim_listings_open_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LISTINGS_MAX; i++) {
        count += listings[i].file != NULL;
    }
    return count;
}

/* ---- names ---- */

int __wrap_rename(const char *from, const char *to)
{
    char from_name[SIM_NAME_BYTES];
    char to_name[SIM_NAME_BYTES];
    int os_errno = 0;
    struct sim_disk *disk = sim_machine_disk();
    sim_machine_note(to, strlen(to));
    int fails = sim_machine_step(SIM_NAME, NULL, false);
    if (fails != 0) {
        return sim_fail(fails);
    }
    struct sim_file *parent = sim_disk_find_parent(disk, NULL, from, from_name, &os_errno);
    if (parent == NULL || sim_names_find(&parent->visible_names, from_name) == NULL) {
        return sim_fail(os_errno);
    }
    if (sim_disk_find_parent(disk, NULL, to, to_name, &os_errno) != parent) {
        sim_violated("a rename from one directory to another is not simulated");
    }
    sim_file_move(parent, from_name, to_name, sim_names_find(&parent->visible_names, from_name));
    (void)sim_machine_step(SIM_PASS, parent, false);
    return 0;
}

static int call_remove(const char *path, bool is_directory)
{
    char name[SIM_NAME_BYTES];
    int os_errno = 0;
    int fails = sim_machine_step(SIM_NAME, NULL, false);
    if (fails != 0) {
        return sim_fail(fails);
    }
    struct sim_file *parent = sim_disk_find_parent(sim_machine_disk(), NULL, path, name, &os_errno);
    struct sim_file *file = parent == NULL ? NULL : sim_names_find(&parent->visible_names, name);
    if (file == NULL) {
        return sim_fail(ENOENT);
    }
    if (file->is_directory != is_directory) {
        return sim_fail(is_directory ? ENOTDIR : EISDIR);
    }
    if (file->visible_names.count > 0) {
        return sim_fail(ENOTEMPTY);
    }
    sim_file_move(parent, name, "", file);
    (void)sim_machine_step(SIM_PASS, parent, false);
    return 0;
}

int __wrap_unlink(const char *path)
{
    return call_remove(path, false);
}

int __wrap_rmdir(const char *path)
{
    return call_remove(path, true);
}

int __wrap_chmod(const char *path, mode_t mode)
{
    int os_errno = 0;
    (void)mode; /* nobody is refused anything here */
    struct sim_file *file = sim_disk_find(sim_machine_disk(), NULL, path, &os_errno);
    int fails = sim_machine_step(SIM_NAME, file, false);
    return fails != 0 || file == NULL ? sim_fail(fails != 0 ? fails : os_errno) : 0;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    char name[SIM_NAME_BYTES];
    int os_errno = 0;
    (void)mode;
    int fails = sim_machine_step(SIM_NAME, NULL, true);
    if (fails != 0) {
        return sim_fail(fails);
    }
    struct sim_file *parent = sim_disk_find_parent(sim_machine_disk(), NULL, path, name, &os_errno);
    if (parent == NULL) {
        return sim_fail(os_errno);
    }
    if (name[0] == '\0' || sim_names_find(&parent->visible_names, name) != NULL) {
        return sim_fail(EEXIST);
    }
    (void)sim_disk_make(sim_machine_disk(), parent, name, true);
    (void)sim_machine_step(SIM_PASS, parent, false);
    return 0;
}

/* ---- listings ---- */

static void listing_fill(struct listing *self)
{
    const struct sim_names *names = &self->file->visible_names;
    self->names.count = 0;
    self->at = 0;
    for (uint32_t i = 0; i < names->count; i++) {
        sim_names_set(&self->names, names->rows[i].text, names->rows[i].file);
    }
    for (uint32_t i = self->names.count; i > 1; i--) { /* POSIX promises no order */
        uint64_t other = sim_random_below(sim_machine_random(), i);
        struct sim_name row = self->names.rows[i - 1];
        self->names.rows[i - 1] = self->names.rows[other];
        self->names.rows[other] = row;
    }
}

DIR *__wrap_opendir(const char *path)
{
    int os_errno = 0;
    int fails = sim_machine_step(SIM_OPEN, NULL, false);
    struct sim_file *file = sim_disk_find(sim_machine_disk(), NULL, path, &os_errno);
    if (fails != 0 || file == NULL) {
        errno = fails != 0 ? fails : os_errno;
        return NULL;
    }
    for (uint32_t i = 0; i < LISTINGS_MAX; i++) {
        if (listings[i].file == NULL) {
            listings[i].file = file;
            listing_fill(&listings[i]);
            return (DIR *)(void *)&listings[i];
        }
    }
    sim_violated("more than %d listings are open", LISTINGS_MAX);
}

struct dirent *__wrap_readdir(DIR *directory)
{
    struct listing *self = (struct listing *)(void *)directory;
    int fails = sim_machine_step(SIM_LOOK, self->file, false);
    if (fails != 0 || self->at == self->names.count) {
        errno = fails != 0 ? fails : errno;
        return NULL;
    }
    (void)snprintf(self->entry.d_name, sizeof self->entry.d_name, "%s",
                   self->names.rows[self->at++].text);
    return &self->entry;
}

void __wrap_rewinddir(DIR *directory)
{
    listing_fill((struct listing *)(void *)directory);
}

int __wrap_closedir(DIR *directory)
{
    listing_close((struct listing *)(void *)directory);
    return 0;
}
