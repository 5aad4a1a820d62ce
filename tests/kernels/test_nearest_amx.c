/* SPDX-License-Identifier: Apache-2.0 */
/* All tests of test_nearest.c once more with AMX as the best path, by tile instructions emulated in
 * plain C: the objects of this program come before those of the library. */
#if defined(__x86_64__)
#define NEAREST_AMX_EMULATED
#include "tests/kernels/amx_emulated.h"
#include "kernels/nearest_amx.c"

#define NEAREST_TESTS_OF_AMX cmocka_unit_test(amx_check_finds_wrong_products),
/* The check that stands before the first use must refuse tiles that multiply otherwise. */
static void amx_check_finds_wrong_products(void **state)
{
    (void)state;
    emulated_fault = 1;
    assert_false(nearest_amx_allow());
    assert_int_not_equal(nearest_path_best(), NEAREST_AMX);
    emulated_fault = 0;
    assert_true(nearest_amx_allow());
    assert_true(emulated_products > 0);
}
#endif

#include "tests/kernels/test_nearest.c"
