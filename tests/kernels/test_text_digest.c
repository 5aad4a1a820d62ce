/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/text_digest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernels/draw.h"

__extension__ typedef unsigned __int128 u128;

static void draw_key(uint64_t seed, struct text_digest_key *key)
{
    struct rng rng;
    uint64_t words[sizeof *key / sizeof(uint64_t)];
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        words[i] = rng_next(&rng);
    }
    memcpy(key, words, sizeof *key);
}

/* The digest by its definition in the header, digit by digit. */
static uint64_t digest_by_the_page(const struct text_digest_key *key, uint32_t field,
                                   const char *text)
{
    unsigned char folded[1024] = {0};
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t count = strnlen(text, TEXT_DIGEST_BYTES_MAX);
    while (count > 0 && isspace((unsigned char)text[count - 1])) {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        folded[i] = (unsigned char)toupper((unsigned char)text[i]);
    }
    uint64_t words[128];
    memcpy(words, folded, sizeof words);
    u128 sum = 0;
    for (size_t i = 0; 16 * i < count; i++) {
        sum +=
            (u128)(words[2 * i] + key->blocks[2 * i]) * (words[2 * i + 1] + key->blocks[2 * i + 1]);
    }
    uint64_t x = count <= 16 ? words[0] : (uint64_t)sum;
    uint64_t y = count <= 16 ? words[1] : (uint64_t)(sum >> 64);
    return count == 0 ? 0 : text_digest_words(key, field, x, y);
}

static void draw_text(struct rng *rng, char *out, size_t bytes_max)
{
    static const char letters[] = "ab zAZ\t09~{`@[\x80\xc3\xff-_\v";
    size_t count = rng_below(rng, bytes_max + 1);
    for (size_t i = 0; i < count; i++) {
        out[i] = letters[rng_below(rng, sizeof letters - 1)];
    }
    out[count] = '\0';
}

/* Texts that end right before a page that must not be touched, and texts that do not. */
static void digests_are_those_of_the_page_and_nothing_else_is_read(void **state)
{
    (void)state;
    static struct text_digest_key key;
    draw_key(1, &key);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    struct rng rng;
    rng_init(&rng, 2, 0);
    for (unsigned round = 0; round < 20000; round++) {
        char text[700];
        memset(pages, 'x', page);
        draw_text(&rng, text, round % 4 == 0 ? 640 : round % 4 == 1 ? 80 : 20);
        size_t bytes = strlen(text) + 1;
        char *last = pages + page - bytes;
        const char *texts[2] = {memcpy(last, text, bytes), text};
        uint8_t field = (uint8_t)rng_below(&rng, TEXT_DIGEST_FIELDS);
        const uint8_t fields[2] = {field, field};
        uint64_t expected = digest_by_the_page(&key, field, text);
        for (int path = TEXT_DIGEST_PORTABLE; path <= (int)text_digest_path_best(); path++) {
            uint64_t made[2];
            text_digest_many_by((enum text_digest_path)path, &key, texts, fields, 2, made);
            assert_true(made[0] == expected && made[1] == expected);
        }
    }
    assert_int_equal(munmap(pages, 2 * page), 0);
}

/* A column says of each text what the page says of it, whoever stands beside it: short and long
 * ones, such with spaces at their ends, and such that end right before a page that must not be
 * touched. */
static void columns_of_texts_say_what_each_says(void **state)
{
    (void)state;
    static struct text_digest_key key;
    enum { COUNT = 24 };
    draw_key(3, &key);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    struct rng rng;
    rng_init(&rng, 6, 0);
    for (unsigned round = 0; round < 6000; round++) {
        static char room[COUNT][700];
        const char *texts[COUNT];
        uint64_t made[COUNT];
        uint32_t field = (uint32_t)rng_below(&rng, TEXT_DIGEST_FIELDS);
        for (size_t i = 0; i < COUNT; i++) {
            uint64_t kind = rng_below(&rng, round % 3 == 0 ? 40 : 6);
            memset(room[i], 'x', 40);
            draw_text(&rng, room[i], kind == 0 ? 20 : kind == 1 ? 600 : kind == 2 ? 15 : 7);
            texts[i] = room[i];
        }
        size_t chosen = rng_below(&rng, COUNT);
        size_t bytes = strlen(room[chosen]) + 1;
        texts[chosen] = memcpy(pages + page - bytes, room[chosen], bytes);
        for (int path = TEXT_DIGEST_PORTABLE; path <= (int)text_digest_path_best(); path++) {
            text_digest_column_by((enum text_digest_path)path, &key, field, texts, COUNT, made);
            for (size_t i = 0; i < COUNT; i++) {
                assert_true(made[i] == digest_by_the_page(&key, field, room[i]));
            }
        }
    }
    assert_int_equal(munmap(pages, 2 * page), 0);
}

/* Sums that carry, too: words and keys of ones alone. */
static void columns_of_numbers_say_what_each_says(void **state)
{
    (void)state;
    static struct text_digest_key key;
    const uint64_t words[8] = {0, 1, UINT64_MAX, UINT32_MAX, UINT64_C(1) << 32, 7, 440890, 1 << 15};
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t made[8];
        draw_key(seed, &key);
        if (seed < 4) {
            key.fields[5].a[0] = seed == 0 ? UINT64_MAX : 1;
            key.fields[5].c[0] = seed == 2 ? 0 : UINT64_MAX;
        }
        uint64_t there = seed * 37 & 0xff;
        for (int path = TEXT_DIGEST_PORTABLE; path <= (int)text_digest_path_best(); path++) {
            text_digest_numbers_by((enum text_digest_path)path, &key, 5, words, there, 8, made);
            for (size_t i = 0; i < 8; i++) {
                uint64_t expected = text_digest_words(&key, 5, words[i], 0);
                assert_true(made[i] == ((there >> i & 1) != 0 ? expected : 0));
            }
        }
    }
}

/* Neither another key nor another field shares digests, and a spelling makes none. */
static void digests_depend_on_key_and_field_not_on_spelling(void **state)
{
    (void)state;
    static struct text_digest_key keys[2];
    draw_key(1, &keys[0]);
    draw_key(2, &keys[1]);
    const char *const texts[] = {"Acme", " aCME\t", "Acme", "Acmf", ""};
    const uint8_t fields[] = {3, 3, 4, 3, 3};
    uint64_t first[5];
    uint64_t second[5];
    text_digest_many(&keys[0], texts, fields, 5, first);
    text_digest_many(&keys[1], texts, fields, 5, second);
    assert_true(first[0] == first[1] && first[0] != 0 && first[4] == 0);
    assert_true(first[0] != first[2] && first[0] != first[3] && first[0] != second[0]);
}

/* 64 random bits: 100,000 neighbouring texts fill the classes of every byte alike. */
static void digests_of_neighbouring_texts_are_spread(void **state)
{
    (void)state;
    static struct text_digest_key key;
    static uint32_t seen[8][256];
    draw_key(5, &key);
    for (unsigned i = 0; i < 100000; i++) {
        char text[32];
        const char *texts[1] = {text};
        const uint8_t field = 0;
        uint64_t digest;
        (void)snprintf(text, sizeof text, "IMP%06u", i);
        text_digest_many(&key, texts, &field, 1, &digest);
        for (int byte = 0; byte < 8; byte++) {
            seen[byte][digest >> (8 * byte) & 0xff]++;
        }
    }
    for (int byte = 0; byte < 8; byte++) {
        for (int value = 0; value < 256; value++) {
            assert_in_range(seen[byte][value], 290, 495); /* 391, five standard deviations */
        }
    }
}

static void joined_digests_tell_kinds_and_absent_parts(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9, 0);
    uint64_t parts[3][64];
    for (size_t i = 0; i < 64; i++) {
        for (size_t part = 0; part < 3; part++) {
            parts[part][i] = rng_below(&rng, 6) == 0 ? 0 : rng_next(&rng);
        }
    }
    parts[0][7] = 5; /* nothing above the kind's bits */
    parts[1][7] = 1;
    parts[2][7] = 4;
    const uint64_t *const columns[3] = {parts[0], parts[1], parts[2]};
    for (size_t count = 0; count <= 3; count++) {
        for (int path = TEXT_DIGEST_PORTABLE; path <= (int)text_digest_path_best(); path++) {
            uint64_t keys[64];
            text_digest_join_by((enum text_digest_path)path, columns, count, 64, 37, keys);
            for (size_t i = 0; i < 64; i++) {
                uint64_t joined = 0;
                bool there = true;
                for (size_t part = 0; part < count; part++) {
                    joined ^= parts[part][i];
                    there = there && parts[part][i] != 0;
                }
                uint64_t expected = joined >> 6 != 0 ? (joined >> 6 << 6) + 37 : 64 + 37;
                assert_true(keys[i] == (there ? expected : 0));
            }
        }
    }
}

static void names_are_told_byte_for_byte(void **state)
{
    (void)state;
    const char *const names[] = {"office", "office_id", "Tax Type", "Country of Origin Indicator"};
    const char *const asked[] = {"office",
                                 "offic",
                                 "office_id",
                                 "Office",
                                 "Country of Origin Indicator",
                                 "",
                                 "office_id_that_is_longer_than_a_known_name_can_be",
                                 "Tax Type",
                                 "Tax Typf"};
    const int8_t expected[] = {0, -1, 1, -1, 3, -1, -1, 2, -1};
    struct text_names known;
    assert_true(text_names_make(names, 4, &known));
    for (int path = TEXT_DIGEST_PORTABLE; path <= (int)text_digest_path_best(); path++) {
        int8_t told[9];
        text_names_find_many_by((enum text_digest_path)path, &known, asked, 1, 9, told);
        assert_memory_equal(told, expected, sizeof told);
    }
    const char *const twice[] = {"a", "a"};
    const char *const empty[] = {""};
    assert_false(text_names_make(twice, 2, &known));
    assert_false(text_names_make(empty, 1, &known));
}

static void rows_of_names_are_told_byte_for_byte(void **state)
{
    (void)state;
    const char *const names[] = {"office", "", "Tax Type", "thirty-one bytes make a long na"};
    const char *const others[][4] = {
        {"offic", "", "Tax Type", "thirty-one bytes make a long na"},
        {"office", "", "Tax Type ", "thirty-one bytes make a long na"},
        {"office", "", "Tax Type", "thirty-one bytes make a long nam"},
        {"office", "x", "Tax Type", "thirty-one bytes make a long na"},
        {"office", "", "tax Type", "thirty-one bytes make a long na"},
        {"office", "", "", "thirty-one bytes make a long na"},
    };
    struct text_row row;
    assert_true(text_row_make(names, 1, 4, &row));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    const char *const last[] = {memcpy(pages + page - 7, "office", 7), "", "Tax Type", names[3]};
    for (int path = TEXT_DIGEST_PORTABLE; path <= (int)text_digest_path_best(); path++) {
        enum text_digest_path by = (enum text_digest_path)path;
        assert_true(text_row_is_by(by, &row, names, 1, 4));
        assert_true(text_row_is_by(by, &row, last, 1, 4));
        assert_false(text_row_is_by(by, &row, names, 1, 3));
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            assert_false(text_row_is_by(by, &row, others[i], 1, 4));
        }
    }
    assert_int_equal(munmap(pages, 2 * page), 0);
    assert_false(text_row_make(others[2], 1, 4, &row));
    const char *many[TEXT_ROW_MAX + 1];
    for (size_t i = 0; i <= TEXT_ROW_MAX; i++) {
        many[i] = "a";
    }
    assert_true(text_row_make(many, 1, TEXT_ROW_MAX, &row));
    assert_false(text_row_make(many, 1, TEXT_ROW_MAX + 1, &row));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_page_and_nothing_else_is_read),
        cmocka_unit_test(digests_depend_on_key_and_field_not_on_spelling),
        cmocka_unit_test(digests_of_neighbouring_texts_are_spread),
        cmocka_unit_test(joined_digests_tell_kinds_and_absent_parts),
        cmocka_unit_test(columns_of_texts_say_what_each_says),
        cmocka_unit_test(columns_of_numbers_say_what_each_says),
        cmocka_unit_test(names_are_told_byte_for_byte),
        cmocka_unit_test(rows_of_names_are_told_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
