/* SPDX-License-Identifier: Apache-2.0 */
/* What replay.py replays: make_replay DIR ITEMS makes DIR/models (history, fusion, three appearance
 * models of two scanner types, two of consistency), DIR/archive (three sealed files of two days,
 * with items that begin in one file and are scored in the next), DIR/chain (the first entries
 * again, a file for each) and DIR/tampered (the same files as DIR/archive, but for three scores).
 * Prints the paths and the tampered entries. Aborts on any failure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "archive/blob.h"
#include "base/durable.h"
#include "kernels/logistic.h"
#include "kernels/rng.h"
#include "score/blas_core.h"
#include "score/computing.h"
#include "score/score.h"
#include "score/train.h"
#include "score/train_consistency.h"

enum {
    WIDTH = 240,
    HEIGHT = 120,
    IMAGE_BYTES = WIDTH * HEIGHT * 2,
    DRAWINGS = 24,
    WORKING_HEIGHT = 120,
    FIRST_INDEX = 100,
    PART_BYTES = 512,
    FILES = 3,
    CHAIN_FILES = 44
};

#define DAY_NS INT64_C(1789948800000000000) /* 2026-09-21 */
#define ORIGIN "oversight.example/rotterdam/2026"

static const uint8_t pseudonym_key[HASH_BYTES] = {7};
static uint8_t drawings[DRAWINGS][IMAGE_BYTES];
static uint8_t digests[DRAWINGS][HASH_BYTES];

static void good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        (void)fprintf(stderr, "make_replay: %s\n", err_text(err, text));
        abort();
    }
}

static void path_of(char out[PART_BYTES], const char *directory, const char *name)
{
    must(snprintf(out, PART_BYTES, "%s/%s", directory, name) < PART_BYTES);
}

/* ---- pictures and models ---- */

static void draw(uint8_t *out, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    double phase = rng_uniform(&rng) * 20;
    double fill = 0.2 + rng_uniform(&rng);
    int odd_x = (int)(rng_uniform(&rng) * (WIDTH - 40));
    bool is_odd = seed % 3 == 0;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double a = fill * (1.2 + 0.3 * sin((x + phase) * 0.3) + 0.2 * sin((y + phase) * 0.2));
            bool inside = is_odd && x >= odd_x && x < odd_x + 30 && y > 40 && y < 80;
            a += inside ? 1.2 + 0.5 * cos(x * 1.1) * cos(y * 0.9) : 0;
            double counts = 60000 * exp(-a) + 100 * rng_normal(&rng);
            uint16_t value = (uint16_t)(counts < 0 ? 0 : counts > 65535 ? 65535 : counts);
            out[2 * (y * WIDTH + x)] = (uint8_t)value;
            out[2 * (y * WIDTH + x) + 1] = (uint8_t)(value >> 8);
        }
    }
}

static struct image make_image(uint32_t drawing, enum energy energy, uint32_t use)
{
    struct image image = {.width = WIDTH,
                          .height = HEIGHT,
                          .bits = 16,
                          .meaning = PIXEL_TRANSMISSION,
                          .energy = energy,
                          .payload_bytes = IMAGE_BYTES,
                          .pixel_pitch_mm = 4 + 0.5 * (use % 3),
                          .air_level = 60000 - 250 * (use % 5),
                          .dark_level = 10 * (use % 2)};
    memcpy(image.sha256, digests[drawing], HASH_BYTES);
    return image;
}

static void train_portal(const char *scanner_type, uint32_t dimensions, const char *models,
                         struct train_report *report)
{
    struct train_appearance_conf conf = {.scanner_type = scanner_type,
                                         .bank_patches_max = 192,
                                         .dimensions = dimensions,
                                         .working_height = WORKING_HEIGHT,
                                         .seed = 5};
    struct train_appearance *self = NULL;
    good(train_appearance_open(&conf, &self));
    for (uint32_t i = 0; i < DRAWINGS; i++) {
        struct image image = make_image(i, ENERGY_HIGH, 0);
        struct train_image training = {.image = &image,
                                       .pixels = drawings[i],
                                       .name = "drawing",
                                       .declared_mass_kg = 8000 + 500 * i,
                                       .low_image = &image,
                                       .low_pixels = drawings[(i + 1) % DRAWINGS]};
        good(train_appearance_add(self, &training));
    }
    good(train_appearance_write(self, models, report));
    train_appearance_close(&self);
}

/* What goods of four chapters look like: any drawings, as it does not matter here what is said. */
static void train_chapters(const char *scanner_type, bool dual, const char *models,
                           struct train_report *report)
{
    static const uint32_t chapters[4] = {22, 44, 69, 87};
    const struct train_consistency_conf conf = {
        .scanner_type = scanner_type, .working_height = WORKING_HEIGHT, .seed = 1};
    struct train_consistency *self = NULL;
    good(train_consistency_open(&conf, &self));
    for (uint32_t i = 0; i < 4 * DRAWINGS; i++) {
        struct image image = make_image(i % DRAWINGS, dual ? ENERGY_HIGH : ENERGY_SINGLE, i);
        const struct train_image training = {.image = &image,
                                             .pixels = drawings[i % DRAWINGS],
                                             .name = "drawing",
                                             .low_image = dual ? &image : NULL,
                                             .low_pixels =
                                                 dual ? drawings[(i + 1) % DRAWINGS] : NULL};
        good(train_consistency_add(self, &training, chapters[i % 4]));
    }
    good(train_consistency_write(self, models, report));
    train_consistency_close(&self);
}

/* ---- records ---- */

static const char *const importers[] = {"Ada", "Grace", "Hedy", "Emmy", "Lise", "Mary", "Sofja"};
static const char *const sellers[] = {"North", "South", "East", "West"};
static const char *const goods[] = {"440890", "690722", "220421", "240220", "870899"};

struct item {
    struct goods_line line;
    struct declaration declaration;
    struct image images[2][2];
    struct scan scans[2];
    uint32_t uses[2][2]; /* drawings */
    struct score_input input;
};

static void make_declaration(uint32_t i, struct item *out)
{
    out->line = (struct goods_line){.hs_code = goods[i % 5],
                                    .description = "",
                                    .origin_country = i % 3 == 0 ? "CN" : "BR",
                                    .net_mass_kg = 9000,
                                    .currency = "EUR",
                                    .quantity_unit = "",
                                    .tax_rate_percent = 8,
                                    .value = 1000 + i};
    out->declaration = (struct declaration){.declaration_id = "D",
                                            .mode = MODE_TRUCK,
                                            .site = "north",
                                            .lane = "1",
                                            .declared_ns = 1,
                                            .lines = &out->line,
                                            .lines_count = 1,
                                            .importer = importers[(i * 5) % 7],
                                            .seller = sellers[(i / 3) % 4],
                                            .declarant = i % 4 == 0 ? "" : "Broker",
                                            .courier = "",
                                            .departure_country = "BE",
                                            .gross_mass_kg = i % 6 == 0 ? 0 : 3000 + 37.1 * i,
                                            .declared_empty = i % 11 == 0,
                                            .raw_format = "test"};
}

static void add_scan(struct item *item, uint32_t i, bool dual)
{
    uint32_t at = item->input.scans_count++;
    for (uint32_t n = 0; n < (dual ? 2u : 1u); n++) {
        item->uses[at][n] = (i * 7 + at * 3 + n) % DRAWINGS;
        enum energy energy = !dual ? ENERGY_SINGLE : n == 0 ? ENERGY_HIGH : ENERGY_LOW;
        item->images[at][n] = make_image(item->uses[at][n], energy, i + n);
        item->input.scans[at].pixels[n] = drawings[item->uses[at][n]];
    }
    item->scans[at] = (struct scan){.scan_id = "S",
                                    .mode = MODE_TRUCK,
                                    .site = "north",
                                    .lane = "1",
                                    .scanner = "gate",
                                    .scanner_type = dual ? "dual-portal" : "single-portal",
                                    .images = item->images[at],
                                    .images_count = dual ? 2 : 1};
    item->input.scans[at].scan = &item->scans[at];
}

/* Ten kinds of items, most with a scan. */
static void make_item(uint32_t i, struct item *out)
{
    uint32_t kind = i % 10;
    memset(out, 0, sizeof *out);
    make_declaration(i, out);
    if (kind == 4 || kind == 5 || kind == 7 || kind == 9) {
        add_scan(out, i, false);
    }
    if (kind == 6 || kind == 8 || kind == 9) {
        add_scan(out, i, true);
    }
    if (kind < 4 || kind > 6) {
        out->input.declarations[0] = &out->declaration;
        out->input.declarations_count = 1;
    }
}

/* ---- the log ---- */

struct line {
    uint8_t *bytes;
    uint32_t bytes_count;
    uint8_t *record;
    uint32_t record_bytes;
};

struct log {
    struct line *lines;
    uint32_t count;
    uint32_t capacity;
    uint32_t next; /* of log_next */
    uint32_t end;
    int64_t t_ns;
};

static bool log_next(void *source, struct archive_entry *out, struct err *err)
{
    struct log *self = source;
    *err = err_none;
    if (self->next == self->end) {
        return false;
    }
    const struct line *line = &self->lines[self->next];
    *out = (struct archive_entry){.entry_index = FIRST_INDEX + self->next,
                                  .bytes = line->bytes,
                                  .bytes_count = line->bytes_count,
                                  .private_bytes = line->record,
                                  .private_count = line->record_bytes};
    self->next++;
    return true;
}

static void encode(const struct log *self, uint32_t at, const struct entry *entry, struct line *out)
{
    uint8_t bytes[ENTRY_BYTES_MAX];
    size_t stamp = entry_encode_stamp(FIRST_INDEX + at, self->t_ns, bytes, sizeof bytes);
    size_t rest = entry_encode_rest(entry, bytes + stamp, sizeof bytes - stamp);
    must(rest > 0);
    out->bytes = malloc(stamp + rest);
    must(out->bytes != NULL);
    memcpy(out->bytes, bytes, stamp + rest);
    out->bytes_count = (uint32_t)(stamp + rest);
}

/* record: of a received entry, or NULL; it is copied. Sets the entry's id. */
static uint32_t log_add(struct log *self, struct entry *entry, const uint8_t *record,
                        size_t record_bytes)
{
    uint8_t random[10] = {0};
    must(self->count < self->capacity);
    memcpy(random + 6, &self->count, sizeof self->count);
    uuid7_make(DAY_NS, random, entry->id);
    entry->actor = "daemon";
    struct line *line = &self->lines[self->count];
    encode(self, self->count, entry, line);
    if (record != NULL) {
        line->record = malloc(record_bytes);
        must(line->record != NULL);
        memcpy(line->record, record, record_bytes);
        line->record_bytes = (uint32_t)record_bytes;
    }
    return self->count++;
}

static void log_scan(struct log *self, const struct scan *scan, uint8_t id[ENTRY_ID_BYTES])
{
    uint8_t record[8192];
    size_t record_bytes = scan_encode(scan, record, sizeof record);
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED};
    struct entry_received *received = &entry.body.received;
    must(record_bytes > 0);
    *received = (struct entry_received){.publisher = "gate",
                                        .stream = "1",
                                        .mode = scan->mode,
                                        .site = scan->site,
                                        .lane = scan->lane,
                                        .record_bytes = record_bytes,
                                        .record_id = scan->scan_id,
                                        .scanner = scan->scanner,
                                        .scanner_type = scan->scanner_type,
                                        .images_count = scan->images_count};
    sha256_of(record, record_bytes, received->record_sha256);
    for (uint32_t i = 0; i < scan->images_count; i++) {
        const struct image *image = &scan->images[i];
        received->images[i] = (struct entry_image){.width = image->width,
                                                   .height = image->height,
                                                   .bits = image->bits,
                                                   .meaning = image->meaning,
                                                   .energy = image->energy,
                                                   .view = image->view,
                                                   .payload_bytes = image->payload_bytes};
        memcpy(received->images[i].sha256, image->sha256, HASH_BYTES);
    }
    (void)log_add(self, &entry, record, record_bytes);
    memcpy(id, entry.id, ENTRY_ID_BYTES);
}

static void log_declaration(struct log *self, uint8_t id[ENTRY_ID_BYTES])
{
    struct entry entry = {.type = ENTRY_DECLARATION_RECEIVED};
    entry.body.received = (struct entry_received){
        .publisher = "customs", .stream = "1", .mode = MODE_TRUCK, .site = "north", .lane = "1"};
    (void)log_add(self, &entry, NULL, 0);
    memcpy(id, entry.id, ENTRY_ID_BYTES);
}

static void log_item(struct log *self, uint32_t number, const struct item *item,
                     const struct score_result *result, uint32_t *records_end)
{
    struct entry entry = {.type = ENTRY_SCORE, .has_item = true};
    for (uint32_t i = 0; i < item->input.scans_count; i++) {
        log_scan(self, &item->scans[i], entry.causes[entry.causes_count++]);
    }
    if (item->input.declarations_count > 0) {
        log_declaration(self, entry.causes[entry.causes_count++]);
    }
    *records_end = self->count;
    memcpy(entry.item, &number, sizeof number);
    entry.item[15] = 0xaa;
    entry.body.score = result->score;
    (void)log_add(self, &entry, NULL, 0);
    char label[32];
    struct entry decision = {.type = ENTRY_REFERRAL_DECISION, .has_item = true, .causes_count = 1};
    (void)snprintf(label, sizeof label, "TRUCK-%u", number);
    memcpy(decision.item, entry.item, ITEM_ID_BYTES);
    memcpy(decision.causes[0], entry.id, ENTRY_ID_BYTES);
    decision.body.decision = (struct entry_decision){.decision = "release",
                                                     .arm = "none",
                                                     .probability = result->score.probability,
                                                     .label = label,
                                                     .mode = MODE_TRUCK,
                                                     .site = "north"};
    (void)log_add(self, &decision, NULL, 0);
}

static void log_machine(struct log *self)
{
    struct score_computing computing;
    struct entry entry = {.type = ENTRY_CONFIG_CHANGE};
    score_computing(&computing);
    entry.body.config_change.policy_version = "test";
    entry.body.config_change.build = computing.build;
    entry.body.config_change.blas = computing.blas;
    entry.body.config_change.libm = computing.libm;
    entry.body.config_change.processor = computing.processor;
    (void)log_add(self, &entry, NULL, 0);
}

/* ---- all of it ---- */

struct port {
    struct log log;
    struct score *scorer;
    struct train_report history;
    struct train_report fusion;
    struct train_report portals[3];
    struct train_report chapters[2];
    uint32_t cuts[FILES + 1]; /* where each file begins, and the end */
};

static void train_all(struct port *self, const char *models)
{
    struct train_history *history = NULL;
    struct item item;
    good(train_history_open(1, &history));
    for (uint32_t i = 0; i < 400; i++) {
        make_declaration(i * 3, &item);
        good(train_history_add(history, &item.declaration, i % 5 == 0 || i % 7 == 3,
                               1000 + (int64_t)i));
    }
    good(train_history_write(history, models, &self->history, &self->fusion));
    train_history_close(&history);
    train_portal("single-portal", 16, models, &self->portals[0]);
    train_portal("single-portal", 24, models, &self->portals[1]);
    train_portal("dual-portal", 16, models, &self->portals[2]);
    train_chapters("single-portal", false, models, &self->chapters[0]);
    train_chapters("dual-portal", true, models, &self->chapters[1]);
}

static void install(struct port *self, const struct train_report *report)
{
    good(score_install(self->scorer, report->path, report->sha256, NULL));
}

/* Built-in constants for a third of the items, then one set of models, then another. */
static void fill_log(struct port *self, uint32_t items_count)
{
    static struct score_result result;
    static struct item item;
    log_machine(&self->log);
    for (uint32_t i = 0; i < items_count; i++) {
        uint32_t records_end = 0;
        if (i == items_count / 3) {
            install(self, &self->history);
            install(self, &self->fusion);
            install(self, &self->portals[0]);
        } else if (i == 2 * items_count / 3) {
            install(self, &self->portals[1]);
            install(self, &self->portals[2]);
            install(self, &self->chapters[0]);
            install(self, &self->chapters[1]);
            self->log.t_ns = DAY_NS + INT64_C(86400000000000);
        }
        make_item(i, &item);
        score_items(self->scorer, &item.input, &result, 1);
        log_item(&self->log, i, &item, &result, &records_end);
        if (i == items_count / 3 + 9) { /* two scans and a declaration here, their score there */
            self->cuts[1] = records_end;
        } else if (i == 2 * items_count / 3 + 9 - (2 * items_count / 3) % 10) {
            self->cuts[2] = records_end;
        }
        if (i % 7 == 0) {
            score_history_learn(self->scorer, &item.declaration, i % 14 == 0, 2000 + (int64_t)i);
        }
    }
    self->cuts[3] = self->log.count;
}

static void seal_file(struct log *log, uint32_t from, uint32_t to, const char *directory,
                      struct blob_store *blobs, const char *word)
{
    const struct archive_conf conf = {.directory = directory,
                                      .origin = ORIGIN,
                                      .deflate_level = 1,
                                      .threads = 2,
                                      .pseudonym_key = pseudonym_key};
    struct archive_result result;
    must(from < to);
    log->next = from;
    log->end = to;
    good(archive_build(&conf, blobs, log_next, log, &result));
    (void)printf("%s %s/%s\n", word, directory, result.path);
}

static void seal(struct port *self, const char *directory, struct blob_store *blobs,
                 const char *word)
{
    for (uint32_t i = 0; i < FILES; i++) {
        seal_file(&self->log, self->cuts[i], self->cuts[i + 1], directory, blobs, word);
    }
}

/* The second file's score number `which`, changed as somebody would who wants to hide it. */
static void tamper(struct port *self, uint32_t which)
{
    static uint8_t memory[ENTRY_ARENA_BYTES];
    uint32_t at = self->cuts[1] + 40;
    for (uint32_t seen = 0;; at++) {
        const struct line *line = &self->log.lines[at];
        must(at < self->cuts[2]);
        bool is_score = entry_type_peek(line->bytes, line->bytes_count) == ENTRY_SCORE;
        if (is_score && seen++ == which * 30) {
            break;
        }
    }
    struct line *line = &self->log.lines[at];
    struct arena arena;
    struct entry entry;
    arena_init(&arena, memory, sizeof memory);
    must(entry_decode(line->bytes, line->bytes_count, &arena, &entry) == ENTRY_GOOD);
    struct entry_score *score = &entry.body.score;
    static float values[ENTRY_INPUT_VALUES_MAX];
    switch (which) {
    case 0: /* the last bit of the probability alone */
        score->probability = nextafter(score->probability, 1);
        break;
    case 1: /* a contribution, and everything that follows from it */
        score->contributions[0].logit += 0.25;
        score->logit = 0;
        for (uint32_t i = 0; i < score->contributions_count; i++) {
            score->logit += score->contributions[i].logit;
        }
        score->probability = logistic_probability(score->logit);
        break;
    default: /* what a model is said to have been given */
        memcpy(values, score->inputs[0].values, score->inputs[0].values_count * sizeof *values);
        values[1] += 1;
        values[2] *= 0.5f;
        score->inputs[0].values = values;
        break;
    }
    free(line->bytes);
    int64_t t_ns = self->log.t_ns;
    self->log.t_ns = entry.t_ns;
    encode(&self->log, at, &entry, line);
    self->log.t_ns = t_ns;
    (void)printf("tampered_entry %u\n", FIRST_INDEX + at);
}

int main(int argc, char **argv)
{
    static struct port port;
    char models[PART_BYTES];
    char archive[PART_BYTES];
    char chain[PART_BYTES];
    char tampered[PART_BYTES];
    char blob_directory[PART_BYTES];
    struct blob_store *blobs = NULL;
    blas_core_force(argv);
    if (argc != 3) {
        (void)fprintf(stderr, "usage: make_replay DIR ITEMS\n");
        return 2;
    }
    uint32_t items_count = (uint32_t)strtoul(argv[2], NULL, 10);
    must(items_count >= 60 && items_count < 1000000);
    path_of(models, argv[1], "models");
    path_of(archive, argv[1], "archive");
    path_of(chain, argv[1], "chain");
    path_of(tampered, argv[1], "tampered");
    path_of(blob_directory, argv[1], "blobs");
    good(durable_directory(models, 0755));
    good(blob_store_open(blob_directory, 0, &blobs));
    for (uint32_t i = 0; i < DRAWINGS; i++) {
        bool stored = false;
        draw(drawings[i], i + 1);
        sha256_of(drawings[i], IMAGE_BYTES, digests[i]);
        good(blob_put(blobs, drawings[i], IMAGE_BYTES, digests[i], digests[i], &stored));
    }
    good(blob_commit(blobs));
    const struct score_conf conf = {
        .image_bytes_max = IMAGE_BYTES, .history_slots = 4096, .working_height = WORKING_HEIGHT};
    good(score_open(&conf, &port.scorer));
    port.log = (struct log){.capacity = items_count * 6 + 16, .t_ns = DAY_NS};
    port.log.lines = calloc(port.log.capacity, sizeof *port.log.lines);
    must(port.log.lines != NULL);
    train_all(&port, models);
    fill_log(&port, items_count);
    seal(&port, archive, blobs, "file");
    for (uint32_t i = 0; i < CHAIN_FILES; i++) {
        seal_file(&port.log, i, i + 1, chain, blobs, "chain_file");
    }
    for (uint32_t i = 0; i < 3; i++) {
        tamper(&port, i);
    }
    seal(&port, tampered, blobs, "tampered_file");
    for (uint32_t i = 0; i < port.log.count; i++) {
        free(port.log.lines[i].bytes);
        free(port.log.lines[i].record);
    }
    free(port.log.lines);
    score_close(&port.scorer);
    blob_store_close(&blobs);
    return 0;
}
