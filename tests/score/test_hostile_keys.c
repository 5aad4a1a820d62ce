/* SPDX-License-Identifier: Apache-2.0 */
#include "port_rows.h"

#include <stdlib.h>

#include "score/goods.h"
#include "score/history_index.h"

/* Model files whose keys were chosen to lie on one another: a search would walk them one by one,
 * for every line of every declaration. They are refused. */

enum { KEYS = 60000 };

/* One exam each, of 1970. */
static void add_counts(struct model_file *file, const uint64_t *keys)
{
    static float exams[KEYS];
    static float finds[KEYS];
    static uint64_t last[KEYS];
    static uint64_t counts[KEYS];
    const uint64_t count = KEYS;
    for (unsigned i = 0; i < KEYS; i++) {
        exams[i] = 1;
        counts[i] = UINT64_C(1) << 32;
    }
    assert_good(model_file_add(file, "keys", MODEL_U64, &count, 1, keys));
    assert_good(model_file_add(file, "exams", MODEL_F32, &count, 1, exams));
    assert_good(model_file_add(file, "finds", MODEL_F32, &count, 1, finds));
    assert_good(model_file_add(file, "last_ns", MODEL_U64, &count, 1, last));
    assert_good(model_file_add(file, "counts", MODEL_U64, &count, 1, counts));
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;
    return first < second ? -1 : first > second;
}

/* KEYS of a kind of keys, in order; and what reading them says. *table is there when it says that
 * all is well. */
typedef uint64_t key_maker(uint64_t number);
static struct err read_keys(key_maker *make, struct history_table *table)
{
    static uint64_t keys[KEYS];
    struct model_file file = {0};
    for (unsigned i = 0; i < KEYS; i++) {
        keys[i] = make(i + 1);
    }
    qsort(keys, KEYS, sizeof *keys, compare_keys);
    add_counts(&file, keys);
    struct err err = history_table_read(&file, table);
    model_file_fini(&file);
    return err;
}

static uint64_t random_key(uint64_t number)
{
    return rng_splitmix(&number);
}

/* The low bits choose the slot of a history_table. */
static uint64_t all_at_one_slot(uint64_t number)
{
    return number << 40;
}

/* Each at home, and all side by side: only who is unknown has to walk. */
static uint64_t side_by_side(uint64_t number)
{
    return number << HISTORY_KEY_KIND_BITS;
}

/* The high bits choose the bucket of an index. */
static uint64_t all_in_one_bucket(uint64_t number)
{
    return (rng_splitmix(&number) & UINT32_MAX) | UINT64_C(77) << 32;
}

static void table_with_keys_that_meet_is_refused(void **state)
{
    (void)state;
    struct history_table table;
    assert_int_equal(read_keys(all_at_one_slot, &table).code, ERR_MODEL_UNREADABLE);
    assert_int_equal(read_keys(side_by_side, &table).code, ERR_MODEL_UNREADABLE);
    assert_good(read_keys(random_key, &table));
    assert_int_equal(table.used, KEYS);
    history_table_fini(&table);
}

static void index_of_keys_that_meet_is_refused(void **state)
{
    (void)state;
    static float fades[HISTORY_FADES];
    key_maker *const makers[] = {random_key, all_in_one_bucket};
    for (unsigned hostile = 0; hostile < 2; hostile++) {
        for (unsigned by_kind = 0; by_kind < 2; by_kind++) {
            struct history_table table;
            struct history_index index;
            assert_good(read_keys(makers[hostile], &table));
            struct err err = history_index_make(&table, by_kind, fades, &index);
            assert_int_equal(err.code, hostile ? ERR_MODEL_UNREADABLE : ERR_NONE);
            assert_int_equal(index.bytes > 0, !hostile);
            history_index_fini(&index);
            history_table_fini(&table);
        }
    }
}

/* What stood before stays, and a model that is refused leaves nothing behind. */
static void history_keeps_what_it_had_when_an_index_is_refused(void **state)
{
    (void)state;
    struct history_table good;
    struct history_table bad;
    static struct history history;
    static struct part_key key;
    const uint8_t secret[PART_SECRET_BYTES] = {1};
    part_key_init(&key, secret);
    assert_good(history_init(&history, 0));
    const struct history_weights weights = history.weights;
    assert_good(read_keys(random_key, &good));
    assert_good(history_install_counts(&history, &weights, &key, &good));
    size_t bytes = history.index.bytes;
    assert_good(read_keys(all_in_one_bucket, &bad));
    struct err err = history_install_counts(&history, &weights, &key, &bad);
    assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
    assert_int_equal(history.base.used, KEYS);
    assert_int_equal(history.index.bytes, bytes);
    history_table_fini(&bad);
    history_fini(&history);
}

enum { CODES = 20000 };

static struct err read_codes(const uint64_t *codes, struct goods_norms *norms)
{
    static float values[CODES][7];
    const uint64_t dimensions[2] = {CODES, 7};
    struct model_file file = {0};
    for (unsigned i = 0; i < CODES; i++) {
        for (unsigned column = 0; column < 7; column++) {
            values[i][column] = 1;
        }
    }
    assert_good(model_file_add(&file, "goods_codes", MODEL_U64, dimensions, 1, codes));
    assert_good(model_file_add(&file, "goods_norms", MODEL_F32, dimensions, 2, values));
    struct err err = goods_norms_read(&file, norms);
    model_file_fini(&file);
    return err;
}

static uint32_t product_of(uint64_t code)
{
    return (uint32_t)(code * 2654435769u);
}

static int compare_products(const void *a, const void *b)
{
    uint32_t first = product_of(*(const uint64_t *)a);
    uint32_t second = product_of(*(const uint64_t *)b);
    return first < second ? -1 : first > second;
}

static void norms_of_codes_that_meet_are_refused(void **state)
{
    (void)state;
    enum { ALL = 3999999 };
    static uint64_t codes[ALL];
    struct goods_norms norms = {0};
    for (unsigned i = 0; i < CODES; i++) {
        codes[i] = 3000000 + (uint64_t)i * 10; /* as customs number them */
    }
    assert_good(read_codes(codes, &norms));
    assert_int_equal(norms.used, CODES);
    for (unsigned i = 0; i < ALL; i++) {
        codes[i] = i + 1;
    }
    qsort(codes, ALL, sizeof *codes, compare_products);
    assert_int_equal(read_codes(codes, &norms).code, ERR_MODEL_UNREADABLE);
    assert_int_equal(norms.used, CODES);
    goods_norms_fini(&norms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_with_keys_that_meet_is_refused),
        cmocka_unit_test(index_of_keys_that_meet_is_refused),
        cmocka_unit_test(history_keeps_what_it_had_when_an_index_is_refused),
        cmocka_unit_test(norms_of_codes_that_meet_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
