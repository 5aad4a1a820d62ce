/* SPDX-License-Identifier: Apache-2.0 */
/* PROTOCOL.md is what adapters are written from: its tables and examples are held against the code.
 */
#include "proto/wire.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char page[1 << 17];

static int page_read(void **state)
{
    (void)state;
    FILE *file = fopen(SOURCE_DIR "/proto/PROTOCOL.md", "rb");
    assert_non_null(file);
    size_t bytes = fread(page, 1, sizeof page - 1, file);
    page[bytes] = '\0';
    assert_int_equal(fclose(file), 0);
    return 0;
}

static void page_has(const char *text)
{
    if (strstr(page, text) == NULL) {
        fail_msg("PROTOCOL.md lacks: %s", text);
    }
}

static void every_refusal_and_bye_is_listed(void **state)
{
    (void)state;
    char row[512];
    for (unsigned code = 1; code < REFUSAL_COUNT; code++) {
        (void)snprintf(row, sizeof row, "\n| %u | %s | %s |\n", code,
                       refusal_name((enum refusal)code), refusal_sentence((enum refusal)code));
        page_has(row);
    }
    for (unsigned code = BYE_PROTOCOL; code <= BYE_CREDIT; code++) {
        (void)snprintf(row, sizeof row, "\n| %u | %s | ", code, bye_name((enum bye)code));
        page_has(row);
    }
    for (int tag = WIRE_HELLO; tag <= WIRE_VERDICT; tag++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | ", wire_tag_text((enum wire_tag)tag));
        page_has(row);
    }
}

static void every_limit_is_listed(void **state)
{
    (void)state;
#define LIMIT(name) \
    {               \
        name, #name \
    }
    static const struct {
        unsigned limit;
        const char *name;
    } rows[] = {
        LIMIT(WIRE_MESSAGE_BYTES_MAX),    LIMIT(WIRE_RECORDS_MAX),
        LIMIT(WIRE_STREAM_BYTES_MAX),     LIMIT(WIRE_PUBLISHER_BYTES_MAX),
        LIMIT(WIRE_REQUEST_ID_BYTES_MAX), LIMIT(WIRE_JSON_BYTES_MAX),
        LIMIT(RECORD_BODY_BYTES_MAX),     LIMIT(RECORD_KEYS_MAX),
        LIMIT(RECORD_LINES_MAX),          LIMIT(RECORD_FIELDS_MAX),
        LIMIT(RECORD_IMAGES_MAX),         LIMIT(RECORD_ID_BYTES_MAX),
        LIMIT(RECORD_NAME_BYTES_MAX),     LIMIT(RECORD_KEY_BYTES_MAX),
        LIMIT(RECORD_TEXT_BYTES_MAX),     LIMIT(IMAGE_SIDE_MAX),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char row[128];
        (void)snprintf(row, sizeof row, "`%s` |\n", rows[i].name);
        page_has(row);
        const char *end = strstr(page, row);
        const char *start = end;
        while (start > page && start[-1] != '\n') {
            start--;
        }
        char line[512];
        (void)snprintf(line, sizeof line, "%.*s", (int)(end - start), start);
        (void)snprintf(row, sizeof row, "| %u ", rows[i].limit);
        if (strstr(line, row) == NULL) {
            fail_msg("%s is not %u on the page", rows[i].name, rows[i].limit);
        }
    }
}

/* Hexadecimal pairs of an example, from its "part 1" to the end of the block; what stands right of
 * two spaces is prose. */
static size_t example_read(const char *heading, uint8_t *out, size_t out_capacity)
{
    const char *at = strstr(page, heading);
    assert_non_null(at);
    at = strstr(at, "part 1");
    assert_non_null(at);
    const char *end = strstr(at, "```");
    assert_non_null(end);
    size_t bytes = 0;
    at += strlen("part 1");
    while (at < end) {
        at += strspn(at, " ");
        while (isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]) &&
               (at[2] == ' ' || at[2] == '\n')) {
            char pair[3] = {at[0], at[1], '\0'};
            assert_true(bytes < out_capacity);
            assert_true(hex_decode(pair, &out[bytes++], 1));
            at += at[2] == ' ' ? 3 : 2;
        }
        at += strcspn(at, "\n") + 1;
    }
    return bytes;
}

static void worked_examples_decode_as_written(void **state)
{
    (void)state;
    static uint8_t arena_bytes[65536];
    static struct wire_ack ack;
    uint8_t bytes[512];
    uint8_t again[512];
    struct arena arena;
    struct wire_hello hello;
    size_t count = example_read("A Hello for stream", bytes, sizeof bytes);
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    assert_true(wire_hello_decode(bytes, count, &arena, &hello));
    assert_string_equal(hello.stream, "lane-3");
    assert_string_equal(hello.software, "triage-feed 0.1.0");
    assert_int_equal(wire_hello_encode(&hello, again, sizeof again), count);
    assert_memory_equal(again, bytes, count);

    count = example_read("The answer to a PUBL", bytes, sizeof bytes);
    arena_reset(&arena);
    assert_true(wire_ack_decode(bytes, count, &arena, &ack));
    assert_true(ack.first_sequence == 41 && ack.count == 2 && ack.entry_index[1] == 8);
    assert_int_equal(ack.refused[0].code, REFUSAL_NO_ID);
    assert_int_equal(wire_ack_encode(&ack, again, sizeof again), count);
    assert_memory_equal(again, bytes, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_and_bye_is_listed),
        cmocka_unit_test(every_limit_is_listed),
        cmocka_unit_test(worked_examples_decode_as_written),
    };
    return cmocka_run_group_tests(tests, page_read, NULL);
}
