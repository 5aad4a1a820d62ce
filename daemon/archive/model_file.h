/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_MODEL_FILE_H
#define ARCHIVE_MODEL_FILE_H

/* Model file: immutable HDF5 files of named arrays and named texts, called <sha256 of the file>.h5.
 * This module knows nothing of what is in them. Reading is bounded: at most MODEL_ARRAYS_MAX
 * arrays, MODEL_BYTES_MAX bytes in all, only the layout that model_file_write makes. Same content
 * gives the same bytes, hence the same name. Any thread. */

#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

#define MODEL_ARRAYS_MAX 64u
#define MODEL_TEXTS_MAX 64u
#define MODEL_NAME_BYTES 48u
#define MODEL_DIMENSIONS_MAX 4u
#define MODEL_BYTES_MAX (UINT64_C(1) << 30)

enum model_type { MODEL_F32, MODEL_F64, MODEL_U64, MODEL_U8 };

struct model_array {
    char name[MODEL_NAME_BYTES];
    enum model_type type;
    uint32_t dimensions_count;
    uint64_t dimensions[MODEL_DIMENSIONS_MAX];
    void *values; /* row-major */
};

struct model_text {
    char name[MODEL_NAME_BYTES];
    char *text;
};

struct model_file {
    struct model_array arrays[MODEL_ARRAYS_MAX];
    uint32_t arrays_count;
    struct model_text texts[MODEL_TEXTS_MAX];
    uint32_t texts_count;
    uint8_t sha256[HASH_BYTES]; /* of the file; set by read and write */
    uint64_t file_bytes;
};

/* A file to be filled. values and text are copied by the add functions. */
void model_file_init(struct model_file *self);
void model_file_fini(struct model_file *self);
MUST_USE struct err model_file_add(struct model_file *self, const char *name, enum model_type type,
                                   const uint64_t *dimensions, uint32_t dimensions_count,
                                   const void *values);
MUST_USE struct err model_file_add_text(struct model_file *self, const char *name,
                                        const char *text);
/* Write into `directory` under its hash (durable); sets sha256 and file_bytes; path_out (512 bytes,
 * may be NULL). */
MUST_USE struct err model_file_write(struct model_file *self, const char *directory,
                                     char *path_out);
/* Read and check that the file has this hash (wanted may be NULL: then it is only told).
 * MODEL_UNREADABLE. */
MUST_USE struct err model_file_read(const char *path, const uint8_t wanted[HASH_BYTES],
                                    struct model_file *out);
/* The same into memory of its own, which close frees (NULL: nothing). MODEL_UNREADABLE, MEMORY. */
MUST_USE struct err model_file_open(const char *path, const uint8_t wanted[HASH_BYTES],
                                    struct model_file **out);
void model_file_close(struct model_file **self);
/* NULL when there is none of this name (and type). */
const struct model_array *model_file_find(const struct model_file *self, const char *name,
                                          enum model_type type);
const char *model_file_text(const struct model_file *self, const char *name);

#endif
