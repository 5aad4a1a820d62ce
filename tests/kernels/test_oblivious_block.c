/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_block.h"

#include <stdbool.h>
#include <string.h>

#include "tests/kernels/draw_trees.h"

enum { LANES = OBLIVIOUS_LANES, GROUPS = 9 };

static void *make(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64 + 64;
    void *made = aligned_alloc(64, rounded);
    assert_non_null(made);
    memset(made, 0xa5, rounded);
    return made;
}

/* What the functions for rows say of the same rows, summed over groups. */
struct expected {
    int32_t scores[LANES];
    int32_t parts[GROUPS * LANES];
};

static void expect(const struct oblivious_model *model, const float *rows, const uint16_t *group_of,
                   struct expected *out)
{
    size_t features = model->feature_count;
    int32_t *contributions = draw_room(LANES * features, sizeof *contributions);
    void *workspace = make(oblivious_workspace_bytes(model));
    const struct oblivious_rows given = {rows, LANES, features};
    const struct oblivious_reasons reasons = {out->scores, contributions, features};
    oblivious_explain_by(OBLIVIOUS_PORTABLE, model, &given, workspace, &reasons);
    memset(out->parts, 0, sizeof out->parts);
    for (size_t i = 0; i < LANES; i++) {
        for (size_t j = 0; j < features; j++) {
            out->parts[group_of[j] * LANES + i] += contributions[i * features + j];
        }
    }
    free(contributions);
    free(workspace);
}

static void compare(const struct oblivious_model *model, uint64_t seed)
{
    size_t features = model->feature_count;
    float *rows = draw_rows(seed, LANES, features, features);
    float *columns = draw_room(LANES * features, sizeof *columns);
    uint16_t *group_of = draw_room(features, sizeof *group_of);
    static struct expected expected;
    for (size_t j = 0; j < features; j++) {
        group_of[j] = (uint16_t)(j * j % GROUPS);
        for (size_t i = 0; i < LANES; i++) {
            columns[j * LANES + i] = rows[i * features + j];
        }
    }
    expect(model, rows, group_of, &expected);
    struct oblivious_plan plan;
    void *memory = make(oblivious_plan_bytes(model, GROUPS));
    void *workspace = make(oblivious_block_bytes(model));
    oblivious_plan_make(model, group_of, GROUPS, memory, &plan);
    for (int path = OBLIVIOUS_PORTABLE; path <= (int)oblivious_path_best(); path++) {
        int32_t scores[LANES];
        int32_t parts[GROUPS * LANES];
        oblivious_block_score_by((enum oblivious_path)path, &plan, columns, workspace, scores);
        assert_memory_equal(scores, expected.scores, sizeof scores);
        memset(scores, 0, sizeof scores);
        oblivious_block_explain_by((enum oblivious_path)path, &plan, columns, workspace, scores,
                                   parts);
        assert_memory_equal(scores, expected.scores, sizeof scores);
        assert_memory_equal(parts, expected.parts, sizeof parts);
    }
    free(rows);
    free(columns);
    free(group_of);
    free(memory);
    free(workspace);
}

/* Every depth, few and many borders: scores and summed contributions are those of oblivious.h. */
static void block_every_path_says_what_rows_say(void **state)
{
    (void)state;
    for (uint32_t depth = 1; depth <= OBLIVIOUS_DEPTH_MAX; depth++) {
        struct oblivious_model model = draw_model(depth, 23, 40, depth);
        for (uint64_t seed = 0; seed < 6; seed++) {
            compare(&model, seed);
        }
        free_model(&model);
    }
}

static void block_without_trees_is_the_bias(void **state)
{
    (void)state;
    struct oblivious_model model = draw_model(1, 3, 0, 0);
    compare(&model, 1);
    free_model(&model);
}

static void heaviest_are_sorted_and_equal_ones_keep_their_order(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4, 0);
    for (unsigned round = 0; round < 50; round++) {
        int32_t given[GROUPS * LANES];
        for (size_t i = 0; i < GROUPS * (size_t)LANES; i++) {
            /* Many are equal, many are 0; in every third round some are as large as they come. */
            given[i] = (int32_t)rng_below(&rng, 7) - 3;
            if (round % 3 == 1 && rng_below(&rng, 20) == 0) {
                given[i] *= 1 << (22 + (int)rng_below(&rng, 8));
            }
        }
        uint32_t count = 1 + (uint32_t)rng_below(&rng, OBLIVIOUS_HEAVIEST_MAX);
        for (int path = OBLIVIOUS_PORTABLE; path <= (int)oblivious_path_best(); path++) {
            int32_t parts[OBLIVIOUS_HEAVIEST_MAX * LANES];
            int32_t groups[OBLIVIOUS_HEAVIEST_MAX * LANES];
            oblivious_block_heaviest_by((enum oblivious_path)path, given, GROUPS, count, parts,
                                        groups);
            for (size_t i = 0; i < LANES; i++) {
                bool taken[GROUPS] = {false};
                for (uint32_t k = 0; k < count; k++) {
                    size_t best = GROUPS;
                    for (size_t group = 0; group < GROUPS; group++) {
                        int32_t part = abs(given[group * LANES + i]);
                        bool heavier = best == GROUPS || part > abs(given[best * LANES + i]);
                        best = !taken[group] && part > 0 && heavier ? group : best;
                    }
                    int32_t expected = best < GROUPS ? given[best * LANES + i] : 0;
                    assert_int_equal(parts[k * LANES + i], expected);
                    if (best < GROUPS) {
                        assert_int_equal(groups[k * LANES + i], best);
                        taken[best] = true;
                    }
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_every_path_says_what_rows_say),
        cmocka_unit_test(block_without_trees_is_the_bias),
        cmocka_unit_test(heaviest_are_sorted_and_equal_ones_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
