/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <fcntl.h>

#include "archive/archive_array.h"
#include "archive/part.h"
#include "base/durable.h"
#include "faulty.h"
#include "folder.h"

/* More buffers than there are, so that they come round again. */
#define FILE_BYTES ((uint64_t)(PART_BUFFERS + 2) * PART_BUFFER_BYTES + 12345)

struct fixture {
    char directory[64];
    char path[96];
    uint8_t *wanted; /* what the file shall hold */
    uint8_t *found;
    uint64_t front;
    uint32_t state;
};

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    assert_non_null(self);
    strcpy(self->directory, "/tmp/triage-part-XXXXXX");
    assert_non_null(mkdtemp(self->directory));
    (void)snprintf(self->path, sizeof self->path, "%s/x.part", self->directory);
    self->wanted = calloc(1, FILE_BYTES);
    self->found = malloc(FILE_BYTES);
    assert_true(self->wanted != NULL && self->found != NULL);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    folder_remove(self->directory);
    free(self->wanted);
    free(self->found);
    free(self);
    return 0;
}

static atomic_bool memory_is_out;

void *aligned_alloc(size_t alignment, size_t bytes_count)
{
    void *bytes = NULL;
    return !atomic_load(&memory_is_out) && posix_memalign(&bytes, alignment, bytes_count) == 0
               ? bytes
               : NULL;
}

static uint32_t dice(struct fixture *self, uint32_t below)
{
    self->state = self->state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(self->state >> 8) * below) >> 24);
}

static struct err put(struct fixture *self, struct part *part, uint64_t offset, size_t bytes_count,
                      bool late)
{
    for (size_t i = 0; i < bytes_count; i++) {
        self->wanted[offset + i] = (uint8_t)(dice(self, 255) + 1);
    }
    uint64_t end = offset + bytes_count;
    self->front = self->front > end ? self->front : end;
    return part_write(part, offset, self->wanted + offset, bytes_count, late);
}

/* As HDF5 does it: large pieces at the front, gaps left out and filled later, small pieces written
 * again and read again, anywhere behind. */
static struct err write_like_hdf5(struct fixture *self, struct part *part)
{
    struct err err = put(self, part, 0, 96, true);
    while (!err_is(err) && self->front < FILE_BYTES - 12345) {
        uint64_t gap = dice(self, 3) == 0 ? dice(self, 9000) : 0;
        uint64_t left = FILE_BYTES - self->front - gap;
        size_t count = dice(self, 2) == 0 ? dice(self, 3000) : dice(self, 1100000);
        count = count < left ? count : (size_t)left;
        err = put(self, part, self->front + gap, count, dice(self, 4) == 0);
        for (int i = 0; i < 3 && !err_is(err); i++) {
            uint64_t at = dice(self, (uint32_t)self->front);
            count = 1 + dice(self, 5000);
            count = count < self->front - at ? count : (size_t)(self->front - at);
            err = put(self, part, at, count, true);
            uint64_t from = dice(self, (uint32_t)self->front);
            count = dice(self, 9000);
            count = count < FILE_BYTES - from ? count : (size_t)(FILE_BYTES - from);
            if (!err_is(err)) { /* across the front too: zeros there */
                err = part_read(part, from, self->found, count);
            }
            if (!err_is(err)) {
                assert_memory_equal(self->found, self->wanted + from, count);
            }
        }
    }
    return err;
}

static void assert_file_is_wanted(struct fixture *self, uint64_t bytes_count)
{
    struct stat status;
    int fd = open(self->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, bytes_count);
    assert_int_equal(status.st_mode & 0222, 0);
    assert_good(durable_read_at(fd, self->found, bytes_count, 0));
    assert_memory_equal(self->found, self->wanted, bytes_count);
    (void)close(fd);
    assert_int_equal(unlink(self->path), 0);
}

/* Property: whatever is written in whatever order, the file holds what was written last. */
static void writes_in_any_order_hold_the_last(void **state)
{
    struct fixture *self = *state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct part *part = NULL;
        self->state = seed;
        self->front = 0;
        memset(self->wanted, 0, FILE_BYTES);
        assert_good(part_create(self->path, &part));
        assert_good(write_like_hdf5(self, part));
        /* ends where writing did, in front of it, or behind */
        uint64_t end = seed == 1 ? self->front : self->front - 5000 + seed * 2000;
        if (seed > 1) {
            part_set_end(part, end);
        }
        assert_good(part_finish(part));
        part_close(&part);
        assert_file_is_wanted(self, end);
    }
}

/* The caller fails while the writer is at a buffer, which goes well: the error stays. */
static void error_stays_when_a_write_ends_after_it(void **state)
{
    struct fixture *self = *state;
    const struct faulty stall = {.call = FAULTY_WRITE, .way = FAULTY_STALLS, .at = 1, .offset = 1};
    struct part *part = NULL;
    struct stat status = {.st_size = 0};
    const time_t until = time(NULL) + 10;
    assert_good(part_create(self->path, &part));
    faulty_arm(&stall);
    assert_good(put(self, part, 0, PART_BUFFER_BYTES, false));
    while (faulty_count(FAULTY_WRITE) == 0 && time(NULL) < until) {
        (void)sched_yield();
    }
    atomic_store(&memory_is_out, true);
    assert_int_equal(put(self, part, PART_BUFFER_BYTES, PART_BUFFER_BYTES, true).code, ERR_MEMORY);
    atomic_store(&memory_is_out, false);
    faulty_advance();
    while (status.st_size == 0 && time(NULL) < until) {
        assert_int_equal(stat(self->path, &status), 0);
    }
    assert_true(faulty_disarm() && status.st_size > 0);
    for (int i = 0; i < 20000; i++) { /* the writer tells how it went a moment later */
        (void)sched_yield();
        assert_int_equal(part_error(part).code, ERR_MEMORY);
    }
    assert_int_equal(part_finish(part).code, ERR_MEMORY);
    part_close(&part);
}

static void file_that_is_there_refuses(void **state)
{
    struct fixture *self = *state;
    struct part *part = NULL;
    assert_good(part_create(self->path, &part));
    part_close(&part);
    assert_true(err_is(part_create(self->path, &part)));
    assert_null(part);
}

static void empty_part_is_an_empty_file(void **state)
{
    struct fixture *self = *state;
    struct part *part = NULL;
    assert_good(part_create(self->path, &part));
    assert_good(part_finish(part));
    part_close(&part);
    assert_file_is_wanted(self, 0);
}

/* Reading back shall read the disk: nothing but the metadata, asked back on purpose, is cached. */
static void finished_part_is_not_in_the_cache(void **state)
{
    struct fixture *self = *state;
    const uint64_t pages = (FILE_BYTES + 4095) / 4096;
    struct part *part = NULL;
    uint64_t cached = 0;
    unsigned char *resident = calloc(pages, 1);
    int direct = -1;
    assert_non_null(resident);
    assert_good(part_create(self->path, &part));
    assert_good(put(self, part, 0, 100, true));
    assert_good(put(self, part, 100, FILE_BYTES - 100, false));
    assert_good(put(self, part, 50, 10, true));
    assert_good(part_finish(part));
    part_close(&part);
    int fd = open(self->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_good(durable_open_direct(self->path, O_RDONLY, &direct));
    void *map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mincore(map, FILE_BYTES, resident), 0);
    for (uint64_t i = 0; i < pages; i++) {
        cached += resident[i] & 1;
    }
    (void)munmap(map, FILE_BYTES);
    (void)close(fd);
    free(resident);
    if (direct < 0) {
        (void)printf("SKIP: the file system refuses O_DIRECT\n");
        return;
    }
    (void)close(direct);
    assert_in_range(cached, 1, 64);
}

static struct err write_and_finish(struct fixture *self)
{
    struct part *part = NULL;
    self->state = 7;
    self->front = 0;
    memset(self->wanted, 0, FILE_BYTES);
    assert_good(part_create(self->path, &part));
    struct err err = write_like_hdf5(self, part);
    if (!err_is(err)) {
        err = part_finish(part);
    } else {
        assert_int_equal(part_finish(part).code, err.code); /* it stays */
    }
    assert_int_equal(part_error(part).code, err.code);
    part_close(&part);
    return err;
}

/* Every call to the disk fails once; none of it goes unnoticed. A short transfer is no failure. */
static void every_call_fails_once_and_is_told(void **state)
{
    struct fixture *self = *state;
    unsigned counts[FAULTY_CALLS];
    struct faulty fault = {.call = FAULTY_WRITE};
    faulty_arm(&fault);
    assert_good(write_and_finish(self));
    (void)faulty_disarm();
    assert_file_is_wanted(self, self->front);
    for (int call = 0; call < FAULTY_CALLS; call++) {
        counts[call] = faulty_count((enum faulty_call)call);
    }
    assert_true(counts[FAULTY_WRITE] > PART_BUFFERS + 2);
    assert_int_equal(counts[FAULTY_SYNC], 1);
    for (int call = 0; call < FAULTY_CALLS; call++) {
        unsigned step = counts[call] / 3 + 1;
        for (unsigned at = 1; at <= counts[call]; at += step) {
            fault = (struct faulty){.call = (enum faulty_call)call, .at = at};
            fault.way = at % 2 == 0 ? FAULTY_FULL : FAULTY_FAILS;
            faulty_arm(&fault);
            struct err err = write_and_finish(self);
            assert_true(faulty_disarm());
            assert_int_equal(err.code, at % 2 == 0 ? ERR_DISK_FULL : ERR_IO);
            assert_int_equal(unlink(self->path), 0);
            fault.way = FAULTY_HALF;
            if (call == FAULTY_WRITE || call == FAULTY_READ) {
                faulty_arm(&fault);
                assert_good(write_and_finish(self));
                assert_true(faulty_disarm());
                assert_file_is_wanted(self, self->front);
            }
        }
    }
}

/* The disk stalls on the first buffer while the caller would like to use it again. */
static void buffer_being_written_is_not_filled(void **state)
{
    struct fixture *self = *state;
    const size_t step = PART_BUFFER_BYTES / 4;
    struct part *part = NULL;
    const struct faulty fault = {.call = FAULTY_WRITE,
                                 .way = FAULTY_STALLS,
                                 .at = 1,
                                 .offset = (uint64_t)PART_BUFFERS * 4 - 1};
    self->state = 9;
    self->front = 0;
    assert_good(part_create(self->path, &part));
    faulty_arm(&fault);
    for (uint32_t i = 0; i < (PART_BUFFERS + 1) * 4; i++) {
        assert_good(put(self, part, self->front, step, false));
        faulty_advance();
    }
    assert_good(part_finish(part));
    assert_true(faulty_disarm());
    assert_false(faulty_changed());
    part_close(&part);
    assert_file_is_wanted(self, self->front);
}

/* A disk that keeps other bytes of the metadata than it was given. */
static void flipped_metadata_is_told(void **state)
{
    struct fixture *self = *state;
    struct faulty fault = {.call = FAULTY_WRITE};
    faulty_arm(&fault);
    assert_good(write_and_finish(self));
    (void)faulty_disarm();
    assert_int_equal(unlink(self->path), 0);
    fault = (struct faulty){FAULTY_WRITE, FAULTY_FLIPS, faulty_count(FAULTY_WRITE), 99};
    faulty_arm(&fault); /* the last write is one of a kept block */
    assert_int_equal(write_and_finish(self).code, ERR_ARCHIVE_DIFFERS);
    assert_true(faulty_disarm());
}

/* Groups with attributes and chunks of every kind, more metadata than HDF5 keeps in its cache. */
static void fill_hdf5(struct fixture *self, int64_t file)
{
    self->state = 3;
    for (uint32_t i = 0; i < 1500; i++) {
        const struct h5_array array = {.type = H5_U8, .rank = 1, .dims = {1 + dice(self, 20000)}};
        const struct h5_storage storage = {.chunk_bytes = i % 7 == 0 ? 4000 : 1 << 20};
        int64_t group = 0;
        int64_t dataset = 0;
        char name[32];
        (void)snprintf(name, sizeof name, "%u", dice(self, 1u << 24) * 2000 + i);
        assert_good(h5_group_create(file, name, &group));
        assert_good(h5_attribute_text(group, "long_name", name));
        assert_good(h5_array_write(group, "values", &array, &storage, self->wanted, &dataset));
        for (uint32_t k = 0; k < dice(self, 9); k++) {
            (void)snprintf(name, sizeof name, "attribute %u", k);
            assert_good(h5_attribute_u64(dataset, name, k));
        }
        assert_good(h5_object_close(&dataset));
        assert_good(h5_object_close(&group));
    }
    assert_good(h5_file_close(&file));
}

/* Property: the bytes of a file do not tell whether HDF5 wrote it itself. */
static void hdf5_by_way_of_a_part_gives_its_own_bytes(void **state)
{
    struct fixture *self = *state;
    struct part *part = NULL;
    struct stat status;
    char own[128];
    int64_t file = 0;
    for (uint64_t i = 0; i < FILE_BYTES; i++) {
        self->wanted[i] = (uint8_t)(i / 5);
    }
    assert_good(part_create(self->path, &part));
    assert_good(h5_file_create_in(part, &file));
    fill_hdf5(self, file);
    assert_good(part_finish(part));
    part_close(&part);
    (void)snprintf(own, sizeof own, "%s.own", self->path);
    assert_good(h5_file_create(own, &file));
    fill_hdf5(self, file);
    int fd = open(own, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_in_range(status.st_size, 3 * PART_BUFFER_BYTES, FILE_BYTES);
    assert_good(durable_read_at(fd, self->wanted, (size_t)status.st_size, 0));
    (void)close(fd);
    assert_file_is_wanted(self, (uint64_t)status.st_size);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(writes_in_any_order_hold_the_last),
        WITH_FILE(error_stays_when_a_write_ends_after_it),
        WITH_FILE(file_that_is_there_refuses),
        WITH_FILE(empty_part_is_an_empty_file),
        WITH_FILE(finished_part_is_not_in_the_cache),
        WITH_FILE(every_call_fails_once_and_is_told),
        WITH_FILE(buffer_being_written_is_not_filled),
        WITH_FILE(flipped_metadata_is_told),
        WITH_FILE(hdf5_by_way_of_a_part_gives_its_own_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
