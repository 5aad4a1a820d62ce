/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/witness_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HASH "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
#define NOTE                                                                                     \
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"    \
    "\xe2\x80\x94 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4" \
    "URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
/* The example of the specification. */
static const char golden[] =
    "old 20852014\n" HASH "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n" NOTE
    "\xe2\x80\x94 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlC"
    "um2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

static enum witness_request_fault body_try(const char *body, size_t body_bytes)
{
    struct witness_request request;
    struct checkpoint checkpoint;
    char *exact = malloc(body_bytes == 0 ? 1 : body_bytes); /* nothing behind it to lean on */
    assert_non_null(exact);
    memcpy(exact, body, body_bytes);
    enum witness_request_fault fault =
        witness_request_read(exact, body_bytes, &request, &checkpoint);
    free(exact);
    return fault;
}

static void example_of_the_specification_is_read_and_written_again(void **state)
{
    (void)state;
    struct witness_request request;
    struct checkpoint checkpoint;
    static char out[WITNESS_REQUEST_BYTES_MAX];
    assert_int_equal(witness_request_read(golden, strlen(golden), &request, &checkpoint),
                     WITNESS_REQUEST_GOOD);
    assert_true(request.old_size == 20852014);
    assert_int_equal(request.hashes_count, 4);
    assert_true(checkpoint.size == 20852163);
    assert_string_equal(checkpoint.origin, "example.com/behind-the-sofa");
    assert_int_equal(witness_request_write(&request, out), strlen(golden));
    assert_string_equal(out, golden);
    size_t proof_bytes = witness_request_write_proof(&request, out);
    assert_int_equal(proof_bytes, strlen(out));
    assert_memory_equal(out, golden, proof_bytes);
    assert_int_equal(golden[proof_bytes], '\n');
}

static void breaks_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *body;
        enum witness_request_fault fault;
    } rows[] = {
        {"as it should be", "old 0\n\n" NOTE, WITNESS_REQUEST_GOOD},
        {"equal sizes", "old 20852163\n\n" NOTE, WITNESS_REQUEST_GOOD},
        {"nothing", "", WITNESS_REQUEST_OLD_LINE},
        {"no old line", "\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"upper case", "Old 0\n\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"no size", "old \n\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"two spaces", "old  0\n\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"leading zero", "old 01\n\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"sign", "old -1\n\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"2^64", "old 18446744073709551616\n\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"carriage return", "old 0\r\n\r\n" NOTE, WITNESS_REQUEST_OLD_LINE},
        {"newer than the checkpoint", "old 20852164\n\n" NOTE, WITNESS_REQUEST_OLD_SIZE},
        {"no base64", "old 0\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpka!=\n\n" NOTE,
         WITNESS_REQUEST_HASH},
        {"a short hash", "old 0\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDp\n\n" NOTE,
         WITNESS_REQUEST_HASH},
        {"loose padding bits", "old 0\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkax=\n\n" NOTE,
         WITNESS_REQUEST_HASH},
        {"no empty line", "old 0\n" HASH, WITNESS_REQUEST_CUT},
        {"no checkpoint", "old 0\n\n", WITNESS_REQUEST_CHECKPOINT},
        {"no signature",
         "old 0\n\nexample.com/behind-the-sofa\n20852163\n"
         "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n",
         WITNESS_REQUEST_CHECKPOINT},
        {"two empty lines", "old 0\n\n\n" NOTE, WITNESS_REQUEST_CHECKPOINT},
        {"bytes behind it", "old 0\n\n" NOTE "x", WITNESS_REQUEST_CHECKPOINT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum witness_request_fault fault = body_try(rows[i].body, strlen(rows[i].body));
        if (fault != rows[i].fault) {
            fail_msg("%s: %s", rows[i].what, witness_request_fault_text(fault));
        }
    }
}

static void sixty_three_hashes_and_no_more(void **state)
{
    (void)state;
    static char body[WITNESS_REQUEST_BYTES_MAX];
    for (uint32_t count = 0; count <= WITNESS_PROOF_HASHES_MAX + 1; count++) {
        size_t at = (size_t)snprintf(body, sizeof body, "old 1\n");
        for (uint32_t i = 0; i < count; i++) {
            at += (size_t)snprintf(body + at, sizeof body - at, HASH);
        }
        at += (size_t)snprintf(body + at, sizeof body - at, "\n" NOTE);
        assert_int_equal(body_try(body, at), count <= WITNESS_PROOF_HASHES_MAX
                                                 ? WITNESS_REQUEST_GOOD
                                                 : WITNESS_REQUEST_HASHES);
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    size_t second_signature = strlen(golden) - strlen(strstr(golden, "YQ8=\n")) + 5;
    for (size_t cut = 0; cut < strlen(golden); cut++) {
        if (cut != second_signature) { /* one signature less is a request too */
            assert_int_not_equal(body_try(golden, cut), WITNESS_REQUEST_GOOD);
        }
    }
}

static void longest_request_fits_and_one_byte_more_does_not(void **state)
{
    (void)state;
    static char body[WITNESS_REQUEST_BYTES_MAX + 1];
    memset(body, 'o', sizeof body);
    assert_int_equal(body_try(body, WITNESS_REQUEST_BYTES_MAX), WITNESS_REQUEST_TOO_LONG);
    assert_int_equal(body_try(body, WITNESS_REQUEST_BYTES_MAX - 1), WITNESS_REQUEST_OLD_LINE);
    static char note[NOTE_BYTES_MAX];
    static struct witness_request request = {.old_size = UINT64_MAX,
                                             .hashes_count = WITNESS_PROOF_HASHES_MAX};
    memset(note, 'n', sizeof note);
    request.note = note;
    request.note_bytes = sizeof note;
    size_t bytes = witness_request_write(&request, body);
    assert_int_equal(bytes, WITNESS_REQUEST_BYTES_MAX - 1);
    assert_int_equal(body[bytes], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_specification_is_read_and_written_again),
        cmocka_unit_test(breaks_are_named),
        cmocka_unit_test(sixty_three_hashes_and_no_more),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(longest_request_fits_and_one_byte_more_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
