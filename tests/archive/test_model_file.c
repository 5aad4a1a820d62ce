/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "archive/h5.h"
#include "archive/model_file.h"
#include "base/durable.h"
#include "folder.h"

static char directory[64];

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/triage-model-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    folder_remove(directory);
    return 0;
}

static void fill(struct model_file *model)
{
    static const float bank[6] = {0.5f, -1.25f, 3e-38f, 4, 5, 6};
    static const double edges[2] = {1e-300, 2.5};
    static const uint64_t counts[1] = {UINT64_MAX};
    static const uint8_t marks[2][1][1][2] = {{{{1, 2}}}, {{{3, 255}}}};
    model_file_init(model);
    assert_good(model_file_add(model, "bank", MODEL_F32, (const uint64_t[]){2, 3}, 2, bank));
    assert_good(model_file_add(model, "edges", MODEL_F64, (const uint64_t[]){2}, 1, edges));
    assert_good(model_file_add(model, "counts", MODEL_U64, (const uint64_t[]){1}, 1, counts));
    assert_good(model_file_add(model, "marks", MODEL_U8, (const uint64_t[]){2, 1, 1, 2}, 4, marks));
    assert_good(model_file_add_text(model, "name", "appearance/parcel-line"));
    assert_good(model_file_add_text(model, "empty", ""));
}

static void write_then_read_gives_the_same(void **state)
{
    struct model_file model;
    struct model_file back;
    char path[512];
    (void)state;
    fill(&model);
    assert_good(model_file_write(&model, directory, path));
    assert_good(model_file_read(path, model.sha256, &back));
    assert_int_equal(back.file_bytes, model.file_bytes);
    assert_int_equal(back.arrays_count, 4);
    assert_int_equal(back.texts_count, 2);
    const struct model_array *bank = model_file_find(&back, "bank", MODEL_F32);
    assert_non_null(bank);
    assert_int_equal(bank->dimensions_count, 2);
    assert_int_equal(bank->dimensions[1], 3);
    assert_memory_equal(bank->values, model_file_find(&model, "bank", MODEL_F32)->values, 24);
    assert_int_equal(*(const uint64_t *)model_file_find(&back, "counts", MODEL_U64)->values,
                     UINT64_MAX);
    assert_int_equal(((const uint8_t *)model_file_find(&back, "marks", MODEL_U8)->values)[3], 255);
    assert_null(model_file_find(&back, "bank", MODEL_F64));
    assert_string_equal(model_file_text(&back, "name"), "appearance/parcel-line");
    assert_string_equal(model_file_text(&back, "empty"), "");
    assert_null(model_file_text(&back, "absent"));
    model_file_fini(&back);
    model_file_fini(&model);
}

static void write_same_content_gives_the_same_name(void **state)
{
    struct model_file first;
    struct model_file second;
    char path[512];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    uint8_t sha256[HASH_BYTES];
    (void)state;
    fill(&first);
    assert_good(model_file_write(&first, directory, path));
    fill(&second);
    assert_good(model_file_write(&second, directory, path));
    assert_memory_equal(first.sha256, second.sha256, HASH_BYTES);
    assert_good(durable_read(path, 1 << 20, &bytes, &bytes_count));
    sha256_of(bytes, bytes_count, sha256);
    assert_memory_equal(first.sha256, sha256, HASH_BYTES);
    unsigned headers = 0;
    assert_int_equal(folder_timed_headers(bytes, bytes_count, &headers), 0);
    assert_int_equal(headers, 3 + 6); /* root, two groups, six datasets */
    free(bytes);
    model_file_fini(&first);
    model_file_fini(&second);
}

static void read_wrong_hash_refuses(void **state)
{
    struct model_file model;
    struct model_file back;
    char path[512];
    uint8_t wanted[HASH_BYTES] = {0};
    (void)state;
    fill(&model);
    assert_good(model_file_write(&model, directory, path));
    assert_int_equal(model_file_read(path, wanted, &back).code, ERR_MODEL_UNREADABLE);
    assert_int_equal(model_file_read("/tmp/there-is-no-such-model.h5", NULL, &back).code,
                     ERR_MODEL_UNREADABLE);
    struct model_file *opened = NULL;
    assert_int_equal(model_file_open(path, wanted, &opened).code, ERR_MODEL_UNREADABLE);
    assert_null(opened);
    assert_good(model_file_open(path, model.sha256, &opened));
    assert_int_equal(opened->arrays_count, 4);
    model_file_close(&opened);
    assert_null(opened);
    model_file_close(&opened);
    model_file_fini(&model);
}

static void expect_unreadable(const uint8_t *bytes, size_t bytes_count)
{
    struct model_file back;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/garbled.h5", directory);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, bytes_count, file), bytes_count);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(model_file_read(path, NULL, &back).code, ERR_MODEL_UNREADABLE);
}

static void read_cut_or_garbled_refuses(void **state)
{
    struct model_file model;
    char path[512];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    (void)state;
    fill(&model);
    assert_good(model_file_write(&model, directory, path));
    model_file_fini(&model);
    assert_good(durable_read(path, 1 << 20, &bytes, &bytes_count));
    for (size_t cut = 0; cut < bytes_count; cut += cut < 64 ? 1 : 97) {
        expect_unreadable(bytes, cut);
    }
    for (size_t at = 0; at < bytes_count; at += at < 64 ? 1 : 61) {
        bytes[at] ^= 0x41;
        expect_unreadable(bytes, bytes_count);
        bytes[at] ^= 0x41;
    }
    free(bytes);
}

/* A trailer that fits makes the bytes reach HDF5: a file of another making must still be refused.
 */
static void expect_refused_with_good_trailer(const uint8_t *body, size_t body_bytes)
{
    uint8_t *bytes = malloc(body_bytes + 48);
    assert_non_null(bytes);
    memcpy(bytes, body, body_bytes);
    memcpy(bytes + body_bytes, "triaged-model-1\n", 16);
    sha256_of(bytes, body_bytes, bytes + body_bytes + 16);
    expect_unreadable(bytes, body_bytes + 48);
    free(bytes);
}

static void read_foreign_layout_refuses(void **state)
{
    static const struct h5_storage chunked = {.chunk_bytes = 64, .deflate_level = 1};
    static const struct h5_array spec = {.type = H5_F32, .rank = 1, .dims = {4}};
    static const float values[4] = {1, 2, 3, 4};
    uint8_t *body = NULL;
    size_t body_bytes = 0;
    int64_t file = 0;
    int64_t group = 0;
    int64_t dataset = 0;
    (void)state;
    expect_refused_with_good_trailer((const uint8_t *)"not HDF5 at all", 15);
    char path[512];
    (void)snprintf(path, sizeof path, "%s/foreign.h5", directory);
    /* Right groups, but a filtered array: could be a decompression bomb. */
    assert_good(h5_file_create(path, &file));
    assert_good(h5_attribute_text(file, "format", "triaged-model"));
    assert_good(h5_attribute_u64(file, "format_version", 1));
    assert_good(h5_group_create(file, "arrays", &group));
    assert_good(h5_array_write(group, "bank", &spec, &chunked, values, &dataset));
    assert_good(h5_object_close(&dataset));
    assert_good(h5_object_close(&group));
    assert_good(h5_group_create(file, "texts", &group));
    assert_good(h5_object_close(&group));
    assert_good(h5_file_close(&file));
    assert_good(durable_read(path, 1 << 20, &body, &body_bytes));
    expect_refused_with_good_trailer(body, body_bytes);
    free(body);
}

static void add_bad_names_and_shapes_refuses(void **state)
{
    struct model_file model;
    const uint8_t byte = 1;
    char long_name[MODEL_NAME_BYTES + 1];
    (void)state;
    memset(long_name, 'a', MODEL_NAME_BYTES);
    long_name[MODEL_NAME_BYTES] = '\0';
    model_file_init(&model);
    const char *names[] = {"", "a/b", ".", "..", "a b", long_name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err err =
            model_file_add(&model, names[i], MODEL_U8, (const uint64_t[]){1}, 1, &byte);
        assert_int_equal(err.code, ERR_ARGUMENT);
    }
    const uint64_t huge[2] = {UINT64_C(1) << 33, UINT64_C(1) << 33};
    assert_int_equal(model_file_add(&model, "a", MODEL_U8, huge, 2, &byte).code, ERR_ARGUMENT);
    assert_int_equal(model_file_add(&model, "a", MODEL_U8, (const uint64_t[]){0}, 1, &byte).code,
                     ERR_ARGUMENT);
    assert_int_equal(model_file_add(&model, "a", MODEL_U8, huge, 0, &byte).code, ERR_ARGUMENT);
    assert_good(model_file_add(&model, "a", MODEL_U8, (const uint64_t[]){1}, 1, &byte));
    assert_int_equal(model_file_add(&model, "a", MODEL_U8, (const uint64_t[]){1}, 1, &byte).code,
                     ERR_ARGUMENT);
    model_file_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_then_read_gives_the_same),
        cmocka_unit_test(write_same_content_gives_the_same_name),
        cmocka_unit_test(read_wrong_hash_refuses),
        cmocka_unit_test(read_cut_or_garbled_refuses),
        cmocka_unit_test(read_foreign_layout_refuses),
        cmocka_unit_test(add_bad_names_and_shapes_refuses),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
