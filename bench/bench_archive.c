/* SPDX-License-Identifier: Apache-2.0 */
/* Bench archive: how fast images become blobs, and blobs a sealed archive file.
 *
 * Two rates of a file, both from the call that gets the entries. write: until it is closed and
 * synced, which is what h5py and plain writing do too. seal: until it was also read back from the
 * disk, every image decoded and held against its digest, every table compared, the file hashed, and
 * it has its name.
 *
 * Peers in the same run, in turns: h5py writing the same images in the same chunks with gzip(1),
 * shuffle and fletcher32, and plain sequential writing of the same bytes; both with one sync and
 * without reading back. Every figure is the median of the rounds: a shared disk changes its speed
 * within seconds.
 *
 * What bounds sealing without compression is SHA-256 of the file. It is one thread's work, because
 * each byte's turn comes after the one before, and begins when the file is whole, because HDF5
 * completes its first bytes last: a file written at the rate W and hashed at the rate H is sealed
 * at 1 / (1/W + 1/H) at most, the ceiling shown, with W the fastest way of writing that was seen.
 * The images' own digests keep another processor busy meanwhile.
 *
 * bench_archive [--json] [--rounds N] [--only VARIANT] [--set NAME] [DIRECTORY]: files are made
 * below DIRECTORY (/tmp) and removed; --only and --set leave the others and the peers out, for a
 * profiler. Real scans: TRIAGED_SHARED_DATA, default ../shared/data. */
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
static const char *only_variant; /* NULL: all, and the peers */
static const char *only_set;

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

enum { ARCHIVE_WRITE, ARCHIVE_SEAL, ARCHIVE_CPU, ARCHIVE_LEFT, ARCHIVE_VALUES };

/* Tells the rate up to the synced file and up to its name, processor seconds a gigabyte, and the
 * share of bytes left. */
static void run_archive(const struct scan_set *set, const char *directory, struct source *source,
                        struct blob_store *blobs, uint32_t variant, double out[ARCHIVE_VALUES])
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
    need(archive_build(&conf, blobs, source_next, source, &result), "archive");
    out[ARCHIVE_CPU] = (cpu_seconds() - cpu) / ((double)set->bytes_count / 1e9);
    out[ARCHIVE_WRITE] = (double)set->bytes_count * 1e3 / (double)result.write_ns;
    out[ARCHIVE_SEAL] = (double)set->bytes_count * 1e3 / (double)result.seal_ns;
    out[ARCHIVE_LEFT] = (double)result.file_bytes / (double)set->bytes_count;
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
    struct rounds direct;
    struct rounds hash;
    struct rounds blobs;
    struct rounds h5py[3]; /* rate, share left, processor time */
    struct rounds ours[VARIANTS][ARCHIVE_VALUES];
    struct rounds over_plain[2]; /* level 0, write and seal: of the plain writing of the round */
    struct rounds over_h5py[VARIANTS][2];
};

static const char plain_words[] = "plain write and sync";
static const char h5py_words[] = "h5py gzip(1) shuffle";

static void tell(const char *set_name, const char *what, struct figure figure)
{
    char name[96];
    (void)snprintf(name, sizeof name, "archive.%.20s.%.60s", set_name, what);
    figure.name = name;
    figure_print(&figure, as_json);
}

static void tell_aim(const char *set_name, const char *what, const struct rounds *value, double aim)
{
    struct rounds aims = {.count = 0};
    rounds_add(&aims, aim);
    tell(set_name, what,
         (struct figure){.value = value, .unit = "times", .peer = "aim", .peer_value = &aims});
}

/* Of the plain, the direct and our own: direct writes of 1 MiB wait for the disk one by one. */
static double fastest_write(const struct figures *f)
{
    const double rates[] = {rounds_median(&f->plain), rounds_median(&f->direct),
                            rounds_median(&f->ours[0][ARCHIVE_WRITE])};
    double most = 0;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        most = rates[i] > most ? rates[i] : most;
    }
    return most;
}

static void tell_variant(const char *set_name, const struct figures *f, uint32_t v)
{
    static const struct {
        const char *name;
        const char *unit;
        uint32_t peer; /* of h5py's values */
    } values[ARCHIVE_VALUES] = {
        {"write", "MB/s", 0}, {"seal", "MB/s", 0}, {"cpu", "s/GB", 2}, {"left", "share", 1}};
    bool raw = variants[v].level == 0;
    double ceiling = 1 / (1 / fastest_write(f) + 1 / rounds_median(&f->hash));
    for (uint32_t i = 0; i < ARCHIVE_VALUES; i++) {
        struct figure figure = {.value = &f->ours[v][i], .unit = values[i].unit};
        char what[64];
        if (raw && i <= ARCHIVE_SEAL) {
            figure.peer = plain_words;
            figure.peer_value = &f->plain;
        } else if (!raw && f->h5py[0].count > 0) {
            figure.peer = h5py_words;
            figure.peer_value = &f->h5py[values[i].peer];
        }
        if (raw && i == ARCHIVE_SEAL && f->direct.count > 0) {
            figure.ceiling = ceiling;
            figure.ceiling_name = "fastest write, then SHA-256 of the file";
        }
        (void)snprintf(what, sizeof what, "%s.%s", variants[v].name, values[i].name);
        tell(set_name, what, figure);
    }
}

static void tell_all(const char *set_name, const struct figures *f)
{
    for (uint32_t v = 0; v < VARIANTS; v++) {
        if (f->ours[v][0].count > 0) {
            tell_variant(set_name, f, v);
        }
    }
    if (only_variant != NULL) {
        return;
    }
    tell(set_name, "blob",
         (struct figure){
             .value = &f->blobs, .unit = "MB/s", .peer = plain_words, .peer_value = &f->plain});
    tell(set_name, "direct_write",
         (struct figure){
             .value = &f->direct, .unit = "MB/s", .peer = plain_words, .peer_value = &f->plain});
    tell(set_name, "sha256", (struct figure){.value = &f->hash, .unit = "MB/s"});
    tell_aim(set_name, "plain.write_over_plain (at least)", &f->over_plain[ARCHIVE_WRITE], 0.7);
    tell_aim(set_name, "plain.seal_over_plain", &f->over_plain[ARCHIVE_SEAL], 0.7);
    for (uint32_t v = 1; v < VARIANTS && f->h5py[0].count > 0; v++) {
        static const char *const names[] = {"write_over_h5py (at least)", "seal_over_h5py"};
        for (uint32_t i = 0; i < 2 && variants[v].threads == ARCHIVE_THREADS; i++) {
            char what[64];
            (void)snprintf(what, sizeof what, "%s.%s", variants[v].name, names[i]);
            tell_aim(set_name, what, &f->over_h5py[v][i], 4);
        }
    }
    if (f->h5py[0].count == 0 && !as_json) {
        (void)printf("SKIP: no h5py of /usr/bin/python3 to hold %s against\n", set_name);
    }
}

static void run_peers(const struct scan_set *set, const char *directory, struct figures *f)
{
    double values[3];
    rounds_add(&f->plain, run_plain(set, directory));
    rounds_add(&f->direct, ceiling_disk(directory) / 1e6);
    rounds_add(&f->hash, ceiling_hash() / 1e6);
    if (run_h5py(directory, values)) {
        for (uint32_t i = 0; i < 3; i++) {
            rounds_add(&f->h5py[i], values[i]);
        }
    }
}

/* The round's last of both. */
static double times(const struct rounds *ours, const struct rounds *peer)
{
    return peer->count == 0 ? 0 : ours->values[ours->count - 1] / peer->values[peer->count - 1];
}

static void run_round(const struct scan_set *set, const char *directory, struct source *source,
                      struct figures *f)
{
    struct blob_store *blobs = NULL;
    char path[DURABLE_PATH_BYTES];
    if (only_variant == NULL) {
        run_peers(set, directory, f);
    }
    rounds_add(&f->blobs, run_blobs(set, directory, &blobs));
    for (uint32_t v = 0; v < VARIANTS; v++) {
        double values[ARCHIVE_VALUES];
        if (only_variant != NULL && strcmp(only_variant, variants[v].name) != 0) {
            continue;
        }
        run_archive(set, directory, source, blobs, v, values);
        for (uint32_t i = 0; i < ARCHIVE_VALUES; i++) {
            rounds_add(&f->ours[v][i], values[i]);
        }
        for (uint32_t i = 0; i <= ARCHIVE_SEAL; i++) {
            rounds_add(&f->over_h5py[v][i], times(&f->ours[v][i], &f->h5py[0]));
            if (variants[v].level == 0) {
                rounds_add(&f->over_plain[i], times(&f->ours[v][i], &f->plain));
            }
        }
    }
    blob_store_close(&blobs);
    (void)snprintf(path, sizeof path, "%s/blobs", directory);
    remove_below(path);
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
        run_round(set, directory, &source, &figures);
    }
    remove_below(path);
    tell_all(set_name, &figures);
}

static bool is_wanted(const char *set_name)
{
    return only_set == NULL || strcmp(only_set, set_name) == 0;
}

static void measure_both(const char *directory)
{
    static struct scan_set set;
    const char *shared = getenv("TRIAGED_SHARED_DATA");
    char real[DURABLE_PATH_BYTES];
    if (is_wanted("simulated")) {
        scan_set_simulate(&set, SIMULATED_SCANS);
        measure("simulated", &set, directory);
        scan_set_fini(&set);
    }
    (void)snprintf(real, sizeof real, "%s/containers/images",
                   shared == NULL ? "../shared/data" : shared);
    if (is_wanted("real") && scan_set_read(&set, real, REAL_BYTES_MAX)) {
        measure("real", &set, directory);
    } else if (is_wanted("real") && !as_json) {
        (void)printf("SKIP: no real container scans at %s (TRIAGED_SHARED_DATA)\n", real);
    }
    scan_set_fini(&set);
}

int main(int argc, char **argv)
{
    const char *below = "/tmp";
    char directory[DURABLE_PATH_BYTES - 64];
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && more) {
            rounds_count = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0 && more) {
            only_variant = argv[++i];
        } else if (strcmp(argv[i], "--set") == 0 && more) {
            only_set = argv[++i];
        } else {
            below = argv[i];
        }
    }
    bench_check(rounds_count >= 1 && rounds_count <= FIGURE_ROUNDS_MAX, "--rounds 1..%u",
                FIGURE_ROUNDS_MAX);
    (void)snprintf(directory, sizeof directory, "%s/bench-archive-XXXXXX", below);
    bench_check(mkdtemp(directory) != NULL, "no folder below %s", below);
    figure_head(as_json);
    measure_both(directory);
    remove_below(directory);
    return 0;
}
