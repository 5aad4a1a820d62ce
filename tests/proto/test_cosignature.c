/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/cosignature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Key and cosignature made with `openssl pkeyutl -sign -rawin` from the seed 20 21 .. 3f, put
 * together in Python. */
#define WITNESS "witness.example.org/lab"
#define TIME_S 1763769600u
static const char golden_vkey[] = WITNESS "+dbdec3f9+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
static const char golden_text[] = "oversight.example.org/port/2026\n70000\n"
                                  "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n";
static const char golden_line[] =
    "\xe2\x80\x94 " WITNESS
    " 297D+QAAAABpIP0ARghEsq8b8l0MRnse4z9CiIB0gBGufyXVY9Yi/D5r9DfaPQAUPGTQ+W07wh/rhYHE2eXydVqz"
    "gMOMypg5yOvhBg==\n";

static struct sign_key key;
static struct note_vkey vkey;

static int key_prepare(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED_BYTES];
    for (uint8_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)(0x20 + i);
    }
    assert_true(sign_init());
    sign_key_from_seed(&key, seed);
    assert_true(note_vkey_decode_typed(NOTE_KEY_WITNESS, golden_vkey, &vkey));
    return 0;
}

static struct note_signature line_of(const char *text)
{
    struct note_signature line;
    size_t at = 0;
    assert_true(note_signature_next(text, strlen(text), &at, &line));
    assert_int_equal(at, strlen(text));
    return line;
}

static void cosignature_made_here_equals_the_one_made_by_openssl(void **state)
{
    (void)state;
    char line[NOTE_LINE_BYTES_MAX];
    size_t bytes = cosignature_make(golden_text, strlen(golden_text), WITNESS, &key, TIME_S, line);
    assert_string_equal(line, golden_line);
    assert_int_equal(bytes, strlen(golden_line));
    struct note_signature read = line_of(golden_line);
    uint64_t time_s = 0;
    assert_int_equal(cosignature_check(golden_text, strlen(golden_text), &read, &vkey, &time_s),
                     COSIGNATURE_GOOD);
    assert_int_equal(time_s, TIME_S);
}

static void key_types_are_kept_apart(void **state)
{
    (void)state;
    struct note_vkey out;
    char text[NOTE_VKEY_BYTES_MAX];
    assert_false(note_vkey_decode(golden_vkey, &out)); /* a witness's key signs no log */
    note_vkey_encode_typed(NOTE_KEY_WITNESS, &vkey, text);
    assert_string_equal(text, golden_vkey);
    note_vkey_make(&out, WITNESS, key.public_key);
    assert_int_not_equal(out.key_id, vkey.key_id);
    note_vkey_encode(&out, text);
    assert_false(note_vkey_decode_typed(NOTE_KEY_WITNESS, text, &out));
}

static void longest_name_fits(void **state)
{
    (void)state;
    char name[NOTE_ORIGIN_BYTES_MAX + 1] = {0};
    char line[NOTE_LINE_BYTES_MAX];
    memset(name, 'w', NOTE_ORIGIN_BYTES_MAX);
    size_t bytes = cosignature_make(golden_text, strlen(golden_text), name, &key, INT64_MAX, line);
    assert_int_equal(bytes, strlen(line));
    assert_int_equal(line[bytes - 1], '\n');
    assert_true(bytes < NOTE_LINE_BYTES_MAX);
    struct note_vkey long_key;
    struct note_signature read = line_of(line);
    uint64_t time_s = 0;
    note_vkey_make_typed(NOTE_KEY_WITNESS, &long_key, name, key.public_key);
    assert_int_equal(cosignature_check(golden_text, strlen(golden_text), &read, &long_key, &time_s),
                     COSIGNATURE_GOOD);
    assert_true(time_s == INT64_MAX);
}

/* What is broken in a good line, and what it is called. */
static void breaks_are_named(void **state)
{
    (void)state;
    enum { BYTE_NAME, BYTE_ID, BYTE_TIME, BYTE_TIME_TOP, BYTE_SIGNATURE, SHORTER, LONGER };
    static const struct {
        const char *what;
        int change;
        enum cosignature_fault fault;
    } rows[] = {
        {"another name", BYTE_NAME, COSIGNATURE_OTHER_KEY},
        {"another key id", BYTE_ID, COSIGNATURE_OTHER_KEY},
        {"another second", BYTE_TIME, COSIGNATURE_FORGED},
        {"time beyond 2^63", BYTE_TIME_TOP, COSIGNATURE_TIME_RANGE},
        {"another signature", BYTE_SIGNATURE, COSIGNATURE_FORGED},
        {"a byte less", SHORTER, COSIGNATURE_LENGTH},
        {"a byte more", LONGER, COSIGNATURE_LENGTH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct note_signature line = line_of(golden_line);
        uint64_t time_s = 7;
        switch (rows[i].change) {
        case BYTE_NAME:
            line.name_bytes--;
            break;
        case BYTE_ID:
            line.key_id ^= 1;
            break;
        case BYTE_TIME:
            line.bytes[7] ^= 1;
            break;
        case BYTE_TIME_TOP:
            line.bytes[0] ^= 0x80;
            break;
        case BYTE_SIGNATURE:
            line.bytes[8] ^= 1;
            break;
        default:
            line.bytes_count += rows[i].change == SHORTER ? (size_t)-1 : 1;
            break;
        }
        enum cosignature_fault fault =
            cosignature_check(golden_text, strlen(golden_text), &line, &vkey, &time_s);
        if (fault != rows[i].fault || time_s != 7) {
            fail_msg("%s: %s", rows[i].what, cosignature_fault_text(fault));
        }
    }
}

static void every_changed_byte_of_text_and_line_is_noticed(void **state)
{
    (void)state;
    char text[sizeof golden_text];
    uint64_t time_s = 0;
    struct note_signature line = line_of(golden_line);
    memcpy(text, golden_text, sizeof text);
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        text[i] ^= 1;
        assert_int_equal(cosignature_check(text, strlen(golden_text), &line, &vkey, &time_s),
                         COSIGNATURE_FORGED);
        text[i] ^= 1;
        assert_int_equal(cosignature_check(text, i, &line, &vkey, &time_s), COSIGNATURE_FORGED);
    }
    for (size_t i = 0; i < line.bytes_count; i++) {
        line.bytes[i] ^= 1;
        assert_int_not_equal(
            cosignature_check(golden_text, strlen(golden_text), &line, &vkey, &time_s),
            COSIGNATURE_GOOD);
        line.bytes[i] ^= 1;
    }
    char longer[COSIGNATURE_TEXT_BYTES_MAX + 1];
    memset(longer, 'x', sizeof longer);
    assert_int_equal(cosignature_check(longer, sizeof longer, &line, &vkey, &time_s),
                     COSIGNATURE_FORGED);
}

/* A log's own signature must not pass for a cosignature by the same key pair, nor the other way. */
static void signatures_of_a_log_are_no_cosignatures(void **state)
{
    (void)state;
    char line[NOTE_LINE_BYTES_MAX];
    uint8_t signature[COSIGNATURE_SIGNATURE_BYTES] = {0};
    uint64_t time_s = 0;
    sign_bytes(&key, golden_text, strlen(golden_text), signature + 8);
    (void)note_signature_write(WITNESS, vkey.key_id, signature, sizeof signature, line);
    struct note_signature read = line_of(line);
    assert_int_equal(cosignature_check(golden_text, strlen(golden_text), &read, &vkey, &time_s),
                     COSIGNATURE_FORGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosignature_made_here_equals_the_one_made_by_openssl),
        cmocka_unit_test(key_types_are_kept_apart),
        cmocka_unit_test(longest_name_fits),
        cmocka_unit_test(breaks_are_named),
        cmocka_unit_test(every_changed_byte_of_text_and_line_is_noticed),
        cmocka_unit_test(signatures_of_a_log_are_no_cosignatures),
    };
    return cmocka_run_group_tests(tests, key_prepare, NULL);
}
