/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_disk.h"

#include <errno.h>
#include <string.h>

#include "sim_memory.h"

static struct sim_file *disk_add(struct sim_disk *self, bool is_directory)
{
    struct sim_file *file = sim_file_make(self->next_number++, is_directory);
    sim_memory_grow((void **)&self->files, self->files_count, &self->files_capacity,
                    sizeof(struct sim_file *));
    self->files[self->files_count++] = file;
    return file;
}

struct sim_disk *sim_disk_open(void)
{
    struct sim_disk *self = sim_memory_take(sizeof *self);
    self->root = disk_add(self, true);
    return self;
}

void sim_disk_close(struct sim_disk **self)
{
    if (*self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->files_count; i++) {
        sim_file_free((*self)->files[i]);
    }
    sim_memory_free((*self)->files);
    sim_memory_free(*self);
    *self = NULL;
}

/* The twin of a file of another disk: it stands at the same place of the list. */
static struct sim_file *disk_twin(const struct sim_disk *self, const struct sim_disk *from,
                                  const struct sim_file *file)
{
    for (uint32_t i = 0; i < from->files_count; i++) {
        if (from->files[i] == file) {
            return self->files[i];
        }
    }
    return NULL;
}

struct sim_disk *sim_disk_copy(const struct sim_disk *from)
{
    struct sim_disk *self = sim_memory_take(sizeof *self);
    self->next_number = from->next_number;
    self->files_capacity = from->files_count;
    self->files = sim_memory_take(from->files_count * sizeof(struct sim_file *));
    for (uint32_t i = 0; i < from->files_count; i++) {
        const struct sim_file *old = from->files[i];
        self->files[self->files_count++] = sim_file_make(old->number, old->is_directory);
        sim_image_assign(&self->files[i]->durable, &old->durable);
        sim_image_assign(&self->files[i]->visible, &old->visible);
    }
    for (uint32_t i = 0; i < from->files_count; i++) {
        const struct sim_names *names = &from->files[i]->durable_names;
        for (uint32_t n = 0; n < names->count; n++) {
            struct sim_file *twin = disk_twin(self, from, names->rows[n].file);
            sim_names_set(&self->files[i]->durable_names, names->rows[n].text, twin);
            sim_names_set(&self->files[i]->visible_names, names->rows[n].text, twin);
        }
    }
    self->root = self->files[0];
    return self;
}

struct sim_file *sim_disk_find_parent(const struct sim_disk *self, struct sim_file *base,
                                      const char *path, char name[SIM_NAME_BYTES], int *os_errno)
{
    struct sim_file *at = path[0] == '/' ? self->root : base;
    *os_errno = ENOENT;
    while (at != NULL) {
        path += strspn(path, "/");
        size_t name_bytes = strcspn(path, "/");
        if (name_bytes >= SIM_NAME_BYTES) {
            *os_errno = ENAMETOOLONG;
            return NULL;
        }
        memcpy(name, path, name_bytes);
        name[name_bytes] = '\0';
        path += name_bytes;
        if (path[strspn(path, "/")] == '\0') {
            return at;
        }
        at = sim_names_find(&at->visible_names, name);
        if (at != NULL && !at->is_directory) {
            *os_errno = ENOTDIR;
            return NULL;
        }
    }
    return NULL;
}

struct sim_file *sim_disk_find(const struct sim_disk *self, struct sim_file *base, const char *path,
                               int *os_errno)
{
    char name[SIM_NAME_BYTES];
    struct sim_file *parent = sim_disk_find_parent(self, base, path, name, os_errno);
    if (parent == NULL) {
        return NULL;
    }
    *os_errno = ENOENT;
    return name[0] == '\0' ? parent : sim_names_find(&parent->visible_names, name);
}

struct sim_file *sim_disk_make(struct sim_disk *self, struct sim_file *parent, const char *name,
                               bool is_directory)
{
    struct sim_file *file = disk_add(self, is_directory);
    sim_file_move(parent, "", name, file);
    return file;
}

static void disk_reach(struct sim_file *file)
{
    file->reached = true;
    for (uint32_t i = 0; i < file->durable_names.count; i++) {
        disk_reach(file->durable_names.rows[i].file); /* names make a tree: no links, no moves
                                                         between directories */
    }
}

void sim_disk_power_cut(struct sim_disk *self, struct sim_random *random,
                        const struct sim_weather *weather)
{
    for (uint32_t i = 0; i < self->files_count; i++) {
        self->files[i]->reached = false;
        sim_file_power_cut(self->files[i], random, weather);
    }
    disk_reach(self->root);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->files_count; i++) {
        if (self->files[i]->reached) {
            self->files[kept++] = self->files[i];
        } else {
            sim_file_free(self->files[i]);
        }
    }
    self->files_count = kept;
}

uint8_t *sim_disk_read(const struct sim_disk *self, const char *path, size_t *bytes_count)
{
    int os_errno = 0;
    const struct sim_file *file = sim_disk_find(self, NULL, path, &os_errno);
    if (file == NULL || file->is_directory) {
        return NULL;
    }
    *bytes_count = (size_t)file->visible.bytes_count;
    uint8_t *bytes = sim_memory_take(*bytes_count + 1);
    sim_image_read(&file->visible, 0, bytes, *bytes_count);
    return bytes;
}
