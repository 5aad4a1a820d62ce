/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/h5.h"

#include <hdf5.h>
#include <stdlib.h>

#include "archive/h5_lock.h"
#include "archive/part.h"

/* A file driver for HDF5: the library thinks of a file, and a part does the writing. It states what
 * the library's own driver for POSIX files states of itself as far as that decides where things
 * lie, so that the bytes of a file do not tell which of both wrote it. */

#define H5_PART_ADDRESS_MAX ((haddr_t)INT64_MAX)

struct h5_part {
    H5FD_t public; /* the library's, in front */
    struct part *part;
    haddr_t eoa; /* end of what the library has given away */
    haddr_t eof;
};

struct h5_part_conf { /* what a property list carries, by value */
    struct part *part;
};

static H5FD_t *h5_part_open(const char *name, unsigned flags, hid_t list, haddr_t address_max)
{
    const struct h5_part_conf *conf = H5Pget_driver_info(list);
    struct h5_part *self = conf == NULL ? NULL : calloc(1, sizeof *self);
    (void)name;
    (void)flags;
    (void)address_max;
    if (self == NULL) {
        return NULL;
    }
    self->part = conf->part;
    return &self->public;
}

static herr_t h5_part_close(H5FD_t *file)
{
    free(file);
    return 0;
}

static herr_t h5_part_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t h5_part_get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct h5_part *)(const void *)file)->eoa;
}

static herr_t h5_part_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((struct h5_part *)(void *)file)->eoa = address;
    return 0;
}

static haddr_t h5_part_get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct h5_part *)(const void *)file)->eof;
}

/* What an error was stays with the part; the library is told that there was one. */
static herr_t h5_part_read(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t address, size_t bytes,
                           void *out)
{
    struct h5_part *self = (struct h5_part *)(void *)file;
    (void)type;
    (void)list;
    return err_is(part_read(self->part, address, out, bytes)) ? -1 : 0;
}

static herr_t h5_part_write(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t address,
                            size_t bytes, const void *from)
{
    struct h5_part *self = (struct h5_part *)(void *)file;
    (void)list;
    if (err_is(part_write(self->part, address, from, bytes, type != H5FD_MEM_DRAW))) {
        return -1;
    }
    self->eof = self->eof > address + bytes ? self->eof : address + bytes;
    return 0;
}

static herr_t h5_part_truncate(H5FD_t *file, hid_t list, hbool_t closing)
{
    struct h5_part *self = (struct h5_part *)(void *)file;
    (void)list;
    (void)closing;
    self->eof = self->eoa;
    part_set_end(self->part, self->eoa);
    return 0;
}

static const H5FD_class_t h5_part_class = {
    .name = "triaged_part",
    .maxaddr = H5_PART_ADDRESS_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct h5_part_conf),
    .open = h5_part_open,
    .close = h5_part_close,
    .query = h5_part_query,
    .get_eoa = h5_part_get_eoa,
    .set_eoa = h5_part_set_eoa,
    .get_eof = h5_part_get_eof,
    .read = h5_part_read,
    .write = h5_part_write,
    .truncate = h5_part_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool h5_part_use(int64_t list, struct part *part)
{
    static hid_t driver = -1; /* the lock's */
    const struct h5_part_conf conf = {.part = part};
    if (driver < 0) {
        driver = H5FDregister(&h5_part_class);
    }
    return driver >= 0 && H5Pset_driver(list, driver, &conf) >= 0;
}
