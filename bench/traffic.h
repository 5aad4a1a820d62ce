/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

/* Traffic: records for measurements: parcel declarations of a wanted encoded size, truck and parcel
 * scans. Everything follows from the record's number; keys carry right check digits. Values point
 * into the struct they were made in, so it must not move. One thread a struct. */

#include <stdint.h>

#include "proto/record.h"

#define TRAFFIC_RAW_BYTES_MAX 8192u

struct traffic_declaration {
    struct declaration record;
    struct item_key key;
    struct goods_line line;
    char id[24];
    char key_text[RECORD_KEY_BYTES_MAX + 1];
    char importer[24];
    char seller[24];
    char hs_code[12];
    uint8_t raw[TRAFFIC_RAW_BYTES_MAX];
};

/* number < 100,000,000. encoded_bytes 0: as it comes, without `raw`. */
void traffic_declare(uint64_t number, uint32_t encoded_bytes, struct traffic_declaration *out);

/* Turns a declaration into the one of another number of the same encoded size: only its id and key
 * change, so that what is measured is not the making of test records. */
void traffic_renumber(uint64_t number, struct traffic_declaration *declaration);

struct traffic_scan {
    struct scan record;
    struct item_key key;
    struct image images[2];
    char id[24];
    char key_text[RECORD_KEY_BYTES_MAX + 1];
};

struct traffic_shape {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    uint32_t images_count; /* 2: high and low energy */
    enum mode mode;        /* MODE_MAIL or MODE_TRUCK; number < 100,000,000 and < 1,000,000 */
    const char *scanner_type;
};

void traffic_scan(uint64_t number, const struct traffic_shape *shape, struct traffic_scan *out);
uint64_t traffic_image_bytes(const struct traffic_shape *shape);
/* One image of a load: smooth blocks of different thickness between air above and below, with
 * noise. Caller frees. */
uint8_t *traffic_pixels(uint64_t seed, const struct traffic_shape *shape, uint32_t image_index);
/* Makes these pixels other pixels, so that no two scans have the same blob: cheap, a handful of
 * pixels. */
void traffic_restamp(uint8_t *pixels, const struct traffic_shape *shape, uint64_t number);

#endif
