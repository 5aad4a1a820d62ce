/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_SEALED_BLOCK_H
#define ARCHIVE_SEALED_BLOCK_H

/* Sealed block: metadata of a sealed archive file, read with pread() and bounds, without HDF5's
 * library. Private to daemon/archive.
 *
 * HDF5's library is one lock for the whole process; whoever holds it while a cold disk turns holds
 * up the archiver. A reader of sealed files therefore never enters it: it reads the part of the
 * published file format (HDF5 File Format Specification 3.0) that files of our own making have, and
 * refuses everything else. Checksums of metadata are compared where the format has them. Errors:
 * ARCHIVE_DIFFERS. Any thread; a handle is one thread's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SEALED_NONE UINT64_MAX         /* the address that points nowhere */
#define SEALED_OBJECT_BYTES_MAX 65536u /* headers here have a few hundred bytes of attributes */
#define SEALED_AREAS_MAX 32u

struct sealed_file {
    int fd; /* borrowed */
    uint64_t file_bytes;
};

/* Bytes at an address; all of them lie in the file, or it is an error. */
MUST_USE struct err sealed_read(const struct sealed_file *self, uint64_t address, void *out,
                                size_t bytes_count);
/* The same, and begins with these four letters. */
MUST_USE struct err sealed_read_block(const struct sealed_file *self, uint64_t address,
                                      const char *signature, void *out, size_t bytes_count);
/* Do the last four bytes hold the checksum of those before them? */
bool sealed_block_is_sound(const uint8_t *bytes, size_t bytes_count);
/* Bob Jenkins' lookup3 hash of bytes, as HDF5 uses it for metadata and names. */
uint32_t sealed_checksum(const uint8_t *bytes, size_t bytes_count);
/* Little-endian, 1 to 8 bytes. */
uint64_t sealed_number(const uint8_t *bytes, size_t bytes_count);
struct err sealed_differs(const char *where);

/* The messages of one object header, its continuations among them. */
struct sealed_object {
    uint8_t bytes[SEALED_OBJECT_BYTES_MAX];
    size_t used;
    struct {
        size_t from;
        size_t until;
    } areas[SEALED_AREAS_MAX]; /* of whole messages, within bytes */
    uint32_t areas_count;
    bool ordered; /* messages carry their order of creation */
};

/* Where a walk over messages stands; zero to begin. */
struct sealed_walk {
    uint32_t area;
    size_t at;
};

MUST_USE struct err sealed_object_read(const struct sealed_file *self, uint64_t address,
                                       struct sealed_object *out);
/* The next message of this type; false when there is none any more. *body lies in the object. */
bool sealed_object_next(const struct sealed_object *self, uint32_t type, struct sealed_walk *walk,
                        const uint8_t **body, size_t *body_bytes);

/* Address of the header of the root group. */
MUST_USE struct err sealed_root(const struct sealed_file *self, uint64_t *address);
/* The object that a group links by this name. NOT_FOUND when there is none. */
MUST_USE struct err sealed_group_find(const struct sealed_file *self, uint64_t group_address,
                                      const char *name, uint64_t *address);
/* What a group in dense storage keeps of its links; private to sealed_group.c and sealed_dense.c.
 */
MUST_USE struct err sealed_dense_find(const struct sealed_file *self, uint64_t heap_address,
                                      uint64_t tree_address, const char *name, uint64_t *address);
/* One link message: *found tells whether it is a hard link of this name. */
MUST_USE struct err sealed_link_read(const uint8_t *body, size_t body_bytes, const char *name,
                                     bool *found, uint64_t *address);

#endif
