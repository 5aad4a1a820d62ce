/* SPDX-License-Identifier: Apache-2.0 */
/* Bench ingest: how fast a real publisher gets durable acknowledgements from a real daemon, and how
 * long one takes.
 *
 * Declarations of 256 B and 4 KiB (padded by `raw` to that encoded size), scans of one 16-bit image
 * of 1 MiB and 20 MiB. Rate: from the first hand-in at the publisher's library to the last
 * acknowledgement; the library spools each record to disk, checks it, hashes it and sends it in
 * messages of up to 256; the daemon decodes, hashes, writes blob and log with O_DIRECT|O_DSYNC and
 * only then answers. Latency: one record on its way at a time. Once with the judge line off, once
 * on (no models, hold 0: each item is joined, decided and logged, none is scored).
 *
 * Peers, in turns in every round: plain libzmq with and without CURVE over the same transport
 * (peer.h). Ceilings: the disk's sequential direct writes, SHA-256 and memcpy of one core. A figure
 * is the median of the rounds. Publisher and daemon share the processors of one machine, as do the
 * peer's two processes.
 *
 * bench_ingest [--json] [--quick] [--rounds N] [--only 256B|4KiB|1MiB|20MiB] [--dir DIRECTORY] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "bench/ceiling.h"
#include "bench/figure.h"
#include "bench/peer.h"
#include "bench/port.h"
#include "bench/traffic.h"
#include "publisher/triage_publisher.h"
#include "score/blas_core.h"

enum { INGEST_DRAIN_MS = 120000, INGEST_SPOOL_MIB = 8192 };

struct size_case {
    const char *name;
    uint64_t bytes;             /* of the encoded declaration or of the image */
    uint64_t count;             /* records of a rate run; about a second */
    uint32_t closed;            /* records of a latency run */
    struct traffic_shape shape; /* width 0: a declaration */
};

static const struct size_case size_cases[] = {
    {"256B", 256, 100000, 300, {0}},
    {"4KiB", 4096, 30000, 300, {0}},
    {"1MiB", 1048576, 320, 60, {1024, 512, 16, 1, MODE_TRUCK, "gantry"}},
    {"20MiB", 20971520, 24, 8, {4096, 2560, 16, 1, MODE_TRUCK, "gantry"}},
};

struct options {
    bool json;
    uint32_t rounds;
    uint32_t divisor; /* of the counts */
    const char *only;
    const char *directory;
};

/* One publisher and what it hands in. */
struct source {
    const struct size_case *what;
    struct triage_publisher *publisher;
    struct traffic_declaration *declaration;
    struct traffic_scan scan;
    uint8_t *pixels;
    uint64_t next;
};

static void source_hand_in(struct source *self)
{
    enum triage_publisher_status status;
    uint64_t number = self->next++;
    if (self->what->shape.width == 0) {
        traffic_renumber(number, self->declaration);
        status = triage_publisher_declaration(self->publisher, &self->declaration->record, NULL);
    } else {
        traffic_scan(number, &self->what->shape, &self->scan);
        traffic_restamp(self->pixels, &self->what->shape, number + 1);
        const void *images[1] = {self->pixels};
        status = triage_publisher_scan(self->publisher, &self->scan.record, images, NULL);
    }
    bench_check(status == TRIAGE_PUBLISHER_OK, "hand in: %s",
                triage_publisher_error(self->publisher));
}

static void source_await_all(struct source *self)
{
    bench_check(triage_publisher_drain(self->publisher, 0, INGEST_DRAIN_MS) == TRIAGE_PUBLISHER_OK,
                "not everything was acknowledged: %s", triage_publisher_error(self->publisher));
}

static void source_open(const struct size_case *what, const struct port *port, struct source *out)
{
    char spool[PORT_PATH_BYTES + 32];
    char error[256];
    *out = (struct source){.what = what};
    if (what->shape.width == 0) {
        out->declaration = malloc(sizeof *out->declaration);
        bench_check(out->declaration != NULL, "no memory");
        traffic_declare(0, (uint32_t)what->bytes, out->declaration);
        size_t encoded_bytes = declaration_encode(&out->declaration->record, NULL, 0);
        bench_check(encoded_bytes == what->bytes, "the declaration has %zu bytes", encoded_bytes);
    } else {
        out->pixels = traffic_pixels(3, &what->shape, 0);
    }
    (void)snprintf(spool, sizeof spool, "%s/spool", port->directory);
    struct triage_publisher_conf conf = {.endpoint = port->publisher_endpoint,
                                         .stream = "bench",
                                         .software = "bench",
                                         .key_file = port->publisher_key_files[0],
                                         .daemon_key_file = port->daemon_key_file,
                                         .spool_directory = spool,
                                         .spool_bytes_max = (uint64_t)INGEST_SPOOL_MIB << 20};
    bench_check(triage_publisher_open(&conf, &out->publisher, error) == TRIAGE_PUBLISHER_OK,
                "publisher: %s", error);
    source_hand_in(out); /* greeting and first steps are over before anything is timed */
    source_await_all(out);
}

static void source_close(struct source *self)
{
    struct triage_publisher_counts counts;
    triage_publisher_counts(self->publisher, &counts);
    bench_check(counts.refused == 0 && counts.resent == 0,
                "%llu records were refused, %llu sent twice", (unsigned long long)counts.refused,
                (unsigned long long)counts.resent);
    triage_publisher_close(&self->publisher);
    free(self->declaration);
    free(self->pixels);
}

struct own_rounds {
    struct rounds rate;  /* records/s */
    struct rounds speed; /* bytes/s */
    struct rounds p50_us;
    struct rounds p99_us;
    struct rounds daemon_us;    /* processor time of the daemon, a record */
    struct rounds publisher_us; /* the same of the publisher */
};

static double own_cpu_seconds(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static void run_own(const struct size_case *what, const struct options *options, bool judge,
                    struct own_rounds *out)
{
    struct port_conf conf = {
        .directory = options->directory, .publishers_count = 1, .judge = judge};
    struct port port;
    struct source source;
    port_open(&conf, &port);
    source_open(what, &port, &source);
    double *took_us = calloc(what->closed, sizeof *took_us);
    bench_check(took_us != NULL, "no memory");
    for (uint32_t i = 0; i < what->closed; i++) {
        int64_t began_ns = clock_monotonic_ns();
        source_hand_in(&source);
        source_await_all(&source);
        took_us[i] = (double)(clock_monotonic_ns() - began_ns) / 1e3;
    }
    rounds_add(&out->p50_us, quantile_of(took_us, what->closed, 0.5));
    rounds_add(&out->p99_us, quantile_of(took_us, what->closed, 0.99));
    free(took_us);
    if (judge) {
        port_await_judged(&port);
    }
    uint64_t count = what->count / options->divisor;
    double daemon_s = port_cpu_seconds(&port);
    double publisher_s = own_cpu_seconds();
    int64_t began_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < count; i++) {
        source_hand_in(&source);
    }
    source_await_all(&source);
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    rounds_add(&out->daemon_us, (port_cpu_seconds(&port) - daemon_s) / (double)count * 1e6);
    rounds_add(&out->publisher_us, (own_cpu_seconds() - publisher_s) / (double)count * 1e6);
    rounds_add(&out->rate, (double)count / took_s);
    rounds_add(&out->speed, (double)count * (double)what->bytes / took_s / 1e6);
    source_close(&source);
    port_close(&port);
}

struct peer_rounds {
    struct rounds rate;
    struct rounds p50_us;
    struct rounds p99_us;
};

static void run_peer(const struct size_case *what, const struct options *options, bool curve,
                     struct peer_rounds *out)
{
    struct peer_conf conf = {.curve = curve,
                             .message_bytes = what->bytes,
                             .count = 2 * what->count / options->divisor,
                             .round_trips = what->closed + 1};
    struct peer_result result;
    peer_run(&conf, &result);
    rounds_add(&out->rate, result.messages_per_s);
    rounds_add(&out->p50_us, result.p50_us);
    rounds_add(&out->p99_us, result.p99_us);
}

struct machine {
    struct rounds disk; /* MB/s */
    struct rounds hash;
    struct rounds copy;
};

static void run_machine(const char *directory, struct machine *out)
{
    rounds_add(&out->disk, ceiling_disk(directory) / 1e6);
    rounds_add(&out->hash, ceiling_hash() / 1e6);
    rounds_add(&out->copy, ceiling_copy() / 1e6);
}

static const char *const curve_name = "libzmq, CURVE, one a message";

/* The lowest of what every record must pass: publisher and daemon each hash it once, in parallel at
 * best. */
static const char *least_ceiling(const struct machine *machine, const struct peer_rounds *peer,
                                 uint64_t bytes, double *records_per_s)
{
    double per_record = 1e6 / (double)bytes;
    double disk = rounds_median(&machine->disk) * per_record;
    double hash = rounds_median(&machine->hash) * per_record;
    double curve = rounds_median(&peer->rate);
    *records_per_s = curve;
    const char *name = "libzmq, CURVE";
    if (hash < *records_per_s) {
        *records_per_s = hash;
        name = "SHA-256, one core";
    }
    if (disk < *records_per_s) {
        *records_per_s = disk;
        name = "disk";
    }
    return name;
}

static void tell(const struct options *options, const char *size, const char *what,
                 struct figure figure)
{
    char name[96];
    (void)snprintf(name, sizeof name, "ingest.%s.%s", size, what);
    figure.name = name;
    figure_print(&figure, options->json);
}

static void tell_own(const struct options *options, const struct size_case *what,
                     const char *suffix, const struct own_rounds *own,
                     const struct peer_rounds *peer)
{
    char name[64];
    (void)snprintf(name, sizeof name, "ack_p50%s", suffix);
    tell(options, what->name, name,
         (struct figure){.value = &own->p50_us,
                         .unit = "us",
                         .peer = "libzmq, CURVE, round trip",
                         .peer_value = &peer->p50_us});
    (void)snprintf(name, sizeof name, "ack_p99%s", suffix);
    tell(options, what->name, name,
         (struct figure){.value = &own->p99_us,
                         .unit = "us",
                         .peer = "libzmq, CURVE, round trip",
                         .peer_value = &peer->p99_us});
    (void)snprintf(name, sizeof name, "daemon_cpu%s", suffix);
    tell(options, what->name, name,
         (struct figure){.value = &own->daemon_us,
                         .unit = "us/record",
                         .peer = "publisher's",
                         .peer_value = &own->publisher_us});
}

static void run_case(const struct size_case *what, const struct options *options,
                     const char *directory)
{
    static struct own_rounds off;
    static struct own_rounds on;
    static struct peer_rounds curve;
    static struct peer_rounds plain;
    static struct machine machine;
    memset(&off, 0, sizeof off);
    memset(&on, 0, sizeof on);
    memset(&curve, 0, sizeof curve);
    memset(&plain, 0, sizeof plain);
    memset(&machine, 0, sizeof machine);
    for (uint32_t round = 0; round < options->rounds; round++) {
        run_own(what, options, false, &off);
        run_peer(what, options, true, &curve);
        run_machine(directory, &machine);
        run_own(what, options, true, &on);
        run_peer(what, options, false, &plain);
    }
    double ceiling;
    const char *ceiling_name = least_ceiling(&machine, &curve, what->bytes, &ceiling);
    tell(options, what->name, "acks",
         (struct figure){NULL, &off.rate, "records/s", curve_name, &curve.rate, ceiling,
                         ceiling_name});
    tell(options, what->name, "acks.judge",
         (struct figure){NULL, &on.rate, "records/s", curve_name, &curve.rate, ceiling,
                         ceiling_name});
    tell(options, what->name, "bytes",
         (struct figure){NULL, &off.speed, "MB/s", "disk, 1 MiB direct writes", &machine.disk,
                         ceiling * (double)what->bytes / 1e6, ceiling_name});
    tell_own(options, what, "", &off, &curve);
    tell_own(options, what, ".judge", &on, &curve);
    tell(options, what->name, "libzmq_plain",
         (struct figure){.value = &plain.rate,
                         .unit = "records/s",
                         .peer = curve_name,
                         .peer_value = &curve.rate});
    tell(options, what->name, "sha256",
         (struct figure){.value = &machine.hash,
                         .unit = "MB/s",
                         .peer = "memcpy, one core",
                         .peer_value = &machine.copy});
}

static bool options_read(int argc, char **argv, struct options *out)
{
    *out = (struct options){.rounds = 5, .divisor = 1};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0) {
            out->json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            out->rounds = 3;
            out->divisor = 4;
        } else if (strcmp(argv[i], "--rounds") == 0 && more) {
            out->rounds = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0 && more) {
            out->only = argv[++i];
        } else if (strcmp(argv[i], "--dir") == 0 && more) {
            out->directory = argv[++i];
        } else {
            return false;
        }
    }
    return out->rounds > 0 && out->rounds <= FIGURE_ROUNDS_MAX;
}

int main(int argc, char **argv)
{
    blas_core_force(argv);
    struct options options;
    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: bench_ingest [--json] [--quick] [--rounds N] [--only SIZE] "
                              "[--dir DIRECTORY]\n");
        return 2;
    }
    char directory[PORT_PATH_BYTES]; /* the file of the disk's own rate lies where the ports lie,
                                        and is unlinked at once */
    port_default_parent(directory);
    figure_head(options.json);
    for (size_t i = 0; i < sizeof size_cases / sizeof size_cases[0]; i++) {
        if (options.only == NULL || strcmp(options.only, size_cases[i].name) == 0) {
            run_case(&size_cases[i], &options,
                     options.directory == NULL ? directory : options.directory);
        }
    }
    return 0;
}
