/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_tree.h"

#include <string.h>

#include "archive/archive_array.h"
#include "archive/h5.h"

struct err archive_tree_take(struct archive_rows *rows, const struct archive_tree *before)
{
    rows->has_tree = before != NULL;
    if (before == NULL) {
        return err_none;
    }
    if (before->first_n > rows->first_index ||
        before->range.size != rows->first_index - before->first_n) {
        return err_make(ERR_ARCHIVE_DIFFERS, "tree before the range");
    }
    rows->tree_before = *before;
    rows->tree_after = *before;
    for (uint64_t i = 0; i < rows->entries_count; i++) {
        merkle_range_append(&rows->tree_after.range, rows->leaves + i * HASH_BYTES);
    }
    return err_none;
}

static struct h5_array tree_array(const struct archive_rows *rows)
{
    return (struct h5_array){
        .type = H5_U8, .rank = 2, .dims = {rows->tree_before.range.roots_count, HASH_BYTES}};
}

static struct err tree_write_attributes(const struct archive_rows *rows, int64_t file)
{
    uint8_t root[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    merkle_range_root(&rows->tree_after.range, root);
    hex_encode(root, HASH_BYTES, hex);
    struct err err = h5_attribute_u64(file, "tree_first_index", rows->tree_after.first_n);
    if (!err_is(err)) {
        err = h5_attribute_u64(file, "tree_size", rows->tree_after.range.size);
    }
    return err_is(err) ? err : h5_attribute_text(file, "tree_root", hex);
}

struct err archive_tree_write(const struct archive_rows *rows, struct chunk_pool *pool,
                              int64_t file)
{
    int64_t group = 0;
    int64_t dataset = 0;
    if (!rows->has_tree) {
        return err_none;
    }
    struct h5_array array = tree_array(rows);
    struct err err = tree_write_attributes(rows, file);
    if (!err_is(err)) {
        err = h5_group_create(file, "tree", &group);
    }
    if (!err_is(err)) {
        err = h5_attribute_text(group, "NX_class", "NXcollection");
    }
    if (!err_is(err)) {
        err = h5_attribute_text(group, "long_name",
                                "the log's tree before this file: its leaves follow");
    }
    if (!err_is(err)) {
        err = archive_array_write(pool, group, "before", &array, rows->tree_before.range.roots,
                                  &dataset);
    }
    if (!err_is(err)) {
        err = h5_attribute_text(dataset, "long_name",
                                "roots of the perfect subtrees before the range, biggest first");
    }
    struct err closed = h5_object_close(&dataset);
    err = err_is(err) ? err : closed;
    closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

struct err archive_tree_check(const struct archive_rows *rows, int64_t file)
{
    int64_t group = 0;
    if (!rows->has_tree) {
        return err_none;
    }
    struct h5_array array = tree_array(rows);
    struct err err = h5_group_open(file, "tree", &group);
    if (!err_is(err)) {
        err = archive_array_check(group, "before", &array, rows->tree_before.range.roots);
    }
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err tree_read_before(int64_t file, struct archive_tree *before)
{
    struct h5_array array;
    int64_t dataset = 0;
    struct err err = h5_array_open(file, "tree/before", &array, &dataset);
    if (err_is(err)) {
        return err;
    }
    uint64_t bits = (uint64_t)__builtin_popcountll(before->range.size);
    if (array.type != H5_U8 || array.rank != 2 || array.dims[1] != HASH_BYTES ||
        array.dims[0] != bits) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "tree/before");
    } else {
        before->range.roots_count = (uint32_t)bits;
        err = h5_array_read(dataset, &array, 0, bits, before->range.roots);
    }
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

struct err archive_tree_read(int64_t file, struct archive_tree *before,
                             struct archive_tree_end *end, bool *has)
{
    char hex[HASH_HEX_BYTES];
    uint64_t first_index = 0;
    memset(before, 0, sizeof *before);
    *has = h5_exists(file, "tree");
    if (!*has) {
        return err_none;
    }
    struct err err = h5_attribute_read_u64(file, "tree_first_index", &end->first_n);
    if (!err_is(err)) {
        err = h5_attribute_read_u64(file, "tree_size", &end->size);
    }
    if (!err_is(err)) {
        err = h5_attribute_read_u64(file, "first_index", &first_index);
    }
    if (!err_is(err)) {
        err = h5_attribute_read_text(file, "tree_root", hex, sizeof hex);
    }
    if (err_is(err)) {
        return err;
    }
    if (!hex_decode(hex, end->root, HASH_BYTES) || end->first_n > first_index) {
        return err_make(ERR_ARCHIVE_DIFFERS, "tree attributes");
    }
    before->first_n = end->first_n;
    before->range.size = first_index - end->first_n;
    return tree_read_before(file, before);
}
