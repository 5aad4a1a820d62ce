/* SPDX-License-Identifier: Apache-2.0 */
#include "console/image_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* "x=1&w=2" into the query, a parameter at a time. */
static bool read_all(struct image_query *query, const char *text, char *why)
{
    image_query_init(query);
    why[0] = '\0';
    while (*text != '\0') {
        size_t bytes = strcspn(text, "&");
        const char *equals = memchr(text, '=', bytes);
        size_t name_bytes = equals == NULL ? bytes : (size_t)(equals - text);
        const char *value = equals == NULL ? NULL : equals + 1;
        if (!image_query_add(query, text, name_bytes, value,
                             value == NULL ? 0 : bytes - name_bytes - 1, why)) {
            return false;
        }
        text += bytes + (text[bytes] == '&');
    }
    return true;
}

static void assert_settled(const char *text, uint32_t width, uint32_t height,
                           const uint32_t wanted[6])
{
    char why[IMAGE_QUERY_WHY_BYTES];
    struct image_query query;
    if (!read_all(&query, text, why) || !image_query_settle(&query, width, height, why)) {
        fail_msg("%s: %s", text, why);
    }
    const uint32_t found[6] = {query.x, query.y, query.w, query.h, query.width, query.height};
    if (memcmp(found, wanted, sizeof found) != 0) {
        fail_msg("%s: %u,%u,%u,%u to %ux%u", text, found[0], found[1], found[2], found[3], found[4],
                 found[5]);
    }
}

static void what_is_not_given_is_filled(void **state)
{
    (void)state;
    assert_settled("", 300, 200, (const uint32_t[6]){0, 0, 300, 200, 300, 200});
    assert_settled("x=10&y=20", 300, 200, (const uint32_t[6]){10, 20, 290, 180, 290, 180});
    assert_settled("width=30", 300, 200, (const uint32_t[6]){0, 0, 300, 200, 30, 20});
    assert_settled("height=1", 300, 200, (const uint32_t[6]){0, 0, 300, 200, 2, 1});
    assert_settled("width=1", 65535, 2, (const uint32_t[6]){0, 0, 65535, 2, 1, 1});
    assert_settled("height=2", 65535, 2, (const uint32_t[6]){0, 0, 65535, 2, 65535, 2});
    assert_settled("x=299&y=199&w=1&h=1&width=1&height=1&format=raw", 300, 200,
                   (const uint32_t[6]){299, 199, 1, 1, 1, 1});
    assert_settled("x=00001&w=00002", 300, 200, (const uint32_t[6]){1, 0, 2, 200, 2, 200});
    assert_settled("width=4096&height=4096", 65535, 65535,
                   (const uint32_t[6]){0, 0, 65535, 65535, 4096, 4096});
}

static void what_is_wrong_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *word;
    } rows[] = {{"x=", "'x'"},
                {"x", "'x'"},
                {"y=-0", "'y'"},
                {"y=+1", "'y'"},
                {"w=0", "'w'"},
                {"h=00000", "'h'"},
                {"width=0", "'width'"},
                {"height=65536", "'height'"},
                {"x=000001", "'x'"},
                {"x=99999", "'x'"},
                {"x=1.0", "'x'"},
                {"x=1 ", "'x'"},
                {"x=1&y=1&x=1", "'x' is given twice"},
                {"format=png&format=png", "twice"},
                {"format=", "png or raw"},
                {"format", "png or raw"},
                {"format=PNG", "png or raw"},
                {"format=pngx", "png or raw"},
                {"xx=1", "'xx'"},
                {"=1", "''"},
                {"\x01\xff<=1", "'?\?\?'"},
                {"x=300", "width, 300"},
                {"y=200", "height, 200"},
                {"x=1&w=300", "width, 300"},
                {"h=201", "height, 200"},
                {"width=301", "enlarged"},
                {"h=5&height=6", "'height' is more"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[IMAGE_QUERY_WHY_BYTES];
        struct image_query query;
        if (read_all(&query, rows[i].text, why) && image_query_settle(&query, 300, 200, why)) {
            fail_msg("%s is taken", rows[i].text);
        }
        if (strstr(why, rows[i].word) == NULL) {
            fail_msg("%s: '%s' says nothing of %s", rows[i].text, why, rows[i].word);
        }
    }
}

static void more_pixels_than_an_answer_holds_are_refused(void **state)
{
    char why[IMAGE_QUERY_WHY_BYTES];
    struct image_query query;
    (void)state;
    assert_true(read_all(&query, "", why));
    assert_false(image_query_settle(&query, 65535, 65535, why));
    assert_non_null(strstr(why, "16777216"));
    assert_true(read_all(&query, "width=4096&height=4097", why));
    assert_false(image_query_settle(&query, 65535, 65535, why));
}

static void tags_differ_by_everything(void **state)
{
    static const char *const texts[] = {"",     "x=1",      "y=1",       "w=99",
                                        "h=99", "width=50", "height=51", "format=raw"};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    char tags[TEXTS][IMAGE_ETAG_BYTES];
    char why[IMAGE_QUERY_WHY_BYTES];
    uint8_t digest[HASH_BYTES] = {1};
    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        struct image_query query;
        assert_true(read_all(&query, texts[i], why) && image_query_settle(&query, 100, 100, why));
        image_query_etag(&query, digest, tags[i]);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(tags[i], tags[j]);
        }
    }
}

static void paths_are_exact(void **state)
{
    char path[96] = "/images/";
    uint8_t digest[HASH_BYTES];
    (void)state;
    memset(path + 8, 'a', 64);
    assert_true(image_path_read(path, digest));
    path[72] = 'a';
    assert_false(image_path_read(path, digest));
    path[71] = '\0';
    assert_false(image_path_read(path, digest));
    path[71] = 'g';
    path[72] = '\0';
    assert_false(image_path_read(path, digest));
    assert_false(image_path_read("/images", digest));
    assert_false(image_path_read("", digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_is_filled),
        cmocka_unit_test(what_is_wrong_is_refused_by_name),
        cmocka_unit_test(more_pixels_than_an_answer_holds_are_refused),
        cmocka_unit_test(tags_differ_by_everything),
        cmocka_unit_test(paths_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
