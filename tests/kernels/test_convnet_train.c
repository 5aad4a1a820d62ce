/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet_train.h"

#include <math.h>
#include <string.h>

#include "kernels/blas.h"
#include "kernels/ref/convnet_train_ref.h"
#include "tests/kernels/draw.h"

/* Odd sides, both strides, a dilation that reaches over the border, a 1 x 1 at the end. */
static const struct convnet_plan plan = {
    .layers = {{.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 8},
               {.side = 3, .stride = 1, .dilation = 4, .in = 8, .out = 4},
               {.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = 3}},
    .layer_count = 3,
    .batch = 3,
    .height = 13,
    .width = 10};

enum { RESULTS = 7 * 5 * 3 };

struct trained {
    struct convnet_train train;
    float *workspace;
};

static void open(struct trained *self, const struct convnet_team *team, uint64_t seed)
{
    size_t bytes = (convnet_train_workspace_floats(&plan) * sizeof(float) + 63) / 64 * 64;
    self->workspace = aligned_alloc(64, bytes);
    assert_non_null(self->workspace);
    convnet_train_init(&self->train, &plan, team, seed, self->workspace);
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (uint32_t image = 0; image < plan.batch; image++) {
        for (size_t i = 0; i < 13 * 10 * 4; i++) {
            self->train.inputs[image][i] = (float)(rng_below(&rng, 256)) / 255.0f;
        }
    }
}

/* Least squares towards a fixed picture; returns the loss. */
static double pull(struct convnet_train *train)
{
    double loss = 0;
    for (uint32_t image = 0; image < plan.batch; image++) {
        const float *result = convnet_train_result(train, image);
        float *gradient = convnet_train_result_gradient(train, image);
        for (size_t i = 0; i < RESULTS; i++) {
            float away = result[i] - train->inputs[image][4 * (i / 3)] * (float)(i % 3);
            gradient[i] = away / RESULTS;
            loss += (double)(away * away) / (2 * RESULTS);
        }
    }
    return loss;
}

static double descend(struct convnet_train *train, uint64_t steps)
{
    double loss = 0;
    for (uint64_t step = 0; step < steps; step++) {
        struct convnet_descent descent = convnet_descent_cycle(0.02, 1e-3, step, steps);
        convnet_train_forward(train);
        loss = pull(train);
        convnet_train_backward(train);
        convnet_train_descend(train, &descent);
    }
    return loss;
}

/* Every learnt number's gradient against the difference of the twin in double. */
static void backward_is_the_slope_of_the_reference(void **state)
{
    (void)state;
    struct trained trained;
    double coefficients[RESULTS];
    struct rng rng;
    open(&trained, NULL, 3);
    struct convnet_train *train = &trained.train;
    rng_init(&rng, 9, 0);
    for (size_t i = 0; i < RESULTS; i++) {
        coefficients[i] = rng_normal(&rng);
    }
    convnet_train_forward(train);
    double sum = 0;
    for (uint32_t image = 0; image < plan.batch; image++) {
        for (size_t i = 0; i < RESULTS; i++) {
            convnet_train_result_gradient(train, image)[i] = (float)coefficients[i];
            sum += coefficients[i] * (double)convnet_train_result(train, image)[i];
        }
    }
    convnet_train_backward(train);
    double *learnt = draw_room(train->learnt_count, sizeof *learnt);
    for (size_t i = 0; i < train->learnt_count; i++) {
        learnt[i] = (double)train->learnt[i];
    }
    const float *const *inputs = (const float *const *)train->inputs;
    assert_float_equal(ref_convnet_train_sum(&plan, inputs, learnt, coefficients), sum, 2e-4);
    size_t from = 0;
    double squares = 0, errors = 0;
    for (uint32_t index = 0; index < plan.layer_count; index++) {
        const struct convnet_train_layer *layer = &train->layers[index];
        int last = index + 1 == plan.layer_count;
        for (size_t i = 0; i < layer->weight_count + 2 * (size_t)plan.layers[index].out; i++) {
            double kept = learnt[from + i];
            double gradient = 0;
            for (uint32_t image = 0; image < plan.batch; image++) {
                gradient += (double)layer->gradient[image][i];
            }
            int is_gain =
                i >= layer->weight_count && i < layer->weight_count + plan.layers[index].out;
            if (last && is_gain) {
                continue; /* not used */
            }
            learnt[from + i] = kept + 1e-6;
            double above = ref_convnet_train_sum(&plan, inputs, learnt, coefficients);
            learnt[from + i] = kept - 1e-6;
            double slope =
                (above - ref_convnet_train_sum(&plan, inputs, learnt, coefficients)) / 2e-6;
            learnt[from + i] = kept;
            squares += slope * slope;
            errors += (slope - gradient) * (slope - gradient);
            assert_true(fabs(slope - gradient) < 1e-3 * (1 + fabs(slope)));
        }
        from += layer->weight_count + 2 * (size_t)plan.layers[index].out;
    }
    assert_true(squares > 1);
    assert_true(errors < 1e-8 * squares);
    free(learnt);
    free(trained.workspace);
}

static void backwards(void *self, void (*work)(void *argument, size_t part), void *argument,
                      size_t part_count)
{
    (void)self;
    while (part_count-- > 0) {
        work(argument, part_count);
    }
}

static void next(void *argument, struct convnet_train *train, uint32_t batch)
{
    (void)argument;
    (void)train;
    (void)batch; /* the same batch again */
}

static void learn_all(struct trained *trained, const struct convnet_team *team, uint64_t seed)
{
    open(trained, team, seed);
    descend(&trained->train, 60);
    convnet_train_fold(&trained->train);
    convnet_train_calibrate(&trained->train, next, NULL, 1);
    descend(&trained->train, 20);
}

static void the_order_of_parts_does_not_change_a_bit_but_the_seed_does(void **state)
{
    (void)state;
    const struct convnet_team team = {backwards, NULL};
    struct trained one, other, third;
    learn_all(&one, NULL, 1);
    learn_all(&other, &team, 1);
    learn_all(&third, NULL, 2);
    size_t bytes = one.train.learnt_count * sizeof(float);
    assert_memory_equal(one.train.learnt, other.train.learnt, bytes);
    assert_memory_not_equal(one.train.learnt, third.train.learnt, bytes);
    free(one.workspace);
    free(other.workspace);
    free(third.workspace);
}

static void training_lowers_the_loss_in_floats_and_in_whole_numbers(void **state)
{
    (void)state;
    struct trained trained;
    open(&trained, NULL, 1);
    convnet_train_forward(&trained.train);
    double at_first = pull(&trained.train);
    double in_floats = descend(&trained.train, 400);
    assert_true(in_floats < 0.5 * at_first);
    convnet_train_fold(&trained.train);
    convnet_train_calibrate(&trained.train, next, NULL, 1);
    descend(&trained.train, 50);
    convnet_train_forward(&trained.train);
    assert_true(pull(&trained.train) < 1.3 * in_floats);
    free(trained.workspace);
}

struct arrays {
    int8_t weights[3][8 * 72];
    int32_t bias[3][8];
    float scale[3][8];
};

/* The exported network, by the definition in convnet.h. */
static void run_layer(const struct convnet_layer *layer, const uint8_t *in, size_t height,
                      size_t width, uint8_t *bytes, float *floats)
{
    size_t out_height = (height + layer->stride - 1) / layer->stride;
    size_t out_width = (width + layer->stride - 1) / layer->stride;
    for (size_t i = 0; i < out_height * out_width * layer->out; i++) {
        size_t o = i % layer->out;
        int32_t sum = layer->bias[o];
        for (size_t tap = 0; tap < layer->side * layer->side; tap++) {
            ptrdiff_t half = layer->side / 2;
            ptrdiff_t dilation = layer->dilation;
            ptrdiff_t y = (ptrdiff_t)(i / layer->out / out_width * layer->stride) +
                          ((ptrdiff_t)(tap / layer->side) - half) * dilation;
            ptrdiff_t x = (ptrdiff_t)(i / layer->out % out_width * layer->stride) +
                          ((ptrdiff_t)(tap % layer->side) - half) * dilation;
            for (size_t c = 0; c < layer->in; c++) {
                int inside = y >= 0 && x >= 0 && y < (ptrdiff_t)height && x < (ptrdiff_t)width;
                int byte = inside ? in[((size_t)y * width + (size_t)x) * layer->in + c] : 0;
                sum += byte * layer->weights[(o * layer->side * layer->side + tap) * layer->in + c];
            }
        }
        floats[i] = (float)sum * layer->scale[o];
        float rounded = fminf(fmaxf(rintf(floats[i]), 0), 255);
        bytes[i] = (uint8_t)rounded;
    }
}

static void the_exported_network_computes_what_was_trained(void **state)
{
    (void)state;
    static struct arrays arrays;
    struct trained trained;
    struct convnet net = {.layer_count = 0};
    learn_all(&trained, NULL, 4);
    convnet_train_forward(&trained.train);
    for (uint32_t i = 0; i < plan.layer_count; i++) {
        net.layers[i].weights = arrays.weights[i];
        net.layers[i].bias = arrays.bias[i];
        net.layers[i].scale = arrays.scale[i];
    }
    convnet_train_export(&trained.train, &net);
    double highest = 0;
    for (uint32_t image = 0; image < plan.batch; image++) {
        uint8_t bytes[2][13 * 10 * 8];
        float floats[13 * 10 * 8];
        for (size_t i = 0; i < 13 * 10 * 4; i++) {
            bytes[0][i] = (uint8_t)lrintf(trained.train.inputs[image][i] * 255.0f);
        }
        size_t height = plan.height, width = plan.width;
        for (uint32_t i = 0; i < net.layer_count; i++) {
            run_layer(&net.layers[i], bytes[i % 2], height, width, bytes[(i + 1) % 2], floats);
            height = (height + net.layers[i].stride - 1) / net.layers[i].stride;
            width = (width + net.layers[i].stride - 1) / net.layers[i].stride;
        }
        for (size_t i = 0; i < RESULTS; i++) {
            double result = (double)convnet_train_result(&trained.train, image)[i];
            highest = fabs(result) > highest ? fabs(result) : highest;
            /* A sum that lies on the edge between two steps may fall to the other side. */
            assert_true(fabs((double)floats[i] - result) < 0.02);
        }
    }
    assert_true(highest > 0.5);
    free(trained.workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backward_is_the_slope_of_the_reference),
        cmocka_unit_test(the_order_of_parts_does_not_change_a_bit_but_the_seed_does),
        cmocka_unit_test(training_lowers_the_loss_in_floats_and_in_whole_numbers),
        cmocka_unit_test(the_exported_network_computes_what_was_trained),
    };
    blas_use_one_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
