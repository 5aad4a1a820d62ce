/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/patch.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/patch_ref.h"
#include "tests/kernels/draw.h"

static const struct patch_rule rule = {.side = 8,
                                       .step = 5,
                                       .invalid_share_max = 0.25f,
                                       .contrast_floor = 0.05f,
                                       .level_weight = 0.5f,
                                       .level_min = -INFINITY};

struct extraction {
    size_t count;
    size_t stride;
    float *features;
    struct patch_position *positions;
};

static struct extraction extract(const struct patch_level *levels, size_t level_count,
                                 size_t capacity)
{
    size_t count_max = patch_count_max(levels, level_count, &rule);
    size_t stride = patch_feature_count(&rule) + 3;
    struct extraction all = {0, stride, draw_room((count_max + capacity) * stride, sizeof(float)),
                             draw_room(count_max + capacity, sizeof(struct patch_position))};
    struct patch_cursor cursor = {0};
    for (;;) {
        struct patch_batch batch = {capacity, stride, all.features + all.count * stride,
                                    all.positions + all.count};
        size_t count = patch_extract(levels, level_count, &rule, &cursor, &batch);
        if (count == 0) {
            break;
        }
        all.count += count;
        assert_true(all.count <= count_max);
    }
    return all;
}

static void free_extraction(struct extraction *all)
{
    free(all->features);
    free(all->positions);
}

/* Every feature is within 1e-5 of the twin's: floats of values up to 8. */
static void extract_two_levels_matches_reference(void **state)
{
    (void)state;
    float *fine = draw_matrix(1, 29, 41, 50);
    float *coarse = draw_matrix(2, 13, 17, 19);
    uint8_t *valid = draw_room(29 * 41, 1);
    memset(valid, 1, 29 * 41);
    valid[10 * 41 + 12] = 0;
    fine[10 * 50 + 12] = NAN;
    struct patch_level levels[2] = {{{fine, 41, 29, 50}, valid, 1},
                                    {{coarse, 17, 13, 19}, NULL, 3}};
    struct extraction all = extract(levels, 2, 7);
    assert_int_equal(all.count, patch_count_max(levels, 2, &rule));
    double expected[68];
    for (size_t i = 0; i < all.count; i++) {
        struct patch_position at = all.positions[i];
        const struct patch_level *level = &levels[at.level_index];
        assert_int_equal(at.side, 8 * level->factor);
        patch_ref_features(level, &rule, at.x / level->factor, at.y / level->factor, expected);
        for (size_t j = 0; j < 68; j++) {
            assert_true(fabs((double)all.features[i * all.stride + j] - expected[j]) < 1e-5);
        }
    }
    /* The lower right corner is covered although 41 - 8 and 29 - 8 are no multiples of 5. */
    int corner = 0;
    for (size_t i = 0; i < all.count; i++) {
        corner |= all.positions[i].level_index == 0 && all.positions[i].x == 33 &&
                  all.positions[i].y == 21;
    }
    assert_true(corner);
    free_extraction(&all);
    free(valid);
    free(fine);
    free(coarse);
}

static void extract_batch_size_changes_nothing(void **state)
{
    (void)state;
    float *pixels = draw_matrix(3, 40, 40, 40);
    struct patch_level level = {{pixels, 40, 40, 40}, NULL, 1};
    struct extraction one = extract(&level, 1, 1);
    struct extraction many = extract(&level, 1, 1000);
    assert_int_equal(one.count, many.count);
    for (size_t i = 0; i < one.count; i++) {
        assert_memory_equal(one.features + i * one.stride, many.features + i * many.stride,
                            68 * sizeof(float));
    }
    free_extraction(&one);
    free_extraction(&many);
    free(pixels);
}

/* Of 64 pixels 16 may be invalid, 17 may not. */
static void extract_invalid_share_above_limit_leaves_patch_out(void **state)
{
    (void)state;
    float *pixels = draw_matrix(4, 8, 8, 8);
    uint8_t valid[64];
    memset(valid, 1, 64);
    memset(valid, 0, 16);
    struct patch_level level = {{pixels, 8, 8, 8}, valid, 1};
    struct extraction all = extract(&level, 1, 4);
    assert_int_equal(all.count, 1);
    free_extraction(&all);
    valid[16] = 0;
    all = extract(&level, 1, 4);
    assert_int_equal(all.count, 0);
    free_extraction(&all);
    free(pixels);
}

static void extract_image_smaller_than_patch_yields_none(void **state)
{
    (void)state;
    float pixels[7 * 20] = {0};
    struct patch_level levels[2] = {{{pixels, 20, 7, 20}, NULL, 1}, {{pixels, 0, 0, 0}, NULL, 2}};
    assert_int_equal(patch_count_max(levels, 2, &rule), 0);
    struct extraction all = extract(levels, 2, 4);
    assert_int_equal(all.count, 0);
    free_extraction(&all);
}

/* A flat patch has no texture but keeps its level; nothing divides by zero. */
static void extract_flat_patch_keeps_level(void **state)
{
    (void)state;
    float pixels[64];
    for (int i = 0; i < 64; i++) {
        pixels[i] = 3.5f;
    }
    struct patch_level level = {{pixels, 8, 8, 8}, NULL, 1};
    struct extraction all = extract(&level, 1, 1);
    for (int j = 0; j < 64; j++) {
        assert_true(all.features[j] == 0.0f);
    }
    assert_true(all.features[64] == 1.75f);
    assert_true(all.features[65] == 0.0f && all.features[66] == 0.0f);
    free_extraction(&all);
}

/* Property: every path gives the bits of the plain loops, for sides that are and are not a multiple
 * of four, patches with and without invalid pixels and NaN; and of those whose appended mean is too
 * low none. */
static void extract_every_path_gives_the_same_bits(void **state)
{
    (void)state;
    static const size_t sides[] = {16, 8, 4, 7, 10};
    struct rng rng;
    rng_init(&rng, 21, 0);
    for (size_t round = 0; round < 60; round++) {
        struct patch_rule rules = rule;
        rules.side = sides[round % 5];
        rules.level_min = round % 3 == 0 ? -INFINITY : 0.02;
        float *pixels = draw_matrix(round, 40, 45, 47);
        uint8_t *valid = draw_room(40 * 45, 1);
        for (size_t i = 0; i < 40 * 45; i++) {
            valid[i] = rng_below(&rng, 200) != 0;
            if (rng_below(&rng, 900) == 0) {
                pixels[i / 45 * 47 + i % 45] = rng_below(&rng, 2) ? NAN : INFINITY;
            }
        }
        struct patch_level level = {{pixels, 45, 40, 47}, round % 4 == 0 ? NULL : valid, 1};
        size_t stride = patch_feature_count(&rules), count_max = patch_count_max(&level, 1, &rules);
        float *plain = draw_room(count_max * stride, sizeof *plain);
        float *fast = draw_room(count_max * stride, sizeof *fast);
        struct patch_position *positions = draw_room(count_max, sizeof *positions);
        struct patch_batch batch = {count_max, stride, plain, positions};
        struct patch_cursor cursor = {0};
        size_t count = patch_extract_by(PATH_PORTABLE, &level, 1, &rules, &cursor, &batch);
        assert_true(count > 0 && (count < count_max || round % 3 == 0));
        for (size_t i = 0; i < count; i++) {
            float mean = plain[i * stride + rules.side * rules.side];
            assert_true(!((double)mean < rules.level_min));
        }
        for (int path = (int)path_best(); path > PATH_PORTABLE; path--) {
            batch.features = fast;
            memset(&cursor, 0, sizeof cursor);
            assert_int_equal(patch_extract_by((enum path)path, &level, 1, &rules, &cursor, &batch),
                             count);
            assert_memory_equal(fast, plain, count * stride * sizeof *fast);
        }
        free(pixels);
        free(valid);
        free(plain);
        free(fast);
        free(positions);
    }
}

enum { INPUTS = 260, OUTPUTS = 37, ROWS = 301, STRIDE = 263 };

struct embedding_case {
    float *weights;
    float *bias;
    float *features;
    double *workspace;
    float *embedding;
    struct patch_projection projection;
};

static struct embedding_case make_case(uint64_t seed)
{
    struct embedding_case made = {.weights = draw_matrix(seed, INPUTS, OUTPUTS, OUTPUTS),
                                  .bias = draw_matrix(seed + 1, 1, OUTPUTS, OUTPUTS),
                                  .features = draw_matrix(seed + 2, ROWS, INPUTS, STRIDE),
                                  .embedding = draw_room(ROWS * OUTPUTS, sizeof(float))};
    made.projection = (struct patch_projection){.feature_count = INPUTS,
                                                .embedding_count = OUTPUTS,
                                                .weights = made.weights,
                                                .bias = made.bias};
    made.workspace = draw_room(patch_embed_workspace_doubles(&made.projection), sizeof(double));
    patch_embed(&made.projection, made.features, ROWS, STRIDE, made.workspace, made.embedding);
    return made;
}

static void free_case(struct embedding_case *made)
{
    free(made->weights);
    free(made->bias);
    free(made->features);
    free(made->workspace);
    free(made->embedding);
}

/* KERNELS.md: with 260 features the grids are 2^-18 and 2^-20 of the power of two above the largest
 * weight; each term errs by half a step of either. */
static void embed_matches_reference_within_grid(void **state)
{
    (void)state;
    struct embedding_case made = make_case(11);
    double sum_weights = 0;
    for (size_t i = 0; i < INPUTS * OUTPUTS; i++) {
        sum_weights = fmax(sum_weights, fabs((double)made.weights[i]));
    }
    for (size_t i = 0; i < ROWS; i++) {
        double features = 0;
        for (size_t j = 0; j < INPUTS; j++) {
            features += fabs((double)made.features[i * STRIDE + j]);
        }
        for (size_t k = 0; k < OUTPUTS; k++) {
            double magnitude;
            double expected =
                patch_ref_embed(&made.projection, made.features + i * STRIDE, k, &magnitude);
            double bound = INPUTS * sum_weights * 0x1p-19 + features * 2 * sum_weights * 0x1p-21 +
                           magnitude * 0x1p-24;
            double error = fabs((double)made.embedding[i * OUTPUTS + k] - expected);
            assert_true(error <= bound);
        }
    }
    free_case(&made);
}

/* The same row gives the same bits alone, in any batch and at any position. */
static void embed_position_and_batch_give_same_bits(void **state)
{
    (void)state;
    struct embedding_case made = make_case(21);
    float alone[OUTPUTS];
    for (size_t i = 0; i < ROWS; i++) {
        patch_embed(&made.projection, made.features + i * STRIDE, 1, STRIDE, made.workspace, alone);
        assert_memory_equal(alone, made.embedding + i * OUTPUTS, sizeof alone);
    }
    for (size_t i = 1; i < ROWS; i++) {
        memcpy(made.features + i * STRIDE, made.features, INPUTS * sizeof(float));
    }
    patch_embed(&made.projection, made.features, ROWS, STRIDE, made.workspace, made.embedding);
    for (size_t i = 1; i < ROWS; i++) {
        assert_memory_equal(made.embedding, made.embedding + i * OUTPUTS, sizeof alone);
    }
    free_case(&made);
}

/* A fixed case folds to one number on every BLAS, processor and thread count. Its inputs are
 * uniforms, which do not go through libm. */
static void embed_fixed_case_has_the_known_bits(void **state)
{
    (void)state;
    struct embedding_case made = make_case(51);
    struct rng rng;
    rng_init(&rng, 99, 0);
    for (size_t i = 0; i < INPUTS * OUTPUTS; i++) {
        made.weights[i] = (float)rng_uniform(&rng) - 0.5f;
    }
    for (size_t i = 0; i < ROWS * STRIDE; i++) {
        made.features[i] = 8.0f * (float)rng_uniform(&rng) - 4.0f;
    }
    for (size_t k = 0; k < OUTPUTS; k++) {
        made.bias[k] = (float)rng_uniform(&rng);
    }
    patch_embed(&made.projection, made.features, ROWS, STRIDE, made.workspace, made.embedding);
    uint64_t fold = 0;
    for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
        uint32_t bits;
        memcpy(&bits, &made.embedding[i], sizeof bits);
        fold ^= bits;
        fold = rng_splitmix(&fold);
    }
    assert_true(fold == UINT64_C(0xc83a4cef7c4574d6));
    free_case(&made);
}

static void embed_nan_stays_in_its_row(void **state)
{
    (void)state;
    struct embedding_case made = make_case(31);
    float *before = draw_room(ROWS * OUTPUTS, sizeof *before);
    memcpy(before, made.embedding, ROWS * OUTPUTS * sizeof *before);
    made.features[130 * STRIDE + 7] = NAN;
    patch_embed(&made.projection, made.features, ROWS, STRIDE, made.workspace, made.embedding);
    for (size_t i = 0; i < ROWS; i++) {
        if (i == 130) {
            assert_true(isnan(made.embedding[i * OUTPUTS]));
        } else {
            assert_memory_equal(before + i * OUTPUTS, made.embedding + i * OUTPUTS,
                                OUTPUTS * sizeof(float));
        }
    }
    free(before);
    free_case(&made);
}

/* Features beyond the grid are held at its edge, so sums stay exact; zero weights give -bias. */
static void embed_extreme_values_stay_finite(void **state)
{
    (void)state;
    struct embedding_case made = make_case(41);
    for (size_t j = 0; j < INPUTS; j++) {
        made.features[j] = j % 2 ? INFINITY : -3e38f;
        made.features[STRIDE + j] = j % 2 ? 64.0f : -64.0f;
    }
    patch_embed(&made.projection, made.features, 2, STRIDE, made.workspace, made.embedding);
    assert_memory_equal(made.embedding, made.embedding + OUTPUTS, OUTPUTS * sizeof(float));
    memset(made.weights, 0, INPUTS * OUTPUTS * sizeof(float));
    patch_embed(&made.projection, made.features, 1, STRIDE, made.workspace, made.embedding);
    for (size_t k = 0; k < OUTPUTS; k++) {
        assert_true(made.embedding[k] == -made.bias[k]);
    }
    patch_embed(&made.projection, made.features, 0, STRIDE, made.workspace, made.embedding);
    free_case(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extract_two_levels_matches_reference),
        cmocka_unit_test(extract_batch_size_changes_nothing),
        cmocka_unit_test(extract_invalid_share_above_limit_leaves_patch_out),
        cmocka_unit_test(extract_image_smaller_than_patch_yields_none),
        cmocka_unit_test(extract_flat_patch_keeps_level),
        cmocka_unit_test(extract_every_path_gives_the_same_bits),
        cmocka_unit_test(embed_matches_reference_within_grid),
        cmocka_unit_test(embed_position_and_batch_give_same_bits),
        cmocka_unit_test(embed_fixed_case_has_the_known_bits),
        cmocka_unit_test(embed_nan_stays_in_its_row),
        cmocka_unit_test(embed_extreme_values_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
