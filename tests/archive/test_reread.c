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

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "archive/reread.h"
#include "base/durable.h"
#include "faulty.h"
#include "folder.h"

/* The buffers go round more than once, and the file ends within a block. */
#define FILE_BYTES ((uint64_t)(REREAD_PIECES + 3) * REREAD_PIECE_BYTES + 1234)
#define LOOKERS 3u
#define LOOK_BYTES_MAX 1200000u
#define STEP_BYTES ((size_t)1 << 20)

struct fixture {
    char directory[64];
    char path[96];
    uint8_t *wanted;
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
    uint32_t dice = 5;
    int fd = -1;
    assert_non_null(self);
    strcpy(self->directory, "/tmp/triage-reread-XXXXXX");
    assert_non_null(mkdtemp(self->directory));
    (void)snprintf(self->path, sizeof self->path, "%s/x.part", self->directory);
    self->wanted = malloc(FILE_BYTES);
    assert_non_null(self->wanted);
    for (uint64_t i = 0; i < FILE_BYTES; i++) {
        dice = dice * 1664525u + 1013904223u;
        self->wanted[i] = (uint8_t)(dice >> 24);
    }
    assert_good(durable_create_unsynced(self->path, 0600, &fd));
    assert_good(durable_write_at(fd, self->wanted, FILE_BYTES, 0));
    assert_good(durable_sync(fd));
    (void)close(fd);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    folder_remove(self->directory);
    free(self->wanted);
    free(self);
    return 0;
}

/* Looks at a run of bytes after another, as a thread of the pool at chunks. */
struct looker {
    struct reread *file;
    const uint8_t *wanted;
    uint32_t number;
    uint32_t looks;
    bool differs;
    struct err err;
};

static void *look(void *arg)
{
    struct looker *self = arg;
    uint8_t *scratch = malloc(LOOK_BYTES_MAX);
    uint32_t dice = self->number;
    uint64_t at = 0;
    while (scratch != NULL && !err_is(self->err) && at < FILE_BYTES) {
        const uint8_t *bytes = NULL;
        dice = dice * 1664525u + 1013904223u;
        size_t count = 1 + (dice >> 8) % LOOK_BYTES_MAX;
        count = count < FILE_BYTES - at ? count : (size_t)(FILE_BYTES - at);
        reread_hold(self->file, self->number, at);
        self->err = reread_get(self->file, at, count, scratch, &bytes);
        if (!err_is(self->err)) {
            self->differs = self->differs || memcmp(bytes, self->wanted + at, count) != 0;
            self->looks++;
        }
        at += count + (dice % 3 == 0 ? 100000 : 0);
    }
    reread_hold(self->file, self->number, REREAD_NOTHING);
    free(scratch);
    return NULL;
}

/* The first holder goes on in steps, as the one that hashes the file. */
static struct err go_through(struct reread *file, const uint8_t *wanted)
{
    struct err err = err_none;
    for (uint64_t at = 0; at < FILE_BYTES && !err_is(err); at += STEP_BYTES) {
        const uint8_t *bytes = NULL;
        size_t count = FILE_BYTES - at < STEP_BYTES ? (size_t)(FILE_BYTES - at) : STEP_BYTES;
        err = reread_get(file, at, count, NULL, &bytes);
        if (!err_is(err)) {
            assert_memory_equal(bytes, wanted + at, count);
            reread_hold(file, 0, at + count);
        }
    }
    reread_hold(file, 0, REREAD_NOTHING);
    return err;
}

static struct err look_from_all_sides(struct fixture *fixture, struct looker lookers[LOOKERS])
{
    pthread_t threads[LOOKERS];
    struct reread *file = NULL;
    struct err err = reread_open(fixture->path, &file);
    assert_good(err);
    assert_int_equal(reread_bytes(file), FILE_BYTES);
    for (uint32_t i = 0; i < LOOKERS; i++) {
        lookers[i] = (struct looker){
            .file = file, .wanted = fixture->wanted, .number = i + 1, .err = err_none};
        assert_int_equal(pthread_create(&threads[i], NULL, look, &lookers[i]), 0);
    }
    err = go_through(file, fixture->wanted);
    for (uint32_t i = 0; i < LOOKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    reread_close(&file);
    return err;
}

static void everybody_sees_the_file(void **state)
{
    struct looker lookers[LOOKERS];
    assert_good(look_from_all_sides(*state, lookers));
    for (uint32_t i = 0; i < LOOKERS; i++) {
        assert_good(lookers[i].err);
        assert_false(lookers[i].differs);
        assert_true(lookers[i].looks > 40);
    }
}

static void what_is_gone_is_read_again(void **state)
{
    struct fixture *self = *state;
    struct reread *file = NULL;
    uint8_t *scratch = malloc(5000);
    const uint8_t *bytes = NULL;
    assert_non_null(scratch);
    assert_good(reread_open(self->path, &file));
    assert_good(go_through(file, self->wanted));
    reread_hold(file, 1, 70000);
    assert_good(reread_get(file, 70000, 5000, scratch, &bytes));
    assert_ptr_equal(bytes, scratch);
    assert_memory_equal(bytes, self->wanted + 70000, 5000);
    reread_hold(file, 1, REREAD_NOTHING);
    assert_int_equal(reread_get(file, FILE_BYTES - 10, 11, scratch, &bytes).code, ERR_IO);
    assert_int_equal(reread_get(file, FILE_BYTES, 1, scratch, &bytes).code, ERR_IO);
    reread_close(&file);
    free(scratch);
}

/* Closed while the reader waits for room, and before it has read anything. */
static void close_does_not_wait_for_room(void **state)
{
    struct fixture *self = *state;
    struct reread *file = NULL;
    const uint8_t *bytes = NULL;
    uint8_t byte = 0;
    uint64_t last = (uint64_t)REREAD_PIECES * REREAD_PIECE_BYTES - 1;
    assert_good(reread_open(self->path, &file));
    assert_good(reread_get(file, last, 1, &byte, &bytes)); /* all buffers are full */
    assert_int_equal(*bytes, self->wanted[last]);
    assert_good(reread_get(file, 0, 1, &byte, &bytes));
    assert_ptr_not_equal(bytes, &byte); /* and hold what was asked to be held */
    assert_int_equal(*bytes, self->wanted[0]);
    reread_close(&file);
    assert_good(reread_open(self->path, &file));
    reread_close(&file);
    assert_true(err_is(reread_open("/nowhere/x.part", &file)));
}

/* A read that fails, or finds the end too early, is told to everybody who waits. */
static void failing_read_is_told_to_all(void **state)
{
    for (unsigned at = 1; at <= REREAD_PIECES + 4; at += 3) {
        struct looker lookers[LOOKERS];
        const struct faulty fault = {
            .call = FAULTY_READ, .way = at % 2 == 0 ? FAULTY_ENDS : FAULTY_FAILS, .at = at};
        faulty_arm(&fault);
        struct err err = look_from_all_sides(*state, lookers);
        assert_true(faulty_disarm());
        assert_int_equal(err.code, ERR_IO);
        for (uint32_t i = 0; i < LOOKERS; i++) {
            assert_int_equal(lookers[i].err.code, ERR_IO);
            assert_false(lookers[i].differs);
        }
    }
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(everybody_sees_the_file),
        WITH_FILE(what_is_gone_is_read_again),
        WITH_FILE(close_does_not_wait_for_room),
        WITH_FILE(failing_read_is_told_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
