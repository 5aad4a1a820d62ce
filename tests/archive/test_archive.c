/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>

#include "archive/archive.h"
#include "archive/archive_table.h"
#include "archive/metric_set.h"
#include "base/durable.h"
#include "proto/merkle.h"
#include "folder.h"
#include "perturb.h"
#include "range.h"

static const uint8_t pseudonym_key[HASH_BYTES] = {7};

struct fixture {
    struct archive_tree tree;
    struct metric_set metrics;
    char directory[64];
    char archive[96];
    struct blob_store *blobs;
    struct range *range;
    struct archive_conf conf;
};

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

/* Three items, the third with the images of the first: 4 different images in 6 places. */
static void fill(struct fixture *fixture)
{
    uint8_t items[3][ITEM_ID_BYTES];
    range_init(fixture->range, 1000);
    range_add_draw_commit(fixture->range);
    bool referred = range_add_item(fixture->range, items[0], 1, fixture->blobs);
    assert_true(referred);
    (void)range_add_item(fixture->range, items[1], 2, fixture->blobs);
    (void)range_add_item(fixture->range, items[2], 1, fixture->blobs);
    range_add_action(fixture->range, items[0], "in_exam", 2);
    range_add_outcome(fixture->range, items[0], 3);
    range_add_refusal(fixture->range);
    assert_good(blob_commit(fixture->blobs));
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char blobs[96];
    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/triage-archive-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(blobs, sizeof blobs, "%s/blobs", fixture->directory);
    (void)snprintf(fixture->archive, sizeof fixture->archive, "%s/archive", fixture->directory);
    assert_good(blob_store_open(blobs, 1000, &fixture->blobs));
    fixture->range = malloc(sizeof *fixture->range);
    assert_non_null(fixture->range);
    fill(fixture);
    fixture->conf = (struct archive_conf){.directory = fixture->archive,
                                          .origin = "oversight.example/rotterdam/2026",
                                          .deflate_level = 1,
                                          .threads = 2,
                                          .pseudonym_key = pseudonym_key,
                                          .tree = &fixture->tree,
                                          .metrics = &fixture->metrics};
    range_tree_before(700, 1000, &fixture->tree);
    assert_good(metric_set_load(SOURCE_DIR "/config/metrics", &fixture->metrics));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    blob_store_close(&fixture->blobs);
    metric_set_fini(&fixture->metrics);
    range_fini(fixture->range);
    folder_remove(fixture->directory);
    free(fixture->range);
    free(fixture);
    return 0;
}

static struct err build(struct fixture *fixture, struct archive_result *result)
{
    fixture->range->next = 0;
    return archive_build(&fixture->conf, fixture->blobs, range_next, fixture->range, result);
}

static void full_path(const struct fixture *fixture, const struct archive_result *result,
                      char out[512])
{
    (void)snprintf(out, 512, "%s/%s", fixture->archive, result->path);
}

static unsigned parts_count(const struct fixture *fixture)
{
    return folder_count(fixture->directory, ".part");
}

static void build_gives_a_sealed_file_that_reads_back(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct archive_summary summary;
    struct archive_file *file = NULL;
    char path[512];
    char bad_path[128];
    uint64_t images_checked = 0;
    uint64_t entries_checked = 0;
    assert_good(build(fixture, &result));
    assert_string_equal(result.path,
                        "2026/09/21/oversight.example_rotterdam_2026-0000001000-0000001015.h5");
    assert_int_equal(strncmp(result.filters, "shuffle,deflate(1):isa-l/", 25), 0);
    assert_int_equal(result.first_index, 1000);
    assert_int_equal(result.last_index, 1015);
    assert_int_equal(result.images_count, 4);
    full_path(fixture, &result, path);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, result.file_bytes);
    assert_int_equal(status.st_mode & 0222, 0);
    assert_good(archive_file_open(path, &file));
    assert_good(archive_file_summary(file, &summary));
    assert_string_equal(summary.origin, fixture->conf.origin);
    assert_int_equal(summary.entries_count, 16);
    assert_int_equal(summary.items_count, 3);
    assert_int_equal(summary.scans_count, 3);
    assert_int_equal(summary.images_count, 4);
    assert_int_equal(summary.declarations_count, 3);
    assert_int_equal(summary.decisions_count, 3);
    assert_int_equal(summary.outcomes_count, 1);
    assert_good(archive_file_check(file, &images_checked, &entries_checked, bad_path));
    assert_string_equal(bad_path, "");
    assert_int_equal(images_checked, 4);
    assert_int_equal(entries_checked, 16);
    for (uint32_t i = 0; i < fixture->range->count; i++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        assert_good(archive_file_entry(file, 1000 + i, &bytes, &bytes_count));
        assert_int_equal(bytes_count, fixture->range->entries[i].bytes_count);
        assert_memory_equal(bytes, fixture->range->entries[i].bytes, bytes_count);
    }
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    assert_int_equal(archive_file_entry(file, 999, &bytes, &bytes_count).code, ERR_NOT_FOUND);
    assert_int_equal(archive_file_entry(file, 1016, &bytes, &bytes_count).code, ERR_NOT_FOUND);
    archive_file_close(&file);
}

static void image_reads_back_as_canonical_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct archive_file *file = NULL;
    char path[512];
    uint8_t digest[HASH_BYTES];
    uint8_t pixels[300 * 200 * 2];
    uint8_t *back = NULL;
    uint64_t back_bytes = 0;
    assert_good(build(fixture, &result));
    full_path(fixture, &result, path);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i / 7 + i % 300 * 2);
    }
    sha256_of(pixels, sizeof pixels, digest);
    assert_good(archive_file_open(path, &file));
    assert_good(archive_file_image(file, digest, &back, &back_bytes));
    assert_int_equal(back_bytes, sizeof pixels);
    assert_memory_equal(back, pixels, sizeof pixels);
    free(back);
    digest[0] ^= 1;
    assert_int_equal(archive_file_image(file, digest, &back, &back_bytes).code, ERR_NOT_FOUND);
    archive_file_close(&file);
}

static void rebuild_gives_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result first;
    struct archive_result second;
    struct archive_result third;
    char path[512];
    assert_good(build(fixture, &first));
    assert_good(
        build(fixture, &second)); /* beside the sealed file: must be identical, and is left alone */
    assert_memory_equal(first.sha256, second.sha256, HASH_BYTES);
    assert_int_equal(parts_count(fixture), 0);
    full_path(fixture, &first, path);
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    unsigned headers = 0;
    assert_good(durable_read(path, 1 << 24, &bytes, &bytes_count));
    assert_int_equal(folder_timed_headers(bytes, bytes_count, &headers), 0);
    assert_true(headers > 100); /* groups, columns, images */
    free(bytes);
    assert_int_equal(unlink(path), 0);
    perturb(165);
    assert_good(build(fixture, &third)); /* after the file was lost */
    assert_memory_equal(first.sha256, third.sha256, HASH_BYTES);
}

/* Whoever is faster: the bytes depend on the entries alone. */
static void number_of_threads_changes_no_byte(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t level = 0; level <= 2; level++) {
        struct archive_result first;
        fixture->conf.deflate_level = level;
        for (uint32_t threads = 1; threads <= 17; threads += 4) {
            struct archive_result result;
            char path[512];
            fixture->conf.threads = threads;
            assert_good(build(fixture, &result));
            if (threads == 1) {
                first = result;
            }
            assert_memory_equal(first.sha256, result.sha256, HASH_BYTES);
            full_path(fixture, &result, path);
            assert_int_equal(unlink(path), 0);
        }
    }
}

/* Two files of the same entries and different settings, or of another entry: where they differ. */
static void compare_names_the_first_object_that_differs(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    char difference[ARCHIVE_DIFFERENCE_BYTES];
    char path[512];
    char other[600];
    assert_good(build(fixture, &result));
    full_path(fixture, &result, path);
    (void)snprintf(other, sizeof other, "%s/other.h5", fixture->directory);
    assert_int_equal(rename(path, other), 0);
    assert_good(build(fixture, &result));
    assert_good(archive_compare(path, other, difference));
    assert_string_equal(difference, "");
    assert_int_equal(unlink(path), 0);
    fixture->conf.deflate_level = 2;
    assert_good(build(fixture, &result));
    assert_good(archive_compare(path, other, difference));
    assert_string_equal(difference, "/: attribute filters");
    assert_int_equal(unlink(path), 0);
    fixture->conf.filters = "same text"; /* so that the next difference shows */
    assert_good(build(fixture, &result));
    assert_int_equal(rename(path, other), 0);
    fixture->conf.deflate_level = 1;
    assert_good(build(fixture, &result));
    assert_good(archive_compare(path, other, difference));
    assert_non_null(strstr(difference, "equal values, compressed otherwise"));
    assert_int_equal(unlink(path), 0);
    fixture->conf.pseudonym_key = (const uint8_t *)"thirty-two bytes of another key!";
    fixture->conf.deflate_level = 2;
    assert_good(build(fixture, &result));
    assert_good(archive_compare(path, other, difference));
    assert_string_equal(difference, "/declarations/declarant: values from row 0");
}

/* What a crash between the name and the seal leaves is found, and may be replaced; a sealed one may
 * not. */
static void begun_file_is_found_and_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct archive_result again;
    uint64_t last = 0;
    char path[512];
    assert_false(archive_find_begun(fixture->archive, fixture->conf.origin, 1000, &last));
    assert_good(build(fixture, &result));
    assert_true(archive_find_begun(fixture->archive, fixture->conf.origin, 1000, &last));
    assert_int_equal(last, 1015);
    assert_false(archive_find_begun(fixture->archive, fixture->conf.origin, 100, &last));
    assert_false(archive_find_begun(fixture->archive, fixture->conf.origin, 10001, &last));
    assert_false(archive_find_begun(fixture->archive, "another.example/log/2026", 1000, &last));
    full_path(fixture, &result, path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 3000), 0);
    assert_int_equal(build(fixture, &again).code, ERR_ARCHIVE_DIFFERS);
    fixture->conf.replace_unsealed = true;
    assert_good(build(fixture, &again));
    assert_memory_equal(again.sha256, result.sha256, HASH_BYTES);
    uint8_t found[HASH_BYTES];
    uint64_t file_bytes = 0;
    assert_good(archive_hash_file(path, found, &file_bytes));
    assert_memory_equal(found, result.sha256, HASH_BYTES);
}

/* A blob that rots between receipt and sealing is told as that, and leaves no file. */
static void build_with_damaged_blob_tells_the_blob(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    char path[512];
    for (uint32_t level = 0; level <= 2; level++) {
        fixture->conf.deflate_level = level;
        assert_true(folder_find(fixture->directory, "/blobs/sha256/", path));
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, 0, SEEK_SET), 0);
        assert_true(fputc(byte ^ 1, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(build(fixture, &result).code, ERR_BLOB_MISSING);
        assert_int_equal(parts_count(fixture), 0);
        assert_int_equal(folder_count(fixture->archive, ".h5"), 0);
        file = fopen(path, "r+b");
        assert_non_null(file);
        assert_true(fputc(byte, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
}

static void build_beside_another_file_of_that_name_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    char path[512];
    assert_good(build(fixture, &result));
    full_path(fixture, &result, path);
    assert_int_equal(chmod(path, 0600), 0);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -10, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -10, SEEK_END), 0);
    assert_int_equal(fputc(byte ^ 0x10, file), byte ^ 0x10);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(build(fixture, &result).code, ERR_ARCHIVE_DIFFERS);
    assert_int_equal(parts_count(fixture), 0);
}

static void build_without_blob_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    char path[512];
    assert_true(folder_find(fixture->directory, "/blobs/sha256/", path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(build(fixture, &result).code, ERR_BLOB_MISSING);
    assert_int_equal(parts_count(fixture), 0);
}

static void build_with_wrong_record_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    fixture->range->entries[1].private_bytes[3] ^= 1;
    assert_int_equal(build(fixture, &result).code, ERR_ARCHIVE_DIFFERS);
}

static void build_with_missing_entry_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct range_entry lost = fixture->range->entries[5];
    uint32_t after = fixture->range->count - 6;
    memmove(&fixture->range->entries[5], &fixture->range->entries[6], after * sizeof lost);
    fixture->range->count--;
    assert_int_equal(build(fixture, &result).code, ERR_ARCHIVE_DIFFERS);
    free(lost.bytes);
    free(lost.private_bytes);
}

static void build_of_nothing_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    fixture->range->next = fixture->range->count;
    struct err err =
        archive_build(&fixture->conf, fixture->blobs, range_next, fixture->range, &result);
    assert_int_equal(err.code, ERR_ARGUMENT);
}

static void build_of_redacted_records_keeps_the_entries(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    for (uint32_t i = 0; i < fixture->range->count; i++) {
        free(fixture->range->entries[i].private_bytes);
        fixture->range->entries[i].private_bytes = NULL;
    }
    assert_good(build(fixture, &result));
    assert_int_equal(result.images_count, 4);
}

/* HDF5 1.10.8 does not free a buffer of a write that failed; the daemon stops then, and this test
 * must not. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

static void build_beyond_file_limit_leaves_no_part(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 20000, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct err err = build(fixture, &result);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err.code, ERR_ARCHIVE_WRITE);
    assert_int_equal(parts_count(fixture), 0);
    assert_good(build(fixture, &result)); /* and the library still works */
}

static void sweep_takes_part_files_only(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    char path[512];
    char part[600];
    assert_good(build(fixture, &result));
    full_path(fixture, &result, path);
    (void)snprintf(part, sizeof part, "%s.part", path);
    assert_int_equal(close(open(part, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(parts_count(fixture), 1);
    assert_good(archive_sweep(fixture->archive));
    assert_int_equal(parts_count(fixture), 0);
    assert_int_equal(access(path, F_OK), 0);
}

/* Uncompressed, a personal value would stand in the file as it is. */
static void file_holds_no_personal_data(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    char path[512];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    char pseudonym[PSEUDONYM_BYTES];
    fixture->conf.deflate_level = 0;
    assert_good(build(fixture, &result));
    assert_string_equal(result.filters, "fletcher32");
    full_path(fixture, &result, path);
    assert_good(durable_read(path, 1 << 24, &bytes, &bytes_count));
    pseudonym_of(pseudonym_key, "importer", RANGE_PERSON, pseudonym);
    assert_non_null(memmem(bytes, bytes_count, pseudonym, strlen(pseudonym)));
    assert_null(memmem(bytes, bytes_count, RANGE_PERSON, strlen(RANGE_PERSON)));
    assert_null(memmem(bytes, bytes_count, "B MM 1234", 9));
    assert_null(memmem(bytes, bytes_count, "DE-0", 4));
    free(bytes);
}

/* A bit of an uncompressed pixel block: fletcher32 or the digest must see it. */
static void check_of_flipped_byte_names_the_image(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct archive_file *file = NULL;
    char path[512];
    char bad_path[128];
    uint64_t images_checked = 0;
    uint64_t entries_checked = 0;
    fixture->conf.deflate_level = 0;
    assert_good(build(fixture, &result));
    full_path(fixture, &result, path);
    assert_int_equal(chmod(path, 0600), 0);
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    uint8_t row[300]; /* the second row of the first image, as it lies in the file */
    for (size_t i = 0; i < sizeof row; i++) {
        row[i] = (uint8_t)((300 + i) / 7 + i);
    }
    assert_good(durable_read(path, 1 << 24, &bytes, &bytes_count));
    const uint8_t *found = memmem(bytes, bytes_count, row, sizeof row);
    assert_non_null(found);
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, (long)(found - bytes), SEEK_SET), 0);
    free(bytes);
    assert_int_equal(fputs("flip", stream) >= 0, 1);
    assert_int_equal(fclose(stream), 0);
    assert_good(archive_file_open(path, &file));
    assert_good(archive_file_check(file, &images_checked, &entries_checked, bad_path));
    assert_memory_equal(bad_path, "images/", 7);
    archive_file_close(&file);
}

static void open_of_cut_or_foreign_file_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct archive_file *file = NULL;
    char path[512];
    assert_good(build(fixture, &result));
    full_path(fixture, &result, path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(archive_file_open(path, &file).code, ERR_ARCHIVE_DIFFERS);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(archive_file_open(path, &file).code, ERR_ARCHIVE_DIFFERS);
    assert_int_equal(archive_file_open("/tmp/there-is-no-such-file.h5", &file).code,
                     ERR_ARCHIVE_DIFFERS);
}

/* FORMAT.md is the page for readers: every group and every column stands there. */
static void format_page_names_every_column(void **state)
{
    uint8_t *page = NULL;
    size_t page_bytes = 0;
    (void)state;
    assert_good(durable_read(SOURCE_DIR "/daemon/archive/FORMAT.md", 1 << 20, &page, &page_bytes));
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        char heading[64];
        (void)snprintf(heading, sizeof heading, "\n### /%s\n", archive_tables[i].name);
        const char *section = strstr((const char *)page, heading);
        if (section == NULL) {
            fail_msg("no section%s", heading);
        }
        const char *end = strstr(section + 1, "\n### ");
        for (uint32_t c = 0; c < archive_tables[i].columns_count; c++) {
            char row[64];
            (void)snprintf(row, sizeof row, "\n| `%s` |", archive_tables[i].columns[c].name);
            const char *found = strstr(section, row);
            if (found == NULL || (end != NULL && found > end)) {
                fail_msg("/%s does not name %s", archive_tables[i].name,
                         archive_tables[i].columns[c].name);
            }
        }
    }
    free(page);
}

int main(void)
{
#define WITH_RANGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_RANGE(build_gives_a_sealed_file_that_reads_back),
        WITH_RANGE(image_reads_back_as_canonical_bytes),
        WITH_RANGE(rebuild_gives_the_same_bytes),
        WITH_RANGE(number_of_threads_changes_no_byte),
        WITH_RANGE(compare_names_the_first_object_that_differs),
        WITH_RANGE(begun_file_is_found_and_replaced),
        WITH_RANGE(build_with_damaged_blob_tells_the_blob),
        WITH_RANGE(build_beside_another_file_of_that_name_refuses),
        WITH_RANGE(build_without_blob_refuses),
        WITH_RANGE(build_with_wrong_record_refuses),
        WITH_RANGE(build_with_missing_entry_refuses),
        WITH_RANGE(build_of_nothing_refuses),
        WITH_RANGE(build_of_redacted_records_keeps_the_entries),
        WITH_RANGE(build_beyond_file_limit_leaves_no_part),
        WITH_RANGE(sweep_takes_part_files_only),
        WITH_RANGE(file_holds_no_personal_data),
        WITH_RANGE(check_of_flipped_byte_names_the_image),
        WITH_RANGE(open_of_cut_or_foreign_file_refuses),
        cmocka_unit_test(format_page_names_every_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
