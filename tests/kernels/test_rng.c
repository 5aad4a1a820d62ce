/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/rng.h"

#include <math.h>

#include "tests/kernels/draw.h"

/* Vectors printed by the authors' reference programs. */
static void rng_matches_published_vectors(void **state)
{
    (void)state;
    uint64_t seed = UINT64_C(1234567);
    assert_true(rng_splitmix(&seed) == UINT64_C(6457827717110365317));
    assert_true(rng_splitmix(&seed) == UINT64_C(3203168211198807973));
    struct rng rng = {{1, 2, 3, 4}};
    assert_true(rng_next(&rng) == UINT64_C(41943041));
    assert_true(rng_next(&rng) == UINT64_C(58720359));
    assert_true(rng_next(&rng) == UINT64_C(3588806011781223));
    assert_true(rng_next(&rng) == UINT64_C(3591011842654386));
}

static void rng_streams_differ_and_repeat(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 1, 2);
    rng_init(&b, 2, 1);
    rng_init(&c, 1, 2);
    uint64_t first = rng_next(&a);
    assert_true(first != rng_next(&b));
    assert_true(first == rng_next(&c));
}

/* Mean and variance within five standard errors of 20,000 draws, on both sides of each change of
 * method. */
static void rng_poisson_has_poisson_moments(void **state)
{
    (void)state;
    static const double means[] = {0.3, 4, 11.9, 12.1, 80, 1000, 1030, 5e5};
    enum { DRAWS = 20000 };
    for (size_t m = 0; m < sizeof means / sizeof *means; m++) {
        struct rng rng;
        rng_init(&rng, 77, m);
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < DRAWS; i++) {
            double from_mean = rng_poisson(&rng, means[m]) - means[m];
            sum += from_mean;
            squares += from_mean * from_mean;
        }
        double fourth = 3 * means[m] * means[m] + means[m];
        assert_true(fabs(sum / DRAWS) < 5 * sqrt(means[m] / DRAWS));
        assert_true(fabs(squares / DRAWS - means[m]) < 5 * sqrt(fourth / DRAWS));
    }
    struct rng rng;
    rng_init(&rng, 1, 1);
    assert_true(rng_poisson(&rng, 0) <= 0 && rng_poisson(&rng, -3) <= 0);
    assert_true(rng_poisson(&rng, NAN) <= 0);
}

static void rng_normal_and_below_fill_their_range(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    struct rng rng;
    rng_init(&rng, 5, 5);
    double sum = 0;
    double squares = 0;
    int inside = 0;
    int counts[7] = {0};
    for (int i = 0; i < DRAWS; i++) {
        double value = rng_normal(&rng);
        sum += value;
        squares += value * value;
        inside += fabs(value) < 1.959964;
        counts[rng_below(&rng, 7)]++;
        double uniform = rng_uniform(&rng);
        assert_true(uniform >= 0 && uniform < 1);
    }
    assert_true(fabs(sum / DRAWS) < 5 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs((double)inside / DRAWS - 0.95) < 0.01);
    for (int k = 0; k < 7; k++) {
        assert_true(fabs(counts[k] - DRAWS / 7.0) < 5 * sqrt(DRAWS / 7.0));
    }
    assert_true(rng_below(&rng, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_matches_published_vectors),
        cmocka_unit_test(rng_streams_differ_and_repeat),
        cmocka_unit_test(rng_poisson_has_poisson_moments),
        cmocka_unit_test(rng_normal_and_below_fill_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
