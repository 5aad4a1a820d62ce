/* SPDX-License-Identifier: Apache-2.0 */
/* Bench archive: how fast images become blobs, and blobs a sealed archive file, beside a plain
 * sequential write of the same bytes with one sync at the end. The archive is built, synced, read
 * back, hashed twice and renamed within its figure: that is what sealing means here.
 *
 * All of them take turns, and every figure is the median of the rounds: a shared disk changes its
 * speed within seconds. The images are 16-bit transmission with noise in the lowest bits, the hard
 * case for deflate.
 *
 * bench_archive [--json] [DIRECTORY]: files are made below DIRECTORY (/tmp) and removed. */
#include <fts.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/durable.h"
#include "proto/record.h"

#define ROUNDS 5u
#define IMAGES 8u
#define WIDTH 2500u
#define HEIGHT 2000u
#define IMAGE_BYTES ((uint64_t)WIDTH * HEIGHT * 2)
#define T_NS INT64_C(1789982400000000000)

enum figure_name { PLAIN, BLOB, ARCHIVE_RAW, ARCHIVE_DEFLATE, FIGURES };

static uint16_t *images[IMAGES];
static double figures[FIGURES][ROUNDS];

struct bench_source {
    uint8_t entries[IMAGES][ENTRY_BYTES_MAX];
    uint32_t entry_bytes[IMAGES];
    uint32_t next;
};

static void bench_stop(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    (void)fprintf(stderr, "bench_archive: %s: %s\n", what, err_text(err, text));
    exit(1);
}

static void bench_need(struct err err, const char *what)
{
    if (err_is(err)) {
        bench_stop(err, what);
    }
}

/* A load that attenuates in soft steps, and noise of about eight counts. */
static void bench_make_images(void)
{
    uint64_t state = 1;
    for (uint32_t n = 0; n < IMAGES; n++) {
        images[n] = malloc(IMAGE_BYTES);
        if (images[n] == NULL) {
            bench_stop(err_make(ERR_MEMORY, "images"), "start");
        }
        for (uint32_t y = 0; y < HEIGHT; y++) {
            for (uint32_t x = 0; x < WIDTH; x++) {
                state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                double load = 1 + sin(x * 0.004 + n) * cos(y * 0.003) + (x / 200 + y / 150) % 3;
                double noise = (double)(state >> 60) - 8;
                images[n][(size_t)y * WIDTH + x] = (uint16_t)(60000 * exp(-load) + 100 + noise);
            }
        }
    }
}

static void bench_make_entry(struct bench_source *source, uint32_t n)
{
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED, .actor = "daemon"};
    struct entry_received *received = &entry.body.received;
    received->publisher = "bench";
    received->stream = "a";
    received->sequence = n;
    received->mode = MODE_TRUCK;
    received->site = "bench";
    received->lane = "1";
    received->record_id = "S";
    received->item_key = "";
    received->scanner = "portal";
    received->scanner_type = "container-portal";
    received->images_count = 1;
    received->images[0] = (struct entry_image){.width = WIDTH,
                                               .height = HEIGHT,
                                               .bits = 16,
                                               .meaning = PIXEL_TRANSMISSION,
                                               .energy = ENERGY_SINGLE,
                                               .payload_bytes = IMAGE_BYTES};
    sha256_of(images[n], IMAGE_BYTES, received->images[0].sha256);
    entry.id[0] = (uint8_t)n;
    uint8_t *bytes = source->entries[n];
    size_t stamp = entry_encode_stamp(n, T_NS + n, bytes, ENTRY_BYTES_MAX);
    size_t rest = entry_encode_rest(&entry, bytes + stamp, ENTRY_BYTES_MAX - stamp);
    must(stamp > 0 && rest > 0);
    source->entry_bytes[n] = (uint32_t)(stamp + rest);
}

static bool bench_next(void *opaque, struct archive_entry *out, struct err *err)
{
    struct bench_source *source = opaque;
    *err = err_none;
    if (source->next == IMAGES) {
        return false;
    }
    *out = (struct archive_entry){.entry_index = source->next,
                                  .bytes = source->entries[source->next],
                                  .bytes_count = source->entry_bytes[source->next]};
    source->next++;
    return true;
}

static double bench_rate(int64_t start_ns)
{
    double seconds = (double)(clock_monotonic_ns() - start_ns) / (double)NS_PER_S;
    return (double)(IMAGES * IMAGE_BYTES) / 1e6 / seconds;
}

static double bench_plain(const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    int fd = -1;
    (void)snprintf(path, sizeof path, "%s/plain", directory);
    int64_t start_ns = clock_monotonic_ns();
    bench_need(durable_create_unsynced(path, 0600, &fd), "plain file");
    for (uint32_t n = 0; n < IMAGES; n++) {
        bench_need(durable_write_at(fd, images[n], IMAGE_BYTES, n * IMAGE_BYTES), "plain write");
    }
    bench_need(durable_sync(fd), "plain sync");
    double rate = bench_rate(start_ns);
    (void)close(fd);
    bench_need(durable_remove(path), "plain file");
    return rate;
}

static void bench_remove(const char *path)
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

/* A commit an image, as the receive line does when scans come one by one. The store stays for the
 * archive. */
static double bench_blobs(const char *directory, struct blob_store **blobs)
{
    uint8_t digest[HASH_BYTES];
    bool stored = false;
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/blobs", directory);
    bench_need(blob_store_open(path, 0, blobs), "blob store");
    int64_t start_ns = clock_monotonic_ns();
    for (uint32_t n = 0; n < IMAGES; n++) {
        bench_need(blob_put(*blobs, images[n], IMAGE_BYTES, NULL, digest, &stored), "blob");
        bench_need(blob_commit(*blobs), "blob commit");
    }
    return bench_rate(start_ns);
}

static double bench_archive(const char *directory, struct bench_source *source,
                            struct blob_store *blobs, uint32_t deflate_level, double *ratio)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {1};
    char path[DURABLE_PATH_BYTES];
    struct archive_result result;
    (void)snprintf(path, sizeof path, "%s/archive-%u", directory, deflate_level);
    const struct archive_conf conf = {.directory = path,
                                      .origin = "bench",
                                      .deflate_level = deflate_level,
                                      .threads = 2,
                                      .pseudonym_key = pseudonym_key};
    source->next = 0;
    int64_t start_ns = clock_monotonic_ns();
    bench_need(archive_build(&conf, blobs, bench_next, source, &result), "archive");
    double rate = bench_rate(start_ns);
    *ratio = (double)result.file_bytes / (double)(IMAGES * IMAGE_BYTES);
    bench_remove(path);
    return rate;
}

static int bench_compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void bench_print(bool as_json, enum figure_name name, const char *words)
{
    double *rounds = figures[name];
    double peer = figures[PLAIN][ROUNDS / 2];
    double value = rounds[ROUNDS / 2];
    if (as_json) {
        (void)printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"MB/s\",\"peer\":\"plain "
                     "sequential write and sync\","
                     "\"peer_value\":%.1f,\"ratio\":%.3f,\"ceiling\":%.1f}\n",
                     words, value, peer, value / peer, peer);
    } else {
        (void)printf("%-44s %8.1f MB/s  %6.1f..%-7.1f %5.1f %% of a plain write\n", words, value,
                     rounds[0], rounds[ROUNDS - 1], 100 * value / peer);
    }
}

int main(int argc, char **argv)
{
    bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    const char *below = argc > 1 + as_json ? argv[1 + as_json] : "/tmp";
    char directory[DURABLE_PATH_BYTES - 64];
    static struct bench_source source;
    double ratio = 0;
    (void)snprintf(directory, sizeof directory, "%s/bench-archive-XXXXXX", below);
    if (mkdtemp(directory) == NULL) {
        bench_stop(err_os(ERR_IO, "make directory"), below);
    }
    bench_make_images();
    for (uint32_t n = 0; n < IMAGES; n++) {
        bench_make_entry(&source, n);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct blob_store *blobs = NULL;
        char path[DURABLE_PATH_BYTES];
        figures[PLAIN][round] = bench_plain(directory);
        figures[BLOB][round] = bench_blobs(directory, &blobs);
        figures[ARCHIVE_RAW][round] = bench_archive(directory, &source, blobs, 0, &ratio);
        figures[ARCHIVE_DEFLATE][round] = bench_archive(directory, &source, blobs, 1, &ratio);
        blob_store_close(&blobs);
        (void)snprintf(path, sizeof path, "%s/blobs", directory);
        bench_remove(path);
    }
    for (uint32_t name = 0; name < FIGURES; name++) {
        qsort(figures[name], ROUNDS, sizeof figures[name][0], bench_compare);
    }
    bench_print(as_json, PLAIN, "archive: plain sequential write and sync");
    bench_print(as_json, BLOB, "blob: put and commit, 10 MB each");
    bench_print(as_json, ARCHIVE_RAW, "archive: build and seal, uncompressed");
    bench_print(as_json, ARCHIVE_DEFLATE, "archive: build and seal, deflate 1");
    if (!as_json) {
        (void)printf("deflate 1 leaves %.1f %% of the pixel bytes\n", 100 * ratio);
    }
    bench_remove(directory);
    for (uint32_t n = 0; n < IMAGES; n++) {
        free(images[n]);
    }
    return 0;
}
