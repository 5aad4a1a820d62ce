/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_write.h"

#include "archive/archive_array.h"
#include "archive/archive_tree.h"
#include "archive/h5.h"
#include "archive/part.h"
#include "base/clock.h"

/* The order of calls is the order of bytes in the file, so it depends on the entries alone. Tables
 * come first: readers who want no pixels then find everything near the beginning. */

static struct err archive_write_root(const struct archive_conf *conf,
                                     const struct archive_rows *rows, int64_t file)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"format_version", ARCHIVE_FORMAT_VERSION},
        {"first_index", rows->first_index},
        {"last_index", rows->first_index + rows->entries_count - 1},
        {"items_count", rows->items.count},
    };
    struct err err = h5_attribute_text(file, "format", ARCHIVE_FORMAT);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !err_is(err); i++) {
        err = h5_attribute_u64(file, numbers[i].name, numbers[i].value);
    }
    char first_utc[CLOCK_TEXT_BYTES];
    char last_utc[CLOCK_TEXT_BYTES];
    clock_text(rows->first_t_ns, first_utc);
    clock_text(rows->last_t_ns, last_utc);
    const struct {
        const char *name;
        const char *text;
    } texts[] = {{"origin", conf->origin},   {"first_utc", first_utc},
                 {"last_utc", last_utc},     {"creator", "triaged"},
                 {"filters", conf->filters}, {"hdf5_version", conf->hdf5_version},
                 {"NX_class", "NXroot"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !err_is(err); i++) {
        err = h5_attribute_text(file, texts[i].name, texts[i].text);
    }
    return err;
}

/* Beside the columns of the table: the raw bytes, where each entry starts in them, and the leaf
 * hashes. */
struct entries_array {
    const char *name;
    const char *words;
    struct h5_array array;
    const void *values;
};
#define ENTRIES_ARRAYS 3u

static void archive_entries_arrays(const struct archive_rows *rows,
                                   struct entries_array out[ENTRIES_ARRAYS])
{
    out[0] = (struct entries_array){"bytes",
                                    "the entries' bytes, one behind the other",
                                    {.type = H5_U8, .rank = 1, .dims = {rows->bytes_count}},
                                    rows->bytes};
    out[1] = (struct entries_array){"offset",
                                    "entry i is bytes[offset[i]:offset[i+1]]",
                                    {.type = H5_U64, .rank = 1, .dims = {rows->entries_count + 1}},
                                    rows->offsets};
    out[2] = (struct entries_array){
        "leaf",
        "SHA-256(0x00 || bytes of the entry): its leaf in the log's tree",
        {.type = H5_U8, .rank = 2, .dims = {rows->entries_count, HASH_BYTES}},
        rows->leaves};
}

/* The rows of `leaf` are measured as those of the table. */
static struct err archive_attach_rows(int64_t group, int64_t dataset)
{
    struct h5_array array;
    int64_t scale = 0;
    struct err err = h5_array_open(group, "n", &array, &scale);
    if (!err_is(err)) {
        err = h5_scale_attach(dataset, scale);
    }
    struct err closed = h5_object_close(&scale);
    return err_is(err) ? err : closed;
}

static struct err archive_write_entries(const struct archive_rows *rows, struct chunk_pool *pool,
                                        int64_t file)
{
    struct entries_array arrays[ENTRIES_ARRAYS];
    int64_t group = 0;
    archive_entries_arrays(rows, arrays);
    struct err err = h5_group_open(file, "entries", &group);
    for (uint32_t i = 0; i < ENTRIES_ARRAYS && !err_is(err); i++) {
        int64_t dataset = 0;
        err = archive_array_write(pool, group, arrays[i].name, &arrays[i].array, arrays[i].values,
                                  &dataset);
        if (!err_is(err)) {
            err = h5_attribute_text(dataset, "long_name", arrays[i].words);
        }
        if (!err_is(err) && arrays[i].array.rank == 2) { /* leaf */
            err = archive_attach_rows(group, dataset);
        }
        struct err closed = h5_object_close(&dataset);
        err = err_is(err) ? err : closed;
    }
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err archive_write_all(const struct archive_conf *conf,
                                    const struct archive_rows *rows,
                                    const struct archive_images *images, struct chunk_pool *pool,
                                    int64_t file)
{
    struct err err = archive_write_root(conf, rows, file);
    for (uint32_t i = 0; i < TABLE_COUNT && !err_is(err); i++) {
        err = archive_table_write(&rows->tables[i], file, pool);
    }
    if (!err_is(err)) {
        err = archive_write_entries(rows, pool, file);
    }
    if (!err_is(err)) {
        err = archive_tree_write(rows, pool, file);
    }
    return err_is(err) ? err : archive_images_write(images, pool, file);
}

struct err archive_write(const struct archive_conf *conf, const struct archive_rows *rows,
                         const struct archive_images *images, struct chunk_pool *pool,
                         const char *path)
{
    struct part *part = NULL;
    int64_t file = 0;
    struct err err = part_create(path, &part);
    if (err_is(err)) {
        return err;
    }
    err = h5_file_create_in(part, &file);
    if (!err_is(err)) {
        err = archive_write_all(conf, rows, images, pool, file);
    }
    struct err closed = h5_file_close(&file);
    err = err_is(err) ? err : closed;
    if (!err_is(err)) {
        err = part_finish(part);
    }
    struct err disk = part_error(part); /* HDF5 tells that there was one, the part which */
    part_close(&part);
    return err_is(disk) ? disk : err;
}

struct err archive_check_tables(const struct archive_rows *rows, const char *path)
{
    struct entries_array arrays[ENTRIES_ARRAYS];
    int64_t file = 0;
    int64_t group = 0;
    archive_entries_arrays(rows, arrays);
    struct err err = h5_file_open(path, &file);
    for (uint32_t i = 0; i < TABLE_COUNT && !err_is(err); i++) {
        err = archive_table_check(&rows->tables[i], file, false);
    }
    if (!err_is(err)) {
        err = archive_tree_check(rows, file);
    }
    if (!err_is(err)) {
        err = h5_group_open(file, "entries", &group);
    }
    for (uint32_t i = 0; i < ENTRIES_ARRAYS && !err_is(err); i++) {
        err = archive_array_check(group, arrays[i].name, &arrays[i].array, arrays[i].values);
    }
    struct err closed = h5_object_close(&group);
    err = err_is(err) ? err : closed;
    closed = h5_file_close(&file);
    return err_is(err) ? err : closed;
}
