/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/h5.h"
#include "base/durable.h"
#include "base/random.h"

/* The finished HDF5 file is written like any other file of ours: whole, synced, under its hash.
 * Behind it stands a trailer, magic and SHA-256 of all before it, which HDF5 does not look at: a
 * damaged file is refused before a parser of known weaknesses sees it. Arrays are contiguous and
 * unfiltered, so what is read is never larger than the file. */

#define MODEL_TRAILER_MAGIC_BYTES 16u
#define MODEL_TRAILER_BYTES (MODEL_TRAILER_MAGIC_BYTES + HASH_BYTES)
#define MODEL_OVERHEAD_BYTES (UINT64_C(1) << 20) /* of HDF5 around the values */
#define MODEL_TEXT_BYTES_MAX 65535u              /* of HDF5's fixed-length texts as we use them */
#define MODEL_FORMAT "triaged-model"
#define MODEL_VERSION 1u

static const struct {
    uint8_t bytes[MODEL_TRAILER_MAGIC_BYTES];
} model_trailer_magic = {"triaged-model-1\n"}; /* without its zero */

void model_file_init(struct model_file *self)
{
    memset(self, 0, sizeof *self);
}

void model_file_fini(struct model_file *self)
{
    for (uint32_t i = 0; i < self->arrays_count; i++) {
        free(self->arrays[i].values);
    }
    for (uint32_t i = 0; i < self->texts_count; i++) {
        free(self->texts[i].text);
    }
    model_file_init(self);
}

/* Names become links of HDF5: no path separators, nothing hidden. */
static bool model_name_valid(const char *name)
{
    size_t name_bytes = strnlen(name, MODEL_NAME_BYTES);
    if (name_bytes == 0 || name_bytes == MODEL_NAME_BYTES || name[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < name_bytes; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/') {
            return false;
        }
    }
    return true;
}

static bool model_array_spec(enum model_type type, const uint64_t *dimensions,
                             uint32_t dimensions_count, struct h5_array *spec, uint64_t *bytes)
{
    static const enum h5_type types[] = {
        [MODEL_F32] = H5_F32, [MODEL_F64] = H5_F64, [MODEL_U64] = H5_U64, [MODEL_U8] = H5_U8};
    if ((unsigned)type > MODEL_U8 || dimensions_count < 1 ||
        dimensions_count > MODEL_DIMENSIONS_MAX) {
        return false;
    }
    *spec = (struct h5_array){.type = types[type], .rank = dimensions_count};
    for (uint32_t i = 0; i < dimensions_count; i++) {
        spec->dims[i] = dimensions[i];
    }
    return h5_array_bytes(spec, bytes) && *bytes > 0 && *bytes <= MODEL_BYTES_MAX;
}

static uint64_t model_file_bytes_held(const struct model_file *self)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < self->arrays_count; i++) {
        const struct model_array *array = &self->arrays[i];
        struct h5_array spec;
        uint64_t bytes = 0;
        must(model_array_spec(array->type, array->dimensions, array->dimensions_count, &spec,
                              &bytes));
        total += bytes;
    }
    return total;
}

struct err model_file_add(struct model_file *self, const char *name, enum model_type type,
                          const uint64_t *dimensions, uint32_t dimensions_count, const void *values)
{
    struct h5_array spec;
    uint64_t bytes = 0;
    must(values != NULL);
    if (self->arrays_count == MODEL_ARRAYS_MAX || !model_name_valid(name) ||
        model_file_text(self, name) != NULL ||
        !model_array_spec(type, dimensions, dimensions_count, &spec, &bytes) ||
        bytes > MODEL_BYTES_MAX - model_file_bytes_held(self)) {
        return err_make(ERR_ARGUMENT, "model array name, shape or count");
    }
    for (uint32_t i = 0; i < self->arrays_count; i++) {
        if (strcmp(self->arrays[i].name, name) == 0) {
            return err_make(ERR_ARGUMENT, "model array name twice");
        }
    }
    void *copy = malloc((size_t)bytes);
    if (copy == NULL) {
        return err_make(ERR_MEMORY, "model_file_add");
    }
    memcpy(copy, values, (size_t)bytes);
    struct model_array *array = &self->arrays[self->arrays_count++];
    memset(array, 0, sizeof *array);
    (void)snprintf(array->name, sizeof array->name, "%s", name);
    array->type = type;
    array->dimensions_count = dimensions_count;
    memcpy(array->dimensions, dimensions, dimensions_count * sizeof dimensions[0]);
    array->values = copy;
    return err_none;
}

struct err model_file_add_text(struct model_file *self, const char *name, const char *text)
{
    must(text != NULL);
    if (self->texts_count == MODEL_TEXTS_MAX || !model_name_valid(name) ||
        model_file_text(self, name) != NULL || strlen(text) > MODEL_TEXT_BYTES_MAX) {
        return err_make(ERR_ARGUMENT, "model text name or length");
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return err_make(ERR_MEMORY, "model_file_add_text");
    }
    struct model_text *added = &self->texts[self->texts_count++];
    memset(added, 0, sizeof *added);
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    added->text = copy;
    return err_none;
}

const struct model_array *model_file_find(const struct model_file *self, const char *name,
                                          enum model_type type)
{
    for (uint32_t i = 0; i < self->arrays_count; i++) {
        if (self->arrays[i].type == type && strcmp(self->arrays[i].name, name) == 0) {
            return &self->arrays[i];
        }
    }
    return NULL;
}

const char *model_file_text(const struct model_file *self, const char *name)
{
    for (uint32_t i = 0; i < self->texts_count; i++) {
        if (strcmp(self->texts[i].name, name) == 0) {
            return self->texts[i].text;
        }
    }
    return NULL;
}

/* ---- writing ---- */

static struct err model_write_arrays(const struct model_file *self, int64_t file)
{
    static const struct h5_storage contiguous = {.chunk_bytes = 0};
    int64_t group = 0;
    struct err err = h5_group_create(file, "arrays", &group);
    for (uint32_t i = 0; i < self->arrays_count && !err_is(err); i++) {
        const struct model_array *array = &self->arrays[i];
        struct h5_array spec;
        uint64_t bytes = 0;
        int64_t dataset = 0;
        must(model_array_spec(array->type, array->dimensions, array->dimensions_count, &spec,
                              &bytes));
        err = h5_array_write(group, array->name, &spec, &contiguous, array->values, &dataset);
        if (!err_is(err)) {
            err = h5_object_close(&dataset);
        }
    }
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err model_write_texts(const struct model_file *self, int64_t file)
{
    static const struct h5_storage contiguous = {.chunk_bytes = 0};
    int64_t group = 0;
    struct err err = h5_group_create(file, "texts", &group);
    for (uint32_t i = 0; i < self->texts_count && !err_is(err); i++) {
        const char *text = self->texts[i].text;
        size_t text_bytes = strlen(text);
        struct h5_array spec = {.type = H5_TEXT,
                                .text_bytes = text_bytes > 0 ? (uint32_t)text_bytes : 1,
                                .rank = 1,
                                .dims = {1}};
        int64_t dataset = 0;
        err = h5_array_write(group, self->texts[i].name, &spec, &contiguous, text, &dataset);
        if (!err_is(err)) {
            err = h5_object_close(&dataset);
        }
    }
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err model_write_part(const struct model_file *self, const char *path)
{
    int64_t file = 0;
    struct err err = h5_file_create(path, &file);
    if (err_is(err)) {
        return err;
    }
    err = h5_attribute_text(file, "format", MODEL_FORMAT);
    if (!err_is(err)) {
        err = h5_attribute_u64(file, "format_version", MODEL_VERSION);
    }
    if (!err_is(err)) {
        err = model_write_arrays(self, file);
    }
    if (!err_is(err)) {
        err = model_write_texts(self, file);
    }
    struct err closed = h5_file_close(&file);
    return err_is(err) ? err : closed;
}

/* The whole file with its trailer; the caller frees *out. HDF5 writes to a part file first: asked
 * for the image of a file in memory, release 1.10.8 gives one whose superblock checksum it refuses
 * itself. */
static struct err model_file_encode(const struct model_file *self, const char *directory,
                                    uint8_t **out, size_t *out_bytes)
{
    char part[DURABLE_PATH_BYTES];
    uint8_t name[16];
    char name_hex[2 * sizeof name + 1];
    uint8_t *image = NULL;
    size_t image_bytes = 0;
    random_bytes(name, sizeof name);
    hex_encode(name, sizeof name, name_hex);
    int part_bytes = snprintf(part, sizeof part, "%s/%s.part", directory, name_hex);
    if (part_bytes < 0 || (size_t)part_bytes >= sizeof part) {
        return err_make(ERR_ARGUMENT, "model path length");
    }
    struct err err = model_write_part(self, part);
    if (!err_is(err)) {
        err = durable_read(part, (size_t)(MODEL_BYTES_MAX + MODEL_OVERHEAD_BYTES), &image,
                           &image_bytes);
    }
    struct err removed = durable_remove_unsynced(part);
    err = err_is(err) ? err : removed;
    uint8_t *grown = err_is(err) ? NULL : realloc(image, image_bytes + MODEL_TRAILER_BYTES);
    if (grown == NULL) {
        free(image);
        return err_is(err) ? err : err_make(ERR_MEMORY, "model_file_encode");
    }
    memcpy(grown + image_bytes, &model_trailer_magic, MODEL_TRAILER_MAGIC_BYTES);
    sha256_of(grown, image_bytes, grown + image_bytes + MODEL_TRAILER_MAGIC_BYTES);
    *out = grown;
    *out_bytes = image_bytes + MODEL_TRAILER_BYTES;
    return err_none;
}

struct err model_file_write(struct model_file *self, const char *directory, char *path_out)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = model_file_encode(self, directory, &bytes, &bytes_count);
    if (err_is(err)) {
        free(bytes);
        return err;
    }
    uint8_t sha256[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    char path[DURABLE_PATH_BYTES];
    bool differs = false;
    sha256_of(bytes, bytes_count, sha256);
    hex_encode(sha256, HASH_BYTES, hex);
    int path_bytes = snprintf(path, sizeof path, "%s/%s.h5", directory, hex);
    if (path_bytes < 0 || (size_t)path_bytes >= sizeof path) {
        err = err_make(ERR_ARGUMENT, "model path length");
    } else {
        err = durable_create(path, bytes, bytes_count, 0444, &differs);
    }
    free(bytes);
    if (!err_is(err) && differs) {
        err = err_make(ERR_CONFLICT, "model file of this name holds something else");
    }
    if (err_is(err)) {
        return err;
    }
    memcpy(self->sha256, sha256, HASH_BYTES);
    self->file_bytes = bytes_count;
    if (path_out != NULL) {
        memcpy(path_out, path, sizeof path);
    }
    return err_none;
}

/* ---- reading ---- */

static struct err model_unreadable(const char *where)
{
    return err_make(ERR_MODEL_UNREADABLE, where);
}

static bool model_type_of(enum h5_type type, enum model_type *out)
{
    switch (type) {
    case H5_F32:
        *out = MODEL_F32;
        return true;
    case H5_F64:
        *out = MODEL_F64;
        return true;
    case H5_U64:
        *out = MODEL_U64;
        return true;
    case H5_U8:
        *out = MODEL_U8;
        return true;
    default:
        return false;
    }
}

static struct err model_read_array(int64_t group, const char *name, struct model_file *out)
{
    struct h5_array spec;
    int64_t dataset = 0;
    uint64_t bytes = 0;
    enum model_type type = MODEL_U8;
    void *values = NULL;
    struct err err = h5_array_open(group, name, &spec, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (!model_type_of(spec.type, &type) || !h5_array_is_contiguous(dataset, &spec) ||
        !h5_array_bytes(&spec, &bytes) || bytes == 0 || bytes > MODEL_BYTES_MAX) {
        err = model_unreadable("model array type, shape or storage");
    } else if ((values = malloc((size_t)bytes)) == NULL) {
        err = err_make(ERR_MEMORY, "model_read_array");
    } else {
        err = h5_array_read(dataset, &spec, 0, spec.dims[0], values);
    }
    if (!err_is(err)) {
        err = model_file_add(out, name, type, spec.dims, spec.rank, values);
    }
    free(values);
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

static struct err model_read_text(int64_t group, const char *name, struct model_file *out)
{
    struct h5_array spec;
    int64_t dataset = 0;
    char *text = NULL;
    struct err err = h5_array_open(group, name, &spec, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (spec.type != H5_TEXT || spec.rank != 1 || spec.dims[0] != 1 ||
        !h5_array_is_contiguous(dataset, &spec)) {
        err = model_unreadable("model text type or storage");
    } else if ((text = calloc(1, (size_t)spec.text_bytes + 1)) == NULL) {
        err = err_make(ERR_MEMORY, "model_read_text");
    } else {
        err = h5_array_read(dataset, &spec, 0, 1, text);
    }
    if (!err_is(err)) {
        err = model_file_add_text(out, name, text);
    }
    free(text);
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

static struct err model_read_group(int64_t file, const char *group_name, size_t count_max,
                                   struct err (*read_one)(int64_t, const char *,
                                                          struct model_file *),
                                   struct model_file *out)
{
    int64_t group = 0;
    char(*names)[H5_NAME_BYTES] = NULL;
    size_t names_count = 0;
    struct err err = h5_group_open(file, group_name, &group);
    if (err_is(err)) {
        return err;
    }
    err = h5_group_names(group, count_max, &names, &names_count);
    for (size_t i = 0; i < names_count && !err_is(err); i++) {
        err = read_one(group, names[i], out);
    }
    free(names);
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err model_file_decode(const uint8_t *bytes, size_t bytes_count,
                                    struct model_file *out)
{
    int64_t file = 0;
    char format[32];
    uint64_t version = 0;
    struct err err = h5_memory_open(bytes, bytes_count, &file);
    if (err_is(err)) {
        return err;
    }
    err = h5_attribute_read_text(file, "format", format, sizeof format);
    if (!err_is(err)) {
        err = h5_attribute_read_u64(file, "format_version", &version);
    }
    if (!err_is(err) && (strcmp(format, MODEL_FORMAT) != 0 || version != MODEL_VERSION)) {
        err = model_unreadable("model format or version");
    }
    if (!err_is(err)) {
        err = model_read_group(file, "arrays", MODEL_ARRAYS_MAX, model_read_array, out);
    }
    if (!err_is(err)) {
        err = model_read_group(file, "texts", MODEL_TEXTS_MAX, model_read_text, out);
    }
    struct err closed = h5_file_close(&file);
    return err_is(err) ? err : closed;
}

/* *body_bytes is what stands before the trailer. */
static struct err model_check_bytes(const uint8_t *bytes, size_t bytes_count, const uint8_t *wanted,
                                    uint8_t sha256[HASH_BYTES], size_t *body_bytes)
{
    uint8_t body_sha256[HASH_BYTES];
    sha256_of(bytes, bytes_count, sha256);
    if (wanted != NULL && !hash_equal(wanted, sha256)) {
        return model_unreadable("model file has another hash");
    }
    if (bytes_count <= MODEL_TRAILER_BYTES) {
        return model_unreadable("model file is cut short");
    }
    *body_bytes = bytes_count - MODEL_TRAILER_BYTES;
    const uint8_t *trailer = bytes + *body_bytes;
    sha256_of(bytes, *body_bytes, body_sha256);
    if (memcmp(trailer, &model_trailer_magic, MODEL_TRAILER_MAGIC_BYTES) != 0 ||
        !hash_equal(trailer + MODEL_TRAILER_MAGIC_BYTES, body_sha256)) {
        return model_unreadable("model file is damaged or no model file");
    }
    return err_none;
}

struct err model_file_read(const char *path, const uint8_t wanted[HASH_BYTES],
                           struct model_file *out)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    size_t body_bytes = 0;
    struct err err =
        durable_read(path, (size_t)(MODEL_BYTES_MAX + MODEL_OVERHEAD_BYTES), &bytes, &bytes_count);
    if (err_is(err)) {
        struct err unread = model_unreadable("read model file");
        unread.os_errno = err.os_errno;
        return err.code == ERR_MEMORY ? err : unread;
    }
    struct model_file found;
    model_file_init(&found);
    err = model_check_bytes(bytes, bytes_count, wanted, found.sha256, &body_bytes);
    if (!err_is(err)) {
        err = model_file_decode(bytes, body_bytes, &found);
    }
    free(bytes);
    if (err_is(err)) {
        model_file_fini(&found);
        return err.code == ERR_MEMORY ? err : model_unreadable(err.where);
    }
    found.file_bytes = bytes_count;
    *out = found;
    return err_none;
}

struct err model_file_open(const char *path, const uint8_t wanted[HASH_BYTES],
                           struct model_file **out)
{
    struct model_file *self = malloc(sizeof *self);
    struct err err = self != NULL ? model_file_read(path, wanted, self)
                                  : err_make(ERR_MEMORY, "model_file_open");
    if (err_is(err)) {
        free(self);
        return err;
    }
    *out = self;
    return err_none;
}

void model_file_close(struct model_file **self)
{
    if (*self != NULL) {
        model_file_fini(*self);
        free(*self);
        *self = NULL;
    }
}
