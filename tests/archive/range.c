/* SPDX-License-Identifier: Apache-2.0 */
#include "range.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_T_NS INT64_C(1789982400000000000) /* 2026-09-21 */
#define RANGE_DAY "2026-09-21"

static const uint8_t range_pseudonym_key[HASH_BYTES] = {7};

void range_init(struct range *self, uint64_t first_index)
{
    memset(self, 0, sizeof *self);
    self->first_index = first_index;
    memset(self->draw_key, 0x5a, sizeof self->draw_key);
    self->random_rate = 0.25;
}

void range_tree_before(uint64_t first_n, uint64_t until, struct archive_tree *out)
{
    out->first_n = first_n;
    merkle_range_init(&out->range);
    for (uint64_t i = first_n; i < until; i++) {
        char text[32];
        uint8_t leaf[HASH_BYTES];
        int bytes = snprintf(text, sizeof text, "leaf %llu", (unsigned long long)i);
        merkle_leaf(text, (size_t)bytes, leaf);
        merkle_range_append(&out->range, leaf);
    }
}

void range_fini(struct range *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->entries[i].bytes);
        free(self->entries[i].private_bytes);
    }
    memset(self, 0, sizeof *self);
}

void range_id(uint64_t index, uint8_t out[ENTRY_ID_BYTES])
{
    uint8_t random[10] = {0};
    for (uint32_t i = 0; i < 7;
         i++) { /* the last seven: the first three carry version and variant */
        random[9 - i] = (uint8_t)(index >> (8 * i));
    }
    uuid7_make(RANGE_T_NS, random, out);
}

uint64_t range_add(struct range *self, struct entry *entry, const uint8_t *private_bytes,
                   uint32_t private_count)
{
    uint8_t bytes[ENTRY_BYTES_MAX];
    uint64_t index = self->first_index + self->count;
    must(self->count < RANGE_ENTRIES_MAX);
    range_id(index, entry->id);
    if (entry->actor == NULL) {
        entry->actor = "daemon";
    }
    size_t stamp =
        entry_encode_stamp(index, RANGE_T_NS + (int64_t)index * 1000, bytes, sizeof bytes);
    size_t rest = entry_encode_rest(entry, bytes + stamp, sizeof bytes - stamp);
    must(stamp > 0 && rest > 0);
    struct range_entry *kept = &self->entries[self->count++];
    kept->bytes = malloc(stamp + rest);
    must(kept->bytes != NULL);
    memcpy(kept->bytes, bytes, stamp + rest);
    kept->bytes_count = (uint32_t)(stamp + rest);
    if (private_bytes != NULL) {
        kept->private_bytes = malloc(private_count);
        must(kept->private_bytes != NULL);
        memcpy(kept->private_bytes, private_bytes, private_count);
        kept->private_count = private_count;
    }
    return index;
}

void range_add_log_open(struct range *self, const char *origin)
{
    struct entry entry = {.type = ENTRY_LOG_OPEN};
    entry.body.log_open.origin = origin;
    entry.body.log_open.format_version = 1;
    (void)range_add(self, &entry, NULL, 0);
}

void range_add_draw_commit(struct range *self)
{
    struct entry entry = {.type = ENTRY_DRAW_COMMIT};
    struct entry_draw_commit *commit = &entry.body.draw_commit;
    commit->day = RANGE_DAY;
    commit->scheme = "hmac-sha256-53bit-v1";
    sha256_of(self->draw_key, HASH_BYTES, commit->commitment);
    commit->rates[0] = (struct entry_rate){.stratum = "truck", .rate = self->random_rate};
    commit->rates_count = 1;
    (void)range_add(self, &entry, NULL, 0);
}

void range_add_draw_reveal(struct range *self)
{
    struct entry entry = {.type = ENTRY_DRAW_REVEAL};
    entry.body.draw_reveal.day = RANGE_DAY;
    memcpy(entry.body.draw_reveal.key, self->draw_key, HASH_BYTES);
    (void)range_add(self, &entry, NULL, 0);
}

static uint64_t range_add_declaration(struct range *self, const char *id)
{
    static const struct goods_line lines[2] = {
        {.hs_code = "0803",
         .description = "bananas",
         .origin_country = "EC",
         .net_mass_kg = 1000.5,
         .value = 900,
         .currency = "EUR",
         .quantity_unit = ""},
        {.hs_code = "0805",
         .description = "citrus",
         .origin_country = "EC",
         .net_mass_kg = 500,
         .value = 100,
         .currency = "EUR",
         .quantity_unit = ""},
    };
    const struct item_key key = {.scheme = KEY_PLATE, .value = "B MM 1234"};
    const struct declaration declaration = {.declaration_id = id,
                                            .mode = MODE_TRUCK,
                                            .site = "Rotterdam",
                                            .lane = "3",
                                            .keys = &key,
                                            .keys_count = 1,
                                            .declared_ns = RANGE_T_NS,
                                            .lines = lines,
                                            .lines_count = 2,
                                            .importer = RANGE_PERSON,
                                            .seller = "",
                                            .declarant = "Zoll & Söhne",
                                            .courier = "",
                                            .departure_country = "NL",
                                            .gross_mass_kg = 1700,
                                            .raw_format = "csv",
                                            .raw = (const uint8_t *)RANGE_PERSON,
                                            .raw_bytes = sizeof RANGE_PERSON - 1};
    uint8_t bytes[4096];
    char pseudonym[PSEUDONYM_BYTES];
    size_t bytes_count = declaration_encode(&declaration, bytes, sizeof bytes);
    must(bytes_count > 0 && bytes_count <= sizeof bytes);
    pseudonym_of(range_pseudonym_key, "declaration", id, pseudonym);
    struct entry entry = {.type = ENTRY_DECLARATION_RECEIVED};
    struct entry_received *received = &entry.body.received;
    *received = (struct entry_received){.publisher = "manifest",
                                        .stream = "a",
                                        .sequence = self->count,
                                        .mode = MODE_TRUCK,
                                        .site = "Rotterdam",
                                        .lane = "3",
                                        .record_bytes = bytes_count,
                                        .record_id = pseudonym,
                                        .item_key = "p0123"};
    sha256_of(bytes, bytes_count, received->record_sha256);
    return range_add(self, &entry, bytes, (uint32_t)bytes_count);
}

#define RANGE_WIDTH 300u
#define RANGE_HEIGHT 200u

static void range_make_image(struct image *image, uint8_t seed, uint32_t bits,
                             struct blob_store *blobs)
{
    uint8_t pixels[RANGE_WIDTH * RANGE_HEIGHT * 2];
    uint64_t bytes_count = RANGE_WIDTH * RANGE_HEIGHT * (uint64_t)(bits / 8);
    for (uint64_t i = 0; i < bytes_count; i++) {
        pixels[i] = (uint8_t)(i / 7 + i % RANGE_WIDTH * seed);
    }
    *image = (struct image){.width = RANGE_WIDTH,
                            .height = RANGE_HEIGHT,
                            .bits = bits,
                            .meaning = bits == 16 ? PIXEL_TRANSMISSION : PIXEL_DISPLAY,
                            .energy = bits == 16 ? ENERGY_HIGH : ENERGY_SINGLE,
                            .energy_kev = 6000,
                            .view = bits == 16,
                            .payload_bytes = bytes_count,
                            .pixel_pitch_mm = 1.5,
                            .air_level = 250,
                            .dark_level = 2};
    sha256_of(pixels, bytes_count, image->sha256);
    if (blobs != NULL) {
        uint8_t digest[HASH_BYTES];
        bool stored = false;
        must(!err_is(blob_put(blobs, pixels, bytes_count, image->sha256, digest, &stored)) &&
             stored);
    }
}

static uint64_t range_add_scan(struct range *self, const char *id, uint8_t pixels,
                               struct blob_store *blobs)
{
    struct image images[2];
    range_make_image(&images[0], pixels, 8, blobs);
    range_make_image(&images[1], pixels, 16, blobs);
    const struct item_key key = {.scheme = KEY_PLATE, .value = "B MM 1234"};
    const struct scan scan = {.scan_id = id,
                              .mode = MODE_TRUCK,
                              .site = "Rotterdam",
                              .lane = "3",
                              .scanner = "portal-1",
                              .scanner_type = "container-portal",
                              .keys = &key,
                              .keys_count = 1,
                              .acquired_ns = RANGE_T_NS + 5,
                              .images = images,
                              .images_count = 2};
    uint8_t bytes[4096];
    size_t bytes_count = scan_encode(&scan, bytes, sizeof bytes);
    must(bytes_count > 0 && bytes_count <= sizeof bytes);
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED};
    struct entry_received *received = &entry.body.received;
    *received = (struct entry_received){.publisher = "portal",
                                        .stream = "a",
                                        .sequence = self->count,
                                        .mode = MODE_TRUCK,
                                        .site = "Rotterdam",
                                        .lane = "3",
                                        .record_bytes = bytes_count,
                                        .record_id = id,
                                        .item_key = "p0123",
                                        .scanner = scan.scanner,
                                        .scanner_type = scan.scanner_type,
                                        .acquired_ns = scan.acquired_ns,
                                        .images_count = 2};
    for (uint32_t i = 0; i < 2; i++) {
        received->images[i] = (struct entry_image){.width = images[i].width,
                                                   .height = images[i].height,
                                                   .bits = images[i].bits,
                                                   .meaning = images[i].meaning,
                                                   .energy = images[i].energy,
                                                   .view = images[i].view,
                                                   .payload_bytes = images[i].payload_bytes};
        memcpy(received->images[i].sha256, images[i].sha256, HASH_BYTES);
    }
    sha256_of(bytes, bytes_count, received->record_sha256);
    return range_add(self, &entry, bytes, (uint32_t)bytes_count);
}

static double range_add_score(struct range *self, const uint8_t item[ITEM_ID_BYTES],
                              uint64_t declaration, uint64_t scan)
{
    struct entry entry = {.type = ENTRY_SCORE, .has_item = true, .causes_count = 2};
    struct entry_score *score = &entry.body.score;
    memcpy(entry.item, item, ITEM_ID_BYTES);
    range_id(declaration, entry.causes[0]);
    range_id(scan, entry.causes[1]);
    score->contributions[0] =
        (struct entry_contribution){"appearance", 1.25, "unlike other loads of bananas"};
    score->contributions[1] = (struct entry_contribution){"history", -2.0, "importer known"};
    score->contributions_count = 2;
    score->logit = 1.25 - 2.0;
    score->probability = 1 / (1 + exp(-score->logit));
    score->models[0].name = "appearance/container-portal";
    memset(score->models[0].sha256, 0xab, HASH_BYTES);
    score->models_count = 1;
    score->regions[0] = (struct entry_region){
        .image_index = 1, .x = 10, .y = 20, .width = 30, .height = 40, .score = 3};
    score->regions_count = 1;
    score->quality = 0.875;
    (void)range_add(self, &entry, NULL, 0);
    return score->probability;
}

/* u = the first 53 bits of HMAC-SHA-256(key, item), big-endian, as a number in [0, 1). */
static double range_draw(const struct range *self, const uint8_t item[ITEM_ID_BYTES],
                         uint8_t draw[HASH_BYTES])
{
    uint64_t bits = 0;
    hmac_sha256_of(self->draw_key, HASH_BYTES, item, ITEM_ID_BYTES, draw);
    for (uint32_t i = 0; i < 8; i++) {
        bits = bits << 8 | draw[i];
    }
    return (double)(bits >> 11) * 0x1p-53;
}

bool range_add_item(struct range *self, uint8_t item[ITEM_ID_BYTES], uint8_t pixels,
                    struct blob_store *blobs)
{
    char declaration_id[32];
    char scan_id[32];
    memset(item, 0, ITEM_ID_BYTES);
    item[0] = self->item_seed++;
    item[15] = 0x77;
    (void)snprintf(declaration_id, sizeof declaration_id, "DE-%u", item[0]);
    (void)snprintf(scan_id, sizeof scan_id, "S-%u", item[0]);
    uint64_t declaration = range_add_declaration(self, declaration_id);
    uint64_t scan = range_add_scan(self, scan_id, pixels, blobs);
    double probability = range_add_score(self, item, declaration, scan);
    struct entry entry = {.type = ENTRY_REFERRAL_DECISION, .has_item = true, .causes_count = 1};
    struct entry_decision *decision = &entry.body.decision;
    memcpy(entry.item, item, ITEM_ID_BYTES);
    range_id(self->first_index + self->count - 1, entry.causes[0]);
    bool drawn = range_draw(self, item, decision->draw) < self->random_rate;
    bool targeted = item[0] % 2 == 0;
    decision->decision = drawn || targeted ? "refer" : "release";
    decision->arm = drawn && targeted ? "both" : drawn ? "random" : targeted ? "target" : "none";
    decision->propensity = targeted ? 1 : self->random_rate;
    decision->random_rate = self->random_rate;
    decision->probability = probability;
    decision->cutoff = 0.3;
    decision->priority = 2.5;
    decision->capacity_per_hour = 4;
    decision->arrivals_per_hour = 50;
    decision->rank = 1;
    decision->window_count = 10;
    decision->draw_scheme = "hmac-sha256-53bit-v1";
    decision->draw_day = RANGE_DAY;
    decision->draw_stratum = "truck/Rotterdam/3";
    decision->reasons[0] = "unlike other loads of bananas";
    decision->reasons[1] = "importer known";
    decision->reasons_count = 2;
    decision->label = "truck, lane 3";
    decision->mode = MODE_TRUCK;
    decision->site = "Rotterdam";
    decision->lane = "3";
    decision->hold_ended_by = "complete";
    self->decisions[item[0]] = range_add(self, &entry, NULL, 0);
    return drawn || targeted;
}

void range_add_action(struct range *self, const uint8_t item[ITEM_ID_BYTES], const char *to_state,
                      uint64_t version)
{
    struct entry entry = {
        .type = ENTRY_OFFICER_ACTION, .has_item = true, .actor = "p00aa", .causes_count = 1};
    memcpy(entry.item, item, ITEM_ID_BYTES);
    range_id(self->decisions[item[0]], entry.causes[0]);
    entry.body.officer_action = (struct entry_officer_action){.action = "claim",
                                                              .code = "",
                                                              .request_id = "r1",
                                                              .version = version,
                                                              .to_state = to_state};
    (void)range_add(self, &entry, NULL, 0);
}

void range_add_outcome(struct range *self, const uint8_t item[ITEM_ID_BYTES], uint64_t version)
{
    struct entry entry = {
        .type = ENTRY_OUTCOME, .has_item = true, .actor = "p00aa", .causes_count = 1};
    memcpy(entry.item, item, ITEM_ID_BYTES);
    range_id(self->decisions[item[0]], entry.causes[0]);
    entry.body.outcome = (struct entry_outcome){.exam_level = "full",
                                                .result = "found",
                                                .seizure_class = "narcotics",
                                                .quantity = 12.5,
                                                .unit = "kg",
                                                .has_region = true,
                                                .image_index = 1,
                                                .region_x = 1,
                                                .region_y = 2,
                                                .region_width = 3,
                                                .region_height = 4,
                                                .request_id = "r2",
                                                .version = version};
    (void)range_add(self, &entry, NULL, 0);
}

void range_add_refusal(struct range *self)
{
    struct entry entry = {.type = ENTRY_RECORD_REFUSED};
    entry.body.refused = (struct entry_refused){.publisher = "portal",
                                                .stream = "a",
                                                .sequence = 99,
                                                .code = 8,
                                                .name = "empty_image",
                                                .reason = "scan without images",
                                                .record_bytes = 10};
    (void)range_add(self, &entry, NULL, 0);
}

void range_add_seal(struct range *self, const struct archive_result *result)
{
    struct entry entry = {.type = ENTRY_ARCHIVE_SEAL};
    entry.body.archive_seal = (struct entry_archive_seal){.path = result->path,
                                                          .file_bytes = result->file_bytes,
                                                          .first_index = result->first_index,
                                                          .last_index = result->last_index,
                                                          .hdf5_version = result->hdf5_version,
                                                          .filters = result->filters};
    memcpy(entry.body.archive_seal.sha256, result->sha256, HASH_BYTES);
    (void)range_add(self, &entry, NULL, 0);
}

bool range_next(void *source, struct archive_entry *out, struct err *err)
{
    struct range *self = source;
    (void)err;
    if (self->next == self->count) {
        return false;
    }
    const struct range_entry *entry = &self->entries[self->next];
    *out = (struct archive_entry){.entry_index = self->first_index + self->next,
                                  .bytes = entry->bytes,
                                  .bytes_count = entry->bytes_count,
                                  .private_bytes = entry->private_bytes,
                                  .private_count = entry->private_count};
    self->next++;
    return true;
}
