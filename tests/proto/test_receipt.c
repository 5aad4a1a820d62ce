/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "oversight.example/port/2026"
#define TREE 300u

static struct sign_key key;
static struct note_vkey vkey;
static uint8_t leaves[TREE][HASH_BYTES];
static char note[NOTE_BYTES_MAX];
static char text[RECEIPT_BYTES_MAX];

static void entry_text(uint64_t index, char out[32])
{
    (void)snprintf(out, 32, "entry number %llu", (unsigned long long)index);
}

static bool leaf_at(void *source, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES])
{
    (void)source;
    struct merkle_range range;
    merkle_range_init(&range);
    for (uint64_t i = index << level; i < (index + 1) << level; i++) {
        if (i >= TREE) {
            return false;
        }
        merkle_range_append(&range, leaves[i]);
    }
    merkle_range_root(&range, out);
    return true;
}

static void make_note(uint64_t size)
{
    struct checkpoint head = {.origin = ORIGIN, .size = size};
    assert_true(merkle_root(leaf_at, NULL, size, head.root));
    (void)checkpoint_sign(&head, &key, note);
}

static int set_up(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED_BYTES] = {7};
    if (!sign_init()) {
        return -1;
    }
    sign_key_from_seed(&key, seed);
    note_vkey_make(&vkey, ORIGIN, key.public_key);
    for (uint64_t i = 0; i < TREE; i++) {
        char entry[32];
        entry_text(i, entry);
        merkle_leaf(entry, strlen(entry), leaves[i]);
    }
    make_note(TREE);
    return 0;
}

/* The receipt of `index` in a tree of `size`, with its entry, in `text`. */
static size_t make_receipt(uint64_t index, uint64_t size, bool with_entry)
{
    struct receipt receipt = {.leaf_index = index};
    char entry[32];
    make_note(size);
    entry_text(index, entry);
    assert_true(
        merkle_inclusion(leaf_at, NULL, index, size, receipt.hashes, &receipt.hashes_count));
    receipt.checkpoint = note;
    receipt.checkpoint_bytes = strlen(note);
    size_t bytes = receipt_write(&receipt, with_entry ? (const uint8_t *)entry : NULL,
                                 strlen(entry), text, sizeof text);
    assert_int_equal(bytes, strlen(text));
    return bytes;
}

static enum receipt_fault judge(const char *bytes, size_t bytes_count)
{
    struct receipt receipt;
    struct checkpoint head;
    enum note_fault note_fault;
    uint8_t entry[64];
    uint8_t leaf[HASH_BYTES];
    size_t entry_bytes = 0;
    char *exact = malloc(bytes_count == 0 ? 1 : bytes_count); /* so that reading past it is seen */
    assert_non_null(exact);
    memcpy(exact, bytes, bytes_count);
    enum receipt_fault fault = receipt_read(exact, bytes_count, &receipt);
    if (fault == RECEIPT_GOOD && !receipt_extra(&receipt, entry, sizeof entry, &entry_bytes)) {
        fault = RECEIPT_MALFORMED;
    }
    if (fault == RECEIPT_GOOD) {
        merkle_leaf(entry, entry_bytes, leaf);
        fault = receipt_check(&receipt, leaf, &vkey, &head, &note_fault);
    }
    free(exact);
    return fault;
}

static void every_entry_of_every_size_proves_itself(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 7, 8, 9, 255, 256, 257, TREE};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (uint64_t i = 0; i < sizes[s]; i += sizes[s] < 20 ? 1 : 13) {
            assert_int_equal(judge(text, make_receipt(i, sizes[s], true)), RECEIPT_GOOD);
        }
    }
}

static void text_is_the_published_form(void **state)
{
    (void)state;
    struct receipt receipt = {.leaf_index = 5, .hashes_count = 1};
    char expected[512];
    char hash[64];
    memset(receipt.hashes[0], 0xab, HASH_BYTES);
    base64_encode(receipt.hashes[0], HASH_BYTES, hash);
    receipt.checkpoint = "test checkpoint\n";
    receipt.checkpoint_bytes = strlen(receipt.checkpoint);
    (void)snprintf(expected, sizeof expected,
                   "c2sp.org/tlog-proof@v1\nindex 5\n%s\n\ntest checkpoint\n", hash);
    assert_int_equal(receipt_write(&receipt, NULL, 0, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    (void)snprintf(expected, sizeof expected,
                   "c2sp.org/tlog-proof@v1\nextra AQI=\nindex 5\n%s\n\ntest checkpoint\n", hash);
    assert_int_equal(receipt_write(&receipt, (const uint8_t *)"\x01\x02", 2, text, sizeof text),
                     strlen(expected));
    assert_string_equal(text, expected);
    size_t bytes = strlen(expected);
    assert_int_equal(receipt_write(&receipt, (const uint8_t *)"\x01\x02", 2, text, bytes), 0);
    assert_int_equal(receipt_write(&receipt, (const uint8_t *)"\x01\x02", 2, text, bytes + 1),
                     bytes);
}

/* "Break one thing": replaces the first `from` by `to` in a good receipt of entry 41. */
static enum receipt_fault broken(const char *from, const char *to)
{
    static char changed[RECEIPT_BYTES_MAX];
    (void)make_receipt(41, TREE, true);
    const char *at = strstr(text, from);
    assert_non_null(at);
    int bytes = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                         at + strlen(from));
    return judge(changed, (size_t)bytes);
}

static void one_thing_broken_is_named(void **state)
{
    (void)state;
    assert_int_equal(broken("tlog-proof@v1", "tlog-proof@v1"), RECEIPT_GOOD);
    assert_int_equal(broken("tlog-proof@v1", "tlog-proof@v2"), RECEIPT_MALFORMED);
    assert_int_equal(broken("@v1\n", "@v1\r\n"), RECEIPT_MALFORMED);
    assert_int_equal(broken("extra ", "extra  "), RECEIPT_MALFORMED);
    assert_int_equal(broken("extra ", "extr "), RECEIPT_MALFORMED);
    assert_int_equal(broken("index 41", "index 041"), RECEIPT_MALFORMED);
    assert_int_equal(broken("index 41", "index -1"), RECEIPT_MALFORMED);
    assert_int_equal(broken("index 41", "index "), RECEIPT_MALFORMED);
    assert_int_equal(broken("index 41", "index 99999999999999999999"), RECEIPT_MALFORMED);
    assert_int_equal(broken("index 41", "index 40"), RECEIPT_NOT_INCLUDED);
    assert_int_equal(broken("index 41", "index 300"), RECEIPT_NOT_INCLUDED);
    assert_int_equal(broken("index 41\n", "index 41\nAA==\n"), RECEIPT_MALFORMED);
    assert_int_equal(broken("\n\n" ORIGIN, "\n" ORIGIN), RECEIPT_MALFORMED);
    assert_int_equal(broken("\n\n" ORIGIN, "\n\n\n" ORIGIN), RECEIPT_CHECKPOINT);
    assert_int_equal(broken("\n300\n", "\n301\n"), RECEIPT_CHECKPOINT);
    assert_int_equal(broken(ORIGIN, "another.example/log"), RECEIPT_CHECKPOINT);
}

static void too_many_hashes_refuse(void **state)
{
    (void)state;
    static char long_text[RECEIPT_BYTES_MAX + 64];
    char hash[64];
    uint8_t zeros[HASH_BYTES] = {0};
    struct receipt receipt;
    base64_encode(zeros, HASH_BYTES, hash);
    for (uint32_t count = MERKLE_LEVELS_MAX; count <= MERKLE_LEVELS_MAX + 1; count++) {
        size_t at = (size_t)sprintf(long_text, "c2sp.org/tlog-proof@v1\nindex 0\n");
        for (uint32_t i = 0; i < count; i++) {
            at += (size_t)sprintf(long_text + at, "%s\n", hash);
        }
        at += (size_t)sprintf(long_text + at, "\nx\n");
        assert_int_equal(receipt_read(long_text, at, &receipt),
                         count <= MERKLE_LEVELS_MAX ? RECEIPT_GOOD : RECEIPT_MALFORMED);
    }
    memset(long_text, 'a', sizeof long_text);
    assert_int_equal(receipt_read(long_text, sizeof long_text, &receipt), RECEIPT_TOO_LONG);
}

static void cut_or_changed_at_every_byte_never_holds(void **state)
{
    (void)state;
    size_t bytes = make_receipt(41, TREE, true);
    static char whole[RECEIPT_BYTES_MAX];
    memcpy(whole, text, bytes);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_not_equal(judge(whole, i), RECEIPT_GOOD);
        whole[i] ^= 1;
        assert_int_not_equal(judge(whole, bytes), RECEIPT_GOOD);
        whole[i] ^= 1;
    }
}

static void entry_absent_is_told(void **state)
{
    (void)state;
    struct receipt receipt;
    uint8_t entry[64];
    size_t entry_bytes = 0;
    size_t bytes = make_receipt(0, 1, false); /* no hashes either: a tree of one */
    assert_int_equal(receipt_read(text, bytes, &receipt), RECEIPT_GOOD);
    assert_int_equal(receipt.hashes_count, 0);
    assert_false(receipt_extra(&receipt, entry, sizeof entry, &entry_bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_of_every_size_proves_itself),
        cmocka_unit_test(text_is_the_published_form),
        cmocka_unit_test(one_thing_broken_is_named),
        cmocka_unit_test(too_many_hashes_refuse),
        cmocka_unit_test(cut_or_changed_at_every_byte_never_holds),
        cmocka_unit_test(entry_absent_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
