/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lookup.h"

#include <stdbool.h>
#include <string.h>

#include "tests/kernels/draw.h"

enum { KEYS = 3000 };

struct known {
    uint64_t key;
    float counts[2];
};

/* A table so full that many keys go on, and what was put into it. */
static struct lookup_table make_table(uint64_t seed, uint32_t buckets, size_t keys,
                                      struct known *known)
{
    struct lookup_table table = {.buckets = aligned_alloc(64, (size_t)buckets * 64),
                                 .bucket_count = buckets};
    assert_non_null(table.buckets);
    memset(table.buckets, 0, (size_t)buckets * 64);
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < keys; i++) {
        known[i].key = rng_next(&rng) | 1;
        known[i].counts[0] = (float)rng_below(&rng, 5);
        known[i].counts[1] = (float)rng_below(&rng, 3); /* also 0: its sign may be a mark */
        assert_true(lookup_put(&table, known[i].key, known[i].counts));
    }
    return table;
}

static void ask(enum lookup_path path, const struct lookup_table *table,
                const uint64_t keys[LOOKUP_LANES], size_t count, float first[LOOKUP_LANES],
                float second[LOOKUP_LANES])
{
    struct lookup_asked asked;
    memset(&asked, 0xa5, sizeof asked);
    lookup_ask_by(path, table, keys, count, &asked);
    lookup_tell_by(path, table, 0.5f, keys, count, &asked, first, second);
}

/* Known keys have their counts times the scale, unknown ones and key 0 have 0, whatever the fill,
 * the path and the number of lanes. */
static void lookup_tells_what_was_put(void **state)
{
    (void)state;
    static struct known known[KEYS];
    const uint32_t buckets[] = {850, 900, 1250, 6000};
    for (size_t fill = 0; fill < sizeof buckets / sizeof *buckets; fill++) {
        struct lookup_table table = make_table(fill, buckets[fill], KEYS, known);
        struct rng rng;
        rng_init(&rng, 77, fill);
        for (unsigned round = 0; round < 400; round++) {
            uint64_t keys[LOOKUP_LANES] = {0};
            size_t chosen[LOOKUP_LANES];
            size_t count = 1 + rng_below(&rng, LOOKUP_LANES);
            for (size_t i = 0; i < count; i++) {
                uint64_t kind = rng_below(&rng, 5);
                chosen[i] = kind < 3 ? rng_below(&rng, KEYS) : KEYS;
                keys[i] = kind < 3 ? known[chosen[i]].key : kind == 3 ? rng_next(&rng) & ~1UL : 0;
            }
            for (int path = LOOKUP_PORTABLE; path <= (int)lookup_path_best(); path++) {
                float first[LOOKUP_LANES];
                float second[LOOKUP_LANES];
                ask((enum lookup_path)path, &table, keys, count, first, second);
                for (size_t i = 0; i < count; i++) {
                    bool is_known = chosen[i] < KEYS;
                    assert_true(first[i] == (is_known ? known[chosen[i]].counts[0] / 2 : 0));
                    assert_true(second[i] == (is_known ? known[chosen[i]].counts[1] / 2 : 0));
                }
                for (size_t i = count; i % 16 != 0; i++) {
                    assert_true(first[i] == 0 && second[i] == 0);
                }
            }
        }
        free(table.buckets);
    }
}

static void lookup_full_table_takes_no_more_and_still_answers(void **state)
{
    (void)state;
    static struct known known[8];
    struct lookup_table table = make_table(3, 2, 8, known);
    const float counts[2] = {1, 1};
    assert_false(lookup_put(&table, 4, counts));
    for (int path = LOOKUP_PORTABLE; path <= (int)lookup_path_best(); path++) {
        uint64_t keys[LOOKUP_LANES] = {known[0].key, 4, known[7].key, 0};
        float first[LOOKUP_LANES];
        float second[LOOKUP_LANES];
        ask((enum lookup_path)path, &table, keys, 4, first, second);
        assert_true(first[0] == known[0].counts[0] / 2 && first[2] == known[7].counts[0] / 2);
        assert_true(first[1] == 0 && first[3] == 0 && second[1] == 0 && second[3] == 0);
    }
    free(table.buckets);
}

/* Keys that all begin at one bucket: so many go in as the bound says, those are told, and neither
 * an unknown one of them nor one that meets their marks walks further. */
static void lookup_keys_chosen_to_meet_are_bounded(void **state)
{
    (void)state;
    enum { BUCKETS = 4 * LOOKUP_STEPS_MAX, TAKEN = LOOKUP_STEPS_MAX * LOOKUP_SLOTS };
    struct lookup_table table = {.buckets = aligned_alloc(64, (size_t)BUCKETS * 64),
                                 .bucket_count = BUCKETS};
    assert_non_null(table.buckets);
    memset(table.buckets, 0, (size_t)BUCKETS * 64);
    const float counts[2] = {4, 2};
    for (uint64_t key = 1; key <= TAKEN; key++) {
        assert_true(lookup_put(&table, key, counts));
    }
    assert_false(lookup_put(&table, TAKEN + 1, counts));
    /* One bucket on, up to the same bound. */
    uint64_t next = (UINT64_C(1) << 32) / BUCKETS << 32;
    for (uint64_t key = 1; key <= LOOKUP_SLOTS; key++) {
        assert_true(lookup_put(&table, next + key, counts));
    }
    assert_false(lookup_put(&table, next + LOOKUP_SLOTS + 1, counts));
    for (int path = LOOKUP_PORTABLE; path <= (int)lookup_path_best(); path++) {
        uint64_t keys[LOOKUP_LANES] = {1, TAKEN, next + 1, next + LOOKUP_SLOTS, TAKEN + 1};
        float first[LOOKUP_LANES];
        float second[LOOKUP_LANES];
        ask((enum lookup_path)path, &table, keys, 5, first, second);
        for (size_t i = 0; i < 4; i++) {
            assert_true(first[i] == 2 && second[i] == 1);
        }
        assert_true(first[4] == 0 && second[4] == 0);
    }
    free(table.buckets);
}

static void lookup_without_buckets_knows_nobody(void **state)
{
    (void)state;
    const struct lookup_table none = {NULL, 0};
    struct lookup_table empty = none;
    const float counts[2] = {1, 1};
    assert_false(lookup_put(&empty, 1, counts));
    for (int path = LOOKUP_PORTABLE; path <= (int)lookup_path_best(); path++) {
        uint64_t keys[LOOKUP_LANES] = {5, 6, 7};
        float first[LOOKUP_LANES] = {9, 9, 9, 9};
        float second[LOOKUP_LANES] = {9, 9, 9, 9};
        ask((enum lookup_path)path, &none, keys, 3, first, second);
        for (size_t i = 0; i < 16; i++) {
            assert_true(first[i] == 0 && second[i] == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup_tells_what_was_put),
        cmocka_unit_test(lookup_full_table_takes_no_more_and_still_answers),
        cmocka_unit_test(lookup_keys_chosen_to_meet_are_bounded),
        cmocka_unit_test(lookup_without_buckets_knows_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
