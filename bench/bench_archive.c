/* SPDX-License-Identifier: Apache-2.0 */
/* Bench archive: how fast images become blobs, and blobs a sealed archive file. The archive is
 * built, synced, read back, hashed and renamed within its figure: that is what sealing means here.
 *
 * Peers in the same run, in turns: h5py writing the same images in the same chunks with gzip(1),
 * shuffle and fletcher32 (it syncs, and reads nothing back), and plain sequential writing of the
 * same bytes with one sync. Every figure is the median of the rounds: a shared disk changes its
 * speed within seconds.
 *
 * What bounds the uncompressed figure is SHA-256 of the file, which cannot begin before the file is
 * closed and is one thread's work: written at the rate W and hashed at the rate H, a file is sealed
 * at no more than 1 / (1/W + 1/H), the ceiling shown.
 *
 * bench_archive [--json] [--rounds N] [DIRECTORY]: files are made below DIRECTORY (/tmp) and
 * removed. Real scans: TRIAGED_SHARED_DATA, default ../shared/data. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/durable.h"
#include "bench/ceiling.h"
#include "bench/figure.h"
#include "bench/scan_set.h"
#include "proto/record.h"

#define ROUNDS 5u
#define REAL_BYTES_MAX (UINT64_C(300) << 20)
#define SIMULATED_SCANS 12u
#define ARCHIVE_THREADS 2u
#define T_NS INT64_C(1789982400000000000)

static const struct {
    uint32_t level;
    uint32_t threads;
    const char *name;
} variants[] = {{0, ARCHIVE_THREADS, "plain"},
                {1, ARCHIVE_THREADS, "deflate1"},
                {2, ARCHIVE_THREADS, "deflate2"},
                {2, 1, "deflate2.one_thread"}};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

static bool as_json;
static uint32_t rounds_count = ROUNDS;

struct source {
    uint8_t entries[SCAN_SET_MAX][ENTRY_BYTES_MAX];
    uint32_t entry_bytes[SCAN_SET_MAX];
    uint32_t count;
    uint32_t next;
};

static void need(struct err err, const char *what)
{
    char text[ERR_TEXT_BYTES];
    bench_check(!err_is(err), "%s: %s", what, err_text(err, text));
}

static void make_entry(struct source *source, const struct scan_set *set, uint32_t n)
{
    const struct scan_set_image *image = &set->images[n];
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
    received->images[0] =
        (struct entry_image){.width = image->width,
                             .height = image->height,
                             .bits = image->bits,
                             .meaning = image->bits == 16 ? PIXEL_TRANSMISSION : PIXEL_DISPLAY,
                             .energy = image->low_energy ? ENERGY_LOW : ENERGY_SINGLE,
                             .payload_bytes = image->bytes_count};
    sha256_of(image->pixels, image->bytes_count, received->images[0].sha256);
    entry.id[0] = (uint8_t)n;
    uint8_t *bytes = source->entries[n];
    size_t stamp = entry_encode_stamp(n, T_NS + n, bytes, ENTRY_BYTES_MAX);
    size_t rest = entry_encode_rest(&entry, bytes + stamp, ENTRY_BYTES_MAX - stamp);
    must(stamp > 0 && rest > 0);
    source->entry_bytes[n] = (uint32_t)(stamp + rest);
}

static bool source_next(void *opaque, struct archive_entry *out, struct err *err)
{
    struct source *source = opaque;
    *err = err_none;
    if (source->next == source->count) {
        return false;
    }
    *out = (struct archive_entry){.entry_index = source->next,
                                  .bytes = source->entries[source->next],
                                  .bytes_count = source->entry_bytes[source->next]};
    source->next++;
    return true;
}

static double rate_since(const struct scan_set *set, int64_t start_ns)
{
    double seconds = (double)(clock_monotonic_ns() - start_ns) / (double)NS_PER_S;
    return (double)set->bytes_count / 1e6 / seconds;
}

static double run_plain(const struct scan_set *set, const char *directory)
{
    char path[DURABLE_PATH_BYTES];
    int fd = -1;
    uint64_t at = 0;
    (void)snprintf(path, sizeof path, "%s/plain", directory);
    int64_t start_ns = clock_monotonic_ns();
    need(durable_create_unsynced(path, 0600, &fd), "plain file");
    for (uint32_t n = 0; n < set->count; n++) {
        need(durable_write_at(fd, set->images[n].pixels, set->images[n].bytes_count, at),
             "plain write");
        at += set->images[n].bytes_count;
    }
    need(durable_sync(fd), "plain sync");
    double rate = rate_since(set, start_ns);
    (void)close(fd);
    need(durable_remove(path), "plain file");
    return rate;
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

/* A commit an image, as the receive line does when scans come one by one. The store stays for the
 * archive. */
static double run_blobs(const struct scan_set *set, const char *directory,
                        struct blob_store **blobs)
{
    uint8_t digest[HASH_BYTES];
    bool stored = false;
    char path[DURABLE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/blobs", directory);
    need(blob_store_open(path, 0, blobs), "blob store");
    int64_t start_ns = clock_monotonic_ns();
    for (uint32_t n = 0; n < set->count; n++) {
        need(blob_put(*blobs, set->images[n].pixels, set->images[n].bytes_count, NULL, digest,
                      &stored),
             "blob");
        need(blob_commit(*blobs), "blob commit");
    }
    return rate_since(set, start_ns);
}

static double cpu_seconds(void)
{
    struct rusage used;
    must(getrusage(RUSAGE_SELF, &used) == 0);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Tells the rate, processor seconds a gigabyte, and the share of bytes left. */
static void run_archive(const struct scan_set *set, const char *directory, struct source *source,
                        struct blob_store *blobs, uint32_t variant, double out[3])
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {1};
    char path[DURABLE_PATH_BYTES];
    struct archive_result result;
    (void)snprintf(path, sizeof path, "%s/archive-%u", directory, variant);
    const struct archive_conf conf = {.directory = path,
                                      .origin = "bench",
                                      .deflate_level = variants[variant].level,
                                      .threads = variants[variant].threads,
                                      .pseudonym_key = pseudonym_key};
    source->next = 0;
    double cpu = cpu_seconds();
    int64_t start_ns = clock_monotonic_ns();
    need(archive_build(&conf, blobs, source_next, source, &result), "archive");
    out[0] = rate_since(set, start_ns);
    out[1] = (cpu_seconds() - cpu) / ((double)set->bytes_count / 1e9);
    out[2] = (double)result.file_bytes / (double)set->bytes_count;
    remove_below(path);
}

/* One round of h5py; false when there is none. */
static bool run_h5py(const char *directory, double out[3])
{
    char raw[DURABLE_PATH_BYTES];
    char file[DURABLE_PATH_BYTES];
    char text[128] = "";
    int ends[2];
    int status = -1;
    (void)snprintf(raw, sizeof raw, "%s/raw", directory);
    (void)snprintf(file, sizeof file, "%s/h5py.h5", directory);
    bench_check(pipe(ends) == 0, "pipe");
    (void)fflush(stdout);
    pid_t child = fork();
    bench_check(child >= 0, "fork");
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execl("/usr/bin/python3", "python3", BENCH_H5PY_PEER, raw, file, "1", (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    size_t text_bytes = 0;
    for (ssize_t got = 1; got > 0 && text_bytes < sizeof text - 1; text_bytes += (size_t)got) {
        got = read(ends[0], text + text_bytes, sizeof text - 1 - text_bytes);
        got = got < 0 ? 0 : got;
    }
    (void)close(ends[0]);
    bench_check(waitpid(child, &status, 0) == child, "waitpid");
    return status == 0 && sscanf(text, "%lf %lf %lf", &out[0], &out[1], &out[2]) == 3;
}

struct figures {
    struct rounds plain;
    struct rounds blobs;
    struct rounds h5py;
    struct rounds h5py_left;
    struct rounds h5py_cpu;
    struct rounds rate[VARIANTS];
    struct rounds cpu[VARIANTS];
    struct rounds left[VARIANTS];
    struct rounds hash;
};

static void tell(const char *set_name, const char *what, const struct rounds *value,
                 const char *unit, const char *peer, const struct rounds *peer_value,
                 double ceiling)
{
    char name[96];
    (void)snprintf(name, sizeof name, "archive.%.20s.%.60s", set_name, what);
    const struct figure figure = {.name = name,
                                  .value = value,
                                  .unit = unit,
                                  .peer = peer,
                                  .peer_value = peer_value,
                                  .ceiling = ceiling,
                                  .ceiling_name = ceiling > 0 ? "write, then hash" : NULL};
    figure_print(&figure, as_json);
}

static void tell_all(const char *set_name, const struct figures *f)
{
    static const char plain[] = "plain write and sync";
    static const char h5py[] = "h5py gzip(1) shuffle";
    double ceiling = 1 / (1 / rounds_median(&f->plain) + 1 / rounds_median(&f->hash));
    char what[64];
    tell(set_name, "blob", &f->blobs, "MB/s", plain, &f->plain, 0);
    for (uint32_t v = 0; v < VARIANTS; v++) {
        bool raw = variants[v].level == 0;
        tell(set_name, variants[v].name, &f->rate[v], "MB/s", plain, &f->plain, raw ? ceiling : 0);
        if (!raw && f->h5py.count > 0) {
            tell(set_name, variants[v].name, &f->rate[v], "MB/s", h5py, &f->h5py, 0);
        }
        (void)snprintf(what, sizeof what, "%s.left", variants[v].name);
        tell(set_name, what, &f->left[v], "share", raw || f->h5py.count == 0 ? NULL : h5py,
             raw || f->h5py.count == 0 ? NULL : &f->h5py_left, 0);
        (void)snprintf(what, sizeof what, "%s.cpu", variants[v].name);
        tell(set_name, what, &f->cpu[v], "s/GB", raw || f->h5py.count == 0 ? NULL : h5py,
             raw || f->h5py.count == 0 ? NULL : &f->h5py_cpu, 0);
    }
    if (f->h5py.count == 0 && !as_json) {
        (void)printf("SKIP: no h5py of /usr/bin/python3 to hold %s against\n", set_name);
    }
}

static void measure(const char *set_name, const struct scan_set *set, const char *directory)
{
    static struct source source;
    static struct figures figures;
    char path[DURABLE_PATH_BYTES];
    memset(&figures, 0, sizeof figures);
    source.count = set->count;
    for (uint32_t n = 0; n < set->count; n++) {
        make_entry(&source, set, n);
    }
    (void)snprintf(path, sizeof path, "%s/raw", directory);
    need(durable_directory(path, 0700), "folder of raw images");
    scan_set_dump(set, path);
    for (uint32_t round = 0; round < rounds_count; round++) {
        struct blob_store *blobs = NULL;
        double values[3];
        rounds_add(&figures.plain, run_plain(set, directory));
        rounds_add(&figures.hash, ceiling_hash() / 1e6);
        rounds_add(&figures.blobs, run_blobs(set, directory, &blobs));
        for (uint32_t v = 0; v < VARIANTS; v++) {
            run_archive(set, directory, &source, blobs, v, values);
            rounds_add(&figures.rate[v], values[0]);
            rounds_add(&figures.cpu[v], values[1]);
            rounds_add(&figures.left[v], values[2]);
        }
        if (run_h5py(directory, values)) {
            rounds_add(&figures.h5py, values[0]);
            rounds_add(&figures.h5py_left, values[1]);
            rounds_add(&figures.h5py_cpu, values[2]);
        }
        blob_store_close(&blobs);
        (void)snprintf(path, sizeof path, "%s/blobs", directory);
        remove_below(path);
    }
    (void)snprintf(path, sizeof path, "%s/raw", directory);
    remove_below(path);
    tell_all(set_name, &figures);
}

int main(int argc, char **argv)
{
    static struct scan_set set;
    const char *below = "/tmp";
    const char *shared = getenv("TRIAGED_SHARED_DATA");
    char directory[DURABLE_PATH_BYTES - 64];
    char real[DURABLE_PATH_BYTES];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds_count = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            below = argv[i];
        }
    }
    bench_check(rounds_count >= 1 && rounds_count <= FIGURE_ROUNDS_MAX, "--rounds 1..%u",
                FIGURE_ROUNDS_MAX);
    (void)snprintf(directory, sizeof directory, "%s/bench-archive-XXXXXX", below);
    bench_check(mkdtemp(directory) != NULL, "no folder below %s", below);
    figure_head(as_json);
    scan_set_simulate(&set, SIMULATED_SCANS);
    measure("simulated", &set, directory);
    scan_set_fini(&set);
    (void)snprintf(real, sizeof real, "%s/containers/images",
                   shared == NULL ? "../shared/data" : shared);
    if (scan_set_read(&set, real, REAL_BYTES_MAX)) {
        measure("real", &set, directory);
    } else if (!as_json) {
        (void)printf("SKIP: no real container scans at %s (TRIAGED_SHARED_DATA)\n", real);
    }
    scan_set_fini(&set);
    remove_below(directory);
    return 0;
}
