/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "score/blas_core.h"

static void core_wanted_follows_the_processor(void **state)
{
    (void)state;
    const struct {
        struct blas_core_processor processor;
        const char *wanted;
    } rows[] = {
        {{.amd = false}, ""},
        {{.avx2_fma = true}, "Haswell"},
        {{.amd = true, .avx2_fma = true}, "Zen"},
        {{.avx2_fma = true, .avx512 = true}, "SkylakeX"},
        {{.amd = true, .avx2_fma = true, .avx512 = true}, "SkylakeX"},
        {{.avx2_fma = true, .avx512 = true, .avx512_bf16 = true}, "Cooperlake"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(blas_core_wanted(&rows[i].processor), rows[i].wanted);
    }
}

static void core_is_forced_only_towards_wider_kernels(void **state)
{
    (void)state;
    assert_true(blas_core_is_better("Cooperlake", "Prescott"));
    assert_true(blas_core_is_better("SkylakeX", "Haswell"));
    assert_true(blas_core_is_better("Zen", "Prescott"));
    assert_false(blas_core_is_better("Zen", "Haswell"));
    assert_false(blas_core_is_better("Haswell", "SkylakeX"));
    assert_false(blas_core_is_better("Cooperlake", "SapphireRapids"));
    assert_false(blas_core_is_better("", "Prescott"));
    assert_false(blas_core_is_better("Haswell", "haswell"));
}

/* Runs a command and returns what it says in its first line. */
static void say(const char *command, char *out, int out_bytes)
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(out, out_bytes, pipe));
    assert_int_equal(pclose(pipe), 0);
    out[strcspn(out, "\n")] = '\0';
}

static void program_on_lesser_kernels_starts_again_once_with_its_arguments(void **state)
{
    (void)state;
    struct blas_core_processor processor = blas_core_detect();
    const char *wanted = blas_core_wanted(&processor);
    char line[512];
    char expected[512];
    char command[1024];
    if (wanted[0] == '\0') {
        printf("SKIP: this processor has nothing wider\n");
        skip();
    }
    /* A library that does as it is told. */
    const char *program = BINARY_DIR "/tests/blas_core_probe";
    snprintf(command, sizeof command,
             "env -u OPENBLAS_CORETYPE -u TRIAGED_BLAS_CORE_WAS %s one 'two three'", program);
    say(command, line, sizeof line);
    snprintf(expected, sizeof expected,
             "one|two three|%s, forced (the library had chosen Prescott)", wanted);
    assert_string_equal(line, expected);
    /* A library that knows no AVX-512 core with bf16. */
    if (strcmp(wanted, "Cooperlake") == 0) {
        snprintf(command, sizeof command,
                 "env -u OPENBLAS_CORETYPE -u TRIAGED_BLAS_CORE_WAS PROBE_OLD=1 %s one 'two three'",
                 program);
        say(command, line, sizeof line);
        assert_string_equal(line,
                            "one|two three|SkylakeX, forced (the library had chosen Prescott)");
    }
    /* A library that does not listen: no loop. */
    snprintf(command, sizeof command,
             "env -u OPENBLAS_CORETYPE -u TRIAGED_BLAS_CORE_WAS PROBE_DEAF=1 %s a b", program);
    say(command, line, sizeof line);
    assert_string_equal(line, "a|b|Prescott, forced (the library had chosen Prescott)");
    /* The operator has chosen. */
    snprintf(command, sizeof command,
             "env -u TRIAGED_BLAS_CORE_WAS OPENBLAS_CORETYPE=Nehalem %s a b", program);
    say(command, line, sizeof line);
    assert_string_equal(line, "a|b|Nehalem, as the environment asks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_wanted_follows_the_processor),
        cmocka_unit_test(core_is_forced_only_towards_wider_kernels),
        cmocka_unit_test(program_on_lesser_kernels_starts_again_once_with_its_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
