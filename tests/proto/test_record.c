/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/record.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t arena_bytes[RECORD_ARENA_BYTES];
static uint8_t encoded[2 * RECORD_BODY_BYTES_MAX];

static struct item_key keys[RECORD_KEYS_MAX + 1];
static struct goods_line lines[RECORD_LINES_MAX + 1];
static struct field fields[RECORD_FIELDS_MAX + 1];
static struct image images[RECORD_IMAGES_MAX + 1];
static char long_text[1024];

#define NS_2026 ((int64_t)1767225600 * 1000000000)

/* Values that pass; every test breaks one thing in a fresh copy. */
static struct declaration good_declaration(void)
{
    keys[0] = (struct item_key){KEY_CONTAINER, "CSQU3054383"};
    keys[1] = (struct item_key){KEY_PLATE, "AB 123"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        lines[i] = (struct goods_line){.hs_code = "851712",
                                       .description = "téléphones",
                                       .origin_country = "CN",
                                       .net_mass_kg = 12.5,
                                       .value = 990.0,
                                       .currency = "EUR",
                                       .quantity = 50,
                                       .quantity_unit = "C62",
                                       .tax_rate_percent = 3.7};
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        fields[i] = (struct field){"seal", "7781"};
    }
    fields[1] = (struct field){"vessel", "Monte Cervantes"};
    static const uint8_t raw[] = {0, 1, 2, 0xff};
    return (struct declaration){.declaration_id = "D-1",
                                .mode = MODE_SEA,
                                .site = "port-1",
                                .lane = "3",
                                .keys = keys,
                                .keys_count = 2,
                                .declared_ns = NS_2026,
                                .lines = lines,
                                .lines_count = 2,
                                .importer = "i",
                                .seller = "s",
                                .declarant = "d",
                                .courier = "c",
                                .departure_country = "CN",
                                .declared_empty = true,
                                .gross_mass_kg = 30.25,
                                .other = fields,
                                .other_count = 2,
                                .raw_format = "csv",
                                .raw = raw,
                                .raw_bytes = sizeof raw};
}

static struct scan good_scan(void)
{
    keys[0] = (struct item_key){KEY_CONTAINER, "CSQU3054383"};
    keys[1] = (struct item_key){KEY_PLATE, "AB 123"};
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        images[i] = (struct image){.width = 40,
                                   .height = 30,
                                   .bits = 16,
                                   .meaning = PIXEL_TRANSMISSION,
                                   .energy = ENERGY_HIGH,
                                   .energy_kev = 6000,
                                   .view = 1,
                                   .payload_bytes = 2400,
                                   .sha256 = {7},
                                   .pixel_pitch_mm = 4.5,
                                   .air_level = 60000,
                                   .dark_level = 100};
    }
    fields[0] = (struct field){"seal", "7781"};
    return (struct scan){.scan_id = "S-1",
                         .mode = MODE_TRUCK,
                         .site = "port-1",
                         .lane = "3",
                         .scanner = "x1",
                         .scanner_type = "container-portal",
                         .keys = keys,
                         .keys_count = 2,
                         .acquired_ns = NS_2026,
                         .images = images,
                         .images_count = 2,
                         .other = fields,
                         .other_count = 1};
}

static enum refusal declaration_bytes_try(size_t bytes, struct declaration *out, const char **where)
{
    struct arena arena;
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    /* A heap copy of exact length lets the sanitizer see a read beyond the end. */
    uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
    assert_non_null(exact);
    memcpy(exact, encoded, bytes);
    enum refusal refusal = declaration_decode(exact, bytes, &arena, out, where);
    memset(exact, 0xee, bytes);
    free(exact);
    return refusal;
}

static enum refusal scan_bytes_try(size_t bytes, struct scan *out, const char **where)
{
    struct arena arena;
    arena_init(&arena, arena_bytes, sizeof arena_bytes);
    uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
    assert_non_null(exact);
    memcpy(exact, encoded, bytes);
    enum refusal refusal = scan_decode(exact, bytes, &arena, out, where);
    memset(exact, 0xee, bytes);
    free(exact);
    return refusal;
}

static void declaration_is_refused(const struct declaration *declaration, enum refusal expected,
                                   const char *expected_where)
{
    struct declaration out;
    const char *where = NULL;
    size_t bytes = declaration_encode(declaration, encoded, sizeof encoded);
    enum refusal refusal = declaration_bytes_try(bytes, &out, &where);
    assert_string_equal(where, expected_where);
    assert_string_equal(refusal_name(refusal), refusal_name(expected));
}

static void scan_is_refused(const struct scan *scan, enum refusal expected,
                            const char *expected_where)
{
    struct scan out;
    const char *where = NULL;
    size_t bytes = scan_encode(scan, encoded, sizeof encoded);
    enum refusal refusal = scan_bytes_try(bytes, &out, &where);
    assert_string_equal(where, expected_where);
    assert_string_equal(refusal_name(refusal), refusal_name(expected));
}

static void declaration_good_survives_the_round(void **state)
{
    (void)state;
    struct declaration in = good_declaration();
    struct declaration out;
    const char *where = NULL;
    size_t bytes = declaration_encode(&in, encoded, sizeof encoded);
    assert_int_equal(bytes, declaration_encode(&in, NULL, 0));
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_NONE);
    assert_string_equal(where, "");
    assert_string_equal(out.declaration_id, "D-1");
    assert_int_equal(out.mode, MODE_SEA);
    assert_string_equal(out.site, "port-1");
    assert_string_equal(out.lane, "3");
    assert_int_equal(out.keys_count, 2);
    assert_int_equal(out.keys[1].scheme, KEY_PLATE);
    assert_string_equal(out.keys[1].value, "AB 123");
    assert_true(out.declared_ns == NS_2026);
    assert_int_equal(out.lines_count, 2);
    assert_string_equal(out.lines[1].hs_code, "851712");
    assert_string_equal(out.lines[1].description, "téléphones");
    assert_string_equal(out.lines[1].origin_country, "CN");
    assert_true(out.lines[1].net_mass_kg == 12.5 && out.lines[1].value == 990.0);
    assert_string_equal(out.lines[1].currency, "EUR");
    assert_true(out.lines[1].quantity == 50.0 && out.lines[1].tax_rate_percent == 3.7);
    assert_string_equal(out.lines[1].quantity_unit, "C62");
    assert_string_equal(out.importer, "i");
    assert_string_equal(out.seller, "s");
    assert_string_equal(out.declarant, "d");
    assert_string_equal(out.courier, "c");
    assert_string_equal(out.departure_country, "CN");
    assert_true(out.declared_empty && out.gross_mass_kg == 30.25);
    assert_string_equal(field_find(out.other, out.other_count, "vessel"), "Monte Cervantes");
    assert_null(field_find(out.other, out.other_count, "voyage"));
    assert_string_equal(out.raw_format, "csv");
    assert_int_equal(out.raw_bytes, 4);
    assert_memory_equal(out.raw, in.raw, 4);
    /* The same value encodes to the same bytes. */
    uint8_t again[4096];
    assert_int_equal(declaration_encode(&out, again, sizeof again), bytes);
    assert_memory_equal(again, encoded, bytes);
}

static void scan_good_survives_the_round(void **state)
{
    (void)state;
    struct scan in = good_scan();
    in.images_count = RECORD_IMAGES_MAX;
    struct scan out;
    const char *where = NULL;
    size_t bytes = scan_encode(&in, encoded, sizeof encoded);
    assert_int_equal(scan_bytes_try(bytes, &out, &where), REFUSAL_NONE);
    assert_string_equal(out.scan_id, "S-1");
    assert_int_equal(out.mode, MODE_TRUCK);
    assert_string_equal(out.site, "port-1");
    assert_string_equal(out.lane, "3");
    assert_string_equal(out.scanner, "x1");
    assert_string_equal(out.scanner_type, "container-portal");
    assert_int_equal(out.keys_count, 2);
    assert_true(out.acquired_ns == NS_2026);
    assert_int_equal(out.images_count, RECORD_IMAGES_MAX);
    assert_memory_equal(&out.images[7], &images[7], sizeof images[7]);
    assert_string_equal(field_find(out.other, out.other_count, "seal"), "7781");
    uint8_t again[4096];
    assert_int_equal(scan_encode(&out, again, sizeof again), bytes);
    assert_memory_equal(again, encoded, bytes);
}

static void declaration_least_has_no_null_text(void **state)
{
    (void)state;
    const struct declaration in = {.declaration_id = "D", .mode = MODE_MAIL, .site = "p"};
    struct declaration out;
    const char *where = NULL;
    size_t bytes = declaration_encode(&in, encoded, sizeof encoded);
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_NONE);
    const char *const texts[] = {out.lane,    out.importer,          out.seller,    out.declarant,
                                 out.courier, out.departure_country, out.raw_format};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(texts[i], "");
    }
    assert_int_equal(out.keys_count + out.lines_count + out.other_count + out.raw_bytes, 0);
}

/* Every list full, every text long, the body as large as it may be: the arena of the header's size
 * holds it. */
static void declaration_largest_fits_the_arena(void **state)
{
    (void)state;
    struct declaration in = good_declaration();
    static uint8_t raw[RECORD_BODY_BYTES_MAX];
    for (uint32_t i = 0; i < RECORD_KEYS_MAX; i++) {
        keys[i] = keys[0];
    }
    in.keys_count = RECORD_KEYS_MAX;
    in.lines_count = RECORD_LINES_MAX;
    in.other_count = RECORD_FIELDS_MAX;
    in.raw = raw;
    in.raw_bytes = 0;
    size_t bytes = declaration_encode(&in, NULL, 0);
    in.raw_bytes = (uint32_t)(RECORD_BODY_BYTES_MAX - bytes - 5);
    bytes = declaration_encode(&in, encoded, sizeof encoded);
    assert_int_equal(bytes, RECORD_BODY_BYTES_MAX);
    struct declaration out;
    const char *where = NULL;
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_NONE);
    assert_int_equal(out.lines_count, RECORD_LINES_MAX);
    in.raw_bytes += 1;
    declaration_is_refused(&in, REFUSAL_TOO_LARGE, "body");
}

static void declaration_one_thing_broken_is_refused_by_name(void **state)
{
    (void)state;
    struct declaration broken;
#define BREAK(change, refusal, where) \
    broken = good_declaration();      \
    change;                           \
    declaration_is_refused(&broken, refusal, where)
    BREAK(broken.declaration_id = "", REFUSAL_NO_ID, "declaration_id");
    BREAK(broken.declaration_id = NULL, REFUSAL_NO_ID, "declaration_id");
    BREAK(broken.declaration_id = long_text + 1023 - 65, REFUSAL_BAD_TEXT, "declaration_id");
    BREAK(broken.mode = MODE_UNKNOWN, REFUSAL_UNKNOWN_MODE, "mode");
    BREAK(broken.mode = MODE_COUNT, REFUSAL_UNKNOWN_MODE, "mode");
    BREAK(broken.mode = (enum mode) - 1, REFUSAL_UNKNOWN_MODE, "mode");
    BREAK(broken.site = "", REFUSAL_NO_SITE, "site");
    BREAK(broken.site = long_text + 1023 - 65, REFUSAL_BAD_TEXT, "site");
    BREAK(broken.site = "a\xff", REFUSAL_BAD_TEXT, "site");
    BREAK(broken.lane = long_text + 1023 - 65, REFUSAL_BAD_TEXT, "lane");
    BREAK(keys[1].value = long_text + 1023 - 36, REFUSAL_BAD_TEXT, "keys.value");
    BREAK(keys[1].value = "\xed\xa0\x80", REFUSAL_BAD_TEXT, "value");
    BREAK(keys[1].scheme = KEY_SCHEME_COUNT, REFUSAL_MALFORMED, "keys.scheme");
    BREAK(broken.declared_ns = NS_2026 / 1000, REFUSAL_BAD_NUMBER, "declared_ns");
    BREAK(broken.declared_ns = -1, REFUSAL_BAD_NUMBER, "declared_ns");
    BREAK(broken.declared_ns = INT64_MAX, REFUSAL_BAD_NUMBER, "declared_ns");
    BREAK(broken.declared_ns = (int64_t)631152000 * 1000000000 - 1, REFUSAL_BAD_NUMBER,
          "declared_ns");
    BREAK(broken.declared_ns = (int64_t)7258118400 * 1000000000, REFUSAL_BAD_NUMBER, "declared_ns");
    BREAK(broken.gross_mass_kg = -0.5, REFUSAL_BAD_NUMBER, "gross_mass_kg");
    BREAK(broken.gross_mass_kg = (double)NAN, REFUSAL_BAD_NUMBER, "gross_mass_kg");
    BREAK(lines[1].net_mass_kg = -1, REFUSAL_BAD_NUMBER, "lines.net_mass_kg");
    BREAK(lines[1].net_mass_kg = (double)INFINITY, REFUSAL_BAD_NUMBER, "lines.net_mass_kg");
    BREAK(lines[1].value = (double)-INFINITY, REFUSAL_BAD_NUMBER, "lines.value");
    BREAK(lines[1].quantity = -1, REFUSAL_BAD_NUMBER, "lines.quantity");
    BREAK(lines[1].tax_rate_percent = (double)NAN, REFUSAL_BAD_NUMBER, "lines.tax_rate_percent");
    BREAK(lines[1].description = long_text + 1023 - 513, REFUSAL_BAD_TEXT, "lines.description");
    BREAK(lines[0].hs_code = long_text, REFUSAL_BAD_TEXT, "lines.hs_code");
    BREAK(broken.importer = long_text + 1023 - 513, REFUSAL_BAD_TEXT, "importer");
    BREAK(fields[0].name = long_text, REFUSAL_BAD_TEXT, "other.name");
    BREAK(fields[0].value = long_text, REFUSAL_BAD_TEXT, "other.value");
    BREAK(broken.raw_format = long_text, REFUSAL_BAD_TEXT, "raw_format");
#undef BREAK
}

static void declaration_at_each_bound_is_accepted(void **state)
{
    (void)state;
    struct declaration in = good_declaration();
    struct declaration out;
    const char *where = NULL;
    in.declaration_id = long_text + 1023 - RECORD_ID_BYTES_MAX;
    in.site = long_text + 1023 - RECORD_NAME_BYTES_MAX;
    in.importer = long_text + 1023 - RECORD_TEXT_BYTES_MAX;
    keys[0].value = long_text + 1023 - RECORD_KEY_BYTES_MAX;
    in.declared_ns = 0;
    size_t bytes = declaration_encode(&in, encoded, sizeof encoded);
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_NONE);
    in.declared_ns = (int64_t)631152000 * 1000000000;
    bytes = declaration_encode(&in, encoded, sizeof encoded);
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_NONE);
}

static void scan_one_thing_broken_is_refused_by_name(void **state)
{
    (void)state;
    struct scan broken;
#define BREAK(change, refusal, where) \
    broken = good_scan();             \
    change;                           \
    scan_is_refused(&broken, refusal, where)
    BREAK(broken.scan_id = "", REFUSAL_NO_ID, "scan_id");
    BREAK(broken.mode = (enum mode)7, REFUSAL_UNKNOWN_MODE, "mode");
    BREAK(broken.site = "", REFUSAL_NO_SITE, "site");
    BREAK(broken.scanner = long_text, REFUSAL_BAD_TEXT, "scanner");
    BREAK(broken.scanner_type = long_text, REFUSAL_BAD_TEXT, "scanner_type");
    BREAK(broken.acquired_ns = 12345, REFUSAL_BAD_NUMBER, "acquired_ns");
    BREAK(broken.images_count = 0, REFUSAL_EMPTY_IMAGE, "images");
    BREAK(images[1].width = 0, REFUSAL_EMPTY_IMAGE, "images.width");
    BREAK(images[1].height = 0, REFUSAL_EMPTY_IMAGE, "images.height");
    BREAK(images[1].width = 65536, REFUSAL_TOO_LARGE, "images.width");
    BREAK(images[1].height = UINT32_MAX, REFUSAL_TOO_LARGE, "images.height");
    BREAK(images[1].bits = 12, REFUSAL_IMAGE_FORMAT, "images.bits");
    BREAK(images[1].bits = 0, REFUSAL_IMAGE_FORMAT, "images.bits");
    BREAK(images[1].bits = 32, REFUSAL_IMAGE_FORMAT, "images.bits");
    BREAK(images[1].meaning = PIXEL_UNKNOWN, REFUSAL_IMAGE_FORMAT, "images.meaning");
    BREAK(images[1].meaning = (enum pixel_meaning)4, REFUSAL_IMAGE_FORMAT, "images.meaning");
    BREAK(images[1].energy = (enum energy)3, REFUSAL_IMAGE_FORMAT, "images.energy");
    BREAK(images[1].energy_kev = (double)NAN, REFUSAL_BAD_NUMBER, "images.energy_kev");
    BREAK(images[1].payload_bytes = 2399, REFUSAL_IMAGE_TRUNCATED, "images.payload_bytes");
    BREAK(images[1].payload_bytes = 2401, REFUSAL_IMAGE_TRUNCATED, "images.payload_bytes");
    BREAK(images[1].payload_bytes = 5000000000, REFUSAL_IMAGE_TRUNCATED, "images.payload_bytes");
    BREAK(images[1].payload_bytes = UINT64_MAX, REFUSAL_IMAGE_TRUNCATED, "images.payload_bytes");
    BREAK(images[1].pixel_pitch_mm = -1, REFUSAL_BAD_NUMBER, "images.pixel_pitch_mm");
    BREAK(images[1].air_level = 100, REFUSAL_IMAGE_FORMAT, "images.air_level");
    BREAK(images[1].air_level = 0, REFUSAL_IMAGE_FORMAT, "images.air_level");
#undef BREAK
}

static void scan_display_image_needs_no_levels(void **state)
{
    (void)state;
    struct scan in = good_scan();
    struct scan out;
    const char *where = NULL;
    images[0].meaning = PIXEL_DISPLAY;
    images[0].air_level = 0;
    images[0].dark_level = 0;
    images[0].width = IMAGE_SIDE_MAX;
    images[0].height = IMAGE_SIDE_MAX;
    images[0].payload_bytes = (uint64_t)65535 * 65535 * 2;
    size_t bytes = scan_encode(&in, encoded, sizeof encoded);
    assert_int_equal(scan_bytes_try(bytes, &out, &where), REFUSAL_NONE);
    assert_true(out.images[0].payload_bytes == 8589672450u);
}

static void encode_beyond_a_list_bound_gives_nothing(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    declaration.keys_count = RECORD_KEYS_MAX + 1;
    assert_int_equal(declaration_encode(&declaration, encoded, sizeof encoded), 0);
    declaration = good_declaration();
    declaration.lines_count = RECORD_LINES_MAX + 1;
    assert_int_equal(declaration_encode(&declaration, encoded, sizeof encoded), 0);
    struct scan scan = good_scan();
    scan.images_count = RECORD_IMAGES_MAX + 1;
    assert_int_equal(scan_encode(&scan, encoded, sizeof encoded), 0);
}

/* Bytes after a record go on with it: a list may grow that way, whatever the encoder would allow.
 */
static void decode_continued_list_beyond_a_bound_refuses(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    struct declaration out;
    const char *where = NULL;
    declaration.lines_count = 129;
    size_t bytes = declaration_encode(&declaration, encoded, sizeof encoded);
    const struct declaration more_lines = {.lines = lines, .lines_count = 128};
    bytes += declaration_encode(&more_lines, encoded + bytes, sizeof encoded - bytes);
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_TOO_LARGE);
    assert_string_equal(where, "lines");
    struct scan scan = good_scan();
    struct scan scan_out;
    scan.images_count = 5;
    bytes = scan_encode(&scan, encoded, sizeof encoded);
    const struct scan more_images = {.images = images, .images_count = 4};
    bytes += scan_encode(&more_images, encoded + bytes, sizeof encoded - bytes);
    assert_int_equal(scan_bytes_try(bytes, &scan_out, &where), REFUSAL_TOO_LARGE);
    assert_string_equal(where, "images");
}

/* Decoders disagree about a field that comes twice, so there is no such record. */
static void decode_field_that_comes_twice_refuses(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    struct declaration out;
    const char *where = NULL;
    size_t bytes = declaration_encode(&declaration, encoded, sizeof encoded);
    const struct declaration second_site = {.site = "port-2"};
    bytes += declaration_encode(&second_site, encoded + bytes, sizeof encoded - bytes);
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_MALFORMED);
    assert_string_equal(where, "body");
}

static void scan_digest_of_other_length_refuses(void **state)
{
    (void)state;
    struct scan scan = good_scan();
    struct scan out;
    const char *where = NULL;
    scan.images_count = 1;
    size_t bytes = scan_encode(&scan, encoded, sizeof encoded);
    /* Field 9, 32 bytes, becomes field 13 (unknown): the image has no digest any more. */
    static const uint8_t digest_key[] = {0x4a, 0x20, 0x07};
    uint8_t *at = memmem(encoded, bytes, digest_key, sizeof digest_key);
    assert_non_null(at);
    *at = 0x6a;
    assert_int_equal(scan_bytes_try(bytes, &out, &where), REFUSAL_DIGEST_MISMATCH);
    assert_string_equal(where, "images.sha256");
}

static void decode_zero_byte_in_text_refuses(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    struct declaration out;
    const char *where = NULL;
    size_t bytes = declaration_encode(&declaration, encoded, sizeof encoded);
    uint8_t *at = memmem(encoded, bytes, "port-1", 6);
    assert_non_null(at);
    at[4] = 0;
    assert_int_equal(declaration_bytes_try(bytes, &out, &where), REFUSAL_BAD_TEXT);
    assert_string_equal(where, "site");
}

static void decode_unknown_fields_are_ignored(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    struct declaration out;
    const char *where = NULL;
    size_t bytes = declaration_encode(&declaration, encoded, sizeof encoded);
    static const uint8_t later[] = {0xa2, 0x06, 2,    'h',
                                    'i',  0xa8, 0x06, 5}; /* fields 100 and 101 */
    memcpy(encoded + bytes, later, sizeof later);
    assert_int_equal(declaration_bytes_try(bytes + sizeof later, &out, &where), REFUSAL_NONE);
    assert_string_equal(out.declaration_id, "D-1");
}

/* 65536 bytes of two-byte unknown fields would cost megabytes: the arena says no, nothing else
 * gives way. */
static void decode_stuffed_with_unknown_fields_refuses(void **state)
{
    (void)state;
    struct declaration out;
    const char *where = NULL;
    for (size_t i = 0; i < RECORD_BODY_BYTES_MAX; i += 4) {
        encoded[i] = 0xa8;
        encoded[i + 1] = 0x06;
        encoded[i + 2] = 0x80;
        encoded[i + 3] = 0x00;
    }
    assert_int_equal(declaration_bytes_try(RECORD_BODY_BYTES_MAX, &out, &where), REFUSAL_TOO_LARGE);
    assert_string_equal(where, "body");
}

/* A cut never reads beyond the end, and only cuts between fields may look like a record. */
static void decode_cut_at_every_byte_never_gives_the_whole(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    struct scan scan = good_scan();
    const char *where = NULL;
    size_t bytes = declaration_encode(&declaration, encoded, sizeof encoded);
    for (size_t cut = 0; cut < bytes; cut++) {
        struct declaration out;
        if (declaration_bytes_try(cut, &out, &where) == REFUSAL_NONE) {
            assert_int_equal(out.raw_bytes, 0); /* raw is the last field */
        }
    }
    bytes = scan_encode(&scan, encoded, sizeof encoded);
    for (size_t cut = 0; cut < bytes; cut++) {
        struct scan out;
        if (scan_bytes_try(cut, &out, &where) == REFUSAL_NONE) {
            assert_int_equal(out.other_count, 0);
        }
    }
    assert_int_equal(scan_bytes_try(bytes, &(struct scan){0}, &where), REFUSAL_NONE);
}

static void decode_garbage_is_malformed(void **state)
{
    (void)state;
    struct declaration out;
    const char *where = NULL;
    memset(encoded, 0xff, 64);
    assert_int_equal(declaration_bytes_try(64, &out, &where), REFUSAL_MALFORMED);
    assert_string_equal(where, "body");
    assert_int_equal(declaration_bytes_try(0, &out, &where), REFUSAL_NO_ID);
    /* A 5 GB length in a text field. */
    static const uint8_t five_gb[] = {0x0a, 0x80, 0xe4, 0x97, 0xd0, 0x12, 'x'};
    memcpy(encoded, five_gb, sizeof five_gb);
    assert_int_equal(declaration_bytes_try(sizeof five_gb, &out, &where), REFUSAL_MALFORMED);
}

static void join_key_follows_the_order(void **state)
{
    (void)state;
    struct declaration declaration = good_declaration();
    enum key_scheme scheme = KEY_UNKNOWN;
    keys[0] = (struct item_key){KEY_DECLARATION, "D9"};
    keys[1] = (struct item_key){KEY_UNKNOWN, "?"};
    keys[2] = (struct item_key){KEY_PLATE, "P"};
    keys[3] = (struct item_key){KEY_AWB, "77712345675"};
    keys[4] = (struct item_key){KEY_CONTAINER, ""};
    declaration.keys_count = 5;
    assert_string_equal(declaration_join_key(&declaration, &scheme), "77712345675");
    assert_int_equal(scheme, KEY_AWB);
    declaration.keys_count = 1;
    assert_string_equal(declaration_join_key(&declaration, &scheme), "D9");
    assert_int_equal(scheme, KEY_DECLARATION);
    declaration.keys_count = 0;
    assert_string_equal(declaration_join_key(&declaration, &scheme), "D-1");
    assert_int_equal(scheme, KEY_DECLARATION);
    struct scan scan = good_scan();
    scan.keys_count = 0;
    assert_string_equal(scan_join_key(&scan, &scheme), "S-1");
    assert_int_equal(scheme, KEY_SCAN);
}

static void refusals_have_names_and_sentences(void **state)
{
    (void)state;
    for (unsigned code = 0; code < REFUSAL_COUNT; code++) {
        assert_true(strlen(refusal_name((enum refusal)code)) > 0);
        assert_true(strlen(refusal_sentence((enum refusal)code)) > 0);
    }
    assert_string_equal(refusal_name(REFUSAL_IMAGE_TRUNCATED), "image_truncated");
    assert_string_equal(refusal_name((enum refusal)99), "unknown");
}

static int long_text_prepare(void **state)
{
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declaration_good_survives_the_round),
        cmocka_unit_test(scan_good_survives_the_round),
        cmocka_unit_test(declaration_least_has_no_null_text),
        cmocka_unit_test(declaration_largest_fits_the_arena),
        cmocka_unit_test(declaration_one_thing_broken_is_refused_by_name),
        cmocka_unit_test(declaration_at_each_bound_is_accepted),
        cmocka_unit_test(scan_one_thing_broken_is_refused_by_name),
        cmocka_unit_test(scan_display_image_needs_no_levels),
        cmocka_unit_test(encode_beyond_a_list_bound_gives_nothing),
        cmocka_unit_test(decode_continued_list_beyond_a_bound_refuses),
        cmocka_unit_test(decode_field_that_comes_twice_refuses),
        cmocka_unit_test(scan_digest_of_other_length_refuses),
        cmocka_unit_test(decode_zero_byte_in_text_refuses),
        cmocka_unit_test(decode_unknown_fields_are_ignored),
        cmocka_unit_test(decode_stuffed_with_unknown_fields_refuses),
        cmocka_unit_test(decode_cut_at_every_byte_never_gives_the_whole),
        cmocka_unit_test(decode_garbage_is_malformed),
        cmocka_unit_test(join_key_follows_the_order),
        cmocka_unit_test(refusals_have_names_and_sentences),
    };
    return cmocka_run_group_tests(tests, long_text_prepare, NULL);
}
