/* SPDX-License-Identifier: Apache-2.0 */
/* Bench latency: from the hand-in at a publisher to the verdict at a subscriber, at the design
 * point of one port of entry: 500 trucks an hour with 20 MB dual-energy scans (2 x 3200 x 1600
 * pixels of 16 bits), 40 parcel scans a second (640 x 640, 8 bits) and 2,000 parcel declarations a
 * second, three real publishers against one daemon with judge line and archive on. Between lie the
 * publisher's spool, the wire, blob and log on the disk, join, the score of an appearance or a
 * history model, the decision and its log entry, and the verdict feed.
 *
 * The policy has hold 0: each record is an item of its own that is decided as soon as it is judged,
 * because the time that an item waits for its missing part is policy, not speed. Models are trained
 * from bench traffic before. A last phase sends ten times the trucks, so that their high quantiles
 * stand on more than a handful of scans.
 *
 * The design point is run by a daemon without an archiver first, then by one that seals a file
 * every ten seconds: what the archiver takes, and whether anybody waits for it, is the difference.
 *
 * bench_latency [--json] [--quick] [--seconds N] [--dir DIRECTORY] */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench/figure.h"
#include "bench/model_set.h"
#include "bench/port.h"
#include "bench/traffic.h"
#include "ctl/ctl_client.h"
#include "publisher/triage_publisher.h"
#include "score/blas_core.h"

enum {
    LATENCY_PICTURES = 4,
    LATENCY_AIM_MS = 250,
    LATENCY_SETTLE_S = 20,
    LATENCY_SPOOL_MIB = 4096
};

enum kind { KIND_TRUCK, KIND_PARCEL, KIND_DECLARATION, KIND_COUNT };

static const char *const kind_names[] = {"truck_scan", "parcel_scan", "declaration"};
/* What stands before the number in the label of a verdict. */
static const char *const kind_labels[] = {"BNCU", "RS", "RB"};
static const size_t kind_digits[] = {6, 8, 8};

static const struct traffic_shape kind_shapes[] = {
    {3200, 1600, 16, 2, MODE_TRUCK, "gantry"},
    {640, 640, 8, 1, MODE_MAIL, "belt"},
    {0},
};

struct lane {
    enum kind kind;
    double per_s;                /* of this phase */
    uint64_t count;              /* of this phase */
    uint64_t first;              /* number of the phase's first record */
    _Atomic int64_t *hand_in_ns; /* of the phase's records */
    double *took_ms;             /* of those that have their verdict */
    uint64_t verdicts;
    double achieved_per_s;
    int64_t began_ns;
    struct triage_publisher *publisher;
    struct traffic_declaration *declaration;
    struct traffic_scan scan;
    uint8_t *pixels[LATENCY_PICTURES][2];
};

static void lane_hand_in(struct lane *self, uint64_t number)
{
    enum triage_publisher_status status;
    if (self->kind == KIND_DECLARATION) {
        traffic_declare(number, 0, self->declaration);
        atomic_store(&self->hand_in_ns[number - self->first], clock_monotonic_ns());
        status = triage_publisher_declaration(self->publisher, &self->declaration->record, NULL);
    } else {
        const struct traffic_shape *shape = &kind_shapes[self->kind];
        uint8_t **pixels = self->pixels[number % LATENCY_PICTURES];
        const void *images[2] = {pixels[0], pixels[1]};
        traffic_scan(number, shape, &self->scan);
        for (uint32_t i = 0; i < shape->images_count; i++) {
            traffic_restamp(pixels[i], shape, number * 2 + i + 1);
        }
        atomic_store(&self->hand_in_ns[number - self->first], clock_monotonic_ns());
        status = triage_publisher_scan(self->publisher, &self->scan.record, images, NULL);
    }
    bench_check(status == TRIAGE_PUBLISHER_OK, "hand in: %s",
                triage_publisher_error(self->publisher));
}

/* Until the next record is due the publisher works on what is on its way, as an adapter's loop
 * does. */
static void lane_wait(struct lane *self, int64_t due_ns)
{
    int64_t left_ns = due_ns - clock_monotonic_ns();
    if (left_ns <= 0) {
        return;
    }
    enum triage_publisher_status status =
        triage_publisher_drain(self->publisher, 0, left_ns / NS_PER_MS);
    bench_check(status == TRIAGE_PUBLISHER_OK || status == TRIAGE_PUBLISHER_TIMEOUT,
                "publisher: %s", triage_publisher_error(self->publisher));
    left_ns = due_ns - clock_monotonic_ns();
    if (left_ns > 0) {
        struct timespec pause = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
        (void)nanosleep(&pause, NULL);
    }
}

static void *lane_run(void *arg)
{
    struct lane *self = arg;
    double period_ns = 1e9 / self->per_s;
    for (uint64_t i = 0; i < self->count; i++) {
        lane_wait(self, self->began_ns + (int64_t)((double)i * period_ns));
        lane_hand_in(self, self->first + i);
    }
    double took_s = (double)(clock_monotonic_ns() - self->began_ns) / 1e9;
    double planned_s = (double)self->count / self->per_s;
    self->achieved_per_s = (double)self->count / (took_s > planned_s ? took_s : planned_s);
    bench_check(triage_publisher_drain(self->publisher, 0, LATENCY_SETTLE_S * 1000) ==
                    TRIAGE_PUBLISHER_OK,
                "not everything was acknowledged: %s", triage_publisher_error(self->publisher));
    return NULL;
}

static void lane_open(enum kind kind, const struct port *port, struct lane *out)
{
    char spool[PORT_PATH_BYTES + 32];
    char error[256];
    *out = (struct lane){.kind = kind};
    (void)snprintf(spool, sizeof spool, "%s/spool-%d", port->directory, (int)kind);
    struct triage_publisher_conf conf = {.endpoint = port->publisher_endpoint,
                                         .stream = "bench",
                                         .software = "bench",
                                         .key_file = port->publisher_key_files[kind],
                                         .daemon_key_file = port->daemon_key_file,
                                         .spool_directory = spool,
                                         .spool_bytes_max = (uint64_t)LATENCY_SPOOL_MIB << 20};
    bench_check(triage_publisher_open(&conf, &out->publisher, error) == TRIAGE_PUBLISHER_OK,
                "publisher: %s", error);
    out->declaration = malloc(sizeof *out->declaration);
    bench_check(out->declaration != NULL, "no memory");
    for (uint32_t i = 0; kind != KIND_DECLARATION && i < LATENCY_PICTURES; i++) {
        for (uint32_t image = 0; image < kind_shapes[kind].images_count; image++) {
            out->pixels[i][image] = traffic_pixels(i, &kind_shapes[kind], image);
        }
    }
}

static void lane_close(struct lane *self)
{
    struct triage_publisher_counts counts;
    triage_publisher_counts(self->publisher, &counts);
    bench_check(counts.refused == 0, "%llu records were refused",
                (unsigned long long)counts.refused);
    triage_publisher_close(&self->publisher);
    free(self->declaration);
    for (uint32_t i = 0; i < LATENCY_PICTURES; i++) {
        free(self->pixels[i][0]);
        free(self->pixels[i][1]);
    }
}

/* The record that a verdict speaks of; false for one of another phase. */
static bool verdict_record(const struct lane *lanes, const char *label, enum kind *kind,
                           uint64_t *place)
{
    for (enum kind k = KIND_TRUCK; k < KIND_COUNT; k++) {
        size_t prefix = strlen(kind_labels[k]);
        if (strncmp(label, kind_labels[k], prefix) != 0 ||
            strlen(label) < prefix + kind_digits[k]) {
            continue;
        }
        char digits[16] = "";
        memcpy(digits, label + prefix, kind_digits[k]);
        uint64_t number = strtoull(digits, NULL, 10);
        *kind = k;
        *place = number - lanes[k].first;
        return number >= lanes[k].first && *place < lanes[k].count;
    }
    return false;
}

/* Reads the feed until every record of the phase has its verdict. */
static void read_verdicts(struct client_feed *feed, struct lane *lanes, int64_t end_ns)
{
    static uint8_t arena_bytes[CLIENT_ARENA_BYTES];
    uint64_t wanted = lanes[0].count + lanes[1].count + lanes[2].count;
    while (wanted > 0 && clock_monotonic_ns() < end_ns) {
        struct arena arena;
        struct wire_verdict verdict;
        arena_init(&arena, arena_bytes, sizeof arena_bytes);
        struct err err = client_feed_next(feed, 200, &arena, &verdict);
        if (err.code == ERR_TIMED_OUT) {
            continue;
        }
        int64_t now_ns = clock_monotonic_ns();
        char text[ERR_TEXT_BYTES];
        bench_check(!err_is(err), "verdict feed: %s", err_text(err, text));
        enum kind kind;
        uint64_t place;
        if (!verdict_record(lanes, verdict.label, &kind, &place)) {
            continue;
        }
        struct lane *lane = &lanes[kind];
        bench_check(lane->verdicts < lane->count, "more verdicts than records");
        lane->took_ms[lane->verdicts++] =
            (double)(now_ns - atomic_load(&lane->hand_in_ns[place])) / 1e6;
        wanted--;
    }
    bench_check(wanted == 0, "%llu records have no verdict", (unsigned long long)wanted);
}

struct phase {
    const char *name;
    double per_s[KIND_COUNT];
    double seconds;
    bool archive;         /* the daemon has its archiver */
    double (*calm_ms)[2]; /* p50 and p99 of each kind without it; NULL: not to be compared */
};

static void phase_prepare(const struct phase *phase, struct lane *lanes)
{
    int64_t began_ns = clock_monotonic_ns() + 50 * NS_PER_MS; /* all threads are there by then */
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct lane *lane = &lanes[kind];
        lane->first += lane->count;
        lane->per_s = phase->per_s[kind];
        lane->count = (uint64_t)(phase->seconds * lane->per_s);
        lane->count = lane->count > 0 ? lane->count : 1;
        lane->began_ns = began_ns;
        lane->verdicts = 0;
        lane->hand_in_ns = calloc(lane->count, sizeof *lane->hand_in_ns);
        lane->took_ms = calloc(lane->count, sizeof *lane->took_ms);
        bench_check(lane->hand_in_ns != NULL && lane->took_ms != NULL, "no memory");
    }
}

static void phase_run(const struct phase *phase, struct lane *lanes, struct client_feed *feed)
{
    pthread_t threads[KIND_COUNT];
    phase_prepare(phase, lanes);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        bench_check(pthread_create(&threads[kind], NULL, lane_run, &lanes[kind]) == 0, "no thread");
    }
    int64_t patience_ns = (int64_t)((phase->seconds + LATENCY_SETTLE_S) * 1e9);
    read_verdicts(feed, lanes, clock_monotonic_ns() + patience_ns);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        bench_check(pthread_join(threads[kind], NULL) == 0, "no thread");
    }
}

static void tell(bool json, const char *phase, const char *what, double value, struct figure figure)
{
    char name[128];
    struct rounds one = {0};
    rounds_add(&one, value);
    (void)snprintf(name, sizeof name, "latency.%s.%s", phase, what);
    figure.name = name;
    figure.value = &one;
    figure_print(&figure, json);
}

/* The first time a quantile is told it is the calm one, without an archiver; the second time it is
 * held against that. */
static void tell_beside_calm(const struct phase *phase, const char *what, double took_ms,
                             double *calm_ms, bool json)
{
    struct rounds calm = {0};
    char name[80];
    if (!phase->archive) {
        *calm_ms = took_ms;
        return;
    }
    rounds_add(&calm, *calm_ms);
    (void)snprintf(name, sizeof name, "%.50s.beside_no_archiver", what);
    tell(json, phase->name, name, took_ms,
         (struct figure){.unit = "ms", .peer = "the same, archive off", .peer_value = &calm});
}

/* What a phase used, in processors, and what the archiver left behind. */
struct phase_use {
    double daemon;
    double archive;
    double archive_mb_s;
};

static void phase_tell(const struct phase *phase, struct lane *lanes, const struct phase_use *use,
                       bool json)
{
    static struct rounds aim = {.values = {LATENCY_AIM_MS}, .count = 1};
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"max", 1}};
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct lane *lane = &lanes[kind];
        for (size_t i = 0; i < 3; i++) {
            char what[64];
            struct figure figure = {.unit = "ms"};
            if (quantiles[i].share < 1 && quantiles[i].share > 0.9) {
                figure.peer = "aim";
                figure.peer_value = &aim;
            }
            (void)snprintf(what, sizeof what, "%s.%s", kind_names[kind], quantiles[i].name);
            double took_ms = quantile_of(lane->took_ms, lane->verdicts, quantiles[i].share);
            tell(json, phase->name, what, took_ms, figure);
            if (phase->calm_ms != NULL && i < 2) {
                tell_beside_calm(phase, what, took_ms, &phase->calm_ms[kind][i], json);
            }
        }
        struct rounds planned = {0};
        char what[64];
        rounds_add(&planned, lane->per_s);
        (void)snprintf(what, sizeof what, "%s.rate", kind_names[kind]);
        tell(json, phase->name, what, lane->achieved_per_s,
             (struct figure){.unit = "1/s", .peer = "design point", .peer_value = &planned});
        (void)snprintf(what, sizeof what, "%s.count", kind_names[kind]);
        tell(json, phase->name, what, (double)lane->verdicts, (struct figure){.unit = "verdicts"});
        free(lane->hand_in_ns);
        free(lane->took_ms);
    }
    tell(json, phase->name, "daemon_cpu", use->daemon, (struct figure){.unit = "cores"});
    if (phase->archive) {
        tell(json, phase->name, "archive_cpu", use->archive, (struct figure){.unit = "cores"});
        tell(json, phase->name, "archive_sealed", use->archive_mb_s,
             (struct figure){.unit = "MB/s"});
    }
}

static struct phase_use use_so_far(const struct port *port)
{
    return (struct phase_use){.daemon = port_cpu_seconds(port),
                              .archive = port_archive_cpu_seconds(port),
                              .archive_mb_s = (double)port_archive_bytes(port) / 1e6};
}

static void phases_run(const struct phase *phases, size_t phases_count, const struct port *port,
                       bool json)
{
    static struct lane lanes[KIND_COUNT];
    struct client_feed *feed = NULL;
    char text[ERR_TEXT_BYTES];
    struct err err = client_feed_open(port->verdict_endpoint, port->subscriber_key_file,
                                      port->daemon_key_file, "", &feed);
    bench_check(!err_is(err), "verdict feed: %s", err_text(err, text));
    for (enum kind kind = KIND_TRUCK; kind < KIND_COUNT; kind++) {
        lane_open(kind, port, &lanes[kind]);
    }
    for (size_t i = 0; i < phases_count; i++) {
        struct phase_use before = use_so_far(port);
        int64_t began_ns = clock_monotonic_ns();
        phase_run(&phases[i], lanes, feed);
        double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9;
        struct phase_use after = use_so_far(port);
        const struct phase_use use = {.daemon = (after.daemon - before.daemon) / took_s,
                                      .archive = (after.archive - before.archive) / took_s,
                                      .archive_mb_s =
                                          (after.archive_mb_s - before.archive_mb_s) / took_s};
        if (phases[i].name != NULL) {
            phase_tell(&phases[i], lanes, &use, json);
        }
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        lane_close(&lanes[kind]);
    }
    client_feed_close(&feed);
}

struct options {
    bool json;
    double seconds;
    const char *directory;
};

static bool options_read(int argc, char **argv, struct options *out)
{
    *out = (struct options){.seconds = 30};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0) {
            out->json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            out->seconds = 10;
        } else if (strcmp(argv[i], "--seconds") == 0 && more) {
            out->seconds = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--dir") == 0 && more) {
            out->directory = argv[++i];
        } else {
            return false;
        }
    }
    return out->seconds >= 1 && out->seconds <= 3600;
}

static void port_run(const struct options *options, const struct phase *phases, size_t phases_count,
                     bool archive)
{
    struct port_conf conf = {.directory = options->directory,
                             .publishers_count = KIND_COUNT,
                             .judge = true,
                             .archive = archive};
    struct port port;
    port_open(&conf, &port);
    model_set_appearance(&port, &kind_shapes[KIND_TRUCK]);
    model_set_appearance(&port, &kind_shapes[KIND_PARCEL]);
    model_set_history(&port);
    phases_run(phases, phases_count, &port, options->json);
    struct port_health health;
    port_health(&port, &health);
    bench_check(health.unscorable == 0,
                "%llu items had no score: the figures would be of another daemon",
                (unsigned long long)health.unscorable);
    port_close(&port);
}

int main(int argc, char **argv)
{
    blas_core_force(argv);
    struct options options;
    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr,
                      "usage: bench_latency [--json] [--quick] [--seconds N] [--dir DIRECTORY]\n");
        return 2;
    }
    static double calm_ms[KIND_COUNT][2];
    static const double design[KIND_COUNT] = {500.0 / 3600, 40, 2000};
    const struct phase without[] = {
        {.per_s = {1, 4, 100}, .seconds = 2}, /* greetings, first pages of everything: not told */
        {"design_without_archive",
         {design[0], design[1], design[2]},
         options.seconds,
         false,
         calm_ms},
    };
    const struct phase phases[] = {
        {.per_s = {1, 4, 100}, .seconds = 2},
        {"design", {design[0], design[1], design[2]}, options.seconds, true, calm_ms},
        {"trucks_x10", {10 * design[0], design[1], design[2]}, options.seconds, true, NULL},
    };
    figure_head(options.json);
    port_run(&options, without, sizeof without / sizeof without[0], false);
    port_run(&options, phases, sizeof phases / sizeof phases[0], true);
    return 0;
}
