/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "oversight.example.org/port/2026"

/* Key and signature made with `openssl pkeyutl -sign -rawin` from the seed 00 01 .. 1f, put
 * together in Python. */
static const char golden_vkey[] = ORIGIN "+83515680+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
static const char golden_text[] = ORIGIN "\n70000\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n";
static const char golden_line[] =
    "\xe2\x80\x94 " ORIGIN
    " g1FWgAo74knHsgiQ/EfXSi+WkomX/l2VOGnFogw/2btOuZ0olyiAbD+PFqgBeOTDFDOMBlD5b0d81XQLF"
    "VQLsMhfUgA=\n";
static const char foreign_line[] = "\xe2\x80\x94 witness.example.net AAAAAQECAwQF\n";

static struct note_vkey vkey;
static struct sign_key key;

static int key_prepare(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED_BYTES];
    for (uint8_t i = 0; i < sizeof seed; i++) {
        seed[i] = i;
    }
    assert_true(sign_init());
    sign_key_from_seed(&key, seed);
    assert_true(note_vkey_decode(golden_vkey, &vkey));
    return 0;
}

static enum note_fault text_try(const char *text)
{
    struct checkpoint out;
    size_t text_bytes = strlen(text);
    char *exact = malloc(text_bytes == 0 ? 1 : text_bytes); /* no terminating zero to lean on */
    assert_non_null(exact);
    memcpy(exact, text, text_bytes);
    enum note_fault fault = checkpoint_open(exact, text_bytes, &vkey, &out);
    free(exact);
    return fault;
}

static enum note_fault parts_try(const char *text, const char *gap, const char *lines)
{
    char note[2048];
    (void)snprintf(note, sizeof note, "%s%s%s", text, gap, lines);
    return text_try(note);
}

static void checkpoint_signed_here_equals_the_one_signed_by_openssl(void **state)
{
    (void)state;
    struct checkpoint checkpoint = {.origin = ORIGIN, .size = 70000};
    char out[NOTE_BYTES_MAX];
    char expected[NOTE_BYTES_MAX];
    sha256_of("root", 4, checkpoint.root);
    (void)snprintf(expected, sizeof expected, "%s\n%s", golden_text, golden_line);
    size_t bytes = checkpoint_sign(&checkpoint, &key, out);
    assert_string_equal(out, expected);
    assert_int_equal(bytes, strlen(expected));
    struct checkpoint back;
    assert_int_equal(checkpoint_open(out, bytes, &vkey, &back), NOTE_GOOD);
    assert_string_equal(back.origin, ORIGIN);
    assert_true(back.size == 70000);
    assert_true(hash_equal(back.root, checkpoint.root));
}

static void checkpoint_longest_origin_and_size_fit(void **state)
{
    (void)state;
    struct checkpoint checkpoint = {.size = UINT64_MAX};
    memset(checkpoint.origin, 'o', NOTE_ORIGIN_BYTES_MAX);
    char out[NOTE_BYTES_MAX];
    struct note_vkey longest;
    struct checkpoint back;
    size_t bytes = checkpoint_sign(&checkpoint, &key, out);
    note_vkey_make(&longest, checkpoint.origin, key.public_key);
    assert_int_equal(checkpoint_open(out, bytes, &longest, &back), NOTE_GOOD);
    assert_true(back.size == UINT64_MAX);
}

static void vkey_published_by_others_decodes(void **state)
{
    (void)state;
    const char *const known[] = {
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"};
    for (size_t i = 0; i < 2; i++) {
        struct note_vkey decoded;
        char text[NOTE_VKEY_BYTES_MAX];
        assert_true(note_vkey_decode(known[i], &decoded));
        note_vkey_encode(&decoded, text);
        assert_string_equal(text, known[i]);
    }
    struct note_vkey made;
    char text[NOTE_VKEY_BYTES_MAX];
    note_vkey_make(&made, ORIGIN, key.public_key);
    note_vkey_encode(&made, text);
    assert_string_equal(text, golden_vkey);
    assert_int_equal(made.key_id, 0x83515680);
}

static void vkey_broken_refuses(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumanN+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX",
        "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAAAA",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    };
    struct note_vkey out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (note_vkey_decode(bad[i], &out)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void origin_rules_hold(void **state)
{
    (void)state;
    char longest[NOTE_ORIGIN_BYTES_MAX + 2] = {0};
    memset(longest, 'o', NOTE_ORIGIN_BYTES_MAX);
    assert_true(note_origin_valid(longest));
    longest[NOTE_ORIGIN_BYTES_MAX] = 'o';
    assert_false(note_origin_valid(longest));
    assert_false(note_origin_valid(""));
    assert_false(note_origin_valid("a b"));
    assert_false(note_origin_valid("a+b"));
    assert_false(note_origin_valid("a\nb"));
    assert_false(note_origin_valid("a\x7f"));
    assert_false(note_origin_valid("h\xc3\xa9"));
}

static void checkpoint_broken_is_named(void **state)
{
    (void)state;
#define ROOT "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I="
    assert_int_equal(parts_try(golden_text, "\n", golden_line), NOTE_GOOD);
    static const struct {
        const char *what;
        const char *text;
        const char *gap;
        enum note_fault fault;
    } rows[] = {
        {"nothing", "", "", NOTE_MALFORMED},
        {"no gap", golden_text, "", NOTE_MALFORMED},
        {"two gaps", golden_text, "\n\n", NOTE_MALFORMED},
        {"fourth line", ORIGIN "\n70000\n" ROOT "\nextension\n", "\n", NOTE_MALFORMED},
        {"two lines", ORIGIN "\n70000\n", "\n", NOTE_MALFORMED},
        {"leading zero", ORIGIN "\n070000\n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"sign", ORIGIN "\n+70000\n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"space", ORIGIN "\n70000 \n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"no size", ORIGIN "\n\n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"2^64", ORIGIN "\n18446744073709551616\n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"carriage return", ORIGIN "\r\n70000\n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"empty origin", "\n70000\n" ROOT "\n", "\n", NOTE_MALFORMED},
        {"short root", ORIGIN "\n70000\nAAAA\n", "\n", NOTE_MALFORMED},
        {"loose root", ORIGIN "\n70000\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7J=\n", "\n",
         NOTE_MALFORMED},
        {"other size", ORIGIN "\n70001\n" ROOT "\n", "\n", NOTE_BAD_SIGNATURE},
        {"other root", ORIGIN "\n70000\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7M=\n", "\n",
         NOTE_BAD_SIGNATURE},
        {"other origin", "x" ORIGIN "\n70000\n" ROOT "\n", "\n", NOTE_WRONG_ORIGIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum note_fault fault = parts_try(rows[i].text, rows[i].gap, golden_line);
        if (fault != rows[i].fault) {
            fail_msg("%s: %s", rows[i].what, note_fault_text(fault));
        }
    }
    assert_int_equal(parts_try(ORIGIN "\n70000\nABNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n",
                               "\n", golden_line),
                     NOTE_BAD_SIGNATURE);
#undef ROOT
}

static void signature_lines_are_judged(void **state)
{
    (void)state;
    char both[1024];
    assert_int_equal(parts_try(golden_text, "\n", ""), NOTE_MALFORMED);
    assert_int_equal(parts_try(golden_text, "\n", foreign_line), NOTE_NOT_SIGNED);
    (void)snprintf(both, sizeof both, "%s%s%s", foreign_line, golden_line, foreign_line);
    assert_int_equal(parts_try(golden_text, "\n", both), NOTE_GOOD);
    /* Same name, other key id: a stranger. */
    assert_int_equal(parts_try(golden_text, "\n", "\xe2\x80\x94 " ORIGIN " AAAAAQECAwQF\n"),
                     NOTE_NOT_SIGNED);
    /* Right name and key id, too short a signature. */
    assert_int_equal(parts_try(golden_text, "\n", "\xe2\x80\x94 " ORIGIN " g1FWgAo7\n"),
                     NOTE_BAD_SIGNATURE);
    /* The first line of the key decides. */
    (void)snprintf(both, sizeof both, "\xe2\x80\x94 " ORIGIN " g1FWgAo7\n%s", golden_line);
    assert_int_equal(parts_try(golden_text, "\n", both), NOTE_BAD_SIGNATURE);
    /* Lines that are no signatures spoil the note, whoever signed besides. */
    const char *const broken[] = {"\n",
                                  "x\n",
                                  "\xe2\x80\x94 \n",
                                  "\xe2\x80\x94 name\n",
                                  "\xe2\x80\x94 name \n",
                                  "\xe2\x80\x94 name AAAA\n",
                                  "\xe2\x80\x94 name AAAAA\n",
                                  "\xe2\x80\x94  AAAAAQECAwQF\n",
                                  "\xe2\x80\x94 na+me AAAAAQECAwQF\n",
                                  "\xe2\x80\x94 name AAAAAQECAwQF \n",
                                  "\xe2\x80\x94 name AAAAAQECAwQF",
                                  "- name AAAAAQECAwQF\n"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        (void)snprintf(both, sizeof both, "%s%s", golden_line, broken[i]);
        if (parts_try(golden_text, "\n", both) != NOTE_MALFORMED) {
            fail_msg("accepted: %s", broken[i]);
        }
    }
}

static void checkpoint_every_changed_byte_is_noticed(void **state)
{
    (void)state;
    char note[1024];
    (void)snprintf(note, sizeof note, "%s\n%s", golden_text, golden_line);
    size_t bytes = strlen(note);
    for (size_t at = 0; at < bytes; at++) {
        for (int bit = 0; bit < 7; bit++) {
            note[at] = (char)(note[at] ^ (1 << bit));
            if (note[at] != '\0') {
                assert_int_not_equal(text_try(note), NOTE_GOOD);
            }
            note[at] = (char)(note[at] ^ (1 << bit));
        }
    }
    for (size_t cut = 0; cut < bytes; cut++) {
        struct checkpoint out;
        assert_int_not_equal(checkpoint_open(note, cut, &vkey, &out), NOTE_GOOD);
    }
}

static void checkpoint_beyond_the_bound_is_too_long(void **state)
{
    (void)state;
    static char note[NOTE_BYTES_MAX + 100];
    int bytes = snprintf(note, sizeof note, "%s\n%s", golden_text, golden_line);
    size_t at = (size_t)bytes;
    size_t line_bytes = strlen(foreign_line);
    while (at + line_bytes <= NOTE_BYTES_MAX) {
        memcpy(note + at, foreign_line, line_bytes);
        at += line_bytes;
    }
    struct checkpoint out;
    assert_int_equal(checkpoint_open(note, at, &vkey, &out), NOTE_GOOD);
    memcpy(note + at, foreign_line, line_bytes);
    assert_int_equal(checkpoint_open(note, at + line_bytes, &vkey, &out), NOTE_TOO_LONG);
}

static void paths_follow_tlog_tiles(void **state)
{
    (void)state;
    static const struct {
        uint32_t level;
        uint64_t index;
        uint32_t width;
        const char *path;
    } rows[] = {
        {0, 0, 256, "tile/0/000"},
        {0, 0, 17, "tile/0/000.p/17"},
        {3, 1067, 0, "tile/3/x001/067"},
        {1, 1234067, 1, "tile/1/x001/x234/067.p/1"},
        {0, 999, 255, "tile/0/999.p/255"},
        {0, 1000, 256, "tile/0/x001/000"},
        {63, UINT64_MAX, 255, "tile/63/x018/x446/x744/x073/x709/x551/615.p/255"},
    };
    char path[TILE_PATH_BYTES_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tile_path(rows[i].level, rows[i].index, rows[i].width, path);
        assert_string_equal(path, rows[i].path);
    }
    bundle_path(1067, 5, path);
    assert_string_equal(path, "tile/entries/x001/067.p/5");
    bundle_path(0, 0, path);
    assert_string_equal(path, "tile/entries/000");
}

static void bundle_steps_and_tells_a_cut(void **state)
{
    (void)state;
    const uint8_t bundle[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};
    size_t offset = 0;
    const uint8_t *entry = NULL;
    uint32_t bytes = 0;
    assert_true(bundle_next(bundle, sizeof bundle, &offset, &entry, &bytes));
    assert_int_equal(bytes, 3);
    assert_memory_equal(entry, "abc", 3);
    assert_true(bundle_next(bundle, sizeof bundle, &offset, &entry, &bytes));
    assert_int_equal(bytes, 0);
    assert_true(bundle_next(bundle, sizeof bundle, &offset, &entry, &bytes));
    assert_memory_equal(entry, "d", 1);
    assert_false(bundle_next(bundle, sizeof bundle, &offset, &entry, &bytes));
    assert_int_equal(offset, sizeof bundle);
    for (size_t cut = 0; cut < sizeof bundle; cut++) {
        offset = 0;
        while (bundle_next(bundle, cut, &offset, &entry, &bytes)) {
        }
        bool is_border = cut == 0 || cut == 5 || cut == 7;
        assert_int_equal(offset == cut, is_border);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint_signed_here_equals_the_one_signed_by_openssl),
        cmocka_unit_test(checkpoint_longest_origin_and_size_fit),
        cmocka_unit_test(vkey_published_by_others_decodes),
        cmocka_unit_test(vkey_broken_refuses),
        cmocka_unit_test(origin_rules_hold),
        cmocka_unit_test(checkpoint_broken_is_named),
        cmocka_unit_test(signature_lines_are_judged),
        cmocka_unit_test(checkpoint_every_changed_byte_is_noticed),
        cmocka_unit_test(checkpoint_beyond_the_bound_is_too_long),
        cmocka_unit_test(paths_follow_tlog_tiles),
        cmocka_unit_test(bundle_steps_and_tells_a_cut),
    };
    return cmocka_run_group_tests(tests, key_prepare, NULL);
}
