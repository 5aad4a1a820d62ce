/* SPDX-License-Identifier: Apache-2.0 */
#include "port_rows.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "finder_fixture.h"
#include "score/fusion.h"
#include "score/score.h"
#include "score/train_emptiness.h"
#include "cargo_fixture.h"
#include "synthetic.h"

/* Nobody allocates while a batch is scored: neither our code nor a library. The allocator's own
 * names are defined here, and a program's names come before those of its libraries, so calls from
 * OpenBLAS and from the C library are counted too. What is behind them is glibc's own. A sanitizer
 * has an allocator of its own in this place. */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INTERCEPTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INTERCEPTED 0
#else
#define INTERCEPTED 1
#endif
#else
#define INTERCEPTED 1
#endif

static volatile bool counting;
static volatile int allocations;

#if INTERCEPTED
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes)
{
    allocations += counting;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations += counting;
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    allocations += counting;
    return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes);
void *memalign(size_t alignment, size_t bytes)
{
    allocations += counting;
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    allocations += counting;
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    allocations += counting;
    *out = __libc_memalign(alignment, bytes);
    return *out == NULL ? ENOMEM : 0;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
    allocations += counting;
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
}
#endif

static char directory[FIXTURE_PATH_BYTES];
/* Made by a child process: in this one no library has done anything yet when the batch begins. */
static struct made {
    char model_path[FIXTURE_PATH_BYTES];
    uint8_t model_sha256[HASH_BYTES];
    struct train_report plain; /* of a bank and domes */
    struct train_report emptiness;
    struct train_report consistency;
    struct train_report trees;
    bool whole;
} * made;
static uint8_t pixels[WIDTH * HEIGHT * 2];
static uint8_t low_pixels[WIDTH * HEIGHT * 2];

/* Any rows that can be fitted: what the model says does not matter here. */
static void make_emptiness(void)
{
    static struct emptiness_row rows[32];
    const uint8_t digest[HASH_BYTES] = {1};
    for (uint32_t i = 0; i < 32; i++) {
        rows[i].loaded = i % 2 == 1;
        rows[i].meaning = IMAGE_TRANSMISSION;
        for (uint32_t f = 0; f < EMPTINESS_FEATURES; f++) {
            rows[i].measure.features[f] = (double)((i * 7 + f * 3) % 11) + 3.0 * (i % 2);
        }
    }
    assert_good(emptiness_write(rows, 32, 1, digest, directory, &made->emptiness));
}

static void make_trees(void)
{
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    train_wide_port(self, 5);
    write_model(self, directory, &report);
    made->trees = report.model;
}

static int make_models(void **state)
{
    (void)state;
    struct train_report plain;
    int status = 0;
    fixture_make_directory(directory);
    made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(made != MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) {
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(made->whole);
        return 0;
    }
    synthetic_train("test-portal", directory, &plain);
    struct finder_model finder = finder_fixture(3);
    finder.input = finder_input_default(IMAGE_TRANSMISSION);
    finder_fixture_add(plain.path, &finder, directory, made->model_path, made->model_sha256);
    finder_model_fini(&finder);
    synthetic_train("no-marks", directory, &made->plain);
    make_emptiness();
    cargo_train(directory, true, 100, &made->consistency);
    make_trees();
    made->whole = true;
    _exit(0);
}

static int drop_models(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

static void allocator_is_really_watched(void **state)
{
    (void)state;
    if (!INTERCEPTED) {
        print_message("SKIP: a sanitizer has its own allocator\n");
        skip();
    }
    allocations = 0;
    counting = true;
    char *copy = strdup("the C library itself asks for this");
    void *volatile page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    counting = false;
    munmap(page, 4096);
    free(copy);
    assert_int_equal(allocations, 2);
}

/* The fourth input has no scan, the fifth no declaration; the third has three declarations, two of
 * them of many lines. */
struct batch {
    struct image dual[2];
    struct image display;
    struct scan scans[4];
    struct goods_line lines[40];
    struct declaration declarations[3];
    struct score_input inputs[6];
};

static void fill_batch(struct batch *batch)
{
    static const char *const codes[] = {"440890", "690722", "", "\xff\xfe", "33.04.99"};
    batch->dual[0] = synthetic_image();
    batch->dual[1] = synthetic_image();
    batch->dual[0].energy = ENERGY_HIGH;
    batch->dual[1].energy = ENERGY_LOW;
    batch->display = synthetic_image();
    batch->display.meaning = PIXEL_DISPLAY;
    batch->display.bits = 8;
    batch->scans[0] = synthetic_scan(batch->dual);
    batch->scans[1] = synthetic_scan(&batch->display);
    batch->scans[2] = synthetic_scan(batch->dual);
    batch->scans[0].images_count = 2;
    batch->scans[2].scanner_type = "never seen";
    batch->scans[3] = synthetic_scan(&batch->dual[0]);
    batch->scans[3].scanner_type = "no-marks";
    for (uint32_t i = 0; i < 40; i++) {
        batch->lines[i] = fixture_line(codes[i % 5]);
        batch->lines[i].value = 100 * (double)i - 300;
    }
    for (int i = 0; i < 3; i++) {
        batch->declarations[i] = fixture_declaration(batch->lines);
        batch->declarations[i].lines_count = i == 0 ? 1 : 40 - (uint32_t)i;
    }
    memset(batch->inputs, 0, sizeof batch->inputs);
    for (int i = 0; i < 5; i++) {
        batch->inputs[i].declarations[0] = &batch->declarations[0];
        batch->inputs[i].declarations_count = i < 4;
        batch->inputs[i].scans_count = i != 3;
        batch->inputs[i].scans[0] = (struct score_scan){&batch->scans[i % 3], {pixels, low_pixels}};
    }
    batch->inputs[5].scans_count = 1;
    batch->inputs[5].scans[0] = (struct score_scan){&batch->scans[3], {pixels}};
    for (uint32_t i = 1; i < 3; i++) {
        batch->inputs[2].declarations[i] = &batch->declarations[i];
    }
    batch->inputs[2].declarations_count = 3;
    synthetic_draw(pixels, 3, 0.8, true);
    synthetic_draw(low_pixels, 3, 1.0, true);
}

static struct score *open_scorer(bool trees)
{
    struct score_conf conf = {
        .image_bytes_max = sizeof pixels, .history_slots = 4096, .working_height = 200};
    struct score *self = NULL;
    assert_good(score_open(&conf, &self));
    assert_good(score_install(self, made->model_path, made->model_sha256, NULL));
    assert_good(score_install(self, made->plain.path, made->plain.sha256, NULL));
    assert_good(score_install(self, made->emptiness.path, made->emptiness.sha256, NULL));
    assert_good(score_install(self, made->consistency.path, made->consistency.sha256, NULL));
    if (trees) {
        assert_good(score_install(self, made->trees.path, made->trees.sha256, NULL));
    }
    return self;
}

static void first_batch_allocates_nothing(bool trees)
{
    static struct score_result results[6];
    static struct score_result again[2];
    static struct batch batch;
    struct score *self = open_scorer(trees);
    fill_batch(&batch);
    const char *why = NULL;
    allocations = 0;
    counting = true;
    score_items(self, batch.inputs, results, 6);
    score_history_learn(self, &batch.declarations[1], true, 1000);
    score_items(self, batch.inputs, results, 6);
    bool replayed = score_replay(self, &results[0].score, &batch.inputs[0], &again[0], &why) &&
                    score_replay(self, &results[2].score, NULL, &again[1], &why);
    counting = false;
    assert_int_equal(allocations, 0);
    assert_true(replayed);
    /* All of it was at work. */
    assert_true(results[0].score.models_count >= 3);
    assert_true(results[0].score.inputs[0].values[FUSION_LOADED_LOGIT] ==
                results[0].score.inputs[0].values[FUSION_LOADED_LOGIT]);
    assert_true(results[0].score.inputs[0].values[FUSION_FINDER_LOGIT] ==
                results[0].score.inputs[0].values[FUSION_FINDER_LOGIT]);
    assert_int_equal(results[0].score.inputs_count, 3);
    assert_true(results[5].score.regions_count > 0);
    for (uint32_t i = 0; i < results[0].score.inputs[2].values_count; i++) {
        assert_true(isfinite(results[0].score.inputs[2].values[i]));
    }
    if (trees) {
        assert_int_equal(results[2].score.inputs[1].values_count, DECLARATION_INPUTS);
        assert_true(results[2].score.inputs[1].values[LINE_FEATURES] == 1 + 39 + 38);
    }
    score_close(&self);
}

static void first_batch_of_a_scorer_allocates_nothing(void **state)
{
    (void)state;
    if (!INTERCEPTED) {
        skip();
    }
    first_batch_allocates_nothing(false);
}

/* In a child of a parent that has scored nothing yet, so that this batch is a first one too. */
static void nor_does_that_with_trees_of_declarations(void **state)
{
    (void)state;
    int status = 0;
    if (!INTERCEPTED) {
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        first_batch_allocates_nothing(true);
        _exit(42);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocator_is_really_watched),
        cmocka_unit_test(nor_does_that_with_trees_of_declarations),
        cmocka_unit_test(first_batch_of_a_scorer_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, make_models, drop_models);
}
