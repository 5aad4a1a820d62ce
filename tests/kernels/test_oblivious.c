/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/oblivious_ref.h"
#include "tests/kernels/draw_trees.h"

struct room {
    void *workspace;
    int32_t *scores;
    struct oblivious_reasons reasons;
    int64_t *expected;
};

static struct room make_results(const struct oblivious_model *model, size_t rows, size_t stride)
{
    size_t bytes = (oblivious_workspace_bytes(model) + 63) / 64 * 64;
    struct room room = {.workspace = aligned_alloc(64, bytes)};
    assert_non_null(room.workspace);
    memset(room.workspace, 0xa5, bytes);
    room.scores = draw_room(rows, sizeof *room.scores);
    room.reasons.scores = draw_room(rows, sizeof *room.scores);
    room.reasons.contributions = draw_room(rows * stride, sizeof *room.scores);
    room.reasons.stride = stride;
    room.expected = draw_room(model->feature_count, sizeof *room.expected);
    return room;
}

static void free_results(struct room *room)
{
    free(room->workspace);
    free(room->scores);
    free(room->reasons.scores);
    free(room->reasons.contributions);
    free(room->expected);
}

/* Scores and contributions are the twin's, and contributions add up. */
static void compare_with_twin(enum oblivious_path path, const struct oblivious_model *model,
                              const struct oblivious_rows *rows)
{
    struct room room = make_results(model, rows->row_count, (size_t)model->feature_count + 2);
    oblivious_score_by(path, model, rows, room.workspace, room.scores);
    oblivious_explain_by(path, model, rows, room.workspace, &room.reasons);
    for (size_t i = 0; i < rows->row_count; i++) {
        const float *row = rows->features + i * rows->stride;
        const int32_t *contributions = room.reasons.contributions + i * room.reasons.stride;
        assert_int_equal(room.scores[i], oblivious_ref_score(model, row));
        assert_int_equal(room.reasons.scores[i], room.scores[i]);
        oblivious_ref_explain(model, row, room.expected);
        int64_t sum = oblivious_base(model);
        for (size_t j = 0; j < model->feature_count; j++) {
            assert_int_equal(contributions[j], room.expected[j]);
            sum += contributions[j];
        }
        assert_int_equal(sum, room.scores[i]);
        /* Nothing is written beyond a row's features. */
        assert_int_equal(contributions[model->feature_count], 0);
    }
    free_results(&room);
}

static void score_every_path_is_the_twin(void **state)
{
    (void)state;
    const uint32_t features[] = {1, 3, 37};
    const size_t counts[] = {0, 1, 15, 63, 64, 65, 130};
    for (uint32_t depth = 1; depth <= OBLIVIOUS_DEPTH_MAX; depth++) {
        for (size_t f = 0; f < 3; f++) {
            struct oblivious_model model =
                draw_model(depth * 100 + f, features[f], 1 + depth * 3, depth);
            assert_int_equal(
                oblivious_validate(&model, (size_t)features[f] * OBLIVIOUS_BORDERS_MAX),
                OBLIVIOUS_SOUND);
            size_t stride = features[f] + f;
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                float *values = draw_rows(c + depth, counts[c], features[f], stride);
                struct oblivious_rows rows = {values, counts[c], stride};
                for (int path = 0; path <= (int)oblivious_path_best(); path++) {
                    compare_with_twin((enum oblivious_path)path, &model, &rows);
                }
                free(values);
            }
            free_model(&model);
        }
    }
}

/* Two features, two borders, one tree: worked out by hand. */
static void score_small_tree_is_as_worked_out(void **state)
{
    (void)state;
    struct oblivious_model model = make_room(2, 1, 2, 2);
    memcpy(model.border_first, (uint32_t[]){0, 1, 2}, 12);
    memcpy(model.borders, (float[]){1.5f, -2.0f}, 8);
    memcpy(model.split_features, (uint16_t[]){0, 1}, 4);
    memcpy(model.split_bins, (uint8_t[]){2, 1}, 2); /* x0 > 1.5; x1 is there */
    memcpy(model.nodes, (int32_t[]){0, 10, 4, 30, 1, 6, 20, 35}, 32);
    model.bias = 1000;
    assert_int_equal(oblivious_validate(&model, 2), OBLIVIOUS_SOUND);
    assert_int_equal(oblivious_base(&model), 1010);
    const float values[] = {1.5f, NAN, 1.6f, NAN, INFINITY, -9, NAN, 0, -INFINITY, -INFINITY};
    const int32_t scores[] = {1001, 1020, 1035, 1006, 1006};
    const int32_t contributions[] = {-6, -3, 20, -10, 20, 5, -6, 2, -6, 2};
    struct oblivious_rows rows = {values, 5, 2};
    for (int path = 0; path <= (int)oblivious_path_best(); path++) {
        struct room room = make_results(&model, 5, 2);
        oblivious_explain_by((enum oblivious_path)path, &model, &rows, room.workspace,
                             &room.reasons);
        assert_memory_equal(room.reasons.scores, scores, sizeof scores);
        assert_memory_equal(room.reasons.contributions, contributions, sizeof contributions);
        free_results(&room);
    }
    free_model(&model);
}

static void score_without_trees_is_the_bias(void **state)
{
    (void)state;
    struct oblivious_model model = make_room(3, 0, 0, 0);
    model.bias = -77;
    assert_int_equal(oblivious_validate(&model, 0), OBLIVIOUS_SOUND);
    float values[] = {1, NAN, 3};
    struct oblivious_rows rows = {values, 1, 3};
    for (int path = 0; path <= (int)oblivious_path_best(); path++) {
        compare_with_twin((enum oblivious_path)path, &model, &rows);
    }
    struct room room = make_results(&model, 1, 3);
    oblivious_score(&model, &rows, room.workspace, room.scores);
    assert_int_equal(room.scores[0], -77);
    free_results(&room);
    free_model(&model);
}

/* One thing broken at a time. */
static void break_model(struct oblivious_model *model, int what)
{
    uint32_t middle = model->border_first[1];
    switch (what) {
    case 0:
        model->feature_count = 0;
        break;
    case 1:
        model->feature_count = OBLIVIOUS_FEATURES_MAX + 1;
        break;
    case 2:
        model->tree_count = OBLIVIOUS_TREES_MAX + 1;
        break;
    case 3:
        model->depth = OBLIVIOUS_DEPTH_MAX + 1;
        break;
    case 4:
        model->depth = 0;
        break;
    case 5:
        model->tree_count = 0;
        break;
    case 6:
        model->border_first[0] = 1;
        break;
    case 7:
        model->border_first[2] = middle - 1;
        break;
    case 8:
        model->border_first[model->feature_count] = 0x7fffffff;
        break;
    case 9:
        model->border_first[1] = model->border_first[2] - OBLIVIOUS_BORDERS_MAX - 1;
        break;
    case 10:
        model->borders[1] = NAN;
        break;
    case 11:
        model->borders[1] = model->borders[0];
        break;
    case 12:
        model->borders[OBLIVIOUS_BORDERS_MAX - 1] = INFINITY;
        break;
    case 13:
        model->split_features[3] = (uint16_t)model->feature_count;
        break;
    case 14:
        model->split_bins[5] = 0;
        break;
    case 15:
        model->split_features[0] = 1;
        model->split_bins[0] = (uint8_t)(model->border_first[2] - middle + 2);
        break;
    case 16:
        model->nodes[2 << 3] = 1;
        break;
    case 17:
        model->nodes[9] = INT32_MIN;
        break;
    default:
        model->bias = INT32_MIN;
        break;
    }
}

static void validate_broken_models_are_refused(void **state)
{
    (void)state;
    for (int what = 0; what <= 18; what++) {
        struct oblivious_model model = draw_model(9, 4, 5, 3);
        /* Feature 1 has enough borders for case 9 and few enough for case 15. */
        size_t room = (size_t)4 * OBLIVIOUS_BORDERS_MAX;
        assert_int_equal(oblivious_validate(&model, room), OBLIVIOUS_SOUND);
        assert_int_equal(oblivious_validate(&model, model.border_first[4]), OBLIVIOUS_SOUND);
        assert_int_equal(oblivious_validate(&model, model.border_first[4] - 1), OBLIVIOUS_BORDERS);
        break_model(&model, what);
        enum oblivious_fault fault = what < 6    ? OBLIVIOUS_COUNTS
                                     : what < 13 ? OBLIVIOUS_BORDERS
                                     : what < 16 ? OBLIVIOUS_SPLITS
                                                 : OBLIVIOUS_NODES;
        assert_int_equal(oblivious_validate(&model, room), fault);
        free_model(&model);
    }
}

/* A score may reach the limit and no more: every path still tells the truth there. */
static void validate_reach_at_the_limit_is_sound(void **state)
{
    (void)state;
    struct oblivious_model model = make_room(1, 2, 1, 1);
    memcpy(model.border_first, (uint32_t[]){0, 1}, 8);
    memcpy(model.split_bins, (uint8_t[]){2, 2}, 2);
    const int32_t half = OBLIVIOUS_SCORE_MAX / 2;
    memcpy(model.nodes, (int32_t[]){0, 0, -half, half, 0, 0, -half, half}, 32);
    assert_int_equal(oblivious_validate(&model, 1), OBLIVIOUS_SOUND);
    float values[] = {-1, 1};
    struct oblivious_rows rows = {values, 2, 1};
    for (int path = 0; path <= (int)oblivious_path_best(); path++) {
        compare_with_twin((enum oblivious_path)path, &model, &rows);
    }
    model.bias = 1;
    assert_int_equal(oblivious_validate(&model, 1), OBLIVIOUS_NODES);
    free_model(&model);
}

/* 254 borders of a feature are the most: one more would not fit a byte. */
static void validate_too_many_borders_are_refused(void **state)
{
    (void)state;
    struct oblivious_model model = make_room(1, 0, 0, OBLIVIOUS_BORDERS_MAX + 1);
    for (int k = 0; k <= OBLIVIOUS_BORDERS_MAX; k++) {
        model.borders[k] = (float)k;
    }
    model.border_first[1] = OBLIVIOUS_BORDERS_MAX;
    assert_int_equal(oblivious_validate(&model, OBLIVIOUS_BORDERS_MAX + 1), OBLIVIOUS_SOUND);
    model.border_first[1] = OBLIVIOUS_BORDERS_MAX + 1;
    assert_int_equal(oblivious_validate(&model, OBLIVIOUS_BORDERS_MAX + 1), OBLIVIOUS_BORDERS);
    free_model(&model);
}

static void bin_every_path_counts_borders_below(void **state)
{
    (void)state;
    float borders[OBLIVIOUS_BORDERS_MAX];
    for (int k = 0; k < OBLIVIOUS_BORDERS_MAX; k++) {
        borders[k] = (float)(k - 100) / 4;
    }
    enum { VALUES = 777 };
    float *values = draw_rows(3, VALUES, 1, 1);
    uint8_t bins[VALUES + 1];
    const size_t counts[] = {0, 1, 2, 7, 8, 100, 253, OBLIVIOUS_BORDERS_MAX};
    for (int path = 0; path <= (int)oblivious_path_best(); path++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            bins[VALUES] = 0xa5;
            oblivious_bin_by((enum oblivious_path)path, values, VALUES, borders, counts[c], bins);
            assert_int_equal(bins[VALUES], 0xa5);
            for (size_t i = 0; i < VALUES; i++) {
                int below = 0;
                for (size_t k = 0; k < counts[c]; k++) {
                    below += borders[k] < values[i];
                }
                assert_int_equal(bins[i], isnan(values[i]) ? 0 : below + 1);
            }
        }
    }
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_every_path_is_the_twin),
        cmocka_unit_test(score_small_tree_is_as_worked_out),
        cmocka_unit_test(score_without_trees_is_the_bias),
        cmocka_unit_test(validate_broken_models_are_refused),
        cmocka_unit_test(validate_too_many_borders_are_refused),
        cmocka_unit_test(validate_reach_at_the_limit_is_sound),
        cmocka_unit_test(bin_every_path_counts_borders_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
