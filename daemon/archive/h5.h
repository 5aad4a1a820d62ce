/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_H5_H
#define ARCHIVE_H5_H

/* H5: the little of HDF5 that archive and model files need, behind one process-wide lock. Private
 * to daemon/archive.
 *
 * Identifiers are HDF5's hid_t, which is int64_t; 0 is "none", and every close function accepts it
 * and nulls it. Everything written has object times off and library versions 1.8..1.10, so the same
 * calls give the same bytes. Nothing is synced: that is the caller's job after h5_file_close().
 * HDF5's own error printing is off. Errors: writing ARCHIVE_WRITE or DISK_FULL, reading
 * ARCHIVE_DIFFERS; `where` says which call. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define H5_RANK_MAX 4u
#define H5_NAME_BYTES 72u
#define H5_DIFFERENCE_BYTES 256u

struct part; /* part.h */

enum h5_type { H5_U8, H5_U16, H5_U32, H5_U64, H5_I64, H5_F32, H5_F64, H5_TEXT };

/* What an array is. Numbers are little-endian in the file. H5_U16 is little-endian in memory as
 * well: it is for pixels, whose canonical bytes are; all other numbers are the machine's in memory.
 */
struct h5_array {
    enum h5_type type;
    uint32_t text_bytes; /* of one cell of H5_TEXT: UTF-8, padded with zeros; 1..65535 */
    uint32_t rank;
    uint64_t dims[H5_RANK_MAX];
};

struct h5_storage {
    uint64_t chunk_bytes;   /* about this much a chunk; 0: one contiguous block without filters */
    uint32_t deflate_level; /* 0: fletcher32 alone; else shuffle, deflate, fletcher32 */
};

void h5_version(char out[16]);

MUST_USE struct err h5_file_create(const char *path, int64_t *out);
/* The same file, written by way of a part, which stays the caller's and must outlive it. */
MUST_USE struct err h5_file_create_in(struct part *part, int64_t *out);
MUST_USE struct err h5_file_open(const char *path, int64_t *out);
MUST_USE struct err h5_file_close(int64_t *file);
/* Open a whole file that lies in memory; the name it is given here means nothing.
 * Copies the bytes. */
MUST_USE struct err h5_memory_open(const uint8_t *bytes, size_t bytes_count, int64_t *out);

MUST_USE struct err h5_group_create(int64_t parent, const char *name, int64_t *out);
MUST_USE struct err h5_group_open(int64_t parent, const char *name, int64_t *out);
/* Groups and arrays. */
MUST_USE struct err h5_object_close(int64_t *object);
bool h5_exists(int64_t parent, const char *name);
/* Names of the links in a group, in the order of their bytes; the caller frees *out. Errors when
 * there are more than count_max, or one is longer than H5_NAME_BYTES - 1. */
MUST_USE struct err h5_group_names(int64_t group, size_t count_max, char (**out)[H5_NAME_BYTES],
                                   size_t *out_count);

MUST_USE struct err h5_attribute_text(int64_t object, const char *name, const char *text);
MUST_USE struct err h5_attribute_u64(int64_t object, const char *name, uint64_t value);
MUST_USE struct err h5_attribute_f64(int64_t object, const char *name, double value);
MUST_USE struct err h5_attribute_read_u64(int64_t object, const char *name, uint64_t *out);
MUST_USE struct err h5_attribute_read_text(int64_t object, const char *name, char *out,
                                           size_t out_capacity);

/* Make an array the scale of its rows: other arrays' first dimension is then measured by it. */
MUST_USE struct err h5_scale_make(int64_t dataset, const char *name);
MUST_USE struct err h5_scale_attach(int64_t dataset, int64_t scale);

/* Write a whole array; *out stays open for attributes. */
MUST_USE struct err h5_array_write(int64_t parent, const char *name, const struct h5_array *array,
                                   const struct h5_storage *storage, const void *values,
                                   int64_t *out);
/* The same array without its values: they come chunk by chunk. bytes > 0 and chunk_bytes > 0. */
MUST_USE struct err h5_array_create(int64_t parent, const char *name, const struct h5_array *array,
                                    const struct h5_storage *storage, int64_t *out);
/* Rows of the first dimension that a chunk has, and the bytes of a chunk. */
uint64_t h5_chunk_rows(const struct h5_array *array, const struct h5_storage *storage);
uint64_t h5_chunk_bytes(const struct h5_array *array, const struct h5_storage *storage);
/* Write the chunk that begins at this row as it is: all of its filters were applied outside. */
MUST_USE struct err h5_chunk_write(int64_t dataset, const struct h5_array *array,
                                   uint64_t first_row, const void *stored, size_t stored_bytes);
/* Where in the file the chunk that begins at this row lies. ARCHIVE_DIFFERS when there is none;
 * at the first row also when the dataset has other chunks or filters than this storage. */
MUST_USE struct err h5_chunk_find(int64_t dataset, const struct h5_array *array,
                                  const struct h5_storage *storage, uint64_t first_row,
                                  uint64_t *offset, uint64_t *stored_bytes);
/* Tell what an array is; refuses types, ranks and sizes that this module does not write. */
MUST_USE struct err h5_array_open(int64_t parent, const char *name, struct h5_array *array,
                                  int64_t *out);
/* True when it lies in one block, unfiltered, all of its bytes inside the file. */
bool h5_array_is_contiguous(int64_t dataset, const struct h5_array *array);
/* Rows first_row .. first_row + rows_count - 1 of the first dimension; out holds them all. */
MUST_USE struct err h5_array_read(int64_t dataset, const struct h5_array *array, uint64_t first_row,
                                  uint64_t rows_count, void *out);
/* Where two files of our own making differ first, in the order of names: attributes, objects,
 * shapes, values, or only stored bytes; *differs is false, and out "", when no object does. Root
 * attributes come first. */
MUST_USE struct err h5_first_difference(const char *path, const char *other_path,
                                        char out[H5_DIFFERENCE_BYTES], bool *differs);
/* Bytes of one cell, and of all of them; false when that does not fit into 63 bits. */
uint64_t h5_cell_bytes(const struct h5_array *array);
bool h5_array_bytes(const struct h5_array *array, uint64_t *out);

#endif
