/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/traffic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bench/figure.h"
#include "kernels/rng.h"
#include "proto/checkdigit.h"

enum { TRAFFIC_BLOCKS = 24, TRAFFIC_AIR = 60000, TRAFFIC_DARK = 200 };

/* The digit that makes the text at `digit` right. */
static void set_check_digit(char *text, size_t digit, enum check (*check)(const char *))
{
    for (char value = '0'; value <= '9'; value++) {
        text[digit] = value;
        enum check found = check(text);
        if (found == CHECK_GOOD || found == CHECK_WEAK) {
            return;
        }
    }
    bench_check(false, "no digit makes %s right", text);
}

static void s10_text(uint64_t number, const char *service, char out[RECORD_KEY_BYTES_MAX + 1])
{
    must(number < 100000000);
    (void)snprintf(out, RECORD_KEY_BYTES_MAX + 1, "%s%08u0XX", service, (unsigned)number);
    set_check_digit(out, 10, check_s10);
}

static void container_text(uint64_t number, char out[RECORD_KEY_BYTES_MAX + 1])
{
    must(number < 1000000);
    (void)snprintf(out, RECORD_KEY_BYTES_MAX + 1, "BNCU%06u0", (unsigned)number);
    set_check_digit(out, 10, check_iso6346);
}

/* Pads the record by `raw` until it encodes to exactly these bytes. */
static void pad_declaration(struct traffic_declaration *out, uint32_t encoded_bytes)
{
    size_t bare_bytes = declaration_encode(&out->record, NULL, 0);
    bench_check(bare_bytes <= encoded_bytes, "a declaration has %zu bytes already", bare_bytes);
    uint32_t raw_bytes = encoded_bytes - (uint32_t)bare_bytes;
    must(raw_bytes <= TRAFFIC_RAW_BYTES_MAX);
    out->record.raw = out->raw;
    out->record.raw_bytes = raw_bytes;
    while (out->record.raw_bytes > 0 && declaration_encode(&out->record, NULL, 0) > encoded_bytes) {
        out->record.raw_bytes--;
    }
}

void traffic_declare(uint64_t number, uint32_t encoded_bytes, struct traffic_declaration *out)
{
    struct rng rng;
    rng_init(&rng, 1, number);
    (void)snprintf(out->id, sizeof out->id, "BENCH%010llu", (unsigned long long)number);
    s10_text(number, "RB", out->key_text);
    (void)snprintf(out->importer, sizeof out->importer, "importer %u",
                   (unsigned)rng_below(&rng, 5000));
    (void)snprintf(out->seller, sizeof out->seller, "seller %u", (unsigned)rng_below(&rng, 800));
    (void)snprintf(out->hs_code, sizeof out->hs_code, "%04u%02u",
                   (unsigned)(100 + 100 * rng_below(&rng, 96)),
                   (unsigned)(10 * (1 + rng_below(&rng, 8))));
    out->key = (struct item_key){.scheme = KEY_S10, .value = out->key_text};
    out->line = (struct goods_line){.hs_code = out->hs_code,
                                    .description = "articles",
                                    .origin_country = "CN",
                                    .currency = "EUR",
                                    .quantity_unit = "",
                                    .net_mass_kg = 0.1 + rng_uniform(&rng)};
    out->record = (struct declaration){.declaration_id = out->id,
                                       .mode = MODE_MAIL,
                                       .site = "hall",
                                       .lane = "1",
                                       .keys = &out->key,
                                       .keys_count = 1,
                                       .declared_ns = clock_utc_ns(),
                                       .lines = &out->line,
                                       .lines_count = 1,
                                       .importer = out->importer,
                                       .seller = out->seller,
                                       .declarant = "",
                                       .courier = "",
                                       .departure_country = "CN",
                                       .gross_mass_kg = 1,
                                       .raw_format = ""};
    if (encoded_bytes > 0) {
        for (uint32_t i = 0; i + 8 <= TRAFFIC_RAW_BYTES_MAX; i += 8) {
            uint64_t noise = rng_next(&rng);
            memcpy(out->raw + i, &noise, sizeof noise);
        }
        pad_declaration(out, encoded_bytes);
    }
}

void traffic_renumber(uint64_t number, struct traffic_declaration *declaration)
{
    (void)snprintf(declaration->id, sizeof declaration->id, "BENCH%010llu",
                   (unsigned long long)number);
    s10_text(number, "RB", declaration->key_text);
}

uint64_t traffic_image_bytes(const struct traffic_shape *shape)
{
    return (uint64_t)shape->width * shape->height * (shape->bits / 8);
}

void traffic_scan(uint64_t number, const struct traffic_shape *shape, struct traffic_scan *out)
{
    bool truck = shape->mode == MODE_TRUCK;
    (void)snprintf(out->id, sizeof out->id, "%s%010llu", truck ? "T" : "P",
                   (unsigned long long)number);
    if (truck) {
        container_text(number, out->key_text);
    } else {
        s10_text(number, "RS", out->key_text);
    }
    out->key = (struct item_key){.scheme = truck ? KEY_CONTAINER : KEY_S10, .value = out->key_text};
    for (uint32_t i = 0; i < shape->images_count; i++) {
        enum energy energy = i == 0 ? ENERGY_HIGH : ENERGY_LOW;
        bool linear = shape->bits == 16;
        out->images[i] = (struct image){.width = shape->width,
                                        .height = shape->height,
                                        .bits = shape->bits,
                                        .meaning = linear ? PIXEL_TRANSMISSION : PIXEL_DISPLAY,
                                        .energy = shape->images_count == 1 ? ENERGY_SINGLE : energy,
                                        .payload_bytes = traffic_image_bytes(shape),
                                        .air_level = linear ? TRAFFIC_AIR : 0,
                                        .dark_level = linear ? TRAFFIC_DARK : 0};
    }
    out->record = (struct scan){.scan_id = out->id,
                                .mode = shape->mode,
                                .site = truck ? "gate" : "hall",
                                .lane = "1",
                                .scanner = truck ? "gantry-1" : "belt-1",
                                .scanner_type = shape->scanner_type,
                                .keys = &out->key,
                                .keys_count = 1,
                                .acquired_ns = clock_utc_ns(),
                                .images = out->images,
                                .images_count = shape->images_count};
}

static void put_pixel(uint8_t *pixels, const struct traffic_shape *shape, uint64_t at,
                      double transmission)
{
    double part = transmission < 0 ? 0 : (transmission > 1 ? 1 : transmission);
    if (shape->bits == 16) {
        uint16_t level = (uint16_t)(TRAFFIC_DARK + part * (TRAFFIC_AIR - TRAFFIC_DARK));
        pixels[2 * at] = (uint8_t)(level & 0xff);
        pixels[2 * at + 1] = (uint8_t)(level >> 8);
    } else {
        pixels[at] = (uint8_t)(255 * part);
    }
}

uint8_t *traffic_pixels(uint64_t seed, const struct traffic_shape *shape, uint32_t image_index)
{
    uint8_t *pixels = malloc(traffic_image_bytes(shape));
    bench_check(pixels != NULL, "no memory for an image");
    double thickness[TRAFFIC_BLOCKS][TRAFFIC_BLOCKS];
    struct rng rng;
    rng_init(&rng, 2, seed);
    for (uint32_t i = 0; i < TRAFFIC_BLOCKS * TRAFFIC_BLOCKS; i++) {
        thickness[i / TRAFFIC_BLOCKS][i % TRAFFIC_BLOCKS] = 3 * rng_uniform(&rng);
    }
    double attenuation = image_index == 0 ? 1.0 : 1.3; /* low energy is attenuated more */
    for (uint32_t y = 0; y < shape->height; y++) {
        bool air = y < shape->height / 10 || y > shape->height - shape->height / 10;
        uint32_t row = y * TRAFFIC_BLOCKS / shape->height;
        for (uint32_t x = 0; x < shape->width; x++) {
            uint32_t column = x * TRAFFIC_BLOCKS / shape->width;
            double passed = air ? 1 : exp(-attenuation * thickness[row][column]);
            double noise = 0.01 * ((double)(rng_next(&rng) >> 40) / (double)(1 << 24) - 0.5);
            put_pixel(pixels, shape, (uint64_t)y * shape->width + x, passed + noise);
        }
    }
    return pixels;
}

void traffic_restamp(uint8_t *pixels, const struct traffic_shape *shape, uint64_t number)
{
    /* Low bytes in the second row: noise by their size, another image by their digest. */
    uint64_t step = shape->bits / 8;
    uint64_t at = (uint64_t)shape->width * step;
    for (uint32_t i = 0; i < 8; i++) {
        pixels[at + i * step] = (uint8_t)(number >> (8 * i));
    }
}
