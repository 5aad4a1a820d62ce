/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive_tree.h"
#include "archive/archive_file_inside.h"
#include "archive/archive_write.h"
#include "proto/merkle.h"
#include "proto/record.h"

/* Entries are read through a window, because asking HDF5 for each of them costs more than hashing
 * it. Lengths and offsets are checked when the file is opened, once for all reads. */

#define ARCHIVE_ENTRIES_MAX (UINT64_C(1) << 32)
#define ARCHIVE_ENTRY_BYTES_MAX 65535u
#define ARCHIVE_WINDOW_BYTES (UINT64_C(1) << 20)
#define ARCHIVE_IMAGES_MAX (UINT64_C(1) << 24)
static struct err file_differs(const char *where)
{
    return err_make(ERR_ARCHIVE_DIFFERS, where);
}

/* Rows of a column; every table has its own first column. */
static struct err file_rows(const struct archive_file *self, const char *path, uint64_t *rows_count)
{
    struct h5_array array;
    int64_t dataset = 0;
    struct err err = h5_array_open(self->file, path, &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (array.rank != 1) {
        err = file_differs("column of another rank");
    } else {
        *rows_count = array.dims[0];
    }
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

static struct err file_read_summary(struct archive_file *self)
{
    struct archive_summary *summary = &self->summary;
    char format[32];
    uint64_t version = 0;
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"format_version", &version},
                   {"first_index", &summary->first_index},
                   {"last_index", &summary->last_index},
                   {"items_count", &summary->items_count}};
    const struct {
        const char *column;
        uint64_t *rows_count;
    } tables[] = {{"entries/n", &summary->entries_count},
                  {"scans/entry_index", &summary->scans_count},
                  {"declarations/entry_index", &summary->declarations_count},
                  {"decisions/entry_index", &summary->decisions_count},
                  {"outcomes/entry_index", &summary->outcomes_count}};
    struct err err = h5_attribute_read_text(self->file, "format", format, sizeof format);
    if (!err_is(err)) {
        err = h5_attribute_read_text(self->file, "origin", summary->origin, sizeof summary->origin);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !err_is(err); i++) {
        err = h5_attribute_read_u64(self->file, numbers[i].name, numbers[i].value);
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !err_is(err); i++) {
        err = file_rows(self, tables[i].column, tables[i].rows_count);
    }
    if (!err_is(err) &&
        (strcmp(format, ARCHIVE_FORMAT) != 0 || version != ARCHIVE_FORMAT_VERSION)) {
        err = file_differs("format or version");
    }
    if (!err_is(err) &&
        (summary->entries_count == 0 || summary->entries_count > ARCHIVE_ENTRIES_MAX ||
         summary->last_index < summary->first_index ||
         summary->last_index - summary->first_index != summary->entries_count - 1)) {
        err = file_differs("range and number of entries");
    }
    return err;
}

static struct err file_read_offsets(struct archive_file *self)
{
    struct h5_array array;
    int64_t dataset = 0;
    uint64_t entries_count = self->summary.entries_count;
    struct err err = h5_array_open(self->file, "entries/offset", &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (array.type != H5_U64 || array.rank != 1 || array.dims[0] != entries_count + 1) {
        err = file_differs("entries/offset");
    } else if ((self->offsets = calloc((size_t)entries_count + 1, sizeof *self->offsets)) == NULL) {
        err = err_make(ERR_MEMORY, "file_read_offsets");
    } else {
        err = h5_array_read(dataset, &array, 0, entries_count + 1, self->offsets);
    }
    struct err closed = h5_object_close(&dataset);
    err = err_is(err) ? err : closed;
    must(err_is(err) || self->offsets != NULL);
    for (uint64_t i = 0; i < entries_count && !err_is(err); i++) {
        uint64_t from = self->offsets[i];
        uint64_t to = self->offsets[i + 1];
        if (to <= from || to - from > ARCHIVE_ENTRY_BYTES_MAX || to > self->bytes_array.dims[0]) {
            err = file_differs("entries/offset out of order");
        }
    }
    return err;
}

static struct err file_open_parts(struct archive_file *self)
{
    struct err err = file_read_summary(self);
    if (!err_is(err)) {
        err = h5_array_open(self->file, "entries/bytes", &self->bytes_array, &self->bytes_dataset);
    }
    if (!err_is(err)) {
        err = h5_array_open(self->file, "entries/leaf", &self->leaf_array, &self->leaf_dataset);
    }
    if (!err_is(err)) {
        err = h5_group_open(self->file, "images", &self->images_group);
    }
    if (!err_is(err) && (self->bytes_array.type != H5_U8 || self->bytes_array.rank != 1 ||
                         self->leaf_array.type != H5_U8 || self->leaf_array.rank != 2 ||
                         self->leaf_array.dims[0] != self->summary.entries_count ||
                         self->leaf_array.dims[1] != HASH_BYTES)) {
        err = file_differs("entries/bytes or entries/leaf");
    }
    if (!err_is(err)) {
        err = file_read_offsets(self);
    }
    if (!err_is(err) && (self->window = malloc(ARCHIVE_WINDOW_BYTES)) == NULL) {
        err = err_make(ERR_MEMORY, "archive_file_open");
    }
    return err;
}

struct err archive_file_open(const char *path, struct archive_file **out)
{
    struct archive_file *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "archive_file_open");
    }
    struct err err = h5_file_open(path, &self->file);
    if (!err_is(err)) {
        err = file_open_parts(self);
    }
    if (err_is(err)) {
        archive_file_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void archive_file_close(struct archive_file **self)
{
    if (*self == NULL) {
        return;
    }
    int64_t *const objects[] = {&(*self)->bytes_dataset, &(*self)->leaf_dataset,
                                &(*self)->images_group};
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct err closed = h5_object_close(objects[i]);
        (void)closed; /* read only: nothing can be lost here */
    }
    struct err closed = h5_file_close(&(*self)->file);
    (void)closed;
    free((*self)->offsets);
    free((*self)->window);
    free(*self);
    *self = NULL;
}

static struct err file_count_images(struct archive_file *self, char (**names)[H5_NAME_BYTES],
                                    size_t *names_count)
{
    return h5_group_names(self->images_group, ARCHIVE_IMAGES_MAX, names, names_count);
}

struct err archive_file_summary(struct archive_file *self, struct archive_summary *out)
{
    char(*names)[H5_NAME_BYTES] = NULL;
    size_t names_count = 0;
    struct err err = file_count_images(self, &names, &names_count);
    free(names);
    if (err_is(err)) {
        return err;
    }
    self->summary.images_count = names_count;
    *out = self->summary;
    return err_none;
}

struct err archive_file_entry(struct archive_file *self, uint64_t entry_index,
                              const uint8_t **bytes, uint32_t *bytes_count)
{
    if (entry_index < self->summary.first_index || entry_index > self->summary.last_index) {
        return err_make(ERR_NOT_FOUND, "entry outside of the archive file");
    }
    uint64_t at = entry_index - self->summary.first_index;
    uint64_t from = self->offsets[at];
    uint64_t to = self->offsets[at + 1];
    if (from < self->window_first || to > self->window_first + self->window_bytes) {
        uint64_t left = self->bytes_array.dims[0] - from;
        uint64_t wanted = left < ARCHIVE_WINDOW_BYTES ? left : ARCHIVE_WINDOW_BYTES;
        self->window_bytes = 0; /* holds nothing while it is being read */
        struct err err =
            h5_array_read(self->bytes_dataset, &self->bytes_array, from, wanted, self->window);
        if (err_is(err)) {
            return err;
        }
        self->window_first = from;
        self->window_bytes = wanted;
    }
    must(to - self->window_first <= self->window_bytes);
    *bytes = self->window + (from - self->window_first);
    *bytes_count = (uint32_t)(to - from);
    return err_none;
}

struct err archive_file_image(struct archive_file *self, const uint8_t digest[HASH_BYTES],
                              uint8_t **out, uint64_t *out_bytes)
{
    char path[HASH_HEX_BYTES + sizeof "/pixels"];
    struct h5_array array;
    int64_t dataset = 0;
    uint64_t bytes_count = 0;
    uint8_t found[HASH_BYTES];
    hex_encode(digest, HASH_BYTES, path);
    if (!h5_exists(self->images_group, path)) {
        return err_make(ERR_NOT_FOUND, "image outside of the archive file");
    }
    memcpy(path + 2 * (size_t)HASH_BYTES, "/pixels", sizeof "/pixels");
    struct err err = h5_array_open(self->images_group, path, &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    uint8_t *pixels = NULL;
    if ((array.type != H5_U8 && array.type != H5_U16) || array.rank != 2 ||
        array.dims[0] > IMAGE_SIDE_MAX || array.dims[1] > IMAGE_SIDE_MAX ||
        !h5_array_bytes(&array, &bytes_count) || bytes_count == 0) {
        err = file_differs("image type or shape");
    } else if ((pixels = malloc((size_t)bytes_count)) == NULL) {
        err = err_make(ERR_MEMORY, "archive_file_image");
    } else {
        err = h5_array_read(dataset, &array, 0, array.dims[0], pixels);
    }
    struct err closed = h5_object_close(&dataset);
    err = err_is(err) ? err : closed;
    if (!err_is(err)) {
        sha256_of(pixels, (size_t)bytes_count, found);
        err = hash_equal(found, digest) ? err_none : file_differs("image has another digest");
    }
    if (err_is(err)) {
        free(pixels);
        return err;
    }
    *out = pixels;
    *out_bytes = bytes_count;
    return err_none;
}

struct err archive_file_image_shape(struct archive_file *self, const uint8_t digest[HASH_BYTES],
                                    struct image *out)
{
    char path[HASH_HEX_BYTES + sizeof "/pixels"];
    struct h5_array array;
    int64_t dataset = 0;
    hex_encode(digest, HASH_BYTES, path);
    memcpy(path + 2 * (size_t)HASH_BYTES, "/pixels", sizeof "/pixels");
    struct err err = h5_array_open(self->images_group, path, &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    memset(out, 0, sizeof *out);
    out->bits = array.type == H5_U16 ? 16 : 8;
    out->height = (uint32_t)array.dims[0];
    out->width = (uint32_t)array.dims[1];
    bool good = array.rank == 2 && (array.type == H5_U8 || array.type == H5_U16);
    struct err closed = h5_object_close(&dataset);
    return good ? closed : file_differs("image type or shape");
}

/* ---- check ---- */

#define BAD_PATH_BYTES 128u

static int file_compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The leaf as the file states it; borrowed until the next call. */
static struct err file_leaf(struct archive_file *self, uint64_t at, const uint8_t **leaf)
{
    if (at < self->leaves_first || at >= self->leaves_first + self->leaves_count) {
        uint64_t left = self->summary.entries_count - at;
        uint64_t wanted = left < ARCHIVE_LEAVES_WINDOW ? left : ARCHIVE_LEAVES_WINDOW;
        self->leaves_count = 0; /* holds nothing while it is being read */
        struct err err =
            h5_array_read(self->leaf_dataset, &self->leaf_array, at, wanted, self->leaves);
        if (err_is(err)) {
            return err;
        }
        self->leaves_first = at;
        self->leaves_count = wanted;
    }
    *leaf = self->leaves[at - self->leaves_first];
    return err_none;
}

/* An entry against its leaf; an image that it speaks of must be in the file. */
static struct err file_check_entry(struct archive_file *self, uint64_t entry_index,
                                   const char (*names)[H5_NAME_BYTES], size_t names_count,
                                   char *bad_path)
{
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    const uint8_t *stated = NULL;
    uint8_t leaf[HASH_BYTES];
    struct err err = archive_file_entry(self, entry_index, &bytes, &bytes_count);
    if (!err_is(err)) {
        err = file_leaf(self, entry_index - self->summary.first_index, &stated);
    }
    if (err_is(err)) {
        return err;
    }
    merkle_leaf(bytes, bytes_count, leaf);
    struct arena arena;
    struct entry entry;
    arena_init(&arena, self->arena_memory, sizeof self->arena_memory);
    enum entry_fault fault = entry_decode(bytes, bytes_count, &arena, &entry);
    bool readable = fault == ENTRY_GOOD || fault == ENTRY_UNKNOWN_TYPE;
    if (!hash_equal(stated, leaf) || !readable || entry.n != entry_index) {
        (void)snprintf(bad_path, BAD_PATH_BYTES, "entries[%llu]",
                       (unsigned long long)(entry_index - self->summary.first_index));
        return err_none;
    }
    for (uint32_t i = 0; entry.type == ENTRY_SCAN_RECEIVED && i < entry.body.received.images_count;
         i++) {
        char name[H5_NAME_BYTES];
        hex_encode(entry.body.received.images[i].sha256, HASH_BYTES, name);
        if (bsearch(name, names, names_count, sizeof *names, file_compare_names) == NULL) {
            (void)snprintf(bad_path, BAD_PATH_BYTES, "images/%s", name);
        }
    }
    return err_none;
}

static struct err file_check_image(struct archive_file *self, const char *name, char *bad_path)
{
    uint8_t digest[HASH_BYTES];
    uint8_t *pixels = NULL;
    uint64_t bytes_count = 0;
    struct err err = hex_decode(name, digest, HASH_BYTES)
                         ? archive_file_image(self, digest, &pixels, &bytes_count)
                         : file_differs("image name");
    free(pixels);
    if (err.code == ERR_ARCHIVE_DIFFERS || err.code == ERR_NOT_FOUND) {
        (void)snprintf(bad_path, BAD_PATH_BYTES, "images/%.72s", name);
        return err_none;
    }
    return err;
}

struct err archive_file_tree(struct archive_file *self, struct archive_tree_end *out)
{
    struct archive_tree before;
    bool has = false;
    struct err err = archive_tree_read(self->file, &before, out, &has);
    return err_is(err) || has ? err : err_make(ERR_NOT_FOUND, "tree of the archive file");
}

/* The subtrees before the range and the leaves of the range give the stated root. */
static struct err file_check_tree(struct archive_file *self, char *bad_path)
{
    struct archive_tree before;
    struct archive_tree_end end;
    bool has = false;
    uint8_t root[HASH_BYTES];
    struct err err = archive_tree_read(self->file, &before, &end, &has);
    for (uint64_t i = 0; has && i < self->summary.entries_count && !err_is(err); i++) {
        const uint8_t *leaf = NULL;
        err = file_leaf(self, i, &leaf);
        if (!err_is(err)) {
            merkle_range_append(&before.range, leaf);
        }
    }
    if (err_is(err) || !has) {
        return err;
    }
    merkle_range_root(&before.range, root);
    if (end.size != before.range.size || !hash_equal(root, end.root)) {
        (void)snprintf(bad_path, BAD_PATH_BYTES, "tree_root");
    }
    return err_none;
}

struct err archive_file_check(struct archive_file *self, uint64_t *images_checked,
                              uint64_t *entries_checked, char *bad_path)
{
    char(*names)[H5_NAME_BYTES] = NULL;
    size_t names_count = 0;
    *images_checked = 0;
    *entries_checked = 0;
    bad_path[0] = '\0';
    struct err err = file_count_images(self, &names, &names_count);
    if (err_is(err)) {
        return err;
    }
    qsort(names, names_count, sizeof *names, file_compare_names);
    for (uint64_t i = 0; i < self->summary.entries_count && !err_is(err) && bad_path[0] == '\0';
         i++) {
        err = file_check_entry(self, self->summary.first_index + i,
                               (const char(*)[H5_NAME_BYTES])names, names_count, bad_path);
        *entries_checked += 1;
    }
    if (!err_is(err) && bad_path[0] == '\0') {
        err = file_check_tree(self, bad_path);
    }
    for (size_t i = 0; i < names_count && !err_is(err) && bad_path[0] == '\0'; i++) {
        err = file_check_image(self, names[i], bad_path);
        *images_checked += 1;
    }
    free(names);
    return err;
}
