/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "publisher/spool.h"
#include "tests/publisher/scratch.h"

static char directory[SCRATCH_BYTES];
static struct spool_conf conf;
static struct spool *spool;

static int spool_setup(void **state)
{
    (void)state;
    scratch_make(directory);
    conf = (struct spool_conf){.directory = directory, .stream = "lane-1", .bytes_max = 1u << 20};
    spool = NULL;
    return 0;
}

static int spool_teardown(void **state)
{
    (void)state;
    spool_close(&spool);
    scratch_remove(directory);
    return 0;
}

static void reopen(void)
{
    spool_close(&spool);
    assert_int_equal(spool_open(&conf, &spool).code, ERR_NONE);
}

/* Record number n has a body of body_bytes bytes of value n and, when asked, images of 10 and
 * 20,000 bytes. */
static struct err append(uint64_t n, uint32_t body_bytes, bool has_images)
{
    static uint8_t body[SPOOL_BODY_BYTES_MAX];
    static uint8_t pixels[20000];
    memset(body, (int)(n & 0xff), body_bytes);
    memset(pixels, (int)(n & 0xff), sizeof pixels);
    struct spool_record record = {.kind = has_images ? RECORD_SCAN : RECORD_DECLARATION,
                                  .body = body,
                                  .body_bytes = body_bytes,
                                  .images = {pixels, pixels},
                                  .images_bytes = {10, sizeof pixels},
                                  .images_count = has_images ? 2 : 0};
    memset(record.digest, (int)(n & 0xff), sizeof record.digest);
    return spool_append(spool, &record);
}

static void check_next(struct spool_place *place, uint64_t n, uint32_t body_bytes, bool has_images)
{
    struct spool_place begins = *place;
    struct spool_record record;
    bool got = false;
    assert_int_equal(spool_read(spool, place, true, &record, &got).code, ERR_NONE);
    assert_true(got);
    assert_int_equal(record.number, n);
    assert_int_equal(record.body_bytes, body_bytes);
    assert_int_equal(record.images_count, has_images ? 2 : 0);
    assert_int_equal(record.kind, has_images ? RECORD_SCAN : RECORD_DECLARATION);
    assert_int_equal(record.digest[31], n & 0xff);
    for (uint32_t i = 0; i < body_bytes; i += 97) {
        assert_int_equal(record.body[i], n & 0xff);
    }
    static uint8_t pixels[20000];
    for (uint32_t i = 0; i < record.images_count; i++) {
        assert_int_equal(spool_read_image(spool, &begins, &record, i, pixels).code, ERR_NONE);
        assert_int_equal(pixels[0], n & 0xff);
        assert_int_equal(pixels[record.images_bytes[i] - 1], n & 0xff);
    }
}

static void check_end(struct spool_place *place)
{
    struct spool_record record;
    bool got = true;
    assert_int_equal(spool_read(spool, place, true, &record, &got).code, ERR_NONE);
    assert_false(got);
}

static uint32_t segment_files(void)
{
    return scratch_count(directory, ".spool");
}

static void spool_records_survive_reopening_in_order(void **state)
{
    (void)state;
    reopen();
    assert_int_equal(spool_next(spool), 1);
    for (uint64_t n = 1; n <= 20; n++) {
        assert_int_equal(append(n, (uint32_t)(n * 1000), n % 3 == 0).code, ERR_NONE);
    }
    struct spool_place place;
    for (int round = 0; round < 2; round++) {
        assert_true(segment_files() > 1); /* 128 KiB each */
        assert_int_equal(spool_next(spool), 21);
        assert_int_equal(spool_seek(spool, 1, &place).code, ERR_NONE);
        for (uint64_t n = 1; n <= 20; n++) {
            check_next(&place, n, (uint32_t)(n * 1000), n % 3 == 0);
        }
        check_end(&place);
        reopen();
    }
    assert_int_equal(append(21, 5, false).code, ERR_NONE);
    check_next(&place, 21, 5, false); /* a place at the end goes on with what is appended */
    assert_int_equal(spool_next_at_open(spool), 21);
}

static void spool_seek_finds_every_number(void **state)
{
    (void)state;
    reopen();
    for (uint64_t n = 1; n <= 300; n++) {
        assert_int_equal(append(n, 2000, false).code, ERR_NONE);
    }
    for (uint64_t n = 1; n <= 300; n += 13) {
        struct spool_place place;
        assert_int_equal(spool_seek(spool, n, &place).code, ERR_NONE);
        check_next(&place, n, 2000, false);
    }
    struct spool_place end;
    assert_int_equal(spool_seek(spool, 301, &end).code, ERR_NONE);
    check_end(&end);
}

static void spool_not_fresh_reads_only_memory(void **state)
{
    (void)state;
    reopen();
    assert_int_equal(append(1, 10, false).code, ERR_NONE);
    struct spool_place place;
    struct spool_record first;
    struct spool_record second;
    bool got = true;
    assert_int_equal(spool_seek(spool, 1, &place).code, ERR_NONE);
    assert_int_equal(spool_read(spool, &place, false, &first, &got).code, ERR_NONE);
    assert_false(got);
    assert_int_equal(spool_read(spool, &place, true, &first, &got).code, ERR_NONE);
    assert_true(got);
    assert_int_equal(append(2, 10, false).code, ERR_NONE);
    assert_int_equal(spool_read(spool, &place, false, &second, &got).code, ERR_NONE);
    assert_false(got); /* and the first body still stands */
    assert_int_equal(first.body[9], 1);
}

static void spool_torn_tail_is_cut_at_every_byte(void **state)
{
    (void)state;
    reopen();
    assert_int_equal(append(1, 50, false).code, ERR_NONE);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%020d.spool", directory, 1);
    struct stat one;
    assert_int_equal(stat(path, &one), 0);
    for (off_t cut = 0; cut < 128 + 70; cut++) {
        reopen();
        assert_int_equal(append(2, 70, false).code, ERR_NONE);
        spool_close(&spool);
        assert_int_equal(truncate(path, one.st_size + cut), 0);
        reopen();
        assert_int_equal(spool_next(spool), 2);
        struct stat after;
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_size, one.st_size);
    }
    struct spool_place place;
    assert_int_equal(spool_seek(spool, 1, &place).code, ERR_NONE);
    check_next(&place, 1, 50, false);
    check_end(&place);
}

static void flip_byte(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void spool_rotten_byte_anywhere_in_the_tail_is_found(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%020d.spool", directory, 1);
    reopen();
    assert_int_equal(append(1, 50, false).code, ERR_NONE);
    struct stat one;
    assert_int_equal(stat(path, &one), 0);
    for (off_t at = 0; at < 128 + 70; at += 3) {
        reopen();
        assert_int_equal(append(2, 70, false).code, ERR_NONE);
        spool_close(&spool);
        flip_byte(path, one.st_size + at);
        reopen();
        assert_int_equal(spool_next(spool), 2);
    }
}

static void spool_released_segments_go_and_numbers_go_on(void **state)
{
    (void)state;
    reopen();
    for (uint64_t n = 1; n <= 200; n++) {
        assert_int_equal(append(n, 2000, false).code, ERR_NONE);
    }
    uint32_t before = segment_files();
    assert_true(before >= 3);
    assert_int_equal(spool_release(spool, 100).code, ERR_NONE);
    assert_true(segment_files() < before);
    struct spool_place place;
    assert_int_equal(spool_seek(spool, 100, &place).code, ERR_NONE);
    check_next(&place, 100, 2000, false);
    reopen();
    assert_in_range(spool_released(spool), 60, 100); /* may lie behind, never ahead */
    assert_int_equal(spool_release(spool, 201).code, ERR_NONE);
    assert_int_equal(spool_set_offset(spool, 7).code, ERR_NONE);
    reopen();
    assert_int_equal(spool_next(spool), 201);
    assert_int_equal(spool_released(spool), 201);
    assert_int_equal(spool_offset(spool), 7);
}

static void spool_full_refuses_and_recovers(void **state)
{
    (void)state;
    reopen();
    uint64_t n = 1;
    struct err err = append(n, 60000, false);
    while (!err_is(err)) {
        n++;
        assert_true(n < 100);
        err = append(n, 60000, false);
    }
    assert_int_equal(err.code, ERR_QUEUE_FULL);
    assert_int_equal(spool_next(spool), n);
    assert_true(n > 10);
    assert_int_equal(spool_release(spool, n).code, ERR_NONE);
    assert_int_equal(append(n, 60000, false).code, ERR_NONE);
    struct spool_place place;
    assert_int_equal(spool_seek(spool, n, &place).code, ERR_NONE);
    check_next(&place, n, 60000, false);
}

static void spool_after_power_cut_never_reuses_answered_numbers(void **state)
{
    (void)state;
    reopen();
    for (uint64_t n = 1; n <= 5; n++) {
        assert_int_equal(append(n, 100, false).code, ERR_NONE);
    }
    assert_int_equal(spool_release(spool, 5).code, ERR_NONE);
    spool_close(&spool); /* writes the position down */
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%020d.spool", directory, 1);
    assert_int_equal(truncate(path, 32 + 228 * 2), 0); /* two records are left */
    reopen();
    assert_int_equal(spool_next(spool), 5);
    struct spool_place place;
    assert_int_equal(spool_seek(spool, 5, &place).code, ERR_NONE);
    assert_int_equal(append(5, 100, false).code, ERR_NONE);
    check_next(&place, 5, 100, false);
    check_end(&place);
}

static void spool_is_locked_and_belongs_to_one_stream(void **state)
{
    (void)state;
    reopen();
    struct spool *second = NULL;
    assert_int_equal(spool_open(&conf, &second).code, ERR_LOCKED);
    assert_null(second);
    spool_close(&spool);
    conf.stream = "lane-2";
    assert_int_equal(spool_open(&conf, &second).code, ERR_CONFLICT);
    conf.stream = "lane-1";
    reopen();
}

static void spool_position_survives_one_bad_half_and_refuses_two(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/position", directory);
    reopen();
    assert_int_equal(spool_set_offset(spool, 3).code, ERR_NONE); /* generation 1, second half */
    assert_int_equal(spool_set_offset(spool, 4).code, ERR_NONE); /* generation 2, first half */
    spool_close(&spool);
    flip_byte(path, 30);
    reopen();
    assert_int_equal(spool_offset(spool), 3);
    spool_close(&spool);
    flip_byte(path, 128 + 30);
    assert_int_equal(spool_open(&conf, &spool).code, ERR_IO);
}

int main(void)
{
#define SPOOL_TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(spool_records_survive_reopening_in_order),
        SPOOL_TEST(spool_seek_finds_every_number),
        SPOOL_TEST(spool_not_fresh_reads_only_memory),
        SPOOL_TEST(spool_torn_tail_is_cut_at_every_byte),
        SPOOL_TEST(spool_rotten_byte_anywhere_in_the_tail_is_found),
        SPOOL_TEST(spool_released_segments_go_and_numbers_go_on),
        SPOOL_TEST(spool_full_refuses_and_recovers),
        SPOOL_TEST(spool_after_power_cut_never_reuses_answered_numbers),
        SPOOL_TEST(spool_is_locked_and_belongs_to_one_stream),
        SPOOL_TEST(spool_position_survives_one_bad_half_and_refuses_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
