/* SPDX-License-Identifier: Apache-2.0 */
/* Bench view: how long a screen of 1024x768 pixels takes out of a truck scan of 20 MB, from a blob
 * and from sealed files, and what busy readers cost the archiver.
 *
 * "whole" is the scan reduced to the screen, checked against its SHA-256; "part" a window at full
 * resolution at places that change. Files lie in the page cache. The archiver's rate is measured
 * with no reader, with 8 that read without a pause, and, for comparison, with 8 threads that only
 * burn processor time: what is lost beyond these would be waiting for readers.
 *
 * bench_view [--json] [--rounds N] [DIRECTORY]: files are made below DIRECTORY (/tmp), removed. */
#include <fts.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/durable.h"
#include "bench/figure.h"
#include "bench/scan_set.h"
#include "picture/picture.h"
#include "proto/record.h"
#include "view/view.h"

#define ROUNDS 5u
#define WIDTH 5000u /* 20 MB of 16 bits */
#define HEIGHT 2000u
#define SCREEN_WIDTH 1024u
#define SCREEN_HEIGHT 768u
#define SCANS 6u
#define VIEWS 200u
#define READERS 8u
#define T_NS INT64_C(1789982400000000000)

static bool as_json;
static uint32_t rounds_count = ROUNDS;

struct store {
    char directory[128];
    char blobs_path[160];
    char archive_path[160];
    struct blob_store *blobs;
    uint8_t digests[SCANS][HASH_BYTES];
    uint8_t entries[SCANS][ENTRY_BYTES_MAX];
    uint32_t entry_bytes[SCANS];
    uint32_t next;
    char sealed[2][160]; /* plain, deflate(2) */
};

static void need(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static void remove_below(const char *path)
{
    char root[DURABLE_PATH_BYTES];
    (void)snprintf(root, sizeof root, "%s", path);
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *found = walk == NULL ? NULL : fts_read(walk); found != NULL;
         found = fts_read(walk)) {
        if (found->fts_info != FTS_D) {
            (void)remove(found->fts_path);
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
}

/* A simulated scan, repeated until the wanted size is full: its noise is what compresses badly. */
static void fill_pixels(const struct scan_set_image *from, uint32_t n, uint8_t *pixels)
{
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            size_t at = (size_t)(y % from->height) * from->width + (x + 37 * n) % from->width;
            memcpy(pixels + 2 * ((size_t)y * WIDTH + x), from->pixels + 2 * at, 2);
        }
    }
}

static void make_entry(struct store *store, uint32_t n)
{
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED, .actor = "daemon"};
    struct entry_received *received = &entry.body.received;
    received->publisher = received->stream = received->site = received->lane = "bench";
    received->record_id = "S";
    received->item_key = "";
    received->scanner = received->scanner_type = "portal";
    received->mode = MODE_TRUCK;
    received->images_count = 1;
    received->images[0] = (struct entry_image){.width = WIDTH,
                                               .height = HEIGHT,
                                               .bits = 16,
                                               .meaning = PIXEL_TRANSMISSION,
                                               .energy = ENERGY_SINGLE,
                                               .payload_bytes = UINT64_C(2) * WIDTH * HEIGHT};
    memcpy(received->images[0].sha256, store->digests[n], HASH_BYTES);
    entry.id[0] = (uint8_t)n;
    uint8_t *bytes = store->entries[n];
    size_t stamp = entry_encode_stamp(n, T_NS + n, bytes, ENTRY_BYTES_MAX);
    size_t rest = entry_encode_rest(&entry, bytes + stamp, ENTRY_BYTES_MAX - stamp);
    must(stamp > 0 && rest > 0);
    store->entry_bytes[n] = (uint32_t)(stamp + rest);
}

static bool store_next(void *opaque, struct archive_entry *out, struct err *err)
{
    struct store *store = opaque;
    *err = err_none;
    if (store->next == SCANS) {
        return false;
    }
    *out = (struct archive_entry){.entry_index = store->next,
                                  .bytes = store->entries[store->next],
                                  .bytes_count = store->entry_bytes[store->next]};
    store->next++;
    return true;
}

static double seal(struct store *store, const char *directory, uint32_t level, char *path)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {1};
    struct archive_result result;
    const struct archive_conf conf = {.directory = directory,
                                      .origin = level == 0 ? "plain" : "deflate",
                                      .deflate_level = level,
                                      .threads = 2,
                                      .pseudonym_key = pseudonym_key};
    store->next = 0;
    int64_t start_ns = clock_monotonic_ns();
    need(archive_build(&conf, store->blobs, store_next, store, &result), "archive");
    double seconds = (double)(clock_monotonic_ns() - start_ns) / (double)NS_PER_S;
    if (path != NULL) {
        (void)snprintf(path, 160, "%s", result.path);
    }
    return 2.0 * WIDTH * HEIGHT * SCANS / 1e6 / seconds;
}

static void fill_store(struct store *store)
{
    static struct scan_set set;
    uint8_t *pixels = malloc((size_t)2 * WIDTH * HEIGHT);
    bool stored = false;
    bench_check(pixels != NULL, "memory");
    scan_set_simulate(&set, 1);
    (void)snprintf(store->blobs_path, sizeof store->blobs_path, "%s/blobs", store->directory);
    (void)snprintf(store->archive_path, sizeof store->archive_path, "%s/archive", store->directory);
    need(blob_store_open(store->blobs_path, 0, &store->blobs), "blobs");
    for (uint32_t n = 0; n < SCANS; n++) {
        fill_pixels(&set.images[0], n, pixels);
        need(blob_put(store->blobs, pixels, (uint64_t)2 * WIDTH * HEIGHT, NULL, store->digests[n],
                      &stored),
             "blob");
        make_entry(store, n);
    }
    need(blob_commit(store->blobs), "blobs");
    (void)seal(store, store->archive_path, 0, store->sealed[0]);
    (void)seal(store, store->archive_path, 2, store->sealed[1]);
    scan_set_fini(&set);
    free(pixels);
}

/* One view; sealed NULL: from the blob. */
static void look(const struct store *store, struct image_reader *reader, uint32_t turn, bool whole,
                 bool as_png, const char *sealed)
{
    struct view_request request = {.width = SCREEN_WIDTH, .height = SCREEN_HEIGHT};
    struct view view;
    memcpy(request.wanted.sha256, store->digests[turn % SCANS], HASH_BYTES);
    request.wanted.image_width = WIDTH;
    request.wanted.image_height = HEIGHT;
    request.wanted.bits = 16;
    request.wanted.x = whole ? 0 : turn * 977 % (WIDTH - SCREEN_WIDTH);
    request.wanted.y = whole ? 0 : turn * 577 % (HEIGHT - SCREEN_HEIGHT);
    request.wanted.width = whole ? WIDTH : SCREEN_WIDTH;
    request.wanted.height = whole ? HEIGHT : SCREEN_HEIGHT;
    request.sealed[0] = sealed;
    request.sealed_count = sealed == NULL ? 0 : 1;
    need(view_read(reader, &request, &view), "view");
    bench_check(view.is_sealed == (sealed != NULL), "view from the other store");
    if (as_png) {
        const struct picture grey = {
            .width = view.width, .height = view.height, .bits = view.bits, .pixels = view.pixels};
        uint8_t *png = NULL;
        size_t png_bytes = 0;
        need(picture_encode_png(&grey, &png, &png_bytes), "PNG");
        free(png);
    }
    view_fini(&view);
}

static void measure_views(const struct store *store, const char *what, bool whole, bool as_png,
                          const char *sealed)
{
    /* Without blobs in its directory a reader has only the sealed file. */
    const char *blobs = sealed == NULL ? store->blobs_path : store->archive_path;
    struct image_reader *reader = NULL;
    struct rounds p50 = {.count = 0};
    struct rounds p99 = {.count = 0};
    double took_ms[VIEWS];
    char name[64];
    need(image_reader_open(blobs, store->archive_path, &reader), "reader");
    for (uint32_t round = 0; round < rounds_count; round++) {
        for (uint32_t i = 0; i < VIEWS; i++) {
            int64_t start_ns = clock_monotonic_ns();
            look(store, reader, i, whole, as_png, sealed);
            took_ms[i] = (double)(clock_monotonic_ns() - start_ns) / (double)NS_PER_MS;
        }
        rounds_add(&p50, quantile_of(took_ms, VIEWS, 0.5));
        rounds_add(&p99, quantile_of(took_ms, VIEWS, 0.99));
    }
    image_reader_close(&reader);
    const struct rounds *const values[] = {&p50, &p99};
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "view.%s.%s.%s", what, whole ? "whole" : "part",
                       i == 0 ? "p50" : "p99");
        const struct figure figure = {.name = name, .value = values[i], .unit = "ms"};
        figure_print(&figure, as_json);
    }
}

/* ---- the archiver beside readers */

struct busy {
    const struct store *store;
    pthread_t thread;
    uint32_t number;
    bool reads;
    _Atomic bool *stop;
    uint64_t views;
};

static void *busy_run(void *arg)
{
    struct busy *busy = arg;
    struct image_reader *reader = NULL;
    volatile uint64_t burnt = 0;
    need(image_reader_open(busy->store->archive_path, busy->store->archive_path, &reader),
         "reader");
    for (uint32_t turn = busy->number; !*busy->stop; turn++) {
        if (busy->reads) {
            look(busy->store, reader, turn, turn % 2 == 0, false, busy->store->sealed[1]);
            busy->views++;
        } else {
            for (uint32_t i = 0; i < 100000; i++) {
                burnt = burnt + i;
            }
        }
    }
    image_reader_close(&reader);
    return NULL;
}

static double seal_beside(struct store *store, uint32_t count, bool reads, double *views)
{
    struct busy busy[READERS];
    _Atomic bool stop = false;
    char path[160];
    uint64_t done = 0;
    (void)snprintf(path, sizeof path, "%s/beside", store->directory);
    int64_t start_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < count; i++) {
        busy[i] = (struct busy){.store = store, .number = i, .reads = reads, .stop = &stop};
        bench_check(pthread_create(&busy[i].thread, NULL, busy_run, &busy[i]) == 0, "thread");
    }
    double rate = seal(store, path, 2, NULL);
    stop = true;
    for (uint32_t i = 0; i < count; i++) {
        bench_check(pthread_join(busy[i].thread, NULL) == 0, "thread");
        done += busy[i].views;
    }
    *views = (double)done / ((double)(clock_monotonic_ns() - start_ns) / (double)NS_PER_S);
    remove_below(path);
    return rate;
}

static void measure_archiver(struct store *store)
{
    struct rounds alone = {.count = 0};
    struct rounds readers = {.count = 0};
    struct rounds burners = {.count = 0};
    struct rounds views = {.count = 0};
    for (uint32_t round = 0; round < rounds_count; round++) {
        double count = 0;
        rounds_add(&alone, seal_beside(store, 0, false, &count));
        rounds_add(&burners, seal_beside(store, READERS, false, &count));
        rounds_add(&readers, seal_beside(store, READERS, true, &count));
        rounds_add(&views, count);
    }
    const struct figure figures[] = {
        {.name = "view.archiver.no_reader", .value = &alone, .unit = "MB/s"},
        {.name = "view.archiver.8_readers",
         .value = &readers,
         .unit = "MB/s",
         .peer = "8 threads that burn time",
         .peer_value = &burners},
        {.name = "view.archiver.views_beside", .value = &views, .unit = "1/s"}};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        figure_print(&figures[i], as_json);
    }
}

int main(int argc, char **argv)
{
    static struct store store;
    const char *below = "/tmp";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds_count = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            below = argv[i];
        }
    }
    bench_check(rounds_count >= 1 && rounds_count <= FIGURE_ROUNDS_MAX, "rounds");
    (void)snprintf(store.directory, sizeof store.directory, "%.100s/triage-bench-view-XXXXXX",
                   below);
    bench_check(mkdtemp(store.directory) != NULL, "directory below %s", below);
    fill_store(&store);
    figure_head(as_json);
    for (uint32_t whole = 0; whole < 2; whole++) {
        measure_views(&store, "blob", whole == 1, false, NULL);
        measure_views(&store, "sealed_plain", whole == 1, false, store.sealed[0]);
        measure_views(&store, "sealed_deflate", whole == 1, false, store.sealed[1]);
        measure_views(&store, "sealed_deflate.png", whole == 1, true, store.sealed[1]);
    }
    measure_archiver(&store);
    blob_store_close(&store.blobs);
    remove_below(store.directory);
    return 0;
}
