/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/h5.h"

#include <errno.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/h5_lock.h"

/* Debian builds HDF5 with a lock of its own, other systems do not, and the library's answer is a
 * run-time one; one mutex around every call costs nothing next to the disk. Library versions
 * V18..V110 give superblock 2, whose metadata carries checksums and which every reader since 1.8
 * opens; version 3 would add flags for concurrent writers that we never are. */

_Static_assert(sizeof(hid_t) == sizeof(int64_t), "hid_t is an int64_t");

#define H5_CHUNK_CACHE_BYTES \
    ((size_t)8 << 20) /* holds several chunks, so that rows read one by one decode once */
#define H5_MEMORY_STEP_BYTES ((size_t)1 << 20)

static pthread_mutex_t h5_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool h5_started;

void h5_lock(void)
{
    must(pthread_mutex_lock(&h5_mutex) == 0);
    if (!h5_started) {
        (void)H5dont_atexit(); /* a file that could not be written must not be written again at exit
                                */
        h5_started = true;
    }
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    errno = 0;
}

void h5_unlock(void)
{
    /* The library keeps what went wrong per thread and does not free it when the thread ends. */
    (void)H5Eclear2(H5E_DEFAULT);
    must(pthread_mutex_unlock(&h5_mutex) == 0);
}

struct err h5_write_err(const char *where)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    return full ? err_os(ERR_ARCHIVE_WRITE, where) : err_make(ERR_ARCHIVE_WRITE, where);
}

struct err h5_read_err(const char *where)
{
    return err_make(ERR_ARCHIVE_DIFFERS, where);
}

void h5_version(char out[16])
{
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    h5_lock();
    must(H5get_libversion(&major, &minor, &release) >= 0);
    h5_unlock();
    (void)snprintf(out, 16, "%u.%u.%u", major % 1000, minor % 1000, release % 1000);
}

/* Property lists of a file; both or none. */
struct h5_lists {
    hid_t create;
    hid_t access;
};

static bool h5_lists_make(struct h5_lists *lists)
{
    lists->create = H5Pcreate(H5P_FILE_CREATE);
    lists->access = H5Pcreate(H5P_FILE_ACCESS);
    return lists->create >= 0 && lists->access >= 0 &&
           H5Pset_obj_track_times(lists->create, 0) >= 0 &&
           H5Pset_attr_phase_change(lists->create, H5_ATTRIBUTES_COMPACT, 0) >= 0 &&
           H5Pset_libver_bounds(lists->access, H5F_LIBVER_V18, H5F_LIBVER_V110) >= 0 &&
           H5Pset_fclose_degree(lists->access, H5F_CLOSE_STRONG) >= 0 &&
           H5Pset_cache(lists->access, 0, 521, H5_CHUNK_CACHE_BYTES, 0.75) >= 0;
}

static void h5_lists_drop(const struct h5_lists *lists)
{
    if (lists->create >= 0) {
        (void)H5Pclose(lists->create);
    }
    if (lists->access >= 0) {
        (void)H5Pclose(lists->access);
    }
}

static struct err h5_file_make(const char *path, struct part *part, int64_t *out)
{
    struct h5_lists lists;
    hid_t file = -1;
    h5_lock();
    if (h5_lists_make(&lists) && (part == NULL || h5_part_use(lists.access, part))) {
        file = H5Fcreate(path, H5F_ACC_EXCL, lists.create, lists.access);
    }
    struct err err = file < 0 ? h5_write_err("create HDF5 file") : err_none;
    h5_lists_drop(&lists);
    h5_unlock();
    if (!err_is(err)) {
        *out = file;
    }
    return err;
}

struct err h5_file_create(const char *path, int64_t *out)
{
    return h5_file_make(path, NULL, out);
}

struct err h5_file_create_in(struct part *part, int64_t *out)
{
    must(part != NULL);
    return h5_file_make("part", part, out);
}

struct err h5_file_open(const char *path, int64_t *out)
{
    struct h5_lists lists;
    hid_t file = -1;
    h5_lock();
    if (h5_lists_make(&lists)) {
        file = H5Fopen(path, H5F_ACC_RDONLY, lists.access);
    }
    struct err err = file < 0 ? h5_read_err("open HDF5 file") : err_none;
    h5_lists_drop(&lists);
    h5_unlock();
    if (!err_is(err)) {
        *out = file;
    }
    return err;
}

struct err h5_file_close(int64_t *file)
{
    if (*file == 0) {
        return err_none;
    }
    h5_lock();
    struct err err = H5Fclose(*file) < 0 ? h5_write_err("close HDF5 file") : err_none;
    h5_unlock();
    *file = 0;
    return err;
}

struct err h5_memory_open(const uint8_t *bytes, size_t bytes_count, int64_t *out)
{
    struct h5_lists lists;
    hid_t file = -1;
    void *image = malloc(bytes_count); /* HDF5 asks for a writable pointer and copies from it */
    if (image == NULL) {
        return err_make(ERR_MEMORY, "h5_memory_open");
    }
    memcpy(image, bytes, bytes_count);
    h5_lock();
    if (h5_lists_make(&lists) && H5Pset_fapl_core(lists.access, H5_MEMORY_STEP_BYTES, 0) >= 0 &&
        H5Pset_file_image(lists.access, image, bytes_count) >= 0) {
        free(image);
        image = NULL;
        file = H5Fopen("in memory", H5F_ACC_RDONLY, lists.access);
    }
    struct err err = file < 0 ? h5_read_err("open HDF5 file in memory") : err_none;
    h5_lists_drop(&lists);
    h5_unlock();
    free(image);
    if (!err_is(err)) {
        *out = file;
    }
    return err;
}

struct err h5_group_create(int64_t parent, const char *name, int64_t *out)
{
    hid_t group = -1;
    h5_lock();
    hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    if (list >= 0 && H5Pset_obj_track_times(list, 0) >= 0 &&
        H5Pset_attr_phase_change(list, H5_ATTRIBUTES_COMPACT, 0) >= 0) {
        group = H5Gcreate2(parent, name, H5P_DEFAULT, list, H5P_DEFAULT);
    }
    struct err err = group < 0 ? h5_write_err("create group") : err_none;
    if (list >= 0) {
        (void)H5Pclose(list);
    }
    h5_unlock();
    if (!err_is(err)) {
        *out = group;
    }
    return err;
}

struct err h5_group_open(int64_t parent, const char *name, int64_t *out)
{
    h5_lock();
    hid_t group = H5Gopen2(parent, name, H5P_DEFAULT);
    struct err err = group < 0 ? h5_read_err("open group") : err_none;
    h5_unlock();
    if (!err_is(err)) {
        *out = group;
    }
    return err;
}

struct err h5_object_close(int64_t *object)
{
    if (*object == 0) {
        return err_none;
    }
    h5_lock();
    struct err err = H5Oclose(*object) < 0 ? h5_write_err("close object") : err_none;
    h5_unlock();
    *object = 0;
    return err;
}

bool h5_exists(int64_t parent, const char *name)
{
    h5_lock();
    bool exists = H5Lexists(parent, name, H5P_DEFAULT) > 0;
    h5_unlock();
    return exists;
}

struct h5_names {
    char (*names)[H5_NAME_BYTES];
    size_t count;
    size_t capacity;
};

static herr_t h5_names_add(hid_t group, const char *name, const H5L_info_t *link, void *opaque)
{
    struct h5_names *names = opaque;
    (void)group;
    if (link->type != H5L_TYPE_HARD || names->count == names->capacity ||
        strlen(name) >= H5_NAME_BYTES) {
        return -1;
    }
    (void)snprintf(names->names[names->count], H5_NAME_BYTES, "%s", name);
    names->count++;
    return 0;
}

struct err h5_group_names(int64_t group, size_t count_max, char (**out)[H5_NAME_BYTES],
                          size_t *out_count)
{
    H5G_info_t links = {0};
    struct h5_names names = {0};
    h5_lock();
    struct err err = H5Gget_info(group, &links) < 0 || links.nlinks > count_max
                         ? h5_read_err("count links")
                         : err_none;
    if (!err_is(err)) {
        names.capacity = (size_t)links.nlinks;
        names.names = calloc(names.capacity + 1, sizeof *names.names);
        err = names.names == NULL ? err_make(ERR_MEMORY, "h5_group_names") : err_none;
    }
    if (!err_is(err) &&
        H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, h5_names_add, &names) < 0) {
        err = h5_read_err("list links");
    }
    h5_unlock();
    if (err_is(err)) {
        free(names.names);
        return err;
    }
    *out = names.names;
    *out_count = names.count;
    return err_none;
}
